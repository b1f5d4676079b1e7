//! Section "operation": work that was begun and is polled.

use super::callback::Events;
use super::error::nse_error;
use super::model::{nse_model, ModelHandle};
use super::status::{nse_status, NSE_OK, NSE_PENDING};
use super::worker::Ticket;
use super::{boundary, handle, structs};
use crate::error::Error;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

/// Work under way that was begun by a function ending in _async.
pub struct nse_op {
    _private: [u8; 0],
}

/// Wait as long as it takes.
pub const NSE_FOREVER: u32 = u32::MAX;

pub struct OpHandle {
    work: Mutex<Box<dyn Work>>,
    cancel: Box<dyn Fn() + Send + Sync>,
    model: Arc<Mutex<Option<ModelHandle>>>,
}

type Outcome = Result<nse_status, Arc<Error>>;

/// A ticket and what became of it.
trait Work: Send {
    /// None: still at work.
    fn poll(&mut self, timeout: Option<Duration>) -> Option<Outcome>;
}

struct Waiting<R> {
    ticket: Ticket<R>,
    events: Arc<Events>,
    /// Turns the result into a status, once.
    finish: Box<dyn FnMut(R) -> nse_status + Send>,
    finished: Option<Outcome>,
}

impl<R: Send> Work for Waiting<R> {
    fn poll(&mut self, timeout: Option<Duration>) -> Option<Outcome> {
        if self.finished.is_none() {
            let result = self.ticket.wait(timeout, &self.events)?;
            self.finished = Some(result.map(&mut self.finish).map_err(Arc::new));
        }
        self.finished.clone()
    }
}

impl OpHandle {
    pub fn new<R: Send + 'static>(
        ticket: Ticket<R>,
        events: Arc<Events>,
        finish: impl FnMut(R) -> nse_status + Send + 'static,
    ) -> Self {
        let canceller = ticket.canceller();
        let work = Waiting { ticket, events, finish: Box::new(finish), finished: None };
        OpHandle { work: Mutex::new(Box::new(work)), cancel: Box::new(canceller), model: Arc::default() }
    }

    /// One whose result is a model.
    pub fn with_model(make: impl FnOnce(Arc<Mutex<Option<ModelHandle>>>) -> Self) -> Self {
        let model = Arc::<Mutex<Option<ModelHandle>>>::default();
        OpHandle { model: model.clone(), ..make(model) }
    }
}

/// Delivers the events that wait, on this thread, and says how the work stands. Blocks as long as it is told to: returns when it is done or `timeout_ms` have
/// passed, whichever comes first; with 0 at once.
///
/// `timeout_ms`: milliseconds, or NSE_FOREVER.
///
/// Returns NSE_PENDING: still at work. Otherwise what the blocking function would have returned, and the same again when asked
/// again. NSE_ERR_BUSY: another call polls this operation, or a callback of it does. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_op_poll(op: *const nse_op, timeout_ms: u32, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let op = handle::get::<OpHandle>("op", op)?;
        let mut work = match op.work.try_lock() {
            Ok(work) => work,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Error::Busy("operation")),
        };
        let timeout = (timeout_ms != NSE_FOREVER).then(|| Duration::from_millis(timeout_ms.into()));
        match work.poll(timeout) {
            None => Ok(NSE_PENDING),
            Some(result) => result.map_err(Error::Shared),
        }
    })
}

/// Asks the work to stop after its current batch. When it is done already, nothing happens, whatever its object does by now. Never
/// waits. Concurrent.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_op_cancel(op: *const nse_op, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        (handle::get::<OpHandle>("op", op)?.cancel)();
        Ok(NSE_OK)
    })
}

/// The model that nse_model_train_async made; the operation has it no more.
///
/// `out`: [out] to free with nse_model_free.
///
/// NSE_ERR_NOT_FOUND: nse_op_poll has not returned NSE_OK yet, the model was taken, or the operation makes none. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_op_take_model(op: *const nse_op, out: *mut *mut nse_model, err: *mut *mut nse_error) -> nse_status {
    structs::clear(out);
    boundary::guard(err, || {
        if out.is_null() {
            return Err(Error::Argument { name: "out", reason: "NULL is not a place for a handle".into() });
        }
        let op = handle::get::<OpHandle>("op", op)?;
        let model = op.model.lock().unwrap_or_else(PoisonError::into_inner).take();
        let model = model.ok_or_else(|| Error::NotFound("the operation has no model".into()))?;
        structs::put(out, handle::insert(model)?);
        Ok(NSE_OK)
    })
}

/// Frees an operation. A step of a search goes on; the training of a model, which nobody could take any more, is cancelled. NULL
/// is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_op_free(op: *mut nse_op) {
    if !boundary::forked() {
        handle::free::<OpHandle>(op);
    }
}
