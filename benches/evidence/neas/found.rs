//! What three searches find within the same cost, and how good it is when it is trained alone: ensembles by potential and diversity, ensembles
//! by accuracy alone, and single networks by accuracy.

use super::table::{HEADER, HIGH, LOW, SEARCHES, SEEDS, TRAININGS};
use crate::{append, trained, Images, Outcome, Paths};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::data::Dataset;
use nse::search::*;
use nse::space::Space;
use nse::supernet::SupernetTrainer;
use serde_json::json;
use std::sync::Arc;

/// Training images for everything, chosen once; a search holds out a part of them.
const IMAGES: usize = 12_000;
const HELD_OUT: f64 = 0.25;

/// Adds what is missing.
pub fn measure(space: &Arc<Space>, images: &Images, paths: &Paths) -> Outcome<()> {
    let (costs, train_on) = (CostTable::new(space), images.train.choose(IMAGES, &mut Stream::new(0, Purpose::Split, 0, 0))?);
    for (seed, search) in SEEDS.flat_map(|seed| SEARCHES.map(|(search, _)| (seed, search))) {
        if (paths.read("found.csv").lines()).any(|line| line.starts_with(&format!("{search},{seed},"))) {
            continue;
        }
        let found = find(space, search, seed, &train_on)?;
        // The members of an ensemble are networks too, when they are trained alone.
        let members = if found.paths().count() > 1 { found.members() } else { Vec::new() };
        let networks = std::iter::once(("found", &found)).chain(members.iter().map(|member| ("member", member)));
        let mut lines = String::new();
        for (network, architecture) in networks {
            let cost = costs.architecture(architecture);
            for training in TRAININGS {
                let recipe = json!({ "seed": training, "train": { "epochs": 2, "batch": 64, "lr": 0.1 } });
                let accuracy = trained(space, architecture, recipe, &train_on, &images.test)?;
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
    let shrink = json!({ "drop": { "worst": 7 }, "until": 500, "later_epochs": 1 });
    let (strategy, scorer) = match search {
        "single" => (json!({ "shrink": shrink }), json!({ "accuracy": { "samples": 4 } })),
        "accuracy" => (json!({ "neas": { "shrink": shrink } }), json!({ "accuracy": { "samples": 4 } })),
        _ => (json!({ "neas": { "shrink": shrink } }), json!({ "diversity": { "samples": 4 } })),
    };
    let options = json!({
        "seed": seed, "threads": 1, "branches": "single", "strategy": strategy, "scorer": scorer,
        "objective": { "low": LOW, "high": HIGH },
        "train": { "epochs": 3, "batch": 64, "lr": 0.1 },
        "candidates": { "count": 80, "extras": 0, "too_few": "accept" },
        "score": { "calibration": 256, "images": 500, "batch": 500 },
    });
    let options = SearchOptions::from_json(&options.to_string())?;
    let (train, held_out) = images.split(HELD_OUT, seed)?;
    let mut trainer = SupernetTrainer::new(space.clone(), &train, Some(&held_out), &options)?;
    let mut search = Search::new(space.clone(), options)?;
    while search.step(&mut trainer, &Silent)? != Status::Done {}
    let best = pareto::best(search.front(), HIGH).ok_or("nothing was found")?;
    Ok(best.architecture.clone())
}
