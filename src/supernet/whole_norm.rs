//! Rust side of `whole_norm.cpp`: batch-norm over the images of all ranks.

use super::cores;
use super::norm::EPSILON;
use super::shim::outcome;
use crate::dist::Together;
use crate::error::{Error, Result};
use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use tch::Tensor;
use torch_sys::C_tensor;

extern "C" {
    fn nse_shim_whole_norm(
        x: *const C_tensor,
        scale: *const C_tensor,
        shift: *const C_tensor,
        epsilon: f64,
        ranks: usize,
        gather: extern "C" fn(*mut c_void, *const f64, usize, *mut f64) -> bool,
        user: *mut c_void,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
}

/// The ranks that normalise together, until a forward and its backward pass are made.
pub struct Whole<'a> {
    together: Together<'a>,
    failed: RefCell<Option<Error>>,
}

impl<'a> Whole<'a> {
    pub fn new(together: Together<'a>) -> Self {
        Whole { together, failed: RefCell::new(None) }
    }

    /// Batch-norm with learnt scale and shift. Its backward pass needs this too.
    pub fn apply(&self, x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
        let (user, mut out) = ((self as *const Self).cast_mut().cast::<c_void>(), std::ptr::null_mut());
        let ranks = self.together.ranks();
        // SAFETY: tensors that outlive the call, and ranks that outlive the graph's passes; on success `out` is a new tensor that is ours.
        outcome(unsafe {
            nse_shim_whole_norm(x.as_ptr(), scale.as_ptr(), shift.as_ptr(), EPSILON, ranks, gather, user, &mut out)
        })?;
        Ok(unsafe { Tensor::from_ptr(out) })
    }

    /// Ends it on all ranks; see [`Together::end`].
    pub fn end<T>(self, own: Result<T>) -> Result<T> {
        // Rather what failed than what libtorch made of it.
        let failed = self.failed.into_inner();
        self.together.end(match (own, failed) {
            (Err(_), Some(failed)) => Err(failed),
            (own, _) => own,
        })
    }
}

extern "C" fn gather(user: *mut c_void, own: *const f64, count: usize, all: *mut f64) -> bool {
    // SAFETY: `apply` passes its own ranks, and its C++ side that many numbers, and room for those of all.
    let whole = unsafe { &*user.cast::<Whole>() };
    let (own, all) =
        unsafe { (std::slice::from_raw_parts(own, count), std::slice::from_raw_parts_mut(all, count * whole.together.ranks())) };
    // The others may be ranks of this process, which need cores to come as far.
    let gathered = cores::lend(|| catch_unwind(AssertUnwindSafe(|| whole.together.gather(own))));
    match gathered.unwrap_or_else(|_| Err(Error::Panic("a batch-norm of all ranks".into()))) {
        Ok(numbers) => {
            all.iter_mut().zip(numbers.iter().flatten()).for_each(|(to, number)| *to = *number);
            true
        }
        Err(error) => {
            *whole.failed.borrow_mut() = Some(error);
            false
        }
    }
}
