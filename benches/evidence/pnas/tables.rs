//! The tables of the study. No tensors: tests/core has this file too.

use super::cells::{read, Table, AGAIN, BLOCKS, TOLD};
use super::numbers::{deviation, mean, rows, spread};
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
    let accuracy = |cell: &Blocks, seed| table.get(cell, seed).ok_or_else(|| format!("{cell:?} was never trained with {seed}"));
    let told = |cells: &[Blocks]| cells.iter().map(|cell| accuracy(cell, TOLD)).collect::<Result<Vec<f64>, _>>();
    let mut ranked = told(random)?;
    ranked.sort_by(|a, b| b.total_cmp(a));
    let goals = GOALS.map(|count| ranked[count - 1]);
    let [few, fewer] = GOALS;
    let mut lines = format!(
        "| search | evaluations until one is among the best {few} of {} random cells | seeds | among the best {fewer} | seeds | best of {EVALUATIONS} (%) \
         | the same cells, trained anew (%) |\n|---|---|---|---|---|---|---|\n",
        random.len()
    );
    for (search, name) in SEARCHES {
        let (mut best, mut again, mut needed) = (Vec::new(), Vec::new(), GOALS.map(|_| Vec::new()));
        let of_search = asked.iter().filter(|((other, _), _)| other == search);
        for (_, cells) in of_search {
            let told = told(cells)?;
            let (at, greatest) = first_best(&told);
            best.push(100.0 * greatest);
            let anew = AGAIN.iter().map(|seed| accuracy(&cells[at], *seed)).collect::<Result<Vec<f64>, _>>()?;
            again.push(100.0 * mean(&anew));
            for (needed, goal) in needed.iter_mut().zip(goals) {
                needed.push(told.iter().position(|accuracy| *accuracy >= goal).map(|at| at as f64 + 1.0));
            }
        }
        let _ = write!(lines, "| {name} |");
        for needed in needed {
            // One that did not get there needs more than it had.
            let at_least: Vec<f64> = needed.iter().map(|needed| needed.unwrap_or(EVALUATIONS as f64)).collect();
            let (all, there) = (needed.len(), needed.iter().flatten().count());
            let more = if there < all { "more than " } else { "" };
            let _ = write!(lines, " {more}{:.0} ± {:.0} | {there} of {all} |", mean(&at_least), deviation(&at_least));
        }
        let _ = writeln!(lines, " {} | {} |", spread(&best, 2), spread(&again, 2));
    }
    Ok(lines)
}

/// The first of the greatest, and where it is.
pub fn first_best(accuracies: &[f64]) -> (usize, f64) {
    accuracies
        .iter()
        .enumerate()
        .fold((0, f64::MIN), |best, (at, accuracy)| if *accuracy > best.1 { (at, *accuracy) } else { best })
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
