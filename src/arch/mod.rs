//! One architecture: for every cell of a space the set of operators on its branches. Canonical: two equal sets compare equal. In a space of
//! stacked cells, for every edge of a cell.

mod blocks;
mod code;
mod genotype;
mod published;
mod published_cells;
mod variant;

pub use blocks::{Block, Blocks};
pub use published::presets;
pub use variant::{Activation, Variant};

use crate::error::{Error, Result};
use crate::json;
use crate::space::{Operator, Space};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DOCUMENT: &str = "architecture";

/// Operator indices per cell, ascending. An empty cell is skipped. Ordered, so that ties between architectures can be broken.
/// Read back as it was written, unchecked: whoever reads one from outside goes through [`Architecture::new`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Architecture {
    cells: Vec<Vec<u16>>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ArchitectureDocument {
    /// Name of the space it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    space: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cells: Option<Vec<Vec<String>>>,
    /// Instead of `cells`, where they are stacked: the text of published code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    genotype: Option<String>,
}

impl Architecture {
    /// `cells` in any order and with repetitions; indices must be those of `space`, and only normal cells may be empty.
    pub fn new(space: &Space, mut cells: Vec<Vec<u16>>) -> Result<Self> {
        let wrong = |pointer: String, reason: String| Err(json::out_of_range(DOCUMENT, pointer, reason));
        if cells.len() != space.cells().len() {
            return wrong(
                "/cells".into(),
                format!("{} cells, the space {:?} has {}", cells.len(), space.name(), space.cells().len()),
            );
        }
        for (i, (operators, cell)) in cells.iter_mut().zip(space.cells()).enumerate() {
            operators.sort_unstable();
            operators.dedup();
            if let Some(index) = operators.iter().find(|o| usize::from(**o) >= cell.operators.len()) {
                return wrong(format!("/cells/{i}"), format!("operator {index} of {}", cell.operators.len()));
            }
            if operators.is_empty() && !cell.may_be_skipped() {
                return wrong(format!("/cells/{i}"), format!("{} needs at least one operator", cell.kind));
            }
        }
        Ok(Architecture { cells })
    }

    /// The same operator, alone, in every cell: what one designs by hand.
    pub fn uniform(space: &Space, operator: &Operator) -> Result<Self> {
        let cells = (space.cells().iter().enumerate())
            .map(|(i, cell)| match cell.find(operator) {
                Some(index) => Ok(vec![index]),
                None => Err(not_a_candidate(format!("/cells/{i}"), operator)),
            })
            .collect::<Result<_>>()?;
        Ok(Architecture { cells })
    }

    pub fn from_json(space: &Space, text: &str) -> Result<Self> {
        let document: ArchitectureDocument = json::parse(DOCUMENT, text)?;
        if let Some(name) = document.space.filter(|name| name != space.name()) {
            let reason = format!("made for the space {name:?}, not for {:?}", space.name());
            return Err(json::out_of_range(DOCUMENT, "/space", reason));
        }
        let read = |i: usize, j: usize, name: &String| {
            name.parse::<Operator>().map_err(|e| json::out_of_range(DOCUMENT, format!("/cells/{i}/{j}"), e))
        };
        let cells = match (document.cells, document.genotype) {
            (Some(cells), None) => cells,
            (None, Some(genotype)) => return Self::from_genotype(space, &genotype),
            (None, None) => return Err(json::out_of_range(DOCUMENT, "", "missing field `cells`")),
            (Some(_), Some(_)) => return Err(json::out_of_range(DOCUMENT, "/genotype", "beside \"cells\", which say it too")),
        };
        let cells = (cells.iter().enumerate())
            .map(|(i, names)| names.iter().enumerate().map(|(j, name)| read(i, j, name)).collect())
            .collect::<Result<_>>()?;
        Self::from_operators(space, cells)
    }

    /// Operators per cell; each must be a candidate of its cell.
    pub fn from_operators(space: &Space, cells: Vec<Vec<Operator>>) -> Result<Self> {
        let find = |i: usize, j: usize, operator: &Operator| {
            // A cell beyond the end is reported with the number of cells, by `new`.
            let found = space.cells().get(i).map_or(Some(0), |cell| cell.find(operator));
            found.ok_or_else(|| not_a_candidate(format!("/cells/{i}/{j}"), operator))
        };
        let cells = (cells.iter().enumerate())
            .map(|(i, operators)| operators.iter().enumerate().map(|(j, o)| find(i, j, o)).collect())
            .collect::<Result<_>>()?;
        Self::new(space, cells)
    }

    /// Operators per cell, in index order.
    pub fn operators(&self, space: &Space) -> Vec<Vec<Operator>> {
        let operator = |cell: usize, o: &u16| space.cells()[cell].operators[usize::from(*o)];
        self.cells.iter().enumerate().map(|(i, operators)| operators.iter().map(|o| operator(i, o)).collect()).collect()
    }

    /// `{"space": name, "cells": [[operator names], ...]}`, readable by [`Architecture::from_json`].
    pub fn to_json(&self, space: &Space) -> String {
        let document = ArchitectureDocument { space: Some(space.name().into()), cells: Some(self.names(space)), genotype: None };
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// Operator names per cell.
    pub fn names(&self, space: &Space) -> Vec<Vec<String>> {
        self.operators(space).iter().map(|operators| operators.iter().map(Operator::to_string).collect()).collect()
    }

    /// Operator indices per cell, ascending.
    pub fn cells(&self) -> &[Vec<u16>] {
        &self.cells
    }
}

fn not_a_candidate(pointer: String, operator: &Operator) -> Error {
    json::out_of_range(DOCUMENT, pointer, format!("{operator} is not a candidate of this cell"))
}
