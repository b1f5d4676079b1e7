//! Binary weights and activations: what a convolution is given instead of the real ones, with the gradient that each mode has. Formulas of "layer",
//! "filter" and "xnor" are those of XNOR-Net (Rastegari et al., ECCV 2016) as its authors' notes have them, per layer or per filter; the sign of 0 is 1.

use super::shim::outcome;
use super::unit::Parameter;
use crate::error::{Error, Result};
use crate::space::{Binary, Convolution, Xnor};
use std::ffi::c_char;
use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

extern "C" {
    fn nse_shim_project(
        weight: *const C_tensor,
        matrix: *const C_tensor,
        lambda: f64,
        eta: f64,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn nse_shim_xnor(
        x: *const C_tensor,
        weight: *const C_tensor,
        scale: *const C_tensor,
        stride: *const i64,
        dilation: i64,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
}

/// Weight of the loss of a projection, and how far it looks ahead along the gradient. Ours: the published text gives no numbers.
pub const LAMBDA: f64 = 1e-4;
pub const ETA: f64 = 1e-2;

/// 1 from 0 on, else -1; without gradient.
pub fn sign(x: &Tensor) -> Result<Tensor> {
    let x = x.f_detach()?;
    let one = one(&x)?;
    let zero = one.f_zeros_like()?;
    Ok(one.f_where_self(&x.f_ge_tensor(&zero)?, &one.f_neg()?)?)
}

/// The sign, with the gradient of what it is of where `inside` is 1, and 0 where that is 0.
fn straight(x: &Tensor, inside: &Tensor) -> Result<Tensor> {
    let through = x.f_mul(inside)?;
    Ok(sign(x)?.f_add(&through.f_sub(&through.f_detach()?)?)?)
}

/// Weights: the gradient goes through where |w| <= 1.
fn weight_sign(w: &Tensor) -> Result<Tensor> {
    let inside = w.f_detach()?.f_abs()?.f_le_tensor(&one(w)?)?.f_to_kind(w.f_kind()?)?;
    straight(w, &inside)
}

/// Activations: the gradient goes through where |x| < 1.
pub fn activation(x: &Tensor) -> Result<Tensor> {
    let inside = x.f_detach()?.f_abs()?.f_lt_tensor(&one(x)?)?.f_to_kind(x.f_kind()?)?;
    straight(x, &inside)
}

fn one(like: &Tensor) -> Result<Tensor> {
    number(1.0, like)
}

/// A tensor and not a number: tch panics when it drops a number after libtorch has failed.
fn number(number: f32, like: &Tensor) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(&[number])?.f_to_device(like.device())?.f_to_kind(like.f_kind()?)?)
}

/// Mean |w| over `dims`, or over all, as a product with its sign: its gradient at 0 is that of sign(0) = 1.
fn scale(w: &Tensor, dims: Option<&[i64]>) -> Result<Tensor> {
    let size = w.f_mul(&sign(w)?)?;
    match dims {
        Some(dims) => Ok(size.f_mean_dim(dims, true, None)?),
        None => Ok(size.f_mean(None)?),
    }
}

const FILTER: [i64; 3] = [1, 2, 3];

/// The weight that a convolution is computed with. `matrix`: those of a projection.
pub fn weight(mode: Binary, w: &Tensor, matrix: Option<&Tensor>) -> Result<Tensor> {
    match (mode, matrix) {
        (Binary::Layer, _) => Ok(scale(w, None)?.f_mul(&weight_sign(w)?)?),
        (Binary::Filter | Binary::Xnor(_), _) => Ok(scale(w, Some(&FILTER))?.f_mul(&weight_sign(w)?)?),
        (Binary::Released, _) => {
            let plain = w.f_sub(&w.f_detach()?)?;
            let count = number(w.numel() as f32, w)?;
            Ok(scale(&w.f_detach()?, None)?.f_mul(&weight_sign(w)?)?.f_add(&plain.f_div(&count)?)?)
        }
        (Binary::Pcnn(_), Some(matrix)) => {
            let mut out = std::ptr::null_mut();
            // SAFETY: tensors that outlive the call; on success `out` is a new tensor that is ours.
            unsafe {
                outcome(nse_shim_project(w.as_ptr(), matrix.as_ptr(), LAMBDA, ETA, &mut out))?;
                Ok(Tensor::from_ptr(out))
            }
        }
        (Binary::Pcnn(_), None) => Err(Error::Torch("a projection without its matrix".into())),
    }
}

/// A convolution of binary activations by binary weights: of signs by signs, and then every output times the scale of its filter, and perhaps the
/// factor of its inputs. Without gradient it is computed on packed bits where that is possible, to the same bits.
pub fn convolve(c: &Convolution, x: &Tensor, weight: &Parameter) -> Result<Tensor> {
    let y = signs(c, x, &weight.value)?;
    match c.binary {
        Some(Binary::Xnor(Xnor { factor: true })) => {
            let [images, channels, height, width] = y.size()[..] else { return Ok(y) };
            let groups = i64::from(c.groups);
            let grouped = y.f_view([images, groups, channels / groups, height, width])?;
            Ok(grouped.f_mul(&factor(c, x)?.f_unsqueeze(2)?)?.f_view([images, channels, height, width])?)
        }
        _ => Ok(y),
    }
}

/// K of XNOR-Net, [images, groups, height, width]: mean |x| over the channels of a group, and of that over the window of every output, where what
/// lies outside the map is 0.
fn factor(c: &Convolution, x: &Tensor) -> Result<Tensor> {
    let [images, channels, height, width] = x.size()[..] else { return Err(Error::Torch(format!("maps of {:?}", x.size()))) };
    let groups = i64::from(c.groups);
    let sizes = x.f_mul(&sign(x)?)?.f_view([images, groups, channels / groups, height, width])?;
    let sizes = sizes.f_mean_dim([2i64].as_slice(), false, None)?;
    let kernel = c.kernel.map(i64::from);
    let window = number(1.0 / (kernel[0] * kernel[1]) as f32, x)?.f_expand([groups, 1, kernel[0], kernel[1]], false)?;
    let [stride, padding] = [c.stride, c.padding()].map(|pair| pair.map(i64::from));
    Ok(sizes.f_conv2d::<Tensor>(&window, None, stride, padding, [i64::from(c.dilation); 2], groups)?)
}

fn signs(c: &Convolution, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    // What is made of something has a gradient only where that has, and while gradients are kept.
    let graph = x.f_alias()?.requires_grad() || w.f_alias()?.requires_grad();
    if !graph && packs(c, x, w) {
        return packed(c, x, w);
    }
    let [stride, padding] = [c.stride, c.padding()].map(|pair| pair.map(i64::from));
    let (signs, scales) = (weight_sign(w)?, scale(w, Some(&FILTER))?.f_view([1, -1, 1, 1])?);
    let y = activation(x)?.f_conv2d::<Tensor>(&signs, None, stride, padding, [i64::from(c.dilation); 2], i64::from(c.groups))?;
    Ok(y.f_mul(&scales)?)
}

/// Whether [`packed`] is for this; what it gives has no factor.
pub fn packs(c: &Convolution, x: &Tensor, w: &Tensor) -> bool {
    let floats = |t: &Tensor| t.device() == Device::Cpu && t.f_kind().is_ok_and(|kind| kind == Kind::Float) && t.dim() == 4;
    c.groups == 1 && !c.inside && floats(x) && floats(w)
}

/// The same on packed bits.
pub fn packed(c: &Convolution, x: &Tensor, w: &Tensor) -> Result<Tensor> {
    let w = w.f_detach()?;
    let (scales, stride, mut out) =
        (w.f_abs()?.f_mean_dim(FILTER.as_slice(), true, None)?, c.stride.map(i64::from), std::ptr::null_mut());
    // SAFETY: tensors and two numbers that outlive the call; on success `out` is a new tensor that is ours.
    unsafe {
        outcome(nse_shim_xnor(x.as_ptr(), w.as_ptr(), scales.as_ptr(), stride.as_ptr(), c.dilation.into(), &mut out))?;
        Ok(Tensor::from_ptr(out))
    }
}
