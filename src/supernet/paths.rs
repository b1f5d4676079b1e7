//! The architecture step: the loss along one path of every cell, and how it would change with another.

use super::fused;
use super::learner::{cross_entropy, finite, weighted, Batch};
use super::network::Network;
use super::norm::Norm;
use super::tape::Tape;
use crate::arch::Paths;
use crate::error::Result;
use crate::search::{At, PathGradient, TwoPaths};
use tch::{no_grad_guard, Tensor};

/// Forward along the selected paths; the unselected ones are computed beside them without gradient, from the same input,
/// and branches that both use are computed once. The gradient of the loss at a cell's output y is all that is needed:
/// dLoss/dps = <dLoss/dy, y_selected> and dLoss/dpu = <dLoss/dy, y_unselected>. No gradient of a weight is computed.
pub fn step(
    network: &Network,
    batch: &Batch,
    at: At,
    active: &[Vec<u16>],
    paths: &[Option<TwoPaths>],
) -> Result<(f64, Vec<PathGradient>)> {
    finite(part(network, batch, active, paths, &Norm::Batch, None)?, at)
}

/// The same of a part of a batch, which has this weight in the loss: all of it without one. The loss may be no number.
pub fn part(
    network: &Network,
    (images, labels): &Batch,
    active: &[Vec<u16>],
    paths: &[Option<TwoPaths>],
    norm: &Norm,
    weight: Option<f64>,
) -> Result<(f64, Vec<PathGradient>)> {
    let _turn = network.turn(images, norm)?;
    // One path of an architecture at a time.
    let tape = network.is_row(images, Paths::single(paths.len()), norm).then(Tape::of_paths).transpose()?;
    let mut x = network.stem(images, norm)?;
    let (mut selected, mut unselected) = (Vec::new(), Vec::new());
    for (cell, paths) in paths.iter().enumerate() {
        let is_open = |gates: Option<&Vec<bool>>, i: usize| gates.is_none_or(|gates| gates[i]);
        let (s, u) = (paths.as_ref().map(|p| &p.selected), paths.as_ref().map(|p| &p.unselected));
        let open: Vec<_> = active[cell].iter().enumerate().map(|(i, o)| (*o, is_open(s, i), is_open(u, i))).collect();
        let (y, other) = network.two_paths(cell, &x, &open, norm)?;
        if tape.is_none() {
            unselected.push(other);
            selected.push(y.shallow_clone());
        }
        x = y;
    }
    let loss = weighted(cross_entropy(&network.head(&x, norm)?, labels, 0.0)?, weight)?;
    let value = loss.f_double_value(&[])?;
    if let Some(tape) = tape {
        return Ok((value, tape.products(&loss, paths.len())?));
    }
    let gradients = Tensor::f_run_backward(&[&loss], &selected, false, false)?;
    let _no_grad = no_grad_guard();
    let at_cells = gradients.iter().zip(selected.iter().zip(&unselected));
    let products = fused::dots(&at_cells.flat_map(|(gradient, (s, u))| [(gradient, s), (gradient, u)]).collect::<Vec<_>>())?;
    let pairs = products.chunks_exact(2).map(|pair| PathGradient { selected: pair[0], unselected: pair[1] });
    Ok((value, pairs.collect()))
}
