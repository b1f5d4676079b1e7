//! Saves a running search, or a training, every so often.

use super::search::save;
use crate::error::Result;
use crate::search::{CheckpointOptions, Search, Trainer};
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two saves when neither steps nor seconds are given.
const SECONDS: f64 = 60.0;

pub struct Keeper {
    options: CheckpointOptions,
    /// Pieces of work since the last save, and when that was.
    since: Cell<(u64, Instant)>,
}

impl Keeper {
    pub fn new(options: CheckpointOptions) -> Self {
        Keeper { options, since: Cell::new((0, Instant::now())) }
    }

    /// To be called after every piece of work: saves when it is time, and at the end of a round. After a failure the next try
    /// comes after the usual while.
    pub fn keep(&self, search: &Search, trainer: &dyn Trainer) -> Result<()> {
        self.keep_with(search.between_rounds(), |path| save(path, search, trainer))
    }

    /// The same for what `save` writes; `now`: it is time in any case.
    pub fn keep_with(&self, now: bool, save: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let (pieces, last) = self.since.get();
        let CheckpointOptions { steps, seconds, .. } = self.options;
        let seconds = seconds.or(if steps.is_none() { Some(SECONDS) } else { None });
        let waited = |seconds: f64| Duration::try_from_secs_f64(seconds).is_ok_and(|wait| last.elapsed() >= wait);
        let due = steps.is_some_and(|steps| pieces + 1 >= steps) || seconds.is_some_and(waited);
        if !due && !now {
            self.since.set((pieces + 1, last));
            return Ok(());
        }
        let saved = save(&self.options.path);
        self.since.set((0, Instant::now()));
        saved
    }
}
