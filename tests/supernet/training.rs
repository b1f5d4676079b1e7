//! Stand-alone training with everything that it has: it learns, repeats itself, keeps a curve, and goes on where it was stopped.

use crate::model::architecture;
use crate::support::{distance, small, stripes, values, After};
use nse::data::Dataset;
use nse::export::ExportOptions;
use nse::search::{Control, Event, EventKind, Silent};
use nse::supernet::optimizer::Optimizer;
use nse::supernet::shim::{adamw, average, clip, Moments};
use nse::supernet::{Epoch, Lesson, Model, ModelOptions};
use nse::{Error, Result};
use serde_json::{json, Value};
use std::cell::{Cell, RefCell};
use std::path::Path;
use tch::{Device, Kind, Tensor};

/// Everything at once.
pub fn everything() -> Value {
    json!({
        "seed": 3, "calibration": 128,
        "train": {
            "epochs": 8, "batch": 30, "optimizer": "adamw", "lr": 0.01, "warmup": 0.1, "weight_decay": 0.05, "label_smoothing": 0.1,
            "clip": 2, "ema": 0.9, "mixup": 0.2, "drop_path": 0.1, "augment": { "pad": 1, "flip": false, "erase": 0.2 }
        }
    })
}

fn options(document: &Value) -> ModelOptions {
    ModelOptions::from_json(&document.to_string()).unwrap()
}

pub fn learn(document: &Value, control: &dyn Control) -> Result<Model> {
    let (train, held_out) = (stripes(300, 1), stripes(90, 2));
    learn_on(&train, &held_out, document, control, &|_| ())
}

fn learn_on(
    train: &Dataset,
    held_out: &Dataset,
    document: &Value,
    control: &dyn Control,
    watch: &dyn Fn(&Event),
) -> Result<Model> {
    let architecture = architecture();
    let lesson = Lesson { space: small(), architecture: &architecture, train, held_out: Some(held_out), init: None };
    Model::learn(lesson, &options(document), control, watch)
}

/// All weights and statistics, to the bit.
pub fn bits(model: &Model) -> Vec<u8> {
    model.export(&ExportOptions::parse("safetensors").unwrap()).unwrap()
}

/// The curve without times.
pub fn curve(model: &Model) -> Vec<Epoch> {
    model.history().iter().map(|epoch| Epoch { seconds: 0.0, ..*epoch }).collect()
}

fn with(mut document: Value, change: impl FnOnce(&mut Value)) -> Value {
    change(&mut document);
    document
}

#[test]
fn everything_at_once_learns_and_repeats_itself() {
    let (first, second) = (learn(&everything(), &Silent).unwrap(), learn(&everything(), &Silent).unwrap());
    let accuracy = first.evaluate(&stripes(150, 5), &Silent).unwrap().accuracy;
    assert!(accuracy > 0.9, "{accuracy}");
    assert_eq!(bits(&first), bits(&second));
    assert_eq!(curve(&first), curve(&second));
}

/// Each option changes the weights that come out, and each alone learns.
#[test]
fn every_option_matters() {
    let plain = json!({
        "seed": 3, "calibration": 128,
        "train": { "epochs": 4, "batch": 30, "lr": 0.1, "augment": { "pad": 0, "flip": false } }
    });
    let known = bits(&learn(&plain, &Silent).unwrap());
    for (pointer, value) in [
        ("/train/optimizer", json!("adamw")),
        ("/train/clip", json!(0.5)),
        ("/train/ema", json!(0.9)),
        ("/train/mixup", json!(0.3)),
        ("/train/drop_path", json!(0.2)),
        ("/train/dropout", json!(0.2)),
        ("/train/label_smoothing", json!(0.1)),
        ("/train/augment/erase", json!(0.5)),
        ("/train/precision", json!("bfloat16")),
    ] {
        let mut changed = plain.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[key] = value;
        if pointer.ends_with("optimizer") {
            changed["train"]["lr"] = json!(0.01);
        }
        let model = learn(&changed, &Silent).unwrap();
        assert_ne!(bits(&model), known, "{pointer} changes nothing");
        let accuracy = model.evaluate(&stripes(150, 5), &Silent).unwrap().accuracy;
        assert!(accuracy > 0.8, "{pointer}: {accuracy}");
    }
}

#[test]
fn the_curve_is_what_evaluation_says() {
    let seen = RefCell::new(Vec::new());
    let (train, held_out) = (stripes(300, 1), stripes(90, 2));
    let model = learn_on(&train, &held_out, &everything(), &Silent, &|event| {
        if event.kind == EventKind::Evaluate {
            seen.borrow_mut().push((event.epoch, event.loss, event.accuracy));
        }
    });
    let model = model.unwrap();
    let history = model.history();
    assert_eq!(
        history.iter().map(|epoch| (epoch.epoch, epoch.step)).collect::<Vec<_>>(),
        (1..=8).map(|e| (e, 10 * e)).collect::<Vec<_>>()
    );
    let told: Vec<_> = history.iter().map(|e| (e.epoch, e.ema.unwrap().loss, e.ema.unwrap().accuracy)).collect();
    assert_eq!(seen.into_inner(), told);
    // The model has the average.
    let last = history.last().unwrap();
    assert_eq!(model.evaluate(&held_out, &Silent).unwrap(), last.ema.unwrap());
    assert_ne!(last.ema, last.held_out);
    assert!(history[0].loss > last.loss && history.windows(2).all(|pair| pair[0].seconds <= pair[1].seconds));
    assert!(history[1].lr > history[6].lr && last.lr > 0.0);

    let every = with(everything(), |o| o["train"]["evaluate_every"] = json!(3));
    let due: Vec<bool> = learn(&every, &Silent).unwrap().history().iter().map(|e| e.held_out.is_some()).collect();
    assert_eq!(due, [false, false, true, false, false, true, false, true], "every third, and the last");
    let alone = Model::train(small(), &architecture(), &train, &options(&everything()), &Silent, &|_| ()).unwrap();
    assert!(alone.history().iter().all(|epoch| epoch.held_out.is_none() && epoch.ema.is_none()));
    assert_eq!(bits(&alone), bits(&model), "evaluating changes nothing");
}

fn resuming(path: &Path) -> Value {
    with(everything(), |o| o["checkpoint"] = json!({ "path": path, "steps": 7, "resume": true }))
}

/// Asked to stop again and again, it goes on where it was, and ends with the same bits.
#[test]
fn cancelled_anywhere_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training");
    let alone = learn(&everything(), &Silent).unwrap();
    let mut stops = 0;
    let model = loop {
        // Some of these are inside of an evaluation.
        match learn(&resuming(&path), &After(Cell::new(9 + stops))) {
            Err(Error::Cancelled) => stops += 1,
            other => break other.unwrap(),
        }
    };
    assert!(stops > 6, "{stops}");
    assert_eq!(bits(&model), bits(&alone), "after {stops} stops");
    assert_eq!(curve(&model), curve(&alone));
}

#[test]
fn only_the_same_training_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training");
    assert!(matches!(learn(&resuming(&path), &After(Cell::new(12))), Err(Error::Cancelled)));
    let other = with(resuming(&path), |o| o["train"]["mixup"] = json!(0.3));
    match learn(&other, &Silent).map(|_| ()) {
        Err(Error::Config { pointer, reason, .. }) => {
            assert_eq!(pointer, "/train/mixup");
            assert!(reason.contains("0.3") && reason.contains("0.2"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    let format = |result: Result<Model>| match result {
        Err(Error::Format { reason, .. }) => reason,
        other => panic!("{:?}", other.map(|_| "trained")),
    };
    let images = learn_on(&stripes(300, 9), &stripes(90, 2), &resuming(&path), &Silent, &|_| ());
    assert!(format(images).contains("other images"));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(format(learn(&resuming(&path), &Silent)).contains("damaged"));
    // Not asked to go on, it begins anew.
    let anew = with(resuming(&path), |o| o["checkpoint"]["resume"] = json!(false));
    assert_eq!(curve(&learn(&anew, &Silent).unwrap()).len(), 8);
}

// ---- Formulas ------------------------------------------------------------------------------------------------------------------

#[test]
fn three_steps_of_adamw_by_hand() {
    let start = [1.0f64, -2.0, 0.5];
    let gradients = [[0.5f64, 0.25, -1.0], [-0.5, 1.0, 0.0], [0.1, 0.1, 0.1]];
    let tensor = |numbers: [f64; 3]| Tensor::from_slice(&numbers.map(|n| n as f32));
    let zeros = || [Tensor::zeros([3], (Kind::Float, Device::Cpu)), Tensor::zeros([3], (Kind::Float, Device::Cpu))];
    let (parameters, first, second) = ([tensor(start), tensor(start)], zeros(), zeros());
    let steps = [(); 2].map(|()| Tensor::zeros([0i64; 0], (Kind::Float, Device::Cpu)));
    let (lr, decay) = (0.1, 0.01);
    let mut expected = [start, start];
    let (mut m, mut v) = ([[0.0; 3]; 2], [[0.0; 3]; 2]);
    for (t, gradient) in gradients.into_iter().enumerate() {
        let moments = Moments { first: &first, second: &second, steps: &steps };
        assert!(adamw(&parameters, &[tensor(gradient), tensor(gradient)], moments, 1, lr, decay).unwrap());
        for (which, decay) in [decay, 0.0].into_iter().enumerate() {
            for i in 0..3 {
                let g = gradient[i];
                m[which][i] = 0.9 * m[which][i] + 0.1 * g;
                v[which][i] = 0.999 * v[which][i] + 0.001 * g * g;
                let n = t as i32 + 1;
                let (m, v) = (m[which][i] / (1.0 - 0.9f64.powi(n)), v[which][i] / (1.0 - 0.999f64.powi(n)));
                expected[which][i] -= lr * decay * expected[which][i] + lr * m / (v.sqrt() + 1e-8);
            }
        }
    }
    for (got, expected) in parameters.iter().zip(expected) {
        for (got, expected) in values(got).into_iter().zip(expected) {
            assert!((got - expected).abs() < 1e-5, "{got} instead of {expected}");
        }
    }
    let before = values(&parameters[0]);
    let bad = [tensor([f64::NAN, 0.0, 0.0]), tensor([0.0; 3])];
    let moments = Moments { first: &first, second: &second, steps: &steps };
    assert!(!adamw(&parameters, &bad, moments, 1, lr, decay).unwrap());
    assert_eq!((values(&parameters[0]), values(&steps[0])), (before, vec![3.0]), "nothing changed");
}

#[test]
fn gradients_are_shortened_together_and_averages_move() {
    let gradients = [Tensor::from_slice(&[3.0f32, 0.0]), Tensor::from_slice(&[0.0f32, 4.0])];
    clip(&gradients, 10.0).unwrap();
    assert_eq!(values(&gradients[1]), [0.0, 4.0], "5 is no more than 10");
    clip(&gradients, 1.0).unwrap();
    assert!((values(&gradients[0])[0] - 0.6).abs() < 1e-5 && (values(&gradients[1])[1] - 0.8).abs() < 1e-5);
    let averages = [Tensor::from_slice(&[1.0f32, 2.0])];
    average(&averages, &[Tensor::from_slice(&[2.0f32, 4.0])], 0.25).unwrap();
    assert_eq!(values(&averages[0]), [1.25, 2.5]);
}

/// In the first steps the average forgets faster: step 0 keeps a tenth of the fresh weights.
#[test]
fn the_average_begins_fast() {
    let network = nse::supernet::network::Network::new(small(), architecture().cells(), 1, 0, Device::Cpu).unwrap();
    let recipe = options(&json!({ "train": { "ema": 0.99, "weight_decay": 0 } })).train;
    let optimizer = Optimizer::new(&network, architecture().cells(), &recipe).unwrap();
    let fresh: Vec<Tensor> = optimizer.parameters().iter().map(|p| p.detach().copy()).collect();
    let gradients: Vec<Tensor> = fresh.iter().map(|p| p.ones_like()).collect();
    assert!(optimizer.step(&gradients, 0, 0.5).unwrap());
    let moved: Vec<Tensor> = optimizer.parameters().iter().map(|p| p.detach().copy()).collect();
    optimizer.exchange().unwrap();
    for ((average, fresh), moved) in optimizer.parameters().iter().zip(&fresh).zip(&moved) {
        assert!(distance(&(fresh * 0.1 + moved * 0.9), average) < 1e-6);
    }
}
