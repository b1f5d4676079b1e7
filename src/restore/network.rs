//! Which network: one of a genome, or a classical one.

use super::decode;
use super::genome::Genome;
use super::plan::Plan;
use crate::error::{Error, Result};
use serde_json::{json, Value};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    Genome(Genome),
    /// Of Deep Image Prior, with so many channels in every skip.
    Classic(u32),
}

/// Names of the classical ones, with the channels of their skips.
const CLASSIC: [(&str, u32); 2] = [("classic", 4), ("classic-inpaint", 128)];

impl Network {
    /// A genome as a text or in JSON, "classic" or "classic-inpaint".
    pub fn parse(text: &str) -> Result<Self> {
        match CLASSIC.iter().find(|(name, _)| *name == text) {
            Some((_, skip)) => Ok(Network::Classic(*skip)),
            None => Genome::parse(text).map(Network::Genome),
        }
    }

    /// From noise of so many channels to an image of so many; or why there is none.
    pub fn plan(&self, input: u32, output: u32) -> std::result::Result<Plan, String> {
        match self {
            Network::Genome(genome) => decode::plan(genome, input, output),
            Network::Classic(skip) => Ok(decode::classic(*skip, input, output)),
        }
    }

    /// The plan, or an error that says what of the genome is not possible.
    pub fn feasible(&self, input: u32, output: u32) -> Result<Plan> {
        let wrong = |why: String| Error::Argument { name: "code", reason: format!("{self} is no network: {why}") };
        self.plan(input, output).map_err(wrong)
    }

    /// All that there is to say of it, for an image of so many channels, so high and wide.
    pub fn describe(&self, input: u32, [channels, height, width]: [u32; 3]) -> Value {
        let mut all = json!({ "code": self.to_string(), "image": [channels, height, width], "input_channels": input });
        if let Network::Genome(genome) = self {
            all["bits"] = json!(genome.bits().iter().map(|bit| if *bit { '1' } else { '0' }).collect::<String>());
            all["units"] = json!(genome.decode());
        }
        match self.plan(input, channels) {
            Ok(plan) => {
                all["params"] = json!(plan.params());
                all["macs"] = json!(plan.macs([height, width]));
                all["padded"] = json!(plan.padded([height, width]));
                all["infeasible"] = Value::Null;
            }
            Err(why) => all["infeasible"] = json!(why),
        }
        all
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Network::Genome(genome) => genome.fmt(f),
            Network::Classic(skip) => {
                let name = CLASSIC.iter().find(|(_, channels)| channels == skip).map_or("classic", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}
