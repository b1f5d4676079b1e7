//! The ground truth: cells trained alone with one recipe, and tested on images that no training sees.

use super::cells::{written, Table, HEADER};
use crate::{append, small, trained, Images, Outcome, Paths};
use nse::arch::Blocks;
use nse::cost::CostTable;
use nse::data::Dataset;
use nse::space::Space;
use serde_json::json;
use std::sync::Arc;

/// Images of Fashion-MNIST, chosen once.
const TRAIN: usize = 2_000;
const TEST: usize = 2_000;

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
        Ok(Alone { space, paths, table, train: small(&images.train, TRAIN)?, test: small(&images.test, TEST)? })
    }

    pub fn accuracy(&mut self, cell: &Blocks, seed: u64) -> Outcome<f64> {
        if let Some(accuracy) = self.table.get(cell, seed) {
            return Ok(accuracy);
        }
        let cell = cell.canonical();
        let recipe = json!({
            "seed": seed, "calibration": 500, "train": { "epochs": 2, "batch": 50, "lr": 0.05, "augment": { "pad": 1 } },
        });
        let architecture = cell.architecture();
        let space = Arc::new(architecture.space_in(self.space).into_owned());
        let accuracy = trained(&space, &architecture, recipe, &self.train, &self.test)?;
        let (cost, name) = (CostTable::new(&space).architecture(&architecture), written(&space, &cell));
        // As it is written, so that a run that goes on sees the same.
        let accuracy = format!("{accuracy:.4}");
        append(self.paths, "cells.csv", HEADER, &format!("{name},{},{},{seed},{accuracy}\n", cost.macs, cost.params))?;
        let accuracy = accuracy.parse()?;
        self.table.insert(&cell, seed, accuracy);
        Ok(accuracy)
    }
}
