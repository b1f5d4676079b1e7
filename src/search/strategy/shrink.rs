//! ABS (Hu et al., ECCV 2020, Algorithm 2; published code AngleNAS): the supernet is trained on the whole space, the operators with the
//! lowest scores leave, and it is trained on what is left, until the space is small enough to be searched.

use super::{Change, Choice, Standing, Strategy};
use crate::search::scorer::{Angle, ScorerOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole space is active from the start. After each round the worst operators leave for good; weights go on. When the space is small
/// enough, the last round searches it. Being skipped is a choice of a cell as its operators are, and can leave too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shrink {
    /// Which operators leave after a round.
    pub drop: Drop,
    /// Architectures of a space that is small enough, whatever they cost; not asked with down_to.
    #[schemars(range(min = 1.0, max = 1e300))]
    pub until: f64,
    /// The weights that later ones are compared with are replaced once, after the round in which more operators than this have left in
    /// total (published: 50). Default: never.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub refresh: Option<usize>,
    /// Passes over the training images in a round after the first (published: 5 after 100). Default: train.epochs.
    #[schemars(range(min = 0.001, max = 100_000.0))]
    pub later_epochs: Option<f64>,
    /// Passes over the training images in front of the first round's, with a learning rate of their own; the weights that later ones are
    /// compared with are those behind them (published for DARTS: 55). Default: none, the fresh weights.
    #[schemars(range(min = 0.001, max = 100_000.0))]
    pub warm_up: Option<f64>,
    /// One fall of the learning rate over all rounds, without a warm-up. Default: train.warmup and a cosine in every round.
    pub ramp: Option<Ramp>,
}

/// The learning rate falls from train.lr in a straight line, over all rounds together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// Passes over the training images after which it would be 0 (published for SPOS: 250).
    #[schemars(range(min = 0.001, max = 1_000_000.0))]
    pub epochs: f64,
    /// Part of train.lr that it does not fall below (published for SPOS: 5e-4 of 0.25).
    #[serde(default = "least")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub least: f64,
}

fn least() -> f64 {
    0.002
}

impl Ramp {
    /// Of train.lr, after so many passes.
    pub fn part(&self, epochs: f64) -> f64 {
        (1.0 - epochs / self.epochs).max(self.least)
    }
}

/// Which operators leave after a round. The best of a cell never does, nor does one without which the cost window is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Drop {
    /// So many of all cells together (published for SPOS and ProxylessNAS: 7).
    Worst(#[schemars(range(min = 1, max = 1_000_000))] usize),
    /// So many of every cell that has several (published for FairNAS and DARTS: 1).
    PerCell(#[schemars(range(min = 1, max = 1000))] usize),
    /// All but so many of all cells together, at once (published for NAS-Bench-201: 10 of 30).
    DownTo(#[schemars(range(min = 1, max = 1_000_000))] usize),
}

impl Default for Shrink {
    fn default() -> Self {
        Shrink { drop: Drop::Worst(7), until: 1e6, refresh: None, later_epochs: None, warm_up: None, ramp: None }
    }
}

impl Shrink {
    fn small(&self, now: &Standing, change: &Change) -> bool {
        let small = match self.drop {
            Drop::DownTo(count) => change.choices() <= count,
            Drop::Worst(_) | Drop::PerCell(_) => now.log10_size(change) <= self.until.log10(),
        };
        small || change.settled()
    }

    /// What may leave, the worst first, and how much of it.
    fn drops(&self, now: &Standing) -> (Vec<(usize, Choice)>, usize) {
        let ranked = now.ranked();
        // The last of a cell in this order is its best.
        let best = |i: &usize| !ranked[i + 1..].iter().any(|(cell, _)| *cell == ranked[*i].0);
        let droppable: Vec<_> = (0..ranked.len()).filter(|i| !best(i)).map(|i| ranked[i]).collect();
        match self.drop {
            Drop::Worst(count) => (droppable, count),
            Drop::DownTo(count) => (droppable, now.unchanged().choices().saturating_sub(count)),
            Drop::PerCell(count) => {
                let cells = 0..now.cells.len();
                let of_cell = |i: usize| droppable.iter().filter(move |(cell, _)| *cell == i).take(count).copied();
                (cells.flat_map(of_cell).collect(), usize::MAX)
            }
        }
    }
}

impl Strategy for Shrink {
    fn scorer(&self) -> ScorerOptions {
        ScorerOptions::Angle(Angle::default())
    }

    fn begins(&self, _: usize) -> usize {
        usize::MAX
    }

    fn rounds(&self, now: &Standing) -> u64 {
        let change = now.unchanged();
        if self.small(now, &change) {
            return 1;
        }
        let spare = |(kept, skippable): (usize, bool)| (kept + usize::from(skippable)).saturating_sub(1);
        let spare = now.cells.iter().map(|cell| spare((cell.active.len(), cell.skippable)));
        let shrinks = match self.drop {
            Drop::Worst(count) => spare.sum::<usize>().div_ceil(count),
            Drop::PerCell(count) => spare.max().unwrap_or(0).div_ceil(count),
            Drop::DownTo(_) => 1,
        };
        shrinks as u64 + 1
    }

    fn epochs(&self, round: u64, epochs: f64) -> f64 {
        self.later_epochs.filter(|_| round > 0).unwrap_or(epochs)
    }

    fn warm_up(&self) -> Option<f64> {
        self.warm_up
    }

    fn ramp(&self) -> Option<Ramp> {
        self.ramp
    }

    fn keeps_weights(&self) -> bool {
        true
    }

    fn drops_in_training(&self) -> bool {
        false
    }

    fn always_searches(&self) -> bool {
        false
    }

    fn change(&self, now: &Standing) -> Change {
        if now.last_round() {
            return now.unchanged();
        }
        let (drops, most) = self.drops(now);
        let change = now.without(&drops, most);
        let gone = now.unchanged().choices() - change.choices();
        let refresh = self.refresh.is_some_and(|limit| now.dropped <= limit && now.dropped + gone > limit);
        // When nothing can leave any more it is as small as it gets.
        let last = gone == 0 || matches!(self.drop, Drop::DownTo(_)) || self.small(now, &change);
        Change { last, refresh, ..change }
    }
}
