//! Structs that a host fills: tensors of DLPack, and images that a function writes.

use super::look_at_images;
use nse::data::Dataset;
use nse::space::Shape;
use std::ffi::c_void;

/// Numbers from bytes; zeros when there are no more.
pub struct Numbers<'a>(pub &'a [u8]);

impl Numbers<'_> {
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let n = N.min(self.0.len());
        bytes[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        bytes
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.next())
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.next())
    }
}

#[repr(C)]
struct Tensor {
    version: [u32; 2],
    manager: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Tensor)>,
    flags: u64,
    data: *mut c_void,
    device: [i32; 2],
    ndim: i32,
    dtype: u32,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

extern "C" {
    fn nse_dataset_from_dlpack(
        images: *mut Tensor,
        labels: *mut Tensor,
        classes: u32,
        flags: u32,
        out: *mut *mut c_void,
        err: *mut *mut c_void,
    ) -> i32;
    fn nse_dataset_free(dataset: *mut c_void);
    fn nse_error_free(error: *mut c_void);
}

const REGION: usize = 1 << 14;

/// Counts how often it was called, where the host keeps what it likes.
unsafe extern "C" fn deleter(tensor: *mut Tensor) {
    unsafe { *(*tensor).manager.cast::<u32>() += 1 };
}

/// A tensor whose elements, if they are anywhere in memory, are in `region`: a host cannot lie about what is its own. None when
/// these numbers cannot be made so.
fn tensor(numbers: &mut Numbers, region: &mut [u8], places: &mut [i64; 16], deleted: &mut u32) -> Option<Tensor> {
    let [version, minor, kind, rank, code, bits, lanes, strided] = numbers.next();
    let rank = usize::from(rank) % 8;
    for place in places.iter_mut().take(2 * rank) {
        // Mostly small ones; now and then all 64 bits.
        *place = match numbers.next() {
            [255] => numbers.i64(),
            [small] => i64::from(small as i8),
        };
    }
    let byte_offset = u64::from(numbers.u32() % 64);
    let (shape, strides) = places.split_at(rank);
    let element = i128::from(bits) / 8;
    let (mut low, mut high) = (0i128, element);
    let mut step = 1i128;
    for dimension in (0..rank).rev() {
        let stride = if strided % 2 == 1 { i128::from(strides[dimension]) } else { step };
        let end = (i128::from(shape[dimension]) - 1).max(0).saturating_mul(stride).saturating_mul(element);
        (low, high) = (low.saturating_add(end.min(0)), high.saturating_add(end.max(0)));
        step = step.saturating_mul(i128::from(shape[dimension]));
    }
    let middle = REGION as i128 / 2;
    let inside = low >= -middle && high <= middle - 64;
    let nowhere = high.saturating_sub(low) > isize::MAX as i128 || shape.iter().any(|size| *size <= 0);
    if !(inside || nowhere) {
        return None;
    }
    Some(Tensor {
        version: [u32::from(version % 4), u32::from(minor)],
        manager: std::ptr::from_mut(deleted).cast(),
        deleter: if kind >= 128 { None } else { Some(deleter) },
        flags: u64::from(minor),
        data: region[REGION / 2..].as_mut_ptr().cast(),
        device: [i32::from(kind % 16), 0],
        ndim: rank as i32,
        dtype: u32::from_le_bytes([code % 8, bits, lanes, 0]),
        shape: places.as_mut_ptr(),
        strides: if strided % 2 == 1 { places[rank..].as_mut_ptr() } else { std::ptr::null_mut() },
        byte_offset,
    })
}

pub fn dlpack(data: &[u8]) {
    let mut numbers = Numbers(data);
    let (classes, flags) = (u32::from(numbers.next::<1>()[0]), u32::from(numbers.next::<1>()[0] % 4));
    let (mut regions, mut places, mut deleted) = (vec![vec![0u8; REGION]; 2], [[0i64; 16]; 2], [0u32; 2]);
    let [first, second] = &mut places;
    let [one, two] = &mut deleted;
    let (left, right) = regions.split_at_mut(1);
    let Some(mut images) = tensor(&mut numbers, &mut left[0], first, one) else { return };
    let Some(mut labels) = tensor(&mut numbers, &mut right[0], second, two) else { return };
    let (mut out, mut error) = (std::ptr::null_mut(), std::ptr::null_mut());
    let expected = [&images, &labels].map(|t| u32::from(t.deleter.is_some() && (1..=255).contains(&t.version[0])));
    // SAFETY: the tensors are whole, and what they describe is in the regions or nowhere at all.
    unsafe {
        let status = nse_dataset_from_dlpack(&mut images, &mut labels, classes, flags, &mut out, &mut error);
        assert_eq!(status >= 0, error.is_null());
        assert_eq!(status >= 0, !out.is_null());
        assert_ne!(status, -20, "a panic");
        nse_error_free(error);
        nse_dataset_free(out);
    }
    assert_eq!(deleted, expected, "each deleter runs once");
}

/// Sizes as a host gives them; it stops after 1 MiB.
pub fn source(data: &[u8]) {
    let mut numbers = Numbers(data);
    let [channels, height, width, count, classes, fails] = std::array::from_fn(|_| match numbers.next() {
        [255] => numbers.u32(),
        [small] => u32::from(small),
    });
    let mut written = 0;
    let filled =
        Dataset::collect(Shape { channels, height, width }, Some(classes).filter(|c| *c > 0), count, |first, pixels, labels| {
            written += pixels.len() + labels.len();
            labels.iter_mut().for_each(|label| *label = u32::from(numbers.next::<1>()[0]));
            match first >= fails || written > 1 << 20 {
                true => Err(nse::Error::Callback { name: "source.fill", what: "images".into(), code: 1 }),
                false => Ok(()),
            }
        });
    if let Ok(dataset) = filled {
        look_at_images(&dataset);
    }
}
