//! Whether the search finds anything: against all architectures of the window when utilities are known.

use crate::support::subsets;
use crate::synthetic::{options, run, small_space, timeless, window, Synthetic};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::search::{pareto, Purpose, Search, SearchOptions, Silent, Status, Stream, Window};
use nse::space::Space;
use nse::Error;
use serde_json::json;
use std::sync::Arc;

const SEEDS: u64 = 30;

fn learning() -> serde_json::Value {
    json!({
        "active": 4, "rounds": 4, "train": { "epochs": 12 },
        "fitness": { "interval": 1, "lr": 0.05 }, "candidates": { "count": 40, "extras": 4 }
    })
}

fn finished(space: &Arc<Space>, options: SearchOptions, trainer: &mut Synthetic) -> Search {
    let mut search = Search::new(space.clone(), options).unwrap();
    assert!(run(&mut search, trainer, &Silent).is_empty());
    search
}

/// Mean and greatest accuracy of all architectures of the whole space inside the window.
fn all_of(space: &Space, trainer: &Synthetic, window: Window) -> (f64, f64) {
    let costs = CostTable::new(space);
    // Per cell, cost and accuracy gained by every subset of its operators.
    let gain = |cell: usize, open: &[u16]| {
        let mut cells = vec![Vec::new(); space.cells().len()];
        cells[cell] = open.to_vec();
        trainer.accuracy(&cells) - 0.5
    };
    let table: Vec<Vec<(u64, f64)>> = (space.cells().iter().enumerate())
        .map(|(cell, kind)| {
            let all = subsets(&(0..kind.operators.len() as u16).collect::<Vec<_>>());
            let allowed = all.iter().filter(|open| !open.is_empty() || kind.may_be_skipped());
            allowed.map(|open| (costs.branches(cell, open).macs, gain(cell, open))).collect()
        })
        .collect();
    let (mut sum, mut count, mut best) = (0.0, 0.0, f64::NEG_INFINITY);
    for (macs1, gain1) in &table[0] {
        for (macs2, gain2) in &table[1] {
            for (macs3, gain3) in &table[2] {
                if window.contains(costs.fixed().macs + macs1 + macs2 + macs3) {
                    let accuracy = 0.5 + gain1 + gain2 + gain3;
                    (sum, count, best) = (sum + accuracy, count + 1.0, best.max(accuracy));
                }
            }
        }
    }
    (sum / count, best)
}

/// How far from the mean of the window to its optimum the best member of the front got: 1 is the optimum.
fn progress(search: &Search, mean: f64, optimum: f64) -> f64 {
    let best = pareto::best(search.front(), u64::MAX).unwrap();
    assert!(best.accuracy <= optimum + 1e-9);
    (best.accuracy - mean) / (optimum - mean)
}

#[test]
fn it_comes_near_the_optimum_of_the_window() {
    let space = small_space();
    let window = window(&space, 0.1, 0.2);
    let (mut total, mut least) = (0.0, f64::INFINITY);
    for seed in 0..SEEDS {
        let mut trainer = Synthetic::new(&space, seed);
        let (mean, optimum) = all_of(&space, &trainer, window);
        let search = finished(&space, options(seed, window, learning()), &mut trainer);
        let reached = progress(&search, mean, optimum);
        total += reached;
        least = f64::min(least, reached);
    }
    println!("mean {:.3}, least {least:.3} of the way from the mean to the optimum", total / SEEDS as f64);
    assert!(total / SEEDS as f64 > 0.9);
    assert!(least > 0.5);
}

/// The same number of candidates without learning: the learnt probabilities are what helps.
#[test]
fn learning_beats_not_learning() {
    let space = small_space();
    let window = window(&space, 0.1, 0.2);
    let (mut learnt, mut idle) = (0.0, 0.0);
    for seed in 0..SEEDS {
        let (mean, optimum) = all_of(&space, &Synthetic::new(&space, seed), window);
        let with = |lr: f64| {
            let mut rest = learning();
            rest["fitness"]["lr"] = lr.into();
            rest["candidates"]["count"] = 8.into();
            progress(&finished(&space, options(seed, window, rest), &mut Synthetic::new(&space, seed)), mean, optimum)
        };
        learnt += with(0.05);
        idle += with(0.0);
    }
    println!("{:.3} with learning, {:.3} without", learnt / SEEDS as f64, idle / SEEDS as f64);
    assert!(learnt > idle + 0.2 * SEEDS as f64);
}

#[test]
fn theta_learns_the_sign_of_the_utility() {
    let space = small_space();
    let everything = window(&space, 0.0, 1.0);
    let rest = json!({
        "active": 7, "rounds": 1, "train": { "epochs": 40 }, "fitness": { "interval": 1, "lr": 0.02, "threshold": -1e6 },
        "candidates": { "count": 5, "extras": 0 }
    });
    let mut options = options(3, everything, rest);
    options.objective.alpha = 0.0;
    let mut trainer = Synthetic::new(&space, 3);
    let search = finished(&space, options, &mut trainer);
    for (scores, utilities) in search.scores().iter().zip(&trainer.utility) {
        for (theta, utility) in scores.iter().zip(utilities).filter(|(_, u)| u.abs() > 0.3) {
            assert_eq!(*theta > 0.0, *utility > 0.0, "theta {theta}, utility {utility}");
        }
    }
}

/// Without any difference in utility only the cost pulls: above the target theta falls, below it rises.
#[test]
fn the_objective_pulls_towards_its_target() {
    let space = small_space();
    let everything = window(&space, 0.0, 1.0);
    let mean_theta = |target: u64| {
        let rest = json!({
            "active": 7, "rounds": 1, "train": { "epochs": 5 }, "fitness": { "interval": 1, "lr": 0.02, "threshold": -1e6 },
            "candidates": { "count": 5, "extras": 0 }
        });
        let mut options = options(1, everything, rest);
        options.objective.target = Some(target as f64);
        let mut trainer = Synthetic::new(&space, 1);
        trainer.utility.iter_mut().flatten().for_each(|u| *u = 1e-9);
        let search = finished(&space, options, &mut trainer);
        search.scores().iter().flatten().sum::<f64>()
    };
    assert!(mean_theta(everything.low) < -2.0);
    assert!(mean_theta(everything.high) > 2.0);
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let space = small_space();
    let window = window(&space, 0.2, 0.5);
    let history = |seed| timeless(finished(&space, options(seed, window, learning()), &mut Synthetic::new(&space, 7)).history());
    assert_eq!(history(1), history(1));
    assert_ne!(history(1), history(2));
}

#[test]
fn an_unreachable_window_is_refused_before_anything_is_trained() {
    let space = small_space();
    let (least, greatest) = CostTable::new(&space).range();
    for (low, high) in [(1, least.macs - 1), (greatest.macs + 1, greatest.macs + 100)] {
        match Search::new(space.clone(), options(0, Window { low, high }, json!({}))).err() {
            Some(Error::Unreachable { least: l, greatest: g, .. }) => {
                assert_eq!((l, g), (least.macs as f64, greatest.macs as f64))
            }
            other => panic!("{other:?}"),
        }
    }
    let dearest = Window { low: greatest.macs, high: greatest.macs };
    let mut all = Search::new(space.clone(), options(0, dearest, json!({ "active": 7, "candidates": { "count": 3 } }))).unwrap();
    assert_eq!(all.step(&mut Synthetic::new(&space, 0), &Silent).unwrap(), Status::Done);
    let every = (0..3).map(|_| (0..7).collect()).collect();
    assert_eq!(all.front()[0].architecture, Architecture::new(&space, every).unwrap(), "there is only one");
}

/// A first active subset that cannot reach the window is replaced by one that can.
#[test]
fn the_first_active_subset_reaches_the_window() {
    let space = small_space();
    let costs = CostTable::new(&space);
    // Few subsets of three operators per cell are as dear as this.
    let dear = window(&space, 0.5, 0.52);
    let mut replaced = 0;
    for seed in 0..50 {
        let mut first = costs.fixed().macs;
        for cell in 0..3 {
            let mut order: Vec<u16> = (0..7).collect();
            Stream::new(seed, Purpose::Pool, 0, cell).shuffle(&mut order);
            first += costs.branches(cell as usize, &order[..3]).macs;
        }
        replaced += usize::from(first < dear.low);
        let mut search =
            Search::new(space.clone(), options(seed, dear, json!({ "active": 3, "rounds": 1, "train": { "epochs": 1 } })))
                .unwrap();
        search.step(&mut Synthetic::new(&space, seed), &Silent).unwrap();
        assert!(search.front().iter().all(|s| dear.contains(s.cost.macs)));
    }
    assert!(replaced > 10, "in {replaced} of 50 runs the first order would not do");
}
