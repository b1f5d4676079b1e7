//! A finished search continued in a larger pool: its front is the protected start, and what had its turn does not come again.

use crate::support::chain;
use crate::synthetic::{options, run, small_space, window, Synthetic};
use nse::arch::Architecture;
use nse::search::*;
use nse::space::Space;
use nse::{Error, Result};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

const OLD: [&str; 7] =
    ["mbconv_k1_t1", "mbconv_k3_t1", "mbconv_k3_t2", "mbconv_k5_t1", "conv_k3_t1", "rec_k3_t1", "dualconv_k3_t1"];

const NEW: [&str; 5] = ["rec_k5_t1", "mbconv_k7_t1", "conv_k5_t1", "mbconv_k3_t3", "rec_k7_t1"];

/// The cells of `small_space` with more operators, and the old ones in another order.
fn larger() -> Arc<Space> {
    let operators: Vec<&str> = NEW.iter().chain(OLD.iter().rev()).copied().collect();
    Arc::new(chain(1, 2, &[("normal", 0, &operators), ("reduce", 3, &operators), ("normal", 0, &operators)]))
}

fn rest(rounds: u64) -> serde_json::Value {
    json!({
        "active": 3, "rounds": rounds, "train": { "epochs": 2 }, "candidates": { "count": 10, "extras": 3 },
        "fitness": { "interval": 1, "lr": 0.3, "threshold": -0.5 }
    })
}

fn finished(seed: u64) -> Search {
    let space = small_space();
    let mut search = Search::new(space.clone(), options(seed, window(&space, 0.0, 0.5), rest(2))).unwrap();
    run(&mut search, &mut Synthetic::new(&space, seed), &Silent);
    search
}

fn continued(old: &Search, space: &Arc<Space>, seed: u64) -> Result<Search> {
    let window = old.options().objective.window();
    Search::start(space.clone(), options(seed, window, rest(3)), Start { continued: Some(old), ..Start::default() })
}

fn names(space: &Space, cells: &[Vec<u16>]) -> Vec<BTreeSet<String>> {
    let name = |cell: usize, o: &u16| space.cells()[cell].operators[usize::from(*o)].to_string();
    cells.iter().enumerate().map(|(i, cell)| cell.iter().map(|o| name(i, o)).collect()).collect()
}

fn sorted(mut cells: Vec<Vec<String>>) -> Vec<Vec<String>> {
    cells.iter_mut().for_each(|cell| cell.sort());
    cells
}

#[test]
fn the_front_is_the_protected_start() {
    let space = larger();
    for seed in 0..30 {
        let old = finished(seed);
        let mut search = continued(&old, &space, seed + 100).unwrap();
        let front = |search: &Search| -> Vec<_> {
            search.front().iter().map(|s| (sorted(s.architecture.names(search.space())), s.price, s.accuracy)).collect()
        };
        assert_eq!(front(&search), front(&old), "it begins with the front that it was given");
        assert!(search.front().iter().all(|s| s.found == 0));
        assert_eq!(search.rounds(), (0, 3));

        let mut used = vec![BTreeSet::new(); 3];
        for (cells, ..) in front(&old) {
            used.iter_mut().zip(cells).for_each(|(used, cell)| used.extend(cell));
        }
        let begun = names(&space, &search.active());
        for (begun, used) in begun.iter().zip(&used) {
            assert!(begun.is_superset(used), "what the front uses is active");
            assert_eq!(begun.len(), used.len().max(3), "filled up to three");
        }

        let mut trainer = Synthetic::new(&space, seed);
        search.step(&mut trainer, &Silent).unwrap();
        let record = &search.history()[0];
        for (dropped, used) in record.dropped.iter().zip(&used) {
            assert!(dropped.iter().all(|name| !used.contains(name)), "the front's operators are protected");
        }
        let scored: BTreeSet<_> = trainer.scored[0].iter().map(|a| sorted(a.names(&space))).collect();
        assert!(front(&old).iter().all(|(cells, ..)| scored.contains(cells)), "the front is scored again");
        assert!(run(&mut search, &mut trainer, &Silent).is_empty());
    }
}

/// In another window the front's operators are protected all the same, but its members outside are no candidates.
#[test]
fn another_window_keeps_only_the_members_inside() {
    let space = larger();
    let mut outside = 0;
    for seed in 0..30 {
        let old = finished(seed);
        let window = window(&small_space(), 0.06, 0.5);
        let mut search =
            Search::start(space.clone(), options(seed, window, rest(1)), Start { continued: Some(&old), ..Start::default() })
                .unwrap();
        let inside = old.front().iter().filter(|s| window.contains(s.price)).count();
        outside += old.front().len() - inside;
        assert_eq!(search.front().len(), inside);
        let used = |search: &Search| search.active().iter().map(Vec::len).sum::<usize>();
        assert!(used(&search) >= 9);
        run(&mut search, &mut Synthetic::new(&space, seed), &Silent);
        assert!(search.history()[0].candidates.iter().all(|p| window.contains(p.macs)));
    }
    assert!(outside > 5, "{outside} members outside");
}

#[test]
fn what_had_its_turn_does_not_come_again() {
    let space = larger();
    let (mut left, mut old_ones) = (0, 0);
    for seed in 0..30 {
        let old = finished(seed);
        // Everything that was ever active and is not on the front at the end.
        let mut turned: Vec<BTreeSet<String>> = vec![BTreeSet::new(); 3];
        for record in old.history() {
            for (turned, (fitness, dropped)) in turned.iter_mut().zip(record.fitness.iter().zip(&record.dropped)) {
                turned.extend(fitness.iter().map(|f| f.operator.clone()));
                turned.extend(dropped.iter().cloned());
            }
        }
        for member in &old.history().last().unwrap().front {
            turned.iter_mut().zip(&member.cells).for_each(|(turned, cell)| turned.retain(|o| !cell.contains(o)));
        }
        let mut search = continued(&old, &space, seed).unwrap();
        let mut trainer = Synthetic::new(&space, seed);
        run(&mut search, &mut trainer, &Silent);
        for begun in &trainer.begun {
            for (cell, begun) in names(&space, begun).iter().enumerate() {
                assert!(begun.is_disjoint(&turned[cell]), "seed {seed}");
                old_ones += begun.iter().filter(|name| OLD.contains(&name.as_str())).count();
            }
        }
        left += turned.iter().map(BTreeSet::len).sum::<usize>();
    }
    assert!(left > 30 && old_ones > 30, "{left} left, {old_ones} of the old pool");
}

#[test]
fn what_does_not_fit_is_refused() {
    let old = finished(1);
    let refused = |search: Result<Search>| match search.err() {
        Some(Error::Argument { name: "continued", reason }) => reason,
        other => panic!("{other:?}"),
    };
    let small = small_space();
    let running = Search::new(small.clone(), options(1, window(&small, 0.0, 0.5), rest(2))).unwrap();
    assert_eq!(refused(continued(&running, &larger(), 1)), "the search is not finished: 0 of 2 rounds are complete");
    let shorter = Arc::new(chain(1, 2, &[("normal", 0, &OLD), ("reduce", 3, &OLD)]));
    assert_eq!(refused(continued(&old, &shorter, 1)), "3 cells, the space to be searched has 2");
    let wider = Arc::new(chain(1, 2, &[("normal", 0, &OLD), ("reduce", 4, &OLD), ("normal", 0, &OLD)]));
    assert_eq!(refused(continued(&old, &wider, 1)), "cell 1 has another kind or other shapes in the space to be searched");
    let without = Arc::new(chain(1, 2, &[("normal", 0, &NEW), ("reduce", 3, &NEW), ("normal", 0, &NEW)]));
    match continued(&old, &without, 1).err() {
        Some(Error::Config { reason, .. }) => assert!(reason.ends_with("is not a candidate of this cell"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

/// The published second search: a front written down by hand, in a pool of 27 operators, continued in one of 72.
#[test]
fn architectures_as_a_start() {
    let first = Arc::new(Space::preset("nse-27", "{}").unwrap());
    let second = Arc::new(Space::preset("nse-72", "{}").unwrap());
    let front: Vec<_> = [
        // Two of the published front.
        "[] [6] [3] [0] [] [16,13] [] [9] [9] [11,17] [9] [15] [12] [1,6] [12] [] [9] [17,14] [21] [19] [13] [19,3,14]",
        "[0] [6,9] [3,0] [] [] [16] [3] [] [9] [11,17] [9,2] [15] [] [1,6] [12] [] [0,9] [17,13,14] [21] [19] [13] [19,3,14]",
    ]
    .iter()
    .map(|cells| serde_json::from_str(&format!("[{}]", cells.replace(' ', ","))).unwrap())
    .map(|cells| (first.clone(), Architecture::new(&first, cells).unwrap()))
    .collect();
    let options = SearchOptions::from_json(r#"{"preset": "published-72", "objective": {"low": 250000000}}"#).unwrap();
    let start = Start { front, ..Start::default() };
    let search = Search::start(second.clone(), options.clone(), start.clone()).unwrap();
    assert_eq!(search.rounds(), (0, 3));
    assert_eq!(search.front().len(), 2);
    assert!(search.front().iter().all(|s| s.accuracy == 0.0 && s.found == 0 && (250_000_000..=350_000_000).contains(&s.price)));
    let used: [&[u16]; 22] = [
        &[0],
        &[6, 9],
        &[0, 3],
        &[0],
        &[],
        &[13, 16],
        &[3],
        &[9],
        &[9],
        &[11, 17],
        &[2, 9],
        &[15],
        &[12],
        &[1, 6],
        &[12],
        &[],
        &[0, 9],
        &[13, 14, 17],
        &[21],
        &[19],
        &[13],
        &[3, 14, 19],
    ];
    for (active, used) in search.active().iter().zip(used) {
        assert_eq!(active[..used.len()], *used, "the union of the front");
        assert_eq!(active.len(), 5);
        assert!(active[used.len()..].iter().all(|o| *o >= 27), "then only what the first pool did not have: {active:?}");
    }
    // In the same space nothing had its turn.
    let again = Search::start(first.clone(), options.clone(), start.clone()).unwrap();
    assert!(again.active().iter().any(|active| active.len() == 5));
    let old = finished(1);
    let both = Start { continued: Some(&old), ..start };
    assert!(matches!(Search::start(second, options, both), Err(Error::Argument { name: "start", .. })));
}
