//! One architecture: for every cell of a space the set of operators on its branches. Canonical: two equal sets compare equal. In a space of
//! stacked cells, for every edge of a cell. An ensemble is one too: several paths that share their first cells.

mod blocks;
mod code;
mod ensemble;
mod genotype;
mod paths;
mod published;
mod published_cells;
mod published_tuples;
mod tuple;
mod variant;

pub use blocks::{Block, Blocks};
pub use paths::{Paths, ENSEMBLE};
pub use published::presets;
pub use variant::Variant;

use crate::error::{Error, Result};
use crate::json;
use crate::space::{Operator, Space};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DOCUMENT: &str = "architecture";

/// Operator indices per place (see [`Paths`]), ascending. An empty cell is skipped. Ordered, so that ties between architectures can be
/// broken. Read back as it was written, unchecked: whoever reads one from outside goes through [`Architecture::again`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "ensemble::Form", into = "ensemble::Form")]
pub struct Architecture {
    places: Vec<Vec<u16>>,
    paths: Paths,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ArchitectureDocument {
    /// Name of the space it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    space: Option<String>,
    /// Operators of every cell; of an ensemble, of the cells that its paths share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cells: Option<Vec<Vec<String>>>,
    /// Of an ensemble: for every path, the operators of the cells behind those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paths: Option<Vec<Vec<Vec<String>>>>,
    /// Instead of `cells`, where they are stacked: the text of published code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    genotype: Option<String>,
    /// Instead of `cells` and `paths`: the list of numbers of published code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tuple: Option<Vec<i64>>,
}

impl Architecture {
    /// `cells` in any order and with repetitions; indices must be those of `space`, and only normal cells may be empty.
    pub fn new(space: &Space, cells: Vec<Vec<u16>>) -> Result<Self> {
        if cells.len() != space.cells().len() {
            let reason = format!("{} cells, the space {:?} has {}", cells.len(), space.name(), space.cells().len());
            return Err(json::out_of_range(DOCUMENT, "/cells", reason));
        }
        let paths = Paths::single(cells.len());
        Ok(Architecture { places: canonical(space, "/cells", 0, cells)?, paths })
    }

    /// The same operator, alone, in every cell: what one designs by hand.
    pub fn uniform(space: &Space, operator: &Operator) -> Result<Self> {
        let places = (space.cells().iter().enumerate())
            .map(|(i, cell)| match cell.find(operator) {
                Some(index) => Ok(vec![index]),
                None => Err(not_a_candidate(format!("/cells/{i}"), operator)),
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Architecture { paths: Paths::single(places.len()), places })
    }

    pub fn from_json(space: &Space, text: &str) -> Result<Self> {
        let document: ArchitectureDocument = json::parse(DOCUMENT, text)?;
        if let Some(name) = document.space.filter(|name| name != space.name()) {
            let reason = format!("made for the space {name:?}, not for {:?}", space.name());
            return Err(json::out_of_range(DOCUMENT, "/space", reason));
        }
        if let Some(numbers) = document.tuple {
            return match document.cells.is_some() || document.paths.is_some() || document.genotype.is_some() {
                true => Err(json::out_of_range(DOCUMENT, "/tuple", "beside another form, which says it too")),
                false => Self::from_tuple(space, &numbers),
            };
        }
        let read = |at: &str, cells: &[Vec<String>]| {
            let operator = |i: usize, j: usize, name: &String| {
                name.parse::<Operator>().map_err(|e| json::out_of_range(DOCUMENT, format!("{at}/{i}/{j}"), e))
            };
            let cell =
                |(i, names): (usize, &Vec<String>)| names.iter().enumerate().map(|(j, name)| operator(i, j, name)).collect();
            cells.iter().enumerate().map(cell).collect::<Result<Vec<Vec<Operator>>>>()
        };
        let cells = match (document.cells, document.genotype) {
            (Some(cells), None) => read("/cells", &cells)?,
            (None, Some(_)) if document.paths.is_some() => {
                return Err(json::out_of_range(DOCUMENT, "/paths", "beside \"genotype\", which is of one network"))
            }
            (None, Some(genotype)) => return Self::from_genotype(space, &genotype),
            (None, None) => return Err(json::out_of_range(DOCUMENT, "", "missing field `cells`")),
            (Some(_), Some(_)) => return Err(json::out_of_range(DOCUMENT, "/genotype", "beside \"cells\", which say it too")),
        };
        let Some(paths) = document.paths else { return Self::from_operators(space, cells) };
        let paths = paths.iter().enumerate().map(|(k, path)| read(&format!("/paths/{k}"), path)).collect::<Result<Vec<_>>>()?;
        Self::ensemble_of(space, &cells, &paths)
    }

    /// Operators per cell; each must be a candidate of its cell.
    pub fn from_operators(space: &Space, cells: Vec<Vec<Operator>>) -> Result<Self> {
        Self::new(space, find(space, "/cells", 0, &cells)?)
    }

    /// Operators per place, in index order.
    pub fn operators(&self, space: &Space) -> Vec<Vec<Operator>> {
        let operator = |cell: usize, o: &u16| space.cells()[cell].operators[usize::from(*o)];
        self.by_cell().map(|(cell, operators)| operators.iter().map(|o| operator(cell, o)).collect()).collect()
    }

    /// `{"space": name, "cells": [[operator names], ...]}`, of an ensemble with "paths", readable by [`Architecture::from_json`].
    pub fn to_json(&self, space: &Space) -> String {
        let (cells, paths) = self.parts(&self.names(space));
        let paths = self.paths.is_ensemble().then_some(paths);
        let document =
            ArchitectureDocument { space: Some(space.name().into()), cells: Some(cells), paths, genotype: None, tuple: None };
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// Operator names per place.
    pub fn names(&self, space: &Space) -> Vec<Vec<String>> {
        self.operators(space).iter().map(|operators| operators.iter().map(Operator::to_string).collect()).collect()
    }

    /// Operator indices per place (see [`Paths`]), ascending: of a single network, per cell of its space.
    pub fn cells(&self) -> &[Vec<u16>] {
        &self.places
    }

    /// The same with the cell of the space that a place is.
    pub fn by_cell(&self) -> impl Iterator<Item = (usize, &Vec<u16>)> {
        self.places.iter().enumerate().map(|(place, operators)| (self.paths.cell(place), operators))
    }

    pub fn paths(&self) -> Paths {
        self.paths
    }

    /// Whether all its operators are among these of its cells.
    pub fn within(&self, operators: &[Vec<u16>]) -> bool {
        self.by_cell().all(|(cell, open)| open.iter().all(|o| operators[cell].contains(o)))
    }
}

/// Ascending and without repetitions, held against the cells of `space` from the one numbered `first` on.
fn canonical(space: &Space, at: &str, first: usize, mut cells: Vec<Vec<u16>>) -> Result<Vec<Vec<u16>>> {
    let wrong = |i: usize, reason: String| Err(json::out_of_range(DOCUMENT, format!("{at}/{i}"), reason));
    for (i, (operators, cell)) in cells.iter_mut().zip(&space.cells()[first..]).enumerate() {
        operators.sort_unstable();
        operators.dedup();
        if let Some(index) = operators.iter().find(|o| usize::from(**o) >= cell.operators.len()) {
            return wrong(i, format!("operator {index} of {}", cell.operators.len()));
        }
        if operators.is_empty() && !cell.may_be_skipped() {
            return wrong(i, format!("{} needs at least one operator", cell.kind));
        }
    }
    Ok(cells)
}

/// Indices of operators of the cells from the one numbered `first` on.
fn find(space: &Space, at: &str, first: usize, cells: &[Vec<Operator>]) -> Result<Vec<Vec<u16>>> {
    let index = |i: usize, j: usize, operator: &Operator| {
        // A cell beyond the end is reported with the number of cells, by whoever counts them.
        let found = space.cells().get(first + i).map_or(Some(0), |cell| cell.find(operator));
        found.ok_or_else(|| not_a_candidate(format!("{at}/{i}/{j}"), operator))
    };
    let cell = |(i, operators): (usize, &Vec<Operator>)| operators.iter().enumerate().map(|(j, o)| index(i, j, o)).collect();
    cells.iter().enumerate().map(cell).collect()
}

fn not_a_candidate(pointer: String, operator: &Operator) -> Error {
    json::out_of_range(DOCUMENT, pointer, format!("{operator} is not a candidate of this cell"))
}
