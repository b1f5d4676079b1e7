//! Exported ONNX in other hands: ONNX's own checker, and ONNX Runtime against the TorchScript of the same model in LibTorch.

use crate::export::export;
use crate::model::architecture;
use crate::support::{all_operators, normal, small, stripes, values};
use nse::arch::Architecture;
use nse::data::Dataset;
use nse::export::ExportOptions;
use nse::search::Silent;
use nse::space::Shape;
use nse::supernet::{Model, ModelOptions};
use serde_json::json;
use std::path::Path;
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

/// All operators in every cell, on two channels; and a network with skipped cells.
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
    models
}

fn write(path: &Path, tensor: &Tensor) {
    let bytes: Vec<u8> = values(tensor).iter().flat_map(|value| (*value as f32).to_le_bytes()).collect();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn others_agree() {
    let folder = tempfile::tempdir().unwrap();
    let mut cases = Vec::new();
    for (m, model) in models().iter().enumerate() {
        let plain = folder.path().join(format!("{m}.pt"));
        export(model, &plain).unwrap();
        let module = CModule::load(&plain).unwrap();
        let (card, input) = (model.card(), model.card().space.input());
        let shape = |n: i64| [n, i64::from(input.channels), i64::from(input.height), i64::from(input.width)];
        let pixels = (normal(&shape(5), 30) * 60.0 + 120.0).clamp(0.0, 255.0).round();
        let [mean, std] = [&card.normalisation.mean, &card.normalisation.std].map(|v| Tensor::from_slice(v).view([1, -1, 1, 1]));
        let images = (&pixels / 255.0 - mean) / std;
        for (f, fold) in [false, true].into_iter().enumerate() {
            for (n, normalise) in [false, true].into_iter().enumerate() {
                let options = json!({ "format": "onnx", "fold": fold, "normalise": normalise });
                let name = format!("{m}{f}{n}");
                let paths = ["onnx", "in", "out"].map(|end| folder.path().join(format!("{name}.{end}")));
                model.export_to(&ExportOptions::parse(&options.to_string()).unwrap(), &paths[0]).unwrap();
                write(&paths[1], if normalise { &pixels } else { &images });
                write(&paths[2], &module.forward_ts(&[images.shallow_clone()]).unwrap());
                cases.push(json!({
                    "name": name, "shape": shape(5), "fold": fold, "normalise": normalise,
                    "excited": m % 2 == 1, "card": serde_json::from_str::<serde_json::Value>(&card.to_json(normalise)).unwrap()
                }));

                // TorchScript of the same kind.
                let mut options = options;
                options["format"] = json!("torchscript");
                let path = folder.path().join("same.pt");
                model.export_to(&ExportOptions::parse(&options.to_string()).unwrap(), &path).unwrap();
                let input = if normalise { &pixels } else { &images };
                let same = CModule::load(&path).unwrap().forward_ts(&[input.shallow_clone()]).unwrap();
                let apart = (same - module.forward_ts(&[images.shallow_clone()]).unwrap()).abs().max().double_value(&[]);
                assert!(apart < 1e-4, "{options}: {apart}");
            }
        }
    }
    std::fs::write(folder.path().join("cases.json"), json!(cases).to_string()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = Command::new(root.join("tools/onnx.sh")).output().unwrap();
    assert!(packages.status.success(), "{}", String::from_utf8_lossy(&packages.stderr));
    let check = Command::new("python3")
        .arg(root.join("tests/supernet/check_onnx.py"))
        .arg(folder.path())
        .env("PYTHONPATH", String::from_utf8(packages.stdout).unwrap().trim())
        .output()
        .unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    assert_eq!(String::from_utf8_lossy(&check.stdout), format!("{} models\n", cases.len()));
}
