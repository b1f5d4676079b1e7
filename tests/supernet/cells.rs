//! Networks of stacked cells: what a pass computes, against the same written out by hand; that they learn, are saved, and go on.

use crate::export::{export, file};
use crate::support::{distance, stripes};
use nse::arch::Architecture;
use nse::data::{Dataset, Normalisation};
use nse::search::{Arrays, Silent};
use nse::space::Space;
use nse::supernet::{Lesson, Model, ModelOptions};
use nse::Error;
use serde_json::{json, Value};
use std::sync::Arc;
use tch::{CModule, Kind, Tensor};

fn space(skeleton: &str, side: u32, changes: Value) -> Arc<Space> {
    let inputs = match skeleton {
        "nas-bench-201" => ("nas-bench-201", 1, 3),
        "darts-cifar" | "darts-imagenet" => ("darts", 3, 2),
        _ => ("pnas", 3, 2),
    };
    let channels = if skeleton == "pnas-imagenet" { 8 } else { 4 };
    let mut document = json!({ "name": skeleton, "input": { "channels": if side == 12 { 1 } else { 2 }, "height": side, "width": side },
        "classes": 3, "stack": { "skeleton": skeleton, "channels": channels, "cells": inputs.1, "nodes": inputs.2, "operators": inputs.0 } });
    for (key, value) in changes.as_object().unwrap() {
        document["stack"][key] = value.clone();
    }
    Arc::new(Space::from_json(&document.to_string()).unwrap())
}

fn options(changes: Value) -> ModelOptions {
    let mut document = json!({ "seed": 3, "train": { "epochs": 8, "batch": 32, "lr": 0.1 }, "calibration": 200 });
    for (key, value) in changes.as_object().unwrap() {
        document[key] = value.clone();
    }
    ModelOptions::from_json(&document.to_string()).unwrap()
}

fn train(space: &Arc<Space>, architecture: &Architecture, images: &Dataset, options: &ModelOptions) -> Model {
    Model::train(space.clone(), architecture, images, options, &Silent, &|_| ()).unwrap()
}

/// On images of 9x9 with two channels: every operator of DARTS; none in a whole node of a cell that halves; an edge that leads to nothing;
/// an input that nothing reads, the last cell's among them; nothing at all. Blocks: every operator of PNAS behind every change of size and channels.
pub fn models(images: &Dataset) -> Vec<Model> {
    let options = options(json!({ "train": { "epochs": 1, "batch": 12, "augment": { "pad": 0 } }, "calibration": 24 }));
    let darts = space("darts-cifar", 9, json!({}));
    let several = Architecture::new(
        &darts,
        vec![vec![0, 2], vec![4], vec![1, 6], vec![3], vec![5], vec![2], vec![0], vec![], vec![1, 5], vec![]],
    );
    let deep = space("darts-imagenet", 9, json!({ "operators": ["none", "conv_7x1_1x7", "skip_connect"], "shared": true }));
    let empty = Architecture::new(&deep, vec![vec![], vec![], vec![0], vec![1], vec![]]);
    let bench = space("nas-bench-201", 9, json!({}));
    let dead =
        Architecture::from_genotype(&bench, "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|avg_pool_3x3~0|nor_conv_3x3~1|none~2|");
    let unread = Architecture::new(
        &darts,
        (darts.cells().iter().enumerate()).map(|(edge, _)| if [0, 2, 5, 7].contains(&edge) { vec![2] } else { vec![] }).collect(),
    );
    let bare = Architecture::new(&darts, vec![vec![]; darts.cells().len()]);
    let blocks = space("pnas-imagenet", 9, json!({ "nodes": 4 }));
    let of_blocks = Architecture::from_genotype(
        &blocks,
        "Genotype(normal=[('identity', 0), ('conv_7x1_1x7', 0), ('max_pool_3x3', 0), ('sep_conv_7x7', 0), ('avg_pool_3x3', 0), \
         ('dil_conv_3x3', 0), ('identity', 1), ('max_pool_3x3', 4)])",
    );
    [(darts.clone(), several), (deep, empty), (bench, dead), (darts.clone(), unread), (darts, bare), (blocks, of_blocks)]
        .map(|(space, a)| train(&space, &a.unwrap(), images, &options))
        .into()
}

/// A pass with given weights, written out: every function takes the name of what it is.
struct ByHand {
    weights: Arrays,
}

impl ByHand {
    fn weight(&self, name: &str) -> Tensor {
        let array = &self.weights[name];
        Tensor::from_slice(&array.values).view(array.shape.iter().map(|n| *n as i64).collect::<Vec<_>>().as_slice())
    }

    fn norm(&self, x: &Tensor, path: &str) -> Tensor {
        let part = |name: &str| self.weight(&format!("{path}.{name}")).view([1, -1, 1, 1]);
        (x - part("running_mean")) / (part("running_var") + 1e-5).sqrt() * part("weight") + part("bias")
    }

    fn conv(&self, x: &Tensor, path: &str, stride: i64, dilation: i64, groups: i64) -> Tensor {
        let weight = self.weight(&format!("{path}.weight"));
        let padding = dilation * (weight.size()[2] - 1) / 2;
        x.conv2d::<Tensor>(&weight, None, [stride; 2], [padding; 2], [dilation; 2], groups)
    }

    /// Activation, convolution, batch-norm.
    fn rcb(&self, x: &Tensor, path: &str, stride: i64) -> Tensor {
        self.norm(&self.conv(&x.relu(), path, stride, 1, 1), &format!("{path}.bn"))
    }

    fn sep(&self, x: &Tensor, path: &str, stride: i64) -> Tensor {
        let mut y = x.shallow_clone();
        for (half, stride) in [("1", stride), ("2", 1)] {
            let channels = y.size()[1];
            y = self.conv(&y.relu(), &format!("{path}.depthwise{half}"), stride, 1, channels);
            y = self.norm(&self.conv(&y, &format!("{path}.pointwise{half}"), 1, 1, 1), &format!("{path}.pointwise{half}.bn"));
        }
        y
    }

    fn dil(&self, x: &Tensor, path: &str, stride: i64) -> Tensor {
        let y = self.conv(&x.relu(), &format!("{path}.depthwise"), stride, 2, x.size()[1]);
        self.norm(&self.conv(&y, &format!("{path}.pointwise"), 1, 1, 1), &format!("{path}.pointwise.bn"))
    }

    /// Of an even size.
    fn halve(&self, x: &Tensor, path: &str) -> Tensor {
        let x = x.relu();
        let even = self.conv(&x, &format!("{path}.even"), 2, 1, 1);
        let odd = self.conv(&x.slice(2, 1, None, 1).slice(3, 1, None, 1), &format!("{path}.odd"), 2, 1, 1);
        self.norm(&Tensor::cat(&[even, odd], 1), &format!("{path}.bn"))
    }

    fn classify(&self, x: &Tensor) -> Tensor {
        let pooled = x.mean_dim([2i64, 3].as_slice(), false, None);
        pooled.linear(&self.weight("classifier.weight"), Some(&self.weight("classifier.bias")))
    }

    /// |nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|, one cell in a stage.
    fn bench(&self, images: &Tensor) -> Tensor {
        let mut x = self.norm(&self.conv(images, "stem0.conv", 1, 1, 1), "stem0.conv.bn");
        for (at, stage) in [0, 2, 4].into_iter().enumerate() {
            if at > 0 {
                let path = format!("block{}", stage - 1);
                let y = self.rcb(&self.rcb(&x, &format!("{path}.conv1"), 2), &format!("{path}.conv2"), 1);
                x = y + self.conv(
                    &x.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None),
                    &format!("{path}.shortcut.shortcut"),
                    1,
                    1,
                    1,
                );
            }
            let edge = |from: u32, to: u32, name: &str| format!("cell{stage}.edge{from}_{to}.{name}.conv");
            let one = self.rcb(&x, &edge(0, 1, "nor_conv_3x3"), 1);
            let two = self.rcb(&x, &edge(0, 2, "nor_conv_1x1"), 1) + one;
            let pooled = x.avg_pool2d([3, 3], [1, 1], [1, 1], false, false, None);
            x = pooled + self.rcb(&two, &edge(2, 3, "nor_conv_1x1"), 1);
        }
        self.classify(&self.norm(&x, "tail.bn").relu())
    }

    /// Three cells: one as it is, two that halve. Node 2: sep 3x3 of 0, skip of 1. Node 3: dil 3x3 of 0, max pool of 1, skip of 2.
    fn darts(&self, images: &Tensor) -> Tensor {
        let stem = self.norm(&self.conv(images, "stem0.conv", 1, 1, 1), "stem0.conv.bn");
        let (mut earlier, mut last) = (stem.shallow_clone(), stem);
        for cell in 0..3 {
            let halves = cell > 0;
            let stride = if halves { 2 } else { 1 };
            let before = |number: u32| format!("cell{cell}.before{number}");
            // Of the cell before the one before: behind one that halved.
            let zero =
                if cell == 2 { self.halve(&earlier, &before(0)) } else { self.rcb(&earlier, &format!("{}.conv", before(0)), 1) };
            let one = self.rcb(&last, &format!("{}.conv", before(1)), 1);
            let edge = |from: u32, to: u32, name: &str| format!("cell{cell}.edge{from}_{to}.{name}");
            let skip = if halves { self.halve(&one, &edge(1, 2, "skip_connect")) } else { one.shallow_clone() };
            let two = self.sep(&zero, &edge(0, 2, "sep_conv_3x3"), stride) + skip;
            let pooled = one.max_pool2d([3, 3], [stride; 2], [1, 1], [1, 1], false);
            let three = self.dil(&zero, &edge(0, 3, "dil_conv_3x3"), stride) + pooled + &two;
            (earlier, last) = (last, Tensor::cat(&[two, three], 1));
        }
        self.classify(&last)
    }

    /// Three cells as above, of three blocks. 2: sep 3x3 of 0, identity of 1. 3: max pool of 2, dil 3x3 of 0. 4: dil 3x3 of 1 twice, with
    /// weights of their own.
    fn blocks(&self, images: &Tensor) -> Tensor {
        let stem = self.norm(&self.conv(images, "stem0.conv", 1, 1, 1), "stem0.conv.bn");
        let (mut earlier, mut last) = (stem.shallow_clone(), stem);
        for cell in 0..3 {
            let stride = if cell > 0 { 2 } else { 1 };
            let before = |number: u32| format!("cell{cell}.before{number}");
            let zero =
                if cell == 2 { self.halve(&earlier, &before(0)) } else { self.rcb(&earlier, &format!("{}.conv", before(0)), 1) };
            let one = self.rcb(&last, &format!("{}.conv", before(1)), 1);
            let side = |from: u32, to: &str, name: &str| format!("cell{cell}.edge{from}_{to}.{name}");
            let identity = match stride {
                1 => one.shallow_clone(),
                _ => self.rcb(&one, &side(1, "2b", "identity.conv"), 2),
            };
            let two = self.sep(&zero, &side(0, "2a", "sep_conv_3x3"), stride) + identity;
            let pooled = two.max_pool2d([3, 3], [1, 1], [1, 1], [1, 1], false);
            let three = pooled + self.dil(&zero, &side(0, "3b", "dil_conv_3x3"), stride);
            let four = ["4a", "4b"].map(|to| self.dil(&one, &side(1, to, "dil_conv_3x3"), stride));
            (earlier, last) = (last, Tensor::cat(&[two, three, &four[0] + &four[1]], 1));
        }
        self.classify(&last.relu())
    }
}

fn normalised(images: &Dataset, by: &Normalisation) -> Tensor {
    let pixels: Vec<f32> = (0..images.len()).flat_map(|i| images.image(i).0.iter().map(|v| f32::from(*v))).collect();
    let shape = images.shape();
    let shape = [images.len() as i64, i64::from(shape.channels), i64::from(shape.height), i64::from(shape.width)];
    (Tensor::from_slice(&pixels).view(shape) / 255.0 - f64::from(by.mean[0])) / f64::from(by.std[0])
}

/// A network that is written out by hand.
type Written = (Arc<Space>, Architecture, fn(&ByHand, &Tensor) -> Tensor);

fn written_out() -> [Written; 3] {
    let bench = space("nas-bench-201", 12, json!({}));
    let text = "|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|";
    let of_bench = Architecture::from_genotype(&bench, text).unwrap();
    let darts = space("darts-cifar", 12, json!({ "shared": true }));
    let index = |name: &str| vec![darts.cells()[0].find(&name.parse().unwrap()).unwrap()];
    let edges = ["sep_conv_3x3", "skip_connect", "dil_conv_3x3", "max_pool_3x3", "skip_connect"].map(index);
    let of_darts = Architecture::new(&darts, edges.into()).unwrap();
    let pnas = space("pnas-cifar", 12, json!({ "nodes": 3 }));
    let text =
        "Genotype(normal=[('sep_conv_3x3', 0), ('identity', 1), ('max_pool_3x3', 2), ('dil_conv_3x3', 0), ('dil_conv_3x3', 1), \
                ('dil_conv_3x3', 1)])";
    let of_pnas = Architecture::from_genotype(&pnas, text).unwrap();
    [(bench, of_bench, ByHand::bench), (darts, of_darts, ByHand::darts), (pnas, of_pnas, ByHand::blocks)]
}

/// The same as written out, as TorchScript in another reader, and as the model evaluates; read back it is the same model.
#[test]
fn a_pass_is_what_it_should_be() {
    let (images, test) = (stripes(150, 1), stripes(48, 2));
    for (space, architecture, by_hand) in written_out() {
        let model = train(&space, &architecture, &images, &options(json!({ "train": { "epochs": 2, "batch": 32, "lr": 0.1 } })));
        let graph = model.graph().unwrap();
        let inputs = normalised(&test, &graph.card.normalisation);
        let expected = by_hand(&ByHand { weights: graph.weights.clone() }, &inputs);
        let path = file(&format!("cells-{}.pt", space.name()));
        export(&model, &path).unwrap();
        let read = CModule::load(&path).unwrap().forward_ts(&[inputs.shallow_clone()]).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(distance(&expected, &read) < 1e-5, "{}: {}", space.name(), distance(&expected, &read));
        let labels: Vec<i64> = (0..test.len()).map(|i| i64::from(test.image(i).1)).collect();
        let loss = expected.cross_entropy_for_logits(&Tensor::from_slice(&labels)).to_kind(Kind::Double).double_value(&[]);
        let evaluated = model.evaluate(&test, &Silent).unwrap();
        assert!((evaluated.loss - loss).abs() < 1e-4, "{}: {evaluated:?}, {loss}", space.name());
        let again = Model::from_graph(&graph, "cpu").unwrap();
        assert_eq!(again.evaluate(&test, &Silent).unwrap(), evaluated);
        assert_eq!(again.graph().unwrap().weights, graph.weights);
    }
}

#[test]
fn they_learn_and_repeat_themselves() {
    let (images, test) = (stripes(300, 1), stripes(150, 2));
    for (space, architecture, _) in written_out() {
        let options = options(json!({ "train": { "epochs": 8, "batch": 32, "lr": 0.1, "drop_path": 0.1, "ema": 0.9 } }));
        let [a, b] = [(); 2].map(|()| train(&space, &architecture, &images, &options).evaluate(&test, &Silent).unwrap());
        assert!(a.accuracy > 0.9, "{}: {a:?}", space.name());
        assert_eq!(a, b, "the same seed gives the same model");
    }
}

/// From a file after a cancel: the same bits. And from a model: its weights are where the training begins.
#[test]
fn a_training_goes_on() {
    let (images, [_, (space, architecture, _), _]) = (stripes(120, 1), written_out());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("training.nse");
    let recipe = json!({ "epochs": 2, "batch": 32, "lr": 0.1 });
    let whole = train(&space, &architecture, &images, &options(json!({ "train": recipe })));
    let kept = options(json!({ "train": recipe, "checkpoint": { "path": path, "resume": true } }));
    let cancelled = Model::train(space.clone(), &architecture, &images, &kept, &crate::support::After(4.into()), &|_| ());
    assert!(matches!(cancelled, Err(Error::Cancelled)) && path.exists());
    let resumed = train(&space, &architecture, &images, &kept);
    assert_eq!(resumed.graph().unwrap().weights, whole.graph().unwrap().weights);
    let graph = whole.graph().unwrap();
    let lesson = || Lesson {
        space: space.clone(),
        architecture: &architecture,
        train: &images,
        held_out: Some(&images),
        init: Some(&graph),
    };
    let short = options(json!({ "train": { "epochs": 0.25, "batch": 32, "lr": 1e-8 } }));
    let further = Model::learn(lesson(), &short, &Silent, &|_| ()).unwrap().graph().unwrap();
    let (name, before) = graph.weights.iter().find(|(name, _)| name.ends_with("depthwise1.weight")).unwrap();
    assert!(further.weights[name].values.iter().zip(&before.values).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn what_they_have_not_is_said() {
    let [(space, architecture, _), ..] = written_out();
    let excited = options(json!({ "variant": { "squeeze_excitation": true } }));
    let refused = Model::train(space, &architecture, &stripes(60, 1), &excited, &Silent, &|_| ());
    assert!(matches!(refused, Err(Error::UnsupportedSpace { what: "squeeze-excitation", .. })));
}
