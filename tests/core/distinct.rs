//! Drawing without replacement: the distribution of what comes after what, the end of what there is, and the error that says so.

use crate::support::{architectures, assert_frequencies, chain, choices, everything};
use crate::synthetic::{options, small_space, window, Synthetic};
use nse::arch::Architecture;
use nse::cost::{CostTable, Metric};
use nse::search::gates::probability;
use nse::search::*;
use nse::space::Space;
use nse::Error;
use serde_json::json;
use std::collections::{HashMap, HashSet};

struct Small {
    space: Space,
    sampler: Sampler,
    /// Every architecture inside the window with its probability.
    inside: Vec<(Architecture, f64)>,
}

/// `p` is of all operators.
fn small(p: [[f64; 2]; 2], low: f64, high: f64) -> Small {
    let space = chain(6, 2, &[("normal", 0, &["conv_k3_t1", "mbconv_k3_t1"]), ("reduce", 3, &["conv_k3_t1", "rec_k3_t2"])]);
    let (costs, active) = (CostTable::new(&space), everything(&space));
    let (least, greatest) = costs.range();
    let at = |part: f64| least.macs + ((greatest.macs - least.macs) as f64 * part) as u64;
    let window = Window { low: at(low), high: at(high) };
    let p: Vec<Vec<f64>> = p.iter().map(|p| p.to_vec()).collect();
    let sampler = Sampler::new(&costs.prices(Metric::Macs), &choices(&space, &active, &p), window).unwrap();
    let mass = |a: &Architecture| -> f64 {
        let gates = |cell: usize| active[cell].iter().map(|o| a.cells()[cell].contains(o)).collect::<Vec<_>>();
        (0..2).map(|cell| probability(&p[cell], &gates(cell))).product()
    };
    let mut inside: Vec<_> = architectures(&space, &active).into_iter().map(|a| (a.clone(), mass(&a))).collect();
    inside.retain(|(a, _)| window.contains(costs.architecture(a).macs));
    let total: f64 = inside.iter().map(|(_, mass)| mass).sum();
    inside.iter_mut().for_each(|(_, mass)| *mass /= total);
    Small { space, sampler, inside }
}

/// Three in a row: P(a) P(b) / (1 - P(a)) P(c) / (1 - P(a) - P(b)).
#[test]
fn rows_of_three_have_their_probabilities() {
    // Even, and so uneven that the most probable one comes again and again: then the tree draws.
    for p in [[[0.5, 0.4], [0.6, 0.5]], [[0.999, 0.999], [0.999, 0.98]], [[0.001, 0.5], [0.9995, 0.0005]]] {
        for (low, high) in [(0.0, 1.0), (0.2, 0.9)] {
            let small = small(p, low, high);
            let places: HashMap<_, _> = small.inside.iter().enumerate().map(|(i, (a, _))| (a.clone(), i)).collect();
            let n = small.inside.len();
            assert!(n > 4);
            let mut observed = vec![0; n * n * n];
            for draw in 0..20_000 {
                let mut stream = Stream::new(3, Purpose::Candidates, 0, draw);
                let drawn = small.sampler.distinct(&small.space, 3, &HashSet::new(), &mut stream).unwrap();
                let [a, b, c] = [0, 1, 2].map(|i| places[&drawn[i]]);
                observed[(a * n + b) * n + c] += 1;
            }
            let mass = |i: usize| small.inside[i].1;
            let row = |a: usize, b: usize, c: usize| match a == b || a == c || b == c {
                true => 0.0,
                false => mass(a) * mass(b) / (1.0 - mass(a)) * mass(c) / (1.0 - mass(a) - mass(b)),
            };
            let expected: Vec<f64> = (0..n * n * n).map(|i| row(i / (n * n), i / n % n, i % n)).collect();
            let total: f64 = expected.iter().sum();
            assert!((total - 1.0).abs() < 1e-6);
            assert_frequencies(&observed, &expected.iter().map(|e| e / total).collect::<Vec<_>>(), &format!("{p:?}"));
        }
    }
}

#[test]
fn all_there_is_comes_once_however_unlikely() {
    for p in [[[0.5, 0.5], [0.5, 0.5]], [[0.9995, 0.9995], [0.9995, 0.0005]]] {
        for (low, high) in [(0.0, 1.0), (0.3, 0.8)] {
            let small = small(p, low, high);
            let all: HashSet<_> = small.inside.iter().map(|(a, _)| a.clone()).collect();
            let mut stream = Stream::new(4, Purpose::Candidates, 0, 0);
            let drawn = small.sampler.distinct(&small.space, 1000, &HashSet::new(), &mut stream).unwrap();
            assert_eq!(drawn.len(), all.len());
            assert_eq!(drawn.into_iter().collect::<HashSet<_>>(), all);
            let known: HashSet<_> = all.iter().take(3).cloned().collect();
            let rest = small.sampler.distinct(&small.space, 1000, &known, &mut stream).unwrap();
            assert_eq!(rest.into_iter().collect::<HashSet<_>>(), &all - &known);
        }
    }
}

/// Learnt to the limit: one architecture has 95% of the mass, and 2,000 different ones are wanted.
#[test]
fn a_distribution_at_its_limit_still_gives_thousands() {
    let space = Space::preset("nse-27", "{}").unwrap();
    let active = vec![vec![0, 3, 6, 9, 12]; 22];
    let p = vec![vec![0.9995; 5]; 22];
    let everywhere = Window { low: 0, high: u64::MAX };
    let prices = CostTable::new(&space).prices(Metric::Macs);
    let sampler = Sampler::new(&prices, &choices(&space, &active, &p), everywhere).unwrap();
    let mut stream = Stream::new(5, Purpose::Candidates, 0, 0);
    let started = std::time::Instant::now();
    let drawn = sampler.distinct(&space, 2000, &HashSet::new(), &mut stream).unwrap();
    println!("2,000 of a distribution at its limit in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), 2000);
    assert_eq!(drawn[0].cells(), active, "the most probable one, first");
    let missing = |a: &Architecture| 110 - a.cells().iter().map(Vec::len).sum::<usize>();
    assert!(drawn[..90].iter().all(|a| missing(a) <= 2), "then those next to it");
}

#[test]
fn a_space_without_operators_has_one_architecture() {
    let space = chain(2, 1, &[("normal", 0, &["conv_k1_t1"])]);
    let prices = CostTable::new(&space).prices(Metric::Macs);
    let (active, p) = (vec![vec![]], vec![vec![]]);
    let sampler = Sampler::new(&prices, &choices(&space, &active, &p), Window { low: 0, high: u64::MAX }).unwrap();
    let drawn = sampler.distinct(&space, 5, &HashSet::new(), &mut Stream::new(6, Purpose::Candidates, 0, 0)).unwrap();
    assert_eq!(drawn, [Architecture::new(&space, vec![vec![]]).unwrap()]);
}

#[test]
fn too_few_candidates_are_an_error_unless_accepted() {
    let space = small_space();
    let narrow = window(&space, 0.05, 0.06);
    let rest = |too_few: &str| json!({ "active": 2, "rounds": 2, "train": { "epochs": 0.2 }, "candidates": { "count": 500, "extras": 3, "too_few": too_few } });
    let active = Search::new(space.clone(), options(3, narrow, rest("accept"))).unwrap().active();
    let costs = CostTable::new(&space);
    let there = architectures(&space, &active).iter().filter(|a| narrow.contains(costs.architecture(a).macs)).count();
    assert!((1..500).contains(&there), "{there} in the window");
    match Search::new(space.clone(), options(3, narrow, rest("error"))).err() {
        Some(Error::TooFew { wanted: 500, found, known: 0 }) => assert_eq!(found, there, "said before anything is trained"),
        other => panic!("{other:?}"),
    }
    let error = Error::TooFew { wanted: 500, found: there, known: 2 };
    assert_eq!(
        error.to_string(),
        format!(
            "500 new candidates are wanted, but only {there} different architectures of the active operators lie in the cost \
             window, beside the 2 of the front"
        )
    );
    assert_eq!(error.detail(), json!({ "wanted": 500, "found": there, "known": 2 }));
    let mut search = Search::new(space.clone(), options(3, narrow, rest("accept"))).unwrap();
    search.step(&mut Synthetic::new(&space, 3), &Silent).unwrap();
    assert_eq!(search.history()[0].candidates.len(), there);
}

/// What is lost while a round is trained is known only afterwards; nothing else is lost, and a checkpoint may be loaded with other
/// options for its candidates.
#[test]
fn too_few_candidates_after_training() {
    let space = small_space();
    let everywhere = window(&space, 0.0, 1.0);
    let rest = |count: u64| {
        json!({ "active": 3, "rounds": 1, "train": { "epochs": 9 }, "fitness": { "interval": 1, "lr": 0.5, "threshold": -0.1 },
                "candidates": { "count": count, "extras": 0, "too_few": "error" } })
    };
    let active = Search::new(space.clone(), options(3, everywhere, rest(1))).unwrap().active();
    let all = architectures(&space, &active).len();
    let mut search = Search::new(space.clone(), options(3, everywhere, rest(all as u64))).unwrap();
    let mut trainer = Synthetic::new(&space, 3);
    for _ in 0..2 {
        match search.step(&mut trainer, &Silent).err() {
            Some(Error::TooFew { found, .. }) => assert_eq!(found, architectures(&space, &search.active()).len()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(trainer.opened.len(), 90, "trained once");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.nse");
    nse::checkpoint::save(&path, &search, &trainer).unwrap();
    let mut changed = search.options().clone();
    changed.candidates.too_few = TooFew::Accept;
    let text = serde_json::to_string(&changed).unwrap();
    let expected = nse::checkpoint::Expected { options: Some(&text), ..Default::default() };
    let mut search = nse::checkpoint::load(&path, &expected).unwrap().resume(&mut trainer).unwrap();
    assert_eq!(search.step(&mut trainer, &Silent).unwrap(), Status::Done);
    assert!(!search.front().is_empty());
}
