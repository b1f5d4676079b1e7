//! The threads of the library that are alive, and how they are all brought to an end.

use super::boundary;
use crate::error::{Error, Result};
use crate::process;
use crate::supernet;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

const STACK_BYTES: usize = 8 << 20;
/// How long the end of the process waits for the threads; a callback of the host may never return.
const EXIT_WAIT: Duration = Duration::from_secs(20);

/// Lets a thread come to its end, soon; may be called more than once.
pub type Stop = Arc<dyn Fn() + Send + Sync>;

struct Threads {
    next: u64,
    alive: BTreeMap<u64, (JoinHandle<()>, Stop)>,
    /// Those that have nothing left to do but to go.
    leaving: Vec<JoinHandle<()>>,
}

static THREADS: Mutex<Threads> = Mutex::new(Threads { next: 0, alive: BTreeMap::new(), leaving: Vec::new() });
static LEFT: Condvar = Condvar::new();
/// Held while threads that leave are waited for: whoever has it knows that nobody else still waits for one.
static JOINING: Mutex<()> = Mutex::new(());

thread_local! {
    /// The number of this thread, when it is one of ours.
    static OWN: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Starts a thread that [`end_all`] knows; none while the process ends.
pub fn spawn(name: &str, stop: Stop, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = Builder::new().name(format!("nse-{name}")).stack_size(STACK_BYTES);
    // What libtorch registers from here on is kept until our threads have ended, and ours comes before what it registered until now.
    supernet::keep_statics();
    outlast_host();
    let mut threads = threads();
    if EXITING.load(Ordering::Relaxed) {
        return Err(Error::Cancelled);
    }
    let number = threads.next;
    let body = move || {
        OWN.set(Some(number));
        process::usual_floats();
        let _leave = Leave(number);
        // What a panic says is in the log by now.
        let _ = boundary::catch(|| {
            body();
            Ok(())
        });
    };
    // With the lock, so that the thread does not leave before it is known.
    let refused = |error| Error::OutOfMemory(format!("no thread can be begun: {error}"));
    let handle = process::without_signals(|| thread.spawn(body)).map_err(refused)?;
    threads.next += 1;
    threads.alive.insert(number, (handle, stop));
    Ok(())
}

/// Stops all threads that there are now, and waits until they have ended. False: the time is up (never without a `timeout`), or
/// this is one of them.
pub fn end_all(timeout: Option<Duration>) -> bool {
    let later = stop_all();
    let ended = OWN.get().is_none() && wait_until(later, timeout);
    if ended {
        supernet::end_workers();
    }
    ended
}

/// Stops all threads that there are now; those that are begun later have at least the number that this returns.
fn stop_all() -> u64 {
    let (later, stops): (_, Vec<Stop>) = {
        let threads = threads();
        (threads.next, threads.alive.values().map(|(_, stop)| stop.clone()).collect())
    };
    // Without the lock: a queue that is closed may free what is the host's.
    stops.iter().for_each(|stop| stop());
    later
}

/// Waits until all threads below the number `later` have ended, but this one. False: the time is up.
fn wait_until(later: u64, timeout: Option<Duration>) -> bool {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut threads = threads();
    // Threads that are begun meanwhile are of objects that are made meanwhile.
    while threads.alive.range(..later).any(|(number, _)| Some(*number) != OWN.get()) {
        threads = match deadline {
            None => LEFT.wait(threads).unwrap_or_else(PoisonError::into_inner),
            Some(deadline) => match deadline.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return false,
                left => LEFT.wait_timeout(threads, left).unwrap_or_else(PoisonError::into_inner).0,
            },
        };
    }
    drop(threads);
    join_leaving();
    true
}

static EXITING: AtomicBool = AtomicBool::new(false);

/// What exit() runs: nothing that computes may be destroyed before all threads have ended.
extern "C" fn at_exit() {
    // In a forked child there are none. A second of these functions finds nothing to do.
    if !boundary::forked() && !EXITING.swap(true, Ordering::Relaxed) {
        let later = stop_all();
        if wait_until(later, Some(EXIT_WAIT)) {
            supernet::destroy_statics();
        }
    }
}

/// Run by the loader, when libtorch is ready and nobody can have used it through us: exit() runs first what was registered last, so
/// what libtorch registers while it is loaded is only destroyed when no thread of ours is left, and none begins any more. For what it
/// registers later, see `spawn`. So no thread of ours ever meets a libtorch that is half destroyed, whoever calls exit() when.
extern "C" fn at_load() {
    boundary::watch_forks();
    register();
}

#[used]
#[link_section = ".init_array"]
static AT_LOAD: extern "C" fn() = at_load;

/// What the host destroys may be needed by its callbacks on threads of ours, and it may make that after we were loaded. So this is to
/// be called before every piece of work, and registers ours again: always at first, and the more seldom the longer all is in use.
pub fn outlast_host() {
    static PIECES: AtomicU64 = AtomicU64::new(0);
    let piece = PIECES.fetch_add(1, Ordering::Relaxed) + 1;
    if piece < 64 || piece.is_power_of_two() {
        register();
    }
}

fn register() {
    // SAFETY: a function of a library that is never unloaded. Without room for it the process ends as it would without us.
    unsafe { libc::atexit(at_exit) };
}

/// To be called on the host's threads: the last thing that exit() does before it begins is to end what the calling thread has for
/// itself, and then ours can be registered behind everything of the host.
pub fn watch_this_thread() {
    let _ = LAST.try_with(|_| ());
}

thread_local! {
    static LAST: Last = const { Last };
}

struct Last;

impl Drop for Last {
    fn drop(&mut self) {
        // Or only this thread ends; that costs a few bytes, when something runs.
        if !boundary::forked() && OWN.get().is_none() && !threads().alive.is_empty() {
            register();
        }
    }
}

fn threads() -> MutexGuard<'static, Threads> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for those that leave: they run no code of the host or of ours any more.
fn join_leaving() {
    let _joining = JOINING.lock().unwrap_or_else(PoisonError::into_inner);
    let leaving = std::mem::take(&mut threads().leaving);
    for handle in leaving {
        let _ = handle.join();
    }
}

/// The last thing that a thread does. Each one waits for those before it, so that no stack is kept for long.
struct Leave(u64);

impl Drop for Leave {
    fn drop(&mut self) {
        join_leaving();
        let mut threads = threads();
        if let Some((handle, _)) = threads.alive.remove(&self.0) {
            threads.leaving.push(handle);
        }
        drop(threads);
        LEFT.notify_all();
    }
}
