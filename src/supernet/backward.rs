//! Rust side of `backward.cpp`.

use super::shim::outcome;
use crate::error::Result;
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use tch::Tensor;
use torch_sys::C_tensor;

extern "C" {
    fn nse_shim_backward(
        loss: *const C_tensor,
        leaves: *const *const C_tensor,
        count: usize,
        ready: extern "C" fn(*mut c_void, usize, *mut C_tensor) -> bool,
        user: *mut c_void,
    ) -> *mut c_char;
}

type Ready<'a> = &'a mut (dyn FnMut(usize, Tensor) -> Result<()> + Send);

/// Who takes the gradients, and how it went: no panic goes through libtorch.
struct Taker<'a> {
    ready: Ready<'a>,
    outcome: std::thread::Result<Result<()>>,
}

extern "C" fn take(taker: *mut c_void, leaf: usize, gradient: *mut C_tensor) -> bool {
    // SAFETY: `backward` passes its own taker, and libtorch calls one at a time, with a new tensor that is ours.
    let (taker, gradient) = unsafe { (&mut *taker.cast::<Taker>(), Tensor::from_ptr(gradient)) };
    taker.outcome = catch_unwind(AssertUnwindSafe(|| (taker.ready)(leaf, gradient)));
    matches!(taker.outcome, Ok(Ok(())))
}

/// Gives the gradient of a loss in every one of `leaves` to `ready`, with the leaf's number, as soon as it is there: those of the last layers
/// first. A leaf on which the loss does not depend has none. On a GPU `ready` runs on a thread of libtorch.
pub fn backward(loss: &Tensor, leaves: &[&Tensor], ready: Ready) -> Result<()> {
    let leaves: Vec<*const C_tensor> = leaves.iter().map(|leaf| leaf.as_ptr()).collect();
    let mut taker = Taker { ready, outcome: Ok(Ok(())) };
    // SAFETY: an array of tensors, and a taker, that outlive the call.
    let message =
        unsafe { nse_shim_backward(loss.as_ptr(), leaves.as_ptr(), leaves.len(), take, (&raw mut taker).cast::<c_void>()) };
    let whole = outcome(message);
    taker.outcome.unwrap_or_else(|panic| resume_unwind(panic)).and(whole)
}
