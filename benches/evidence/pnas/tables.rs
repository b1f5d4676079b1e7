//! The tables of the study. No tensors: tests/core has this file too.

use super::cells::{read, Table, BLOCKS, TOLD};
use super::numbers::{rows, spread};
use super::replay::{EVALUATIONS, SEARCHES};
use super::Outcome;
use nse::arch::Blocks;
use nse::space::Space;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many of the random cells of `BLOCKS` blocks are as good as what is looked for.
const GOALS: [usize; 2] = [10, 3];

/// What searches evaluated, in that order: by search and seed.
pub type Asked = BTreeMap<(String, u64), Vec<Blocks>>;

pub fn read_asked(space: &Space, csv: &str) -> Outcome<Asked> {
    let mut asked = Asked::new();
    for [search, seed, evaluation, cell] in rows(csv)? {
        let cells = asked.entry((search.into(), seed.parse()?)).or_default();
        cells.push(read(space, cell)?);
        if evaluation.parse() != Ok(cells.len()) {
            return Err(format!("{search} {seed}: evaluation {evaluation} is number {}", cells.len()).into());
        }
    }
    Ok(asked)
}

/// How good the cells of the table are, in percent.
pub fn cells(table: &Table, random: &[Vec<Blocks>]) -> String {
    let mut lines = "| cells | evaluated | test accuracy (%) | least and greatest |\n|---|---|---|---|\n".to_string();
    for (blocks, drawn) in (1..).zip(random) {
        let all: Vec<f64> = drawn.iter().filter_map(|cell| table.get(cell, TOLD)).map(|accuracy| 100.0 * accuracy).collect();
        let (least, greatest) = all.iter().fold((f64::MAX, f64::MIN), |(low, high), a| (low.min(*a), high.max(*a)));
        let name = if blocks == 1 { "all of one block".into() } else { format!("random, of {blocks} blocks") };
        let _ = writeln!(lines, "| {name} | {} | {} | {least:.1} to {greatest:.1} |", all.len(), spread(&all, 1));
    }
    lines
}

/// How many evaluations the searches need, and how good the best is that they find.
pub fn searches(table: &Table, random: &[Blocks], asked: &Asked) -> Outcome<String> {
    let accuracy = |cell: &Blocks| table.get(cell, TOLD).ok_or_else(|| format!("{cell:?} was never trained"));
    let told = |cells: &[Blocks]| cells.iter().map(accuracy).collect::<Result<Vec<f64>, _>>();
    let mut ranked = told(random)?;
    ranked.sort_by(|a, b| b.total_cmp(a));
    let goals = GOALS.map(|count| ranked[count - 1]);
    let [few, fewer] = GOALS;
    let mut lines = format!(
        "| search | searches | evaluations until one is among the best {few} of {} random cells | got there | among the best {fewer} | got there | best of \
         {EVALUATIONS} (%) | random cells until one is as good, expected |\n|---|---|---|---|---|---|---|---|\n",
        random.len()
    );
    for (search, name) in SEARCHES {
        let (mut best, mut needed) = (Vec::new(), GOALS.map(|_| Vec::new()));
        for (_, cells) in asked.iter().filter(|((other, _), _)| other == search) {
            let told = told(cells)?;
            best.push(100.0 * told.iter().copied().fold(0.0, f64::max));
            for (needed, goal) in needed.iter_mut().zip(goals) {
                needed.push(told.iter().position(|accuracy| *accuracy >= goal).map(|at| at as f64 + 1.0));
            }
        }
        let _ = write!(lines, "| {name} | {} |", best.len());
        for needed in needed {
            // One that did not get there needs more than it had.
            let at_least: Vec<f64> = needed.iter().map(|needed| needed.unwrap_or(EVALUATIONS as f64)).collect();
            let there = needed.iter().flatten().count();
            let more = if there < needed.len() { "more than " } else { "" };
            let _ = write!(lines, " {more}{} | {there} |", spread(&at_least, 0));
        }
        // As many draws without replacement until the first of k out of n: (n + 1) / (k + 1).
        let as_good = |best: &f64| ranked.iter().filter(|accuracy| 100.0 * **accuracy >= *best).count();
        let draws: Vec<f64> = best.iter().map(|best| (ranked.len() + 1) as f64 / (as_good(best) + 1) as f64).collect();
        let more = if best.iter().any(|best| as_good(best) == 0) { "more than " } else { "" };
        let _ = writeln!(lines, " {} | {more}{} |", spread(&best, 2), spread(&draws, 0));
    }
    Ok(lines)
}

/// How well the predictors rank random cells.
pub fn ranks(foretold: &str) -> Outcome<String> {
    let mut of: BTreeMap<(String, u32), [Vec<f64>; 2]> = BTreeMap::new();
    for [predictor, _, blocks, same, larger] in rows(foretold)? {
        let [s, l] = of.entry((predictor.into(), blocks.parse()?)).or_default();
        s.push(same.parse()?);
        l.push(larger.parse()?);
    }
    let mut lines =
        "| predictor | has seen cells of | rank correlation, cells as large | cells of one block more |\n|---|---|---|---|\n"
            .to_string();
    for (predictor, _) in SEARCHES {
        for blocks in 1..BLOCKS {
            if let Some([same, larger]) = of.get(&(predictor.to_string(), blocks)) {
                let seen = if blocks == 1 { "one block: all of them".into() } else { format!("up to {blocks} blocks") };
                let _ = writeln!(lines, "| `{predictor}` | {seen} | {} | {} |", spread(same, 2), spread(larger, 2));
            }
        }
    }
    Ok(lines)
}
