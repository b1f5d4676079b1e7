//! Section "told": a search whose candidates are evaluated by the host, anywhere, in any order.

use super::arch::{nse_arch, ArchHandle};
use super::buffer::{self, nse_buffer};
use super::driver::SearchHandle;
use super::error::nse_error;
use super::search::nse_search;
use super::status::{nse_status, NSE_DONE, NSE_OK, NSE_PENDING};
use super::structs::{self, Sized32};
use super::{boundary, handle, text};
use crate::arch::Architecture;
use crate::error::{Error, Result};
use crate::search::{Asked, Effect, Outcome};
use serde_json::json;
use std::ffi::c_char;
use std::mem::size_of;

/// Flag of nse_result: it could not be evaluated. It counts in its round, teaches nothing, and is never on a front.
pub const NSE_RESULT_FAILED: u32 = 1;
/// Flag of nse_result: `cost` was measured, and replaces the computed one in the front and the fitness.
pub const NSE_RESULT_COST: u32 = 2;

/// Effect: asked in the round under way. It counts, and the fitness learns from it.
pub const NSE_TOLD_COUNTED: u32 = 0;
/// Effect: told before, and the same. Nothing changes.
pub const NSE_TOLD_REPEATED: u32 = 1;
/// Effect: asked in a round that is closed. It is kept, and may join the front.
pub const NSE_TOLD_LATE: u32 = 2;
/// Effect: never asked, or forgotten: a result of an earlier search, for example. It is kept, may join the front when it is inside the
/// cost window, and is not asked any more.
pub const NSE_TOLD_UNASKED: u32 = 3;

/// How an architecture did. Start with NSE_RESULT_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_result {
    pub struct_size: u32,
    /// NSE_RESULT_*.
    pub flags: u32,
    /// Of the architecture, see nse_arch_code.
    pub code: *const c_char,
    /// 0 to 1; of a failure it means nothing.
    pub accuracy: f64,
    /// In the unit of the objective, with NSE_RESULT_COST; else it means nothing.
    pub cost: f64,
}

// SAFETY: starts with its size; zero is NULL, no flags and numbers.
unsafe impl Sized32 for nse_result {
    const LEAST: usize = size_of::<nse_result>();
}

impl nse_result {
    fn outcome(&self) -> Result<Outcome> {
        if self.flags & !(NSE_RESULT_FAILED | NSE_RESULT_COST) != 0 {
            return Err(Error::Argument { name: "result", reason: format!("flags {:#x} are not known", self.flags) });
        }
        let cost = (self.flags & NSE_RESULT_COST != 0).then_some(self.cost);
        Ok(Outcome { accuracy: self.accuracy, cost, failed: self.flags & NSE_RESULT_FAILED != 0 })
    }
}

/// Architectures of one ask.
const MOST: usize = 1 << 20;

/// Hands out architectures to evaluate: inside the cost window, none of them asked or told before, drawn with what was learnt from the
/// results so far. As many as wanted, also more than a round has; a round ends with its candidates.count results (failures
/// count), and its operators are then retained and refilled as after nse_search_step. Where cells grow (strategy grow) a round is all of its cells, and the
/// ask or tell that ends it lets the predictor learn, for seconds. The same asks and tells in the same order
/// give the same architectures. Waits for another ask or tell of the same search, briefly but for the one that ends a round, and never gives NSE_ERR_BUSY.
///
/// `count`: 1 to 1048576. `out`: [out] `count` places: the architectures, to free with nse_arch_free, and NULL behind them. `given`: [out] how many; may be
/// NULL.
///
/// Returns NSE_OK: at least one, and fewer than wanted when there are no more. NSE_PENDING: none until a result is told, or what
/// was asked is forgotten. NSE_DONE: none, the last round is complete.
/// NSE_ERR_INVALID_ARGUMENT: a search that trains. NSE_ERR_UNREACHABLE. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_ask(
    search: *const nse_search,
    count: usize,
    out: *mut *mut nse_arch,
    given: *mut usize,
    err: *mut *mut nse_error,
) -> nse_status {
    let place = |i: usize| out.wrapping_add(i);
    if !out.is_null() && count <= MOST {
        (0..count).for_each(|i| structs::clear(place(i)));
    }
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        if out.is_null() {
            return Err(Error::Argument { name: "out", reason: "NULL is not a place for handles".into() });
        }
        if !(1..=MOST).contains(&count) {
            return Err(Error::Argument { name: "count", reason: format!("{count} is not in 1 to {MOST}") });
        }
        let (architectures, asked) = search.told(false, |search| {
            let (architectures, asked) = search.ask(count)?;
            let own = |architecture: Architecture| ArchHandle { space: search.space_of(&architecture).clone(), architecture };
            Ok((architectures.into_iter().map(own).collect::<Vec<_>>(), asked))
        })?;
        structs::put(given, architectures.len());
        for (i, architecture) in architectures.into_iter().enumerate() {
            structs::put(place(i), handle::insert(architecture)?);
        }
        Ok(match asked {
            Asked::Given => NSE_OK,
            Asked::Pending => NSE_PENDING,
            Asked::Done => NSE_DONE,
        })
    })
}

/// Tells how an architecture did: at any time and in any order, also after the last round. The front is that of all results so far.
/// Waits for another ask or tell of the same search as nse_search_ask does, and never gives NSE_ERR_BUSY.
///
/// `result`: [in] read during the call only. `effect`: [out] what became of it: NSE_TOLD_COUNTED, NSE_TOLD_REPEATED, NSE_TOLD_LATE or
/// NSE_TOLD_UNASKED; may be NULL.
///
/// Returns NSE_OK; NSE_DONE: the last round is complete.
/// NSE_ERR_CONFLICT: another result of this architecture is known; nothing changes. NSE_ERR_INVALID_ARGUMENT: not a code of the
/// search's space (where cells grow, of one with fewer blocks), an accuracy outside 0 to 1, a cost that is none, or a search that trains. NSE_ERR_IO: the checkpoint could not
/// be written; the result is kept all the same, and telling it again is NSE_TOLD_REPEATED. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_tell(
    search: *const nse_search,
    result: *const nse_result,
    effect: *mut u32,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let result = structs::read("result", result)?;
        let outcome = result.outcome()?;
        let code = text::required("result.code", result.code)?;
        let (became, done) = search.told(true, |search| {
            let architecture = search.read_code(code)?;
            Ok((search.tell(&architecture, outcome)?, search.done()))
        })?;
        let became = match became {
            Effect::Counted => NSE_TOLD_COUNTED,
            Effect::Repeated => NSE_TOLD_REPEATED,
            Effect::Late => NSE_TOLD_LATE,
            Effect::Unasked => NSE_TOLD_UNASKED,
        };
        structs::put(effect, became);
        Ok(if done { NSE_DONE } else { NSE_OK })
    })
}

/// Forgets that an architecture was asked, because whoever evaluated it died: it may be asked again. Nothing changes when it was told,
/// or was never asked.
///
/// `code`: [in] of the architecture.
///
/// NSE_ERR_INVALID_ARGUMENT: not a code of the search's space, or a search that trains. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_forget(search: *const nse_search, code: *const c_char, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let code = text::required("code", code)?;
        search.told(false, |search| search.forget(&search.read_code(code)?))?;
        Ok(NSE_OK)
    })
}

/// What was asked and not told, as JSON: [{"code", "round"}, ...], with the round, from 1, it was asked in. For a platform that goes on
/// from a checkpoint.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_INVALID_ARGUMENT: a search that trains. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_pending(search: *const nse_search, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let list = search.told(false, |told| {
            let entry = |(a, round): (&Architecture, u64)| json!({ "code": a.code(&search.space), "round": round + 1 });
            Ok(told.pending().map(entry).collect::<Vec<_>>())
        })?;
        buffer::write("out", out, json!(list).to_string())
    })
}
