//! Binary weights: values and gradients against the formulas, these against finite differences where there are any, and networks that have them.

use crate::support::{distance, finished, normal, stripes, values};
use nse::arch::{Architecture, Variant};
use nse::export::ExportOptions;
use nse::search::{Drive, Search, SearchOptions, Silent, Start, Trainer};
use nse::space::{Binary, Convolution, Pcnn, Space, Xnor};
use nse::supernet::binary::{self, ETA, LAMBDA};
use nse::supernet::network::Network;
use nse::supernet::norm::Norm;
use nse::supernet::partial;
use nse::supernet::unit::Parameter;
use nse::supernet::{Lesson, Model, ModelOptions, SupernetTrainer};
use serde_json::{json, Value};
use std::sync::Arc;
use tch::{no_grad_guard, Device, Kind, Tensor};

fn modes() -> [Value; 7] {
    let options = [json!({ "xnor": { "factor": true } }), json!({ "pcnn": { "projections": 3 } })];
    let [factor, projections] = options;
    [json!("layer"), json!("released"), json!("filter"), json!("xnor"), json!("pcnn"), factor, projections]
}

/// 0, the ends of the straight part, and what lies beyond them.
fn weights() -> Tensor {
    let mut all = values(&normal(&[3, 2, 3, 3], 4));
    all[..8].copy_from_slice(&[0.0, 1.0, -1.0, 1.5, -2.0, -0.0, 0.3, -0.3]);
    Tensor::from_slice(&all).view([3, 2, 3, 3])
}

fn sign(w: f64) -> f64 {
    if w >= 0.0 {
        1.0
    } else {
        -1.0
    }
}

/// Value, and the gradient of sum(value * g) in weights and matrix.
fn run(mode: Binary, w: &Tensor, matrix: Option<&Tensor>, g: &Tensor) -> (Vec<f64>, Vec<Vec<f64>>) {
    let w = w.detach().set_requires_grad(true);
    let matrix = matrix.map(|matrix| matrix.detach().set_requires_grad(true));
    let y = binary::weight(mode, &w, matrix.as_ref()).unwrap();
    let leaves: Vec<&Tensor> = std::iter::once(&w).chain(&matrix).collect();
    let gradients = Tensor::run_backward(&[(&y * g).sum(None)], &leaves, false, false);
    (values(&y), gradients.iter().map(values).collect())
}

fn close(a: &[f64], b: &[f64], what: &str) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() < 1e-12 * b.abs().max(1.0), "{what}, {i}: {a}, not {b}");
    }
}

#[test]
fn one_value_and_its_negative() {
    let w = Tensor::from_slice(&[1.0, -2.0, 3.0, -4.0]).view([2, 1, 1, 2]);
    let plain = |mode| values(&binary::weight(mode, &w, None).unwrap());
    assert_eq!(plain(Binary::Layer), [2.5, -2.5, 2.5, -2.5]);
    assert_eq!(plain(Binary::Released), [2.5, -2.5, 2.5, -2.5]);
    assert_eq!(plain(Binary::Filter), [1.5, -1.5, 3.5, -3.5]);
    // No other scale is nearer.
    let far = |a: f64| values(&w).iter().map(|w| (w - a * sign(*w)).powi(2)).sum::<f64>();
    assert!([2.4, 2.6].iter().all(|a| far(*a) > far(2.5)));
    let zeros = Tensor::from_slice(&[0.0, -0.0, -1e-30, 1e-30, f64::NAN]);
    assert_eq!(values(&binary::sign(&zeros).unwrap()), [1.0, 1.0, -1.0, 1.0, -1.0]);
}

#[test]
fn gradients_are_those_of_the_formulas() {
    let (w, g) = (weights(), normal(&[3, 2, 3, 3], 5).to_kind(Kind::Double));
    let (ws, gs) = (values(&w), values(&g));
    let inside = |w: f64| f64::from(u8::from(w.abs() <= 1.0));
    let mean = |range: std::ops::Range<usize>| ws[range.clone()].iter().map(|w| w.abs()).sum::<f64>() / range.len() as f64;
    let exact = |size: usize| -> (Vec<f64>, Vec<f64>) {
        let of = |i: usize| {
            let part = i / size * size..(i / size + 1) * size;
            let a = mean(part.clone());
            let sum: f64 = part.map(|j| gs[j] * sign(ws[j])).sum();
            (a * sign(ws[i]), sign(ws[i]) * sum / size as f64 + a * gs[i] * inside(ws[i]))
        };
        (0..ws.len()).map(of).unzip()
    };
    for (mode, size) in [(Binary::Layer, 54), (Binary::Filter, 18), (Binary::Xnor(Default::default()), 18)] {
        let ((y, found), (value, gradient)) = (run(mode, &w, None, &g), exact(size));
        close(&y, &value, "value");
        close(&found[0], &gradient, &format!("{mode:?}"));
    }
    let (y, found) = run(Binary::Released, &w, None, &g);
    close(&y, &exact(54).0, "value");
    let released: Vec<f64> = ws.iter().zip(&gs).map(|(w, g)| g / 54.0 + mean(0..54) * g * inside(*w)).collect();
    close(&found[0], &released, "released");
    assert!(distance(&Tensor::from_slice(&released), &Tensor::from_slice(&exact(54).1)) > 0.01, "these are two rules");
}

/// The scale is differentiable where no weight is 0: there the formula's part of it is what differences say.
#[test]
fn the_gradient_of_the_scale_by_finite_differences() {
    let (w, g) = (values(&normal(&[4, 3, 1, 1], 6)), values(&normal(&[4, 3, 1, 1], 7)));
    for (mode, size) in [(Binary::Layer, 12), (Binary::Filter, 3)] {
        let value = |w: &[f64]| {
            let w = Tensor::from_slice(w).view([4, 3, 1, 1]);
            values(&binary::weight(mode, &w, None).unwrap()).iter().zip(&g).map(|(y, g)| y * g).sum::<f64>()
        };
        let tensor = |v: &[f64]| Tensor::from_slice(v).view([4, 3, 1, 1]);
        let found = &run(mode, &tensor(&w), None, &tensor(&g)).1[0];
        for i in 0..w.len() {
            let moved = |by: f64| value(&w.iter().enumerate().map(|(j, w)| if i == j { w + by } else { *w }).collect::<Vec<_>>());
            let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            let part = i / size * size..(i / size + 1) * size;
            let a = part.clone().map(|j| w[j].abs()).sum::<f64>() / size as f64;
            let through = if w[i].abs() <= 1.0 { a * g[i] } else { 0.0 };
            assert!((found[i] - through - slope).abs() < 1e-8, "{mode:?}, {i}");
        }
    }
}

#[test]
fn a_projection_and_its_matrix() {
    let (w, g) = (weights(), normal(&[3, 2, 3, 3], 8).to_kind(Kind::Double));
    for (flip, count) in [(1.0, 1), (-1.0, 1), (1.0, 4), (-1.0, 3)] {
        let matrix: Tensor = (normal(&[count, 1, 3, 3], 9).to_kind(Kind::Double) * 0.2 + 1.0) * flip;
        let (y, found) = run(Binary::Pcnn(Pcnn { projections: count as u32 }), &w, Some(&matrix), &g);
        let (ws, gs, ms) = (values(&w), values(&g), values(&matrix));
        let a = ws.iter().map(|w| w.abs()).sum::<f64>() / 54.0;
        // In the forward pass each of the projections has the mean of all matrices, and their mean is taken.
        let mean = ms.iter().sum::<f64>();
        let projected: Vec<f64> = ws.iter().map(|w| a * sign(mean * w)).collect();
        close(&y, &projected, "value");
        let (mut of_weights, mut of_matrix) = (vec![0.0; 54], vec![0.0; 9 * count as usize]);
        for (j, i) in (0..count as usize).flat_map(|j| (0..54).map(move |i| (j, i))) {
            let (at, g) = (9 * j + i % 9, gs[i] / count as f64);
            let m = ms[at];
            let through = if (m * ws[i]).abs() <= 1.0 { g } else { 0.0 };
            let moved = ws[i] + ETA * g;
            of_weights[i] += through * m + LAMBDA * (m * moved - projected[i]) * m;
            of_matrix[at] += through * ws[i] + LAMBDA * (m * moved - projected[i]) * moved;
        }
        close(&found[0], &of_weights, "weights");
        close(&found[1], &of_matrix, "matrix");
    }
    let lost = binary::weight(Binary::Pcnn(Pcnn::default()), &w, None);
    assert!(lost.is_err());
}

/// The gradient of an activation goes through between -1 and 1, ends excluded.
#[test]
fn binary_activations() {
    let x = Tensor::from_slice(&[-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]).set_requires_grad(true);
    let y = binary::activation(&x).unwrap();
    assert_eq!(values(&y), [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0]);
    let gradient = Tensor::run_backward(&[(&y * 3.0).sum(None)], &[&x], false, false);
    assert_eq!(values(&gradient[0]), [0.0, 0.0, 3.0, 3.0, 3.0, 0.0, 0.0]);
}

/// XNOR-Net's formula in plain calls, left to autograd: signs convolved, times mean |w| of a filter, times K, the mean of |x| over the channels of a
/// group, convolved by a window of 1 / (height x width).
#[test]
fn the_factor_of_binary_activations() {
    let double = |shape: &[i64], seed| normal(shape, seed).to_kind(Kind::Double);
    let full = Convolution::kernel("conv", 6, 4, [3, 3]).stride([2, 2]);
    let depthwise = Convolution::square("conv", 6, 5, 1).dilation(2).groups(6);
    let grouped = Convolution::kernel("conv", 6, 4, [1, 3]).groups(2);
    for (c, factor) in [full, depthwise, grouped].into_iter().flat_map(|c| [(c.clone(), true), (c, false)]) {
        let c = Convolution { binary: Some(Binary::Xnor(Xnor { factor })), ..c };
        let x = double(&[2, 6, 7, 7], 1);
        let w = double(&c.weight().map(i64::from), 2) * 0.3;
        let leaf = |t: &Tensor| t.detach().copy().set_requires_grad(true);
        let (parameter, given) = (Parameter { value: leaf(&w), momentum: w.zeros_like(), decay: true }, leaf(&x));
        let y = binary::convolve(&c, &given, &parameter).unwrap();
        let g = double(&y.size(), 3);
        let ours = Tensor::run_backward(&[(&y * &g).sum(None)], &[&given, &parameter.value], false, false);

        let (x, w) = (leaf(&x), leaf(&w));
        let through = |t: &Tensor, inside: Tensor| {
            let straight = t * inside.to_kind(Kind::Double);
            t.sign().detach() + &straight - straight.detach()
        };
        let (groups, pair) = (i64::from(c.groups), |pair: [u32; 2]| pair.map(i64::from));
        let convolved = |x: &Tensor, w: &Tensor| {
            x.conv2d::<Tensor>(w, None, pair(c.stride), pair(c.padding()), [i64::from(c.dilation); 2], groups)
        };
        let alpha = w.abs().mean_dim([1i64, 2, 3].as_slice(), false, None).view([1, -1, 1, 1]);
        let mut expected = convolved(&through(&x, x.abs().lt(1.0)), &through(&w, w.abs().le(1.0))) * alpha;
        if factor {
            let window = Tensor::ones([groups, 1, i64::from(c.kernel[0]), i64::from(c.kernel[1])], (Kind::Double, Device::Cpu));
            let window = window / f64::from(c.kernel[0] * c.kernel[1]);
            let parts =
                x.chunk(groups, 1).iter().map(|part| part.abs().mean_dim([1i64].as_slice(), true, None)).collect::<Vec<_>>();
            let k = convolved(&Tensor::cat(&parts, 1), &window);
            expected *= k.repeat_interleave_self_int(i64::from(c.cout) / groups, 1, None);
        }
        let slopes = Tensor::run_backward(&[(&expected * &g).sum(None)], &[&x, &w], false, false);
        assert!(distance(&expected, &y) < 1e-7, "{c:?}");
        for (slope, ours) in slopes.iter().zip(&ours) {
            assert!(distance(slope, ours) < 1e-6, "{c:?}: {}", distance(slope, ours));
        }
    }
}

pub fn space(more: Value) -> Arc<Space> {
    let mut all =
        json!({ "channels": 4, "cells": 3, "nodes": 2, "classes": 3, "input": { "channels": 1, "height": 12, "width": 12 } });
    more.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
    Arc::new(Space::preset("bnas-cifar", &all.to_string()).unwrap())
}

const GENOTYPE: &str = "Genotype(normal=[('sep_conv_3x3', 0), ('dil_conv_3x3', 1), ('max_pool_3x3', 0), ('sep_conv_5x5', 2)], \
                        reduce=[('sep_conv_3x3', 0), ('avg_pool_3x3', 1), ('skip_connect', 0), ('dil_conv_5x5', 2)])";

fn train(space: &Arc<Space>, epochs: f64) -> Model {
    let architecture = Architecture::from_genotype(space, GENOTYPE).unwrap();
    let options = json!({ "train": { "epochs": epochs, "batch": 32, "lr": 0.1, "augment": { "pad": 0, "flip": false } } });
    let (train, options) = (stripes(192, 1), ModelOptions::from_json(&options.to_string()).unwrap());
    let lesson = Lesson { space: space.clone(), architecture: &architecture, train: &train, held_out: None, init: None };
    Model::learn(lesson, &options, &Silent, &|_| {}).unwrap()
}

/// Better than chance, which is a third, in every mode; read back, and written for others, it is the same network.
#[test]
fn binary_networks_learn_and_are_read_back() {
    let held_out = stripes(96, 2);
    for mode in modes() {
        let space = space(json!({ "binary": mode }));
        let model = train(&space, 12.0);
        let evaluation = model.evaluate(&held_out, &Silent).unwrap();
        assert!(evaluation.accuracy > 0.55, "{mode}: {}", evaluation.accuracy);
        let bytes = model.export(&ExportOptions::parse("safetensors").unwrap()).unwrap();
        let graph = nse::export::safetensors::from_memory(&bytes).unwrap();
        let again = Model::from_graph(&graph, "cpu").unwrap();
        assert_eq!(again.evaluate(&held_out, &Silent).unwrap(), evaluation, "{mode}");
        for format in ["onnx", "torchscript"] {
            let written = model.export(&ExportOptions::parse(format).unwrap());
            assert_eq!(written.is_err(), mode.to_string().contains("xnor"), "{mode}, {format}");
        }
    }
}

/// In an export that others read, a binary convolution has two values for each of its scales.
#[test]
fn exports_have_the_binary_weights() {
    for (mode, kinds) in [(json!("layer"), 1), (json!("filter"), 16), (json!("pcnn"), 1), (modes()[6].clone(), 1)] {
        let model = train(&space(json!({ "binary": mode })), 0.5);
        let mut graph = model.graph().unwrap();
        graph.binarize().unwrap();
        let weight = &graph.weights["cell2.before1.conv.weight"];
        let mut sizes: Vec<u32> = weight.values.iter().map(|w| w.abs().to_bits()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        assert_eq!(sizes.len(), kinds, "{mode}");
        assert!(!graph.weights.keys().any(|name| name.ends_with(".matrix")));
    }
}

/// What is scored is computed on packed bits, what is trained on floats: the same bits.
#[test]
fn without_gradient_it_is_the_same_network() {
    let mut found = Vec::new();
    for mode in [json!("xnor"), json!({ "xnor": { "factor": true } })] {
        let space = space(json!({ "binary": mode }));
        let open = Architecture::from_genotype(&space, GENOTYPE).unwrap();
        let network = Network::of(space, &open, Variant::default(), 3, 0, Device::Cpu).unwrap();
        let images = normal(&[5, 1, 12, 12], 1);
        let trained = network.forward(&images, open.cells(), &Norm::Batch).unwrap();
        let _no_grad = no_grad_guard();
        let scored = network.forward(&images, open.cells(), &Norm::Batch).unwrap();
        assert_eq!(values(&trained), values(&scored));
        found.push(values(&scored));
    }
    assert_ne!(found[0], found[1], "the factor is another network");
    let c = Convolution::pointwise("conv", 8, 8);
    let (x, w) = (normal(&[1, 8, 2, 2], 1), normal(&[8, 8, 1, 1], 2));
    assert!(binary::packs(&c, &x, &w) && !binary::packs(&c.groups(8), &x, &w));
}

/// With real weights it is the network that has them: the parent of CP-NAS.
#[test]
fn the_same_network_with_real_weights() {
    for mode in ["layer", "xnor", "pcnn"] {
        let space = space(json!({ "binary": mode }));
        let open = Architecture::from_genotype(&space, GENOTYPE).unwrap();
        let mut network = Network::of(space, &open, Variant::default(), 3, 0, Device::Cpu).unwrap();
        let images = normal(&[5, 1, 12, 12], 1);
        let run = |network: &Network| values(&network.forward(&images, open.cells(), &Norm::Batch).unwrap());
        let binary = run(&network);
        network.real();
        assert_ne!(run(&network), binary, "{mode}");
        assert!(network.passed(open.cells()).iter().all(|p| p.value.size()[..] != [1, 1, 3, 3]), "no matrix is left");
    }
}

/// PC-DARTS's rule: what passes by is as it was, behind the shuffle at places of its own.
#[test]
fn channels_that_pass_by_are_unchanged() {
    let x = normal(&[2, 8, 5, 5], 1);
    let (own, rest) = partial::split(&x, 4).unwrap();
    assert_eq!((own.size()[1], rest.size()[1]), (2, 6));
    let y = partial::join(Some(&own * 7.0), &own, &rest, 4, 1).unwrap();
    // Channel c of part p at 4 c + p.
    for channel in 0..8 {
        let (part, within) = (channel % 4, channel / 4);
        let from = x.select(1, part * 2 + within) * if part == 0 { 7.0 } else { 1.0 };
        assert_eq!(values(&y.select(1, channel)), values(&from), "channel {channel}");
    }
    // With nothing open zeros come instead of what goes through; at stride 2 the greatest of four passes, at the edge of fewer.
    let y = partial::join(None, &own, &rest, 4, 2).unwrap();
    assert_eq!(y.size(), [2, 8, 3, 3]);
    assert_eq!(values(&y.select(1, 0)), [0.0; 18]);
    let corner = x.select(1, 2).narrow(1, 4, 1).narrow(2, 4, 1);
    assert_eq!(values(&y.select(1, 1).narrow(1, 2, 1).narrow(2, 2, 1)), values(&corner));
    // One part: nothing passes, nothing moves.
    let (own, rest) = partial::split(&x, 1).unwrap();
    assert_eq!(values(&partial::join(Some(own.shallow_clone()), &own, &rest, 1, 1).unwrap()), values(&x));
}

/// A supernet whose operators have a half of the channels: narrower weights, everything else as it was.
#[test]
fn a_supernet_with_sampled_channels() {
    let space = space(json!({}));
    let all: Vec<Vec<u16>> = space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect();
    let images = normal(&[3, 1, 12, 12], 1);
    let network = |space: &Arc<Space>| Network::new(space.clone(), &all, 1, 0, Device::Cpu).unwrap();
    let run = |network: &Network| values(&network.forward(&images, &all, &Norm::Batch).unwrap());
    let count = |network: &Network| network.passed(&all).iter().map(|p| p.value.numel()).sum::<usize>();
    let whole = network(&space);
    let one = network(&Arc::new(space.sampled(1).unwrap()));
    assert_eq!(run(&one), run(&whole), "one part is everything");
    let half = network(&Arc::new(space.sampled(2).unwrap()));
    assert!(count(&half) < count(&whole) * 2 / 3);
    let logits = run(&half);
    assert!(logits.len() == 9 && logits.iter().all(|v| v.is_finite()) && logits != run(&whole));
    assert!(space.sampled(3).is_err() && Space::preset("nse-27-small", "{}").unwrap().sampled(2).is_err());
    let options = options(json!({ "channel_sampling": 2 }));
    let found = found(&space, &options, true);
    assert_eq!(found.front().len(), 1);
    let cost = nse::cost::CostTable::new(&space).architecture(&found.front()[0].architecture);
    assert_eq!(found.front()[0].cost, cost, "costs are those of the whole network");
    let bad = Search::new(space.clone(), self::options(json!({ "channel_sampling": 3 })));
    assert!(bad.err().unwrap().to_string().contains("4 channels do not divide into 3"));
}

fn options(more: Value) -> SearchOptions {
    let mut all = json!({
        "objective": { "cost": "bits", "low": 0, "high": 1e9 }, "scorer": { "accuracy": { "samples": 1 } },
        "strategy": { "eliminate": { "times": 1, "epochs": 0.5 } },
        "train": { "epochs": 1, "batch": 24, "lr": 0.1, "augment": { "pad": 0, "flip": false } },
        "score": { "calibration": 24, "images": 24 }, "held_out": 0.25
    });
    more.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
    SearchOptions::from_json(&all.to_string()).unwrap()
}

fn found(space: &Arc<Space>, options: &SearchOptions, cut: bool) -> Search {
    let trainer = || SupernetTrainer::new(space.clone(), &stripes(96, 1), None, options).unwrap();
    let search = Search::start(space.clone(), options.clone(), Start { drive: Drive::Steps, ..Start::default() }).unwrap();
    finished(search, trainer(), cut.then_some(&trainer))
}

/// From the supernet to the last network, binary and real; saved and read back between rounds it is the same search. Sampled networks leave the
/// shared weights as they are.
#[test]
fn a_search_eliminates_operators() {
    let few = json!(["none", "skip_connect", "sep_conv_3x3", "max_pool_3x3"]);
    for (binary, rule) in [(json!("layer"), "child_parent"), (json!("xnor"), "performance"), (json!(null), "performance")] {
        let space = space(json!({ "binary": binary, "operators": few, "nodes": 2 }));
        let options = options(json!({ "strategy": { "eliminate": { "times": 1, "epochs": 0.5, "rule": rule } } }));
        let whole = found(&space, &options, false);
        let [last] = whole.front() else { panic!("{} on the front", whole.front().len()) };
        assert!(last.architecture.genotype(&space).is_some() && last.accuracy > 0.0);
        assert_eq!(last.price, last.cost.bits());
        let again = found(&space, &options, true);
        assert_eq!(again.front(), whole.front(), "{rule}");
        let s = |search: &Search| search.history().iter().map(|record| json!(record.scores)).collect::<Vec<_>>();
        assert_eq!(s(&again), s(&whole));
    }
}

#[test]
fn sampled_networks_leave_the_shared_weights_alone() {
    let space = space(json!({}));
    let options = options(json!({}));
    let mut trainer = SupernetTrainer::new(space.clone(), &stripes(96, 1), None, &options).unwrap();
    let all: Vec<Vec<u16>> = space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect();
    trainer.begin_round(1, 0, &all).unwrap();
    let before = trainer.save(&all).unwrap();
    let network = Architecture::from_genotype(&space, GENOTYPE).unwrap();
    let at = nse::search::At { seed: 1, round: 1 << 32, step: 0 };
    let schedule = options.train.schedule(6);
    let mut rehearse = |real| trainer.rehearse(at, &network, schedule, real, &Silent).unwrap();
    let once = [rehearse(false), rehearse(true)];
    assert_eq!([rehearse(false), rehearse(true)], once);
    assert_eq!(trainer.save(&all).unwrap(), before);
}
