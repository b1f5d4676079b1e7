//! What a pass needs until it ends: cores, and its arithmetic.

use super::cores::{self, Cores};
use super::options::Precision;
use super::shim::BFloat16;
use crate::error::Result;
use tch::Device;

#[must_use]
pub struct Turn {
    // In this order: who comes next finds the thread as it was.
    _low: Option<BFloat16>,
    _cores: Cores,
}

impl Turn {
    /// `own`: whether our kernels compute nearly all of it; then with threads of their own.
    pub fn begin(device: Device, own: bool, precision: Precision) -> Result<Self> {
        let cores = if own { cores::take_own(device) } else { cores::take(device) };
        let low = (precision == Precision::BFloat16).then(|| BFloat16::on(device)).transpose()?;
        Ok(Turn { _low: low, _cores: cores })
    }
}
