//! A stand-alone network: one architecture trained from fresh weights, with everything needed to use it.

use super::cores;
use super::device;
use super::learner::{Learner, Loader};
use super::libtorch;
use super::network::Network;
use super::norm::Statistics;
use super::options::{Evaluation, ModelOptions};
use super::score;
use super::trainer::fits;
use crate::arch::Architecture;
use crate::data::{Dataset, Normalisation};
use crate::error::{Error, Result};
use crate::log;
use crate::search::{At, Control, Event, EventKind, Meter, Purpose, Stream};
use crate::space::Space;
use std::sync::Arc;
use tch::Device;

pub struct Model {
    pub(super) network: Network,
    pub(super) architecture: Architecture,
    pub(super) statistics: Statistics,
    pub(super) normalisation: Normalisation,
    device: Device,
}

/// Images per pass when no gradient is needed.
const PASS: usize = 1024;

impl Model {
    /// Whether a training could begin, before it does.
    pub fn possible() -> Result<()> {
        libtorch::usable().map(|_| ())
    }

    /// Trains `architecture` from fresh weights. `watch` is told after every step and may end the training by its control.
    pub fn train(
        space: Arc<Space>,
        architecture: &Architecture,
        dataset: &Dataset,
        options: &ModelOptions,
        control: &dyn Control,
        watch: &dyn Fn(&Event),
    ) -> Result<Self> {
        fits(&space, "train", dataset)?;
        let device = device::parse(&options.device)?;
        if let Some(threads) = options.threads {
            device::set_threads(threads);
        }
        let normalisation = Normalisation::of(dataset);
        let cores = cores::take(device);
        let network = Network::varied(space, architecture.cells(), options.variant, options.seed, 0, device)?;
        drop(cores);
        let loader = |dataset| Loader::new(dataset, normalisation.clone(), device);
        let mut learner = Learner::new(loader(dataset.clone()), options.train.clone(), options.seed);
        let per_epoch = learner.steps_per_epoch();
        let steps = options.train.steps(per_epoch);
        let schedule = options.train.schedule(steps);
        log::info!("model", "training begins: {steps} steps of {} images, device {:?}", options.train.batch, options.device);
        let mut meter = Meter::default();
        for step in 0..steps {
            if control.cancelled() {
                return Err(Error::Cancelled);
            }
            let at = At { seed: options.seed, round: 0, step };
            let outcome = learner.step(&network, at, architecture.cells(), schedule.at(step))?;
            meter.trained(outcome.loss, outcome.correct, outcome.images);
            watch(&event(&meter, step + 1, steps, per_epoch));
        }
        let mut stream = Stream::new(options.seed, Purpose::Calibration, 0, 0);
        let mut calibration = loader(dataset.choose(options.calibration, &mut stream)?);
        let statistics = score::calibrate(&network, architecture.cells(), &mut calibration, PASS, control)?;
        log::info!(
            "model",
            "training finished: {:.1} s, loss {:.4}, accuracy {:.4}",
            meter.seconds(),
            meter.loss(),
            meter.accuracy()
        );
        watch(&Event { kind: EventKind::Finish, ..event(&meter, steps, steps, per_epoch) });
        Ok(Model { network, architecture: architecture.clone(), statistics, normalisation, device })
    }

    /// Mean and variance of every batch-norm, in the order a forward pass meets them.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Loss and accuracy over all images of `dataset`.
    pub fn evaluate(&self, dataset: &Dataset, control: &dyn Control) -> Result<Evaluation> {
        fits(self.network.space(), "dataset", dataset)?;
        let mut loader = Loader::new(dataset.clone(), self.normalisation.clone(), self.device);
        let (network, open) = (&self.network, self.architecture.cells());
        let (loss, accuracy) = score::evaluate(network, open, &self.statistics, &mut loader, PASS, control)?;
        Ok(Evaluation { loss, accuracy })
    }
}

fn event(meter: &Meter, step: u64, steps: u64, per_epoch: u64) -> Event {
    Event {
        kind: EventKind::Train,
        round: 1,
        rounds: 1,
        epoch: (step - 1) / per_epoch + 1,
        epochs: steps.div_ceil(per_epoch),
        step,
        steps,
        loss: meter.loss(),
        accuracy: meter.accuracy(),
        images_per_second: meter.images_per_second(),
        seconds: meter.seconds(),
        seconds_left: meter.seconds_left(steps - step, 0, 0.0),
    }
}
