//! All operators of every cell at once, as in DARTS: the shares of their outputs as tensors, and the step that finds how the loss depends on them.

use super::learner::{cross_entropy, finite, weighted, Batch};
use super::network::Network;
use super::norm::Norm;
use super::tape::gradients;
use crate::error::{Error, Result};
use crate::search::strategy::Choice;
use crate::search::{At, Blend, BlendGradient};
use tch::{Device, Kind, Tensor};

/// The shares of every cell.
pub struct Mix {
    cells: Vec<Shares>,
    open: Vec<Vec<u16>>,
}

/// Of one cell.
pub struct Shares {
    choices: Vec<Choice>,
    /// One number for each choice.
    values: Tensor,
    edge: Option<Tensor>,
}

impl Mix {
    /// `learns`: whether gradients of the shares are wanted.
    pub fn new(blends: &[Blend], device: Device, learns: bool) -> Result<Self> {
        let tensor = |values: &[f32]| -> Result<Tensor> {
            Ok(Tensor::f_from_slice(values)?.f_to_device(device)?.f_set_requires_grad(learns)?)
        };
        let shares = |blend: &Blend| {
            let values: Vec<f32> = blend.shares.iter().map(|(_, share)| *share as f32).collect();
            let edge = blend.edge.map(|edge| tensor(&[edge as f32])).transpose()?;
            Ok(Shares { choices: blend.shares.iter().map(|(choice, _)| *choice).collect(), values: tensor(&values)?, edge })
        };
        let operators = |blend: &Blend| blend.shares.iter().filter_map(|(choice, _)| *choice).collect();
        Ok(Mix { cells: blends.iter().map(shares).collect::<Result<_>>()?, open: blends.iter().map(operators).collect() })
    }

    /// Operators of every cell that run.
    pub fn open(&self) -> &[Vec<u16>] {
        &self.open
    }

    pub fn cell(&self, cell: usize) -> Result<&Shares> {
        self.cells.get(cell).ok_or_else(|| Error::Torch(format!("no shares of cell {cell}")))
    }

    fn leaves(&self) -> Vec<&Tensor> {
        self.cells.iter().flat_map(|cell| std::iter::once(&cell.values).chain(&cell.edge)).collect()
    }
}

impl Shares {
    pub fn operators(&self) -> impl Iterator<Item = u16> + '_ {
        self.choices.iter().filter_map(|choice| *choice)
    }

    /// What an edge has of an operator's output.
    pub fn of(&self, operator: u16, y: &Tensor) -> Result<Tensor> {
        times(y, &self.values, self.place(operator)?)
    }

    /// What a node has of what comes over an edge.
    pub fn over(&self, y: Tensor) -> Result<Tensor> {
        match &self.edge {
            Some(edge) => Ok(y.f_mul(edge)?),
            None => Ok(y),
        }
    }

    /// Of a cell that gives the mean of its branches.
    pub fn sum(&self, branch: impl Fn(u16) -> Result<Tensor>) -> Result<Tensor> {
        let mut operators = self.operators();
        let first = operators.next().ok_or_else(|| Error::Torch("a cell without operators".into()))?;
        operators.try_fold(self.of(first, &branch(first)?)?, |sum, o| Ok(sum.f_add(&self.of(o, &branch(o)?)?)?))
    }

    /// Of a cell that adds its input to a branch and halves the sum, and that gives its input without one: the outputs of its operators with
    /// their shares, and the input with what is left.
    pub fn with_input(&self, x: &Tensor, branch: impl Fn(u16) -> Result<Tensor>) -> Result<Tensor> {
        let parts: Vec<f32> = self.choices.iter().map(|choice| if choice.is_some() { 0.5 } else { 1.0 }).collect();
        let values = self.values.f_mul(&Tensor::f_from_slice(&parts)?.f_to_device(x.device())?)?;
        let own = x.f_mul(&values.f_sum(None)?)?;
        self.operators().try_fold(own, |sum, o| Ok(sum.f_add(&times(&branch(o)?, &values, self.place(o)?)?)?))
    }

    fn place(&self, operator: u16) -> Result<i64> {
        let place = self.choices.iter().position(|choice| *choice == Some(operator));
        place.map(|place| place as i64).ok_or_else(|| Error::Torch(format!("no share of operator {operator}")))
    }
}

fn times(y: &Tensor, values: &Tensor, place: i64) -> Result<Tensor> {
    Ok(y.f_mul(&values.f_narrow(0, place, 1)?)?)
}

/// Loss of a pass of all operators at once, and its gradients in the shares. No weight changes.
pub fn step(network: &Network, batch: &Batch, at: At, blends: &[Blend]) -> Result<(f64, Vec<BlendGradient>)> {
    finite(part(network, batch, blends, &Norm::Batch, None)?, at)
}

/// The same of a part of a batch, which has this weight in the loss: all of it without one. The loss may be no number.
pub fn part(
    network: &Network,
    (images, labels): &Batch,
    blends: &[Blend],
    norm: &Norm,
    weight: Option<f64>,
) -> Result<(f64, Vec<BlendGradient>)> {
    let _turn = network.turn(images, norm)?;
    let mix = Mix::new(blends, images.device(), true)?;
    let loss = weighted(cross_entropy(&network.mixed(images, &mix, norm)?, labels, 0.0)?, weight)?;
    let value = loss.f_double_value(&[])?;
    let gradients = Tensor::f_cat(&gradients(&loss, &mix.leaves())?, 0)?;
    let mut numbers = Vec::<f64>::try_from(gradients.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)?.into_iter();
    let gradient = |blend: &Blend| BlendGradient {
        shares: numbers.by_ref().take(blend.shares.len()).collect(),
        edge: if blend.edge.is_some() { numbers.next().unwrap_or(f64::NAN) } else { 0.0 },
    };
    Ok((value, blends.iter().map(gradient).collect()))
}
