//! On what libtorch runs here.

use super::{libtorch, statics};
use crate::error::{Error, Result};
use crate::log;
use once_cell::sync::Lazy;
use serde_json::{json, Value};
use std::ffi::CStr;
use tch::{Cuda, Device};

/// The CUDA half of libtorch registers itself when it is loaded, and only before the first tensor is made. A build made against
/// the CPU set does not link it, so it is looked for once, where the loader looks. Absent is fine: then there is no CUDA.
static CUDA_LIBRARY: Lazy<()> = Lazy::new(|| {
    // SAFETY: a constant name; the library stays loaded.
    let found = unsafe { libc::dlopen(c"libtorch_cuda.so".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if !found.is_null() {
        statics::look_again();
    }
});

/// "cpu", "cuda" (device 0) or "cuda:N". Everything that computes begins here, so here an unsuitable libtorch is turned away.
pub fn parse(name: &str) -> Result<Device> {
    libtorch::usable()?;
    Lazy::force(&CUDA_LIBRARY);
    let device = parsed(name)?;
    log::debug!("torch", "device {name:?}, {} threads", tch::get_num_threads());
    Ok(device)
}

fn parsed(name: &str) -> Result<Device> {
    let wrong = |reason: String| Error::Device { device: name.into(), reason };
    let index = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        None if name == "cuda" => 0,
        Some(("cuda", index)) => index.parse::<u16>().map_err(|_| wrong("expected a number behind \"cuda:\"".into()))?,
        _ => return Err(wrong("expected \"cpu\", \"cuda\" or \"cuda:N\"".into())),
    };
    if !Cuda::is_available() {
        return Err(wrong(why_no_cuda()));
    }
    let count = Cuda::device_count();
    if i64::from(index) >= count {
        return Err(wrong(format!("there are {count} CUDA devices")));
    }
    Ok(Device::Cuda(usize::from(index)))
}

/// As [`parse`] reads it.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".into(),
    }
}

/// The CUDA device with this index, if it can be used.
pub fn cuda(index: usize) -> Result<Device> {
    parse(&format!("cuda:{index}"))
}

fn why_no_cuda() -> String {
    // SAFETY: constant names; RTLD_NOLOAD loads nothing.
    let loaded = |name: &CStr| unsafe { !libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD).is_null() };
    if !loaded(c"libtorch_cuda.so") {
        return "this libtorch has no CUDA half (libtorch_cuda.so was not found)".into();
    }
    if !loaded(c"libcuda.so.1") {
        return "libtorch has CUDA, but the NVIDIA driver (libcuda.so.1) is not there".into();
    }
    "libtorch has CUDA, but finds no usable device".into()
}

/// Sets libtorch's thread count for the whole process; only called when a host asked for it.
pub fn set_threads(threads: u32) {
    Lazy::force(&CUDA_LIBRARY);
    tch::set_num_threads(threads as i32);
}

/// Waits for everything that was started on `device`.
pub fn synchronize(device: Device) -> Result<()> {
    let Device::Cuda(index) = device else { return Ok(()) };
    // SAFETY: takes a number; the message is NULL or a NUL-terminated string that is ours to free. tch's own wrapper panics.
    let message = unsafe {
        torch_sys::cuda::atc_synchronize(index as i64);
        torch_sys::get_and_reset_last_err()
    };
    if message.is_null() {
        return Ok(());
    }
    let error = super::said(&unsafe { CStr::from_ptr(message) }.to_string_lossy());
    unsafe { libc::free(message.cast()) };
    Err(error)
}

/// Version and file of the libtorch in use, and its devices. Nothing of a libtorch that does not fit is called.
pub fn runtime_info() -> Value {
    let libtorch = libtorch::found();
    if let Err(error) = libtorch.check() {
        let cuda = json!({ "available": false, "devices": 0, "reason": error.to_string() });
        return json!({ "libtorch": libtorch.info(None), "cuda": cuda });
    }
    Lazy::force(&CUDA_LIBRARY);
    let cuda = Cuda::is_available();
    json!({
        "libtorch": libtorch.info(Some(tch::get_num_threads())),
        "cuda": { "available": cuda, "devices": Cuda::device_count(), "reason": (!cuda).then(why_no_cuda) },
    })
}
