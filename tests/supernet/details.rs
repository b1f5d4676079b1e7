//! What a space gives all its networks beside cells: supernet, stand-alone networks, ensembles and exports have the same, and all of it is learnt.

use crate::ensemble::ensemble;
use crate::export::{export, file};
use crate::forward::{all, check, weights};
use crate::reference::{self, Map, Norm as Kind, Weights};
use crate::support::{normal, small, stripes, values, whole, After};
use nse::arch::{Architecture, Variant};
use nse::export::{safetensors, ExportOptions};
use nse::search::{At, Comparison, Difference, Products, Search, SearchOptions, Silent, Status, Trainer, TwoPaths};
use nse::supernet::network::Network;
use nse::supernet::norm::Norm;
use nse::supernet::{Lesson, Model, ModelOptions, SupernetTrainer};
use nse::{Error, Result};
use serde_json::json;
use std::cell::Cell;
use tch::{CModule, Device};

/// That of `small`, here.
fn two() -> Architecture {
    ensemble().again(&whole()).unwrap()
}

fn learn(architecture: &Architecture, train: serde_json::Value, control: &dyn nse::search::Control) -> Result<Model> {
    let mut document = json!({ "seed": 3, "calibration": 200, "train": { "epochs": 6, "batch": 32, "lr": 0.05 } });
    for (key, value) in train.as_object().unwrap() {
        match key.as_str() {
            "checkpoint" => document[key] = value.clone(),
            _ => document["train"][key] = value.clone(),
        }
    }
    let options = ModelOptions::from_json(&document.to_string()).unwrap();
    let (train, held_out) = (stripes(300, 1), stripes(90, 2));
    Model::learn(
        Lesson { space: whole(), architecture, train: &train, held_out: Some(&held_out), init: None },
        &options,
        control,
        &|_| (),
    )
}

#[test]
fn a_supernet_equals_the_reference() {
    let space = whole();
    let network = Network::new(space.clone(), &all(&space), 1, 0, Device::Cpu).unwrap();
    let weights = weights(&space, &network);
    let images = normal(&[8, 1, 12, 12], 7);
    for open in [[vec![0], vec![3], vec![4]], [vec![], vec![1, 4], vec![0, 2, 3]], [vec![2, 3], vec![0], vec![]]] {
        check(&space, &network, &weights, &open, &images);
    }
    // A block without shortcut, and plain activations, which our kernels have.
    let mut document: serde_json::Value = serde_json::from_str(&small().to_json()).unwrap();
    document["stem"]["block"] = json!({ "channels": 6, "kernel": 5 });
    for channels in [6, 8] {
        document["stem"]["block"]["channels"] = channels.into();
        let space = std::sync::Arc::new(nse::space::Space::from_json(&document.to_string()).unwrap());
        let network = Network::new(space.clone(), &all(&space), 1, 0, Device::Cpu).unwrap();
        check(&space, &network, &self::weights(&space, &network), &[vec![0], vec![1], vec![]], &images);
    }
}

/// Every path has a tail and a hidden layer of its own. In TorchScript as in the plain-loop reference, and read back from safetensors.
#[test]
fn an_ensemble_learns_and_its_exports_equal_the_reference() {
    let model = learn(&two(), json!({}), &Silent).unwrap();
    let test = stripes(150, 5);
    let known = model.evaluate(&test, &Silent).unwrap();
    assert!(known.accuracy > 0.9, "{known:?}");
    let graph = model.graph().unwrap();
    let weights: Weights =
        graph.weights.iter().map(|(n, a)| (n.clone(), a.values.iter().map(|v| f64::from(*v)).collect())).collect();
    let x = normal(&[4, 1, 12, 12], 20);
    let of = |path: usize| {
        let own = format!("path{path}.");
        let named = weights.iter().map(|(name, values)| (name.strip_prefix(&own).unwrap_or(name).to_owned(), values.clone()));
        let map = Map { shape: [4, 1, 12, 12], data: values(&x) };
        reference::forward(&whole(), two().member(path).cells(), &named.collect(), &map, Kind::Running).concat()
    };
    let expected: Vec<f64> = of(0).iter().zip(of(1)).map(|(a, b)| (a + b) / 2.0).collect();
    for fold in [false, true] {
        let path = file(&format!("details-{fold}.pt"));
        model
            .export_to(&ExportOptions::parse(&json!({ "format": "torchscript", "fold": fold }).to_string()).unwrap(), &path)
            .unwrap();
        let got = CModule::load(&path).unwrap().forward_ts(&[x.shallow_clone()]).unwrap();
        std::fs::remove_file(&path).unwrap();
        for (got, expected) in values(&got).iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{got} instead of {expected}");
        }
    }
    let back = safetensors::from_memory(&model.export(&ExportOptions::parse("safetensors").unwrap()).unwrap()).unwrap();
    assert_eq!(Model::from_graph(&back, "cpu").unwrap().evaluate(&test, &Silent).unwrap(), known);
    // Every weight counts, and every bias was learnt.
    for (name, array) in &graph.weights {
        let mut weights = back.weights.clone();
        weights.get_mut(name).unwrap().values.iter_mut().for_each(|value| *value = 0.7);
        let broken = nse::export::Graph::new(back.card.clone(), weights).unwrap();
        let loss = Model::from_graph(&broken, "cpu").unwrap().evaluate(&test, &Silent).unwrap().loss;
        assert_ne!(loss, known.loss, "{name} counts for nothing");
        if ["hidden.bias", "squeeze.bias", "excite.bias"].iter().any(|part| name.ends_with(part)) {
            assert!(array.values.iter().any(|value| *value != 0.0), "{name} was not learnt");
        }
    }
    for name in ["block.depthwise.weight", "block.depthwise.squeeze.weight", "path1.hidden.weight", "path0.tail.bn.weight"] {
        assert!(graph.weights.contains_key(name), "{name}");
    }
    // Nothing that a variant would add.
    let plain = file("details.pt");
    export(&model, &plain).unwrap();
    std::fs::remove_file(&plain).unwrap();
    assert_eq!(model.card().variant, Variant::default());
}

#[test]
fn numbers_in_front_of_the_classifiers_are_left_out() {
    let bits = crate::training::bits;
    let dropping = json!({ "dropout": 0.3, "epochs": 8 });
    let model = learn(&two(), dropping.clone(), &Silent).unwrap();
    assert!(model.evaluate(&stripes(150, 5), &Silent).unwrap().accuracy > 0.9);
    assert_eq!(bits(&model), bits(&learn(&two(), dropping.clone(), &Silent).unwrap()));
    assert_ne!(bits(&model), bits(&learn(&two(), json!({ "epochs": 8 }), &Silent).unwrap()));
    let path = file("dropout.ckpt");
    let mut kept = dropping;
    kept["checkpoint"] = json!({ "path": path, "steps": 5, "resume": true });
    let mut stops = 0;
    let resumed = loop {
        match learn(&two(), kept.clone(), &After(Cell::new(25))) {
            Ok(model) => break model,
            Err(Error::Cancelled) => stops += 1,
            Err(other) => panic!("{other}"),
        }
    };
    std::fs::remove_file(&path).unwrap();
    assert!(stops > 1, "{stops} stops");
    assert_eq!(bits(&model), bits(&resumed));
}

const OPTIONS: &str = r#"{"seed": 2, "branches": "single", "objective": {"low": 0, "high": 1e9},
    "strategy": {"neas": {"shrink": {"drop": {"worst": 4}, "until": 60, "later_epochs": 1}, "evolution": {"population": 6}}},
    "train": {"epochs": 2, "batch": 30, "lr": 0.05}, "candidates": {"count": 12, "extras": 0},
    "score": {"calibration": 64, "batch": 90}}"#;

fn trainer(options: &str) -> SupernetTrainer {
    let options = SearchOptions::from_json(options).unwrap();
    SupernetTrainer::new(whole(), &stripes(300, 1), Some(&stripes(90, 2)), &options).unwrap()
}

/// By K paths through one supernet, to ensembles which are what the supernet says that they are.
#[test]
fn ensembles_are_searched() {
    let mut trainer = trainer(OPTIONS);
    let mut search = Search::new(whole(), SearchOptions::from_json(OPTIONS).unwrap()).unwrap();
    while search.step(&mut trainer, &Silent).unwrap() != Status::Done {}
    let best = search.front().last().unwrap().clone();
    assert!(best.architecture.paths().is_ensemble());
    let costs = nse::cost::CostTable::new(&whole());
    assert_eq!(best.cost.macs, costs.architecture(&best.architecture).macs);
    let judged = trainer.judge(2, 0, std::slice::from_ref(&best.architecture), Some(Difference::Divergence), &Silent).unwrap();
    let model = trainer.model(&best.architecture, &Silent).unwrap();
    let graph = model.graph().unwrap();
    assert_eq!(graph.weights["path0.hidden.weight"], graph.weights["path1.hidden.weight"], "one supernet, one hidden layer");
    assert!(judged[0].accuracy > 0.5);
    // Branches that several candidates have are computed once, to the same.
    let members = best.architecture.members();
    let together = trainer.score(2, 0, &members, &Silent).unwrap();
    for (member, known) in members.iter().zip(together) {
        assert_eq!(trainer.score(2, 0, std::slice::from_ref(member), &Silent).unwrap(), [known]);
    }
}

/// The published networks on small images: trained, exported to TorchScript, and taken out of a supernet of their space.
#[test]
fn the_published_networks_run() {
    let overrides = json!({ "input": { "channels": 1, "height": 12, "width": 12 }, "classes": 3 }).to_string();
    let test = stripes(30, 5);
    for name in ["neas-s", "neas-m", "neas-l"] {
        let (space, architecture) = Architecture::preset(name, &overrides).unwrap();
        let document = json!({ "calibration": 30, "train": { "epochs": 1, "batch": 15, "dropout": 0.2 } });
        let options = ModelOptions::from_json(&document.to_string()).unwrap();
        let model = Model::train(space.into(), &architecture, &stripes(30, 1), &options, &Silent, &|_| ()).unwrap();
        let path = file(&format!("{name}.pt"));
        export(&model, &path).unwrap();
        let module = CModule::load(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        let places: Vec<u32> = (0..30).collect();
        test.fill(&places, &model.card().normalisation, None, &mut images, &mut labels).unwrap();
        let logits = module.forward_ts(&[tch::Tensor::from_slice(&images).view([30, 1, 12, 12])]).unwrap();
        let right = logits.argmax(1, false).eq_tensor(&tch::Tensor::from_slice(&labels)).sum(None).int64_value(&[]);
        assert_eq!(model.evaluate(&test, &Silent).unwrap().accuracy, right as f64 / 30.0);
    }
    let (space, architecture) = Architecture::preset("neas-m", &overrides).unwrap();
    let (space, options) = (std::sync::Arc::new(space), SearchOptions::from_json(OPTIONS).unwrap());
    let mut trainer = SupernetTrainer::new(space.clone(), &stripes(60, 1), Some(&test), &options).unwrap();
    let operators: Vec<Vec<u16>> = (0..20).map(|_| vec![0, 2, 3, 4, 5]).collect();
    trainer.begin_round(2, 0, &operators).unwrap();
    for step in 0..2 {
        trainer.ensemble_step(At { seed: 2, round: 0, step }, &architecture, 0.05).unwrap();
    }
    let judged = trainer.judge(2, 0, std::slice::from_ref(&architecture), Some(Difference::Divergence), &Silent).unwrap();
    let model = trainer.model(&architecture, &Silent).unwrap();
    assert!(judged[0].diversity > 0.0 && model.graph().unwrap().weights.contains_key("path1.hidden.weight"));
}

/// Two paths of a cell at once give what each gives alone.
#[test]
fn an_architecture_step_sees_them() {
    let active = vec![vec![0, 3], vec![1, 4], vec![2]];
    let mut trainer = trainer(r#"{"objective": {"low": 1, "high": 1e9}, "train": {"batch": 30}}"#);
    trainer.begin_round(2, 0, &active).unwrap();
    let at = At { seed: 2, round: 0, step: 0 };
    let paths = |s: [bool; 2], u: [bool; 2]| vec![Some(TwoPaths::new(&[0.5, 0.5], s.into(), u.into())), None, None];
    let (loss, gradients) = trainer.architecture_step(at, &active, &paths([true, false], [true, true])).unwrap();
    let (other, _) = trainer.architecture_step(at, &active, &paths([true, true], [true, false])).unwrap();
    assert!(loss.is_finite() && loss != other && gradients[0].selected != gradients[0].unselected);
    let network = Network::new(whole(), &active, 2, 0, Device::Cpu).unwrap();
    let x = network.stem(&normal(&[6, 1, 12, 12], 3), &Norm::Batch).unwrap();
    let (selected, unselected) = network.two_paths(0, &x, &[(0, true, true), (3, false, true)], &Norm::Batch).unwrap();
    for (got, open) in [(selected, vec![0]), (unselected, vec![0, 3])] {
        let expected = network.cell(0, &x, &open, &Norm::Batch).unwrap();
        assert!(crate::support::distance(&expected, &got) < 1e-6);
    }
}

/// Kernels of the fixed block, and the hidden layer, are part of what is compared; of squeeze-excitation the weights with the kernels.
#[test]
fn angles_have_them() {
    let active = vec![vec![0, 3], vec![1], vec![]];
    let mut trainer = trainer(r#"{"objective": {"low": 1, "high": 1e9}, "train": {"batch": 30}}"#);
    trainer.begin_round(2, 0, &active).unwrap();
    trainer.remember().unwrap();
    for step in 0..4 {
        trainer.weight_step(At { seed: 2, round: 0, step }, &active, 0.1).unwrap();
    }
    let arrays = trainer.save(&active).unwrap();
    let by_hand = |names: &[&str]| {
        names.iter().fold(Products::default(), |sum, name| {
            let pairs = arrays[&format!("{name}.then")].values.iter().zip(&arrays[*name].values);
            pairs.fold(sum, |sum, (then, now)| {
                let (then, now) = (f64::from(*then), f64::from(*now));
                sum + Products { both: then * now, then: then * then, now: now * now }
            })
        })
    };
    let near = |is: Products, should: Products| {
        for (is, should) in [(is.both, should.both), (is.then, should.then), (is.now, should.now)] {
            assert!((is - should).abs() <= 1e-9 * should.abs().max(1.0), "{is}, not {should}");
        }
    };
    let compared: Comparison = trainer.compare(&active).unwrap();
    let ends = [
        "stem.0",
        "tail.0",
        "classifier.0",
        "hidden.0",
        "block.depthwise.0",
        "block.depthwise.3",
        "block.depthwise.5",
        "block.project.0",
    ];
    near(compared.ends, by_hand(&ends));
    let part = "cells.1.mbconv_k3_t3";
    let names = ["expand.0", "depthwise.0", "depthwise.3", "depthwise.5", "project.0"].map(|unit| format!("{part}.{unit}"));
    near(compared.cells[1][&1].kernels, by_hand(&names.each_ref().map(String::as_str)));
    let remembered = arrays.keys().filter(|name| name.ends_with(".then")).count();
    // Ends; then for each of three branches kernels, two of squeeze-excitation, and two batch-norms of two numbers.
    assert_eq!(remembered, ends.len() + (3 + 2 + 4) + (4 + 2 + 4) + (3 + 2 + 4));
}
