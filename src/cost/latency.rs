//! Latency by look-up: the time of every operation that a space can need, measured before (here or by anybody), and the latency of an
//! architecture as the sum of what it uses. The times themselves come from elsewhere: from a file, a host, or the supernet's clock.

use super::latency_key::{addition, additions, head, latency_keys, operators, stem, LatencyKey};
use crate::arch::Architecture;
use crate::error::{Error, Result};
use crate::space::Space;
use std::collections::{BTreeMap, BTreeSet};

/// The unit when none is named: milliseconds.
pub const DEFAULT_UNIT: &str = "ms";

/// What cannot be done with stacked cells.
pub const LOOKING_UP: &str = "a latency by look-up";

/// Times by operation, all in one unit. A table may hold more than one space needs, or less.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyTable {
    unit: String,
    entries: BTreeMap<LatencyKey, f64>,
}

impl Default for LatencyTable {
    /// Empty, in milliseconds.
    fn default() -> Self {
        LatencyTable { unit: DEFAULT_UNIT.into(), entries: BTreeMap::new() }
    }
}

impl LatencyTable {
    /// Empty. `unit` is for people, nothing is converted: 1 to 32 visible characters, with single spaces between words.
    pub fn new(unit: &str) -> Result<Self> {
        match unit_fault(unit) {
            Some(reason) => Err(Error::Argument { name: "unit", reason }),
            None => Ok(LatencyTable { unit: unit.into(), entries: BTreeMap::new() }),
        }
    }

    /// What the times are in, for example "ms".
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Replaces the time that `key` had, if any. Errors: a time that is negative or not finite, a key that no network can have.
    pub fn set(&mut self, key: LatencyKey, time: f64) -> Result<()> {
        if let Some(reason) = key.misfit() {
            return Err(Error::Argument { name: "key", reason });
        }
        if let Some(reason) = time_fault(time) {
            return Err(Error::Argument { name: "time", reason: format!("{reason}, for {key}") });
        }
        self.entries.insert(key, time);
        Ok(())
    }

    pub fn get(&self, key: &LatencyKey) -> Option<f64> {
        self.entries.get(key).copied()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (&LatencyKey, f64)> {
        self.entries.iter().map(|(key, time)| (key, *time))
    }

    /// What an architecture of `space` can need and this table lacks, ascending.
    pub fn missing(&self, space: &Space) -> Vec<LatencyKey> {
        latency_keys(space).into_iter().filter(|key| !self.entries.contains_key(key)).collect()
    }

    /// The time of one architecture, for which nothing else of its space need be there: ends, open operators, and the additions
    /// that join them. Error: [`Error::MissingLatencies`].
    pub fn architecture(&self, space: &Space, architecture: &Architecture) -> Result<f64> {
        let chain = space.need_chain(LOOKING_UP)?;
        let mut keys = stem(space, chain);
        (0..architecture.paths().count()).for_each(|_| keys.extend(head(space, chain)));
        for (cell, open) in architecture.by_cell().map(|(cell, open)| (&space.cells()[cell], open)) {
            let chosen = operators(cell, chain.details).enumerate().filter(|(i, _)| open.iter().any(|o| usize::from(*o) == *i));
            keys.extend(chosen.flat_map(|(_, keys)| keys));
            keys.extend((0..additions(cell.kind, open.len())).map(|_| LatencyKey::addition(cell.output())));
        }
        let missing: BTreeSet<_> = keys.iter().filter(|key| self.get(key).is_none()).collect();
        if !missing.is_empty() {
            return Err(Error::MissingLatencies { missing: missing.into_iter().map(LatencyKey::to_string).collect() });
        }
        Ok(keys.iter().filter_map(|key| self.get(key)).sum())
    }

    /// The times of one space. Error: [`Error::MissingLatencies`] with everything that is missing.
    pub fn resolve(&self, space: &Space) -> Result<Latencies> {
        let chain = space.need_chain(LOOKING_UP)?;
        let missing = self.missing(space);
        if !missing.is_empty() {
            return Err(Error::MissingLatencies { missing: missing.iter().map(LatencyKey::to_string).collect() });
        }
        let sum = |keys: &[LatencyKey]| keys.iter().filter_map(|key| self.get(key)).sum::<f64>();
        let head = head(space, chain);
        Ok(Latencies {
            ends: sum(&[stem(space, chain), head.clone()].concat()),
            head: sum(&head),
            operators: space.cells().iter().map(|cell| operators(cell, chain.details).map(|keys| sum(&keys)).collect()).collect(),
            additions: space.cells().iter().map(|cell| addition(cell).map_or(0.0, |key| sum(&[key]))).collect(),
        })
    }
}

/// Why `time` cannot be one, if it cannot.
pub(super) fn time_fault(time: f64) -> Option<String> {
    (time != 0.0 && !(1e-9..=1e6).contains(&time)).then(|| format!("{time} is not 0 and not in 1e-9 to 1e6 units"))
}

/// Why `unit` cannot stand in every form of a table, if it cannot.
pub(super) fn unit_fault(unit: &str) -> Option<String> {
    let words = unit.split(' ').all(|word| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control()));
    (!words || unit.chars().count() > 32).then(|| format!("{unit:?} is not a unit: 1 to 32 visible characters are"))
}

/// The times of one space, summed as far as they can be before an architecture is chosen. In the unit of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies {
    /// Stem and fixed block, tail, pooling, hidden layer and classifier.
    pub ends: f64,
    /// Of these, what an ensemble has once more for each path but the first: from the tail on.
    pub head: f64,
    /// Per cell and operator: the sum over what it computes.
    pub operators: Vec<Vec<f64>>,
    /// Per cell: one addition; 0 where no architecture needs one.
    pub additions: Vec<f64>,
}

impl Latencies {
    /// Ends, open operators, and the additions that join them: one per branch in a normal cell, which adds its input too; one less
    /// in the others (`forward` of the published code). `space` is the one that these were resolved for.
    pub fn architecture(&self, space: &Space, architecture: &Architecture) -> f64 {
        let cells = architecture.by_cell().map(|(i, open)| {
            let operators: f64 = open.iter().map(|o| self.operators[i][usize::from(*o)]).sum();
            operators + additions(space.cells()[i].kind, open.len()) as f64 * self.additions[i]
        });
        let heads: f64 = (1..architecture.paths().count()).map(|_| self.head).sum();
        self.ends + heads + cells.sum::<f64>()
    }
}
