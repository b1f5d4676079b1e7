//! How much training has made the kernels of an operator grow: the length of its weights over what it was at the beginning. Our own
//! reading of magnitude; in the study of ABS the magnitude is the strength that DARTS learns for an operator, which here is `fitness`.

use super::{Evidence, Scorer, Scores};
use crate::error::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Length of the operator's kernels over their length at the beginning. That a cell is skipped scores 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Magnitude {}

impl Scorer for Magnitude {
    fn compares(&self) -> bool {
        true
    }

    fn score(&self, evidence: Evidence) -> Result<Scores> {
        let comparison = evidence.comparison.unwrap_or_default();
        let growth = |cell: usize, operator: u16| {
            let kernels = comparison.cells.get(cell).and_then(|cell| cell.get(&operator)).map(|parts| parts.kernels);
            kernels.filter(|kernels| kernels.then > 0.0).map_or(f64::NAN, |kernels| (kernels.now / kernels.then).sqrt())
        };
        Ok(Scores::new(evidence.children, |(cell, choice)| choice.map_or(1.0, |operator| growth(cell, operator))))
    }
}
