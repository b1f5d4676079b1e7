//! What an architecture costs. Counted from the shapes of its convolutions, so that a network need not exist to be priced.
//!
//! Multiply-accumulates of one image: out height x out width x out channels x in channels per group x kernel, for every
//! convolution, plus in x out of the classifier. Batch-norm, activations, additions and pooling count 0, as in the published code.
//! Parameters: convolution weights, two per channel of a batch-norm, and the classifier with its bias.

mod count;
mod describe;
mod latency;
mod latency_form;
mod latency_key;
mod memory;
mod price;
mod spread;
mod steps;
mod variant;

pub(crate) use describe::whole;
pub use describe::{describe, describe_architecture, Description, Range};
pub use latency::{Latencies, LatencyTable, LOOKING_UP};
pub use latency_key::{latency_keys, LatencyKey, LatencyKind};
pub use memory::{memory, Memory};
pub use price::{Metric, Prices};
pub use spread::Spread;
pub use variant::variant_cost;

use crate::arch::Architecture;
use crate::space::{Body, Cell, Chain, Convolution, Operator, Shape, Space};
use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::Add;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Trainable numbers.
    pub params: u64,
}

impl Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost { macs: self.macs.saturating_add(other.macs), params: self.params.saturating_add(other.params) }
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(costs: I) -> Cost {
        costs.fold(Cost::default(), Cost::add)
    }
}

/// Cost of every operator in every cell of one space, and of what every architecture has. An edge of stacked cells is in many of them:
/// its operators cost what they do in all.
#[derive(Clone, Debug)]
pub struct CostTable {
    fixed: Cost,
    /// Of that, what an ensemble has once more for each path but the first: tail and classifier.
    head: Cost,
    cells: Vec<Vec<Cost>>,
    skippable: Vec<bool>,
    /// What the code that published this kind of space counts beside: outputs of the average pooling, or biases of the classifier.
    published: u64,
}

impl CostTable {
    pub fn new(space: &Space) -> Self {
        let [in_features, classes] = [space.pooled().channels, space.classes()].map(u64::from);
        let classifier = Cost { macs: in_features * classes, params: in_features * classes + classes };
        let skippable = space.cells().iter().map(|cell| cell.may_be_skipped()).collect();
        let (stem, tail, cells, published) = match space.body() {
            Body::Chain(Chain { stem, tail }) => {
                let stem = convolution(stem, space.input().size());
                let tail = convolution(tail, space.features().size());
                (stem, tail, space.cells().iter().map(in_chain).collect(), in_features)
            }
            Body::Stack(stack) => {
                let edge = |(edge, cell): (usize, &Cell)| {
                    (0..).zip(&cell.operators).map(|(index, o)| steps::all(stack.work(edge, index, o))).collect()
                };
                let cells = space.cells().iter().enumerate().map(edge).collect();
                (steps::all(stack.fixed()), Cost::default(), cells, classes)
            }
        };
        let head = tail + classifier;
        CostTable { fixed: stem + head, head, cells, skippable, published }
    }

    /// What a search in multiply-accumulates or parameters goes by; by any other metric, multiply-accumulates.
    pub fn prices(&self, metric: Metric) -> Prices {
        Prices::counted(self, metric)
    }

    /// Of what every architecture has: stem, tail and classifier, and what lies between stacked cells.
    pub fn fixed(&self) -> Cost {
        self.fixed
    }

    /// Of what every path of an ensemble has for itself: tail and classifier.
    pub fn head(&self) -> Cost {
        self.head
    }

    pub fn operator(&self, cell: usize, operator: u16) -> Cost {
        self.cells[cell][usize::from(operator)]
    }

    /// Sum over some operators of one cell.
    pub fn branches(&self, cell: usize, operators: &[u16]) -> Cost {
        operators.iter().map(|o| self.operator(cell, *o)).sum()
    }

    /// Of an ensemble: what its paths share is counted once, and the mean of their outputs is free.
    pub fn architecture(&self, architecture: &Architecture) -> Cost {
        let heads = (1..architecture.paths().count()).map(|_| self.head);
        self.fixed + heads.chain(architecture.by_cell().map(|(cell, operators)| self.branches(cell, operators))).sum()
    }

    /// Multiply-accumulates as published code counts them. That of NSE adds the outputs of the average pooling, 1024 there; those of
    /// stacked cells (NAS-Bench-201 and others) the biases of the classifier.
    pub fn published_macs(&self, cost: Cost) -> u64 {
        cost.macs.saturating_add(self.published)
    }

    /// The cheapest and the dearest architecture of the whole space, each component by itself.
    pub fn range(&self) -> (Cost, Cost) {
        let least = self.cells.iter().zip(&self.skippable).map(|(operators, skippable)| match skippable {
            true => Cost::default(),
            false => Cost {
                macs: operators.iter().map(|c| c.macs).min().unwrap_or(0),
                params: operators.iter().map(|c| c.params).min().unwrap_or(0),
            },
        });
        (self.fixed + least.sum(), self.fixed + self.cells.iter().flatten().copied().sum())
    }
}

/// Of every operator in a cell of a chain.
fn in_chain(cell: &Cell) -> Vec<Cost> {
    let price = |o: &Operator| chain(&o.convolutions(cell.input.channels, cell.channels, cell.stride()), cell.input);
    cell.operators.iter().map(price).collect()
}

fn chain(convolutions: &[Convolution], input: Shape) -> Cost {
    let mut size = input.size();
    let priced = convolutions.iter().map(|c| {
        let cost = convolution(c, size);
        size = c.output(size);
        cost
    });
    priced.sum()
}

fn convolution(c: &Convolution, input: [u32; 2]) -> Cost {
    let weights = c.weight().map(u64::from).into_iter().fold(1, u64::saturating_mul);
    let positions = c.output(input).map(u64::from).into_iter().product();
    let norm = if c.norm { 2 * u64::from(c.cout) } else { 0 };
    Cost { macs: weights.saturating_mul(positions), params: weights.saturating_add(norm) }
}
