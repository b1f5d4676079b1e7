//! Cells of blocks (PNAS, Liu et al., ECCV 2018): which of them are the same cell, and what a cell can grow to.
//!
//! Two cells are the same when one becomes the other by numbering its blocks in another order and swapping sides of blocks. Of all ways to
//! write a cell, its canonical form is the least, block by block.

use super::{Architecture, Paths};
use crate::error::Result;
use crate::space::{Space, Stack};
use std::borrow::Cow;
use std::sync::Arc;

/// What the sides of a block are: node times operators plus operator, as indices of [`crate::space::Cell::operators`] are.
pub type Block = [u16; 2];

/// The blocks of a cell, each of which gets what is read from outside or earlier blocks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Blocks {
    blocks: Vec<Block>,
    operators: u16,
    /// Nodes that are read from outside.
    inputs: u16,
}

impl Blocks {
    /// A cell without any.
    pub fn none(stack: &Stack) -> Self {
        let plan = stack.plan();
        Blocks { blocks: Vec::new(), operators: plan.operators as u16, inputs: plan.skeleton.inputs() as u16 }
    }

    /// None: the space has no blocks, or a side has not one operator.
    pub fn of(space: &Space, architecture: &Architecture) -> Option<Self> {
        let stack = space.stack().filter(|stack| stack.plan().skeleton.blocks())?;
        let side = |side: &Vec<u16>| match side[..] {
            [operator] => Some(operator),
            _ => None,
        };
        let sides: Vec<u16> = architecture.cells().iter().map(side).collect::<Option<_>>()?;
        let blocks = sides.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
        Some(Blocks { blocks, ..Self::none(stack) })
    }

    /// In a space of as many blocks.
    pub fn architecture(&self) -> Architecture {
        let places: Vec<_> = self.blocks.iter().flatten().map(|side| vec![*side]).collect();
        Architecture { paths: Paths::single(places.len()), places }
    }

    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Node and operator of a side.
    pub fn parts(&self, side: u16) -> (u16, u16) {
        (side / self.operators, side % self.operators)
    }

    /// Every block that can come next, in order, the lesser side first.
    pub fn extensions(&self) -> impl Iterator<Item = Block> {
        let sides = (self.inputs + self.blocks.len() as u16) * self.operators;
        (0..sides).flat_map(move |a| (a..sides).map(move |b| [a, b]))
    }

    pub fn with(&self, block: Block) -> Self {
        Blocks { blocks: self.blocks.iter().copied().chain([block]).collect(), ..*self }
    }

    /// The least of all that are the same cell.
    ///
    /// Block by block: of those whose nodes have numbers, one with the least sides is next. Several may be; then every one of them is tried,
    /// but of blocks that can be swapped without a difference only the first.
    pub fn canonical(&self) -> Self {
        let inputs = usize::from(self.inputs);
        // Each order so far: the number of every node that has one.
        let mut orders: Vec<Vec<Option<u16>>> =
            vec![(0..self.inputs).map(Some).chain(self.blocks.iter().map(|_| None)).collect()];
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for number in self.inputs..self.inputs + self.blocks.len() as u16 {
            let named = |order: &[Option<u16>], block: usize| {
                let [a, b] = self.blocks[block].map(|side| {
                    let (node, operator) = self.parts(side);
                    order[usize::from(node)].map(|node| node * self.operators + operator)
                });
                Some([a?.min(b?), a?.max(b?)])
            };
            let next = |order: &[Option<u16>]| {
                let open = (0..self.blocks.len()).filter(|block| order[inputs + block].is_none());
                open.filter_map(|block| Some((named(order, block)?, block))).collect::<Vec<_>>()
            };
            let Some(least) = orders.iter().flat_map(|order| next(order)).map(|(sides, _)| sides).min() else { break };
            let mut longer = Vec::new();
            for order in &orders {
                let mut tried: Vec<usize> = Vec::new();
                for (_, block) in next(order).into_iter().filter(|(sides, _)| *sides == least) {
                    if !tried.iter().any(|other| self.twins(*other, block)) {
                        let mut order = order.clone();
                        order[inputs + block] = Some(number);
                        longer.push(order);
                        tried.push(block);
                    }
                }
            }
            blocks.push(least);
            orders = longer;
        }
        Blocks { blocks, ..*self }
    }

    /// Whether two blocks that get the same are got by the same: swapping them changes nothing.
    fn twins(&self, a: usize, b: usize) -> bool {
        let [one, other] = [a, b].map(|block| self.inputs + block as u16);
        let swapped = |side: u16| {
            let (node, operator) = self.parts(side);
            let node = if node == one {
                other
            } else if node == other {
                one
            } else {
                node
            };
            node * self.operators + operator
        };
        let sorted = |[a, b]: Block| [a.min(b), a.max(b)];
        self.blocks
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != a && *i != b)
            .all(|(_, block)| sorted(block.map(swapped)) == sorted(*block))
    }
}

impl Architecture {
    /// The architecture with this code, and the space that it is of: this one, or where cells are of blocks one with fewer.
    pub fn found(space: &Arc<Space>, code: &str) -> Result<(Arc<Space>, Self)> {
        let error = match Self::from_code(space, code) {
            Ok(architecture) => return Ok((space.clone(), architecture)),
            Err(error) => error,
        };
        let plan = space.stack().map(Stack::plan).filter(|plan| plan.skeleton.blocks());
        let mut smaller = (1..plan.map_or(0, |plan| plan.nodes)).rev().map(|nodes| Arc::new(space.of_nodes(nodes)));
        smaller.find_map(|space| Self::from_code(&space, code).ok().map(|found| (space, found))).ok_or(error)
    }

    /// The space that it is of: this one, or the one with as many blocks as it has.
    pub fn space_in<'a>(&self, space: &'a Space) -> Cow<'a, Space> {
        match self.paths.cells() == space.cells().len() {
            true => Cow::Borrowed(space),
            false => Cow::Owned(space.of_nodes(self.paths.cells() as u32 / 2)),
        }
    }

    /// The least way to write the same cell of blocks. None where there are no blocks, or a side has not one operator.
    pub fn canonical(&self, space: &Space) -> Option<Self> {
        Some(Blocks::of(space, self)?.canonical().architecture())
    }
}
