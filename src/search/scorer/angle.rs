//! The angle-based metric of ABS (Hu et al., ECCV 2020, Algorithm 1; published code AngleNAS): by how much training has turned the
//! weights of a network, arccos(<V0, V> / (|V0| |V|)) with V0 its weights before and V those after. A larger angle is better.
//!
//! V is the concatenation of the kernels of stem, branches and tail and the weights of the classifier, so all three products are sums
//! over its parts: no vector is ever built, and an angle costs some additions. Sums are in 64 bits, and the cosine is held to -1 to 1.

use super::{Evidence, Scorer, Scores};
use crate::arch::Architecture;
use crate::error::Result;
use crate::search::trainer::{Comparison, Products};
use crate::space::{Cell, Shape, Space, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// A cell that is skipped has the identity matrix for weights (as in RLNAS), instead of none; of stacked cells, a skip_connect has.
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
        Weighed::new(self, space, comparison).angle(architecture)
    }
}

/// What each operator of each cell adds to the products.
struct Weighed<'a> {
    space: &'a Space,
    ends: Products,
    cells: Vec<BTreeMap<u16, Products>>,
    /// Where the identity counts, of a cell of a chain that is skipped.
    skipped: Vec<Products>,
}

impl<'a> Weighed<'a> {
    fn new(options: &Angle, space: &'a Space, comparison: &Comparison) -> Self {
        let part = |cell: usize, operator: u16| {
            let parts = comparison.cells.get(cell).and_then(|cell| cell.get(&operator)).copied().unwrap_or_default();
            let learnt = if options.norms { parts.kernels + parts.norms } else { parts.kernels };
            (operator, learnt + Products::constant(fixed(space, cell, operator, options.identity)))
        };
        let all = |(i, cell): (usize, &Cell)| (0..cell.operators.len() as u16).map(|o| part(i, o)).collect();
        let identity = |cell: &Cell| if options.identity { f64::from(cell.channels) } else { 0.0 };
        Weighed {
            space,
            ends: comparison.ends,
            cells: space.cells().iter().enumerate().map(all).collect(),
            skipped: space.cells().iter().map(|cell| Products::constant(identity(cell))).collect(),
        }
    }

    fn angle(&self, architecture: &Architecture) -> f64 {
        // An edge of stacked cells counts once for every path that it is part of, and an empty one ends the paths that it would be on.
        let paths = self.space.stack().map(|stack| stack.paths(architecture.cells()));
        let mut sum = self.ends;
        for (cell, open) in architecture.cells().iter().enumerate() {
            let times = |o: u16| match (&paths, self.space.stack()) {
                (Some(paths), Some(stack)) => paths[cell].get(&stack.from(cell, o)).copied().unwrap_or(0.0),
                _ => 1.0,
            };
            open.iter().filter_map(|o| Some((*o, self.cells[cell].get(o)?))).for_each(|(o, part)| sum = sum + part.times(times(o)));
            if open.is_empty() && paths.is_none() {
                sum = sum + self.skipped[cell];
            }
        }
        sum.angle()
    }
}

/// Squares of the weights that no training changes: on edges, a pool has 1 / (k k) everywhere in a kernel of [channels, k, k] and, where
/// that counts, what keeps its input the identity matrix. In all cells that the edge is part of.
fn fixed(space: &Space, cell: usize, operator: u16, identity: bool) -> f64 {
    let Some(stack) = space.stack() else { return 0.0 };
    let squares = |(steps, input): &(Vec<Step>, Shape)| match steps[..] {
        [] if identity => f64::from(input.channels),
        [Step::Pool(pool), ..] => f64::from(input.channels) / f64::from(pool.kernel * pool.kernel),
        _ => 0.0,
    };
    stack.work(cell, operator, &space.cells()[cell].operators[usize::from(operator)]).iter().map(squares).sum()
}

impl Scorer for Angle {
    fn compares(&self) -> bool {
        true
    }

    fn score(&self, mut evidence: Evidence) -> Result<Scores> {
        let children = evidence.children.of_each(self.samples, &mut evidence.stream, evidence.control)?;
        let comparison = evidence.comparison.unwrap_or_default();
        let weighed = Weighed::new(self, evidence.children.space, &comparison);
        let angles = children.iter().map(|child| (child, weighed.angle(child)));
        Ok(evidence.children.mean(angles, self.samples))
    }
}
