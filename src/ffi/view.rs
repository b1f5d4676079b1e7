//! What the getters of a search read while a step runs; they never wait for it.

use super::worker::Reporter;
use crate::checkpoint::Keeper;
use crate::error::Result;
use crate::report::EventLog;
use crate::search::{Control, Drive, Event, EventKind, Observer, RoundRecord, Scored, Search, Trainer};
use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The latest view, replaced as a whole.
#[derive(Default)]
pub struct Shared {
    view: RwLock<Arc<View>>,
    published: Mutex<Option<Instant>>,
}

#[derive(Clone, Default)]
pub struct View {
    pub scores: Vec<Vec<f64>>,
    pub active: Vec<Vec<u16>>,
    pub event: Option<Event>,
    pub done: bool,
    pub rounds: (u64, u64),
    pub front: Arc<[Scored]>,
    /// What the front can be asked for again from.
    pub scored: Arc<[Scored]>,
    pub history: Arc<[RoundRecord]>,
}

/// How old a view may become while a step runs.
const REFRESH: Duration = Duration::from_millis(50);

impl Shared {
    pub fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn publish(&self, search: &Search, event: Option<&Event>) {
        let whole = event.is_none_or(|event| event.kind == EventKind::Finish);
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if !whole && published.is_some_and(|at| at.elapsed() < REFRESH) {
            return;
        }
        *published = event.map(|_| Instant::now());
        let before = self.view();
        // A search that was never published has no rounds.
        let ended = search.rounds() != before.rounds;
        let view = View {
            scores: search.scores().to_vec(),
            active: search.active(),
            event: event.copied().or(before.event),
            done: search.done(),
            rounds: search.rounds(),
            front: if whole { search.front().into() } else { before.front.clone() },
            scored: if ended || search.drive() == Drive::Told { search.scored().into() } else { before.scored.clone() },
            history: if ended { search.history().into() } else { before.history.clone() },
        };
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }
}

pub struct Watch<'a, R> {
    shared: &'a Shared,
    reporter: &'a Reporter<R>,
    keeper: Option<&'a Keeper>,
    log: Option<&'a EventLog>,
    /// The latest that is not in the log.
    event: Cell<Option<Event>>,
}

impl<'a, R> Watch<'a, R> {
    pub fn new(shared: &'a Shared, reporter: &'a Reporter<R>, keeper: Option<&'a Keeper>, log: Option<&'a EventLog>) -> Self {
        Watch { shared, reporter, keeper, log, event: Cell::new(None) }
    }
}

impl<R> Control for Watch<'_, R> {
    fn cancelled(&self) -> bool {
        self.reporter.cancelled()
    }
}

impl<R> Observer for Watch<'_, R> {
    fn event(&self, event: &Event, search: &Search) {
        self.event.set(Some(*event));
        self.shared.publish(search, Some(event));
        self.reporter.event(event);
    }

    fn keep(&self, search: &Search, trainer: &dyn Trainer) -> Result<()> {
        // Before the checkpoint: what is behind a checkpoint is in the log.
        self.log.map_or(Ok(()), |log| log.write(search, self.event.take().as_ref()))?;
        self.keeper.map_or(Ok(()), |keeper| keeper.keep(search, trainer))
    }
}
