//! Forward passes against the plain-loop reference: operators, cells, batch-norm modes.

use crate::reference::{self, Map, Norm as Kind, Weights};
use crate::support::{all_operators, normal, small, values, ALL_OPERATORS};
use nse::space::Space;
use nse::supernet::network::Network;
use nse::supernet::norm::Norm;
use nse::supernet::unit::Unit;
use std::sync::Arc;
use tch::{Device, Tensor};

pub fn all(space: &Space) -> Vec<Vec<u16>> {
    space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect()
}

/// The network's weights by export name, with batch-norm scales and shifts and the biases of squeeze-excitation moved away from 1
/// and 0.
pub fn weights(space: &Space, network: &Network) -> Weights {
    let mut weights = Weights::new();
    let mut seed = 100;
    let mut moved = |value: &Tensor| {
        seed += 1;
        let moved = value.detach() + normal(&value.size(), seed) * 0.3;
        tch::no_grad(|| value.shallow_clone().copy_(&moved));
        values(&moved)
    };
    let mut unit = |path: String, unit: &Unit| {
        weights.insert(format!("{path}.weight"), values(&unit.weight.value));
        if let Some(norm) = &unit.norm {
            for (parameter, name) in norm.iter().zip(["weight", "bias"]) {
                weights.insert(format!("{path}.bn.{name}"), moved(&parameter.value));
            }
        }
        if let Some(excitation) = &unit.excitation {
            for (layer, name) in [(&excitation.squeeze, "squeeze"), (&excitation.excite, "excite")] {
                weights.insert(format!("{path}.{name}.weight"), values(&layer.weight.value));
                weights.insert(format!("{path}.{name}.bias"), moved(&layer.bias.value));
            }
        }
    };
    let (chain, classifier) = (network.chain().unwrap(), network.classifier());
    unit("stem".into(), &chain.stem);
    unit("tail".into(), &chain.tail);
    chain.block.iter().for_each(|u| unit(format!("block.{}", u.shape.name), u));
    for (i, cell) in space.cells().iter().enumerate() {
        for (o, operator) in cell.operators.iter().enumerate() {
            for u in network.units(i, o as u16) {
                unit(format!("cell{i}.{operator}.{}", u.shape.name), u);
            }
        }
    }
    if let Some(hidden) = chain.hidden(0) {
        weights.insert("hidden.weight".into(), values(&hidden.weight.value));
        weights.insert("hidden.bias".into(), moved(&hidden.bias.value));
    }
    weights.insert("classifier.weight".into(), values(&classifier.weight.value));
    weights.insert("classifier.bias".into(), values(&classifier.bias.value));
    weights
}

fn map(images: &Tensor) -> Map {
    let size = images.size();
    Map { shape: std::array::from_fn(|i| size[i] as usize), data: values(images) }
}

pub fn check(space: &Arc<Space>, network: &Network, weights: &Weights, open: &[Vec<u16>], images: &Tensor) {
    let logits = network.forward(images, open, &Norm::Batch).unwrap();
    let expected = reference::varied(space, open, network.variant(), weights, &map(images), Kind::Batch);
    for (row, expected) in values(&logits).chunks(space.classes() as usize).zip(&expected) {
        for (got, expected) in row.iter().zip(expected) {
            assert!((got - expected).abs() < 2e-4 * (1.0 + expected.abs()), "{got} instead of {expected} with {open:?} open");
        }
    }
}

#[test]
fn every_operator_in_every_kind_of_cell() {
    let space = all_operators();
    let network = Network::new(space.clone(), &all(&space), 1, 0, Device::Cpu).unwrap();
    let weights = weights(&space, &network);
    let images = normal(&[9, 2, 9, 9], 7);
    for operator in 0..ALL_OPERATORS.len() as u16 {
        check(&space, &network, &weights, &[vec![operator], vec![operator], vec![operator]], &images);
    }
}

#[test]
fn branches_are_averaged_and_a_normal_cell_can_be_skipped() {
    let space = all_operators();
    let network = Network::new(space.clone(), &all(&space), 2, 0, Device::Cpu).unwrap();
    let weights = weights(&space, &network);
    let images = normal(&[9, 2, 9, 9], 8);
    for open in
        [[vec![], vec![0], vec![1]], [vec![0, 3], vec![1, 2, 4], vec![0, 5]], [vec![0, 1, 2, 3, 4, 5], vec![5], vec![2, 3]]]
    {
        check(&space, &network, &weights, &open, &images);
    }
}

#[test]
fn strides_at_even_and_odd_sizes() {
    let space = small();
    let network = Network::new(space.clone(), &all(&space), 3, 0, Device::Cpu).unwrap();
    let weights = weights(&space, &network);
    check(&space, &network, &weights, &[vec![2], vec![3], vec![4]], &normal(&[8, 1, 12, 12], 9));
    check(&space, &network, &weights, &[vec![1], vec![0, 4], vec![]], &normal(&[8, 1, 12, 12], 10));
}

#[test]
fn the_same_operator_has_the_same_weights_whatever_else_is_there() {
    let space = small();
    let whole = Network::new(space.clone(), &all(&space), 5, 2, Device::Cpu).unwrap();
    let part = Network::new(space.clone(), &[vec![3], vec![1], vec![0, 4]], 5, 2, Device::Cpu).unwrap();
    let other = Network::new(space.clone(), &all(&space), 5, 3, Device::Cpu).unwrap();
    let first = |network: &Network| values(&network.units(0, 3)[1].weight.value);
    assert_eq!(first(&whole), first(&part));
    assert_ne!(first(&whole), first(&other));
}

#[test]
fn initial_weights_have_the_published_spread() {
    let space = small();
    let network = Network::new(space.clone(), &all(&space), 5, 0, Device::Cpu).unwrap();
    // A dense 3x3 from 12 to 12 channels: std = sqrt(2 / (12 * 9)).
    let weights = values(&network.units(2, 4)[1].weight.value);
    let std = (weights.iter().map(|w| w * w).sum::<f64>() / weights.len() as f64).sqrt();
    assert!((std / (2.0f64 / 108.0).sqrt() - 1.0).abs() < 0.1, "{std}");
    let classifier = network.classifier();
    assert!(values(&classifier.weight.value).iter().all(|w| w.abs() <= 0.25), "uniform within 1 / sqrt(16)");
}
