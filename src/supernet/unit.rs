//! Parameters, and the two layers that have them: a convolution with its batch-norm, and the linear classifier.

use super::norm::Norm;
use super::shim;
use crate::error::Result;
use crate::search::{Purpose, Stream};
use crate::space::Convolution;
use tch::{Device, Tensor};

/// A trainable tensor with its momentum.
pub struct Parameter {
    pub value: Tensor,
    pub momentum: Tensor,
    /// Whether weight decay applies: not to batch-norm and biases.
    pub decay: bool,
}

/// Initial weights of one part of a network. Every part draws from its own stream, so that its weights do not depend on
/// which other parts there are; libtorch's generator is not touched.
pub struct Init {
    stream: Stream,
    device: Device,
}

impl Init {
    pub fn new(seed: u64, round: u64, part: u64, device: Device) -> Self {
        Init { stream: Stream::new(seed, Purpose::Weights, round, part), device }
    }

    fn parameter(&self, values: &[f32], shape: &[i64], decay: bool) -> Result<Parameter> {
        let value = Tensor::f_from_slice(values)?.f_view(shape)?.f_to_device(self.device)?;
        let momentum = value.f_zeros_like()?;
        Ok(Parameter { value: value.f_set_requires_grad(true)?, momentum, decay })
    }

    fn constant(&self, value: f32, size: u32) -> Result<Parameter> {
        self.parameter(&vec![value; size as usize], &[i64::from(size)], false)
    }

    /// Kaiming-normal for ReLU by fan-out (He et al. 2015), as published: std = sqrt(2 / (out channels x kernel)).
    fn kaiming(&mut self, shape: [u32; 4]) -> Result<Parameter> {
        let [cout, _, height, width] = shape;
        let std = (2.0 / f64::from(cout * height * width)).sqrt();
        let count = shape.iter().map(|n| *n as usize).product::<usize>();
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            values.extend(self.stream.normals().map(|v| (v * std) as f32));
        }
        self.parameter(&values[..count], &shape.map(i64::from), true)
    }

    /// Uniform in +-1 / sqrt(inputs).
    fn uniform(&mut self, shape: &[i64], inputs: u32, decay: bool) -> Result<Parameter> {
        let bound = 1.0 / f64::from(inputs).sqrt();
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_: i64| ((2.0 * self.stream.uniform() - 1.0) * bound) as f32).collect();
        self.parameter(&values, shape, decay)
    }
}

/// Convolution, batch-norm, ReLU, as far as its shape has them.
pub struct Unit {
    pub shape: Convolution,
    pub weight: Parameter,
    /// Scale and shift of the batch-norm.
    pub norm: Option<[Parameter; 2]>,
}

impl Unit {
    pub fn new(shape: Convolution, init: &mut Init) -> Result<Self> {
        let weight = init.kaiming(shape.weight())?;
        let norm = if shape.norm { Some([init.constant(1.0, shape.cout)?, init.constant(0.0, shape.cout)?]) } else { None };
        Ok(Unit { shape, weight, norm })
    }

    pub fn forward(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let mut y = self.convolve(x)?;
        if let Some([scale, shift]) = &self.norm {
            y = norm.apply(&y, &scale.value, &shift.value)?;
        }
        Ok(if self.shape.relu { y.f_relu_()? } else { y })
    }

    /// The convolution alone.
    pub fn convolve(&self, x: &Tensor) -> Result<Tensor> {
        let c = &self.shape;
        let depthwise = c.groups == c.cin && c.cin == c.cout && c.kernel[0] == c.kernel[1] && c.stride[0] == c.stride[1];
        if depthwise {
            return shim::depthwise(x, &self.weight.value, c.stride[0], c.dilation);
        }
        let [stride, padding] = [c.stride, c.padding()].map(|pair| pair.map(i64::from));
        let dilation = [i64::from(c.dilation); 2];
        Ok(x.f_conv2d::<Tensor>(&self.weight.value, None, stride, padding, dilation, i64::from(c.groups))?)
    }

    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        std::iter::once(&self.weight).chain(self.norm.iter().flatten())
    }
}

/// Weight and bias of the classifier.
pub struct Linear {
    pub weight: Parameter,
    pub bias: Parameter,
}

impl Linear {
    pub fn new(inputs: u32, outputs: u32, init: &mut Init) -> Result<Self> {
        let weight = init.uniform(&[i64::from(outputs), i64::from(inputs)], inputs, true)?;
        let bias = init.uniform(&[i64::from(outputs)], inputs, false)?;
        Ok(Linear { weight, bias })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight.value, Some(&self.bias.value))?)
    }

    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        [&self.weight, &self.bias].into_iter()
    }
}
