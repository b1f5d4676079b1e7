//! Steps of a chain share their kernels with threads of the library: how many those are, and who else computes, changes no bit.

use crate::at_every_level;
use crate::support::normal;
use nse::search::{At, TrainOptions};
use nse::space::Space;
use nse::supernet::learner;
use nse::supernet::network::Network;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

const SPACE: &str = r#"{"name": "shared", "input": {"channels": 3, "height": 16, "width": 16}, "classes": 7,
    "stem": {"channels": 16, "stride": 1}, "operators": "nse-27", "tail": {"channels": 64},
    "cells": [{"kind": "normal"}, {"kind": "reduce", "channels": 24}, {"kind": "normal"}]}"#;

/// Weights and losses after some steps of a fresh network.
fn trained(space: &Arc<Space>) -> (Vec<Tensor>, Vec<f64>) {
    let open = [vec![3u16, 20], vec![9], vec![0, 14, 23]];
    let network = Network::new(space.clone(), &open, 4, 0, Device::Cpu).unwrap();
    let labels = Tensor::arange(64, (Kind::Int64, Device::Cpu)).remainder(7);
    let losses = (0..3).map(|step| {
        let batch = (normal(&[64, 3, 16, 16], 9 + step), labels.shallow_clone());
        let at = At { seed: 1, round: 0, step };
        learner::step(&network, &batch, &TrainOptions::default(), at, &open, 0.1).unwrap().loss
    });
    let losses = losses.collect();
    let values = network.parameters(&open).0.iter().flat_map(|p| [p.value.detach().copy(), p.momentum.copy()]).collect();
    (values, losses)
}

fn same(a: &(Vec<Tensor>, Vec<f64>), b: &(Vec<Tensor>, Vec<f64>)) -> bool {
    a.1 == b.1 && a.0.len() == b.0.len() && a.0.iter().zip(&b.0).all(|(a, b)| a.equal(b))
}

#[test]
fn any_number_of_threads_trains_the_same_weights() {
    let space = Arc::new(Space::from_json(SPACE).unwrap());
    let before = tch::get_num_threads();
    at_every_level(|level| {
        let [alone, two, five] = [1, 2, 5].map(|threads| {
            tch::set_num_threads(threads);
            trained(&space)
        });
        assert!(same(&alone, &two) && same(&alone, &five), "{level}");
        // Several at once, with more threads wanted than there are; and while they end, and begin again.
        std::thread::scope(|scope| {
            let at_once: Vec<_> = (0..4).map(|_| scope.spawn(|| (trained(&space), trained(&space)))).collect();
            (0..2).for_each(|_| drop(scope.spawn(nse::supernet::end_workers)));
            for one in at_once {
                let (first, second) = one.join().unwrap();
                assert!(same(&alone, &first) && same(&alone, &second), "{level}");
            }
        });
        assert_eq!(tch::get_num_threads(), 5, "libtorch has its threads again");
    });
    tch::set_num_threads(before);
}
