//! What a search tells: events while it runs, the record of a round, and what it knows at any time.

use super::engine::{Phase, Search};
use super::fitness::TwoPaths;
use super::history::{ChoiceScore, OperatorFitness, Point, RoundRecord};
use super::ledger::Ledger;
use super::mixture::Blend;
use super::observe::{Event, EventKind};
use super::options::SearchOptions;
use super::pareto::{self, Scored};
use super::random::{Purpose, Stream};
use super::scorer::{Score, Scores};
use super::start::Drive;
use super::strategy::Change;
use super::trainer::Trainer;
use crate::arch::Architecture;
use crate::cost::{LatencyTable, Metric};
use crate::error::Result;
use crate::space::Space;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One step of either kind and one candidate. Operators per cell; `paths` is parallel to `active`.
pub struct Example {
    pub active: Vec<Vec<u16>>,
    pub open: Vec<Vec<u16>>,
    pub paths: Vec<Option<TwoPaths>>,
    pub candidate: Vec<Vec<u16>>,
    /// Where the search is of ensembles: instead of `open` and `candidate`.
    pub ensemble: Option<Architecture>,
    /// Where all operators run at once: instead of `open` and `paths`.
    pub blends: Option<Vec<Blend>>,
}

impl Search {
    pub(super) fn event(&self, kind: EventKind, step: u64, steps: u64, trainer: &dyn Trainer) -> Event {
        let (per_round, searches) = (self.candidates_of(self.searches()), self.strategy().always_searches());
        let (trained, trainings) = self.trainings();
        let per_epoch = trainer.steps_per_epoch().max(1);
        let epochs = match self.drive() == Drive::Pushed {
            true => self.whole_epochs(self.run.round),
            false => self.run.steps.div_ceil(per_epoch),
        };
        let (train_left, score_left, epoch, accuracy) = match &self.run.phase {
            Phase::Train { step, .. } => {
                let epoch = self.run.epochs_ended.unwrap_or(step / per_epoch) + 1;
                (self.run.steps.saturating_sub(*step), per_round - trained, epoch, self.run.meter.accuracy())
            }
            Phase::Score { candidates, main, accuracies } => {
                let best = accuracies.iter().take(*main).copied().fold(0.0, f64::max);
                let others = trainings - 1 - trained.min(trainings - 1);
                (0, (self.planned(candidates.len()) - accuracies.len()) as u64 + others, epochs, best)
            }
            Phase::Weigh { children, accuracies, .. } => {
                let left = children.iter().map(Vec::len).sum::<usize>() - accuracies.len();
                (0, left as u64, epochs, self.run.meter.accuracy())
            }
            Phase::Try { trials } => (
                0,
                self.trials_of(self.run.round).saturating_sub(trials.len() as u64),
                epochs,
                trials.iter().map(|trial| trial.accuracy).fold(0.0, f64::max),
            ),
            Phase::Sample => (0, per_round, epochs, self.run.meter.accuracy()),
            Phase::Begin | Phase::Ask { .. } | Phase::Done => {
                (0, 0, epochs, self.run.front.iter().map(|s| s.accuracy).fold(0.0, f64::max))
            }
        };
        let under_way = u64::from(kind != EventKind::Finish);
        let rounds_after = self.run.rounds - self.run.round - under_way;
        let others = if under_way == 1 { (trainings - trained).saturating_sub(1) * self.run.steps } else { 0 };
        let [now, later] = [0, 1].map(|after| self.passes(self.run.round + after));
        let cells_after = self.cells_of(self.run.round + 1);
        let trainings_after = rounds_after * self.trainings_of(self.run.round + 1);
        let steps_after = (self.run.steps * trainings_after + others) as f64 * later / now;
        let of_round = |searches| cells_after.unwrap_or_else(|| self.candidates_of(searches));
        // With the last one, of those that only the last one has.
        let candidates_after = rounds_after.saturating_sub(1) * of_round(searches) + rounds_after.min(1) * of_round(true);
        Event {
            kind,
            round: self.run.round + under_way,
            rounds: self.run.rounds,
            epoch,
            epochs,
            step,
            steps,
            loss: self.run.meter.loss(),
            accuracy,
            images_per_second: self.run.meter.images_per_second(),
            seconds: self.run.meter.seconds(),
            seconds_left: self.run.meter.seconds_left(
                train_left + steps_after as u64,
                score_left + candidates_after,
                trainer.steps_per_candidate(),
            ),
        }
    }

    pub(super) fn names(&self, cell: usize, operators: &[u16]) -> Vec<String> {
        operators.iter().map(|o| self.space.cells()[cell].operators[usize::from(*o)].to_string()).collect()
    }

    /// What is known of the round before its front is.
    pub(super) fn record(&self, main: &[Scored], extras: &[Scored]) -> RoundRecord {
        let cells = 0..self.space.cells().len();
        // Where cells grow no operator is fit or unfit.
        let active = if self.seeks().judges_operators() { self.run.evolution.active() } else { vec![Vec::new(); cells.len()] };
        let fitness = |cell: usize| {
            let names = self.names(cell, &active[cell]).into_iter();
            names
                .zip(self.run.evolution.theta(cell))
                .map(|(operator, theta)| OperatorFitness { operator, theta: *theta })
                .collect()
        };
        let (window, metric) = (self.options.objective.window(), self.prices.metric);
        RoundRecord {
            round: self.run.round + 1,
            rounds: self.run.rounds,
            fitness: cells.clone().map(fitness).collect(),
            dropped: cells.map(|cell| self.names(cell, &self.run.dropped[cell])).collect(),
            retained: Vec::new(),
            refilled: Vec::new(),
            scores: Vec::new(),
            steps: self.run.steps,
            loss: self.run.meter.loss(),
            accuracy: self.run.meter.accuracy(),
            metric,
            window: [window.low, window.high].map(|price| metric.amount(price)),
            candidates: main.iter().map(|s| Point::new(metric, s)).collect(),
            extras: extras.iter().map(|s| Point::new(metric, s)).collect(),
            front: Vec::new(),
            foretold: None,
            seconds: self.run.seconds,
        }
    }

    /// The scores of the round that ends with `change`.
    pub(super) fn choice_scores(&self, change: &Change) -> Vec<Vec<ChoiceScore>> {
        let scored = self.run.scores.iter().filter(|_| !self.scorer().learns()).flat_map(Scores::cells);
        let told = |cell: usize, score: &Score| ChoiceScore {
            operator: score.choice.map(|o| self.space.cells()[cell].operators[usize::from(o)].to_string()),
            score: score.score,
            stays: score.choice.map_or(change.skippable[cell], |o| change.retained[cell].contains(&o)),
        };
        scored.enumerate().map(|(cell, scores)| scores.iter().map(|score| told(cell, score)).collect()).collect()
    }

    /// What a step and a candidate may look like at the moment, drawn apart from all draws that count.
    pub fn example(&self, index: u64) -> Result<Example> {
        if let Some(cell) = self.dearest() {
            let (active, open) = (self.at_once(), cell.clone());
            return Ok(Example { active, open, paths: Vec::new(), candidate: cell, ensemble: None, blends: None });
        }
        let stream = |part: u64| Stream::new(self.options.seed, Purpose::Probe, self.run.round, 2 + 3 * index + part);
        let evolution = &self.run.evolution;
        let open = evolution.draw_half(&mut stream(0));
        let ensemble = self.ensembles().map(|ensembles| ensembles.any(None, &mut stream(2))).transpose()?;
        let candidate = match ensemble {
            Some(_) => open.clone(),
            // What is left in the end is no dearer.
            None if self.seeks().listed() => open.clone(),
            None => evolution.sampler(&self.prices, self.options.objective.window())?.draw_binned(&mut stream(2)).0,
        };
        let (active, paths, blends) = (evolution.active(), evolution.draw_two(false, &mut stream(1)), self.blends());
        Ok(Example { active, open, paths, candidate, ensemble, blends })
    }

    /// Of candidates of which so many are known: how many there will be, with the generations to come.
    pub(super) fn planned(&self, known: usize) -> usize {
        known.max(if self.seeks().bred() { self.options.candidates.count } else { 0 })
    }

    /// Architectures that are evaluated in a round, with or without candidates: about, where operators are scored by some.
    fn candidates_of(&self, searches: bool) -> u64 {
        if let Some((_, cells)) = self.grown() {
            return cells;
        }
        // Those that evolve need no guard at the edge of the window, and no scores of operators.
        let (evolves, options) = (self.seeks().bred(), &self.options.candidates);
        let candidates = if searches { options.count + if evolves { 0 } else { options.extras } } else { 0 };
        let choices = || self.all_children().all_choices().count();
        if self.seeks().listed() && searches {
            return 1;
        }
        let evaluated = self.scorer().evaluates().filter(|_| !(searches && evolves));
        (candidates + evaluated.map_or(0, |each| each * choices())) as u64
    }

    /// Optimizer steps, architecture steps and candidates of round `round` (from 0) with so many steps per epoch.
    pub fn work(&self, round: u64, steps_per_epoch: u64) -> (u64, u64, u64) {
        let steps = self.steps_of(round, steps_per_epoch);
        if let Some(cells) = self.cells_of(round) {
            return (steps * self.trainings_of(round), 0, cells);
        }
        let searches = self.strategy().always_searches() || round + 1 == self.run.rounds;
        (steps, self.options.interval().map_or(0, |interval| steps / interval), self.candidates_of(searches))
    }

    pub fn space(&self) -> &Arc<Space> {
        &self.space
    }

    pub fn options(&self) -> &SearchOptions {
        &self.options
    }

    pub fn latency(&self) -> Option<&Arc<LatencyTable>> {
        self.latency.as_ref()
    }

    /// What the objective counts in.
    pub fn metric(&self) -> Metric {
        self.prices.metric
    }

    /// Rounds completed, and rounds in total.
    pub fn rounds(&self) -> (u64, u64) {
        (self.run.round, self.run.rounds)
    }

    pub fn done(&self) -> bool {
        matches!(self.run.phase, Phase::Done)
    }

    /// Operators per cell that had their turn and left.
    pub(super) fn left(&self) -> Vec<BTreeSet<u16>> {
        self.run.evolution.left()
    }

    /// Active operators per cell, ascending.
    pub fn active(&self) -> Vec<Vec<u16>> {
        self.run.evolution.active()
    }

    /// Latest theta of every operator of every cell; NaN for one that no architecture step has met yet.
    pub fn scores(&self) -> &[Vec<f64>] {
        self.run.evolution.learnt()
    }

    /// The Pareto front of the last completed round, cheapest first; before the first, that of the search it continues.
    pub fn front(&self) -> &[Scored] {
        &self.run.front
    }

    /// Architectures with their accuracies: those inside the window of the last completed round, before the first the front;
    /// of a told search, all results inside the window.
    pub fn scored(&self) -> Vec<Scored> {
        match self.run.told {
            Some(_) => self.told_scored(),
            None => self.run.scored.clone(),
        }
    }

    /// The front of [`Search::scored`] under another cost, as computed. Fails when a latency has no table, or the table lacks
    /// something.
    pub fn front_under(&self, metric: Metric, latency: Option<&LatencyTable>) -> Result<Vec<Scored>> {
        pareto::front_under(&self.space, self.scored(), metric, latency)
    }

    pub(super) fn ledger(&self) -> Option<&Ledger> {
        self.run.told.as_ref()
    }

    /// Whether nothing is under way: a round ended, and the next has not begun.
    pub fn between_rounds(&self) -> bool {
        match &self.run.phase {
            Phase::Begin | Phase::Done => true,
            Phase::Ask { asked, .. } => *asked == 0,
            _ => false,
        }
    }

    pub fn history(&self) -> &[RoundRecord] {
        &self.run.history
    }
}
