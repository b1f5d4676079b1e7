//! The options and results of stand-alone training. No tensors: a build without libtorch has them too.

use crate::arch::Variant;
use crate::error::Result;
use crate::json;
use crate::search::TrainOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DOCUMENT: &str = "model options";

/// Options of a stand-alone training. Everything has a default.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModelOptions {
    /// Names every random stream of the run: the same seed, data and options give the same model.
    pub seed: u64,
    /// Additions to every branch; a search always scores networks without.
    pub variant: Variant,
    /// Training of the weights.
    pub train: TrainOptions,
    /// Training images that give the final batch-norm statistics.
    #[schemars(range(min = 2, max = 10_000_000))]
    pub calibration: usize,
    /// "cpu", "cuda" or "cuda:N".
    pub device: String,
    /// Threads of the tensor library, for the whole process. Default: left as it is.
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<u32>,
}

impl Default for ModelOptions {
    fn default() -> Self {
        ModelOptions {
            seed: 0,
            variant: Variant::default(),
            train: TrainOptions::default(),
            calibration: 4096,
            device: "cpu".into(),
            threads: None,
        }
    }
}

impl ModelOptions {
    pub fn from_json(text: &str) -> Result<Self> {
        let options = json::parse(DOCUMENT, text)?;
        json::check_ranges(DOCUMENT, &options)?;
        Ok(options)
    }

    /// JSON schema with keys, defaults, ranges and help.
    pub fn schema() -> String {
        json::schema::<ModelOptions>()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy.
    pub loss: f64,
    /// Top-1 accuracy, 0 to 1.
    pub accuracy: f64,
}
