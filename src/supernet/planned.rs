//! A network built from a [`Plan`]: its weights, and the pass through it.

use super::fused;
use super::norm::EPSILON;
use crate::data::reserve;
use crate::error::Result;
use crate::restore::{Node, Op, Plan};
use crate::search::{Purpose, Stream};
use tch::{Device, Tensor};

pub struct Planned {
    plan: Plan,
    /// Of every node: weight and bias of a convolution, scale and shift of a batch-norm.
    weights: Vec<Option<[Tensor; 2]>>,
    /// The slope of leaky ReLU, as its function wants it.
    slope: Tensor,
}

/// Of leaky ReLU below zero, as in Deep Image Prior.
const SLOPE: f32 = 0.2;

impl Planned {
    /// With fresh weights, as PyTorch draws them: of a convolution uniform in +-1 / sqrt(inputs x kernel^2), the bias too. Every layer draws
    /// from its own stream.
    pub fn new(plan: &Plan, seed: u64, repeat: u64, device: Device) -> Result<Self> {
        let weights = |(at, node): (usize, &Node)| {
            let channels = i64::from(node.channels);
            let pair = match node.op {
                Op::Conv { kernel, .. } => {
                    let (inputs, kernel) = (i64::from(plan.channels(node.from[0])), i64::from(kernel));
                    let bound = 1.0 / ((inputs * kernel * kernel) as f64).sqrt();
                    let mut stream = Stream::new(seed, Purpose::Weights, repeat, at as u64);
                    let mut uniform = |shape: &[i64]| {
                        let count = shape.iter().product::<i64>() as usize;
                        let mut values = reserve("weights", count)?;
                        values.extend((0..count).map(|_| ((2.0 * stream.uniform() - 1.0) * bound) as f32));
                        parameter(&values, shape, device)
                    };
                    [uniform(&[channels, inputs, kernel, kernel])?, uniform(&[channels])?]
                }
                Op::Norm => {
                    let constant = |value: f32| parameter(&vec![value; channels as usize], &[channels], device);
                    [constant(1.0)?, constant(0.0)?]
                }
                _ => return Ok(None),
            };
            Ok(Some(pair))
        };
        let weights = plan.nodes.iter().enumerate().map(weights).collect::<Result<_>>()?;
        Ok(Planned { plan: plan.clone(), weights, slope: Tensor::f_from_slice(&[SLOPE])?.f_to_device(device)? })
    }

    /// All that is trained.
    pub fn parameters(&self) -> Vec<Tensor> {
        self.weights.iter().flatten().flatten().map(Tensor::shallow_clone).collect()
    }

    /// `noise`: [1, channels, height, width], with sides as the plan pads them.
    pub fn forward(&self, noise: &Tensor) -> Result<Tensor> {
        let mut outputs: Vec<Tensor> = Vec::with_capacity(self.plan.nodes.len());
        for (node, weights) in self.plan.nodes.iter().zip(&self.weights) {
            let from: Vec<&Tensor> = node.from.iter().map(|at| &outputs[*at]).collect();
            let y = match from.first() {
                Some(x) => self.layer(node, x, &from, weights.as_ref())?,
                None => noise.shallow_clone(),
            };
            outputs.push(y);
        }
        Ok(outputs.swap_remove(outputs.len() - 1))
    }

    fn layer(&self, node: &Node, x: &Tensor, from: &[&Tensor], weights: Option<&[Tensor; 2]>) -> Result<Tensor> {
        Ok(match (node.op, weights) {
            (Op::Conv { kernel, stride, reflects }, Some([weight, bias])) => {
                convolve(x, weight, bias, i64::from(kernel), i64::from(stride), reflects)?
            }
            (Op::Norm, Some([scale, shift])) => {
                let none = None::<&Tensor>;
                x.f_batch_norm(Some(scale), Some(shift), none, none, true, 0.0, EPSILON, true)?
            }
            (Op::Leaky, _) => x.f_prelu(&self.slope)?,
            (Op::Add, _) => x.f_add(from[1])?,
            (Op::Concat, _) => Tensor::f_cat(from, 1)?,
            (Op::Pool, _) => x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?,
            (Op::Up, _) => {
                let size = x.size();
                x.f_upsample_bilinear2d([2 * size[2], 2 * size[3]], false, None, None)?
            }
            (Op::ToSpace(factor), _) => x.f_pixel_shuffle(i64::from(factor))?,
            (Op::ToDepth(factor), _) => x.f_pixel_unshuffle(i64::from(factor))?,
            (Op::Sigmoid, _) => x.f_sigmoid()?,
            (Op::Input | Op::Conv { .. } | Op::Norm, _) => x.shallow_clone(),
        })
    }
}

fn parameter(values: &[f32], shape: &[i64], device: Device) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(values)?.f_view(shape)?.f_to_device(device)?.f_set_requires_grad(true)?)
}

fn convolve(x: &Tensor, weight: &Tensor, bias: &Tensor, kernel: i64, stride: i64, reflects: bool) -> Result<Tensor> {
    if kernel == 1 && stride == 1 {
        // Not by oneDNN, which writes behind the gradients of narrow weights on some processors.
        if let Some(y) = fused::pointwise(x, weight)? {
            return Ok(y.f_add(&bias.f_view([1, -1, 1, 1])?)?);
        }
    }
    let around = kernel / 2;
    match reflects && around > 0 {
        true => {
            let x = x.f_reflection_pad2d([around; 4])?;
            Ok(x.f_conv2d(weight, Some(bias), [stride; 2], [0, 0], [1, 1], 1)?)
        }
        false => Ok(x.f_conv2d(weight, Some(bias), [stride; 2], [around; 2], [1, 1], 1)?),
    }
}
