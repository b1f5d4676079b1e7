//! Rust side of `c10d.cpp`: a transport of libtorch's own, over TCP.

use super::libtorch;
use super::shim::outcome;
use crate::dist::{route, Environment, Transport};
use crate::error::{Error, Result};
use std::ffi::{c_char, c_int, CString};
use std::time::Duration;

#[repr(C)]
struct Raw {
    _private: [u8; 0],
}

extern "C" {
    fn nse_shim_group_new(
        address: *const c_char,
        port: u16,
        serves: bool,
        prefix: *const c_char,
        local: *const c_char,
        interface: *const c_char,
        rank: c_int,
        size: c_int,
        timeout_ms: i64,
        out: *mut *mut Raw,
    ) -> *mut c_char;
    fn nse_shim_group_free(group: *mut Raw);
    fn nse_shim_group_sum(group: *mut Raw, numbers: *mut i64, count: usize) -> *mut c_char;
    fn nse_shim_group_max(group: *mut Raw, numbers: *mut f64, count: usize) -> *mut c_char;
    fn nse_shim_group_broadcast(group: *mut Raw, bytes: *mut u8, count: usize) -> *mut c_char;
    fn nse_shim_group_gather(group: *mut Raw, own: *mut u8, count: usize, all: *mut u8) -> *mut c_char;
    fn nse_shim_group_barrier(group: *mut Raw) -> *mut c_char;
    fn nse_shim_group_draw(group: *mut Raw, count: *const c_char, number: *mut i64) -> *mut c_char;
    fn nse_shim_group_forget(group: *mut Raw, count: *const c_char) -> *mut c_char;
}

/// As good as no limit.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Lives on one thread.
pub struct C10d {
    raw: *mut Raw,
    /// Whether this rank tidies the store.
    first: bool,
    /// Number of the count that is drawn from.
    count: u64,
}

fn count_name(count: u64) -> Result<CString> {
    CString::new(format!("count/{count}")).map_err(|error| Error::Torch(error.to_string()))
}

impl C10d {
    /// Waits until all ranks are there. `prefix`: of what they leave in the store.
    pub fn join(at: &Environment, prefix: &str, limit: Option<Duration>) -> Result<Self> {
        libtorch::usable()?;
        let wrong = |reason: String| Error::Argument { name: "environment", reason };
        let text = |text: &str| CString::new(text).map_err(|_| wrong(format!("NUL inside {text:?}")));
        let limit = limit.unwrap_or(FOREVER);
        let interface =
            std::env::var("GLOO_SOCKET_IFNAME").ok().filter(|name| !name.is_empty()).map(|name| text(&name)).transpose()?;
        let met = |reason: String| {
            let (rank, size) = (at.place.rank as usize, at.place.size as usize);
            Error::Collective {
                rank,
                size,
                what: "meeting the others",
                reason: format!("{}, port {}: {reason}", at.address, at.port),
            }
        };
        let local = route(&at.address, at.port, limit).map_err(|error| met(error.to_string()))?;
        let local = text(&local.to_string())?;
        let (address, prefix) = (text(&at.address)?, text(prefix)?);
        let serves = at.place.rank == 0 && !at.served;
        let mut raw = std::ptr::null_mut();
        // SAFETY: texts that outlive the call; on success `raw` is a new group that is ours.
        outcome(unsafe {
            nse_shim_group_new(
                address.as_ptr(),
                at.port,
                serves,
                prefix.as_ptr(),
                local.as_ptr(),
                interface.as_ref().map_or(std::ptr::null(), |name| name.as_ptr()),
                at.place.rank as c_int,
                at.place.size as c_int,
                limit.as_millis() as i64,
                &mut raw,
            )
        })
        .map_err(|error| met(error.to_string()))?;
        Ok(C10d { raw, first: at.place.rank == 0, count: 0 })
    }
}

impl Drop for C10d {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { nse_shim_group_free(self.raw) }
    }
}

// SAFETY (of all): a group that is ours, and as many values as are said.
impl Transport for C10d {
    fn sum(&mut self, numbers: &mut [i64]) -> Result<()> {
        outcome(unsafe { nse_shim_group_sum(self.raw, numbers.as_mut_ptr(), numbers.len()) })
    }

    fn max(&mut self, numbers: &mut [f64]) -> Result<()> {
        outcome(unsafe { nse_shim_group_max(self.raw, numbers.as_mut_ptr(), numbers.len()) })
    }

    fn broadcast(&mut self, bytes: &mut [u8]) -> Result<()> {
        outcome(unsafe { nse_shim_group_broadcast(self.raw, bytes.as_mut_ptr(), bytes.len()) })
    }

    fn gather(&mut self, own: &[u8], all: &mut [u8]) -> Result<()> {
        // gloo only reads what it is given.
        outcome(unsafe { nse_shim_group_gather(self.raw, own.as_ptr().cast_mut(), own.len(), all.as_mut_ptr()) })
    }

    fn barrier(&mut self) -> Result<()> {
        outcome(unsafe { nse_shim_group_barrier(self.raw) })
    }

    fn draw(&mut self, anew: bool) -> Result<Option<u64>> {
        let mut number = 0;
        if anew {
            if self.first && self.count > 0 {
                // Nobody draws from it any more.
                let old = count_name(self.count)?;
                outcome(unsafe { nse_shim_group_forget(self.raw, old.as_ptr()) })?;
            }
            self.count += 1;
        }
        let name = count_name(self.count)?;
        outcome(unsafe { nse_shim_group_draw(self.raw, name.as_ptr(), &mut number) })?;
        Ok(Some(number as u64))
    }
}
