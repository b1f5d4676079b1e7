//! How the shared weights of a search are trained.

use super::schedule::Schedule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Over what a batch-norm takes its statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BatchNorm {
    /// One part of a batch, of `shards` many.
    #[default]
    Part,
    /// All of a batch. Each process computes what it has of it in one piece, and sums go between them in every batch-norm: the result
    /// depends neither on `shards` nor on the number of processes, but for rounding.
    Batch,
}

/// Training of the shared weights: SGD with Nesterov momentum, linear warm-up and a cosine to zero in every round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainOptions {
    /// Passes over the training images per round; where cells grow, per cell. May be a fraction.
    #[schemars(range(min = 0.001, max = 100_000.0))]
    pub epochs: f64,
    /// Images per optimizer step.
    #[schemars(range(min = 2, max = 65_536))]
    pub batch: usize,
    /// Peak learning rate.
    #[schemars(range(min = 1e-8, max = 100.0))]
    pub lr: f64,
    /// Part of a round's steps during which the rate rises linearly from a quarter of `lr`.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub warmup: f64,
    /// Nesterov momentum.
    #[schemars(range(min = 0.0, max = 0.999))]
    pub momentum: f64,
    /// L2 decay of convolution and classifier weights; batch-norm and biases have none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
    /// Part of a label's weight spread evenly over all classes.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub label_smoothing: f64,
    /// Random changes of a training image.
    pub augment: Augment,
    /// Arithmetic of the supernet, also while candidates are scored: "float32", or "bfloat16", where what convolutions multiply is rounded to 16
    /// bits; their sums and all else stay in 32 (depthwise convolutions, and those between odd numbers of channels, too). Faster where the
    /// processor multiplies such numbers.
    pub precision: Precision,
}

/// Arithmetic of convolutions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    Float32,
    BFloat16,
}

/// Random changes of a training image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Zero pixels added on every side before a crop back to the size at a random place.
    #[schemars(range(min = 0, max = 64))]
    pub pad: u32,
    /// Mirror left-right half of the time.
    pub flip: bool,
}

impl Default for TrainOptions {
    fn default() -> Self {
        TrainOptions {
            epochs: 10.0,
            batch: 128,
            lr: 0.05,
            warmup: 0.02,
            momentum: 0.9,
            weight_decay: 4e-5,
            label_smoothing: 0.0,
            augment: Augment::default(),
            precision: Precision::Float32,
        }
    }
}

impl Default for Augment {
    fn default() -> Self {
        Augment { pad: 2, flip: true }
    }
}

impl TrainOptions {
    /// Optimizer steps of a round: at least one.
    pub fn steps(&self, steps_per_epoch: u64) -> u64 {
        ((self.epochs * steps_per_epoch as f64).round() as u64).max(1)
    }

    /// Epochs of a round that can only be ended whole.
    pub fn whole_epochs(&self) -> u64 {
        self.epochs.ceil().max(1.0) as u64
    }

    pub fn schedule(&self, steps: u64) -> Schedule {
        let warmup = (self.warmup * steps as f64).round() as u64;
        Schedule { start: self.lr / 4.0, peak: self.lr, warmup, total: steps }
    }
}
