//! What three searches find within the same cost, and how good it is when it is trained alone: ensembles by potential and diversity, ensembles
//! by accuracy alone, and single networks by accuracy.

use super::table::{HEADER, HIGH, LOW, SEARCHES, SEEDS, TRAININGS};
use crate::{append, Images, Outcome, Paths};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::data::Dataset;
use nse::search::*;
use nse::space::Space;
use nse::supernet::{Model, ModelOptions, SupernetTrainer};
use serde_json::json;
use std::sync::Arc;

/// Of the training images, for a search: 12,000, of which a sixth are held out.
const SEARCHED: f64 = 0.2;
const HELD_OUT: f64 = 1.0 / 6.0;

/// Adds what is missing.
pub fn measure(space: &Arc<Space>, images: &Images, paths: &Paths) -> Outcome<()> {
    let costs = CostTable::new(space);
    for (seed, search) in SEEDS.flat_map(|seed| SEARCHES.map(|(search, _)| (seed, search))) {
        if (paths.read("found.csv").lines()).any(|line| line.starts_with(&format!("{search},{seed},"))) {
            continue;
        }
        let found = find(space, search, seed, &images.train)?;
        // The members of an ensemble are networks too, when they are trained alone.
        let members = if found.paths().count() > 1 { found.members() } else { Vec::new() };
        let networks = std::iter::once(("found", &found)).chain(members.iter().map(|member| ("member", member)));
        let mut lines = String::new();
        for (network, architecture) in networks {
            let cost = costs.architecture(architecture);
            for training in TRAININGS {
                let accuracy = train(space, architecture, training, images)?;
                let code = architecture.code(space);
                lines += &format!("{search},{seed},{network},{code},{},{},{training},{accuracy:.4}\n", cost.macs, cost.params);
            }
        }
        append(paths, "found.csv", HEADER, &lines)?;
    }
    Ok(())
}

/// The most accurate one, in the supernet and on held-out images, whose cost is inside the window.
fn find(space: &Arc<Space>, search: &str, seed: u64, images: &Dataset) -> Outcome<Architecture> {
    let shrink = json!({ "drop": { "worst": 5 }, "until": 500, "later_epochs": 1 });
    let (strategy, scorer) = match search {
        "single" => (json!({ "shrink": shrink }), json!({ "accuracy": { "samples": 6 } })),
        "accuracy" => (json!({ "neas": { "shrink": shrink } }), json!({ "accuracy": { "samples": 6 } })),
        _ => (json!({ "neas": { "shrink": shrink } }), json!({ "diversity": { "samples": 6 } })),
    };
    let options = json!({
        "seed": seed, "threads": 1, "branches": "single", "strategy": strategy, "scorer": scorer,
        "objective": { "low": LOW, "high": HIGH },
        "train": { "epochs": 3, "batch": 64, "lr": 0.1 },
        "candidates": { "count": 150, "extras": 0, "too_few": "accept" },
        "score": { "calibration": 512, "images": 1000, "batch": 500 },
    });
    let options = SearchOptions::from_json(&options.to_string())?;
    let (_, part) = images.split(SEARCHED, 0)?;
    let (train, held_out) = part.split(HELD_OUT, 0)?;
    let mut trainer = SupernetTrainer::new(space.clone(), &train, Some(&held_out), &options)?;
    let mut search = Search::new(space.clone(), options)?;
    while search.step(&mut trainer, &Silent)? != Status::Done {}
    let best = pareto::best(search.front(), HIGH).ok_or("nothing was found")?;
    Ok(best.architecture.clone())
}

fn train(space: &Arc<Space>, architecture: &Architecture, seed: u64, images: &Images) -> Outcome<f64> {
    let recipe = json!({ "seed": seed, "threads": 1, "train": { "epochs": 1, "batch": 64, "lr": 0.1 } });
    let recipe = ModelOptions::from_json(&recipe.to_string())?;
    let model = Model::train(space.clone(), architecture, &images.train, &recipe, &Silent, &|_| {})?;
    Ok(model.evaluate(&images.test, &Silent)?.accuracy)
}
