//! Scoring without training: batch-norm statistics of one path from training images, then loss and accuracy on other images. Several candidates
//! are scored in one pass over the images: what they have in common from the stem on is computed once, and so is a branch that several of
//! them put behind the same beginning.

use super::ensemble::mean;
use super::learner::{correct, cross_entropy, Loader};
use super::network::Network;
use super::norm::{Calibration, Norm, Reader, Statistics};
use crate::arch::Architecture;
use crate::error::{Error, Result};
use crate::search::{Control, Difference, Judged};
use std::collections::BTreeMap;
use tch::{no_grad_guard, Device, Kind, Tensor};

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
        let _turn = network.turn(&images, &Norm::Batch)?;
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
        let _turn = network.turn(&images, &Norm::Batch)?;
        let logits = network.forward(&images, open, &Norm::Fixed(Reader::new(statistics)))?;
        loss += cross_entropy(&logits, &labels, 0.0)?.f_double_value(&[])? * positions.len() as f64;
        right += correct(&logits, &labels)?;
    }
    Ok((loss / count as f64, right as f64 / count as f64))
}

/// Accuracy of every candidate on `images` after re-calibration on `calibration`. It depends on nothing but the candidate.
pub fn score(
    network: &Network,
    candidates: &[Architecture],
    calibration: &mut Loader,
    images: &mut Loader,
    batch: usize,
    control: &dyn Control,
) -> Result<Vec<f64>> {
    let judged = judge(network, candidates, None, calibration, images, batch, control)?;
    Ok(judged.into_iter().map(|judged| judged.accuracy).collect())
}

/// The same, and how different the paths of ensembles are. An ensemble is scored as the mean of the logits of its members.
pub fn judge(
    network: &Network,
    candidates: &[Architecture],
    difference: Option<Difference>,
    calibration: &mut Loader,
    images: &mut Loader,
    batch: usize,
    control: &dyn Control,
) -> Result<Vec<Judged>> {
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    if network.chain().is_err() {
        // Stacked cells have no beginnings in common.
        let alone = |candidate: &Architecture| {
            let statistics = calibrate(network, candidate.cells(), calibration, batch, control)?;
            let (_, accuracy) = evaluate(network, candidate.cells(), &statistics, images, batch, control)?;
            Ok(Judged { accuracy, diversity: 0.0 })
        };
        return candidates.iter().map(alone).collect();
    }
    let _no_grad = no_grad_guard();
    let (mut stem, mut root) = (Norms::default(), Node::default());
    let members: Vec<Vec<Architecture>> = candidates.iter().map(Architecture::members).collect();
    for (index, member) in members.iter().flatten().enumerate() {
        root.add(member.cells(), index);
    }
    for positions in passes(calibration.dataset.len(), batch) {
        let (images, _) = calibration.load(&positions, None)?;
        stem.begin_pass();
        root.begin_pass();
        let pass = Pass { network, control, evaluates: false };
        let x = pass.compute(&images, || network.stem(&images, &stem.norm(&pass)))?;
        root.visit(&pass, 0, &x, &mut [])?;
    }
    stem.fix();
    root.fix();
    let mut sums = vec![(0, 0.0); candidates.len()];
    for positions in passes(images.dataset.len(), batch) {
        let (images, labels) = images.load(&positions, None)?;
        let pass = Pass { network, control, evaluates: true };
        let x = pass.compute(&images, || network.stem(&images, &stem.norm(&pass)))?;
        let mut logits: Vec<_> = members.iter().flatten().map(|_| None).collect();
        root.visit(&pass, 0, &x, &mut logits)?;
        let mut logits = logits.into_iter().flatten();
        for (members, (right, different)) in members.iter().zip(&mut sums) {
            let logits: Vec<Tensor> = logits.by_ref().take(members.len()).collect();
            *right += correct(&mean(&logits)?, &labels)?;
            if let Some(difference) = difference.filter(|_| members.len() > 1) {
                let outputs = logits.iter().map(probabilities).collect::<Result<Vec<_>>>()?;
                *different += difference.among(&outputs, network.space().classes() as usize) * positions.len() as f64;
            }
        }
    }
    let count = images.dataset.len() as f64;
    let judged = |(right, different): (u64, f64)| Judged { accuracy: right as f64 / count, diversity: different / count };
    Ok(sums.into_iter().map(judged).collect())
}

/// Softmax of logits, image by image.
fn probabilities(logits: &Tensor) -> Result<Vec<f64>> {
    let softmax = logits.f_softmax(1, Kind::Double)?.f_to_device(Device::Cpu)?.f_reshape([-1i64])?;
    Ok(Vec::<f64>::try_from(softmax)?)
}

/// One batch going through the tree of candidates, to evaluate or to calibrate.
struct Pass<'a> {
    network: &'a Network,
    control: &'a dyn Control,
    evaluates: bool,
}

impl Pass<'_> {
    fn compute(&self, x: &Tensor, work: impl FnOnce() -> Result<Tensor>) -> Result<Tensor> {
        let _turn = self.network.turn(x, &Norm::Batch)?;
        work()
    }
}

/// Batch-norm of a part of the tree: averaged while calibrating, then read.
#[derive(Default)]
struct Norms {
    calibration: Calibration,
    statistics: Statistics,
}

impl Norms {
    fn begin_pass(&mut self) {
        self.calibration.begin_pass();
    }

    /// From averaging to reading.
    fn fix(&mut self) {
        self.statistics = std::mem::take(&mut self.calibration).into_statistics();
    }

    fn norm(&self, pass: &Pass) -> Norm<'_> {
        match pass.evaluates {
            false => Norm::Calibrate(&self.calibration),
            true => Norm::Fixed(Reader::new(&self.statistics)),
        }
    }
}

/// A beginning that candidates have in common, as far as one cell (at the root: the stem).
#[derive(Default)]
struct Node {
    open: Vec<u16>,
    children: Vec<Node>,
    /// Operators of the next cell that any child has open, in the order in which `norms` has theirs.
    operators: Vec<u16>,
    norms: Norms,
    /// Candidates that end here.
    ends: Vec<usize>,
    tail: Norms,
}

impl Node {
    fn add(&mut self, cells: &[Vec<u16>], index: usize) {
        let Some((open, rest)) = cells.split_first() else { return self.ends.push(index) };
        for operator in open {
            if !self.operators.contains(operator) {
                self.operators.push(*operator);
            }
        }
        let at = self.children.iter().position(|child| child.open == *open).unwrap_or_else(|| {
            self.children.push(Node { open: open.clone(), ..Node::default() });
            self.children.len() - 1
        });
        self.children[at].add(rest, index);
    }

    fn begin_pass(&mut self) {
        self.norms.begin_pass();
        self.tail.begin_pass();
        self.children.iter_mut().for_each(Node::begin_pass);
    }

    fn fix(&mut self) {
        self.norms.fix();
        self.tail.fix();
        self.children.iter_mut().for_each(Node::fix);
    }

    /// What follows `x`, the output of this node: the logits of every candidate.
    fn visit(&self, pass: &Pass, cell: usize, x: &Tensor, outputs: &mut [Option<Tensor>]) -> Result<()> {
        let (network, norm) = (pass.network, self.norms.norm(pass));
        if let [child] = &self.children[..] {
            let y = pass.compute(x, || network.cell(cell, x, &child.open, &norm))?;
            child.visit(pass, cell + 1, &y, outputs)?;
        } else {
            // Every branch once, however many children have it.
            let branch = |operator: &u16| Ok((*operator, pass.compute(x, || network.branch(cell, *operator, x, &norm))?));
            let branches: BTreeMap<_, _> = self.operators.iter().map(branch).collect::<Result<_>>()?;
            for child in &self.children {
                let y = pass.compute(x, || network.join(cell, x, &child.open, &branches))?;
                child.visit(pass, cell + 1, &y, outputs)?;
            }
        }
        // Once for every candidate and batch.
        if self.ends.iter().any(|_| pass.control.cancelled()) {
            return Err(Error::Cancelled);
        }
        match pass.evaluates {
            _ if self.ends.is_empty() => {}
            // A tail without batch-norm has nothing to learn.
            false if network.chain().is_ok_and(|chain| chain.tail.norm.is_none()) => {}
            false => drop(pass.compute(x, || network.head(x, &self.tail.norm(pass)))?),
            true => {
                let logits = pass.compute(x, || network.head(x, &self.tail.norm(pass)))?;
                self.ends.iter().for_each(|index| outputs[*index] = Some(logits.shallow_clone()));
            }
        }
        Ok(())
    }
}

/// 0..count in groups of about equal size, none larger than `batch`: a lone last image would have no statistics.
fn passes(count: usize, batch: usize) -> impl Iterator<Item = Vec<u32>> {
    let groups = count.div_ceil(batch.max(1)).max(1);
    (0..groups).map(move |g| ((g * count / groups) as u32..((g + 1) * count / groups) as u32).collect())
}
