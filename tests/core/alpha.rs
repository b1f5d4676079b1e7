//! Weights of operators that run all at once: how they are learnt, by hand; what searches make of them, and what they cannot be for.

use crate::support::config;
use crate::synthetic::{options, run, small_space, timeless, window, Synthetic};
use nse::search::*;
use nse::space::Space;
use nse::{Error, Result};
use serde_json::{json, Value};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ALL: Window = Window { low: 0, high: u64::MAX >> 12 };

fn darts(overrides: Value) -> Arc<Space> {
    let mut all = json!({ "channels": 4, "cells": 3, "nodes": 2, "input": { "channels": 1, "height": 8, "width": 8 } });
    overrides.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
    Arc::new(Space::preset("darts-cifar", &all.to_string()).unwrap())
}

fn with(alpha: Value, rest: Value) -> Value {
    let mut all = json!({ "scorer": { "alpha": alpha }, "train": { "epochs": 1 }, "candidates": { "count": 4, "extras": 0 } });
    rest.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
    all
}

fn finished(space: &Arc<Space>, seed: u64, window: Window, rest: Value) -> (Search, Synthetic) {
    let mut search = Search::new(space.clone(), options(seed, window, rest)).unwrap();
    let mut trainer = Synthetic::new(space, seed);
    let errors = run(&mut search, &mut trainer, &Silent);
    assert!(errors.is_empty(), "{errors:?}");
    (search, trainer)
}

fn softmax(values: &[f64]) -> Vec<f64> {
    let sum: f64 = values.iter().map(|v| v.exp()).sum();
    values.iter().map(|v| v.exp() / sum).collect()
}

/// Adam with L2 decay, of values of which a loss depends through softmax, as PyTorch does it.
struct Learner {
    values: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Learner {
    fn new(seed: u64, index: u64, count: usize) -> Self {
        let mut stream = Stream::new(seed, Purpose::Mixture, 0, index);
        let values = (0..count).map(|_| 1e-3 * stream.normals()[0]).collect();
        Learner { values, first: vec![0.0; count], second: vec![0.0; count], steps: 0 }
    }

    fn step(&mut self, gradient: &[f64]) {
        let p = softmax(&self.values);
        self.steps += 1;
        let mut slopes = vec![0.0; p.len()];
        for i in 0..p.len() {
            for j in 0..p.len() {
                slopes[i] += gradient[j] * p[j] * (f64::from(u8::from(i == j)) - p[i]);
            }
        }
        for (i, slope) in slopes.into_iter().enumerate() {
            let g = slope + 1e-3 * self.values[i];
            self.first[i] = 0.5 * self.first[i] + 0.5 * g;
            self.second[i] = 0.999 * self.second[i] + 0.001 * g * g;
            let (m, v) = (self.first[i] / (1.0 - 0.5f64.powi(self.steps)), self.second[i] / (1.0 - 0.999f64.powi(self.steps)));
            self.values[i] -= 0.05 * m / (v.sqrt() + 1e-8);
        }
    }
}

/// A round of ten steps, against the recurrences with loss = - sum over edges of beta * sum of share * utility.
#[test]
fn alpha_and_beta_by_hand() {
    let space = darts(json!({}));
    let cells = space.cells().len();
    for edge_weights in [false, true] {
        let rest = with(json!({ "lr": 0.05, "edge_weights": edge_weights }), json!({ "rounds": 1, "strategy": "shrink" }));
        let (search, trainer) = finished(&space, 3, ALL, rest);
        let stack = space.stack().unwrap();
        let nodes: Vec<Vec<usize>> = (0..2).flat_map(|graph| stack.nodes(graph)).map(Iterator::collect).collect();
        // None is the last choice of an edge.
        let count = |cell: usize| space.cells()[cell].operators.len() + 1;
        let mut alpha: Vec<Learner> = (0..cells).map(|cell| Learner::new(3, cell as u64, count(cell))).collect();
        let mut beta: Vec<Learner> =
            nodes.iter().enumerate().map(|(node, edges)| Learner::new(3, (cells + node) as u64, edges.len())).collect();
        assert_eq!((trainer.mixed.len(), trainer.mixtures.len(), trainer.opened.len()), (10, 10, 0));
        for step in 0..=10 {
            let mut edges = vec![1.0; cells];
            for (node, beta) in nodes.iter().zip(&beta).filter(|_| edge_weights) {
                node.iter().zip(softmax(&beta.values)).for_each(|(edge, weight)| edges[*edge] = weight);
            }
            let utility = |cell: usize, choice: usize| trainer.utility[cell].get(choice).copied().unwrap_or(0.0);
            let mut of_edges = vec![0.0; cells];
            for cell in 0..cells {
                let p = softmax(&alpha[cell].values);
                if step == 10 {
                    let last = &search.history()[0].scores[cell];
                    for (score, p) in last.iter().zip(&p) {
                        assert!((score.score - p * edges[cell]).abs() < 1e-12, "{} and {}", score.score, p * edges[cell]);
                    }
                    assert_eq!(last.len(), p.len());
                    continue;
                }
                for halves in [&trainer.mixed, &trainer.mixtures] {
                    let (at, blends) = &halves[step];
                    assert_eq!((at.round, at.step), (0, step as u64));
                    for ((_, share), p) in blends[cell].shares.iter().zip(&p) {
                        assert!((share - p).abs() < 1e-12, "step {step}, cell {cell}");
                    }
                    assert!(blends[cell].edge.map_or(!edge_weights, |edge| (edge - edges[cell]).abs() < 1e-12));
                }
                let gradient: Vec<f64> = (0..p.len()).map(|choice| -edges[cell] * utility(cell, choice)).collect();
                of_edges[cell] = -(0..p.len()).map(|choice| p[choice] * utility(cell, choice)).sum::<f64>();
                alpha[cell].step(&gradient);
            }
            for (node, beta) in nodes.iter().zip(&mut beta).filter(|_| edge_weights && step < 10) {
                beta.step(&node.iter().map(|edge| of_edges[*edge]).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn steps_are_in_turns_and_wait_for_the_warmup() {
    let space = small_space();
    let steps = |alpha: Value, rest: Value| {
        let (_, trainer) = finished(&space, 1, ALL, with(alpha, rest));
        assert!(trainer.opened.is_empty() && trainer.learnt.is_empty());
        trainer.mixtures.iter().map(|(at, _)| (at.round, at.step)).collect::<Vec<_>>()
    };
    let two = json!({ "rounds": 2, "strategy": { "shrink": { "drop": { "per_cell": 1 } } } });
    let every: Vec<(u64, u64)> = (0..20).map(|i| (i / 10, i % 10)).collect();
    assert_eq!(steps(json!({}), two.clone()), every);
    assert_eq!(steps(json!({ "interval": 4 }), two.clone()), [(0, 3), (0, 7), (1, 3), (1, 7)]);
    // Weights that go on need none.
    assert_eq!(steps(json!({ "warmup": 0.75 }), two), every[8..]);
    let fresh = steps(json!({ "warmup": 0.75 }), json!({ "rounds": 2 }));
    assert_eq!(fresh, [(0, 8), (0, 9), (1, 8), (1, 9)]);
}

/// Every strategy that a scorer is for: what is worth most has the greatest share, and decides.
#[test]
fn the_better_ones_win() {
    let (chain, cells) = (small_space(), darts(json!({})));
    let fast = json!({ "lr": 0.2, "weight_decay": 0.0 });
    for (strategy, space) in [
        (json!("evolve"), &chain),
        (json!({ "shrink": { "drop": { "down_to": 4 } } }), &chain),
        (json!({ "shrink": { "drop": { "per_cell": 6 } } }), &cells),
        (json!({ "eliminate": { "times": 1 } }), &cells),
        (json!({ "eliminate": { "times": 1 } }), &chain),
    ] {
        for seed in 0..3 {
            let rest = json!({ "strategy": strategy, "train": { "epochs": 4 }, "branches": "single" });
            let (search, trainer) = finished(&space.clone(), seed, ALL, with(fast.clone(), rest));
            let (_, last) = &trainer.mixtures[39];
            for (cell, blend) in last.iter().enumerate() {
                let worth = |choice: Option<u16>| choice.map_or(0.0, |o| trainer.utility[cell][usize::from(o)]);
                let best = blend.shares.iter().max_by(|a, b| worth(a.0).total_cmp(&worth(b.0))).unwrap();
                assert!(blend.shares.iter().all(|(_, share)| share <= &best.1), "{strategy}, {seed}: cell {cell}: {blend:?}");
            }
            if strategy.get("shrink").is_some() {
                // One choice of each is left: the best.
                let choices: usize = search.history()[0].scores.iter().flatten().filter(|score| score.stays).count();
                assert!(choices <= if space.stack().is_some() { 2 * cells.cells().len() } else { 4 }, "{choices}");
                for scores in &search.history()[0].scores {
                    let best = scores.iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
                    assert!(best.stays);
                }
            }
            assert!(!search.front().is_empty());
        }
    }
}

/// What the operators' shares were when networks were sampled.
#[derive(Default)]
struct Watcher(RefCell<BTreeMap<u64, Vec<Vec<f64>>>>);

impl Control for Watcher {
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for Watcher {
    fn event(&self, event: &Event, search: &Search) {
        if event.kind == EventKind::Train {
            self.0.borrow_mut().insert(event.round - 1, search.scores().to_vec());
        }
    }
}

/// BNAS: networks are sampled of the half with the smallest alpha, rounded up; weights and alpha of the others go on.
#[test]
fn elimination_tries_the_half_with_the_smallest_alpha() {
    let space = darts(json!({}));
    let rest = with(json!({ "lr": 0.01 }), json!({ "strategy": { "eliminate": { "times": 2 } } }));
    let mut search = Search::new(space.clone(), options(2, ALL, rest)).unwrap();
    let (mut trainer, watcher) = (Synthetic::new(&space, 2), Watcher::default());
    assert!(run(&mut search, &mut trainer, &watcher).is_empty());
    let shares = watcher.0.into_inner();
    assert_eq!((search.rounds(), trainer.begun.len(), trainer.kept.len()), ((8, 8), 1, 7));
    for round in 0..7u64 {
        let networks: Vec<_> = trainer.tried.iter().filter(|(at, ..)| at.round >> 20 & 0xfff == round).collect();
        for (cell, learnt) in shares[&round].iter().enumerate() {
            let active = &trainer.mixtures[(round * 10) as usize].1[cell].shares;
            let known = |choice: Option<u16>| match choice {
                Some(operator) => learnt[usize::from(operator)],
                None => 1.0 - active.iter().filter_map(|(c, _)| *c).map(|o| learnt[usize::from(o)]).sum::<f64>(),
            };
            let mut ranked: Vec<Option<u16>> = active.iter().map(|(choice, _)| *choice).collect();
            ranked.sort_by(|a, b| known(*a).total_cmp(&known(*b)));
            ranked.truncate(active.len().div_ceil(2));
            let tried: BTreeSet<Option<u16>> = networks.iter().map(|(_, n, _)| n.cells()[cell].first().copied()).collect();
            assert_eq!(tried, ranked.into_iter().collect(), "round {round}, cell {cell}");
        }
    }
    // From round to round every alpha that stays is what it was: shares of two that stay keep their ratio, but for one step.
    for pair in [9, 19, 29] {
        let (before, after) = (&trainer.mixtures[pair].1[0].shares, &trainer.mixtures[pair + 1].1[0].shares);
        let of = |shares: &[(Option<u16>, f64)], choice| shares.iter().find(|(c, _)| *c == choice).unwrap().1;
        let [first, second] = [after[0].0, after[1].0];
        let ratio = |shares: &[(Option<u16>, f64)]| (of(shares, first) / of(shares, second)).ln();
        assert!((ratio(before) - ratio(after)).abs() < 0.05 && after.len() + 1 == before.len());
    }
    // With another scorer other networks are tried.
    let other = json!({ "scorer": { "accuracy": { "samples": 1 } }, "strategy": { "eliminate": { "times": 2 } } });
    let (_, other) = finished(&space, 2, ALL, with(json!({}), other));
    assert!(other.mixed.is_empty() && other.tried[0].1 != trainer.tried[0].1);
}

/// Stopped anywhere, saved and read back, it ends as if it had not been; a state of another search is refused.
#[test]
fn a_search_goes_on_where_it_was_stopped() {
    struct Third {
        calls: Cell<u32>,
    }
    impl Control for Third {
        fn cancelled(&self) -> bool {
            self.calls.set(self.calls.get() + 1);
            self.calls.get() % 3 == 0
        }
    }
    impl Observer for Third {
        fn event(&self, _: &Event, _: &Search) {}
    }
    let space = darts(json!({ "operators": ["skip_connect", "sep_conv_3x3", "max_pool_3x3", "none"] }));
    for strategy in [json!("eliminate"), json!({ "shrink": { "drop": { "worst": 5 } } }), json!("evolve")] {
        let alpha = json!({ "lr": 0.05, "interval": 2, "edge_weights": true });
        let rest = with(alpha, json!({ "strategy": strategy, "rounds": 3 }));
        let (whole, _) = finished(&space, 5, ALL, rest.clone());
        let opts = options(5, ALL, rest);
        let mut search = Search::new(space.clone(), opts.clone()).unwrap();
        let (mut trainer, mut stops, third) = (Synthetic::new(&space, 5), 0, Third { calls: Cell::new(0) });
        loop {
            match search.step(&mut trainer, &third) {
                Ok(Status::Done) => break,
                Ok(Status::Round) => {}
                Err(Error::Cancelled) => stops += 1,
                Err(error) => panic!("{error}"),
            }
            search = Search::restore(space.clone(), opts.clone(), None, search.state()).unwrap();
            if let Some((round, active)) = search.under_way() {
                let arrays = trainer.save(&active).unwrap();
                trainer.restore(5, round, &active, &arrays).unwrap();
            }
        }
        assert!(stops > 10, "{stops}");
        assert_eq!(timeless(search.history()), timeless(whole.history()));
        assert_eq!(search.front(), whole.front());
    }
    let rest = |scorer: Value| json!({ "strategy": "shrink", "scorer": scorer, "train": { "epochs": 0.5 } });
    let restore = |scorer: Value, state: Value| Search::restore(space.clone(), options(5, ALL, rest(scorer)), None, state);
    let refused = |result: Result<Search>| config(result).2;
    let mut search = Search::new(space.clone(), options(5, ALL, rest(json!("alpha")))).unwrap();
    search.step(&mut Synthetic::new(&space, 5), &Silent).unwrap();
    let good = search.state();
    assert!(restore(json!("alpha"), good.clone()).is_ok());
    assert!(refused(restore(json!("angle"), good.clone())).contains("alpha"));
    assert!(refused(restore(json!({ "alpha": { "edge_weights": true } }), good.clone())).contains("alpha"));
    for (pointer, value) in [
        ("/mixture", json!(null)),
        ("/mixture/cells", json!([])),
        ("/mixture/cells/0/choices/0", json!(77)),
        ("/mixture/cells/1/alpha/first", json!([0.0])),
        ("/mixture/nodes", json!([{ "edges": [900], "beta": { "theta": [0.0], "first": [0.0], "second": [0.0], "steps": 0 } }])),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(refused(restore(json!("alpha"), bad)).contains("alpha of other operators"), "{pointer}");
    }
}

#[test]
fn where_it_cannot_be() {
    let (chain, cells) = (small_space(), darts(json!({})));
    let start = |space: &Arc<Space>, drive, rest: Value| {
        let start = Start { drive, ..Start::default() };
        config(Search::start(space.clone(), options(1, ALL, rest), start))
    };
    let alpha = |strategy: &str| json!({ "scorer": "alpha", "strategy": strategy });
    let (document, pointer, reason) = start(&chain, Drive::Steps, alpha("neas"));
    assert_eq!((document, pointer.as_str()), ("search options", "/scorer"));
    assert!(reason.contains("alpha mixes the operators of one path, and neas has several"), "{reason}");
    for strategy in ["evolve", "eliminate"] {
        let (_, pointer, reason) = start(&chain, Drive::Told, alpha(strategy));
        assert!(pointer == "/scorer" && reason.contains("alpha needs a supernet"), "{reason}");
    }
    let (_, pointer, reason) = start(&chain, Drive::Told, alpha("shrink"));
    assert!(pointer == "/strategy" && reason.contains("shrink needs a supernet"), "{reason}");
    let pnas = Arc::new(Space::preset("pnas-cifar", "{}").unwrap());
    let (_, pointer, reason) = start(&pnas, Drive::Steps, alpha("grow"));
    assert!(pointer == "/scorer" && reason.contains("alpha: where cells grow"), "{reason}");
    let edges = json!({ "scorer": { "alpha": { "edge_weights": true } } });
    let (_, pointer, reason) = start(&chain, Drive::Steps, edges.clone());
    assert!(pointer == "/scorer/alpha/edge_weights" && reason.contains("it is a chain"), "{reason}");
    assert!(Search::new(cells.clone(), options(1, ALL, edges)).is_ok());
    for (key, value, range) in [
        ("lr", json!(11), "0 to 10"),
        ("interval", json!(0), "1 to 1000000"),
        ("warmup", json!(1.5), "0 to 1"),
        ("weight_decay", json!(-1), "0 to 1"),
    ] {
        let text = json!({ "objective": { "low": 0, "high": 1 }, "scorer": { "alpha": { key: value } } }).to_string();
        let (_, pointer, reason) = config(SearchOptions::from_json(&text));
        assert!(pointer == format!("/scorer/alpha/{key}") && reason.contains(range), "{pointer}: {reason}");
    }
    // A trainer of the host's that cannot is named, and nothing is lost.
    struct Plain(Synthetic);
    impl Trainer for Plain {
        fn steps_per_epoch(&self) -> u64 {
            self.0.steps_per_epoch()
        }
        fn steps_per_candidate(&self) -> f64 {
            1.0
        }
        fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
            self.0.begin_round(seed, round, active)
        }
        fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
            self.0.weight_step(at, open, lr)
        }
        fn architecture_step(
            &mut self,
            at: At,
            active: &[Vec<u16>],
            paths: &[Option<TwoPaths>],
        ) -> Result<(f64, Vec<PathGradient>)> {
            self.0.architecture_step(at, active, paths)
        }
        crate::synthetic::stored_by!(0);
        fn score(&mut self, seed: u64, round: u64, all: &[nse::arch::Architecture], control: &dyn Control) -> Result<Vec<f64>> {
            self.0.score(seed, round, all, control)
        }
    }
    let mut search = Search::new(chain.clone(), options(1, window(&chain, 0.0, 1.0), json!({ "scorer": "alpha" }))).unwrap();
    let error = search.step(&mut Plain(Synthetic::new(&chain, 1)), &Silent).unwrap_err();
    assert!(matches!(error, Error::Unsupported(what) if what.contains("all operators at once")), "{error}");
}
