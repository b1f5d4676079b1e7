//! Channel sampling (PC-DARTS, Xu et al., ICLR 2020): of the channels that an edge gets, the first of so many parts goes through its operators, and
//! the others pass by. Behind each other again, they are shuffled, so that the next edge samples others.

use crate::error::Result;
use tch::Tensor;

/// The channels that go through operators, and those that pass by.
pub fn split(x: &Tensor, parts: u32) -> Result<(Tensor, Tensor)> {
    let (all, parts) = (x.size()[1], i64::from(parts.max(1)));
    let own = all / parts;
    Ok((x.f_narrow(1, 0, own)?, x.f_narrow(1, own, all - own)?))
}

/// What comes over an edge: `through` operators, zeros where there are none, and what passes by, its greatest number of four where the edge has
/// stride 2. Channel c of so many in a part comes to stand at c * parts + its part.
pub fn join(through: Option<Tensor>, own: &Tensor, rest: &Tensor, parts: u32, stride: u32) -> Result<Tensor> {
    let rest = match stride {
        1 => rest.shallow_clone(),
        _ => rest.f_max_pool2d([2i64, 2], [2i64, 2], [0i64, 0], [1i64, 1], true)?,
    };
    let through = match through {
        Some(through) => through,
        None => {
            let stride = i64::from(stride);
            own.f_slice(2, None, None, stride)?.f_slice(3, None, None, stride)?.f_detach()?.f_zeros_like()?
        }
    };
    let all = Tensor::f_cat(&[through, rest], 1)?;
    let [images, channels, height, width] = all.size()[..] else { return Ok(all) };
    let parts = i64::from(parts);
    let grouped = all.f_view([images, parts, channels / parts, height, width])?;
    Ok(grouped.f_transpose(1, 2)?.f_reshape([images, channels, height, width])?)
}
