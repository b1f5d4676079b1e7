//! A step whose batch is computed in parts, some here and some by other ranks. Every part has batch-norm statistics of its own, as in
//! data-parallel training everywhere; and sums are exact, so that the weights depend on the parts and not on who computed them. Or, where the ranks
//! normalise together, each has one part and the statistics are those of the whole batch: then rounding depends on how many ranks there are.
//!
//! Gradients are added in buckets, those of the last layers first, on a thread beside this one: while the backward pass of the last part
//! is on its way to the first layers.

use super::backward::backward;
use super::cores;
use super::learner::{by_cell, correct, descend, diverged, pass, weighted, Batch};
use super::network::Network;
use super::norm::Norm;
use super::outgoing::Outgoing;
use super::paths;
use super::whole_norm::Whole;
use crate::arch::Paths;
use crate::dist::exact::{Added, Buckets, Own};
use crate::dist::{Crew, Together};
use crate::error::{Error, Result};
use crate::search::{At, PathGradient, StepOutcome, TrainOptions, TwoPaths};
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::mpsc::{channel, Sender};
use std::thread;
use tch::{no_grad_guard, Tensor};

/// How a batch is cut into parts, each with batch-norm statistics of its own; or into what each rank has of it, with statistics of all.
struct Cut {
    parts: Vec<Range<usize>>,
    /// Which of them are this rank's.
    own: Range<usize>,
    batch: f64,
}

impl Cut {
    fn new(crew: &Crew, batch: usize) -> Self {
        let count = crew.pieces();
        let parts = (0..count).map(|part| part * batch / count..(part + 1) * batch / count).collect();
        Cut { parts, own: crew.part(count), batch: batch as f64 }
    }

    /// Of a part, in the batch.
    fn weight(&self, part: usize) -> f64 {
        self.parts[part].len() as f64 / self.batch
    }
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
    let cut = Cut::new(crew, batch);
    // In the order in which a backward pass has them.
    let leaves: Vec<&Tensor> = network.passed(&used).into_iter().rev().map(|parameter| &parameter.value).collect();
    let buckets = Buckets::new(leaves.iter().map(|leaf| leaf.numel()).collect(), crew.bucket(), 2 * cut.parts.len());
    let compute = |to| {
        let mut outgoing = Outgoing::new(&buckets, to);
        let computed = match crew.normalises_together() {
            false => cut.own.clone().try_for_each(|index| {
                outgoing.begin(cut.weight(index), index + 1 == cut.own.end)?;
                let batch = load(cut.parts[index].clone())?;
                part(network, &batch, options.label_smoothing, (open, paths), &leaves, &Norm::Batch, None, index, &mut outgoing)
            }),
            true => {
                let (whole, index) = (Whole::new(Together::new(crew)), cut.own.start);
                let computed = outgoing.begin(1.0, true).and_then(|()| load(cut.parts[index].clone())).and_then(|batch| {
                    let (norm, weight) = (Norm::Whole(&whole), Some(cut.weight(index)));
                    part(network, &batch, options.label_smoothing, (open, paths), &leaves, &norm, weight, index, &mut outgoing)
                });
                whole.end(computed)
            }
        };
        outgoing.end(computed);
    };
    let added = beside(crew, &buckets, compute)?;
    let mut outcome = StepOutcome { loss: 0.0, correct: 0, images: batch as u64 };
    for (index, part) in added.notes.chunks_exact(2).enumerate() {
        outcome.loss += part[0] * cut.weight(index);
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

/// Runs `compute`, and adds up what it sends: beside it, or after it where there are no other ranks, or where it needs them itself.
fn beside(crew: &Crew, buckets: &Buckets, compute: impl FnOnce(Sender<Result<Own>>)) -> Result<Added> {
    let (to, from) = channel();
    if crew.size() == 1 || crew.normalises_together() {
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

#[allow(clippy::too_many_arguments)]
fn part(
    network: &Network,
    batch: &Batch,
    smoothing: f64,
    (open, paths): (&[Vec<u16>], Paths),
    leaves: &[&Tensor],
    norm: &Norm,
    weight: Option<f64>,
    index: usize,
    outgoing: &mut Outgoing,
) -> Result<()> {
    let _cores = cores::take(batch.0.device());
    let (loss, logits) = pass(network, batch, open, paths, norm, smoothing)?;
    outgoing.note(2 * index, loss.f_double_value(&[])?);
    outgoing.note(2 * index + 1, correct(&logits, &batch.1)? as f64);
    drop(logits);
    backward(&weighted(loss, weight)?, leaves, &mut |leaf, gradient| outgoing.take(leaf, &gradient))
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
    let cut = Cut::new(crew, batch);
    let row = 1 + 2 * active.len();
    let numbers = |(loss, gradients): (f64, Vec<PathGradient>)| {
        let products = gradients.into_iter().flat_map(|g| [g.selected, g.unselected]);
        std::iter::once(loss).chain(products).collect::<Vec<_>>()
    };
    let said = match crew.normalises_together() {
        false => cut.own.clone().try_fold(Vec::new(), |mut said, index| {
            let batch = load(cut.parts[index].clone())?;
            let found = numbers(paths::part(network, &batch, active, paths, &Norm::Batch, None)?);
            said.extend(found.into_iter().enumerate().map(|(place, number)| (index * row + place, number * cut.weight(index))));
            Ok(said)
        }),
        true => {
            let (whole, index) = (Whole::new(Together::new(crew)), cut.own.start);
            let found = load(cut.parts[index].clone())
                .and_then(|batch| paths::part(network, &batch, active, paths, &Norm::Whole(&whole), Some(cut.weight(index))));
            whole.end(found).map(|found| (index * row..).zip(numbers(found)).collect())
        }
    };
    let all = crew.share(said, cut.parts.len() * row)?;
    let sum = |place: usize| all.iter().skip(place).step_by(row).sum::<f64>();
    let loss = sum(0);
    if !loss.is_finite() {
        return Err(diverged(at, loss));
    }
    let gradient = |cell: usize| PathGradient { selected: sum(1 + 2 * cell), unselected: sum(2 + 2 * cell) };
    Ok((loss, (0..active.len()).map(gradient).collect()))
}
