//! Section "library": versions and the run-time picture.

use super::buffer::{self, nse_buffer};
use super::error::nse_error;
use super::op::NSE_FOREVER;
use super::status::{nse_status, NSE_ERR_ABI, NSE_OK, NSE_PENDING};
use super::{boundary, threads, worker};
use crate::log;
use crate::process::OpenMp;
use crate::supernet;
use serde_json::json;
use std::ffi::c_char;
use std::time::Duration;

/// ABI number of this header. It grows when something is removed or changed; additions keep it.
pub const NSE_ABI_VERSION: u32 = 1;

/// Version of the library: major << 16 | minor << 8 | patch. Concurrent.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_version_number() -> u32 {
    let part = |text: &str| text.parse::<u32>().unwrap_or(0);
    let [major, minor, patch] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")].map(part);
    major << 16 | minor << 8 | patch
}

/// Version of the library as text, for example "0.1.0". Static. Concurrent.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_version_string() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Whether header and library fit together: call it first, with NSE_ABI_VERSION.
///
/// `header_abi`: [in] the NSE_ABI_VERSION that the caller was compiled with.
///
/// Returns NSE_OK or NSE_ERR_ABI. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_abi_check(header_abi: u32) -> nse_status {
    if header_abi == NSE_ABI_VERSION {
        NSE_OK
    } else {
        NSE_ERR_ABI
    }
}

/// What runs here, as JSON:
///
/// "nse": {"version", "abi", "torch": whether this build has libtorch}.
/// "runtime": null without libtorch, else {"libtorch", "cuda"}. "libtorch": {"version", "made_for": the version that nse was made
/// for, "file": where it was loaded from, "others": more files of libtorch in this process, "before_nse": whether it was there
/// before nse (null: unknown), "threads", "problem": null, or why it is refused (NSE_ERR_TORCH_MISMATCH)}. "cuda": {"available",
/// "devices", "reason": why it is off}.
/// "openmp": {"libraries": files of OpenMP runtimes in this process, "warning": null, or that there are two kinds}. The first
/// call looks for CUDA. Blocks for that long.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_runtime_info(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let runtime = worker::once("info", || Ok(supernet::runtime_info()))?;
        // Afterwards: the CUDA half may have brought another one.
        let openmp = OpenMp::look();
        openmp.warn_once();
        // A name that is no UTF-8 is no JSON either.
        let libraries: Vec<_> = openmp.libraries.iter().map(|path| path.display().to_string()).collect();
        let info = json!({
            "nse": { "version": env!("CARGO_PKG_VERSION"), "abi": NSE_ABI_VERSION, "torch": cfg!(feature = "torch") },
            "runtime": runtime,
            "openmp": { "libraries": libraries, "warning": openmp.warning },
        });
        buffer::write("out", out, info.to_string())
    })
}

/// Ends all threads of the library: everything that runs is cancelled, and returns NSE_ERR_CANCELLED, where other threads wait
/// for it too. Searches and models stay and can be looked at; what would compute with them (step, save, evaluate, export) returns
/// NSE_ERR_CANCELLED from then on. Save first what should go on later. user_free of a callback runs when its object is freed, as
/// ever. The log stays. New searches and models may be made, even at once: they have new threads. Not needed before a process ends.
/// Blocks.
///
/// `timeout_ms`: milliseconds to wait for the threads, or NSE_FOREVER. A thread ends after its current batch, and not inside a
/// callback of the host.
///
/// Returns NSE_OK: no thread that was there is left. NSE_PENDING: the time is up, call again; or this is called from a callback
/// on a thread of the library, which cannot wait for itself, and all threads end soon. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_shutdown(timeout_ms: u32, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        log::info!("library", "shutdown");
        let timeout = (timeout_ms != NSE_FOREVER).then(|| Duration::from_millis(timeout_ms.into()));
        Ok(if threads::end_all(timeout) { NSE_OK } else { NSE_PENDING })
    })
}
