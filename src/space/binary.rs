//! Binary weights: what becomes of the real weights of a convolution before it is computed. A property of the operators of a space; names and
//! codes of operators do not show it.

mod form;

use super::{Convolution, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// sign(w) is 1 from 0 on and else -1: there is no third value, which one bit has no room for. n: weights that share a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a * sign(w), a = mean |w| of the whole convolution, as BNAS evaluates its "XNOR" networks; activations stay real. The gradient is that
    /// of both factors: sign(w) / n * sum(g * sign(w)) + a * g where |w| <= 1.
    Layer,
    /// The same with the gradient of the code that BNAS was published with: g / n + a * g where |w| <= 1.
    Released,
    /// As "layer", with a scale for each filter (Rastegari et al., ECCV 2016, "binary weights").
    Filter,
    /// As "filter", and what is convolved is binary too (XNOR-Net): the sign of a batch-norm's output, with gradient where that lies
    /// between -1 and 1. It stands where an activation was.
    Xnor(Xnor),
    /// A projection (Gu et al., AAAI 2019): a * sign(mean(W) * w), with a matrix W for each convolution that is learnt, and a loss that pulls W
    /// and weights towards what they are projected to.
    Pcnn(Pcnn),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Xnor {
    /// Every output is multiplied by the mean of the absolute inputs that it comes from, too (K of XNOR-Net).
    pub factor: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pcnn {
    /// Matrices of a convolution (J). All are computed with the mean of all, and each has a gradient of its own.
    #[schemars(range(min = 1, max = 64))]
    #[serde(deserialize_with = "form::projections")]
    pub projections: u32,
}

impl Default for Pcnn {
    fn default() -> Self {
        Pcnn { projections: 1 }
    }
}

impl Binary {
    /// Matrices of a convolution.
    pub fn projections(self) -> Option<u32> {
        match self {
            Binary::Pcnn(Pcnn { projections }) => Some(projections),
            _ => None,
        }
    }

    /// Whether what is convolved is binary, too.
    pub fn activations(self) -> bool {
        matches!(self, Binary::Xnor(_))
    }

    /// The convolutions of a branch of a chain, made binary.
    pub(super) fn chain(self, convolutions: &mut [Convolution]) {
        for convolution in convolutions {
            convolution.binary = Some(self);
            convolution.relu &= !self.activations();
        }
    }

    /// The steps of an edge, made binary; with a batch-norm behind every pool, as in the published code. Behind an activation there is nothing below
    /// 0, and no sign to take: binary activations have a batch-norm there instead, and one behind every convolution.
    pub(super) fn steps(self, steps: Vec<Step>, input: u32) -> Vec<Step> {
        // What halves has one batch-norm, behind it, and no name for another.
        let halves = steps.iter().any(|step| matches!(step, Step::Halve(_)));
        let mut first = true;
        let binary = |step: Step| {
            let leading = std::mem::replace(&mut first, false) && !halves;
            let made = |convolution: Convolution| Convolution { binary: Some(self), ..convolution };
            match step {
                Step::Activate if self.activations() => leading.then_some(Step::Normalise(input)).into_iter().collect(),
                Step::Convolve(convolution) => {
                    let norm = convolution.norm || self.activations();
                    vec![Step::Convolve(Convolution { norm, ..made(convolution) })]
                }
                Step::Halve(both) => vec![Step::Halve(both.map(made))],
                Step::Pool(_) => vec![step, Step::Normalise(input)],
                other => vec![other],
            }
        };
        steps.into_iter().flat_map(binary).collect()
    }
}
