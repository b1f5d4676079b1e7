//! Memory that another library filled, on whatever device, as tensors of ours. Always copied; the other's memory must be ready with
//! respect to the default stream of its device.

use super::device;
use crate::data::{reserve, Strided};
use crate::error::{Error, Result};
use tch::{Device, Kind, Tensor};

/// 32-bit floats from their bytes, the last index running fastest.
pub fn floats(bytes: &[u8], shape: &[usize]) -> Result<Tensor> {
    let sizes: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
    Ok(Tensor::f_from_data_size(bytes, &sizes, Kind::Float)?)
}

/// 32-bit floats that lie on the device `from`, copied to `to`. When this returns the other's memory is no longer read.
///
/// # Safety
/// Every element is readable on that device.
pub unsafe fn copy(array: &Strided, from: Device, to: Device) -> Result<Tensor> {
    // SAFETY: the caller's promise.
    unsafe { copied(array, Kind::Float, from, to) }
}

/// The bytes of all elements, whatever they are, on a CUDA device; the last index runs fastest.
///
/// # Safety
/// Every element is readable there.
pub unsafe fn fetch(name: &'static str, array: &Strided, cuda: usize) -> Result<Vec<u8>> {
    // SAFETY: the caller's promise.
    unsafe { bytes(name, array, device::cuda(cuda)?) }
}

/// The same on any device.
///
/// # Safety
/// Every element is readable on that device.
pub unsafe fn bytes(name: &'static str, array: &Strided, from: Device) -> Result<Vec<u8>> {
    let kind = match array.element() {
        1 => Kind::Uint8,
        2 => Kind::Int16,
        4 => Kind::Int,
        8 => Kind::Int64,
        other => return Err(Error::Argument { name, reason: format!("elements of {other} bytes") }),
    };
    // SAFETY: the caller's promise.
    let here = unsafe { copied(array, kind, from, Device::Cpu)? };
    let mut bytes = reserve::<u8>(name, array.bytes())?;
    // SAFETY: a contiguous tensor on the CPU with as many bytes as its elements have.
    bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(here.data_ptr().cast::<u8>().cast_const(), array.bytes()) });
    Ok(bytes)
}

unsafe fn copied(array: &Strided, kind: Kind, from: Device, to: Device) -> Result<Tensor> {
    let (sizes, strides): (Vec<i64>, Vec<i64>) =
        (array.shape().iter().map(|n| *n as i64).collect(), array.strides().iter().map(|stride| *stride as i64).collect());
    // SAFETY: the caller's promise; the view lives until the end of this function.
    let view = unsafe { Tensor::f_from_blob(array.first().as_ptr(), &sizes, &strides, kind, from)? };
    let copy = view.f_contiguous()?.f_to_device_(to, kind, false, true)?;
    device::synchronize(from)?;
    Ok(copy)
}
