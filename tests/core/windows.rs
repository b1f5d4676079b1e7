//! Windows at the limits: what cannot be met is refused at once, and what can be met is met.

use crate::support::{affordable, architectures, chain, choices, config, everything, subsets};
use crate::synthetic::{options, run, small_space, stored_by, timeless, window, Synthetic};
use nse::arch::Architecture;
use nse::cost::{CostTable, Metric};
use nse::search::*;
use nse::space::Space;
use nse::{Error, Result};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

fn search(space: &Arc<Space>, low: u64, high: u64) -> Result<Search> {
    Search::new(space.clone(), options(1, Window { low, high }, json!({})))
}

fn preset() -> Arc<Space> {
    Arc::new(Space::preset("nse-27", "{}").unwrap())
}

#[test]
fn a_window_that_nothing_meets_is_refused_at_once() {
    let greatest = CostTable::new(&small_space()).range().1.macs;
    assert!(matches!(search(&small_space(), greatest + 1000, u64::MAX), Err(Error::Unreachable { .. })));
    // Costs of the preset are even: no odd number is one, however many architectures are near.
    assert!(matches!(search(&preset(), 300_000_001, 300_000_001), Err(Error::Unreachable { .. })));
    assert!(search(&small_space(), 0, u64::MAX).is_ok());
}

/// A single cost of the published space: draws near it do not meet it, and it is there all the same.
#[test]
fn one_cost_among_very_many_is_known_to_be_there() {
    let space = preset();
    let (costs, mut stream) = (CostTable::new(&space), Stream::new(8, Purpose::Probe, 0, 0));
    for metric in [Metric::Macs, Metric::Params] {
        let prices = costs.prices(metric);
        let kept = |(cell, operators): (usize, &Vec<u16>), stream: &mut Stream| {
            let mut open: Vec<u16> = operators.iter().copied().filter(|_| stream.below(3) == 0).collect();
            if open.is_empty() && !space.cells()[cell].may_be_skipped() {
                open.push(operators[0]);
            }
            open
        };
        let cells = everything(&space).iter().enumerate().map(|cell| kept(cell, &mut stream)).collect();
        let cost = prices.architecture(&Architecture::new(&space, cells).unwrap());
        // All costs are multiples of this, but for what every architecture has.
        let unit = if metric == Metric::Macs { 1568 } else { 8 };
        for (cost, there) in [(cost, true), (prices.range(&space).0 + unit, false)] {
            let budget = json!({ "cost": metric, "low": cost, "high": cost }).to_string();
            let found = Budget::from_json(&budget).unwrap().reach(&space, None).unwrap();
            assert_eq!(found.satisfiable, there, "{metric:?} {cost}");
        }
        let options = json!({ "objective": { "cost": metric, "low": cost, "high": cost }, "active": 27 }).to_string();
        match Search::new(space.clone(), SearchOptions::from_json(&options).unwrap()) {
            Err(Error::TooRare { surely: true, low, high, .. }) => assert_eq!([low, high], [cost as f64; 2]),
            other => panic!("{:?}", other.err()),
        }
    }
}

/// Where all sums can be kept apart, what is rare is drawn as well as anything else.
#[test]
fn one_cost_among_many_is_drawn() {
    let operators: &[&str] = &["mbconv_k3_t1", "mbconv_k5_t2", "conv_k3_t1", "rec_k3_t1"];
    let cells: Vec<(&str, u32, &[&str])> = vec![("normal", 0, operators); 12];
    let space = chain(64, 8, &cells);
    let prices = CostTable::new(&space).prices(Metric::Macs);
    let (active, p) = (everything(&space), vec![vec![0.5; 4]; 12]);
    // The dearest operator of every cell and nothing else: one of 2^48 architectures, or of few.
    let dearest =
        |(cell, operators): (usize, &Vec<u16>)| vec![*operators.iter().max_by_key(|o| prices.operator(cell, **o)).unwrap()];
    let wanted = Architecture::new(&space, active.iter().enumerate().map(dearest).collect()).unwrap();
    let cost = prices.architecture(&wanted);
    let window = Window { low: cost, high: cost };
    let sampler = Sampler::new(&prices, &choices(&space, &active, &p), window).unwrap();
    let drawn = sampler.distinct(&space, 50, &HashSet::new(), &mut Stream::new(1, Purpose::Candidates, 0, 0)).unwrap();
    assert_eq!(drawn.len(), 50);
    assert!(drawn.iter().all(|a| prices.architecture(a) == cost));
}

#[test]
fn a_narrow_window_still_gives_all_candidates() {
    let space = preset();
    let costs = CostTable::new(&space);
    let active: Vec<Vec<u16>> = space.cells().iter().map(|_| vec![0, 3, 9, 12, 21]).collect();
    let p = vec![vec![0.5; 5]; active.len()];
    let narrow = Window { low: 700_000_000, high: 700_010_000 };
    let sampler = Sampler::new(&costs.prices(Metric::Macs), &choices(&space, &active, &p), narrow).unwrap();
    let drawn = sampler.distinct(&space, 200, &HashSet::new(), &mut Stream::new(1, Purpose::Candidates, 0, 0)).unwrap();
    assert_eq!(drawn.len(), 200);
    assert!(drawn.iter().all(|a| narrow.contains(costs.architecture(a).macs)));
}

#[test]
fn sums_beyond_64_bits_do_not_panic() {
    let names: Vec<String> = (1..=8).flat_map(|t| (1..=9).map(move |k| format!("mbconv_k{}_t{t}", 2 * k + 1))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let many: Vec<(&str, u32, &[&str])> = vec![("normal", 0, &names); 40];
    let space = Arc::new(chain(8, 8, &many));
    assert!(search(&space, 0, u64::MAX).is_ok());
    let huge: Vec<(&str, u32, &[&str])> = vec![("reduce", 65_536, &["dualconv_k31_t16", "conv_k31_t16"]); 5];
    let space = Arc::new(chain(4096, 65_536, &huge));
    assert!(matches!(search(&space, 1, 2), Err(Error::Unreachable { .. })));
}

#[test]
fn what_is_very_unlikely_is_not_impossible() {
    let operators: &[&str] = &["mbconv_k1_t1", "mbconv_k3_t1", "conv_k1_t1"];
    let cells: Vec<(&str, u32, &[&str])> = vec![("normal", 0, operators); 40];
    let space = chain(1, 1, &cells);
    let costs = CostTable::new(&space);
    let (active, p) = (everything(&space), vec![vec![5e-4; 3]; 40]);
    let greatest = costs.range().1.macs;
    let all_open = Window { low: greatest, high: greatest };
    let sampler = Sampler::new(&costs.prices(Metric::Macs), &choices(&space, &active, &p), all_open).unwrap();
    let drawn = sampler.distinct(&space, 1, &HashSet::new(), &mut Stream::new(1, Purpose::Candidates, 0, 0)).unwrap();
    assert_eq!(drawn, [Architecture::new(&space, active).unwrap()]);
}

/// Whatever part of the range the window is, the first active subset reaches it, if any subset of that size does.
#[test]
fn the_first_active_subset_is_as_dear_as_it_takes() {
    let space = small_space();
    let costs = CostTable::new(&space);
    // Costs of all ways to open at most three operators of a cell.
    let sums = |cell: usize, subsets: Vec<Vec<u16>>| -> Vec<u64> {
        let few = subsets.into_iter().filter(|s| s.len() <= 3 && (!s.is_empty() || space.cells()[cell].may_be_skipped()));
        few.map(|s| costs.branches(cell, &s).macs).collect()
    };
    let per_cell: Vec<Vec<u64>> = (0..3).map(|cell| sums(cell, subsets(&everything(&space)[cell]))).collect();
    for part in 0..20u32 {
        let Window { low, high } = window(&space, f64::from(part) / 20.0, f64::from(part + 2) / 20.0);
        let fixed = costs.fixed().macs;
        let within =
            |a: &u64| per_cell[1].iter().any(|b| per_cell[2].iter().any(|c| (low..=high).contains(&(fixed + a + b + c))));
        let possible = per_cell[0].iter().any(within);
        let made = Search::new(space.clone(), options(part.into(), Window { low, high }, json!({ "active": 3 })));
        match made {
            Ok(search) => {
                assert!(possible);
                assert!(search.active().iter().all(|cell| cell.len() == 3));
                let inside = |a: &Architecture| (low..=high).contains(&costs.architecture(a).macs);
                assert!(architectures(&space, &search.active()).iter().any(inside), "the active subset misses {low} to {high}");
            }
            Err(error) => {
                assert!(!possible, "{low} to {high}: {error}");
                assert_eq!(config::<()>(Err(error)).1, "/active");
            }
        }
    }
}

/// Without `preserve`, a front member that lost an operator leaves with it.
#[test]
fn a_dropped_operator_never_returns_through_the_front() {
    let space = small_space();
    let mut lost = 0;
    for seed in 0..60 {
        let rest = json!({
            "active": 4, "rounds": 6, "train": { "epochs": 3 }, "candidates": { "count": 12, "extras": 2 },
            "fitness": { "interval": 1, "lr": 0.3, "threshold": -0.8, "preserve": false }
        });
        let mut search = Search::new(space.clone(), options(seed, window(&space, 0.1, 0.3), rest)).unwrap();
        let mut trainer = Synthetic::new(&space, seed);
        run(&mut search, &mut trainer, &Silent);
        let mut dropped: Vec<HashSet<String>> = vec![HashSet::new(); 3];
        for record in timeless(search.history()) {
            for (cell, dropped) in dropped.iter_mut().enumerate() {
                let names = |key: &str| {
                    record[key][cell].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect::<Vec<_>>()
                };
                dropped.extend(names("dropped"));
                lost += names("dropped").len();
                for name in names("retained").iter().chain(&names("refilled")) {
                    assert!(!dropped.contains(name), "seed {seed}: {name} is back");
                }
            }
        }
    }
    assert!(lost > 100, "only {lost} drops: nothing was tested");
}

/// How many scores too many it gives, and which.
struct Miscounts(Synthetic, isize, f64);

impl Trainer for Miscounts {
    fn steps_per_epoch(&self) -> u64 {
        self.0.steps_per_epoch()
    }
    fn steps_per_candidate(&self) -> f64 {
        self.0.steps_per_candidate()
    }
    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        self.0.begin_round(seed, round, active)
    }
    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        self.0.weight_step(at, open, lr)
    }
    fn architecture_step(&mut self, at: At, active: &[Vec<u16>], paths: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        self.0.architecture_step(at, active, paths)
    }
    stored_by!(0);

    fn score(&mut self, seed: u64, round: u64, candidates: &[Architecture], control: &dyn Control) -> Result<Vec<f64>> {
        let scores = self.0.score(seed, round, candidates, control)?;
        Ok(vec![self.2; scores.len().saturating_add_signed(self.1)])
    }
}

#[test]
fn an_accuracy_that_is_none_is_told_so() {
    for accuracy in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        let space = small_space();
        let mut search = search(&space, 0, u64::MAX).unwrap();
        let result = search.step(&mut Miscounts(Synthetic::new(&space, 1), 0, accuracy), &Silent);
        assert!(matches!(result, Err(Error::Argument { name: "trainer", .. })), "{accuracy}");
    }
}

#[test]
fn a_trainer_that_miscounts_is_told_so() {
    for wrong in [-100, -1, 1] {
        let space = small_space();
        let mut search = search(&space, 0, u64::MAX).unwrap();
        let result = search.step(&mut Miscounts(Synthetic::new(&space, 1), wrong, 0.5), &Silent);
        assert!(matches!(result, Err(Error::Argument { name: "trainer", .. })), "{wrong}");
    }
}

#[test]
fn options_made_by_hand_are_checked_too() {
    let made = SearchOptions { active: 1, ..options(1, Window { low: 0, high: 10_000 }, json!({})) };
    assert_eq!(config(Search::new(small_space(), made)).1, "/active");
}

/// Weights of an operator that no architecture in the window may use would be trained for nothing.
#[test]
fn an_operator_too_dear_for_the_window_takes_no_part() {
    let space = small_space();
    let mut sizes = HashSet::new();
    for part in [0.02, 0.05, 0.1, 0.2, 0.5] {
        let Window { high, .. } = window(&space, 0.0, part);
        let fits = affordable(&space, high);
        let search =
            Search::new(space.clone(), options(1, Window { low: 0, high }, json!({ "active": 7, "rounds": null }))).unwrap();
        assert_eq!(search.active(), fits);
        let most = fits.iter().map(Vec::len).max().unwrap() as u64;
        assert_eq!(search.rounds().1, ((most - 1) / 6).max(1));
        sizes.insert(fits.iter().map(Vec::len).sum::<usize>());
    }
    assert!(sizes.len() > 2, "the windows differ in what fits: {sizes:?}");
}
