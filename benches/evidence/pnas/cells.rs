//! The cells of the study, and the file that has their accuracies. No tensors: tests/core has this file too.

use super::numbers::rows;
use super::Outcome;
use nse::arch::{Architecture, Blocks};
use nse::cost::{Cost, CostTable};
use nse::search::{Purpose, Stream};
use nse::space::Space;
use std::collections::{BTreeMap, BTreeSet};

pub const HEADER: &str = "cell,macs,params,seed,accuracy\n";
/// Of the largest cells.
pub const BLOCKS: u32 = 4;
/// The seed of the trainings that searches are told of.
pub const TOLD: u64 = 1;
/// The seeds of trainings that no search is told of.
pub const FRESH: [u64; 2] = [2, 3];
/// So many of the largest random cells are trained with all seeds, to know what is noise.
pub const NOISE: usize = 12;

pub fn space() -> Outcome<Space> {
    Ok(Space::preset("pnas-cifar", include_str!("space.json"))?)
}

/// How many cells of so many blocks are drawn; of one block all are taken.
fn sample(blocks: u32) -> usize {
    match blocks {
        BLOCKS => 150,
        _ => 60,
    }
}

/// The cells of one block, or random ones, no cell twice.
pub fn drawn(space: &Space, blocks: u32) -> Vec<Blocks> {
    let Some(none) = space.stack().map(Blocks::none) else { return Vec::new() };
    if blocks == 1 {
        return none.extensions().map(|block| none.with(block)).collect();
    }
    let mut stream = Stream::new(0, Purpose::Children, 0, u64::from(blocks));
    let (mut seen, mut drawn) = (BTreeSet::new(), Vec::new());
    while drawn.len() < sample(blocks) {
        let cell = random(&none, blocks, &mut stream);
        if seen.insert(cell.clone()) {
            drawn.push(cell);
        }
    }
    drawn
}

/// Of so many blocks; each side of a block as likely as the others.
pub fn random(none: &Blocks, blocks: u32, stream: &mut Stream) -> Blocks {
    let longer = |cell: Blocks, _| {
        let sides = (cell.extensions().count() as f64 * 2.0).sqrt() as u64;
        let block = [(); 2].map(|()| stream.below(sides) as u16);
        cell.with(block)
    };
    (0..blocks).fold(none.clone(), longer).canonical()
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

/// Of a network of it, for one image. `space`: of any number of blocks.
pub fn cost(space: &Space, cell: &Blocks) -> Cost {
    let architecture = cell.architecture();
    CostTable::new(&architecture.space_in(space)).architecture(&architecture)
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

    /// An error where it was never trained.
    pub fn need(&self, cell: &Blocks, seed: u64) -> Outcome<f64> {
        self.get(cell, seed).ok_or_else(|| format!("{cell:?} was never trained with seed {seed}").into())
    }

    #[allow(dead_code)] // tests/core only reads
    pub fn insert(&mut self, cell: &Blocks, seed: u64, accuracy: f64) {
        self.0.insert((cell.canonical(), seed), accuracy);
    }
}
