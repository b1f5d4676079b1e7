//! Section "results": what a search has found so far. None of these waits for a step.

use super::arch::{nse_arch, ArchHandle};
use super::buffer::{self, nse_buffer};
use super::driver::SearchHandle;
use super::error::nse_error;
use super::latency::{nse_latency, LatencyHandle};
use super::search::nse_search;
use super::status::{nse_status, NSE_OK};
use super::view::View;
use super::{boundary, handle, structs, text};
use crate::cost::Metric;
use crate::error::{Error, Result};
use crate::json::parse;
use crate::report::Format;
use crate::search::{json_lines, pareto, FrontMember, Scored};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::borrow::Cow;
use std::ffi::c_char;
use std::sync::Arc;

/// Which cost a front is asked for under.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Under {
    cost: Metric,
}

impl SearchHandle {
    fn arch(&self, scored: &Scored) -> Result<*mut nse_arch> {
        let architecture = scored.architecture.clone();
        let space = match architecture.space_in(&self.space) {
            Cow::Borrowed(_) => self.space.clone(),
            Cow::Owned(smaller) => Arc::new(smaller),
        };
        handle::insert(ArchHandle { space, architecture })
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

/// A table and its sizes to the caller's array and places.
fn give_table<T: Copy>(
    (table, height, width): (Vec<T>, u32, u32),
    out: *mut T,
    capacity: usize,
    cells: *mut u32,
    operators: *mut u32,
) -> Result<nse_status> {
    structs::fill("out", out, capacity, &table)?;
    structs::put(cells, height);
    structs::put(operators, width);
    Ok(NSE_OK)
}

/// The front as one snapshot, as JSON: cost, unit, and members, cheapest first, each with code (nse_arch_from_code), cells (operator
/// names; of an ensemble as in nse_arch_from_json, with paths), cost, macs, params, accuracy, and found (the round, from 1; 0: before this search). Never waits for a step. Concurrent.
///
/// `cost_json`: [in] NULL: the front of the search. {"cost": "macs"}, "params", "bits", "operations" or "latency": the front of the architectures that
/// were scored in the last completed round (of a search that is told, of all results), inside the window of the search, under
/// that cost instead of the objective; nothing is trained or scored again. `latency`: [in] the table of a latency; else NULL.
/// `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_CONFIG: cost_json. NSE_ERR_INVALID_ARGUMENT: a latency without table. NSE_ERR_MISSING_LATENCY. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_front(
    search: *const nse_search,
    cost_json: *const c_char,
    latency: *const nse_latency,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let table = LatencyHandle::optional("latency", latency)?;
        let under: Option<Under> = text::optional("cost_json", cost_json)?.map(|text| parse("cost", text)).transpose()?;
        let view = search.shared.view();
        let (metric, front) = match under {
            None => (search.metric, view.front.to_vec()),
            Some(Under { cost }) => (cost, pareto::front_under(&search.space, view.scored.to_vec(), cost, table.as_deref())?),
        };
        let member = |scored: &Scored| {
            let mut member = json!(FrontMember::new(&search.space, metric, scored));
            if let Some(fields) = member.as_object_mut() {
                fields.insert("code".into(), scored.architecture.code(&search.space).into());
            }
            member
        };
        let members: Vec<_> = front.iter().map(member).collect();
        buffer::write("out", out, json!({ "cost": metric, "unit": metric.unit(), "members": members }).to_string())
    })
}

/// The learnt fitness theta of every operator of every cell, as of about now: sigmoid(theta) is about the probability
/// that the operator is of use. Of the scorer alpha its share, of others what they said last. NaN for an operator of which nothing is known
/// yet. Never waits for a step. Concurrent.
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
        give_table(search.table(f64::NAN, theta), out, capacity, cells, operators)
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
        give_table(search.table(0, is_active), out, capacity, cells, operators)
    })
}

/// Number of architectures on the Pareto front of the last completed round; before the first, of what the search began
/// with, if anything. Concurrent.
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
        give(&search, pareto::best(&front, metric.at_most(max_cost)).ok_or_else(missing)?, arch, accuracy)
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

/// What the search has found so far, for people and programs (docs/report.md). Before the first round is complete it says so. Never waits
/// for a step. Concurrent.
///
/// `format`: [in] "html": a page of its own, needing no other file and no network: the front with the architectures, the fitness, how
/// the space moved, rounds, times, options, versions. "json": the same as data. "svg": candidates and fronts, cost against accuracy.
/// "png": the same picture, 1920 x 1200; bytes, not text. `out`: [out] the file's content, to free with nse_buffer_free.
///
/// NSE_ERR_INVALID_ARGUMENT: no such format. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_report(
    search: *const nse_search,
    format: *const c_char,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let format = Format::named(text::required("format", format)?)?;
        buffer::give("out", out, search.report().write(format)?)
    })
}
