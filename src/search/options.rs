//! The options of a search, as strict JSON with a schema. Doc comments are the help text of `nse_search_options_schema`.

use super::asking::ToldOptions;
use super::objective::Objective;
use super::outputs::{CheckpointOptions, TensorboardOptions};
use super::preset;
use super::push::PushedOptions;
use super::scorer::ScorerOptions;
use super::sought::Setting;
use super::start::Drive;
use super::strategy::StrategyOptions;
use super::train_options::{BatchNorm, TrainOptions};
use crate::error::{Error, Result};
use crate::json;
use crate::space::Space;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub(super) const DOCUMENT: &str = "search options";

/// Options of a search. Everything but `objective` has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchOptions {
    /// Name of a set of options (see nse_search_options_presets) over which the others are laid.
    #[serde(default)]
    pub preset: Option<String>,
    /// Names every random stream of the run: the same seed, data and options give the same result.
    #[serde(default)]
    pub seed: u64,
    /// Number of rounds. Default of evolve, as published: (operators - 1) / (active - 1) of the largest cell, rounded down; operators too
    /// dear for every architecture in the cost window are not counted, and never active. Of grow: the number of blocks; of others, until the
    /// space is as small as it should be.
    #[serde(default)]
    #[schemars(range(min = 1, max = 10_000))]
    pub rounds: Option<u64>,
    /// Operators of a cell that have weights at a time (K).
    #[serde(default = "defaults::active")]
    #[schemars(range(min = 2, max = 1000))]
    pub active: usize,
    /// How many operators of a cell may be open at a time.
    #[serde(default)]
    pub branches: Branches,
    /// How the space changes between rounds, and of what the search is: "evolve" (NSE), "shrink" (ABS), "eliminate" (BNAS), "neas"
    /// (ensembles whose paths share their first cells) or "grow" (PNAS: cells of blocks), or an object with that name as its only key and options below it.
    #[serde(default)]
    pub strategy: StrategyOptions,
    /// What gives operators their scores: "fitness", "alpha", "angle", "magnitude", "accuracy" or "diversity", or an object as above. Default:
    /// what the strategy goes by, "fitness" for evolve, "angle" for shrink, "accuracy" for eliminate, "diversity" for neas.
    #[serde(default)]
    pub scorer: Option<ScorerOptions>,
    /// The cost window.
    pub objective: Objective,
    /// Training of the shared weights.
    #[serde(default)]
    pub train: TrainOptions,
    /// Learning of the operators' scores.
    #[serde(default)]
    pub fitness: FitnessOptions,
    /// Parts in which a batch (train.batch images) is computed, each with batch-norm statistics of its own: the feature maps of one part
    /// are in memory at a time. The result depends on their number, and not on how many processes share them (with batch_norm "batch" on their
    /// number only, and each process computes what it has in one piece). Not for pushed batches.
    #[serde(default = "defaults::shards")]
    #[schemars(range(min = 1, max = 4096))]
    pub shards: usize,
    /// Over what a batch-norm takes its statistics while the shared weights are trained.
    #[serde(default)]
    pub batch_norm: BatchNorm,
    /// Of so many channels of the supernet's edges one goes through the operators, and the others pass by, pooled where the size is halved; then
    /// they are shuffled (PC-DARTS: 4). 1: all go through. Costs, and what is trained by itself later, are those of whole networks. For stacked cells
    /// as in DARTS, whose channels it must divide.
    #[serde(default = "defaults::channel_sampling")]
    #[schemars(range(min = 1, max = 64))]
    pub channel_sampling: u32,
    /// Of several processes with CUDA devices: gradients are added by NCCL, if all have it, and never leave the devices. The result is the
    /// same without.
    #[serde(default = "defaults::nccl")]
    pub nccl: bool,
    /// How many architectures are sampled.
    #[serde(default)]
    pub candidates: CandidateOptions,
    /// How a candidate is scored.
    #[serde(default)]
    pub score: ScoreOptions,
    /// What a search that is told its results learns from them.
    #[serde(default)]
    pub told: ToldOptions,
    /// Of a search into which batches are pushed.
    #[serde(default)]
    pub pushed: PushedOptions,
    /// Where and how often the search is saved while it runs. Default: never.
    #[serde(default)]
    pub checkpoint: Option<CheckpointOptions>,
    /// Where the search is logged for TensorBoard while it runs. Default: nowhere.
    #[serde(default)]
    pub tensorboard: Option<TensorboardOptions>,
    /// Part of the training images held out for architecture steps and scoring, when no held-out dataset is given.
    #[serde(default = "defaults::held_out")]
    #[schemars(range(min = 0.001, max = 0.9))]
    pub held_out: f64,
    /// "cpu", "cuda" or "cuda:N".
    #[serde(default = "defaults::device")]
    pub device: String,
    /// Threads of the tensor library, for the whole process. Default: left as it is.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<u32>,
}

/// How many operators of a cell may be open at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Branches {
    /// Any number: their outputs are averaged.
    #[default]
    Multi,
    /// One, or none where a cell may be skipped.
    Single,
}

/// Learning of the operators' scores theta, by Adam with betas (0, 0.999) on the two-path gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FitnessOptions {
    /// Weight steps per architecture step.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub interval: u64,
    /// Learning rate of theta.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub lr: f64,
    /// An operator whose theta falls below this leaves its cell for good. A theta of -2 is a probability of 0.12.
    #[schemars(range(min = -1e6, max = 0.0))]
    pub threshold: f64,
    /// Never drop an operator that the front of the previous round uses. Otherwise a front member that loses one leaves the front.
    pub preserve: bool,
    /// Rehearse the last front: in half of the architecture steps the selected path of every cell is what that front uses.
    pub strict_prev: bool,
}

/// How many architectures are sampled and scored per round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateOptions {
    /// Inside the window. Of a search that is told its results: how many results close a round.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: usize,
    /// Just below the window: they only remove front members at its cheap edge, which would be on the front for lack of rivals.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub extras: usize,
    /// How far below the window the extras reach, in the unit of the objective. Default: a fifth of the window's width.
    #[schemars(range(min = 0.0, max = 1e20))]
    pub extra_width: Option<f64>,
    /// What happens when the window holds fewer different architectures than `count`, besides the last front: "error", or
    /// "accept" those there are.
    pub too_few: TooFew,
}

/// What happens when there are fewer candidates than wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TooFew {
    /// The step fails and says how many there are.
    #[default]
    Error,
    /// The round goes on with those.
    Accept,
}

/// How a candidate is scored: batch-norm statistics from training images, accuracy on held-out images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScoreOptions {
    /// Training images that give the batch-norm statistics.
    #[schemars(range(min = 2, max = 10_000_000))]
    pub calibration: usize,
    /// Held-out images that give the accuracy. Default: all of them.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub images: Option<usize>,
    /// Images per forward pass. Statistics are exact when `calibration` fits in one pass, else averaged over passes.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub batch: usize,
}

mod defaults {
    pub fn active() -> usize {
        5
    }
    pub fn channel_sampling() -> u32 {
        1
    }
    pub fn nccl() -> bool {
        true
    }

    pub fn shards() -> usize {
        1
    }
    pub fn held_out() -> f64 {
        0.1
    }
    pub fn device() -> String {
        "cpu".into()
    }
}

impl Default for FitnessOptions {
    fn default() -> Self {
        FitnessOptions { interval: 2, lr: 5e-3, threshold: -2.0, preserve: true, strict_prev: false }
    }
}

impl Default for CandidateOptions {
    fn default() -> Self {
        CandidateOptions { count: 200, extras: 20, extra_width: None, too_few: TooFew::Error }
    }
}

impl Default for ScoreOptions {
    fn default() -> Self {
        ScoreOptions { calibration: 1024, images: None, batch: 1024 }
    }
}

impl SearchOptions {
    /// Reads the JSON form; unknown keys and values outside the ranges of the schema are errors with a JSON pointer.
    pub fn from_json(text: &str) -> Result<Self> {
        let options: SearchOptions = json::parse(DOCUMENT, &preset::lay_over(DOCUMENT, text)?)?;
        options.check()?;
        Ok(options)
    }

    /// JSON schema (draft 2020-12) with keys, defaults, ranges and help.
    pub fn schema() -> String {
        json::schema::<SearchOptions>()
    }

    pub(super) fn check(&self) -> Result<()> {
        json::check_ranges(DOCUMENT, self)?;
        let wrong = |pointer: &str, reason: String| Err(json::out_of_range(DOCUMENT, pointer, reason));
        self.objective.check(DOCUMENT, "/objective")?;
        let unusable = |path: &PathBuf| path.as_os_str().is_empty() || path.as_os_str().as_encoded_bytes().contains(&0);
        if self.checkpoint.as_ref().is_some_and(|checkpoint| unusable(&checkpoint.path)) {
            return wrong("/checkpoint/path", "not the name of a file".into());
        }
        if self.tensorboard.as_ref().is_some_and(|tensorboard| unusable(&tensorboard.path)) {
            return wrong("/tensorboard/path", "not the name of a folder".into());
        }
        Ok(())
    }

    /// The one that is named, or the strategy's.
    pub fn scorer(&self) -> ScorerOptions {
        self.scorer.clone().unwrap_or_else(|| self.strategy.get().scorer())
    }

    /// Weight steps per step in which operators learn; None: they do not.
    pub fn interval(&self) -> Option<u64> {
        let scorer = self.scorer();
        let theta = scorer.get().learns().then_some(self.fitness.interval);
        theta.or(scorer.get().mixes().map(|alpha| alpha.interval))
    }

    /// Whether a search of this kind can have the strategy and the scorer in a space.
    pub(super) fn serves(&self, drive: Drive, space: &Space) -> Result<()> {
        let wrong = |pointer: &str, reason: String| Err(json::out_of_range(DOCUMENT, pointer, reason));
        if self.channel_sampling > 1 {
            if drive != Drive::Steps {
                return wrong(
                    "/channel_sampling",
                    format!("{}: only where the search trains with images of its own", self.channel_sampling),
                );
            }
            space.sampled(self.channel_sampling).map_err(|error| match error {
                Error::Argument { reason, .. } => json::out_of_range(DOCUMENT, "/channel_sampling", reason),
                other => other,
            })?;
        }
        let (strategy, scorer) = (self.strategy.get(), self.scorer());
        strategy.seeks().serves(&Setting {
            strategy: self.strategy.name(),
            scorer: &scorer,
            named: self.scorer.is_some(),
            listens: strategy.listens(),
            drive,
            space,
        })
    }
}
