//! What the steps of stacked cells cost. Pools, activations and batch-norms count nothing in multiply-accumulates, as everywhere.

use super::{convolution, Cost};
use crate::space::{Shape, Step};

/// Of a chain of steps.
pub(super) fn steps(steps: &[Step], input: Shape) -> Cost {
    let mut shape = input;
    let priced = steps.iter().map(|step| {
        let cost: Cost = step.convolutions().iter().map(|c| convolution(c, shape.size())).sum();
        shape = step.output(shape);
        let normalised = match step {
            Step::Halve(_) => shape.channels,
            Step::Normalise(channels) => *channels,
            // A convolution's own batch-norm is counted with it.
            Step::Activate | Step::Convolve(_) | Step::Pool(_) => 0,
        };
        cost + Cost::real(0, 2 * u64::from(normalised))
    });
    priced.sum()
}

/// Of several chains.
pub(super) fn all(chains: impl IntoIterator<Item = (impl AsRef<[Step]>, Shape)>) -> Cost {
    chains.into_iter().map(|(chain, input)| steps(chain.as_ref(), input)).sum()
}
