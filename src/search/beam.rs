//! Which cells of blocks are evaluated next: of all with one block more than those that were, the ones that are foretold to be best, or
//! the front of prediction and cost. Never the same cell twice.

use super::observe::Control;
use super::predictor::Ensemble;
use super::strategy::Select;
use crate::arch::{Block, Blocks};
use crate::cost::Prices;
use crate::error::{Error, Result};
use std::collections::HashSet;

/// One cell with one block more.
struct Child {
    parent: usize,
    block: Block,
    foretold: f64,
    price: u64,
}

/// What there is to choose from.
pub struct Beam<'a> {
    pub parents: &'a [Blocks],
    /// Of cells with one block more than the parents.
    pub prices: &'a Prices,
    /// Greatest price.
    pub most: u64,
    pub predictor: &'a Ensemble,
}

impl Beam<'_> {
    /// At most `count` cells with what is foretold of them, the best first. May stop early, with [`Error::Cancelled`].
    pub fn select(&self, select: Select, count: usize, control: &dyn Control) -> Result<Vec<(Blocks, f64)>> {
        let mut children = Vec::new();
        for (parent, cell) in self.parents.iter().enumerate() {
            if control.cancelled() {
                return Err(Error::Cancelled);
            }
            let place = 2 * cell.blocks().len();
            let grown = self.prices.architecture(&cell.architecture());
            let price = |[a, b]: Block| {
                grown.saturating_add(self.prices.operator(place, a)).saturating_add(self.prices.operator(place + 1, b))
            };
            let blocks: Vec<Block> = cell.extensions().filter(|block| price(*block) <= self.most).collect();
            if blocks.is_empty() {
                continue;
            }
            let foretold = self.predictor.predict(cell, &blocks).into_iter();
            children.extend(blocks.into_iter().zip(foretold).map(|(block, foretold)| Child {
                parent,
                block,
                foretold,
                price: price(block),
            }));
        }
        if select == Select::Front {
            children = front(children);
        }
        // Stable: of equals the first parent's first.
        children.sort_by(|a, b| b.foretold.total_cmp(&a.foretold));
        let mut seen = HashSet::new();
        let cells = children.into_iter().map(|child| (self.parents[child.parent].with(child.block), child.foretold));
        Ok(cells.filter(|(cell, _)| seen.insert(cell.canonical())).take(count).collect())
    }
}

/// Those that are foretold to be better than everything that costs no more.
fn front(mut children: Vec<Child>) -> Vec<Child> {
    children.sort_by(|a, b| a.price.cmp(&b.price).then(b.foretold.total_cmp(&a.foretold)));
    let mut best = f64::NEG_INFINITY;
    children.retain(|child| {
        let better = child.foretold > best;
        best = best.max(child.foretold);
        better
    });
    children
}
