//! What a search will take, before it does: memory from the shapes, time from a few steps on a supernet that is thrown away.

use super::learner::{self, Batch, Way};
use super::mixed::{self, Mix};
use super::network::Network;
use super::norm::{Calibration, Norm};
use super::{cores, device, paths};
use crate::cost::{memory, Memory};
use crate::error::{Error, Result};
use crate::search::{At, Control, Search};
use serde::Serialize;
use std::time::Instant;
use tch::{no_grad_guard, Device, Kind, Tensor};

/// What a trainer knows of the work that is to come.
pub struct Workload {
    pub device: Device,
    /// Images of a part of a training step, which are in memory at a time, and parts that this rank computes one after the other.
    pub batch: u64,
    pub parts: u64,
    /// Among which candidates are divided.
    pub ranks: u64,
    /// Images of one pass of scoring.
    pub pass: u64,
    /// None: not known.
    pub steps_per_epoch: Option<u64>,
    /// Images that a candidate is calibrated and evaluated on; None: not known.
    pub images_per_candidate: Option<u64>,
    /// Bytes of the datasets.
    pub images: u64,
}

impl Workload {
    /// Bytes for each gradient where a batch is computed in parts: those of all parts, as floats, and some whole numbers to add them.
    fn sums(&self) -> u64 {
        match (self.parts, self.ranks) {
            (1, 1) => 0,
            (parts, _) => 4 * parts + 24,
        }
    }
}

/// Times are None where the host alone knows how much there is to do.
#[derive(Clone, Debug, Serialize)]
pub struct Estimate {
    pub device: String,
    /// In bytes.
    pub memory: Memory,
    pub seconds: Seconds,
    /// Optimizer steps and candidates of a round, and rounds to come.
    pub steps: Option<u64>,
    pub candidates: u64,
    pub rounds: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seconds {
    pub weight_step: f64,
    pub architecture_step: f64,
    pub candidate: Option<f64>,
    pub round: Option<f64>,
    /// All rounds to come.
    pub search: Option<f64>,
}

/// Steps that are timed, and the time after which no further one begins.
const STEPS: u64 = 4;
const PATIENCE: f64 = 2.0;

pub fn estimate(search: &Search, work: &Workload, control: &dyn Control) -> Result<Estimate> {
    let space = search.space();
    let active = search.at_once();
    let network = Network::new(space.clone(), &active, search.options().seed, 0, work.device)?
        .with_precision(search.options().train.precision);
    let batch = sample(search, work.batch, work.device)?;
    let at = At { seed: search.options().seed, round: 0, step: 0 };
    let weight_step = timed(control, work.device, |i| {
        let (example, train) = (search.example(i)?, &search.options().train);
        let mix = example.blends.map(|blends| Mix::new(&blends, work.device, false)).transpose()?;
        let way = match (&mix, &example.ensemble) {
            (Some(mix), _) => Way::mixed(mix),
            (None, Some(e)) => Way::along(e.cells(), e.paths()),
            (None, None) => Way::single(&example.open),
        };
        learner::step_along(&network, &batch, train, at, way, 0.0).map(|_| ())
    })?;
    let architecture_step = match search.options().interval() {
        Some(_) => timed(control, work.device, |i| {
            let example = search.example(i)?;
            match example.blends {
                Some(blends) => mixed::step(&network, &batch, at, &blends).map(|_| ()),
                None => paths::step(&network, &batch, at, &example.active, &example.paths).map(|_| ()),
            }
        })?,
        None => 0.0,
    };
    let forward = timed(control, work.device, |i| {
        let _no_grad = no_grad_guard();
        let mut calibration = Calibration::default();
        calibration.begin_pass();
        let (example, norm) = (search.example(i)?, Norm::Calibrate(&calibration));
        match example.ensemble {
            Some(e) => network.logits(&batch.0, e.cells(), e.paths(), &norm).map(|_| ()),
            None => network.forward(&batch.0, &example.candidate, &norm).map(|_| ()),
        }
    })?;
    let [weight_step, architecture_step] = [weight_step, architecture_step].map(|part| part * work.parts as f64);
    let candidate = work.images_per_candidate.map(|images| forward * images as f64 / work.batch as f64);
    let (completed, all) = search.rounds();
    let seconds = |round: u64| {
        let (steps, architecture_steps, candidates) = search.work(round, work.steps_per_epoch?);
        let training = steps as f64 * weight_step + architecture_steps as f64 * architecture_step;
        Some(training + candidates.div_ceil(work.ranks) as f64 * candidate?)
    };
    let (steps, _, candidates) = search.work(completed, work.steps_per_epoch.unwrap_or(0));
    // At most: what paths share is there once.
    let paths = search.options().strategy.get().seeks().paths() as u64;
    let memory =
        memory(space, &active, work.batch * paths, work.pass * paths, work.images, work.device == Device::Cpu, work.sums());
    let scorer = search.scorer_options().get();
    let memory = if scorer.compares() { memory.remembering() } else { memory };
    Ok(Estimate {
        device: device::name(work.device),
        memory: if scorer.mixes().is_some() { memory.all_open() } else { memory },
        seconds: Seconds {
            weight_step,
            architecture_step,
            candidate,
            round: seconds(completed),
            search: (completed..all).map(seconds).sum(),
        },
        steps: work.steps_per_epoch.map(|_| steps),
        candidates,
        rounds: all - completed,
    })
}

/// Images that are no pictures but have a spread, as normalised ones do.
fn sample(search: &Search, images: u64, device: Device) -> Result<Batch> {
    let input = search.space().input();
    let size = [images as i64, i64::from(input.channels), i64::from(input.height), i64::from(input.width)];
    // Not f_arange: tch panics when a call that takes a scalar finds no memory.
    let ones = Tensor::f_ones([size.iter().product::<i64>()].as_slice(), (Kind::Float, device))?;
    let values = ones.f_cumsum(0, Kind::Float)?.f_sin()?.f_view(size)?;
    Ok((values, Tensor::f_zeros([images as i64].as_slice(), (Kind::Int64, device))?))
}

/// Seconds of the quickest: others may be at work on the machine, and the first one warms up.
fn timed(control: &dyn Control, device: Device, mut step: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let (begun, mut quickest) = (Instant::now(), f64::INFINITY);
    for i in 0..STEPS {
        if control.cancelled() {
            return Err(Error::Cancelled);
        }
        if i > 0 && begun.elapsed().as_secs_f64() > PATIENCE {
            break;
        }
        // Not to time how long it waits for others.
        let _cores = cores::take(device);
        let started = Instant::now();
        step(i)?;
        device::synchronize(device)?;
        quickest = quickest.min(started.elapsed().as_secs_f64());
    }
    Ok(quickest)
}
