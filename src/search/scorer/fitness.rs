//! The learnt score theta of NSE, from architecture steps on held-out images; see `search::fitness`.

use super::{Evidence, Scorer, Scores};
use crate::error::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Theta, which the operators learn while the supernet is trained (options under `fitness`). That a cell is skipped has no score of its
/// own: 0, as an operator that has learnt nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fitness {}

impl Scorer for Fitness {
    fn learns(&self) -> bool {
        true
    }

    fn score(&self, evidence: Evidence) -> Result<Scores> {
        let active = &evidence.children.active;
        let theta = |cell: usize, operator: u16| {
            let at = active[cell].iter().position(|o| *o == operator);
            at.and_then(|at| evidence.theta[cell].get(at)).copied().unwrap_or(f64::NAN)
        };
        Ok(Scores::new(evidence.children, |(cell, choice)| choice.map_or(0.0, |operator| theta(cell, operator))))
    }
}
