//! A search that is told its results: it hands out architectures, and whoever asked evaluates them, anywhere and in any order. No
//! supernet; the space evolves by the same rules, on stand-alone accuracies.
//!
//! Fitness learns by the score function (Williams 1992, REINFORCE) from results of the round under way, a group at a time.

use super::engine::{Phase, Search};
use super::evolve::used;
use super::fitness::Adam;
use super::history::RoundRecord;
use super::ledger::{Entry, Outcome};
use super::pareto::{self, Scored};
use super::random::{Purpose, Stream};
use super::sought::Sought;
use crate::arch::Architecture;
use crate::error::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Learning of the operators' scores theta from results that are told, by Adam on the score-function gradient, with the mean of the
/// others of a group as the baseline of each. `fitness.threshold` and `fitness.preserve` hold as they do in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToldOptions {
    /// Results per step.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub group: usize,
    /// Learning rate of theta.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub lr: f64,
    /// Decay of Adam's mean of the gradient.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub beta1: f64,
    /// Decay of Adam's mean of its square.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub beta2: f64,
}

impl Default for ToldOptions {
    fn default() -> Self {
        ToldOptions { group: 10, lr: 1.0, beta1: 0.0, beta2: 0.999 }
    }
}

/// What became of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Asked in the round under way: it counts, and teaches.
    Counted,
    /// Told before, and the same: nothing changes.
    Repeated,
    /// Asked in a round that is closed: kept, and on the front if it is good enough.
    Late,
    /// Never asked: kept, and on the front if it is good enough and inside the window.
    Unasked,
}

/// How an ask ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Here they are: as many as wanted, or all there are.
    Given,
    /// There is nothing to hand out until a result is told.
    Pending,
    /// The last round is complete.
    Done,
}

impl Search {
    /// Up to `count` architectures, none of them asked or told before, inside the cost window, drawn with what was learnt so far.
    pub fn ask(&mut self, count: usize) -> Result<(Vec<Architecture>, Asked)> {
        self.must_be_told()?;
        loop {
            let Phase::Ask { asked, exhausted, .. } = self.run.phase else { return Ok((Vec::new(), Asked::Done)) };
            let mut given = self.first(count);
            let mut none_left = exhausted;
            if given.len() < count && !exhausted {
                let wanted = count - given.len();
                let mut known = self.ledger().map(|ledger| ledger.known()).unwrap_or_default();
                known.extend(given.iter().cloned());
                let mut stream = Stream::new(self.options.seed, Purpose::Asked, self.run.round, asked);
                let sampler = self.run.evolution.sampler(&self.prices, self.options.objective.window())?;
                let drawn = sampler.distinct(&self.space, wanted, &known, &mut stream)?;
                none_left = drawn.len() < wanted;
                given.extend(drawn);
            }
            // An ask that hands out nothing changes nothing.
            if let Phase::Ask { asked, exhausted, .. } = &mut self.run.phase {
                if !given.is_empty() {
                    (*asked, *exhausted) = (*asked + given.len() as u64, none_left);
                }
            }
            let round = self.run.round;
            if let Some(ledger) = &mut self.run.told {
                given.iter().for_each(|architecture| ledger.asked(architecture.clone(), round));
            }
            if !given.is_empty() || count == 0 {
                return Ok((given, Asked::Given));
            }
            if self.outstanding() {
                return Ok((given, Asked::Pending));
            }
            self.close_round()?;
        }
    }

    /// Members of the front that the search began with that are still to be handed out.
    fn first(&mut self, count: usize) -> Vec<Architecture> {
        let Some(ledger) = &mut self.run.told else { return Vec::new() };
        let mut first = std::mem::take(&mut ledger.first);
        first.retain(|architecture| ledger.get(architecture).is_none());
        ledger.first = first.split_off(count.min(first.len()));
        first
    }

    /// Whether a result of the round under way is still to come.
    fn outstanding(&self) -> bool {
        self.pending().any(|(_, round)| round == self.run.round)
    }

    /// Of a round whose architectures are listed: whether all their results are known.
    fn all_told(&self) -> bool {
        match self.seeks() {
            Sought::Survivor(_) => self.tried(),
            _ => self.ledger().is_none_or(|ledger| ledger.first.is_empty()) && !self.outstanding(),
        }
    }

    /// A result, at any time and in any order. An error changes nothing; [`Error::Conflict`]: another result is known already.
    pub fn tell(&mut self, architecture: &Architecture, outcome: Outcome) -> Result<Effect> {
        self.must_be_told()?;
        architecture.need_paths("code", 1)?;
        let outcome = self.checked(outcome)?;
        let entry = self.ledger().and_then(|ledger| ledger.get(architecture)).copied();
        match entry.and_then(|entry| entry.outcome) {
            Some(known) if known == outcome => return Ok(Effect::Repeated),
            Some(known) => {
                let code = architecture.code(&self.space);
                return Err(Error::Conflict { code, known: known.to_string(), told: outcome.to_string() });
            }
            None => {}
        }
        if let Some(ledger) = &mut self.run.told {
            ledger.told(architecture.clone(), outcome);
        }
        let round = entry.and_then(|entry| entry.round);
        if let Some(scored) = self.scored_by(architecture, &Entry { round, outcome: Some(outcome) }) {
            let mut front = std::mem::take(&mut self.run.front);
            front.push(scored);
            self.run.front = pareto::front(front);
        }
        let current = round == Some(self.run.round);
        match &mut self.run.phase {
            Phase::Ask { told, .. } if current => told.push(architecture.clone()),
            _ => return Ok(if round.is_some() { Effect::Late } else { Effect::Unasked }),
        }
        if self.seeks().listed() {
            if self.all_told() {
                self.close_round()?;
            }
            return Ok(Effect::Counted);
        }
        if !outcome.failed {
            self.learn_told();
        }
        let Phase::Ask { exhausted, told, .. } = &self.run.phase else { return Ok(Effect::Counted) };
        if told.len() >= self.options.candidates.count || *exhausted && !self.outstanding() {
            self.close_round()?;
        }
        Ok(Effect::Counted)
    }

    /// An architecture that was asked will not be told; it may be asked again. Nothing changes when it was told, or never asked.
    pub fn forget(&mut self, architecture: &Architecture) -> Result<()> {
        self.must_be_told()?;
        let listed = self.seeks().listed();
        if self.run.told.as_mut().is_some_and(|ledger| ledger.forget(architecture)) {
            if let Some(ledger) = self.run.told.as_mut().filter(|_| listed) {
                ledger.first.push(architecture.clone());
            } else if let Phase::Ask { exhausted, .. } = &mut self.run.phase {
                *exhausted = false;
            }
        }
        Ok(())
    }

    /// Architectures that were asked and not told, with the round, from 0, in which they were asked; none in other searches.
    pub fn pending(&self) -> impl Iterator<Item = (&Architecture, u64)> {
        self.ledger().into_iter().flat_map(|ledger| ledger.pending())
    }

    fn must_be_told(&self) -> Result<()> {
        match self.run.told {
            Some(_) => Ok(()),
            None => {
                Err(Error::Argument { name: "search", reason: "it trains by itself: it is stepped, not asked and told".into() })
            }
        }
    }

    /// The outcome, with its cost as it is kept.
    fn checked(&self, outcome: Outcome) -> Result<Outcome> {
        let wrong = |reason: String| Err(Error::Argument { name: "result", reason });
        if outcome.failed {
            return Ok(Outcome::failed());
        }
        if !(0.0..=1.0).contains(&outcome.accuracy) {
            return wrong(format!("an accuracy of {} is not in 0 to 1", outcome.accuracy));
        }
        match outcome.cost {
            Some(cost) if !(0.0..=1e20).contains(&cost) => wrong(format!("a cost of {cost} is not in 0 to 1e20")),
            Some(cost) if !self.metric().counts(cost) => {
                wrong(format!("a cost of {cost} {} is no whole number", self.metric().unit()))
            }
            _ => Ok(outcome),
        }
    }

    /// None when there is no result, it failed, or it lies outside the window by its cost.
    fn scored_by(&self, architecture: &Architecture, entry: &Entry) -> Option<Scored> {
        let outcome = entry.outcome.filter(|outcome| !outcome.failed)?;
        let computed = || self.price_of(architecture);
        let price = outcome.cost.map_or_else(computed, |cost| self.prices.metric.price(cost));
        self.options.objective.window().contains(price).then(|| Scored {
            architecture: architecture.clone(),
            cost: self.cost_of(architecture),
            price,
            accuracy: outcome.accuracy,
            found: entry.round.map_or(0, |round| round + 1),
        })
    }

    /// All results inside the window.
    pub(super) fn told_scored(&self) -> Vec<Scored> {
        let entries = self.ledger().into_iter().flat_map(|ledger| ledger.iter());
        entries.filter_map(|(architecture, entry)| self.scored_by(architecture, entry)).collect()
    }

    /// Results of the round under way, in the order told.
    fn told_this_round(&self) -> impl Iterator<Item = (&Architecture, &Entry)> {
        let told = match &self.run.phase {
            Phase::Ask { told, .. } => told.as_slice(),
            _ => &[],
        };
        told.iter().filter_map(|architecture| Some((architecture, self.ledger()?.get(architecture)?)))
    }

    /// Of a round with these results.
    pub(super) fn told_record(&self, scored: &[Scored]) -> RoundRecord {
        let mut record = self.record(scored, &[]);
        let mean = scored.iter().map(|s| s.accuracy).sum::<f64>() / scored.len().max(1) as f64;
        (record.loss, record.accuracy) = (1.0 - mean, mean);
        record
    }

    /// Results of the round under way that are inside the window.
    pub(super) fn told_scored_this_round(&self) -> Vec<Scored> {
        self.told_this_round().filter_map(|(architecture, entry)| self.scored_by(architecture, entry)).collect()
    }

    /// An Adam step whenever another group of results is complete.
    fn learn_told(&mut self) {
        let options = &self.options.told;
        let metric = self.prices.metric;
        let loss = |(architecture, entry): (&Architecture, &Entry)| {
            let outcome = entry.outcome.filter(|outcome| !outcome.failed)?;
            let cost = outcome.cost.unwrap_or_else(|| metric.amount(self.prices.architecture(architecture)));
            Some((architecture.clone(), 1.0 - outcome.accuracy + self.options.objective.penalty(cost)))
        };
        let mut results: Vec<_> = self.told_this_round().filter_map(loss).collect();
        if results.len() % options.group != 0 {
            return;
        }
        results.drain(..results.len() - options.group);
        let adam = Adam { lr: options.lr, beta1: options.beta1, beta2: options.beta2 };
        self.run.evolution.learn_told(&adam, &results);
        if self.options.fitness.preserve {
            self.run.evolution.pin(self.run.front.iter().map(|s| &s.architecture));
        }
        self.drop_unfit();
    }

    /// Filter, retain, refill.
    fn close_round(&mut self) -> Result<()> {
        match self.seeks() {
            Sought::Cells(_) => return self.told_growth(),
            Sought::Survivor(_) => return self.told_trials(),
            Sought::Networks | Sought::Ensembles(_) => {}
        }
        let results: Vec<_> = self.told_this_round().map(|(architecture, entry)| (architecture.clone(), *entry)).collect();
        let scored: Vec<_> = results.iter().filter_map(|(architecture, entry)| self.scored_by(architecture, entry)).collect();
        let retained = self.retained(&scored)?;
        let record = self.told_record(&scored);
        let change = self.run.evolution.evolved(retained.clone());
        self.close(record, &change, Some(retained));
        Ok(())
    }

    /// Operators to go on with: those of the front that are active. With those alone the window may be out of reach, for the
    /// front is older than the active operators; then also those of the best result of the round, or of any architecture.
    fn retained(&self, results: &[Scored]) -> Result<Vec<BTreeSet<u16>>> {
        let active = self.run.evolution.active();
        let here = |mut operators: Vec<BTreeSet<u16>>| {
            operators.iter_mut().zip(&active).for_each(|(operators, active)| operators.retain(|o| active.contains(o)));
            operators
        };
        // Nothing is known of them.
        if self.run.front.is_empty() {
            return Ok(active.iter().map(|active| active.iter().copied().collect()).collect());
        }
        let mut retained = here(used(self.run.front.iter().map(|s| &s.architecture), active.len()));
        let window = self.options.objective.window();
        if self.run.evolution.after(&retained).sampler(&self.prices, window).is_ok() {
            return Ok(retained);
        }
        let reachable = results
            .iter()
            .filter(|s| s.architecture.within(&active) && window.contains(self.prices.architecture(&s.architecture)));
        let best = reachable.reduce(|best, s| if s.accuracy > best.accuracy { s } else { best }).map(|s| s.architecture.clone());
        let best = match best {
            Some(best) => Some(best),
            None => {
                let mut stream = Stream::new(self.options.seed, Purpose::Asked, self.run.round, u64::MAX);
                let sampler = self.run.evolution.sampler(&self.prices, window)?;
                sampler.distinct(&self.space, 1, &Default::default(), &mut stream)?.pop()
            }
        };
        best.iter().flat_map(Architecture::by_cell).for_each(|(cell, open)| retained[cell].extend(open));
        Ok(retained)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.failed, self.cost) {
            (true, _) => f.write_str("a failure"),
            (false, Some(cost)) => write!(f, "accuracy {} at cost {cost}", self.accuracy),
            (false, None) => write!(f, "accuracy {}", self.accuracy),
        }
    }
}
