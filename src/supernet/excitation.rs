//! Squeeze-excitation (Hu et al., CVPR 2018), as the published code of NSE has it: only in stand-alone models.

use super::unit::{activate, Init, Linear, Parameter};
use crate::arch::{Activation, Variant};
use crate::error::Result;
use tch::Tensor;

/// Scales the channels of a feature map by sigmoid(excite(activation(squeeze(averages over the positions)))). The two linear layers
/// are the published 1x1 convolutions on 1 x 1 maps.
pub struct Excitation {
    pub squeeze: Linear,
    pub excite: Linear,
    pub activation: Activation,
}

impl Excitation {
    pub fn new(width: u32, activation: Activation, init: &mut Init) -> Result<Self> {
        let squeezed = Variant::squeezed(width);
        let squeeze = Linear::kaiming(width, squeezed, init)?;
        Ok(Excitation { squeeze, excite: Linear::kaiming(squeezed, width, init)?, activation })
    }

    /// `x`: [images, channels, height, width].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let averages = x.f_mean_dim([2i64, 3].as_slice(), false, None)?;
        let inner = activate(self.squeeze.forward(&averages)?, self.activation)?;
        let gate = self.excite.forward(&inner)?.f_sigmoid()?;
        Ok(x.f_mul(&gate.f_unsqueeze(-1)?.f_unsqueeze(-1)?)?)
    }

    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.squeeze.parameters().chain(self.excite.parameters())
    }
}
