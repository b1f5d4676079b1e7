//! Exports in other hands: ONNX's own checker, ONNX Runtime against the TorchScript of the same model in LibTorch, and that TorchScript
//! in Python's PyTorch.

use crate::cells;
use crate::ensemble::ensemble;
use crate::export::export;
use crate::model::architecture;
use crate::support::{all_operators, normal, small, stripes, values, whole};
use nse::arch::Architecture;
use nse::data::Dataset;
use nse::export::ExportOptions;
use nse::search::Silent;
use nse::space::{Activation, Gate, Shape};
use nse::supernet::{Model, ModelOptions};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use tch::{CModule, Tensor};

fn options(excited: bool) -> ModelOptions {
    let activation = if excited { "swish" } else { "relu" };
    let document = json!({
        "variant": { "squeeze_excitation": excited, "activation": activation },
        "train": { "epochs": 1, "batch": 12, "augment": { "pad": 0 } }
    });
    ModelOptions::from_json(&document.to_string()).unwrap()
}

/// All operators in every cell, on two channels; a network with skipped cells; stacked cells.
fn models() -> Vec<Model> {
    let space = all_operators();
    let all = Architecture::new(&space, (0..3).map(|_| (0..6).collect()).collect()).unwrap();
    let pixels: Vec<u8> = (0..24 * 2 * 81u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let shape = Shape { channels: 2, height: 9, width: 9 };
    let images = Dataset::from_memory(shape, None, pixels, (0..24).map(|i| i % 3).collect()).unwrap();
    let skipping = Architecture::new(&small(), vec![vec![], vec![0, 2, 4], vec![]]).unwrap();
    let train = |architecture: &Architecture, excited| {
        Model::train(small(), architecture, &stripes(96, 1), &options(excited), &Silent, &|_| ()).unwrap()
    };
    let mut models: Vec<Model> = [false, true]
        .map(|excited| Model::train(space.clone(), &all, &images, &options(excited), &Silent, &|_| ()).unwrap())
        .into();
    models.extend([train(&skipping, false), train(&architecture(), true)]);
    models.extend([false, true].map(|excited| train(&ensemble(), excited)));
    // With all that a space can have beside cells.
    let two = ensemble().again(&whole()).unwrap();
    models.push(Model::train(whole(), &two, &stripes(96, 1), &options(false), &Silent, &|_| ()).unwrap());
    // Sizes that are odd, edges and whole nodes that are empty, edges that lead to nothing.
    models.extend(cells::models(&images));
    models
}

fn write(path: &Path, tensor: &Tensor) {
    let bytes: Vec<u8> = values(tensor).iter().flat_map(|value| (*value as f32).to_le_bytes()).collect();
    std::fs::write(path, bytes).unwrap();
}

/// Writes every model in every form to a folder, ONNX (.onnx) and TorchScript (.pt), with images (.in) and the logits of the plain
/// TorchScript in LibTorch (.out); and cases.json, which says what is where. Returns how many.
fn cases(folder: &Path) -> usize {
    let mut cases = Vec::new();
    for (m, model) in models().iter().enumerate() {
        let plain = folder.join("plain.pt");
        export(model, &plain).unwrap();
        let module = CModule::load(&plain).unwrap();
        let (card, input) = (model.card(), model.card().space.input());
        let details = card.variant.details(&card.space);
        let shape = |n: i64| [n, i64::from(input.channels), i64::from(input.height), i64::from(input.width)];
        let pixels = (normal(&shape(5), 30) * 60.0 + 120.0).clamp(0.0, 255.0).round();
        let [mean, std] = [&card.normalisation.mean, &card.normalisation.std].map(|v| Tensor::from_slice(v).view([1, -1, 1, 1]));
        let images = (&pixels / 255.0 - mean) / std;
        for (f, fold) in [false, true].into_iter().enumerate() {
            for (n, normalise) in [false, true].into_iter().enumerate() {
                let name = format!("{m}{f}{n}");
                let file = |end: &str| folder.join(format!("{name}.{end}"));
                let input = if normalise { &pixels } else { &images };
                for (format, path) in [("onnx", file("onnx")), ("torchscript", file("pt"))] {
                    let options = json!({ "format": format, "fold": fold, "normalise": normalise });
                    model.export_to(&ExportOptions::parse(&options.to_string()).unwrap(), &path).unwrap();
                }
                let logits = module.forward_ts(&[images.shallow_clone()]).unwrap();
                let same = CModule::load(file("pt")).unwrap().forward_ts(&[input.shallow_clone()]).unwrap();
                let apart = (same - &logits).abs().max().double_value(&[]);
                assert!(apart < 1e-4, "{name}: {apart}");
                write(&file("in"), input);
                write(&file("out"), &logits);
                cases.push(json!({
                    "name": name, "shape": shape(5), "fold": fold, "normalise": normalise,
                    "swish": details.activation == Activation::Swish, "hard": details.excitation.is_some_and(|e| e.gate == Gate::HardSigmoid),
                    "stacked": card.space.stack().is_some(), "card": serde_json::from_str::<serde_json::Value>(&card.to_json(normalise)).unwrap()
                }));
            }
        }
    }
    std::fs::write(folder.join("cases.json"), json!(cases).to_string()).unwrap();
    cases.len()
}

/// What a program of the project prints.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn onnx_runtime_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let count = cases(folder.path());
    let packages = printed(&mut Command::new(here("tools/onnx.sh")));
    let mut check = Command::new("python3");
    check.arg(here("tests/supernet/check_onnx.py")).arg(folder.path()).env("PYTHONPATH", packages);
    assert_eq!(printed(&mut check), format!("{count} models"));
}

#[test]
#[ignore = "make test-slow runs it: it needs Python's PyTorch, 2.5 GB"]
fn pytorch_in_python_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let count = cases(folder.path());
    let python = printed(&mut Command::new(here("tools/pytorch.sh")));
    let mut check = Command::new(python);
    check.arg(here("tests/supernet/check_torchscript.py")).arg(folder.path());
    assert_eq!(printed(&mut check), format!("{count} models"));
}
