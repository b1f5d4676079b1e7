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
    fn nse_shim_leaves(wanted: bool, chain: bool, leaves: *mut *mut c_void) -> *mut c_char;
    fn nse_shim_free_leaves(leaves: *mut c_void);
    fn nse_shim_gradients(
        loss: *const C_tensor,
        values: *const *const C_tensor,
        count: usize,
        leaves: *const c_void,
        gradients: *mut *mut C_tensor,
    ) -> *mut c_char;
}

/// While it is there, our own cells gather the gradients of their weights themselves, which costs less than libtorch's graph: of a pass that goes
/// forward on this thread, for [`Leaves::gradients`].
pub struct Leaves(*mut c_void);

impl Leaves {
    /// `chain`: nothing but the next of the fused cells reads what one gives. Where that is not so, [`Leaves::gradients`] fails.
    pub fn begin(chain: bool) -> Result<Self> {
        Leaves::new(true, chain)
    }

    /// While it is there, cells have no gradients of weights; of their inputs they have.
    pub fn without() -> Result<Self> {
        Leaves::new(false, false)
    }

    fn new(wanted: bool, chain: bool) -> Result<Self> {
        let mut leaves = std::ptr::null_mut();
        // SAFETY: on success `leaves` is new and ours.
        outcome(unsafe { nse_shim_leaves(wanted, chain, &mut leaves) })?;
        Ok(Leaves(leaves))
    }

    /// Of a loss of the pass; zeros for what it does not depend on.
    pub fn gradients(&self, loss: &Tensor, values: &[&Tensor]) -> Result<Vec<Tensor>> {
        together(loss, values, self.0)
    }
}

impl Drop for Leaves {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { nse_shim_free_leaves(self.0) }
    }
}

/// Gradients of a loss; zeros for what it does not depend on, as weights behind an input that no edge of a cell reads.
pub fn gradients(loss: &Tensor, values: &[&Tensor]) -> Result<Vec<Tensor>> {
    together(loss, values, std::ptr::null())
}

fn together(loss: &Tensor, values: &[&Tensor], leaves: *const c_void) -> Result<Vec<Tensor>> {
    let values: Vec<*const C_tensor> = values.iter().map(|value| value.as_ptr()).collect();
    let mut found = vec![std::ptr::null_mut(); values.len()];
    // SAFETY: arrays of as many tensors, and leaves, that outlive the call; on success `found` are new tensors that are ours.
    unsafe {
        outcome(nse_shim_gradients(loss.as_ptr(), values.as_ptr(), values.len(), leaves, found.as_mut_ptr()))?;
        Ok(found.into_iter().map(|tensor| Tensor::from_ptr(tensor)).collect())
    }
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
