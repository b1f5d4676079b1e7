//! A step whose batch is computed in parts, some here and some by other ranks. Every part has batch-norm statistics of its own, as in
//! data-parallel training everywhere; and sums are exact, so that the weights depend on the parts and not on who computed them.
//!
//! Gradients are added in buckets, those of the last layers first, on a thread beside this one: while the backward pass of the last part
//! is on its way to the first layers.

use super::backward::backward;
use super::cores;
use super::learner::{by_cell, correct, descend, diverged, pass, Batch};
use super::network::Network;
use super::outgoing::Outgoing;
use super::paths;
use crate::arch::Paths;
use crate::dist::exact::{Added, Buckets, Own};
use crate::dist::Crew;
use crate::error::{Error, Result};
use crate::search::{At, PathGradient, StepOutcome, TrainOptions, TwoPaths};
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{channel, Sender};
use std::thread;
use tch::{no_grad_guard, Tensor};

/// Which images of a batch are a part's.
fn images(part: usize, shards: usize, batch: usize) -> Range<usize> {
    part * batch / shards..(part + 1) * batch / shards
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
    // In the order in which a backward pass has them.
    let leaves: Vec<&Tensor> = network.passed(&used).into_iter().rev().map(|parameter| &parameter.value).collect();
    let buckets = Buckets::new(leaves.iter().map(|leaf| leaf.numel()).collect(), crew.bucket(), 2 * shards);
    let own = crew.part(shards);
    let compute = |to| {
        let mut outgoing = Outgoing::new(&buckets, to);
        let computed = own.clone().try_for_each(|index| {
            let of = images(index, shards, batch);
            outgoing.begin(of.len() as f64 / batch as f64, index + 1 == own.end)?;
            part(network, &load(of)?, options.label_smoothing, (open, paths), &leaves, index, &mut outgoing)
        });
        outgoing.end(computed);
    };
    let added = beside(crew, &buckets, compute)?;
    let mut outcome = StepOutcome { loss: 0.0, correct: 0, images: batch as u64 };
    for (index, part) in added.notes.chunks_exact(2).enumerate() {
        outcome.loss += part[0] * images(index, shards, batch).len() as f64 / batch as f64;
        outcome.correct += part[1] as u64;
    }
    let Some(sums) = added.sums.filter(|_| outcome.loss.is_finite()) else { return Err(diverged(at, outcome.loss)) };
    let _no_grad = no_grad_guard();
    let mut gradients = Vec::with_capacity(leaves.len());
    for (sum, tensors) in sums.iter().zip(buckets.tensors()) {
        let Some(first) = leaves.get(tensors.start) else { continue };
        let (sum, mut from) = (Tensor::f_from_slice(sum)?.f_to_device(first.device())?, 0);
        for leaf in &leaves[tensors.clone()] {
            let length = leaf.numel() as i64;
            gradients.push(sum.f_narrow(0, from, length)?.f_view(leaf.size().as_slice())?);
            from += length;
        }
    }
    gradients.reverse();
    // In the order of the optimizer: weights with decay first.
    let decays = network.passed(&used).into_iter().map(|parameter| parameter.decay);
    let (mut decayed, plain): (Vec<_>, Vec<_>) = gradients.into_iter().zip(decays).partition(|(_, decays)| *decays);
    decayed.extend(plain);
    let gradients: Vec<_> = decayed.into_iter().map(|(gradient, _)| gradient).collect();
    descend(network, &gradients, options, at, &used, lr)?;
    Ok(outcome)
}

/// Runs `compute`, and adds up what it sends: with other ranks beside it, else after it.
fn beside(crew: &Crew, buckets: &Buckets, compute: impl FnOnce(Sender<Result<Own>>)) -> Result<Added> {
    let (to, from) = channel();
    if crew.size() == 1 {
        compute(to);
        return buckets.add(crew, from.into_iter());
    }
    thread::scope(|scope| {
        let adding = thread::Builder::new().name("nse-sums".into());
        match adding.spawn_scoped(scope, || buckets.add(crew, from.into_iter())) {
            Ok(adding) => {
                compute(to);
                adding.join().unwrap_or_else(|panic| resume_unwind(panic))
            }
            // The others are to hear of it.
            Err(error) => {
                let refused = Error::OutOfMemory(format!("no thread can be begun: {error}"));
                buckets.add(crew, std::iter::once(Err(refused)))
            }
        }
    })
}

fn part(
    network: &Network,
    batch: &Batch,
    smoothing: f64,
    (open, paths): (&[Vec<u16>], Paths),
    leaves: &[&Tensor],
    index: usize,
    outgoing: &mut Outgoing,
) -> Result<()> {
    let _cores = cores::take(batch.0.device());
    let (loss, logits) = pass(network, batch, open, paths, smoothing)?;
    outgoing.note(2 * index, loss.f_double_value(&[])?);
    outgoing.note(2 * index + 1, correct(&logits, &batch.1)? as f64);
    drop(logits);
    backward(&loss, leaves, &mut |leaf, gradient| outgoing.take(leaf, &gradient))
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
