//! The weights of the round under way.

use super::cores;
use super::network::Network;
use super::options::Precision;
use super::remembered::Remembered;
use super::store;
use crate::arch::Architecture;
use crate::error::{Error, Result};
use crate::search::{Arrays, Comparison};
use crate::space::Space;
use std::sync::Arc;
use tch::Device;

pub struct Weights {
    pub space: Arc<Space>,
    pub device: Device,
    pub precision: Precision,
    network: Option<Network>,
    remembered: Option<Remembered>,
}

impl Weights {
    /// None until a round begins.
    pub fn none(space: Arc<Space>, device: Device, precision: Precision) -> Self {
        Weights { space, device, precision, network: None, remembered: None }
    }

    pub fn network(&self) -> Result<&Network> {
        self.network.as_ref().ok_or_else(nothing)
    }

    /// Fresh ones for the active operators of every cell.
    pub fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        // The old weights go first: two supernets may not fit.
        (self.network, self.remembered) = (None, None);
        let _cores = cores::take(self.device);
        let network = Network::new(self.space.clone(), active, seed, round, self.device)?;
        self.network = Some(network.with_precision(self.precision));
        Ok(())
    }

    /// The supernet, when it has all operators of `architecture`.
    pub fn of(&self, architecture: &Architecture) -> Result<&Network> {
        let network =
            self.network.as_ref().ok_or_else(|| Error::NotFound("the search has no weights: no round was begun".into()))?;
        for (cell, operators) in architecture.by_cell() {
            if let Some(operator) = operators.iter().find(|operator| !network.has(cell, **operator)) {
                let name = self.space.cells()[cell].operators[usize::from(*operator)];
                return Err(Error::NotFound(format!("{name} of cell {cell} is not active: the search has no weights of it")));
            }
        }
        Ok(network)
    }

    /// Goes on with these operators.
    pub fn keep(&mut self, active: &[Vec<u16>]) -> Result<()> {
        let network = self.network.as_mut().ok_or_else(nothing)?;
        network.keep(active);
        if let Some(remembered) = &mut self.remembered {
            remembered.keep(network, active);
        }
        Ok(())
    }

    /// The weights of now are what later ones are compared with.
    pub fn remember(&mut self) -> Result<()> {
        let network = self.network()?;
        self.remembered = Some(Remembered::of(network, &network.operators())?);
        Ok(())
    }

    pub fn compare(&self, active: &[Vec<u16>]) -> Result<Comparison> {
        let _cores = cores::take(self.device);
        let remembered = self.remembered.as_ref().ok_or_else(|| Error::NotFound("no weights were remembered".into()))?;
        remembered.compare(self.network()?, active)
    }

    pub fn save(&self, active: &[Vec<u16>]) -> Result<Arrays> {
        let network = self.network()?;
        let mut arrays = store::save(network, active)?;
        if let Some(remembered) = &self.remembered {
            arrays.extend(remembered.save(network, active)?);
        }
        Ok(arrays)
    }

    pub fn restore(&mut self, seed: u64, round: u64, active: &[Vec<u16>], arrays: &Arrays) -> Result<()> {
        self.begin_round(seed, round, active)?;
        let network = self.network()?;
        let remembered = Remembered::restore(network, active, arrays)?;
        store::restore(network, active, arrays, |name| !Remembered::is_name(name))?;
        self.remembered = remembered;
        Ok(())
    }
}

fn nothing() -> Error {
    Error::Torch("no round has begun".into())
}
