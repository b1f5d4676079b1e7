//! Section "ranks": processes that share a search.

use super::boundary;
use super::buffer::{self, nse_buffer};
use super::callback::{nse_free_fn, User};
use super::error::nse_error;
use super::group::Group;
use super::handle;
use super::op::NSE_FOREVER;
use super::status::{nse_status, NSE_OK};
use super::structs::{self, Sized32};
use crate::dist::{self, Alone, Environment, Place, Transport};
use crate::error::{Error, Result};
use crate::search::Collective;
use crate::supernet::C10d;
use serde_json::json;
use std::ffi::c_void;
use std::mem::size_of;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// Several processes, its ranks, that share a search, and what carries numbers between them.
pub struct nse_comm {
    _private: [u8; 0],
}

/// Makes every number the sum over all ranks: MPI_Allreduce with MPI_SUM of MPI_INT64_T, for example. Exact; no sum overflows.
///
/// As of all functions of nse_comm_desc: it is called on all ranks in the same order with the same `count`, one at a time, on one
/// thread of the library; it works in place, and returns when its result is there. Returns 0, or a number of the host's own that
/// says what failed. Must return normally: no exception, no longjmp, no thread exit. What it is given is there until it returns, also
/// after the time limit.
pub type nse_sum_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void, numbers: *mut i64, count: usize) -> i32>;

/// Makes every number the greatest over all ranks. Infinities are numbers; none is NaN.
pub type nse_max_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void, numbers: *mut f64, count: usize) -> i32>;

/// Makes all bytes those of rank 0.
pub type nse_broadcast_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void, bytes: *mut u8, count: usize) -> i32>;

/// Makes `all`, which is size * count bytes, the `count` bytes `own` of all ranks, in the order of the ranks.
pub type nse_gather_fn =
    Option<unsafe extern "C-unwind" fn(user: *mut c_void, own: *const u8, count: usize, all: *mut u8) -> i32>;

/// Returns when all ranks have called it.
pub type nse_barrier_fn = Option<unsafe extern "C-unwind" fn(user: *mut c_void) -> i32>;

/// Collectives of the host. Start with NSE_COMM_DESC_INIT. None of the functions may be NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_comm_desc {
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    /// Of this process: from 0, below `size`.
    pub rank: u32,
    /// Number of ranks, 1 to 65536.
    pub size: u32,
    /// Time limit in milliseconds of every wait for the other ranks; 0: five minutes; NSE_FOREVER: none. It must be longer than the
    /// longest step, and than the others may take to save a checkpoint.
    pub timeout_ms: u32,
    pub sum: nse_sum_fn,
    pub max: nse_max_fn,
    pub broadcast: nse_broadcast_fn,
    pub gather: nse_gather_fn,
    pub barrier: nse_barrier_fn,
    /// Passed to all functions; the library never looks at it.
    pub user: *mut c_void,
    /// May be NULL. Called exactly once, when none of the functions is called any more, from any thread; also when the call that was
    /// given this struct fails (but not when struct_size is wrong, for then nothing can be read).
    pub user_free: nse_free_fn,
}

// SAFETY: starts with its size; zero is no function, no user and numbers.
unsafe impl Sized32 for nse_comm_desc {
    const LEAST: usize = size_of::<nse_comm_desc>();
}

/// Time limit where none is given.
const LIMIT: Duration = Duration::from_secs(300);
const MOST_RANKS: u32 = 1 << 16;

pub struct CommHandle {
    group: Arc<Group>,
    kind: &'static str,
    /// Of a launched process: among those of its machine.
    local_rank: Option<u32>,
    /// A search, or a test, has it.
    taken: Arc<AtomicBool>,
}

impl CommHandle {
    /// Checks that it computes what it should; all ranks come here.
    fn new(kind: &'static str, local_rank: Option<u32>, group: Group) -> Result<Self> {
        let comm = CommHandle { group: Arc::new(group), kind, local_rank, taken: Arc::default() };
        dist::selftest(comm.group.as_ref()).map(|()| comm)
    }

    /// The group of a description, taken.
    pub fn optional(name: &'static str, comm: *const nse_comm) -> Result<Option<Taken>> {
        match comm.is_null() {
            true => Ok(None),
            false => handle::get::<CommHandle>(name, comm)?.take().map(Some),
        }
    }

    /// For one at a time: calls of two would mix.
    pub fn take(&self) -> Result<Taken> {
        match self.taken.swap(true, Ordering::AcqRel) {
            true => Err(Error::Busy("group of ranks")),
            false => Ok(Taken { group: self.group.clone(), taken: self.taken.clone() }),
        }
    }
}

/// A group, and nobody else's until this is dropped.
pub struct Taken {
    pub group: Arc<Group>,
    taken: Arc<AtomicBool>,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.taken.store(false, Ordering::Release);
    }
}

/// The time limit that a host gives as milliseconds.
fn limit(timeout_ms: u32) -> Option<Duration> {
    match timeout_ms {
        0 => Some(LIMIT),
        NSE_FOREVER => None,
        milliseconds => Some(Duration::from_millis(milliseconds.into())),
    }
}

/// The host's functions.
struct Host {
    sum: unsafe extern "C-unwind" fn(*mut c_void, *mut i64, usize) -> i32,
    max: unsafe extern "C-unwind" fn(*mut c_void, *mut f64, usize) -> i32,
    broadcast: unsafe extern "C-unwind" fn(*mut c_void, *mut u8, usize) -> i32,
    gather: unsafe extern "C-unwind" fn(*mut c_void, *const u8, usize, *mut u8) -> i32,
    barrier: unsafe extern "C-unwind" fn(*mut c_void) -> i32,
    user: User,
}

impl Host {
    fn read(desc: &nse_comm_desc, user: User) -> Result<Self> {
        let wrong = |reason: String| Error::Argument { name: "desc", reason };
        let nse_comm_desc { flags, rank, size, sum, max, broadcast, gather, barrier, .. } = *desc;
        if flags != 0 {
            return Err(wrong(format!("flags {flags:#x} are not known")));
        }
        if !(1..=MOST_RANKS).contains(&size) || rank >= size {
            return Err(wrong(format!("rank {rank} of {size} is not one of 1 to {MOST_RANKS} ranks")));
        }
        match (sum, max, broadcast, gather, barrier) {
            (Some(sum), Some(max), Some(broadcast), Some(gather), Some(barrier)) => {
                Ok(Host { sum, max, broadcast, gather, barrier, user })
            }
            _ => Err(wrong("sum, max, broadcast, gather and barrier must not be NULL".into())),
        }
    }
}

fn returned(name: &'static str, count: usize, code: i32) -> Result<()> {
    match code {
        0 => Ok(()),
        code => Err(Error::Callback { name, what: format!("{count} values"), code }),
    }
}

// SAFETY (of all): the host's function, with the host's own pointer, and as many values as it is told.
impl Transport for Host {
    fn sum(&mut self, numbers: &mut [i64]) -> Result<()> {
        returned("desc.sum", numbers.len(), unsafe { (self.sum)(self.user.pointer, numbers.as_mut_ptr(), numbers.len()) })
    }

    fn max(&mut self, numbers: &mut [f64]) -> Result<()> {
        returned("desc.max", numbers.len(), unsafe { (self.max)(self.user.pointer, numbers.as_mut_ptr(), numbers.len()) })
    }

    fn broadcast(&mut self, bytes: &mut [u8]) -> Result<()> {
        returned("desc.broadcast", bytes.len(), unsafe { (self.broadcast)(self.user.pointer, bytes.as_mut_ptr(), bytes.len()) })
    }

    fn gather(&mut self, own: &[u8], all: &mut [u8]) -> Result<()> {
        returned("desc.gather", own.len(), unsafe { (self.gather)(self.user.pointer, own.as_ptr(), own.len(), all.as_mut_ptr()) })
    }

    fn barrier(&mut self) -> Result<()> {
        returned("desc.barrier", 0, unsafe { (self.barrier)(self.user.pointer) })
    }
}

/// Makes this process one of several ranks, with collectives of the host: MPI, or whatever it has. All ranks call this, and it checks
/// with every function, and numbers that are known, that they compute what they should. Starts the thread on which the functions
/// are called from now on. Blocks until all ranks are there.
///
/// Given to nse_search_create or nse_search_load (nse_search_desc) on all ranks, it divides the work of that search.
///
/// When a function fails, is wrong, or does not return within the time limit, the group has failed for good: what needs it returns
/// NSE_ERR_COLLECTIVE. A function that never returns is not waited for, but holds up nse_shutdown; and user_free is only called when
/// it has.
///
/// `desc`: [in] read during the call only. `out`: [out] to free with nse_comm_free.
///
/// NSE_ERR_COLLECTIVE: as said. NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_comm_create(desc: *const nse_comm_desc, out: *mut *mut nse_comm, err: *mut *mut nse_error) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let desc = structs::read("desc", desc).map(|desc: nse_comm_desc| {
        let user = User { pointer: desc.user, free: desc.user_free };
        (desc, user)
    });
    boundary::make(out, err, || {
        let (desc, user) = desc?;
        let host = Host::read(&desc, user)?;
        let make = move || Ok(Box::new(host) as Box<dyn Transport>);
        let group = Group::start(desc.rank as usize, desc.size as usize, limit(desc.timeout_ms), make)?;
        CommHandle::new("host", None, group)
    })
}

/// Makes this process the rank that its launcher says it is, with c10d of libtorch (gloo, over TCP) between the ranks: so a program
/// becomes one of several by being started several times. Otherwise as nse_comm_create, also when no launcher says anything: then
/// it is the only rank. Blocks until all ranks are there.
///
/// Read from the environment are RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun, Kubeflow's PyTorchJob and scripts around
/// srun set them; without the first two PET_NODE_RANK, PET_NNODES, PET_MASTER_ADDR and PET_MASTER_PORT, as Kubeflow Trainer v2 does,
/// where there is one process for a node. LOCAL_RANK only goes to nse_comm_info. Rank 0 opens the port; with
/// TORCHELASTIC_USE_AGENT_STORE=True torchrun has. Gloo is bound to the local address on the way to MASTER_ADDR, or to the interface
/// GLOO_SOCKET_IFNAME. c10d writes warnings to stderr.
///
/// `timeout_ms`: as in nse_comm_desc; for the others to come, too. `out`: [out] to free with nse_comm_free.
///
/// NSE_ERR_INVALID_ARGUMENT: some of the variables are there and others not, or one is wrong; the message names it.
/// NSE_ERR_COLLECTIVE: the others did not come in time, or it does not compute what it should. NSE_ERR_CANCELLED: nse_shutdown.
/// NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch, and a launcher. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_comm_launched(timeout_ms: u32, out: *mut *mut nse_comm, err: *mut *mut nse_error) -> nse_status {
    boundary::make(out, err, || {
        let limit = limit(timeout_ms);
        let Some(environment) = Environment::read(|name| std::env::var(name).ok())? else {
            let group = Group::start(0, 1, limit, || Ok(Box::new(Alone) as Box<dyn Transport>))?;
            return CommHandle::new("alone", Some(0), group);
        };
        let Place { rank, size, local_rank } = environment.place;
        let group = Group::start(rank as usize, size as usize, limit, move || {
            let prefix = format!("nse/{}/{}", environment.attempt, LAUNCHED.fetch_add(1, Ordering::Relaxed));
            Ok(Box::new(C10d::join(&environment, &prefix, limit)?) as Box<dyn Transport>)
        })?;
        CommHandle::new("c10d", Some(local_rank), group)
    })
}

/// How many groups this process has been in: what one of them left in a store is not for the next.
static LAUNCHED: AtomicU64 = AtomicU64::new(0);

/// Checks anew that a group computes what it should: some hundred thousand numbers that all ranks know, with every function. All ranks
/// call this. Blocks.
///
/// NSE_ERR_COLLECTIVE: it does not, or did not come to an end within its time limit; the detail has "rank" and "size", of this
/// process, and the message says what was wrong. NSE_ERR_BUSY: a search has it. NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_comm_test(comm: *const nse_comm, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let taken = handle::get::<CommHandle>("comm", comm)?.take()?;
        dist::selftest(taken.group.as_ref())?;
        Ok(NSE_OK)
    })
}

/// A group as JSON: {"kind": "host", "c10d" or "alone", "rank", "size", "local_rank": among the processes of its machine (null: not known),
/// "timeout_ms" (null: none), "failure": null, or why it has failed}. Concurrent.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_comm_info(comm: *const nse_comm, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let comm = handle::get::<CommHandle>("comm", comm)?;
        let info = json!({
            "kind": comm.kind,
            "rank": comm.group.rank(),
            "size": comm.group.size(),
            "local_rank": comm.local_rank,
            "timeout_ms": comm.group.limit().map(|limit| limit.as_millis() as u64),
            "failure": comm.group.failure().map(|failure| failure.to_string()),
        });
        buffer::write("out", out, info.to_string())
    })
}

/// Frees a group; a search that has it keeps it. NULL is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_comm_free(comm: *mut nse_comm) {
    if !boundary::forked() {
        handle::free::<CommHandle>(comm);
    }
}
