//! Formulas of BNAS and CP-NAS: which choices of cells are sampled together, and what their accuracies make of them.

use super::random::Stream;
use super::strategy::Choice;
use std::collections::BTreeMap;

/// BNAS's recursion for one cell: `before` and after, s of every choice; `means`: accuracies of those that were sampled.
pub fn performance(before: &[(Choice, f64)], means: &BTreeMap<Choice, f64>) -> Vec<(Choice, f64)> {
    let greatest = means.values().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = means.values().map(|y| (y - greatest).exp()).sum();
    let small = |y: &f64| (y - greatest).exp() / sum;
    let large = 0.5 * (1.0 / sum + means.values().map(small).sum::<f64>() / means.len() as f64);
    let after = |(choice, s): &(Choice, f64)| (*choice, 0.5 * s + means.get(choice).map_or(large, small));
    match means.is_empty() {
        true => before.to_vec(),
        false => before.iter().map(after).collect(),
    }
}

/// CP-NAS's indicator of one network.
pub fn child_parent(accuracy: f64, parent: f64, weight: f64) -> f64 {
    weight * (parent - accuracy) + accuracy
}

/// `times` times as many networks as the longest of `cells` has choices: every choice once each time, and where a cell has fewer, its first ones again.
pub fn networks(cells: &[Vec<Choice>], times: usize, mut stream: impl FnMut(u64) -> Stream) -> Vec<Vec<Choice>> {
    let longest = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut all = Vec::with_capacity(times * longest);
    for time in 0..times {
        let mut stream = stream(time as u64);
        let mut shuffled = cells.to_vec();
        shuffled.iter_mut().for_each(|choices| stream.shuffle(choices));
        all.extend((0..longest).map(|at| shuffled.iter().map(|choices| choices[at % choices.len()]).collect::<Vec<_>>()));
    }
    all
}
