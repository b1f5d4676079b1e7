//! Whole cells: every operator of the published pools, in every kind of cell, forward and backward, against the same network unit by unit in libtorch
//! with 64-bit floats (which tests/supernet/gradient.rs holds against finite differences).

use crate::at_every_level;
use crate::support::{distance, normal};
use nse::space::Space;
use nse::supernet::network::Network;
use nse::supernet::norm::{Calibration, Norm, Reader};
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

/// One normal, one reduce and one expand cell; widths that are no multiple of a vector, and one that is.
fn space(operators: &str) -> Arc<Space> {
    sized(operators, [9, 7], 6)
}

fn sized(operators: &str, [height, width]: [i64; 2], channels: i64) -> Arc<Space> {
    let text = format!(
        r#"{{"name": "kernels", "input": {{"channels": 3, "height": {height}, "width": {width}}}, "classes": 3,
             "stem": {{"channels": {channels}, "stride": 1}},
             "cells": [{{"kind": "normal"}}, {{"kind": "reduce", "channels": 16}}, {{"kind": "expand", "channels": 10}}],
             "operators": {operators}, "tail": {{"channels": 10}}}}"#
    );
    Arc::new(Space::from_json(&text).unwrap())
}

/// The network and its copy in 64 bits; scales and shifts of batch-norm are moved away from 1 and 0.
fn networks(space: &Arc<Space>, open: &[Vec<u16>]) -> (Network, Network) {
    shifted(space, open, 0.0)
}

/// The same with shifts around this.
fn shifted(space: &Arc<Space>, open: &[Vec<u16>], shift: f64) -> (Network, Network) {
    let network = || Network::new(space.clone(), open, 4, 0, Device::Cpu).unwrap();
    let (single, double) = (network(), network());
    for (i, (s, d)) in single.parameters(open).0.iter().zip(double.parameters(open).0).enumerate() {
        let moved = match s.decay {
            true => s.value.detach(),
            false => s.value.detach() + normal(&s.value.size(), 50 + i as u64) * 0.3 + (1.0 - s.value.detach()) * shift,
        };
        s.value.shallow_clone().set_data(&moved);
        d.value.shallow_clone().set_data(&moved.to_kind(Kind::Double));
    }
    (single, double)
}

/// Input of the first cell.
fn input(space: &Space, images: i64) -> Tensor {
    let [height, width] = space.input().size().map(i64::from);
    normal(&[images, space.chain().unwrap().stem.cout.into(), height, width], 1)
}

/// The cells one after another: outputs, and gradients of the input and of all that the cells learn.
fn run(network: &Network, open: &[Vec<u16>], x: &Tensor, upstream: Option<&Tensor>) -> (Tensor, Vec<Tensor>) {
    let x = x.detach().set_requires_grad(true);
    let mut y = x.shallow_clone();
    for (cell, open) in open.iter().enumerate() {
        y = network.cell(cell, &y, open, &Norm::Batch).unwrap();
    }
    let Some(upstream) = upstream else { return (y, Vec::new()) };
    let units = open.iter().enumerate().flat_map(|(cell, open)| open.iter().flat_map(move |o| network.units(cell, *o)));
    let parameters = units.flat_map(|unit| unit.parameters()).map(|p| &p.value);
    let inputs: Vec<_> = std::iter::once(&x).chain(parameters).collect();
    let gradients = Tensor::run_backward(&[(&y * upstream).sum(None)], &inputs, false, false);
    (y.detach(), gradients)
}

fn check(space: &Arc<Space>, open: &[Vec<u16>], images: i64, level: &str) {
    agree(networks(space, open), space, open, images, level);
}

fn agree((single, double): (Network, Network), space: &Arc<Space>, open: &[Vec<u16>], images: i64, level: &str) {
    let x = input(space, images);
    let upstream = normal(&run(&single, open, &x, None).0.size(), 2);
    let (expected, exact) = run(&double, open, &x.to_kind(Kind::Double), Some(&upstream.to_kind(Kind::Double)));
    let (got, rounded) = run(&single, open, &x, Some(&upstream));
    let off = distance(&expected, &got.to_kind(Kind::Double));
    assert!(off < 1e-5, "{level}: outputs with {open:?} open are off by {off:.1e}");
    let flat = |gradients: &[Tensor]| {
        Tensor::cat(&gradients.iter().map(|g| g.to_kind(Kind::Double).reshape([-1])).collect::<Vec<_>>(), 0)
    };
    let off = distance(&flat(&exact), &flat(&rounded));
    assert!(off < 1e-4, "{level}: gradients with {open:?} open are off by {off:.1e}");
}

#[test]
fn every_operator_of_the_pools() {
    for pool in [r#"["conv_k3_t1", "conv_k5_t2", "dualconv_k3_t2", "rec_k5_t1", "rec_k7_t4"]"#, r#""nse-72""#] {
        let space = space(pool);
        at_every_level(|level| {
            for operator in 0..space.most_operators() as u16 {
                check(&space, &[vec![operator], vec![operator], vec![operator]], 3, level);
            }
        });
    }
}

/// Images that are narrow, wide and in between, few and many of them; and channels of which the weights do not fit the first cache at once.
#[test]
fn dense_convolutions_of_every_size() {
    let operators = r#"["conv_k3_t1", "rec_k5_t2", "dualconv_k3_t1", "rec_k7_t6"]"#;
    for (size, channels, images) in [([2, 3], 10, 21), ([8, 9], 7, 18), ([5, 17], 7, 4), ([21, 19], 5, 1), ([4, 4], 50, 6)] {
        let space = sized(operators, size, channels);
        at_every_level(|level| {
            for operator in 0..4 {
                check(&space, &[vec![operator], vec![operator], vec![operator]], images, level);
            }
        });
    }
}

/// Planes of which only some rows are worked on at a time, and maps that are written past the caches: of channels that are whole lines of them, and not.
/// So many values have some that rounding puts on the other side of zero, where gradients of ReLU differ; shifts take all far away from there.
#[test]
fn large_maps() {
    for (operators, channels) in
        [(r#"["mbconv_k3_t6_d3", "rec_k5_t6"]"#, 16), (r#"["mbconv_k5_t6", "conv_k3_t6"]"#, 16), (r#"["mbconv_k11_t6"]"#, 12)]
    {
        let space = sized(operators, [230, 141], channels);
        at_every_level(|level| {
            for operator in 0..space.most_operators() as u16 {
                let open = [vec![operator], vec![operator], vec![]];
                agree(shifted(&space, &open, 12.0), &space, &open, 1, level);
            }
        });
    }
}

#[test]
fn several_branches_and_a_skipped_cell() {
    let space = space(r#""nse-27""#);
    at_every_level(|level| {
        check(&space, &[vec![0, 14, 22], vec![3, 20], vec![9, 23, 26]], 5, level);
        check(&space, &[vec![], vec![8], vec![1, 2]], 1, level);
    });
}

#[test]
fn statistics_are_averaged_and_read_as_in_libtorch() {
    let space = space(r#""nse-27""#);
    let open = [vec![2, 24], vec![5, 12], vec![0]];
    let (single, double) = networks(&space, &open);
    let images = [normal(&[4, 3, 9, 7], 5), normal(&[7, 3, 9, 7], 6)];
    let calibrated = |network: &Network, kind: Kind| {
        let _no_grad = tch::no_grad_guard();
        let mut calibration = Calibration::default();
        for images in &images {
            calibration.begin_pass();
            let _logits = network.forward(&images.to_kind(kind), &open, &Norm::Calibrate(&calibration)).unwrap();
        }
        let statistics = calibration.into_statistics();
        let logits = network.forward(&images[0].to_kind(kind), &open, &Norm::Fixed(Reader::new(&statistics))).unwrap();
        (statistics, logits)
    };
    let (exact, expected) = calibrated(&double, Kind::Double);
    at_every_level(|level| {
        let (statistics, logits) = calibrated(&single, Kind::Float);
        assert_eq!(exact.len(), statistics.len());
        for (expected, got) in exact.iter().zip(&statistics) {
            let off = distance(&expected.0, &got.0).max(distance(&expected.1, &got.1));
            assert!(off < 1e-5, "{level}: statistics are off by {off:.1e}");
        }
        let off = distance(&expected, &logits.to_kind(Kind::Double));
        assert!(off < 1e-5, "{level}: logits are off by {off:.1e}");
    });
}

/// Pixels far from zero with little spread: where sums of squares would cancel.
#[test]
fn statistics_of_a_map_far_from_zero_are_exact() {
    let space = space(r#""nse-27""#);
    let (single, _) = networks(&space, &[vec![], vec![0], vec![0]]);
    let stem = &single.chain().unwrap().stem;
    let images = normal(&[8, 3, 9, 7], 8) * 1e-2 + 1000.0;
    let mut calibration = Calibration::default();
    calibration.begin_pass();
    let _map = tch::no_grad(|| single.stem(&images, &Norm::Calibrate(&calibration)).unwrap());
    let statistics = calibration.into_statistics();
    let maps = images.conv2d::<Tensor>(&stem.weight.value, None, [1, 1], [1, 1], [1, 1], 1).to_kind(Kind::Double);
    let per_channel = maps.transpose(0, 1).contiguous().view([6, -1]);
    let expected = per_channel.var_dim([1i64].as_slice(), true, false).detach();
    assert!(distance(&expected, &statistics[0].1.to_kind(Kind::Double)) < 1e-5);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let space = space(r#""nse-72""#);
    let open = [vec![2, 13], vec![19, 30], vec![5, 71]];
    let (network, _) = networks(&space, &open);
    let x = input(&space, 256);
    let upstream = normal(&run(&network, &open, &x, None).0.size(), 2);
    let before = tch::get_num_threads();
    at_every_level(|level| {
        let results = [1, 2, 3].map(|threads| {
            tch::set_num_threads(threads);
            run(&network, &open, &x, Some(&upstream))
        });
        for (y, gradients) in &results[1..] {
            assert_eq!(distance(&results[0].0, y), 0.0, "{level}");
            for (a, b) in results[0].1.iter().zip(gradients) {
                assert!(a.equal(b), "{level}: a gradient of {:?} differs", a.size());
            }
        }
    });
    tch::set_num_threads(before);
}

/// Scoring computes a branch once and joins it with others: that must not show.
#[test]
fn branches_joined_later_are_the_cell() {
    let space = space(r#""nse-27""#);
    let all = [vec![0u16, 14, 23], vec![3, 20], vec![9, 26]];
    let (network, _) = networks(&space, &all);
    let _no_grad = tch::no_grad_guard();
    let subsets = |all: &[u16]| -> Vec<Vec<u16>> {
        let taken = |set: u32| all.iter().enumerate().filter(move |(i, _)| set >> i & 1 == 1).map(|(_, o)| *o).collect();
        (0..1u32 << all.len()).map(taken).collect()
    };
    at_every_level(|level| {
        let mut x = normal(&[5, 6, 9, 7], 4);
        for (cell, all) in all.iter().enumerate() {
            let branch = |o: &u16| (*o, network.branch(cell, *o, &x, &Norm::Batch).unwrap());
            let branches = all.iter().map(branch).collect();
            for open in subsets(all).iter().filter(|open| cell == 0 || !open.is_empty()) {
                let whole = network.cell(cell, &x, open, &Norm::Batch).unwrap();
                let joined = network.join(cell, &x, open, &branches).unwrap();
                assert!(whole.equal(&joined), "{level}: cell {cell} with {open:?} open");
            }
            x = network.cell(cell, &x, all, &Norm::Batch).unwrap();
        }
    });
}

#[test]
fn what_is_not_a_number_stays_so() {
    let space = space(r#""nse-27""#);
    let open = [vec![0], vec![9], vec![0]];
    let (network, _) = networks(&space, &open);
    let images = normal(&[3, 3, 9, 7], 9);
    let _ = images.get(1).get(0).get(4).get(4).fill_(f64::NAN);
    at_every_level(|level| {
        let logits = network.forward(&images, &open, &Norm::Batch).unwrap();
        assert!(bool::try_from(logits.isnan().any()).unwrap(), "{level}: a loss that diverged would not be seen");
    });
}

#[test]
fn a_second_way_back_through_the_same_graph_is_an_error() {
    let space = space(r#""nse-27""#);
    let open = [vec![0], vec![9], vec![0]];
    let (network, _) = networks(&space, &open);
    let logits = network.forward(&normal(&[3, 3, 9, 7], 9), &open, &Norm::Batch).unwrap();
    let loss = logits.sum(None);
    let (parameters, _) = network.parameters(&open);
    let inputs: Vec<_> = parameters.iter().map(|p| &p.value).collect();
    assert!(Tensor::f_run_backward(&[&loss], &inputs, true, false).is_ok());
    assert!(Tensor::f_run_backward(&[&loss], &inputs, false, false).is_err());
}
