//! Section "picture".

use super::boundary;
use super::error::nse_error;
use super::status::{nse_status, NSE_OK};
use super::structs::{self, Sized32};
use crate::data::reserve;
use crate::error::{Error, Result};
use crate::restore::{self, Picture};
use std::mem::size_of;

/// An image as numbers in the caller's memory. Start with NSE_PICTURE_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_picture {
    pub struct_size: u32,
    /// 1 or 3.
    pub channels: u32,
    /// 1 to 16384; no more than 2^26 pixels in all.
    pub height: u32,
    pub width: u32,
    /// channels x height x width numbers: plane after plane, row by row. Black is 0 and white is 1; noise may go beyond, from -1 to 2.
    pub data: *const f32,
}

// SAFETY: starts with its size; zero is no image.
unsafe impl Sized32 for nse_picture {
    const LEAST: usize = size_of::<nse_picture>();
}

impl nse_picture {
    /// A copy. `name` is the argument's.
    pub fn copied(name: &'static str, picture: *const nse_picture) -> Result<Picture> {
        let nse_picture { channels, height, width, data, .. } = structs::read(name, picture)?;
        let count = Picture::count(name, channels, height, width)?;
        if data.is_null() {
            return Err(Error::Argument { name, reason: "data is NULL".into() });
        }
        let mut values = reserve(name, count)?;
        // SAFETY: not NULL; the caller says that so many numbers are there.
        values.extend_from_slice(unsafe { std::slice::from_raw_parts(data, count) });
        Picture::new(name, [channels, height, width], values)
    }

    /// None for NULL.
    pub fn optional(name: &'static str, picture: *const nse_picture) -> Result<Option<Picture>> {
        match picture.is_null() {
            true => Ok(None),
            false => nse_picture::copied(name, picture).map(Some),
        }
    }
}

/// How near two images are. PSNR is 10 log10(1 / mean squared difference), in decibels, infinite for equal images. SSIM (Wang et al. 2004)
/// has an 11 x 11 Gaussian window of sigma 1.5 that stays inside, and is the mean over places and channels; NaN where a side is
/// below 11. As scikit-image computes it with gaussian_weights, use_sample_covariance=False and data_range=1.
///
/// `a`, `b`: [in] read during the call only. `psnr`, `ssim`: [out] may be NULL.
///
/// NSE_ERR_INVALID_ARGUMENT: no images, or of different shapes. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_picture_compare(
    a: *const nse_picture,
    b: *const nse_picture,
    psnr: *mut f64,
    ssim: *mut f64,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let (a, b) = (nse_picture::copied("a", a)?, nse_picture::copied("b", b)?);
        let found = (restore::psnr(&a, &b)?, restore::ssim(&a, &b)?.unwrap_or(f64::NAN));
        structs::put(psnr, found.0);
        structs::put(ssim, found.1);
        Ok(NSE_OK)
    })
}
