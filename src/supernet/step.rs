//! The steps of an operator with their weights.

use super::norm::Norm;
use super::unit::{activate, Init, Parameter, Unit};
use crate::error::Result;
use crate::space::step::Pooling;
use crate::space::{Activation, Step};
use tch::Tensor;

/// One behind the other.
pub struct Chain(Vec<Part>);

enum Part {
    Activate(Activation),
    Unit(Box<Unit>),
    Pool(Pooling),
    Halve(Box<Halves>),
    Normalise([Parameter; 2]),
}

/// Two convolutions of stride 2 side by side, and the batch-norm of both.
struct Halves {
    units: [Unit; 2],
    norm: [Parameter; 2],
}

/// Names of a part's weight, and what it is.
pub enum Weight<'a> {
    Kernel(String, &'a Parameter),
    /// Scale and shift of a batch-norm.
    Norm(String, &'a [Parameter; 2]),
}

impl<'a> Weight<'a> {
    pub fn name(&self) -> &str {
        match self {
            Weight::Kernel(name, _) | Weight::Norm(name, _) => name,
        }
    }

    pub fn parameters(self) -> Vec<&'a Parameter> {
        match self {
            Weight::Kernel(_, kernel) => vec![kernel],
            Weight::Norm(_, norm) => norm.iter().collect(),
        }
    }
}

impl Chain {
    pub fn new(steps: &[Step], activation: Activation, init: &mut Init) -> Result<Self> {
        let part = |step: &Step| {
            Ok(match step {
                Step::Activate => Part::Activate(activation),
                Step::Convolve(shape) => Part::Unit(Box::new(Unit::new(shape.clone(), activation, init)?)),
                Step::Pool(pooling) => Part::Pool(*pooling),
                Step::Halve([even, odd]) => {
                    let channels = even.cout + odd.cout;
                    let mut unit = |shape: &crate::space::Convolution| Unit::new(shape.clone(), activation, init);
                    let units = [unit(even)?, unit(odd)?];
                    Part::Halve(Box::new(Halves { units, norm: init.norm(channels)? }))
                }
                Step::Normalise(channels) => Part::Normalise(init.norm(*channels)?),
            })
        };
        Ok(Chain(steps.iter().map(part).collect::<Result<_>>()?))
    }

    /// Weights are real from now on, see [`Unit::real`].
    pub fn real(&mut self) {
        for part in &mut self.0 {
            match part {
                Part::Unit(unit) => unit.real(),
                Part::Halve(halves) => halves.units.iter_mut().for_each(Unit::real),
                Part::Activate(_) | Part::Pool(_) | Part::Normalise(_) => {}
            }
        }
    }

    /// Whether it gives what it gets.
    pub fn is_identity(&self) -> bool {
        self.0.is_empty()
    }

    pub fn forward(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let mut y = x.shallow_clone();
        for part in &self.0 {
            y = match part {
                // Others read what it was given, so never in place.
                Part::Activate(Activation::Relu) => y.f_relu()?,
                Part::Activate(Activation::Swish) => activate(y, Activation::Swish)?,
                Part::Unit(unit) => unit.forward(&y, norm)?,
                Part::Pool(pooling) => pool(&y, *pooling)?,
                Part::Halve(halves) => {
                    let Halves { units: [even, odd], norm: [scale, shift] } = &**halves;
                    let grow: Vec<i64> = [3, 2].iter().flat_map(|side| [0, y.size()[*side] % 2]).collect();
                    let grown =
                        if grow.contains(&1) { y.f_zero_pad2d(grow[0], grow[1], grow[2], grow[3])? } else { y.shallow_clone() };
                    let shifted = grown.f_slice(2, 1, None, 1)?.f_slice(3, 1, None, 1)?;
                    let both = Tensor::f_cat(&[even.forward(&y, norm)?, odd.forward(&shifted, norm)?], 1)?;
                    norm.apply(&both, &scale.value, &shift.value)?
                }
                Part::Normalise([scale, shift]) => norm.apply(&y, &scale.value, &shift.value)?,
            };
        }
        Ok(y)
    }

    /// All weights, in the order in which a pass meets them, below the name of the chain.
    pub fn weights<'a>(&'a self, path: &str) -> Vec<Weight<'a>> {
        let own = || format!("{path}.bn");
        let kernel = |unit: &'_ Unit| format!("{path}.{}", unit.shape.name);
        let kernels = |unit: &'a Unit| {
            let matrix = unit.matrix.as_ref().map(|matrix| Weight::Kernel(format!("{}.matrix", kernel(unit)), matrix));
            std::iter::once(Weight::Kernel(format!("{}.weight", kernel(unit)), &unit.weight)).chain(matrix)
        };
        let mut weights = Vec::new();
        for part in &self.0 {
            match part {
                Part::Activate(_) | Part::Pool(_) => {}
                Part::Unit(unit) => {
                    weights.extend(kernels(unit));
                    weights.extend(unit.norm.as_ref().map(|norm| Weight::Norm(format!("{}.bn", kernel(unit)), norm)));
                }
                Part::Halve(halves) => {
                    halves.units.iter().for_each(|half| weights.extend(kernels(half)));
                    weights.push(Weight::Norm(own(), &halves.norm));
                }
                Part::Normalise(norm) => weights.push(Weight::Norm(own(), norm)),
            }
        }
        weights
    }
}

fn pool(x: &Tensor, pooling: Pooling) -> Result<Tensor> {
    let [kernel, stride, padding] = [pooling.kernel, pooling.stride, pooling.padding()].map(|n| [i64::from(n); 2]);
    let up = pooling.kernel % 2 == 0;
    Ok(match pooling.average {
        true => x.f_avg_pool2d(kernel, stride, padding, up, false, None)?,
        false => x.f_max_pool2d(kernel, stride, padding, [1i64, 1], up)?,
    })
}
