//! What a run needs from the processes that share it. All of them, its ranks, hold the same search and call the same things in the
//! same order; each call waits for all.

use crate::error::{Error, Result};
use std::time::Instant;

pub trait Collective: Send + Sync {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    fn size(&self) -> usize;

    /// Of every number the sum over all ranks. Whole numbers, so that no order of adding shows in it.
    fn sum(&self, numbers: Vec<i64>) -> Result<Vec<i64>>;

    /// Of every number the greatest over all ranks. None is NaN.
    fn max(&self, numbers: Vec<f64>) -> Result<Vec<f64>>;

    /// The bytes of rank 0; all ranks bring as many.
    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;

    /// The bytes of every rank, in order; all bring as many.
    fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>>;

    fn barrier(&self) -> Result<()>;

    /// The next number, from 0, of a count that all ranks share: whoever asks has it alone, and nobody is waited for. `anew`: of another count,
    /// which every rank must begin once, as soon as all have what they want of the one before. None, on all ranks: there is
    /// no such count.
    fn draw(&self, _anew: bool) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Why what all ranks began then, by other means than these, is not waited for any more: a time limit is over, or nothing goes any more.
    fn late(&self, _begun: Instant) -> Option<String> {
        None
    }

    /// What all ranks do by other means than these failed on this one: nothing goes any more, and the others are not to wait for it.
    fn fail(&self, what: &'static str, reason: String) -> Error {
        Error::Collective { rank: self.rank(), size: self.size(), what, reason }
    }
}

/// One process: nobody is waited for.
pub struct Solo;

impl Collective for Solo {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, numbers: Vec<i64>) -> Result<Vec<i64>> {
        Ok(numbers)
    }

    fn max(&self, numbers: Vec<f64>) -> Result<Vec<f64>> {
        Ok(numbers)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(bytes)
    }

    fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        Ok(vec![bytes])
    }

    fn barrier(&self) -> Result<()> {
        Ok(())
    }
}
