//! What each part of NSE is worth, on Fashion-MNIST: `make ablation`. Four ways to the same budget, three seeds each, every network
//! found is trained alone with one recipe and tested on the 10,000 test images.
//!
//! Usage: ablation DATA OUT [METHOD SEED]. One line of CSV per network is added to OUT/ablation.csv, and what is there already is
//! not run again; at the end, or with nothing left to run, OUT/ablation.md is the table.

use nse::arch::Architecture;
use nse::cost::{CostTable, Metric};
use nse::data::Dataset;
use nse::search::*;
use nse::space::Space;
use nse::supernet::{Model, ModelOptions, SupernetTrainer};
use serde_json::{json, Value};
use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const SEEDS: [u64; 3] = [1, 2, 3];
const ROUNDS: u64 = 4;
const ACTIVE: u64 = 4;
/// Passes over the training images of a round.
const EPOCHS: f64 = 0.5;
/// Candidates and extras of a round.
const CANDIDATES: [u64; 2] = [24, 6];
const LOW: u64 = 310_000;
const HIGH: u64 = 350_000;

/// Name, and what the table says of it.
const METHODS: [(&str, &str); 4] = [
    ("nse", "NSE: 4 rounds, 4 active operators per cell"),
    ("pool", "one round on the whole pool, as many branch evaluations and candidates"),
    ("single", "NSE with single branches"),
    ("random", "random architectures of the whole pool inside the window (two per seed)"),
];

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [data, out, chosen @ ..] = arguments.as_slice() else {
        return Err("usage: ablation DATA OUT [METHOD SEED]".into());
    };
    let file = Path::new(out).join("ablation.csv");
    std::fs::create_dir_all(out)?;
    let [train, test] = [open(data, "train")?, open(data, "t10k")?];
    for (method, _) in METHODS {
        for seed in SEEDS {
            let wanted = chosen.is_empty() || chosen == [method.to_string(), seed.to_string()];
            let there = std::fs::read_to_string(&file).unwrap_or_default();
            if wanted && !there.lines().any(|line| line.starts_with(&format!("{method},{seed},"))) {
                let lines = measure(method, seed, &train, &test)?;
                std::fs::write(&file, std::fs::read_to_string(&file).unwrap_or_default() + &lines)?;
            }
        }
    }
    let table = table(&std::fs::read_to_string(&file)?);
    std::fs::write(Path::new(out).join("ablation.md"), &table)?;
    print!("{table}");
    Ok(())
}

fn open(data: &str, part: &str) -> Outcome<Dataset> {
    let file = |kind: &str| format!("{data}/{part}-{kind}-ubyte.gz");
    let document = json!({ "format": "idx", "images": file("images-idx3"), "labels": file("labels-idx1"), "classes": 10 });
    Ok(Dataset::open(&document.to_string())?)
}

/// The space of the demo: thirteen cells of 27 operators.
fn space() -> Outcome<Arc<Space>> {
    let overrides = json!({ "repeats": [1, 5, 5], "channels": [12, 24, 48], "divisor": 1, "tail": 64 });
    Ok(Arc::new(Space::preset("nse-27-small", &overrides.to_string())?))
}

fn options(method: &str, seed: u64) -> Outcome<SearchOptions> {
    let mut options = json!({
        "seed": seed, "rounds": ROUNDS, "active": ACTIVE, "threads": 1,
        "objective": { "low": LOW, "high": HIGH, "alpha": 0.02 },
        "train": { "epochs": EPOCHS, "batch": 64, "lr": 0.1 },
        "fitness": { "lr": 0.02 },
        "candidates": { "count": CANDIDATES[0], "extras": CANDIDATES[1], "too_few": "accept" },
        "score": { "calibration": 512, "images": 1000, "batch": 500 },
    });
    match method {
        "single" => options["branches"] = "single".into(),
        "pool" => {
            options["active"] = 27.into();
            options["rounds"] = 1.into();
            options["candidates"]["count"] = (ROUNDS * CANDIDATES[0]).into();
            // Branches of an average step: half of the active operators.
            let whole = Search::new(space()?, SearchOptions::from_json(&options.to_string())?)?;
            let active = whole.active().iter().map(Vec::len).sum::<usize>() as f64 / whole.active().len() as f64;
            options["train"]["epochs"] = Value::from(ROUNDS as f64 * EPOCHS * ACTIVE as f64 / active);
        }
        _ => {}
    }
    Ok(SearchOptions::from_json(&options.to_string())?)
}

/// One line per network: method, seed, MACs, accuracy in the supernet (empty without one), test accuracy, seconds of the search.
fn measure(method: &str, seed: u64, train: &Dataset, test: &Dataset) -> Outcome<String> {
    let (space, started) = (space()?, Instant::now());
    let found = if method == "random" { random(&space, seed)? } else { search(&space, method, seed, train)? };
    let seconds = started.elapsed().as_secs_f64();
    let mut lines = String::new();
    for (architecture, supernet) in found {
        let recipe = json!({ "seed": seed, "threads": 1, "train": { "epochs": 3, "batch": 64, "lr": 0.1 } });
        let recipe = ModelOptions::from_json(&recipe.to_string())?;
        let model = Model::train(space.clone(), &architecture, train, &recipe, &Silent, &|_| {})?;
        let accuracy = model.evaluate(test, &Silent)?.accuracy;
        let macs = CostTable::new(&space).architecture(&architecture).macs;
        let supernet = supernet.map_or(String::new(), |accuracy| format!("{accuracy:.4}"));
        writeln!(lines, "{method},{seed},{macs},{supernet},{accuracy:.4},{seconds:.0}")?;
        eprint!("{lines}");
    }
    Ok(lines)
}

fn search(space: &Arc<Space>, method: &str, seed: u64, train: &Dataset) -> Outcome<Vec<(Architecture, Option<f64>)>> {
    let options = options(method, seed)?;
    let mut trainer = SupernetTrainer::new(space.clone(), train, None, &options)?;
    let mut search = Search::new(space.clone(), options)?;
    while search.step(&mut trainer, &Silent)? != Status::Done {}
    let best = pareto::best(search.front(), HIGH).ok_or("the front is empty")?;
    Ok(vec![(best.architecture.clone(), Some(best.accuracy))])
}

/// Every operator open with probability one half, given the window.
fn random(space: &Arc<Space>, seed: u64) -> Outcome<Vec<(Architecture, Option<f64>)>> {
    let all: Vec<Vec<u16>> = space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect();
    let half: Vec<Vec<f64>> = all.iter().map(|cell| vec![0.5; cell.len()]).collect();
    let cells: Vec<_> = (space.cells().iter().zip(&all).zip(&half))
        .map(|((cell, active), p)| CellChoices { active, p, may_be_skipped: cell.may_be_skipped(), single: false })
        .collect();
    let sampler = Sampler::new(&CostTable::new(space).prices(Metric::Macs), &cells, Window { low: LOW, high: HIGH })?;
    let drawn = sampler.distinct(space, 2, &HashSet::new(), &mut Stream::new(seed, Purpose::Candidates, 0, 0))?;
    Ok(drawn.into_iter().map(|architecture| (architecture, None)).collect())
}

/// Mean and standard deviation over the networks of every method.
fn table(lines: &str) -> String {
    let mut table =
        "| method | networks | test accuracy (%) | each | million MACs | search (s) |\n|---|---|---|---|---|---|\n".to_string();
    for (method, description) in METHODS {
        let rows: Vec<Vec<&str>> =
            lines.lines().map(|line| line.split(',').collect()).filter(|row: &Vec<&str>| row[0] == method).collect();
        if rows.is_empty() {
            continue;
        }
        let column = |i: usize, scale: f64| -> Vec<f64> {
            rows.iter().filter_map(|row| row[i].parse::<f64>().ok()).map(|v| v * scale).collect()
        };
        let (accuracies, macs, seconds) = (column(4, 100.0), column(2, 1e-6), column(5, 1.0));
        let each = accuracies.iter().map(|a| format!("{a:.2}")).collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            table,
            "| {description} | {} | {:.2} ± {:.2} | {each} | {:.3} | {:.0} |",
            rows.len(),
            mean(&accuracies),
            deviation(&accuracies),
            mean(&macs),
            mean(&seconds)
        );
    }
    table
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Of the sample.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len().max(2) - 1) as f64).sqrt()
}
