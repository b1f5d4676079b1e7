//! The end of a round's training, for scorers other than fitness and strategies other than evolution: operators are scored, and where the
//! round ends without candidates the space changes at once.

use super::children::Children;
use super::engine::{Phase, Search};
use super::evolve::used;
use super::notes;
use super::observe::{Control, EventKind, Observer, Silent};
use super::random::{Purpose, Stream};
use super::scorer::{Evidence, Scorer, ScorerOptions, Scores};
use super::scoring::judge;
use super::sought::Sought;
use super::strategy::{Standing, Strategy};
use super::trainer::Trainer;
use super::Branches;
use crate::error::Result;

impl Search {
    pub(super) fn strategy(&self) -> &dyn Strategy {
        self.options.strategy.get()
    }

    pub(super) fn seeks(&self) -> Sought<'_> {
        self.strategy().seeks()
    }

    pub(super) fn scorer(&self) -> &dyn Scorer {
        self.scorer.get()
    }

    /// What operators are scored by: as the options say, or as the strategy does.
    pub fn scorer_options(&self) -> &ScorerOptions {
        &self.scorer
    }

    /// What comes when the weights of a round are trained.
    pub(super) fn trained(&self) -> Phase {
        if let Some(phase) = self.cells_trained() {
            return phase;
        }
        match self.searches() && (self.scorer().learns() || !self.seeks().drawn()) {
            true => Phase::Sample,
            false => Phase::Weigh { children: None, accuracies: Vec::new(), diversities: Vec::new() },
        }
    }

    /// Whether the round under way ends with candidates.
    pub(super) fn searches(&self) -> bool {
        self.strategy().always_searches() || self.run.round + 1 == self.run.rounds
    }

    /// Where the search stands, for its strategy.
    pub(super) fn standing<R>(&self, look: impl FnOnce(&Standing) -> R) -> R {
        let (evolution, window) = (&self.run.evolution, self.options.objective.window());
        let front = used(self.run.front.iter().map(|s| &s.architecture), self.space.cells().len());
        let (ensembles, joined) = (self.ensembles(), self.joined());
        look(&Standing {
            round: self.run.round,
            rounds: self.run.rounds,
            cells: evolution.standing(front),
            active: self.options.active,
            single: self.single(),
            dropped: evolution.dropped(&self.space),
            scores: self.run.scores.clone().unwrap_or_default(),
            reaches: &|operators, skippable| match &ensembles {
                Some(ensembles) => ensembles.reaches(operators, skippable).is_ok(),
                None if self.seeks().listed() => self.leaves(operators, skippable).is_ok(),
                None => evolution.reaches(&self.prices, window, operators, skippable),
            },
            joined: &joined,
        })
    }

    /// At most one branch of a cell is open.
    fn single(&self) -> bool {
        self.options.branches == Branches::Single || self.seeks().listed()
    }

    pub(super) fn all_children(&self) -> Children<'_> {
        Children {
            space: &self.space,
            prices: &self.prices,
            active: self.run.evolution.active(),
            skippable: self.run.evolution.skippable().to_vec(),
            single: self.single(),
            most: self.options.objective.window().high,
        }
    }

    /// Draws the architectures that are evaluated, evaluates the next ones, or makes scores of what is known.
    pub(super) fn weigh(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<bool> {
        let (seed, round) = (self.options.seed, self.run.round);
        let stream = |part| Stream::new(seed, Purpose::Children, round, part);
        // What every rank does by itself does not end on one of them alone.
        let control: &dyn Control = if trainer.alone() { observer } else { &Silent };
        let Phase::Weigh { children, accuracies, diversities } = &self.run.phase else { return Ok(false) };
        let Some(children) = children else {
            let of_each = |wanted| match self.ensembles() {
                Some(ensembles) => ensembles.of_each(wanted, &mut stream(0), control),
                None => self.all_children().of_each(wanted, &mut stream(0), control),
            };
            let children = self.scorer().evaluates().map(of_each).transpose()?.unwrap_or_default();
            self.run.phase = Phase::Weigh { children: Some(children), accuracies: Vec::new(), diversities: Vec::new() };
            self.run.meter.start();
            return Ok(false);
        };
        let (done, all) = (accuracies.len(), children.len());
        let group = &children[done..all.min(done + trainer.group().max(1))];
        if !group.is_empty() {
            let differs = self.scorer().differs();
            let more = judge(trainer, seed, round, group, differs, observer)?;
            let done = (done + more.len()) as u64;
            self.run.meter.scored(more.len() as u64);
            if let Phase::Weigh { accuracies, diversities, .. } = &mut self.run.phase {
                accuracies.extend(more.iter().map(|judged| judged.accuracy));
                if differs.is_some() {
                    diversities.extend(more.iter().map(|judged| judged.diversity));
                }
            }
            observer.event(&self.event(EventKind::Score, done, all as u64, trainer), self);
            return Ok(true);
        }
        let active = self.run.evolution.active();
        let comparison = if self.scorer().compares() { Some(trainer.compare(&active)?) } else { None };
        let scores = self.scorer().score(Evidence {
            children: &self.all_children(),
            theta: (0..active.len()).map(|cell| self.run.evolution.theta(cell)).collect(),
            blends: self.blends().unwrap_or_default(),
            comparison,
            evaluated: children.iter().zip(accuracies.iter().copied()).collect(),
            diversities: diversities.clone(),
            stream: stream(1),
            control,
        })?;
        self.weighed(scores)?;
        if matches!(self.run.phase, Phase::Sample | Phase::Try { .. }) {
            return Ok(false);
        }
        notes::round_finished(self);
        observer.event(&self.event(EventKind::Finish, 1, 1, trainer), self);
        Ok(true)
    }

    /// With scores for all operators: candidates are next, or the space changes.
    fn weighed(&mut self, scores: Scores) -> Result<()> {
        if !self.scorer().learns() {
            self.run.evolution.score(&scores);
        }
        self.run.scores = Some(scores);
        if self.searches() {
            self.run.phase = Phase::Sample;
            return Ok(());
        }
        if self.seeks().listed() {
            self.begin_trials()?;
            self.run.phase = Phase::Try { trials: Vec::new() };
            self.run.meter.start();
            return Ok(());
        }
        let record = self.record(&[], &[]);
        let change = self.standing(|now| self.strategy().change(now));
        self.close(record, &change, None);
        Ok(())
    }
}
