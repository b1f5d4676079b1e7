//! What a told search was asked for and told: every architecture once, with the round it was asked in and its result.

use crate::arch::Architecture;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// How an architecture did, wherever it was evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// 0 to 1; 0 when it failed.
    pub accuracy: f64,
    /// In the unit of the objective; None: as computed.
    pub cost: Option<f64>,
    /// It could not be evaluated: it counts, but teaches nothing and is never on a front.
    pub failed: bool,
}

impl Outcome {
    pub fn accuracy(accuracy: f64) -> Self {
        Outcome { accuracy, cost: None, failed: false }
    }

    pub fn failed() -> Self {
        Outcome { accuracy: 0.0, cost: None, failed: true }
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// In which it was asked, from 0; None: never.
    pub round: Option<u64>,
    /// None: it is being evaluated.
    pub outcome: Option<Outcome>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    #[serde(with = "pairs")]
    entries: BTreeMap<Architecture, Entry>,
    /// To be handed out before any is drawn: the front that the search began with, or the cells of a round that grows.
    pub first: Vec<Architecture>,
}

impl Ledger {
    /// `first` is handed out before any is drawn.
    pub fn new(first: Vec<Architecture>) -> Self {
        Ledger { first, ..Ledger::default() }
    }

    pub fn get(&self, architecture: &Architecture) -> Option<&Entry> {
        self.entries.get(architecture)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Architecture, &Entry)> {
        self.entries.iter()
    }

    /// Of all that were told and did not fail.
    pub fn accuracies(&self) -> impl Iterator<Item = (Architecture, f64)> + '_ {
        let outcomes = self.iter().filter_map(|(architecture, entry)| Some((architecture, entry.outcome?)));
        outcomes.filter(|(_, outcome)| !outcome.failed).map(|(architecture, outcome)| (architecture.clone(), outcome.accuracy))
    }

    /// Asked or told.
    pub fn known(&self) -> HashSet<Architecture> {
        self.entries.keys().cloned().collect()
    }

    pub fn asked(&mut self, architecture: Architecture, round: u64) {
        self.entries.insert(architecture, Entry { round: Some(round), outcome: None });
    }

    pub fn told(&mut self, architecture: Architecture, outcome: Outcome) {
        self.first.retain(|other| *other != architecture);
        self.entries.entry(architecture).or_insert(Entry { round: None, outcome: None }).outcome = Some(outcome);
    }

    /// Whether it was being evaluated.
    pub fn forget(&mut self, architecture: &Architecture) -> bool {
        let pending = self.get(architecture).is_some_and(|entry| entry.outcome.is_none());
        pending && self.entries.remove(architecture).is_some()
    }

    /// Those being evaluated, in canonical order, with the round they were asked in.
    pub fn pending(&self) -> impl Iterator<Item = (&Architecture, u64)> {
        self.iter().filter(|(_, entry)| entry.outcome.is_none()).filter_map(|(a, entry)| Some((a, entry.round?)))
    }
}

/// JSON has no keys but text.
mod pairs {
    use super::{Architecture, BTreeMap, Entry};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(entries: &BTreeMap<Architecture, Entry>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(entries)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Architecture, Entry>, D::Error> {
        Ok(Vec::<(Architecture, Entry)>::deserialize(deserializer)?.into_iter().collect())
    }
}
