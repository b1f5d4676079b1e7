//! The ground truth: cells trained alone with one recipe, and tested on images that no training sees.

use super::cells::{cost, written, Table, HEADER};
use crate::{append, small, trained, Images, Outcome, Paths};
use nse::arch::Blocks;
use nse::data::Dataset;
use nse::space::Space;
use serde_json::json;
use std::sync::Arc;

/// Images of Fashion-MNIST, chosen once.
const TRAIN: usize = 6_000;
const TEST: usize = 5_000;

/// A table that trains what it does not have yet.
pub struct Alone<'a> {
    space: &'a Space,
    paths: &'a Paths,
    table: Table,
    train: Dataset,
    test: Dataset,
}

impl<'a> Alone<'a> {
    pub fn new(space: &'a Space, images: &Images, paths: &'a Paths) -> Outcome<Self> {
        let table = Table::read(space, &paths.read("cells.csv"))?;
        let smaller = |images: &Dataset, count| small(&small(images, count)?, count);
        Ok(Alone { space, paths, table, train: smaller(&images.train, TRAIN)?, test: smaller(&images.test, TEST)? })
    }

    pub fn accuracy(&mut self, cell: &Blocks, seed: u64) -> Outcome<f64> {
        if let Some(accuracy) = self.table.get(cell, seed) {
            return Ok(accuracy);
        }
        let cell = cell.canonical();
        let train = json!({
            "epochs": 4, "batch": 64, "optimizer": "adamw", "lr": 0.01, "warmup": 0.1, "augment": { "pad": 0, "flip": false },
        });
        let architecture = cell.architecture();
        let space = Arc::new(architecture.space_in(self.space).into_owned());
        let recipe = json!({ "seed": seed, "calibration": 500, "train": train });
        let accuracy = trained(&space, &architecture, recipe, &self.train, &self.test)?;
        let (cost, name) = (cost(&space, &cell), written(&space, &cell));
        // As it is written, so that a run that goes on sees the same.
        let accuracy = format!("{accuracy:.4}");
        append(self.paths, "cells.csv", HEADER, &format!("{name},{},{},{seed},{accuracy}\n", cost.macs, cost.params))?;
        let accuracy = accuracy.parse()?;
        self.table.insert(&cell, seed, accuracy);
        Ok(accuracy)
    }

    pub fn table(&self) -> &Table {
        &self.table
    }
}
