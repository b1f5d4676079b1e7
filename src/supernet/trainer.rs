//! The supernet as the search sees it.

use super::cores;
use super::device;
use super::learner::{cross_entropy, Learner, Loader};
use super::network::Network;
use super::norm::Norm;
use super::{score, store};
use crate::arch::Architecture;
use crate::data::{Dataset, Normalisation, Order};
use crate::error::{Error, Result};
use crate::search::{
    Arrays, At, Control, PathGradient, Purpose, ScoreOptions, SearchOptions, StepOutcome, Stream, Trainer, TwoPaths,
};
use crate::space::Space;
use once_cell::unsync::OnceCell;
use std::sync::Arc;
use tch::{no_grad_guard, Device, Kind, Tensor};

/// A forward pass costs about a third of an optimizer step.
const FORWARD_SHARE: f64 = 1.0 / 3.0;

pub struct SupernetTrainer {
    space: Arc<Space>,
    network: Option<Network>,
    learner: Learner,
    held_out: Loader,
    held_out_order: Order,
    train: Dataset,
    normalisation: Normalisation,
    device: Device,
    batch: usize,
    /// Weight steps per architecture step.
    interval: u64,
    score: ScoreOptions,
    /// Computed once.
    data: OnceCell<String>,
}

impl SupernetTrainer {
    /// `held_out` serves architecture steps and scoring; without it a part of `train` is split off.
    pub fn new(space: Arc<Space>, train: &Dataset, held_out: Option<&Dataset>, options: &SearchOptions) -> Result<Self> {
        let device = device::parse(&options.device)?;
        if let Some(threads) = options.threads {
            device::set_threads(threads);
        }
        let (train, held_out) = match held_out {
            Some(held_out) => (train.clone(), held_out.clone()),
            None => train.split(options.held_out, options.seed)?,
        };
        fits(&space, "train", &train)?;
        fits(&space, "held_out", &held_out)?;
        let normalisation = Normalisation::of(&train);
        let loader = |dataset: &Dataset| Loader::new(dataset.clone(), normalisation.clone(), device);
        let batch = options.train.batch;
        Ok(SupernetTrainer {
            network: None,
            learner: Learner::new(loader(&train), options.train.clone(), options.seed),
            held_out_order: Order::new(options.seed, Purpose::HeldOutOrder, held_out.len(), batch),
            held_out: loader(&held_out),
            space,
            train,
            normalisation,
            device,
            batch,
            interval: options.fitness.interval,
            score: options.score.clone(),
            data: OnceCell::new(),
        })
    }

    fn network(&self) -> Result<&Network> {
        self.network.as_ref().ok_or_else(no_round)
    }
}

fn no_round() -> Error {
    Error::Torch("no round has begun".into())
}

/// Whether the images are what the space was made for.
pub fn fits(space: &Space, name: &'static str, dataset: &Dataset) -> Result<()> {
    let (shape, wanted) = (dataset.shape(), space.input());
    if shape != wanted {
        let [s, w] = [shape, wanted].map(|s| format!("{}x{}x{}", s.channels, s.height, s.width));
        return Err(Error::Argument { name, reason: format!("images of {s}, the space {:?} is for {w}", space.name()) });
    }
    if dataset.classes() > space.classes() {
        let reason = format!("{} classes, the space {:?} has {}", dataset.classes(), space.name(), space.classes());
        return Err(Error::Argument { name, reason });
    }
    Ok(())
}

impl Trainer for SupernetTrainer {
    fn steps_per_epoch(&self) -> u64 {
        self.learner.steps_per_epoch()
    }

    fn steps_per_candidate(&self) -> f64 {
        let images = self.score.calibration.min(self.train.len())
            + self.score.images.unwrap_or(usize::MAX).min(self.held_out.dataset.len());
        images as f64 / self.batch as f64 * FORWARD_SHARE
    }

    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        // The old weights go first: two supernets may not fit.
        self.network = None;
        let _cores = cores::take(self.device);
        self.network = Some(Network::new(self.space.clone(), active, seed, round, self.device)?);
        Ok(())
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        let network = self.network.as_ref().ok_or_else(no_round)?;
        self.learner.step(network, at, open, lr)
    }

    /// Forward along the selected paths; the unselected ones are computed beside them without gradient, from the same input,
    /// and branches that both use are computed once. The gradient of the loss at a cell's output y is all that is needed:
    /// dLoss/dps = <dLoss/dy, y_selected> and dLoss/dpu = <dLoss/dy, y_unselected>. No gradient of a weight is computed.
    fn architecture_step(&mut self, at: At, active: &[Vec<u16>], paths: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        let positions = self.held_out_order.batch(at.round, at.step / self.interval).to_vec();
        let (images, labels) = self.held_out.load(&positions, None)?;
        let _cores = cores::take(self.device);
        let network = self.network()?;
        let mut x = network.stem(&images, &Norm::Batch)?;
        let (mut selected, mut unselected) = (Vec::new(), Vec::new());
        for (cell, paths) in paths.iter().enumerate() {
            let (y, other) = two_paths(network, cell, &x, &active[cell], paths.as_ref())?;
            unselected.push(other);
            selected.push(y.shallow_clone());
            x = y;
        }
        let loss = cross_entropy(&network.head(&x, &Norm::Batch)?, &labels, 0.0)?;
        let value = loss.f_double_value(&[])?;
        if !value.is_finite() {
            return Err(Error::Diverged { loss: value, round: at.round + 1, step: at.step + 1 });
        }
        let gradients = Tensor::f_run_backward(&[&loss], &selected, false, false)?;
        let _no_grad = no_grad_guard();
        let mut products = Vec::with_capacity(2 * gradients.len());
        for (gradient, (s, u)) in gradients.iter().zip(selected.iter().zip(&unselected)) {
            products.push(gradient.f_mul(s)?.f_sum(Kind::Double)?);
            products.push(gradient.f_mul(u)?.f_sum(Kind::Double)?);
        }
        let products = Vec::<f64>::try_from(Tensor::f_stack(&products, 0)?)?;
        let pairs = products.chunks_exact(2).map(|pair| PathGradient { selected: pair[0], unselected: pair[1] });
        Ok((value, pairs.collect()))
    }

    fn save(&self, active: &[Vec<u16>]) -> Result<Arrays> {
        store::save(self.network()?, active)
    }

    fn restore(&mut self, seed: u64, round: u64, active: &[Vec<u16>], arrays: &Arrays) -> Result<()> {
        self.begin_round(seed, round, active)?;
        store::restore(self.network()?, active, arrays)
    }

    fn data(&self) -> String {
        let hashes = || format!("train {} held_out {}", self.train.fingerprint(), self.held_out.dataset.fingerprint());
        self.data.get_or_init(hashes).clone()
    }

    fn score(&mut self, seed: u64, round: u64, candidates: &[Architecture], control: &dyn Control) -> Result<Vec<f64>> {
        let mut stream = Stream::new(seed, Purpose::Calibration, round, 0);
        let calibration = self.train.choose(self.score.calibration, &mut stream)?;
        let images = self.held_out.dataset.choose(self.score.images.unwrap_or(usize::MAX), &mut stream)?;
        let loader = |dataset| Loader::new(dataset, self.normalisation.clone(), self.device);
        let (mut calibration, mut images) = (loader(calibration), loader(images));
        let (network, batch) = (self.network()?, self.score.batch);
        let mut accuracies = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let open = candidate.cells();
            let statistics = score::calibrate(network, open, &mut calibration, batch, control)?;
            accuracies.push(score::evaluate(network, open, &statistics, &mut images, batch, control)?.1);
        }
        Ok(accuracies)
    }
}

/// Output of one cell along the selected path, with gradient, and along the unselected one, without.
fn two_paths(network: &Network, cell: usize, x: &Tensor, active: &[u16], paths: Option<&TwoPaths>) -> Result<(Tensor, Tensor)> {
    let is_open = |gates: Option<&Vec<bool>>, i: usize| gates.is_none_or(|gates| gates[i]);
    let (mut selected, mut unselected) = (Vec::new(), Vec::new());
    for (i, operator) in active.iter().enumerate() {
        let (s, u) = (is_open(paths.map(|p| &p.selected), i), is_open(paths.map(|p| &p.unselected), i));
        if s {
            let y = network.branch(cell, *operator, x, &Norm::Batch)?;
            if u {
                unselected.push(y.f_detach()?);
            }
            selected.push(y);
        } else if u {
            let _no_grad = no_grad_guard();
            unselected.push(network.branch(cell, *operator, x, &Norm::Batch)?);
        }
    }
    let y = network.merge(cell, x, &selected.iter().collect::<Vec<_>>())?;
    let _no_grad = no_grad_guard();
    let other = network.merge(cell, &x.f_detach()?, &unselected.iter().collect::<Vec<_>>())?;
    Ok((y, other))
}
