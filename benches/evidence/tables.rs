//! The files of the study, and the tables that are made of them. No tensors: tests/core/evidence.rs has this file too.

use nse::arch::Architecture;
use nse::search::{Purpose, Stream};
use nse::space::Space;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write;

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;

/// Choices of all cells together that a search shrinks the space to.
pub const ALL_LEFT: usize = 10;
/// Choices that should not be lost: those with the highest mean accuracy.
const BEST_CHOICES: usize = 8;
/// Architectures whose choices should not be lost.
const BEST_ARCHITECTURES: usize = 3;
/// Orders by chance.
const SHUFFLES: u64 = 20_000;

/// A network trained alone.
pub struct Alone {
    pub architecture: Architecture,
    pub macs: u64,
    pub params: u64,
    pub seed: u64,
    /// On the test images.
    pub accuracy: f64,
}

/// What a supernet says of an architecture.
pub struct Scored {
    pub seed: u64,
    pub architecture: Architecture,
    /// As in `SCORES`.
    pub by: [f64; 4],
}

/// What a search says of a choice.
pub struct Judged {
    pub seed: u64,
    pub scorer: String,
    pub choice: Choice,
    pub score: f64,
    pub stays: bool,
}

/// A cell, and the name of an operator or a dash.
pub type Choice = (usize, String);

/// The columns of scores.csv, as the table has them.
const SCORES: [&str; 4] = ["angle", "angle, with batch-norm and identity", "accuracy, re-calibrated", "accuracy, raw"];
const SCORERS: [&str; 3] = ["angle", "magnitude", "accuracy"];

/// The operator of every cell, a dash where it is skipped.
pub fn written(space: &Space, architecture: &Architecture) -> String {
    let name = |cell: &Vec<String>| cell.first().cloned().unwrap_or("-".into());
    architecture.names(space).iter().map(name).collect::<Vec<_>>().join(" ")
}

fn architecture(space: &Space, written: &str) -> Outcome<Architecture> {
    let cells: Vec<Vec<&str>> = written.split(' ').map(|name| Some(name).filter(|name| *name != "-").into_iter().collect()).collect();
    Ok(Architecture::from_json(space, &json!({ "cells": cells }).to_string())?)
}

/// The lines below the header.
fn rows<const N: usize>(csv: &str) -> Outcome<Vec<[&str; N]>> {
    let row = |line: &'_ str| -> Outcome<[&str; N]> {
        let columns: Vec<&str> = line.split(',').collect();
        columns.try_into().map_err(|_| format!("not {N} columns: {line}").into())
    };
    csv.lines().skip(1).map(row).collect()
}

pub fn read(space: &Space, alone: &str) -> Outcome<Vec<Alone>> {
    let row = |[name, macs, params, seed, accuracy]: [&str; 5]| {
        let architecture = architecture(space, name)?;
        Ok(Alone { architecture, macs: macs.parse()?, params: params.parse()?, seed: seed.parse()?, accuracy: accuracy.parse()? })
    };
    rows(alone)?.into_iter().map(row).collect()
}

pub fn read_scores(space: &Space, scores: &str) -> Outcome<Vec<Scored>> {
    let row = |[seed, name, a, b, c, d]: [&str; 6]| {
        let by = [a.parse()?, b.parse()?, c.parse()?, d.parse()?];
        Ok(Scored { seed: seed.parse()?, architecture: architecture(space, name)?, by })
    };
    rows(scores)?.into_iter().map(row).collect()
}

pub fn read_choices(choices: &str) -> Outcome<Vec<Judged>> {
    let row = |[seed, scorer, cell, choice, score, stays]: [&str; 6]| {
        let choice = (cell.parse()?, choice.into());
        Ok(Judged { seed: seed.parse()?, scorer: scorer.into(), choice, score: score.parse()?, stays: stays == "1" })
    };
    rows(choices)?.into_iter().map(row).collect()
}

/// Kendall's tau-b, which allows for ties; 0 when one side says nothing.
pub fn tau(a: &[f64], b: &[f64]) -> f64 {
    let (mut agreed, mut in_a, mut in_b) = (0.0, 0.0, 0.0);
    for i in 0..a.len() {
        for j in 0..i {
            let sign = |of: &[f64]| f64::from(i8::from(of[i] > of[j]) - i8::from(of[i] < of[j]));
            let (a, b) = (sign(a), sign(b));
            (agreed, in_a, in_b) = (agreed + a * b, in_a + a * a, in_b + b * b);
        }
    }
    if in_a * in_b > 0.0 {
        agreed / f64::sqrt(in_a * in_b)
    } else {
        0.0
    }
}

/// How the scores of a supernet, and costs, rank the networks trained alone with seed 1.
pub fn ranking(alone: &[Alone], scored: &[Scored]) -> String {
    let truth: Vec<&Alone> = alone.iter().filter(|alone| alone.seed == 1).collect();
    let accuracy: Vec<f64> = truth.iter().map(|alone| alone.accuracy).collect();
    let mut table = "| ranked by | Kendall's tau | each supernet |\n|---|---|---|\n".to_string();
    for (i, name) in SCORES.iter().enumerate() {
        let of_seed = |seed: u64| {
            let score = |alone: &&Alone| {
                let found = scored.iter().find(|scored| scored.seed == seed && scored.architecture == alone.architecture);
                found.map_or(f64::NAN, |scored| scored.by[i])
            };
            tau(&truth.iter().map(score).collect::<Vec<_>>(), &accuracy)
        };
        let taus: Vec<f64> = scored.iter().map(|s| s.seed).collect::<BTreeSet<_>>().into_iter().map(of_seed).collect();
        let _ = writeln!(table, "| {name} | {} | {} |", spread(&taus, 3), each(&taus, 3));
    }
    let costs = [("multiply-accumulates", truth.iter().map(|a| a.macs as f64).collect::<Vec<_>>()), ("parameters", truth.iter().map(|a| a.params as f64).collect())];
    for (name, cost) in costs {
        let _ = writeln!(table, "| {name} | {:.3} | |", tau(&cost, &accuracy));
    }
    table
}

/// The choices that a shrunk space should have.
pub struct Wanted {
    /// All, the best first: by the mean accuracy of the networks that have them.
    pub ranked: Vec<Choice>,
    /// Those of the best architectures.
    pub of_best: BTreeSet<Choice>,
}

impl Wanted {
    pub fn of(space: &Space, alone: &[Alone]) -> Self {
        let mut truth: Vec<&Alone> = alone.iter().filter(|alone| alone.seed == 1).collect();
        truth.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
        let choices = |alone: &Alone| -> Vec<Choice> {
            written(space, &alone.architecture).split(' ').map(String::from).enumerate().collect()
        };
        let mut with: BTreeMap<Choice, Vec<f64>> = BTreeMap::new();
        for alone in &truth {
            choices(alone).into_iter().for_each(|choice| with.entry(choice).or_default().push(alone.accuracy));
        }
        let mut ranked: Vec<(f64, Choice)> = with.into_iter().map(|(choice, all)| (mean(&all), choice)).collect();
        ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let of_best = truth.iter().take(BEST_ARCHITECTURES).flat_map(|alone| choices(alone)).collect();
        Wanted { ranked: ranked.into_iter().map(|(_, choice)| choice).collect(), of_best }
    }

    /// Of the best choices, of those of the best architectures; and the place of the best that is lost.
    fn lost(&self, left: &BTreeSet<Choice>) -> [f64; 3] {
        let best = self.ranked.iter().take(BEST_CHOICES).filter(|choice| !left.contains(choice)).count();
        let of_best = self.of_best.iter().filter(|choice| !left.contains(choice)).count();
        let first = self.ranked.iter().position(|choice| !left.contains(choice)).map_or(self.ranked.len(), |place| place + 1);
        [best as f64, of_best as f64, first as f64]
    }
}

/// What is left by the rule of `drop: {down_to}`, of choices in an order, the worst first: the last of a cell stays.
pub fn left(order: &[Choice]) -> BTreeSet<Choice> {
    let best = |i: &usize| !order[i + 1..].iter().any(|(cell, _)| *cell == order[*i].0);
    let leave: Vec<usize> = (0..order.len()).filter(|i| !best(i)).take(order.len().saturating_sub(ALL_LEFT)).collect();
    (0..order.len()).filter(|i| !leave.contains(i)).map(|i| order[i].clone()).collect()
}

/// What every scorer loses when the space shrinks, and what the truth and chance would.
pub fn losses(wanted: &Wanted, judged: &[Judged]) -> String {
    let mut table = format!(
        "| scored by | of the {BEST_CHOICES} best choices lost | each supernet | of the {} choices of the {BEST_ARCHITECTURES} best networks lost | each supernet | best choice lost |\n\
         |---|---|---|---|---|---|\n",
        wanted.of_best.len()
    );
    let mut line = |name: &str, lost: Vec<[f64; 3]>| {
        let column = |i: usize| lost.iter().map(|lost| lost[i]).collect::<Vec<_>>();
        let [best, of_best, first] = [0, 1, 2].map(column);
        let few = lost.len() < 10;
        let shown = |of: &[f64], text: String| if few && of.len() > 1 { text } else { String::new() };
        let _ = writeln!(
            table,
            "| {name} | {} | {} | {} | {} | {} |",
            spread(&best, 1),
            shown(&best, each(&best, 0)),
            spread(&of_best, 1),
            shown(&of_best, each(&of_best, 0)),
            if few { each(&first, 0) } else { format!("{:.1}", mean(&first)) },
        );
    };
    let seeds: BTreeSet<u64> = judged.iter().map(|judged| judged.seed).collect();
    for scorer in SCORERS {
        let of_seed = |seed: &u64| {
            let stays = judged.iter().filter(|judged| judged.scorer == scorer && judged.seed == *seed && judged.stays);
            wanted.lost(&stays.map(|judged| judged.choice.clone()).collect())
        };
        line(scorer, seeds.iter().map(of_seed).collect());
    }
    let mut order: Vec<Choice> = wanted.ranked.iter().rev().cloned().collect();
    line("the mean accuracies themselves", vec![wanted.lost(&left(&order))]);
    let shuffled = |i: u64| {
        Stream::new(0, Purpose::Children, 1, i).shuffle(&mut order);
        wanted.lost(&left(&order))
    };
    line("chance", (0..SHUFFLES).map(shuffled).collect());
    table
}

/// How far seeds and how far architectures are apart, in percent.
pub fn noise(alone: &[Alone]) -> String {
    let of_seed = |seed: u64| alone.iter().filter(move |alone| alone.seed == seed);
    let first: Vec<f64> = of_seed(1).map(|alone| 100.0 * alone.accuracy).collect();
    let mut squares = Vec::new();
    for one in of_seed(2) {
        let same = alone.iter().filter(|other| other.architecture == one.architecture);
        squares.push(deviation(&same.map(|alone| 100.0 * alone.accuracy).collect::<Vec<_>>()).powi(2));
    }
    let (low, high) = first.iter().fold((f64::MAX, f64::MIN), |(low, high), a| (low.min(*a), high.max(*a)));
    format!(
        "{} architectures: {} in {low:.2} to {high:.2}; seeds of one architecture ({} of them, three seeds each): deviation {:.2}\n",
        first.len(),
        spread(&first, 2),
        squares.len(),
        mean(&squares).sqrt()
    )
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Of the sample.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len().max(2) - 1) as f64).sqrt()
}

fn spread(values: &[f64], digits: usize) -> String {
    match values.len() {
        1 => format!("{:.digits$}", values[0]),
        _ => format!("{:.digits$} ± {:.digits$}", mean(values), deviation(values)),
    }
}

fn each(values: &[f64], digits: usize) -> String {
    values.iter().map(|v| format!("{v:.digits$}")).collect::<Vec<_>>().join(" ")
}
