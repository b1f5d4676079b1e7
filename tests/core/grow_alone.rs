//! Cells that grow, in a search that trains them by itself: one after the other, each alone, wherever it is stopped.

use crate::predictor::quality;
use crate::synthetic::{run, timeless};
use nse::arch::{Architecture, Blocks};
use nse::search::*;
use nse::space::Space;
use nse::{Error, Result};
use serde_json::{json, Value};
use std::cell::Cell;
use std::sync::Arc;

fn space() -> Arc<Space> {
    let changes = json!({ "nodes": 3, "operators": ["identity", "sep_conv_3x3", "max_pool_3x3"] });
    Arc::new(Space::preset("pnas-cifar", &changes.to_string()).unwrap())
}

fn begin() -> Search {
    let text = json!({ "objective": { "low": 0, "high": 1e12 }, "train": { "epochs": 2 }, "seed": 5,
        "strategy": { "grow": { "beam": 4, "predictor": { "mlp": { "members": 2, "epochs": 20 } } } } });
    Search::new(space(), SearchOptions::from_json(&text.to_string()).unwrap()).unwrap()
}

/// Has no weights, and knows how good a cell is. Its state is where it is.
struct Alone {
    space: Arc<Space>,
    active: Vec<Vec<u16>>,
    at: Option<(u64, u64)>,
    trained: Vec<Vec<Vec<u16>>>,
    /// A side whose cells cannot be trained.
    bad: Option<u16>,
}

impl Alone {
    fn new() -> Self {
        Alone { space: space(), active: Vec::new(), at: None, trained: Vec::new(), bad: None }
    }
}

impl Trainer for Alone {
    fn steps_per_epoch(&self) -> u64 {
        3
    }

    fn steps_per_candidate(&self) -> f64 {
        1.0
    }

    fn enter(&mut self, space: &Arc<Space>) -> Result<()> {
        self.space = space.clone();
        Ok(())
    }

    fn begin_round(&mut self, _: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        assert!(Architecture::new(&self.space, active.to_vec()).is_ok(), "of the space that was entered");
        (self.active, self.at) = (active.to_vec(), Some((round, 0)));
        self.trained.push(active.to_vec());
        Ok(())
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        assert_eq!(
            (self.at, open),
            (Some((at.round, at.step)), &self.active[..]),
            "every step once, in order, of the whole cell"
        );
        assert!(lr > 0.0);
        if at.step == 2 && open.iter().flatten().any(|side| Some(*side) == self.bad) {
            return Err(Error::Diverged { loss: f64::NAN, round: at.round + 1, step: at.step + 1 });
        }
        self.at = Some((at.round, at.step + 1));
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
        assert!(Architecture::new(&self.space, active.to_vec()).is_ok());
        (self.active, self.at) = (active.to_vec(), Some((round, arrays["at"].values[1] as u64)));
        Ok(())
    }

    fn data(&self) -> String {
        "alone".into()
    }

    fn score(&mut self, _: u64, round: u64, candidates: &[Architecture], _: &dyn Control) -> Result<Vec<f64>> {
        assert_eq!(self.at, Some((round, 6)), "after all of its steps");
        assert!(candidates.len() == 1 && candidates[0].cells() == &self.active[..]);
        Ok(vec![quality(&Blocks::of(&self.space, &candidates[0]).unwrap())])
    }

    fn keep(&mut self, _: &[Vec<u16>]) -> Result<()> {
        panic!("nothing goes on")
    }

    fn remember(&mut self) -> Result<()> {
        panic!("nothing is compared")
    }

    fn compare(&self, _: &[Vec<u16>]) -> Result<Comparison> {
        panic!("nothing is compared")
    }
}

/// Stops after so many events, and counts.
struct Watch {
    events: Cell<u64>,
    every: u64,
    seen: std::cell::RefCell<Vec<Event>>,
}

impl Watch {
    fn new(every: u64) -> Self {
        Watch { events: Cell::new(0), every, seen: Default::default() }
    }
}

impl Control for Watch {
    fn cancelled(&self) -> bool {
        self.every > 0 && self.events.get() % self.every == self.every - 1 && {
            self.events.set(self.events.get() + 1);
            true
        }
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event, _: &Search) {
        self.events.set(self.events.get() + 1);
        self.seen.borrow_mut().push(*event);
    }
}

#[test]
fn every_cell_is_trained_alone() {
    let (mut search, mut trainer, watch) = (begin(), Alone::new(), Watch::new(0));
    assert!(run(&mut search, &mut trainer, &watch).is_empty());
    // 21 cells of one block of three operators, then four, and four.
    let sizes: Vec<_> = trainer.trained.iter().map(|cell| cell.len() / 2).collect();
    assert_eq!(sizes, [vec![1; 21], vec![2; 4], vec![3; 4]].concat());
    assert_eq!(search.rounds(), (3, 3));
    let records = timeless(search.history());
    let count = |record: &Value| record["candidates"].as_array().unwrap().len();
    assert_eq!(records.iter().map(count).collect::<Vec<_>>(), [21, 4, 4]);
    assert_eq!(search.scored().len(), 29);
    let best = search.front().iter().map(|scored| scored.accuracy).fold(0.0, f64::max);
    assert_eq!(best, search.scored().iter().map(|scored| scored.accuracy).fold(0.0, f64::max));
    // Progress counts the steps of all cells of a round.
    let seen = watch.seen.borrow();
    let of_first = |kind: EventKind| seen.iter().filter(move |event| event.kind == kind && event.round == 1);
    assert!(of_first(EventKind::Train).map(|event| (event.step, event.steps)).eq((1..=126).map(|step| (step, 126))));
    assert!(of_first(EventKind::Score).map(|event| (event.step, event.steps)).eq((1..=21).map(|cell| (cell, 21))));
    assert_eq!(seen.iter().filter(|event| event.kind == EventKind::Finish).count(), 3);
    assert_eq!(begin().work(0, 3), (126, 0, 21));
    assert_eq!(begin().work(2, 3), (24, 0, 4));
}

/// Cancelled everywhere, and saved and loaded at every cancel: the same trainings and the same results.
#[test]
fn it_goes_on_wherever_it_was() {
    let (mut whole, mut trainer) = (begin(), Alone::new());
    run(&mut whole, &mut trainer, &Silent);
    for every in [2, 3, 7, 40] {
        let (mut search, mut other, watch) = (begin(), Alone::new(), Watch::new(every));
        let mut trained = Vec::new();
        let mut cancels = 0;
        loop {
            match search.step(&mut other, &watch) {
                Ok(Status::Done) => break,
                Ok(Status::Round) => continue,
                Err(Error::Cancelled) => cancels += 1,
                Err(error) => panic!("{error}"),
            }
            trained.append(&mut other.trained);
            let state: Value = serde_json::from_str(&search.state().to_string()).unwrap();
            let arrays = search.under_way().map(|(round, active)| (round, other.save(&active).unwrap(), active));
            search = Search::restore(space(), search.options().clone(), None, state).unwrap();
            other = Alone::new();
            if let Some((round, arrays, active)) = arrays {
                other.enter(search.trained_space()).unwrap();
                other.restore(5, round, &active, &arrays).unwrap();
            }
        }
        trained.append(&mut other.trained);
        assert!(cancels > 3, "{every}: {cancels}");
        assert_eq!(trained, trainer.trained, "{every}");
        assert_eq!(timeless(search.history()), timeless(whole.history()), "{every}");
        assert_eq!(search.front(), whole.front());
    }
}

/// A cell whose loss is no number is trained no further, is on no front, and nothing grows from it.
#[test]
fn a_cell_that_diverges_stops_nothing() {
    // The best operator of the cell before.
    let (mut search, mut trainer) = (begin(), Alone { bad: Some(4), ..Alone::new() });
    assert!(run(&mut search, &mut trainer, &Silent).is_empty());
    let bad = |cells: &[Vec<u16>]| cells.iter().flatten().any(|side| *side == 4);
    assert_eq!(trainer.trained.iter().filter(|cell| bad(cell) && cell.len() == 2).count(), 6);
    let parents_of = |cell: &[Vec<u16>]| bad(&cell[..cell.len() - 2]);
    assert!(trainer.trained.iter().filter(|cell| cell.len() > 2).all(|cell| !parents_of(cell)));
    assert!(search.done() && search.scored().iter().chain(search.front()).all(|scored| !bad(scored.architecture.cells())));
}

#[test]
fn a_state_that_lies_is_refused() {
    let (mut search, mut trainer) = (begin(), Alone::new());
    assert_eq!(search.step(&mut trainer, &Silent).unwrap(), Status::Round);
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut state = search.state();
        change(&mut state);
        Search::restore(space(), search.options().clone(), None, state).err().unwrap().to_string()
    };
    assert!(refused(&|state| state["round"] = json!(0)).contains("in round Some(1)"), "cells of two blocks");
    let other = json!({ "Score": { "candidates": [[[0], [0]]], "main": 1, "accuracies": [0.5] } });
    assert!(refused(&|state| state["phase"] = other.clone()).contains("another cell is scored"));
    let none = json!({ "Score": { "candidates": [], "main": 0, "accuracies": [] } });
    assert!(refused(&|state| state["phase"] = none.clone()).contains("another cell is scored"));
    for other in [json!("Sample"), json!({ "Weigh": { "children": null, "accuracies": [] } })] {
        assert!(refused(&|state| state["phase"] = other.clone()).contains("another cell is scored"), "{other}");
    }
    assert!(refused(&|state| state["growth"]["before"] = json!(17)).contains("21 results, 17 of them old, of 4 cells"));
}
