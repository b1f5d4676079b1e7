//! The wall between C and Rust: no panic crosses it, every error becomes a status and an object, a forked child is turned away.

use super::error::{nse_error, ErrorObject};
use super::handle::{self, Handle};
use super::status::{self, nse_status};
use super::{structs, threads};
use crate::error::{Error, Result};
use crate::log;
use once_cell::sync::Lazy;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs the body of an exported function. `err` may be NULL; otherwise it becomes NULL or an owned error.
pub fn guard(err: *mut *mut nse_error, body: impl FnOnce() -> Result<nse_status>) -> nse_status {
    structs::clear(err);
    if forked() {
        // Another thread may have held a lock of ours at the fork: touch nothing.
        return status::NSE_ERR_FORKED;
    }
    threads::watch_this_thread();
    match catch(body) {
        Ok(status) => status,
        Err(error) => {
            let status = status::of(&error);
            log::debug!("ffi", "status {status}: {error}");
            if !err.is_null() {
                // SAFETY: checked; the caller passes NULL or a place for one pointer. Without room for a handle it stays NULL.
                unsafe { *err = handle::insert(ErrorObject::new(&error)).unwrap_or(std::ptr::null_mut()) };
            }
            status
        }
    }
}

/// Runs the body of an exported function that makes an object; `out` becomes a handle of it, or NULL when anything fails.
pub fn make<T: Handle>(out: *mut *mut T::C, err: *mut *mut nse_error, body: impl FnOnce() -> Result<T>) -> nse_status {
    structs::clear(out);
    guard(err, || {
        if out.is_null() {
            return Err(Error::Argument { name: "out", reason: "NULL is not a place for a handle".into() });
        }
        structs::put(out, handle::insert(body()?)?);
        Ok(status::NSE_OK)
    })
}

/// Runs `body`; a panic in it becomes [`Error::Panic`] and prints nothing.
pub fn catch<R>(body: impl FnOnce() -> Result<R>) -> Result<R> {
    Lazy::force(&QUIET);
    let depth = INSIDE.with(|inside| inside.replace(inside.get() + 1));
    let outcome = catch_unwind(AssertUnwindSafe(body));
    INSIDE.with(|inside| inside.set(depth));
    outcome.unwrap_or_else(|payload| {
        let place = PLACE.with(|place| place.borrow_mut().take()).unwrap_or_default();
        let error = Error::Panic(format!("{}{place}", message(payload.as_ref())));
        log::error!("ffi", "{error}");
        Err(error)
    })
}

thread_local! {
    /// How many calls of ours this thread is in; only tells the panic hook whose panic it sees.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The panic hook that prints is kept for everybody else's panics.
static QUIET: Lazy<()> = Lazy::new(|| {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if INSIDE.with(Cell::get) > 0 {
            let place = info.location().map(|l| format!(" ({}:{})", l.file(), l.line()));
            PLACE.with(|cell| *cell.borrow_mut() = place);
        } else {
            previous(info);
        }
    }));
});

fn message(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("panic")
}

static USED: AtomicBool = AtomicBool::new(false);
static FORKED: AtomicBool = AtomicBool::new(false);

/// To be called once, before any other function can be: a first call must take no lock before it is known to be one, for a child that
/// is forked meanwhile would find that lock held for ever.
pub fn watch_forks() {
    extern "C" fn in_child() {
        FORKED.store(USED.load(Ordering::SeqCst), Ordering::SeqCst);
    }
    // SAFETY: the handler only stores a flag. The library is never unloaded, so it stays valid.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

/// Whether this process is a child forked after the library was first used. From now on it is used.
pub fn forked() -> bool {
    if !USED.load(Ordering::Relaxed) {
        USED.store(true, Ordering::SeqCst);
    }
    FORKED.load(Ordering::Relaxed)
}
