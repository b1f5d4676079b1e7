//! How a search begins: anew, after another one, or from architectures.

use super::engine::{Phase, Run, Search};
use super::evolve::{Beginning, Evolution};
use super::growing::Level;
use super::handover::Target;
use super::history::Seconds;
use super::ledger::Ledger;
use super::meter::Meter;
use super::notes;
use super::options::SearchOptions;
use super::push::Pass;
use super::random::{Purpose, Stream};
use super::sought::Sought;
use super::Branches;
use crate::arch::Architecture;
use crate::cost::{CostTable, LatencyTable, Prices};
use crate::error::{Error, Result};
use crate::space::Space;
use std::sync::Arc;

/// Of a search: what a checkpoint may say.
pub(super) const MOST_ROUNDS: u64 = 10_000;

/// What a search may begin with, beside its space and options.
#[derive(Clone, Default)]
pub struct Start<'a> {
    /// Needed when the objective is a latency.
    pub latency: Option<Arc<LatencyTable>>,
    /// A finished search in a space with the same cells. Its front is where this one begins: active, protected as any front is,
    /// and scored again. Operators that had their turn there do not come again.
    pub continued: Option<&'a Search>,
    /// Instead: architectures in spaces with the same cells, as if they were the front of a search; their accuracies are 0 until
    /// they are scored in the first round. What their space has and none of them uses does not come again, unless it is this one.
    pub front: Vec<(Arc<Space>, Architecture)>,
    pub drive: Drive,
}

/// What makes a search go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drive {
    /// [`Search::step`], with a trainer that has the images.
    #[default]
    Steps,
    /// [`Search::push`], with batches of the host's.
    Pushed,
    /// [`Search::ask`] and [`Search::tell`]: no trainer. The front it begins with is handed out first.
    Told,
}

impl Search {
    /// Fails when an option is out of range, and when no architecture of the space lies in the cost window, or fewer than
    /// candidates are wanted; the error then says what is reachable, or how many there are.
    pub fn new(space: Arc<Space>, options: SearchOptions) -> Result<Self> {
        Self::start(space, options, Start::default())
    }

    /// As [`Search::new`]; fails too when the latency table lacks something, and when the search to continue is not finished or
    /// its cells are others.
    pub fn start(space: Arc<Space>, options: SearchOptions, start: Start) -> Result<Self> {
        options.check()?;
        let costs = CostTable::new(&space);
        let prices = Prices::of(&space, &costs, options.objective.cost, start.latency.as_deref())?;
        let window = options.objective.window();
        options.serves(start.drive, &space)?;
        let sought = options.strategy.get().seeks();
        if start.continued.is_some() || !start.front.is_empty() {
            sought.continues()?;
        }
        let target = Target { space: &space, costs: &costs, prices: &prices, window, paths: sought.paths() };
        let before = match (start.continued, start.front.as_slice()) {
            (None, []) => None,
            (Some(search), []) => Some(target.after(search)?),
            (None, front) => Some(target.from(front)?),
            (Some(_), _) => {
                let reason = "a search begins with another search or with architectures, not with both".into();
                return Err(Error::Argument { name: "start", reason });
            }
        };
        let beginning = Beginning {
            size: options.strategy.get().begins(options.active),
            seed: options.seed,
            branches: if sought.listed() { Branches::Single } else { options.branches },
            preserve: options.fitness.preserve,
            front: before.as_ref().map(|before| before.used.as_slice()),
            left: before.as_ref().map_or(&[], |before| &before.left),
        };
        let levels = Level::of(&sought, &space, options.objective.cost, start.latency.as_deref())?;
        let larger = options.rounds.map_or(usize::MAX, |rounds| rounds as usize).min(levels.len());
        // The window is one of the largest cells that are evaluated.
        if let Some(largest) = levels.get(larger.wrapping_sub(1)) {
            Evolution::new(&largest.space, &largest.prices, &beginning, window)?;
        }
        let evolution = Evolution::new(&space, &prices, &beginning, sought.bounds(window))?;
        let (told, pushed) = (start.drive == Drive::Told, start.drive == Drive::Pushed);
        let mut front = before.map_or(Vec::new(), |before| before.front);
        // Accuracies of another kind: they are evaluated anew.
        let first = if told { front.drain(..).map(|s| s.architecture).collect() } else { Vec::new() };
        let run = Run {
            rounds: 1,
            round: 0,
            phase: if told { Phase::Ask { asked: 0, exhausted: sought.listed(), told: Vec::new() } } else { Phase::Begin },
            evolution,
            dropped: vec![Vec::new(); space.cells().len()],
            scored: front.clone(),
            told: told.then(|| Ledger::new(first)),
            front,
            history: Vec::new(),
            meter: Meter::default(),
            steps: 0,
            seconds: Seconds::default(),
            epochs_ended: pushed.then_some(0),
            epoch_began: 0,
            kept: false,
            refresh: false,
            scores: None,
            mixture: None,
            growth: None,
            elimination: None,
        };
        let scorer = options.scorer();
        let mut search =
            Search { space, latency: start.latency, options, costs, prices, levels, scorer, run, pass: Pass::default() };
        let all = search.standing(|now| search.strategy().rounds(now));
        let most = if search.levels.is_empty() { MOST_ROUNDS } else { all };
        search.run.rounds = search.options.rounds.unwrap_or(all).clamp(1, most);
        let mut probe = Stream::new(search.options.seed, Purpose::Probe, 0, 1);
        // What the first active subset does not have, it will not have after its training.
        match search.seeks() {
            Sought::Ensembles(_) => {
                let first = search.ensembles().map(|ensembles| search.first_generation(&ensembles, &mut probe));
                first.transpose().map(drop)?;
            }
            Sought::Cells(_) => search.sprout(),
            Sought::Survivor(_) => {
                search.leaves(&search.run.evolution.active(), search.run.evolution.skippable())?;
                if told {
                    search.begin_trials()?;
                }
            }
            Sought::Networks if told => {}
            Sought::Networks => drop(search.candidates(&mut probe)?),
        }
        notes::ready(&search, "created");
        Ok(search)
    }

    pub fn drive(&self) -> Drive {
        match (&self.run.told, self.run.epochs_ended) {
            (Some(_), _) => Drive::Told,
            (None, Some(_)) => Drive::Pushed,
            (None, None) => Drive::Steps,
        }
    }
}
