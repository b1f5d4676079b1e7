//! Status codes. A number is never reused; a retired one stays here as a comment.

use crate::error::Error;

/// Result of a call: 0 or positive is success, negative an error.
pub type nse_status = i32;

/// Success.
pub const NSE_OK: nse_status = 0;
/// Success, and the search is complete: there are no more rounds.
pub const NSE_DONE: nse_status = 1;
/// Success so far: the operation is still at work, or there is nothing to hand out yet.
pub const NSE_PENDING: nse_status = 2;
/// An argument is NULL, not UTF-8, or has a value that is not allowed.
pub const NSE_ERR_INVALID_ARGUMENT: nse_status = -1;
/// A handle is NULL, was freed, is of another kind, or never came from this library.
pub const NSE_ERR_INVALID_HANDLE: nse_status = -2;
/// A JSON document does not parse, has an unknown key, or a value out of range. The detail has the JSON pointer, or the line of
/// a CSV text.
pub const NSE_ERR_CONFIG: nse_status = -3;
/// A file could not be read or written.
pub const NSE_ERR_IO: nse_status = -4;
/// A file was read and is not what it should be.
pub const NSE_ERR_FORMAT: nse_status = -5;
/// Another call is at work on the same object.
pub const NSE_ERR_BUSY: nse_status = -6;
/// Cancelled by the host; what was done so far is kept. Or nse_shutdown has ended the thread of this object.
pub const NSE_ERR_CANCELLED: nse_status = -7;
/// A function of the host did not succeed. The detail has what it returned.
pub const NSE_ERR_CALLBACK: nse_status = -9;
/// The processes that share a run did not all do their part, or have not the same images. What this one had before the step is kept.
pub const NSE_ERR_COLLECTIVE: nse_status = -10;
/// The device, or the machine, has no memory for it. Nothing is lost: the state before is kept, and the call can be made again.
pub const NSE_ERR_OUT_OF_MEMORY: nse_status = -11;
/// The device does not exist or cannot be used.
pub const NSE_ERR_DEVICE: nse_status = -12;
/// libtorch reported an error.
pub const NSE_ERR_TORCH: nse_status = -13;
/// The libtorch of this process is not one that the library was made for. The detail has both files and both versions.
pub const NSE_ERR_TORCH_MISMATCH: nse_status = -14;
/// This build of the library cannot do it, or no build in this kind of space; the message says which.
pub const NSE_ERR_UNSUPPORTED: nse_status = -15;
/// The caller's array is too small; the detail says how much is needed.
pub const NSE_ERR_BUFFER_TOO_SMALL: nse_status = -16;
/// Header and library do not fit together.
pub const NSE_ERR_ABI: nse_status = -17;
/// The process was forked after the library was used. Comes without an error object.
pub const NSE_ERR_FORKED: nse_status = -18;
/// An earlier internal error made this object unusable. It can only be freed.
pub const NSE_ERR_POISONED: nse_status = -19;
/// A bug in the library.
pub const NSE_ERR_PANIC: nse_status = -20;
/// There is no such thing, for example no architecture within the budget.
pub const NSE_ERR_NOT_FOUND: nse_status = -21;
/// No architecture costs what was asked for; the detail says what is reachable. Or hardly any does, so that none can be drawn.
pub const NSE_ERR_UNREACHABLE: nse_status = -22;
/// A loss became infinite or not a number. The state before that step is kept.
pub const NSE_ERR_DIVERGED: nse_status = -23;
/// Fewer different architectures exist than candidates are wanted. The detail says how many there are.
pub const NSE_ERR_TOO_FEW: nse_status = -24;
/// The latency table does not have every entry that the space needs. The detail lists what is missing.
pub const NSE_ERR_MISSING_LATENCY: nse_status = -25;
/// Another result of the same architecture is known. The detail has both.
pub const NSE_ERR_CONFLICT: nse_status = -26;

pub fn of(error: &Error) -> nse_status {
    match error {
        Error::Argument { .. } => NSE_ERR_INVALID_ARGUMENT,
        Error::Handle { .. } => NSE_ERR_INVALID_HANDLE,
        Error::Config { .. } => NSE_ERR_CONFIG,
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::OutOfMemory => NSE_ERR_OUT_OF_MEMORY,
        Error::Io { .. } => NSE_ERR_IO,
        Error::Format { .. } => NSE_ERR_FORMAT,
        Error::Busy(_) => NSE_ERR_BUSY,
        Error::Cancelled | Error::ShutDown(_) => NSE_ERR_CANCELLED,
        Error::Callback { .. } => NSE_ERR_CALLBACK,
        Error::Collective { .. } => NSE_ERR_COLLECTIVE,
        Error::Device { .. } => NSE_ERR_DEVICE,
        Error::OutOfMemory(_) => NSE_ERR_OUT_OF_MEMORY,
        Error::Torch(_) => NSE_ERR_TORCH,
        Error::TorchMismatch { .. } => NSE_ERR_TORCH_MISMATCH,
        Error::Unsupported(_) | Error::UnsupportedSpace { .. } => NSE_ERR_UNSUPPORTED,
        Error::BufferTooSmall { .. } => NSE_ERR_BUFFER_TOO_SMALL,
        Error::Abi { .. } => NSE_ERR_ABI,
        Error::Forked => NSE_ERR_FORKED,
        Error::Poisoned(_) => NSE_ERR_POISONED,
        Error::Panic(_) => NSE_ERR_PANIC,
        Error::Shared(error) => of(error),
        Error::NotFound(_) => NSE_ERR_NOT_FOUND,
        Error::Unreachable { .. } | Error::TooRare { .. } => NSE_ERR_UNREACHABLE,
        Error::Diverged { .. } => NSE_ERR_DIVERGED,
        Error::TooFew { .. } => NSE_ERR_TOO_FEW,
        Error::MissingLatencies { .. } => NSE_ERR_MISSING_LATENCY,
        Error::Conflict { .. } => NSE_ERR_CONFLICT,
    }
}

/// Name of a status, for example "NSE_ERR_CONFIG"; "unknown status" for any other number. Static text, never NULL.
///
/// `status`: [in] any number.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_status_name(status: nse_status) -> *const std::ffi::c_char {
    let name = match status {
        NSE_OK => c"NSE_OK",
        NSE_DONE => c"NSE_DONE",
        NSE_PENDING => c"NSE_PENDING",
        NSE_ERR_INVALID_ARGUMENT => c"NSE_ERR_INVALID_ARGUMENT",
        NSE_ERR_INVALID_HANDLE => c"NSE_ERR_INVALID_HANDLE",
        NSE_ERR_CONFIG => c"NSE_ERR_CONFIG",
        NSE_ERR_IO => c"NSE_ERR_IO",
        NSE_ERR_FORMAT => c"NSE_ERR_FORMAT",
        NSE_ERR_BUSY => c"NSE_ERR_BUSY",
        NSE_ERR_CANCELLED => c"NSE_ERR_CANCELLED",
        NSE_ERR_CALLBACK => c"NSE_ERR_CALLBACK",
        NSE_ERR_COLLECTIVE => c"NSE_ERR_COLLECTIVE",
        NSE_ERR_OUT_OF_MEMORY => c"NSE_ERR_OUT_OF_MEMORY",
        NSE_ERR_DEVICE => c"NSE_ERR_DEVICE",
        NSE_ERR_TORCH => c"NSE_ERR_TORCH",
        NSE_ERR_TORCH_MISMATCH => c"NSE_ERR_TORCH_MISMATCH",
        NSE_ERR_UNSUPPORTED => c"NSE_ERR_UNSUPPORTED",
        NSE_ERR_BUFFER_TOO_SMALL => c"NSE_ERR_BUFFER_TOO_SMALL",
        NSE_ERR_ABI => c"NSE_ERR_ABI",
        NSE_ERR_FORKED => c"NSE_ERR_FORKED",
        NSE_ERR_POISONED => c"NSE_ERR_POISONED",
        NSE_ERR_PANIC => c"NSE_ERR_PANIC",
        NSE_ERR_NOT_FOUND => c"NSE_ERR_NOT_FOUND",
        NSE_ERR_UNREACHABLE => c"NSE_ERR_UNREACHABLE",
        NSE_ERR_DIVERGED => c"NSE_ERR_DIVERGED",
        NSE_ERR_TOO_FEW => c"NSE_ERR_TOO_FEW",
        NSE_ERR_MISSING_LATENCY => c"NSE_ERR_MISSING_LATENCY",
        NSE_ERR_CONFLICT => c"NSE_ERR_CONFLICT",
        _ => c"unknown status",
    };
    name.as_ptr()
}
