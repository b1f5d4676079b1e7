//! Text and bytes that the library allocates and the caller frees.

use super::status::{nse_status, NSE_OK};
use crate::error::{Error, Result};
use std::ffi::{c_char, c_void};

/// Text owned by the caller. `data` has `len` bytes of UTF-8 (other bytes where a function says so) and a NUL behind them. Start
/// with zeros; free with nse_buffer_free.
#[repr(C)]
pub struct nse_buffer {
    pub data: *mut c_char,
    /// Bytes, without the NUL.
    pub len: usize,
    /// For the library.
    pub reserved: *mut c_void,
}

/// Hands `text` to the caller. What `out` held before is overwritten, not freed.
pub fn write(name: &'static str, out: *mut nse_buffer, text: String) -> Result<nse_status> {
    give(name, out, text.into_bytes())
}

/// The same for bytes that are no text.
pub fn give(name: &'static str, out: *mut nse_buffer, mut bytes: Vec<u8>) -> Result<nse_status> {
    if out.is_null() {
        return Err(Error::Argument { name, reason: "NULL is not a place for a buffer".into() });
    }
    let len = bytes.len();
    bytes.push(0);
    let data = Box::into_raw(bytes.into_boxed_slice()).cast::<c_char>();
    // SAFETY: checked; the caller passes a place for one nse_buffer.
    unsafe { out.write(nse_buffer { data, len, reserved: std::ptr::null_mut() }) };
    Ok(NSE_OK)
}

/// Frees what a buffer holds and sets it to zeros. NULL and a buffer of zeros are allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_buffer_free(buffer: *mut nse_buffer) {
    if buffer.is_null() {
        return;
    }
    // SAFETY: the caller passes a buffer that it got from this library or zeroed itself.
    let held = unsafe { buffer.replace(nse_buffer { data: std::ptr::null_mut(), len: 0, reserved: std::ptr::null_mut() }) };
    if !held.data.is_null() {
        // SAFETY: `write` made this box, of len + 1 bytes.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(held.data.cast::<u8>(), held.len + 1)) });
    }
}
