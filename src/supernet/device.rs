//! Which libtorch runs here, on what.

use crate::error::{Error, Result};
use once_cell::sync::Lazy;
use serde_json::{json, Value};
use std::ffi::CStr;
use tch::{Cuda, Device};

/// The CUDA half of libtorch registers itself when it is loaded, and only before the first tensor is made. A build made against
/// the CPU set does not link it, so it is looked for once, where the loader looks. Absent is fine: then there is no CUDA.
static CUDA_LIBRARY: Lazy<()> = Lazy::new(|| {
    // SAFETY: a constant name; the library stays loaded.
    unsafe { libc::dlopen(c"libtorch_cuda.so".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
});

/// "cpu", "cuda" (device 0) or "cuda:N".
pub fn parse(name: &str) -> Result<Device> {
    Lazy::force(&CUDA_LIBRARY);
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

extern "C" {
    /// Version of libtorch as 0xMMmmpp.. (major, minor, patch in the top three bytes); exported by libtorch_cpu.
    fn aoti_torch_abi_version() -> u64;
}

/// Version and file of the libtorch in use, and its devices.
pub fn runtime_info() -> Value {
    Lazy::force(&CUDA_LIBRARY);
    let cuda = Cuda::is_available();
    // SAFETY: takes nothing, returns a constant.
    let [major, minor, patch, ..] = unsafe { aoti_torch_abi_version() }.to_be_bytes();
    json!({
        "libtorch": { "version": format!("{major}.{minor}.{patch}"), "file": library_file(), "threads": tch::get_num_threads() },
        "cuda": { "available": cuda, "devices": Cuda::device_count(), "reason": (!cuda).then(why_no_cuda) },
    })
}

/// The file that libtorch was loaded from.
fn library_file() -> Option<String> {
    // SAFETY: all fields of Dl_info may be zero.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: dladdr only reads the address and fills `info`.
    let found = unsafe { libc::dladdr(aoti_torch_abi_version as *const libc::c_void, &mut info) };
    let name = (found != 0 && !info.dli_fname.is_null()).then_some(info.dli_fname)?;
    // SAFETY: dladdr's names are NUL-terminated and live as long as the library.
    Some(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}
