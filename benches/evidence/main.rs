//! What angles and accuracies of a supernet say of networks trained alone, on Fashion-MNIST: `make evidence`; docs/abs.md says what
//! was found. No part of it is a test, but tests/core/evidence.rs holds what it left in this folder against the tables.
//!
//! Usage: evidence DATA OUT [EPOCHS SEED]. Lines of CSV are added to OUT, and what is there already is not measured again. With a seed only
//! that supernet is trained.

mod alone;
mod running;
mod supernet;
mod tables;
mod tau;

use nse::data::Dataset;
use nse::space::Space;
use serde_json::json;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

/// The recipe of the networks trained alone and of the supernet, which differ in their length.
const BATCH: usize = 64;
const LR: f64 = 0.1;
const EPOCHS_ALONE: f64 = 1.0;

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;

/// All training images and all test images.
pub struct Images {
    train: Dataset,
    test: Dataset,
}

pub struct Paths(PathBuf);

impl Paths {
    /// Empty when there is none.
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

fn append(paths: &Paths, name: &str, header: &str, lines: &str) -> Outcome<()> {
    let there = paths.read(name);
    let there = if there.is_empty() { header.to_string() } else { there };
    eprint!("{name}: {lines}");
    Ok(std::fs::write(paths.0.join(name), there + lines)?)
}

fn main() -> Outcome<()> {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [data, out, chosen @ ..] = arguments.as_slice() else {
        return Err("usage: evidence DATA OUT [EPOCHS SEED]".into());
    };
    let (paths, space) = (Paths(out.into()), Arc::new(Space::from_json(include_str!("space.json"))?));
    std::fs::create_dir_all(out)?;
    let images = Images { train: open(data, "train")?, test: open(data, "t10k")? };
    if let [epochs, seed] = chosen {
        return supernet::measure(&space, &images, &paths, epochs.parse()?, seed.parse()?);
    }
    alone::measure(&space, &images, &paths)?;
    for (epochs, seed) in tables::SUPERNETS {
        supernet::measure(&space, &images, &paths, epochs, seed)?;
    }
    let truth = tables::read(&space, &paths.read("alone.csv"))?;
    let scored = tables::read_scores(&space, &paths.read("scores.csv"))?;
    let judged = tables::read_choices(&paths.read("choices.csv"))?;
    let wanted = tables::Wanted::of(&space, &truth);
    let parts = [tables::noise(&truth), tables::ranking(&truth, &scored), tables::losses(&wanted, &judged)];
    std::fs::write(paths.0.join("evidence.md"), parts.join("\n"))?;
    print!("{}", parts.join("\n"));
    Ok(())
}

fn open(data: &str, part: &str) -> Outcome<Dataset> {
    let file = |kind: &str| format!("{data}/{part}-{kind}-ubyte.gz");
    let document = json!({ "format": "idx", "images": file("images-idx3"), "labels": file("labels-idx1"), "classes": 10 });
    Ok(Dataset::open(&document.to_string())?)
}
