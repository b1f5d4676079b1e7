//! What an architecture costs. Counted from the shapes of its convolutions, so that a network need not exist to be priced.
//!
//! Multiply-accumulates of one image: out height x out width x out channels x in channels per group x kernel, for every
//! convolution, plus in x out of every linear layer: the classifier, a hidden one in front of it, the two of squeeze-excitation. Batch-norm,
//! activations, additions, pooling, gates and scaling count 0, as in the published code.
//! Of convolutions with binary weights both are also counted by themselves.
//! Parameters: convolution weights, two per channel of a batch-norm, and linear layers with their biases.

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
use crate::space::{Body, Cell, Chain, Convolution, Details, Operator, Shape, Space};
use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::Add;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// Trainable numbers.
    pub params: u64,
    /// Of the multiply-accumulates, those with binary weights.
    #[serde(default, skip_serializing_if = "none")]
    pub binary_macs: u64,
    /// Of the trainable numbers, those of which one bit is kept.
    #[serde(default, skip_serializing_if = "none")]
    pub binary_params: u64,
}

fn none(count: &u64) -> bool {
    *count == 0
}

impl Cost {
    pub fn real(macs: u64, params: u64) -> Self {
        Cost { macs, params, ..Cost::default() }
    }

    /// Size of the trained network: 32 for each real number, 1 for each binary one. Scales of binary weights are part of the batch-norms
    /// behind them.
    pub fn bits(&self) -> u64 {
        self.params.saturating_sub(self.binary_params).saturating_mul(32).saturating_add(self.binary_params)
    }

    /// Of one image, in 64ths: binary multiply-accumulates count one, as 64 of them are one instruction, others 64 (as in Bi-Real Net, Liu et
    /// al., ECCV 2018).
    pub fn operations64(&self) -> u64 {
        self.macs.saturating_sub(self.binary_macs).saturating_mul(64).saturating_add(self.binary_macs)
    }
}

impl Add for Cost {
    type Output = Cost;
    fn add(self, other: Cost) -> Cost {
        Cost {
            macs: self.macs.saturating_add(other.macs),
            params: self.params.saturating_add(other.params),
            binary_macs: self.binary_macs.saturating_add(other.binary_macs),
            binary_params: self.binary_params.saturating_add(other.binary_params),
        }
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
    /// Of that, what an ensemble has once more for each path but the first: tail, hidden layer and classifier.
    head: Cost,
    cells: Vec<Vec<Cost>>,
    skippable: Vec<bool>,
    /// What the code that published this kind of space counts beside: outputs of the average pooling, or biases of the classifier.
    published: u64,
}

impl CostTable {
    pub fn new(space: &Space) -> Self {
        Self::of(space, space.details())
    }

    /// The same of networks with other details.
    pub fn of(space: &Space, details: Details) -> Self {
        let classifier = linear(space.classified(), space.classes());
        let skippable = space.cells().iter().map(|cell| cell.may_be_skipped()).collect();
        let (stem, tail, cells, published) = match space.body() {
            Body::Chain(chain) => {
                let Chain { stem, block, tail, hidden, .. } = chain;
                let stem = convolution(stem, space.input().size()) + branch(block, chain.stemmed(space.input()), details);
                let hidden = hidden.map_or(Cost::default(), |hidden| linear(tail.cout, hidden));
                let tail = convolution(tail, space.features().size()) + hidden;
                let cells = space.cells().iter().map(|cell| in_chain(cell, details)).collect();
                (stem, tail, cells, u64::from(space.pooled().channels))
            }
            Body::Stack(stack) => {
                let edge = |(edge, cell): (usize, &Cell)| {
                    (0..).zip(&cell.operators).map(|(index, o)| steps::all(stack.work(edge, index, o))).collect()
                };
                let cells = space.cells().iter().enumerate().map(edge).collect();
                (steps::all(stack.fixed()), Cost::default(), cells, u64::from(space.classes()))
            }
        };
        let head = tail + classifier;
        CostTable { fixed: stem + head, head, cells, skippable, published }
    }

    /// What a search in a cost that is counted goes by; by a latency, multiply-accumulates.
    pub fn prices(&self, metric: Metric) -> Prices {
        Prices::counted(self, metric)
    }

    /// Of what every architecture has: stem and fixed block, tail, hidden layer and classifier, and what lies between stacked cells.
    pub fn fixed(&self) -> Cost {
        self.fixed
    }

    /// Of what every path of an ensemble has for itself: tail, hidden layer and classifier.
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
            false => {
                let least = |part: fn(&Cost) -> u64| operators.iter().map(part).min().unwrap_or(0);
                Cost {
                    macs: least(|c| c.macs),
                    params: least(|c| c.params),
                    binary_macs: least(|c| c.binary_macs),
                    binary_params: least(|c| c.binary_params),
                }
            }
        });
        (self.fixed + least.sum(), self.fixed + self.cells.iter().flatten().copied().sum())
    }
}

/// Of every operator in a cell of a chain.
fn in_chain(cell: &Cell, details: Details) -> Vec<Cost> {
    let price = |o: &Operator| branch(&o.convolutions(cell.input.channels, cell.channels, cell.stride()), cell.input, details);
    cell.operators.iter().map(price).collect()
}

/// Convolutions one behind the other, with their squeeze-excitation.
fn branch(convolutions: &[Convolution], input: Shape, details: Details) -> Cost {
    let excitation = details.excited(convolutions).map_or(Cost::default(), |(at, excitation)| {
        let width = convolutions[at].cout;
        linear(width, excitation.squeezed(width)) + linear(excitation.squeezed(width), width)
    });
    let mut size = input.size();
    let priced = convolutions.iter().map(|c| {
        let cost = convolution(c, size);
        size = c.output(size);
        cost
    });
    excitation + priced.sum()
}

/// With its bias.
fn linear(inputs: u32, outputs: u32) -> Cost {
    let [inputs, outputs] = [inputs, outputs].map(u64::from);
    Cost::real(inputs * outputs, inputs * outputs + outputs)
}

fn convolution(c: &Convolution, input: [u32; 2]) -> Cost {
    let weights = c.weight().map(u64::from).into_iter().fold(1, u64::saturating_mul);
    let positions = c.output(input).map(u64::from).into_iter().product();
    let norm = if c.norm { 2 * u64::from(c.cout) } else { 0 };
    let macs = weights.saturating_mul(positions);
    let [binary_macs, binary_params] = if c.binary.is_some() { [macs, weights] } else { [0, 0] };
    Cost { macs, params: weights.saturating_add(norm), binary_macs, binary_params }
}
