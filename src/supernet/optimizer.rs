//! From gradients to steps of a stand-alone training: SGD or AdamW, shortened gradients, and the moving average of the weights.

use super::network::Network;
use super::options::{Optimizer as Kind, Recipe};
use super::sgd::Sgd;
use super::shim::{self, Moments};
use super::store;
use crate::error::Result;
use crate::search::Arrays;
use tch::{no_grad_guard, Kind as Numbers, Tensor};

/// Every parameter of a network, those with weight decay first, with all that the optimizer keeps of it.
pub struct Optimizer {
    recipe: Recipe,
    names: Vec<String>,
    values: Vec<Tensor>,
    decayed: usize,
    /// Momentum of SGD, average of the gradient of AdamW.
    first: Vec<Tensor>,
    /// Average of its square, and steps made, as a tensor each: AdamW.
    second: Vec<Tensor>,
    steps: Vec<Tensor>,
    /// Moving average of the values, when it is wanted.
    average: Vec<Tensor>,
}

impl Optimizer {
    pub fn new(network: &Network, open: &[Vec<u16>], recipe: &Recipe) -> Result<Self> {
        let (decayed, plain): (Vec<_>, Vec<_>) = store::named(network, open).into_iter().partition(|(_, p)| p.decay);
        let count = decayed.len();
        let (names, parameters): (Vec<_>, Vec<_>) = decayed.into_iter().chain(plain).unzip();
        let values: Vec<Tensor> = parameters.iter().map(|p| p.value.shallow_clone()).collect();
        let like = |make: &dyn Fn(&Tensor) -> Result<Tensor>, wanted: bool| match wanted {
            true => values.iter().map(make).collect::<Result<Vec<_>>>(),
            false => Ok(Vec::new()),
        };
        let adam = recipe.optimizer == Kind::AdamW;
        let device = values.first().map_or(tch::Device::Cpu, Tensor::device);
        Ok(Optimizer {
            recipe: recipe.clone(),
            names,
            decayed: count,
            first: parameters.iter().map(|p| p.momentum.shallow_clone()).collect(),
            second: like(&|v| Ok(v.f_zeros_like()?.f_detach()?), adam)?,
            steps: like(&|_| Ok(Tensor::f_zeros([1i64; 0], (Numbers::Float, device))?), adam)?,
            average: like(&|v| Ok(v.f_detach_copy()?), recipe.ema.is_some())?,
            values,
        })
    }

    /// The parameters, in the order in which `step` wants their gradients.
    pub fn parameters(&self) -> &[Tensor] {
        &self.values
    }

    /// Step number `step`, from 0. Returns false, and changes no weight, when a gradient is not finite.
    pub fn step(&self, gradients: &[Tensor], step: u64, lr: f64) -> Result<bool> {
        if let Some(most) = self.recipe.clip {
            shim::clip(gradients, most)?;
        }
        let Recipe { momentum, weight_decay, .. } = self.recipe;
        let made = match self.recipe.optimizer {
            Kind::Sgd => {
                let [values, momenta] = [&self.values, &self.first].map(|tensors| tensors.iter().collect::<Vec<_>>());
                Sgd { lr, momentum, weight_decay }.step(&values, gradients, &momenta, self.decayed)?
            }
            Kind::AdamW => {
                let moments = Moments { first: &self.first, second: &self.second, steps: &self.steps };
                shim::adamw(&self.values, gradients, moments, self.decayed, lr, weight_decay)?
            }
        };
        if let Some(decay) = self.recipe.ema.filter(|_| made) {
            // As long as there were few steps the average forgets faster, or it would remember the fresh weights for long.
            let decay = decay.min((1 + step) as f64 / (10 + step) as f64);
            shim::average(&self.average, &self.values, 1.0 - decay)?;
        }
        Ok(made)
    }

    /// Whether there is a moving average.
    pub fn averages(&self) -> bool {
        !self.average.is_empty()
    }

    /// Weights and their moving average change places.
    pub fn exchange(&self) -> Result<()> {
        let _no_grad = no_grad_guard();
        for (value, average) in self.values.iter().zip(&self.average) {
            let weights = value.f_detach_copy()?;
            value.shallow_clone().f_copy_(average)?;
            average.shallow_clone().f_copy_(&weights)?;
        }
        Ok(())
    }

    /// Everything, by stable names.
    pub fn save(&self) -> Result<Arrays> {
        self.named().map(|(name, tensor)| Ok((name, store::array(tensor)?))).collect()
    }

    /// Puts back what [`Optimizer::save`] gave; nothing may be missing, of another shape, or left over.
    pub fn restore(&self, arrays: &Arrays) -> Result<()> {
        let _no_grad = no_grad_guard();
        let mut count = 0;
        for (name, tensor) in self.named() {
            store::overwrite(tensor, &name, arrays)?;
            count += 1;
        }
        store::no_more_than(count, arrays.len())
    }

    fn named(&self) -> impl Iterator<Item = (String, &Tensor)> {
        let parts = [
            ("", &self.values),
            (".momentum", &self.first),
            (".square", &self.second),
            (".steps", &self.steps),
            (".average", &self.average),
        ];
        parts.into_iter().flat_map(move |(suffix, tensors)| {
            self.names.iter().zip(tensors).map(move |(name, tensor)| (format!("{name}{suffix}"), tensor))
        })
    }
}
