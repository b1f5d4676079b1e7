//! Rust side of `shim.cpp`.

use crate::error::{Error, Result};
use std::borrow::Borrow;
use std::collections::TryReserveError;
use std::ffi::{c_char, c_int, c_uchar, c_void, CStr, CString};
use tch::{Device, Tensor};
use torch_sys::C_tensor;

extern "C" {
    fn nse_shim_torch_version() -> u64;
    fn nse_shim_free(message: *mut c_char);
    fn nse_shim_clip(gradients: *const *const C_tensor, count: usize, most: f64) -> *mut c_char;
    fn nse_shim_adamw(
        parameters: *const *const C_tensor,
        gradients: *const *const C_tensor,
        first: *const *const C_tensor,
        second: *const *const C_tensor,
        steps: *const *const C_tensor,
        count: usize,
        decayed: usize,
        lr: f64,
        weight_decay: f64,
        finite: *mut c_int,
    ) -> *mut c_char;
    fn nse_shim_average(averages: *const *const C_tensor, values: *const *const C_tensor, count: usize, part: f64)
        -> *mut c_char;
    fn nse_shim_bfloat16(cuda: c_int, on: c_int) -> *mut c_char;
    fn nse_shim_torchscript(
        names: *const *const c_char,
        tensors: *const *const C_tensor,
        buffers: *const c_uchar,
        count: usize,
        source: *const c_char,
        metadata: *const c_char,
        take: extern "C" fn(*mut c_void, *const c_void, usize),
        archive: *mut c_void,
    ) -> *mut c_char;
}

/// Version of the libtorch whose headers this was compiled with, in the form of aoti_torch_abi_version.
pub fn torch_version() -> u64 {
    // SAFETY: takes nothing, returns a constant.
    unsafe { nse_shim_torch_version() }
}

/// Shortens the gradients in place, all by the same factor, to the length `most` together.
pub fn clip(gradients: &[Tensor], most: f64) -> Result<()> {
    let gradients = pointers(gradients);
    // SAFETY: an array of `count` tensors that outlive the call.
    outcome(unsafe { nse_shim_clip(gradients.as_ptr(), gradients.len(), most) })
}

/// What AdamW keeps of every parameter: averages of the gradient and of its square, and how many steps it has made.
pub struct Moments<'a> {
    pub first: &'a [Tensor],
    pub second: &'a [Tensor],
    pub steps: &'a [Tensor],
}

/// One step of AdamW with betas 0.9 and 0.999 in place; the first `decayed` parameters have weight decay. Returns false, and changes
/// nothing, when a gradient is not finite.
pub fn adamw(
    parameters: &[Tensor],
    gradients: &[Tensor],
    moments: Moments,
    decayed: usize,
    lr: f64,
    weight_decay: f64,
) -> Result<bool> {
    let count = parameters.len();
    let all = [gradients, moments.first, moments.second, moments.steps];
    assert!(all.iter().all(|tensors| tensors.len() == count) && decayed <= count);
    let [gradients, first, second, steps] = all.map(pointers);
    let (parameters, mut finite) = (pointers(parameters), 0);
    // SAFETY: five arrays of `count` tensors that outlive the call.
    let message = unsafe {
        nse_shim_adamw(
            parameters.as_ptr(),
            gradients.as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
            steps.as_ptr(),
            count,
            decayed,
            lr,
            weight_decay,
            &mut finite,
        )
    };
    outcome(message).map(|()| finite != 0)
}

/// averages += part * (values - averages), in place.
pub fn average(averages: &[Tensor], values: &[Tensor], part: f64) -> Result<()> {
    assert!(averages.len() == values.len());
    let (averages, values) = (pointers(averages), pointers(values));
    // SAFETY: two arrays of `count` tensors that outlive the call.
    outcome(unsafe { nse_shim_average(averages.as_ptr(), values.as_ptr(), averages.len(), part) })
}

pub(super) fn pointers<T: Borrow<Tensor>>(tensors: &[T]) -> Vec<*const C_tensor> {
    tensors.iter().map(|tensor| tensor.borrow().as_ptr()).collect()
}

/// As long as it lives, our convolutions of this thread multiply numbers rounded to bfloat16; on CUDA convolutions and linear layers compute in
/// bfloat16, and give it.
#[must_use]
pub struct BFloat16(bool);

impl BFloat16 {
    pub fn on(device: Device) -> Result<Self> {
        let cuda = device != Device::Cpu;
        // SAFETY: takes numbers.
        outcome(unsafe { nse_shim_bfloat16(cuda.into(), 1) }).map(|()| BFloat16(cuda))
    }
}

impl Drop for BFloat16 {
    fn drop(&mut self) {
        // SAFETY: as above. It only sets flags: there is nothing that could fail.
        let _ = outcome(unsafe { nse_shim_bfloat16(self.0.into(), 0) });
    }
}

/// A tensor of an exported module, by its dotted name.
pub struct Named {
    pub name: String,
    pub tensor: Tensor,
    /// Not trainable: running statistics.
    pub buffer: bool,
}

/// What is to be in the file, as far as there was memory for it.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    refused: Option<TryReserveError>,
}

extern "C" fn take(archive: *mut c_void, bytes: *const c_void, length: usize) {
    if length == 0 {
        return;
    }
    // SAFETY: `torchscript` passes its own archive, and libtorch `length` bytes.
    let (archive, bytes) = unsafe { (&mut *archive.cast::<Archive>(), std::slice::from_raw_parts(bytes.cast::<u8>(), length)) };
    match archive.bytes.try_reserve(length) {
        Ok(()) => archive.bytes.extend_from_slice(bytes),
        Err(refused) => archive.refused = Some(refused),
    }
}

/// The content of a TorchScript archive.
pub fn torchscript(tensors: &[Named], source: &str, metadata: &str) -> Result<std::result::Result<Vec<u8>, TryReserveError>> {
    let names: Vec<CString> = tensors.iter().map(|t| text(&t.name)).collect::<Result<_>>()?;
    let names: Vec<_> = names.iter().map(|n| n.as_ptr()).collect::<Vec<_>>();
    let pointers: Vec<_> = tensors.iter().map(|t| t.tensor.as_ptr()).collect();
    let buffers: Vec<_> = tensors.iter().map(|t| c_uchar::from(t.buffer)).collect();
    let (source, metadata) = (text(source)?, text(metadata)?);
    let mut archive = Archive::default();
    // SAFETY: three arrays of `count` entries and three strings that outlive the call.
    outcome(unsafe {
        nse_shim_torchscript(
            names.as_ptr(),
            pointers.as_ptr(),
            buffers.as_ptr(),
            tensors.len(),
            source.as_ptr(),
            metadata.as_ptr(),
            take,
            (&raw mut archive).cast(),
        )
    })?;
    Ok(archive.refused.map_or(Ok(archive.bytes), Err))
}

fn text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|e| Error::Torch(e.to_string()))
}

pub(super) fn outcome(message: *mut c_char) -> Result<()> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: the shim returns a NUL-terminated string that is ours to free, once.
    let error = super::said(&unsafe { CStr::from_ptr(message) }.to_string_lossy());
    unsafe { nse_shim_free(message) };
    Err(error)
}
