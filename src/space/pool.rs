//! The operators of one cell during a search: the active subset that has weights, the rest waiting for their turn, and those that left.

use serde::{Deserialize, Serialize};

/// Indices into `Cell::operators`. An operator that left the active subset never comes back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    active: Vec<u16>,
    pending: Vec<u16>,
    left: Vec<u16>,
}

impl Pool {
    /// The first `size` operators of `order` become active, the rest pending in that order.
    pub fn new(mut order: Vec<u16>, size: usize) -> Self {
        let pending = order.split_off(size.min(order.len()));
        let mut pool = Pool { active: order, pending, left: Vec::new() };
        pool.active.sort_unstable();
        pool
    }

    /// In ascending order.
    pub fn active(&self) -> &[u16] {
        &self.active
    }

    pub fn pending(&self) -> &[u16] {
        &self.pending
    }

    /// Those that were active and are no longer.
    pub fn left(&self) -> &[u16] {
        &self.left
    }

    pub fn drop_operator(&mut self, operator: u16) {
        self.left.extend(self.active.iter().filter(|o| **o == operator));
        self.active.retain(|o| *o != operator);
    }

    /// The next active subset: `retained`, filled up to `size` from the pending operators. Nothing is added beyond `size`.
    pub fn evolve(&mut self, retained: Vec<u16>, size: usize) {
        let wanted = size.saturating_sub(retained.len()).min(self.pending.len());
        self.left.extend(self.active.iter().filter(|o| !retained.contains(o)));
        self.active = retained;
        self.active.extend(self.pending.drain(..wanted));
        self.active.sort_unstable();
    }
}
