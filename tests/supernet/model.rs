//! Stand-alone models: they learn, repeat themselves, report progress and stop when told.

use crate::support::{small, stripes, After};
use nse::arch::Architecture;
use nse::search::{Event, EventKind, Silent};
use nse::supernet::{Model, ModelOptions};
use nse::Error;
use std::cell::{Cell, RefCell};

pub fn options() -> ModelOptions {
    ModelOptions::from_json(r#"{"seed": 3, "train": {"epochs": 6, "batch": 32, "lr": 0.1}, "calibration": 200}"#).unwrap()
}

pub fn architecture() -> Architecture {
    Architecture::new(&small(), vec![vec![0, 3], vec![1], vec![4]]).unwrap()
}

fn train(options: &ModelOptions) -> Model {
    Model::train(small(), &architecture(), &stripes(300, 1), options, &Silent, &|_| ()).unwrap()
}

#[test]
fn learns_and_repeats_itself() {
    let (first, second) = (train(&options()), train(&options()));
    let test = stripes(150, 2);
    let (a, b) = (first.evaluate(&test, &Silent).unwrap(), second.evaluate(&test, &Silent).unwrap());
    assert!(a.accuracy > 0.95, "{a:?}");
    assert_eq!(a, b, "the same seed gives the same model");
    let other = train(&ModelOptions { seed: 4, ..options() }).evaluate(&test, &Silent).unwrap();
    assert_ne!(a.loss, other.loss, "another seed gives another model");
}

#[test]
fn every_step_is_reported() {
    let events = RefCell::new(Vec::<Event>::new());
    Model::train(small(), &architecture(), &stripes(96, 1), &options(), &Silent, &|e| events.borrow_mut().push(*e)).unwrap();
    let events = events.into_inner();
    // 3 steps in each of 6 epochs, and the end.
    assert_eq!(events.len(), 19);
    assert!(events[..18].iter().enumerate().all(|(i, e)| e.step == i as u64 + 1 && e.epoch == i as u64 / 3 + 1 && e.steps == 18));
    assert_eq!(events[18].kind, EventKind::Finish);
    assert!(events[17].loss < events[0].loss);
}

#[test]
fn training_can_be_cancelled() {
    let result = Model::train(small(), &architecture(), &stripes(96, 1), &options(), &After(Cell::new(4)), &|_| ());
    assert!(matches!(result, Err(Error::Cancelled)));
}

#[test]
fn a_loss_that_is_not_finite_is_an_error() {
    let options = ModelOptions::from_json(r#"{"train": {"lr": 100, "batch": 32, "epochs": 30, "warmup": 0, "weight_decay": 1}}"#);
    match Model::train(small(), &architecture(), &stripes(96, 1), &options.unwrap(), &Silent, &|_| ()) {
        Err(Error::Diverged { step, .. }) => assert!(step > 1),
        other => panic!("{:?}", other.map(|_| "trained")),
    }
}

#[test]
fn images_must_fit() {
    let other =
        nse::data::Dataset::from_memory(nse::space::Shape { channels: 1, height: 4, width: 4 }, None, vec![0; 32], vec![0, 1]);
    let result = Model::train(small(), &architecture(), &other.unwrap(), &options(), &Silent, &|_| ());
    match result {
        Err(Error::Argument { name: "train", reason }) => {
            assert!(reason.contains("1x4x4") && reason.contains("1x12x12"), "{reason}")
        }
        other => panic!("{:?}", other.map(|_| "trained")),
    }
}
