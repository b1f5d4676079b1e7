//! Section "architecture".

use super::buffer::{self, nse_buffer};
use super::error::nse_error;
use super::space::nse_space;
use super::status::{nse_status, NSE_OK};
use super::{boundary, handle, space, structs, text};
use crate::arch::{presets, Architecture, Variant};
use crate::cost::{self, CostTable};
use crate::error::Error;
use crate::report;
use crate::space::Space;
use serde_json::json;
use std::ffi::c_char;
use std::sync::Arc;

/// One architecture of a space. Immutable.
pub struct nse_arch {
    _private: [u8; 0],
}

pub struct ArchHandle {
    pub space: Arc<Space>,
    pub architecture: Architecture,
}

/// Reads an architecture: {"space": name, "cells": [[operator names of cell 0], ...]}. `space` may be left out; an
/// empty list skips a normal cell. An ensemble, in a chain of cells, has in "cells" those that all its paths share, and in "paths" for each of its
/// 2 to 16 paths the list of the cells behind them; the order of paths says nothing. Instead of both may stand "tuple": the list of numbers of
/// NEAS's published code (docs/neas.md). Of stacked cells there is a list for every edge, empty for none, and instead of "cells" may stand
/// "genotype": the text of published code ("Genotype(normal=[...], ...)", "|nor_conv_3x3~0|+...") or the name of a published architecture.
///
/// `space`: [in] retained. `json`: [in] the document. `out`: [out] to free with nse_arch_free.
///
/// NSE_ERR_CONFIG. NSE_ERR_UNSUPPORTED: an ensemble of stacked cells. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_from_json(
    space: *const nse_space,
    json: *const c_char,
    out: *mut *mut nse_arch,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let space = handle::get::<Space>("space", space)?;
        let architecture = Architecture::from_json(&space, text::required("json", json)?)?;
        Ok(ArchHandle { space, architecture })
    })
}

/// The same operator, alone, in every cell, or on every edge of stacked ones: a network as one would design it by hand.
///
/// `space`: [in] retained. `operator_name`: [in] for example "mbconv_k3_t6". `out`: [out] to free with nse_arch_free.
///
/// NSE_ERR_INVALID_ARGUMENT: not an operator. NSE_ERR_CONFIG: not a candidate of some cell. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_uniform(
    space: *const nse_space,
    operator_name: *const c_char,
    out: *mut *mut nse_arch,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let space = handle::get::<Space>("space", space)?;
        let operator = text::required("operator_name", operator_name)?.parse();
        let operator = operator.map_err(|reason| Error::Argument { name: "operator_name", reason })?;
        let architecture = Architecture::uniform(&space, &operator)?;
        Ok(ArchHandle { space, architecture })
    })
}

/// A published architecture, in the space it was found in (which nse_arch_space gives).
///
/// `name`: [in] a name of nse_arch_presets. `overrides_json`: [in] changes to the space as for nse_space_preset, for example
/// {"scale": 1.0} (without, the width is the published one); NULL or "{}" changes nothing.
/// `out`: [out] to free with nse_arch_free.
///
/// NSE_ERR_INVALID_ARGUMENT: no such architecture, or the changed space has fewer cells than it uses. NSE_ERR_CONFIG: overrides,
/// or an operator or an edge that the changed space lacks. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_preset(
    name: *const c_char,
    overrides_json: *const c_char,
    out: *mut *mut nse_arch,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let overrides = text::optional("overrides_json", overrides_json)?.unwrap_or("{}");
        let (space, architecture) = Architecture::preset(text::required("name", name)?, overrides)?;
        Ok(ArchHandle { space: Arc::new(space), architecture })
    })
}

/// Names and descriptions of the published architectures, as JSON: [{"name", "description"}, ...].
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_presets(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let list: Vec<_> = presets().map(|(name, text)| json!({ "name": name, "description": text })).collect();
        buffer::write("out", out, json!(list).to_string())
    })
}

/// The space of an architecture.
///
/// `out`: [out] to free with nse_space_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_space(arch: *const nse_arch, out: *mut *mut nse_space, err: *mut *mut nse_error) -> nse_status {
    structs::clear(out);
    boundary::guard(err, || {
        let arch = handle::get::<ArchHandle>("arch", arch)?;
        space::hand_out(&arch.space, out)
    })
}

/// Costs of an architecture as JSON: space, macs, published_macs (the count of NSE's published code, which adds the outputs
/// of the average pooling; of stacked cells that of their published code, which adds the biases of the classifier), params, and for every
/// cell kind, channels, height and width of its output, operators, macs and params. Of stacked cells these are edges, "edge" says from
/// where to where, costs are those in all cells, sizes those in the first; and there are genotype (null where the text of DARTS cannot say
/// it) and topology (what is left without empty edges and skip_connect, see docs/cells.md; null where it is too long); of blocks canonical too
/// (the least text of the same cell; null where a side has not one operator).
/// Where weights are binary, "binary" has macs and params of what is, of the whole and of every cell, and there are bits (of the trained network, 1
/// for each binary weight) and operations (multiply-accumulates, 64 binary ones counted as one). Of an ensemble there
/// are paths, split (how many cells are shared), members (macs and params of each path's network alone) and saved (by how much the
/// ensemble is cheaper than these), and cells behind the split say which path and cell they are.
///
/// `variant_json`: [in] of a stand-alone network, what it has beside what its space says: {"squeeze_excitation": true, "activation": "swish"},
/// both optional; NULL or "{}": nothing. The sums are with what it adds, the cells without. `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_CONFIG. NSE_ERR_UNSUPPORTED: squeeze-excitation, and stacked cells. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_describe(
    arch: *const nse_arch,
    variant_json: *const c_char,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let arch = handle::get::<ArchHandle>("arch", arch)?;
        let variant = Variant::from_json(text::optional("variant_json", variant_json)?.unwrap_or("{}"))?;
        variant.fits(&arch.space)?;
        buffer::write("out", out, cost::describe_architecture(&arch.space, &arch.architecture, variant).to_string())
    })
}

/// An architecture as a diagram: the cells from top to bottom, their branches side by side, with widths, sizes and multiply-accumulates; of
/// stacked cells the nodes of each kind, with the operators that each is the sum of.
///
/// `format`: [in] "svg": a document of its own, light or dark as its reader likes. `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_INVALID_ARGUMENT: no such format. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_draw(
    arch: *const nse_arch,
    format: *const c_char,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let arch = handle::get::<ArchHandle>("arch", arch)?;
        match text::required("format", format)? {
            "svg" => buffer::write("out", out, report::draw_architecture(&arch.space, &arch.architecture)),
            other => Err(Error::Argument { name: "format", reason: format!("{other:?} is not known; there is \"svg\"") }),
        }
    })
}

/// The JSON form; nse_arch_from_json gives the same architecture back.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_to_json(arch: *const nse_arch, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let arch = handle::get::<ArchHandle>("arch", arch)?;
        buffer::write("out", out, arch.architecture.to_json(&arch.space))
    })
}

/// The short code of an architecture: lower-case letters, digits and a dot, at most 63 of them (a Kubernetes label) for 22 cells of up
/// to three of 27 operators or two of 72; longer for more, and for ensembles. Of all spellings only this one is read back, by nse_arch_from_code.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_code(arch: *const nse_arch, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let arch = handle::get::<ArchHandle>("arch", arch)?;
        buffer::write("out", out, arch.architecture.code(&arch.space))
    })
}

/// The architecture that has this code.
///
/// `space`: [in] retained; a code of another one is told apart. In a space of blocks also a code of a cell with fewer is one: nse_arch_space then gives
/// the smaller space. `code`: [in] from nse_arch_code. `out`: [out] to free with
/// nse_arch_free.
///
/// NSE_ERR_INVALID_ARGUMENT: not a code, cut or mistyped, or of another space. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_from_code(
    space: *const nse_space,
    code: *const c_char,
    out: *mut *mut nse_arch,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let space = handle::get::<Space>("space", space)?;
        let (space, architecture) = Architecture::found(&space, text::required("code", code)?)?;
        Ok(ArchHandle { space, architecture })
    })
}

/// Cost: `macs`, multiply-accumulates for one image, of convolutions and classifier; `params`, trainable numbers.
///
/// `macs`, `params`: [out] may be NULL.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_cost(arch: *const nse_arch, macs: *mut u64, params: *mut u64, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let arch = handle::get::<ArchHandle>("arch", arch)?;
        let cost = CostTable::new(&arch.space).architecture(&arch.architecture);
        structs::put(macs, cost.macs);
        structs::put(params, cost.params);
        Ok(NSE_OK)
    })
}

/// Frees an architecture. NULL is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_arch_free(arch: *mut nse_arch) {
    if !boundary::forked() {
        handle::free::<ArchHandle>(arch);
    }
}
