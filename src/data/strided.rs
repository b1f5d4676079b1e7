//! Elements at regular distances in memory that is not ours: what DLPack and array libraries call a strided array. Whose memory
//! it is, and what an element means, is for others.

use super::pixels::reserve;
use crate::error::{Error, Result};
use std::ptr::NonNull;

/// Shape, distances and place of an array, checked so far that no arithmetic on them can overflow.
pub struct Strided {
    name: &'static str,
    first: NonNull<u8>,
    /// Bytes of an element.
    element: usize,
    shape: Vec<usize>,
    /// In elements; negative, or 0, where the host likes it.
    strides: Vec<isize>,
    elements: usize,
}

// SAFETY: an address and numbers. Reading there needs a promise, which is the caller's, on whichever thread.
unsafe impl Send for Strided {}
unsafe impl Sync for Strided {}

impl Strided {
    /// `first` is the place of element 0, 0, ...; without `strides` the array is compact. Errors are about the argument `name`.
    pub fn new(name: &'static str, first: *const u8, element: usize, shape: &[i64], strides: Option<&[i64]>) -> Result<Self> {
        let wrong = |reason: String| Error::Argument { name, reason };
        let numbers = |from: &[i64]| from.iter().map(|n| usize::try_from(*n)).collect::<std::result::Result<Vec<_>, _>>();
        let sizes = numbers(shape).map_err(|_| wrong(format!("the shape {shape:?} has a negative size")))?;
        let elements = sizes.iter().try_fold(1usize, |product, n| product.checked_mul(*n));
        let bytes = elements.and_then(|n| n.checked_mul(element)).filter(|bytes| isize::try_from(*bytes).is_ok());
        let (Some(elements), Some(_)) = (elements, bytes) else {
            return Err(wrong(format!("the shape {shape:?} has more bytes than memory can have")));
        };
        if elements == 0 {
            return Err(wrong(format!("the shape {shape:?} has nothing in it")));
        }
        let first = NonNull::new(first.cast_mut()).ok_or_else(|| wrong("NULL is not a place for data".into()))?;
        let strides = match strides {
            Some(strides) if strides.len() != shape.len() => {
                return Err(wrong(format!("{} strides for {} dimensions", strides.len(), shape.len())));
            }
            Some(strides) => strides.iter().map(|stride| *stride as isize).collect(),
            None => compact(&sizes),
        };
        let array = Strided { name, first, element, shape: sizes, strides, elements };
        if !array.within_memory() {
            return Err(wrong(format!("the shape {shape:?} with strides {:?} reaches beyond memory", array.strides)));
        }
        Ok(array)
    }

    /// Whether every element, from the lowest to the highest, has an address, and pointer arithmetic is defined between them.
    fn within_memory(&self) -> bool {
        let (mut low, mut high) = (0i128, 0i128);
        for (n, stride) in self.shape.iter().zip(&self.strides) {
            let end = (*n as i128 - 1).checked_mul(*stride as i128).and_then(|end| end.checked_mul(self.element as i128));
            let Some(end) = end.filter(|end| end.abs() <= isize::MAX as i128) else { return false };
            low += end.min(0);
            high += end.max(0);
        }
        let (first, end) = (self.first.as_ptr() as usize as i128, high + self.element as i128);
        first + low >= 0 && first + end <= usize::MAX as i128 && end - low <= isize::MAX as i128
    }

    pub fn first(&self) -> NonNull<u8> {
        self.first
    }

    /// All elements, in bytes.
    pub fn bytes(&self) -> usize {
        self.elements * self.element
    }

    /// Bytes of an element.
    pub fn element(&self) -> usize {
        self.element
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// In elements.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Whether the elements lie one behind the other, the last index running fastest.
    pub fn is_compact(&self) -> bool {
        let wanted = compact(&self.shape);
        self.shape.iter().zip(self.strides.iter().zip(wanted)).all(|(n, (stride, wanted))| *n == 1 || *stride == wanted)
    }

    /// The bytes of all elements, the last index running fastest.
    ///
    /// # Safety
    /// Every element is readable and does not change meanwhile.
    pub unsafe fn gather(&self) -> Result<Vec<u8>> {
        let mut out = reserve(self.name, self.bytes())?;
        let strides: Vec<isize> = self.strides.iter().map(|stride| stride.wrapping_mul(self.element as isize)).collect();
        // SAFETY: the caller's promise; `within_memory` has seen that no address overflows.
        unsafe { gather(self.first.as_ptr(), self.element, &self.shape, &strides, &mut out) };
        Ok(out)
    }
}

/// Distances in elements when there are no gaps; the product of all sizes is known not to overflow.
fn compact(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i] as isize;
    }
    strides
}

/// `strides` in bytes. Nothing is aligned for sure: bytes are copied, not elements read.
unsafe fn gather(first: *const u8, element: usize, shape: &[usize], strides: &[isize], out: &mut Vec<u8>) {
    let run = |at: *const u8, bytes: usize, out: &mut Vec<u8>| {
        // SAFETY: the caller's promise.
        out.extend_from_slice(unsafe { std::slice::from_raw_parts(at, bytes) });
    };
    match (shape, strides) {
        ([n], [stride]) if *stride == element as isize => run(first, n * element, out),
        // SAFETY: as above. The usual case of bytes with gaps, without a call for each.
        ([n], [stride]) if element == 1 => {
            out.extend((0..*n).map(|i| unsafe { *first.wrapping_offset(stride.wrapping_mul(i as isize)) }))
        }
        ([n, shape @ ..], [stride, strides @ ..]) => {
            for i in 0..*n {
                let at = first.wrapping_offset(stride.wrapping_mul(i as isize));
                // SAFETY: as above.
                unsafe { gather(at, element, shape, strides, out) };
            }
        }
        _ => run(first, element, out),
    }
}
