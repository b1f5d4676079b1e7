//! Section "search space".

use super::buffer::{self, nse_buffer};
use super::error::nse_error;
use super::latency::{nse_latency, LatencyHandle};
use super::status::{nse_status, NSE_OK};
use super::{boundary, handle, structs, text};
use crate::cost;
use crate::error::{Error, Result};
use crate::search::Budget;
use crate::space::{presets, Space};
use serde_json::json;
use std::ffi::c_char;
use std::sync::Arc;

/// A search space. Immutable.
pub struct nse_space {
    _private: [u8; 0],
}

/// A named space.
///
/// `name`: [in] a name of nse_space_presets. `overrides_json`: [in] a JSON object that changes some of input {channels,
/// height, width}, classes, layout, repeats, channels, scale, divisor, stem_stride, block, tail, tail_norm, hidden, squeeze_excitation,
/// activation, operators, skip (docs/space.md); of stacked cells (docs/cells.md) some of input, classes, skeleton, channels, cells, nodes,
/// operators, shared, stem; NULL or "{}" changes nothing.
/// `out`: [out] to free with nse_space_free.
///
/// NSE_ERR_INVALID_ARGUMENT: no such preset. NSE_ERR_CONFIG: overrides. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_space_preset(
    name: *const c_char,
    overrides_json: *const c_char,
    out: *mut *mut nse_space,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let overrides = text::optional("overrides_json", overrides_json)?.unwrap_or("{}");
        Space::preset(text::required("name", name)?, overrides)
    })
}

/// A space of one's own, from its JSON form (docs/space.md; of stacked cells docs/cells.md).
///
/// `json`: [in] the document. `out`: [out] to free with nse_space_free.
///
/// NSE_ERR_CONFIG. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_space_from_json(json: *const c_char, out: *mut *mut nse_space, err: *mut *mut nse_error) -> nse_status {
    boundary::make(out, err, || Space::from_json(text::required("json", json)?))
}

/// The canonical JSON form of a space; nse_space_from_json gives the same space back.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_space_to_json(space: *const nse_space, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || buffer::write("out", out, handle::get::<Space>("space", space)?.to_json()))
}

/// What a space holds and costs, as JSON: name, cells (of stacked ones: edges), operators, most_operators_per_cell,
/// log10_architectures (subsets counted), single_branch (how many have one operator in every cell, or none where that is allowed:
/// exact, as a string), genotypes (a string: how many have two operators for every node, from two nodes; of DARTS's cells and of blocks only), and
/// {least, middle, greatest} of macs (multiply-accumulates of one image), params (trainable numbers), where weights are binary bits (of the trained
/// network, 1 for each of them) and operations (multiply-accumulates, 64 binary ones counted as one), and, with a
/// table, latency (in its unit) over all architectures. Half of them cost no more than the middle, which is exact in small spaces and
/// else to a few thousandths of the range.
///
/// `latency`: [in] may be NULL. `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_MISSING_LATENCY: the table lacks something. NSE_ERR_UNSUPPORTED: a table, and stacked cells. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_space_describe(
    space: *const nse_space,
    latency: *const nse_latency,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let table = LatencyHandle::optional("latency", latency)?;
        let description = cost::describe(handle::get::<Space>("space", space)?.as_ref(), table.as_deref())?;
        buffer::write("out", out, json!(description).to_string())
    })
}

/// Whether a cost window can be met, before any search, as JSON: satisfiable, unit, {least, middle, greatest} of all architectures as
/// in nse_space_describe, and when it is satisfiable log10_architectures inside (left out where the window is too narrow to tell),
/// else "below" and "above", costs near it on both sides that architectures have (left out where there is none).
/// A budget that cannot be met is an answer, not an error.
///
/// `budget_json`: [in] {"cost": "macs", "low": 0, "high": 1e8}; cost is "macs" (default), "params", "bits", "operations" or "latency".
/// `latency`: [in] the table of a latency; else NULL. `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_CONFIG: the budget. NSE_ERR_INVALID_ARGUMENT: a latency without table. NSE_ERR_MISSING_LATENCY. NSE_ERR_UNSUPPORTED: a
/// latency, and stacked cells. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_space_budget(
    space: *const nse_space,
    budget_json: *const c_char,
    latency: *const nse_latency,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let space = handle::get::<Space>("space", space)?;
        let table = LatencyHandle::optional("latency", latency)?;
        let budget = Budget::from_json(text::required("budget_json", budget_json)?)?;
        let reach = budget.reach(&space, table.as_deref())?;
        buffer::write("out", out, json!(reach).to_string())
    })
}

/// Names and descriptions of the presets, as JSON: [{"name", "description"}, ...].
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_space_presets(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let list: Vec<_> = presets().map(|(name, text)| json!({ "name": name, "description": text })).collect();
        buffer::write("out", out, json!(list).to_string())
    })
}

/// A new handle of a space that something else holds.
pub fn hand_out(space: &Arc<Space>, out: *mut *mut nse_space) -> Result<nse_status> {
    if out.is_null() {
        return Err(Error::Argument { name: "out", reason: "NULL is not a place for a handle".into() });
    }
    structs::put(out, handle::insert::<Space>(space.clone())?);
    Ok(NSE_OK)
}

/// Frees a space. What was made from it lives on. NULL is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_space_free(space: *mut nse_space) {
    if !boundary::forked() {
        handle::free::<Space>(space);
    }
}
