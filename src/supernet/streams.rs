//! Rust side of `streams.cpp`: work of a CUDA device beside other work of it. The CPU has done what it was told when it has been told.

use super::shim::outcome;
use crate::error::Result;
use std::ffi::{c_char, c_int, c_void};
use tch::Device;

#[repr(C)]
struct RawSide {
    _private: [u8; 0],
}

#[repr(C)]
struct RawMark {
    _private: [u8; 0],
}

extern "C" {
    fn nse_shim_side_new(device: c_int, out: *mut *mut RawSide) -> *mut c_char;
    fn nse_shim_side_free(side: *mut RawSide);
    fn nse_shim_mark_new(device: c_int, out: *mut *mut RawMark) -> *mut c_char;
    fn nse_shim_mark_wait(mark: *const RawMark) -> *mut c_char;
    fn nse_shim_mark_free(mark: *mut RawMark);
    fn nse_shim_queue(device: c_int, out: *mut *mut c_void) -> *mut c_char;
    fn nse_shim_idle(device: c_int, out: *mut bool) -> *mut c_char;
}

fn index(device: Device) -> c_int {
    match device {
        Device::Cuda(index) => index as c_int,
        _ => -1,
    }
}

/// While it lives, what its thread has the device do is done beside what other threads have it do.
pub struct Side(*mut RawSide);

impl Side {
    pub fn new(device: Device) -> Result<Option<Self>> {
        let Device::Cuda(_) = device else { return Ok(None) };
        let mut raw = std::ptr::null_mut();
        // SAFETY: on success `raw` is new and ours. A raw pointer keeps it on this thread.
        outcome(unsafe { nse_shim_side_new(index(device), &mut raw) })?;
        Ok(Some(Side(raw)))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once, on the thread that it was made on.
        unsafe { nse_shim_side_free(self.0) }
    }
}

/// What a thread has had the device do, until this was made.
pub struct Mark(*mut RawMark);

// SAFETY: an event of CUDA, which any thread may wait for and free.
unsafe impl Send for Mark {}
unsafe impl Sync for Mark {}

impl Mark {
    pub fn new(device: Device) -> Result<Option<Self>> {
        let Device::Cuda(_) = device else { return Ok(None) };
        let mut raw = std::ptr::null_mut();
        // SAFETY: on success `raw` is new and ours.
        outcome(unsafe { nse_shim_mark_new(index(device), &mut raw) })?;
        Ok(Some(Mark(raw)))
    }

    /// What this thread has the device do from now on begins when that is done.
    pub fn wait(&self) -> Result<()> {
        // SAFETY: ours.
        outcome(unsafe { nse_shim_mark_wait(self.0) })
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { nse_shim_mark_free(self.0) }
    }
}

/// The cudaStream_t of this thread; the device becomes the one that CUDA's own functions take on this thread. NULL for the CPU.
pub fn queue(device: Device) -> Result<*mut c_void> {
    let mut queue = std::ptr::null_mut();
    // SAFETY: `queue` outlives the call.
    outcome(unsafe { nse_shim_queue(index(device), &mut queue) })?;
    Ok(queue)
}

/// Whether the device has done all that this thread had it do.
pub fn idle(device: Device) -> Result<bool> {
    let mut idle = false;
    // SAFETY: `idle` outlives the call.
    outcome(unsafe { nse_shim_idle(index(device), &mut idle) })?;
    Ok(idle)
}
