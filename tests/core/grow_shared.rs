//! Cells that grow, and share the weights of a supernet in every round: which steps train what, and that it goes on wherever it is stopped.

use crate::predictor::quality;
use crate::synthetic::{run, timeless};
use nse::arch::{Architecture, Blocks};
use nse::search::*;
use nse::space::Space;
use nse::{Error, Result};
use serde_json::{json, Value};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Steps of a round: its cells together have as many as one that is trained alone.
const STEPS: u64 = 2 * 30;

fn space() -> Arc<Space> {
    let changes = json!({ "nodes": 3, "operators": ["identity", "sep_conv_3x3", "max_pool_3x3"] });
    Arc::new(Space::preset("pnas-cifar", &changes.to_string()).unwrap())
}

fn options() -> SearchOptions {
    let grow = json!({ "beam": 4, "evaluator": "supernet", "predictor": { "mlp": { "members": 2, "epochs": 20 } } });
    let text =
        json!({ "objective": { "low": 0, "high": 1e12 }, "train": { "epochs": 2 }, "seed": 5, "strategy": { "grow": grow } });
    SearchOptions::from_json(&text.to_string()).unwrap()
}

fn begin() -> Search {
    Search::new(space(), options()).unwrap()
}

/// A supernet without weights: what has some, how many steps it took, and which cells they trained.
struct Supernet {
    space: Arc<Space>,
    active: Vec<Vec<u16>>,
    at: Option<(u64, u64)>,
    trained: Vec<(u64, Vec<Vec<u16>>)>,
    scored: Vec<(u64, Architecture)>,
    diverges: bool,
}

impl Supernet {
    fn new() -> Self {
        Supernet { space: space(), active: Vec::new(), at: None, trained: Vec::new(), scored: Vec::new(), diverges: false }
    }

    fn has(&self, cell: &[Vec<u16>]) -> bool {
        cell.len() == self.active.len()
            && cell.iter().zip(&self.active).all(|(side, active)| matches!(side[..], [operator] if active.contains(&operator)))
    }
}

impl Trainer for Supernet {
    fn steps_per_epoch(&self) -> u64 {
        STEPS / 2
    }

    fn steps_per_candidate(&self) -> f64 {
        1.0
    }

    fn group(&self) -> usize {
        3
    }

    fn enter(&mut self, space: &Arc<Space>) -> Result<()> {
        self.space = space.clone();
        Ok(())
    }

    fn begin_round(&mut self, _: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        assert_eq!(
            (active.len() as u64, self.space.cells().len()),
            (2 * round + 2, active.len()),
            "of the space that was entered"
        );
        (self.active, self.at) = (active.to_vec(), Some((round, 0)));
        Ok(())
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        assert_eq!(self.at, Some((at.round, at.step)), "every step once, in order");
        assert!(lr > 0.0 && self.has(open), "{open:?}");
        if self.diverges {
            return Err(Error::Diverged { loss: f64::NAN, round: at.round + 1, step: at.step + 1 });
        }
        self.at = Some((at.round, at.step + 1));
        self.trained.push((at.round, open.to_vec()));
        Ok(StepOutcome { loss: 1.0, correct: 1, images: 2 })
    }

    fn architecture_step(&mut self, _: At, _: &[Vec<u16>], _: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        panic!("nothing learns but weights")
    }

    fn save(&self, active: &[Vec<u16>]) -> Result<Arrays> {
        assert_eq!(active, &self.active[..]);
        let at = self.at.unwrap();
        Ok([("at".to_owned(), Array { shape: vec![2], values: vec![at.0 as f32, at.1 as f32] })].into())
    }

    fn restore(&mut self, _: u64, round: u64, active: &[Vec<u16>], arrays: &Arrays) -> Result<()> {
        assert_eq!(arrays["at"].values[0], round as f32);
        (self.active, self.at) = (active.to_vec(), Some((round, arrays["at"].values[1] as u64)));
        Ok(())
    }

    fn data(&self) -> String {
        "shared".into()
    }

    fn score(&mut self, _: u64, round: u64, candidates: &[Architecture], _: &dyn Control) -> Result<Vec<f64>> {
        assert_eq!(self.at, Some((round, STEPS)), "after all steps of the round");
        assert!(candidates.iter().all(|cell| self.has(cell.cells())));
        self.scored.extend(candidates.iter().map(|cell| (round, cell.clone())));
        Ok(candidates.iter().map(|cell| quality(&Blocks::of(&self.space, cell).unwrap())).collect())
    }

    fn keep(&mut self, _: &[Vec<u16>]) -> Result<()> {
        panic!("weights are fresh in every round")
    }

    fn remember(&mut self) -> Result<()> {
        panic!("nothing is compared")
    }

    fn compare(&self, _: &[Vec<u16>]) -> Result<Comparison> {
        panic!("nothing is compared")
    }
}

/// Stops after so many events.
struct Watch {
    events: Cell<u64>,
    every: u64,
    seen: RefCell<Vec<Event>>,
}

impl Watch {
    fn new(every: u64) -> Self {
        Watch { events: Cell::new(0), every, seen: RefCell::default() }
    }
}

impl Control for Watch {
    fn cancelled(&self) -> bool {
        let stops = self.every > 0 && self.events.get() % self.every == self.every - 1;
        self.events.set(self.events.get() + u64::from(stops));
        stops
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event, _: &Search) {
        self.events.set(self.events.get() + 1);
        self.seen.borrow_mut().push(*event);
    }
}

#[test]
fn each_step_trains_a_cell_of_the_round_and_all_are_scored() {
    let (mut search, mut trainer, watch) = (begin(), Supernet::new(), Watch::new(0));
    assert!(run(&mut search, &mut trainer, &watch).is_empty());
    let of = |round: u64| {
        trainer.scored.iter().filter(move |(of, _)| *of == round).map(|(_, cell)| cell.clone()).collect::<BTreeSet<_>>()
    };
    assert_eq!([0, 1, 2].map(|round| of(round).len()), [21, 4, 4]);
    assert_eq!((trainer.scored.len(), search.scored().len()), (29, 29), "none twice");
    for round in 0..3 {
        let steps: Vec<_> = trainer.trained.iter().filter(|(of, _)| *of == round).map(|(_, cell)| cell.clone()).collect();
        let (cells, trained) = (of(round), steps.iter().cloned().collect::<BTreeSet<_>>());
        assert_eq!(steps.len() as u64, STEPS);
        assert!(trained.iter().all(|cell| cells.iter().any(|other| other.cells() == cell)), "nothing but cells of the round");
        // 60 draws of 21: about 20 of them come; of four, all.
        assert!(trained.len() > 15 || round > 0 && trained.len() == 4, "{}", trained.len());
    }
    // What has weights is what the cells of the last round have, side by side.
    for (side, active) in trainer.active.iter().enumerate() {
        let used: BTreeSet<u16> = of(2).iter().map(|cell| cell.cells()[side][0]).collect();
        assert_eq!(used.into_iter().collect::<Vec<_>>(), *active);
    }
    let records = timeless(search.history());
    let count = |record: &Value| record["candidates"].as_array().unwrap().len();
    assert_eq!(records.iter().map(count).collect::<Vec<_>>(), [21, 4, 4]);
    assert!(records[1]["foretold"]["before"].is_number() && records[2]["foretold"]["before"].is_number());
    // Progress counts the steps of a round, and then its cells.
    let seen = watch.seen.borrow();
    let of_first = |kind: EventKind| seen.iter().filter(move |event| event.kind == kind && event.round == 1);
    assert!(of_first(EventKind::Train).map(|event| (event.step, event.steps)).eq((1..=STEPS).map(|step| (step, STEPS))));
    assert!(of_first(EventKind::Score).map(|event| (event.step, event.steps)).eq((1..=7).map(|group| (3 * group, 21))));
    assert_eq!(seen.iter().filter(|event| event.kind == EventKind::Finish).count(), 3);
    assert_eq!([begin().work(0, 30), begin().work(2, 30)], [(60, 0, 21), (60, 0, 4)]);
}

/// Cancelled everywhere, and saved and loaded at every cancel: the same steps and the same results.
#[test]
fn it_goes_on_wherever_it_was() {
    let (mut whole, mut trainer) = (begin(), Supernet::new());
    run(&mut whole, &mut trainer, &Silent);
    for every in [2, 3, 7, 40] {
        let (mut search, mut other, watch) = (begin(), Supernet::new(), Watch::new(every));
        let (mut trained, mut scored, mut cancels) = (Vec::new(), Vec::new(), 0);
        loop {
            match search.step(&mut other, &watch) {
                Ok(Status::Done) => break,
                Ok(Status::Round) => continue,
                Err(Error::Cancelled) => cancels += 1,
                Err(error) => panic!("{error}"),
            }
            let state: Value = serde_json::from_str(&search.state().to_string()).unwrap();
            let arrays = search.under_way().map(|(round, active)| (round, other.save(&active).unwrap(), active));
            search = Search::restore(space(), options(), None, state).unwrap();
            let before = std::mem::replace(&mut other, Supernet::new());
            trained.extend(before.trained);
            scored.extend(before.scored);
            if let Some((round, arrays, active)) = arrays {
                other.enter(search.trained_space()).unwrap();
                other.restore(5, round, &active, &arrays).unwrap();
            }
        }
        trained.extend(other.trained);
        scored.extend(other.scored);
        assert!(cancels > 3, "{every}: {cancels}");
        assert!(trained == trainer.trained && scored == trainer.scored, "{every}");
        assert_eq!(timeless(search.history()), timeless(whole.history()), "{every}");
        assert_eq!(search.front(), whole.front());
    }
}

#[test]
fn what_cannot_be_is_said() {
    // All cells share the weights whose loss is no number.
    let (mut search, mut trainer) = (begin(), Supernet { diverges: true, ..Supernet::new() });
    assert!(matches!(search.step(&mut trainer, &Silent), Err(Error::Diverged { round: 1, step: 1, .. })));
    // Nobody is asked to evaluate with a supernet that the host does not have.
    let told = Search::start(space(), options(), Start { drive: Drive::Told, ..Start::default() });
    let error = told.err().unwrap().to_string();
    assert!(error.contains("/strategy/grow/evaluator") && error.contains("has no supernet"), "{error}");
    // A state that lies.
    let (mut search, mut trainer) = (begin(), Supernet::new());
    assert_eq!(search.step(&mut trainer, &Silent).unwrap(), Status::Round);
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut state = search.state();
        change(&mut state);
        Search::restore(space(), options(), None, state).err().unwrap().to_string()
    };
    assert!(
        refused(&|state| state["growth"]["before"] = json!(20)).contains("21 results, 20 of them old"),
        "one of four at once"
    );
    for count in [0, 1] {
        let some = |state: &mut Value| {
            let cells = json!(state["growth"]["cells"].as_array().unwrap()[..count].to_vec());
            state["phase"] = json!({ "Score": { "candidates": cells, "main": count, "accuracies": [] } });
        };
        assert!(refused(&some).contains("another cell is scored"), "{count}");
    }
}
