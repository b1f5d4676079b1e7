//! Where the paths of an ensemble part, and where they come together.

use crate::error::{Error, Result};
use tch::Tensor;

/// The same numbers; the gradient that comes back, a sum over so many paths, becomes their mean (GradDivHeads of the published code of
/// NEAS).
pub(super) fn divided(x: Tensor, paths: usize) -> Result<Tensor> {
    if paths == 1 || !x.requires_grad() {
        return Ok(x);
    }
    // Between x and x it is x, exactly, and the part of the second has the gradient.
    let part =
        Tensor::f_from_slice(&[1.0 / paths as f32])?.f_view::<&[i64]>(&[])?.f_to_device(x.device())?.f_to_kind(x.kind())?;
    Ok(x.f_detach()?.f_lerp_tensor(&x, &part)?)
}

/// Of the logits of several paths.
pub fn mean(logits: &[Tensor]) -> Result<Tensor> {
    let Some((first, others)) = logits.split_first() else { return Err(Error::Torch("no logits".into())) };
    if others.is_empty() {
        return Ok(first.shallow_clone());
    }
    let sum = others.iter().try_fold(first.shallow_clone(), |sum, more| sum.f_add(more))?;
    // A tensor and not a number: tch panics when it drops a number after libtorch has failed.
    Ok(sum.f_div(&Tensor::f_from_slice(&[logits.len() as f32])?.f_view::<&[i64]>(&[])?)?)
}
