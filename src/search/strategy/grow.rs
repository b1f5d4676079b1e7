//! PNAS (Liu et al., ECCV 2018, Algorithm 1): cells grow block by block. All cells of one block are evaluated; a predictor learns from the
//! results; of all cells with one block more those that it thinks best are evaluated, and so on.

use super::{Change, Standing, Strategy};
use crate::search::predictor::PredictorOptions;
use crate::search::scorer::{Accuracy, ScorerOptions};
use crate::search::sought::Sought;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Of cells of blocks only. A round for every number of blocks: its cells are trained, as the options under "train" say, and scored; or the
/// host tells how good they are. The front has cells of all sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grow {
    /// Cells of a round, but the first, which has all cells of one block (published: 256).
    #[schemars(range(min = 1, max = 1024))]
    pub beam: usize,
    /// Which cells these are: "best", those that are foretold to be best, or "front", of those that nothing cheaper is foretold to beat
    /// (POPNAS).
    pub select: Select,
    /// What foretells how good a cell is: "mlp" or "lstm", or an object with that name as its only key and options below it.
    pub predictor: PredictorOptions,
    /// How the search itself finds out how good a cell is: "alone", trained by itself for all of train.epochs, or "supernet", with weights that
    /// all cells of its round share, and that are trained for train.epochs together.
    pub evaluator: Evaluator,
}

/// How a search finds out how good a cell is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Evaluator {
    /// Trained by itself, from fresh weights, and forgotten.
    #[default]
    Alone,
    /// With the weights of a supernet that is fresh in every round: each step trains one of the round's cells, any as likely as the others. Far
    /// less work; how good the order is that it gives depends on the space.
    Supernet,
}

/// Which cells of the next size are evaluated; the same cell is never taken twice, however it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// Those with the highest predictions.
    #[default]
    Best,
    /// The front of prediction and cost; where it has too many, those with the highest predictions.
    Front,
}

impl Default for Grow {
    fn default() -> Self {
        Grow { beam: 256, select: Select::Best, predictor: PredictorOptions::default(), evaluator: Evaluator::default() }
    }
}

impl Strategy for Grow {
    fn scorer(&self) -> ScorerOptions {
        ScorerOptions::Accuracy(Accuracy { samples: 1 })
    }

    fn begins(&self, _: usize) -> usize {
        usize::MAX
    }

    /// One for each block, which has two sides.
    fn rounds(&self, now: &Standing) -> u64 {
        now.cells.len() as u64 / 2
    }

    fn keeps_weights(&self) -> bool {
        false
    }

    fn drops_in_training(&self) -> bool {
        false
    }

    fn always_searches(&self) -> bool {
        true
    }

    fn change(&self, now: &Standing) -> Change {
        now.unchanged()
    }

    fn seeks(&self) -> Sought<'_> {
        Sought::Cells(self)
    }

    fn listens(&self) -> bool {
        true
    }
}
