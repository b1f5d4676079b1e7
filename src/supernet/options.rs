//! The options and results of stand-alone training. No tensors: a build without libtorch has them too.

use crate::arch::Variant;
use crate::data::Changes;
use crate::error::Result;
use crate::json;
use crate::search::{CheckpointOptions, Schedule};

pub use crate::search::Precision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const DOCUMENT: &str = "model options";

/// Options of a stand-alone training. Everything has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelOptions {
    /// Names every random stream of the run: the same seed, data and options give the same model.
    pub seed: u64,
    /// Additions to every branch; a search always scores networks without. A model that begins from another has that one's.
    pub variant: Variant,
    /// Training of the weights.
    pub train: Recipe,
    /// Training images that give the final batch-norm statistics.
    #[schemars(range(min = 2, max = 10_000_000))]
    pub calibration: usize,
    /// Where and how often the training is saved while it runs. Default: never.
    pub checkpoint: Option<TrainingCheckpoint>,
    /// "cpu", "cuda" or "cuda:N".
    pub device: String,
    /// Threads of the tensor library, for the whole process. Default: left as it is.
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<u32>,
}

/// Training of a stand-alone network: linear warm-up, then a cosine to zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Recipe {
    /// Passes over the training images. May be a fraction.
    #[schemars(range(min = 0.001, max = 100_000.0))]
    pub epochs: f64,
    /// Images per optimizer step.
    #[schemars(range(min = 2, max = 65_536))]
    pub batch: usize,
    /// How gradients become steps: "sgd", with Nesterov momentum, or "adamw", with decoupled weight decay and betas 0.9, 0.999.
    pub optimizer: Optimizer,
    /// Peak learning rate. For AdamW some 0.002 is usual.
    #[schemars(range(min = 1e-8, max = 100.0))]
    pub lr: f64,
    /// Part of the steps during which the rate rises linearly from a quarter of `lr`.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub warmup: f64,
    /// Nesterov momentum of SGD.
    #[schemars(range(min = 0.0, max = 0.999))]
    pub momentum: f64,
    /// Decay of convolution and classifier weights; batch-norm and biases have none.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
    /// Part of a label's weight spread evenly over all classes.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub label_smoothing: f64,
    /// Greatest length of all gradients together; longer ones are shortened to it. Default: none.
    #[schemars(range(min = 1e-6, max = 1e6))]
    pub clip: Option<f64>,
    /// Decay of an exponential moving average of the weights, for example 0.999; in the first steps less, (1 + step) / (10 + step).
    /// The model then has the average. Default: none.
    #[schemars(range(min = 0.0, max = 0.999_999))]
    pub ema: Option<f64>,
    /// Every batch is mixed with itself in another order, by a part drawn from a Beta distribution with this parameter twice
    /// (Zhang et al., ICLR 2018). 0: never.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub mixup: f64,
    /// Each branch of the last cell is left out with this probability for each image, of earlier cells with less, in proportion to
    /// their depth (Huang et al., ECCV 2016). Only in normal cells, where the input goes on; of stacked cells every operator but the
    /// identity.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub drop_path: f64,
    /// Each number that the classifier is given is left out with this probability, for each image; the others grow in proportion
    /// (Srivastava et al., JMLR 2014).
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub dropout: f64,
    /// Random changes of a training image.
    pub augment: Changes,
    /// Arithmetic of the training steps: "float32", or "bfloat16", where what convolutions multiply is rounded to 16 bits (on CUDA linear
    /// layers too); sums, weights, batch-norm, loss and optimizer stay in 32. Faster only where the processor has such arithmetic.
    pub precision: Precision,
    /// Epochs between two evaluations on the held-out images, when there are any.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub evaluate_every: u64,
}

/// Not written then: checkpoints from before there was such a thing go on.
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// How gradients become steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// With Nesterov momentum.
    #[default]
    Sgd,
    /// Loshchilov and Hutter, ICLR 2019.
    AdamW,
}

/// Where and how often a training is saved while it runs: after every so many steps or seconds, whichever comes first, and at the end
/// of every epoch. A training that is cancelled is saved too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingCheckpoint {
    /// The file; its folder must exist. It is replaced as a whole, never half.
    pub path: PathBuf,
    /// Optimizer steps between two saves.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub steps: Option<u64>,
    /// Seconds between two saves. Default, when `steps` is not given either: 60.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e9))]
    pub seconds: Option<f64>,
    /// Go on from the file when it is there. It must be of the same network, images and options ("device", "threads" and "checkpoint"
    /// may differ). Otherwise the training begins anew and replaces it.
    #[serde(default)]
    pub resume: bool,
}

impl TrainingCheckpoint {
    /// Where and how often.
    pub fn rhythm(&self) -> CheckpointOptions {
        CheckpointOptions { path: self.path.clone(), steps: self.steps, seconds: self.seconds }
    }
}

impl Default for ModelOptions {
    fn default() -> Self {
        ModelOptions {
            seed: 0,
            variant: Variant::default(),
            train: Recipe::default(),
            calibration: 4096,
            checkpoint: None,
            device: "cpu".into(),
            threads: None,
        }
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            epochs: 10.0,
            batch: 128,
            optimizer: Optimizer::Sgd,
            lr: 0.05,
            warmup: 0.02,
            momentum: 0.9,
            weight_decay: 4e-5,
            label_smoothing: 0.0,
            clip: None,
            ema: None,
            mixup: 0.0,
            drop_path: 0.0,
            dropout: 0.0,
            augment: Changes::default(),
            precision: Precision::Float32,
            evaluate_every: 1,
        }
    }
}

impl ModelOptions {
    pub fn from_json(text: &str) -> Result<Self> {
        let options: ModelOptions = json::parse(DOCUMENT, text)?;
        json::check_ranges(DOCUMENT, &options)?;
        let path = options.checkpoint.as_ref().map(|checkpoint| checkpoint.path.as_os_str().as_encoded_bytes());
        if path.is_some_and(|path| path.is_empty() || path.contains(&0)) {
            return Err(json::out_of_range(DOCUMENT, "/checkpoint/path", "not the name of a file"));
        }
        Ok(options)
    }

    /// JSON schema with keys, defaults, ranges and help.
    pub fn schema() -> String {
        json::schema::<ModelOptions>()
    }
}

impl Recipe {
    /// Optimizer steps of the training: at least one.
    pub fn steps(&self, steps_per_epoch: u64) -> u64 {
        ((self.epochs * steps_per_epoch as f64).round() as u64).max(1)
    }

    pub fn schedule(&self, steps: u64) -> Schedule {
        let warmup = (self.warmup * steps as f64).round() as u64;
        Schedule { start: self.lr / 4.0, peak: self.lr, warmup, total: steps }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean cross-entropy.
    pub loss: f64,
    /// Top-1 accuracy, 0 to 1.
    pub accuracy: f64,
}

/// What one epoch of a training came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// From 1; the last one may be a part.
    pub epoch: u64,
    /// Optimizer steps so far.
    pub step: u64,
    /// Means over the training batches of the epoch, as they were seen: changed, mixed, with smoothed labels.
    pub loss: f64,
    pub accuracy: f64,
    /// On the held-out images, with the weights themselves.
    pub held_out: Option<Evaluation>,
    /// The same with the moving average of the weights.
    pub ema: Option<Evaluation>,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Since the start of the training, what went before a checkpoint included.
    pub seconds: f64,
}
