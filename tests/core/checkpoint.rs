//! A search that is saved anywhere, read back by a fresh process and finished ends as if nothing had happened; what does not fit
//! is refused.

use crate::synthetic::{options, run, small_space, timeless, window, Synthetic};
use nse::arch::Architecture;
use nse::checkpoint::{file, load, save, Expected, Keeper};
use nse::cost::{latency_keys, LatencyTable};
use nse::search::*;
use nse::space::Space;
use nse::{Error, Result};
use serde_json::{json, Value};
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::sync::Arc;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("search.nse")
    }
}

fn begun(space: &Arc<Space>) -> (Search, Synthetic) {
    let rest = json!({
        "active": 3, "rounds": 3, "train": { "epochs": 0.7 }, "candidates": { "count": 7, "extras": 2 },
        "fitness": { "interval": 2, "lr": 0.5, "threshold": -0.6, "strict_prev": true }
    });
    (Search::new(space.clone(), options(4, window(space, 0.1, 0.4), rest)).unwrap(), Synthetic::new(space, 4))
}

/// All that a search tells.
fn told(search: &Search) -> (Vec<Value>, Vec<Scored>, String, Vec<Vec<u16>>) {
    // As text: NaN equals NaN.
    (timeless(search.history()), search.front().to_vec(), format!("{:?}", search.scores()), search.active())
}

/// Cancels after so many pieces of work.
struct After(Cell<u64>);

impl Control for After {
    fn cancelled(&self) -> bool {
        self.0.get() == 0
    }
}

impl Observer for After {
    fn event(&self, _: &Event, _: &Search) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

#[test]
fn saved_anywhere_and_finished_elsewhere() {
    let (space, folder) = (small_space(), Folder::new());
    let (mut undisturbed, mut trainer) = begun(&space);
    run(&mut undisturbed, &mut trainer, &Silent);
    let mut pieces = 0;
    loop {
        let (mut search, mut trainer) = begun(&space);
        let after = After(Cell::new(pieces));
        let mut result = Ok(Status::Round);
        while matches!(result, Ok(Status::Round)) && after.0.get() > 0 {
            result = search.step(&mut trainer, &after);
        }
        save(&folder.file(), &search, &trainer).unwrap();
        let before = told(&search);
        let mut fresh = Synthetic::new(&space, 4);
        let mut search = load(&folder.file(), &Expected::default()).unwrap().resume(&mut fresh).unwrap();
        assert_eq!(told(&search), before, "{pieces} pieces of work");
        run(&mut search, &mut fresh, &Silent);
        assert_eq!(told(&search), told(&undisturbed), "{pieces} pieces of work");
        if matches!(result, Ok(Status::Done)) {
            break;
        }
        pieces += 1;
    }
    assert!(pieces > 3 * (7 + 2), "only {pieces} pieces of work");
}

/// Saves at every chance, as a run with a checkpoint does.
struct Keeping {
    keeper: Keeper,
    stop: After,
    kept: RefCell<Vec<bool>>,
    path: PathBuf,
}

impl Keeping {
    fn new(options: CheckpointOptions, stop: u64) -> Self {
        let path = options.path.clone();
        Keeping { keeper: Keeper::new(options), stop: After(Cell::new(stop)), kept: RefCell::default(), path }
    }
}

impl Control for Keeping {
    fn cancelled(&self) -> bool {
        self.stop.cancelled()
    }
}

impl Observer for Keeping {
    fn event(&self, event: &Event, search: &Search) {
        self.stop.event(event, search);
    }

    fn keep(&self, search: &Search, trainer: &dyn Trainer) -> Result<()> {
        let _ = std::fs::remove_file(&self.path);
        let result = self.keeper.keep(search, trainer);
        self.kept.borrow_mut().push(self.path.exists());
        result
    }
}

fn every(path: PathBuf, steps: Option<u64>, seconds: Option<f64>) -> CheckpointOptions {
    CheckpointOptions { path, steps, seconds }
}

#[test]
fn a_keeper_saves_every_so_many_pieces_and_at_the_end_of_a_round() {
    let (space, folder) = (small_space(), Folder::new());
    let pattern = |steps, seconds| {
        let (mut search, mut trainer) = begun(&space);
        let keeping = Keeping::new(every(folder.file(), steps, seconds), u64::MAX);
        search.step(&mut trainer, &keeping).unwrap();
        keeping.kept.take()
    };
    // 7 steps, then groups of candidates, then the end of the round.
    let kept = pattern(Some(3), None);
    assert!(kept.len() > 7 + 2);
    let expected: Vec<bool> = (1..=kept.len()).map(|piece| piece % 3 == 0 || piece == kept.len()).collect();
    assert_eq!(kept, expected);
    assert!(pattern(Some(1), None).iter().all(|kept| *kept));
    assert!(pattern(None, Some(0.0)).iter().all(|kept| *kept));
    for rarely in [pattern(Some(1_000_000), None), pattern(None, Some(1e9)), pattern(None, None)] {
        assert_eq!(rarely.iter().filter(|kept| **kept).count(), 1, "only at the end of the round");
        assert!(rarely[rarely.len() - 1]);
    }
}

#[test]
fn a_save_that_fails_ends_the_step_and_loses_nothing() {
    let (space, folder) = (small_space(), Folder::new());
    let (mut undisturbed, mut trainer) = begun(&space);
    run(&mut undisturbed, &mut trainer, &Silent);
    let nowhere = folder.0.path().join("missing").join("search.nse");
    let (mut search, mut trainer) = begun(&space);
    let keeping = Keeping::new(every(nowhere.clone(), Some(4), None), u64::MAX);
    let errors = run(&mut search, &mut trainer, &keeping);
    assert!(errors.len() > 3);
    assert!(errors.iter().all(|error| matches!(error, Error::Io { path, .. } if *path == nowhere)));
    assert_eq!(told(&search), told(&undisturbed));
}

fn saved(folder: &Folder, space: &Arc<Space>) -> (Search, String, Arrays) {
    let (mut search, mut trainer) = begun(space);
    assert!(matches!(search.step(&mut trainer, &After(Cell::new(5))), Err(Error::Cancelled)));
    save(&folder.file(), &search, &trainer).unwrap();
    let (head, body) = file::read(&folder.file()).unwrap();
    (search, head, body)
}

fn refusal(folder: &Folder, expected: &Expected) -> String {
    match load(&folder.file(), expected).err() {
        Some(Error::Format { path, reason }) => {
            assert_eq!(path, folder.file());
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_space_is_refused() {
    let (space, folder) = (small_space(), Folder::new());
    saved(&folder, &space);
    let same = Expected { space: Some(&space), ..Expected::default() };
    assert!(load(&folder.file(), &same).is_ok());
    let other = Space::preset("nse-27-small", "{}").unwrap();
    let reason = refusal(&folder, &Expected { space: Some(&other), ..Expected::default() });
    assert_eq!(reason, "made for the space \"chain\", which is not the space \"nse-27-small\" that is given");
}

#[test]
fn other_images_are_refused() {
    let (space, folder) = (small_space(), Folder::new());
    saved(&folder, &space);
    let checkpoint = load(&folder.file(), &Expected::default()).unwrap();
    match checkpoint.resume(&mut Synthetic::new(&space, 5)).err() {
        Some(Error::Format { reason, .. }) => assert_eq!(reason, "made with other images than those that are given"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn options_may_differ_only_where_they_change_no_result() {
    let (space, folder) = (small_space(), Folder::new());
    let (search, ..) = saved(&folder, &space);
    let given = |pointer: &str, value: Value| {
        let mut options = serde_json::to_value(search.options()).unwrap();
        *options.pointer_mut(pointer).unwrap() = value;
        let text = options.to_string();
        load(&folder.file(), &Expected { options: Some(&text), ..Expected::default() })
    };
    let options = |pointer: &str, value: Value| given(pointer, value).unwrap().search().options().clone();
    assert_eq!(&options("/seed", json!(4)), search.options(), "the same");
    assert_eq!(options("/threads", json!(2)).threads, Some(2));
    assert_eq!(options("/device", json!("cuda:1")).device, "cuda:1");
    assert_eq!(options("/checkpoint", json!({ "path": "x" })).checkpoint, Some(every("x".into(), None, None)));
    for (pointer, value, reason) in [
        ("/seed", json!(5), "5, but the search in the checkpoint has 4"),
        ("/train/epochs", json!(0.8), "0.8, but the search in the checkpoint has 0.7"),
        ("/branches", json!("single"), "\"single\", but the search in the checkpoint has \"multi\""),
        ("/rounds", json!(null), "null, but the search in the checkpoint has 3"),
    ] {
        match given(pointer, value).err() {
            Some(Error::Config { document: "search options", pointer: at, reason: why }) => {
                assert_eq!((at.as_str(), why.as_str()), (pointer, reason));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A table with a made-up time for everything in the space.
fn latencies(space: &Space, factor: f64) -> LatencyTable {
    let mut table = LatencyTable::new("ms").unwrap();
    for (i, key) in latency_keys(space).into_iter().enumerate() {
        table.set(key, factor * (1.0 + i as f64 * 0.37)).unwrap();
    }
    table
}

#[test]
fn latencies_travel_along() {
    let (space, folder) = (small_space(), Folder::new());
    let table = Arc::new(latencies(&space, 1.0));
    let text = json!({ "active": 3, "rounds": 1, "train": { "epochs": 0.2 }, "candidates": { "count": 3, "too_few": "accept" },
                       "objective": { "cost": "latency", "low": 10, "high": 1e4, "target": 100 } });
    let options = SearchOptions::from_json(&text.to_string()).unwrap();
    let start = Start { latency: Some(table.clone()), ..Start::default() };
    let search = Search::start(space.clone(), options, start).unwrap();
    save(&folder.file(), &search, &Synthetic::new(&space, 4)).unwrap();
    let checkpoint = load(&folder.file(), &Expected { latency: Some(&table), ..Expected::default() }).unwrap();
    assert_eq!(checkpoint.search().latency(), Some(&table));
    let reason = refusal(&folder, &Expected { latency: Some(&latencies(&space, 2.0)), ..Expected::default() });
    assert_eq!(reason, "made with other latencies than those that are given");
}

#[test]
fn what_is_no_checkpoint_of_a_search_is_refused() {
    let (space, folder) = (small_space(), Folder::new());
    let (_, head, body) = saved(&folder, &space);
    let head: Value = serde_json::from_str(&head).unwrap();
    let with = |key: &str, value: Value| {
        let mut head = head.clone();
        head[key] = value;
        file::write(&folder.file(), &head.to_string(), &body).unwrap();
        refusal(&folder, &Expected::default())
    };
    assert_eq!(with("form", json!(null)), "not the checkpoint of a search");
    assert_eq!(with("form", json!(2)), "a checkpoint of form 2, this library reads 1");
    assert_eq!(with("form", json!(0)), "a checkpoint of form 0, this library reads 1");
    assert!(with("space", json!("{}")).starts_with("the space: "));
    assert!(with("options", json!({})).starts_with("the head: missing field"));
    assert!(with("latency", json!("{")).starts_with("the latencies: "));
    assert!(with("search", json!({})).starts_with("the state: "));
    file::write(&folder.file(), "no JSON", &body).unwrap();
    assert!(refusal(&folder, &Expected::default()).starts_with("the head is no JSON"));
    std::fs::write(folder.file(), "a text").unwrap();
    refusal(&folder, &Expected::default());
    std::fs::remove_file(folder.file()).unwrap();
    assert!(matches!(load(&folder.file(), &Expected::default()), Err(Error::Io { .. })));
}

#[test]
fn other_weights_are_refused() {
    let (space, folder) = (small_space(), Folder::new());
    let (_, head, _) = saved(&folder, &space);
    file::write(&folder.file(), &head, &Arrays::new()).unwrap();
    let checkpoint = load(&folder.file(), &Expected::default()).unwrap();
    match checkpoint.resume(&mut Synthetic::new(&space, 4)).err() {
        Some(Error::Format { reason, .. }) => assert_eq!(reason, "the weights: not those of a synthetic trainer"),
        other => panic!("{other:?}"),
    }
}

/// Every number of the state replaced by others: what is believed never panics, at once or later.
#[test]
fn a_state_that_lies_is_refused_or_harmless() {
    let (space, folder) = (small_space(), Folder::new());
    let (search, ..) = saved(&folder, &space);
    let (mut scoring, mut trainer) = begun(&space);
    assert!(matches!(scoring.step(&mut trainer, &After(Cell::new(8))), Err(Error::Cancelled)));
    let (mut refused, mut believed) = (0, 0);
    for state in [search.state(), scoring.state()] {
        let mut places = Vec::new();
        numbers(&state, String::new(), &mut places);
        assert!(places.len() > 60);
        for place in places {
            for lie in [json!(7), json!(65_535), json!(0), json!(-1), json!([]), json!(null)] {
                let mut state = state.clone();
                *state.pointer_mut(&place).unwrap() = lie;
                match Search::restore(space.clone(), search.options().clone(), None, state) {
                    Err(_) => refused += 1,
                    Ok(search) => {
                        let _ = (told(&search), search.rounds());
                        believed += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 500 && believed > 100, "{refused} refused, {believed} believed");
}

fn numbers(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Number(_) => places.push(at),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| numbers(item, format!("{at}/{i}"), places)),
        Value::Object(fields) => fields.iter().for_each(|(key, field)| numbers(field, format!("{at}/{key}"), places)),
        _ => {}
    }
}

#[test]
fn rounds_that_cannot_be_are_refused() {
    let space = small_space();
    let (search, _) = begun(&space);
    for (rounds, round) in [(0u64, 0u64), (3, 3), (3, 4), (10_001, 0), (1 << 63, 0)] {
        let mut state = search.state();
        state["rounds"] = rounds.into();
        state["round"] = round.into();
        let result = Search::restore(space.clone(), search.options().clone(), None, state);
        assert!(
            matches!(result, Err(Error::Config { reason, .. }) if reason == format!("of another space: round {round} of {rounds}"))
        );
    }
}

/// The state holds architectures as plain lists; they are held against the space.
#[test]
fn an_architecture_of_a_state_must_be_one_of_the_space() {
    let space = small_space();
    let (mut search, mut trainer) = begun(&space);
    search.step(&mut trainer, &Silent).unwrap();
    let mut state = search.state();
    let member = state["front"][0]["architecture"].as_array().unwrap().clone();
    assert_eq!(
        Architecture::new(&space, serde_json::from_value(json!(member)).unwrap()).unwrap(),
        search.front()[0].architecture
    );
    for wrong in [json!([[0], [], [0]]), json!([[0], [1]]), json!([[3, 1], [0], []]), json!([[1, 1], [0], []])] {
        state["front"][0]["architecture"] = wrong;
        let result = Search::restore(space.clone(), search.options().clone(), None, state.clone());
        assert!(matches!(result, Err(Error::Config { reason, .. }) if reason == "of another space: architecture 0"));
    }
}
