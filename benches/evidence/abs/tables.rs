//! The files of the study, and the tables that are made of them. No tensors: tests/core has this file too.

use super::numbers::{deviation, mean, rows, spread};
use super::tau::tau;
use super::Outcome;
use nse::arch::Architecture;
use nse::search::{Purpose, Stream};
use nse::space::Space;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Choices of all cells together that a search shrinks the space to.
pub const ALL_LEFT: usize = 10;
/// Choices that should not be lost: those with the highest mean accuracy.
const BEST_CHOICES: usize = 8;
/// Architectures whose choices should not be lost.
const BEST_ARCHITECTURES: usize = 3;
/// Orders by chance.
const SHUFFLES: u64 = 20_000;

/// One training of a network alone.
pub struct Alone {
    pub architecture: Architecture,
    pub macs: u64,
    pub params: u64,
    pub seed: u64,
    /// On the test images.
    pub accuracy: f64,
}

/// The truth is the mean of a network's trainings with these seeds; not of the third, which few have.
const TRUE_SEEDS: [u64; 2] = [1, 2];

/// A supernet: passes over the images, and seed.
pub type Supernet = (u32, u64);

/// Those of the study; the last is there to see whether it is for want of training.
pub const SUPERNETS: [Supernet; 6] = [(4, 1), (4, 2), (4, 3), (4, 4), (4, 5), (16, 1)];

/// What a supernet says of an architecture.
pub struct Scored {
    pub supernet: Supernet,
    pub architecture: Architecture,
    /// As in `SCORES`.
    pub by: [f64; 4],
}

/// What a search says of a choice.
pub struct Judged {
    pub supernet: Supernet,
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
    let cells: Vec<Vec<&str>> =
        written.split(' ').map(|name| Some(name).filter(|name| *name != "-").into_iter().collect()).collect();
    Ok(Architecture::from_json(space, &json!({ "cells": cells }).to_string())?)
}

pub fn read(space: &Space, alone: &str) -> Outcome<Vec<Alone>> {
    let row = |[name, macs, params, seed, accuracy]: [&str; 5]| {
        let architecture = architecture(space, name)?;
        Ok(Alone { architecture, macs: macs.parse()?, params: params.parse()?, seed: seed.parse()?, accuracy: accuracy.parse()? })
    };
    rows(alone)?.into_iter().map(row).collect()
}

pub fn read_scores(space: &Space, scores: &str) -> Outcome<Vec<Scored>> {
    let row = |[epochs, seed, name, a, b, c, d]: [&str; 7]| {
        let by = [a.parse()?, b.parse()?, c.parse()?, d.parse()?];
        Ok(Scored { supernet: (epochs.parse()?, seed.parse()?), architecture: architecture(space, name)?, by })
    };
    rows(scores)?.into_iter().map(row).collect()
}

pub fn read_choices(choices: &str) -> Outcome<Vec<Judged>> {
    let row = |[epochs, seed, scorer, cell, choice, score, stays]: [&str; 7]| {
        let choice = (cell.parse()?, choice.into());
        let supernet = (epochs.parse()?, seed.parse()?);
        Ok(Judged { supernet, scorer: scorer.into(), choice, score: score.parse()?, stays: stays == "1" })
    };
    rows(choices)?.into_iter().map(row).collect()
}

/// Lengths of training, and the supernets of each.
fn lengths(supernets: impl Iterator<Item = Supernet>) -> BTreeMap<u32, BTreeSet<Supernet>> {
    let mut lengths: BTreeMap<u32, BTreeSet<Supernet>> = BTreeMap::new();
    for supernet in supernets {
        lengths.entry(supernet.0).or_default().insert(supernet);
    }
    lengths
}

/// Every network, with its accuracy by `TRUE_SEEDS`.
pub fn truth(alone: &[Alone]) -> Vec<(&Alone, f64)> {
    let of_one = |one: &Alone| {
        let same = alone.iter().filter(|other| other.architecture == one.architecture && TRUE_SEEDS.contains(&other.seed));
        mean(&same.map(|alone| alone.accuracy).collect::<Vec<_>>())
    };
    alone.iter().filter(|alone| alone.seed == TRUE_SEEDS[0]).map(|one| (one, of_one(one))).collect()
}

/// How the scores of a supernet, and costs, rank the networks trained alone.
pub fn ranking(alone: &[Alone], scored: &[Scored]) -> String {
    let (truth, accuracy): (Vec<&Alone>, Vec<f64>) = truth(alone).into_iter().unzip();
    let of_supernet = |supernet: &Supernet, column: usize| {
        let score = |alone: &&Alone| {
            let found = scored.iter().find(|scored| scored.supernet == *supernet && scored.architecture == alone.architecture);
            found.map_or(f64::NAN, |scored| scored.by[column])
        };
        tau(&truth.iter().map(score).collect::<Vec<_>>(), &accuracy)
    };
    let lengths = lengths(scored.iter().map(|scored| scored.supernet));
    let (mut head, mut rule) = ("| ranked by |".to_string(), "|---|".to_string());
    for epochs in lengths.keys() {
        let _ = write!(head, " tau, {epochs} epochs | each supernet |");
        rule += "---|---|";
    }
    let mut table = format!("{head}\n{rule}\n");
    for (column, name) in SCORES.iter().enumerate() {
        let _ = write!(table, "| {name} |");
        for supernets in lengths.values() {
            let taus: Vec<f64> = supernets.iter().map(|supernet| of_supernet(supernet, column)).collect();
            let _ = write!(table, " {} | {} |", spread(&taus, 2), each(&taus, 2));
        }
        table.push('\n');
    }
    let macs = truth.iter().map(|alone| alone.macs as f64).collect::<Vec<_>>();
    let params = truth.iter().map(|alone| alone.params as f64).collect::<Vec<_>>();
    for (name, cost) in [("multiply-accumulates", macs), ("parameters", params)] {
        let _ = writeln!(table, "| {name} |{}", format!(" {:.2} | |", tau(&cost, &accuracy)).repeat(lengths.len()));
    }
    table
}

/// The choices that a shrunk space should have.
pub struct Wanted {
    /// All, the best first, with the mean accuracy of the networks that have them.
    pub ranked: Vec<(f64, Choice)>,
    /// Those of the best architectures.
    pub of_best: BTreeSet<Choice>,
}

impl Wanted {
    pub fn of(space: &Space, alone: &[Alone]) -> Self {
        let mut truth = truth(alone);
        truth.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let choices = |alone: &Alone| -> Vec<Choice> {
            written(space, &alone.architecture).split(' ').map(String::from).enumerate().collect()
        };
        let mut with: BTreeMap<Choice, Vec<f64>> = BTreeMap::new();
        for (alone, accuracy) in &truth {
            choices(alone).into_iter().for_each(|choice| with.entry(choice).or_default().push(*accuracy));
        }
        let mut ranked: Vec<(f64, Choice)> = with.into_iter().map(|(choice, all)| (mean(&all), choice)).collect();
        ranked.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let of_best = truth.iter().take(BEST_ARCHITECTURES).flat_map(|(alone, _)| choices(alone)).collect();
        Wanted { ranked, of_best }
    }

    /// Of the best choices, and of those of the best architectures.
    fn lost(&self, left: &BTreeSet<Choice>) -> [f64; 2] {
        let best = self.ranked.iter().take(BEST_CHOICES).filter(|(_, choice)| !left.contains(choice)).count();
        let of_best = self.of_best.iter().filter(|choice| !left.contains(choice)).count();
        [best as f64, of_best as f64]
    }

    /// With the mean accuracies.
    fn tau<'a>(&self, judged: impl Iterator<Item = &'a Judged>) -> f64 {
        let mean = |choice: &Choice| self.ranked.iter().find(|(_, other)| other == choice).map(|(mean, _)| *mean);
        let (scores, means): (Vec<f64>, Vec<f64>) = judged.filter_map(|j| Some((j.score, mean(&j.choice)?))).unzip();
        tau(&scores, &means)
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
    let (of_best, best) = (wanted.of_best.len(), BEST_ARCHITECTURES);
    let mut table = format!(
        "| supernet | scored by | tau with mean accuracies | of the {BEST_CHOICES} best choices lost | each supernet | of the {of_best} choices of the \
         {best} best networks lost | each supernet |\n|---|---|---|---|---|---|---|\n"
    );
    let mut line = |supernet: &str, name: &str, taus: String, lost: Vec<[f64; 2]>| {
        let [best, of_best] = [0, 1].map(|i| lost.iter().map(|lost| lost[i]).collect::<Vec<_>>());
        let (b, o) = (spread(&best, 1), spread(&of_best, 1));
        let _ = writeln!(table, "| {supernet} | {name} | {taus} | {b} | {} | {o} | {} |", each(&best, 0), each(&of_best, 0));
    };
    for (epochs, supernets) in lengths(judged.iter().map(|judged| judged.supernet)) {
        for scorer in SCORERS {
            let of = |supernet| judged.iter().filter(move |judged| judged.scorer == scorer && judged.supernet == supernet);
            let taus: Vec<f64> = supernets.iter().map(|supernet| wanted.tau(of(*supernet))).collect();
            let left = |supernet| of(supernet).filter(|judged| judged.stays).map(|judged| judged.choice.clone()).collect();
            let lost = supernets.iter().map(|supernet| wanted.lost(&left(*supernet))).collect();
            line(&format!("{epochs} epochs"), scorer, spread(&taus, 2), lost);
        }
    }
    let mut order: Vec<Choice> = wanted.ranked.iter().rev().map(|(_, choice)| choice.clone()).collect();
    line("none", "the mean accuracies themselves", "1".into(), vec![wanted.lost(&left(&order))]);
    let shuffled = |i: u64| {
        Stream::new(0, Purpose::Children, 1, i).shuffle(&mut order);
        wanted.lost(&left(&order))
    };
    line("none", "chance", "0".into(), (0..SHUFFLES).map(shuffled).collect());
    table
}

/// How far networks and how far seeds are apart, in percent; and what tau a score would have that knows how good every network is but for
/// its seeds: 2 / pi arcsin(r), where r is the correlation of the two, for normal distributions.
pub fn noise(alone: &[Alone]) -> String {
    let truth: Vec<f64> = truth(alone).into_iter().map(|(_, accuracy)| 100.0 * accuracy).collect();
    let mut same: BTreeMap<&Architecture, Vec<f64>> = BTreeMap::new();
    alone.iter().for_each(|alone| same.entry(&alone.architecture).or_default().push(100.0 * alone.accuracy));
    let freedom = |of_one: &Vec<f64>| (of_one.len() - 1) as f64;
    let squares: f64 = same.values().map(|of_one| deviation(of_one).powi(2) * freedom(of_one)).sum();
    let seeds = (squares / same.values().map(freedom).sum::<f64>()).sqrt();
    let (least, greatest) = truth.iter().fold((f64::MAX, f64::MIN), |(low, high), a| (low.min(*a), high.max(*a)));
    // Of the variance of a network's accuracy, what its seeds add.
    let share = same.values().map(|of_one| 1.0 / of_one.len().min(TRUE_SEEDS.len()) as f64).collect::<Vec<_>>();
    let known = (1.0 - seeds.powi(2) * mean(&share) / deviation(&truth).powi(2)).max(0.0).sqrt();
    format!(
        "| networks | trainings | test accuracy of a network (%) | least and greatest | deviation between its seeds | tau of a perfect score |\n\
         |---|---|---|---|---|---|\n| {} | {} | {} | {least:.2} to {greatest:.2} | {seeds:.2} | {:.2} |\n",
        truth.len(),
        alone.len(),
        spread(&truth, 2),
        known.asin() * 2.0 / std::f64::consts::PI
    )
}

/// Nothing for a single one, or for very many.
fn each(values: &[f64], digits: usize) -> String {
    let values = if (2..10).contains(&values.len()) { values } else { &[] };
    values.iter().map(|v| format!("{v:.digits$}")).collect::<Vec<_>>().join(" ")
}
