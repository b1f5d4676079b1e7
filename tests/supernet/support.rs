//! Small spaces and images that the tests make themselves.

use nse::data::Dataset;
use nse::search::{Control, Purpose, Search, Silent, Status, Stream};
use nse::space::{Shape, Space};
use nse::supernet::SupernetTrainer;
use std::cell::Cell;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

/// All four operator kinds, dilation, groups, and all three cell kinds, on 9x9 images of 2 channels.
pub const ALL_OPERATORS: [&str; 6] =
    ["mbconv_k3_t3", "mbconv_k5_t2_d2", "mbconv_k3_t2_g2x2", "rec_k5_t2", "conv_k3_t1", "dualconv_k3_t2"];

pub fn all_operators() -> Arc<Space> {
    let operators = ALL_OPERATORS.map(|name| format!("{name:?}")).join(", ");
    let space = format!(
        r#"{{"name": "all", "input": {{"channels": 2, "height": 9, "width": 9}}, "classes": 3,
             "stem": {{"channels": 4, "stride": 1}},
             "cells": [{{"kind": "normal"}}, {{"kind": "reduce", "channels": 6}}, {{"kind": "expand", "channels": 8}}],
             "operators": [{operators}], "tail": {{"channels": 10}}}}"#
    );
    Arc::new(Space::from_json(&space).unwrap())
}

/// For learning: 12x12 grey images of three classes.
pub fn small() -> Arc<Space> {
    let space = r#"{"name": "small", "input": {"channels": 1, "height": 12, "width": 12}, "classes": 3,
        "stem": {"channels": 8, "stride": 2},
        "cells": [{"kind": "normal"}, {"kind": "reduce", "channels": 12}, {"kind": "normal"}],
        "operators": ["mbconv_k3_t1", "mbconv_k3_t3", "mbconv_k5_t3", "rec_k5_t1", "conv_k3_t1"], "tail": {"channels": 16}}"#;
    Arc::new(Space::from_json(space).unwrap())
}

/// `small` with all that a space can have beside cells.
pub fn whole() -> Arc<Space> {
    with_details(&small())
}

/// As the networks of NEAS have them.
pub fn with_details(space: &Space) -> Arc<Space> {
    let mut document: serde_json::Value = serde_json::from_str(&space.to_json()).unwrap();
    document["name"] = "whole".into();
    document["stem"]["block"] = serde_json::json!({ "channels": document["stem"]["channels"] });
    document["tail"] = serde_json::json!({ "channels": 16, "norm": true, "hidden": 20 });
    document["activation"] = "swish".into();
    document["squeeze_excitation"] =
        serde_json::json!({ "reduction": 4, "divisor": 8, "activation": "relu", "gate": "hard_sigmoid" });
    Arc::new(Space::from_json(&document.to_string()).unwrap())
}

/// Horizontal, vertical and diagonal stripes with noise.
pub fn stripes(count: usize, seed: u64) -> Dataset {
    let mut stream = Stream::new(seed, Purpose::Augment, 0, 0);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for i in 0..count {
        let (class, shift) = (i % 3, stream.below(4) as usize);
        for (y, x) in (0..12).flat_map(|y| (0..12).map(move |x| (y, x))) {
            let along = [y, x, x + y][class] + shift;
            pixels.push(if along % 4 < 2 { 160 } else { 40 } + stream.below(60) as u8);
        }
        labels.push(class as u32);
    }
    Dataset::from_memory(Shape { channels: 1, height: 12, width: 12 }, None, pixels, labels).unwrap()
}

/// Standard normal numbers from a stream of our own.
pub fn normal(shape: &[i64], seed: u64) -> Tensor {
    let mut stream = Stream::new(seed, Purpose::Weights, 99, 0);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_: i64| stream.normals()[0] as f32).collect();
    Tensor::from_slice(&values).view(shape)
}

pub fn zeros(shape: &[i64]) -> Tensor {
    Tensor::zeros(shape, (Kind::Float, Device::Cpu))
}

/// Distance of two tensors relative to the length of the first.
pub fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    let (a, b) = (a.to_kind(Kind::Double).detach(), b.to_kind(Kind::Double).detach());
    let difference = (&a - &b).square().sum(Kind::Double).double_value(&[]).sqrt();
    difference / a.square().sum(Kind::Double).double_value(&[]).sqrt().max(1e-30)
}

pub fn values(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.detach().to_kind(Kind::Double).contiguous().view([-1])).unwrap()
}

/// Cancels at this question, and not before.
pub struct After(pub Cell<u32>);

impl Control for After {
    fn cancelled(&self) -> bool {
        self.0.set(self.0.get().saturating_sub(1));
        self.0.get() == 0
    }
}

/// A search to its end; with `again` saved and loaded between all rounds, into the trainer that this makes.
pub fn finished(mut search: Search, mut trainer: SupernetTrainer, again: Option<&dyn Fn() -> SupernetTrainer>) -> Search {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search");
    while search.step(&mut trainer, &Silent).unwrap() == Status::Round {
        if let Some(again) = again {
            nse::checkpoint::save(&path, &search, &trainer).unwrap();
            let checkpoint = nse::checkpoint::load(&path, &Default::default()).unwrap();
            trainer = again();
            search = checkpoint.resume(&mut trainer).unwrap();
        }
    }
    search
}
