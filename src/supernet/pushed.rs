//! The supernet of a search into which the host pushes its batches.

use super::estimate::{estimate, Estimate, Workload};
use super::learner::{self, correct, Batch, Way};
use super::mixed::{self, Mix};
use super::norm::{Calibration, Norm, Reader, Statistics};
use super::weights::Weights;
use super::{device, foreign, paths};
use crate::arch::Architecture;
use crate::data::{PushedBatch, Values};
use crate::error::{Error, Result};
use crate::search::{
    Arrays, At, BatchTrainer, Blend, BlendGradient, Comparison, Control, LastStep, PathGradient, Search, SearchOptions,
    StepOutcome, TrainOptions, Trainer, TwoPaths,
};
use crate::space::Space;
use std::sync::Arc;
use tch::{no_grad_guard, Tensor};

pub struct PushTrainer {
    weights: Weights,
    options: TrainOptions,
    steps_per_epoch: u64,
    /// For the next step, with the host's learning rate.
    batch: Option<(Batch, Option<f64>)>,
    last: LastStep,
    candidates: Vec<Architecture>,
    /// Parallel to the candidates, until they are evaluated,
    calibrations: Vec<Calibration>,
    /// and then these are.
    statistics: Vec<Statistics>,
    /// Images classified correctly, parallel too, and images seen.
    right: Vec<u64>,
    images: u64,
}

impl PushTrainer {
    pub fn new(space: Arc<Space>, options: &SearchOptions) -> Result<Self> {
        if options.shards > 1 {
            let reason = format!("{}: pushed batches are not computed in parts", options.shards);
            return Err(Error::Argument { name: "shards", reason });
        }
        let device = device::parse(&options.device)?;
        if let Some(threads) = options.threads {
            device::set_threads(threads);
        }
        Ok(PushTrainer {
            weights: Weights::none(space, device, options.train.precision),
            options: options.train.clone(),
            steps_per_epoch: options.pushed.steps_per_epoch.unwrap_or(0),
            batch: None,
            last: LastStep::NONE,
            candidates: Vec::new(),
            calibrations: Vec::new(),
            statistics: Vec::new(),
            right: Vec::new(),
            images: 0,
        })
    }

    /// What became of the last batch.
    pub fn last(&self) -> LastStep {
        self.last
    }

    /// A host's batch as tensors on the device of this search.
    pub fn batch(&self, pushed: &PushedBatch) -> Result<Batch> {
        let wrong = |reason: String| Err(Error::Argument { name: "batch", reason });
        let (input, classes) = (self.weights.space.input(), self.weights.space.classes());
        let [count, shape @ ..] = pushed.shape;
        if shape != [input.channels, input.height, input.width].map(|n| n as usize) {
            let [channels, height, width] = shape;
            let wanted = format!("{}x{}x{}", input.channels, input.height, input.width);
            return wrong(format!("images of {channels}x{height}x{width}, the space is for {wanted}"));
        }
        if count < 2 || pushed.labels.len() != count {
            return wrong(format!(
                "{count} images and {} labels: two or more are needed, and as many labels",
                pushed.labels.len()
            ));
        }
        if let Some(at) = pushed.labels.iter().position(|label| *label >= classes) {
            return wrong(format!("label {} of image {at} is not in 0 to {}", pushed.labels[at], classes - 1));
        }
        let device = self.weights.device;
        let images = match &pushed.values {
            Values::Host(bytes) => foreign::floats(bytes, &pushed.shape)?.f_to_device(device)?,
            // SAFETY: whoever made the batch keeps its memory until it was used.
            Values::Cuda(array, index) => unsafe { foreign::copy(array, device::cuda(*index)?, device)? },
        };
        let labels: Vec<i64> = pushed.labels.iter().map(|label| i64::from(*label)).collect();
        Ok((images, Tensor::f_from_slice(&labels)?.f_to_device(device)?))
    }

    /// What `search` will take with batches of train.batch images, as far as that is known here; some steps are made on a
    /// supernet that is thrown away.
    pub fn estimate(&self, search: &Search, control: &dyn Control) -> Result<Estimate> {
        let score = &search.options().score;
        let work = Workload {
            device: self.weights.device,
            batch: self.options.batch as u64,
            parts: 1,
            ranks: 1,
            pass: score.batch as u64,
            steps_per_epoch: (self.steps_per_epoch > 0).then_some(self.steps_per_epoch),
            images_per_candidate: score.images.map(|images| (score.calibration + images) as u64),
            images: 0,
        };
        estimate(search, &work, control)
    }

    fn stepped(&mut self, at: At, way: Way, lr: f64) -> Result<StepOutcome> {
        let (batch, own) = self.handed()?;
        let lr = own.unwrap_or(lr);
        let outcome = learner::step_along(self.weights.network()?, &batch, &self.options, at, way, lr)?;
        self.last = LastStep { loss: outcome.loss, accuracy: outcome.correct as f64 / outcome.images as f64, lr };
        Ok(outcome)
    }

    fn handed(&mut self) -> Result<(Batch, Option<f64>)> {
        self.batch.take().ok_or_else(|| Error::Argument { name: "batch", reason: "a step needs one".into() })
    }
}

impl Trainer for PushTrainer {
    /// As far as it is known, else 0.
    fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
    }

    fn steps_per_candidate(&self) -> f64 {
        1.0
    }

    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        self.weights.begin_round(seed, round, active)
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        self.stepped(at, Way::single(open), lr)
    }

    fn mixed_step(&mut self, at: At, blends: &[Blend], lr: f64) -> Result<StepOutcome> {
        let mix = Mix::new(blends, self.weights.device, false)?;
        self.stepped(at, Way::mixed(&mix), lr)
    }

    fn mixture_step(&mut self, at: At, blends: &[Blend]) -> Result<(f64, Vec<BlendGradient>)> {
        let (batch, _) = self.handed()?;
        let outcome = mixed::step(self.weights.network()?, &batch, at, blends)?;
        self.last = LastStep { loss: outcome.0, ..LastStep::NONE };
        Ok(outcome)
    }

    fn architecture_step(&mut self, at: At, active: &[Vec<u16>], paths: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        let (batch, _) = self.handed()?;
        let outcome = paths::step(self.weights.network()?, &batch, at, active, paths)?;
        self.last = LastStep { loss: outcome.0, ..LastStep::NONE };
        Ok(outcome)
    }

    fn save(&self, active: &[Vec<u16>]) -> Result<Arrays> {
        self.weights.save(active)
    }

    fn restore(&mut self, seed: u64, round: u64, active: &[Vec<u16>], arrays: &Arrays) -> Result<()> {
        self.weights.restore(seed, round, active, arrays)
    }

    fn keep(&mut self, active: &[Vec<u16>]) -> Result<()> {
        self.weights.keep(active)
    }

    fn remember(&mut self) -> Result<()> {
        self.weights.remember()
    }

    fn compare(&self, active: &[Vec<u16>]) -> Result<Comparison> {
        self.weights.compare(active)
    }

    fn data(&self) -> String {
        "pushed".into()
    }

    fn score(&mut self, _: u64, _: u64, candidates: &[Architecture], _: &dyn Control) -> Result<Vec<f64>> {
        let accuracy = |candidate: &Architecture| {
            let at = self.candidates.iter().position(|known| known == candidate);
            let right = at.and_then(|at| self.right.get(at)).filter(|_| self.images > 0);
            let missing = || Error::Argument { name: "batch", reason: "a candidate was not evaluated".into() };
            Ok(*right.ok_or_else(missing)? as f64 / self.images as f64)
        };
        candidates.iter().map(accuracy).collect()
    }
}

impl BatchTrainer for PushTrainer {
    type Batch = Batch;

    fn hand(&mut self, batch: Batch, lr: Option<f64>) {
        self.batch = Some((batch, lr));
    }

    fn calibrate(&mut self, candidates: &[Architecture], first: bool, batch: Batch, control: &dyn Control) -> Result<()> {
        let _no_grad = no_grad_guard();
        let network = self.weights.network()?;
        let mut calibrations = Vec::with_capacity(candidates.len());
        for (at, candidate) in candidates.iter().enumerate() {
            if control.cancelled() {
                return Err(Error::Cancelled);
            }
            let before = if first { None } else { self.calibrations.get(at) };
            let mut calibration = before.map_or(Ok(Calibration::default()), Calibration::copy)?;
            calibration.begin_pass();
            let _turn = network.turn(&batch.0, &Norm::Batch)?;
            let _logits = network.forward(&batch.0, candidate.cells(), &Norm::Calibrate(&calibration))?;
            calibrations.push(calibration);
        }
        (self.candidates, self.calibrations) = (candidates.to_vec(), calibrations);
        (self.statistics, self.right, self.images) = (Vec::new(), vec![0; candidates.len()], 0);
        self.last = LastStep::NONE;
        Ok(())
    }

    fn evaluate(&mut self, (images, labels): Batch, control: &dyn Control) -> Result<()> {
        let _no_grad = no_grad_guard();
        if self.statistics.is_empty() {
            self.statistics = std::mem::take(&mut self.calibrations).into_iter().map(Calibration::into_statistics).collect();
        }
        let network = self.weights.network()?;
        let mut right = Vec::with_capacity(self.candidates.len());
        for (candidate, statistics) in self.candidates.iter().zip(&self.statistics) {
            if control.cancelled() {
                return Err(Error::Cancelled);
            }
            let _turn = network.turn(&images, &Norm::Batch)?;
            let logits = network.forward(&images, candidate.cells(), &Norm::Fixed(Reader::new(statistics)))?;
            right.push(correct(&logits, &labels)?);
        }
        let count = labels.size()[0] as u64;
        let mean = right.iter().sum::<u64>() as f64 / (count * right.len().max(1) as u64) as f64;
        self.right.iter_mut().zip(right).for_each(|(sum, right)| *sum += right);
        self.images += count;
        self.last = LastStep { accuracy: mean, ..LastStep::NONE };
        Ok(())
    }
}
