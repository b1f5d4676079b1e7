//! Searches that learn shares of operators that run all at once.

use crate::alpha::{active, blends, cells, new, options, AT};
use crate::support::{finished, small};
use crate::threads::on_ranks;
use nse::search::*;
use nse::space::Space;
use nse::supernet::SupernetTrainer;
use serde_json::{json, Value};
use std::sync::Arc;

/// All that comes of a search, with a save and a load between all rounds if told to.
fn found(space: &Arc<Space>, options: &SearchOptions, cut: bool, trainer: SupernetTrainer) -> (Search, String) {
    let search = Search::new(space.clone(), options.clone()).unwrap();
    let search = finished(search, trainer, cut.then_some(&|| new(space, options)));
    let scores = search.history().iter().map(|record| json!([record.scores, record.loss])).collect::<Value>().to_string();
    (search, scores)
}

/// In cells of DARTS with sampled channels, of NAS-Bench-201, binary ones, and chains.
#[test]
fn whole_searches_and_a_kill_changes_nothing() {
    let darts = cells(json!(["skip_connect", "sep_conv_3x3", "max_pool_3x3", "none"]));
    let small_input = r#"{"input": {"channels": 1, "height": 12, "width": 12}, "classes": 3, "channels": 4, "cells": 1}"#;
    let bench = Arc::new(Space::preset("nas-bench-201", small_input).unwrap());
    let eliminate = json!({ "eliminate": { "times": 1, "epochs": 0.5 } });
    let shrink = json!({ "shrink": { "drop": { "per_cell": 2 }, "until": 30 } });
    let edges = json!({ "alpha": { "lr": 0.03, "edge_weights": true } });
    for (space, changes) in [
        (&darts, json!({ "channel_sampling": 2, "strategy": eliminate, "scorer": edges })),
        (&bench, json!({ "strategy": shrink })),
        (&small(), json!({ "strategy": shrink, "rounds": 2, "shards": 2 })),
        (&small(), json!({ "rounds": 2, "active": 3 })),
    ] {
        let options = options(changes.clone());
        let (search, scores) = found(space, &options, false, new(space, &options));
        assert!(!search.front().is_empty() && search.front()[0].accuracy > 0.0);
        let (again, same) = found(space, &options, true, new(space, &options));
        assert_eq!(again.front(), search.front(), "{changes}");
        assert_eq!(same, scores);
        let mut other = changes.clone();
        other["scorer"] = json!({ "accuracy": { "samples": 1 } });
        let options = self::options(other);
        assert_ne!(found(space, &options, false, new(space, &options)).1, scores, "the option decides");
    }
}

/// A trainer whose weights stay as they are: of a supernet that was trained with equal shares, and in which then all operators of every cell but
/// one were made to give nothing.
struct Planted {
    inner: SupernetTrainer,
    space: Arc<Space>,
}

impl Planted {
    fn operator(&self, cell: usize) -> u16 {
        (cell * 3 % self.space.cells()[cell].operators.len()) as u16
    }
}

impl Trainer for Planted {
    fn steps_per_epoch(&self) -> u64 {
        self.inner.steps_per_epoch()
    }

    fn steps_per_candidate(&self) -> f64 {
        1.0
    }

    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> nse::Result<()> {
        self.inner.begin_round(seed, round, active)?;
        let equal: Vec<Blend> = (active.iter())
            .map(|active| Blend { shares: active.iter().map(|o| (Some(*o), 1.0 / active.len() as f64)).collect(), edge: None })
            .collect();
        for step in 0..40 {
            self.inner.mixed_step(At { seed, round, step }, &equal, 0.1)?;
        }
        let mut weights = self.inner.save(active)?;
        for (at, cell) in self.space.cells().iter().enumerate() {
            let planted = cell.operators[usize::from(self.operator(at))].to_string();
            for (name, array) in &mut weights {
                let own =
                    name.strip_prefix(&format!("cells.{at}.")).is_some_and(|rest| !rest.starts_with(&format!("{planted}.")));
                // Of batch-norms; the last is one of these.
                if own && array.shape.len() == 1 {
                    array.values.fill(0.0);
                }
            }
        }
        self.inner.restore(seed, round, active, &weights)
    }

    fn weight_step(&mut self, _: At, _: &[Vec<u16>], _: f64) -> nse::Result<StepOutcome> {
        unreachable!("all operators are open at once")
    }

    fn mixed_step(&mut self, _: At, _: &[Blend], _: f64) -> nse::Result<StepOutcome> {
        Ok(StepOutcome { loss: 1.0, correct: 0, images: 24 })
    }

    fn mixture_step(&mut self, at: At, blends: &[Blend]) -> nse::Result<(f64, Vec<BlendGradient>)> {
        self.inner.mixture_step(at, blends)
    }

    fn architecture_step(&mut self, _: At, _: &[Vec<u16>], _: &[Option<TwoPaths>]) -> nse::Result<(f64, Vec<PathGradient>)> {
        unreachable!("not by theta")
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

    fn score(&mut self, seed: u64, round: u64, all: &[nse::arch::Architecture], control: &dyn Control) -> nse::Result<Vec<f64>> {
        self.inner.score(seed, round, all, control)
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

#[test]
fn a_planted_operator_wins() {
    let space = small();
    let shrink = json!({ "shrink": { "drop": { "per_cell": 4 } } });
    let options = options(
        json!({ "strategy": shrink, "train": { "epochs": 8, "batch": 24, "lr": 0.1 }, "scorer": { "alpha": { "lr": 0.1 } } }),
    );
    let mut trainer = Planted { inner: new(&space, &options), space: space.clone() };
    let mut search = Search::new(space.clone(), options).unwrap();
    search.step(&mut trainer, &Silent).unwrap();
    for (cell, active) in search.active().iter().enumerate() {
        assert!(active.contains(&trainer.operator(cell)), "cell {cell}: {active:?}, {:?}", search.history()[0].scores[cell]);
        let scores = &search.history()[0].scores[cell];
        let planted = space.cells()[cell].operators[usize::from(trainer.operator(cell))].to_string();
        let best = scores.iter().filter(|s| s.operator.is_some()).max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
        assert_eq!(best.operator.as_ref(), Some(&planted), "{scores:?}");
    }
}

/// Every number of ranks ends with the same bits, and batch-norm over all ranks is that of one.
#[test]
fn ranks_learn_the_same_shares() {
    let space = cells(json!(["skip_connect", "sep_conv_3x3", "none"]));
    let edges = json!({ "alpha": { "lr": 0.03, "edge_weights": true } });
    let shrink = json!({ "shrink": { "drop": { "per_cell": 1 } } });
    let of_parts = options(json!({ "shards": 4, "strategy": shrink, "scorer": edges }));
    let run = |comm: Arc<dyn Collective>| {
        let mut trainer = new(&space, &of_parts);
        trainer.join(comm).unwrap();
        found(&space, &of_parts, false, trainer).1
    };
    let alone = run(Arc::new(Solo));
    for size in [2, 3] {
        assert!(on_ranks(size, run).iter().all(|end| *end == alone), "{size} ranks");
    }
    let whole = options(json!({ "batch_norm": "batch", "scorer": edges, "shards": 2 }));
    let step = |comm: Arc<dyn Collective>| {
        let mut trainer = new(&space, &whole);
        trainer.join(comm).unwrap();
        trainer.begin_round(AT.seed, AT.round, &active(&space)).unwrap();
        let (loss, gradients) = trainer.mixture_step(AT, &blends(&space, Some(&[0.4, 0.6, 0.2, 0.5, 0.3]))).unwrap();
        let numbers = gradients.iter().flat_map(|g| g.shares.iter().chain([&g.edge]).copied());
        std::iter::once(loss).chain(numbers).collect::<Vec<f64>>()
    };
    let one = step(Arc::new(Solo));
    for ranks in on_ranks(2, step) {
        let far = ranks.iter().zip(&one).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far < 1e-5, "{far}");
    }
}

/// What it will take: both steps are of all operators at once, and so is the memory of one.
#[test]
fn what_it_takes_is_estimated() {
    let space = small();
    let estimate = |changes: Value| {
        let options = options(changes);
        let search = Search::new(space.clone(), options.clone()).unwrap();
        new(&space, &options).estimate(&search, &Silent).unwrap()
    };
    let alpha = estimate(json!({}));
    assert!(alpha.seconds.architecture_step > 0.0 && alpha.seconds.weight_step > 0.0);
    assert_eq!(alpha.memory.training, alpha.memory.training_most);
    let angle = estimate(json!({ "scorer": "magnitude" }));
    assert!(angle.memory.training < angle.memory.training_most && angle.seconds.architecture_step == 0.0);
}
