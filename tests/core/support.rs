//! What several files share: small spaces, every architecture of one, errors taken apart, a test of frequencies.

use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::search::{CellChoices, Stream};
use nse::space::Space;
use nse::{Error, Result};
use proptest::test_runner::{Config, RngSeed};
use serde_json::{json, Value};
use std::collections::BTreeSet;

/// Property tests that try the same cases in every run.
pub fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(27), ..Config::default() }
}

/// A chain of cells on square images: (kind, channels or 0 for a normal cell, operators).
pub fn chain(size: u32, stem: u32, cells: &[(&str, u32, &[&str])]) -> Space {
    let cells: Vec<_> = cells
        .iter()
        .map(|(kind, channels, operators)| match channels {
            0 => json!({ "kind": kind, "operators": operators }),
            _ => json!({ "kind": kind, "channels": channels, "operators": operators }),
        })
        .collect();
    let document = json!({
        "name": "chain", "input": { "channels": 1, "height": size, "width": size }, "classes": 2,
        "stem": { "channels": stem, "stride": 1 }, "cells": cells, "tail": { "channels": 1 }
    });
    Space::from_json(&document.to_string()).unwrap()
}

/// All operators of every cell.
pub fn everything(space: &Space) -> Vec<Vec<u16>> {
    space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect()
}

/// Every architecture that uses only `active` operators.
pub fn architectures(space: &Space, active: &[Vec<u16>]) -> Vec<Architecture> {
    let mut chains: Vec<Vec<Vec<u16>>> = vec![Vec::new()];
    for (cell, active) in space.cells().iter().zip(active) {
        let choices = subsets(active);
        let allowed = choices.iter().filter(|c| !c.is_empty() || cell.may_be_skipped());
        chains =
            allowed.flat_map(|c| chains.iter().map(move |chain| [chain.as_slice(), std::slice::from_ref(c)].concat())).collect();
    }
    chains.into_iter().map(|cells| Architecture::new(space, cells).unwrap()).collect()
}

/// The operators that some architecture of at most `high` multiply-accumulates uses, by trying all with one operator per cell
/// or none.
pub fn affordable(space: &Space, high: u64) -> Vec<Vec<u16>> {
    let costs = CostTable::new(space);
    let mut chains: Vec<Vec<Vec<u16>>> = vec![Vec::new()];
    for cell in space.cells() {
        let nothing = cell.may_be_skipped().then(Vec::new).into_iter();
        let choices: Vec<Vec<u16>> = nothing.chain((0..cell.operators.len() as u16).map(|o| vec![o])).collect();
        chains = chains.iter().flat_map(|chain| choices.iter().map(|c| [&chain[..], std::slice::from_ref(c)].concat())).collect();
    }
    let mut found = vec![BTreeSet::new(); space.cells().len()];
    for architecture in chains.into_iter().map(|cells| Architecture::new(space, cells).unwrap()) {
        if costs.architecture(&architecture).macs <= high {
            found.iter_mut().zip(architecture.cells()).for_each(|(found, open)| found.extend(open));
        }
    }
    found.into_iter().map(|operators| operators.into_iter().collect()).collect()
}

pub fn subsets(items: &[u16]) -> Vec<Vec<u16>> {
    let member = |mask: u32| move |i: &usize| mask >> i & 1 == 1;
    (0..1 << items.len()).map(|mask| (0..items.len()).filter(member(mask)).map(|i| items[i]).collect()).collect()
}

/// Every gate vector of `n` operators.
pub fn gate_vectors(n: usize) -> Vec<Vec<bool>> {
    (0..1u32 << n).map(|mask| (0..n).map(|i| mask >> i & 1 == 1).collect()).collect()
}

/// What a sampler draws from; `p` is parallel to `active`.
pub fn choices<'a>(space: &Space, active: &'a [Vec<u16>], p: &'a [Vec<f64>]) -> Vec<CellChoices<'a>> {
    (space.cells().iter().zip(active).zip(p))
        .map(|((cell, active), p)| CellChoices { active, p, may_be_skipped: cell.may_be_skipped(), single: false })
        .collect()
}

pub fn between(stream: &mut Stream, low: f64, high: f64) -> f64 {
    low + (high - low) * stream.uniform()
}

/// Document, pointer and reason of a configuration error.
pub fn config<T>(result: Result<T>) -> (&'static str, String, String) {
    match result.err() {
        Some(Error::Config { document, pointer, reason }) => (document, pointer, reason),
        Some(other) => panic!("not a configuration error: {other}"),
        None => panic!("no error"),
    }
}

/// `document` with `value` at `pointer`; the last part of the pointer may be new.
pub fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = document.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match changed.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
    changed
}

pub fn without(document: &Value, pointer: &str) -> Value {
    let mut changed = document.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
    changed
}

/// Pearson's chi-square test of counts against probabilities. Streams are fixed, so it either always passes or never; the
/// threshold is four standard deviations (Wilson and Hilferty's approximation). Rare outcomes are pooled.
pub fn assert_frequencies(observed: &[u64], probabilities: &[f64], what: &str) {
    let draws = observed.iter().sum::<u64>() as f64;
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{what}: probabilities do not sum to 1");
    let (mut statistic, mut bins, mut rare) = (0.0, 0.0, (0.0, 0.0));
    for (count, p) in observed.iter().zip(probabilities) {
        assert!(*count == 0 || *p > 0.0, "{what}: an impossible outcome was drawn");
        if p * draws < 8.0 {
            rare = (rare.0 + *count as f64, rare.1 + p * draws);
        } else {
            statistic += (*count as f64 - p * draws).powi(2) / (p * draws);
            bins += 1.0;
        }
    }
    if rare.1 >= 8.0 {
        statistic += (rare.0 - rare.1).powi(2) / rare.1;
        bins += 1.0;
    } else {
        assert!(rare.0 <= 40.0, "{what}: {} rare outcomes, {} expected", rare.0, rare.1);
    }
    let freedom: f64 = bins - 1.0;
    if freedom >= 1.0 {
        let limit = freedom * (1.0 - 2.0 / (9.0 * freedom) + 4.0 * (2.0 / (9.0 * freedom)).sqrt()).powi(3);
        assert!(statistic < limit, "{what}: chi-square {statistic:.1} with {freedom} degrees of freedom, limit {limit:.1}");
    }
}
