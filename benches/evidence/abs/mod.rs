//! What angles and accuracies of a supernet say of networks trained alone: docs/abs.md.

mod alone;
mod running;
mod supernet;
mod tables;

use crate::{numbers, tau, Images, Outcome, Paths};
use nse::space::Space;
use std::sync::Arc;

/// The recipe of the networks trained alone and of the supernet, which differ in their length.
const BATCH: usize = 64;
const LR: f64 = 0.1;
const EPOCHS_ALONE: f64 = 1.0;

/// The tables, of all files.
pub fn measure(images: &Images, paths: &Paths) -> Outcome<String> {
    let space = Arc::new(Space::from_json(include_str!("space.json"))?);
    alone::measure(&space, images, paths)?;
    for (epochs, seed) in tables::SUPERNETS {
        supernet::measure(&space, images, paths, epochs, seed)?;
    }
    let truth = tables::read(&space, &paths.read("alone.csv"))?;
    let scored = tables::read_scores(&space, &paths.read("scores.csv"))?;
    let judged = tables::read_choices(&paths.read("choices.csv"))?;
    let wanted = tables::Wanted::of(&space, &truth);
    Ok([tables::noise(&truth), tables::ranking(&truth, &scored), tables::losses(&wanted, &judged)].join("\n"))
}
