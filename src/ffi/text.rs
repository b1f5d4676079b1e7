//! Text that the caller passes in: UTF-8, ending in NUL.

use crate::error::{Error, Result};
use std::ffi::{c_char, CStr};

/// `text` for the length of a call.
pub fn required<'a>(name: &'static str, text: *const c_char) -> Result<&'a str> {
    optional(name, text)?.ok_or_else(|| Error::Argument { name, reason: "NULL is not a text".into() })
}

/// None for NULL.
pub fn optional<'a>(name: &'static str, text: *const c_char) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL; the caller passes text that ends in NUL and lives through the call.
    let bytes = unsafe { CStr::from_ptr(text) };
    let wrong = |e: std::str::Utf8Error| Error::Argument { name, reason: format!("not UTF-8 at byte {}", e.valid_up_to()) };
    bytes.to_str().map(Some).map_err(wrong)
}
