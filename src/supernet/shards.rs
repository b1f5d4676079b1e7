//! A step whose batch is computed in parts, some here and some by other ranks. Every part has batch-norm statistics of its own, as in
//! data-parallel training everywhere; and sums are exact, so that the weights depend on the parts and not on who computed them. Or, where the ranks
//! normalise together, each has one part and the statistics are those of the whole batch: then rounding depends on how many ranks there are.
//!
//! Gradients are added in buckets, those of the last layers first, on a thread beside this one: while the backward pass of the last part
//! is on its way to the first layers.

use super::backward::backward;
use super::learner::{correct, descend, diverged, pass, weighted, Batch, Way};
use super::mixed;
use super::nccl::Nccl;
use super::network::Network;
use super::norm::Norm;
use super::on_device::OnDevice;
use super::outgoing::{Carrier, Outgoing};
use super::paths;
use super::whole_norm::Whole;
use crate::dist::exact::{Added, Buckets, Host, Own};
use crate::dist::{Crew, Together};
use crate::error::{Error, Result};
use crate::search::{At, Blend, BlendGradient, PathGradient, StepOutcome, TrainOptions, TwoPaths};
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

/// One optimizer step along some paths on a batch of `batch` images, of which `load` gives some. Gradients stay on the device with `nccl`.
#[allow(clippy::too_many_arguments)]
pub fn step(
    crew: &Crew,
    nccl: Option<&Nccl>,
    batch: usize,
    load: impl FnMut(Range<usize>) -> Result<Batch>,
    network: &Network,
    options: &TrainOptions,
    at: At,
    way: Way,
    lr: f64,
) -> Result<StepOutcome> {
    let used = way.by_cell();
    let passed = network.passed(&used);
    // In the order in which a backward pass has them.
    let leaves: Vec<&Tensor> = passed.iter().rev().map(|parameter| &parameter.value).collect();
    let walk = Walk { network, way, smoothing: options.label_smoothing, leaves: &leaves };
    let (outcome, gradients) = match nccl.zip(leaves.first()) {
        Some((nccl, leaf)) => walk.gradients(crew, &OnDevice::new(nccl, leaf.device())?, batch, load)?,
        None => walk.gradients(crew, &Host, batch, load)?,
    };
    let Some(gradients) = gradients.filter(|_| outcome.loss.is_finite()) else { return Err(diverged(at, outcome.loss)) };
    // In the order of the optimizer: weights with decay first.
    let of_parameters = gradients.into_iter().rev().zip(&passed);
    let (mut decayed, plain): (Vec<_>, Vec<_>) = of_parameters.partition(|(_, parameter)| parameter.decay);
    decayed.extend(plain);
    let gradients: Vec<_> = decayed.into_iter().map(|(gradient, _)| gradient).collect();
    descend(&network.parameters(&used), options, at, lr, |sgd, values, momenta, decayed| {
        sgd.step(values, &gradients, momenta, decayed)
    })?;
    Ok(outcome)
}

/// What is computed of every part.
struct Walk<'a> {
    network: &'a Network,
    way: Way<'a>,
    smoothing: f64,
    leaves: &'a [&'a Tensor],
}

impl Walk<'_> {
    /// How the step went, and the gradients of the leaves; none when one is not finite.
    fn gradients<C: Carrier + Sync>(
        &self,
        crew: &Crew,
        carrier: &C,
        batch: usize,
        mut load: impl FnMut(Range<usize>) -> Result<Batch>,
    ) -> Result<(StepOutcome, Option<Vec<Tensor>>)>
    where
        C::Numbers: Send,
        C::Sum: Send,
    {
        let (cut, leaves) = (Cut::new(crew, batch), self.leaves);
        let buckets = Buckets::new(leaves.iter().map(|leaf| leaf.numel()).collect(), crew.bucket(), 2 * cut.parts.len());
        let compute = |to| {
            let mut outgoing = Outgoing::new(carrier, &buckets, to);
            let computed = match crew.normalises_together() {
                false => cut.own.clone().try_for_each(|index| {
                    outgoing.begin(cut.weight(index), index + 1 == cut.own.end)?;
                    self.part(&load(cut.parts[index].clone())?, &Norm::Batch, None, index, &mut outgoing)
                }),
                true => {
                    let (whole, index) = (Whole::new(Together::new(crew)), cut.own.start);
                    let computed = outgoing
                        .begin(1.0, true)
                        .and_then(|()| load(cut.parts[index].clone()))
                        .and_then(|batch| self.part(&batch, &Norm::Whole(&whole), Some(cut.weight(index)), index, &mut outgoing));
                    whole.end(computed)
                }
            };
            outgoing.end(computed);
        };
        let added = beside(crew, carrier, &buckets, compute)?;
        let mut outcome = StepOutcome { loss: 0.0, correct: 0, images: batch as u64 };
        for (index, part) in added.notes.chunks_exact(2).enumerate() {
            outcome.loss += part[0] * cut.weight(index);
            outcome.correct += part[1] as u64;
        }
        let Some(sums) = added.sums else { return Ok((outcome, None)) };
        let _no_grad = no_grad_guard();
        let mut gradients = Vec::with_capacity(leaves.len());
        for (sum, tensors) in sums.into_iter().zip(buckets.tensors()) {
            let Some(first) = leaves.get(tensors.start) else { continue };
            let (sum, mut from) = (carrier.tensor(sum)?.f_to_device(first.device())?, 0);
            for leaf in &leaves[tensors.clone()] {
                let length = leaf.numel() as i64;
                gradients.push(sum.f_narrow(0, from, length)?.f_view(leaf.size().as_slice())?);
                from += length;
            }
        }
        Ok((outcome, Some(gradients)))
    }

    fn part<C: Carrier + Sync>(
        &self,
        batch: &Batch,
        norm: &Norm,
        weight: Option<f64>,
        index: usize,
        outgoing: &mut Outgoing<C>,
    ) -> Result<()>
    where
        C::Numbers: Send,
    {
        let _turn = self.network.turn(&batch.0, norm)?;
        let (loss, logits) = pass(self.network, batch, self.way, norm, self.smoothing)?;
        outgoing.note(2 * index, loss.f_double_value(&[])?);
        outgoing.note(2 * index + 1, correct(&logits, &batch.1)? as f64);
        drop(logits);
        backward(&weighted(loss, weight)?, self.leaves, &mut |leaf, gradient| outgoing.take(leaf, &gradient))
    }
}

/// Runs `compute`, and adds up what it sends: beside it, or after it where there are no other ranks, or where it needs them itself.
fn beside<C: Carrier + Sync>(
    crew: &Crew,
    carrier: &C,
    buckets: &Buckets,
    compute: impl FnOnce(Sender<Result<Own<C::Numbers>>>),
) -> Result<Added<C::Sum>>
where
    C::Numbers: Send,
    C::Sum: Send,
{
    let (to, from) = channel();
    if crew.size() == 1 || crew.normalises_together() {
        compute(to);
        return buckets.add(crew, carrier, from.into_iter());
    }
    thread::scope(|scope| {
        let add = || {
            let _beside = carrier.beside();
            buckets.add(crew, carrier, from.into_iter())
        };
        match thread::Builder::new().name("nse-sums".into()).spawn_scoped(scope, add) {
            Ok(adding) => {
                compute(to);
                adding.join().unwrap_or_else(|panic| resume_unwind(panic))
            }
            // The others are to hear of it.
            Err(error) => {
                let refused = Error::OutOfMemory(format!("no thread can be begun: {error}"));
                buckets.add(crew, carrier, std::iter::once(Err(refused)))
            }
        }
    })
}

/// Sums over the parts of a batch of `batch` images, of which `load` gives some: of `row` numbers that `compute` makes of each, the loss first,
/// where it has no weight in the loss, times that.
fn summed(
    crew: &Crew,
    batch: usize,
    mut load: impl FnMut(Range<usize>) -> Result<Batch>,
    at: At,
    row: usize,
    compute: impl Fn(&Batch, &Norm, Option<f64>) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    let cut = Cut::new(crew, batch);
    let said = match crew.normalises_together() {
        false => cut.own.clone().try_fold(Vec::new(), |mut said, index| {
            let found = compute(&load(cut.parts[index].clone())?, &Norm::Batch, None)?;
            said.extend((index * row..).zip(found.into_iter().map(|number| number * cut.weight(index))));
            Ok(said)
        }),
        true => {
            let (whole, index) = (Whole::new(Together::new(crew)), cut.own.start);
            let found =
                load(cut.parts[index].clone()).and_then(|batch| compute(&batch, &Norm::Whole(&whole), Some(cut.weight(index))));
            whole.end(found).map(|found| (index * row..).zip(found).collect())
        }
    };
    let all = crew.share(said, cut.parts.len() * row)?;
    let sums: Vec<f64> = (0..row).map(|place| all.iter().skip(place).step_by(row).sum()).collect();
    match sums.first() {
        Some(loss) if !loss.is_finite() => Err(diverged(at, *loss)),
        _ => Ok(sums),
    }
}

/// Loss and path gradients on a batch of `batch` images, of which `load` gives some.
pub fn architecture_step(
    crew: &Crew,
    batch: usize,
    load: impl FnMut(Range<usize>) -> Result<Batch>,
    network: &Network,
    at: At,
    active: &[Vec<u16>],
    paths: &[Option<TwoPaths>],
) -> Result<(f64, Vec<PathGradient>)> {
    let sums = summed(crew, batch, load, at, 1 + 2 * active.len(), |batch, norm, weight| {
        let (loss, gradients) = paths::part(network, batch, active, paths, norm, weight)?;
        Ok(std::iter::once(loss).chain(gradients.into_iter().flat_map(|g| [g.selected, g.unselected])).collect())
    })?;
    let pairs = sums[1..].chunks_exact(2);
    Ok((sums[0], pairs.map(|pair| PathGradient { selected: pair[0], unselected: pair[1] }).collect()))
}

/// Loss and gradients of shares, where all operators run at once.
pub fn mixture_step(
    crew: &Crew,
    batch: usize,
    load: impl FnMut(Range<usize>) -> Result<Batch>,
    network: &Network,
    at: At,
    blends: &[Blend],
) -> Result<(f64, Vec<BlendGradient>)> {
    let row = 1 + blends.iter().map(|blend| blend.shares.len() + 1).sum::<usize>();
    let sums = summed(crew, batch, load, at, row, |batch, norm, weight| {
        let (loss, gradients) = mixed::part(network, batch, blends, norm, weight)?;
        Ok(std::iter::once(loss).chain(gradients.into_iter().flat_map(|g| g.shares.into_iter().chain([g.edge]))).collect())
    })?;
    let mut numbers = sums[1..].iter().copied();
    let gradient = |blend: &Blend| BlendGradient {
        shares: numbers.by_ref().take(blend.shares.len()).collect(),
        edge: numbers.next().unwrap_or(f64::NAN),
    };
    Ok((sums[0], blends.iter().map(gradient).collect()))
}
