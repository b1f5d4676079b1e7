//! Weight steps: batches of a dataset, a forward and backward pass, and an optimizer step on the parameters that took part.

use super::cores::Alone;
use super::ensemble::mean;
use super::mixed::Mix;
use super::nccl::Nccl;
use super::network::Network;
use super::norm::Norm;
use super::sgd::Sgd;
use super::shards;
use super::tape::Tape;
use super::unit::Parameter;
use crate::arch::Paths;
use crate::data::{Changes, Dataset, Normalisation, Order};
use crate::dist::Crew;
use crate::error::{Error, Result};
use crate::search::{At, Purpose, StepOutcome, Stream, TrainOptions};
use std::collections::BTreeSet;
use std::ops::Range;
use tch::{Device, Reduction, Tensor};

/// Images [n, channels, height, width], normalised, and n labels.
pub type Batch = (Tensor, Tensor);

/// Batches of one dataset as tensors on one device.
pub struct Loader {
    pub dataset: Dataset,
    normalisation: Normalisation,
    device: Device,
    images: Vec<f32>,
    labels: Vec<i64>,
}

impl Loader {
    pub fn new(dataset: Dataset, normalisation: Normalisation, device: Device) -> Self {
        Loader { dataset, normalisation, device, images: Vec::new(), labels: Vec::new() }
    }

    pub fn load(&mut self, positions: &[u32], changes: Option<(Changes, Stream)>) -> Result<Batch> {
        self.dataset.fill(positions, &self.normalisation, changes, &mut self.images, &mut self.labels)?;
        let shape = self.dataset.shape();
        let size = [positions.len() as i64, i64::from(shape.channels), i64::from(shape.height), i64::from(shape.width)];
        let _alone = (self.device == Device::Cpu).then(Alone::new);
        let images = Tensor::f_from_slice(&self.images)?.f_view(size)?.f_to_device(self.device)?;
        Ok((images, Tensor::f_from_slice(&self.labels)?.f_to_device(self.device)?))
    }
}

/// Mean cross-entropy.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<Tensor> {
    Ok(logits.f_cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, -100, smoothing)?)
}

/// What a part's loss is of the batch's.
pub fn weighted(loss: Tensor, weight: Option<f64>) -> Result<Tensor> {
    match weight {
        // A tensor and not a number: tch panics when it drops a number after libtorch has failed.
        Some(weight) => {
            Ok(loss.f_mul(&Tensor::f_from_slice(&[weight as f32])?.f_view::<&[i64]>(&[])?.f_to_device(loss.device())?)?)
        }
        None => Ok(loss),
    }
}

/// What a pass goes through: the operators that are open at every place of the paths; of one path perhaps with shares.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    pub open: &'a [Vec<u16>],
    pub paths: Paths,
    pub mix: Option<&'a Mix>,
}

impl<'a> Way<'a> {
    pub fn along(open: &'a [Vec<u16>], paths: Paths) -> Self {
        Way { open, paths, mix: None }
    }

    pub fn single(open: &'a [Vec<u16>]) -> Self {
        Way::along(open, Paths::single(open.len()))
    }

    pub fn mixed(mix: &'a Mix) -> Self {
        Way { mix: Some(mix), ..Way::single(mix.open()) }
    }

    /// Operators of every cell that some path has open, ascending.
    pub fn by_cell(&self) -> Vec<Vec<u16>> {
        let mut cells = vec![BTreeSet::new(); self.paths.cells()];
        self.open.iter().enumerate().for_each(|(place, operators)| cells[self.paths.cell(place)].extend(operators));
        cells.into_iter().map(|operators| operators.into_iter().collect()).collect()
    }
}

/// Loss and logits of a pass. Of an ensemble the loss is the sum of those of its paths, and the logits
/// are their mean (as in the published code of NEAS).
pub fn pass(network: &Network, (images, labels): &Batch, way: Way, norm: &Norm, smoothing: f64) -> Result<(Tensor, Tensor)> {
    let logits = match way.mix {
        Some(mix) => vec![network.mixed(images, mix, norm)?],
        None => network.logits(images, way.open, way.paths, norm)?,
    };
    Ok((summed(&logits, |logits| cross_entropy(logits, labels, smoothing))?, mean(&logits)?))
}

/// Over the paths.
pub fn summed(logits: &[Tensor], loss: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let mut losses = logits.iter().map(loss);
    let first = losses.next().unwrap_or_else(|| Err(Error::Torch("no logits".into())))?;
    losses.try_fold(first, |sum, more| Ok(sum.f_add(&more?)?))
}

pub fn correct(logits: &Tensor, labels: &Tensor) -> Result<u64> {
    let [found, labels] = [&logits.f_argmax(1, false)?, labels].map(Vec::<i64>::try_from);
    Ok(found?.iter().zip(&labels?).filter(|(found, label)| found == label).count() as u64)
}

/// The training side of a run: data in its order, and the recipe.
pub struct Learner {
    loader: Loader,
    order: Order,
    options: TrainOptions,
    /// What adds gradients of ranks where they are.
    pub nccl: Option<Nccl>,
}

impl Learner {
    pub fn new(loader: Loader, options: TrainOptions, seed: u64) -> Self {
        let order = Order::new(seed, Purpose::TrainOrder, loader.dataset.len(), options.batch);
        Learner { loader, order, options, nccl: None }
    }

    pub fn steps_per_epoch(&self) -> u64 {
        self.order.steps_per_epoch()
    }

    /// One step with the given operators open, by all of the crew. When the loss or a gradient is not finite, no weight changes.
    pub fn step(&mut self, crew: &Crew, network: &Network, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        self.step_along(crew, network, at, Way::single(open), lr)
    }

    /// The same along the paths of an ensemble, or of all operators at once.
    pub fn step_along(&mut self, crew: &Crew, network: &Network, at: At, way: Way, lr: f64) -> Result<StepOutcome> {
        let positions = self.order.batch(at.round, at.step);
        let stream = || Stream::new(at.seed, Purpose::Augment, at.round, at.step);
        if crew.whole() {
            let batch = self.loader.load(positions, Some((self.options.augment.into(), stream())))?;
            return step_along(network, &batch, &self.options, at, way, lr);
        }
        let load = |part: Range<usize>| {
            let mut stream = stream();
            let changes = Changes::from(self.options.augment);
            changes.skip(self.loader.dataset.shape(), part.start, &mut stream);
            self.loader.load(&positions[part], Some((changes, stream)))
        };
        shards::step(crew, self.nccl.as_ref(), positions.len(), load, network, &self.options, at, way, lr)
    }
}

/// One optimizer step on a batch with the given operators open. When the loss or a gradient is not finite, no weight changes.
pub fn step(network: &Network, batch: &Batch, options: &TrainOptions, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
    step_along(network, batch, options, at, Way::single(open), lr)
}

/// The same along the paths of an ensemble, of a supernet, or of all its operators at once.
pub fn step_along(network: &Network, batch: &Batch, options: &TrainOptions, at: At, way: Way, lr: f64) -> Result<StepOutcome> {
    let _turn = network.turn(&batch.0, &Norm::Batch)?;
    let tape = Tape::begin(way.mix.is_none() && network.is_row(&batch.0, way.paths, &Norm::Batch))?;
    let (loss, logits) = pass(network, batch, way, &Norm::Batch, options.label_smoothing)?;
    let value = loss.f_double_value(&[])?;
    if !value.is_finite() {
        return Err(diverged(at, value));
    }
    let step = |sgd: Sgd, values: &[&Tensor], momenta: &[&Tensor], decayed| sgd.descend(&loss, &tape, values, momenta, decayed);
    descend(&network.parameters(&way.by_cell()), options, at, lr, step)?;
    Ok(StepOutcome { loss: value, correct: correct(&logits, &batch.1)?, images: batch.1.size()[0] as u64 })
}

/// A loss and what comes with it, unless the loss is no number.
pub fn finite<T>((loss, more): (f64, T), at: At) -> Result<(f64, T)> {
    match loss.is_finite() {
        true => Ok((loss, more)),
        false => Err(diverged(at, loss)),
    }
}

pub fn diverged(at: At, loss: f64) -> Error {
    Error::Diverged { loss, round: at.round + 1, step: at.step + 1 }
}

/// The optimizer's part of a step, which `step` does with values and momenta of the parameters that took part, as [`Network::parameters`] has them, and how many
/// have weight decay. False: a gradient is not finite, and no weight has changed.
pub fn descend(
    (parameters, decayed): &(Vec<&Parameter>, usize),
    options: &TrainOptions,
    at: At,
    lr: f64,
    step: impl FnOnce(Sgd, &[&Tensor], &[&Tensor], usize) -> Result<bool>,
) -> Result<()> {
    let values: Vec<_> = parameters.iter().map(|p| &p.value).collect();
    let momenta: Vec<_> = parameters.iter().map(|p| &p.momentum).collect();
    let sgd = Sgd { lr, momentum: options.momentum, weight_decay: options.weight_decay };
    match step(sgd, &values, &momenta, *decayed)? {
        true => Ok(()),
        false => Err(diverged(at, f64::NAN)),
    }
}
