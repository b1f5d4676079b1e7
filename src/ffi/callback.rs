//! Progress told to the host, on the thread that called us.

use super::structs::{self, Sized32};
use crate::error::Result;
use crate::search::{Event, EventKind};
use std::ffi::c_void;
use std::mem::size_of;

/// Kind of an event: an optimizer step of the round under way; `step` of `steps`.
pub const NSE_EVENT_TRAIN: u32 = 1;
/// Kind of an event: candidates were scored; `step` of `steps` of the round.
pub const NSE_EVENT_SCORE: u32 = 2;
/// Kind of an event: a round, or a stand-alone training, is complete. Never left out; others may be when the callback
/// is slow.
pub const NSE_EVENT_FINISH: u32 = 3;
/// Kind of an event: an operator was timed; `step` of `steps`. Rounds and epochs are 0; loss, accuracy and images_per_second
/// are NaN.
pub const NSE_EVENT_MEASURE: u32 = 4;
/// Held-out images were evaluated behind an epoch of a stand-alone training: `loss` and `accuracy` are theirs, with the moving average
/// of the weights when there is one.
pub const NSE_EVENT_EVALUATE: u32 = 5;

/// Progress. Valid during the callback only.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_event {
    pub struct_size: u32,
    /// One of NSE_EVENT_*.
    pub kind: u32,
    /// Round under way, or just completed, from 1.
    pub round: u64,
    pub rounds: u64,
    /// Pass over the training images under way, from 1.
    pub epoch: u64,
    pub epochs: u64,
    /// Steps (or candidates) done, of so many in this round.
    pub step: u64,
    pub steps: u64,
    /// Training loss, smoothed over some 20 steps.
    pub loss: f64,
    /// 0 to 1. TRAIN: training accuracy, smoothed. SCORE and FINISH of a search: best held-out accuracy of the round so
    /// far. Of a restoration it is the best fitness so far, in decibels: of the fit, or of the search.
    pub accuracy: f64,
    /// Training images per second, lately.
    pub images_per_second: f64,
    /// Since the search, or the training, began in this process.
    pub seconds: f64,
    /// Estimate for the whole rest; NaN while unknown.
    pub seconds_left: f64,
}

/// Called with progress. Not 0: cancel; it is not called again in this call then. At NSE_EVENT_FINISH there is nothing left to
/// cancel. Must return normally: no exception, no
/// longjmp, no thread exit. From inside, getters and nse_search_cancel may be called on the object at work; calls that work
/// on it answer NSE_ERR_BUSY.
pub type nse_event_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void, event: *const nse_event) -> i32>;

/// Called once, when `user` is no longer needed; from any thread.
pub type nse_free_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void)>;

/// Flag of nse_events: deliver at once, on a thread of the library, while the work goes on; the callback holds it up. Otherwise
/// events wait for the call that works, or for nse_op_poll, and come on the thread that called it.
pub const NSE_EVENTS_DIRECT: u32 = 1;

/// Where progress goes. Start with NSE_EVENTS_INIT. Events are delivered on the calling thread, inside the call that works or
/// polls, unless NSE_EVENTS_DIRECT is set.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_events {
    pub struct_size: u32,
    /// 0, or NSE_EVENTS_DIRECT.
    pub flags: u32,
    /// May be NULL.
    pub on_event: nse_event_fn,
    /// Passed to both functions; the library never looks at it.
    pub user: *mut c_void,
    /// May be NULL. Called exactly once, also when the call that was given this struct fails (but not when a struct_size
    /// is wrong, for then nothing can be read).
    pub user_free: nse_free_fn,
}

// SAFETY: starts with its size; zero is no function and no user.
unsafe impl Sized32 for nse_events {
    const LEAST: usize = size_of::<nse_events>();
}

/// A host's callback, owned: `user_free` runs when it is dropped.
pub struct Events(Option<nse_events>);

// SAFETY: hosts are told that `user` may be used and freed on any thread; calls are made one at a time.
unsafe impl Send for Events {}
unsafe impl Sync for Events {}

impl Events {
    fn read(name: &'static str, events: *const nse_events) -> Result<Self> {
        if events.is_null() {
            return Ok(Events::none());
        }
        let events = Events(Some(structs::read(name, events)?));
        match events.0 {
            Some(nse_events { flags, .. }) if flags & !NSE_EVENTS_DIRECT != 0 => {
                let reason = format!("flags {flags:#x} are not known");
                Err(crate::Error::Argument { name, reason })
            }
            _ => Ok(events),
        }
    }

    /// The callback in a struct that may itself be unreadable: then there is none.
    pub fn of<D>(desc: &Result<D>, events: impl Fn(&D) -> *const nse_events) -> Result<Self> {
        desc.as_ref().map_or(Ok(Events::none()), |desc| Events::read("desc.events", events(desc)))
    }

    /// Nobody listens.
    pub fn none() -> Self {
        Events(None)
    }

    /// Whether events are told at once, on the thread where they happen.
    pub fn direct(&self) -> bool {
        self.0.is_some_and(|events| events.flags & NSE_EVENTS_DIRECT != 0)
    }

    /// Tells the host; true when it wants to cancel.
    pub fn tell(&self, event: &Event) -> bool {
        let Some(nse_events { on_event: Some(on_event), user, .. }) = self.0 else { return false };
        let event = nse_event::from(event);
        // SAFETY: the host's function, with the host's own pointer.
        unsafe { on_event(user, &event) != 0 }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(nse_events { user_free: Some(user_free), user, .. }) = self.0 {
            // SAFETY: as above; once, because a value is dropped once.
            unsafe { user_free(user) }
        }
    }
}

/// A pointer of the host's, owned: `user_free` runs when it is dropped.
pub struct User {
    pub pointer: *mut c_void,
    pub free: nse_free_fn,
}

// SAFETY: hosts are told that `user` may be freed on any thread; it is used on one at a time.
unsafe impl Send for User {}
unsafe impl Sync for User {}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(free) = self.free {
            // SAFETY: the host's function, with the host's own pointer; once, because a value is dropped once.
            unsafe { free(self.pointer) }
        }
    }
}

impl From<&Event> for nse_event {
    fn from(event: &Event) -> Self {
        let kind = match event.kind {
            EventKind::Train => NSE_EVENT_TRAIN,
            EventKind::Score => NSE_EVENT_SCORE,
            EventKind::Finish => NSE_EVENT_FINISH,
            EventKind::Measure => NSE_EVENT_MEASURE,
            EventKind::Evaluate => NSE_EVENT_EVALUATE,
        };
        nse_event {
            struct_size: size_of::<nse_event>() as u32,
            kind,
            round: event.round,
            rounds: event.rounds,
            epoch: event.epoch,
            epochs: event.epochs,
            step: event.step,
            steps: event.steps,
            loss: event.loss,
            accuracy: event.accuracy,
            images_per_second: event.images_per_second,
            seconds: event.seconds,
            seconds_left: event.seconds_left,
        }
    }
}
