//! The operators of one cell during a search: the active subset that has weights, and the rest waiting for their turn.

/// Indices into `Cell::operators`. An operator that left the active subset never comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    active: Vec<u16>,
    pending: Vec<u16>,
}

impl Pool {
    /// The first `size` operators of `order` become active, the rest pending in that order.
    pub fn new(mut order: Vec<u16>, size: usize) -> Self {
        let pending = order.split_off(size.min(order.len()));
        let mut pool = Pool { active: order, pending };
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

    pub fn drop_operator(&mut self, operator: u16) {
        self.active.retain(|o| *o != operator);
    }

    /// The next active subset: `retained`, filled up to `size` from the pending operators. Nothing is added beyond `size`.
    pub fn evolve(&mut self, retained: Vec<u16>, size: usize) {
        let wanted = size.saturating_sub(retained.len()).min(self.pending.len());
        self.active = retained;
        self.active.extend(self.pending.drain(..wanted));
        self.active.sort_unstable();
    }
}
