//! The threads on which our kernels share their work. Not OpenMP's: those wait for each other after every piece of work, spinning, and where
//! other programs want the cores, too, a step then takes tens of times as long. Here whoever comes takes the next part, and nobody waits for a
//! thread that the system does not let run, unless it is in the middle of a part.
//!
//! They are begun when they are first wanted, sleep when there is nothing to do, and end with [`end`]. After a fork the child has none.

use crate::process;
use std::cell::Cell;
use std::ffi::c_void;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{yield_now, Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long a thread looks out for work, or for the end of some, before it sleeps. Pieces of a step follow each other more quickly.
const LOOKOUT: Duration = Duration::from_micros(400);
/// Times that each thread takes of a piece of work, where it has parts enough.
const TURNS: i64 = 8;
/// Threads that do the same piece of work.
const MOST: usize = 64;
const STACK_BYTES: usize = 2 << 20;

type Body = unsafe extern "C" fn(*mut c_void, i64, i64);
type Share = unsafe extern "C" fn(i64, Body, *mut c_void) -> bool;

extern "C" {
    fn nse_shim_share(share: Share);
}

/// A piece of work, on the stack of whoever has it done.
struct Work {
    body: Body,
    context: *mut c_void,
    count: i64,
    step: i64,
    /// Of each thread that may come: the next part of its own share.
    next: [AtomicI64; MOST],
    shares: usize,
    /// Threads that may still join in; changed by whoever has the lock.
    wanted: AtomicUsize,
    /// Those that did and have not left.
    inside: AtomicUsize,
}

impl Work {
    fn begins(&self, share: usize) -> i64 {
        self.count * share as i64 / self.shares as i64
    }

    /// Does what is left of it, a few parts at a time: of this thread's own share first, whose numbers are in the cache of its core when it had the
    /// same share of the work before.
    fn share(&self, own: usize) {
        for share in (0..self.shares).map(|at| (own + at) % self.shares) {
            let (first, end) = (self.begins(share), self.begins(share + 1));
            loop {
                let begin = first + self.next[share].fetch_add(self.step, Ordering::Relaxed);
                if begin >= end {
                    break;
                }
                // SAFETY: whoever posted it waits until all are out, and `body` may be called at once for parts that differ.
                unsafe { (self.body)(self.context, begin, end.min(begin + self.step)) };
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
struct Posted(*const Work);

// SAFETY: taken from the list before the work goes, and left before its owner goes on.
unsafe impl Send for Posted {}

struct Crew {
    posted: Vec<Posted>,
    threads: Vec<JoinHandle<()>>,
    asleep: usize,
    /// How often all were ended: those that were begun before have to go.
    ended: u64,
}

static CREW: Mutex<Crew> = Mutex::new(Crew { posted: Vec::new(), threads: Vec::new(), asleep: 0, ended: 0 });
static POSTED: Condvar = Condvar::new();
static LEFT: Condvar = Condvar::new();
/// Pieces of work that were ever posted, for those that look out for one.
static COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How many others help this thread.
    static HELPERS: Cell<usize> = const { Cell::new(0) };
}

fn crew() -> MutexGuard<'static, Crew> {
    CREW.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until it is dropped, the work of this thread's kernels is shared with `helpers` others.
#[must_use]
pub struct Helped(usize);

impl Helped {
    pub fn by(helpers: usize) -> Self {
        if helpers > 0 {
            begin(helpers);
            // SAFETY: what our kernels are to call is there for ever.
            unsafe { nse_shim_share(share) };
        }
        Helped(HELPERS.replace(helpers))
    }
}

impl Drop for Helped {
    fn drop(&mut self) {
        HELPERS.set(self.0);
    }
}

/// Sees to it that there are as many threads. Fewer are no error: whoever has work done does most of it, or all.
fn begin(helpers: usize) {
    let mut crew = crew();
    while crew.threads.len() < helpers {
        let (thread, age) = (Builder::new().name("nse-kernels".into()).stack_size(STACK_BYTES), crew.ended);
        match process::without_signals(|| thread.spawn(move || help(age))) {
            Ok(thread) => crew.threads.push(thread),
            Err(_) => return,
        }
    }
}

/// Ends all threads; new ones are begun when they are wanted again. Work that is under way is done by whoever has it done.
pub fn end() {
    let threads = {
        let mut crew = crew();
        crew.ended += 1;
        std::mem::take(&mut crew.threads)
    };
    POSTED.notify_all();
    for thread in threads {
        let _ = thread.join();
    }
}

/// What a thread does: it waits for work, and shares it.
fn help(age: u64) {
    process::usual_floats();
    let mut crew = crew();
    while crew.ended == age {
        // SAFETY: what is in the list is there.
        let mut posted = crew.posted.iter().map(|posted| unsafe { &*posted.0 });
        if let Some(work) = posted.find(|work| work.wanted.load(Ordering::Relaxed) > 0) {
            // From here on it stays until this thread is no longer inside.
            let share = work.shares - work.wanted.fetch_sub(1, Ordering::Relaxed);
            work.inside.fetch_add(1, Ordering::Relaxed);
            drop(crew);
            work.share(share);
            crew = self::crew();
            // The last use of it.
            work.inside.fetch_sub(1, Ordering::Release);
            LEFT.notify_all();
            continue;
        }
        let seen = COUNT.load(Ordering::Relaxed);
        drop(crew);
        look_out(|| COUNT.load(Ordering::Relaxed) != seen);
        crew = self::crew();
        if COUNT.load(Ordering::Relaxed) == seen && crew.ended == age {
            crew.asleep += 1;
            crew = POSTED.wait(crew).unwrap_or_else(PoisonError::into_inner);
            crew.asleep -= 1;
        }
    }
}

/// Until `come`, or for a while. Lets others run meanwhile.
fn look_out(come: impl Fn() -> bool) {
    let begun = Instant::now();
    loop {
        for _ in 0..32 {
            if come() {
                return;
            }
            spin_loop();
        }
        if begun.elapsed() > LOOKOUT {
            return;
        }
        yield_now();
    }
}

/// Calls `body(context, begin, end)` for ranges that make up 0..count, on this thread and those that help it. False, and nothing is done: nobody
/// does.
///
/// # Safety
/// `body` may be called with `context` from several threads at once, for ranges that differ, and does not throw.
unsafe extern "C" fn share(count: i64, body: Body, context: *mut c_void) -> bool {
    let helpers = HELPERS.get().min(MOST - 1);
    if helpers == 0 || count < 2 {
        return false;
    }
    let step = (count / (TURNS * (helpers as i64 + 1))).max(1);
    let (next, wanted, inside) = ([const { AtomicI64::new(0) }; MOST], AtomicUsize::new(helpers), AtomicUsize::new(0));
    let work = Work { body, context, count, step, next, shares: helpers + 1, wanted, inside };
    let posted = Posted(&raw const work);
    let asleep = {
        let mut crew = crew();
        crew.posted.push(posted);
        COUNT.fetch_add(1, Ordering::Relaxed);
        crew.asleep > 0
    };
    if asleep {
        POSTED.notify_all();
    }
    work.share(0);
    crew().posted.retain(|other| *other != posted);
    if work.inside.load(Ordering::Acquire) > 0 {
        look_out(|| work.inside.load(Ordering::Acquire) == 0);
        let mut crew = crew();
        while work.inside.load(Ordering::Acquire) > 0 {
            crew = LEFT.wait(crew).unwrap_or_else(PoisonError::into_inner);
        }
    }
    true
}
