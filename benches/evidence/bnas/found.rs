//! Searches that eliminate operators, alike but for the weights, and how good it is what they found when it is trained alone.

use super::table::{space, HEADER, SEEDS, TRAININGS, WEIGHTS};
use crate::{append, small, trained, Images, Outcome, Paths};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::data::Dataset;
use nse::search::*;
use nse::space::Space;
use nse::supernet::SupernetTrainer;
use serde_json::json;
use std::sync::Arc;

/// Images, chosen once: of a search, which holds out a part of them, of a training, and of its test.
const SEARCHED: usize = 4_000;
const HELD_OUT: f64 = 0.25;
const TRAINED: usize = 12_000;
const TESTED: usize = 10_000;

/// Adds what is missing.
pub fn measure(images: &Images, paths: &Paths) -> Outcome<()> {
    let (few, many, test) = (small(&images.train, SEARCHED)?, small(&images.train, TRAINED)?, small(&images.test, TESTED)?);
    for (seed, searched) in SEEDS.flat_map(|seed| WEIGHTS.map(|(weights, _)| (seed, weights))) {
        if paths.read("found.csv").lines().any(|line| line.starts_with(&format!("{searched},{seed},"))) {
            continue;
        }
        let begun = cpu_seconds()?;
        let found = find(&space(searched)?, seed, &few)?;
        let seconds = cpu_seconds()? - begun;
        let mut lines = String::new();
        for weights in TRAININGS.iter().filter(|(of, _)| *of == searched).map(|(_, weights)| *weights) {
            // The operators are the same ones, and so is the architecture.
            let space = space(weights)?;
            let (cost, code) = (CostTable::new(&space).architecture(&found), found.code(&space));
            let recipe = json!({ "seed": seed, "train": { "epochs": 4, "batch": 64, "lr": 0.1 } });
            let accuracy = trained(&space, &found, recipe, &many, &test)?;
            lines += &format!(
                "{searched},{seed},{weights},{code},{seconds:.1},{},{},{},{accuracy:.4}\n",
                cost.macs,
                cost.params,
                cost.bits()
            );
        }
        append(paths, "found.csv", HEADER, &lines)?;
    }
    Ok(())
}

/// Of all threads of this process.
fn cpu_seconds() -> Outcome<f64> {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` outlives the call.
    match unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) } {
        0 => Ok(now.tv_sec as f64 + now.tv_nsec as f64 / 1e9),
        _ => Err(std::io::Error::last_os_error().into()),
    }
}

fn find(space: &Arc<Space>, seed: u64, images: &Dataset) -> Outcome<Architecture> {
    let options = json!({
        "seed": seed, "threads": 1, "branches": "single",
        "strategy": { "eliminate": { "times": 3, "epochs": 1, "later_epochs": 1 } },
        "scorer": { "accuracy": { "samples": 1 } },
        "objective": { "low": 0, "high": 1e12 },
        "train": { "epochs": 3, "batch": 64, "lr": 0.1 },
        "score": { "calibration": 128, "images": 250, "batch": 250 },
    });
    let options = SearchOptions::from_json(&options.to_string())?;
    let (train, held_out) = images.split(HELD_OUT, seed)?;
    let mut trainer = SupernetTrainer::new(space.clone(), &train, Some(&held_out), &options)?;
    let mut search = Search::new(space.clone(), options)?;
    while search.step(&mut trainer, &Silent)? != Status::Done {}
    Ok(search.front().first().ok_or("nothing was found")?.architecture.clone())
}
