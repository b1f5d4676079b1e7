//! The other way round: a small space that is searched, and then gets more operators, with the weights it has. Our own, for comparison.

use super::{Change, Standing, Strategy};
use crate::search::scorer::ScorerOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// As many operators of a cell as `active` says at first. After each round, which ends with a front, every cell gets more of those that
/// wait; none leaves, and weights go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grow {
    /// Operators that a cell gets after a round.
    #[schemars(range(min = 1, max = 1000))]
    pub by: usize,
}

impl Default for Grow {
    fn default() -> Self {
        Grow { by: 1 }
    }
}

impl Strategy for Grow {
    fn scorer(&self) -> ScorerOptions {
        ScorerOptions::default()
    }

    fn begins(&self, active: usize) -> usize {
        active
    }

    fn rounds(&self, now: &Standing) -> u64 {
        1 + now.cells.iter().map(|cell| cell.pending.div_ceil(self.by)).max().unwrap_or(0) as u64
    }

    fn searches(&self, _: &Standing) -> bool {
        true
    }

    fn change(&self, now: &Standing) -> Change {
        let most = now.cells.iter().map(|cell| cell.active.len()).max().unwrap_or(0);
        Change { size: most + self.by, ..now.unchanged() }
    }
}
