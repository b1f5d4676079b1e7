//! An exported model, loaded by another reader of the format, against the plain-loop reference.

use crate::model::{architecture, options};
use crate::reference::{self, Map, Norm, Weights};
use crate::support::{normal, small, stripes, values};
use nse::arch::Architecture;
use nse::data::{Dataset, Normalisation};
use nse::export::ExportOptions;
use nse::search::Silent;
use nse::supernet::{Model, ModelOptions, Recipe};
use nse::Error;
use std::path::{Path, PathBuf};
use tch::{CModule, Tensor};

pub fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("nse-export-{}-{name}", std::process::id()))
}

/// Writes a TorchScript archive.
pub fn export(model: &Model, path: &Path) -> nse::Result<()> {
    model.export_to(&ExportOptions::parse("torchscript").unwrap(), path)
}

fn train(architecture: &Architecture) -> (Model, Dataset) {
    let data = stripes(300, 1);
    let options = ModelOptions { train: Recipe { epochs: 1.0, ..options().train }, ..options() };
    (Model::train(small(), architecture, &data, &options, &Silent, &|_| ()).unwrap(), data)
}

/// Paths of the batch-norms in the order of a forward pass; readers of the format that list parameters leave out the statistics.
fn norms(architecture: &Architecture) -> Vec<String> {
    let space = small();
    let mut paths = vec!["stem".to_owned()];
    for (i, (cell, open)) in space.cells().iter().zip(architecture.cells()).enumerate() {
        for operator in open.iter().map(|o| cell.operators[usize::from(*o)]) {
            let chain = operator.convolutions(cell.input.channels, cell.channels, cell.stride());
            paths.extend(chain.iter().map(|c| format!("cell{i}.{operator}.{}", c.name)));
        }
    }
    paths
}

#[test]
fn equals_the_reference_at_any_batch_size() {
    let skipping = Architecture::new(&small(), vec![vec![], vec![0, 2, 4], vec![]]).unwrap();
    for (i, architecture) in [architecture(), skipping].iter().enumerate() {
        let path = file(&format!("reference-{i}.pt"));
        let (model, _) = train(architecture);
        export(&model, &path).unwrap();
        let module = CModule::load(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut weights: Weights = module.named_parameters().unwrap().into_iter().map(|(name, t)| (name, values(&t))).collect();
        for (path, (mean, var)) in norms(architecture).iter().zip(model.statistics()) {
            weights.insert(format!("{path}.bn.running_mean"), values(mean));
            weights.insert(format!("{path}.bn.running_var"), values(var));
        }
        for images in [1, 5] {
            let x = normal(&[images, 1, 12, 12], 20);
            let map = Map { shape: [images as usize, 1, 12, 12], data: values(&x) };
            let expected = reference::forward(&small(), architecture.cells(), &weights, &map, Norm::Running);
            let got = module.forward_ts(&[x]).unwrap();
            assert_eq!(got.size(), [images, 3]);
            for (got, expected) in values(&got).iter().zip(expected.iter().flatten()) {
                assert!((got - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{got} instead of {expected}");
            }
        }
    }
}

#[test]
fn classifies_as_the_model_does() {
    let (model, data) = train(&architecture());
    let path = file("accuracy.pt");
    export(&model, &path).unwrap();
    let module = CModule::load(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let all: Vec<u32> = (0..data.len() as u32).collect();
    data.fill(&all, &Normalisation::of(&data), None, &mut images, &mut labels).unwrap();
    let logits = module.forward_ts(&[Tensor::from_slice(&images).view([300, 1, 12, 12])]).unwrap();
    assert!(logits.requires_grad(), "what was read can be trained on");
    let right = logits.argmax(1, false).eq_tensor(&Tensor::from_slice(&labels)).sum(None).int64_value(&[]);
    assert_eq!(right as f64 / 300.0, model.evaluate(&data, &Silent).unwrap().accuracy);
}

/// The extra file of a model when it is exported; `name` keeps tests apart.
pub fn metadata(model: &Model, name: &str) -> serde_json::Value {
    let path = file(name);
    export(model, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    // The archive stores its files uncompressed.
    let text = String::from_utf8_lossy(&bytes);
    let start = text.find("{\"architecture\"").expect("nse.json is in the archive");
    let mut json = serde_json::Deserializer::from_str(&text[start..]).into_iter::<serde_json::Value>();
    json.next().unwrap().unwrap()
}

#[test]
fn carries_space_architecture_variant_and_normalisation() {
    let (model, data) = train(&architecture());
    let metadata = metadata(&model, "metadata.pt");
    let space = nse::space::Space::from_json(&metadata["space"].to_string()).unwrap();
    assert_eq!(space, *small());
    assert_eq!(Architecture::from_json(&space, &metadata["architecture"].to_string()).unwrap(), architecture());
    assert_eq!(metadata["variant"], serde_json::json!({ "squeeze_excitation": false, "activation": "relu" }));
    let mean = Normalisation::of(&data).mean[0];
    assert!((metadata["normalisation"]["mean"][0].as_f64().unwrap() - f64::from(mean)).abs() < 1e-6);
}

#[test]
fn a_failed_export_leaves_no_file() {
    let (model, _) = train(&architecture());
    let folder = file("no-such-folder");
    match export(&model, &folder.join("model.pt")) {
        Err(Error::Io { path, .. }) => assert_eq!(path, folder.join("model.pt")),
        other => panic!("{other:?}"),
    }
    std::fs::create_dir(&folder).unwrap();
    let occupied = folder.join("model.pt");
    std::fs::create_dir(&occupied).unwrap();
    assert!(matches!(export(&model, &occupied), Err(Error::Io { .. })));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "only the folder that was in the way");
    std::fs::remove_dir_all(&folder).unwrap();
}
