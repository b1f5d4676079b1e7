//! The bytes behind a dataset: our own, or memory of the host that is given back when nothing needs it any more. What they mean
//! is for [`super::Dataset`].

use crate::error::{Error, Result};
use std::ops::Deref;
use std::ptr::NonNull;

pub struct Pixels(Store);

enum Store {
    Own(Vec<u8>),
    Host { bytes: NonNull<[u8]>, _owner: Box<dyn Send + Sync> },
}

// SAFETY: the bytes are only ever read, which any number of threads may do at once; `Pixels::borrow` had the caller promise that
// nobody writes them. The owner may be dropped on any thread, and is asked for nothing else.
unsafe impl Send for Store {}
unsafe impl Sync for Store {}

impl Pixels {
    /// Memory that stays where it is. Dropping `owner` gives it back; that happens once, when these pixels are dropped, on
    /// whatever thread does that.
    ///
    /// # Safety
    /// `len` bytes are readable at `first` and do not change until `owner` is dropped.
    pub unsafe fn borrow(first: NonNull<u8>, len: usize, owner: impl Send + Sync + 'static) -> Self {
        Pixels(Store::Host { bytes: NonNull::slice_from_raw_parts(first, len), _owner: Box::new(owner) })
    }
}

impl From<Vec<u8>> for Pixels {
    fn from(bytes: Vec<u8>) -> Self {
        Pixels(Store::Own(bytes))
    }
}

impl Deref for Pixels {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Store::Own(bytes) => bytes,
            // SAFETY: readable and unchanging as long as the owner lives, and it lives as long as `self`.
            Store::Host { bytes, .. } => unsafe { bytes.as_ref() },
        }
    }
}

/// Room for as many values as a host asks for. Too many are an error, not the end of its process.
pub fn reserve<T>(name: &'static str, count: usize) -> Result<Vec<T>> {
    let mut room = Vec::new();
    room_for(name, &mut room, count)?;
    Ok(room)
}

/// The same behind what is there.
pub fn room_for<T>(name: &'static str, values: &mut Vec<T>, count: usize) -> Result<()> {
    let refused = |_| Error::OutOfMemory(format!("{name}: no memory for {count} values"));
    values.try_reserve_exact(count).map_err(refused)
}
