//! One batch of the host's own making: 32-bit floats, changed and normalised as the host likes, and labels.

use super::{reserve, Strided};
use crate::error::{Error, Result};

pub struct PushedBatch {
    /// Images, channels, height, width.
    pub shape: [usize; 4],
    pub values: Values,
    /// One for each image.
    pub labels: Vec<u32>,
}

/// Where the floats are.
pub enum Values {
    /// Their bytes, image after image, each channel by channel, row by row.
    Host(Vec<u8>),
    /// On a CUDA device with this index. Whoever made this keeps the memory readable until the batch was used.
    Cuda(Strided, usize),
}

impl PushedBatch {
    /// Copies `count` images of `shape` (channels, height, width), and their labels.
    ///
    /// # Safety
    /// So many floats and labels are readable, where the pointers are not NULL.
    pub unsafe fn copy(count: u32, shape: [u32; 3], images: *const f32, labels: *const u32) -> Result<Self> {
        let wrong = |reason: &str| Error::Argument { name: "batch", reason: reason.into() };
        let sizes = std::iter::once(count).chain(shape).map(|n| n as usize).collect::<Vec<_>>();
        let Ok(shape @ [count, channels, height, width]) = <[usize; 4]>::try_from(sizes) else {
            return Err(wrong("no shape"));
        };
        let image = channels.checked_mul(height).and_then(|n| n.checked_mul(width)).and_then(|n| n.checked_mul(size_of::<f32>()));
        let bytes = image.and_then(|n| n.checked_mul(count)).filter(|n| isize::try_from(*n).is_ok());
        let bytes = bytes.ok_or_else(|| wrong("more bytes than memory can have"))?;
        if images.is_null() || labels.is_null() {
            return Err(wrong("images and labels must not be NULL"));
        }
        let (mut values, mut copied) = (reserve("batch", bytes)?, reserve("batch", count)?);
        // SAFETY: the caller's promise.
        unsafe {
            values.extend_from_slice(std::slice::from_raw_parts(images.cast::<u8>(), bytes));
            copied.extend_from_slice(std::slice::from_raw_parts(labels, count));
        }
        Ok(PushedBatch { shape, values: Values::Host(values), labels: copied })
    }
}
