//! How a run is watched and stopped.

use super::engine::Search;
use super::trainer::Trainer;
use crate::error::Result;
use serde::Serialize;

/// What has just happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// One optimizer step; `step` of `steps`.
    Train,
    /// Some candidates were scored; `step` of `steps` of them.
    Score,
    /// A round (or a stand-alone training) is complete.
    Finish,
    /// An operation was timed for a latency table; `step` of `steps`. Rounds and epochs are 0 and what is learnt NaN.
    Measure,
    /// A stand-alone training has evaluated the held-out images behind an epoch: loss and accuracy are theirs.
    Evaluate,
}

/// A snapshot of progress. Counters are of finished things, starting at 1 when the first is finished; rounds and epochs are
/// those under way, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Event {
    pub kind: EventKind,
    pub round: u64,
    pub rounds: u64,
    pub epoch: u64,
    pub epochs: u64,
    pub step: u64,
    pub steps: u64,
    /// Smoothed training loss.
    pub loss: f64,
    /// Smoothed training accuracy while training, best accuracy so far while scoring and at the end of a round. 0 to 1.
    pub accuracy: f64,
    /// Training or scoring throughput of this process, lately.
    pub images_per_second: f64,
    /// Since the start of this run in this process.
    pub seconds: f64,
    /// Estimate for the rest of the whole run; NaN while unknown.
    pub seconds_left: f64,
}

/// Asked between batches.
pub trait Control {
    fn cancelled(&self) -> bool;
}

/// Told what happens, on the thread that runs the search.
pub trait Observer: Control {
    fn event(&self, event: &Event, search: &Search);

    /// Asked after every finished piece of work, when search and weights fit together. An error ends the step, which loses
    /// nothing.
    fn keep(&self, _search: &Search, _trainer: &dyn Trainer) -> Result<()> {
        Ok(())
    }
}

/// Watches nothing and never stops.
pub struct Silent;

impl Control for Silent {
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for Silent {
    fn event(&self, _: &Event, _: &Search) {}
}
