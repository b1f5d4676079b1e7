//! NCCL, which adds what is in the memory of CUDA devices, by its C interface and where it is found: it comes with every CUDA set of libtorch.
//! Not by c10d's group of it, whose watchdog ends the process when a rank is lost; here a rank that is lost is an error within the time limit.

use super::streams;
use crate::error::Result;
use crate::log;
use crate::search::Collective;
use once_cell::sync::Lazy;
use std::ffi::{c_char, c_int, c_void, CStr};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tch::{Device, Kind, Tensor};

/// ncclUniqueId.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Id(pub [u8; 128]);

/// ncclConfig_t as of 2.14, the first that need not block; later ones read no further.
#[repr(C)]
pub struct Config {
    size: usize,
    magic: u32,
    version: u32,
    blocking: c_int,
    unset: c_int,
}

/// ncclComm_t.
pub type Comm = *mut c_void;

pub const SUCCESS: c_int = 0;
pub const IN_PROGRESS: c_int = 7;
pub const INT64: c_int = 4;
pub const SUM: c_int = 0;

/// The functions of NCCL that are used, by what they are called there.
pub struct Library {
    pub get_unique_id: unsafe extern "C" fn(*mut Id) -> c_int,
    pub comm_init_rank_config: unsafe extern "C" fn(*mut Comm, c_int, Id, c_int, *mut Config) -> c_int,
    pub comm_get_async_error: unsafe extern "C" fn(Comm, *mut c_int) -> c_int,
    pub all_reduce: unsafe extern "C" fn(*const c_void, *mut c_void, usize, c_int, c_int, Comm, *mut c_void) -> c_int,
    pub comm_finalize: unsafe extern "C" fn(Comm) -> c_int,
    pub comm_destroy: unsafe extern "C" fn(Comm) -> c_int,
    pub comm_abort: unsafe extern "C" fn(Comm) -> c_int,
    pub get_error_string: unsafe extern "C" fn(c_int) -> *const c_char,
}

static FOUND: Lazy<Option<Library>> = Lazy::new(|| {
    // SAFETY: a constant name; the library stays loaded.
    let handle = unsafe { libc::dlopen(c"libnccl.so.2".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return None;
    }
    /// A function of `handle`.
    ///
    /// # Safety
    /// `F` is the type of a function of this name.
    unsafe fn function<F: Copy>(handle: *mut c_void, name: &CStr) -> Option<F> {
        let found = libc::dlsym(handle, name.as_ptr());
        (!found.is_null()).then(|| std::mem::transmute_copy(&found))
    }
    // SAFETY: as nccl.h has them since 2.14.
    unsafe {
        Some(Library {
            get_unique_id: function(handle, c"ncclGetUniqueId")?,
            comm_init_rank_config: function(handle, c"ncclCommInitRankConfig")?,
            comm_get_async_error: function(handle, c"ncclCommGetAsyncError")?,
            all_reduce: function(handle, c"ncclAllReduce")?,
            comm_finalize: function(handle, c"ncclCommFinalize")?,
            comm_destroy: function(handle, c"ncclCommDestroy")?,
            comm_abort: function(handle, c"ncclCommAbort")?,
            get_error_string: function(handle, c"ncclGetErrorString")?,
        })
    }
});

impl Library {
    /// NCCL from 2.14 on, as the loader finds it or libtorch has loaded it.
    pub fn found() -> Option<&'static Library> {
        FOUND.as_ref()
    }

    fn said(&self, code: c_int) -> String {
        // SAFETY: a constant text of the library, for any number.
        let text = unsafe { CStr::from_ptr((self.get_error_string)(code)) };
        format!("NCCL: {} ({code})", text.to_string_lossy())
    }

    /// Nothing was refused, though it may not have been done.
    fn accepted(&self, code: c_int) -> std::result::Result<(), String> {
        match code {
            SUCCESS | IN_PROGRESS => Ok(()),
            code => Err(self.said(code)),
        }
    }
}

/// How long the ranks may take to find each other, and a last message to leave.
const MEETING: Duration = Duration::from_secs(60);
const LEAVING: Duration = Duration::from_secs(5);

/// A rank among others, with a device of its own.
pub struct Nccl {
    library: &'static Library,
    /// NULL when it is no more.
    comm: AtomicPtr<c_void>,
    device: Device,
    ranks: Arc<dyn Collective>,
}

// SAFETY: NCCL takes calls for a communicator from any thread, one at a time; whoever shares this one makes them one at a time.
unsafe impl Send for Nccl {}
unsafe impl Sync for Nccl {}

impl Nccl {
    /// All ranks call this, each with NCCL if it has it and is to use it. None, on all, where one has not, or where they do not find each other:
    /// two ranks on one device, for example.
    pub fn join(library: Option<&'static Library>, ranks: Arc<dyn Collective>, device: Device) -> Result<Option<Self>> {
        let all = |here: bool| -> Result<bool> { Ok(ranks.max(vec![f64::from(u8::from(!here))])? == [0.0]) };
        if !all(library.is_some())? {
            return Ok(None);
        }
        let Some(library) = library else { return Ok(None) };
        let mut id = Id([0; 128]);
        let named = match ranks.rank() {
            // SAFETY: `id` outlives the call.
            0 => library.accepted(unsafe { (library.get_unique_id)(&mut id) }),
            _ => Ok(()),
        };
        let told = ranks.broadcast(id.0.to_vec())?;
        id.0.copy_from_slice(&told);
        let met = named.and_then(|()| Nccl::meet(library, id, ranks.clone(), device));
        if let Err(reason) = &met {
            log::warn!("group", "gradients go through the memory of the CPU: {reason}");
        }
        Ok(match all(met.is_ok())? {
            true => met.ok(),
            false => None,
        })
    }

    fn meet(library: &'static Library, id: Id, ranks: Arc<dyn Collective>, device: Device) -> std::result::Result<Self, String> {
        // CUDA's own functions are to take this device.
        streams::queue(device).map_err(|error| error.to_string())?;
        // The magic number of NCCL_CONFIG_INITIALIZER, and INT_MIN for what is not said.
        let mut config =
            Config { size: size_of::<Config>(), magic: 0xcafe_beef, version: 21_400, blocking: 0, unset: c_int::MIN };
        let mut group = Nccl { library, comm: AtomicPtr::default(), device, ranks };
        let (size, rank) = (group.ranks.size() as c_int, group.ranks.rank() as c_int);
        // SAFETY: places that outlive the call.
        library.accepted(unsafe { (library.comm_init_rank_config)(group.comm.get_mut(), size, id, rank, &mut config) })?;
        match group.meeting() {
            Ok(()) => Ok(group),
            Err(reason) => {
                group.end(false);
                Err(reason)
            }
        }
    }

    /// Waits for the others.
    fn meeting(&self) -> std::result::Result<(), String> {
        let begun = Instant::now();
        while !self.settled()? {
            // Half of the time limit is left for the vote on it.
            let earlier = begun.checked_sub(begun.elapsed()).unwrap_or(begun);
            if begun.elapsed() > MEETING || self.ranks.late(earlier).is_some() {
                return Err(format!("the ranks did not meet within {} ms", begun.elapsed().as_millis()));
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn comm(&self) -> std::result::Result<Comm, String> {
        let comm = self.comm.load(Ordering::Acquire);
        (!comm.is_null()).then_some(comm).ok_or_else(|| "it failed before".into())
    }

    /// Whether all that was asked is under way or done.
    fn settled(&self) -> std::result::Result<bool, String> {
        let mut state = SUCCESS;
        // SAFETY: ours, and a place that outlives the call.
        self.library.accepted(unsafe { (self.library.comm_get_async_error)(self.comm()?, &mut state) })?;
        self.library.accepted(state)?;
        Ok(state == SUCCESS)
    }

    /// Every whole number of a tensor on the device becomes the sum over all ranks. Returns when it is there.
    pub fn sum(&self, numbers: &Tensor) -> Result<()> {
        let begun = Instant::now();
        let summed = self.begin(numbers).and_then(|()| loop {
            if self.settled()? && streams::idle(self.device).map_err(|error| error.to_string())? {
                return Ok(());
            }
            if let Some(reason) = self.ranks.late(begun) {
                return Err(reason);
            }
            sleep(Duration::from_micros(20));
        });
        summed.map_err(|reason: String| {
            // What the device still waits for is not waited for any more.
            self.end(false);
            self.ranks.fail("a sum", reason)
        })
    }

    fn begin(&self, numbers: &Tensor) -> std::result::Result<(), String> {
        if numbers.kind() != Kind::Int64 || numbers.device() != self.device || !numbers.is_contiguous() {
            return Err(format!("{numbers:?} is not whole numbers on {:?}", self.device));
        }
        let queue = streams::queue(self.device).map_err(|error| error.to_string())?;
        let at = numbers.data_ptr();
        // SAFETY: so many whole numbers there, which live until they are summed or the communicator is gone.
        self.library.accepted(unsafe { (self.library.all_reduce)(at, at, numbers.numel(), INT64, SUM, self.comm()?, queue) })
    }

    /// Ends it: once all that was sent has arrived, if it is `sound`.
    fn end(&self, sound: bool) {
        let comm = self.comm.load(Ordering::Acquire);
        if comm.is_null() || streams::queue(self.device).is_err() {
            return;
        }
        let clean = sound && self.leave();
        self.comm.store(std::ptr::null_mut(), Ordering::Release);
        // SAFETY: ours, and given back once.
        unsafe {
            match clean {
                true => (self.library.comm_destroy)(comm),
                false => (self.library.comm_abort)(comm),
            }
        };
    }

    /// Whether nothing is on its way any more.
    fn leave(&self) -> bool {
        let begun = Instant::now();
        let asked = self.settled().and_then(|_| {
            // SAFETY: ours, and asked once.
            self.library.accepted(unsafe { (self.library.comm_finalize)(self.comm()?) })
        });
        while asked.is_ok() && begun.elapsed() < LEAVING {
            match self.settled() {
                Ok(true) => return true,
                Ok(false) => sleep(Duration::from_millis(1)),
                Err(_) => return false,
            }
        }
        false
    }
}

impl Drop for Nccl {
    fn drop(&mut self) {
        self.end(true);
    }
}
