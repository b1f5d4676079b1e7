//! What architectures with an operator achieve: its marginal accuracy, with the weights of the supernet.

use super::{Evidence, Moment, Scorer, Scores, Seen};
use crate::arch::Architecture;
use crate::error::Result;
use crate::search::children::Children;
use crate::search::observe::Control;
use crate::search::random::Stream;
use crate::search::trainer::Trainer;
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
    fn looks(&self) -> bool {
        true
    }

    fn together(&self) -> usize {
        4
    }

    fn children(&self, children: &Children, stream: &mut Stream) -> Result<Vec<Architecture>> {
        children.of_each(self.samples, stream)
    }

    fn look(&self, trainer: &mut dyn Trainer, at: Moment, children: &[Architecture], control: &dyn Control) -> Result<Vec<Seen>> {
        let accuracies = trainer.score(at.seed, at.round, children, control)?;
        Ok(accuracies.into_iter().map(|accuracy| Seen { accuracy, disagreement: 0.0 }).collect())
    }

    fn score(&self, evidence: Evidence) -> Result<Scores> {
        Ok(evidence.children.mean(evidence.seen.iter().map(|(child, seen)| (*child, seen.accuracy)), self.samples))
    }
}
