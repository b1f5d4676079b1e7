//! Real weights against what they were: products by hand, what is kept and saved, and a whole search by ABS.

use crate::support::{small, stripes};
use nse::checkpoint::{load, save, Expected};
use nse::search::*;
use nse::supernet::SupernetTrainer;
use nse::Error;
use std::cell::Cell;

const OPTIONS: &str = r#"{"seed": 2, "branches": "single", "objective": {"low": 0, "high": 90000},
    "strategy": {"shrink": {"drop": {"worst": 4}, "until": 20, "refresh": 6, "later_epochs": 1}},
    "train": {"epochs": 2, "batch": 32, "lr": 0.1}, "candidates": {"count": 6, "extras": 0, "too_few": "accept"},
    "score": {"calibration": 64, "batch": 64}, "held_out": 0.2}"#;

fn trainer() -> SupernetTrainer {
    trainer_of(OPTIONS)
}

fn trainer_of(options: &str) -> SupernetTrainer {
    SupernetTrainer::new(small(), &stripes(300, 1), None, &SearchOptions::from_json(options).unwrap()).unwrap()
}

fn train(trainer: &mut SupernetTrainer, active: &[Vec<u16>], steps: std::ops::Range<u64>) {
    for step in steps {
        trainer.weight_step(At { seed: 2, round: 0, step }, active, 0.1).unwrap();
    }
}

/// From the arrays of a checkpoint, number by number.
fn by_hand(arrays: &Arrays, belongs: impl Fn(&str) -> bool) -> Products {
    let mut sum = Products::default();
    for (name, now) in arrays.iter().filter(|(name, _)| !name.ends_with(".momentum") && !name.ends_with(".then") && belongs(name))
    {
        let then = &arrays[&format!("{name}.then")].values;
        for (then, now) in then.iter().zip(&now.values) {
            let (then, now) = (f64::from(*then), f64::from(*now));
            sum = sum + Products { both: then * now, then: then * then, now: now * now };
        }
    }
    sum
}

fn near(is: Products, should: Products) {
    for (is, should) in [(is.both, should.both), (is.then, should.then), (is.now, should.now)] {
        assert!((is - should).abs() <= 1e-9 * should.abs().max(1.0), "{is}, not {should}");
    }
}

#[test]
fn products_are_those_of_the_kernels() {
    let active = vec![vec![0, 3], vec![1, 2, 4], vec![]];
    let mut trainer = trainer();
    trainer.begin_round(2, 0, &active).unwrap();
    assert!(trainer.compare(&active).unwrap_err().to_string().contains("remembered"));
    trainer.remember().unwrap();
    let at_once = trainer.compare(&active).unwrap();
    assert!(at_once.ends.angle() < 1e-6 && at_once.ends.then > 0.0);
    train(&mut trainer, &active, 0..5);

    let (compared, arrays) = (trainer.compare(&active).unwrap(), trainer.save(&active).unwrap());
    let ends = |name: &str| ["stem.0", "tail.0", "classifier.0"].contains(&name);
    near(compared.ends, by_hand(&arrays, ends));
    assert!(compared.ends.angle() > 1e-3);
    let names = ["mbconv_k3_t1", "mbconv_k3_t3", "mbconv_k5_t3", "rec_k5_t1", "conv_k3_t1"];
    for (cell, operators) in active.iter().enumerate() {
        assert_eq!(compared.cells[cell].keys().copied().collect::<Vec<_>>(), *operators);
        for (operator, parts) in &compared.cells[cell] {
            let part = format!("cells.{cell}.{}.", names[usize::from(*operator)]);
            near(parts.kernels, by_hand(&arrays, |name| name.starts_with(&part) && name.ends_with(".0")));
            // The batch-norm behind the projection is the last; in `rec` the one before it is the third.
            let counted = |name: &str| {
                let first = name.contains(".expand.")
                    || name.contains(".depthwise.")
                    || name.contains(".row.")
                    || name.contains(".spatial.");
                name.starts_with(&part) && !name.ends_with(".0") && first
            };
            near(parts.norms, by_hand(&arrays, counted));
            assert!(parts.norms.then > 0.0 && parts.kernels.angle() > 1e-3);
        }
    }
}

/// Weights, momenta and what is remembered of the operators that stay are the same bits; of the others nothing is left.
#[test]
fn the_next_round_goes_on_with_the_weights() {
    let (all, fewer) = (vec![vec![0, 3], vec![1, 2, 4], vec![0, 1]], vec![vec![3], vec![1, 4], vec![]]);
    let mut trainer = trainer();
    trainer.begin_round(2, 0, &all).unwrap();
    trainer.remember().unwrap();
    train(&mut trainer, &all, 0..3);
    let before = trainer.save(&fewer).unwrap();
    trainer.keep(&fewer).unwrap();
    assert_eq!(trainer.save(&fewer).unwrap(), before);
    assert!(!before.contains_key("cells.0.mbconv_k3_t1.expand.0"));

    let mut other = self::trainer();
    other.restore(2, 1, &fewer, &before).unwrap();
    assert_eq!(other.save(&fewer).unwrap(), before);
    assert_eq!(other.compare(&fewer).unwrap(), trainer.compare(&fewer).unwrap());
    for trainer in [&mut trainer, &mut other] {
        train(trainer, &fewer, 3..5);
    }
    assert_eq!(other.save(&fewer).unwrap(), trainer.save(&fewer).unwrap());
    assert_eq!(other.compare(&fewer).unwrap(), trainer.compare(&fewer).unwrap());

    trainer.begin_round(2, 1, &fewer).unwrap();
    assert!(trainer.save(&fewer).unwrap().keys().all(|name| !name.ends_with(".then")), "fresh weights, nothing to compare with");
}

#[test]
fn a_copy_that_does_not_fit_is_refused() {
    let active = vec![vec![0], vec![1], vec![2]];
    let mut trainer = trainer();
    trainer.begin_round(2, 0, &active).unwrap();
    trainer.remember().unwrap();
    let arrays = trainer.save(&active).unwrap();
    let refused = |change: &dyn Fn(&mut Arrays)| {
        let mut changed = arrays.clone();
        change(&mut changed);
        match self::trainer().restore(2, 0, &active, &changed) {
            Err(Error::Argument { name: "weights", reason }) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|a| drop(a.remove("stem.0.then"))), "stem.0.then is missing");
    let more = |a: &mut Arrays| drop(a.insert("other.then".into(), Array { shape: vec![1], values: vec![0.0] }));
    let count = arrays.keys().filter(|name| name.ends_with(".then")).count();
    assert_eq!(refused(&more), format!("{} arrays, the network has {count}", count + 1));
    let reshaped = |a: &mut Arrays| a.get_mut("tail.0.then").unwrap().shape = vec![12, 16, 1, 1];
    assert_eq!(refused(&reshaped), "tail.0.then has the shape [12, 16, 1, 1], the network has [16, 12, 1, 1]");
}

/// Saves at this piece of work, and cancels at the next question.
struct SavesAt {
    left: Cell<u32>,
    path: std::path::PathBuf,
}

impl Control for SavesAt {
    fn cancelled(&self) -> bool {
        self.left.get() == 0
    }
}

impl Observer for SavesAt {
    fn event(&self, _: &Event, _: &Search) {}

    fn keep(&self, search: &Search, trainer: &dyn Trainer) -> nse::Result<()> {
        self.left.set(self.left.get().saturating_sub(1));
        match self.left.get() {
            0 => save(&self.path, search, trainer),
            _ => Ok(()),
        }
    }
}

fn result(search: &Search) -> (Vec<serde_json::Value>, Vec<Scored>, Vec<Vec<u16>>) {
    let lines = json_lines(search.history());
    let mut records: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.iter_mut().for_each(|r| drop(r.as_object_mut().unwrap().remove("seconds")));
    (records, search.front().to_vec(), search.active())
}

#[test]
fn shrinks_and_goes_on_from_a_file_wherever_it_was_cut() {
    let first = cut_everywhere(OPTIONS, 3);
    // With a warm-up, and one fall of the rate: other weights to compare with, and other scores.
    let warm = OPTIONS.replace("\"later_epochs\": 1", "\"later_epochs\": 1, \"warm_up\": 1, \"ramp\": {\"epochs\": 9}");
    assert_ne!(cut_everywhere(&warm, 5), first);
}

/// Wherever it is cut, between rounds too, another trainer goes on from the file to the same bits. The scores of the first round.
fn cut_everywhere(options: &str, every: usize) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.nse");
    let fresh = || Search::new(small(), SearchOptions::from_json(options).unwrap()).unwrap();
    let trainer = || trainer_of(options);
    let (mut search, mut undisturbed) = (fresh(), trainer());
    while search.step(&mut undisturbed, &Silent).unwrap() != Status::Done {}
    let expected = result(&search);
    let rounds = search.history();
    assert!(rounds.len() >= 3 && !search.front().is_empty(), "{} rounds", rounds.len());
    // Two epochs at first, behind a warm-up of one where there is one, then one.
    let steps: Vec<u64> = rounds.iter().map(|record| record.steps).collect();
    let epochs = if options.contains("warm_up") { 3 } else { 2 };
    assert!(steps[1..].iter().all(|later| epochs * later == steps[0]), "{steps:?}");
    for score in rounds[0].scores.iter().flatten() {
        assert!(score.score > 0.0 && score.score < std::f64::consts::FRAC_PI_2, "{score:?}");
    }
    for cut in (1..60).step_by(every) {
        let (mut first, saves) = (fresh(), SavesAt { left: Cell::new(cut), path: path.clone() });
        let mut one = trainer();
        let cut_off = loop {
            match first.step(&mut one, &saves) {
                Ok(Status::Round) => {}
                Ok(Status::Done) => break false,
                Err(Error::Cancelled) => break true,
                Err(other) => panic!("{other}"),
            }
        };
        let mut other = trainer();
        let mut second = load(&path, &Expected::default()).unwrap().resume(&mut other).unwrap();
        while second.step(&mut other, &Silent).unwrap() != Status::Done {}
        assert_eq!(result(&second), expected, "cut at {cut}");
        if !cut_off {
            break;
        }
    }
    rounds[0].scores.iter().flatten().map(|score| score.score).collect()
}
