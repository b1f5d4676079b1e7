//! What a search needs from whoever holds the weights. The search decides every number (gates, learning rate, which batch);
//! the trainer only computes.

use super::fitness::TwoPaths;
use super::mixture::{Blend, BlendGradient};
use super::observe::Control;
use super::schedule::Schedule;
use super::scorer::Difference;
use crate::arch::Architecture;
use crate::error::{Error, Result};
use crate::space::Space;
use std::collections::BTreeMap;
use std::ops::Add;
use std::sync::Arc;

/// Where in a run something happens; names the random streams and the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub seed: u64,
    pub round: u64,
    /// Optimizer step within the round, from 0.
    pub step: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepOutcome {
    /// Mean loss of the batch.
    pub loss: f64,
    /// Images classified correctly, and images seen.
    pub correct: u64,
    pub images: u64,
}

/// What is known of a candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Judged {
    /// 0 to 1; of an ensemble, by the mean of the logits of its paths.
    pub accuracy: f64,
    /// 0 for a single network, and where nobody asked.
    pub diversity: f64,
}

/// dLoss/dps and dLoss/dpu of one cell: the inner products of the loss gradient at the cell's output with the two paths' outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PathGradient {
    pub selected: f64,
    pub unselected: f64,
}

/// Numbers with a shape, row-major: what a trainer puts into a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

pub type Arrays = BTreeMap<String, Array>;

/// Inner products of two weight vectors: those of then, V0, and those of now, V.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Products {
    /// <V0, V>
    pub both: f64,
    /// <V0, V0>
    pub then: f64,
    /// <V, V>
    pub now: f64,
}

impl Products {
    /// Of weights that are the same then and now, with this sum of squares.
    pub fn constant(squares: f64) -> Self {
        Products { both: squares, then: squares, now: squares }
    }

    /// Of so many copies behind each other.
    pub fn times(self, count: f64) -> Self {
        Products { both: self.both * count, then: self.then * count, now: self.now * count }
    }

    /// arccos(<V0, V> / (|V0| |V|)), from 0 to pi; 0 for a vector without length.
    pub fn angle(&self) -> f64 {
        let lengths = self.then.sqrt() * self.now.sqrt();
        if lengths > 0.0 {
            (self.both / lengths).clamp(-1.0, 1.0).acos()
        } else {
            0.0
        }
    }
}

/// Of two vectors behind each other.
impl Add for Products {
    type Output = Products;
    fn add(self, other: Products) -> Products {
        Products { both: self.both + other.both, then: self.then + other.then, now: self.now + other.now }
    }
}

/// Of a part of a network: its kernels (and the weight of a linear layer), and scale and shift of its first two batch-norms.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    pub kernels: Products,
    pub norms: Products,
}

/// What training has done to the weights since [`Trainer::remember`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Stem, tail and classifier, and what lies between stacked cells.
    pub ends: Products,
    /// Of every active operator of every cell.
    pub cells: Vec<BTreeMap<u16, Parts>>,
}

/// How a piece of work ended.
#[derive(Debug)]
pub enum Ended {
    /// `stop`: whoever watches wants no more.
    Done {
        stop: bool,
    },
    /// Done, but it could not be written down.
    Unsaved(Error),
    Failed(Error),
}

pub trait Trainer {
    /// Candidates that are scored at a time: a cancel loses at most the scores of one such group.
    fn group(&self) -> usize {
        super::GROUP
    }

    /// Whether nobody else trains the same weights.
    fn alone(&self) -> bool {
        true
    }

    /// Called at the beginning of every [`super::Search::step`] and at the end of every piece of its work. Where others train the same
    /// weights, it waits for all of them, and fails on all when it failed on one. True: somebody wants to stop. `place`: below 2^52,
    /// another for every place in a search where this can be.
    fn agree(&mut self, _place: u64, ended: Ended) -> Result<bool> {
        match ended {
            Ended::Done { stop } => Ok(stop),
            Ended::Unsaved(error) | Ended::Failed(error) => Err(error),
        }
    }

    /// Optimizer steps per epoch over the training images.
    fn steps_per_epoch(&self) -> u64;

    /// About how many optimizer steps take as long as scoring one candidate; only for the estimate of the time left.
    fn steps_per_candidate(&self) -> f64;

    /// The next round is of this space. Another one than the search's only where cells grow.
    fn enter(&mut self, _space: &Arc<Space>) -> Result<()> {
        Ok(())
    }

    /// Fresh weights for the active operators of every cell; the weights of the round before are forgotten.
    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()>;

    /// One optimizer step on the training images, with the given operators open. A loss that is not finite is
    /// [`crate::Error::Diverged`], and the weights are those before the step.
    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome>;

    /// The same along all paths of an ensemble at once: the loss is the sum over its paths, each with the shared weights of its
    /// operators, and the gradient that enters what they share is divided by their number.
    fn ensemble_step(&mut self, _at: At, _ensemble: &Architecture, _lr: f64) -> Result<StepOutcome> {
        Err(Error::Unsupported("a step of several paths, by this trainer"))
    }

    /// Loss and path gradients on held-out images; changes no weight. `paths[cell]` is parallel to `active[cell]`; a cell
    /// without two different paths is None and keeps all its active operators open.
    fn architecture_step(&mut self, at: At, active: &[Vec<u16>], paths: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)>;

    /// One optimizer step on the training images in which all operators of every cell run at once: what comes of a cell is the sum of what it would
    /// give with each of its choices alone, times its share.
    fn mixed_step(&mut self, _at: At, _blends: &[Blend], _lr: f64) -> Result<StepOutcome> {
        Err(Error::Unsupported("a step of all operators at once, by this trainer"))
    }

    /// Loss on held-out images of the same pass, and its gradients in the shares; changes no weight.
    fn mixture_step(&mut self, _at: At, _blends: &[Blend]) -> Result<(f64, Vec<BlendGradient>)> {
        Err(Error::Unsupported("a step of all operators at once, by this trainer"))
    }

    /// Held-out accuracy, 0 to 1, of a network that begins with the shared weights and is then trained by itself; these stay as they are. `at.round`
    /// names the training, which has as many steps as `schedule`. `real`: with real weights where they are binary. May stop early, with
    /// [`crate::Error::Cancelled`], when `control` says so.
    fn rehearse(
        &mut self,
        _at: At,
        _network: &Architecture,
        _schedule: Schedule,
        _real: bool,
        _control: &dyn Control,
    ) -> Result<f64> {
        Err(Error::Unsupported("the training of a sampled network, by this trainer"))
    }

    /// Weights and optimizer state of the round under way, for the `active` operators of every cell; they have stable names.
    fn save(&self, active: &[Vec<u16>]) -> Result<Arrays>;

    /// Puts back what [`Trainer::save`] gave in the same round, for the same `active` operators. Fails when a name or a shape is
    /// not what it should be.
    fn restore(&mut self, seed: u64, round: u64, active: &[Vec<u16>], arrays: &Arrays) -> Result<()>;

    /// A name of the data that two trainers share only when they train and score on the same images.
    fn data(&self) -> String;

    /// Held-out accuracy, 0 to 1, of each candidate with its own batch-norm statistics. May stop early, with
    /// [`crate::Error::Cancelled`], when `control` says so.
    fn score(&mut self, seed: u64, round: u64, candidates: &[Architecture], control: &dyn Control) -> Result<Vec<f64>>;

    /// The same, and how different the paths of ensembles are.
    fn judge(
        &mut self,
        seed: u64,
        round: u64,
        candidates: &[Architecture],
        difference: Option<Difference>,
        control: &dyn Control,
    ) -> Result<Vec<Judged>> {
        match difference {
            None => {
                let judged = |accuracy| Judged { accuracy, diversity: 0.0 };
                Ok(self.score(seed, round, candidates, control)?.into_iter().map(judged).collect())
            }
            Some(_) => Err(Error::Unsupported("telling paths apart, by this trainer")),
        }
    }

    /// The next round goes on with the weights and momenta of the `active` operators; those of others are forgotten.
    fn keep(&mut self, active: &[Vec<u16>]) -> Result<()>;

    /// The weights of now are those that later ones are compared with, until the next round with fresh ones. They are part of what
    /// [`Trainer::save`] gives.
    fn remember(&mut self) -> Result<()>;

    /// The weights of the `active` operators against those that were remembered.
    fn compare(&self, active: &[Vec<u16>]) -> Result<Comparison>;
}
