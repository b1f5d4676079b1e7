//! What is behind the tables of docs/abs.md, docs/bnas.md, docs/neas.md and docs/pnas.md, on Fashion-MNIST: `make evidence`. No part of it is a test, but
//! tests/core/evidence holds what it left in this folder against the tables.
//!
//! Usage: evidence DATA OUT [abs] [bnas] [neas] [pnas], without a name all. Lines of CSV are added to folders of OUT, and what is there already is not
//! measured again.

mod abs;
mod bnas;
mod neas;
mod numbers;
mod pnas;
mod tau;

use nse::arch::Architecture;
use nse::data::Dataset;
use nse::search::{Purpose, Silent, Stream};
use nse::space::{Shape, Space};
use nse::supernet::{Model, ModelOptions};
use serde_json::{json, Value};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Outcome<T> = std::result::Result<T, Box<dyn Error>>;
type Study = fn(&Images, &Paths) -> Outcome<String>;

const STUDIES: [(&str, Study); 4] =
    [("abs", abs::measure), ("bnas", bnas::measure), ("neas", neas::measure), ("pnas", pnas::measure)];

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

    fn write(&self, name: &str, text: &str) -> Outcome<()> {
        Ok(std::fs::write(self.0.join(name), text)?)
    }
}

fn append(paths: &Paths, name: &str, header: &str, lines: &str) -> Outcome<()> {
    let there = paths.read(name);
    let there = if there.is_empty() { header.to_string() } else { there };
    eprint!("{name}: {lines}");
    paths.write(name, &(there + lines))
}

fn main() -> Outcome<()> {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [data, out, chosen @ ..] = arguments.as_slice() else {
        return Err("usage: evidence DATA OUT [abs] [bnas] [neas] [pnas]".into());
    };
    if let Some(unknown) = chosen.iter().find(|name| !STUDIES.iter().any(|(study, _)| study == name)) {
        return Err(format!("there is no study {unknown:?}").into());
    }
    let images = Images { train: open(data, "train")?, test: open(data, "t10k")? };
    for (name, measure) in STUDIES.iter().filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name)) {
        let paths = Paths(Path::new(out).join(name));
        std::fs::create_dir_all(&paths.0)?;
        let tables = measure(&images, &paths)?;
        paths.write("tables.md", &tables)?;
        print!("{tables}");
    }
    Ok(())
}

fn open(data: &str, part: &str) -> Outcome<Dataset> {
    let file = |kind: &str| format!("{data}/{part}-{kind}-ubyte.gz");
    let document = json!({ "format": "idx", "images": file("images-idx3"), "labels": file("labels-idx1"), "classes": 10 });
    Ok(Dataset::open(&document.to_string())?)
}

/// So many of the images, each pixel the mean of four.
fn small(images: &Dataset, count: usize) -> Outcome<Dataset> {
    let chosen = images.choose(count, &mut Stream::new(0, Purpose::Split, 0, 0))?;
    let Shape { channels, height, width } = chosen.shape();
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for position in 0..chosen.len() {
        let (image, label) = chosen.image(position);
        labels.push(label);
        for rows in image.chunks(2 * width as usize) {
            let (upper, lower) = rows.split_at(width as usize);
            let four = upper.chunks(2).zip(lower.chunks(2));
            pixels.extend(four.map(|(a, b)| (a.iter().chain(b).map(|pixel| u32::from(*pixel)).sum::<u32>() / 4) as u8));
        }
    }
    Ok(Dataset::from_memory(Shape { channels, height: height / 2, width: width / 2 }, Some(10), pixels, labels)?)
}

/// Trained by itself as `recipe` says, on one thread: the accuracy on `test`.
fn trained(space: &Arc<Space>, architecture: &Architecture, recipe: Value, images: &Dataset, test: &Dataset) -> Outcome<f64> {
    let recipe = ModelOptions { threads: Some(1), ..ModelOptions::from_json(&recipe.to_string())? };
    let model = Model::train(space.clone(), architecture, images, &recipe, &Silent, &|_| {})?;
    Ok(model.evaluate(test, &Silent)?.accuracy)
}
