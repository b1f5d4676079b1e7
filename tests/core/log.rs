//! The log: who is told what, and that nothing is made for nobody. One test, for the log is one per process.

use nse::log::{self, Level, Sink};
use std::fmt;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Sink for Lines {
    fn write(&self, level: Level, target: &str, message: &str) {
        // Other tests have searches that speak meanwhile.
        if target == "test" {
            log::error!("test", "from inside");
            self.0.lock().unwrap().push(format!("{level:?} {message}"));
        }
    }
}

/// Cannot be formatted.
struct Never;

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter) -> fmt::Result {
        panic!("formatted for nobody")
    }
}

fn never() -> Never {
    panic!("computed for nobody")
}

#[test]
fn only_what_is_wanted_is_made_and_told() {
    log::error!("test", "{}", never());
    let (first, second) = (Arc::new(Lines::default()), Arc::new(Lines::default()));
    log::set_sink(Some(first.clone()));
    log::info!("test", "one {}", 1);
    log::debug!("test", "{}", never());
    log::set_level(Some(Level::Debug));
    log::debug!("test", "two");
    log::trace!("test", "{Never}");
    log::set_level(Some(Level::Error));
    log::warn!("test", "{}", never());
    log::set_level(None);
    log::error!("test", "{}", never());
    log::set_level(Some(Level::Info));
    log::set_sink(Some(second.clone()));
    assert_eq!(Arc::strong_count(&first), 1);
    log::warn!("test", "three");
    log::set_sink(None);
    log::error!("test", "{}", never());
    assert_eq!(*first.0.lock().unwrap(), ["Info one 1", "Debug two"]);
    assert_eq!(*second.0.lock().unwrap(), ["Warn three"]);
    log::set_sink(Some(second.clone()));
    let held = (log::hold(), log::hold());
    log::warn!("test", "four");
    drop(held.1);
    log::warn!("test", "five");
    std::thread::spawn(|| log::warn!("test", "another thread")).join().unwrap();
    assert_eq!(second.0.lock().unwrap().len(), 2, "what is held is not told yet");
    drop(held.0);
    log::warn!("test", "six");
    assert_eq!(second.0.lock().unwrap()[1..], ["Warn another thread", "Warn four", "Warn five", "Warn six"]);
    log::set_sink(None);
    assert!(!log::enabled(Level::Error));
}
