//! Operators that run all at once: loss and gradients against passes that are written out and left to autograd.

use crate::support::{distance, small, stripes};
use nse::data::{Changes, Normalisation, Order};
use nse::search::*;
use nse::space::Space;
use nse::supernet::learner::Loader;
use nse::supernet::network::Network;
use nse::supernet::norm::Norm;
use nse::supernet::SupernetTrainer;
use serde_json::{json, Value};
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

pub const AT: At = At { seed: 4, round: 0, step: 2 };

/// Shared cells of two nodes: three cells, of which the later two halve the size.
pub fn cells(operators: Value) -> Arc<Space> {
    let document = json!({ "name": "cells", "input": { "channels": 1, "height": 12, "width": 12 }, "classes": 3,
        "stack": { "skeleton": "darts-cifar", "channels": 4, "cells": 3, "nodes": 2, "operators": operators, "shared": true } });
    Arc::new(Space::from_json(&document.to_string()).unwrap())
}

pub fn options(changes: Value) -> SearchOptions {
    let mut document = json!({
        "seed": 4, "objective": { "low": 0, "high": 1e9 }, "scorer": { "alpha": { "lr": 0.03 } }, "held_out": 0.5, "branches": "single",
        "train": { "epochs": 1, "batch": 24, "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "augment": { "pad": 0, "flip": false } },
        "candidates": { "count": 4, "extras": 0, "too_few": "accept" }, "score": { "calibration": 48, "images": 48 }
    });
    changes.as_object().unwrap().iter().for_each(|(key, value)| document[key] = value.clone());
    SearchOptions::from_json(&document.to_string()).unwrap()
}

/// Of every cell all operators, and nothing where it may be empty: shares from some alpha, and weights of edges.
pub fn alphas(space: &Space) -> Vec<Vec<f64>> {
    let of_cell = |(at, cell): (usize, &nse::space::Cell)| {
        let count = cell.operators.len() + usize::from(cell.may_be_skipped());
        (0..count).map(|i| 0.7 * ((at * 5 + i * 3) as f64).sin()).collect()
    };
    space.cells().iter().enumerate().map(of_cell).collect()
}

fn softmax(values: &[f64]) -> Vec<f64> {
    let sum: f64 = values.iter().map(|v| v.exp()).sum();
    values.iter().map(|v| v.exp() / sum).collect()
}

pub fn blends(space: &Space, edges: Option<&[f64]>) -> Vec<Blend> {
    let blend = |(at, (cell, alpha)): (usize, (&nse::space::Cell, Vec<f64>))| {
        let choices = (0..cell.operators.len() as u16).map(Some).chain(cell.may_be_skipped().then_some(None));
        Blend { shares: choices.zip(softmax(&alpha)).collect(), edge: edges.map(|edges| edges[at]) }
    };
    space.cells().iter().zip(alphas(space)).enumerate().map(blend).collect()
}

/// A pass with the trainer's weights, in plain calls.
struct ByHand<'a> {
    weights: &'a Arrays,
    /// The leaves of those that the pass meets.
    leaves: std::cell::RefCell<std::collections::BTreeMap<String, Tensor>>,
    sampling: i64,
}

impl ByHand<'_> {
    fn weight(&self, name: &str) -> Tensor {
        let array = self.weights.get(name).unwrap_or_else(|| panic!("{name}"));
        let shape: Vec<i64> = array.shape.iter().map(|n| *n as i64).collect();
        let leaf = || Tensor::from_slice(&array.values).view(shape.as_slice()).set_requires_grad(true);
        self.leaves.borrow_mut().entry(name.into()).or_insert_with(leaf).shallow_clone()
    }

    fn norm(&self, x: &Tensor, path: &str) -> Tensor {
        let (scale, shift) = (self.weight(&format!("{path}.0")), self.weight(&format!("{path}.1")));
        x.batch_norm(Some(scale), Some(shift), None::<Tensor>, None::<Tensor>, true, 0.1, 1e-5, false)
    }

    fn conv(&self, x: &Tensor, path: &str, stride: i64, groups: i64) -> Tensor {
        let weight = self.weight(&format!("{path}.weight.0"));
        let padding = (weight.size()[2] - 1) / 2;
        x.conv2d::<Tensor>(&weight, None, [stride; 2], [padding; 2], [1, 1], groups)
    }

    fn rcb(&self, x: &Tensor, path: &str) -> Tensor {
        self.norm(&self.conv(&x.relu(), path, 1, 1), &format!("{path}.bn"))
    }

    fn sep(&self, x: &Tensor, path: &str, stride: i64) -> Tensor {
        let mut y = x.shallow_clone();
        for (half, stride) in [("1", stride), ("2", 1)] {
            let channels = y.size()[1];
            y = self.conv(&y.relu(), &format!("{path}.depthwise{half}"), stride, channels);
            y = self.norm(&self.conv(&y, &format!("{path}.pointwise{half}"), 1, 1), &format!("{path}.pointwise{half}.bn"));
        }
        y
    }

    /// Of an even size.
    fn halve(&self, x: &Tensor, path: &str) -> Tensor {
        let x = x.relu();
        let even = self.conv(&x, &format!("{path}.even"), 2, 1);
        let odd = self.conv(&x.slice(2, 1, None, 1).slice(3, 1, None, 1), &format!("{path}.odd"), 2, 1);
        self.norm(&Tensor::cat(&[even, odd], 1), &format!("{path}.bn"))
    }

    /// PC-DARTS's MixedOp of skip_connect, sep_conv_3x3, max_pool_3x3 and none with these shares, or DARTS's where all channels go through.
    fn edge(&self, x: &Tensor, path: &str, stride: i64, shares: &Tensor) -> Tensor {
        let (channels, k) = (x.size()[1], self.sampling);
        let own = x.slice(1, 0, channels / k, 1);
        let path = |name: &str| format!("{path}.{name}");
        let skip = if stride == 1 { own.shallow_clone() } else { self.halve(&own, &path("skip_connect")) };
        let sep = self.sep(&own, &path("sep_conv_3x3"), stride);
        let pool = own.max_pool2d([3, 3], [stride; 2], [1, 1], [1, 1], false);
        let mixed = skip * shares.get(0) + sep * shares.get(1) + pool * shares.get(2);
        if k == 1 {
            return mixed;
        }
        let rest = x.slice(1, channels / k, None, 1);
        let rest = if stride == 1 { rest } else { rest.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false) };
        let all = Tensor::cat(&[mixed, rest], 1);
        let size = all.size();
        all.view([size[0], k, channels / k, size[2], size[3]]).transpose(1, 2).contiguous().view(size.as_slice())
    }

    fn logits(&self, images: &Tensor, shares: &[Tensor], edges: &[Tensor]) -> Tensor {
        let stem = self.norm(&self.conv(images, "stem0.conv", 1, 1), "stem0.conv.bn");
        let (mut earlier, mut last) = (stem.shallow_clone(), stem);
        for cell in 0..3 {
            let stride = if cell > 0 { 2 } else { 1 };
            let before = |number: u32| format!("cell{cell}.before{number}");
            let zero = match cell {
                2 => self.halve(&earlier, &before(0)),
                _ => self.rcb(&earlier, &format!("{}.conv", before(0))),
            };
            let one = self.rcb(&last, &format!("{}.conv", before(1)));
            // The edges of the space: 0 and 1 to 2; 0, 1 and 2 to 3.
            let edge = |at: usize, from: u32, to: u32, x: &Tensor| {
                let stride = if from < 2 { stride } else { 1 };
                self.edge(x, &format!("cell{cell}.edge{from}_{to}"), stride, &shares[at]) * &edges[at]
            };
            let two = edge(0, 0, 2, &zero) + edge(1, 1, 2, &one);
            let three = edge(2, 0, 3, &zero) + edge(3, 1, 3, &one) + edge(4, 2, 3, &two);
            (earlier, last) = (last, Tensor::cat(&[two, three], 1));
        }
        let pooled = last.mean_dim([2i64, 3].as_slice(), false, None);
        pooled.linear(&self.weight("classifier.0"), Some(&self.weight("classifier.1")))
    }
}

pub fn new(space: &Arc<Space>, options: &SearchOptions) -> SupernetTrainer {
    SupernetTrainer::new(space.clone(), &stripes(144, 1), None, options).unwrap()
}

/// The batch of a step: of the training half, or of the held-out one.
pub fn batch(options: &SearchOptions, held_out: bool, step: u64) -> (Tensor, Tensor) {
    let (train, other) = stripes(144, 1).split(options.held_out, options.seed).unwrap();
    let normalisation = Normalisation::of(&train);
    let (purpose, of) = if held_out { (Purpose::HeldOutOrder, other) } else { (Purpose::TrainOrder, train) };
    let positions = Order::new(options.seed, purpose, of.len(), options.train.batch).batch(AT.round, step).to_vec();
    let changes: Changes = options.train.augment.into();
    let stream = Stream::new(options.seed, Purpose::Augment, AT.round, step);
    Loader::new(of, normalisation, Device::Cpu).load(&positions, (!held_out).then_some((changes, stream))).unwrap()
}

pub fn active(space: &Space) -> Vec<Vec<u16>> {
    space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect()
}

fn through_softmax(p: &[f64], gradient: &[f64]) -> Vec<f64> {
    let mean: f64 = p.iter().zip(gradient).map(|(p, g)| p * g).sum();
    p.iter().zip(gradient).map(|(p, g)| p * (g - mean)).collect()
}

fn doubles(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor.to_kind(Kind::Double).contiguous().view([-1])).unwrap()
}

#[test]
fn cells_are_those_of_darts_and_of_pc_darts() {
    let space = cells(json!(["skip_connect", "sep_conv_3x3", "max_pool_3x3", "none"]));
    for (sampling, weighed) in [(1, false), (1, true), (2, false), (2, true)] {
        let options = options(json!({ "channel_sampling": sampling }));
        let mut trainer = new(&space, &options);
        trainer.begin_round(AT.seed, AT.round, &active(&space)).unwrap();
        let weights = trainer.save(&active(&space)).unwrap();
        // Weights that sum to 1 over the edges of a node.
        let betas = [[0.4, 0.6].to_vec(), [0.2, 0.5, 0.3].to_vec()].concat();
        let edges = weighed.then_some(betas.as_slice());
        let (loss, gradients) = trainer.mixture_step(AT, &blends(&space, edges)).unwrap();

        let by_hand = ByHand { weights: &weights, leaves: Default::default(), sampling };
        let leaf = |values: &[f64]| Tensor::from_slice(values).set_requires_grad(true);
        let alpha: Vec<Tensor> = alphas(&space).iter().map(|alpha| leaf(alpha)).collect();
        let edge: Vec<Tensor> = betas.iter().map(|beta| leaf(&[if weighed { *beta } else { 1.0 }])).collect();
        let shares: Vec<Tensor> = alpha.iter().map(|a| a.softmax(0, Kind::Double).to_kind(Kind::Float)).collect();
        let floats: Vec<Tensor> = edge.iter().map(|e| e.to_kind(Kind::Float)).collect();
        let logits = |batch: &Tensor| by_hand.logits(batch, &shares, &floats);
        let (images, labels) = batch(&options, true, AT.step);
        let expected = logits(&images).cross_entropy_for_logits(&labels);
        let leaves: Vec<&Tensor> = alpha.iter().chain(&edge).collect();
        let slopes = Tensor::run_backward(&[&expected], &leaves, true, false);
        assert!((loss - expected.double_value(&[])).abs() < 1e-5, "{loss} {}", expected.double_value(&[]));
        for (at, gradient) in gradients.iter().enumerate() {
            let ours = through_softmax(&softmax(&alphas(&space)[at]), &gradient.shares);
            let far = distance(&slopes[at], &Tensor::from_slice(&ours));
            assert!(far < 2e-4, "sampling {sampling}, edge {at}: {far}, {ours:?}");
            let of_edge = doubles(&slopes[5 + at])[0];
            assert!(if weighed {
                (gradient.edge - of_edge).abs() < 2e-4 * of_edge.abs().max(0.01)
            } else {
                gradient.edge == 0.0
            });
        }
        assert_eq!(trainer.save(&active(&space)).unwrap(), weights, "no weight has changed");

        // A weight step: with Nesterov momentum the first one is lr * (1 + momentum) times the gradient.
        let (images, labels) = batch(&options, false, 0);
        let expected = logits(&images).cross_entropy_for_logits(&labels);
        let leaves = by_hand.leaves.borrow();
        let (names, leaves): (Vec<_>, Vec<&Tensor>) = leaves.iter().unzip();
        let slopes = Tensor::run_backward(&[&expected], &leaves, false, false);
        let outcome = trainer.mixed_step(At { step: 0, ..AT }, &blends(&space, edges), 0.1).unwrap();
        assert!((outcome.loss - expected.double_value(&[])).abs() < 1e-5);
        let after = trainer.save(&active(&space)).unwrap();
        for (name, slope) in names.into_iter().zip(slopes) {
            let tensor = |arrays: &Arrays| Tensor::from_slice(&arrays[name].values);
            let moved = (tensor(&weights) - tensor(&after)) / (0.1 * 1.9);
            let far = (moved - slope.view([-1])).abs().max().double_value(&[]);
            assert!(far < 1e-3 * slope.abs().max().double_value(&[]).max(0.05), "sampling {sampling}, {name}: {far}");
        }
    }
}

/// Of a chain: what every choice gives alone, (branch + input) / 2, or the input, or the branch, times its share.
#[test]
fn cells_of_a_chain() {
    let space = small();
    let options = options(json!({}));
    let mut trainer = new(&space, &options);
    trainer.begin_round(AT.seed, AT.round, &active(&space)).unwrap();
    let (loss, gradients) = trainer.mixture_step(AT, &blends(&space, None)).unwrap();
    let network = Network::new(space.clone(), &active(&space), AT.seed, AT.round, Device::Cpu).unwrap();
    let alpha: Vec<Tensor> = alphas(&space).iter().map(|alpha| Tensor::from_slice(alpha).set_requires_grad(true)).collect();
    let (images, labels) = batch(&options, true, AT.step);
    let mut x = network.stem(&images, &Norm::Batch).unwrap();
    for (at, cell) in space.cells().iter().enumerate() {
        let shares = alpha[at].softmax(0, Kind::Double).to_kind(Kind::Float);
        let alone = |choice: usize| match (cell.may_be_skipped(), choice == cell.operators.len()) {
            (_, true) => x.shallow_clone(),
            (true, false) => (network.branch(at, choice as u16, &x, &Norm::Batch).unwrap() + &x) / 2.0,
            (false, false) => network.branch(at, choice as u16, &x, &Norm::Batch).unwrap(),
        };
        let parts = (0..shares.size()[0]).map(|choice| alone(choice as usize) * shares.get(choice));
        x = parts.reduce(|sum, part| sum + part).unwrap();
    }
    let expected = network.head(&x, &Norm::Batch).unwrap().cross_entropy_for_logits(&labels);
    let slopes = Tensor::run_backward(&[&expected], &alpha, false, false);
    assert!((loss - expected.double_value(&[])).abs() < 1e-5);
    for (at, gradient) in gradients.iter().enumerate() {
        let ours = through_softmax(&softmax(&alphas(&space)[at]), &gradient.shares);
        assert!(distance(&slopes[at], &Tensor::from_slice(&ours)) < 2e-4, "cell {at}: {ours:?}");
    }
}
