//! The strategy of BNAS and its sibling's rule: the recursion by hand, and searches with a trainer whose operators are known.

use crate::support::config;
use crate::synthetic::{options, run, small_space, timeless, Synthetic};
use crate::told::{finish, state};
use nse::cost::{CostTable, Metric};
use nse::search::recursion::{child_parent, networks, performance};
use nse::search::*;
use nse::space::Space;
use nse::Error;
use serde_json::{json, Value};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ALL: Window = Window { low: 0, high: u64::MAX >> 12 };

fn darts(overrides: Value) -> Arc<Space> {
    let mut all = json!({ "channels": 4, "cells": 3, "input": { "channels": 1, "height": 8, "width": 8 } });
    overrides.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
    Arc::new(Space::preset("darts-cifar", &all.to_string()).unwrap())
}

fn with(eliminate: Value) -> Value {
    json!({ "strategy": { "eliminate": eliminate }, "train": { "epochs": 0.3 }, "scorer": { "accuracy": { "samples": 1 } } })
}

fn finished(space: &Arc<Space>, seed: u64, eliminate: Value) -> (Search, Synthetic) {
    let mut search = Search::new(space.clone(), options(seed, ALL, with(eliminate))).unwrap();
    let mut trainer = Synthetic::new(space, seed);
    let errors = run(&mut search, &mut trainer, &Silent);
    assert!(errors.is_empty(), "{errors:?}");
    (search, trainer)
}

/// Networks that were tried in each round.
fn tried(trainer: &Synthetic) -> BTreeMap<u64, Vec<Vec<Vec<u16>>>> {
    let mut rounds: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for (at, network, real) in &trainer.tried {
        if !real {
            rounds.entry((at.round - (1 << 32)) >> 20).or_default().push(network.cells().to_vec());
        }
    }
    rounds
}

#[test]
fn the_recursion_by_hand() {
    let before = [(Some(0), 0.4), (Some(1), 0.2), (Some(2), 0.0), (None, 0.6)];
    let means = BTreeMap::from([(Some(0), 0.5), (Some(2), 0.9)]);
    let after = performance(&before, &means);
    let (a, b) = (0.5f64.exp(), 0.9f64.exp());
    let (small, large) = ([a / (a + b), b / (a + b)], 0.5 * (b / (a + b) + 0.5));
    let expected = [0.2 + small[0], 0.1 + large, small[1], 0.3 + large];
    for ((_, s), expected) in after.iter().zip(expected) {
        assert!((s - expected).abs() < 1e-12, "{after:?}");
    }
    // What is sampled sums to 1; what is not is no worse than the mean of that.
    assert!((after[0].1 - 0.2 + after[2].1 - 1.0).abs() < 1e-12 && large >= 0.5);
    // All alike: everything gets 1 / m.
    let equal =
        performance(&before.map(|(choice, _)| (choice, 0.0)), &BTreeMap::from([(Some(0), 0.7), (Some(1), 0.7), (None, 0.7)]));
    assert!(equal.iter().all(|(_, s)| (s - 1.0 / 3.0).abs() < 1e-12));
    assert_eq!(performance(&before, &BTreeMap::new()), before);
    assert_eq!(child_parent(0.6, 0.9, 0.0), 0.6);
    assert!((child_parent(0.6, 0.9, 0.5) - 0.75).abs() < 1e-12);
    // The indicator with a weight of 1 is the parent's accuracy.
    assert!((child_parent(0.6, 0.9, 1.0) - 0.9).abs() < 1e-12);
}

#[test]
fn every_choice_has_one_chance_each_time() {
    let cells = vec![vec![Some(0), Some(1), Some(2), None], vec![Some(5), Some(6), Some(7), Some(8)], vec![Some(3), None]];
    let drawn = networks(&cells, 3, |part| Stream::new(1, Purpose::Trials, 0, part));
    assert_eq!(drawn.len(), 12);
    for time in drawn.chunks(4) {
        for (cell, choices) in cells.iter().enumerate() {
            let mut seen: Vec<_> = time.iter().map(|network| network[cell]).collect();
            seen.sort_unstable();
            let mut expected: Vec<_> = choices.iter().cycle().take(4).copied().collect();
            expected.sort_unstable();
            assert_eq!(seen, expected);
        }
    }
    assert_ne!(drawn[..4], drawn[4..8], "another order each time");
}

#[test]
fn fifty_seven_networks_leave_one_operator_on_every_edge() {
    let space = darts(json!({}));
    let (search, trainer) = finished(&space, 1, json!({}));
    assert_eq!((trainer.tried.len(), search.rounds()), (57, (8, 8)));
    let counts: Vec<usize> = tried(&trainer).values().map(Vec::len).collect();
    assert_eq!(counts, [12, 12, 9, 9, 6, 6, 3]);
    // In every round half of what is left of an edge, rounded up, three times each.
    for (round, networks) in tried(&trainer) {
        let left = 8 - round as usize;
        for edge in 0..space.cells().len() {
            let mut times: BTreeMap<&[u16], usize> = BTreeMap::new();
            networks.iter().for_each(|network| *times.entry(&network[edge]).or_default() += 1);
            assert_eq!((times.len(), times.values().all(|n| *n == 3)), (left.div_ceil(2), true), "round {round}, edge {edge}");
        }
    }
    // Each of these has random streams of its own.
    let places: BTreeSet<_> = trainer.tried.iter().map(|(at, ..)| at.round).collect();
    assert_eq!(places.len(), 57);
    for (round, record) in timeless(search.history()).iter().enumerate().take(7) {
        for scores in record["scores"].as_array().unwrap() {
            let scores = scores.as_array().unwrap();
            let stays = scores.iter().filter(|score| score["stays"].as_bool().unwrap()).count();
            assert_eq!((scores.len(), stays), (8 - round, 7 - round));
            let s = |score: &&Value| score["score"].as_f64().unwrap();
            let least = scores.iter().map(|score| s(&score)).fold(f64::INFINITY, f64::min);
            let gone = scores.iter().find(|score| !score["stays"].as_bool().unwrap()).unwrap();
            // The worst leaves; only for a node's last two operators does another.
            assert!(s(&gone) == least || round == 6, "{scores:?}");
        }
    }
    // The front is the network of the two strongest edges of every node, and can be written as published code does.
    let [found] = search.front() else { panic!("{} on the front", search.front().len()) };
    let stack = space.stack().unwrap();
    let s: Vec<BTreeMap<Option<u16>, f64>> = (search.history()[6].scores.iter().zip(space.cells()))
        .map(|(scores, cell)| {
            let index = |name: &Option<String>| name.as_ref().map(|name| cell.find(&name.parse().unwrap()).unwrap());
            scores.iter().filter(|score| score.stays).map(|score| (index(&score.operator), score.score)).collect()
        })
        .collect();
    for node in (0..2).flat_map(|graph| stack.nodes(graph)) {
        let mut edges: Vec<(f64, usize)> =
            node.clone().filter_map(|edge| s[edge].iter().find(|(o, _)| o.is_some()).map(|(_, s)| (*s, edge))).collect();
        edges.sort_by(|a, b| b.0.total_cmp(&a.0));
        let strongest: BTreeSet<usize> = edges[..2].iter().map(|(_, edge)| *edge).collect();
        let open: BTreeSet<usize> = node.filter(|edge| !found.architecture.cells()[*edge].is_empty()).collect();
        assert_eq!(open, strongest);
    }
    assert!(found.architecture.genotype(&space).is_some());
}

/// The trainer's accuracies are sums of what operators are worth: in the end most edges have a better one than the mean.
#[test]
fn the_better_ones_stay() {
    let space = darts(json!({}));
    for rule in ["performance", "child_parent"] {
        let mut better = (0, 0);
        for seed in 0..3 {
            let (search, trainer) = finished(&space, seed, json!({ "rule": rule, "times": 5 }));
            for (utility, open) in trainer.utility.iter().zip(search.front()[0].architecture.cells()) {
                let mean = utility.iter().sum::<f64>() / utility.len() as f64;
                open.iter().for_each(|o| better = (better.0 + u32::from(utility[usize::from(*o)] > mean), better.1 + 1));
            }
        }
        assert_eq!(better.1, 48, "eight edges of two kinds of cells, three times");
        assert!(better.0 >= 36, "{rule}: {} of 48", better.0);
    }
}

#[test]
fn child_and_parent_are_trained_where_weights_are_binary() {
    let real = darts(json!({ "operators": ["skip_connect", "sep_conv_3x3", "none"] }));
    let (_, trainer) = finished(&real, 1, json!({ "rule": "child_parent" }));
    // Each of three, then two, as often as there are.
    assert_eq!((trainer.tried.len(), trainer.tried.iter().any(|(.., real)| *real)), (9 + 4, false));
    let binary = darts(json!({ "operators": ["skip_connect", "sep_conv_3x3", "none"], "binary": "layer" }));
    let (_, trainer) = finished(&binary, 1, json!({ "rule": "child_parent" }));
    assert_eq!(trainer.tried.len(), 2 * (9 + 4));
    for pair in trainer.tried.chunks(2) {
        let [(at, child, false), (same, parent, true)] = pair else { panic!("{pair:?}") };
        assert_eq!((at, child), (same, parent), "the same network, trained in the same way");
    }
}

#[test]
fn chains_lose_operators_too() {
    let space = small_space();
    let (search, trainer) = finished(&space, 2, json!({ "times": 2 }));
    // 7 operators in each cell, and two may be skipped: 8, 7 and 8 choices.
    assert_eq!(search.rounds(), (8, 8));
    assert_eq!(trainer.tried.len(), 2 * (4 + 4 + 3 + 3 + 2 + 2 + 1));
    assert_eq!(search.front().len(), 1);
    assert!(search.front()[0].architecture.cells().iter().all(|open| open.len() <= 1));
    assert_eq!(trainer.begun.len(), 1, "weights go on");
}

#[test]
fn what_is_found_lies_in_the_window() {
    let space = darts(json!({}));
    let prices = CostTable::new(&space).prices(Metric::Macs);
    let (free, _) = finished(&space, 4, json!({ "times": 1 }));
    let price = free.front()[0].price;
    for window in [Window { low: 0, high: price * 9 / 10 }, Window { low: price * 11 / 10, high: price * 2 }] {
        let mut search = Search::new(space.clone(), options(4, window, with(json!({ "times": 1 })))).unwrap();
        assert!(run(&mut search, &mut Synthetic::new(&space, 4), &Silent).is_empty());
        assert!(window.contains(search.front()[0].price), "{} outside {window:?}", search.front()[0].price);
    }
    let low = prices.range(&space).1 * 2;
    let beyond = Window { low, high: low + 1 };
    match Search::new(space.clone(), options(4, beyond, with(json!({})))).err() {
        Some(Error::Unreachable { greatest, .. }) => assert!(greatest < low as f64),
        other => panic!("{other:?}"),
    }
}

/// Stopped anywhere, saved and read back, it ends as if it had not been.
#[test]
fn a_search_goes_on_where_it_was_stopped() {
    /// Asks to stop after every fourth event.
    #[derive(Default)]
    struct Often {
        events: Cell<u32>,
        stop: Cell<bool>,
    }
    impl Control for Often {
        fn cancelled(&self) -> bool {
            self.stop.take()
        }
    }
    impl Observer for Often {
        fn event(&self, event: &Event, search: &Search) {
            assert!(event.step <= event.steps && event.round <= search.rounds().1, "{event:?}");
            self.events.set(self.events.get() + 1);
            self.stop.set(self.events.get() % 4 == 0);
        }
    }
    let space = darts(json!({ "operators": ["skip_connect", "sep_conv_3x3", "max_pool_3x3", "none"] }));
    for rule in ["performance", "child_parent"] {
        let (whole, _) = finished(&space, 5, json!({ "rule": rule }));
        let opts = options(5, ALL, with(json!({ "rule": rule })));
        let mut search = Search::new(space.clone(), opts.clone()).unwrap();
        let mut trainer = Synthetic::new(&space, 5);
        let (mut stops, often) = (0, Often::default());
        loop {
            match search.step(&mut trainer, &often) {
                Ok(Status::Done) => break,
                Ok(Status::Round) => {}
                Err(Error::Cancelled) => {
                    stops += 1;
                    search = Search::restore(space.clone(), opts.clone(), None, search.state()).unwrap();
                    if let Some((round, active)) = search.under_way() {
                        let arrays = trainer.save(&active).unwrap();
                        trainer.restore(5, round, &active, &arrays).unwrap();
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(stops > 5, "{stops}");
        assert_eq!(timeless(search.history()), timeless(whole.history()));
        assert_eq!(search.front(), whole.front());
    }
}

#[test]
fn a_state_that_lies_is_refused() {
    let space = darts(json!({ "operators": ["skip_connect", "sep_conv_3x3", "none"] }));
    let opts = options(1, ALL, with(json!({})));
    let mut search = Search::new(space.clone(), opts.clone()).unwrap();
    let mut trainer = Synthetic::new(&space, 1);
    search.step(&mut trainer, &Silent).unwrap();
    let good = search.state();
    let restored = |state: Value| Search::restore(space.clone(), opts.clone(), None, state).map(|_| ());
    restored(good.clone()).unwrap();
    let mut bad = good.clone();
    bad["elimination"]["s"] = json!([[]]);
    assert!(config(restored(bad)).2.contains("1 cells with s"));
    let mut bad = good.clone();
    bad["phase"] = json!({ "Try": { "trials": [{ "accuracy": 0.5, "parent": 0.5 }] } });
    assert!(config(restored(bad)).2.contains("1 results of 0 networks"));
    let mut bad = good.clone();
    let (_, network, _) = &trainer.tried[0];
    let mut cells = network.cells().to_vec();
    cells[3] = vec![9];
    bad["elimination"]["networks"] = json!([cells]);
    assert!(config(restored(bad)).2.contains("the network"));
    let shrink = options(1, ALL, json!({ "strategy": "shrink", "scorer": "accuracy", "branches": "single" }));
    assert!(config(Search::restore(space.clone(), shrink, None, good)).2.contains("eliminated"));
}

fn told(space: &Arc<Space>, seed: u64, eliminate: Value) -> Search {
    let start = Start { drive: Drive::Told, ..Start::default() };
    Search::start(space.clone(), options(seed, ALL, json!({ "strategy": { "eliminate": eliminate } })), start).unwrap()
}

#[test]
fn the_host_may_evaluate() {
    let space = darts(json!({}));
    let world = Synthetic::new(&space, 3);
    let mut search = told(&space, 3, json!({}));
    let asked = finish(&mut search, &world, 5);
    // Those of all rounds, but of the seventh, where the same network comes three times, two fewer; and the last.
    assert_eq!((asked.len(), search.rounds(), search.done()), (57 - 2 + 1, (8, 8), true));
    let [found] = search.front() else { panic!("{} on the front", search.front().len()) };
    assert_eq!(&found.architecture, asked.last().unwrap());
    assert!(found.architecture.genotype(&space).is_some());
    let counts: Vec<usize> = search.history()[..7].iter().map(|r| r.scores[0].iter().filter(|s| s.stays).count()).collect();
    assert_eq!(counts, [7, 6, 5, 4, 3, 2, 1]);
    // In other groups, with some forgotten and asked again, it is the same search.
    let mut again = told(&space, 3, json!({}));
    let (given, _) = again.ask(4).unwrap();
    given.iter().for_each(|network| again.forget(network).unwrap());
    finish(&mut again, &world, 12);
    assert_eq!(again.front()[0].architecture, found.architecture);
    assert_eq!(timeless(again.history()), timeless(search.history()));
    // Read back in the middle of a round.
    let mut half = told(&space, 3, json!({}));
    let (given, _) = half.ask(7).unwrap();
    half.tell(&given[0], Outcome::accuracy(world.accuracy(given[0].cells()))).unwrap();
    let opts = half.options().clone();
    let mut half = Search::restore(space.clone(), opts, None, half.state()).unwrap();
    for network in &given[1..] {
        half.tell(network, Outcome::accuracy(world.accuracy(network.cells()))).unwrap();
    }
    finish(&mut half, &world, 3);
    assert_eq!(state(&half)["front"], state(&search)["front"]);
}

/// A network that could not be evaluated is as bad as can be, and a small space, where the same ones come again, ends too.
#[test]
fn failures_and_repetitions() {
    let space = darts(json!({ "operators": ["max_pool_3x3", "skip_connect"], "nodes": 1, "shared": true }));
    let mut search = told(&space, 1, json!({ "times": 9 }));
    let mut asked = 0;
    loop {
        let (given, status) = search.ask(100).unwrap();
        asked += given.len();
        for network in given {
            let skips = network.cells().iter().filter(|open| open.contains(&1)).count();
            let outcome = if skips == 0 { Outcome::failed() } else { Outcome::accuracy(0.3 * skips as f64) };
            search.tell(&network, outcome).unwrap();
        }
        if status == Asked::Done {
            break;
        }
    }
    assert!(asked <= 4, "there are four networks");
    assert_eq!(search.front().len(), 1);
}

#[test]
fn what_it_cannot_do_is_said() {
    let space = darts(json!({}));
    let start = |drive, rest: Value| Search::start(space.clone(), options(1, ALL, rest), Start { drive, ..Start::default() });
    let (_, pointer, reason) = config(start(Drive::Pushed, json!({ "strategy": "eliminate", "scorer": "magnitude" })));
    assert_eq!((pointer.as_str(), reason.starts_with("eliminate needs images")), ("/strategy", true));
    let (_, pointer, _) = config(start(Drive::Told, json!({ "strategy": "eliminate", "scorer": "accuracy" })));
    assert_eq!(pointer, "/scorer");
    let read = |text: &str| config(SearchOptions::from_json(text)).1;
    let base =
        |eliminate: &str| format!(r#"{{"objective": {{"low": 0, "high": 1e9}}, "strategy": {{"eliminate": {eliminate}}}}}"#);
    assert_eq!(read(&base(r#"{"times": 0}"#)), "/strategy/eliminate/times");
    assert!(read(&base(r#"{"rule": "best"}"#)).starts_with("/strategy"));
    assert!(read(&base(r#"{"drop": 1}"#)).starts_with("/strategy"));
}
