//! What a finished search hands over to one that continues it in another space: its front and what had its turn.

use super::engine::Search;
use super::evolve::used;
use super::pareto::Scored;
use super::sample::Window;
use crate::arch::Architecture;
use crate::cost::{CostTable, Prices};
use crate::error::{Error, Result};
use crate::space::Space;
use std::collections::BTreeSet;

/// In indices of the new space. The front is that inside the new window.
pub(super) struct Handover {
    pub front: Vec<Scored>,
    /// Operators per cell that the front uses.
    pub used: Vec<BTreeSet<u16>>,
    /// Operators per cell that left the old search.
    pub left: Vec<BTreeSet<u16>>,
}

impl Search {
    pub(super) fn handed_over(&self, space: &Space, costs: &CostTable, prices: &Prices, window: Window) -> Result<Handover> {
        let wrong = |reason: String| Err(Error::Argument { name: "continued", reason });
        if !self.done() {
            let (round, rounds) = self.rounds();
            return wrong(format!("the search is not finished: {round} of {rounds} rounds are complete"));
        }
        let (old, new) = (self.space().cells(), space.cells());
        if old.len() != new.len() {
            return wrong(format!("{} cells, the new space has {}", old.len(), new.len()));
        }
        let other =
            |i: &usize| (old[*i].kind, old[*i].input, old[*i].channels) != (new[*i].kind, new[*i].input, new[*i].channels);
        if let Some(cell) = (0..old.len()).find(other) {
            return wrong(format!("cell {cell} has another kind or other shapes in the new space"));
        }
        let mut front = (self.front().iter())
            .map(|scored| {
                let architecture = Architecture::from_operators(space, scored.architecture.operators(self.space()))?;
                Ok(Scored {
                    cost: costs.architecture(&architecture),
                    price: prices.architecture(&architecture),
                    accuracy: scored.accuracy,
                    found: 0,
                    architecture,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let moved = |(cell, operators): (usize, BTreeSet<u16>)| {
            operators.into_iter().filter_map(|o| new[cell].find(&old[cell].operators[usize::from(o)])).collect()
        };
        let used = used(front.iter().map(|s| &s.architecture), new.len());
        // In another window they leave their operators, but are no candidates.
        front.retain(|s| window.contains(s.price));
        Ok(Handover { used, left: self.left().into_iter().enumerate().map(moved).collect(), front })
    }
}
