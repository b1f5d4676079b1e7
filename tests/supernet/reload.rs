//! A model as safetensors: back in nse it is the same to the bit, and can be trained on. A path of a supernet is a model too.

use crate::export::file;
use crate::model::architecture;
use crate::support::{all_operators, small, stripes};
use crate::training::{bits, everything, learn};
use nse::arch::Architecture;
use nse::data::Dataset;
use nse::export::{safetensors, ExportOptions};
use nse::search::{At, SearchOptions, Silent, Trainer};
use nse::space::Space;
use nse::supernet::{Lesson, Model, ModelOptions, SupernetTrainer};
use nse::Error;
use serde_json::json;
use std::sync::Arc;

fn options(document: serde_json::Value) -> ModelOptions {
    ModelOptions::from_json(&document.to_string()).unwrap()
}

#[test]
fn it_comes_back_to_the_bit() {
    let model = learn(&everything(), &Silent).unwrap();
    let path = file("model.safetensors");
    model.export_to(&ExportOptions::parse("safetensors").unwrap(), &path).unwrap();
    let again = Model::from_graph(&safetensors::open(&path).unwrap(), "cpu").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bits(&again));
    std::fs::remove_file(&path).unwrap();
    let test = stripes(150, 7);
    assert_eq!(again.evaluate(&test, &Silent).unwrap(), model.evaluate(&test, &Silent).unwrap());
    assert_eq!(again.card(), model.card());
}

#[test]
fn every_variant_and_operator_comes_back() {
    let space = all_operators();
    let all: Vec<Vec<u16>> = (0..3).map(|_| (0..6).collect()).collect();
    let architecture = Architecture::new(&space, all).unwrap();
    let pixels: Vec<u8> = (0..12 * 2 * 81u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let shape = nse::space::Shape { channels: 2, height: 9, width: 9 };
    let images = Dataset::from_memory(shape, None, pixels, (0..12).map(|i| i % 3).collect()).unwrap();
    for activation in ["relu", "swish"] {
        let options = options(json!({
            "variant": { "squeeze_excitation": activation == "swish", "activation": activation },
            "train": { "epochs": 1, "batch": 6, "augment": { "pad": 0 } }
        }));
        let model = Model::train(space.clone(), &architecture, &images, &options, &Silent, &|_| ()).unwrap();
        let again = Model::from_graph(&safetensors::from_memory(&bits(&model)).unwrap(), "cpu").unwrap();
        assert_eq!(again.evaluate(&images, &Silent).unwrap(), model.evaluate(&images, &Silent).unwrap(), "{activation}");
    }
}

fn tune(space: &Arc<Space>, data: &Dataset, init: &Model, document: serde_json::Value) -> nse::Result<Model> {
    let (architecture, graph) = (architecture(), init.graph().unwrap());
    let lesson =
        Lesson { space: space.clone(), architecture: &architecture, train: data, held_out: Some(data), init: Some(&graph) };
    Model::learn(lesson, &options(document), &Silent, &|_| ())
}

#[test]
fn a_model_is_trained_on() {
    let first = learn(&everything(), &Silent).unwrap();
    let data = stripes(300, 8);
    let short = json!({ "train": { "epochs": 1, "batch": 30, "lr": 0.001, "augment": { "pad": 0, "flip": false } } });
    let tuned = tune(&small(), &data, &first, short.clone()).unwrap();
    let fresh = Model::train(small(), &architecture(), &data, &options(short.clone()), &Silent, &|_| ()).unwrap();
    let loss = |model: &Model| model.history()[0].loss;
    assert!(loss(&tuned) < 0.6 * loss(&fresh), "{} and {}", loss(&tuned), loss(&fresh));
    assert_eq!(tuned.card().normalisation, first.card().normalisation, "the weights are used to it");

    // Other classes: only the classifier is fresh.
    let mut document: serde_json::Value = serde_json::from_str(&small().to_json()).unwrap();
    document["classes"] = json!(5);
    let five = Arc::new(Space::from_json(&document.to_string()).unwrap());
    let tuned = tune(&five, &data, &first, short.clone()).unwrap();
    let fresh = Model::train(five, &architecture(), &data, &options(short.clone()), &Silent, &|_| ()).unwrap();
    assert_eq!(tuned.card().space.classes(), 5);
    assert!(loss(&tuned) < loss(&fresh), "{} and {}", loss(&tuned), loss(&fresh));

    let mut swish = short;
    swish["variant"] = json!({ "activation": "swish" });
    assert!(matches!(tune(&small(), &data, &first, swish), Err(Error::Config { pointer, .. }) if pointer == "/variant"));
    let (other, graph) = (Architecture::new(&small(), vec![vec![1], vec![1], vec![4]]).unwrap(), first.graph().unwrap());
    let lesson = Lesson { space: small(), architecture: &other, train: &data, held_out: None, init: Some(&graph) };
    match Model::learn(lesson, &ModelOptions::default(), &Silent, &|_| ()).map(|_| ()) {
        Err(Error::Argument { name: "init", reason }) => assert!(reason.contains("cell0.mbconv_k3_t3.expand.weight"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_path_of_a_supernet_is_a_model() {
    let search = SearchOptions::from_json(
        r#"{"seed": 2, "objective": {"low": 0, "high": 90000}, "train": {"batch": 30}, "held_out": 0.2, "score": {"calibration": 1000}}"#,
    );
    let (search, active) = (search.unwrap(), vec![vec![0, 3], vec![1, 2, 4], vec![4]]);
    let held_out = stripes(90, 2);
    let mut trainer = SupernetTrainer::new(small(), &stripes(300, 1), Some(&held_out), &search).unwrap();
    let architecture = architecture();
    assert!(matches!(trainer.model(&architecture, &Silent), Err(Error::NotFound(_))), "no round was begun");
    trainer.begin_round(2, 1, &active).unwrap();
    for step in 0..20 {
        trainer.weight_step(At { seed: 2, round: 1, step }, &active, 0.1).unwrap();
    }
    let model = trainer.model(&architecture, &Silent).unwrap();
    let score = trainer.score(2, 1, std::slice::from_ref(&architecture), &Silent).unwrap();
    assert_eq!(model.evaluate(&held_out, &Silent).unwrap().accuracy, score[0], "what the search sees");
    // And it is a better start than none.
    let short = json!({ "train": { "epochs": 1, "batch": 30, "lr": 0.01, "augment": { "pad": 0, "flip": false } } });
    let tuned = tune(&small(), &stripes(300, 1), &model, short.clone()).unwrap();
    let fresh = Model::train(small(), &architecture, &stripes(300, 1), &options(short), &Silent, &|_| ()).unwrap();
    assert!(tuned.history()[0].loss < fresh.history()[0].loss);
    let inactive = Architecture::new(&small(), vec![vec![1], vec![1], vec![4]]).unwrap();
    match trainer.model(&inactive, &Silent).map(|_| ()) {
        Err(Error::NotFound(reason)) => assert!(reason.contains("mbconv_k3_t3 of cell 0"), "{reason}"),
        other => panic!("{other:?}"),
    }
}
