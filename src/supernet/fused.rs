//! Our own kernels, for 32-bit floats on CPU: whole cells, of units with batch-norm whose activation, if any, is ReLU; and convolutions alone, where
//! the rest of a unit goes through libtorch.

use super::norm::Norm;
use super::shim::outcome;
use super::unit::Unit;
use crate::error::{Error, Result};
use crate::space::Activation;
use std::ffi::{c_char, c_int, CStr};
use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

/// As in shim.cpp.
#[repr(C)]
struct CUnit {
    kernel: [i64; 2],
    stride: [i64; 2],
    dilation: i64,
    groups: i64,
    weight: *const C_tensor,
    scale: *const C_tensor,
    shift: *const C_tensor,
    mean: *const C_tensor,
    variance: *const C_tensor,
    relu: bool,
}

#[repr(C)]
struct CBranch {
    units: *const CUnit,
    count: usize,
    selected: bool,
    unselected: bool,
}

extern "C" {
    fn nse_shim_cell(
        x: *const C_tensor,
        branches: *const CBranch,
        count: usize,
        shortcut: bool,
        statistics: c_int,
        weight: f64,
        out: *mut *mut C_tensor,
        other: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nse_shim_join(
        x: *const C_tensor,
        branches: *const *const C_tensor,
        count: usize,
        shortcut: bool,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nse_shim_dot(a: *const C_tensor, b: *const C_tensor, out: *mut f64) -> *mut c_char;
    fn nse_shim_convolve(
        x: *const C_tensor,
        weight: *const C_tensor,
        stride: *const i64,
        dilation: i64,
        groups: i64,
        average: bool,
        relu: bool,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nse_shim_level(name: *const c_char) -> bool;
    fn nse_shim_level_name() -> *const c_char;
    fn nse_shim_trim();
}

/// The units of one operator, and in which of the two results of a cell they take part.
pub struct Branch<'a> {
    pub units: &'a [Unit],
    pub selected: bool,
    pub unselected: bool,
}

/// Whether our kernels can read this.
fn reads(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && tensor.f_kind().is_ok_and(|kind| kind == Kind::Float) && tensor.dim() == 4
}

/// Whether our kernels have this convolution.
fn has(unit: &Unit) -> bool {
    !unit.shape.inside && reads(&unit.weight.value)
}

/// Whether there is nothing but a convolution in it, ReLU, and perhaps batch-norm.
fn simple(unit: &Unit) -> bool {
    let relu = unit.activation().is_none_or(|activation| activation == Activation::Relu);
    relu && unit.excitation.is_none() && unit.plain() && has(unit)
}

/// Whether a [`cell`] may have this unit.
pub fn takes(unit: &Unit) -> bool {
    simple(unit) && unit.norm.is_some()
}

/// Whether all of this is what a [`cell`] is for.
pub fn fits<'a>(x: &Tensor, mut units: impl Iterator<Item = &'a Unit>, norm: &Norm) -> bool {
    !norm.of_all_ranks() && reads(x) && units.all(takes)
}

/// The convolution of a unit alone with its `weight`, with gradient. None: our kernels are not for it.
pub fn convolve(x: &Tensor, unit: &Unit, weight: &Tensor) -> Result<Option<Tensor>> {
    if !reads(x) || !has(unit) {
        return Ok(None);
    }
    let c = &unit.shape;
    convolution(x, weight, c.stride.map(i64::from), c.dilation.into(), c.groups.into(), Behind::Nothing).map(Some)
}

/// A 1 x 1 convolution with this weight, with gradient. None: our kernels are not for it.
pub fn pointwise(x: &Tensor, weight: &Tensor) -> Result<Option<Tensor>> {
    match reads(x) && reads(weight) {
        true => convolution(x, weight, [1, 1], 1, 1, Behind::Nothing).map(Some),
        false => Ok(None),
    }
}

/// The average over all pixels of what a unit without batch-norm gives, with gradient: [images, channels]. None: our kernels are not for it.
pub fn averaged(x: &Tensor, unit: &Unit) -> Result<Option<Tensor>> {
    if !reads(x) || !simple(unit) || unit.norm.is_some() {
        return Ok(None);
    }
    let (c, kernel) = (&unit.shape, unit.kernel()?);
    let behind = Behind::Average { relu: unit.activation().is_some() };
    convolution(x, &kernel, c.stride.map(i64::from), c.dilation.into(), c.groups.into(), behind).map(Some)
}

/// What follows a convolution.
enum Behind {
    Nothing,
    Average { relu: bool },
}

fn convolution(x: &Tensor, weight: &Tensor, stride: [i64; 2], dilation: i64, groups: i64, behind: Behind) -> Result<Tensor> {
    let mut out = std::ptr::null_mut();
    let (average, relu) = match behind {
        Behind::Nothing => (false, false),
        Behind::Average { relu } => (true, relu),
    };
    // SAFETY: tensors and two numbers that outlive the call; on success `out` is a new tensor that is ours.
    unsafe {
        let (x, weight) = (x.as_ptr(), weight.as_ptr());
        outcome(nse_shim_convolve(x, weight, stride.as_ptr(), dilation, groups, average, relu, &mut out))?;
        Ok(Tensor::from_ptr(out))
    }
}

/// Mean of the selected branches, and of the input too if there is a `shortcut`; and with `both` that of the unselected ones,
/// without gradient. What is both is computed once. All must [`fits`]; only `Norm::Batch` has a gradient.
pub fn cell(x: &Tensor, branches: &[Branch], shortcut: bool, norm: &Norm, both: bool) -> Result<(Tensor, Option<Tensor>)> {
    let (mut statistics, mut kernels) = (Vec::new(), Vec::new());
    for unit in branches.iter().flat_map(|branch| branch.units) {
        kernels.push(unit.kernel()?);
        let scale = unit.norm.as_ref().map(|[scale, _]| norm.statistics(&scale.value)).transpose()?.flatten();
        statistics.push(scale);
    }
    let mut own = statistics.iter().zip(&kernels);
    let pointer = |tensor: Option<&Tensor>| tensor.map_or(std::ptr::null(), |t| t.as_ptr());
    let units: Vec<Vec<CUnit>> = (branches.iter())
        .map(|branch| {
            let unit = |unit: &Unit| {
                let own = own.next();
                let statistics = own.and_then(|(statistics, _)| statistics.as_ref());
                let c = &unit.shape;
                CUnit {
                    kernel: c.kernel.map(i64::from),
                    stride: c.stride.map(i64::from),
                    dilation: c.dilation.into(),
                    groups: c.groups.into(),
                    weight: pointer(own.map(|(_, kernel)| &**kernel)),
                    scale: pointer(unit.norm.as_ref().map(|[scale, _]| &scale.value)),
                    shift: pointer(unit.norm.as_ref().map(|[_, shift]| &shift.value)),
                    mean: pointer(statistics.map(|(mean, _)| mean)),
                    variance: pointer(statistics.map(|(_, variance)| variance)),
                    relu: unit.activation().is_some(),
                }
            };
            branch.units.iter().map(unit).collect()
        })
        .collect();
    let branches: Vec<_> = (branches.iter().zip(&units))
        .map(|(branch, units)| CBranch {
            units: units.as_ptr(),
            count: units.len(),
            selected: branch.selected,
            unselected: branch.unselected,
        })
        .collect();
    let source = match norm {
        Norm::Batch => 0,
        Norm::Whole(_) => return Err(Error::Torch("our kernels normalise a cell by what this rank has of it".into())),
        Norm::Calibrate(_) => 1,
        Norm::Fixed(_) => 2,
    };
    let (mut out, mut other) = (std::ptr::null_mut(), std::ptr::null_mut());
    let wanted = if both { &raw mut other } else { std::ptr::null_mut() };
    // SAFETY: arrays and tensors outlive the call; on success `out`, and `other` where it is wanted, are new tensors that are ours.
    unsafe {
        let weight = norm.weight();
        outcome(nse_shim_cell(x.as_ptr(), branches.as_ptr(), branches.len(), shortcut, source, weight, &mut out, wanted))?;
        Ok((Tensor::from_ptr(out), both.then(|| Tensor::from_ptr(other))))
    }
}

/// Mean of branches that were computed alone, each as a [`cell`] of its own, and of the input too if there is a `shortcut`: the
/// same bits as of a cell with all of them. At least one branch; no gradient.
pub fn join(x: &Tensor, branches: &[&Tensor], shortcut: bool) -> Result<Tensor> {
    let branches: Vec<*const C_tensor> = branches.iter().map(|branch| branch.as_ptr()).collect();
    let mut out = std::ptr::null_mut();
    // SAFETY: the array and its tensors outlive the call; on success `out` is a new tensor that is ours.
    unsafe {
        outcome(nse_shim_join(x.as_ptr(), branches.as_ptr(), branches.len(), shortcut, &mut out))?;
        Ok(Tensor::from_ptr(out))
    }
}

/// Sums of products of pairs of maps, without gradient.
pub fn dots(pairs: &[(&Tensor, &Tensor)]) -> Result<Vec<f64>> {
    if !pairs.iter().all(|(a, b)| reads(a) && reads(b)) {
        let sums = pairs.iter().map(|(a, b)| Ok(a.f_mul(b)?.f_sum(Kind::Double)?)).collect::<Result<Vec<_>>>()?;
        return Ok(Vec::try_from(Tensor::f_stack(&sums, 0)?)?);
    }
    let dot = |(a, b): &(&Tensor, &Tensor)| {
        let mut out = 0.0;
        // SAFETY: tensors and a number that outlive the call.
        outcome(unsafe { nse_shim_dot(a.as_ptr(), b.as_ptr(), &mut out) })?;
        Ok(out)
    };
    pairs.iter().map(dot).collect()
}

/// Takes the kernels of one instruction level from now on: "level_bf16" (AVX-512 with products of
/// bfloat16), "level_v4" (AVX-512), "level_v3" (AVX2) or "level_v2" (any processor).
/// False: this processor has it not. For tests.
pub fn use_level(name: &CStr) -> bool {
    // SAFETY: a string that is read, once.
    unsafe { nse_shim_level(name.as_ptr()) }
}

/// The kernels in use.
pub fn level_name() -> &'static str {
    // SAFETY: a constant string.
    unsafe { CStr::from_ptr(nse_shim_level_name()) }.to_str().unwrap_or_default()
}

/// Gives back what is kept of feature maps for the next step.
pub fn trim() {
    // SAFETY: takes nothing.
    unsafe { nse_shim_trim() }
}
