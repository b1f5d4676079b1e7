//! Architecture weights, learnt as in DARTS (Liu et al., ICLR 2019) and as BNAS finds the worse half of an edge: all operators run at once, their
//! outputs weighed by softmax(alpha), which is trained on held-out images in turns with the shared weights; see `search::mixture`.

use super::{Evidence, Scorer, Scores};
use crate::error::Result;
use crate::search::strategy::Choice;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// softmax(alpha), over what a cell or an edge could do: each of its operators, or nothing where it may be empty. All of them run at once in every
/// step, which takes more time and memory than steps with some open. Alpha is learnt by Adam with betas (0.5, 0.999), from the first-order gradient on
/// held-out images (published: half of all, "held_out": 0.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alpha {
    /// Learning rate of alpha (published: 3e-4, in some 20,000 steps).
    #[schemars(range(min = 0.0, max = 10.0))]
    pub lr: f64,
    /// L2 decay of alpha.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
    /// Weight steps per step of alpha.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub interval: u64,
    /// Part of the steps of a round with fresh weights before alpha begins to learn (PC-DARTS: 0.3). Of pushed batches where
    /// pushed.steps_per_epoch is given.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub warmup: f64,
    /// Of stacked cells: edges have a weight too, softmax(beta) over those of a node (PC-DARTS), and the score of an operator is the product.
    pub edge_weights: bool,
}

impl Default for Alpha {
    fn default() -> Self {
        Alpha { lr: 3e-4, weight_decay: 1e-3, interval: 1, warmup: 0.0, edge_weights: false }
    }
}

impl Scorer for Alpha {
    fn mixes(&self) -> Option<&Alpha> {
        Some(self)
    }

    fn score(&self, evidence: Evidence) -> Result<Scores> {
        let scores = |(cell, choice): (usize, Choice)| evidence.blends.get(cell).map_or(f64::NAN, |blend| blend.score(choice));
        Ok(Scores::new(evidence.children, scores))
    }
}
