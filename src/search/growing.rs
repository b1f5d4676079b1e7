//! A search whose cells grow (PNAS): which cells a round has, the space and the costs of each, and, where the search trains by itself, one
//! stand-alone training after the other: each is trained and scored as the supernet of another strategy is, with nothing but itself in it. Or
//! all cells of a round are the paths of one supernet.

use super::beam::Beam;
use super::engine::{Phase, Search};
use super::history::{Foretold, RoundRecord};
use super::ledger::Ledger;
use super::notes;
use super::observe::{Control, EventKind, Observer, Silent};
use super::pareto::{self, Scored};
use super::predictor::{correlation, Ensemble};
use super::random::Stream;
use super::sought::Sought;
use super::strategy::Grow;
use super::trainer::Trainer;
use crate::arch::{Architecture, Blocks};
use crate::cost::{Cost, CostTable, LatencyTable, Metric, Prices};
use crate::error::Result;
use crate::space::Space;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The accuracy of a cell whose training diverged: it teaches nothing, grows no further and is on no front.
pub(super) const FAILED: f64 = -1.0;

/// The space of the cells with so many blocks, and what they cost.
pub(super) struct Level {
    pub space: Arc<Space>,
    costs: CostTable,
    pub(super) prices: Prices,
}

/// What the round under way evaluates, and what is known from all rounds.
#[derive(Serialize, Deserialize)]
pub(super) struct Growth {
    pub cells: Vec<Architecture>,
    /// Of each; nothing in the first round.
    foretold: Vec<f64>,
    /// Of all rounds, where the search trains by itself; those of this one last. Results that are told are in the ledger.
    results: Vec<Scored>,
    /// How many of them are of earlier rounds.
    before: usize,
}

/// The cells of the next round, and how well those of this one were foretold by what they were chosen with.
struct Next {
    cells: Vec<Architecture>,
    foretold: Vec<f64>,
    after: Option<f64>,
}

/// Cells with their accuracies.
type Known = Vec<(Blocks, f64)>;

impl Level {
    /// One for each number of blocks, the whole space last; none where cells do not grow.
    pub fn of(sought: &Sought, space: &Space, metric: Metric, latency: Option<&LatencyTable>) -> Result<Vec<Self>> {
        if !matches!(sought, Sought::Cells(_)) {
            return Ok(Vec::new());
        }
        let level = |space: Space| {
            let costs = CostTable::new(&space);
            Ok(Level { prices: Prices::of(&space, &costs, metric, latency)?, costs, space: Arc::new(space) })
        };
        let blocks = space.stack().map_or(0, |stack| stack.plan().nodes);
        (1..=blocks).map(|blocks| level(space.of_nodes(blocks))).collect()
    }
}

impl Growth {
    /// Whether everything is of the spaces that `valid` knows, and the cells of the round under way are all of so many `blocks`.
    pub fn fits(
        &self,
        blocks: Option<u64>,
        phase: &Phase,
        shared: bool,
        valid: impl Fn(&Architecture) -> bool,
    ) -> std::result::Result<(), String> {
        let (all, done) = (self.cells.len(), self.results.len().checked_sub(self.before));
        if done.is_none_or(|done| done > all || done == all && blocks.is_some()) {
            return Err(format!("{} results, {} of them old, of {all} cells", self.results.len(), self.before));
        }
        if !self.foretold.is_empty() && self.foretold.len() != all {
            return Err(format!("{} predictions of {all} cells", self.foretold.len()));
        }
        let of_round = |cell: &&Architecture| blocks.is_none_or(|blocks| cell.cells().len() as u64 == 2 * blocks);
        if let Some(cell) = self.cells.iter().find(|cell| !of_round(cell)) {
            return Err(format!("the cell {:?} in round {blocks:?}", cell.cells()));
        }
        if shared && blocks.is_some() && done != Some(0) {
            return Err(format!(
                "{} results, {} of them old, in a round that ends with all of them at once",
                self.results.len(),
                self.before
            ));
        }
        let of_cell = match phase {
            Phase::Score { candidates, .. } if shared => *candidates == self.cells,
            Phase::Score { candidates, .. } => candidates.iter().eq(self.under_way()),
            Phase::Sample | Phase::Weigh { .. } => false,
            _ => true,
        };
        if !of_cell {
            return Err("another cell is scored than the one that was trained".into());
        }
        let mut all = self.cells.iter().chain(self.results.iter().map(|scored| &scored.architecture));
        match all.find(|cell| !valid(cell)) {
            Some(cell) => Err(format!("the cell {:?}", cell.cells())),
            None => Ok(()),
        }
    }

    /// The one that is trained and scored.
    fn under_way(&self) -> Option<&Architecture> {
        self.cells.get(self.done())
    }

    pub fn done(&self) -> usize {
        self.results.len() - self.before
    }

    /// Trainings that came before the one under way: what names the random streams of it.
    pub fn turn(&self) -> u64 {
        self.results.len() as u64
    }

    /// Operators of all cells, side by side.
    fn operators(&self) -> Vec<Vec<u16>> {
        let sides = 0..self.cells.first().map_or(0, |cell| cell.cells().len());
        let of_side = |side: usize| self.cells.iter().flat_map(|cell| &cell.cells()[side]).copied().collect::<BTreeSet<_>>();
        sides.map(|side| of_side(side).into_iter().collect()).collect()
    }
}

impl Search {
    fn grows(&self) -> Option<&Grow> {
        match self.seeks() {
            Sought::Cells(grow) => Some(grow),
            _ => None,
        }
    }

    /// Whether all cells of a round share their weights.
    fn shares(&self) -> bool {
        self.seeks().shares()
    }

    /// Of as many blocks as an architecture has; none of other strategies.
    fn level(&self, architecture: &Architecture) -> Option<&Level> {
        self.levels.get((architecture.cells().len() / 2).checked_sub(1)?)
    }

    /// That an architecture of this search is of.
    pub fn space_of(&self, architecture: &Architecture) -> &Arc<Space> {
        self.level(architecture).map_or(&self.space, |level| &level.space)
    }

    pub(super) fn cost_of(&self, architecture: &Architecture) -> Cost {
        self.level(architecture).map_or(&self.costs, |level| &level.costs).architecture(architecture)
    }

    pub(super) fn price_of(&self, architecture: &Architecture) -> u64 {
        self.level(architecture).map_or(&self.prices, |level| &level.prices).architecture(architecture)
    }

    /// The architecture with this code, of whatever space of this search.
    pub fn read_code(&self, code: &str) -> Result<Architecture> {
        let own = Architecture::from_code(&self.space, code);
        let smaller = || self.levels.iter().rev().skip(1).find_map(|level| Architecture::from_code(&level.space, code).ok());
        own.or_else(|error| smaller().ok_or(error))
    }

    /// The round of all cells with one block, but those that are too dear.
    pub(super) fn sprout(&mut self) {
        let (Some(stack), Some(level)) = (self.space.stack(), self.levels.first()) else { return };
        let most = self.options.objective.window().high;
        let none = Blocks::none(stack);
        let cells = none.extensions().map(|block| none.with(block).architecture());
        let cells = cells.filter(|cell| level.prices.architecture(cell) <= most).collect();
        self.begin_growth(cells, Vec::new());
    }

    fn begin_growth(&mut self, cells: Vec<Architecture>, foretold: Vec<f64>) {
        let results = self.run.growth.take().map_or(Vec::new(), |growth| growth.results);
        if let Some(ledger) = &mut self.run.told {
            ledger.first.clone_from(&cells);
        }
        self.run.growth = Some(Growth { cells, foretold, before: results.len(), results });
    }

    /// What names the random streams of a training: the round, or where cells are trained alone the number of those before it.
    pub(super) fn turn(&self) -> u64 {
        self.run.growth.as_ref().filter(|_| !self.shares()).map_or(self.run.round, Growth::turn)
    }

    /// What has weights: the operators of the cell that is trained, of all cells that share weights, or all active ones.
    pub(super) fn weighted(&self) -> Vec<Vec<u16>> {
        match self.run.growth.as_ref().and_then(|growth| Some((growth, growth.under_way()?))) {
            Some((growth, _)) if self.shares() => growth.operators(),
            Some((_, cell)) => cell.cells().to_vec(),
            None => self.run.evolution.active(),
        }
    }

    /// The cell that a step trains: the one under way, or any of those that share weights. None: cells do not grow.
    pub(super) fn cell_of_step(&self, stream: &mut Stream) -> Option<Vec<Vec<u16>>> {
        let growth = self.run.growth.as_ref()?;
        let cell = match self.shares() {
            true => growth.cells.get(stream.below(growth.cells.len().max(1) as u64) as usize),
            false => growth.under_way(),
        };
        Some(cell?.cells().to_vec())
    }

    /// The space of what is trained.
    pub fn trained_space(&self) -> &Arc<Space> {
        let cell = self.run.growth.as_ref().and_then(Growth::under_way);
        cell.map_or(&self.space, |cell| self.space_of(cell))
    }

    /// Operators that have weights at a time: the active ones, where cells share weights at most all, or those of the dearest cell.
    pub fn at_once(&self) -> Vec<Vec<u16>> {
        self.dearest().filter(|_| !self.shares()).unwrap_or_else(|| self.run.evolution.active())
    }

    /// The dearest operator of every side of the largest cell. None: cells do not grow.
    pub(super) fn dearest(&self) -> Option<Vec<Vec<u16>>> {
        self.grows()?;
        let of_side = |(side, active): (usize, &Vec<u16>)| {
            active.iter().max_by_key(|o| self.costs.operator(side, **o).macs).copied().into_iter().collect()
        };
        Some(self.run.evolution.active().iter().enumerate().map(of_side).collect())
    }

    /// Trainings of this round that are complete, and all: one, but where each cell has its own.
    pub(super) fn trainings(&self) -> (u64, u64) {
        self.grown().filter(|_| !self.shares()).unwrap_or((0, 1))
    }

    /// All of a round; about, of one to come.
    pub(super) fn trainings_of(&self, round: u64) -> u64 {
        self.cells_of(round).filter(|_| !self.shares()).unwrap_or(1)
    }

    /// Cells of a round; about, of one to come. None: they do not grow.
    pub(super) fn cells_of(&self, round: u64) -> Option<u64> {
        let (_, cells) = self.grown()?;
        Some(if round == self.run.round { cells } else { self.grows()?.beam as u64 })
    }

    /// Cells of this round that are evaluated, and all of them.
    pub(super) fn grown(&self) -> Option<(u64, u64)> {
        self.run.growth.as_ref().map(|growth| (growth.done() as u64, growth.cells.len() as u64))
    }

    /// The cell under way is trained, or all are.
    pub(super) fn cells_trained(&self) -> Option<Phase> {
        let growth = self.run.growth.as_ref()?;
        let cell = growth.under_way()?;
        let candidates = if self.shares() { growth.cells.clone() } else { vec![cell.clone()] };
        Some(Phase::Score { main: candidates.len(), candidates, accuracies: Vec::new() })
    }

    /// The cell under way is scored, or all are: the next one, or the next round. Without an error it is done as a whole.
    pub(super) fn cells_scored(&mut self, accuracies: &[f64], trainer: &dyn Trainer, observer: &dyn Observer) -> Result<()> {
        let Some(growth) = &self.run.growth else { return Ok(()) };
        let cells = growth.cells.iter().skip(growth.done()).zip(accuracies);
        let scored: Vec<Scored> = cells.map(|(cell, accuracy)| self.scored_cell(cell.clone(), *accuracy)).collect();
        let last = growth.done() + scored.len() == growth.cells.len();
        let mut results = growth.results.clone();
        results.extend(scored);
        // What every rank does by itself does not end on one of them alone.
        let control: &dyn Control = if trainer.alone() { observer } else { &Silent };
        let good = results.iter().filter(|scored| scored.accuracy > FAILED);
        let known = self.known(good.clone().map(|scored| (scored.architecture.clone(), scored.accuracy)));
        let next = if last { self.next(&known, control)? } else { None };
        let window = self.options.objective.window();
        let inside: Vec<Scored> = good.filter(|scored| window.contains(scored.price)).cloned().collect();
        if let Some(growth) = &mut self.run.growth {
            growth.results = results;
        }
        self.run.phase = Phase::Begin;
        self.run.front = pareto::front(inside.clone());
        if last {
            let round = self.run.round + 1;
            let own = inside.iter().filter(|scored| scored.found == round).cloned().collect::<Vec<_>>();
            self.run.scored = inside;
            let record = self.record(&own, &[]);
            self.end_growth(record, &known, next);
            notes::round_finished(self);
            observer.event(&self.event(EventKind::Finish, 1, 1, trainer), self);
        }
        Ok(())
    }

    fn scored_cell(&self, architecture: Architecture, accuracy: f64) -> Scored {
        let (cost, price) = (self.cost_of(&architecture), self.price_of(&architecture));
        Scored { architecture, cost, price, accuracy, found: self.run.round + 1 }
    }

    /// All that was asked is told: the next round.
    pub(super) fn told_growth(&mut self) -> Result<()> {
        let known = self.known(self.run.told.iter().flat_map(Ledger::accuracies));
        let next = self.next(&known, &Silent)?;
        let record = self.told_record(&self.told_scored_this_round());
        self.end_growth(record, &known, next);
        Ok(())
    }

    fn known(&self, results: impl Iterator<Item = (Architecture, f64)>) -> Known {
        results.filter_map(|(cell, accuracy)| Some((Blocks::of(&self.space, &cell)?, accuracy))).collect()
    }

    fn end_growth(&mut self, mut record: RoundRecord, known: &Known, next: Option<Next>) {
        record.foretold = Some(Foretold { before: self.foretold(known), after: next.as_ref().and_then(|next| next.after) });
        let change = self.standing(|now| self.strategy().change(now));
        if next.is_none() {
            // Nothing grows any more.
            self.run.rounds = self.run.round + 1;
        }
        self.close(record, &change, None);
        if let Some(Next { cells, foretold, .. }) = next {
            self.begin_growth(cells, foretold);
        }
    }

    /// Between what was foretold of the cells of this round and how good they are.
    fn foretold(&self, known: &Known) -> Option<f64> {
        let growth = self.run.growth.as_ref()?;
        let pairs = growth.cells.iter().zip(&growth.foretold);
        let pairs = pairs.filter_map(|(cell, foretold)| Some((*foretold, of(known, &Blocks::of(&self.space, cell)?)?)));
        correlation(&pairs.collect::<Vec<_>>())
    }

    /// None: this round is the last, nothing could be evaluated, or everything larger is too dear.
    fn next(&self, known: &Known, control: &dyn Control) -> Result<Option<Next>> {
        let (Some(grow), Some(growth), Some(stack)) = (self.grows(), &self.run.growth, self.space.stack()) else {
            return Ok(None);
        };
        let cells = growth.cells.iter().filter_map(|cell| Blocks::of(&self.space, cell));
        let parents: Vec<Blocks> = cells.filter(|cell| of(known, cell).is_some()).collect();
        let larger = self.run.round as usize + 1;
        let Some(level) = self.levels.get(larger).filter(|_| larger < self.run.rounds as usize && !parents.is_empty()) else {
            return Ok(None);
        };
        let predictor = Ensemble::fit(&grow.predictor, stack, known, (self.options.seed, self.run.round), control)?;
        let after = parents.iter().filter_map(|cell| Some((predictor.predict(cell, &[])[0], of(known, cell)?)));
        let after = correlation(&after.collect::<Vec<_>>());
        let most = self.options.objective.window().high;
        let beam = Beam { parents: &parents, prices: &level.prices, most, predictor: &predictor };
        let selected = beam.select(grow.select, grow.beam, control)?;
        let (cells, foretold): (Vec<_>, Vec<_>) =
            selected.into_iter().map(|(cell, foretold)| (cell.architecture(), foretold)).unzip();
        Ok((!cells.is_empty()).then_some(Next { cells, foretold, after }))
    }
}

/// How good a cell is, if that is known.
fn of(known: &Known, cell: &Blocks) -> Option<f64> {
    known.iter().find(|(known, _)| known == cell).map(|(_, accuracy)| *accuracy)
}
