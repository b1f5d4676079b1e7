//! Cells that grow block by block, trained inside the library: a whole search, killed and resumed, and by several parts of a batch.

use crate::support::stripes;
use nse::arch::Blocks;
use nse::checkpoint::{load, save, Expected};
use nse::search::*;
use nse::space::Space;
use nse::supernet::{Model, ModelOptions, SupernetTrainer};
use nse::Error;
use serde_json::json;
use std::cell::Cell;
use std::sync::Arc;

/// Stops once, when it was asked so often.
struct After(Cell<u32>);

impl Control for After {
    fn cancelled(&self) -> bool {
        self.0.set(self.0.get().saturating_sub(1));
        self.0.get() == 0
    }
}

impl Observer for After {
    fn event(&self, _: &Event, _: &Search) {}
}

fn space() -> Arc<Space> {
    let changes = json!({ "input": { "channels": 1, "height": 12, "width": 12 }, "classes": 3, "channels": 6, "cells": 3, "nodes": 2,
        "operators": ["identity", "sep_conv_3x3", "max_pool_3x3"] });
    Arc::new(Space::preset("pnas-cifar", &changes.to_string()).unwrap())
}

fn options() -> SearchOptions {
    options_of("alone")
}

fn options_of(evaluator: &str) -> SearchOptions {
    let text = json!({ "seed": 2, "objective": { "low": 0, "high": 1e9 }, "held_out": 0.3,
        "strategy": { "grow": { "beam": 3, "evaluator": evaluator, "predictor": { "mlp": { "members": 2, "epochs": 20 } } } },
        "train": { "epochs": 3, "batch": 32, "lr": 0.1, "augment": { "pad": 0, "flip": false } }, "score": { "calibration": 64 } });
    SearchOptions::from_json(&text.to_string()).unwrap()
}

fn trainer() -> SupernetTrainer {
    SupernetTrainer::new(space(), &stripes(150, 1), None, &options()).unwrap()
}

fn records(search: &Search) -> Vec<serde_json::Value> {
    let lines = json_lines(search.history());
    let mut records: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.iter_mut().for_each(|record| record["seconds"] = json!(null));
    records
}

#[test]
fn a_search_trains_cell_after_cell_and_goes_on_after_a_kill() {
    let (mut whole, mut own) = (Search::new(space(), options()).unwrap(), trainer());
    while whole.step(&mut own, &Silent).unwrap() == Status::Round {}
    let sizes: Vec<_> = whole.scored().iter().map(|scored| scored.architecture.cells().len() / 2).collect();
    assert_eq!((sizes.len(), sizes.iter().filter(|size| **size == 2).count()), (24, 3));
    let best = pareto::best(whole.front(), u64::MAX).unwrap();
    // A cell of convolutions is better than one of pools: what was trained did learn.
    let worst = whole.scored().iter().map(|scored| scored.accuracy).fold(1.0, f64::min);
    assert!(best.accuracy > 0.6 && worst < best.accuracy - 0.1, "{} {worst}", best.accuracy);
    assert!(Blocks::of(whole.space(), &best.architecture).is_some());
    // Cancelled in the middle of a training, and again; each time only the file goes on.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.nse");
    let (mut search, mut other) = (Search::new(space(), options()).unwrap(), trainer());
    let mut cancels = 0;
    for after in [4, 30, 9, 50, 77] {
        match search.step(&mut other, &After(after.into())) {
            Err(Error::Cancelled) => cancels += 1,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
        save(&path, &search, &other).unwrap();
        other = trainer();
        search = load(&path, &Expected::default()).unwrap().resume(&mut other).unwrap();
    }
    while search.step(&mut other, &Silent).unwrap() == Status::Round {}
    assert!(cancels >= 3, "{cancels}");
    assert_eq!(records(&search), records(&whole));
    // What was found is trained as any other architecture.
    let own = search.space_of(&best.architecture).clone();
    let recipe = ModelOptions::from_json(r#"{"train": {"epochs": 2, "batch": 32, "lr": 0.1}, "calibration": 64}"#).unwrap();
    let model = Model::train(own, &best.architecture, &stripes(150, 1), &recipe, &Silent, &|_| ()).unwrap();
    assert!(model.evaluate(&stripes(90, 3), &Silent).unwrap().accuracy > 0.5);
}

/// With weights that the cells of a round share: it learns, and goes on after a kill.
#[test]
fn cells_share_a_supernet() {
    let options = || {
        let mut options = options_of("supernet");
        options.train.epochs = 30.0;
        options
    };
    let trainer = || SupernetTrainer::new(space(), &stripes(150, 1), None, &options()).unwrap();
    let (mut whole, mut own) = (Search::new(space(), options()).unwrap(), trainer());
    while whole.step(&mut own, &Silent).unwrap() == Status::Round {}
    let sizes: Vec<_> = whole.scored().iter().map(|scored| scored.architecture.cells().len() / 2).collect();
    assert_eq!((sizes.len(), sizes.iter().filter(|size| **size == 2).count()), (24, 3));
    let best = pareto::best(whole.front(), u64::MAX).unwrap();
    assert!(best.accuracy > 0.6, "{}", best.accuracy);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.nse");
    let (mut search, mut other) = (Search::new(space(), options()).unwrap(), trainer());
    let mut cancels = 0;
    // In the middle of a training, and among the scores.
    for after in [40, 160, 30, 50] {
        match search.step(&mut other, &After(after.into())) {
            Err(Error::Cancelled) => cancels += 1,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
        save(&path, &search, &other).unwrap();
        other = trainer();
        search = load(&path, &Expected::default()).unwrap().resume(&mut other).unwrap();
    }
    while search.step(&mut other, &Silent).unwrap() == Status::Round {}
    assert!(cancels >= 3, "{cancels}");
    assert_eq!(records(&search), records(&whole));
    // Two rounds of 30 epochs of three batches.
    let estimate = trainer().estimate(&Search::new(space(), options()).unwrap(), &Silent).unwrap();
    assert_eq!((estimate.steps, estimate.candidates, estimate.rounds), (Some(90), 21, 2));
}

#[test]
fn what_it_takes_is_estimated() {
    let search = Search::new(space(), options()).unwrap();
    let estimate = trainer().estimate(&search, &Silent).unwrap();
    // 21 cells of three epochs of three batches.
    assert_eq!((estimate.steps, estimate.candidates, estimate.rounds), (Some(189), 21, 2));
    let seconds = estimate.seconds;
    assert!(
        seconds.search.unwrap() >= seconds.round.unwrap() && seconds.round.unwrap() > 0.0 && seconds.architecture_step == 0.0
    );
}
