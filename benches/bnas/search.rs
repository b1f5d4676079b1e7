//! The same cells, recipe and seeds, with real and with binary weights.

use crate::Outcome;
use nse::cost::CostTable;
use nse::data::Dataset;
use nse::search::{Search, SearchOptions, Silent, Status};
use nse::space::Space;
use nse::supernet::{Lesson, Model, ModelOptions, SupernetTrainer};
use serde_json::{json, Value};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Part of the training images that the search gets, a third of which it holds out; what it found is trained on more.
const SEARCHED: f64 = 0.05;
const TRAINED: f64 = 0.2;

fn space(binary: &Value) -> Outcome<Arc<Space>> {
    let preset = if binary.is_null() { "darts-cifar" } else { "bnas-cifar" };
    let overrides = json!({
        "input": { "channels": 1, "height": 28, "width": 28 }, "channels": 8, "cells": 3, "nodes": 2, "binary": binary
    });
    Ok(Arc::new(Space::preset(preset, &overrides.to_string())?))
}

fn options() -> Outcome<SearchOptions> {
    let options = json!({
        "seed": 1, "strategy": { "eliminate": { "times": 3, "epochs": 1, "later_epochs": 1 } },
        "scorer": { "accuracy": { "samples": 1 } }, "objective": { "cost": "bits", "low": 0, "high": 1e12 },
        "train": { "epochs": 3, "batch": 64, "lr": 0.1 }, "held_out": 0.33, "score": { "calibration": 256, "images": 500 }
    });
    Ok(SearchOptions::from_json(&options.to_string())?)
}

fn open(data: &str, part: &str) -> Outcome<Dataset> {
    let file = |kind: &str| format!("{data}/{part}-{kind}-ubyte.gz");
    let document = json!({ "format": "idx", "images": file("images-idx3"), "labels": file("labels-idx1"), "classes": 10 });
    Ok(Dataset::open(&document.to_string())?)
}

/// A line for each kind of weights, written as soon as it is known.
pub fn table(data: &str, out: &Path) -> Outcome<String> {
    let (train, test) = (open(data, "train")?, open(data, "t10k")?);
    let mut table = String::from(
        "| weights | search, s | test accuracy | bits | binary of the parameters | genotype |\n|---|---|---|---|---|---|\n",
    );
    for binary in [json!(null), json!("layer"), json!("xnor")] {
        let (space, options) = (space(&binary)?, options()?);
        let begun = Instant::now();
        let (_, few) = train.split(SEARCHED, 0)?;
        let mut trainer = SupernetTrainer::new(space.clone(), &few, None, &options)?;
        let mut search = Search::new(space.clone(), options)?;
        while search.step(&mut trainer, &Silent)? == Status::Round {}
        let seconds = begun.elapsed().as_secs_f64();
        let architecture = search.front().first().ok_or("no network was found")?.architecture.clone();
        let (_, more) = train.split(TRAINED, 0)?;
        let lesson = Lesson { space: space.clone(), architecture: &architecture, train: &more, held_out: None, init: None };
        let recipe = json!({ "seed": 1, "train": { "epochs": 4, "batch": 64, "lr": 0.1 } });
        let model = Model::learn(lesson, &ModelOptions::from_json(&recipe.to_string())?, &Silent, &|_| {})?;
        let accuracy = model.evaluate(&test, &Silent)?.accuracy;
        let cost = CostTable::new(&space).architecture(&architecture);
        writeln!(
            table,
            "| {} | {seconds:.0} | {:.1}% | {} | {} of {} | {} |",
            binary.as_str().unwrap_or("real"),
            100.0 * accuracy,
            cost.bits(),
            cost.binary_params,
            cost.params,
            architecture.genotype(&space).unwrap_or_default(),
        )?;
        std::fs::write(out.join("search.md"), &table)?;
    }
    Ok(table)
}
