//! Batch-norm as a network trained alone has it: running statistics, that belong to a layer and not to a path. The library's supernet keeps
//! none, because every path has its own; here they are kept beside it, to see what they are worth.

use crate::Outcome;
use nse::search::{Arrays, At, Augment, Purpose, Stream};
use nse::space::Space;
use nse::supernet::learner::Loader;
use nse::supernet::network::Network;
use nse::supernet::norm::{Calibration, Norm, Statistics};
use nse::supernet::store;
use std::collections::BTreeMap;
use std::sync::Arc;
use tch::{no_grad, Device};

/// PyTorch's default.
const MOMENTUM: f64 = 0.1;

pub struct Running {
    /// A copy of the supernet, of which a pass uses the open path.
    copy: Network,
    stem: Statistics,
    branches: BTreeMap<(usize, u16), Statistics>,
    tail: Statistics,
}

impl Running {
    pub fn new(space: &Arc<Space>, operators: &[Vec<u16>]) -> Outcome<Self> {
        let copy = Network::new(space.clone(), operators, 0, 0, Device::Cpu)?;
        Ok(Running { copy, stem: Statistics::new(), branches: BTreeMap::new(), tail: Statistics::new() })
    }

    /// Of a pass over the batch of a step, with the weights before it.
    pub fn see(
        &mut self,
        loader: &mut Loader,
        at: At,
        augment: Augment,
        positions: &[u32],
        open: &[Vec<u16>],
        weights: &Arrays,
    ) -> nse::Result<()> {
        self.with(weights, open)?;
        let stream = Stream::new(at.seed, Purpose::Augment, at.round, at.step);
        let (images, _) = loader.load(positions, Some((augment.into(), stream)))?;
        let mut pass = Calibration::default();
        pass.begin_pass();
        let _logits = no_grad(|| self.copy.forward(&images, open, &Norm::Calibrate(&pass)))?;
        let mut batch = pass.into_statistics().into_iter();
        let chain = self.copy.chain()?;
        average(&mut self.stem, batch.by_ref().take(usize::from(chain.stem.norm.is_some())));
        for (cell, open) in open.iter().enumerate() {
            for operator in open {
                let count = self.copy.units(cell, *operator).iter().filter(|unit| unit.norm.is_some()).count();
                average(self.branches.entry((cell, *operator)).or_default(), batch.by_ref().take(count));
            }
        }
        average(&mut self.tail, batch.take(usize::from(chain.tail.norm.is_some())));
        Ok(())
    }

    /// The copy, with weights of the open path.
    pub fn with(&self, weights: &Arrays, open: &[Vec<u16>]) -> nse::Result<&Network> {
        store::overwrite_values(&self.copy, open, weights)?;
        Ok(&self.copy)
    }

    /// In the order of a forward pass.
    pub fn of(&self, open: &[Vec<u16>]) -> Statistics {
        let branches =
            open.iter().enumerate().flat_map(|(cell, open)| open.iter().filter_map(move |o| self.branches.get(&(cell, *o))));
        let parts = std::iter::once(&self.stem).chain(branches).chain([&self.tail]);
        parts.flatten().map(|(mean, var)| (mean.shallow_clone(), var.shallow_clone())).collect()
    }
}

/// Those of the first pass start from mean 0 and variance 1.
fn average(running: &mut Statistics, batch: impl Iterator<Item = (tch::Tensor, tch::Tensor)>) {
    for (i, (mean, var)) in batch.enumerate() {
        if i == running.len() {
            running.push((mean.zeros_like(), var.ones_like()));
        }
        let (old_mean, old_var) = &running[i];
        running[i] = (old_mean * (1.0 - MOMENTUM) + mean * MOMENTUM, old_var * (1.0 - MOMENTUM) + var * MOMENTUM);
    }
}
