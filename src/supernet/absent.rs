//! Stands in for the supernet in a build without libtorch: the same names, types that no value can have, and "unsupported" from
//! everything that would make one.

#[path = "measure_options.rs"]
mod measure_options;
#[path = "options.rs"]
mod options;

pub use measure_options::MeasureOptions;
pub use options::{Epoch, Evaluation, ModelOptions, Optimizer, Precision, Recipe, TrainingCheckpoint};

use crate::arch::Architecture;
use crate::cost::LatencyTable;
use crate::data::{Dataset, PushedBatch, Strided};
use crate::dist::{Environment, Transport};
use crate::error::{Error, Result};
use crate::export::{Card, ExportOptions, Graph};
use crate::restore::{Fitter, Gauge, Plan, Problem, RestoreOptions, Watch};
use crate::search::{
    Arrays, At, BatchTrainer, Collective, Comparison, Control, Event, LastStep, PathGradient, Search, SearchOptions, StepOutcome,
    Trainer, TwoPaths,
};
use crate::space::Space;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub fn runtime_info() -> Value {
    Value::Null
}

/// There is none.
pub fn libtorch() -> Value {
    Value::Null
}

/// There is nothing that could be tired.
pub fn rest() {}

/// There are none.
pub fn end_workers() {}

/// There is nothing that would be destroyed.
pub fn keep_statics() {}

/// There is nothing to destroy.
pub fn destroy_statics() {}

/// Copies from a device that only libtorch reaches.
///
/// # Safety
/// None is needed: nothing is read.
pub unsafe fn fetch(name: &'static str, _: &Strided, cuda: usize) -> Result<Vec<u8>> {
    let reason = format!("{name} must be in memory of the CPU, for this build of nse has no libtorch");
    Err(Error::Device { device: format!("cuda:{cuda}"), reason })
}

pub enum C10d {}

impl C10d {
    pub fn join(_: &Environment, _: &str, _: Option<Duration>) -> Result<Self> {
        Err(Error::Unsupported("a group of launched processes"))
    }
}

impl Transport for C10d {
    fn sum(&mut self, _: &mut [i64]) -> Result<()> {
        match *self {}
    }

    fn max(&mut self, _: &mut [f64]) -> Result<()> {
        match *self {}
    }

    fn broadcast(&mut self, _: &mut [u8]) -> Result<()> {
        match *self {}
    }

    fn gather(&mut self, _: &[u8], _: &mut [u8]) -> Result<()> {
        match *self {}
    }

    fn barrier(&mut self) -> Result<()> {
        match *self {}
    }
}

pub enum SupernetTrainer {}

#[derive(serde::Serialize)]
pub enum Estimate {}

impl SupernetTrainer {
    pub fn new(_: Arc<Space>, _: &Dataset, _: Option<&Dataset>, _: &SearchOptions) -> Result<Self> {
        Err(Error::Unsupported("a search with a supernet"))
    }

    pub fn join(&mut self, _: Arc<dyn Collective>) -> Result<()> {
        match *self {}
    }

    pub fn model(&self, _: &Architecture, _: &dyn Control) -> Result<Model> {
        match *self {}
    }
}

macro_rules! absent {
    ($trainer:ident) => {
        impl $trainer {
            pub fn estimate(&self, _: &Search, _: &dyn Control) -> Result<Estimate> {
                match *self {}
            }
        }

        impl Trainer for $trainer {
            fn steps_per_epoch(&self) -> u64 {
                match *self {}
            }

            fn steps_per_candidate(&self) -> f64 {
                match *self {}
            }

            fn begin_round(&mut self, _: u64, _: u64, _: &[Vec<u16>]) -> Result<()> {
                match *self {}
            }

            fn weight_step(&mut self, _: At, _: &[Vec<u16>], _: f64) -> Result<StepOutcome> {
                match *self {}
            }

            fn architecture_step(&mut self, _: At, _: &[Vec<u16>], _: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
                match *self {}
            }

            fn save(&self, _: &[Vec<u16>]) -> Result<Arrays> {
                match *self {}
            }

            fn restore(&mut self, _: u64, _: u64, _: &[Vec<u16>], _: &Arrays) -> Result<()> {
                match *self {}
            }

            fn data(&self) -> String {
                match *self {}
            }

            fn keep(&mut self, _: &[Vec<u16>]) -> Result<()> {
                match *self {}
            }

            fn remember(&mut self) -> Result<()> {
                match *self {}
            }

            fn compare(&self, _: &[Vec<u16>]) -> Result<Comparison> {
                match *self {}
            }

            fn score(&mut self, _: u64, _: u64, _: &[Architecture], _: &dyn Control) -> Result<Vec<f64>> {
                match *self {}
            }
        }
    };
}

absent!(SupernetTrainer);
absent!(PushTrainer);

pub enum PushTrainer {}

impl PushTrainer {
    pub fn new(_: Arc<Space>, _: &SearchOptions) -> Result<Self> {
        Err(Error::Unsupported("a search with a supernet"))
    }

    pub fn batch(&self, _: &PushedBatch) -> Result<()> {
        match *self {}
    }

    pub fn last(&self) -> LastStep {
        match *self {}
    }
}

impl BatchTrainer for PushTrainer {
    type Batch = ();

    fn hand(&mut self, (): (), _: Option<f64>) {
        match *self {}
    }

    fn calibrate(&mut self, _: &[Architecture], _: bool, (): (), _: &dyn Control) -> Result<()> {
        match *self {}
    }

    fn evaluate(&mut self, (): (), _: &dyn Control) -> Result<()> {
        match *self {}
    }
}

pub enum Model {}

fn no_training<T>() -> Result<T> {
    Err(Error::Unsupported("training a model"))
}

pub struct Lesson<'a> {
    pub space: Arc<Space>,
    pub architecture: &'a Architecture,
    pub train: &'a Dataset,
    pub held_out: Option<&'a Dataset>,
    pub init: Option<&'a Graph>,
}

impl Model {
    pub fn possible() -> Result<()> {
        no_training()
    }

    pub fn learn(_: Lesson, _: &ModelOptions, _: &dyn Control, _: &dyn Fn(&Event)) -> Result<Self> {
        no_training()
    }

    pub fn from_graph(_: &Graph, _: &str) -> Result<Self> {
        Err(Error::Unsupported("loading a model"))
    }

    pub fn card(&self) -> Card {
        match *self {}
    }

    pub fn graph(&self) -> Result<Graph> {
        match *self {}
    }

    pub fn history(&self) -> &[Epoch] {
        match *self {}
    }

    pub fn evaluate(&self, _: &Dataset, _: &dyn Control) -> Result<Evaluation> {
        match *self {}
    }

    pub fn export(&self, _: &ExportOptions) -> Result<Vec<u8>> {
        match *self {}
    }

    pub fn export_to(&self, _: &ExportOptions, _: &Path) -> Result<()> {
        match *self {}
    }
}

pub fn measure_latencies(_: &Space, _: &MeasureOptions, _: &dyn Control, _: &dyn Fn(&Event)) -> Result<LatencyTable> {
    Err(Error::Unsupported("measuring latencies"))
}

pub fn measure_network(_: Arc<Space>, _: &Architecture, _: &MeasureOptions, _: &dyn Control) -> Result<f64> {
    Err(Error::Unsupported("measuring latencies"))
}

pub enum ImageFitter {}

impl ImageFitter {
    pub fn new(_: &RestoreOptions) -> Result<Self> {
        Err(Error::Unsupported("restoring an image"))
    }
}

impl Fitter for ImageFitter {
    fn fit<'a>(&self, _: &'a Problem, _: &Plan, _: u64, _: &dyn Watch) -> Result<Gauge<'a>> {
        match *self {}
    }
}
