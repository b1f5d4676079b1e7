//! A search that is stopped anywhere and stepped again ends as if nothing had happened.

use crate::synthetic::{options, run, small_space, stored_by, timeless, window, Synthetic};
use nse::arch::Architecture;
use nse::search::*;
use nse::space::Space;
use nse::{Error, Result};
use serde_json::{json, Value};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Counts the places at which a run can stop (every call of the trainer, every question of the observer) and stops at some.
struct Faults<'a> {
    calls: Cell<u64>,
    stops: &'a dyn Fn(u64) -> bool,
    /// Kind, round and step of every event.
    events: RefCell<Vec<(EventKind, u64, u64)>>,
}

impl<'a> Faults<'a> {
    fn new(stops: &'a dyn Fn(u64) -> bool) -> Self {
        Faults { calls: Cell::new(0), stops, events: RefCell::default() }
    }

    fn stop(&self) -> bool {
        let call = self.calls.replace(self.calls.get() + 1);
        (self.stops)(call)
    }

    /// Different kinds of failure, by the place.
    fn fail(&self, at: Option<At>) -> Result<()> {
        if !self.stop() {
            return Ok(());
        }
        Err(match (self.calls.get() % 3, at) {
            (0, Some(At { round, step, .. })) => Error::Diverged { loss: f64::NAN, round, step },
            (1, _) => Error::Device { device: "cuda:0".into(), reason: "out of memory".into() },
            _ => Error::Cancelled,
        })
    }
}

impl Control for Faults<'_> {
    fn cancelled(&self) -> bool {
        self.stop()
    }
}

impl Observer for Faults<'_> {
    fn event(&self, event: &Event, _: &Search) {
        self.events.borrow_mut().push((event.kind, event.round, event.step));
    }
}

/// The synthetic trainer, which fails before it has done anything.
struct Faulty<'a> {
    inner: Synthetic,
    faults: &'a Faults<'a>,
}

impl Trainer for Faulty<'_> {
    fn steps_per_epoch(&self) -> u64 {
        self.inner.steps_per_epoch()
    }

    fn steps_per_candidate(&self) -> f64 {
        self.inner.steps_per_candidate()
    }

    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        self.faults.fail(None)?;
        self.inner.begin_round(seed, round, active)
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        self.faults.fail(Some(at))?;
        self.inner.weight_step(at, open, lr)
    }

    fn architecture_step(&mut self, at: At, active: &[Vec<u16>], paths: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        self.faults.fail(Some(at))?;
        self.inner.architecture_step(at, active, paths)
    }

    stored_by!(inner);

    fn ensemble_step(&mut self, at: At, ensemble: &Architecture, lr: f64) -> Result<StepOutcome> {
        self.faults.fail(Some(at))?;
        self.inner.ensemble_step(at, ensemble, lr)
    }

    fn judge(
        &mut self,
        seed: u64,
        round: u64,
        candidates: &[Architecture],
        difference: Option<Difference>,
        control: &dyn Control,
    ) -> Result<Vec<Judged>> {
        self.faults.fail(None)?;
        self.inner.judge(seed, round, candidates, difference, control)
    }

    fn score(&mut self, seed: u64, round: u64, candidates: &[Architecture], control: &dyn Control) -> Result<Vec<f64>> {
        self.faults.fail(None)?;
        self.inner.score(seed, round, candidates, control)
    }
}

/// What a run leaves behind, how often it could have stopped, and how often it did.
#[derive(Debug)]
struct Outcome {
    history: Vec<Value>,
    front: Vec<Scored>,
    /// As text: NaN equals NaN.
    scores: String,
    active: Vec<Vec<u16>>,
    begun: Vec<Vec<Vec<u16>>>,
    scored: Vec<Vec<Architecture>>,
    events: Vec<(EventKind, u64, u64)>,
    calls: u64,
    errors: Vec<Error>,
}

fn finished(space: &Arc<Space>, stops: &dyn Fn(u64) -> bool) -> Outcome {
    let rest = json!({
        "active": 3, "rounds": 3, "train": { "epochs": 0.7 }, "candidates": { "count": 7, "extras": 2 },
        "fitness": { "interval": 2, "lr": 0.5, "threshold": -0.6 }
    });
    finished_with(space, rest, stops)
}

fn finished_with(space: &Arc<Space>, rest: Value, stops: &dyn Fn(u64) -> bool) -> Outcome {
    let mut search = Search::new(space.clone(), options(4, window(space, 0.1, 0.4), rest)).unwrap();
    let faults = Faults::new(stops);
    let mut trainer = Faulty { inner: Synthetic::new(space, 4), faults: &faults };
    let errors = run(&mut search, &mut trainer, &faults);
    Outcome {
        history: timeless(search.history()),
        front: search.front().to_vec(),
        scores: format!("{:?}", search.scores()),
        active: search.active(),
        begun: trainer.inner.begun,
        scored: trainer.inner.scored,
        events: faults.events.take(),
        calls: faults.calls.get(),
        errors,
    }
}

fn assert_same(outcome: &Outcome, undisturbed: &Outcome, what: &str) {
    assert_eq!(outcome.history, undisturbed.history, "{what}");
    assert_eq!(outcome.front, undisturbed.front, "{what}");
    assert_eq!(outcome.scores, undisturbed.scores, "{what}");
    assert_eq!(outcome.active, undisturbed.active, "{what}");
    assert_eq!(outcome.begun, undisturbed.begun, "{what}: every round begins once");
    assert_eq!(outcome.scored, undisturbed.scored, "{what}: nothing is scored twice, nothing is left out");
    assert_eq!(outcome.events, undisturbed.events, "{what}: every event comes once");
}

#[test]
fn stopped_once_anywhere() {
    let space = small_space();
    let undisturbed = finished(&space, &|_| false);
    assert!(undisturbed.errors.is_empty());
    let dropped =
        undisturbed.history.iter().flat_map(|r| r["dropped"].as_array().unwrap()).flat_map(|c| c.as_array().unwrap()).count();
    assert!(dropped > 0, "operators are dropped in this run");
    // Three rounds with 7 steps, 3 architecture steps and about 10 candidates in groups.
    assert!(undisturbed.calls > 3 * (1 + 2 * 7 + 3 + 2 * 2), "{} places to stop at", undisturbed.calls);
    let mut kinds = [0; 3];
    for place in 0..undisturbed.calls {
        let stopped = finished(&space, &|call| call == place);
        assert_eq!(stopped.errors.len(), 1, "the error came out");
        match stopped.errors[0] {
            Error::Cancelled => kinds[0] += 1,
            Error::Diverged { .. } => kinds[1] += 1,
            _ => kinds[2] += 1,
        }
        assert_same(&stopped, &undisturbed, &format!("stopped at {place}"));
    }
    assert!(kinds.iter().all(|count| *count > 5), "{kinds:?}");
}

/// A space that shrinks, by angles and by accuracies of which there are some hundred in a round.
#[test]
fn stopped_while_it_shrinks() {
    let space = small_space();
    for scorer in [json!("angle"), json!({ "accuracy": { "samples": 2 } })] {
        let rest = json!({
            "branches": "single", "scorer": scorer,
            "strategy": { "shrink": { "drop": { "worst": 8 }, "until": 20, "refresh": 5, "warm_up": 0.2, "ramp": { "epochs": 2 } } },
            "train": { "epochs": 0.3 }, "candidates": { "count": 7, "extras": 2 }
        });
        let undisturbed = finished_with(&space, rest.clone(), &|_| false);
        assert!(undisturbed.errors.is_empty() && undisturbed.history.len() >= 3 && !undisturbed.front.is_empty());
        for place in 0..undisturbed.calls {
            let stopped = finished_with(&space, rest.clone(), &|call| call == place);
            assert_eq!(stopped.errors.len(), 1, "the error came out");
            assert_same(&stopped, &undisturbed, &format!("{scorer} stopped at {place}"));
        }
    }
}

/// Ensembles: a space that shrinks by their accuracy and diversity, and an evolution of three generations.
#[test]
fn stopped_while_ensembles_evolve() {
    let space = small_space();
    let rest = json!({
        "branches": "single", "scorer": { "diversity": { "samples": 2 } }, "train": { "epochs": 0.3 }, "candidates": { "count": 24 },
        "strategy": { "neas": { "shrink": { "drop": { "worst": 8 }, "until": 60 }, "evolution": { "population": 8, "parents": 4 } } }
    });
    let undisturbed = finished_with(&space, rest.clone(), &|_| false);
    assert!(undisturbed.errors.is_empty() && undisturbed.history.len() >= 2 && !undisturbed.front.is_empty());
    assert!(undisturbed.front.iter().all(|s| s.architecture.paths().count() == 2));
    for place in 0..undisturbed.calls {
        let stopped = finished_with(&space, rest.clone(), &|call| call == place);
        assert_eq!(stopped.errors.len(), 1, "the error came out");
        assert_same(&stopped, &undisturbed, &format!("stopped at {place}"));
    }
}

#[test]
fn stopped_again_and_again() {
    let space = small_space();
    let undisturbed = finished(&space, &|_| false);
    for seed in 0..50 {
        // Half of all calls fail, those that try again included.
        let stopped = finished(&space, &|call| Stream::new(seed, Purpose::Split, 0, call).below(2) == 0);
        assert!(stopped.errors.len() > 30);
        assert_same(&stopped, &undisturbed, &format!("seed {seed}"));
    }
}

#[test]
fn the_error_comes_out_as_it_was() {
    let space = small_space();
    let mut search = Search::new(space.clone(), options(4, window(&space, 0.1, 0.4), json!({ "active": 3 }))).unwrap();
    // Calls: cancelled?, begin_round, cancelled?, weight_step, cancelled?, weight_step, cancelled?, architecture_step.
    for (place, expected) in
        [(0, "Cancelled"), (2, "Cancelled"), (3, "Device"), (4, "Cancelled"), (5, "Diverged"), (7, "Cancelled")]
    {
        let stops = |call| call == place;
        let faults = Faults::new(&stops);
        let mut fresh = Search::new(space.clone(), search.options().clone()).unwrap();
        let error = fresh.step(&mut Faulty { inner: Synthetic::new(&space, 4), faults: &faults }, &faults).unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{place}: {error:?}");
        if let Error::Diverged { round, step, .. } = error {
            assert_eq!((round, step), (0, 1));
        }
        assert_eq!((fresh.rounds().0, fresh.history().len()), (0, 0));
    }
    // After an error another trainer (a new process) may not be needed: the same search goes on with the same one.
    let faults = Faults::new(&|call| call < 3);
    let mut trainer = Faulty { inner: Synthetic::new(&space, 4), faults: &faults };
    assert_eq!(run(&mut search, &mut trainer, &faults).len(), 3);
    assert!(search.done());
}
