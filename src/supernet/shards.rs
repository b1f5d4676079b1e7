//! A step whose batch is computed in parts, some here and some by other ranks. Every part has batch-norm statistics of its own, as in
//! data-parallel training everywhere; and sums are exact, so that the weights depend on the parts and not on who computed them.
//!
//! Floating-point sums depend on their order, and a network of ranks has its own. So gradients are added as whole numbers: a
//! common factor, a power of two, makes the greatest one near 2^62, and what is lost below 1 is 2^-60 of it, where a 32-bit float
//! loses 2^-24 of itself.

use super::cores;
use super::learner::{by_cell, correct, descend, diverged, gradients, pass, Batch};
use super::network::Network;
use super::paths;
use crate::arch::Paths;
use crate::data::reserve;
use crate::dist::Crew;
use crate::error::{Error, Result};
use crate::search::{At, PathGradient, StepOutcome, TrainOptions, TwoPaths};
use std::ops::Range;
use tch::{no_grad_guard, Device, Kind, Tensor};

/// Which images of a batch are a part's.
fn images(part: usize, shards: usize, batch: usize) -> Range<usize> {
    part * batch / shards..(part + 1) * batch / shards
}

/// What one part says of a step.
struct Part {
    loss: f64,
    correct: u64,
    /// All gradients, one behind the other, as if the part were the whole batch.
    gradient: Tensor,
    /// Images of the part / images of the batch.
    weight: f64,
}

/// One optimizer step along some paths on a batch of `batch` images, of which `load` gives some.
#[allow(clippy::too_many_arguments)]
pub fn step(
    crew: &Crew,
    batch: usize,
    mut load: impl FnMut(Range<usize>) -> Result<Batch>,
    network: &Network,
    options: &TrainOptions,
    at: At,
    open: &[Vec<u16>],
    paths: Paths,
    lr: f64,
) -> Result<StepOutcome> {
    let used = by_cell(open, paths);
    let shards = crew.shards();
    let mut own = Vec::new();
    let computed = crew.part(shards).try_for_each(|index| {
        let of = images(index, shards, batch);
        let weight = of.len() as f64 / batch as f64;
        own.push((index, part(network, &load(of)?, weight, options, open, paths)?));
        Ok(())
    });
    // The greatest share of a gradient, and loss and hits of every part.
    let said = computed.and_then(|()| {
        let mut said = Vec::new();
        for (index, part) in &own {
            said.extend([(0, largest(part)?), (1 + 2 * index, part.loss), (2 + 2 * index, part.correct as f64)]);
        }
        Ok(said)
    });
    let (parameters, _) = network.parameters(&used);
    let shapes: Vec<Vec<i64>> = parameters.iter().map(|p| p.value.size()).collect();
    let count = shapes.iter().map(|shape| shape.iter().product::<i64>() as usize).sum::<usize>();
    let device = parameters.first().map_or(Device::Cpu, |p| p.value.device());
    let mut numbers = Vec::new();
    let said = said.and_then(|said| {
        numbers = reserve("gradients", count)?;
        numbers.resize(count, 0i64);
        Ok(said)
    });
    let all = crew.share(said, 1 + 2 * shards)?;
    let parts = all[1..].chunks_exact(2).enumerate();
    let mut outcome = StepOutcome { loss: 0.0, correct: 0, images: batch as u64 };
    for (index, part) in parts {
        outcome.loss += part[0] * images(index, shards, batch).len() as f64 / batch as f64;
        outcome.correct += part[1] as u64;
    }
    if !(all[0].is_finite() && outcome.loss.is_finite()) {
        return Err(diverged(at, outcome.loss));
    }
    let _no_grad = no_grad_guard();
    let factor = factor(all[0], shards);
    // From here on the others wait for these sums, whatever happens.
    let added = added(&own, count, factor, device, &mut numbers);
    drop(own);
    let sums = crew.sum(numbers);
    added?;
    let sum = Tensor::f_from_slice(&sums?)?.f_to_device(device)?.f_to_kind(Kind::Double)?;
    let sum = sum.f_mul_scalar(1.0 / factor)?.f_to_kind(Kind::Float)?;
    let mut from = 0;
    let gradients = shapes.iter().map(|shape| {
        let length = shape.iter().product();
        let gradient = sum.f_narrow(0, from, length)?.f_view(shape.as_slice())?;
        from += length;
        Ok(gradient)
    });
    descend(network, &gradients.collect::<Result<Vec<_>>>()?, options, at, &used, lr)?;
    Ok(outcome)
}

fn part(network: &Network, batch: &Batch, weight: f64, options: &TrainOptions, open: &[Vec<u16>], paths: Paths) -> Result<Part> {
    let _cores = cores::take(batch.0.device());
    let (loss, logits) = pass(network, batch, open, paths, options.label_smoothing)?;
    let used = by_cell(open, paths);
    let (parameters, _) = network.parameters(&used);
    let values: Vec<_> = parameters.iter().map(|p| &p.value).collect();
    let gradients = gradients(&loss, &values)?;
    let _no_grad = no_grad_guard();
    let flat: Vec<_> = gradients.iter().map(|g| Ok(g.f_reshape([-1i64].as_slice())?)).collect::<Result<_>>()?;
    let (loss, correct) = (loss.f_double_value(&[])?, correct(&logits, &batch.1)?);
    Ok(Part { loss, correct, gradient: Tensor::f_cat(&flat, 0)?, weight })
}

/// The greatest absolute value that the part adds to a gradient; not finite when one of its gradients is not.
fn largest(part: &Part) -> Result<f64> {
    let _no_grad = no_grad_guard();
    Ok(part.gradient.f_abs()?.f_max()?.f_double_value(&[])? * part.weight)
}

/// The power of two by which `shards` numbers of at most `largest` can be multiplied so that their sum stays below 2^62.
fn factor(largest: f64, shards: usize) -> f64 {
    if largest == 0.0 {
        return 1.0;
    }
    // `largest` is below 2^exponent.
    let exponent = (largest.to_bits() >> 52 & 0x7ff) as i32 - 1022;
    let spare = shards.next_power_of_two().trailing_zeros() as i32;
    2f64.powi(61 - exponent - spare)
}

/// The gradients of this rank's parts, added as whole numbers, to `numbers`.
fn added(own: &[(usize, Part)], count: usize, factor: f64, device: Device, numbers: &mut [i64]) -> Result<()> {
    let whole = own.iter().try_fold(Tensor::f_zeros([count as i64], (Kind::Int64, device))?, |sum, (_, part)| {
        let share = part.gradient.f_to_kind(Kind::Double)?.f_mul_scalar(part.weight * factor)?.f_round()?;
        Ok::<_, Error>(sum.f_add(&share.f_to_kind(Kind::Int64)?)?)
    })?;
    Ok(whole.f_to_device(Device::Cpu)?.f_copy_data(numbers, count)?)
}

/// Loss and path gradients on a batch of `batch` images, of which `load` gives some.
pub fn architecture_step(
    crew: &Crew,
    batch: usize,
    mut load: impl FnMut(Range<usize>) -> Result<Batch>,
    network: &Network,
    at: At,
    active: &[Vec<u16>],
    paths: &[Option<TwoPaths>],
) -> Result<(f64, Vec<PathGradient>)> {
    let shards = crew.shards();
    let row = 1 + 2 * active.len();
    let said = crew.part(shards).try_fold(Vec::new(), |mut said, index| {
        let of = images(index, shards, batch);
        let weight = of.len() as f64 / batch as f64;
        let first = index * row;
        match paths::step(network, &load(of)?, at, active, paths) {
            Ok((loss, gradients)) => {
                let products = gradients.iter().flat_map(|g| [g.selected, g.unselected]);
                let numbers = std::iter::once(loss).chain(products);
                said.extend(numbers.enumerate().map(|(place, number)| (first + place, number * weight)));
            }
            // All ranks are to hear of it as what it is.
            Err(Error::Diverged { loss, .. }) => said.extend((0..row).map(|place| (first + place, loss))),
            Err(error) => return Err(error),
        }
        Ok(said)
    });
    let all = crew.share(said, shards * row)?;
    let sum = |place: usize| all.iter().skip(place).step_by(row).sum::<f64>();
    let loss = sum(0);
    if !loss.is_finite() {
        return Err(diverged(at, loss));
    }
    let gradient = |cell: usize| PathGradient { selected: sum(1 + 2 * cell), unselected: sum(2 + 2 * cell) };
    Ok((loss, (0..active.len()).map(gradient).collect()))
}
