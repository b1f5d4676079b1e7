//! Rust side of `sgd.cpp`.

use super::shim::{outcome, pointers};
use super::tape::Tape;
use crate::error::Result;
use std::ffi::{c_char, c_void};
use tch::Tensor;
use torch_sys::C_tensor;

extern "C" {
    fn nse_shim_sgd(
        parameters: *const *const C_tensor,
        gradients: *const *const C_tensor,
        momenta: *const *const C_tensor,
        count: usize,
        decayed: usize,
        lr: f64,
        momentum: f64,
        weight_decay: f64,
        finite: *mut bool,
    ) -> *mut c_char;
    fn nse_shim_descend(
        loss: *const C_tensor,
        tape: *const c_void,
        parameters: *const *const C_tensor,
        momenta: *const *const C_tensor,
        count: usize,
        decayed: usize,
        lr: f64,
        momentum: f64,
        weight_decay: f64,
        finite: *mut bool,
    ) -> *mut c_char;
}

/// Learning rate, momentum and weight decay of one step of SGD with Nesterov momentum.
#[derive(Clone, Copy)]
pub struct Sgd {
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
}

impl Sgd {
    /// Updates parameters and momenta in place; the first `decayed` parameters have weight decay. Returns false, and changes
    /// nothing, when a gradient is not finite.
    pub fn step(self, parameters: &[&Tensor], gradients: &[Tensor], momenta: &[&Tensor], decayed: usize) -> Result<bool> {
        assert!(parameters.len() == gradients.len() && parameters.len() == momenta.len() && decayed <= parameters.len());
        let (values, gradients, momenta) = (pointers(parameters), pointers(gradients), pointers(momenta));
        let (p, g, m, count) = (values.as_ptr(), gradients.as_ptr(), momenta.as_ptr(), values.len());
        let mut finite = false;
        // SAFETY: three arrays of `count` tensors that outlive the call.
        outcome(unsafe { nse_shim_sgd(p, g, m, count, decayed, self.lr, self.momentum, self.weight_decay, &mut finite) })?;
        Ok(finite)
    }

    /// The same with the gradients of a loss of the pass that the tape was begun in front of.
    pub fn descend(
        self,
        loss: &Tensor,
        tape: &Tape,
        parameters: &[&Tensor],
        momenta: &[&Tensor],
        decayed: usize,
    ) -> Result<bool> {
        assert!(parameters.len() == momenta.len() && decayed <= parameters.len());
        let (values, momenta) = (pointers(parameters), pointers(momenta));
        let (p, m, count) = (values.as_ptr(), momenta.as_ptr(), values.len());
        let (loss, tape, mut finite) = (loss.as_ptr(), tape.as_ptr(), false);
        // SAFETY: a loss, its tape and two arrays of `count` tensors that outlive the call.
        let message =
            unsafe { nse_shim_descend(loss, tape, p, m, count, decayed, self.lr, self.momentum, self.weight_decay, &mut finite) };
        outcome(message)?;
        Ok(finite)
    }
}
