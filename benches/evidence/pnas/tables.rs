//! The tables of the study. No tensors: tests/core has this file too.

use super::cells::{cost, read, Table, BLOCKS, FRESH, NOISE, TOLD};
use super::numbers::{deviation, mean, rows, spread};
use super::replay::{seeds, shuffled, EVALUATIONS, POPULATION, ROUNDS, SEARCHES};
use super::Outcome;
use nse::arch::Blocks;
use nse::space::Space;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// How many of the random cells of `BLOCKS` blocks are as good as what is looked for.
const GOALS: [usize; 3] = [15, 5, 1];
/// Of how many cells, the best that a search has, the mean accuracy is taken; the published ones.
const TOPS: [usize; 3] = [1, 5, 25];
/// So many of the best cells of a search are trained with fresh seeds.
const FINALISTS: usize = 3;

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
    // Chance is not written down.
    asked.extend(seeds("random").map(|seed| (("random".into(), seed), shuffled(space, seed))));
    Ok(asked)
}

/// Cells that are trained with fresh seeds: the best of every search, as it was told, at its end and on the way.
pub fn finalists(table: &Table, asked: &Asked) -> Outcome<BTreeSet<Blocks>> {
    let mut all = BTreeSet::new();
    for cells in asked.values() {
        all.extend(best(table, cells, EVALUATIONS, FINALISTS)?.into_iter().cloned());
        for after in after() {
            all.extend(best(table, cells, after, 1)?.into_iter().cloned());
        }
    }
    Ok(all)
}

/// Evaluations after which searches are looked at.
fn after() -> impl Iterator<Item = usize> {
    [POPULATION].into_iter().chain(ROUNDS)
}

/// The best of the first cells, as the search was told.
fn best<'a>(table: &Table, cells: &'a [Blocks], after: usize, count: usize) -> Outcome<Vec<&'a Blocks>> {
    let told = told(table, &cells[..after])?;
    let mut ranked: Vec<_> = told.into_iter().zip(cells).collect();
    ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    Ok(ranked.into_iter().take(count).map(|(_, cell)| cell).collect())
}

/// In percent, the mean of the fresh seeds.
fn anew(table: &Table, cell: &Blocks) -> Outcome<f64> {
    let seeds = FRESH.into_iter().map(|seed| table.need(cell, seed)).collect::<Outcome<Vec<f64>>>()?;
    Ok(100.0 * mean(&seeds))
}

/// In percent.
fn told(table: &Table, cells: &[Blocks]) -> Outcome<Vec<f64>> {
    cells.iter().map(|cell| Ok(100.0 * table.need(cell, TOLD)?)).collect()
}

/// Every table. `random`: the random cells of one block, of two, and so on.
pub fn all(space: &Space, table: &Table, random: &[Vec<Blocks>], asked: &Asked, foretold: &str) -> Outcome<Vec<String>> {
    let largest = &random[BLOCKS as usize - 1];
    let mut of: BTreeMap<&str, Vec<Vec<f64>>> = BTreeMap::new();
    for ((search, _), cells) in asked {
        of.entry(search).or_default().push(told(table, cells)?);
    }
    Ok(vec![
        cells(table, random)?,
        noise(table, &largest[..NOISE])?,
        needed(&told(table, largest)?, &of),
        bests(space, asked, &of),
        efficiency(&of),
        taken(table, asked)?,
        fresh(table, asked)?,
        ranks(foretold)?,
    ])
}

/// How good the random cells are.
fn cells(table: &Table, random: &[Vec<Blocks>]) -> Outcome<String> {
    let mut lines = "| cells | evaluated | test accuracy (%) | least and greatest |\n|---|---|---|---|\n".to_string();
    for (blocks, drawn) in (1..).zip(random) {
        let all = told(table, drawn)?;
        let (least, greatest) = all.iter().fold((f64::MAX, f64::MIN), |(low, high), a| (low.min(*a), high.max(*a)));
        let name = if blocks == 1 { "all of one block".into() } else { format!("random, of {blocks} blocks") };
        let _ = writeln!(lines, "| {name} | {} | {} | {least:.1} to {greatest:.1} |", all.len(), spread(&all, 1));
    }
    Ok(lines)
}

/// What the seed of a training changes, and what the cell does.
fn noise(table: &Table, cells: &[Blocks]) -> Outcome<String> {
    let (mut means, mut variances) = (Vec::new(), Vec::new());
    for cell in cells {
        let seeds = [TOLD].into_iter().chain(FRESH).map(|seed| table.need(cell, seed));
        let seeds = seeds.map(|accuracy| Ok(100.0 * accuracy?)).collect::<Outcome<Vec<f64>>>()?;
        means.push(mean(&seeds));
        variances.push(deviation(&seeds).powi(2));
    }
    let (between, within) = (deviation(&means), mean(&variances).sqrt());
    Ok(format!(
        "| cells | seeds | standard deviation of cells (%) | of the seeds of a cell | ratio |\n|---|---|---|---|---|\n\
         | {} random ones of {BLOCKS} blocks | {} | {between:.2} | {within:.2} | {:.2} |\n",
        cells.len(),
        FRESH.len() + 1,
        within / between
    ))
}

/// How many evaluations the searches need to have a cell as good as some of the random ones.
fn needed(random: &[f64], of: &BTreeMap<&str, Vec<Vec<f64>>>) -> String {
    let mut ranked = random.to_vec();
    ranked.sort_by(|a, b| b.total_cmp(a));
    let mut lines = "| search | searches |".to_string();
    for goal in GOALS {
        let _ =
            write!(lines, " evaluations until one is as good as number {goal} of {} random cells | got there |", random.len());
    }
    lines += "\n|---|---|---|---|---|---|---|---|\n";
    for (search, name) in SEARCHES {
        let searches = &of[search];
        let _ = write!(lines, "| {name} | {} |", searches.len());
        for goal in GOALS.map(|count| ranked[count - 1]) {
            let first = |told: &Vec<f64>| told[..EVALUATIONS].iter().position(|accuracy| *accuracy >= goal);
            let needed: Vec<Option<usize>> = searches.iter().map(first).collect();
            // One that did not get there needs more than it had.
            let at_least: Vec<f64> = needed.iter().map(|needed| needed.map_or(EVALUATIONS, |at| at + 1) as f64).collect();
            let there = needed.iter().flatten().count();
            let more = if there < needed.len() { "more than " } else { "" };
            let _ = write!(lines, " {more}{} | {there} |", spread(&at_least, 0));
        }
        lines += "\n";
    }
    lines
}

/// How good the best is after so many evaluations, and what all of them cost.
fn bests(space: &Space, asked: &Asked, of: &BTreeMap<&str, Vec<Vec<f64>>>) -> String {
    let mut lines = "| best told accuracy (%) |".to_string();
    after().for_each(|after| lines += &format!(" after {after} |"));
    let _ = writeln!(lines, " multiply-accumulates of all {EVALUATIONS} cells (M) |\n|---|---|---|---|---|---|---|");
    for (search, name) in SEARCHES {
        let _ = write!(lines, "| {name} |");
        for after in after() {
            let best: Vec<f64> = of[search].iter().map(|told| top(&told[..after], 1)).collect();
            let _ = write!(lines, " {} |", spread(&best, 2));
        }
        let searches = asked.iter().filter(|((other, _), _)| other == search);
        let costs = searches.map(|(_, cells)| cells[..EVALUATIONS].iter().map(|cell| cost(space, cell).macs as f64 / 1e6).sum());
        let _ = writeln!(lines, " {} |", spread(&costs.collect::<Vec<f64>>(), 1));
    }
    lines
}

/// The mean of the best of them.
fn top(told: &[f64], count: usize) -> f64 {
    let mut ranked = told.to_vec();
    ranked.sort_by(|a, b| b.total_cmp(a));
    mean(&ranked[..count])
}

/// As in the paper: how many evaluations one search needs until its best are as good as those of the other at its end, in the mean of all searches.
fn efficiency(of: &BTreeMap<&str, Vec<Vec<f64>>>) -> String {
    let at = |search: &str, count: usize, after: usize| {
        mean(&of[search].iter().map(|told| top(&told[..after], count)).collect::<Vec<_>>())
    };
    let first = |search: &str, count: usize, goal: f64| {
        let all = of[search][0].len();
        let there = (count..=all).find(|after| at(search, count, *after) >= goal);
        there.map_or(format!("more than {all}"), |after| after.to_string())
    };
    let [(growing, grow), others @ ..] = SEARCHES;
    let mut lines = format!(
        "| mean of the best | {grow} after {EVALUATIONS} (%) | other | gets there after | other after {EVALUATIONS} (%) | {grow} gets there after |\n\
         |---|---|---|---|---|---|\n"
    );
    for (count, (search, name)) in TOPS.into_iter().flat_map(|count| others.map(|other| (count, other))) {
        let [grown, found] = [growing, search].map(|search| at(search, count, EVALUATIONS));
        let [there, back] = [first(search, count, grown), first(growing, count, found)];
        let _ = writeln!(lines, "| {count} | {grown:.2} | {name} | {there} | {found:.2} | {back} |");
    }
    lines
}

/// How good that cell is, without the luck of the training by which it was chosen, that one would take after so many evaluations.
fn taken(table: &Table, asked: &Asked) -> Outcome<String> {
    let mut lines = "| its best cell so far, trained anew (%) |".to_string();
    after().for_each(|after| lines += &format!(" after {after} |"));
    lines += "\n|---|---|---|---|---|---|\n";
    for (search, name) in SEARCHES {
        let _ = write!(lines, "| {name} |");
        for after in after() {
            let cells = asked.iter().filter(|((other, _), _)| other == search).map(|(_, cells)| cells);
            let values = cells.map(|cells| anew(table, best(table, cells, after, 1)?[0])).collect::<Outcome<Vec<f64>>>()?;
            let _ = write!(lines, " {} |", spread(&values, 2));
        }
        lines += "\n";
    }
    Ok(lines)
}

/// The same of the best few at the end.
fn fresh(table: &Table, asked: &Asked) -> Outcome<String> {
    let mut lines = format!("| search | its {FINALISTS} best, as told (%) | trained anew |\n|---|---|---|\n");
    for (search, name) in SEARCHES {
        let mut columns = [(); 2].map(|()| Vec::new());
        for (_, cells) in asked.iter().filter(|((other, _), _)| other == search) {
            let cells = best(table, cells, EVALUATIONS, FINALISTS)?;
            let told = cells.iter().map(|cell| Ok(100.0 * table.need(cell, TOLD)?)).collect::<Outcome<Vec<f64>>>()?;
            let anew = cells.iter().map(|cell| anew(table, cell)).collect::<Outcome<Vec<f64>>>()?;
            columns.iter_mut().zip([told, anew]).for_each(|(column, values)| column.push(mean(&values)));
        }
        let [told, anew] = columns.map(|column| spread(&column, 2));
        let _ = writeln!(lines, "| {name} | {told} | {anew} |");
    }
    Ok(lines)
}

/// How well the predictor ranks random cells.
fn ranks(foretold: &str) -> Outcome<String> {
    let mut of: BTreeMap<u32, [Vec<f64>; 2]> = BTreeMap::new();
    for [_, _, blocks, same, larger] in rows(foretold)? {
        for (of, value) in of.entry(blocks.parse()?).or_default().iter_mut().zip([same, larger]) {
            of.extend(value.parse::<f64>());
        }
    }
    let mut lines = "| the predictor has learnt from cells of | rank correlation, other cells as large | cells of one block more |\n|---|---|---|\n".to_string();
    for (blocks, [same, larger]) in of {
        let seen = if blocks == 1 { "one block: all of them".into() } else { format!("up to {blocks} blocks") };
        let same = if same.is_empty() { "there are none".into() } else { spread(&same, 2) };
        let _ = writeln!(lines, "| {seen} | {same} | {} |", spread(&larger, 2));
    }
    Ok(lines)
}
