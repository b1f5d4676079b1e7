//! What a stand-alone network may have beyond its architecture. A supernet never has it: a search compares plain operators.
//!
//! The rule is that of the published code of NSE (`use_se`, `activation`): the same for every branch.

use crate::error::Result;
use crate::json;
use crate::space::{Convolution, Space};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Additions to every branch of a stand-alone network. Default: none, the network that a search scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Variant {
    /// A squeeze-excitation module in every branch, in front of its last convolution: average over the positions, linear to a
    /// quarter of the channels, activation, linear back, sigmoid; the result scales the channels.
    pub squeeze_excitation: bool,
    /// Activation of stem, branches and tail.
    pub activation: Activation,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// max(x, 0).
    #[default]
    Relu,
    /// x * sigmoid(x).
    Swish,
}

impl Variant {
    /// Reads the JSON form: `{"squeeze_excitation": true, "activation": "swish"}`, both optional.
    pub fn from_json(text: &str) -> Result<Self> {
        json::parse("variant", text)
    }

    /// Stacked cells have no squeeze-excitation.
    pub fn fits(self, space: &Space) -> Result<()> {
        match self.squeeze_excitation {
            true => space.need_chain("squeeze-excitation").map(|_| ()),
            false => Ok(()),
        }
    }

    /// Which convolution of a branch has a squeeze-excitation module behind its activation: the one in front of the projection.
    pub fn excited(self, chain: &[Convolution]) -> Option<usize> {
        chain.len().checked_sub(2).filter(|_| self.squeeze_excitation)
    }

    /// Channels inside a squeeze-excitation module for `width` channels: a quarter, at least 1.
    pub fn squeezed(width: u32) -> u32 {
        (width / 4).max(1)
    }
}
