//! A whole round at size S, on Fashion-MNIST: run by a search of the library, then by the baseline with the same weights to begin with, and the
//! same batches, paths and candidates.

use crate::baseline::Baseline;
use crate::images::{self, HELD_OUT};
use crate::measure::{take_batches, Turns, CALIBRATION};
use crate::precision::rounded_otherwise;
use crate::setting::Setting;
use crate::Outcome;
use nse::arch::Architecture;
use nse::cost::{CostTable, Metric, Prices};
use nse::data::{Dataset, Normalisation, Order};
use nse::search::{
    Arrays, At, Comparison, Control, PathGradient, Purpose, Search, SearchOptions, Silent, StepOutcome, Stream, Trainer, TwoPaths,
};
use nse::space::Cell;
use nse::supernet::learner::Loader;
use nse::supernet::SupernetTrainer;
use serde_json::{json, Value};
use std::time::Instant;
use tch::Device;

/// Rounds, each with another seed.
const ROUNDS: u64 = 3;
/// About the proportions of a round of 10 passes over 60,000 images and 600 candidates.
const STEPS: usize = 40;
const CANDIDATES: usize = 4;
const EXTRAS: usize = 1;
const TRAIN: usize = 20_480;
/// Weight steps per architecture step.
const INTERVAL: u64 = 2;
/// Losses of the baseline may be as many times as far from the library's as those of the library at another instruction level: all train from the
/// same weights, and rounding leads them apart.
const APART: f64 = 2.0;

/// Options of a round of so many weight steps and candidates, in a window of a fifth around what half of five operators cost in the mean.
pub fn options(setting: &Setting, steps: usize, candidates: [usize; 2], seed: u64) -> Outcome<SearchOptions> {
    let costs = CostTable::new(&setting.space);
    let prices = Prices::of(&setting.space, &costs, Metric::Macs, None)?;
    let of_cell = |(cell, at): (usize, &Cell)| {
        let all = (0..at.operators.len() as u16).map(|o| prices.operator(cell, o) as f64).sum::<f64>();
        2.5 * all / at.operators.len() as f64
    };
    let middle = costs.fixed().macs as f64 + setting.space.cells().iter().enumerate().map(of_cell).sum::<f64>();
    let options = json!({
        "seed": seed, "rounds": 1, "active": 5, "objective": { "low": (0.8 * middle).round(), "high": (1.2 * middle).round() },
        "train": { "epochs": (steps * setting.batch) as f64 / TRAIN as f64, "batch": setting.batch, "augment": { "pad": 0, "flip": false } },
        "fitness": { "interval": INTERVAL }, "candidates": { "count": candidates[0], "extras": candidates[1], "too_few": "accept" },
        "score": { "calibration": CALIBRATION * setting.batch, "batch": setting.batch },
    });
    Ok(SearchOptions::from_json(&options.to_string())?)
}

pub fn training_images(data: &str) -> Outcome<[Dataset; 2]> {
    images::open(data, TRAIN)
}

pub fn rounds(python: &str, folder: &std::path::Path, data: &str) -> Outcome<Value> {
    let setting = Setting::new("S")?;
    let [train, held_out] = training_images(data)?;
    let threads = tch::get_num_threads() as u32;
    println!("\na whole round at S: {STEPS} weight steps, {} candidates", CANDIDATES + EXTRAS);
    println!("  {:<34} {:>10} {:>10} {:>9}   middle half", "", "library", "baseline", "ratio");
    let (mut turns, mut distances, mut accuracies) = (Turns::default(), Vec::new(), Vec::new());
    for seed in 1..=ROUNDS {
        let options = SearchOptions { threads: Some(threads), ..options(&setting, STEPS, [CANDIDATES, EXTRAS], seed)? };
        let begun = Instant::now();
        let trainer = round(&setting, &train, &held_out, &options)?;
        let ours = begun.elapsed().as_secs_f64();
        let (theirs, losses, scores) = replay(python, folder, &setting, &trainer, [&train, &held_out], &options)?;
        let other = rounded_otherwise(|| round(&setting, &train, &held_out, &options))?;
        turns.0.push((ours, theirs));
        let [first, second] = [trainer.losses[0] - losses[0], trainer.losses[1] - losses[1]];
        let [far, own] = [&losses, &other.losses].map(|losses| distance(&trainer.losses, losses));
        if first.abs() > 1e-4 || second.abs() > 1e-3 || far > APART * own || scores.len() != trainer.scores.len() {
            let reason = format!(
                "first losses {first:e} and {second:e} apart, all {far:.4} in the mean where another rounding is {own:.4}"
            );
            return Err(format!("rounds are not equal: {reason}").into());
        }
        distances.push(json!([far, own]));
        accuracies.push(json!([&trainer.scores, &scores].map(|scores| mean(scores.iter().copied()))));
    }
    Ok(json!({ "seconds": turns.report("a whole round, s", 1.0), "distances": distances, "accuracies": accuracies }))
}

fn round(setting: &Setting, train: &Dataset, held_out: &Dataset, options: &SearchOptions) -> Outcome<Recorder> {
    let mut trainer = Recorder::new(SupernetTrainer::new(setting.space.clone(), train, Some(held_out), options)?);
    Search::new(setting.space.clone(), options.clone())?.step(&mut trainer, &Silent)?;
    Ok(trainer)
}

fn mean(numbers: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = numbers.len() as f64;
    numbers.sum::<f64>() / count
}

fn distance(one: &[f64], other: &[f64]) -> f64 {
    mean(one.iter().zip(other).map(|(a, b)| (a - b).abs()))
}

/// A trainer that writes down what it was asked.
pub struct Recorder {
    pub inner: SupernetTrainer,
    pub active: Vec<Vec<u16>>,
    script: Vec<Asked>,
    pub losses: Vec<f64>,
    pub candidates: Vec<Architecture>,
    scores: Vec<f64>,
}

enum Asked {
    Weights { at: At, open: Vec<Vec<u16>>, lr: f64 },
    Architecture { at: At, paths: Vec<Option<TwoPaths>> },
}

impl Recorder {
    pub fn new(inner: SupernetTrainer) -> Self {
        Recorder { inner, active: vec![], script: vec![], losses: vec![], candidates: vec![], scores: vec![] }
    }
}

/// Seconds of the baseline's round, its losses, and the accuracies of the candidates.
fn replay(
    python: &str,
    folder: &std::path::Path,
    setting: &Setting,
    asked: &Recorder,
    [train, held_out]: [&Dataset; 2],
    options: &SearchOptions,
) -> Outcome<(f64, Vec<f64>, Vec<f64>)> {
    let setting = Setting { name: "S", space: setting.space.clone(), batch: setting.batch, active: asked.active.clone() };
    let network = nse::supernet::network::Network::new(setting.space.clone(), &setting.active, options.seed, 0, Device::Cpu)?;
    let mut baseline = Baseline::start(python, folder, &setting)?;
    baseline.take_weights(&setting, &network)?;
    drop(network);
    let normalisation = Normalisation::of(train);
    let loader = |images: &Dataset| Loader::new(images.clone(), normalisation.clone(), Device::Cpu);
    for (name, images) in [("train", train), ("held_out", held_out)] {
        let all: Vec<u32> = (0..images.len() as u32).collect();
        baseline.take_batch(name, &loader(images).load(&all, None)?)?;
    }
    let chosen = train.choose(options.score.calibration, &mut Stream::new(options.seed, Purpose::Calibration, 0, 0))?;
    let calibration = take_batches(&setting, &mut baseline, &mut loader(&chosen), "c", CALIBRATION)?;
    let validation = take_batches(&setting, &mut baseline, &mut loader(held_out), "v", HELD_OUT / setting.batch)?;
    let mut orders = [(Purpose::TrainOrder, train), (Purpose::HeldOutOrder, held_out)]
        .map(|(purpose, images)| Order::new(options.seed, purpose, images.len(), setting.batch));
    let script: Vec<Value> = (asked.script.iter())
        .map(|asked| match asked {
            Asked::Weights { at, open, lr } => json!([orders[0].batch(0, at.step), open, lr]),
            Asked::Architecture { at, paths } => json!([orders[1].batch(0, at.step / INTERVAL), setting.gates(paths)]),
        })
        .collect();
    let costs = CostTable::new(&setting.space);
    let prices = Prices::of(&setting.space, &costs, Metric::Macs, None)?;
    let of_cells = |(cell, active): (usize, &Vec<u16>)| active.iter().map(|o| prices.operator(cell, *o)).collect::<Vec<_>>();
    let open: Vec<_> = asked.candidates.iter().map(Architecture::cells).collect();
    let answer = baseline.ask(json!({
        "do": "round", "script": script, "lr": options.fitness.lr, "calibration": calibration, "validation": validation, "candidates": open,
        "prices": setting.active.iter().enumerate().map(of_cells).collect::<Vec<_>>(), "fixed": costs.fixed().macs,
        "skippable": setting.space.cells().iter().map(|cell| cell.may_be_skipped()).collect::<Vec<_>>(),
        "low": options.objective.low, "high": options.objective.high,
    }))?;
    let numbers = |key: &str| serde_json::from_value::<Vec<f64>>(answer[key].clone());
    Ok((answer["seconds"].as_f64().ok_or("no seconds")?, numbers("losses")?, numbers("accuracies")?))
}

impl Trainer for Recorder {
    fn steps_per_epoch(&self) -> u64 {
        self.inner.steps_per_epoch()
    }

    fn steps_per_candidate(&self) -> f64 {
        self.inner.steps_per_candidate()
    }

    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> nse::Result<()> {
        self.active = active.to_vec();
        self.inner.begin_round(seed, round, active)
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> nse::Result<StepOutcome> {
        self.script.push(Asked::Weights { at, open: open.to_vec(), lr });
        let outcome = self.inner.weight_step(at, open, lr)?;
        self.losses.push(outcome.loss);
        Ok(outcome)
    }

    fn architecture_step(
        &mut self,
        at: At,
        active: &[Vec<u16>],
        paths: &[Option<TwoPaths>],
    ) -> nse::Result<(f64, Vec<PathGradient>)> {
        self.script.push(Asked::Architecture { at, paths: paths.to_vec() });
        self.inner.architecture_step(at, active, paths)
    }

    fn save(&self, active: &[Vec<u16>]) -> nse::Result<Arrays> {
        self.inner.save(active)
    }

    fn restore(&mut self, seed: u64, round: u64, active: &[Vec<u16>], arrays: &Arrays) -> nse::Result<()> {
        self.inner.restore(seed, round, active, arrays)
    }

    fn data(&self) -> String {
        self.inner.data()
    }

    fn score(&mut self, seed: u64, round: u64, candidates: &[Architecture], control: &dyn Control) -> nse::Result<Vec<f64>> {
        let scores = self.inner.score(seed, round, candidates, control)?;
        self.candidates.extend_from_slice(candidates);
        self.scores.extend_from_slice(&scores);
        Ok(scores)
    }

    fn keep(&mut self, active: &[Vec<u16>]) -> nse::Result<()> {
        self.inner.keep(active)
    }

    fn remember(&mut self) -> nse::Result<()> {
        self.inner.remember()
    }

    fn compare(&self, active: &[Vec<u16>]) -> nse::Result<Comparison> {
        self.inner.compare(active)
    }
}
