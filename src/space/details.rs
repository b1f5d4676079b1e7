//! What the networks of a space have beside convolutions and batch-norms: activations, and squeeze-excitation.

use super::preset::make_divisible;
use super::Convolution;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// max(x, 0).
    #[default]
    Relu,
    /// x * sigmoid(x).
    Swish,
}

/// What becomes of the numbers by which channels are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// 1 / (1 + exp(-x)).
    #[default]
    Sigmoid,
    /// x / 6 + 1 / 2, held to 0 and 1.
    HardSigmoid,
}

/// Squeeze-excitation (Hu et al., CVPR 2018): average over the positions, linear to fewer channels, activation, linear back, gate; the result
/// scales the channels. The default is that of the published code of NSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Excitation {
    /// The channels are divided by this to give those inside, rounded down, at least 1.
    pub reduction: u32,
    /// Those inside are instead the nearest multiple of this, at least one, never more than 10% below (MobileNet's rule).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divisor: Option<u32>,
    /// Inside; without one, that of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    pub gate: Gate,
}

impl Default for Excitation {
    fn default() -> Self {
        Excitation { reduction: 4, divisor: None, activation: None, gate: Gate::Sigmoid }
    }
}

impl Excitation {
    /// What is inside, in a network with this `activation`.
    pub fn inside(&self, activation: Activation) -> Activation {
        self.activation.unwrap_or(activation)
    }

    /// Channels inside, for a map of `width` channels.
    pub fn squeezed(&self, width: u32) -> u32 {
        match self.divisor {
            None => (width / self.reduction).max(1),
            Some(divisor) => make_divisible(f64::from(width) / f64::from(self.reduction), divisor),
        }
    }
}

/// Of a whole network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Of stem, branches and tail, and behind a hidden layer.
    pub activation: Activation,
    /// In every branch, and in a fixed block.
    pub excitation: Option<Excitation>,
}

impl Details {
    /// Which convolution of a branch has squeeze-excitation behind its activation, and which: the one in front of the projection.
    pub fn excited(&self, chain: &[Convolution]) -> Option<(usize, Excitation)> {
        chain.len().checked_sub(2).zip(self.excitation)
    }

    /// Whether all activations are ReLU, and nothing is excited.
    pub fn plain(&self) -> bool {
        *self == Details::default()
    }
}
