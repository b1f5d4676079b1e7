//! The cells of the study, and the file that has their accuracies. No tensors: tests/core has this file too.

use super::numbers::rows;
use super::Outcome;
use nse::arch::{Architecture, Blocks};
use nse::search::{Purpose, Stream};
use nse::space::Space;
use std::collections::{BTreeMap, BTreeSet};

pub const HEADER: &str = "cell,macs,params,seed,accuracy\n";
/// Of the largest cells.
pub const BLOCKS: u32 = 3;
/// Cells of several blocks that are drawn at random.
pub const SAMPLE: usize = 100;
/// The seed of the trainings that searches are told of.
pub const TOLD: u64 = 1;

pub fn space() -> Outcome<Space> {
    Ok(Space::preset("pnas-cifar", include_str!("space.json"))?)
}

/// The cells of one block, or so many random ones; each side of a block as likely as the others, no cell twice.
pub fn drawn(space: &Space, blocks: u32) -> Vec<Blocks> {
    let Some(none) = space.stack().map(Blocks::none) else { return Vec::new() };
    if blocks == 1 {
        return none.extensions().map(|block| none.with(block)).collect();
    }
    let mut stream = Stream::new(0, Purpose::Children, 0, u64::from(blocks));
    let (mut seen, mut drawn) = (BTreeSet::new(), Vec::new());
    while drawn.len() < SAMPLE {
        let longer = |cell: Blocks, stream: &mut Stream| {
            let sides = (cell.extensions().count() as f64 * 2.0).sqrt() as u64;
            let block = [(); 2].map(|()| stream.below(sides) as u16);
            cell.with(block)
        };
        let cell = (0..blocks).fold(none.clone(), |cell, _| longer(cell, &mut stream)).canonical();
        if seen.insert(cell.clone()) {
            drawn.push(cell);
        }
    }
    drawn
}

/// The sides of its blocks. `space`: of any number of blocks.
pub fn written(space: &Space, cell: &Blocks) -> String {
    let architecture = cell.architecture();
    architecture.names(&architecture.space_in(space)).concat().join(" ")
}

pub fn read(space: &Space, written: &str) -> Outcome<Blocks> {
    let sides: Vec<[&str; 1]> = written.split(' ').map(|side| [side]).collect();
    let space = space.of_nodes(sides.len() as u32 / 2);
    let architecture = Architecture::from_json(&space, &serde_json::json!({ "cells": sides }).to_string())?;
    Blocks::of(&space, &architecture).ok_or_else(|| format!("no cell of blocks: {written}").into())
}

/// Accuracies by cell, in canonical form, and seed.
#[derive(Default)]
pub struct Table(BTreeMap<(Blocks, u64), f64>);

impl Table {
    pub fn read(space: &Space, csv: &str) -> Outcome<Self> {
        let row = |[cell, _, _, seed, accuracy]: [&str; 5]| Ok(((read(space, cell)?, seed.parse()?), accuracy.parse()?));
        Ok(Table(rows(csv)?.into_iter().map(row).collect::<Outcome<_>>()?))
    }

    pub fn get(&self, cell: &Blocks, seed: u64) -> Option<f64> {
        self.0.get(&(cell.canonical(), seed)).copied()
    }

    #[allow(dead_code)] // tests/core only reads
    pub fn insert(&mut self, cell: &Blocks, seed: u64, accuracy: f64) {
        self.0.insert((cell.canonical(), seed), accuracy);
    }
}
