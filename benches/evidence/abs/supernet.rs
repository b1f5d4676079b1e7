//! What a supernet says of the networks of the ground truth, and which choices leave when a search shrinks the space by it. The three
//! searches of a seed take the same steps, so the supernet is trained once: [`Shared`] sees to it that they do.

use super::running::Running;
use super::tables::{written, ALL_LEFT};
use super::{alone, BATCH, LR};
use crate::{append, Images, Outcome, Paths};
use nse::arch::Architecture;
use nse::data::{Dataset, Normalisation, Order};
use nse::search::scorer::Angle;
use nse::search::*;
use nse::space::Space;
use nse::supernet::learner::Loader;
use nse::supernet::{score, SupernetTrainer};
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;
use tch::Device;

/// Part of the training images by which accuracies are measured: 3,000.
const HELD_OUT: f64 = 0.05;
const SCORED_AT_A_TIME: usize = 500;

pub const SCORES: &str = "epochs,seed,architecture,angle,angle_with_norms,recalibrated,raw\n";
pub const CHOICES: &str = "epochs,seed,scorer,cell,choice,score,stays\n";

/// Adds what is missing of a supernet that is trained for so many passes over the images.
pub fn measure(space: &Arc<Space>, images: &Images, paths: &Paths, epochs: u32, seed: u64) -> Outcome<()> {
    let missing = |name: &str| !paths.read(name).lines().any(|line| line.starts_with(&format!("{epochs},{seed},")));
    if !missing("scores.csv") && !missing("choices.csv") {
        return Ok(());
    }
    let (train, held_out) = images.train.split(HELD_OUT, seed)?;
    let mut trainer = Shared::new(space, &train, &held_out, &options(epochs, seed, "angle")?)?;
    let mut choices = String::new();
    for scorer in ["angle", "magnitude", "accuracy"] {
        let mut search = Search::new(space.clone(), options(epochs, seed, scorer)?)?;
        trainer.again = !trainer.steps.is_empty();
        search.step(&mut trainer, &Silent)?;
        let record = search.history().last().ok_or("the round left no record")?;
        for (cell, scores) in record.scores.iter().enumerate() {
            for ChoiceScore { operator, score, stays } in scores {
                let choice = operator.as_deref().unwrap_or("-");
                writeln!(choices, "{epochs},{seed},{scorer},{cell},{choice},{score:.6},{}", u8::from(*stays))?;
            }
        }
    }
    let scores = scores(space, &mut trainer, epochs, seed)?;
    if missing("choices.csv") {
        append(paths, "choices.csv", CHOICES, &choices)?;
    }
    if missing("scores.csv") {
        append(paths, "scores.csv", SCORES, &scores)?;
    }
    Ok(())
}

fn options(epochs: u32, seed: u64, scorer: &str) -> Outcome<SearchOptions> {
    let options = json!({
        "seed": seed, "threads": 1, "branches": "single",
        "strategy": { "shrink": { "drop": { "down_to": ALL_LEFT } } }, "scorer": scorer,
        "objective": { "low": 0, "high": 1e9 },
        "train": { "epochs": epochs, "batch": BATCH, "lr": LR },
        "candidates": { "count": 1, "extras": 0, "too_few": "accept" },
        "score": { "calibration": 1024, "batch": SCORED_AT_A_TIME },
    });
    Ok(SearchOptions::from_json(&options.to_string())?)
}

/// One line for every architecture of the ground truth.
fn scores(space: &Arc<Space>, trainer: &mut Shared, epochs: u32, seed: u64) -> Outcome<String> {
    let all: Vec<Vec<u16>> = space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect();
    let comparison = trainer.compare(&all)?;
    let architectures = alone::draw(space)?;
    let recalibrated = trainer.score(seed, 0, &architectures, &Silent)?;
    let mut lines = String::new();
    for (architecture, recalibrated) in architectures.iter().zip(recalibrated) {
        let angle = |norms, identity| Angle { norms, identity, ..Angle::default() }.of(space, &comparison, architecture);
        let (plain, full, raw) = (angle(false, false), angle(true, true), trainer.raw(architecture)?);
        let name = written(space, architecture);
        writeln!(lines, "{epochs},{seed},{name},{plain:.6},{full:.6},{recalibrated:.4},{raw:.4}")?;
    }
    Ok(lines)
}

/// A weight step: when, with what open, at which rate.
type Step = (At, Vec<Vec<u16>>, f64);

/// A trainer of one supernet for several searches that take the same steps, with running statistics beside it.
struct Shared {
    inner: SupernetTrainer,
    running: Running,
    train: Loader,
    order: Order,
    augment: Augment,
    held_out: Loader,
    /// What was asked, and what came of it.
    steps: Vec<(Step, StepOutcome)>,
    /// Whether they were taken already.
    again: bool,
}

impl Shared {
    fn new(space: &Arc<Space>, train: &Dataset, held_out: &Dataset, options: &SearchOptions) -> Outcome<Self> {
        let normalisation = Normalisation::of(train);
        let loader = |dataset: &Dataset| Loader::new(dataset.clone(), normalisation.clone(), Device::Cpu);
        let all: Vec<Vec<u16>> = space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect();
        Ok(Shared {
            inner: SupernetTrainer::new(space.clone(), train, Some(held_out), options)?,
            running: Running::new(space, &all)?,
            order: Order::new(options.seed, Purpose::TrainOrder, train.len(), options.train.batch),
            augment: options.train.augment,
            train: loader(train),
            held_out: loader(held_out),
            steps: Vec::new(),
            again: false,
        })
    }

    /// Held-out accuracy with the running statistics.
    fn raw(&mut self, architecture: &Architecture) -> Outcome<f64> {
        let (open, statistics) = (architecture.cells(), self.running.of(architecture.cells()));
        let network = self.running.with(&self.inner.save(open)?, open)?;
        Ok(score::evaluate(network, open, &statistics, &mut self.held_out, SCORED_AT_A_TIME, &Silent)?.1)
    }
}

impl Trainer for Shared {
    fn steps_per_epoch(&self) -> u64 {
        self.inner.steps_per_epoch()
    }

    fn steps_per_candidate(&self) -> f64 {
        self.inner.steps_per_candidate()
    }

    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> nse::Result<()> {
        match self.again {
            true => Ok(()),
            false => self.inner.begin_round(seed, round, active),
        }
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> nse::Result<StepOutcome> {
        let asked = (at, open.to_vec(), lr);
        if self.again {
            let taken = self.steps.get(at.step as usize).filter(|(taken, _)| *taken == asked);
            let other = || nse::Error::NotFound(format!("step {} of another search", at.step));
            return taken.map(|(_, outcome)| *outcome).ok_or_else(other);
        }
        let positions = self.order.batch(at.round, at.step);
        self.running.see(&mut self.train, at, self.augment, positions, open, &self.inner.save(open)?)?;
        let outcome = self.inner.weight_step(at, open, lr)?;
        self.steps.push((asked, outcome));
        Ok(outcome)
    }

    fn architecture_step(
        &mut self,
        at: At,
        active: &[Vec<u16>],
        paths: &[Option<TwoPaths>],
    ) -> nse::Result<(f64, Vec<PathGradient>)> {
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
        self.inner.score(seed, round, candidates, control)
    }

    fn keep(&mut self, active: &[Vec<u16>]) -> nse::Result<()> {
        self.inner.keep(active)
    }

    /// Once, before the first step.
    fn remember(&mut self) -> nse::Result<()> {
        match self.again {
            true => Ok(()),
            false => self.inner.remember(),
        }
    }

    fn compare(&self, active: &[Vec<u16>]) -> nse::Result<Comparison> {
        self.inner.compare(active)
    }
}
