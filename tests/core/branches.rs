//! Single-branch searches, and the rehearsal of the last front.

use crate::support::{architectures, assert_frequencies, between, chain, everything, gate_vectors};
use crate::synthetic::{options, run, small_space, window, Synthetic};
use nse::arch::Architecture;
use nse::cost::{CostTable, Metric};
use nse::search::gates::{draw_single, probability};
use nse::search::*;
use serde_json::{json, Value};
use std::collections::{BTreeSet, HashSet};

fn stream(index: u64) -> Stream {
    Stream::new(8, Purpose::Candidates, 0, index)
}

fn ones(gates: &[bool]) -> usize {
    gates.iter().filter(|open| **open).count()
}

#[test]
fn single_gates_follow_the_conditional_distribution() {
    let mut stream = stream(0);
    for n in 1..=6 {
        let p: Vec<f64> = (0..n).map(|_| between(&mut stream, 0.01, 0.99)).collect();
        let all = gate_vectors(n);
        for forbidden in [vec![], vec![vec![false; n]], vec![all[1].clone()], vec![vec![false; n], all[1].clone()]] {
            let allowed = |gates: &Vec<bool>| ones(gates) <= 1 && !forbidden.contains(gates);
            let masses: Vec<f64> = all.iter().map(|g| if allowed(g) { probability(&p, g) } else { 0.0 }).collect();
            let total: f64 = masses.iter().sum();
            if total == 0.0 {
                assert_eq!(draw_single(&p, &forbidden, &mut stream), None);
                continue;
            }
            let mut observed = vec![0; all.len()];
            for _ in 0..4000 {
                let drawn = draw_single(&p, &forbidden, &mut stream).unwrap();
                observed[all.iter().position(|g| *g == drawn).unwrap()] += 1;
            }
            assert_frequencies(&observed, &masses.iter().map(|m| m / total).collect::<Vec<_>>(), &format!("{p:?}"));
        }
    }
    assert_eq!(draw_single(&[], &[], &mut stream), Some(vec![]));
    assert_eq!(draw_single(&[], &[vec![]], &mut stream), None);
}

#[test]
fn single_architectures_follow_the_conditional_distribution() {
    let names = ["mbconv_k3_t1", "conv_k3_t2", "rec_k3_t1"];
    let space = chain(8, 2, &[("normal", 0, &names), ("reduce", 3, &names), ("normal", 0, &names)]);
    let (costs, active) = (CostTable::new(&space), everything(&space));
    let mut stream = stream(1);
    let p: Vec<Vec<f64>> = active.iter().map(|a| a.iter().map(|_| between(&mut stream, 0.1, 0.9)).collect()).collect();
    let cells: Vec<_> = (space.cells().iter().zip(&active).zip(&p))
        .map(|((cell, active), p)| CellChoices { active, p, may_be_skipped: cell.may_be_skipped(), single: true })
        .collect();
    let single = |a: &Architecture| a.cells().iter().all(|open| open.len() <= 1);
    let all: Vec<Architecture> = architectures(&space, &active).into_iter().filter(single).collect();
    assert_eq!(all.len(), 4 * 3 * 4);
    let mut prices: Vec<u64> = all.iter().map(|a| costs.architecture(a).macs).collect();
    prices.sort();
    for window in [Window { low: prices[12], high: prices[36] }, Window { low: 0, high: u64::MAX }] {
        let sampler = Sampler::new(&costs.prices(Metric::Macs), &cells, window).unwrap();
        let mass = |a: &Architecture| {
            let gates = |cell: usize| active[cell].iter().map(|o| a.cells()[cell].contains(o)).collect::<Vec<_>>();
            let inside = window.contains(costs.architecture(a).macs);
            if inside {
                (0..3).map(|cell| probability(&p[cell], &gates(cell))).product()
            } else {
                0.0
            }
        };
        let masses: Vec<f64> = all.iter().map(mass).collect();
        let total: f64 = masses.iter().sum();
        let mut observed = vec![0; all.len()];
        for _ in 0..5000 {
            let drawn = sampler.distinct(&space, 1, &HashSet::new(), &mut stream).unwrap();
            observed[all.iter().position(|a| *a == drawn[0]).unwrap()] += 1;
        }
        assert_frequencies(&observed, &masses.iter().map(|m| m / total).collect::<Vec<_>>(), &format!("{window:?}"));
    }
    let dear = Window { low: prices[prices.len() - 1] + 1, high: u64::MAX };
    match Sampler::new(&costs.prices(Metric::Macs), &cells, dear).err() {
        Some(nse::Error::Unreachable { greatest, .. }) => assert_eq!(greatest as u64, prices[prices.len() - 1]),
        other => panic!("{other:?}"),
    }
}

fn rest(more: Value) -> Value {
    let mut rest = json!({
        "active": 4, "rounds": 3, "train": { "epochs": 3 }, "candidates": { "count": 12, "extras": 4 },
        "fitness": { "interval": 1, "lr": 0.2, "threshold": -1.0 }
    });
    for (key, value) in more.as_object().unwrap() {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(inner, value)| rest[key][inner] = value.clone()),
            _ => rest[key] = value.clone(),
        }
    }
    rest
}

#[test]
fn a_single_branch_search_opens_one_operator_at_a_time() {
    let space = small_space();
    for seed in 0..20 {
        let mut search =
            Search::new(space.clone(), options(seed, window(&space, 0.0, 0.3), rest(json!({ "branches": "single" })))).unwrap();
        let mut trainer = Synthetic::new(&space, seed);
        assert!(run(&mut search, &mut trainer, &Silent).is_empty());
        let mut empty = 0;
        for open in trainer.opened.iter().flatten() {
            assert!(open.len() <= 1);
            empty += usize::from(open.is_empty());
        }
        assert!(empty > 0, "normal cells are skipped too");
        assert!(trainer.scored.iter().flatten().all(|a| a.cells().iter().all(|open| open.len() <= 1)));
        for two in trainer.learnt.iter().flat_map(|(_, paths)| paths).flatten() {
            assert!(ones(&two.selected) <= 1 && ones(&two.unselected) <= 1);
        }
    }
}

/// In half of the architecture steps after the first front the selected path is what it uses, in every cell.
#[test]
fn the_last_front_is_rehearsed_in_half_of_the_steps() {
    let space = small_space();
    for (rehearse, branches) in [(true, "multi"), (false, "multi"), (true, "single")] {
        let more = json!({ "branches": branches, "fitness": { "strict_prev": rehearse, "lr": 0.01 }, "train": { "epochs": 20 } });
        let mut search = Search::new(space.clone(), options(2, window(&space, 0.0, 0.6), rest(more))).unwrap();
        let mut trainer = Synthetic::new(&space, 2);
        search.step(&mut trainer, &Silent).unwrap();
        let mut used: Vec<BTreeSet<u16>> = vec![BTreeSet::new(); 3];
        for member in search.front() {
            used.iter_mut().zip(member.architecture.cells()).for_each(|(used, open)| used.extend(open));
        }
        let active = search.active();
        trainer.learnt.clear();
        search.step(&mut trainer, &Silent).unwrap();
        let can = |cell: usize| branches == "multi" || used[cell].len() <= 1;
        let rehearsed = |paths: &Vec<Option<TwoPaths>>| {
            (0..3).filter(|cell| can(*cell)).all(|cell| {
                let gates: Vec<bool> = active[cell].iter().map(|o| used[cell].contains(o)).collect();
                paths[cell].as_ref().is_none_or(|two| two.selected == gates)
            })
        };
        assert!(used.iter().any(|used| !used.is_empty()));
        assert!((0..3).any(can), "nothing to rehearse with {branches} branches");
        let steps = trainer.learnt.len();
        let hits = trainer.learnt.iter().filter(|(_, paths)| rehearsed(paths)).count();
        assert_eq!(steps, 200);
        match (rehearse, branches) {
            (true, "multi") => assert!((80..=125).contains(&hits), "{hits} of {steps}"),
            (true, _) => assert!(hits > 80, "{hits} of {steps}"),
            _ => assert!(hits < 60, "{hits} of {steps}"),
        }
    }
}
