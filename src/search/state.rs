//! What a search was, as a value, and reading it back: every index is held against the space, so that a file that lies cannot make a search panic.

use super::engine::{Phase, Run, Search};
use super::growing::Level;
use super::notes;
use super::options::SearchOptions;
use super::push::Pass;
use super::sought::Sought;
use crate::arch::Architecture;
use crate::cost::{CostTable, LatencyTable, Prices};
use crate::error::{Error, Result};
use crate::space::Space;
use serde_json::Value;
use std::sync::Arc;

impl Search {
    /// A search as it was when its `state` was taken; the error says what does not fit.
    pub fn restore(space: Arc<Space>, options: SearchOptions, latency: Option<Arc<LatencyTable>>, state: Value) -> Result<Self> {
        options.check()?;
        let costs = CostTable::new(&space);
        let prices = Prices::of(&space, &costs, options.objective.cost, latency.as_deref())?;
        let sought = options.strategy.get().seeks();
        let levels = Level::of(&sought, &space, options.objective.cost, latency.as_deref())?;
        let run = Run::read(state, &space, &levels, &sought)?;
        if run.elimination.is_some() && !matches!(sought, Sought::Survivor(_)) {
            let reason = "operators that are eliminated, in a search whose operators are not".into();
            return Err(Error::Config { document: "search state", pointer: String::new(), reason });
        }
        let scorer = options.scorer();
        let search = Search { space, latency, options, costs, prices, levels, scorer, run, pass: Pass::default() };
        search.options.serves(search.drive(), &search.space)?;
        search.mixture_fits()?;
        notes::ready(&search, "restored");
        Ok(search)
    }

    /// Everything that [`Search::restore`] needs beside space, options and latencies. Weights are the trainer's.
    pub fn state(&self) -> Value {
        serde_json::to_value(&self.run).unwrap_or_default()
    }

    /// Whether weights matter, because a round is under way or the next one goes on with them: the number of the round, and the
    /// operators that have weights.
    pub fn under_way(&self) -> Option<(u64, Vec<Vec<u16>>)> {
        match self.run.phase {
            Phase::Train { .. } | Phase::Weigh { .. } | Phase::Try { .. } | Phase::Sample | Phase::Score { .. } => {
                Some((self.turn(), self.weighted()))
            }
            Phase::Begin if self.run.kept => Some((self.run.round, self.active())),
            Phase::Begin | Phase::Ask { .. } | Phase::Done => None,
        }
    }
}

impl Run {
    pub(super) fn read(state: Value, space: &Space, levels: &[Level], sought: &Sought) -> Result<Self> {
        let wrong = |reason: String| Error::Config { document: "search state", pointer: String::new(), reason };
        let mut run: Run = serde_json::from_value(state).map_err(|e| wrong(e.to_string()))?;
        run.fits(space, levels, sought).map_err(|reason| wrong(format!("of another space: {reason}")))?;
        if run.scored.is_empty() && run.told.is_none() {
            // Older states have nothing but the front.
            run.scored = run.front.clone();
        }
        Ok(run)
    }

    fn fits(&self, space: &Space, levels: &[Level], sought: &Sought) -> std::result::Result<(), String> {
        self.evolution.fits(space)?;
        if self.dropped.len() != space.cells().len() {
            return Err(format!("{} cells with dropped operators", self.dropped.len()));
        }
        let scored = self.scores.as_ref().map(|scores| scores.cells());
        if let Some(cells) = scored.map(<[_]>::len).filter(|cells| *cells != space.cells().len()) {
            return Err(format!("{cells} cells with scores"));
        }
        for (i, cell) in space.cells().iter().enumerate() {
            let scored = scored.into_iter().flat_map(|scored| &scored[i]).filter_map(|score| score.choice.as_ref());
            if let Some(o) = self.dropped[i].iter().chain(scored).find(|o| usize::from(**o) >= cell.operators.len()) {
                return Err(format!("operator {o} of cell {i}"));
            }
        }
        let done = matches!(self.phase, Phase::Done);
        if !(1..=10_000).contains(&self.rounds) || self.round > self.rounds || done != (self.round == self.rounds) {
            return Err(format!("round {} of {}", self.round, self.rounds));
        }
        if self.steps > 1 << 50 {
            return Err(format!("{} steps in a round", self.steps));
        }
        let mut architectures: Vec<&Architecture> = self.front.iter().chain(&self.scored).map(|s| &s.architecture).collect();
        let asks = matches!(self.phase, Phase::Ask { .. }) || self.told.is_some() && done;
        if asks != self.told.is_some() {
            return Err("results that are told, in a search that trains, or the other way round".into());
        }
        if let Some(ledger) = &self.told {
            if let Some((_, entry)) = ledger.iter().find(|(_, entry)| entry.round.is_some_and(|round| round > self.round)) {
                return Err(format!("asked in round {:?}", entry.round));
            }
            architectures.extend(ledger.iter().map(|(architecture, _)| architecture).chain(&ledger.first));
        }
        if let Phase::Ask { told, .. } = &self.phase {
            architectures.extend(told);
        }
        if let Phase::Weigh { children, accuracies, diversities } = &self.phase {
            let children = children.as_deref().unwrap_or_default();
            if accuracies.len() > children.len() || !(diversities.is_empty() || diversities.len() == accuracies.len()) {
                let (count, differ) = (accuracies.len(), diversities.len());
                return Err(format!("{count} accuracies and {differ} diversities of {} architectures", children.len()));
            }
            architectures.extend(children);
        }
        if let Phase::Score { candidates, main, accuracies } = &self.phase {
            if *main > candidates.len() || accuracies.len() > candidates.len() {
                return Err(format!("{} scores and {main} of {} candidates", accuracies.len(), candidates.len()));
            }
            architectures.extend(candidates);
        }
        if matches!(self.phase, Phase::Train { step, .. } if step >= self.steps && self.epochs_ended.is_none()) {
            return Err(format!("a step beyond the {} of a round", self.steps));
        }
        let same = |a: &Architecture| {
            let space = levels.get((a.cells().len() / 2).wrapping_sub(1)).map_or(space, |level| &*level.space);
            a.paths().count() == sought.paths() && a.again(space).is_ok_and(|again| again == *a)
        };
        if self.growth.is_some() == levels.is_empty() {
            return Err("cells that grow, in a search whose cells do not, or the other way round".into());
        }
        let trials = match &self.phase {
            Phase::Try { trials } => Some(trials.len()),
            _ => None,
        };
        match (&self.elimination, trials) {
            (Some(elimination), trials) => elimination.fits(space.cells().len(), trials.unwrap_or(0), same)?,
            (None, Some(trials)) => return Err(format!("{trials} results of no networks")),
            (None, None) => {}
        }
        match architectures.iter().position(|a| !same(a)) {
            Some(i) => Err(format!("architecture {i}")),
            None => {
                let blocks = (!done).then_some(self.round + 1);
                self.growth.as_ref().map_or(Ok(()), |growth| growth.fits(blocks, &self.phase, sought.shares(), same))
            }
        }
    }
}
