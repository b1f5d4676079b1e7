//! The file of the study, its spaces, and the table that is made of it. No tensors: tests/core has this file too.

use super::numbers::{mean, rows, spread};
use super::Outcome;
use nse::space::Space;
use serde_json::json;
use std::fmt::Write;
use std::sync::Arc;

/// Weights, as the option `binary` of a space has them.
pub const WEIGHTS: [(&str, &str); 3] =
    [("real", "real"), ("layer", "binary, `\"layer\"`"), ("xnor", "binary, and activations, `\"xnor\"`")];
pub const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;
/// What is trained of a search: as it was searched, and what was found with real weights with binary ones too.
pub const TRAININGS: [(&str, &str); 5] =
    [("real", "real"), ("layer", "layer"), ("xnor", "xnor"), ("real", "layer"), ("real", "xnor")];

pub const HEADER: &str = "searched,seed,trained,code,search_cpu_seconds,macs,params,bits,accuracy\n";

/// A network that was found and trained.
#[allow(dead_code)] // tests/core reads all of it
pub struct Row {
    pub searched: String,
    pub seed: u64,
    pub trained: String,
    pub code: String,
    pub seconds: f64,
    pub macs: u64,
    pub params: u64,
    pub bits: u64,
    /// On the test images.
    pub accuracy: f64,
}

/// Cells as in DARTS, small.
pub fn space(weights: &str) -> Outcome<Arc<Space>> {
    let mut space = json!({ "input": { "channels": 1, "height": 28, "width": 28 }, "channels": 8, "cells": 3, "nodes": 2 });
    if weights == "real" {
        return Ok(Arc::new(Space::preset("darts-cifar", &space.to_string())?));
    }
    space["binary"] = weights.into();
    Ok(Arc::new(Space::preset("bnas-cifar", &space.to_string())?))
}

pub fn read(csv: &str) -> Outcome<Vec<Row>> {
    let row = |[searched, seed, trained, code, seconds, macs, params, bits, accuracy]: [&str; 9]| {
        let [seed, macs, params, bits] = [seed.parse()?, macs.parse()?, params.parse()?, bits.parse()?];
        let [searched, trained, code] = [searched, trained, code].map(String::from);
        Ok(Row { searched, seed, trained, code, seconds: seconds.parse()?, macs, params, bits, accuracy: accuracy.parse()? })
    };
    rows(csv)?.into_iter().map(row).collect()
}

fn name(weights: &str) -> &str {
    WEIGHTS.iter().find(|(known, _)| *known == weights).map_or(weights, |(_, name)| name)
}

pub fn table(rows: &[Row]) -> String {
    let mut lines =
        "| searched | trained | test accuracy (%) | each seed | kilobytes | MACs (thousand) | search, CPU seconds |\n\
                     |---|---|---|---|---|---|---|\n"
            .to_string();
    for (searched, trained) in TRAININGS {
        let of: Vec<&Row> = rows.iter().filter(|row| row.searched == searched && row.trained == trained).collect();
        let all = |value: fn(&Row) -> f64| of.iter().map(|row| value(row)).collect::<Vec<f64>>();
        let accuracies = all(|row| 100.0 * row.accuracy);
        let _ = writeln!(
            lines,
            "| {} | {} | {} | {} | {:.2} | {:.0} | {:.0} |",
            name(searched),
            name(trained),
            spread(&accuracies, 2),
            accuracies.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(" "),
            mean(&all(|row| row.bits as f64 / 8e3)),
            mean(&all(|row| row.macs as f64 / 1e3)),
            mean(&all(|row| row.seconds))
        );
    }
    lines
}
