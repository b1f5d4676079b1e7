//! Ensembles with weights: each path against the plain-loop reference, the gradient of what is shared, training that goes on where it was
//! stopped, exports, and scores by a supernet in which all paths go through the same weights.

use crate::export::{export, file};
use crate::reference::{self, Map, Norm, Weights};
use crate::support::{distance, normal, small, stripes, values, After};
use nse::arch::{Architecture, Variant};
use nse::data::Normalisation;
use nse::export::{safetensors, ExportOptions};
use nse::search::{At, Difference, SearchOptions, Silent, TrainOptions, Trainer};
use nse::supernet::learner::{self, Loader};
use nse::supernet::network::Network;
use nse::supernet::norm::{Norm as Rule, Reader};
use nse::supernet::tape::{gradients, Tape};
use nse::supernet::{score, store, Lesson, Model, ModelOptions, SupernetTrainer};
use nse::{Error, Result};
use serde_json::json;
use std::cell::Cell;
use tch::{no_grad, CModule, Device, Tensor};

/// Two paths that share the first cell; one skips the last.
pub fn ensemble() -> Architecture {
    Architecture::ensemble(&small(), vec![vec![0, 3]], vec![vec![vec![1], vec![4]], vec![vec![2, 4], vec![]]]).unwrap()
}

fn learn(architecture: &Architecture, document: serde_json::Value, control: &dyn nse::search::Control) -> Result<Model> {
    let options = ModelOptions::from_json(&document.to_string()).unwrap();
    let (train, held_out) = (stripes(300, 1), stripes(90, 2));
    let lesson = Lesson { space: small(), architecture, train: &train, held_out: Some(&held_out), init: None };
    Model::learn(lesson, &options, control, &|_| ())
}

fn plain() -> serde_json::Value {
    json!({ "seed": 3, "calibration": 200, "train": { "epochs": 6, "batch": 32, "lr": 0.05 } })
}

/// The weights of one path, under the names that its network alone has.
fn of_path(weights: &Weights, path: usize) -> Weights {
    let own = format!("path{path}.");
    let name = |name: &str| match name.strip_prefix(&own) {
        Some(plain) => Some(plain.to_owned()),
        None => (!name.starts_with("path")).then(|| name.to_owned()),
    };
    weights.iter().filter_map(|(full, values)| Some((name(full)?, values.clone()))).collect()
}

#[test]
fn the_logits_are_the_mean_of_those_of_its_members() {
    let excited = json!({ "squeeze_excitation": true, "activation": "swish" });
    for (i, variant) in [json!({}), excited].into_iter().enumerate() {
        let document = json!({ "seed": 1, "variant": variant, "train": { "epochs": 1, "batch": 32 } });
        let model = learn(&ensemble(), document, &Silent).unwrap();
        let weights: Weights = model
            .graph()
            .unwrap()
            .weights
            .iter()
            .map(|(name, a)| (name.clone(), a.values.iter().map(|v| f64::from(*v)).collect()))
            .collect();
        let x = normal(&[4, 1, 12, 12], 20);
        let map = Map { shape: [4, 1, 12, 12], data: values(&x) };
        let of = |path: usize| {
            let (member, variant) = (ensemble().member(path), model.card().variant);
            reference::varied(&small(), member.cells(), variant, &of_path(&weights, path), &map, Norm::Running).concat()
        };
        let expected: Vec<f64> = of(0).iter().zip(of(1)).map(|(a, b)| (a + b) / 2.0).collect();
        let path = file(&format!("ensemble-{i}.pt"));
        export(&model, &path).unwrap();
        let got = CModule::load(&path).unwrap().forward_ts(&[x]).unwrap();
        std::fs::remove_file(&path).unwrap();
        for (got, expected) in values(&got).iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{got} instead of {expected}");
        }
    }
}

/// Two paths that are the same network, with the same weights.
fn twins() -> (Network, Network, Architecture) {
    let member = Architecture::new(&small(), vec![vec![0, 3], vec![1], vec![4]]).unwrap();
    let twins = Architecture::joined(&small(), 2, &[member.clone(), member.clone(), member.clone()]).unwrap();
    let plain = Network::new(small(), member.cells(), 7, 0, Device::Cpu).unwrap();
    let network = Network::of(small(), &twins, Variant::default(), 1, 0, Device::Cpu).unwrap();
    store::take_over(&network, &twins, &plain).unwrap();
    (network, plain, twins)
}

/// Also of weights that three paths have in common, as of a supernet.
#[test]
fn gradients_that_cells_gather_are_those_of_the_graph() {
    let (network, plain, twins) = twins();
    let batch = (normal(&[6, 1, 12, 12], 3), Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2]));
    let way = learner::Way::along(twins.cells(), twins.paths());
    for (network, own) in [(&network, &twins), (&plain, &twins.member(0))] {
        let named = store::named(network, own.cells());
        let tensors: Vec<&Tensor> = named.iter().map(|(_, p)| &p.value).collect();
        let loss = || learner::pass(network, &batch, way, &Rule::Batch, 0.1).unwrap().0;
        let tape = Tape::begin(false).unwrap();
        let gathered = tape.gradients(&loss(), &tensors).unwrap();
        drop(tape);
        let expected = gradients(&loss(), &tensors).unwrap();
        for (gathered, expected) in gathered.iter().zip(&expected) {
            assert_eq!(values(gathered), values(expected));
            assert!(values(expected).iter().any(|v| *v != 0.0));
        }
    }
}

#[test]
fn what_is_shared_gets_the_mean_of_the_gradients_and_the_paths_their_own() {
    let (network, plain, twins) = twins();
    let batch = (normal(&[6, 1, 12, 12], 3), Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2]));
    let of = |network: &Network, architecture: &Architecture| {
        let (loss, logits) =
            learner::pass(network, &batch, learner::Way::along(architecture.cells(), architecture.paths()), &Rule::Batch, 0.1)
                .unwrap();
        let named = store::named(network, architecture.cells());
        let tensors: Vec<&Tensor> = named.iter().map(|(_, p)| &p.value).collect();
        let found = gradients(&loss, &tensors).unwrap();
        let names = named.into_iter().map(|(name, _)| name);
        (loss.double_value(&[]), logits, names.zip(found).collect::<std::collections::BTreeMap<_, _>>())
    };
    let (loss, logits, together) = of(&network, &twins);
    let (alone, same, single) = of(&plain, &twins.member(0));
    assert!((loss - 3.0 * alone).abs() < 1e-5, "the loss is the sum over the paths");
    assert!(distance(&same, &logits) < 1e-6, "the mean of three equal ones");
    let length = |x: &Tensor| values(x).iter().map(|v| v * v).sum::<f64>().sqrt();
    let longest = single.values().map(length).fold(0.0, f64::max);
    let compared = |name: &str, counterpart: &str| {
        let (one, other) = (&single[counterpart], &together[name]);
        let apart = length(&(one - other));
        assert!(apart < 1e-4 * length(one) + 1e-6 * longest, "{name}: {apart} of {}", length(one));
    };
    // Shared: as of one path. Places 2, 3 and 4 are cell 2 of each path.
    for name in
        single.keys().filter(|name| name.starts_with("stem") || name.starts_with("cells.0") || name.starts_with("cells.1"))
    {
        compared(name, name);
    }
    for path in 0..3 {
        for name in single.keys().filter(|name| name.starts_with("cells.2.")) {
            compared(&name.replacen("cells.2.", &format!("cells.{}.", 2 + path), 1), name);
        }
        for part in ["tail.0", "classifier.0", "classifier.1"] {
            compared(&format!("path{path}.{part}"), part);
        }
    }
    assert_eq!(
        together.len(),
        single.len()
            + 2 * single
                .keys()
                .filter(|n| n.starts_with("cells.2.") || n.starts_with("tail") || n.starts_with("classifier"))
                .count()
    );
    // The same in a supernet, where the paths meet in the same weights: theirs add up.
    let batch = || (batch.0.shallow_clone(), batch.1.shallow_clone());
    let moved = |paths: nse::arch::Paths, open: &[Vec<u16>]| {
        let (_, supernet, _) = self::twins();
        let before = store::save(&supernet, twins.member(0).cells()).unwrap();
        let options = TrainOptions { weight_decay: 0.0, ..TrainOptions::default() };
        let at = At { seed: 0, round: 0, step: 0 };
        learner::step_along(&supernet, &batch(), &options, at, learner::Way::along(open, paths), 1e-2).unwrap();
        let after = store::save(&supernet, twins.member(0).cells()).unwrap();
        let difference = move |name: &str| {
            let pairs = after[name].values.iter().zip(&before[name].values);
            pairs.map(|(a, b)| f64::from(a - b)).sum::<f64>()
        };
        difference
    };
    let (one, three) = (moved(twins.member(0).paths(), twins.member(0).cells()), moved(twins.paths(), twins.cells()));
    for (name, times) in
        [("stem.0", 1.0), ("cells.1.mbconv_k3_t3.depthwise.0", 1.0), ("cells.2.conv_k3_t1.spatial.0", 3.0), ("tail.0", 3.0)]
    {
        assert!((three(name) / one(name) - times).abs() < 1e-2, "{name}: {} and {}", one(name), three(name));
    }
}

#[test]
fn it_learns_repeats_itself_and_goes_on_where_it_was_stopped() {
    let everything = crate::training::everything();
    for document in [plain(), everything] {
        let bits = crate::training::bits;
        let whole = learn(&ensemble(), document.clone(), &Silent).unwrap();
        let accuracy = whole.evaluate(&stripes(150, 5), &Silent).unwrap().accuracy;
        assert!(accuracy > 0.9, "{accuracy}");
        assert_eq!(bits(&whole), bits(&learn(&ensemble(), document.clone(), &Silent).unwrap()));
        let path = file("ensemble.ckpt");
        let mut kept = document.clone();
        kept["checkpoint"] = json!({ "path": path, "steps": 5, "resume": true });
        let mut stops = 0;
        let resumed = loop {
            match learn(&ensemble(), kept.clone(), &After(Cell::new(25))) {
                Ok(model) => break model,
                Err(Error::Cancelled) => stops += 1,
                Err(other) => panic!("{other}"),
            }
        };
        assert!(stops > 1, "{stops} stops");
        assert_eq!(bits(&whole), bits(&resumed));
        // Another ensemble does not go on from it.
        let other = Architecture::joined(&small(), 1, &[ensemble().member(0), ensemble().member(0)]).unwrap();
        assert!(
            matches!(learn(&other, kept, &Silent), Err(Error::Format { reason, .. }) if reason.contains("another architecture"))
        );
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn every_path_counts() {
    let model = learn(&ensemble(), plain(), &Silent).unwrap();
    let graph = model.graph().unwrap();
    let back = safetensors::from_memory(&model.export(&ExportOptions::parse("safetensors").unwrap()).unwrap()).unwrap();
    let test = stripes(90, 5);
    let known = model.evaluate(&test, &Silent).unwrap();
    assert_eq!(Model::from_graph(&back, "cpu").unwrap().evaluate(&test, &Silent).unwrap(), known);
    assert_eq!(back.card.architecture, ensemble());
    for name in graph.weights.keys().filter(|name| name.ends_with(".weight")) {
        let mut weights = back.weights.clone();
        weights.get_mut(name).unwrap().values.iter_mut().for_each(|value| *value = 0.0);
        let broken = nse::export::Graph::new(back.card.clone(), weights).unwrap();
        let loss = Model::from_graph(&broken, "cpu").unwrap().evaluate(&test, &Silent).unwrap().loss;
        assert_ne!(loss, known.loss, "{name} counts for nothing");
    }
    // As what another training begins with: of the same ensemble, and of no other.
    let of = |architecture: &Architecture| {
        let options = ModelOptions::from_json(&plain().to_string()).unwrap();
        let lesson = Lesson { space: small(), architecture, train: &stripes(96, 1), held_out: None, init: Some(&graph) };
        Model::learn(lesson, &options, &Silent, &|_| ())
    };
    assert!(of(&ensemble()).unwrap().evaluate(&test, &Silent).unwrap().accuracy > 0.9);
    match of(&ensemble().member(0)) {
        Err(Error::Argument { name: "init", reason }) => assert!(reason.contains("another architecture"), "{reason}"),
        other => panic!("{:?}", other.map(|_| "trained")),
    }
}

fn trainer() -> SupernetTrainer {
    let options =
        json!({ "objective": { "low": 1, "high": 1e9 }, "score": { "calibration": 64, "batch": 50 }, "train": { "batch": 30 } });
    let options = SearchOptions::from_json(&options.to_string()).unwrap();
    let mut trainer = SupernetTrainer::new(small(), &stripes(240, 1), Some(&stripes(90, 2)), &options).unwrap();
    trainer.begin_round(3, 0, &vec![(0..5).collect(); 3]).unwrap();
    for step in 0..12 {
        trainer.ensemble_step(At { seed: 3, round: 0, step }, &ensemble(), 0.05).unwrap();
    }
    trainer
}

#[test]
fn a_supernet_scores_an_ensemble_by_the_mean_of_its_members() {
    let mut trainer = trainer();
    let twin = Architecture::joined(&small(), 1, &[ensemble().member(0), ensemble().member(0)]).unwrap();
    let candidates = [ensemble(), twin, ensemble().member(0), ensemble().member(1)];
    let judged = trainer.judge(3, 0, &candidates, Some(Difference::Divergence), &Silent).unwrap();
    assert!(judged[0].diversity > 0.0 && judged[2].diversity == 0.0);
    assert_eq!((judged[1].accuracy, judged[1].diversity), (judged[2].accuracy, 0.0), "twice the same is the same");
    // It does not depend on company.
    for (candidate, known) in candidates.iter().zip(&judged) {
        assert_eq!(
            trainer.judge(3, 0, std::slice::from_ref(candidate), Some(Difference::Divergence), &Silent).unwrap(),
            [*known]
        );
    }
    let accuracies: Vec<f64> = judged.iter().map(|judged| judged.accuracy).collect();
    assert_eq!(trainer.score(3, 0, &candidates, &Silent).unwrap(), accuracies);
    // A model of it has the same weights on all paths, and does what the supernet says.
    let model = trainer.model(&ensemble(), &Silent).unwrap();
    let shares = trainer.model(&ensemble().member(1), &Silent).unwrap().graph().unwrap();
    let graph = model.graph().unwrap();
    for (name, array) in &shares.weights {
        let place = if name.starts_with("stem") || name.starts_with("cell0.") { name.clone() } else { format!("path1.{name}") };
        let path = (0..2).find(|path| ensemble().member(*path) == ensemble().member(1)).unwrap();
        assert_eq!(path, 1);
        assert_eq!(graph.weights[&place], *array, "{name}");
    }
}

/// Straight from the definition: statistics of each member by itself, logits of each, their mean.
#[test]
fn judging_is_what_it_says() {
    let all: Vec<Vec<u16>> = vec![(0..5).collect(); 3];
    let network = Network::new(small(), &all, 3, 0, Device::Cpu).unwrap();
    let data = stripes(60, 4);
    let loader = || Loader::new(data.clone(), Normalisation::of(&data), Device::Cpu);
    let member = |path: usize| {
        let open = ensemble().member(path);
        let statistics = score::calibrate(&network, open.cells(), &mut loader(), 60, &Silent).unwrap();
        let (images, labels) = loader().load(&(0..60).collect::<Vec<_>>(), None).unwrap();
        (no_grad(|| network.forward(&images, open.cells(), &Rule::Fixed(Reader::new(&statistics))).unwrap()), labels)
    };
    let ((a, labels), (b, _)) = (member(0), member(1));
    let right = ((&a + &b) / 2.0).argmax(1, false).eq_tensor(&labels).sum(None).int64_value(&[]);
    let softmax = |x: &Tensor| values(&x.softmax(1, tch::Kind::Double));
    let (p, q) = (softmax(&a), softmax(&b));
    let divergence = p.iter().zip(&q).map(|(p, q)| (p - q) * (p / q).ln()).sum::<f64>() / 60.0 / 2.0;
    let differ = a.argmax(1, false).not_equal_tensor(&b.argmax(1, false)).sum(None).int64_value(&[]) as f64 / 60.0;
    for (difference, expected) in [(Difference::Divergence, divergence), (Difference::Disagreement, differ)] {
        let judged = score::judge(&network, &[ensemble()], Some(difference), &mut loader(), &mut loader(), 60, &Silent).unwrap();
        assert!((judged[0].diversity - expected).abs() < 1e-6, "{difference:?}: {} and {expected}", judged[0].diversity);
        assert_eq!(judged[0].accuracy, right as f64 / 60.0);
    }
    assert!(differ > 0.0 && divergence > 0.0);
}
