//! How the space moved: which operators were active in which round, what became of them, and how fit they were.

use super::Report;
use crate::search::RoundRecord;
use crate::space::Operator;
use std::collections::{BTreeMap, HashSet};

/// One operator of one cell in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// None: dropped before the end of training.
    pub theta: Option<f64>,
    /// The front uses it, so it stays.
    pub stays: bool,
    /// It was not there in the round before.
    pub came: bool,
}

/// What became of the operators in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    pub active: usize,
    pub came: usize,
    pub stayed: usize,
    pub dropped: usize,
    pub left: usize,
}

pub struct Movement {
    /// That ever were active, in the order of the space.
    pub operators: Vec<String>,
    /// Per round and cell, by name.
    pub rounds: Vec<Vec<BTreeMap<String, Place>>>,
}

impl Movement {
    pub fn new(report: &Report) -> Self {
        let mut rounds: Vec<Vec<BTreeMap<String, Place>>> = Vec::with_capacity(report.history.len());
        for record in report.history.iter() {
            let round = (0..record.fitness.len()).map(|cell| places(record, cell, rounds.last().and_then(|last| last.get(cell))));
            let round = round.collect();
            rounds.push(round);
        }
        Movement { operators: order(report, &rounds), rounds }
    }

    pub fn counts(&self, round: usize) -> Counts {
        let mut counts = Counts::default();
        for place in self.rounds.get(round).into_iter().flatten().flat_map(BTreeMap::values) {
            counts.active += 1;
            counts.came += usize::from(place.came);
            match place {
                Place { stays: true, .. } => counts.stayed += 1,
                Place { theta: None, .. } => counts.dropped += 1,
                _ => counts.left += 1,
            }
        }
        counts
    }

    /// In how many cells an operator was active, and stayed.
    pub fn of(&self, operator: &str, round: usize) -> (usize, usize) {
        let found = self.rounds.get(round).into_iter().flatten().filter_map(|cell| cell.get(operator));
        found.fold((0, 0), |(active, stays), place| (active + 1, stays + usize::from(place.stays)))
    }

    /// The greatest distance of a theta from 0.
    pub fn reach(&self) -> f64 {
        let thetas = self.rounds.iter().flatten().flat_map(BTreeMap::values).filter_map(|place| place.theta);
        thetas.map(f64::abs).filter(|t| t.is_finite()).fold(0.0, f64::max)
    }
}

fn places(record: &RoundRecord, cell: usize, before: Option<&BTreeMap<String, Place>>) -> BTreeMap<String, Place> {
    let stays = |name: &String| record.retained.get(cell).is_some_and(|retained| retained.contains(name));
    let came = |name: &String| before.is_none_or(|before| !before.contains_key(name));
    let place = |name: &String, theta| (name.clone(), Place { theta, stays: stays(name), came: came(name) });
    let fit = record.fitness.get(cell).into_iter().flatten().map(|fit| place(&fit.operator, Some(fit.theta)));
    let dropped = record.dropped.get(cell).into_iter().flatten().map(|name| place(name, None));
    fit.chain(dropped).collect()
}

fn order(report: &Report, rounds: &[Vec<BTreeMap<String, Place>>]) -> Vec<String> {
    let mut wanted: HashSet<Operator> =
        rounds.iter().flatten().flat_map(BTreeMap::keys).filter_map(|name| name.parse().ok()).collect();
    let operators = report.space.cells().iter().flat_map(|cell| &cell.operators);
    operators.filter(|operator| !wanted.is_empty() && wanted.remove(operator)).map(Operator::to_string).collect()
}
