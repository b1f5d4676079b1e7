//! A search inside somebody else's training loop: the host gives one batch at a time, and hears what the search wants next.
//!
//! A round is so many epochs of the host (option train.epochs), each ended by the host, with architecture steps in between; then
//! the candidates are calibrated and evaluated together, batch by batch.

use super::engine::{Phase, Search};
use super::observe::{Control, Observer};
use super::trainer::Trainer;
use crate::arch::Architecture;
use crate::error::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Of a search into which batches are pushed; the other options about data (train.batch, train.augment, score.batch, held_out) are
/// the host's business then, and train.epochs is rounded up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PushedOptions {
    /// Weight steps that the host makes per epoch, for the schedule of the learning rate. Default: not known, and every batch of a
    /// weight step comes with its learning rate.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub steps_per_epoch: Option<u64>,
}

/// What a batch is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Training images for an optimizer step of the supernet.
    Weight,
    /// Held-out images for a step of the fitness.
    Architecture,
    /// Training images for the batch-norm statistics of the candidates.
    Calibrate,
    /// Held-out images for the accuracy of the candidates.
    Evaluate,
    /// The search is complete.
    Nothing,
}

/// What the host gives.
pub enum Given<B> {
    /// A batch of so many images, with a learning rate of the host's if it has one.
    Batch { wanted: Wanted, images: u64, lr: Option<f64>, batch: B },
    /// There are no more images for what they were for: the end of an epoch, of the calibration or of the evaluation.
    End,
}

/// What became of the last batch; NaN where there is nothing to say.
#[derive(Clone, Copy, Debug)]
pub struct LastStep {
    pub loss: f64,
    pub accuracy: f64,
    pub lr: f64,
}

impl LastStep {
    pub const NONE: LastStep = LastStep { loss: f64::NAN, accuracy: f64::NAN, lr: f64::NAN };
}

/// A trainer that is given its images.
pub trait BatchTrainer: Trainer {
    type Batch;

    /// The batch of the next step of either kind, and the learning rate that the host wants for it.
    fn hand(&mut self, batch: Self::Batch, lr: Option<f64>);

    /// Takes one batch into the batch-norm statistics of every candidate; what was there is forgotten with the `first`. After an
    /// error the batch has not been.
    fn calibrate(&mut self, candidates: &[Architecture], first: bool, batch: Self::Batch, control: &dyn Control) -> Result<()>;

    /// Counts what every calibrated candidate classifies correctly. After an error the batch has not been.
    /// [`Trainer::score`] then gives the accuracies.
    fn evaluate(&mut self, batch: Self::Batch, control: &dyn Control) -> Result<()>;
}

/// Where in its round a search is: the epoch under way, from 1, of so many, and the weight steps made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub epoch: u64,
    pub epochs: u64,
    pub step: u64,
}

/// How far candidates are scored. A search that is read back begins to score again.
#[derive(Clone, Copy, Default)]
pub(super) struct Pass {
    /// Images so far.
    calibrated: u64,
    evaluated: u64,
    /// No more images are wanted for the statistics.
    closed: bool,
}

impl Search {
    /// What the search wants next.
    pub fn wanted(&self) -> Wanted {
        match self.run.phase {
            Phase::Ask { .. } | Phase::Done => Wanted::Nothing,
            Phase::Begin | Phase::Train { weights: false, .. } => Wanted::Weight,
            Phase::Train { weights: true, .. } => Wanted::Architecture,
            // Nothing is tried in a search that keeps no images.
            Phase::Weigh { .. } | Phase::Try { .. } | Phase::Sample => Wanted::Calibrate,
            Phase::Score { .. } if self.pass.closed => Wanted::Evaluate,
            Phase::Score { .. } => Wanted::Calibrate,
        }
    }

    /// One piece of work. After an error nothing has happened, and the same can be given again.
    pub fn push<T: BatchTrainer>(&mut self, given: Given<T::Batch>, trainer: &mut T, observer: &dyn Observer) -> Result<()> {
        match given {
            Given::End => self.end(trainer, observer),
            Given::Batch { wanted, images, lr, batch } => {
                self.allows(wanted, lr)?;
                self.take(images, lr, batch, trainer, observer)
            }
        }
    }

    /// Whether a batch for this may be given now, with or without a learning rate.
    pub fn allows(&self, wanted: Wanted, lr: Option<f64>) -> Result<()> {
        let wrong = |reason: String| Err(Error::Argument { name: "batch", reason });
        if wanted != self.wanted() {
            return wrong(format!("a batch for {} was given, {} comes next", name(wanted), name(self.wanted())));
        }
        if wanted == Wanted::Weight && lr.is_none() && self.options.pushed.steps_per_epoch.is_none() {
            return wrong("lr must be given, for the option pushed.steps_per_epoch is not".into());
        }
        Ok(())
    }

    /// Where in its round the search is.
    pub fn place(&self) -> Place {
        let (epochs, ended) = (self.whole_epochs(self.run.round), self.run.epochs_ended.unwrap_or(0));
        match self.run.phase {
            Phase::Begin | Phase::Ask { .. } | Phase::Done => Place { epoch: 1, epochs, step: 0 },
            Phase::Train { step, weights } => Place { epoch: ended + 1, epochs, step: step + u64::from(weights) },
            Phase::Weigh { .. } | Phase::Try { .. } | Phase::Sample | Phase::Score { .. } => {
                Place { epoch: epochs, epochs, step: self.run.steps }
            }
        }
    }

    fn take<T: BatchTrainer>(
        &mut self,
        images: u64,
        lr: Option<f64>,
        batch: T::Batch,
        trainer: &mut T,
        observer: &dyn Observer,
    ) -> Result<()> {
        match self.wanted() {
            Wanted::Weight => {
                if matches!(self.run.phase, Phase::Begin) {
                    self.run.epochs_ended = Some(0);
                    self.piece(trainer, observer)?;
                }
                trainer.hand(batch, lr);
                self.piece(trainer, observer)
            }
            Wanted::Architecture => {
                trainer.hand(batch, None);
                self.piece(trainer, observer)
            }
            Wanted::Calibrate => {
                self.draw(trainer, observer)?;
                if self.wanted() != Wanted::Calibrate {
                    // The round has no candidates, and is over.
                    return Ok(());
                }
                trainer.calibrate(self.unscored(), self.pass.calibrated == 0, batch, observer)?;
                self.pass.calibrated += images;
                self.pass.closed = self.pass.calibrated >= self.options.score.calibration as u64;
                Ok(())
            }
            Wanted::Evaluate => {
                trainer.evaluate(batch, observer)?;
                self.pass.evaluated += images;
                match self.options.score.images {
                    Some(wanted) if self.pass.evaluated >= wanted as u64 => self.end_round(trainer, observer),
                    _ => Ok(()),
                }
            }
            Wanted::Nothing => Ok(()),
        }
    }

    fn end<T: BatchTrainer>(&mut self, trainer: &mut T, observer: &dyn Observer) -> Result<()> {
        let wrong = |reason: &str| Err(Error::Argument { name: "batch", reason: reason.into() });
        match (&self.run.phase, self.wanted()) {
            (Phase::Train { step, weights: false }, _) => {
                let (step, ended) = (*step, self.run.epochs_ended.unwrap_or(0));
                if step == self.run.epoch_began {
                    return wrong("the end of an epoch without a step");
                }
                (self.run.epochs_ended, self.run.epoch_began) = (Some(ended + 1), step);
                if ended + 1 == self.whole_epochs(self.run.round) {
                    self.run.steps = step;
                    self.run.phase = self.trained();
                    self.draw(trainer, observer)?;
                }
                Ok(())
            }
            (_, Wanted::Calibrate) if self.pass.calibrated > 0 => {
                self.pass.closed = true;
                Ok(())
            }
            (_, Wanted::Evaluate) if self.pass.evaluated > 0 => self.end_round(trainer, observer),
            (_, wanted) => wrong(&format!("the end was given, and {} comes next", name(wanted))),
        }
    }

    /// The scores of the operators and the candidates, once training is over.
    fn draw<T: BatchTrainer>(&mut self, trainer: &mut T, observer: &dyn Observer) -> Result<()> {
        while matches!(self.run.phase, Phase::Weigh { .. } | Phase::Sample) {
            self.pass = Pass::default();
            self.piece(trainer, observer)?;
        }
        Ok(())
    }

    /// Candidates that have no accuracy yet.
    fn unscored(&self) -> &[Architecture] {
        match &self.run.phase {
            Phase::Score { candidates, accuracies, .. } => &candidates[accuracies.len()..],
            _ => &[],
        }
    }

    fn end_round<T: BatchTrainer>(&mut self, trainer: &mut T, observer: &dyn Observer) -> Result<()> {
        while matches!(self.run.phase, Phase::Score { .. }) {
            self.piece(trainer, observer)?;
        }
        self.pass = Pass::default();
        Ok(())
    }
}

fn name(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Weight => "a weight step",
        Wanted::Architecture => "an architecture step",
        Wanted::Calibrate => "the calibration",
        Wanted::Evaluate => "the evaluation",
        Wanted::Nothing => "nothing",
    }
}
