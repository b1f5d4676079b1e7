//! The options of a search, as strict JSON with a schema. Doc comments are the help text of `nse_search_options_schema`.

use super::preset;
use super::push::PushedOptions;
use super::sample::Window;
use super::schedule::Schedule;
use crate::cost::Metric;
use crate::error::Result;
use crate::json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const DOCUMENT: &str = "search options";

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
    /// Number of rounds. Default, as published: (operators - 1) / (active - 1) of the largest cell, rounded down. Operators too
    /// dear for every architecture in the cost window are not counted, and never active.
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
    /// The cost window.
    pub objective: Objective,
    /// Training of the shared weights.
    #[serde(default)]
    pub train: TrainOptions,
    /// Learning of the operators' scores.
    #[serde(default)]
    pub fitness: FitnessOptions,
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

/// The cost window candidates must lie in, and the pull of the fitness towards a target. Costs are of the whole network for one
/// image: multiply-accumulates, parameters, or the time that the search's latency table gives, in the table's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Which cost: "macs", "params" or "latency". A latency needs a table.
    #[serde(default)]
    pub cost: Metric,
    /// Least cost of a candidate (inclusive).
    #[schemars(range(min = 0.0, max = 1e20))]
    pub low: f64,
    /// Greatest cost of a candidate (inclusive): the budget. Latencies count in billionths of the table's unit.
    #[schemars(range(min = 0.0, max = 1e20))]
    pub high: f64,
    /// Cost that the fitness is pulled to, above 0. Default: `low`, as published, or `high` when `low` is 0.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e20))]
    pub target: Option<f64>,
    /// Weight of the pull: loss = cross-entropy + alpha (cost / target - 1)^beta. The published 1e-5 (MMACs - 300)^2
    /// is alpha 0.9, and 2e-4 (latency - 66)^2 is alpha 0.8712.
    #[serde(default = "defaults::alpha")]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub alpha: f64,
    /// Even exponent of the pull.
    #[serde(default = "defaults::beta")]
    #[schemars(range(min = 2, max = 8))]
    pub beta: u32,
}

/// Training of the shared weights: SGD with Nesterov momentum, linear warm-up and a cosine to zero in every round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainOptions {
    /// Passes over the training images per round. May be a fraction.
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

/// How many architectures are sampled and scored per round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateOptions {
    /// Inside the window.
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

/// Learning of the operators' scores theta from results that are told, by Adam on the score-function gradient, with the mean of the
/// others of a group as the baseline of each. `fitness.threshold` and `fitness.preserve` hold as they do in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToldOptions {
    /// Results per step.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub group: usize,
    /// Learning rate of theta.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub lr: f64,
    /// Decay of Adam's mean of the gradient.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub beta1: f64,
    /// Decay of Adam's mean of its square.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub beta2: f64,
}

mod defaults {
    pub fn active() -> usize {
        5
    }
    pub fn held_out() -> f64 {
        0.1
    }
    pub fn device() -> String {
        "cpu".into()
    }
    pub fn alpha() -> f64 {
        0.9
    }
    pub fn beta() -> u32 {
        2
    }
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
        }
    }
}

impl Default for Augment {
    fn default() -> Self {
        Augment { pad: 2, flip: true }
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

impl Default for ToldOptions {
    fn default() -> Self {
        ToldOptions { group: 10, lr: 1.0, beta1: 0.0, beta2: 0.999 }
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
        let path = self.checkpoint.as_ref().map(|checkpoint| checkpoint.path.as_os_str().as_encoded_bytes());
        if path.is_some_and(|path| path.is_empty() || path.contains(&0)) {
            return wrong("/checkpoint/path", "not the name of a file".into());
        }
        Ok(())
    }
}

impl Objective {
    /// What the ranges of the schema do not say.
    fn check(&self, document: &'static str, at: &str) -> Result<()> {
        let wrong = |key: &str, reason: String| Err(json::out_of_range(document, format!("{at}/{key}"), reason));
        check_window(document, at, self.cost, self.low, self.high)?;
        if let Some(part) = self.target.filter(|target| !self.cost.counts(*target)) {
            return wrong("target", format!("{part} {} are no whole number", self.cost.unit()));
        }
        if self.target() == 0.0 {
            return wrong("target", "a target of 0 leaves nothing to compare with".into());
        }
        match self.beta % 2 {
            1 => wrong("beta", format!("{} is odd", self.beta)),
            _ => Ok(()),
        }
    }

    pub fn window(&self) -> Window {
        let [low, high] = [self.low, self.high].map(|amount| self.cost.price(amount));
        Window { low, high }
    }

    /// The window of the extras: just below, `width` wide; None when there is nothing below.
    pub fn below(&self, width: Option<f64>) -> Option<Window> {
        let Window { low, high } = self.window();
        let width = width.map_or((high - low) / 5, |width| self.cost.price(width));
        (low > 0 && width > 0).then(|| Window { low: low.saturating_sub(width), high: low - 1 })
    }

    fn target(&self) -> f64 {
        self.target.unwrap_or(if self.low > 0.0 { self.low } else { self.high })
    }

    /// alpha (cost / target - 1)^beta.
    pub fn penalty(&self, cost: f64) -> f64 {
        self.alpha * (cost / self.target() - 1.0).powi(self.beta as i32)
    }

    /// d penalty / d cost, in 1 / unit of the cost, of penalty = alpha (cost / target - 1)^beta.
    pub fn slope(&self, cost: f64) -> f64 {
        let excess = cost / self.target() - 1.0;
        self.alpha * f64::from(self.beta) * excess.powi(self.beta as i32 - 1) / self.target()
    }
}

/// Whether costs can be asked to lie between `low` and `high`.
pub(super) fn check_window(document: &'static str, at: &str, cost: Metric, low: f64, high: f64) -> Result<()> {
    for (key, value) in [("low", low), ("high", high)] {
        if !cost.counts(value) {
            let reason = format!("{value} {} are no whole number", cost.unit());
            return Err(json::out_of_range(document, format!("{at}/{key}"), reason));
        }
    }
    if low > high {
        return Err(json::out_of_range(document, format!("{at}/low"), format!("{low} is above high, {high}")));
    }
    Ok(())
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
