//! A stand-alone network: one architecture with trained weights, and everything needed to use it.

use super::cores;
use super::device;
use super::learner::Loader;
use super::libtorch;
use super::names;
use super::network::Network;
use super::norm::Statistics;
use super::options::{Epoch, Evaluation, ModelOptions};
use super::score;
use super::trainer::fits;
use super::training::{Training, PASS};
use crate::arch::{Architecture, Variant};
use crate::checkpoint::training::Identity;
use crate::data::{Dataset, Normalisation};
use crate::error::{Error, Result};
use crate::export::{Card, Graph};
use crate::json;
use crate::log;
use crate::search::{Control, Event, Purpose, Stream};
use crate::space::Space;
use std::sync::Arc;
use tch::Device;

pub struct Model {
    pub(super) network: Network,
    pub(super) architecture: Architecture,
    pub(super) statistics: Statistics,
    pub(super) normalisation: Normalisation,
    pub(super) device: Device,
    pub(super) history: Vec<Epoch>,
}

/// What a training is of.
pub struct Lesson<'a> {
    pub space: Arc<Space>,
    pub architecture: &'a Architecture,
    pub train: &'a Dataset,
    /// Images that are only evaluated, for the curve.
    pub held_out: Option<&'a Dataset>,
    /// Weights to begin with instead of fresh ones: those of a model of the same architecture. It may have had other classes.
    pub init: Option<&'a Graph>,
}

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
        Self::learn(Lesson { space, architecture, train: dataset, held_out: None, init: None }, options, control, watch)
    }

    /// The same with all that a lesson has.
    pub fn learn(lesson: Lesson, options: &ModelOptions, control: &dyn Control, watch: &dyn Fn(&Event)) -> Result<Self> {
        let Lesson { space, architecture, train, held_out, init } = lesson;
        fits(&space, "train", train)?;
        held_out.map_or(Ok(()), |held_out| fits(&space, "held_out", held_out))?;
        let device = prepare(options)?;
        let variant = variant(options.variant, init)?;
        variant.fits(&space)?;
        // The weights are used to it.
        let normalisation = init.map_or_else(|| Normalisation::of(train), |init| init.card.normalisation.clone());
        let cores = cores::take(device);
        let network = Network::of(space.clone(), architecture, variant, options.seed, 0, device)?;
        if let Some(init) = init {
            begin(&network, architecture, init)?;
        }
        drop(cores);
        let loader = |dataset: Dataset| Loader::new(dataset, normalisation.clone(), device);
        let mut stream = Stream::new(options.seed, Purpose::Calibration, 0, 0);
        let chosen = train.choose(options.calibration, &mut stream)?;
        let training = Training {
            network: &network,
            open: architecture.cells(),
            options,
            train: loader(train.clone()),
            calibration: loader(chosen.clone()),
            held_out: held_out.cloned().map(loader),
            identity: Identity {
                space: space.to_json(),
                architecture: architecture.to_json(&space),
                data: data(train, held_out, init, options),
                options: serde_json::to_value(ModelOptions { variant, ..options.clone() }).unwrap_or_default(),
            },
            control,
            watch,
        };
        log::info!("model", "training begins: {} epochs, device {:?}", options.train.epochs, options.device);
        let (history, meter) = training.run()?;
        let statistics = score::calibrate(&network, architecture.cells(), &mut loader(chosen), PASS, control)?;
        let (loss, accuracy) = (meter.loss(), meter.accuracy());
        log::info!("model", "training finished: {:.1} s, loss {loss:.4}, accuracy {accuracy:.4}", meter.seconds());
        Ok(Model { network, architecture: architecture.clone(), statistics, normalisation, device, history })
    }

    /// The model that a description with weights is of, on a device as options name it.
    pub fn from_graph(graph: &Graph, device: &str) -> Result<Self> {
        let device = device::parse(device)?;
        let Card { space, architecture, variant, normalisation } = graph.card.clone();
        variant.fits(&space)?;
        let _cores = cores::take(device);
        let network = Network::of(space, &architecture, variant, 0, 0, device)?;
        names::load(&network, architecture.cells(), &graph.weights, |_| false)?;
        let statistics = names::statistics(&network, architecture.cells(), &graph.weights)?;
        Ok(Model { network, architecture, statistics, normalisation, device, history: Vec::new() })
    }

    /// Which network it is, and what becomes of an image in front of it.
    pub fn card(&self) -> Card {
        Card {
            space: self.network.space().clone(),
            architecture: self.architecture.clone(),
            variant: self.network.variant(),
            normalisation: self.normalisation.clone(),
        }
    }

    /// The network as a list of layers, with a copy of its weights.
    pub fn graph(&self) -> Result<Graph> {
        Graph::new(self.card(), names::save(&self.network, self.architecture.cells(), &self.statistics)?)
    }

    /// What became of every epoch of its training; empty for a model that was not trained in this process.
    pub fn history(&self) -> &[Epoch] {
        &self.history
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

fn prepare(options: &ModelOptions) -> Result<Device> {
    let device = device::parse(&options.device)?;
    if let Some(threads) = options.threads {
        device::set_threads(threads);
    }
    Ok(device)
}

/// That of the weights to begin with, unless another is asked for, which they are not made for.
fn variant(wanted: Variant, init: Option<&Graph>) -> Result<Variant> {
    match init.map(|init| init.card.variant) {
        Some(given) if wanted != given && wanted != Variant::default() => {
            let [wanted, given] = [wanted, given].map(|v| serde_json::to_string(&v).unwrap_or_default());
            Err(json::out_of_range("model options", "/variant", format!("{wanted}, but the model to begin with has {given}")))
        }
        Some(given) => Ok(given),
        None => Ok(wanted),
    }
}

/// Takes over weights; a classifier for another number of classes stays fresh.
fn begin(network: &Network, architecture: &Architecture, init: &Graph) -> Result<()> {
    let wrong = |reason: String| Error::Argument { name: "init", reason };
    let classes = (network.space().classes(), init.card.space.classes());
    let fresh = |name: &str| classes.0 != classes.1 && name.rsplit('.').nth(1) == Some("classifier");
    names::load(network, architecture.cells(), &init.weights, fresh).map_err(|error| match error {
        Error::Argument { reason, .. } => wrong(format!("a model of another architecture: {reason}")),
        other => other,
    })
}

/// A name of all that a training learns from.
fn data(train: &Dataset, held_out: Option<&Dataset>, init: Option<&Graph>, options: &ModelOptions) -> String {
    if options.checkpoint.is_none() {
        return String::new();
    }
    let held_out = held_out.map(Dataset::fingerprint).unwrap_or_default();
    let init = init.map(Graph::fingerprint).unwrap_or_default();
    format!("train {} held_out {held_out} init {init}", train.fingerprint())
}
