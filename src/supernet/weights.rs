//! The weights of the round under way.

use super::cores;
use super::network::Network;
use super::store;
use crate::error::{Error, Result};
use crate::search::Arrays;
use crate::space::Space;
use std::sync::Arc;
use tch::Device;

pub struct Weights {
    pub space: Arc<Space>,
    pub device: Device,
    network: Option<Network>,
}

impl Weights {
    /// None until a round begins.
    pub fn none(space: Arc<Space>, device: Device) -> Self {
        Weights { space, device, network: None }
    }

    pub fn network(&self) -> Result<&Network> {
        self.network.as_ref().ok_or_else(|| Error::Torch("no round has begun".into()))
    }

    /// Fresh ones for the active operators of every cell.
    pub fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        // The old weights go first: two supernets may not fit.
        self.network = None;
        let _cores = cores::take(self.device);
        self.network = Some(Network::new(self.space.clone(), active, seed, round, self.device)?);
        Ok(())
    }

    /// Weights and momenta of some operators, when all of them are there.
    pub fn of(&self, operators: &[Vec<u16>]) -> Result<Arrays> {
        let network = self.network.as_ref().ok_or_else(|| Error::NotFound("the search has no weights: no round was begun".into()))?;
        for (cell, operators) in operators.iter().enumerate() {
            if let Some(operator) = operators.iter().find(|operator| !network.has(cell, **operator)) {
                let name = self.space.cells()[cell].operators[usize::from(*operator)];
                return Err(Error::NotFound(format!("{name} of cell {cell} is not active: the search has no weights of it")));
            }
        }
        store::save(network, operators)
    }

    pub fn save(&self, active: &[Vec<u16>]) -> Result<Arrays> {
        store::save(self.network()?, active)
    }

    pub fn restore(&mut self, seed: u64, round: u64, active: &[Vec<u16>], arrays: &Arrays) -> Result<()> {
        self.begin_round(seed, round, active)?;
        store::restore(self.network()?, active, arrays)
    }
}
