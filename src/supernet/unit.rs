//! Parameters, and the two layers that have them: a convolution with its batch-norm and activation, and a linear layer.

use super::binary;
use super::excitation::Excitation;
use super::fused;
use super::norm::Norm;
use crate::data::reserve;
use crate::error::Result;
use crate::search::{Purpose, Stream};
use crate::space::{Activation, Binary, Convolution, Excitation as Shape};
use std::ops::Deref;
use tch::{Device, Tensor};

/// A trainable tensor with its momentum.
pub struct Parameter {
    pub value: Tensor,
    pub momentum: Tensor,
    /// Whether weight decay applies: not to batch-norm and biases.
    pub decay: bool,
}

/// Deviation of several projection matrices, in the beginning.
const APART: f32 = 0.1;

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

    /// Scale 1 and shift 0 of a batch-norm.
    pub fn norm(&self, channels: u32) -> Result<[Parameter; 2]> {
        Ok([self.constant(1.0, channels)?, self.constant(0.0, channels)?])
    }

    /// Kaiming-normal for ReLU by fan-out (He et al. 2015), as published: std = sqrt(2 / (out channels x kernel)).
    fn kaiming(&mut self, shape: &[i64], fan_out: u32) -> Result<Parameter> {
        let std = (2.0 / f64::from(fan_out)).sqrt();
        let count = shape.iter().product::<i64>() as usize;
        // The last pair of normals may bring one too many.
        let mut values = reserve("weights", count + 1)?;
        while values.len() < count {
            values.extend(self.stream.normals().map(|v| (v * std) as f32));
        }
        self.parameter(&values[..count], shape, true)
    }

    /// Of projections: 1; of several, not all alike, or they would stay it.
    fn matrices(&mut self, shape: [i64; 4]) -> Result<Parameter> {
        let spread = if shape[0] == 1 { 0.0 } else { APART };
        let values: Vec<f32> = (0..shape.iter().product()).map(|_: i64| 1.0 + spread * self.stream.normals()[0] as f32).collect();
        self.parameter(&values, &shape, false)
    }

    /// Uniform in +-1 / sqrt(inputs).
    fn uniform(&mut self, shape: &[i64], inputs: u32, decay: bool) -> Result<Parameter> {
        let bound = 1.0 / f64::from(inputs).sqrt();
        let count = shape.iter().product::<i64>() as usize;
        let mut values = reserve("weights", count)?;
        values.extend((0..count).map(|_| ((2.0 * self.stream.uniform() - 1.0) * bound) as f32));
        self.parameter(&values, shape, decay)
    }
}

/// Convolution, batch-norm and activation, as far as its shape has them, and squeeze-excitation where it was added.
pub struct Unit {
    pub shape: Convolution,
    pub weight: Parameter,
    /// Of a projection to binary weights.
    pub matrix: Option<Parameter>,
    /// Scale and shift of the batch-norm.
    pub norm: Option<[Parameter; 2]>,
    activation: Activation,
    pub excitation: Option<Excitation>,
    /// What it is given is rectified first.
    rectifies: bool,
}

impl Unit {
    pub fn new(shape: Convolution, activation: Activation, init: &mut Init) -> Result<Self> {
        let [cout, _, height, width] = shape.weight();
        let weight = init.kaiming(&shape.weight().map(i64::from), cout * height * width)?;
        let norm = if shape.norm { Some(init.norm(shape.cout)?) } else { None };
        let projections = shape.binary.and_then(Binary::projections);
        let matrix = projections.map(|count| init.matrices([count, 1, height, width].map(i64::from)));
        Ok(Unit { shape, weight, matrix: matrix.transpose()?, norm, activation, excitation: None, rectifies: false })
    }

    /// Adds squeeze-excitation behind the activation.
    pub fn excite(&mut self, shape: Shape, init: &mut Init) -> Result<()> {
        self.excitation = Some(Excitation::new(shape, self.shape.cout, self.activation, init)?);
        Ok(())
    }

    /// The same unit with real weights; where activations were binary, positive ones go through instead.
    pub fn real(&mut self) {
        self.rectifies = self.shape.binary.is_some_and(Binary::activations);
        (self.shape.binary, self.matrix) = (None, None);
    }

    /// The activation, if there is one.
    pub fn activation(&self) -> Option<Activation> {
        self.shape.relu.then_some(self.activation)
    }

    pub fn forward(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let mut y = self.convolve(x)?;
        if let Some([scale, shift]) = &self.norm {
            y = norm.apply(&y, &scale.value, &shift.value)?;
        }
        if let Some(activation) = self.activation() {
            y = activate(y, activation)?;
        }
        match &self.excitation {
            Some(excitation) => excitation.forward(&y),
            None => Ok(y),
        }
    }

    /// The weight that it is computed with: the real one, or what that is made into.
    pub fn kernel(&self) -> Result<Kernel<'_>> {
        match self.shape.binary {
            None => Ok(Kernel::Own(&self.weight.value)),
            Some(mode) => {
                let matrix = self.matrix.as_ref().map(|matrix| &matrix.value);
                Ok(Kernel::Made(binary::weight(mode, &self.weight.value, matrix)?))
            }
        }
    }

    /// Whether our kernels can take it with others, as it is.
    pub fn plain(&self) -> bool {
        !self.rectifies && !self.shape.binary.is_some_and(Binary::activations)
    }

    /// The convolution alone.
    pub fn convolve(&self, x: &Tensor) -> Result<Tensor> {
        if self.shape.binary.is_some_and(Binary::activations) {
            return binary::convolve(&self.shape, x, &self.weight);
        }
        let rectified = if self.rectifies { Some(x.f_relu()?) } else { None };
        let (x, kernel) = (rectified.as_ref().unwrap_or(x), self.kernel()?);
        if let Some(y) = fused::convolve(x, self, &kernel)? {
            return Ok(y);
        }
        let c = &self.shape;
        let [stride, padding] = [c.stride, c.padding()].map(|pair| pair.map(i64::from));
        let dilation = [i64::from(c.dilation); 2];
        Ok(x.f_conv2d::<Tensor>(&kernel, None, stride, padding, dilation, i64::from(c.groups))?)
    }

    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let excitation = self.excitation.iter().flat_map(Excitation::parameters);
        std::iter::once(&self.weight).chain(&self.matrix).chain(self.norm.iter().flatten()).chain(excitation)
    }
}

/// A weight, or what was made of one.
pub enum Kernel<'a> {
    Own(&'a Tensor),
    Made(Tensor),
}

impl Deref for Kernel<'_> {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        match self {
            Kernel::Own(tensor) => tensor,
            Kernel::Made(tensor) => tensor,
        }
    }
}

/// ReLU happens in place; the gradient of swish needs what it was given.
pub fn activate(mut x: Tensor, activation: Activation) -> Result<Tensor> {
    Ok(match activation {
        Activation::Relu => x.f_relu_()?,
        Activation::Swish => x.f_silu()?,
    })
}

/// Weight [outputs, inputs] and bias.
pub struct Linear {
    pub weight: Parameter,
    pub bias: Parameter,
}

impl Linear {
    /// PyTorch's default: the classifier.
    pub fn uniform(inputs: u32, outputs: u32, init: &mut Init) -> Result<Self> {
        let weight = init.uniform(&[i64::from(outputs), i64::from(inputs)], inputs, true)?;
        let bias = init.uniform(&[i64::from(outputs)], inputs, false)?;
        Ok(Linear { weight, bias })
    }

    /// A 1x1 convolution's weight, no bias yet.
    pub fn kaiming(inputs: u32, outputs: u32, init: &mut Init) -> Result<Self> {
        let weight = init.kaiming(&[i64::from(outputs), i64::from(inputs)], outputs)?;
        Ok(Linear { weight, bias: init.constant(0.0, outputs)? })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.f_linear(&self.weight.value, Some(&self.bias.value))?)
    }

    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        [&self.weight, &self.bias].into_iter()
    }
}
