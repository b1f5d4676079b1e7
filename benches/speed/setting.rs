//! The sizes that are measured, and what both sides work on: a space, active operators, weights, images, paths.

use crate::Outcome;
use nse::data::{Dataset, Normalisation};
use nse::search::{Purpose, Stream, TwoPaths};
use nse::space::{CellKind, Space};
use nse::supernet::learner::{Batch, Loader};
use nse::supernet::network::Network;
use serde_json::{json, Value};
use std::sync::Arc;
use tch::{Device, Tensor};

pub struct Setting {
    pub name: &'static str,
    pub space: Arc<Space>,
    pub batch: usize,
    pub active: Vec<Vec<u16>>,
}

const SMALL: &str = r#"{"input": {"channels": 3, "height": 32, "width": 32}, "classes": 10, "layout": "NR", "repeats": [1, 2, 2, 1],
    "channels": [16, 24, 40, 80], "stem_stride": STRIDE, "operators": "POOL"}"#;

impl Setting {
    pub fn new(name: &str) -> Outcome<Self> {
        let small = |stride: &str, pool: &str| SMALL.replace("STRIDE", stride).replace("POOL", pool);
        let (name, overrides, batch) = match name {
            "S" => ("S", small("2", "nse-27"), 128),
            "M" => ("M", small("1", "nse-27"), 128),
            "L" => ("L", "{}".to_owned(), 16),
            "P" => ("P", small("2", "nse-72"), 128),
            other => return Err(format!("{other:?} is not a part; there are S, M, L, P, round and engine").into()),
        };
        Self::of(name, Arc::new(Space::preset("nse-27", &overrides)?), batch)
    }

    /// Five active operators per cell, drawn at random once and for all.
    pub fn of(name: &'static str, space: Arc<Space>, batch: usize) -> Outcome<Self> {
        let draw = |(i, cell): (usize, &nse::space::Cell)| {
            let mut operators: Vec<u16> = (0..cell.operators.len() as u16).collect();
            Stream::new(7, Purpose::Pool, 0, i as u64).shuffle(&mut operators);
            operators.truncate(5);
            operators.sort_unstable();
            operators
        };
        let active = space.cells().iter().enumerate().map(draw).collect();
        Ok(Setting { name, space, batch, active })
    }

    /// Every active operator open with probability one half, one at least where a cell needs it. The same for the same index.
    pub fn open(&self, index: u64) -> Vec<Vec<u16>> {
        let mut stream = Stream::new(7, Purpose::WeightGates, 0, index);
        let draw = |(active, cell): (&Vec<u16>, &nse::space::Cell)| loop {
            let open: Vec<u16> = active.iter().copied().filter(|_| stream.below(2) == 1).collect();
            if !open.is_empty() || cell.may_be_skipped() {
                break open;
            }
        };
        self.active.iter().zip(self.space.cells()).map(draw).collect()
    }

    /// Two different paths for every cell.
    pub fn paths(&self, index: u64) -> Vec<Option<TwoPaths>> {
        let gates = |open: &[u16], active: &[u16]| active.iter().map(|o| open.contains(o)).collect::<Vec<_>>();
        let (first, mut next) = (self.open(2 * index), 2 * index);
        let pair = |(cell, active): (usize, &Vec<u16>)| loop {
            next += 1;
            let other = &self.open(next)[cell];
            if *other != first[cell] {
                break Some(TwoPaths::new(&vec![0.5; active.len()], gates(&first[cell], active), gates(other, active)));
            }
        };
        self.active.iter().enumerate().map(pair).collect()
    }

    /// Of every cell its active operators, and of two paths the gates of each.
    pub fn gates(&self, paths: &[Option<TwoPaths>]) -> Vec<Value> {
        let gates = |gates: &[bool]| gates.iter().map(|g| u8::from(*g)).collect::<Vec<_>>();
        let of_cell = |(active, paths): (&Vec<u16>, &Option<TwoPaths>)| match paths {
            Some(p) => json!([active, gates(&p.selected), gates(&p.unselected)]),
            None => Value::Null,
        };
        self.active.iter().zip(paths).map(of_cell).collect()
    }

    pub fn network(&self) -> Outcome<Network> {
        Ok(Network::new(self.space.clone(), &self.active, 1, 0, Device::Cpu)?)
    }

    /// Random pictures with random labels.
    pub fn loader(&self, images: usize, seed: u64) -> Outcome<Loader> {
        let shape = self.space.input();
        let mut stream = Stream::new(seed, Purpose::Augment, 0, 0);
        let mut pixels = Vec::with_capacity(images * shape.numbers() as usize + 8);
        while pixels.len() < images * shape.numbers() as usize {
            pixels.extend(stream.next_u64().to_le_bytes());
        }
        pixels.truncate(images * shape.numbers() as usize);
        let labels = (0..images).map(|_| stream.below(u64::from(self.space.classes())) as u32).collect();
        let data = Dataset::from_memory(shape, Some(self.space.classes()), pixels, labels)?;
        let normalisation = Normalisation::of(&data);
        Ok(Loader::new(data, normalisation, Device::Cpu))
    }

    pub fn batch(&self, seed: u64) -> Outcome<Batch> {
        let positions: Vec<u32> = (0..self.batch as u32).collect();
        Ok(self.loader(self.batch, seed)?.load(&positions, None)?)
    }

    /// What the baseline builds its supernet from.
    pub fn document(&self) -> Value {
        let kind = |kind: CellKind| {
            if kind == CellKind::Normal {
                "normal"
            } else if kind == CellKind::Reduce {
                "reduce"
            } else {
                "expand"
            }
        };
        let cells: Vec<_> = (self.space.cells().iter())
            .map(|cell| json!({ "kind": kind(cell.kind), "cin": cell.input.channels, "cout": cell.channels }))
            .collect();
        let operators: Vec<_> = self.space.cells()[0].operators.iter().map(ToString::to_string).collect();
        json!({
            "input": self.space.input().channels, "stem": self.space.chain().unwrap().stem.cout, "stem_stride": self.space.chain().unwrap().stem.stride[0],
            "tail": self.space.chain().unwrap().tail.cout, "classes": self.space.classes(), "cells": cells, "operators": operators,
        })
    }
}

/// Weight, scale and shift of unit after unit: stem, the open operators, tail, classifier. The baseline has the same order.
pub fn parameters<'a>(network: &'a Network, open: &[Vec<u16>]) -> Vec<&'a Tensor> {
    let (chain, classifier) = (network.chain().unwrap(), network.classifier());
    let (stem, tail) = (&chain.stem, &chain.tail);
    let branches = open.iter().enumerate().flat_map(|(cell, open)| open.iter().map(move |o| (cell, *o)));
    let units = std::iter::once(stem).chain(branches.flat_map(|(cell, o)| network.units(cell, o))).chain([tail]);
    units.flat_map(|unit| unit.parameters()).chain(classifier.parameters()).map(|p| &p.value).collect()
}
