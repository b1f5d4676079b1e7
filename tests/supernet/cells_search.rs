//! ABS in spaces of stacked cells: what is compared, and a whole search, killed and resumed.

use crate::support::stripes;
use nse::checkpoint::{load, save, Expected};
use nse::search::*;
use nse::space::Space;
use nse::supernet::SupernetTrainer;
use std::sync::Arc;

const OPTIONS: &str = r#"{"seed": 2, "branches": "single", "objective": {"low": 0, "high": 1e9},
    "strategy": {"shrink": {"drop": {"worst": 6}, "until": 64, "later_epochs": 1}},
    "train": {"epochs": 1, "batch": 32, "lr": 0.05}, "candidates": {"count": 4, "extras": 0, "too_few": "accept"},
    "score": {"calibration": 64, "batch": 64}, "held_out": 0.2}"#;

fn options() -> SearchOptions {
    SearchOptions::from_json(OPTIONS).unwrap()
}

fn space(name: &str, cells: u32) -> Arc<Space> {
    let overrides =
        format!(r#"{{"input": {{"channels": 1, "height": 12, "width": 12}}, "classes": 3, "channels": 4, "cells": {cells}}}"#);
    Arc::new(Space::preset(name, &overrides).unwrap())
}

fn all(space: &Space) -> Vec<Vec<u16>> {
    space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect()
}

/// From the arrays of a checkpoint, number by number.
fn by_hand(arrays: &Arrays, belongs: impl Fn(&str) -> bool) -> Products {
    let mut sum = Products::default();
    for (name, then) in
        arrays.iter().filter_map(|(name, then)| Some((name.strip_suffix(".then")?, then))).filter(|(n, _)| belongs(n))
    {
        for (then, now) in then.values.iter().zip(&arrays[name].values) {
            let (then, now) = (f64::from(*then), f64::from(*now));
            sum = sum + Products { both: then * now, then: then * then, now: now * now };
        }
    }
    sum
}

fn near(is: Products, should: Products) {
    for (is, should) in [(is.both, should.both), (is.then, should.then), (is.now, should.now)] {
        assert!((is - should).abs() <= 1e-9 * should.abs().max(1.0) && should.abs() > 0.0, "{is}, not {should}");
    }
}

#[test]
fn products_are_those_of_all_cells() {
    for (name, cells) in [("nas-bench-201", 2), ("darts-cifar", 3)] {
        let space = space(name, cells);
        let mut trainer = SupernetTrainer::new(space.clone(), &stripes(120, 1), None, &options()).unwrap();
        let active = all(&space);
        trainer.begin_round(2, 0, &active).unwrap();
        trainer.remember().unwrap();
        for step in 0..4 {
            trainer.weight_step(At { seed: 2, round: 0, step }, &active, 0.1).unwrap();
        }
        let (compared, arrays) = (trainer.compare(&active).unwrap(), trainer.save(&active).unwrap());
        let bench = name == "nas-bench-201";
        // What lies between the cells; of NAS-Bench-201 its batch-norms too.
        let ends = |name: &str| {
            let kernel = name.ends_with(".weight.0") || name == "classifier.0";
            !name.contains(".edge") && (kernel || bench && (name.contains(".bn.") || name == "classifier.1"))
        };
        near(compared.ends, by_hand(&arrays, ends));
        let stack = space.stack().unwrap();
        for (place, edge) in stack.edges().iter().enumerate() {
            let own: Vec<String> = (stack.layers().iter().enumerate())
                .filter(|(_, layer)| matches!(layer, nse::space::stack::Layer::Cell(cell) if cell.graph == edge.graph))
                .map(|(i, _)| format!("cell{i}.edge{}_{}.", edge.from.unwrap(), edge.to))
                .collect();
            for (operator, parts) in &compared.cells[place] {
                let label = format!("{}.", space.cells()[place].operators[usize::from(*operator)]);
                let belongs = |name: &str| {
                    own.iter().any(|own| name.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with(&label)))
                };
                near(parts.kernels, by_hand(&arrays, |name| belongs(name) && name.ends_with(".weight.0")));
                near(parts.norms, by_hand(&arrays, |name| belongs(name) && name.contains(".bn.")));
            }
        }
    }
}

fn finished(search: &mut Search, trainer: &mut SupernetTrainer) -> Vec<String> {
    while search.step(trainer, &Silent).unwrap() != Status::Done {}
    search.history().iter().map(|record| format!("{:?}", record.scores)).collect()
}

#[test]
fn it_shrinks_and_searches_and_a_kill_changes_nothing() {
    let (space, images) = (space("nas-bench-201", 1), stripes(120, 1));
    let new = || {
        (Search::new(space.clone(), options()).unwrap(), SupernetTrainer::new(space.clone(), &images, None, &options()).unwrap())
    };
    let (mut whole, mut trainer) = new();
    let expected = finished(&mut whole, &mut trainer);
    // 15,625 architectures of 30 choices; 6 leave at a time, until there are 64 architectures at most.
    assert!((3..=5).contains(&expected.len()), "{}", expected.len());
    assert!(!whole.front().is_empty());
    let active: usize = whole.active().iter().map(Vec::len).sum();
    assert!(active <= 18, "{:?}", whole.active());
    let model = trainer.model(&whole.front()[0].architecture, &Silent).unwrap();
    let evaluated = model.evaluate(&images, &Silent).unwrap();
    assert!(evaluated.loss.is_finite() && evaluated.accuracy > 0.3, "{evaluated:?}");

    let (mut first, mut trainer) = new();
    first.step(&mut trainer, &Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.nse");
    save(&path, &first, &trainer).unwrap();
    drop((first, trainer));
    let mut trainer = new().1;
    let mut second = load(&path, &Expected::default()).unwrap().resume(&mut trainer).unwrap();
    assert_eq!(finished(&mut second, &mut trainer), expected);
    assert_eq!(second.front(), whole.front());
}

/// Several operators on an edge, other scorers, two kinds of cells.
#[test]
fn other_ways_to_search() {
    let (space, images) = (space("darts-cifar", 3), stripes(96, 1));
    for (branches, scorer) in [("single", "accuracy"), ("multi", "magnitude")] {
        let text = OPTIONS.replace("\"single\"", &format!("{branches:?}")).replace("{\"worst\": 6}", "{\"down_to\": 40}");
        let text = text.replacen(
            '{',
            &format!(
                "{{\"scorer\": {{{scorer:?}: {{{}}}}}, \"rounds\": 2, ",
                if scorer == "accuracy" { "\"samples\": 1" } else { "" }
            ),
            1,
        );
        let options = SearchOptions::from_json(&text).unwrap();
        let mut trainer = SupernetTrainer::new(space.clone(), &images, None, &options).unwrap();
        let mut search = Search::new(space.clone(), options).unwrap();
        assert_eq!(finished(&mut search, &mut trainer).len(), 2, "{scorer}");
        assert!(!search.front().is_empty());
    }
}
