//! Stands in for the supernet in a build without libtorch: the same names, types that no value can have, and "unsupported" from
//! everything that would make one.

#[path = "measure_options.rs"]
mod measure_options;
#[path = "options.rs"]
mod options;

pub use measure_options::MeasureOptions;
pub use options::{Evaluation, ModelOptions};

use crate::arch::Architecture;
use crate::cost::LatencyTable;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::search::{Arrays, At, Control, Event, PathGradient, SearchOptions, StepOutcome, Trainer, TwoPaths};
use crate::space::Space;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

pub fn runtime_info() -> Value {
    Value::Null
}

/// There is nothing that could be tired.
pub fn rest() {}

pub enum SupernetTrainer {}

impl SupernetTrainer {
    pub fn new(_: Arc<Space>, _: &Dataset, _: Option<&Dataset>, _: &SearchOptions) -> Result<Self> {
        Err(Error::Unsupported("a search with a supernet"))
    }
}

impl Trainer for SupernetTrainer {
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

    fn score(&mut self, _: u64, _: u64, _: &[Architecture], _: &dyn Control) -> Result<Vec<f64>> {
        match *self {}
    }
}

pub enum Model {}

impl Model {
    pub fn train(
        _: Arc<Space>,
        _: &Architecture,
        _: &Dataset,
        _: &ModelOptions,
        _: &dyn Control,
        _: &dyn Fn(&Event),
    ) -> Result<Self> {
        Err(Error::Unsupported("training a model"))
    }

    pub fn evaluate(&self, _: &Dataset, _: &dyn Control) -> Result<Evaluation> {
        match *self {}
    }

    pub fn export_torchscript(&self, _: &Path) -> Result<()> {
        match *self {}
    }
}

pub fn measure_latencies(_: &Space, _: &MeasureOptions, _: &dyn Control, _: &dyn Fn(&Event)) -> Result<LatencyTable> {
    Err(Error::Unsupported("measuring latencies"))
}
