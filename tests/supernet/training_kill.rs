//! A training in a process of its own, killed at any moment (while it writes its checkpoint too) and started again, ends with the
//! same bits as one that was left alone.

use crate::training::{bits, curve, everything, learn};
use nse::search::{Purpose, Silent, Stream};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Folder in which a child works; it is a child when this is set.
const FOLDER: &str = "NSE_TEST_TRAINING_FOLDER";
const KILLS: u32 = 8;

/// Trains to the end, from its checkpoint if there is one, and writes down what came of it.
#[test]
#[ignore = "another test starts it in a process of its own"]
fn child() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("started by another test"));
    let mut options = everything();
    options["checkpoint"] = json!({ "path": folder.join("training"), "steps": 1, "resume": true });
    let model = learn(&options, &Silent).unwrap();
    let curve = serde_json::to_vec(&curve(&model)).unwrap();
    std::fs::write(folder.join("partial"), [bits(&model), curve].concat()).unwrap();
    std::fs::rename(folder.join("partial"), folder.join("done")).unwrap();
}

/// Whether the child ended by itself.
fn run(folder: &Path, kill_after: Option<Duration>) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["training_kill::child", "--exact", "--ignored", "--quiet"]).env(FOLDER, folder).env("OMP_NUM_THREADS", "1");
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let written = || std::fs::metadata(folder.join("training")).and_then(|m| m.modified()).ok();
    let (before, started) = (written(), Instant::now());
    let mut begun = None;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "the child failed: {status}");
            return true;
        }
        // Counted from its first new checkpoint, so that every start gets on.
        if begun.is_none() && (written() != before || started.elapsed() > Duration::from_secs(120)) {
            begun = Some(Instant::now());
        }
        if begun.zip(kill_after).is_some_and(|(begun, after)| begun.elapsed() >= after) {
            child.kill().unwrap();
            child.wait().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn killed_again_and_again_it_ends_the_same() {
    let (alone, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(run(alone.path(), None));
    let mut stream = Stream::new(5, Purpose::Probe, 0, 0);
    let mut kills = 0;
    while kills < KILLS && !run(killed.path(), Some(Duration::from_micros(stream.below(40_000)))) {
        kills += 1;
    }
    assert!(kills > 2, "{kills} kills");
    run(killed.path(), None);
    let [alone, killed] = [alone, killed].map(|folder| std::fs::read(folder.path().join("done")).unwrap());
    assert_eq!(alone, killed, "after {kills} kills");
}
