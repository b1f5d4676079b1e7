//! Section "architecture".

use super::buffer::{self, nse_buffer};
use super::error::nse_error;
use super::space::nse_space;
use super::status::{nse_status, NSE_OK};
use super::{boundary, handle, structs, text};
use crate::arch::Architecture;
use crate::cost::CostTable;
use crate::error::Error;
use crate::space::Space;
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
/// empty list skips a normal cell.
///
/// `space`: [in] retained. `json`: [in] the document. `out`: [out] to free with nse_arch_free.
///
/// NSE_ERR_CONFIG. Since 0.1.
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

/// The same operator, alone, in every cell: a network as one would design it by hand.
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
