//! What architectures with an operator achieve: its marginal accuracy, with the weights of the supernet.

use super::{Evidence, Scorer, Scores};
use crate::error::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mean held-out accuracy of architectures that have the operator, at most as dear as the greatest cost of the objective, scored as
/// candidates are: with batch-norm statistics of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Accuracy {
    /// Architectures for each operator. Where the space has no more than would be wanted, all of them.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub samples: usize,
}

impl Default for Accuracy {
    fn default() -> Self {
        Accuracy { samples: 10 }
    }
}

impl Scorer for Accuracy {
    fn evaluates(&self) -> Option<usize> {
        Some(self.samples)
    }

    fn score(&self, evidence: Evidence) -> Result<Scores> {
        Ok(evidence.children.mean(evidence.evaluated.iter().copied(), self.samples))
    }
}
