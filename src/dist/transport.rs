//! What moves numbers from rank to rank. Every call is made on all ranks, with as much on each, and returns when its result is there.

use crate::error::Result;

/// Lives on one thread, and is not used any more after an error.
pub trait Transport {
    /// Every number becomes the sum over all ranks, which fits.
    fn sum(&mut self, numbers: &mut [i64]) -> Result<()>;

    /// Every number becomes the greatest over all ranks. Infinities are numbers too; none is NaN.
    fn max(&mut self, numbers: &mut [f64]) -> Result<()>;

    /// All bytes become those of rank 0.
    fn broadcast(&mut self, bytes: &mut [u8]) -> Result<()>;

    /// `all` becomes what every rank has as `own`, in order.
    fn gather(&mut self, own: &[u8], all: &mut [u8]) -> Result<()>;

    /// Returns when all ranks are here.
    fn barrier(&mut self) -> Result<()>;

    /// See [`crate::search::Collective::draw`]. With `anew` all ranks make it, as every other call; without, whoever wants a number.
    fn draw(&mut self, _anew: bool) -> Result<Option<u64>> {
        Ok(None)
    }
}
