//! Successive halving of every cell (Karnin et al., ICML 2013, within a cell): our own, for comparison.

use super::{Change, Choice, Standing, Strategy};
use crate::search::scorer::{Accuracy, ScorerOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole space is active from the start. After each round, which ends with a front, the worse part of every cell leaves for good;
/// weights go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Eliminate {
    /// Part of the choices of a cell that stays, rounded up; one leaves at least, and one stays.
    #[schemars(range(min = 0.0, max = 0.99))]
    pub keep: f64,
}

impl Default for Eliminate {
    fn default() -> Self {
        Eliminate { keep: 0.5 }
    }
}

impl Eliminate {
    /// Of so many.
    fn kept(&self, count: usize) -> usize {
        ((count as f64 * self.keep).ceil() as usize).min(count.saturating_sub(1)).max(1)
    }
}

impl Strategy for Eliminate {
    fn scorer(&self) -> ScorerOptions {
        ScorerOptions::Accuracy(Accuracy::default())
    }

    fn begins(&self, _: usize) -> usize {
        usize::MAX
    }

    fn rounds(&self, now: &Standing) -> u64 {
        let most = now.cells.iter().map(|cell| cell.active.len() + usize::from(cell.skippable)).max().unwrap_or(1);
        // A round for every size, the last included.
        std::iter::successors(Some(most), |count| (*count > 1).then(|| self.kept(*count))).count() as u64
    }

    fn searches(&self, _: &Standing) -> bool {
        true
    }

    fn change(&self, now: &Standing) -> Change {
        let ranked = now.ranked();
        let of_cell = |i: usize| ranked.iter().filter(move |(cell, _)| *cell == i);
        let leave = |i: usize| {
            let count = of_cell(i).count();
            of_cell(i).take(count - self.kept(count).min(count)).copied()
        };
        let drops: Vec<(usize, Choice)> = (0..now.cells.len()).flat_map(leave).collect();
        let change = now.without(&drops, usize::MAX);
        let last = change.settled() || change == now.unchanged();
        Change { last, ..change }
    }
}
