//! What an operator on an edge does to a map, step by step. Cost, memory, weights and exports of stacked cells read these.

use super::{Convolution, Shape};

/// Sizes are kept at stride 1 and halved, rounded up, at stride 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// max(x, 0), unless a stand-alone model has another activation.
    Activate,
    /// With its batch-norm and the activation behind it, as far as it has them.
    Convolve(Convolution),
    /// Of what lies inside the map; what hangs over its edges does not count.
    Pool(Pooling),
    /// Half the size: two 1x1 convolutions of stride 2, the second one pixel further down and right (0 beyond the map), their channels
    /// one behind the other, and batch-norm. The "factorized reduce" of the published code, without the activation in front.
    Halve([Convolution; 2]),
    /// Batch-norm of so many channels.
    Normalise(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    pub average: bool,
    pub kernel: u32,
    pub stride: u32,
}

impl Pooling {
    /// On each side; an even kernel hangs over on the right and below only.
    pub fn padding(&self) -> u32 {
        (self.kernel - 1) / 2
    }
}

impl Step {
    pub fn halve(cin: u32, cout: u32) -> Self {
        let half = |name, cout| Convolution::pointwise(name, cin, cout).stride([2, 2]).linear().without_norm();
        Step::Halve([half("even", cout / 2), half("odd", cout - cout / 2)])
    }

    /// A pool of 3 x 3 and the like.
    pub fn pool(average: bool, kernel: u32, stride: u32) -> Self {
        Step::Pool(Pooling { average, kernel, stride })
    }

    /// Of what comes out.
    pub fn output(&self, input: Shape) -> Shape {
        let sized = |channels, [height, width]: [u32; 2]| Shape { channels, height, width };
        match self {
            Step::Activate | Step::Normalise(_) => input,
            Step::Convolve(c) => sized(c.cout, c.output(input.size())),
            Step::Pool(pool) => sized(input.channels, input.size().map(|side| side.div_ceil(pool.stride))),
            Step::Halve([even, odd]) => sized(even.cout + odd.cout, even.output(input.size())),
        }
    }

    /// The convolutions in it.
    pub fn convolutions(&self) -> &[Convolution] {
        match self {
            Step::Convolve(convolution) => std::slice::from_ref(convolution),
            Step::Halve(halves) => halves,
            Step::Activate | Step::Pool(_) | Step::Normalise(_) => &[],
        }
    }
}

/// Of what comes out of all of them, one behind the other.
pub fn output(steps: &[Step], input: Shape) -> Shape {
    steps.iter().fold(input, |shape, step| step.output(shape))
}
