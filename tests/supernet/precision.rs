//! Products in bfloat16: in every pass of a search that asks for them, and in no other.

use crate::support::{small, stripes};
use nse::arch::Architecture;
use nse::data::Normalisation;
use nse::search::{At, Blend, Precision, Search, SearchOptions, Silent, Status, Trainer, TwoPaths};
use nse::supernet::learner::Loader;
use nse::supernet::network::Network;
use nse::supernet::{score, SupernetTrainer};
use std::sync::Arc;
use tch::Device;

const AT: At = At { seed: 6, round: 0, step: 0 };

fn active() -> Vec<Vec<u16>> {
    vec![vec![0, 2, 3], vec![1, 2, 4], vec![0, 1]]
}

fn options(precision: &str, more: &str) -> SearchOptions {
    let text = format!(
        r#"{{"seed": 6, "rounds": 1, "active": 3, "objective": {{"low": 20000, "high": 90000}},
            "train": {{"epochs": 4, "batch": 24, "lr": 0.1, "precision": "{precision}"}}, "candidates": {{"count": 6, "extras": 2}},
            "score": {{"calibration": 64, "batch": 64}}{more}}}"#
    );
    SearchOptions::from_json(&text).unwrap()
}

/// A number or more of every kind of step, with the same weights.
fn steps(options: &SearchOptions) -> Vec<f64> {
    let active = active();
    let mut trainer = SupernetTrainer::new(small(), &stripes(240, 1), None, options).unwrap();
    trainer.begin_round(AT.seed, AT.round, &active).unwrap();
    let gates = |count: usize, at: usize| (0..count).map(|i| i == at).collect::<Vec<_>>();
    let pair = |open: &Vec<u16>| Some(TwoPaths::new(&vec![0.5; open.len()], gates(open.len(), 0), gates(open.len(), 1)));
    let paths: Vec<_> = active.iter().map(pair).collect();
    let blend = |open: &Vec<u16>| Blend {
        shares: open.iter().map(|operator| (Some(*operator), 1.0 / open.len() as f64)).collect(),
        edge: None,
    };
    let blends: Vec<_> = active.iter().map(blend).collect();
    let (selected, of_paths) = trainer.architecture_step(AT, &active, &paths).unwrap();
    let (mixed, of_shares) = trainer.mixture_step(AT, &blends).unwrap();
    let gradients = of_paths.iter().map(|g| g.selected).chain(of_shares.iter().flat_map(|g| g.shares.clone()));
    let length = gradients.map(|g| g * g).sum::<f64>().sqrt();
    vec![selected, mixed, length, trainer.weight_step(AT, &active, 1e-8).unwrap().loss]
}

#[test]
fn every_step_has_the_precision_of_its_search() {
    for more in ["", r#", "shards": 2"#] {
        let (exact, low) = (steps(&options("float32", more)), steps(&options("bfloat16", more)));
        assert_eq!(steps(&options("float32", more)), exact, "the thread was left as it was");
        for (at, (exact, low)) in exact.iter().zip(&low).enumerate() {
            let off = (exact - low).abs() / exact.abs();
            assert!(off > 0.0 && off < 0.05, "number {at} with {more:?}: {low} instead of {exact}");
        }
    }
}

#[test]
fn scoring_has_the_precision_of_its_supernet() {
    let open = vec![vec![0, 3], vec![1], vec![0]];
    let loss = |precision| {
        let network = Network::new(small(), &active(), 1, 0, Device::Cpu).unwrap().with_precision(precision);
        let data = stripes(90, 3);
        let loader = || Loader::new(data.clone(), Normalisation::of(&data), Device::Cpu);
        let statistics = score::calibrate(&network, &open, &mut loader(), 90, &Silent).unwrap();
        let (loss, accuracy) = score::evaluate(&network, &open, &statistics, &mut loader(), 90, &Silent).unwrap();
        let candidate = [Architecture::new(&small(), open.clone()).unwrap()];
        let scored = score::score(&network, &candidate, &mut loader(), &mut loader(), 90, &Silent).unwrap();
        assert_eq!(scored, [accuracy], "alone and in a tree of candidates");
        loss
    };
    let (exact, low) = (loss(Precision::Float32), loss(Precision::BFloat16));
    let off = (exact - low).abs() / exact;
    assert!(off > 0.0 && off < 0.02, "{low} instead of {exact}");
}

#[test]
fn a_search_in_bfloat16_finds_good_networks_the_same_with_any_number_of_threads() {
    let run = |threads: u32| {
        let options = SearchOptions { threads: Some(threads), ..options("bfloat16", "") };
        let space = small();
        let mut trainer = SupernetTrainer::new(Arc::clone(&space), &stripes(300, 1), None, &options).unwrap();
        let mut search = Search::new(space, options).unwrap();
        while search.step(&mut trainer, &Silent).unwrap() != Status::Done {}
        search.front().to_vec()
    };
    let front = run(1);
    let best = front.iter().map(|scored| scored.accuracy).fold(0.0, f64::max);
    assert!(best > 0.8, "stripes are easy: {best}");
    assert_eq!(run(2), front);
    tch::set_num_threads(1);
}
