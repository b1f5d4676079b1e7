//! The supernet as the search sees it.

use super::device;
use super::estimate::{estimate, Estimate, Workload};
use super::learner::{Learner, Loader, Way};
use super::mixed::{self, Mix};
use super::model::Model;
use super::nccl::{Library, Nccl};
use super::network::Network;
use super::weights::Weights;
use super::{paths, score, shards, store};
use crate::arch::{Architecture, Variant};
use crate::data::{Dataset, Normalisation, Order};
use crate::dist::Crew;
use crate::error::{Error, Result};
use crate::search::{
    Arrays, At, BatchNorm, Blend, BlendGradient, Collective, Comparison, Control, Difference, Ended, Judged, PathGradient,
    Purpose, Schedule, ScoreOptions, Search, SearchOptions, Solo, StepOutcome, Stream, Trainer, TwoPaths, GROUP,
};
use crate::space::Space;
use once_cell::unsync::OnceCell;
use std::ops::Range;
use std::sync::Arc;
use tch::Device;

/// A forward pass costs about a third of an optimizer step.
const FORWARD_SHARE: f64 = 1.0 / 3.0;

pub struct SupernetTrainer {
    weights: Weights,
    /// The space whose supernet it is, and how many channels of that there are for each that goes through operators.
    space: Arc<Space>,
    sampling: u32,
    learner: Learner,
    held_out: Loader,
    held_out_order: Order,
    train: Dataset,
    normalisation: Normalisation,
    batch: usize,
    /// Weight steps per architecture step.
    interval: u64,
    crew: Crew,
    /// Whether NCCL may add gradients.
    nccl: bool,
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
        let (smallest, shards) = (batch.min(train.len()).min(held_out.len()), options.shards);
        if smallest < 2 * shards {
            let reason = format!("{shards} parts of a batch of {smallest} images: each needs two");
            return Err(Error::Argument { name: "shards", reason });
        }
        Ok(SupernetTrainer {
            weights: Weights::none(sampled(&space, options.channel_sampling)?, device, options.train.precision),
            sampling: options.channel_sampling,
            learner: Learner::new(loader(&train), options.train.clone(), options.seed),
            held_out_order: Order::new(options.seed, Purpose::HeldOutOrder, held_out.len(), batch),
            held_out: loader(&held_out),
            train,
            normalisation,
            batch,
            interval: options.interval().unwrap_or(1),
            crew: Crew::new(Arc::new(Solo), options.shards).with_whole_norms(options.batch_norm == BatchNorm::Batch),
            nccl: options.nccl,
            score: options.score.clone(),
            data: OnceCell::new(),
            space,
        })
    }

    /// From now on it is one of several ranks, which all must have the same images.
    pub fn join(&mut self, comm: Arc<dyn Collective>) -> Result<()> {
        let library = Library::found().filter(|_| self.weights.device != Device::Cpu);
        self.join_with(comm, library)
    }

    /// The same with this NCCL, which knows what memory the device has, or with none.
    pub fn join_with(&mut self, comm: Arc<dyn Collective>, library: Option<&'static Library>) -> Result<()> {
        let (shards, size) = (self.crew.shards(), comm.size());
        self.crew = Crew::new(comm, shards).with_whole_norms(self.crew.normalises_together());
        let enough = match self.crew.normalises_together() && size > shards {
            true => {
                let reason = format!("{shards} parts for {size} ranks: with batch_norm \"batch\" each needs one");
                Err(Error::Argument { name: "shards", reason })
            }
            false => Ok(()),
        };
        // Also where only some of them were told so.
        self.crew.agree(enough)?;
        self.crew.same("the images", &self.data())?;
        self.learner.nccl = Nccl::join(library.filter(|_| self.nccl && size > 1), self.crew.ranks(), self.weights.device)?;
        Ok(())
    }

    /// What `search` will take with these images on this rank; some steps are made on a supernet that is thrown away.
    pub fn estimate(&self, search: &Search, control: &dyn Control) -> Result<Estimate> {
        let (calibration, images) = self.images_per_candidate();
        let bytes = |dataset: &Dataset| dataset.len() as u64 * dataset.shape().numbers();
        let pieces = self.crew.pieces();
        let work = Workload {
            device: self.weights.device,
            batch: self.batch.min(self.train.len()).div_ceil(pieces) as u64,
            parts: pieces.div_ceil(self.crew.size()) as u64,
            ranks: self.crew.size() as u64,
            pass: self.score.batch.min(calibration.max(images)) as u64,
            steps_per_epoch: Some(self.steps_per_epoch()),
            images_per_candidate: Some((calibration + images) as u64),
            images: bytes(&self.train) + bytes(&self.held_out.dataset),
        };
        estimate(search, &work, control)
    }

    /// The network of an architecture with the weights of the supernet. Its batch-norm statistics are as for scoring.
    pub fn model(&self, architecture: &Architecture, control: &dyn Control) -> Result<Model> {
        if self.sampling > 1 {
            let reason =
                format!("its operators have one of {} channels: what it found is to be trained by itself", self.sampling);
            return Err(Error::Argument { name: "search", reason });
        }
        let supernet = self.weights.of(architecture)?;
        let (space, device, open) = (&self.weights.space, self.weights.device, architecture.cells());
        let network = Network::of(space.clone(), architecture, Variant::default(), 0, 0, device)?;
        store::take_over(&network, architecture, supernet)?;
        let mut stream = Stream::new(0, Purpose::Calibration, 0, 0);
        let chosen = self.train.choose(self.score.calibration, &mut stream)?;
        let mut calibration = Loader::new(chosen, self.normalisation.clone(), device);
        let statistics = score::calibrate(&network, open, &mut calibration, self.score.batch, control)?;
        let (architecture, normalisation) = (architecture.clone(), self.normalisation.clone());
        Ok(Model { network, architecture, statistics, normalisation, device, history: Vec::new() })
    }

    /// Without what other ranks do.
    fn own_scores(
        &self,
        network: &Network,
        seed: u64,
        round: u64,
        candidates: &[Architecture],
        difference: Option<Difference>,
        control: &dyn Control,
    ) -> Result<Vec<Judged>> {
        let mut stream = Stream::new(seed, Purpose::Calibration, round, 0);
        let calibration = self.train.choose(self.score.calibration, &mut stream)?;
        let images = self.held_out.dataset.choose(self.score.images.unwrap_or(usize::MAX), &mut stream)?;
        let loader = |dataset| Loader::new(dataset, self.normalisation.clone(), self.weights.device);
        let (mut calibration, mut images) = (loader(calibration), loader(images));
        score::judge(network, candidates, difference, &mut calibration, &mut images, self.score.batch, control)
    }

    /// For statistics, and for accuracy.
    fn images_per_candidate(&self) -> (usize, usize) {
        let images = self.score.images.unwrap_or(usize::MAX).min(self.held_out.dataset.len());
        (self.score.calibration.min(self.train.len()), images)
    }
}

/// The space of a supernet with one of `parts` channels in its operators.
fn sampled(space: &Arc<Space>, parts: u32) -> Result<Arc<Space>> {
    match parts {
        1 => Ok(space.clone()),
        _ => Ok(Arc::new(space.sampled(parts)?)),
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
        (calibration + images) as f64 / self.batch as f64 * FORWARD_SHARE / self.crew.size() as f64
    }

    fn group(&self) -> usize {
        match self.crew.size() {
            1 => GROUP,
            // Twice as many, for each is scored in ever smaller pieces.
            size => 2 * GROUP * size,
        }
    }

    fn alone(&self) -> bool {
        self.crew.size() == 1
    }

    fn agree(&mut self, place: u64, ended: Ended) -> Result<bool> {
        self.crew.ended(place, ended)
    }

    fn enter(&mut self, space: &Arc<Space>) -> Result<()> {
        if !Arc::ptr_eq(&self.space, space) {
            let Weights { device, precision, .. } = self.weights;
            self.weights = Weights::none(sampled(space, self.sampling)?, device, precision);
            self.space = space.clone();
        }
        Ok(())
    }

    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        self.weights.begin_round(seed, round, active)
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        self.learner.step(&self.crew, self.weights.network()?, at, open, lr)
    }

    fn ensemble_step(&mut self, at: At, ensemble: &Architecture, lr: f64) -> Result<StepOutcome> {
        let way = Way::along(ensemble.cells(), ensemble.paths());
        self.learner.step_along(&self.crew, self.weights.network()?, at, way, lr)
    }

    fn mixed_step(&mut self, at: At, blends: &[Blend], lr: f64) -> Result<StepOutcome> {
        let mix = Mix::new(blends, self.weights.device, false)?;
        self.learner.step_along(&self.crew, self.weights.network()?, at, Way::mixed(&mix), lr)
    }

    fn architecture_step(&mut self, at: At, active: &[Vec<u16>], paths: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        let (network, positions) = (self.weights.network()?, self.held_out_order.batch(at.round, at.step / self.interval));
        if self.crew.whole() {
            let batch = self.held_out.load(positions, None)?;
            return paths::step(network, &batch, at, active, paths);
        }
        let load = |part: Range<usize>| self.held_out.load(&positions[part], None);
        shards::architecture_step(&self.crew, positions.len(), load, network, at, active, paths)
    }

    fn mixture_step(&mut self, at: At, blends: &[Blend]) -> Result<(f64, Vec<BlendGradient>)> {
        let (network, positions) = (self.weights.network()?, self.held_out_order.batch(at.round, at.step / self.interval));
        if self.crew.whole() {
            return mixed::step(network, &self.held_out.load(positions, None)?, at, blends);
        }
        let load = |part: Range<usize>| self.held_out.load(&positions[part], None);
        shards::mixture_step(&self.crew, positions.len(), load, network, at, blends)
    }

    fn rehearse(
        &mut self,
        at: At,
        architecture: &Architecture,
        schedule: Schedule,
        real: bool,
        control: &dyn Control,
    ) -> Result<f64> {
        let (space, device, open) = (self.weights.space.clone(), self.weights.device, architecture.cells());
        let mut network =
            Network::of(space, architecture, Variant::default(), 0, 0, device)?.with_precision(self.weights.precision);
        store::take_over(&network, architecture, self.weights.of(architecture)?)?;
        if real {
            network.real();
        }
        for step in 0..schedule.total {
            if control.cancelled() {
                return Err(Error::Cancelled);
            }
            self.learner.step(&self.crew, &network, At { step, ..at }, open, schedule.at(step))?;
        }
        // One rank tells the others.
        let mut known = Vec::new();
        let judged = self.crew.divide(1, |own| {
            if !own.is_empty() {
                let one = std::slice::from_ref(architecture);
                let judged = self.own_scores(&network, at.seed, at.round, one, None, control)?;
                known.extend(judged.first().map(|judged| (own.start, judged.accuracy)));
            }
            Ok(())
        });
        let all = self.crew.share(judged.map(|()| known), 1)?;
        all.first().copied().ok_or_else(|| Error::Torch("no accuracy of a sampled network".into()))
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
        Ok(self.judge(seed, round, candidates, None, control)?.into_iter().map(|judged| judged.accuracy).collect())
    }

    fn judge(
        &mut self,
        seed: u64,
        round: u64,
        candidates: &[Architecture],
        difference: Option<Difference>,
        control: &dyn Control,
    ) -> Result<Vec<Judged>> {
        let mut known = Vec::new();
        let judged = self.crew.divide(candidates.len(), |own| {
            let network = self.weights.network()?;
            let judged = self.own_scores(network, seed, round, &candidates[own.clone()], difference, control)?;
            known.extend(own.zip(judged).flat_map(|(at, j)| [(2 * at, j.accuracy), (2 * at + 1, j.diversity)]));
            Ok(())
        });
        // Also on a rank that the others have left nothing to do.
        let judged = judged.and(self.weights.network().map(|_| known));
        let all = self.crew.share(judged, 2 * candidates.len())?;
        Ok(all.chunks_exact(2).map(|pair| Judged { accuracy: pair[0], diversity: pair[1] }).collect())
    }
}
