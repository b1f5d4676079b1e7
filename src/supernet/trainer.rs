//! The supernet as the search sees it.

use super::device;
use super::estimate::{estimate, Estimate, Workload};
use super::learner::{Learner, Loader};
use super::model::Model;
use super::network::Network;
use super::weights::Weights;
use super::{paths, score, store};
use crate::arch::Architecture;
use crate::data::{Dataset, Normalisation, Order};
use crate::error::{Error, Result};
use crate::search::{
    Arrays, At, Comparison, Control, PathGradient, Purpose, ScoreOptions, Search, SearchOptions, StepOutcome, Stream, Trainer,
    TwoPaths,
};
use crate::space::Space;
use once_cell::unsync::OnceCell;
use std::sync::Arc;

/// A forward pass costs about a third of an optimizer step.
const FORWARD_SHARE: f64 = 1.0 / 3.0;

pub struct SupernetTrainer {
    weights: Weights,
    learner: Learner,
    held_out: Loader,
    held_out_order: Order,
    train: Dataset,
    normalisation: Normalisation,
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
            weights: Weights::none(space, device),
            learner: Learner::new(loader(&train), options.train.clone(), options.seed),
            held_out_order: Order::new(options.seed, Purpose::HeldOutOrder, held_out.len(), batch),
            held_out: loader(&held_out),
            train,
            normalisation,
            batch,
            interval: options.fitness.interval,
            score: options.score.clone(),
            data: OnceCell::new(),
        })
    }

    /// What `search` will take with these images; some steps are made on a supernet that is thrown away.
    pub fn estimate(&self, search: &Search, control: &dyn Control) -> Result<Estimate> {
        let (calibration, images) = self.images_per_candidate();
        let bytes = |dataset: &Dataset| dataset.len() as u64 * dataset.shape().numbers();
        let work = Workload {
            device: self.weights.device,
            batch: self.batch.min(self.train.len()) as u64,
            pass: self.score.batch.min(calibration.max(images)) as u64,
            steps_per_epoch: Some(self.steps_per_epoch()),
            images_per_candidate: Some((calibration + images) as u64),
            images: bytes(&self.train) + bytes(&self.held_out.dataset),
        };
        estimate(search, &work, control)
    }

    /// The network of an architecture with the weights of the supernet. Its batch-norm statistics are as for scoring.
    pub fn model(&self, architecture: &Architecture, control: &dyn Control) -> Result<Model> {
        let weights = self.weights.of(architecture.cells())?;
        let (space, device, open) = (&self.weights.space, self.weights.device, architecture.cells());
        let network = Network::new(space.clone(), open, 0, 0, device)?;
        store::overwrite_values(&network, open, &weights)?;
        let mut stream = Stream::new(0, Purpose::Calibration, 0, 0);
        let chosen = self.train.choose(self.score.calibration, &mut stream)?;
        let mut calibration = Loader::new(chosen, self.normalisation.clone(), device);
        let statistics = score::calibrate(&network, open, &mut calibration, self.score.batch, control)?;
        let (architecture, normalisation) = (architecture.clone(), self.normalisation.clone());
        Ok(Model { network, architecture, statistics, normalisation, device, history: Vec::new() })
    }

    /// For statistics, and for accuracy.
    fn images_per_candidate(&self) -> (usize, usize) {
        let images = self.score.images.unwrap_or(usize::MAX).min(self.held_out.dataset.len());
        (self.score.calibration.min(self.train.len()), images)
    }
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
        let (calibration, images) = self.images_per_candidate();
        (calibration + images) as f64 / self.batch as f64 * FORWARD_SHARE
    }

    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        self.weights.begin_round(seed, round, active)
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        self.learner.step(self.weights.network()?, at, open, lr)
    }

    fn architecture_step(&mut self, at: At, active: &[Vec<u16>], paths: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        let positions = self.held_out_order.batch(at.round, at.step / self.interval).to_vec();
        let batch = self.held_out.load(&positions, None)?;
        paths::step(self.weights.network()?, &batch, at, active, paths)
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
        let hashes = || format!("train {} held_out {}", self.train.fingerprint(), self.held_out.dataset.fingerprint());
        self.data.get_or_init(hashes).clone()
    }

    fn score(&mut self, seed: u64, round: u64, candidates: &[Architecture], control: &dyn Control) -> Result<Vec<f64>> {
        let mut stream = Stream::new(seed, Purpose::Calibration, round, 0);
        let calibration = self.train.choose(self.score.calibration, &mut stream)?;
        let images = self.held_out.dataset.choose(self.score.images.unwrap_or(usize::MAX), &mut stream)?;
        let loader = |dataset| Loader::new(dataset, self.normalisation.clone(), self.weights.device);
        let (mut calibration, mut images) = (loader(calibration), loader(images));
        score::score(self.weights.network()?, candidates, &mut calibration, &mut images, self.score.batch, control)
    }
}
