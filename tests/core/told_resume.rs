//! A search that is told goes on from a file as if nothing had been, is saved as often as it should, and refuses a state that lies.

use crate::synthetic::{small_space, Synthetic};
use crate::told::{finish, middle, one, state};
use nse::arch::Architecture;
use nse::checkpoint::{self, Expected, Keeper};
use nse::search::{json_lines, CheckpointOptions, Drive, Effect, Elsewhere, Outcome, RoundRecord, Search};
use serde_json::{json, Value};

/// Killed after any tell: what the file does not know is told again, and everything ends the same.
#[test]
fn a_file_goes_on_as_if_nothing_had_been() {
    let space = small_space();
    let world = Synthetic::new(&space, 13);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("told.nse");
    let outcome = |a: &Architecture| Outcome::accuracy(world.accuracy(a.cells()));
    let mut whole = middle(&space, 13, 12);
    let asked = finish(&mut whole, &world, 4);
    for cut in [0, 1, 5, 12, 13, 30] {
        let mut search = middle(&space, 13, 12);
        let mut done = Vec::new();
        while done.len() < cut {
            let (given, _) = search.ask(4).unwrap();
            for architecture in &given {
                if done.len() == cut {
                    checkpoint::save(&path, &search, &Elsewhere).unwrap();
                }
                search.tell(architecture, outcome(architecture)).unwrap();
                done.push(architecture.clone());
            }
        }
        if done.len() == cut {
            checkpoint::save(&path, &search, &Elsewhere).unwrap();
        }
        drop(search);
        let mut search = checkpoint::load(&path, &Expected::default()).unwrap().resume(&mut Elsewhere).unwrap();
        assert_eq!(search.drive(), Drive::Told);
        // The platform knows what it had begun, and tells all that again.
        let effects: Vec<_> = done.iter().map(|a| search.tell(a, outcome(a)).unwrap()).collect();
        assert!(effects.iter().enumerate().all(|(i, e)| *e == if i < cut { Effect::Repeated } else { Effect::Counted }));
        let rest = finish(&mut search, &world, 4);
        assert_eq!([done, rest].concat(), asked, "cut after {cut}");
        assert_eq!(state(&search), state(&whole));
    }
}

/// What no step has told is NaN, which JSON has no number for.
#[test]
fn what_is_not_known_comes_back_as_unknown() {
    let space = small_space();
    let mut search = middle(&space, 14, 12);
    finish(&mut search, &Synthetic::new(&space, 14), 4);
    let mut state = search.state();
    for pointer in ["/history/0/loss", "/history/0/accuracy", "/meter/loss/sum", "/meter/accuracy/sum"] {
        *state.pointer_mut(pointer).unwrap() = json!(f64::NAN);
    }
    assert!(state["history"][0]["loss"].is_null());
    let again = Search::restore(space.clone(), search.options().clone(), None, state.clone()).unwrap();
    assert!(again.history()[0].loss.is_nan() && again.history()[0].accuracy.is_nan());
    assert_eq!(again.state(), state);
    let line = json_lines(again.history());
    let record: RoundRecord = serde_json::from_str(line.lines().next().unwrap()).unwrap();
    assert!(record.loss.is_nan() && record.front.len() == search.history()[0].front.len());
}

#[test]
fn the_keeper_saves_every_so_many_results() {
    let space = small_space();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("told.nse");
    let keeper = Keeper::new(CheckpointOptions { path: path.clone(), steps: Some(3), seconds: None });
    let mut search = middle(&space, 14, 7);
    let mut saved = Vec::new();
    for i in 1..=14 {
        let architecture = one(&mut search);
        search.tell(&architecture, Outcome::accuracy(0.5)).unwrap();
        keeper.keep(&search, &Elsewhere).unwrap();
        if path.exists() {
            saved.push(i);
            std::fs::remove_file(&path).unwrap();
        }
    }
    assert_eq!(saved, [3, 6, 7, 10, 13, 14], "every three, and at the end of a round");
}

#[test]
fn a_state_that_lies_is_refused() {
    let space = small_space();
    let mut search = middle(&space, 15, 10);
    let (given, _) = search.ask(3).unwrap();
    search.tell(&given[0], Outcome::accuracy(0.5)).unwrap();
    let good = search.state();
    let restore = |state: Value| Search::restore(space.clone(), search.options().clone(), None, state);
    assert!(restore(good.clone()).is_ok());
    let change = |pointer: &str, value: Value| {
        let mut state = good.clone();
        *state.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} of {good}")) = value;
        restore(state)
    };
    assert!(change("/told", Value::Null).is_err(), "no ledger");
    assert!(change("/phase", json!("Begin")).is_err(), "a phase of a search that trains");
    assert!(change("/told/entries/0/0", json!([[99], [0], []])).is_err(), "no architecture of the space");
    assert!(change("/told/entries/0/1/round", json!(7)).is_err(), "asked in the future");
    assert!(change("/told/first", json!([[[0]]])).is_err());
    assert!(change("/phase/Ask/told", json!([[[], [99], []]])).is_err());
    // What the ledger does not have is not told.
    assert!(change("/phase/Ask/told", json!([[[], [0], []]])).unwrap().ask(2).is_ok());
}
