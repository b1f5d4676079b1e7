//! The transport of a group of one rank: what it would compute is there already.

use super::Transport;
use crate::error::Result;

pub struct Alone;

impl Transport for Alone {
    fn sum(&mut self, _: &mut [i64]) -> Result<()> {
        Ok(())
    }

    fn max(&mut self, _: &mut [f64]) -> Result<()> {
        Ok(())
    }

    fn broadcast(&mut self, _: &mut [u8]) -> Result<()> {
        Ok(())
    }

    fn gather(&mut self, own: &[u8], all: &mut [u8]) -> Result<()> {
        all.copy_from_slice(own);
        Ok(())
    }

    fn barrier(&mut self) -> Result<()> {
        Ok(())
    }
}
