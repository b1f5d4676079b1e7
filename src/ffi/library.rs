//! Section "library": versions and the run-time picture.

use super::buffer::{self, nse_buffer};
use super::error::nse_error;
use super::status::{self, nse_status, NSE_OK};
use super::{boundary, status::NSE_ERR_ABI};
use crate::supernet;
use serde_json::json;
use std::ffi::c_char;

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

/// What runs here, as JSON: version and ABI of nse, whether it has libtorch, which file that is and its version, its
/// threads, CUDA and why it is off, OpenMP libraries in this process. Touches libtorch, so that the first call looks for CUDA.
/// Blocks for that long.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_runtime_info(out: *mut nse_buffer, err: *mut *mut nse_error) -> status::nse_status {
    boundary::guard(err, || {
        let info = json!({
            "nse": { "version": env!("CARGO_PKG_VERSION"), "abi": NSE_ABI_VERSION, "torch": cfg!(feature = "torch") },
            "runtime": supernet::runtime_info(),
            "openmp": openmp_libraries(),
        });
        buffer::write("out", out, info.to_string())
    })
}

/// Files of OpenMP runtimes mapped into this process. Two kinds at once slow each other down, or crash.
fn openmp_libraries() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut files: Vec<_> = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).map(str::to_owned).collect();
    files.retain(|file| {
        ["libgomp", "libomp", "libiomp"].iter().any(|name| file.rsplit('/').next().unwrap_or("").starts_with(name))
    });
    files.sort();
    files.dedup();
    files
}
