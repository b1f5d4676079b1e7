//! Structs and places that the caller passes in.

use crate::error::{Error, Result};
use std::mem::size_of;

/// A struct whose first field is `uint32_t struct_size`, and for which all zeros is a valid value.
///
/// # Safety
/// The type must be `repr(C)`, start with a `u32`, and be valid when all its bytes are zero.
pub unsafe trait Sized32: Copy {
    /// The size that the first release had: less was never valid.
    const LEAST: usize;
}

/// Reads as many bytes as the caller says it has; fields beyond are zero. A larger struct comes from a newer header and
/// is accepted as long as what this library does not know is zero.
pub fn read<T: Sized32>(name: &'static str, from: *const T) -> Result<T> {
    let wrong = |reason: String| Err(Error::Argument { name, reason });
    let size = size_in(name, from)?;
    // SAFETY: the caller says that so many bytes are there.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), size) };
    if bytes.iter().skip(size_of::<T>()).any(|b| *b != 0) {
        return wrong(format!("struct_size {size}: uses fields that this version does not know"));
    }
    // SAFETY: valid when zero, by the trait; at most size_of::<T>() bytes are copied.
    unsafe {
        let mut value = std::mem::zeroed::<T>();
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut value).cast::<u8>(), size.min(size_of::<T>()));
        Ok(value)
    }
}

/// What the caller says that it has.
fn size_in<T: Sized32>(name: &'static str, from: *const T) -> Result<usize> {
    let wrong = |reason: String| Err(Error::Argument { name, reason });
    if from.is_null() {
        return wrong("NULL is not a struct".into());
    }
    // SAFETY: not NULL; every such struct starts with its size.
    let size = unsafe { from.cast::<u32>().read() } as usize;
    if size < T::LEAST || size > 1 << 16 {
        return wrong(format!("struct_size {size} is not in {} to {}: set it with the INIT macro", T::LEAST, 1 << 16));
    }
    Ok(size)
}

/// Whether a struct that the library is to fill, which may be NULL, says how large it is.
pub fn ready<T: Sized32>(name: &'static str, out: *const T) -> Result<()> {
    if out.is_null() {
        return Ok(());
    }
    size_in(name, out).map(|_| ())
}

/// Fills a struct that is [`ready`], as far as the caller has it; nothing when it is NULL.
pub fn give<T: Sized32>(out: *mut T, value: T) {
    if out.is_null() {
        return;
    }
    // SAFETY: not NULL, and as many bytes as it says are the caller's; the size in it is kept.
    unsafe {
        let size = out.cast::<u32>().read();
        std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), out.cast::<u8>(), size_of::<T>().min(size as usize));
        out.cast::<u32>().write(size);
    }
}

/// Sets a place for a handle to NULL, when there is one.
pub fn clear<T>(out: *mut *mut T) {
    if !out.is_null() {
        // SAFETY: not NULL; the caller passes a place for one pointer.
        unsafe { *out = std::ptr::null_mut() };
    }
}

/// Writes to a place that may be NULL.
pub fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not NULL; the caller passes a place for one value.
        unsafe { out.write(value) };
    }
}

/// Copies `values` to an array of `capacity`. With a NULL array only the sizes matter to the caller, and nothing is copied.
pub fn fill<T: Copy>(name: &'static str, out: *mut T, capacity: usize, values: &[T]) -> Result<()> {
    if out.is_null() {
        return Ok(());
    }
    if capacity < values.len() {
        return Err(Error::BufferTooSmall { name, capacity, needed: values.len() });
    }
    // SAFETY: not NULL; the caller says that so many values fit, and ours do.
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), out, values.len()) };
    Ok(())
}
