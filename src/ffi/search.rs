//! Section "search".

use super::arch::nse_arch;
use super::buffer::{self, nse_buffer};
use super::callback::{nse_events, Events};
use super::comm::nse_comm;
use super::dataset::nse_dataset;
use super::driver::SearchHandle;
use super::error::nse_error;
use super::latency::nse_latency;
use super::op::{nse_op, OpHandle};
use super::space::{self, nse_space};
use super::status::{nse_status, NSE_DONE, NSE_OK};
use super::structs::Sized32;
use super::{boundary, handle, structs, text};
use crate::search::{SearchOptions, Status, PRESETS};
use serde_json::json;
use std::ffi::c_char;
use std::mem::size_of;
use std::path::{Path, PathBuf};

/// A search under way: its space, its supernet and what it has found.
pub struct nse_search {
    _private: [u8; 0],
}

/// Flag of nse_search_desc: the search has no datasets; the host pushes its batches (nse_search_push).
pub const NSE_SEARCH_PUSHED: u32 = 1;

/// Flag of nse_search_desc: the search trains nothing; the host asks for architectures and tells how they did (nse_search_ask). No
/// libtorch is touched; works in every build. Options about training, scoring and devices mean nothing then, and
/// candidates.too_few is "accept".
pub const NSE_SEARCH_TOLD: u32 = 2;

/// Flag of nse_search_desc, for nse_search_load only: the search is looked at (results, status, history, report, scores, options), and
/// nothing else; needs neither images nor libtorch, and works with checkpoints of every kind.
pub const NSE_SEARCH_LOOK: u32 = 4;

/// What a search is made of. Start with NSE_SEARCH_DESC_INIT. The library retains what it uses; everything may be freed
/// at once.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_search_desc {
    pub struct_size: u32,
    /// 0, NSE_SEARCH_PUSHED, NSE_SEARCH_TOLD or NSE_SEARCH_LOOK. nse_search_load: as of the saved search, or NSE_SEARCH_LOOK.
    pub flags: u32,
    /// The space to search. nse_search_load: NULL, or the space of the checkpoint.
    pub space: *const nse_space,
    /// Training images; NULL with a flag.
    pub train: *const nse_dataset,
    /// Images for architecture steps and scoring; NULL: a part of `train` is held out for them (option held_out), or
    /// a flag.
    pub held_out: *const nse_dataset,
    /// Options as a JSON object; see nse_search_options_schema. Only "objective" must be there. nse_search_load: NULL, or the
    /// options of the checkpoint, of which "device", "threads", "checkpoint", "tensorboard" and "candidates" may differ.
    pub options_json: *const c_char,
    /// Where progress goes; NULL: nowhere. Used until the search is freed.
    pub events: *const nse_events,
    /// Latencies, for the objective "latency"; else NULL. nse_search_load: NULL, or the table of the checkpoint.
    pub latency: *const nse_latency,
    /// A finished search to go on from, in a space with the same cells and other operators: its front is active, protected
    /// and scored again, and what had its turn there does not come again. NULL: none. nse_search_load: NULL.
    pub continued: *const nse_search,
    /// Instead: architectures to begin with, as if they were the front of such a search, in this space or another with the same
    /// cells (then what that space has and none of them uses does not come again).
    pub start: *const *const nse_arch,
    /// How many architectures `start` has. nse_search_load: 0.
    pub start_count: usize,
    /// The ranks that share the search, see docs/distributed.md; NULL: this process alone. All of them make the same calls with the same
    /// images, space and options (but "device", "threads", "checkpoint" and "tensorboard"). Only rank 0 writes checkpoints and logs, and
    /// nse_search_load reads the file there, for all. Not with a flag.
    pub comm: *const nse_comm,
}

// SAFETY: starts with its size; zero is NULL and no flags.
unsafe impl Sized32 for nse_search_desc {
    const LEAST: usize = size_of::<nse_search_desc>();
}

/// The options of a search, as a JSON schema with keys, defaults, ranges and help.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_options_schema(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || buffer::write("out", out, SearchOptions::schema()))
}

/// Named sets of options, as JSON: [{"name", "description", "options"}, ...]. The option "preset" lays the others over one.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_options_presets(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let entry =
            |p: &crate::search::OptionsPreset| json!({ "name": p.name, "description": p.description, "options": p.options() });
        buffer::write("out", out, json!(PRESETS.iter().map(entry).collect::<Vec<_>>()).to_string())
    })
}

/// Makes a search; nothing is trained yet. Starts the thread on which all its tensor work will run. Blocks while that looks at
/// the images once.
///
/// `desc`: [in] read during the call only. `out`: [out] to free with nse_search_free.
///
/// NSE_ERR_CONFIG: options. NSE_ERR_UNREACHABLE: no architecture lies in the cost window; the detail says what is
/// reachable. NSE_ERR_TOO_FEW: fewer lie there than candidates are wanted (option candidates.too_few).
/// NSE_ERR_INVALID_ARGUMENT: the images do not fit the space; the objective is a latency and there is no table; `continued` is
/// not finished, or it or `start` has other cells.
/// NSE_ERR_MISSING_LATENCY. NSE_ERR_BUSY: `continued` is, or another search has `comm`. NSE_ERR_COLLECTIVE: another rank failed, or has
/// other images or another search; nothing is made on any. NSE_ERR_IO: the folder for TensorBoard. NSE_ERR_DEVICE. NSE_ERR_CANCELLED:
/// nse_shutdown. NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch; in a space of stacked cells a latency, or a
/// supernet with the scorer fitness.
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_create(
    desc: *const nse_search_desc,
    out: *mut *mut nse_search,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let desc = structs::read("desc", desc);
    let events = Events::of(&desc, |desc| desc.events);
    boundary::make(out, err, || SearchHandle::create(&desc?, events?))
}

/// Makes a search from a checkpoint; it goes on as if it had never stopped, on a CPU with the same number of threads to the
/// last bit. Blocks while it reads.
///
/// `path`: [in] the file. `desc`: [in] read during the call only; `train` and `held_out` must be the images of the saved search,
/// and everything else may be NULL. `out`: [out] to free with nse_search_free.
///
/// NSE_ERR_IO. NSE_ERR_FORMAT: no checkpoint, damaged, of another version, space, table or images. NSE_ERR_CONFIG: options that
/// differ. NSE_ERR_BUSY, NSE_ERR_COLLECTIVE, NSE_ERR_CANCELLED: as nse_search_create. NSE_ERR_DEVICE. NSE_ERR_TORCH_MISMATCH.
/// NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_load(
    path: *const c_char,
    desc: *const nse_search_desc,
    out: *mut *mut nse_search,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let desc = structs::read("desc", desc);
    let events = Events::of(&desc, |desc| desc.events);
    boundary::make(out, err, || SearchHandle::load(Path::new(text::required("path", path)?), &desc?, events?))
}

/// Saves a search, with everything that nse_search_load needs to go on: also in the middle of a round, between two steps.
/// The option "checkpoint" saves while a step runs. Blocks.
///
/// `path`: [in] an existing file is replaced, whole or not at all; its folder must exist.
///
/// NSE_ERR_IO: the file is as it was. NSE_ERR_BUSY: a step is running. NSE_ERR_INVALID_ARGUMENT: of NSE_SEARCH_LOOK. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_save(search: *const nse_search, path: *const c_char, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let path = PathBuf::from(text::required("path", path)?);
        handle::get::<SearchHandle>("search", search)?.save(path)?;
        Ok(NSE_OK)
    })
}

/// The space of a search.
///
/// `out`: [out] to free with nse_space_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_space(search: *const nse_search, out: *mut *mut nse_space, err: *mut *mut nse_error) -> nse_status {
    structs::clear(out);
    boundary::guard(err, || space::hand_out(&handle::get::<SearchHandle>("search", search)?.space, out))
}

/// All options of a search as a JSON object, defaults and those of a preset included.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_options(search: *const nse_search, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        buffer::write("out", out, json!(search.options).to_string())
    })
}

/// What a search will take, before it does, as JSON:
/// device; memory in bytes (weights, training with half of the branches open as on average, training_most with all, scoring, images,
/// peak), from the shapes, without what libtorch keeps for itself; seconds (weight_step, architecture_step, candidate, round, search:
/// all rounds to come), from a few steps on a supernet that is thrown away; steps and candidates of a round, and rounds to come.
/// With pushed batches a batch is taken to have train.batch images, and what only the host knows is null. With option shards, the parts
/// of a batch that this rank computes, one after the other; with ranks, its share of the candidates, and neither what they
/// exchange nor that they wait for each other. No other rank needs to call this. Blocks for some seconds; the search itself does
/// not change.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_OUT_OF_MEMORY: it would not fit. NSE_ERR_BUSY: a step is running. NSE_ERR_CANCELLED. NSE_ERR_TORCH. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_estimate(search: *const nse_search, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let estimate = handle::get::<SearchHandle>("search", search)?.estimate()?;
        buffer::write("out", out, json!(estimate).to_string())
    })
}

/// Runs one round: train, sample, score, filter, retain, refill. Blocks, and delivers events on this thread. After an
/// error, a cancel included, the next call goes on from the last finished step and ends with the same result as an
/// undisturbed round.
///
/// With ranks, all of them call this. What fails or is cancelled on one ends the call on all, there with NSE_ERR_COLLECTIVE or
/// NSE_ERR_CANCELLED. Mostly none has lost anything, and the next call of all goes on. But where ranks are gone, or may hold different
/// things, every further call returns NSE_ERR_COLLECTIVE: make a new group if the old one has failed (nse_comm_info), and load
/// the last checkpoint, with as many ranks as there are.
///
/// Returns NSE_OK: there are more rounds. NSE_DONE: that was the last, or there was none left.
/// NSE_ERR_CANCELLED. NSE_ERR_BUSY: another step of this search is running. NSE_ERR_DIVERGED: the loss is no longer finite.
/// NSE_ERR_UNREACHABLE: what is left of the space misses the cost window. NSE_ERR_TOO_FEW: it has fewer architectures than
/// candidates are wanted (option candidates.too_few). NSE_ERR_IO: the checkpoint or the log for TensorBoard could not be written; the
/// checkpoint before is as it was, and the search goes on with the next call. NSE_ERR_COLLECTIVE. NSE_ERR_TORCH. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_step(search: *const nse_search, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        search.datasets()?.run(search.round(), &search.events).map(status_of)
    })
}

fn status_of(status: Status) -> nse_status {
    match status {
        Status::Round => NSE_OK,
        Status::Done => NSE_DONE,
    }
}

/// Begins a round as nse_search_step does, and returns at once. Events come in nse_op_poll; other functions, nse_search_cancel
/// included, work on the search as during a step.
///
/// `out`: [out] to free with nse_op_free; freeing it, or never polling it, lets the round go on.
///
/// NSE_ERR_BUSY: another step of this search is running. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_step_async(
    search: *const nse_search,
    out: *mut *mut nse_op,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let ticket = search.datasets()?.submit(search.round(), &search.events)?;
        Ok(OpHandle::new(ticket, search.events.clone(), status_of))
    })
}

/// Asks the step that is running to stop after its current batch; it returns NSE_ERR_CANCELLED. Without a running step
/// it does nothing. With ranks it stops all, when all are there. Never waits. Concurrent.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_cancel(search: *const nse_search, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        handle::get::<SearchHandle>("search", search)?.cancel();
        Ok(NSE_OK)
    })
}

/// Frees a search. A running step is cancelled; the call returns at once. NULL is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_free(search: *mut nse_search) {
    if boundary::forked() {
        return;
    }
    if let Ok(object) = handle::get::<SearchHandle>("search", search) {
        object.retire();
    }
    handle::free::<SearchHandle>(search);
}
