//! What a finished round leaves behind: one JSON line, enough to redraw the run without the weights.

use super::pareto::Scored;
use crate::cost::Metric;
use crate::json;
use crate::space::Space;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundRecord {
    /// From 1.
    pub round: u64,
    pub rounds: u64,
    /// Per cell, the operators that still had weights at the end of training, with their learnt theta.
    pub fitness: Vec<Vec<OperatorFitness>>,
    /// Per cell, the operators dropped during training.
    pub dropped: Vec<Vec<String>>,
    /// Per cell, the operators of the next round: those the front uses and those that came from the pending ones.
    pub retained: Vec<Vec<String>>,
    pub refilled: Vec<Vec<String>>,
    /// Per cell, what it could do and the score of each; empty where operators learn theta, which `fitness` has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<Vec<ChoiceScore>>,
    /// Supernet at the end of training: smoothed loss and accuracy on training images. NaN, in JSON null, without a step.
    pub steps: u64,
    #[serde(deserialize_with = "json::unknown")]
    pub loss: f64,
    #[serde(deserialize_with = "json::unknown")]
    pub accuracy: f64,
    /// Which cost `window` and every `cost` are about, in the unit of the objective.
    pub metric: Metric,
    pub window: [f64; 2],
    /// Scored architectures inside the window, the front of the round before included, and the extras below it.
    pub candidates: Vec<Point>,
    pub extras: Vec<Point>,
    pub front: Vec<FrontMember>,
    /// Of a search whose cells grow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foretold: Option<Foretold>,
    pub seconds: Seconds,
}

/// Spearman's rank correlation between predictions for the cells of a round and their accuracies; None where there are none, or all
/// are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Foretold {
    /// Of predictions made from smaller cells.
    pub before: Option<f64>,
    /// Of predictions made from these cells too, by which the next ones were chosen.
    pub after: Option<f64>,
}

/// Wall clock; the only fields of a record that differ between two runs with the same seed.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Seconds {
    pub train: f64,
    pub score: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperatorFitness {
    pub operator: String,
    pub theta: f64,
}

/// Higher is better.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChoiceScore {
    /// None: the cell is skipped.
    pub operator: Option<String>,
    /// NaN, in JSON null, when nothing is known.
    #[serde(deserialize_with = "json::unknown")]
    pub score: f64,
    /// Whether the next round has it.
    pub stays: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Point {
    pub cost: f64,
    pub macs: u64,
    pub params: u64,
    pub accuracy: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FrontMember {
    /// Of an ensemble: those that all paths share.
    pub cells: Vec<Vec<String>>,
    /// Of an ensemble: for every path, the cells behind those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Vec<Vec<String>>>,
    pub cost: f64,
    pub macs: u64,
    pub params: u64,
    pub accuracy: f64,
    /// Round in which it was found, from 1; 0: by the search that this one continues.
    pub found: u64,
}

impl Point {
    pub fn new(metric: Metric, scored: &Scored) -> Self {
        let (cost, accuracy) = (scored.cost, scored.accuracy);
        Point { cost: metric.amount(scored.price), macs: cost.macs, params: cost.params, accuracy }
    }
}

impl FrontMember {
    pub fn new(space: &Space, metric: Metric, scored: &Scored) -> Self {
        let (cells, paths) = scored.architecture.parts(&scored.architecture.names(space));
        FrontMember {
            cells,
            paths: if scored.architecture.paths().is_ensemble() { paths } else { Vec::new() },
            cost: metric.amount(scored.price),
            macs: scored.cost.macs,
            params: scored.cost.params,
            accuracy: scored.accuracy,
            found: scored.found,
        }
    }
}

/// One line of JSON per record.
pub fn json_lines(history: &[RoundRecord]) -> String {
    let mut lines = String::new();
    for record in history {
        lines.push_str(&serde_json::to_string(record).unwrap_or_default());
        lines.push('\n');
    }
    lines
}
