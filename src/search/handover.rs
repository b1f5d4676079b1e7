//! What a search begins with when it is not the first: a front, and what had its turn before.

use super::engine::Search;
use super::evolve::used;
use super::pareto::Scored;
use super::sample::Window;
use crate::arch::Architecture;
use crate::cost::{CostTable, Prices};
use crate::error::{Error, Result};
use crate::space::Space;
use std::collections::BTreeSet;
use std::sync::Arc;

/// In indices of the space to be searched.
pub(super) struct Handover {
    /// Those inside the window.
    pub front: Vec<Scored>,
    /// Operators per cell that the whole front uses.
    pub used: Vec<BTreeSet<u16>>,
    /// Operators per cell that had their turn.
    pub left: Vec<BTreeSet<u16>>,
}

/// The space to be searched, and what its architectures cost.
pub(super) struct Target<'a> {
    pub space: &'a Space,
    pub costs: &'a CostTable,
    pub prices: &'a Prices,
    pub window: Window,
    /// Of the architectures that are searched.
    pub paths: usize,
}

impl Target<'_> {
    /// From a finished search: its front, and the operators that left it.
    pub fn after(&self, search: &Search) -> Result<Handover> {
        if !search.done() {
            let (round, rounds) = search.rounds();
            let reason = format!("the search is not finished: {round} of {rounds} rounds are complete");
            return Err(Error::Argument { name: "continued", reason });
        }
        self.same_cells("continued", search.space())?;
        // Of cells that have grown the front has smaller ones too.
        let whole = |s: &&Scored| s.architecture.paths().cells() == search.space().cells().len();
        let members = search.front().iter().filter(whole).map(|s| self.member(search.space(), &s.architecture, s.accuracy));
        let left = search.left().iter().enumerate().map(|(i, left)| self.here(search.space(), i, left.iter())).collect();
        Ok(self.handover(members.collect::<Result<_>>()?, left))
    }

    /// From architectures, each in its own space. What a space other than the one to be searched has, and none of them uses, had
    /// its turn, as in the published second space.
    pub fn from(&self, architectures: &[(Arc<Space>, Architecture)]) -> Result<Handover> {
        let mut left = vec![BTreeSet::new(); self.space.cells().len()];
        let mut members = Vec::with_capacity(architectures.len());
        for (space, architecture) in architectures {
            self.same_cells("start", space)?;
            members.push(self.member(space, architecture, 0.0)?);
            if space.as_ref() != self.space {
                for (i, cell) in space.cells().iter().enumerate() {
                    let all: Vec<u16> = (0..cell.operators.len() as u16).collect();
                    left[i].extend(self.here(space, i, all.iter()));
                }
            }
        }
        Ok(self.handover(members, left))
    }

    fn handover(&self, mut front: Vec<Scored>, mut left: Vec<BTreeSet<u16>>) -> Handover {
        let used = used(front.iter().map(|s| &s.architecture), self.space.cells().len());
        left.iter_mut().zip(&used).for_each(|(left, used)| left.retain(|o| !used.contains(o)));
        // Outside the window they leave their operators, but are no candidates.
        front.retain(|s| self.window.contains(s.price));
        front.sort_by(|a, b| a.price.cmp(&b.price).then_with(|| a.architecture.cmp(&b.architecture)));
        front.dedup_by(|a, b| a.architecture == b.architecture);
        Handover { front, used, left }
    }

    fn member(&self, space: &Space, architecture: &Architecture, accuracy: f64) -> Result<Scored> {
        architecture.need_paths("start", self.paths)?;
        let (shared, paths) = architecture.parts(&architecture.operators(space));
        let architecture = match architecture.paths().is_ensemble() {
            true => Architecture::ensemble_of(self.space, &shared, &paths)?,
            false => Architecture::from_operators(self.space, shared)?,
        };
        let cost = self.costs.architecture(&architecture);
        Ok(Scored { cost, price: self.prices.architecture(&architecture), accuracy, found: 0, architecture })
    }

    /// Operators of cell `i` of another space, as far as they are candidates here.
    fn here<'a>(&self, other: &Space, i: usize, operators: impl Iterator<Item = &'a u16>) -> BTreeSet<u16> {
        operators.filter_map(|o| self.space.cells()[i].find(&other.cells()[i].operators[usize::from(*o)])).collect()
    }

    fn same_cells(&self, name: &'static str, other: &Space) -> Result<()> {
        let wrong = |reason: String| Err(Error::Argument { name, reason });
        let (old, new) = (other.cells(), self.space.cells());
        if old.len() != new.len() {
            return wrong(format!("{} cells, the space to be searched has {}", old.len(), new.len()));
        }
        let differ =
            |i: &usize| (old[*i].kind, old[*i].input, old[*i].channels) != (new[*i].kind, new[*i].input, new[*i].channels);
        match (0..old.len()).find(differ) {
            Some(cell) => wrong(format!("cell {cell} has another kind or other shapes in the space to be searched")),
            None => Ok(()),
        }
    }
}
