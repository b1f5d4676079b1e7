//! The round as a resumable state machine: train, sample, score, filter, retain, refill.
//!
//! Every error (a cancel, a loss that is not a number, a device failure) leaves the state at the last finished piece of work;
//! the next [`Search::step`] goes on from there and ends as if nothing had happened.

use super::evolve::Evolution;
use super::fitness::Adam;
use super::history::{FrontMember, OperatorFitness, RoundRecord, Seconds};
use super::meter::Meter;
use super::observe::{Event, EventKind, Observer};
use super::options::SearchOptions;
use super::pareto::{self, Scored};
use super::random::{Purpose, Stream};
use super::trainer::{At, Trainer};
use crate::arch::Architecture;
use crate::cost::CostTable;
use crate::error::{Error, Result};
use crate::space::Space;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

/// Candidates handed to the trainer at a time: a cancel loses at most the scores of one such group.
const GROUP: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A round was completed, and another one follows.
    Round,
    /// The last round is complete.
    Done,
}

enum Phase {
    Begin,
    /// `step` steps are done; `weights` says that the weight half of the next one is done too.
    Train {
        step: u64,
        weights: bool,
    },
    Sample,
    /// `candidates`: the previous front, then `main` new ones in total with it, then extras. Scored in order.
    Score {
        candidates: Vec<Architecture>,
        main: usize,
        accuracies: Vec<f64>,
    },
    Done,
}

pub struct Search {
    space: Arc<Space>,
    costs: CostTable,
    options: SearchOptions,
    rounds: u64,
    round: u64,
    phase: Phase,
    evolution: Evolution,
    dropped: Vec<Vec<u16>>,
    front: Vec<Scored>,
    history: Vec<RoundRecord>,
    meter: Meter,
    /// Optimizer steps of the round under way.
    steps: u64,
    seconds: Seconds,
}

impl Search {
    /// Fails when an option is out of range, and when no architecture of the space lies in the cost window; the error then says
    /// what is reachable.
    pub fn new(space: Arc<Space>, options: SearchOptions) -> Result<Self> {
        options.check()?;
        let costs = CostTable::new(&space);
        let evolution = Evolution::new(&space, &costs, options.active, options.seed, options.objective.window())?;
        let all = (evolution.most_operators() as u64).saturating_sub(1) / (options.active as u64 - 1);
        Ok(Search {
            rounds: options.rounds.unwrap_or(all).max(1),
            round: 0,
            phase: Phase::Begin,
            dropped: vec![Vec::new(); space.cells().len()],
            front: Vec::new(),
            history: Vec::new(),
            meter: Meter::default(),
            steps: 0,
            seconds: Seconds::default(),
            space,
            costs,
            options,
            evolution,
        })
    }

    /// Runs to the end of the round under way. Nothing is done after the last one.
    pub fn step(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<Status> {
        loop {
            match self.phase {
                Phase::Begin => self.begin(trainer)?,
                Phase::Train { .. } => self.train(trainer, observer)?,
                Phase::Sample => self.sample()?,
                Phase::Score { .. } => {
                    self.score(trainer, observer)?;
                    self.finish();
                    observer.event(&self.event(EventKind::Finish, 1, 1, trainer), self);
                    return Ok(if self.done() { Status::Done } else { Status::Round });
                }
                Phase::Done => return Ok(Status::Done),
            }
        }
    }

    fn begin(&mut self, trainer: &mut dyn Trainer) -> Result<()> {
        trainer.begin_round(self.options.seed, self.round, &self.evolution.active())?;
        self.dropped.iter_mut().for_each(Vec::clear);
        self.steps = self.options.train.steps(trainer.steps_per_epoch());
        self.seconds = Seconds::default();
        self.meter.restart();
        self.phase = Phase::Train { step: 0, weights: false };
        Ok(())
    }

    fn train(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<()> {
        let started = Instant::now();
        self.meter.start();
        let result = self.train_steps(trainer, observer);
        self.seconds.train += started.elapsed().as_secs_f64();
        result
    }

    fn train_steps(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<()> {
        let (seed, round, steps) = (self.options.seed, self.round, self.steps);
        let schedule = self.options.train.schedule(steps);
        while let Phase::Train { step, weights } = self.phase {
            if observer.cancelled() {
                return Err(Error::Cancelled);
            }
            let at = At { seed, round, step };
            if !weights {
                let open = self.evolution.draw_half(&mut Stream::new(seed, Purpose::WeightGates, round, step));
                let outcome = trainer.weight_step(at, &open, schedule.at(step))?;
                self.meter.trained(outcome.loss, outcome.correct, outcome.images);
                self.phase = Phase::Train { step, weights: true };
            }
            if (step + 1) % self.options.fitness.interval == 0 {
                self.learn(trainer, at)?;
            }
            self.phase = if step + 1 == steps { Phase::Sample } else { Phase::Train { step: step + 1, weights: false } };
            observer.event(&self.event(EventKind::Train, step + 1, steps, trainer), self);
        }
        Ok(())
    }

    fn learn(&mut self, trainer: &mut dyn Trainer, at: At) -> Result<()> {
        let paths = self.evolution.draw_two(&mut Stream::new(at.seed, Purpose::ArchitectureGates, at.round, at.step));
        let (_, gradients) = trainer.architecture_step(at, &self.evolution.active(), &paths)?;
        let options = &self.options.fitness;
        let adam = Adam { lr: options.lr, beta1: 0.0, beta2: 0.999 };
        self.evolution.learn(&self.costs, &self.options.objective, &adam, &paths, &gradients);
        let window = self.options.objective.window();
        for (cell, operator) in self.evolution.drop_unfit(&self.costs, options.threshold, window) {
            self.dropped[cell].push(operator);
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<()> {
        let options = &self.options.candidates;
        let mut stream = Stream::new(self.options.seed, Purpose::Candidates, self.round, 0);
        // Without `preserve` a member may have lost an operator; it leaves with it.
        let active = self.evolution.active();
        let whole =
            |a: &Architecture| a.cells().iter().zip(&active).all(|(open, active)| open.iter().all(|o| active.contains(o)));
        let mut candidates: Vec<_> = self.front.iter().map(|s| s.architecture.clone()).filter(whole).collect();
        let known: HashSet<_> = candidates.iter().cloned().collect();
        let sampler = self.evolution.sampler(&self.costs, self.options.objective.window())?;
        candidates.extend(sampler.distinct(&self.space, options.count, &known, &mut stream)?);
        let main = candidates.len();
        if let Some(below) = self.options.objective.below(options.extra_width) {
            // Nothing below the window is no failure: then its edge needs no guard.
            if let Ok(sampler) = self.evolution.sampler(&self.costs, below) {
                let extras = sampler.distinct(&self.space, options.extras, &HashSet::new(), &mut stream);
                candidates.extend(extras.unwrap_or_default());
            }
        }
        self.phase = Phase::Score { candidates, main, accuracies: Vec::new() };
        Ok(())
    }

    fn score(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<()> {
        self.meter.start();
        while let Phase::Score { candidates, accuracies, .. } = &mut self.phase {
            let (done, all) = (accuracies.len(), candidates.len());
            if done == all {
                break;
            }
            let started = Instant::now();
            let group = &candidates[done..all.min(done + GROUP)];
            let scores = trainer.score(self.options.seed, self.round, group, observer)?;
            if scores.len() != group.len() {
                let reason = format!("{} scores for {} candidates", scores.len(), group.len());
                return Err(Error::Argument { name: "trainer", reason });
            }
            accuracies.extend(&scores);
            let done = accuracies.len() as u64;
            self.meter.scored(scores.len() as u64);
            self.seconds.score += started.elapsed().as_secs_f64();
            observer.event(&self.event(EventKind::Score, done, all as u64, trainer), self);
        }
        Ok(())
    }

    /// Filter, retain, refill.
    fn finish(&mut self) {
        let Phase::Score { candidates, main, accuracies } = std::mem::replace(&mut self.phase, Phase::Done) else {
            return;
        };
        let found = |architecture: &Architecture| {
            self.front.iter().find(|s| s.architecture == *architecture).map_or(self.round, |s| s.found)
        };
        let mut scored: Vec<_> = (candidates.into_iter().zip(accuracies))
            .map(|(architecture, accuracy)| Scored {
                cost: self.costs.architecture(&architecture),
                found: found(&architecture),
                architecture,
                accuracy,
            })
            .collect();
        let extras = scored.split_off(main);
        let mut record = self.record(&scored, &extras);
        self.front = pareto::front_with_extras(scored, extras);
        record.front = self.front.iter().map(|s| FrontMember::new(&self.space, s)).collect();
        let architectures = self.front.iter().map(|s| &s.architecture);
        for (cell, (retained, refilled)) in
            self.evolution.advance(architectures, self.options.fitness.preserve).iter().enumerate()
        {
            record.retained.push(self.names(cell, retained));
            record.refilled.push(self.names(cell, refilled));
        }
        self.history.push(record);
        self.round += 1;
        if self.round < self.rounds {
            self.phase = Phase::Begin;
        }
    }

    fn event(&self, kind: EventKind, step: u64, steps: u64, trainer: &dyn Trainer) -> Event {
        let per_round = (self.options.candidates.count + self.options.candidates.extras) as u64;
        let per_epoch = trainer.steps_per_epoch().max(1);
        let (train_left, score_left, epoch, accuracy) = match &self.phase {
            Phase::Train { step, .. } => (self.steps - step, per_round, step / per_epoch + 1, self.meter.accuracy()),
            Phase::Score { candidates, main, accuracies } => {
                let best = accuracies.iter().take(*main).copied().fold(0.0, f64::max);
                (0, (candidates.len() - accuracies.len()) as u64, self.steps.div_ceil(per_epoch), best)
            }
            Phase::Sample => (0, per_round, self.steps.div_ceil(per_epoch), self.meter.accuracy()),
            Phase::Begin | Phase::Done => {
                (0, 0, self.steps.div_ceil(per_epoch), self.front.iter().map(|s| s.accuracy).fold(0.0, f64::max))
            }
        };
        let under_way = u64::from(kind != EventKind::Finish);
        let rounds_after = self.rounds - self.round - under_way;
        Event {
            kind,
            round: self.round + under_way,
            rounds: self.rounds,
            epoch,
            epochs: self.steps.div_ceil(per_epoch),
            step,
            steps,
            loss: self.meter.loss(),
            accuracy,
            images_per_second: self.meter.images_per_second(),
            seconds: self.meter.seconds(),
            seconds_left: self.meter.seconds_left(
                train_left + rounds_after * self.steps,
                score_left + rounds_after * per_round,
                trainer.steps_per_candidate(),
            ),
        }
    }

    fn names(&self, cell: usize, operators: &[u16]) -> Vec<String> {
        operators.iter().map(|o| self.space.cells()[cell].operators[usize::from(*o)].to_string()).collect()
    }

    /// What is known of the round before its front is.
    fn record(&self, main: &[Scored], extras: &[Scored]) -> RoundRecord {
        let cells = 0..self.space.cells().len();
        let active = self.evolution.active();
        let fitness = |cell: usize| {
            let names = self.names(cell, &active[cell]).into_iter();
            names.zip(self.evolution.theta(cell)).map(|(operator, theta)| OperatorFitness { operator, theta: *theta }).collect()
        };
        let window = self.options.objective.window();
        RoundRecord {
            round: self.round + 1,
            rounds: self.rounds,
            fitness: cells.clone().map(fitness).collect(),
            dropped: cells.map(|cell| self.names(cell, &self.dropped[cell])).collect(),
            retained: Vec::new(),
            refilled: Vec::new(),
            steps: self.steps,
            loss: self.meter.loss(),
            accuracy: self.meter.accuracy(),
            window: [window.low, window.high],
            candidates: main.iter().map(Into::into).collect(),
            extras: extras.iter().map(Into::into).collect(),
            front: Vec::new(),
            seconds: self.seconds,
        }
    }

    pub fn space(&self) -> &Arc<Space> {
        &self.space
    }

    pub fn options(&self) -> &SearchOptions {
        &self.options
    }

    /// Rounds completed, and rounds in total.
    pub fn rounds(&self) -> (u64, u64) {
        (self.round, self.rounds)
    }

    pub fn done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Active operators per cell, ascending.
    pub fn active(&self) -> Vec<Vec<u16>> {
        self.evolution.active()
    }

    /// Latest theta of every operator of every cell; NaN for one that no architecture step has met yet.
    pub fn scores(&self) -> &[Vec<f64>] {
        self.evolution.learnt()
    }

    /// The Pareto front of the last completed round, cheapest first.
    pub fn front(&self) -> &[Scored] {
        &self.front
    }

    pub fn history(&self) -> &[RoundRecord] {
        &self.history
    }
}
