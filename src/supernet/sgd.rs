//! Rust side of `sgd.cpp`.

use super::shim::{outcome, pointers};
use super::tape::Tape;
use crate::error::Result;
use std::ffi::{c_char, c_void};
use tch::Tensor;
use torch_sys::C_tensor;

/// As in sgd.cpp.
#[repr(C)]
struct Recipe {
    decayed: usize,
    lr: f64,
    momentum: f64,
    weight_decay: f64,
}

type Tensors = *const *const C_tensor;

extern "C" {
    fn nse_shim_sgd(
        recipe: &Recipe,
        gradients: Tensors,
        parameters: Tensors,
        momenta: Tensors,
        count: usize,
        finite: &mut bool,
    ) -> *mut c_char;
    fn nse_shim_descend(
        recipe: &Recipe,
        loss: *const C_tensor,
        tape: *const c_void,
        parameters: Tensors,
        momenta: Tensors,
        count: usize,
        finite: &mut bool,
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
    fn recipe(self, decayed: usize) -> Recipe {
        Recipe { decayed, lr: self.lr, momentum: self.momentum, weight_decay: self.weight_decay }
    }

    /// Updates parameters and momenta in place; the first `decayed` parameters have weight decay. Returns false, and changes
    /// nothing, when a gradient is not finite.
    pub fn step(self, parameters: &[&Tensor], gradients: &[Tensor], momenta: &[&Tensor], decayed: usize) -> Result<bool> {
        assert!(parameters.len() == gradients.len() && parameters.len() == momenta.len() && decayed <= parameters.len());
        let (p, g, m) = (pointers(parameters), pointers(gradients), pointers(momenta));
        let mut finite = false;
        // SAFETY: three arrays of as many tensors, which outlive the call.
        outcome(unsafe { nse_shim_sgd(&self.recipe(decayed), g.as_ptr(), p.as_ptr(), m.as_ptr(), p.len(), &mut finite) })?;
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
        let (p, m) = (pointers(parameters), pointers(momenta));
        let (recipe, loss, tape, mut finite) = (self.recipe(decayed), loss.as_ptr(), tape.as_ptr(), false);
        // SAFETY: a loss, its tape and two arrays of as many tensors, which outlive the call.
        outcome(unsafe { nse_shim_descend(&recipe, loss, tape, p.as_ptr(), m.as_ptr(), p.len(), &mut finite) })?;
        Ok(finite)
    }
}
