//! The candidates of a round: drawn, then scored a group at a time.

use super::engine::{Phase, Search};
use super::notes;
use super::observe::{Control, EventKind, Observer};
use super::options::TooFew;
use super::random::{Purpose, Stream};
use super::scorer::Difference;
use super::trainer::{Judged, Trainer};
use crate::arch::Architecture;
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::time::Instant;

impl Search {
    pub(super) fn sample(&mut self) -> Result<bool> {
        let options = self.options.candidates.clone();
        let mut stream = Stream::new(self.options.seed, Purpose::Candidates, self.run.round, 0);
        let mut candidates = match self.ensembles() {
            Some(ensembles) => self.first_generation(&ensembles, &mut stream)?,
            None if self.seeks().listed() => self.last_candidate()?,
            None => self.candidates(&mut stream)?,
        };
        let main = candidates.len();
        // Those that begin alike come together: a group of them is computed together that far.
        candidates.sort_unstable();
        if let Some(below) = self.options.objective.below(options.extra_width).filter(|_| self.seeks().drawn()) {
            // Nothing below the window is no failure: then its edge needs no guard.
            if let Ok(sampler) = self.run.evolution.sampler(&self.prices, below) {
                let extras = sampler.distinct(&self.space, options.extras, &HashSet::new(), &mut stream);
                candidates.extend(extras.unwrap_or_default());
                candidates[main..].sort_unstable();
            }
        }
        self.run.phase = Phase::Score { candidates, main, accuracies: Vec::new() };
        self.run.meter.start();
        Ok(false)
    }

    /// The last front and then new architectures inside the window.
    pub(super) fn candidates(&self, stream: &mut Stream) -> Result<Vec<Architecture>> {
        let options = &self.options.candidates;
        // Without `preserve` a member may have lost an operator; it leaves with it.
        let active = self.run.evolution.active();
        let mut candidates: Vec<_> =
            self.run.front.iter().map(|s| s.architecture.clone()).filter(|a| a.within(&active)).collect();
        let known: HashSet<_> = candidates.iter().cloned().collect();
        let sampler = self.run.evolution.sampler(&self.prices, self.options.objective.window())?;
        let new = sampler.distinct(&self.space, options.count, &known, stream)?;
        if new.len() < options.count && options.too_few == TooFew::Error {
            return Err(Error::TooFew { wanted: options.count, found: new.len(), known: known.len() });
        }
        candidates.extend(new);
        Ok(candidates)
    }

    /// Scores the next candidates; when there are none left, ends the round.
    pub(super) fn score(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<bool> {
        let (started, round) = (Instant::now(), self.turn());
        let Phase::Score { candidates, accuracies, .. } = &mut self.run.phase else { return Ok(false) };
        let (done, all) = (accuracies.len(), candidates.len());
        let group = &candidates[done..all.min(done + trainer.group().max(1))];
        if group.is_empty() {
            if self.run.growth.is_some() {
                let accuracies = accuracies.clone();
                return self.cells_scored(&accuracies, trainer, observer).map(|()| true);
            }
            if self.breed()? {
                return Ok(false);
            }
            self.finish();
            notes::round_finished(self);
            observer.event(&self.event(EventKind::Finish, 1, 1, trainer), self);
            return Ok(true);
        }
        let scores = judge(trainer, self.options.seed, round, group, None, observer)?;
        accuracies.extend(scores.iter().map(|judged| judged.accuracy));
        let done = accuracies.len() as u64;
        self.run.meter.scored(scores.len() as u64);
        self.run.seconds.score += started.elapsed().as_secs_f64();
        let (done, all) = self.grown().map_or((done, self.planned(all) as u64), |(cells, all)| (cells + done, all));
        observer.event(&self.event(EventKind::Score, done, all, trainer), self);
        Ok(true)
    }
}

/// What a trainer says of `architectures`, as much and of the kind that it should be.
pub(super) fn judge(
    trainer: &mut dyn Trainer,
    seed: u64,
    round: u64,
    architectures: &[Architecture],
    difference: Option<Difference>,
    control: &dyn Control,
) -> Result<Vec<Judged>> {
    let judged = trainer.judge(seed, round, architectures, difference, control)?;
    let wrong = |reason: String| Err(Error::Argument { name: "trainer", reason });
    if judged.len() != architectures.len() {
        return wrong(format!("{} scores for {} candidates", judged.len(), architectures.len()));
    }
    match judged.iter().find(|judged| !((0.0..=1.0).contains(&judged.accuracy) && judged.diversity >= 0.0)) {
        Some(Judged { accuracy, diversity }) => {
            wrong(format!("an accuracy of {accuracy} is not in 0 to 1, or a diversity of {diversity} is below 0"))
        }
        None => Ok(judged),
    }
}
