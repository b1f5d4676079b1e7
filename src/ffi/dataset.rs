//! Section "dataset".

use super::buffer::{self, nse_buffer};
use super::callback::{nse_free_fn, User};
use super::error::nse_error;
use super::status::{nse_status, NSE_OK};
use super::structs::Sized32;
use super::{boundary, handle, structs, text};
use crate::data::{reserve, Dataset, Pixels};
use crate::error::{Error, Result};
use crate::space::Shape;
use serde_json::json;
use std::ffi::{c_char, c_void};
use std::mem::size_of;
use std::ptr::NonNull;

/// Labelled images in memory. Immutable; views of the same images share them.
pub struct nse_dataset {
    _private: [u8; 0],
}

/// Images in the caller's memory. Start with NSE_IMAGES_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_images {
    pub struct_size: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    /// Number of images.
    pub count: u32,
    /// Labels are below this; 0: the greatest label + 1.
    pub classes: u32,
    /// count x channels x height x width bytes: image after image, channel by channel, row by row.
    pub pixels: *const u8,
    /// `count` labels, from 0.
    pub labels: *const u32,
}

// SAFETY: starts with its size; zero is no image.
unsafe impl Sized32 for nse_images {
    const LEAST: usize = size_of::<nse_images>();
}

/// Reads images and labels from files: {"format": "idx", "images": path, "labels": path, "classes": 10}. IDX files may
/// be gzip-compressed; "classes" may be left out. Blocks while it reads.
///
/// `json`: [in] the document. `out`: [out] to free with nse_dataset_free.
///
/// NSE_ERR_CONFIG. NSE_ERR_IO: a path that cannot be read, or is no regular file. NSE_ERR_FORMAT: a file is truncated, damaged or has a label out of range. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_dataset_open(json: *const c_char, out: *mut *mut nse_dataset, err: *mut *mut nse_error) -> nse_status {
    boundary::make(out, err, || Dataset::open(text::required("json", json)?))
}

/// Copies images and labels from the caller's memory.
///
/// `images`: [in] read during the call only. `out`: [out] to free with nse_dataset_free.
///
/// NSE_ERR_INVALID_ARGUMENT: no images, or a label out of range. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_dataset_from_memory(
    images: *const nse_images,
    out: *mut *mut nse_dataset,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || copy(&structs::read("images", images)?))
}

fn copy(images: &nse_images) -> Result<Dataset> {
    let (pixels, labels) = behind(images)?;
    // SAFETY: the caller says that so many bytes are there.
    let pixels = copied(unsafe { pixels.as_ref() })?;
    Dataset::from_memory(shape(images), classes(images), pixels, labels)
}

/// Like nse_dataset_from_memory, but uses the pixels where they are. They must not change, and stay readable, until `user_free`
/// is called: when nothing needs them any more, neither a dataset, nor a part of one, nor a search that was given one.
///
/// `images`: [in] the struct and its labels are read during the call only. `user`: for `user_free`; the library never looks at it. `user_free`: may be NULL, for memory that stays; called exactly
/// once, also when the call fails, from any thread. `out`: [out] to free with nse_dataset_free.
///
/// NSE_ERR_INVALID_ARGUMENT: as for nse_dataset_from_memory. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_dataset_borrow(
    images: *const nse_images,
    user: *mut c_void,
    user_free: nse_free_fn,
    out: *mut *mut nse_dataset,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let user = User { pointer: user, free: user_free };
    boundary::make(out, err, || borrow(&structs::read("images", images)?, user))
}

fn borrow(images: &nse_images, user: User) -> Result<Dataset> {
    let (pixels, labels) = behind(images)?;
    // SAFETY: the caller says that they are there, and stay as they are, until `user` is freed.
    let pixels = unsafe { Pixels::borrow(pixels.cast(), pixels.len(), user) };
    Dataset::from_memory(shape(images), classes(images), pixels, labels)
}

/// Where the pixels are, and the labels.
fn behind(images: &nse_images) -> Result<(NonNull<[u8]>, Vec<u32>)> {
    let nse_images { channels, height, width, count, pixels, labels, .. } = *images;
    let wrong = |reason: &str| Error::Argument { name: "images", reason: reason.into() };
    let bytes = [channels, height, width, count].iter().try_fold(1usize, |product, n| product.checked_mul(*n as usize));
    let bytes = bytes.filter(|b| isize::try_from(*b).is_ok()).ok_or_else(|| wrong("more bytes than memory can have"))?;
    let (Some(pixels), false) = (NonNull::new(pixels.cast_mut()), labels.is_null()) else {
        return Err(wrong("pixels and labels must not be NULL"));
    };
    // SAFETY: not NULL; the caller says that so many labels are there.
    let labels = copied(unsafe { std::slice::from_raw_parts(labels, count as usize) })?;
    Ok((NonNull::slice_from_raw_parts(pixels, bytes), labels))
}

fn copied<T: Copy>(values: &[T]) -> Result<Vec<T>> {
    let mut copy = reserve("images", values.len())?;
    copy.extend_from_slice(values);
    Ok(copy)
}

fn shape(images: &nse_images) -> Shape {
    Shape { channels: images.channels, height: images.height, width: images.width }
}

fn classes(images: &nse_images) -> Option<u32> {
    (images.classes > 0).then_some(images.classes)
}

/// Splits into two disjoint datasets, at random but always alike for the same `seed`. No pixel is copied.
///
/// `fraction`: part of the images in the second one, above 0 and below 1, so that neither is empty.
/// `first`, `second`: [out] each to free with nse_dataset_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_dataset_split(
    dataset: *const nse_dataset,
    fraction: f64,
    seed: u64,
    first: *mut *mut nse_dataset,
    second: *mut *mut nse_dataset,
    err: *mut *mut nse_error,
) -> nse_status {
    structs::clear(first);
    structs::clear(second);
    boundary::guard(err, || {
        if first.is_null() || second.is_null() || first == second {
            return Err(Error::Argument { name: "first, second", reason: "must be two places for handles".into() });
        }
        let (a, b) = handle::get::<Dataset>("dataset", dataset)?.split(fraction, seed)?;
        let (a, b) = (handle::insert(a)?, handle::insert(b)?);
        structs::put(first, a);
        structs::put(second, b);
        Ok(NSE_OK)
    })
}

/// As JSON: images, classes, channels, height, width.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_dataset_info(dataset: *const nse_dataset, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let dataset = handle::get::<Dataset>("dataset", dataset)?;
        let Shape { channels, height, width } = dataset.shape();
        let info = json!({
            "images": dataset.len(), "classes": dataset.classes(), "channels": channels, "height": height, "width": width
        });
        buffer::write("out", out, info.to_string())
    })
}

/// Frees a dataset. What uses it lives on. NULL is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_dataset_free(dataset: *mut nse_dataset) {
    if !boundary::forked() {
        handle::free::<Dataset>(dataset);
    }
}
