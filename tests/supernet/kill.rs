//! A search in a process of its own, killed at any moment (while it writes its checkpoint too) and started again from the
//! checkpoint, ends with the same bits as one that was left alone.

use crate::support::{small, stripes};
use nse::checkpoint::{load, Expected, Keeper};
use nse::search::*;
use nse::supernet::SupernetTrainer;
use nse::Result;
use serde_json::{json, Value};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Folder in which a child works; it is a child when this is set.
const FOLDER: &str = "NSE_TEST_KILL_FOLDER";
const KILLS: u32 = 50;

fn options(checkpoint: &Path) -> SearchOptions {
    let options = json!({
        "seed": 5, "rounds": 2, "active": 3, "objective": { "low": 40000, "high": 90000 },
        "train": { "epochs": 5, "batch": 32, "lr": 0.1 }, "fitness": { "lr": 0.2, "threshold": -0.5, "strict_prev": true },
        "candidates": { "count": 24, "extras": 4, "too_few": "accept" }, "score": { "calibration": 64, "batch": 64 }, "held_out": 0.2,
        "checkpoint": { "path": checkpoint, "steps": 1 }
    });
    SearchOptions::from_json(&options.to_string()).unwrap()
}

struct Kept(Keeper);

impl Control for Kept {
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for Kept {
    fn event(&self, _: &Event, _: &Search) {}

    fn keep(&self, search: &Search, trainer: &dyn Trainer) -> Result<()> {
        self.0.keep(search, trainer)
    }
}

/// Runs a search to its end, from its checkpoint if there is one, and writes down what it found.
#[test]
#[ignore = "another test starts it in a process of its own"]
fn child() {
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).expect("started by another test"));
    let path = folder.join("search.nse");
    let options = options(&path);
    let mut trainer = SupernetTrainer::new(small(), &stripes(300, 1), None, &options).unwrap();
    let mut search = match path.exists() {
        true => load(&path, &Expected::default()).unwrap().resume(&mut trainer).unwrap(),
        false => Search::new(small(), options.clone()).unwrap(),
    };
    let kept = Kept(Keeper::new(options.checkpoint.unwrap()));
    while search.step(&mut trainer, &kept).unwrap() != Status::Done {}
    let mut records: Vec<Value> = json_lines(search.history()).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.iter_mut().for_each(|record| drop(record.as_object_mut().unwrap().remove("seconds")));
    // Scores and accuracies, written to the last bit, follow from every weight and every draw.
    let scores: Vec<u64> = search.scores().iter().flatten().map(|theta| theta.to_bits()).collect();
    let found = json!({ "history": records, "front": search.front(), "scores": scores, "active": search.active() });
    std::fs::write(folder.join("found.partial"), found.to_string()).unwrap();
    std::fs::rename(folder.join("found.partial"), folder.join("found.json")).unwrap();
}

fn start(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["kill::child", "--exact", "--ignored", "--quiet"]).env(FOLDER, folder).env("OMP_NUM_THREADS", "1");
    command.stdout(std::process::Stdio::null()).spawn().unwrap()
}

fn found(folder: &Path) -> Option<Value> {
    std::fs::read_to_string(folder.join("found.json")).ok().map(|text| serde_json::from_str(&text).unwrap())
}

/// Waits until `moment` comes or the child ends; true when it was killed.
fn kill_at(mut child: Child, moment: impl Fn() -> bool) -> bool {
    while !moment() {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the child failed: {status}");
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

#[test]
fn killed_fifty_times_it_ends_the_same() {
    let alone = tempfile::tempdir().unwrap();
    assert!(!kill_at(start(alone.path()), || false));
    let undisturbed = found(alone.path()).unwrap();
    let rounds = undisturbed["history"].as_array().unwrap();
    assert_eq!(rounds.len(), 2);
    let dropped = |record: &Value| record["dropped"].as_array().unwrap().iter().any(|cell| !cell.as_array().unwrap().is_empty());
    assert!(rounds.iter().any(dropped), "operators are dropped in this run");

    let mut stream = Stream::new(77, Purpose::Probe, 0, 0);
    let (mut kills, mut while_writing, mut runs) = (0, 0, 0);
    while kills < KILLS {
        let folder = tempfile::tempdir().unwrap();
        let (checkpoint, partial) = (folder.path().join("search.nse"), folder.path().join(".search.nse.partial"));
        let written = || std::fs::metadata(&checkpoint).and_then(|m| m.modified()).ok();
        while found(folder.path()).is_none() && kills < KILLS {
            let (child, before, started) = (start(folder.path()), written(), Instant::now());
            // At some moment after the first new checkpoint, so that every start gets on; every other time while one is written.
            let wait = Duration::from_micros(stream.below(60_000));
            let begun = std::cell::Cell::new(None);
            let at_write = kills % 2 == 1;
            let killed = kill_at(child, || {
                if begun.get().is_none() && (written() != before || started.elapsed() > Duration::from_secs(60)) {
                    begun.set(Some(Instant::now()));
                }
                begun.get().is_some_and(|at: Instant| at.elapsed() >= wait) && (!at_write || partial.exists())
            });
            kills += u32::from(killed);
            while_writing += u32::from(killed && partial.exists());
        }
        if kills == KILLS {
            assert!(!kill_at(start(folder.path()), || false), "left alone it ends");
        }
        assert_eq!(found(folder.path()).unwrap(), undisturbed, "after {kills} kills");
        runs += 1;
    }
    println!("{kills} kills of {runs} runs, {while_writing} of them while a checkpoint was being written");
    assert!(while_writing > 5, "only {while_writing} kills during a write");
}
