//! Elements on a device, copied to the memory of the CPU.

use super::device;
use crate::data::{reserve, Strided};
use crate::error::{Error, Result};
use tch::{Device, Kind, Tensor};

/// The bytes of an array on a CUDA device ("cuda:N"), the last index running fastest. Returns when they are there.
///
/// # Safety
/// Every element is readable by that device, and does not change meanwhile.
pub unsafe fn download(array: &Strided, name: &str) -> Result<Vec<u8>> {
    let device = device::parse(name)?;
    if let Some(stride) = array.strides().iter().find(|stride| **stride < 0) {
        let reason = format!("the strides {:?} have {stride}, and libtorch reads none below 0", array.strides());
        return Err(Error::Device { device: name.into(), reason });
    }
    // SAFETY: the caller's promise.
    unsafe { copy(array, device) }
}

/// The same for any device; strides are not negative.
///
/// # Safety
/// As above.
pub unsafe fn copy(array: &Strided, device: Device) -> Result<Vec<u8>> {
    // Only the size of an element matters to a copy.
    let kind = match array.element() {
        1 => Kind::Uint8,
        4 => Kind::Int,
        8 => Kind::Int64,
        other => return Err(Error::Torch(format!("elements of {other} bytes"))),
    };
    let shape: Vec<i64> = array.shape().iter().map(|n| *n as i64).collect();
    let strides: Vec<i64> = array.strides().iter().map(|n| *n as i64).collect();
    let mut bytes = reserve::<u8>("tensor", array.bytes())?;
    bytes.resize(array.bytes(), 0);
    // SAFETY: the caller's promise; the view ends here.
    let view = unsafe { Tensor::f_from_blob(array.first().as_ptr(), &shape, &strides, kind, device)? };
    // Made compact where it is, which is quick there; the copy to the CPU waits for it.
    view.f_contiguous()?.f_to_device(Device::Cpu)?.f_copy_data_u8(&mut bytes, array.bytes() / array.element())?;
    Ok(bytes)
}
