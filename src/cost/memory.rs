//! How much memory training and scoring take, estimated from shapes: 32-bit floats, everything that a backward pass needs kept. Our own kernels keep what
//! every convolution gives; libtorch's batch-norm and activation together keep that and what they make of it.

use super::CostTable;
use crate::space::{Activation, Body, Chain, Convolution, Details, Shape, Space, Step};
use serde::Serialize;

const FLOAT: u64 = 4;

/// In bytes. What libtorch keeps for itself, and its buffers inside a convolution, are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Weights and momenta of the active operators, and of what all networks have.
    pub weights: u64,
    /// Activations and gradients of one training step, when half of all branches are open, as they are on average, or all where all always are.
    pub training: u64,
    /// The same when all are open.
    pub training_most: u64,
    /// Activations while a candidate is scored.
    pub scoring: u64,
    /// The images of the datasets.
    pub images: u64,
    /// At once, when all branches are open.
    pub peak: u64,
}

impl Memory {
    /// Where all branches are open in every step.
    pub fn all_open(self) -> Self {
        Memory { training: self.training_most, ..self }
    }

    /// With a copy of the weights, with which they are compared later.
    pub fn remembering(self) -> Self {
        let copy = self.weights / 2;
        Memory { weights: self.weights.saturating_add(copy), peak: self.peak.saturating_add(copy), ..self }
    }
}

/// Numbers per image that a piece of a network computes.
#[derive(Clone, Copy, Default)]
struct Numbers {
    /// Kept for the backward pass.
    kept: u64,
    /// The largest output of a convolution.
    largest: u64,
}

impl Numbers {
    fn and(self, other: Numbers) -> Numbers {
        Numbers { kept: self.kept.saturating_add(other.kept), largest: self.largest.max(other.largest) }
    }
}

/// For a supernet with these active operators, batches of `batch` images in training and `pass` in scoring, and datasets of so
/// many bytes; `own`: computed by our kernels; `sums`: bytes for each gradient of a step, beside itself, where gradients are added up.
pub fn memory(space: &Space, active: &[Vec<u16>], batch: u64, pass: u64, images: u64, own: bool, sums: u64) -> Memory {
    let details = space.details();
    // Our kernels take no cells with anything else.
    let own = own && details.plain();
    let numbers = |chain: &[Convolution], size: [u32; 2]| numbers(chain, size, own, details);
    let costs = CostTable::new(space);
    let image = space.input().numbers();
    let ends = match space.body() {
        Body::Chain(chain) => {
            let Chain { stem, block, tail, .. } = chain;
            let one = std::slice::from_ref;
            let block = numbers(block, chain.stemmed(space.input()).size());
            numbers(one(stem), space.input().size()).and(block).and(numbers(one(tail), space.features().size()))
        }
        Body::Stack(stack) => {
            stack.fixed().iter().fold(Numbers::default(), |sum, (steps, input)| sum.and(of_steps(steps, *input)))
        }
    };
    let mut all = Numbers { kept: image, largest: image }.and(ends);
    let (mut half, mut params, mut half_params) = (all, costs.fixed().params, costs.fixed().params);
    for (i, (cell, operators)) in space.cells().iter().zip(active).enumerate() {
        let merged = match space.stack() {
            None => Numbers { kept: cell.output().numbers(), largest: cell.output().numbers() },
            // Sums of edges are not kept.
            Some(_) => Numbers::default(),
        };
        all = all.and(merged);
        half = half.and(merged);
        for (index, operator) in operators.iter().map(|o| (*o, &cell.operators[usize::from(*o)])) {
            let branch = match space.stack() {
                None => {
                    let chain = operator.convolutions(cell.input.channels, cell.channels, cell.stride());
                    numbers(&chain, cell.input.size())
                }
                Some(stack) => stack
                    .work(i, index, operator)
                    .iter()
                    .fold(Numbers::default(), |sum, (steps, input)| sum.and(of_steps(steps, *input))),
            };
            all = all.and(branch);
            half = half.and(Numbers { kept: branch.kept / 2, ..branch });
        }
        let of_cell = costs.branches(i, operators).params;
        params = params.saturating_add(of_cell);
        half_params = half_params.saturating_add(of_cell / 2);
    }
    let bytes = |numbers: u64| numbers.saturating_mul(FLOAT);
    // The backward pass holds some three maps of gradients at a time.
    let step = |n: Numbers, params: u64| {
        bytes(n.kept.saturating_add(n.largest.saturating_mul(3)).saturating_mul(batch))
            .saturating_add(params.saturating_mul(FLOAT.saturating_add(sums)))
    };
    let weights = bytes(params.saturating_mul(2));
    let (training, training_most) = (step(half, half_params), step(all, params));
    let scoring = bytes(all.largest.saturating_mul(4).saturating_add(image).saturating_mul(pass));
    let peak = weights.saturating_add(images).saturating_add(training_most.max(scoring));
    Memory { weights, training, training_most, scoring, images, peak }
}

/// A batch-norm keeps what it was given; ReLU, in place, what it gives, and swish both, unless it is `own`; a map that is scaled is kept twice.
fn numbers(chain: &[Convolution], mut size: [u32; 2], own: bool, details: Details) -> Numbers {
    let mut sum = Numbers::default();
    let excited = details.excited(chain).map(|(at, _)| at);
    let activation = 1 + u64::from(details.activation == Activation::Swish);
    for (i, c) in chain.iter().enumerate() {
        size = c.output(size);
        let output = u64::from(c.cout) * u64::from(size[0]) * u64::from(size[1]);
        let maps = u64::from(c.norm) + u64::from(c.relu) * activation + u64::from(excited == Some(i));
        let kept = if own { output } else { output * maps };
        sum = sum.and(Numbers { kept, largest: output });
    }
    sum
}

/// Of stacked cells: every step keeps what it was given; an activation also what it gives.
fn of_steps(steps: &[Step], input: Shape) -> Numbers {
    let mut shape = input;
    steps.iter().fold(Numbers::default(), |sum, step| {
        let given = shape.numbers();
        shape = step.output(shape);
        let normalised = step.convolutions().iter().any(|c| c.norm) || matches!(step, Step::Halve(_));
        let between = if normalised { shape.numbers() } else { 0 };
        sum.and(Numbers { kept: given.saturating_add(between), largest: given.max(shape.numbers()) })
    })
}
