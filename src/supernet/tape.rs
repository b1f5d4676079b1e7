//! Rust side of `tape.cpp`: what fused cells leave of a pass, and gradients.

use super::shim::outcome;
use crate::error::Result;
use crate::search::PathGradient;
use std::ffi::{c_char, c_void};
use tch::Tensor;
use torch_sys::C_tensor;

extern "C" {
    fn nse_shim_tape(row: bool, weights: bool, tape: *mut *mut c_void) -> *mut c_char;
    fn nse_shim_free_tape(tape: *mut c_void);
    fn nse_shim_gradients(
        loss: *const C_tensor,
        values: *const *const C_tensor,
        count: usize,
        tape: *const c_void,
        gradients: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nse_shim_products(loss: *const C_tensor, tape: *const c_void, cells: usize, products: *mut f64) -> *mut c_char;
}

/// While it is there, our own cells add up the gradients of their weights themselves, which costs less than libtorch's graph: of one pass that goes
/// forward on this thread.
pub struct Tape(*mut c_void);

impl Tape {
    /// `row`: nothing but the next of the fused cells, or behind the last what is not one, reads what one gives. Then the graph has none of them.
    pub fn begin(row: bool) -> Result<Self> {
        Tape::new(row, true)
    }

    /// Of such a row, of which no gradient of a weight is wanted.
    pub fn of_paths() -> Result<Self> {
        Tape::new(true, false)
    }

    fn new(row: bool, weights: bool) -> Result<Self> {
        let mut tape = std::ptr::null_mut();
        // SAFETY: on success `tape` is new and ours.
        outcome(unsafe { nse_shim_tape(row, weights, &mut tape) })?;
        Ok(Tape(tape))
    }

    pub(super) fn as_ptr(&self) -> *const c_void {
        self.0
    }

    /// Of a loss of the pass; zeros for what it does not depend on. Once.
    pub fn gradients(&self, loss: &Tensor, values: &[&Tensor]) -> Result<Vec<Tensor>> {
        of(loss, values, self.0)
    }

    /// How a loss of the pass changes with the path through each of its `cells` cells of two paths. Once.
    pub fn products(&self, loss: &Tensor, cells: usize) -> Result<Vec<PathGradient>> {
        let mut products = vec![0.0; 2 * cells];
        // SAFETY: a tensor, our tape and as many numbers, which outlive the call.
        outcome(unsafe { nse_shim_products(loss.as_ptr(), self.0, cells, products.as_mut_ptr()) })?;
        Ok(products.chunks_exact(2).map(|pair| PathGradient { selected: pair[0], unselected: pair[1] }).collect())
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        // SAFETY: ours, and not used again.
        unsafe { nse_shim_free_tape(self.0) }
    }
}

/// Gradients of a loss; zeros for what it does not depend on, as weights behind an input that no edge of a cell reads.
pub fn gradients(loss: &Tensor, values: &[&Tensor]) -> Result<Vec<Tensor>> {
    of(loss, values, std::ptr::null())
}

fn of(loss: &Tensor, values: &[&Tensor], tape: *const c_void) -> Result<Vec<Tensor>> {
    let values: Vec<*const C_tensor> = values.iter().map(|value| value.as_ptr()).collect();
    let mut found = vec![std::ptr::null_mut(); values.len()];
    // SAFETY: arrays of as many tensors, and a tape, that outlive the call; on success `found` are new tensors that are ours.
    unsafe {
        outcome(nse_shim_gradients(loss.as_ptr(), values.as_ptr(), values.len(), tape, found.as_mut_ptr()))?;
        Ok(found.into_iter().map(|tensor| Tensor::from_ptr(tensor)).collect())
    }
}
