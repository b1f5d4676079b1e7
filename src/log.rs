//! Messages for the people who run a program with nse in it. Silent until a host gives a [`Sink`]; what nobody wants is not even
//! formatted. Never to be told with a lock held: a sink may call back into the library. See [`hold`].
//!
//! ```
//! use nse::log;
//! log::info!("search", "round {} of {}", 1, 12);
//! ```

use std::cell::{Cell, RefCell};
use std::fmt::Arguments;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// How much a message matters; the numbers are those of the C ABI, where 0 is "nothing".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
    Trace = 5,
}

/// Where messages go. `target` is one short word, the part of the library that speaks. Called on any thread, on several at once.
pub trait Sink: Send + Sync {
    fn write(&self, level: Level, target: &str, message: &str);
}

static SINK: RwLock<Option<Arc<dyn Sink>>> = RwLock::new(None);
static HEARD: AtomicBool = AtomicBool::new(false);
static LEVEL: AtomicI32 = AtomicI32::new(Level::Info as i32);

thread_local! {
    /// Whether this thread is in a sink: what it causes there is not told, or it would never end.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// What this thread holds back.
    static HELD: RefCell<Option<Vec<Held>>> = const { RefCell::new(None) };
}

/// A message, for later.
struct Held {
    level: Level,
    target: String,
    message: String,
}

/// Puts `sink` in the place of the one before, which is dropped here, or by the last call of it that is under way.
pub fn set_sink(sink: Option<Arc<dyn Sink>>) {
    let mut place = SINK.write().unwrap_or_else(PoisonError::into_inner);
    HEARD.store(sink.is_some(), Ordering::Relaxed);
    let before = std::mem::replace(&mut *place, sink);
    drop(place);
    // Outside the lock: dropping may run code of the host.
    drop(before);
}

/// The least important level that is wanted; None: nothing.
pub fn set_level(level: Option<Level>) {
    LEVEL.store(level.map_or(0, |level| level as i32), Ordering::Relaxed);
}

/// Whether a message of this level would be told.
pub fn enabled(level: Level) -> bool {
    HEARD.load(Ordering::Relaxed) && level as i32 <= LEVEL.load(Ordering::Relaxed) && !INSIDE.get()
}

/// Holds back what this thread says until the value is dropped: to be made before a lock is taken, so that it is dropped behind it.
#[must_use]
pub fn hold() -> Hold {
    HELD.with_borrow_mut(|held| {
        let outermost = held.is_none();
        held.get_or_insert_default();
        Hold { outermost }
    })
}

pub struct Hold {
    outermost: bool,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.outermost {
            for Held { level, target, message } in HELD.take().unwrap_or_default() {
                tell(level, &target, &message);
            }
        }
    }
}

/// What the macros end in.
pub fn write(level: Level, target: &str, message: Arguments) {
    let message = message.to_string();
    let held = HELD.with_borrow(|held| held.is_some());
    match held {
        false => tell(level, target, &message),
        true => HELD.with_borrow_mut(|held| held.get_or_insert_default().push(Held { level, target: target.into(), message })),
    }
}

fn tell(level: Level, target: &str, message: &str) {
    // A copy, so that no lock is held while the host writes.
    let sink = SINK.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(sink) = sink else { return };
    INSIDE.set(true);
    let _outside = Outside;
    sink.write(level, target, message);
}

struct Outside;

impl Drop for Outside {
    fn drop(&mut self) {
        INSIDE.set(false);
    }
}

#[doc(hidden)]
#[macro_export]
macro_rules! nse_log {
    ($level:ident, $target:expr, $($message:tt)+) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::write($crate::log::Level::$level, $target, format_args!($($message)+));
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! nse_log_error { ($($all:tt)+) => { $crate::nse_log!(Error, $($all)+) }; }
#[doc(hidden)]
#[macro_export]
macro_rules! nse_log_warn { ($($all:tt)+) => { $crate::nse_log!(Warn, $($all)+) }; }
#[doc(hidden)]
#[macro_export]
macro_rules! nse_log_info { ($($all:tt)+) => { $crate::nse_log!(Info, $($all)+) }; }
#[doc(hidden)]
#[macro_export]
macro_rules! nse_log_debug { ($($all:tt)+) => { $crate::nse_log!(Debug, $($all)+) }; }
#[doc(hidden)]
#[macro_export]
macro_rules! nse_log_trace { ($($all:tt)+) => { $crate::nse_log!(Trace, $($all)+) }; }

pub use {nse_log_debug as debug, nse_log_error as error, nse_log_info as info, nse_log_trace as trace, nse_log_warn as warn};
