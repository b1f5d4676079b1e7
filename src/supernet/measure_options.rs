//! The options of a latency measurement. No tensors: a build without libtorch has them too.

use crate::error::Result;
use crate::json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DOCUMENT: &str = "measure options";

/// How operations are timed. Everything has a default.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MeasureOptions {
    /// "cpu", "cuda" or "cuda:N".
    pub device: String,
    /// Images per pass. Times are of a whole batch.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch: u32,
    /// Passes before the clock starts.
    #[schemars(range(min = 0, max = 10_000))]
    pub warmup: u32,
    /// Passes that are timed, each by itself. Their median counts.
    #[schemars(range(min = 1, max = 10_000))]
    pub repeats: u32,
    /// Threads of the tensor library, for the whole process. Default: left as it is.
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<u32>,
}

impl Default for MeasureOptions {
    fn default() -> Self {
        MeasureOptions { device: "cpu".into(), batch: 1, warmup: 3, repeats: 10, threads: None }
    }
}

impl MeasureOptions {
    pub fn from_json(text: &str) -> Result<Self> {
        let options = json::parse(DOCUMENT, text)?;
        json::check_ranges(DOCUMENT, &options)?;
        Ok(options)
    }

    /// JSON schema with keys, defaults, ranges and help.
    pub fn schema() -> String {
        json::schema::<MeasureOptions>()
    }
}
