//! The ground truth: random architectures of the space, each trained alone with one recipe and tested on the 10,000 test images.

use super::{tables, BATCH, EPOCHS_ALONE, LR};
use crate::{append, trained, Images, Outcome, Paths};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::search::{Purpose, Stream};
use nse::space::Space;
use serde_json::json;
use std::sync::Arc;

/// Architectures, all different.
const COUNT: usize = 80;
/// Each is trained with two seeds, and so many with a third one, for the noise.
const THRICE: usize = 12;
pub const HEADER: &str = "architecture,macs,params,seed,accuracy\n";

/// Adds what is missing.
pub fn measure(space: &Arc<Space>, images: &Images, paths: &Paths) -> Outcome<()> {
    let costs = CostTable::new(space);
    let drawn = draw(space)?;
    let trainings = [(1, COUNT), (2, COUNT), (3, THRICE)].map(|(seed, count)| drawn[..count].iter().map(move |one| (one, seed)));
    for (architecture, seed) in trainings.into_iter().flatten() {
        let (cost, name) = (costs.architecture(architecture), tables::written(space, architecture));
        let start = format!("{name},{},{},{seed},", cost.macs, cost.params);
        if !paths.read("alone.csv").lines().any(|line| line.starts_with(&start)) {
            append(paths, "alone.csv", HEADER, &format!("{start}{:.4}\n", train(space, architecture, seed, images)?))?;
        }
    }
    Ok(())
}

/// The architectures, every choice of a cell as likely as the others.
pub fn draw(space: &Space) -> Outcome<Vec<Architecture>> {
    let mut stream = Stream::new(0, Purpose::Children, 0, 0);
    let mut drawn: Vec<Architecture> = Vec::new();
    while drawn.len() < COUNT {
        let choice = |cell: &nse::space::Cell, stream: &mut Stream| {
            let choices = cell.operators.len() + usize::from(cell.may_be_skipped());
            let index = stream.below(choices as u64) as usize;
            (index < cell.operators.len()).then_some(index as u16).into_iter().collect()
        };
        let architecture = Architecture::new(space, space.cells().iter().map(|cell| choice(cell, &mut stream)).collect())?;
        if !drawn.contains(&architecture) {
            drawn.push(architecture);
        }
    }
    Ok(drawn)
}

fn train(space: &Arc<Space>, architecture: &Architecture, seed: u64, images: &Images) -> Outcome<f64> {
    let recipe = json!({ "seed": seed, "train": { "epochs": EPOCHS_ALONE, "batch": BATCH, "lr": LR } });
    trained(space, architecture, recipe, &images.train, &images.test)
}
