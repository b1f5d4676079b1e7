//! Whole searches with real weights on made-up images.

use crate::support::{small, stripes};
use nse::arch::Architecture;
use nse::search::{json_lines, At, Control, Event, Observer, Search, SearchOptions, Silent, Status, Trainer};
use nse::supernet::SupernetTrainer;
use nse::Error;
use std::cell::Cell;

const OPTIONS: &str = r#"{"seed": 2, "rounds": 2, "active": 3, "objective": {"low": 40000, "high": 90000},
    "train": {"epochs": 6, "batch": 32, "lr": 0.1}, "candidates": {"count": 6, "extras": 2},
    "score": {"calibration": 64, "batch": 64}, "held_out": 0.2}"#;

fn make() -> (Search, SupernetTrainer) {
    let options = SearchOptions::from_json(OPTIONS).unwrap();
    let trainer = SupernetTrainer::new(small(), &stripes(300, 1), None, &options).unwrap();
    (Search::new(small(), options).unwrap(), trainer)
}

/// The rounds without their wall-clock times.
fn history(search: &Search) -> Vec<serde_json::Value> {
    let lines = json_lines(search.history());
    let mut records: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.iter_mut().for_each(|r| drop(r.as_object_mut().unwrap().remove("seconds")));
    records
}

/// Cancels every so many questions; more than one group of candidates asks, or scoring would never get on.
struct Impatient {
    every: u32,
    asked: Cell<u32>,
}

impl Control for Impatient {
    fn cancelled(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.asked.get() % self.every == 0
    }
}

impl Observer for Impatient {
    fn event(&self, _: &Event, _: &Search) {}
}

#[test]
fn finds_good_networks_in_the_window_and_is_not_disturbed_by_cancels() {
    let (mut search, mut trainer) = make();
    while search.step(&mut trainer, &Silent).unwrap() != Status::Done {}
    assert!(!search.front().is_empty());
    assert!(search.front().iter().all(|s| (40_000..=90_000).contains(&s.cost.macs)));
    let best = search.front().iter().map(|s| s.accuracy).fold(0.0, f64::max);
    assert!(best > 0.8, "stripes are easy: {best}");

    let (mut again, mut trainer) = make();
    let impatient = Impatient { every: 23, asked: Cell::new(0) };
    let mut cancels = 0;
    loop {
        match again.step(&mut trainer, &impatient) {
            Ok(Status::Done) => break,
            Ok(Status::Round) => {}
            Err(Error::Cancelled) => cancels += 1,
            Err(other) => panic!("{other}"),
        }
        assert!(cancels < 10_000, "a group asks more often than that, and is never scored");
    }
    assert!(cancels > 5, "only {cancels} cancels");
    assert_eq!(history(&again), history(&search));
    assert_eq!(again.front(), search.front());
}

#[test]
fn weights_start_anew_in_every_round() {
    let (_, mut trainer) = make();
    let active = vec![vec![0, 1], vec![0, 1], vec![2]];
    let candidate = [Architecture::new(&small(), vec![vec![0], vec![1], vec![2]]).unwrap()];
    let step = |trainer: &mut SupernetTrainer| {
        (0..30).map(|step| trainer.weight_step(At { seed: 2, round: 0, step }, &active, 0.1).unwrap().loss).collect::<Vec<_>>()
    };
    trainer.begin_round(2, 0, &active).unwrap();
    let (first, score) = (step(&mut trainer), trainer.score(2, 0, &candidate, &Silent).unwrap());
    assert!(first[29] < 0.7 * first[0], "it learns: {first:?}");
    trainer.begin_round(2, 0, &active).unwrap();
    assert_eq!(step(&mut trainer), first, "the same round again is the same");
    assert_eq!(trainer.score(2, 0, &candidate, &Silent).unwrap(), score);
    trainer.begin_round(2, 1, &active).unwrap();
    assert_ne!(step(&mut trainer)[0], first[0], "another round starts from other weights");
}

#[test]
fn a_loss_that_is_not_finite_keeps_the_weights_before_it() {
    let (_, mut trainer) = make();
    let active = vec![vec![0, 1], vec![0, 1], vec![2]];
    let candidate = [Architecture::new(&small(), vec![vec![0], vec![1], vec![2]]).unwrap()];
    trainer.begin_round(2, 0, &active).unwrap();
    let mut step = 0;
    let before = loop {
        let before = trainer.score(2, 0, &candidate, &Silent).unwrap();
        match trainer.weight_step(At { seed: 2, round: 0, step }, &active, if step < 5 { 0.1 } else { 1e30 }) {
            Ok(_) => step += 1,
            Err(Error::Diverged { round: 1, step: at, .. }) => {
                assert_eq!(at, step + 1);
                break before;
            }
            Err(other) => panic!("{other}"),
        }
        assert!(step < 50, "a rate of 1e30 must diverge");
    };
    assert_eq!(trainer.score(2, 0, &candidate, &Silent).unwrap(), before);
}

#[test]
fn images_and_labels_must_fit_the_space() {
    let options = SearchOptions::from_json(OPTIONS).unwrap();
    let ten = |label: u32| {
        let shape = nse::space::Shape { channels: 1, height: 12, width: 12 };
        nse::data::Dataset::from_memory(shape, None, vec![0; 1440], vec![label; 10]).unwrap()
    };
    match SupernetTrainer::new(small(), &ten(3), None, &options) {
        Err(Error::Argument { name: "train", reason }) => {
            assert!(reason.contains("4 classes") && reason.contains("has 3"), "{reason}")
        }
        other => panic!("{:?}", other.map(|_| "made")),
    }
    match SupernetTrainer::new(small(), &stripes(30, 1), Some(&ten(3)), &options) {
        Err(Error::Argument { name: "held_out", .. }) => {}
        other => panic!("{:?}", other.map(|_| "made")),
    }
    let elsewhere = SearchOptions { device: "cuda:99".into(), ..options };
    assert!(matches!(SupernetTrainer::new(small(), &stripes(30, 1), None, &elsewhere), Err(Error::Device { .. })));
}
