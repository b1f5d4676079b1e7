//! What a run needs from the processes that share it. All of them, its ranks, hold the same search and call the same things in the
//! same order; each call waits for all.

use crate::error::Result;

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
