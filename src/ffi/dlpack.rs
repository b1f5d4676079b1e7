//! Tensors of other libraries, as DLPack 1 describes them (dlpack.h of github.com/dmlc/dlpack): taken over, checked, read, given
//! back. Nothing is written to them, so a read-only tensor is as good as any.

use super::worker;
use crate::data::{Pixels, Strided, Values};
use crate::error::{Error, Result};
use crate::supernet;
use std::ffi::c_void;
use std::ptr::NonNull;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct DLPackVersion {
    major: u32,
    minor: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct DLDevice {
    kind: i32,
    id: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct DLDataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct DLTensor {
    data: *mut c_void,
    device: DLDevice,
    ndim: i32,
    dtype: DLDataType,
    shape: *const i64,
    strides: *const i64,
    byte_offset: u64,
}

/// Everything up to `flags` is the same in every version from 1 on.
#[repr(C)]
pub struct DLManagedTensorVersioned {
    version: DLPackVersion,
    manager: *mut c_void,
    deleter: Option<unsafe extern "C-unwind" fn(*mut DLManagedTensorVersioned)>,
    flags: u64,
    tensor: DLTensor,
}

/// The version whose tensors are read.
const MAJOR: u32 = 1;
/// Above this it is no version: more likely half of a pointer, with which the tensors before version 1 begin.
const GREATEST_MAJOR: u32 = 255;

const CPU: i32 = 1;
const CUDA: i32 = 2;
/// Memory of the CPU that CUDA can reach.
const CUDA_HOST: i32 = 3;

const INT: u8 = 0;
const UINT: u8 = 1;
const FLOAT: u8 = 2;

/// A tensor that was given to us: its deleter runs when it is dropped, unless the tensor is too foreign to have one.
pub struct Managed(NonNull<DLManagedTensorVersioned>);

// SAFETY: hosts are told that the deleter may run on any thread; it does so once, and nothing reads the struct then.
unsafe impl Send for Managed {}
unsafe impl Sync for Managed {}

impl Managed {
    /// NULL is no tensor.
    pub fn take(tensor: *mut DLManagedTensorVersioned) -> Option<Self> {
        NonNull::new(tensor).map(Managed)
    }

    fn version(&self) -> DLPackVersion {
        // SAFETY: the caller passes a tensor, and every tensor starts with its version.
        unsafe { (*self.0.as_ptr()).version }
    }

    /// The tensor inside, once its version is known to be readable.
    fn tensor(&self, name: &'static str) -> Result<DLTensor> {
        let DLPackVersion { major, minor } = self.version();
        match major {
            // SAFETY: what version 1 says is there.
            MAJOR => Ok(unsafe { (*self.0.as_ptr()).tensor }),
            2..=GREATEST_MAJOR => wrong(name, format!("a tensor of DLPack {major}.{minor}; {MAJOR}.x is understood")),
            _ => wrong(name, format!("version {major}.{minor}: not a DLManagedTensorVersioned; its deleter is not called")),
        }
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        if (1..=GREATEST_MAJOR).contains(&self.version().major) {
            // SAFETY: every version has the deleter in this place, and promises that it may be called whatever else it changed.
            // Once, because a value is dropped once.
            unsafe {
                if let Some(deleter) = (*self.0.as_ptr()).deleter {
                    deleter(self.0.as_ptr());
                }
            }
        }
    }
}

/// Images and labels of one call. One tensor has one deleter, even if it was passed twice.
pub struct Pair {
    images: Option<Managed>,
    labels: Option<Managed>,
    twice: bool,
}

impl Pair {
    pub fn take(images: *mut DLManagedTensorVersioned, labels: *mut DLManagedTensorVersioned) -> Self {
        let twice = images == labels && !images.is_null();
        let labels = if twice { None } else { Managed::take(labels) };
        Pair { images: Managed::take(images), labels, twice }
    }

    pub fn is_empty(&self) -> bool {
        self.images.is_none() && self.labels.is_none()
    }

    /// Both, which are called so.
    pub fn both(self, images: &'static str, labels: &'static str) -> Result<(Managed, Managed)> {
        if self.twice {
            return wrong(labels, "the same tensor as the images".into());
        }
        let none = |name| Error::Argument { name, reason: "NULL is not a tensor".into() };
        Ok((self.images.ok_or_else(|| none(images))?, self.labels.ok_or_else(|| none(labels))?))
    }
}

/// How a tensor was read: where its elements are, and how they lie.
pub struct Elements {
    name: &'static str,
    array: Strided,
    dtype: DLDataType,
    /// Number of the CUDA device whose memory it is; None: the CPU can read it.
    cuda: Option<usize>,
    owner: Managed,
}

impl Elements {
    /// A tensor of `rank` dimensions with one of the `kinds` of elements, in memory of the CPU or of a CUDA
    /// device.
    fn read(name: &'static str, owner: Managed, rank: usize, meaning: &str, kinds: &[(u8, u8)]) -> Result<Self> {
        let tensor = owner.tensor(name)?;
        if usize::try_from(tensor.ndim) != Ok(rank) {
            return wrong(name, format!("{} dimensions instead of {rank}: {meaning}", tensor.ndim));
        }
        let dtype = tensor.dtype;
        if dtype.lanes != 1 || !kinds.contains(&(dtype.code, dtype.bits)) {
            let kinds: Vec<_> =
                kinds.iter().map(|(code, bits)| DLDataType { code: *code, bits: *bits, lanes: 1 }.name()).collect();
            return wrong(name, format!("elements of {} instead of {}", dtype.name(), kinds.join(", ")));
        }
        let DLDevice { kind, id } = tensor.device;
        let cuda = match (kind, usize::try_from(id)) {
            (CPU | CUDA_HOST, _) => None,
            (CUDA, Ok(id)) => Some(id),
            _ => {
                let reason = format!("{name} must be in memory of the CPU or of a CUDA device: copy them there");
                return Err(Error::Device { device: format!("DLPack type {kind}, number {id}"), reason });
            }
        };
        if tensor.shape.is_null() {
            return wrong(name, "NULL is not a shape".into());
        }
        // SAFETY: not NULL; a tensor has as many sizes, and as many strides if any, as dimensions.
        let (shape, strides) = unsafe {
            let strides = NonNull::new(tensor.strides.cast_mut());
            (std::slice::from_raw_parts(tensor.shape, rank), strides.map(|s| std::slice::from_raw_parts(s.as_ptr(), rank)))
        };
        let first = match (tensor.data as usize, usize::try_from(tensor.byte_offset)) {
            (0, _) => std::ptr::null(),
            (data, Ok(offset)) if data.checked_add(offset).is_some() => {
                tensor.data.cast::<u8>().wrapping_add(offset).cast_const()
            }
            _ => return wrong(name, format!("the byte offset {} reaches beyond memory", tensor.byte_offset)),
        };
        let array = Strided::new(name, first, usize::from(dtype.bits / 8), shape, strides)?;
        Ok(Elements { name, array, dtype, cuda, owner })
    }

    /// Images: bytes [count, channels, height, width].
    pub fn images(name: &'static str, owner: Managed) -> Result<Self> {
        Self::read(name, owner, 4, "images are [count, channels, height, width]", &[(UINT, 8)])
    }

    /// Labels: whole numbers [count].
    pub fn labels(name: &'static str, owner: Managed) -> Result<Self> {
        Self::read(name, owner, 1, "labels are [count]", &[(INT, 64), (INT, 32), (UINT, 8), (UINT, 32)])
    }

    /// Images of a batch: floats of 32 bits [count, channels, height, width].
    pub fn floats(name: &'static str, owner: Managed) -> Result<Self> {
        Self::read(name, owner, 4, "images are [count, channels, height, width]", &[(FLOAT, 32)])
    }

    pub fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// The bytes, where they are if that is wanted and possible: then the tensor is kept as long as they are.
    pub fn into_pixels(self, borrow: bool) -> Result<Pixels> {
        if borrow && self.cuda.is_none() && self.array.is_compact() {
            // SAFETY: a tensor is readable until its deleter runs; hosts are told not to change a borrowed one.
            return Ok(unsafe { Pixels::borrow(self.array.first(), self.array.bytes(), self.owner) });
        }
        Ok(self.into_bytes()?.into())
    }

    /// All elements, copied; the tensor is given back.
    fn into_bytes(self) -> Result<Vec<u8>> {
        let Elements { name, array, cuda, owner, .. } = self;
        // SAFETY: a tensor is readable until its deleter runs, which is when its owner is dropped: at the end, behind the thread.
        let bytes = match cuda {
            None => unsafe { array.gather() },
            Some(cuda) => worker::once("fetch", move || unsafe { supernet::fetch(name, &array, cuda) }),
        };
        drop(owner);
        bytes
    }

    /// Floats of a batch: copied when they are in memory of the CPU, else where they are, as long as the owner is kept.
    pub fn into_values(self) -> Result<(Values, Option<Managed>)> {
        match self.cuda {
            None => Ok((Values::Host(self.into_bytes()?), None)),
            Some(cuda) => Ok((Values::Cuda(self.array, cuda), Some(self.owner))),
        }
    }

    /// Every element as a label; the tensor is given back.
    pub fn into_labels(self) -> Result<Vec<u32>> {
        let (name, code, element) = (self.name, self.dtype.code, self.array.element());
        let bytes = self.into_bytes()?;
        let mut labels = crate::data::reserve(name, bytes.len() / element)?;
        for (at, bytes) in bytes.chunks_exact(element).enumerate() {
            let label = value(code, bytes);
            let label = u32::try_from(label)
                .or_else(|_| wrong(name, format!("label {label} of image {at} is not in 0 to {}", u32::MAX)))?;
            labels.push(label);
        }
        Ok(labels)
    }
}

/// A whole number from its bytes, in the order of this machine.
fn value(code: u8, bytes: &[u8]) -> i64 {
    match (code, bytes) {
        (_, &[a]) => i64::from(a),
        (INT, &[a, b, c, d]) => i64::from(i32::from_ne_bytes([a, b, c, d])),
        (_, &[a, b, c, d]) => i64::from(u32::from_ne_bytes([a, b, c, d])),
        (_, &[a, b, c, d, e, f, g, h]) => i64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        _ => -1,
    }
}

impl DLDataType {
    /// As other libraries write it: "uint8", "float32x4".
    fn name(self) -> String {
        let kind = match self.code {
            INT => "int".into(),
            UINT => "uint".into(),
            2 => "float".into(),
            4 => "bfloat".into(),
            5 => "complex".into(),
            6 => "bool".into(),
            code => format!("type {code}, bits "),
        };
        let lanes = if self.lanes == 1 { String::new() } else { format!("x{}", self.lanes) };
        format!("{kind}{}{lanes}", self.bits)
    }
}

fn wrong<T>(name: &'static str, reason: String) -> Result<T> {
    Err(Error::Argument { name, reason })
}
