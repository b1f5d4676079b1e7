//! What a stand-alone network may have beyond its architecture and its space. A supernet never has it: a search compares networks as the space
//! has them.
//!
//! The rule is that of the published code of NSE (`use_se`, `activation`): the same for every branch.

use crate::error::Result;
use crate::json;
use crate::space::{Activation, Details, Excitation, Space};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Additions to every branch of a stand-alone network. Default: none, the network that a search scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Variant {
    /// A squeeze-excitation module in every branch, in front of its last convolution: average over the positions, linear to a
    /// quarter of the channels, activation, linear back, sigmoid; the result scales the channels. Where the space has one, that stays.
    pub squeeze_excitation: bool,
    /// Activation of stem, branches and tail. Where the space has swish, that stays.
    pub activation: Activation,
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

    /// What a network of `space` then has.
    pub fn details(self, space: &Space) -> Details {
        let Details { activation, excitation } = space.details();
        Details {
            activation: if self.activation == Activation::default() { activation } else { self.activation },
            excitation: excitation.or(self.squeeze_excitation.then(Excitation::default)),
        }
    }
}
