//! Section "search".

use super::arch::{nse_arch, ArchHandle};
use super::buffer::{self, nse_buffer};
use super::callback::{nse_events, Events};
use super::dataset::nse_dataset;
use super::error::nse_error;
use super::space::nse_space;
use super::status::{nse_status, NSE_DONE, NSE_OK};
use super::structs::Sized32;
use super::view::{Shared, View, Watch};
use super::worker::{Reporter, Worker};
use super::{boundary, handle, structs, text};
use crate::cost::Metric;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::report;
use crate::search::{json_lines, pareto, Scored, Search, SearchOptions, Status};
use crate::space::Space;
use crate::supernet::SupernetTrainer;
use serde_json::json;
use std::ffi::c_char;
use std::mem::size_of;
use std::sync::Arc;

/// A search under way: its space, its supernet and what it has found.
pub struct nse_search {
    _private: [u8; 0],
}

/// What a search is made of. Start with NSE_SEARCH_DESC_INIT. The library retains what it uses; everything may be freed
/// at once.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_search_desc {
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    /// The space to search.
    pub space: *const nse_space,
    /// Training images.
    pub train: *const nse_dataset,
    /// Images for architecture steps and scoring; NULL: a part of `train` is held out for them (option held_out).
    pub held_out: *const nse_dataset,
    /// Options as a JSON object; see nse_search_options_schema. Only "objective" must be there.
    pub options_json: *const c_char,
    /// Where progress goes; NULL: nowhere. Used until the search is freed.
    pub events: *const nse_events,
}

// SAFETY: starts with its size; zero is NULL and no flags.
unsafe impl Sized32 for nse_search_desc {
    const LEAST: usize = size_of::<nse_search_desc>();
}

pub struct SearchHandle {
    space: Arc<Space>,
    metric: Metric,
    worker: Worker<State>,
    shared: Arc<Shared>,
    events: Events,
}

struct State {
    search: Search,
    trainer: SupernetTrainer,
}

impl SearchHandle {
    fn new(desc: &nse_search_desc, events: Events) -> Result<Self> {
        if desc.flags != 0 {
            return Err(Error::Argument { name: "desc", reason: format!("flags {:#x} are not known", desc.flags) });
        }
        let space = handle::get::<Space>("desc.space", desc.space)?;
        let train = handle::get::<Dataset>("desc.train", desc.train)?;
        let held_out = if desc.held_out.is_null() { None } else { Some(handle::get::<Dataset>("desc.held_out", desc.held_out)?) };
        let options = SearchOptions::from_json(text::optional("desc.options_json", desc.options_json)?.unwrap_or("{}"))?;
        let search = Search::new(space.clone(), options)?;
        let shared = Shared::default();
        shared.publish(&search, None);
        let metric = search.metric();
        let for_trainer = space.clone();
        let worker = Worker::start("search", move || {
            let trainer = SupernetTrainer::new(for_trainer, &train, held_out.as_deref(), search.options())?;
            Ok(State { search, trainer })
        })?;
        Ok(SearchHandle { space, metric, worker, shared: Arc::new(shared), events })
    }

    fn step(&self) -> Result<Status> {
        let shared = self.shared.clone();
        let job = move |state: &mut State, reporter: &Reporter<Status>| {
            let result = state.search.step(&mut state.trainer, &Watch { shared: &shared, reporter });
            shared.publish(&state.search, None);
            result
        };
        self.worker.run(job, &self.events)
    }

    fn arch(&self, scored: &Scored) -> Result<*mut nse_arch> {
        handle::insert(ArchHandle { space: self.space.clone(), architecture: scored.architecture.clone() })
    }

    /// Row-major cells x most operators; `missing` where a cell has fewer.
    fn table<T: Copy>(&self, missing: T, value: impl Fn(&View, usize, u16) -> T) -> (Vec<T>, u32, u32) {
        let (view, width) = (self.shared.view(), self.space.most_operators());
        let mut table = Vec::with_capacity(self.space.cells().len() * width);
        for (i, cell) in self.space.cells().iter().enumerate() {
            let known = cell.operators.len();
            table.extend((0..width).map(|o| if o < known { value(&view, i, o as u16) } else { missing }));
        }
        (table, self.space.cells().len() as u32, width as u32)
    }
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

/// Makes a search; nothing is trained yet. Starts the thread on which all its tensor work will run.
///
/// `desc`: [in] read during the call only. `out`: [out] to free with nse_search_free.
///
/// NSE_ERR_CONFIG: options. NSE_ERR_UNREACHABLE: no architecture lies in the cost window; the detail says what is
/// reachable.
/// NSE_ERR_INVALID_ARGUMENT: the images do not fit the space. NSE_ERR_DEVICE. NSE_ERR_UNSUPPORTED: a build without
/// libtorch. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_create(
    desc: *const nse_search_desc,
    out: *mut *mut nse_search,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let desc = structs::read("desc", desc);
    let events = Events::of(&desc, |desc| desc.events);
    boundary::make(out, err, || SearchHandle::new(&desc?, events?))
}

/// Runs one round: train, sample, score, filter, retain, refill. Blocks, and delivers events on this thread. After an
/// error, a cancel included, the next call goes on from the last finished step and ends with the same result as an
/// undisturbed round.
///
/// Returns NSE_OK: there are more rounds. NSE_DONE: that was the last, or there was none left.
/// NSE_ERR_CANCELLED. NSE_ERR_BUSY: another step of this search is running. NSE_ERR_DIVERGED: the loss is no longer finite.
/// NSE_ERR_UNREACHABLE: what is left of the space misses the cost window. NSE_ERR_TORCH. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_step(search: *const nse_search, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        Ok(match handle::get::<SearchHandle>("search", search)?.step()? {
            Status::Round => NSE_OK,
            Status::Done => NSE_DONE,
        })
    })
}

/// Asks the step that is running to stop after its current batch; it returns NSE_ERR_CANCELLED. Without a running step
/// it does nothing. Never waits. Concurrent.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_cancel(search: *const nse_search) -> nse_status {
    boundary::guard(std::ptr::null_mut(), || {
        handle::get::<SearchHandle>("search", search)?.worker.cancel();
        Ok(NSE_OK)
    })
}

/// Progress as JSON: completed rounds, rounds, done, and the latest event (null before the first). Never waits for a
/// step. Concurrent.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_status(search: *const nse_search, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let view = handle::get::<SearchHandle>("search", search)?.shared.view();
        let (completed, rounds) = view.rounds;
        let status = json!({ "completed": completed, "rounds": rounds, "done": view.done, "event": view.event });
        buffer::write("out", out, status.to_string())
    })
}

/// The learnt fitness theta of every operator of every cell, as of about now: sigmoid(theta) is about the probability
/// that the operator is of use. NaN for an operator that no architecture step has met yet. Never waits for a step. Concurrent.
///
/// `out`: [out] cells x operators, row by row, padded with NaN where a cell has fewer; NULL: only the sizes are wanted.
/// `capacity`: values that fit. `cells`, `operators`: [out] the sizes; may be NULL.
///
/// NSE_ERR_BUFFER_TOO_SMALL. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_scores(
    search: *const nse_search,
    out: *mut f64,
    capacity: usize,
    cells: *mut u32,
    operators: *mut u32,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let theta = |view: &View, cell: usize, operator: u16| {
            view.scores.get(cell).and_then(|scores| scores.get(usize::from(operator))).copied().unwrap_or(f64::NAN)
        };
        let (table, height, width) = search.table(f64::NAN, theta);
        structs::fill("out", out, capacity, &table)?;
        structs::put(cells, height);
        structs::put(operators, width);
        Ok(NSE_OK)
    })
}

/// Which operators have weights at the moment. Never waits for a step. Concurrent.
///
/// `out`: [out] cells x operators, row by row, 1 for an active operator, else 0; NULL: only the sizes are wanted.
/// `capacity`: values that fit. `cells`, `operators`: [out] the sizes; may be NULL.
///
/// NSE_ERR_BUFFER_TOO_SMALL. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_active(
    search: *const nse_search,
    out: *mut u8,
    capacity: usize,
    cells: *mut u32,
    operators: *mut u32,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let is_active = |view: &View, cell: usize, operator: u16| {
            u8::from(view.active.get(cell).is_some_and(|active| active.binary_search(&operator).is_ok()))
        };
        let (table, height, width) = search.table(0, is_active);
        structs::fill("out", out, capacity, &table)?;
        structs::put(cells, height);
        structs::put(operators, width);
        Ok(NSE_OK)
    })
}

/// Number of architectures on the Pareto front of the last completed round; 0 before the first. Concurrent.
///
/// `count`: [out] may be NULL.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_front_count(search: *const nse_search, count: *mut usize, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        structs::put(count, handle::get::<SearchHandle>("search", search)?.shared.view().front.len());
        Ok(NSE_OK)
    })
}

/// One member of the Pareto front, cheapest first. Concurrent; while a step runs, the front may be replaced between two
/// calls.
///
/// `index`: below nse_search_front_count. `arch`: [out] to free with nse_arch_free; NULL: not wanted. `accuracy`: [out]
/// held-out top-1 with the supernet's weights, 0 to 1; may be NULL.
///
/// NSE_ERR_NOT_FOUND: no such index. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_front_get(
    search: *const nse_search,
    index: usize,
    arch: *mut *mut nse_arch,
    accuracy: *mut f64,
    err: *mut *mut nse_error,
) -> nse_status {
    structs::clear(arch);
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let front = search.shared.view().front.clone();
        let missing = || Error::NotFound(format!("index: {index} is not below {}, the size of the front", front.len()));
        give(&search, front.get(index).ok_or_else(missing)?, arch, accuracy)
    })
}

/// The most accurate member of the front that costs at most `max_cost`. Concurrent.
///
/// `max_cost`: in what the objective counts: multiply-accumulates, parameters, or the unit of the latency table.
/// `arch`: [out] to free with nse_arch_free; NULL: not wanted. `accuracy`: [out] as for nse_search_front_get; may be NULL.
///
/// NSE_ERR_NOT_FOUND: the front has none so cheap. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_best(
    search: *const nse_search,
    max_cost: f64,
    arch: *mut *mut nse_arch,
    accuracy: *mut f64,
    err: *mut *mut nse_error,
) -> nse_status {
    structs::clear(arch);
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let front = search.shared.view().front.clone();
        if max_cost.is_nan() {
            return Err(Error::Argument { name: "max_cost", reason: "NaN is not a cost".into() });
        }
        let metric = search.metric;
        let missing = || {
            Error::NotFound(match front.first() {
                Some(cheapest) => {
                    format!("max_cost: {max_cost} is below {}, the cheapest of the front", metric.amount(cheapest.price))
                }
                None => "the front is empty: no round is complete".into(),
            })
        };
        give(&search, pareto::best(&front, metric.price(max_cost)).ok_or_else(missing)?, arch, accuracy)
    })
}

fn give(search: &SearchHandle, scored: &Scored, arch: *mut *mut nse_arch, accuracy: *mut f64) -> Result<nse_status> {
    if !arch.is_null() {
        structs::put(arch, search.arch(scored)?);
    }
    structs::put(accuracy, scored.accuracy);
    Ok(NSE_OK)
}

/// The completed rounds, one line of JSON each: fitness, dropped, retained and refilled operators, candidates, front,
/// times. Concurrent.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_history(search: *const nse_search, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let view = handle::get::<SearchHandle>("search", search)?.shared.view();
        buffer::write("out", out, json_lines(&view.history))
    })
}

/// A picture of the completed rounds. `format` "svg": candidates and fronts, cost against accuracy. Concurrent.
///
/// `out`: [out] the file's content, to free with nse_buffer_free.
///
/// NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_NOT_FOUND: no round is complete. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_report(
    search: *const nse_search,
    format: *const c_char,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let view = handle::get::<SearchHandle>("search", search)?.shared.view();
        match text::required("format", format)? {
            "svg" => buffer::write("out", out, report::front_svg(&view.history)?),
            other => Err(Error::Argument { name: "format", reason: format!("{other:?} is not known; there is \"svg\"") }),
        }
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
        object.worker.retire();
    }
    handle::free::<SearchHandle>(search);
}
