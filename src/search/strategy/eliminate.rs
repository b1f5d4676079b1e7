//! BNAS (Chen et al., AAAI 2020): operators leave one by one, by how sampled networks with them perform, until every edge has one; and the rule
//! of its sibling CP-NAS (Zhuo et al., IJCAI 2020). Search code was never released: the recursion is that of the paper as it was rebuilt in public
//! code, see docs/bnas.md.

use super::{Change, Choice, Standing, Strategy};
use crate::search::scorer::{Accuracy, ScorerOptions};
use crate::search::sought::Sought;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The whole space is active from the start, with one operator of an edge open at a time. After each round's training, networks are sampled, each
/// trained by itself from the shared weights and scored, or evaluated by the host; then every edge loses its worst operator. The last round has
/// the network of what is left: where nodes of stacked cells choose among edges, the two strongest of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Eliminate {
    /// What becomes of the results: "performance" (BNAS) or "child_parent" (CP-NAS).
    pub rule: Rule,
    /// Times that each of the operators in question is sampled in a round (T). Not asked by "child_parent", where each is sampled as often as there
    /// are operators.
    #[schemars(range(min = 1, max = 1000))]
    pub times: usize,
    /// Passes over the training images of a sampled network; may be a fraction. Not asked where the host evaluates.
    #[schemars(range(min = 0.001, max = 100_000.0))]
    pub epochs: f64,
    /// Peak learning rate of these; by the schedule of the shared weights. Default: train.lr.
    #[schemars(range(min = 1e-8, max = 100.0))]
    pub lr: Option<f64>,
    /// Passes over the training images in a round after the first. Default: train.epochs.
    #[schemars(range(min = 0.001, max = 100_000.0))]
    pub later_epochs: Option<f64>,
    /// Of "child_parent": how much what a network with binary weights loses against the same one with real weights counts for it.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub parent: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The worse half of an edge's operators, by the scorer, is sampled. With y the mean accuracy of each, s <- s / 2 + softmax(y) for these, and
    /// s <- s / 2 + (greatest + mean softmax) / 2 for all others; the least s leaves.
    #[default]
    Performance,
    /// All are sampled, without replacement, as often as there are; the least mean of parent * (accuracy with real weights - accuracy) + accuracy
    /// leaves.
    ChildParent,
}

impl Default for Eliminate {
    fn default() -> Self {
        Eliminate { rule: Rule::Performance, times: 3, epochs: 3.0, lr: None, later_epochs: None, parent: 1.0 }
    }
}

impl Strategy for Eliminate {
    fn scorer(&self) -> ScorerOptions {
        ScorerOptions::Accuracy(Accuracy { samples: 3 })
    }

    fn begins(&self, _: usize) -> usize {
        usize::MAX
    }

    /// One for every operator of the largest cell that leaves, and one for the network that is left.
    fn rounds(&self, now: &Standing) -> u64 {
        now.cells.iter().map(|cell| cell.active.len() + usize::from(cell.skippable)).max().unwrap_or(1) as u64
    }

    fn epochs(&self, round: u64, epochs: f64) -> f64 {
        self.later_epochs.filter(|_| round > 0).unwrap_or(epochs)
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

    fn seeks(&self) -> Sought<'_> {
        Sought::Survivor(self)
    }

    fn listens(&self) -> bool {
        true
    }

    fn change(&self, now: &Standing) -> Change {
        if now.last_round() {
            return now.unchanged();
        }
        let worst = |cell: &usize| now.ranked().into_iter().find(|(of, _)| of == cell);
        let mut drops: Vec<(usize, Choice)> = (0..now.cells.len()).filter_map(|cell| worst(&cell)).collect();
        for node in now.joined {
            keep_two(now, node, &mut drops);
        }
        now.without(&drops, usize::MAX)
    }
}

/// A node is the sum of two operators: where too few of its edges would have one, the strongest keep theirs, and lose that they may be empty.
fn keep_two(now: &Standing, node: &[usize], drops: &mut [(usize, Choice)]) {
    let drop_of = |edge: usize, drops: &[(usize, Choice)]| drops.iter().position(|(cell, _)| *cell == edge);
    let left = |edge: usize, drops: &[(usize, Choice)]| {
        let mut left: BTreeSet<u16> = now.cells[edge].active.iter().copied().collect();
        if let Some((_, Some(operator))) = drop_of(edge, drops).map(|at| drops[at]) {
            left.remove(&operator);
        }
        !left.is_empty()
    };
    let best = |edge: usize| {
        let scores = now.cells[edge].active.iter().map(|o| now.scores.of(edge, Some(*o)));
        scores.fold(f64::NEG_INFINITY, f64::max)
    };
    let mut strongest = node.to_vec();
    strongest.sort_by(|a, b| best(*b).total_cmp(&best(*a)));
    for edge in strongest {
        if node.iter().filter(|edge| left(**edge, drops)).count() >= 2 {
            return;
        }
        if let Some(at) = drop_of(edge, drops).filter(|_| !left(edge, drops) && now.cells[edge].skippable) {
            drops[at].1 = None;
        }
    }
}
