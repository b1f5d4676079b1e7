//! The trainer of a search that is told its results: it has no weights and no images, and nothing is asked of it but its name.

use super::fitness::TwoPaths;
use super::observe::Control;
use super::trainer::{Arrays, At, Comparison, PathGradient, StepOutcome, Trainer};
use crate::arch::Architecture;
use crate::error::{Error, Result};

pub struct Elsewhere;

fn nothing<T>() -> Result<T> {
    Err(Error::Argument { name: "trainer", reason: "candidates of this search are evaluated elsewhere".into() })
}

impl Trainer for Elsewhere {
    fn steps_per_epoch(&self) -> u64 {
        1
    }

    fn steps_per_candidate(&self) -> f64 {
        0.0
    }

    fn begin_round(&mut self, _: u64, _: u64, _: &[Vec<u16>]) -> Result<()> {
        nothing()
    }

    fn weight_step(&mut self, _: At, _: &[Vec<u16>], _: f64) -> Result<StepOutcome> {
        nothing()
    }

    fn architecture_step(&mut self, _: At, _: &[Vec<u16>], _: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        nothing()
    }

    fn save(&self, _: &[Vec<u16>]) -> Result<Arrays> {
        Ok(Arrays::new())
    }

    fn restore(&mut self, _: u64, _: u64, _: &[Vec<u16>], _: &Arrays) -> Result<()> {
        Ok(())
    }

    fn keep(&mut self, _: &[Vec<u16>]) -> Result<()> {
        nothing()
    }

    fn remember(&mut self) -> Result<()> {
        nothing()
    }

    fn compare(&self, _: &[Vec<u16>]) -> Result<Comparison> {
        nothing()
    }

    fn data(&self) -> String {
        "told".into()
    }

    fn score(&mut self, _: u64, _: u64, _: &[Architecture], _: &dyn Control) -> Result<Vec<f64>> {
        nothing()
    }
}
