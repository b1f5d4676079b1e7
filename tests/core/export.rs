//! Formats without libtorch: what is written as safetensors is read again, anything else is refused by name; folding keeps what a
//! layer computes; export options are strict.

use nse::arch::{Architecture, Variant};
use nse::data::Normalisation;
use nse::export::{safetensors, Card, ExportOptions, Graph, Layer, FORMATS};
use nse::search::{Array, Arrays, Purpose, Stream};
use nse::space::{Activation, Space};
use nse::Error;
use std::sync::Arc;

fn card() -> Card {
    let space = r#"{"name": "tiny", "input": {"channels": 2, "height": 6, "width": 5}, "classes": 3, "stem": {"channels": 4, "stride": 1},
        "cells": [{"kind": "normal"}, {"kind": "reduce", "channels": 6}], "operators": ["mbconv_k3_t2", "conv_k3_t1"],
        "tail": {"channels": 8}}"#;
    let space = Arc::new(Space::from_json(space).unwrap());
    Card {
        architecture: Architecture::new(&space, vec![vec![0, 1], vec![0]]).unwrap(),
        space,
        variant: Variant { squeeze_excitation: true, activation: Activation::Swish },
        normalisation: Normalisation { mean: vec![0.1, 0.7], std: vec![0.3, 1.5] },
    }
}

fn graph() -> Graph {
    let mut stream = Stream::new(1, Purpose::Weights, 0, 0);
    let mut weights = Arrays::new();
    for (name, shape) in Graph::shapes(&card()) {
        // Variances must not be negative.
        let values = (0..shape.iter().product()).map(|_: usize| stream.uniform() as f32 + 0.1).collect();
        weights.insert(name, Array { shape, values });
    }
    Graph::new(card(), weights).unwrap()
}

fn no_archive(_: &str, _: &[(&String, &Array)], _: &str) -> nse::Result<Vec<u8>> {
    panic!("only TorchScript needs one")
}

fn written() -> Vec<u8> {
    ExportOptions::parse("safetensors").unwrap().write(graph(), &no_archive).unwrap()
}

#[test]
fn what_is_written_is_read() {
    let again = safetensors::from_memory(&written()).unwrap();
    assert_eq!((again.card, again.weights), (card(), graph().weights));
}

/// No byte can change without being seen, and no part can be missing.
#[test]
fn damage_is_seen() {
    let whole = written();
    let mut stream = Stream::new(2, Purpose::Probe, 0, 0);
    for at in (0..whole.len()).step_by(7).chain(0..64) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << stream.below(8);
        // A space becoming another blank of JSON is no damage.
        assert!(damaged == whole || safetensors::from_memory(&damaged).is_err(), "byte {at}");
    }
    for length in (0..whole.len()).step_by(97) {
        assert!(safetensors::from_memory(&whole[..length]).is_err(), "{length} bytes");
    }
    assert!(safetensors::from_memory(&[whole.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn what_is_something_else_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let mut damaged = written();
    *damaged.last_mut().unwrap() ^= 1;
    for (content, expected) in [
        (b"PK\x03\x04 a zip archive".to_vec(), "is not safetensors"),
        (b"\x20\0\0\0\0\0\0\0{\"__metadata__\":{\"format\":\"pt\"}}".to_vec(), "is not a model of nse"),
        (damaged, "is damaged: its checksum is wrong"),
        (vec![], "it has 0 bytes"),
    ] {
        std::fs::write(&path, content).unwrap();
        match safetensors::open(&path).map(|_| ()) {
            Err(Error::Format { path: named, reason }) => {
                assert!(named == path && reason.contains(expected), "{reason:?} does not say {expected:?}")
            }
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert!(matches!(safetensors::open(&folder.path().join("none")), Err(Error::Io { .. })));
    assert!(matches!(safetensors::open(folder.path()), Err(Error::Io { .. })));
    match safetensors::from_memory(b"nothing").map(|_| ()) {
        Err(Error::Argument { name: "data", .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn weights_must_be_those_of_the_network() {
    let refused = |change: &dyn Fn(&mut Arrays)| {
        let mut weights = graph().weights;
        change(&mut weights);
        match Graph::new(card(), weights).map(|_| ()) {
            Err(Error::Argument { name: "weights", reason }) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|w| drop(w.remove("stem.weight"))), "stem.weight is missing");
    let reason = refused(&|w| w.get_mut("classifier.bias").unwrap().shape = vec![1, 3]);
    assert_eq!(reason, "classifier.bias has the shape [1, 3], the network has [3]");
    let reason = refused(&|w| drop(w.insert("more".into(), Array { shape: vec![0], values: vec![] })));
    assert!(reason.contains("arrays, the network has"), "{reason}");
}

/// w * x, then batch-norm, for a filter of which every weight meets the input 1.
#[test]
fn folding_keeps_what_a_layer_computes() {
    let (before, mut after) = (graph(), graph());
    after.fold().unwrap();
    assert!(after.nodes.iter().all(|node| !matches!(node.layer, Layer::Norm { .. })));
    let mut folded = 0;
    for node in &after.nodes {
        let Layer::Convolve { path, bias: true, .. } = &node.layer else { continue };
        let part = |graph: &Graph, name: &str| graph.weights[&format!("{path}.{name}")].values.clone();
        let (old, new, bias) = (part(&before, "weight"), part(&after, "weight"), part(&after, "bias"));
        let bn = ["weight", "bias", "running_mean", "running_var"].map(|name| part(&before, &format!("bn.{name}")));
        let each = old.len() / bias.len();
        for (c, bias) in bias.iter().enumerate() {
            let sum = |weights: &[f32]| weights[c * each..][..each].iter().map(|w| f64::from(*w)).sum::<f64>();
            let [scale, shift, mean, var] = [0, 1, 2, 3].map(|i| f64::from(bn[i][c]));
            let expected = (sum(&old) - mean) / (var + 1e-5).sqrt() * scale + shift;
            let got = sum(&new) + f64::from(*bias);
            assert!((got - expected).abs() < 1e-4, "{path} {c}: {got} instead of {expected}");
        }
        folded += 1;
    }
    assert!(folded > 5 && after.weights.keys().all(|name| !name.contains(".bn.")), "{folded}");
}

#[test]
fn every_name_is_given_before_it_is_read() {
    let mut graph = graph();
    graph.fold().unwrap();
    graph.normalise();
    let mut known = vec!["images".to_owned()];
    for node in &mut graph.nodes {
        for name in node.layer.inputs_mut() {
            assert!(known.contains(name), "{name} of {}", node.to);
        }
        assert!(!known.contains(&node.to), "{} twice", node.to);
        known.push(node.to.clone());
    }
    assert_eq!(known.last().unwrap(), "logits");
}

#[test]
fn export_options_are_strict() {
    for format in &FORMATS {
        assert_eq!(ExportOptions::parse(format.name).unwrap().format, format.name);
    }
    match ExportOptions::parse("onyx") {
        Err(Error::Argument { name: "format", reason }) => {
            assert!(FORMATS.iter().all(|format| reason.contains(format.name)) && reason.contains("onyx"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
    for (text, at) in [
        (r#"{"format": "onyx"}"#, "/format"),
        (r#"{"format": "onnx", "folded": true}"#, "/folded"),
        (r#"{"format": "onnx", "fold": 1}"#, "/fold"),
        (r#"{"format": "safetensors", "fold": true}"#, "/fold"),
        (r#"{"format": "safetensors", "normalise": true}"#, "/normalise"),
        ("{", ""),
    ] {
        match ExportOptions::parse(text) {
            Err(Error::Config { document: "export options", pointer, .. }) => assert_eq!(pointer, at, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}
