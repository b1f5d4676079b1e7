//! Section "log".

use super::callback::{nse_free_fn, User};
use super::error::nse_error;
use super::status::{nse_status, NSE_OK};
use super::structs::Sized32;
use super::{boundary, structs};
use crate::error::{Error, Result};
use crate::log::{self, Level, Sink};
use std::ffi::{c_char, c_void, CString};
use std::mem::size_of;
use std::sync::Arc;

/// Level of the log: nothing.
pub const NSE_LOG_OFF: i32 = 0;
/// Level of the log: a bug in the library.
pub const NSE_LOG_ERROR: i32 = 1;
/// Level of the log: something that the host will want to change, for example two OpenMP runtimes in its process.
pub const NSE_LOG_WARN: i32 = 2;
/// Level of the log: searches, rounds, checkpoints, models and the libtorch in use; a few lines per round. The default.
pub const NSE_LOG_INFO: i32 = 3;
/// Level of the log: what leads to them: operators that are dropped, calls that fail.
pub const NSE_LOG_DEBUG: i32 = 4;
/// Level of the log: every optimizer step.
pub const NSE_LOG_TRACE: i32 = 5;

/// Called with a message. `target`: one word, the part of the library that speaks: "search", "checkpoint", "model", "torch",
/// "openmp", "events", "library" or "ffi"; later versions may have more. `message`: UTF-8 with a NUL behind its `len` bytes. Both are
/// valid during the call only.
///
/// Runs on any thread, those of the library included, and on several at once; no lock of the library is held, a slow one holds up
/// its own thread only. Every function may be called from inside, nse_set_log too; what they say on this thread is not logged. Must
/// return normally: no exception, no longjmp, no thread exit.
pub type nse_log_fn =
    Option<unsafe extern "C-unwind" fn(user: *mut c_void, level: i32, target: *const c_char, message: *const c_char, len: usize)>;

/// Where messages go. Start with NSE_LOG_SINK_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_log_sink {
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    /// Not NULL.
    pub log: nse_log_fn,
    /// Passed to both functions; the library never looks at it.
    pub user: *mut c_void,
    /// May be NULL. Called exactly once, when this sink was replaced and no call of it is under way any more, or when
    /// nse_set_log fails (but not when a struct_size is wrong, for then nothing can be read).
    pub user_free: nse_free_fn,
}

// SAFETY: starts with its size; zero is no function and no user.
unsafe impl Sized32 for nse_log_sink {
    const LEAST: usize = size_of::<nse_log_sink>();
}

struct HostSink {
    log: unsafe extern "C-unwind" fn(*mut c_void, i32, *const c_char, *const c_char, usize),
    user: User,
}

impl HostSink {
    fn read(sink: *const nse_log_sink) -> Result<Self> {
        let nse_log_sink { flags, log, user, user_free, .. } = structs::read("sink", sink)?;
        // Owned from here on, so that user_free runs whatever is wrong.
        let user = User { pointer: user, free: user_free };
        let wrong = |reason| Error::Argument { name: "sink", reason };
        if flags != 0 {
            return Err(wrong(format!("flags {flags:#x} are not known")));
        }
        let log = log.ok_or_else(|| wrong("log is NULL, which is not a function".into()))?;
        Ok(HostSink { log, user })
    }
}

impl Sink for HostSink {
    fn write(&self, level: Level, target: &str, message: &str) {
        // A NUL would hide what is behind it.
        let text = |text: &str| CString::new(text.replace('\0', " ")).unwrap_or_default();
        let (target, message) = (text(target), text(message));
        // SAFETY: the host's function, with the host's own pointer, and texts that outlive the call.
        unsafe {
            (self.log)(self.user.pointer, level as i32, target.as_ptr(), message.as_ptr(), message.as_bytes().len());
        }
    }
}

/// Sends the messages of the library, for the whole process, to `sink` instead of to where they went; NULL: nowhere, as at the
/// beginning. Never waits: calls of the old sink that are under way end in their own time.
///
/// `sink`: [in] read during the call only.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_set_log(sink: *const nse_log_sink, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let sink = if sink.is_null() { None } else { Some(Arc::new(HostSink::read(sink)?) as Arc<dyn Sink>) };
        log::set_sink(sink);
        Ok(NSE_OK)
    })
}

/// Sets the level, for the whole process: messages of a higher number are not even made. Concurrent.
///
/// `level`: NSE_LOG_OFF to NSE_LOG_TRACE.
///
/// NSE_ERR_INVALID_ARGUMENT: no such level. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_set_log_level(level: i32) -> nse_status {
    boundary::guard(std::ptr::null_mut(), || {
        log::set_level(match level {
            NSE_LOG_OFF => None,
            NSE_LOG_ERROR => Some(Level::Error),
            NSE_LOG_WARN => Some(Level::Warn),
            NSE_LOG_INFO => Some(Level::Info),
            NSE_LOG_DEBUG => Some(Level::Debug),
            NSE_LOG_TRACE => Some(Level::Trace),
            other => return Err(Error::Argument { name: "level", reason: format!("{other} is not in 0 to 5") }),
        });
        Ok(NSE_OK)
    })
}
