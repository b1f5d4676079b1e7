//! The search of ensembles, with a trainer whose operators are known and whose ensembles are better when their paths differ: how the space
//! shrinks, what is drawn, how candidates evolve, what a window means, and errors that name the bad value.

use crate::support::config;
use crate::synthetic::{options, run, small_space, timeless, window, Synthetic};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::search::*;
use nse::space::Space;
use nse::Error;
use serde_json::{json, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const ALL: Window = Window { low: 0, high: u64::MAX >> 12 };

fn with(mut more: Value) -> Value {
    let base = json!({
        "branches": "single", "train": { "epochs": 0.7 }, "candidates": { "count": 60 },
        "strategy": { "neas": { "shrink": { "drop": { "per_cell": 1 }, "until": 30 }, "evolution": { "population": 12, "parents": 5 } } }
    });
    for (key, value) in base.as_object().unwrap() {
        if more[key].is_null() {
            more[key] = value.clone();
        }
    }
    more
}

fn finished(space: &Arc<Space>, seed: u64, window: Window, rest: Value) -> (Search, Synthetic) {
    let mut search = Search::new(space.clone(), options(seed, window, with(rest))).unwrap();
    let mut trainer = Synthetic::new(space, seed);
    let errors = run(&mut search, &mut trainer, &Silent);
    assert!(errors.is_empty(), "{errors:?}");
    (search, trainer)
}

/// Choices that are left in every cell after every round but the last.
fn left(search: &Search) -> Vec<Vec<BTreeSet<Option<String>>>> {
    let cell = |scores: &Vec<ChoiceScore>| scores.iter().filter(|s| s.stays).map(|s| s.operator.clone()).collect();
    let rounds = search.history().iter().filter(|record| record.front.is_empty());
    rounds.map(|record| record.scores.iter().map(cell).collect()).collect()
}

#[test]
fn one_choice_leaves_every_cell_and_the_best_never() {
    let space = small_space();
    for seed in 0..5 {
        let (search, trainer) = finished(&space, seed, ALL, json!({}));
        let rounds = left(&search);
        // 8, 7 and 8 choices; 4 x 3 x 4 = 48 are too many, 3 x 2 x 3 are not.
        let counts: Vec<Vec<usize>> = rounds.iter().map(|cells| cells.iter().map(BTreeSet::len).collect()).collect();
        assert_eq!(counts, (1..=5).map(|gone| vec![8 - gone, 7 - gone, 8 - gone]).collect::<Vec<_>>());
        for (record, cells) in search.history().iter().zip(&rounds) {
            for (scores, left) in record.scores.iter().zip(cells) {
                let best = scores.iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
                assert!(left.contains(&best.operator), "seed {seed}");
            }
        }
        // Weights go on; every step goes along two paths that share one cell or two.
        assert_eq!((trainer.begun.len(), trainer.kept.len(), trainer.ensembles.len()), (1, 5, 6 * 7));
        let splits: BTreeSet<_> = trainer.ensembles.iter().map(|e| (e.paths().count(), e.paths().split())).collect();
        assert_eq!(splits, BTreeSet::from([(2, 1), (2, 2)]));
        assert!(trainer.learnt.is_empty(), "no architecture step");
    }
}

#[test]
fn candidates_are_ensembles_inside_the_window_and_each_is_scored_once() {
    let space = small_space();
    for (paths, split) in [(2, json!(null)), (3, json!([0, 1])), (2, json!([2, 2]))] {
        let window = window(&space, 0.1, 0.5);
        let neas = json!({ "neas": { "paths": paths, "split": split, "shrink": { "until": 1e9 }, "evolution": { "population": 12, "parents": 5 } } });
        let (search, trainer) = finished(&space, 3, window, json!({ "strategy": neas }));
        let scored = trainer.scored.last().unwrap();
        assert_eq!(scored.len(), 60);
        assert_eq!(scored.iter().collect::<BTreeSet<_>>().len(), 60);
        let costs = CostTable::new(&space);
        let active = search.active();
        for candidate in scored {
            assert!(window.contains(costs.architecture(candidate).macs), "{}", costs.architecture(candidate).macs);
            assert!(candidate.by_cell().all(|(cell, open)| open.iter().all(|o| active[cell].contains(o)) && open.len() < 2));
            assert_eq!(candidate.paths().count(), paths);
            let allowed = split.as_array().map_or(1..=2, |s| s[0].as_u64().unwrap() as usize..=s[1].as_u64().unwrap() as usize);
            assert!(allowed.contains(&candidate.paths().split()));
        }
        assert_eq!(search.history().last().unwrap().candidates.len(), 60);
        assert!(search.history().last().unwrap().extras.is_empty());
        // Members of the front are written as ensembles are.
        for (member, scored) in search.history().last().unwrap().front.iter().zip(search.front()) {
            let document = json!({ "cells": member.cells, "paths": member.paths });
            assert_eq!(Architecture::from_json(&space, &document.to_string()).unwrap(), scored.architecture);
            assert_eq!(member.macs, costs.architecture(&scored.architecture).macs);
        }
    }
}

/// With one generation all are drawn; with several the best is better, mostly.
#[test]
fn evolution_finds_better_ensembles_than_chance() {
    let space = small_space();
    let best = |seed: u64, population: u64| {
        let evolution = json!({ "population": population, "parents": 6, "mutation": 0.2 });
        let neas = json!({ "neas": { "shrink": { "until": 1e9 }, "evolution": evolution } });
        let rest = json!({ "strategy": neas, "candidates": { "count": 80 }, "scorer": "magnitude" });
        let (search, trainer) = finished(&space, seed, ALL, rest);
        assert_eq!(trainer.scored.last().unwrap().len(), 80);
        search.front().iter().map(|s| s.accuracy).fold(0.0, f64::max)
    };
    let better = (0..20).filter(|seed| best(*seed, 10) > best(*seed, 80) + 1e-9).count();
    assert!(better >= 16, "in {better} of 20");
}

/// By hand, from what was judged: z of the mean accuracy and of the mean diversity, over all choices.
#[test]
fn scores_are_potential_and_diversity_in_units_of_their_deviation() {
    let space = small_space();
    for weight in [0.0, 1.0, 2.5] {
        let scorer = json!({ "diversity": { "samples": 6, "weight": weight } });
        let (search, trainer) = finished(&space, 7, ALL, json!({ "scorer": scorer }));
        let mut of: BTreeMap<(usize, Option<String>), Vec<&Architecture>> = BTreeMap::new();
        for child in &trainer.scored[0] {
            for (cell, choice) in nse::search::children::choices(child) {
                let name = choice.map(|o| space.cells()[cell].operators[usize::from(o)].to_string());
                of.entry((cell, name)).or_default().push(child);
            }
        }
        let mean = |value: &dyn Fn(&Architecture) -> f64| -> BTreeMap<_, f64> {
            let mean = |all: &Vec<&Architecture>| {
                let first: Vec<f64> = all.iter().take(6).map(|a| value(a)).collect();
                first.iter().sum::<f64>() / first.len() as f64
            };
            of.iter().map(|(choice, all)| (choice.clone(), mean(all))).collect()
        };
        let z = |all: BTreeMap<(usize, Option<String>), f64>| {
            let count = all.len() as f64;
            let mean = all.values().sum::<f64>() / count;
            let deviation = (all.values().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
            all.into_iter().map(|(choice, v)| (choice, (v - mean) / deviation)).collect::<BTreeMap<_, _>>()
        };
        let (potential, diversity) = (z(mean(&|a| trainer.accuracy_of(a))), z(mean(&|a| Synthetic::diversity(a))));
        assert!(of.values().all(|all| all.len() >= 6));
        for (cell, scores) in search.history()[0].scores.iter().enumerate() {
            for score in scores {
                let choice = (cell, score.operator.clone());
                let expected = potential[&choice] + weight * diversity[&choice];
                assert!((score.score - expected).abs() < 1e-9, "{choice:?}: {} and {expected}", score.score);
            }
        }
    }
}

/// Without diversity it is the accuracy of ensembles alone: the same children, and the same choices leave.
#[test]
fn a_weight_of_nothing_is_accuracy_alone() {
    let space = small_space();
    let of = |scorer: Value| left(&finished(&space, 2, ALL, json!({ "scorer": scorer })).0);
    let alone = of(json!({ "accuracy": { "samples": 10 } }));
    assert_eq!(of(json!({ "diversity": { "weight": 0 } })), alone);
    assert_ne!(of(json!({ "diversity": { "weight": 100 } })), alone);
}

#[test]
fn differences_by_hand() {
    let (p, q) = ([0.5, 0.25, 0.25], [0.25, 0.25, 0.5]);
    // 0.25 x ln 2, twice, halved.
    let divergence = 0.25 * 2f64.ln();
    assert!((Difference::Divergence.between(&p, &q) - divergence).abs() < 1e-15);
    assert_eq!(Difference::Divergence.between(&q, &p), Difference::Divergence.between(&p, &q));
    assert_eq!((Difference::Divergence.between(&p, &p), Difference::Disagreement.between(&p, &p)), (0.0, 0.0));
    assert_eq!(Difference::Disagreement.between(&p, &q), 1.0);
    assert!(Difference::Divergence.between(&[1.0, 0.0], &[0.0, 1.0]).is_finite());
    // Two images and three paths: six pairs, of which one image differs in two.
    let one = [p, p].concat();
    let other = [p, q].concat();
    let among = |outputs: &[&Vec<f64>]| {
        let outputs: Vec<Vec<f64>> = outputs.iter().map(|o| o.to_vec()).collect();
        [Difference::Divergence, Difference::Disagreement].map(|d| d.among(&outputs, 3))
    };
    let expected = [2.0 * divergence / 6.0, 2.0 / 6.0];
    for order in [[&one, &one, &other], [&one, &other, &one], [&other, &one, &one]] {
        assert!(among(&order).iter().zip(expected).all(|(is, should)| (is - should).abs() < 1e-15), "{:?}", among(&order));
    }
    assert_eq!(among(&[&one, &one]), [0.0, 0.0]);
}

/// A window that no network alone reaches, one that hardly any ensemble meets, and one that none does.
#[test]
fn windows_are_those_of_whole_ensembles() {
    let space = small_space();
    let costs = CostTable::new(&space);
    let dearest = |cell: usize| (0..7).max_by_key(|o| costs.operator(cell, *o).macs).unwrap();
    let single = Architecture::new(&space, (0..3).map(|cell| vec![dearest(cell)]).collect()).unwrap();
    let most = costs.architecture(&Architecture::joined(&space, 1, &[single.clone(), single.clone()]).unwrap()).macs;
    assert!(costs.architecture(&single).macs + 50 < most);
    for window in [Window { low: costs.architecture(&single).macs + 1, high: most }, Window { low: most, high: most }] {
        let rest = json!({ "strategy": { "neas": { "shrink": { "until": 1 }, "evolution": { "population": 12 } } } });
        let (search, _) = finished(&space, 1, window, rest);
        assert!(!search.front().is_empty() && search.front().iter().all(|s| window.contains(s.price)));
    }
    let beyond = Window { low: most + 1, high: most + 100 };
    match Search::new(space.clone(), options(1, beyond, with(json!({})))) {
        Err(Error::Unreachable { greatest, below, above: None, .. }) => {
            assert_eq!((greatest, below), (most as f64, Some(most as f64)));
        }
        other => panic!("{:?}", other.map(|_| "begun")),
    }
    let few = json!({ "candidates": { "count": 60, "too_few": "error" } });
    match Search::new(space, options(1, Window { low: most, high: most }, with(few))) {
        Err(Error::TooFew { wanted: 12, found: 1, .. }) => {}
        other => panic!("{:?}", other.map(|_| "begun")),
    }
}

/// Written down and read back at every place, with another trainer each time.
#[test]
fn it_goes_on_from_what_was_written_down() {
    struct Once(std::cell::Cell<u32>);
    impl Control for Once {
        fn cancelled(&self) -> bool {
            self.0.set(self.0.get().saturating_sub(1));
            self.0.get() == 0
        }
    }
    impl Observer for Once {
        fn event(&self, _: &Event, _: &Search) {}
    }
    let space = small_space();
    let (whole, _) = finished(&space, 5, ALL, json!({}));
    let mut search = Search::new(space.clone(), options(5, ALL, with(json!({})))).unwrap();
    let mut trainer = Synthetic::new(&space, 5);
    let (mut stops, mut tries) = (0, 0);
    while !search.done() {
        // Now and then long enough for the longest piece that asks.
        let patience = [3, 9, 17, 30, 60][tries % 5];
        tries += 1;
        match search.step(&mut trainer, &Once(std::cell::Cell::new(patience))) {
            Ok(_) => {}
            Err(Error::Cancelled) => stops += 1,
            Err(other) => panic!("{other}"),
        }
        let state = serde_json::from_str(&search.state().to_string()).unwrap();
        let mut fresh = Synthetic::new(&space, 5);
        if let Some((round, active)) = search.under_way() {
            fresh.restore(5, round, &active, &trainer.save(&active).unwrap()).unwrap();
        }
        search = Search::restore(space.clone(), search.options().clone(), None, state).unwrap();
        trainer = fresh;
    }
    assert!(stops > 3, "{stops} stops");
    assert_eq!(timeless(search.history()), timeless(whole.history()));
    // A state of single networks is none of ensembles.
    let singles = options(5, ALL, json!({ "branches": "single", "strategy": "shrink" }));
    match Search::restore(space, singles, None, whole.state()) {
        Err(Error::Config { reason, .. }) => assert!(reason.contains("architecture 0"), "{reason}"),
        other => panic!("{:?}", other.map(|_| "restored")),
    }
}

#[test]
fn a_search_begins_with_the_ensembles_of_another() {
    let space = small_space();
    let (before, _) = finished(&space, 1, ALL, json!({}));
    let start = Start { continued: Some(&before), ..Start::default() };
    let mut search = Search::start(space.clone(), options(2, ALL, with(json!({}))), start).unwrap();
    let mut trainer = Synthetic::new(&space, 1);
    assert!(run(&mut search, &mut trainer, &Silent).is_empty());
    let singles = options(2, ALL, json!({ "branches": "single", "strategy": "shrink" }));
    let refused = Search::start(space, singles, Start { continued: Some(&before), ..Start::default() });
    assert!(refused.is_err_and(|error| error.to_string().contains("2 paths, the search is of single networks")));
}

#[test]
fn a_bad_value_is_named() {
    let refused = |rest: Value| {
        let mut document = with(rest);
        document["objective"] = json!({ "low": 0, "high": 1e9 });
        config(SearchOptions::from_json(&document.to_string()).and_then(|options| Search::new(small_space(), options)))
    };
    for (value, at, said) in [
        (json!({ "strategy": { "neas": { "paths": 1 } } }), "/strategy/neas/paths", "1 is not in 2 to 16"),
        (json!({ "strategy": { "neas": { "paths": 17 } } }), "/strategy/neas/paths", "17 is not in 2 to 16"),
        (json!({ "strategy": { "neas": { "split": [1, 3] } } }), "/strategy/neas/split", "1 to 3 shared cells of 3"),
        (json!({ "strategy": { "neas": { "split": [2, 1] } } }), "/strategy/neas/split", "2 to 1 shared cells"),
        (
            json!({ "strategy": { "neas": { "evolution": { "mutation": 2 } } } }),
            "/strategy/neas/evolution/mutation",
            "2.0 is not in",
        ),
        (
            json!({ "strategy": { "neas": { "evolution": { "population": 1 } } } }),
            "/strategy/neas/evolution/population",
            "1 is not in",
        ),
        (
            json!({ "strategy": { "neas": { "shrink": { "drop": { "worst": 0 } } } } }),
            "/strategy/neas/shrink/drop/worst",
            "0 is not in",
        ),
        (json!({ "scorer": "fitness" }), "/scorer", "fitness is learnt along one path, and neas has several"),
        (json!({ "scorer": { "diversity": { "difference": "cosine" } } }), "/scorer/diversity/difference", "`cosine`"),
        (
            json!({ "strategy": "shrink", "scorer": "diversity" }),
            "/scorer",
            "diversity tells the paths of ensembles apart, and shrink has none",
        ),
    ] {
        let (document, pointer, reason) = refused(value.clone());
        assert_eq!((document, pointer.as_str()), ("search options", at), "{value}: {reason}");
        assert!(reason.contains(said), "{value}: {reason}");
    }
    for (drive, scorer, said) in [
        (Drive::Told, "diversity", "/strategy: neas needs a supernet"),
        (Drive::Pushed, "magnitude", "/strategy: neas needs images"),
    ] {
        let start = Start { drive, ..Start::default() };
        let (_, pointer, reason) =
            config(Search::start(small_space(), options(1, ALL, with(json!({ "scorer": scorer }))), start));
        assert!(format!("{pointer}: {reason}").starts_with(said), "{pointer}: {reason}");
    }
    let stacked = Arc::new(Space::preset("nas-bench-201", "{}").unwrap());
    let refused = Search::new(stacked, options(1, ALL, with(json!({}))));
    assert!(matches!(refused, Err(Error::UnsupportedSpace { what: "an ensemble", .. })));
}
