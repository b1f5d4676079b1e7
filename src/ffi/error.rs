//! Errors as objects: immutable, owned by the caller, usable from any thread.

use super::buffer::{self, nse_buffer};
use super::status::{self, nse_status};
use super::{boundary, handle};
use crate::error::Error;
use std::ffi::{c_char, CString};

/// An error: status, one line of text, and details as JSON. Made by a failing call, owned by the caller.
pub struct nse_error {
    _private: [u8; 0],
}

pub struct ErrorObject {
    status: nse_status,
    message: CString,
    detail: String,
}

impl ErrorObject {
    pub fn new(error: &Error) -> Self {
        let message = error.to_string().replace(['\0', '\n'], " ");
        ErrorObject {
            status: status::of(error),
            message: CString::new(message).unwrap_or_default(),
            detail: error.detail().to_string(),
        }
    }
}

/// The status of an error, or NSE_ERR_INVALID_HANDLE when `error` is not one. Concurrent.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_error_code(error: *const nse_error) -> nse_status {
    boundary::guard(std::ptr::null_mut(), || Ok(handle::get::<ErrorObject>("error", error)?.status))
}

/// The text of an error: one line, never NULL; "not an error" when `error` is not one. Lives as long as the error.
/// Concurrent.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_error_message(error: *const nse_error) -> *const c_char {
    if boundary::forked() {
        return c"this process was forked after nse was first used".as_ptr();
    }
    // The registry keeps the object, and with it the text, until the error is freed.
    handle::get::<ErrorObject>("error", error).map_or(c"not an error".as_ptr(), |object| object.message.as_ptr())
}

/// Details as a JSON object, for programs: for example {"document": "search options", "pointer": "/train/epochs"},
/// {"path": file}, or {"low", "high", "least", "greatest", "below", "above"} of a cost window out of reach, or
/// {"code", "known", "told"} of two results that differ.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_error_detail(error: *const nse_error, out: *mut nse_buffer) -> nse_status {
    boundary::guard(std::ptr::null_mut(), || {
        let object = handle::get::<ErrorObject>("error", error)?;
        buffer::write("out", out, object.detail.clone())
    })
}

/// Frees an error. NULL is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_error_free(error: *mut nse_error) {
    if !boundary::forked() {
        handle::free::<ErrorObject>(error);
    }
}
