//! What a search writes while it runs: the options of checkpoints and of the log for TensorBoard.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where and how often a search is saved while it runs: besides after every so many steps or seconds, whichever comes first, also
/// at the end of every round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointOptions {
    /// The file; its folder must exist. It is replaced as a whole, never half.
    pub path: PathBuf,
    /// Optimizer steps, or scored groups of candidates, between two saves.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub steps: Option<u64>,
    /// Seconds between two saves. Default, when `steps` is not given either: 60.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e9))]
    pub seconds: Option<f64>,
}

/// Where a search is logged for TensorBoard: losses and accuracies, and for every round the front, the fitness and the candidates. One
/// file for a run: a search that is loaded goes on in it, without what was logged after the checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TensorboardOptions {
    /// A folder for this run alone; it is made when it is not there. What a new search finds there of an older one, it replaces.
    pub path: PathBuf,
}
