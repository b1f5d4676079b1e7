//! The round as a resumable state machine: train, sample, score, filter, retain, refill.
//!
//! Every error (a cancel, a loss that is not a number, a device failure) leaves the state at the last finished piece of work;
//! the next [`Search::step`] goes on from there and ends as if nothing had happened.

use super::eliminating::{Elimination, Trial};
use super::evolve::{used, Evolution};
use super::fitness::Adam;
use super::growing::{Growth, Level, FAILED};
use super::history::{FrontMember, RoundRecord, Seconds};
use super::ledger::Ledger;
use super::meter::Meter;
use super::mixture::Mixture;
use super::notes;
use super::observe::{EventKind, Observer};
use super::options::SearchOptions;
use super::pareto::{self, Scored};
use super::push::Pass;
use super::random::{Purpose, Stream};
use super::scorer::{ScorerOptions, Scores};
use super::start::Drive;
use super::strategy::Change;
use super::trainer::{At, Ended, Trainer};
use crate::arch::Architecture;
use crate::cost::{CostTable, LatencyTable, Prices};
use crate::error::{Error, Result};
use crate::space::Space;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// Candidates handed to a trainer at a time, see [`Trainer::group`].
pub const GROUP: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A round was completed, and another one follows.
    Round,
    /// The last round is complete.
    Done,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Phase {
    Begin,
    /// `step` steps are done; `weights` says that the weight half of the next one is done too.
    Train {
        step: u64,
        weights: bool,
    },
    /// Operators are scored: `children`, when they are drawn, are evaluated, in order.
    Weigh {
        children: Option<Vec<Architecture>>,
        accuracies: Vec<f64>,
        /// Of ensembles whose paths are told apart, in the same order.
        #[serde(default)]
        diversities: Vec<f64>,
    },
    /// Sampled networks are trained and scored, in order.
    Try {
        trials: Vec<Trial>,
    },
    Sample,
    /// `candidates`: the previous front and new ones, `main` together, then extras, both sorted. Scored in order.
    Score {
        candidates: Vec<Architecture>,
        main: usize,
        accuracies: Vec<f64>,
    },
    /// Of a told search: architectures of this round are handed out and told.
    Ask {
        /// How many were handed out.
        asked: u64,
        /// There are no more.
        exhausted: bool,
        /// Those told, in that order; failures too.
        told: Vec<Architecture>,
    },
    Done,
}

pub struct Search {
    pub(super) space: Arc<Space>,
    pub(super) latency: Option<Arc<LatencyTable>>,
    pub(super) options: SearchOptions,
    pub(super) costs: CostTable,
    pub(super) prices: Prices,
    /// Where cells grow, of each number of blocks.
    pub(super) levels: Vec<Level>,
    /// The one that is chosen.
    pub(super) scorer: ScorerOptions,
    pub(super) run: Run,
    pub(super) pass: Pass,
}

/// What changes while a search runs: with the weights, all that a checkpoint needs.
#[derive(Serialize, Deserialize)]
pub(super) struct Run {
    pub rounds: u64,
    pub round: u64,
    pub phase: Phase,
    pub evolution: Evolution,
    pub dropped: Vec<Vec<u16>>,
    pub front: Vec<Scored>,
    pub history: Vec<RoundRecord>,
    pub meter: Meter,
    /// Optimizer steps of the round under way; with pushed batches as planned, 0 when that is not known.
    pub steps: u64,
    pub seconds: Seconds,
    /// Inside the window, of the last completed round; before the first, the front. None of a told search, whose ledger has them.
    #[serde(default)]
    pub scored: Vec<Scored>,
    /// Of a told search.
    #[serde(default)]
    pub told: Option<Ledger>,
    /// With pushed batches: epochs that the host has ended in this round, and the step that the last one began with.
    #[serde(default)]
    pub epochs_ended: Option<u64>,
    #[serde(default)]
    pub epoch_began: u64,
    /// Between rounds: the next one goes on with the weights of the last.
    #[serde(default)]
    pub kept: bool,
    /// The weights with which the next round begins are those that later ones are compared with.
    #[serde(default)]
    pub refresh: bool,
    /// Of the round under way, once they are known; not of operators that learn theirs.
    #[serde(default)]
    pub scores: Option<Scores>,
    /// Of a round under way, or to come with the same weights, whose operators run all at once.
    #[serde(default)]
    pub mixture: Option<Mixture>,
    /// Where cells grow.
    #[serde(default)]
    pub growth: Option<Growth>,
    /// Where operators are eliminated.
    #[serde(default)]
    pub elimination: Option<Elimination>,
}

impl Run {
    /// A number below 2^52 that no other place of the search is likely to have.
    fn place(&self) -> u64 {
        let (phase, within) = match &self.phase {
            Phase::Begin => (0, 0),
            Phase::Train { step, weights } => (1, step * 2 + u64::from(*weights)),
            Phase::Sample => (2, 0),
            Phase::Score { accuracies, .. } => (3, accuracies.len() as u64),
            Phase::Ask { .. } => (4, 0),
            Phase::Done => (5, 0),
            Phase::Weigh { children, accuracies, .. } => (6, accuracies.len() as u64 + u64::from(children.is_some())),
            Phase::Try { trials } => (7, trials.len() as u64),
        };
        // FNV-1a, of numbers.
        let mixed = |hash: u64, number: u64| (hash ^ number).wrapping_mul(0x100_0000_01b3);
        let cell = self.growth.as_ref().map(|growth| growth.done() as u64);
        [self.round, phase, within].into_iter().chain(cell).fold(0xcbf2_9ce4_8422_2325, mixed) >> 12
    }
}

impl Search {
    /// Runs to the end of the round under way. Nothing is done after the last one.
    pub fn step(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<Status> {
        if self.drive() == Drive::Told {
            let reason = "it is told its results: it is asked and told, not stepped".into();
            return Err(Error::Argument { name: "search", reason });
        }
        let round = self.run.round;
        self.agree(trainer, Ended::Done { stop: observer.cancelled() })?;
        self.run.meter.start();
        while !self.done() && self.run.round == round {
            let ended = match self.work_on(trainer, observer) {
                Err(error) => Ended::Failed(error),
                Ok(whole) => match if whole { observer.keep(self, trainer) } else { Ok(()) } {
                    Err(error) => Ended::Unsaved(error),
                    // A round that is complete is not to be stopped any more.
                    Ok(()) => Ended::Done { stop: self.run.round == round && observer.cancelled() },
                },
            };
            self.agree(trainer, ended)?;
        }
        Ok(if self.done() { Status::Done } else { Status::Round })
    }

    fn agree(&self, trainer: &mut dyn Trainer, ended: Ended) -> Result<()> {
        match trainer.agree(self.run.place(), ended)? {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    }

    /// The next piece of work, kept when it is time; half a step of training, and scoring of operators, may be cancelled before.
    pub(super) fn piece(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<()> {
        if matches!(self.run.phase, Phase::Train { .. } | Phase::Weigh { .. } | Phase::Try { .. }) && observer.cancelled() {
            return Err(Error::Cancelled);
        }
        match self.work_on(trainer, observer)? {
            true => observer.keep(self, trainer),
            false => Ok(()),
        }
    }

    /// The next piece of work: half a step of training, a draw of candidates, the scores of some, or the end of a round. Whether it is a
    /// whole one, behind which the search can be kept.
    fn work_on(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<bool> {
        let started = Instant::now();
        match self.run.phase {
            Phase::Begin => self.begin(trainer),
            Phase::Train { step, weights } => {
                let result = self.train(step, weights, trainer, observer);
                self.run.seconds.train += started.elapsed().as_secs_f64();
                result
            }
            Phase::Weigh { .. } => self.weigh(trainer, observer),
            Phase::Try { .. } => {
                let result = self.try_next(trainer, observer);
                self.run.seconds.score += started.elapsed().as_secs_f64();
                result
            }
            Phase::Sample => self.sample(),
            Phase::Score { .. } => self.score(trainer, observer),
            Phase::Ask { .. } | Phase::Done => Ok(false),
        }
    }

    fn begin(&mut self, trainer: &mut dyn Trainer) -> Result<bool> {
        let (seed, round, active) = (self.options.seed, self.turn(), self.weighted());
        trainer.enter(self.trained_space())?;
        match self.run.kept {
            true => trainer.keep(&active)?,
            false => trainer.begin_round(seed, round, &active)?,
        }
        // Behind a warm-up they are others.
        let fresh = !self.run.kept && !self.warms_up();
        if self.scorer().compares() && (fresh || self.run.refresh) {
            trainer.remember()?;
        }
        (self.run.kept, self.run.refresh) = (false, false);
        self.mix();
        self.run.steps = self.steps_of(self.run.round, trainer.steps_per_epoch());
        self.run.epoch_began = 0;
        self.run.phase = Phase::Train { step: 0, weights: false };
        self.run.meter.start();
        // A round whose cells grow begins with the first of them.
        if self.grown().is_none_or(|(done, _)| done == 0) {
            self.run.meter.restart();
            self.run.seconds = Seconds::default();
            notes::round_begun(self);
        }
        Ok(false)
    }

    /// The weight half of a step, or its architecture half where one is due.
    fn train(&mut self, step: u64, weights: bool, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<bool> {
        let at = At { seed: self.options.seed, round: self.turn(), step };
        if !weights {
            let mut stream = Stream::new(at.seed, Purpose::WeightGates, at.round, step);
            let per_epoch = trainer.steps_per_epoch();
            if self.warm(step, per_epoch) {
                notes::warm(self, step);
                if self.scorer().compares() {
                    trainer.remember()?;
                }
            }
            let lr = self.rate(step, per_epoch);
            let trained = match (self.ensembles(), self.blends()) {
                (Some(ensembles), _) => trainer.ensemble_step(at, &ensembles.any(None, &mut stream)?, lr),
                (None, Some(blends)) => trainer.mixed_step(at, &blends, lr),
                (None, None) => {
                    // A cell is trained whole.
                    let cell = self.cell_of_step(&mut stream);
                    let open = cell.unwrap_or_else(|| self.run.evolution.draw_half(&mut stream));
                    trainer.weight_step(at, &open, lr)
                }
            };
            let outcome = match trained {
                // A cell that cannot be trained by itself is a bad one, and no reason to stop.
                Err(Error::Diverged { .. }) if self.seeks().trains_alone() => {
                    return self.cells_scored(&[FAILED], trainer, observer).map(|()| true);
                }
                outcome => outcome?,
            };
            self.run.meter.trained(outcome.loss, outcome.correct, outcome.images);
            notes::trained(self, step, outcome.loss);
            self.run.phase = Phase::Train { step, weights: true };
            if self.learns_behind(step) {
                return Ok(false);
            }
        } else if self.run.mixture.is_some() {
            self.learn_mixture(trainer, at)?;
        } else {
            self.learn(trainer, at)?;
        }
        // With pushed batches it is the host who ends a round's training.
        let last = step + 1 == self.run.steps && self.drive() == Drive::Steps;
        self.run.phase = if last { self.trained() } else { Phase::Train { step: step + 1, weights: false } };
        let (done, all) = self.trainings();
        observer.event(&self.event(EventKind::Train, done * self.run.steps + step + 1, all * self.run.steps, trainer), self);
        Ok(true)
    }

    fn learn(&mut self, trainer: &mut dyn Trainer, at: At) -> Result<()> {
        let options = &self.options.fitness;
        let mut stream = Stream::new(at.seed, Purpose::ArchitectureGates, at.round, at.step);
        let paths = self.run.evolution.draw_two(options.strict_prev, &mut stream);
        let (loss, gradients) = trainer.architecture_step(at, &self.run.evolution.active(), &paths)?;
        if gradients.iter().any(|g| !(g.selected.is_finite() && g.unselected.is_finite())) {
            return Err(Error::Diverged { loss, round: at.round + 1, step: at.step + 1 });
        }
        let adam = Adam { lr: options.lr, beta1: 0.0, beta2: 0.999 };
        self.run.evolution.learn(&self.prices, &self.options.objective, &adam, &paths, &gradients);
        if self.strategy().drops_in_training() {
            self.drop_unfit();
        }
        Ok(())
    }

    pub(super) fn drop_unfit(&mut self) {
        let (threshold, window) = (self.options.fitness.threshold, self.options.objective.window());
        for (cell, operator) in self.run.evolution.drop_unfit(&self.prices, threshold, window) {
            self.run.dropped[cell].push(operator);
            notes::dropped(self, cell, operator);
        }
    }

    /// Filter, retain, refill.
    pub(super) fn finish(&mut self) {
        let Phase::Score { candidates, main, accuracies } = std::mem::replace(&mut self.run.phase, Phase::Done) else {
            return;
        };
        let found = |architecture: &Architecture| {
            self.run.front.iter().find(|s| s.architecture == *architecture).map_or(self.run.round + 1, |s| s.found)
        };
        let mut scored: Vec<_> = (candidates.into_iter().zip(accuracies))
            .map(|(architecture, accuracy)| Scored {
                cost: self.costs.architecture(&architecture),
                price: self.prices.architecture(&architecture),
                found: found(&architecture),
                architecture,
                accuracy,
            })
            .collect();
        let extras = scored.split_off(main);
        let record = self.record(&scored, &extras);
        self.run.scored = scored.clone();
        self.run.front = pareto::front_with_extras(scored, extras);
        let used = used(self.run.front.iter().map(|s| &s.architecture), self.space.cells().len());
        let change = self.standing(|now| self.strategy().change(now));
        self.close(record, &change, Some(used));
    }

    /// The end of a round: what is retained goes on, and the rest is refilled. `used`: by the front, if the round has one.
    pub(super) fn close(&mut self, mut record: RoundRecord, change: &Change, used: Option<Vec<BTreeSet<u16>>>) {
        record.front = self.run.front.iter().map(|s| FrontMember::new(&self.space, self.prices.metric, s)).collect();
        let preserve = self.options.fitness.preserve && self.strategy().drops_in_training();
        let changes = self.run.evolution.advance(change, used, preserve);
        for (cell, (retained, refilled)) in changes.iter().enumerate() {
            // Where cells grow there is nothing that stays or goes.
            let retained = if self.seeks().judges_operators() { retained } else { &[][..] };
            record.retained.push(self.names(cell, retained));
            record.refilled.push(self.names(cell, refilled));
        }
        record.scores = self.choice_scores(change);
        self.run.history.push(record);
        self.run.dropped.iter_mut().for_each(Vec::clear);
        self.run.scores = None;
        self.run.refresh = change.refresh;
        self.run.kept = self.run.told.is_none() && self.strategy().keeps_weights();
        self.run.mixture = self.run.mixture.take().filter(|_| self.run.kept);
        if let Some(mixture) = &mut self.run.mixture {
            mixture.keep(&self.run.evolution.active(), self.run.evolution.skippable());
        }
        self.run.round += 1;
        if change.last && self.run.round < self.run.rounds {
            self.run.rounds = self.run.round + 1;
        }
        self.run.phase = match self.run.told {
            _ if self.run.round == self.run.rounds => Phase::Done,
            Some(_) => Phase::Ask { asked: 0, exhausted: self.seeks().listed(), told: Vec::new() },
            None => Phase::Begin,
        };
    }
}
