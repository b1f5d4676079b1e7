//! The log for TensorBoard: what is in it, once, however often a search was killed and loaded again. (TensorBoard's own reader looks at
//! one in tests/cli.)

use crate::synthetic::{options, small_space, window, Synthetic};
use crate::told;
use nse::checkpoint::{load, save, Expected};
use nse::report::events::{next, Content, What};
use nse::report::EventLog;
use nse::search::*;
use nse::space::Space;
use nse::Error;
use serde_json::json;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Logs as the library does, and stops after so many pieces of work; saves after `save` of them.
struct Logged<'a> {
    log: &'a EventLog,
    event: Cell<Option<Event>>,
    left: Cell<u64>,
    save: Cell<u64>,
    path: &'a Path,
}

impl Control for Logged<'_> {
    fn cancelled(&self) -> bool {
        self.left.get() == 0
    }
}

impl Observer for Logged<'_> {
    fn event(&self, event: &Event, _: &Search) {
        self.event.set(Some(*event));
        self.left.set(self.left.get().saturating_sub(1));
    }

    fn keep(&self, search: &Search, trainer: &dyn Trainer) -> nse::Result<()> {
        self.log.write(search, self.event.take().as_ref())?;
        self.save.set(self.save.get().wrapping_sub(1));
        if self.save.get() == 0 {
            save(self.path, search, trainer)?;
        }
        Ok(())
    }
}

fn begun(space: &Arc<Space>) -> (Search, Synthetic) {
    let rest = json!({
        "active": 3, "rounds": 3, "train": { "epochs": 0.7 }, "candidates": { "count": 7, "extras": 2 },
        "fitness": { "lr": 0.5, "threshold": -0.6 }
    });
    (Search::new(space.clone(), options(4, window(space, 0.1, 0.4), rest)).unwrap(), Synthetic::new(space, 4))
}

fn opened(folder: &Path, search: &Search) -> EventLog {
    EventLog::open(&TensorboardOptions { path: folder.join("run") }, search).unwrap()
}

/// To the end, or until the observer stops it.
fn go(search: &mut Search, trainer: &mut Synthetic, log: &EventLog, stop: u64, save: u64, path: &Path) {
    let observer = Logged { log, event: Cell::new(None), left: Cell::new(stop), save: Cell::new(save), path };
    loop {
        match search.step(trainer, &observer) {
            Ok(Status::Done) | Err(Error::Cancelled) => return,
            Ok(Status::Round) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// (step, tag, value) of everything that is no time, in the order of the file.
fn logged(folder: &Path) -> Vec<(i64, String, String)> {
    let mut file = std::fs::File::open(folder.join("run/events.out.tfevents.nse")).unwrap();
    let (mut values, mut first) = (Vec::new(), true);
    while let Some((event, _)) = next(&mut file).unwrap() {
        match event.what.unwrap() {
            What::FileVersion(version) => assert!(std::mem::take(&mut first) && version == "brain.Event:2"),
            What::Summary(summary) => {
                let timeless = |tag: &str| !tag.ends_with("_seconds") && !tag.ends_with("_per_second");
                let kept = summary.value.into_iter().filter(|value| timeless(&value.tag));
                values.extend(kept.map(|value| {
                    // The picture of a front is made of pixels, not of times.
                    let shown = match value.content.unwrap() {
                        Content::Image(image) => format!("{} x {}, {} bytes", image.width, image.height, image.png.len()),
                        other => format!("{other:?}"),
                    };
                    (event.step, value.tag, shown)
                }));
            }
        }
    }
    assert!(!first, "a file begins with its version");
    values
}

#[test]
fn everything_is_logged_once() {
    let (space, folder) = (small_space(), tempfile::tempdir().unwrap());
    let (mut search, mut trainer) = begun(&space);
    let log = opened(folder.path(), &search);
    go(&mut search, &mut trainer, &log, u64::MAX, 0, Path::new(""));
    let values = logged(folder.path());
    let mut counts = BTreeMap::new();
    values.iter().for_each(|(_, tag, _)| *counts.entry(tag.as_str()).or_insert(0) += 1);
    // Seven steps in each of three rounds; three rounds.
    for (tag, count) in [("supernet/loss", 21), ("supernet/accuracy", 21), ("round/best_accuracy", 3), ("round/front_size", 3)] {
        assert_eq!(counts[tag], count, "{tag}");
    }
    for tag in [
        "front/accuracy",
        "front/cost",
        "candidates/accuracy",
        "candidates/cost",
        "front/picture",
        "fitness/cell_00",
        "fitness/cell_02",
    ] {
        assert_eq!(counts[tag], 3, "{tag}");
    }
    let steps: Vec<i64> = values.iter().filter(|v| v.1 == "supernet/loss").map(|v| v.0).collect();
    assert_eq!(steps, (1..=21).collect::<Vec<_>>());
    let best: Vec<_> = values.iter().filter(|v| v.1 == "round/best_accuracy").map(|v| (v.0, v.2.clone())).collect();
    for ((step, value), record) in best.iter().zip(search.history()) {
        let wanted = record.front.iter().map(|m| m.accuracy).fold(0.0, f64::max);
        assert_eq!((*step, value.as_str()), (record.round as i64, format!("Scalar({:?})", wanted as f32).as_str()));
    }
}

#[test]
fn killed_anywhere_and_loaded_nothing_is_there_twice_or_missing() {
    let space = small_space();
    let whole = tempfile::tempdir().unwrap();
    let (mut search, mut trainer) = begun(&space);
    let log = opened(whole.path(), &search);
    go(&mut search, &mut trainer, &log, u64::MAX, 0, Path::new(""));
    let wanted = logged(whole.path());
    // Saved after some piece of work, killed after some more, of which the last may be half written.
    for (save, more, torn) in [(1, 0, false), (3, 2, true), (7, 1, false), (8, 3, true), (10, 9, false), (19, 4, true)] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("search.nse");
        let (mut search, mut trainer) = begun(&space);
        let log = opened(folder.path(), &search);
        go(&mut search, &mut trainer, &log, save + more, save, &file);
        drop(search);
        if torn {
            let events = folder.path().join("run/events.out.tfevents.nse");
            let length = std::fs::metadata(&events).unwrap().len();
            std::fs::File::options().write(true).open(&events).unwrap().set_len(length - 5).unwrap();
        }
        let mut trainer = Synthetic::new(&space, 4);
        let mut search = load(&file, &Expected::default()).unwrap().resume(&mut trainer).unwrap();
        let log = opened(folder.path(), &search);
        go(&mut search, &mut trainer, &log, u64::MAX, 0, Path::new(""));
        assert_eq!(logged(folder.path()), wanted, "saved after {save}, killed after {more} more");
    }
}

#[test]
fn rounds_are_there_even_when_the_file_is_gone() {
    let (space, folder) = (small_space(), tempfile::tempdir().unwrap());
    let (mut search, mut trainer) = begun(&space);
    let log = opened(folder.path(), &search);
    go(&mut search, &mut trainer, &log, u64::MAX, 0, Path::new(""));
    std::fs::remove_dir_all(folder.path().join("run")).unwrap();
    opened(folder.path(), &search);
    let rounds: Vec<i64> = logged(folder.path()).iter().filter(|v| v.1 == "round/front_size").map(|v| v.0).collect();
    assert_eq!(rounds, [1, 2, 3]);
}

#[test]
fn a_new_search_begins_a_new_log() {
    let (space, folder) = (small_space(), tempfile::tempdir().unwrap());
    let (mut search, mut trainer) = begun(&space);
    let log = opened(folder.path(), &search);
    go(&mut search, &mut trainer, &log, u64::MAX, 0, Path::new(""));
    opened(folder.path(), &begun(&space).0);
    assert_eq!(logged(folder.path()), []);
}

#[test]
fn rounds_of_told_results_are_logged() {
    let (space, folder) = (small_space(), tempfile::tempdir().unwrap());
    let mut search = told::middle(&space, 3, 5);
    let log = opened(folder.path(), &search);
    told::finish(&mut search, &Synthetic::new(&space, 3), 2);
    log.write(&search, None).unwrap();
    log.write(&search, None).unwrap();
    assert_eq!(logged(folder.path()).iter().filter(|v| v.1 == "round/best_accuracy").count(), 3);
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    match EventLog::open(&TensorboardOptions { path: file.join("run") }, &begun(&small_space()).0) {
        Err(Error::Io { path, .. }) => assert_eq!(path, file.join("run")),
        other => panic!("{:?}", other.map(|_| ())),
    }
}
