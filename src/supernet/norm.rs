//! Batch normalisation whose statistics belong to a path, not to a layer: in a supernet every combination of branches has its own.

use super::whole_norm::Whole;
use crate::error::Result;
use std::cell::RefCell;
use tch::Tensor;

/// As in the published code (PyTorch's default).
pub const EPSILON: f64 = 1e-5;

/// Mean and variance of every batch-norm of one network, in the order a forward pass meets them.
pub type Statistics = Vec<(Tensor, Tensor)>;

/// What batch-norm does in one forward pass.
pub enum Norm<'a> {
    /// Normalise by the batch's own statistics.
    Batch,
    /// The same, of which every rank has a part.
    Whole(&'a Whole<'a>),
    /// As by `Batch`, and fold them into the average of the passes so far.
    Calibrate(&'a Calibration),
    /// Normalise by given statistics, which are read in order.
    Fixed(Reader<'a>),
}

/// Statistics being averaged over passes, each with weight 1 / passes: exact when there is one pass.
#[derive(Default)]
pub struct Calibration {
    passes: f64,
    state: RefCell<(Statistics, usize)>,
}

pub struct Reader<'a> {
    statistics: &'a Statistics,
    next: std::cell::Cell<usize>,
}

impl<'a> Reader<'a> {
    pub fn new(statistics: &'a Statistics) -> Self {
        Reader { statistics, next: std::cell::Cell::new(0) }
    }
}

impl Calibration {
    /// To be called before every forward pass.
    pub fn begin_pass(&mut self) {
        self.passes += 1.0;
        self.state.get_mut().1 = 0;
    }

    /// The same, to be changed apart from it.
    pub fn copy(&self) -> Result<Self> {
        let copies = self
            .state
            .borrow()
            .0
            .iter()
            .map(|(mean, var)| Ok((mean.f_detach_copy()?, var.f_detach_copy()?)))
            .collect::<Result<_>>()?;
        Ok(Calibration { passes: self.passes, state: RefCell::new((copies, 0)) })
    }

    pub fn into_statistics(self) -> Statistics {
        self.state.into_inner().0
    }
}

impl Norm<'_> {
    /// Mean and variance that the next batch-norm, whose scale is given, reads or adds to; none where the batch's are enough.
    pub fn statistics(&self, scale: &Tensor) -> Result<Option<(Tensor, Tensor)>> {
        let shared = |(mean, var): &(Tensor, Tensor)| (mean.shallow_clone(), var.shallow_clone());
        Ok(match self {
            Norm::Batch | Norm::Whole(_) => None,
            Norm::Calibrate(calibration) => {
                let (statistics, next) = &mut *calibration.state.borrow_mut();
                if *next == statistics.len() {
                    statistics.push((scale.f_zeros_like()?.f_detach()?, scale.f_ones_like()?.f_detach()?));
                }
                *next += 1;
                Some(shared(&statistics[*next - 1]))
            }
            Norm::Fixed(reader) => Some(shared(&reader.statistics[reader.next.replace(reader.next.get() + 1)])),
        })
    }

    /// Of the batch that is calibrated with, in the average so far.
    pub fn weight(&self) -> f64 {
        match self {
            Norm::Calibrate(calibration) => 1.0 / calibration.passes,
            Norm::Batch | Norm::Whole(_) | Norm::Fixed(_) => 0.0,
        }
    }

    /// Whether a batch-norm needs other ranks.
    pub fn of_all_ranks(&self) -> bool {
        matches!(self, Norm::Whole(_))
    }

    /// Batch-norm with learnt scale and shift.
    pub fn apply(&self, x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
        if let Norm::Whole(whole) = self {
            return whole.apply(x, scale, shift);
        }
        let statistics = self.statistics(scale)?;
        let (mean, var) = statistics.as_ref().map(|(mean, var)| (mean, var)).unzip();
        let training = !matches!(self, Norm::Fixed(_));
        Ok(x.f_batch_norm(Some(scale), Some(shift), mean, var, training, self.weight(), EPSILON, true)?)
    }
}
