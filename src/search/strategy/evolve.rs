//! NSE (Ci et al., ICCV 2021): what the front uses stays, the rest makes room for operators that were not tried yet.

use super::{Change, Standing, Strategy};
use crate::search::scorer::ScorerOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// After each round the operators that its front uses stay, and the cells are filled from those that wait. Fresh weights in every round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Evolve {}

impl Strategy for Evolve {
    fn scorer(&self) -> ScorerOptions {
        ScorerOptions::default()
    }

    fn begins(&self, active: usize) -> usize {
        active
    }

    fn rounds(&self, now: &Standing) -> u64 {
        let most = now.cells.iter().map(|cell| cell.active.len() + cell.pending).max().unwrap_or(0) as u64;
        (most.saturating_sub(1) / (now.active as u64 - 1)).max(1)
    }

    fn keeps_weights(&self) -> bool {
        false
    }

    fn drops_in_training(&self) -> bool {
        true
    }

    fn always_searches(&self) -> bool {
        true
    }

    fn listens(&self) -> bool {
        true
    }

    fn change(&self, now: &Standing) -> Change {
        let retained = now.cells.iter().map(|cell| cell.front.clone()).collect();
        Change { retained, size: now.active, ..now.unchanged() }
    }
}
