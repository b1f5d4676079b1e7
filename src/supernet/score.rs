//! Scoring without training: batch-norm statistics of one path from training images, then loss and accuracy on other images.

use super::cores;
use super::learner::{correct, cross_entropy, Loader};
use super::network::Network;
use super::norm::{Calibration, Norm, Reader, Statistics};
use crate::error::{Error, Result};
use crate::search::Control;
use tch::no_grad_guard;

/// Re-calibrates batch-norm for a path on all images of `loader`, `batch` at a time.
pub fn calibrate(
    network: &Network,
    open: &[Vec<u16>],
    loader: &mut Loader,
    batch: usize,
    control: &dyn Control,
) -> Result<Statistics> {
    let _no_grad = no_grad_guard();
    let mut calibration = Calibration::default();
    for positions in passes(loader.dataset.len(), batch) {
        if control.cancelled() {
            return Err(Error::Cancelled);
        }
        let (images, _) = loader.load(&positions, None)?;
        let _cores = cores::take(images.device());
        calibration.begin_pass();
        let _logits = network.forward(&images, open, &Norm::Calibrate(&calibration))?;
    }
    Ok(calibration.into_statistics())
}

/// Mean loss and top-1 accuracy over all images of `loader`.
pub fn evaluate(
    network: &Network,
    open: &[Vec<u16>],
    statistics: &Statistics,
    loader: &mut Loader,
    batch: usize,
    control: &dyn Control,
) -> Result<(f64, f64)> {
    let _no_grad = no_grad_guard();
    let count = loader.dataset.len();
    let (mut loss, mut right) = (0.0, 0);
    for positions in passes(count, batch) {
        if control.cancelled() {
            return Err(Error::Cancelled);
        }
        let (images, labels) = loader.load(&positions, None)?;
        let _cores = cores::take(images.device());
        let logits = network.forward(&images, open, &Norm::Fixed(Reader::new(statistics)))?;
        loss += cross_entropy(&logits, &labels, 0.0)?.f_double_value(&[])? * positions.len() as f64;
        right += correct(&logits, &labels)?;
    }
    Ok((loss / count as f64, right as f64 / count as f64))
}

/// 0..count in groups of about equal size, none larger than `batch`: a lone last image would have no statistics.
fn passes(count: usize, batch: usize) -> impl Iterator<Item = Vec<u32>> {
    let groups = count.div_ceil(batch.max(1)).max(1);
    (0..groups).map(move |g| ((g * count / groups) as u32..((g + 1) * count / groups) as u32).collect())
}
