//! The options of a restoration. Everything but the task has a default.

use crate::error::Result;
use crate::json;
use crate::search::CheckpointOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub const DOCUMENT: &str = "restoration options";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreOptions {
    /// What is wrong with the image: "denoise"; "inpaint", where a mask says which pixels are missing; "super_resolution", where it is too
    /// small.
    pub task: Task,
    /// How much larger the image becomes by super-resolution.
    #[serde(default = "two")]
    #[schemars(range(min = 2, max = 8))]
    pub factor: u32,
    /// How the small image of a super-resolution came from the large one: "lanczos2" or "area".
    #[serde(default)]
    pub downsampler: Downsampler,
    /// What is optimised: "blind", the PSNR on pixels that are held out of the fit; or "reference", the PSNR to a reference that the host
    /// has, for research.
    #[serde(default)]
    pub fitness: Fitness,
    /// Part of the known pixels that is held out of the fit, with fitness "blind".
    #[serde(default = "twentieth")]
    #[schemars(range(min = 0.001, max = 0.5))]
    pub held_out: f64,
    /// Names every random stream: the same seed, image and options give the same result.
    #[serde(default)]
    pub seed: u64,
    /// How one network is fitted.
    #[serde(default)]
    pub train: TrainPart,
    /// How networks are searched.
    #[serde(default)]
    pub search: SearchPart,
    /// Where and how often the search is saved while it runs; `steps` are networks. Default: never.
    #[serde(default)]
    pub checkpoint: Option<CheckpointOptions>,
    /// "cpu", "cuda" or "cuda:N".
    #[serde(default = "cpu")]
    pub device: String,
    /// Threads of the tensor library, for the whole process. Default: left as it is.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    Denoise,
    Inpaint,
    SuperResolution,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Downsampler {
    #[default]
    Lanczos2,
    Area,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fitness {
    #[default]
    Blind,
    Reference,
}

/// How one network is fitted to the image: by Adam, from fresh weights and a fixed noise, to which other noise is added in every step. What
/// comes out is the moving average of the network's outputs, as it was when its fitness was best.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainPart {
    /// Steps at most.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub iterations: u64,
    #[schemars(range(min = 1e-6, max = 1.0))]
    pub lr: f64,
    /// Channels of the noise that the network begins with, drawn once, uniform in 0 to 0.1.
    #[schemars(range(min = 1, max = 256))]
    pub input_channels: u32,
    /// Standard deviation of what is added to it in every step.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub noise: f64,
    /// Weight of the past in the moving average of outputs.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub smoothing: f64,
    /// Steps between two looks at the fitness. The last step is looked at too.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub every: u64,
    /// Steps without a better fitness after which the fit ends. Default: all are made.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub patience: Option<u64>,
}

/// How networks are searched: evolution over genomes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SearchPart {
    /// Units of a genome: how often its network halves the image.
    #[schemars(range(min = 1, max = 7))]
    pub units: usize,
    /// New networks of a generation.
    #[schemars(range(min = 2, max = 500))]
    pub population: usize,
    #[schemars(range(min = 1, max = 10_000))]
    pub generations: u64,
    /// Probability with which a bit of a child is flipped.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mutation: f64,
    /// No network has more trainable numbers.
    #[schemars(range(min = 1, max = 10_000_000_000_u64))]
    pub max_params: u64,
    /// No network has more multiply-accumulates in a forward pass for this image.
    #[schemars(range(min = 1, max = 1_000_000_000_000_000_u64))]
    pub max_macs: u64,
    /// What the front sets against the fitness: "params" or "macs".
    pub cost: CostAxis,
    /// Fits of every network, each with other noise and weights; its fitness is the mean.
    #[schemars(range(min = 1, max = 100))]
    pub repeats: u64,
    /// Networks that are fitted at once. Results do not depend on it.
    #[schemars(range(min = 1, max = 64))]
    pub parallel: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CostAxis {
    #[default]
    Params,
    Macs,
}

fn two() -> u32 {
    2
}

fn twentieth() -> f64 {
    0.05
}

fn cpu() -> String {
    "cpu".into()
}

impl Default for TrainPart {
    fn default() -> Self {
        TrainPart {
            iterations: 2000,
            lr: 0.01,
            input_channels: 32,
            noise: 1.0 / 30.0,
            smoothing: 0.99,
            every: 10,
            patience: None,
        }
    }
}

impl Default for SearchPart {
    fn default() -> Self {
        SearchPart {
            units: 4,
            population: 20,
            generations: 10,
            mutation: 0.05,
            max_params: 15_000_000,
            max_macs: 100_000_000_000,
            cost: CostAxis::Params,
            repeats: 1,
            parallel: 1,
        }
    }
}

impl RestoreOptions {
    pub fn from_json(text: &str) -> Result<Self> {
        let options: RestoreOptions = json::parse(DOCUMENT, text)?;
        json::check_ranges(DOCUMENT, &options)?;
        let path = options.checkpoint.as_ref().map(|checkpoint| checkpoint.path.as_os_str().as_encoded_bytes());
        if path.is_some_and(|path| path.is_empty() || path.contains(&0)) {
            return Err(json::out_of_range(DOCUMENT, "/checkpoint/path", "not the name of a file"));
        }
        Ok(options)
    }

    /// JSON schema with keys, defaults, ranges and help.
    pub fn schema() -> String {
        json::schema::<RestoreOptions>()
    }
}
