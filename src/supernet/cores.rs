//! The cores of the machine, shared by all searches and models of the process. A pass or a step is made with all the threads that
//! libtorch was given, so that its result does not depend on who else is at work; as many as have two threads for every core run
//! at once, and others wait in a queue, for as long as a pass or a step takes. Two, because a pass is not parallel all the time, and
//! because OpenMP's threads then do not spin: they do that when there are no more of them than cores. Idle threads keep no OpenMP threads: OpenMP has a pool for every thread that
//! ever computed, and with 16 searches that would be 16 pools.
//!
//! Where nearly everything is computed by our own kernels, OpenMP has no part in it: see workers.rs.

use super::libtorch;
use super::workers::Helped;
use once_cell::sync::Lazy;
use std::cell::Cell;
use std::ffi::{c_int, c_void, CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tch::Device;

#[derive(Default)]
struct Queue {
    /// Numbers of the next to come and of the next to be let in.
    next: u64,
    serving: u64,
    /// Room that is taken, and threads in pools, those of idle threads included.
    busy: usize,
    warm: usize,
    /// Threads of the library that ever computed, and live.
    users: usize,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { next: 0, serving: 0, busy: 0, warm: 0, users: 0 });
static MOVED: Condvar = Condvar::new();
/// Threads that compute at once.
static ROOM: Lazy<usize> = Lazy::new(|| 2 * std::thread::available_parallelism().map_or(1, usize::from));

thread_local! {
    /// The pool of this thread, if it ever computed. Given back when it ends, for then OpenMP's threads do.
    static POOL: Pool = const { Pool(Cell::new(None)) };
    /// The room that this thread has: a pass inside a pass takes none.
    static HOLDS: Cell<usize> = const { Cell::new(0) };
}

/// How many threads it has.
struct Pool(Cell<Option<usize>>);

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(threads) = self.0.get() {
            let mut queue = queue();
            queue.warm -= threads;
            queue.users -= 1;
        }
    }
}

/// Some of the room, until it is dropped.
#[must_use]
pub struct Room(usize);

/// Room to compute, until it is dropped.
#[must_use]
pub struct Cores {
    // In this order: what follows in the queue finds OpenMP as it was.
    _alone: Option<Alone>,
    _room: Room,
}

/// Waits for the turn of this thread. No function of the host may be called while it is held.
pub fn take(device: Device) -> Cores {
    Cores { _alone: None, _room: enter(device, |threads| threads) }
}

/// The same for what our kernels compute, but for little: they share it with threads of their own, and libtorch has this thread alone.
pub fn take_own(device: Device) -> Cores {
    let threads = threads();
    Cores {
        _room: enter(device, |threads| threads),
        _alone: (device == Device::Cpu).then(|| Alone::helped_by(threads - 1)).flatten(),
    }
}

/// The same, and nobody else computes meanwhile.
pub fn take_all(device: Device) -> Cores {
    Cores { _alone: None, _room: enter(device, |_| *ROOM) }
}

/// Threads that a pass may have, which is what libtorch was given.
fn threads() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1).clamp(1, *ROOM)
}

/// Until it is dropped, libtorch computes on this thread alone: OpenMP's other threads would go on spinning for a while after they were needed,
/// on the cores that ours have.
#[must_use]
pub struct Alone {
    before: c_int,
    /// The same for MKL, where libtorch has it.
    of_mkl: Option<c_int>,
    _helped: Helped,
}

impl Alone {
    /// None where there are no other threads.
    pub fn new() -> Option<Self> {
        Self::helped_by(0)
    }

    fn helped_by(helpers: usize) -> Option<Self> {
        // libtorch says once for every thread how many it has; not after this.
        if threads() == 1 {
            return None;
        }
        let OpenMp { get_max_threads: Some(get), set_num_threads: Some(set), .. } = &*OPENMP else { return None };
        // SAFETY: OpenMP's functions; they are about this thread.
        let before = unsafe { get() };
        unsafe { set(1) };
        // SAFETY: MKL's function; it is about this thread too.
        let of_mkl = OPENMP.set_mkl_threads.map(|set| unsafe { set(1) });
        Some(Alone { before, of_mkl, _helped: Helped::by(helpers) })
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(set) = OPENMP.set_num_threads {
            // SAFETY: as above.
            unsafe { set(self.before) };
        }
        if let Some((set, before)) = OPENMP.set_mkl_threads.zip(self.of_mkl) {
            // SAFETY: as above.
            unsafe { set(before) };
        }
    }
}

fn enter(device: Device, room: impl FnOnce(usize) -> usize) -> Room {
    // A GPU has its own queue, and the thread that feeds it computes little.
    if device != Device::Cpu || HOLDS.get() > 0 {
        return Room(0);
    }
    let threads = threads();
    let wanted = room(threads);
    let mut queue = queue();
    let number = queue.next;
    queue.next += 1;
    while queue.serving != number || queue.busy + wanted > *ROOM {
        queue = MOVED.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    queue.serving += 1;
    queue.busy += wanted;
    let before = POOL.with(|pool| pool.0.replace(Some(threads)));
    queue.warm = queue.warm + threads - before.unwrap_or(0);
    queue.users += usize::from(before.is_none());
    drop(queue);
    // The next one may fit too.
    MOVED.notify_all();
    HOLDS.set(wanted);
    Room(wanted)
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.0 == 0 {
            return;
        }
        HOLDS.set(0);
        // Before the next one is let in, which will want a pool of its own. Pools that rest are kept while there is room.
        let others = {
            let queue = queue();
            queue.next != queue.serving || queue.warm > *ROOM
        };
        if others {
            end_pool();
        }
        queue().busy -= self.0;
        MOVED.notify_all();
    }
}

/// Lets others compute while this thread waits, in the middle of a piece of work, for what they may have to compute first. `wait` must not
/// panic.
pub fn lend<T>(wait: impl FnOnce() -> T) -> T {
    let room = HOLDS.get();
    if room == 0 {
        return wait();
    }
    drop(Room(room));
    let found = wait();
    // Whoever took it gives it back.
    std::mem::forget(enter(Device::Cpu, |_| room));
    found
}

/// After a piece of work that the host asked for: who knows when the next one comes. Where there is nobody else, the pool can stay.
pub fn rest() {
    if queue().users > 1 {
        end_pool();
    }
}

/// Ends the OpenMP threads of this one; it gets new ones when it computes again.
fn end_pool() {
    let Some(threads) = POOL.with(|pool| pool.0.get()).filter(|threads| *threads > 0) else { return };
    POOL.with(|pool| pool.0.set(Some(0)));
    if let Some(pause) = OPENMP.pause {
        // SAFETY: OpenMP's function, outside any parallel region; "soft" keeps all settings.
        unsafe { pause(1) };
    }
    queue().warm -= threads;
}

/// Functions of the OpenMP runtime and of MKL that libtorch uses, as far as it has them.
#[derive(Default)]
struct OpenMp {
    /// `omp_pause_resource_all`, of OpenMP 5.0; without it pools stay.
    pause: Option<unsafe extern "C" fn(c_int) -> c_int>,
    get_max_threads: Option<unsafe extern "C" fn() -> c_int>,
    set_num_threads: Option<unsafe extern "C" fn(c_int)>,
    /// `MKL_Set_Num_Threads_Local`, which gives what it was; MKL asks OpenMP only for what it may have at most. 0: as many as the process has.
    set_mkl_threads: Option<unsafe extern "C" fn(c_int) -> c_int>,
}

static OPENMP: Lazy<OpenMp> = Lazy::new(|| {
    let Ok(file) = CString::new(libtorch::file().as_os_str().as_bytes()) else { return OpenMp::default() };
    // SAFETY: nothing is loaded; the handle is kept, as libtorch is.
    let handle = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return OpenMp::default();
    }
    /// A function of libtorch or of what it needs.
    ///
    /// # Safety
    /// `F` is the type of a function of this name.
    unsafe fn function<F: Copy>(handle: *mut c_void, name: &CStr) -> Option<F> {
        let found = libc::dlsym(handle, name.as_ptr());
        (!found.is_null()).then(|| std::mem::transmute_copy(&found))
    }
    // SAFETY: the types that the OpenMP standard and MKL's manual give them.
    unsafe {
        OpenMp {
            pause: function(handle, c"omp_pause_resource_all"),
            get_max_threads: function(handle, c"omp_get_max_threads"),
            set_num_threads: function(handle, c"omp_set_num_threads"),
            set_mkl_threads: function(handle, c"MKL_Set_Num_Threads_Local"),
        }
    }
});

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}
