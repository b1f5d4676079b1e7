//! Squeeze-excitation (Hu et al., CVPR 2018): of a space, or added to a stand-alone model.

use super::unit::{activate, Init, Linear, Parameter};
use crate::error::Result;
use crate::space::{Activation, Excitation as Shape, Gate};
use tch::Tensor;

/// Scales the channels of a feature map by gate(excite(activation(squeeze(averages over the positions)))). The two linear layers
/// are the published 1x1 convolutions on 1 x 1 maps.
pub struct Excitation {
    pub squeeze: Linear,
    pub excite: Linear,
    activation: Activation,
    gate: Gate,
}

impl Excitation {
    /// For maps of `width` channels in a network with this `activation`.
    pub fn new(shape: Shape, width: u32, activation: Activation, init: &mut Init) -> Result<Self> {
        let squeezed = shape.squeezed(width);
        let squeeze = Linear::kaiming(width, squeezed, init)?;
        Ok(Excitation {
            squeeze,
            excite: Linear::kaiming(squeezed, width, init)?,
            activation: shape.inside(activation),
            gate: shape.gate,
        })
    }

    /// `x`: [images, channels, height, width].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let averages = x.f_mean_dim([2i64, 3].as_slice(), false, None)?;
        let inner = activate(self.squeeze.forward(&averages)?, self.activation)?;
        let outer = self.excite.forward(&inner)?;
        let gate = match self.gate {
            Gate::Sigmoid => outer.f_sigmoid()?,
            Gate::HardSigmoid => outer.f_hardsigmoid()?,
        };
        Ok(x.f_mul(&gate.f_unsqueeze(-1)?.f_unsqueeze(-1)?)?)
    }

    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.squeeze.parameters().chain(self.excite.parameters())
    }
}
