//! The strategy of ABS, and scorers other than fitness, with a trainer whose operators are known.

use crate::support::{chain, config};
use crate::synthetic::{options, run, small_space, timeless, window, Synthetic};
use nse::search::*;
use nse::space::Space;
use nse::Error;
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

const ALL: Window = Window { low: 0, high: u64::MAX >> 12 };

fn with(mut more: Value) -> Value {
    let base = json!({
        "branches": "single", "strategy": "shrink", "train": { "epochs": 0.7 }, "candidates": { "count": 12, "extras": 2 }
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

/// What the round left in every cell: names, and null for nothing.
fn staying(record: &Value) -> Vec<BTreeSet<String>> {
    let cell = |scores: &Value| {
        let scores = scores.as_array().unwrap().iter().filter(|score| score["stays"].as_bool().unwrap());
        scores.map(|score| score["operator"].to_string()).collect()
    };
    record["scores"].as_array().unwrap().iter().map(cell).collect()
}

fn choices(record: &Value) -> usize {
    staying(record).iter().map(BTreeSet::len).sum()
}

#[test]
fn so_many_leave_after_every_round_and_the_best_of_a_cell_never() {
    let space = small_space();
    for seed in 0..10 {
        let rest = json!({ "strategy": { "shrink": { "drop": { "worst": 4 }, "until": 8 } } });
        let (search, trainer) = finished(&space, seed, ALL, rest);
        let rounds = timeless(search.history());
        // 7 operators in each of three cells, and two cells may be skipped: 8 x 7 x 8 = 448 architectures.
        let mut before = 23;
        for record in &rounds[..rounds.len() - 1] {
            assert_eq!(before - choices(record), 4);
            before = choices(record);
            assert!(record["candidates"].as_array().unwrap().is_empty() && record["front"].as_array().unwrap().is_empty());
            for (cell, stays) in record["scores"].as_array().unwrap().iter().zip(staying(record)) {
                let score = |score: &&Value| score["score"].as_f64().unwrap();
                let best = cell.as_array().unwrap().iter().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap();
                assert!(stays.contains(&best["operator"].to_string()), "seed {seed}");
            }
        }
        let size = |record: &Value| staying(record).iter().map(BTreeSet::len).product::<usize>();
        let shrunk: Vec<usize> = rounds[..rounds.len() - 1].iter().map(size).collect();
        let (last, others) = shrunk.split_last().unwrap();
        assert!(*last <= 8 && others.iter().all(|size| *size > 8), "{shrunk:?}");
        // The last round searches what is left; weights go on from round to round, and nothing comes back.
        assert!(!search.front().is_empty() && !trainer.scored.last().unwrap().is_empty());
        assert!(trainer.scored[..rounds.len() - 1].iter().all(Vec::is_empty));
        assert_eq!((trainer.begun.len(), trainer.kept.len()), (1, rounds.len() - 1));
        assert_eq!(trainer.kept.last(), Some(&search.active()));
        assert!(trainer.learnt.is_empty(), "no architecture step");
    }
}

/// Utilities are angles here, so those with the greatest are left.
#[test]
fn what_has_turned_most_stays() {
    let space = small_space();
    let rest = json!({ "strategy": { "shrink": { "drop": { "down_to": 6 } } } });
    for seed in 0..10 {
        let (search, trainer) = finished(&space, seed, ALL, rest.clone());
        assert_eq!(search.rounds(), (2, 2), "all at once");
        for (utility, active) in trainer.utility.iter().zip(search.active()) {
            let mut best: Vec<u16> = (0..7).collect();
            best.sort_by(|a, b| utility[usize::from(*b)].total_cmp(&utility[usize::from(*a)]));
            let best: BTreeSet<u16> = best.into_iter().take(active.len()).collect();
            assert_eq!(active.iter().copied().collect::<BTreeSet<_>>(), best, "seed {seed}");
        }
    }
}

#[test]
fn one_leaves_every_cell_until_one_is_left() {
    let space = small_space();
    let rest = json!({ "strategy": { "shrink": { "drop": { "per_cell": 1 }, "until": 1 } } });
    let (search, _) = finished(&space, 3, ALL, rest);
    let rounds = timeless(search.history());
    let left: Vec<Vec<usize>> = rounds.iter().map(|record| staying(record).iter().map(BTreeSet::len).collect()).collect();
    let expected: Vec<Vec<usize>> = (1..=7).map(|gone: usize| vec![8 - gone, (7 - gone).max(1), 8 - gone]).collect();
    assert_eq!(left[..7], expected);
    assert_eq!(left.len(), 8);
    assert_eq!(search.front().len(), 1, "one architecture is left");
}

/// A child is never dearer than the window allows, and what the window needs stays whatever its score.
#[test]
fn the_window_stays_within_reach() {
    let space = small_space();
    for seed in 0..10 {
        for high in [0.05, 0.2] {
            let window = window(&space, 0.04, high);
            let (search, _) =
                finished(&space, seed, window, json!({ "strategy": { "shrink": { "drop": { "worst": 3 }, "until": 4 } } }));
            assert!(!search.front().is_empty());
            assert!(search.front().iter().all(|s| window.contains(s.price)));
        }
    }
}

#[test]
fn the_weights_to_compare_with_are_replaced_once() {
    let space = small_space();
    let remembered = |refresh: Value| {
        let rest = json!({ "strategy": { "shrink": { "drop": { "worst": 3 }, "until": 1, "refresh": refresh } } });
        let mut search = Search::new(space.clone(), options(1, ALL, with(rest))).unwrap();
        let mut trainer = Synthetic::new(&space, 1);
        let mut seen = Vec::new();
        while search.step(&mut trainer, &Silent).unwrap() == Status::Round {
            seen.push(trainer.remembered.unwrap().0);
        }
        seen
    };
    assert_eq!(remembered(Value::Null), [0; 7]);
    // 3 and 6 are not more than 6, 9 are: the round after the third shrink remembers anew.
    assert_eq!(remembered(json!(6)), [0, 0, 0, 3, 3, 3, 3]);
}

#[test]
fn later_rounds_may_be_shorter() {
    let space = small_space();
    let rest = json!({ "strategy": { "shrink": { "drop": { "worst": 9 }, "until": 10, "later_epochs": 0.2 } } });
    let (search, _) = finished(&space, 3, ALL, rest);
    let steps: Vec<u64> = search.history().iter().map(|record| record.steps).collect();
    assert_eq!(steps, [7, 2, 2]);
}

/// Seven steps, from a quarter of the rate on to nothing; then the round's own, and only then the weights are those to compare with.
#[test]
fn the_first_round_may_begin_with_a_warm_up() {
    let space = small_space();
    let rest = |warm_up: Value| {
        json!({ "train": { "epochs": 0.5, "lr": 0.4, "warmup": 0.3 },
                "strategy": { "shrink": { "drop": { "worst": 9 }, "until": 10, "warm_up": warm_up } } })
    };
    let rates = |trainer: &Synthetic, round: u64| -> Vec<f64> {
        trainer.rates.iter().filter(|(of, _)| *of == round).map(|(_, rate)| *rate).collect()
    };
    let (plain, without) = finished(&space, 3, ALL, rest(Value::Null));
    let (search, trainer) = finished(&space, 3, ALL, rest(json!(0.7)));
    let steps = |search: &Search| search.history().iter().map(|record| record.steps).collect::<Vec<_>>();
    assert_eq!((steps(&plain), steps(&search)), (vec![5, 5, 5], vec![12, 5, 5]));
    assert_eq!((without.remembered, trainer.remembered), (Some((0, 0)), Some((0, 7))));
    let schedule = |warmup, total| {
        let schedule = Schedule { start: 0.1, peak: 0.4, warmup, total };
        (0..total).map(move |step| schedule.at(step)).collect::<Vec<_>>()
    };
    assert_eq!(rates(&trainer, 0), [schedule(2, 7), schedule(2, 5)].concat());
    assert_eq!((rates(&trainer, 1), rates(&without, 0)), (schedule(2, 5), schedule(2, 5)));
    // Ensembles shrink their space in the same way.
    let rest = json!({ "strategy": { "neas": { "shrink": { "drop": { "worst": 9 }, "until": 60, "warm_up": 0.7 } } },
                       "scorer": "angle", "train": { "epochs": 0.5 } });
    let (search, trainer) = finished(&space, 3, ALL, rest);
    assert_eq!((steps(&search)[0], trainer.remembered), (12, Some((0, 7))));
    // Events count it, and what is left of the search is told with it.
    let mut search = Search::new(space.clone(), options(3, ALL, with(self::warm(0.7)))).unwrap();
    let seen = std::cell::RefCell::new(Vec::new());
    struct Watch<'a>(&'a std::cell::RefCell<Vec<Event>>);
    impl Control for Watch<'_> {
        fn cancelled(&self) -> bool {
            false
        }
    }
    impl Observer for Watch<'_> {
        fn event(&self, event: &Event, _: &Search) {
            self.0.borrow_mut().push(*event);
        }
    }
    assert_eq!(search.step(&mut Synthetic::new(&space, 3), &Watch(&seen)).unwrap(), Status::Round);
    let trained = seen.take().into_iter().filter(|event| event.kind == EventKind::Train);
    let places: Vec<_> = trained.map(|event| (event.step, event.steps, event.epoch, event.epochs)).collect();
    assert_eq!(places, (1..=12).map(|step| (step, 12, if step < 10 { 1 } else { 2 }, 2)).collect::<Vec<_>>());
    assert_eq!((search.work(0, 10).0, search.work(1, 10).0), (12, 5));
}

fn warm(epochs: f64) -> Value {
    json!({ "train": { "epochs": 0.5 }, "strategy": { "shrink": { "drop": { "worst": 9 }, "until": 10, "warm_up": epochs } } })
}

/// In a straight line over all rounds, from behind a warm-up on, and not below its least part.
#[test]
fn the_learning_rate_may_fall_over_all_rounds() {
    let space = small_space();
    let ramp = |ramp: Value| {
        let mut rest = warm(0.3);
        rest["train"] = json!({ "epochs": 0.5, "lr": 0.4, "warmup": 0.5 });
        rest["strategy"]["shrink"]["ramp"] = ramp;
        rest["strategy"]["shrink"]["later_epochs"] = json!(0.2);
        finished(&space, 3, ALL, rest).1.rates.into_iter().skip(3).map(|(_, rate)| rate).collect::<Vec<f64>>()
    };
    let near = |rates: Vec<f64>, expected: &[f64]| {
        assert_eq!(rates.len(), expected.len());
        assert!(rates.iter().zip(expected).all(|(is, should)| (is - should).abs() < 1e-12), "{rates:?}");
    };
    // 5, 2 and 2 steps, of which 10 are an epoch.
    near(ramp(json!({ "epochs": 1 })), &[0.4, 0.36, 0.32, 0.28, 0.24, 0.2, 0.16, 0.12, 0.08]);
    near(ramp(json!({ "epochs": 0.5, "least": 0.25 })), &[0.4, 0.32, 0.24, 0.16, 0.1, 0.1, 0.1, 0.1, 0.1]);
    near(ramp(json!({ "epochs": 0.2 })), &[0.4, 0.2, 0.0008, 0.0008, 0.0008, 0.0008, 0.0008, 0.0008, 0.0008]);
}

/// Each scorer puts the operators of a cell in the order of their utilities, where the trainer lets it see them.
#[test]
fn every_scorer_shrinks_and_evolves() {
    let space = small_space();
    let stays = |search: &Search, trainer: &Synthetic| {
        let chosen = trainer.utility.iter().zip(search.active());
        chosen
            .map(|(utility, active)| active.iter().map(|o| utility[usize::from(*o)]).sum::<f64>() / active.len() as f64)
            .sum::<f64>()
    };
    for scorer in ["fitness", "angle", "accuracy"] {
        let mut better = 0;
        for seed in 0..10 {
            let rest = json!({
                "scorer": scorer, "train": { "epochs": 12 }, "fitness": { "interval": 1, "lr": 0.05 },
                "strategy": { "shrink": { "drop": { "per_cell": 2 }, "until": 30 } }
            });
            let (search, trainer) = finished(&space, seed, ALL, rest);
            let all: f64 = trainer.utility.iter().map(|cell| cell.iter().sum::<f64>() / 7.0).sum();
            better += u32::from(stays(&search, &trainer) > all + 0.5);
        }
        assert!(better >= 9, "{scorer}: in {better} of 10 the better ones stay");
    }
    for scorer in ["angle", "accuracy", "magnitude"] {
        let rest = json!({ "strategy": "evolve", "branches": "multi", "active": 3, "rounds": 3, "scorer": scorer });
        let (search, trainer) = finished(&space, 2, window(&space, 0.0, 0.5), rest);
        assert_eq!((trainer.begun.len(), trainer.kept.len()), (3, 0), "fresh weights in every round");
        assert!(trainer.learnt.is_empty() && !search.front().is_empty(), "{scorer}");
        assert!(search.history().iter().all(|record| record.scores.len() == 3));
        // Candidates come from the scores: in units of their deviation, around 0.
        for cell in &search.history()[0].fitness {
            assert!(cell.iter().map(|operator| operator.theta).sum::<f64>().abs() < 1e-9);
        }
    }
}

/// The records of an evolution with fitness are those that they were before there were strategies.
#[test]
fn evolution_by_fitness_is_what_it_was() {
    let space = small_space();
    let rest = json!({ "active": 3, "rounds": 3, "branches": "multi", "strategy": "evolve", "scorer": "fitness" });
    let (said, _) = finished(&space, 4, window(&space, 0.1, 0.4), rest.clone());
    let mut unsaid = with(rest);
    unsaid.as_object_mut().unwrap().retain(|key, _| key != "strategy" && key != "scorer");
    let mut search = Search::new(space.clone(), options(4, window(&space, 0.1, 0.4), unsaid)).unwrap();
    assert!(run(&mut search, &mut Synthetic::new(&space, 4), &Silent).is_empty());
    assert_eq!(timeless(search.history()), timeless(said.history()));
    assert!(timeless(search.history()).iter().all(|record| record.get("scores").is_none()));
}

#[test]
fn a_bad_value_is_named() {
    let refused = |rest: Value| {
        let mut document = rest;
        document["objective"] = json!({ "low": 0, "high": 1e9 });
        config(SearchOptions::from_json(&document.to_string()))
    };
    let (_, pointer, reason) = refused(json!({ "strategy": "shrunk" }));
    assert_eq!(pointer, "/strategy");
    assert!(reason.contains("`shrunk`") && reason.contains("`evolve`, `shrink`, `eliminate`, `grow`, `neas`"), "{reason}");
    for (value, at, said) in [
        (json!({ "strategy": { "shrink": { "until": 0.5 } } }), "/strategy/shrink/until", "0.5 is not in"),
        (json!({ "strategy": { "shrink": { "drop": { "worst": 0 } } } }), "/strategy/shrink/drop/worst", "0 is not in"),
        (json!({ "strategy": { "shrink": { "drop": { "best": 1 } } } }), "/strategy/shrink/drop", "`best`"),
        (json!({ "strategy": { "shrink": { "till": 1 } } }), "/strategy/shrink/till", "`till`"),
        (json!({ "strategy": { "shrink": { "warm_up": 0 } } }), "/strategy/shrink/warm_up", "0 is not in"),
        (json!({ "strategy": { "shrink": { "ramp": { "epochs": 0 } } } }), "/strategy/shrink/ramp/epochs", "0 is not in"),
        (
            json!({ "strategy": { "shrink": { "ramp": { "epochs": 9, "least": 2 } } } }),
            "/strategy/shrink/ramp/least",
            "2.0 is not in",
        ),
        (json!({ "strategy": { "shrink": { "ramp": {} } } }), "/strategy/shrink/ramp", "missing field `epochs`"),
        (json!({ "strategy": { "neas": { "shrink": { "warm_up": 0 } } } }), "/strategy/neas/shrink/warm_up", "0 is not in"),
        (json!({ "strategy": { "shrink": {}, "evolve": {} } }), "/strategy", "evolve and shrink"),
        (json!({ "strategy": {} }), "/strategy", "expected the name of a strategy"),
        (json!({ "strategy": 3 }), "/strategy", "expected the name of a strategy"),
        (json!({ "scorer": "angel" }), "/scorer", "`angel`"),
        (json!({ "scorer": { "angle": { "samples": 0 } } }), "/scorer/angle/samples", "0 is not in"),
        (json!({ "scorer": { "accuracy": { "sample": 3 } } }), "/scorer/accuracy/sample", "`sample`"),
    ] {
        let (document, pointer, reason) = refused(value.clone());
        assert_eq!((document, pointer.as_str()), ("search options", at), "{value}: {reason}");
        assert!(reason.contains(said), "{value}: {reason}");
    }
}

#[test]
fn what_a_kind_of_search_cannot_do_is_said() {
    let space = small_space();
    let start = |drive: Drive, rest: Value| {
        let started = Search::start(space.clone(), options(1, ALL, with(rest)), Start { drive, ..Start::default() });
        started.err().map(|error| match error {
            Error::Config { pointer, reason, .. } => format!("{pointer}: {reason}"),
            other => panic!("{other}"),
        })
    };
    let told = start(Drive::Told, json!({})).unwrap();
    assert!(told.starts_with("/strategy: shrink needs a supernet"), "{told}");
    let told = start(Drive::Told, json!({ "strategy": "evolve", "scorer": "angle" })).unwrap();
    assert!(told.starts_with("/scorer: angle needs a supernet"), "{told}");
    let pushed = start(Drive::Pushed, json!({ "scorer": "accuracy" })).unwrap();
    assert!(pushed.starts_with("/scorer: accuracy needs images"), "{pushed}");
    assert_eq!(start(Drive::Pushed, json!({})), None);
    assert_eq!(start(Drive::Told, json!({ "strategy": "evolve" })), None);
}

/// Architectures that an operator is scored by cost no more than the window allows, and each counts once.
#[test]
fn children_are_within_the_window() {
    let names: Vec<String> = (1..=6).map(|t| format!("mbconv_k3_t{t}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let cells: Vec<(&str, u32, &[&str])> = (0..6).map(|_| ("normal", 0, names.as_slice())).collect();
    let space = Arc::new(chain(1, 2, &cells));
    let window = window(&space, 0.0, 0.1);
    let rest = json!({ "scorer": { "accuracy": { "samples": 20 } }, "strategy": { "shrink": { "drop": { "down_to": 12 } } } });
    let (search, trainer) = finished(&space, 5, window, rest);
    let costs = nse::cost::CostTable::new(&space);
    let children = &trainer.scored[0];
    assert!(children.iter().all(|child| costs.architecture(child).macs <= window.high));
    let distinct: BTreeSet<_> = children.iter().collect();
    assert_eq!(distinct.len(), children.len());
    // 7 choices in each of 6 cells.
    assert!((100..=20 * 42).contains(&children.len()), "{}", children.len());
    for (cell, scores) in search.history()[0].scores.iter().enumerate() {
        for score in scores {
            let has = |child: &&nse::arch::Architecture| match &score.operator {
                Some(name) => child.names(&space)[cell].contains(name),
                None => child.cells()[cell].is_empty(),
            };
            let of: Vec<f64> = children.iter().filter(has).take(20).map(|child| trainer.accuracy(child.cells())).collect();
            let mean = of.iter().sum::<f64>() / of.len() as f64;
            assert!((mean - score.score).abs() < 1e-12, "cell {cell}, {:?}: {} and {mean}", score.operator, score.score);
        }
    }
}

/// The chain of SPOS as docs/abs.md has it, with its published count.
#[test]
fn the_chain_of_spos_has_as_many_architectures_as_published() {
    let page = include_str!("../../docs/abs.md");
    let document = page.split("<!-- test: json space -->\n```json\n").nth(1).unwrap().split("```").next().unwrap();
    let space = Space::from_json(document).unwrap();
    let (costs, active) = (nse::cost::CostTable::new(&space), crate::support::everything(&space));
    let children = nse::search::children::Children {
        space: &space,
        prices: &costs.prices(nse::cost::Metric::Macs),
        active,
        skippable: space.cells().iter().map(|cell| cell.may_be_skipped()).collect(),
        single: true,
        most: u64::MAX,
    };
    assert!((children.log10_size() - 221_502_229_807_900_608f64.log10()).abs() < 1e-12);
    assert_eq!(children.all_choices().count(), 141);
    assert_eq!(space, Space::preset("spos", "{}").unwrap());
    // 1000 of one choice: the greatest cost is kept, every child is another one.
    let mut stream = Stream::new(1, Purpose::Children, 0, 0);
    let few = nse::search::children::Children { most: 600_000_000, ..children };
    let drawn = few.of_each(3, &mut stream, &Silent).unwrap();
    assert!(drawn.iter().all(|child| costs.architecture(child).macs <= 600_000_000));
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), drawn.len());
    for (cell, choice) in few.all_choices() {
        assert!(drawn.iter().filter(|child| nse::search::children::choices(child).any(|has| has == (cell, choice))).count() >= 3);
    }
}
