//! Fitting one network to the image: who does it, what it says while it does, and what becomes of it.

use super::plan::Plan;
use super::problem::Problem;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Fits networks; several threads may ask at once.
pub trait Fitter: Sync {
    /// Fits the network of `plan` with the noise and weights of number `repeat`. A loss that is not a number ends it early, and is no
    /// error. The same problem, plan and number give the same bits.
    fn fit<'a>(&self, problem: &'a Problem, plan: &Plan, repeat: u64, watch: &dyn Watch) -> Result<Gauge<'a>>;
}

/// Asked and told between two steps.
pub trait Watch {
    fn cancelled(&self) -> bool;

    /// `step` steps are done, the last with this loss; `fitness` is the best so far.
    fn step(&self, step: u64, loss: f64, fitness: Option<f64>);
}

/// What became of a fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// In decibels; none when the loss was no number before the first look.
    pub fitness: Option<f64>,
    /// The step behind which it was so good.
    pub best_step: u64,
    /// Steps that were made.
    pub steps: u64,
    /// Whether the loss became something that is not a number. What was best before counts.
    pub diverged: bool,
    /// Of the restored image to the reference, if there is one.
    pub psnr: Option<f64>,
    pub ssim: Option<f64>,
}

/// Keeps the best output of a fit.
pub struct Gauge<'a> {
    problem: &'a Problem,
    best: Option<f64>,
    best_step: u64,
    steps: u64,
    diverged: bool,
    output: Vec<f32>,
}

impl<'a> Gauge<'a> {
    pub fn new(problem: &'a Problem) -> Self {
        Gauge { problem, best: None, best_step: 0, steps: 0, diverged: false, output: Vec::new() }
    }

    pub fn fitness(&self) -> Option<f64> {
        self.best
    }

    /// Whether the output behind so many steps is to be looked at.
    pub fn due(&self, step: u64) -> bool {
        step % self.problem.options.train.every == 0 || step == self.problem.options.train.iterations
    }

    /// Looks at an output, planes of the size of the restored image. Whether the fit is to end.
    pub fn look(&mut self, step: u64, output: Vec<f32>) -> bool {
        let fitness = self.problem.fitness(&output);
        if fitness.is_finite() && self.best.is_none_or(|best| fitness > best) {
            (self.best, self.best_step, self.output) = (Some(fitness), step, output);
        }
        self.problem.options.train.patience.is_some_and(|patience| step - self.best_step >= patience)
    }

    /// So many steps are made, and no more will be.
    pub fn end(mut self, steps: u64, diverged: bool) -> Self {
        (self.steps, self.diverged) = (steps, diverged);
        self
    }

    /// The restored image, if there is one, and what there is to say of it.
    pub fn fit(self) -> Result<(Option<super::Picture>, Fit)> {
        let Gauge { problem, best: fitness, best_step, steps, diverged, output } = self;
        let image = fitness.map(|_| problem.restored(output)).transpose()?;
        let (mut psnr, mut ssim) = (None, None);
        if let (Some(image), Some(reference)) = (&image, &problem.reference) {
            psnr = Some(super::psnr(image, reference)?).filter(|psnr| psnr.is_finite());
            ssim = super::ssim(image, reference)?;
        }
        Ok((image, Fit { fitness, best_step, steps, diverged, psnr, ssim }))
    }
}
