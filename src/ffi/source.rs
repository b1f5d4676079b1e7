//! Section "images of the host": written by a callback, or in tensors of another library.

use super::boundary;
use super::callback::{nse_free_fn, User};
use super::dataset::nse_dataset;
use super::dlpack::{DLManagedTensorVersioned, Elements, Pair};
use super::error::nse_error;
use super::status::nse_status;
use super::structs::{self, Sized32};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::space::Shape;
use std::ffi::c_void;
use std::mem::size_of;

/// Flag: use the pixels of a tensor where they are, if they lie as the library needs them: compact.
pub const NSE_BORROW: u32 = 1;

/// Writes the images from `first` on, `count` of them: count x channels x height x width bytes to `pixels`, image after image,
/// channel by channel, row by row, and `count` labels from 0. The room is the library's, and of use during the call only.
/// Returns 0, or a number of the host's own that says what failed. Must return normally: no exception, no longjmp, no thread
/// exit. It may use the library.
pub type nse_fill_fn =
    Option<unsafe extern "C-unwind" fn(user: *mut c_void, first: u32, count: u32, pixels: *mut u8, labels: *mut u32) -> i32>;

/// Images that a function of the host writes. Start with NSE_SOURCE_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_source {
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    /// Number of images.
    pub count: u32,
    /// Labels are below this; 0: the greatest label + 1.
    pub classes: u32,
    pub fill: nse_fill_fn,
    /// Passed to both functions; the library never looks at it.
    pub user: *mut c_void,
    /// May be NULL. Called exactly once, before the call that was given this struct returns, also when it fails (but not when
    /// struct_size is wrong, for then nothing can be read).
    pub user_free: nse_free_fn,
}

// SAFETY: starts with its size; zero is no image, no function and no user.
unsafe impl Sized32 for nse_source {
    const LEAST: usize = size_of::<nse_source>();
}

/// Has a function of the host write all images, once, in order and some at a time, on this thread. Blocks until it has. Nothing of
/// the host's is needed afterwards. What `fill` leaves out is a black pixel, and a label that is an error.
///
/// `source`: [in] read during the call only. `out`: [out] to free with nse_dataset_free.
///
/// NSE_ERR_CALLBACK: `fill` did not return 0; the detail has what it returned, as "code". It is not called again.
/// NSE_ERR_INVALID_ARGUMENT: no images, or a label out of range. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_dataset_from_source(
    source: *const nse_source,
    out: *mut *mut nse_dataset,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let source = structs::read("source", source).map(|source: nse_source| {
        let user = User { pointer: source.user, free: source.user_free };
        (source, user)
    });
    boundary::make(out, err, || source.and_then(|(source, user)| collect(&source, &user)))
}

fn collect(source: &nse_source, user: &User) -> Result<Dataset> {
    let nse_source { flags, channels, height, width, count, classes, fill, .. } = *source;
    let wrong = |reason: String| Error::Argument { name: "source", reason };
    if flags != 0 {
        return Err(wrong(format!("flags {flags:#x} are not known")));
    }
    let fill = fill.ok_or_else(|| wrong("fill must not be NULL".into()))?;
    let classes = (classes > 0).then_some(classes);
    Dataset::collect(Shape { channels, height, width }, classes, count, |first, pixels, labels| {
        let images = labels.len() as u32;
        // SAFETY: the host's function, with the host's own pointer, and room for as many images as it is told.
        match unsafe { fill(user.pointer, first, images, pixels.as_mut_ptr(), labels.as_mut_ptr()) } {
            0 => Ok(()),
            code => {
                let what = format!("images {first} to {}", u64::from(first) + u64::from(images) - 1);
                Err(Error::Callback { name: "source.fill", what, code })
            }
        }
    })
}

/// Copies, or with NSE_BORROW uses, images and labels that are tensors of another library: DLPack, version 1.x, which has
/// tensors of NumPy, PyTorch, JAX and others. Any strides and byte offset. A tensor that is read-only will do: nothing is
/// written.
///
/// Both tensors are the library's from here on, also when the call fails: it calls each deleter exactly once (NULL: there is none
/// to call, and what is borrowed must stay for good). That happens before the call returns, but for images that are borrowed: then
/// when nothing needs them any more, neither a dataset, nor a part of one, nor a search that was given one, from any thread; until
/// then they must not change.
///
/// The major version decides what is touched: 1 is read; of 2 to 255 the deleter is called and nothing else read, which every
/// version of DLPack allows; with any other it is no DLManagedTensorVersioned (the older DLManagedTensor, perhaps), so nothing
/// else is read and no deleter called.
///
/// `images`: uint8, [count, channels, height, width]. `labels`: int64, int32, uint32 or uint8, [count]; always copied.
/// `classes`: labels are below this; 0: the greatest label + 1.
/// `flags`: 0 or NSE_BORROW. Images that are not compact, or are on a CUDA device, are copied all the same.
/// `out`: [out] to free with nse_dataset_free.
///
/// NSE_ERR_INVALID_ARGUMENT: a tensor is NULL, of another version, element type or rank, has sizes or strides that are negative
/// where they must not or beyond memory, or a label out of range. NSE_ERR_DEVICE: in memory that is neither the CPU's nor that of
/// a CUDA device which can be used here. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_dataset_from_dlpack(
    images: *mut DLManagedTensorVersioned,
    labels: *mut DLManagedTensorVersioned,
    classes: u32,
    flags: u32,
    out: *mut *mut nse_dataset,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that the deleters run whatever fails.
    let tensors = Pair::take(images, labels);
    boundary::make(out, err, || {
        if flags & !NSE_BORROW != 0 {
            return Err(Error::Argument { name: "flags", reason: format!("{flags:#x} has flags that are not known") });
        }
        let (images, labels) = tensors.both("images", "labels")?;
        let (images, labels) = (Elements::images("images", images)?, Elements::labels("labels", labels)?);
        from_tensors(images, labels, (classes > 0).then_some(classes), flags & NSE_BORROW != 0)
    })
}

fn from_tensors(images: Elements, labels: Elements, classes: Option<u32>, borrow: bool) -> Result<Dataset> {
    let wrong = |name, reason| Error::Argument { name, reason };
    let sizes: Vec<u32> = images.shape().iter().filter_map(|n| u32::try_from(*n).ok()).collect();
    let [count, channels, height, width] = *sizes else {
        return Err(wrong("images", format!("the shape {:?} has a size above {}", images.shape(), u32::MAX)));
    };
    if *labels.shape() != [count as usize] {
        return Err(wrong("labels", format!("the shape {:?} for {count} images", labels.shape())));
    }
    let labels = labels.into_labels()?;
    let pixels = images.into_pixels(borrow)?;
    // The sizes fit together: what can still be wrong is a label.
    Dataset::of_argument("labels", Shape { channels, height, width }, classes, pixels, labels)
}
