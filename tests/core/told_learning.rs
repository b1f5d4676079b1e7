//! What a told search learns: the gradient against the exact one, and results against those of a search that does not learn.

use crate::support::{architectures, chain, everything};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::search::fitness::{probability, score_gradient};
use nse::search::{Asked, Drive, Outcome, Purpose, Search, SearchOptions, Start, Stream};
use nse::space::Space;
use serde_json::json;
use std::sync::Arc;

/// The expected estimate, over all pairs of results that can be drawn, is the derivative of the expected loss, by finite differences.
#[test]
fn the_gradient_is_that_of_the_expected_loss() {
    let operators = ["mbconv_k1_t1", "mbconv_k3_t1", "conv_k3_t1"];
    let space = chain(1, 2, &[("normal", 0, &operators), ("reduce", 3, &operators[..2]), ("normal", 0, &operators[1..])]);
    let all = everything(&space);
    let costs = CostTable::new(&space);
    let mut stream = Stream::new(5, Purpose::Probe, 0, 0);
    let whole = architectures(&space, &all);
    let mut sorted: Vec<u64> = whole.iter().map(|a| costs.architecture(a).macs).collect();
    sorted.sort_unstable();
    let inside = sorted[sorted.len() / 4]..=sorted[sorted.len() * 3 / 4];
    let possible: Vec<_> = whole.into_iter().filter(|a| inside.contains(&costs.architecture(a).macs)).collect();
    let losses: Vec<f64> = possible.iter().map(|_| stream.uniform()).collect();
    let theta: Vec<Vec<f64>> = all.iter().map(|cell| cell.iter().map(|_| 2.0 * stream.uniform() - 1.0).collect()).collect();

    let masses = |theta: &[Vec<f64>]| -> Vec<f64> {
        let mass = |a: &Architecture| -> f64 {
            let open = |cell: usize, o: u16| a.cells()[cell].contains(&o);
            let p = |cell: usize, o: u16| {
                let p = probability(theta[cell][usize::from(o)]);
                if open(cell, o) {
                    p
                } else {
                    1.0 - p
                }
            };
            all.iter().enumerate().flat_map(|(cell, operators)| operators.iter().map(move |o| p(cell, *o))).product()
        };
        let masses: Vec<f64> = possible.iter().map(mass).collect();
        let total: f64 = masses.iter().sum();
        masses.into_iter().map(|m| m / total).collect()
    };
    let expected = |theta: &[Vec<f64>]| masses(theta).iter().zip(&losses).map(|(m, l)| m * l).sum::<f64>();
    let p = masses(&theta);
    for cell in 0..3 {
        let open = |a: &Architecture| all[cell].iter().map(|o| a.cells()[cell].contains(o)).collect::<Vec<bool>>();
        let mut estimate = vec![0.0; all[cell].len()];
        for (i, one) in possible.iter().enumerate() {
            for (j, two) in possible.iter().enumerate() {
                let gradient = score_gradient(&theta[cell], &[open(one), open(two)], &[losses[i], losses[j]]);
                estimate.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += p[i] * p[j] * g);
            }
        }
        for (operator, estimate) in estimate.iter().enumerate() {
            let shifted = |by: f64| {
                let mut theta = theta.clone();
                theta[cell][operator] += by;
                expected(&theta)
            };
            let exact = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            assert!((estimate - exact).abs() < 1e-8, "cell {cell}, operator {operator}: {estimate}, not {exact}");
            assert!(exact.abs() > 1e-6, "something to learn");
        }
    }
}

/// Ten cells of eight operators with qualities that add up, and noisy evaluations.
struct World {
    space: Arc<Space>,
    quality: Vec<Vec<f64>>,
}

impl World {
    fn new(seed: u64) -> Self {
        let operators = [
            "mbconv_k1_t1",
            "mbconv_k3_t1",
            "mbconv_k3_t2",
            "mbconv_k5_t1",
            "conv_k3_t1",
            "rec_k3_t1",
            "dualconv_k3_t1",
            "conv_k5_t1",
        ];
        let cells: Vec<(&str, u32, &[&str])> =
            (0..10).map(|i| if i % 4 == 3 { ("reduce", 4, &operators[..]) } else { ("normal", 0, &operators[..]) }).collect();
        let space = Arc::new(chain(1, 2, &cells));
        let mut stream = Stream::new(seed, Purpose::Weights, 0, 0);
        let quality = space.cells().iter().map(|cell| cell.operators.iter().map(|_| stream.normals()[0]).collect()).collect();
        World { space, quality }
    }

    fn accuracy(&self, architecture: &Architecture) -> f64 {
        let cells = architecture.cells().iter().zip(&self.quality);
        let mean = |(open, quality): (&Vec<u16>, &Vec<f64>)| {
            open.iter().map(|o| quality[usize::from(*o)]).sum::<f64>() / (open.len().max(1) as f64).sqrt()
        };
        (0.6 + 0.02 * cells.map(mean).sum::<f64>()).clamp(0.0, 1.0)
    }

    fn search(&self, seed: u64, lr: f64) -> Search {
        let (least, greatest) = CostTable::new(&self.space).range();
        let at = |part: f64| least.macs + ((greatest.macs - least.macs) as f64 * part) as u64;
        let options = json!({
            "seed": seed, "rounds": 3, "active": 4, "objective": { "low": at(0.1), "high": at(0.4), "alpha": 0 },
            "candidates": { "count": 60 }, "told": { "lr": lr }
        });
        let start = Start { drive: Drive::Told, ..Start::default() };
        Search::start(self.space.clone(), SearchOptions::from_json(&options.to_string()).unwrap(), start).unwrap()
    }

    /// True accuracies: the best of the front, and the mean of all that was asked; and how many of the operators that are best in
    /// their cell, and worst, are active in the end.
    fn run(&self, seed: u64, lr: f64) -> [f64; 4] {
        let mut search = self.search(seed, lr);
        let mut noise = Stream::new(seed, Purpose::Probe, 0, 9);
        let (mut sum, mut count) = (0.0, 0.0);
        loop {
            let (given, asked) = search.ask(5).unwrap();
            for architecture in &given {
                let accuracy = self.accuracy(architecture);
                (sum, count) = (sum + accuracy, count + 1.0);
                search.tell(architecture, Outcome::accuracy((accuracy + 0.02 * noise.normals()[0]).clamp(0.0, 1.0))).unwrap();
            }
            if asked == Asked::Done {
                break;
            }
        }
        let best = search.front().iter().map(|s| self.accuracy(&s.architecture)).fold(0.0, f64::max);
        let kept = |extreme: fn(f64, f64) -> f64, from: f64| -> f64 {
            let is_there = |(quality, active): (&Vec<f64>, &Vec<u16>)| {
                let value = quality.iter().copied().fold(from, extreme);
                active.iter().any(|o| quality[usize::from(*o)] == value)
            };
            self.quality.iter().zip(&search.active()).filter(|pair| is_there(*pair)).count() as f64
        };
        [best, sum / count, kept(f64::max, f64::MIN), kept(f64::min, f64::MAX)]
    }
}

#[test]
fn learning_beats_drawing_at_random() {
    let (mut won, mut learnt, mut uniform) = (0, [0.0; 4], [0.0; 4]);
    let seeds = 8;
    for seed in 0..seeds {
        let world = World::new(seed);
        let lr = SearchOptions::from_json("{\"objective\": {\"low\": 1, \"high\": 2}}").unwrap().told.lr;
        let (with, without) = (world.run(seed, lr), world.run(seed, 0.0));
        won += usize::from(with[0] > without[0]);
        learnt.iter_mut().zip(with).for_each(|(sum, value)| *sum += value / seeds as f64);
        uniform.iter_mut().zip(without).for_each(|(sum, value)| *sum += value / seeds as f64);
    }
    println!(
        "best of front, mean of all, best and worst operators kept: {learnt:.3?} learnt, {uniform:.3?} at random, {won} won"
    );
    assert!(won >= 6 && learnt[0] > uniform[0] + 0.02, "the front: {learnt:?}, {uniform:?}, {won} won");
    assert!(learnt[1] > uniform[1] + 0.02, "what is asked: {learnt:?}, {uniform:?}");
    assert!(learnt[2] > learnt[3] + 2.0, "good operators stay, bad ones leave: {learnt:?}");
}
