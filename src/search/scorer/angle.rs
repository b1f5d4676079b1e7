//! The angle-based metric of ABS (Hu et al., ECCV 2020, Algorithm 1; published code AngleNAS): by how much training has turned the
//! weights of a network, arccos(<V0, V> / (|V0| |V|)) with V0 its weights before and V those after. A larger angle is better.
//!
//! V is the concatenation of the kernels of stem, branches and tail and the weights of the classifier, so all three products are sums
//! over its parts: no vector is ever built, and an angle costs some additions. Sums are in 64 bits, and the cosine is held to -1 to 1.

use super::{Evidence, Scorer, Scores};
use crate::arch::Architecture;
use crate::error::Result;
use crate::search::trainer::{Comparison, Parts, Products};
use crate::space::Space;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mean angle between the weights of now and those of the beginning, of architectures that have the operator, at most as dear as the
/// greatest cost of the objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Angle {
    /// Architectures for each operator (published: 1000). Where the space has no more than would be wanted, all of them.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub samples: usize,
    /// Scale and shift of the first two batch-norms of every branch belong to its weights (as in RLNAS, by the same authors).
    pub norms: bool,
    /// A cell that is skipped has the identity matrix for weights (as in RLNAS), instead of none.
    pub identity: bool,
}

impl Default for Angle {
    fn default() -> Self {
        Angle { samples: 1000, norms: false, identity: false }
    }
}

impl Angle {
    /// Of one architecture, in radians, from 0 to pi.
    pub fn of(&self, space: &Space, comparison: &Comparison, architecture: &Architecture) -> f64 {
        let skipped = space.cells().iter().zip(architecture.cells()).filter(|(_, open)| open.is_empty());
        let identity: f64 = skipped.map(|(cell, _)| f64::from(cell.channels)).sum();
        let mut sum = comparison.ends;
        for (cell, open) in architecture.cells().iter().enumerate() {
            let branches = open.iter().filter_map(|operator| comparison.cells.get(cell)?.get(operator));
            branches.for_each(|parts| sum = sum + self.part(parts));
        }
        if self.identity {
            sum = sum + Products::constant(identity);
        }
        sum.angle()
    }

    fn part(&self, parts: &Parts) -> Products {
        if self.norms {
            parts.kernels + parts.norms
        } else {
            parts.kernels
        }
    }
}

impl Scorer for Angle {
    fn compares(&self) -> bool {
        true
    }

    fn score(&self, mut evidence: Evidence) -> Result<Scores> {
        let children = evidence.children.of_each(self.samples, &mut evidence.stream, evidence.control)?;
        let comparison = evidence.comparison.unwrap_or_default();
        let angles = children.iter().map(|child| (child, self.of(evidence.children.space, &comparison, child)));
        Ok(evidence.children.mean(angles, self.samples))
    }
}
