//! A network with branches: stem, cells of weight-sharing operators, tail; or stacked cells. With one architecture's operators it is a
//! stand-alone model, with all active operators a supernet; the forward pass is the same. A stand-alone ensemble has weights for every
//! place of its architecture, and a tail and a classifier for every path; in a supernet all paths go through the same weights.

use super::chain::{self, pooled, Chain};
use super::ensemble::{divided, mean};
use super::fused::{self, Branch};
use super::mixed::Mix;
use super::norm::Norm;
use super::options::Precision;
use super::stacked::{Dropping, Owner, Stacked};
use super::step::Weight;
use super::turn::Turn;
use super::unit::{Init, Linear, Parameter, Unit};
use crate::arch::{Architecture, Paths, Variant};
use crate::error::{Error, Result};
use crate::space::{Body as Plan, Cell, CellKind, Space, Stack};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use tch::{no_grad_guard, Device, Tensor};

pub struct Network {
    space: Arc<Space>,
    variant: Variant,
    paths: Paths,
    body: Body,
    /// Of every path.
    classifiers: Vec<Linear>,
    precision: Precision,
}

enum Body {
    Chain(Box<Chain>),
    Stacked(Stacked),
}

/// What computes a place: which one, the cell of the network that has its weights, and what it is given.
pub type Work<'a> = &'a mut dyn FnMut(usize, usize, &Tensor) -> Result<Tensor>;

/// Memory that is kept for the next step is of no more use.
impl Drop for Network {
    fn drop(&mut self) {
        fused::trim();
    }
}

/// Stream index of the parts that are not a branch, of later paths two further each; branches use place << 16 | operator, below 2^30.
pub(super) const STEM: u64 = 1 << 32;
pub(super) const TAIL: u64 = STEM + 1;
const CLASSIFIER: u64 = STEM + 2;
/// Of the fixed block, and of hidden layers, of later paths one further each.
pub(super) const BLOCK: u64 = 2 << 32;
pub(super) const HIDDEN: u64 = 3 << 32;

impl Network {
    /// Fresh weights for the given operators of every cell. The same operator in the same (seed, round) gets the same weights
    /// whatever else is there.
    pub fn new(space: Arc<Space>, operators: &[Vec<u16>], seed: u64, round: u64, device: Device) -> Result<Self> {
        Self::varied(space, operators, Variant::default(), seed, round, device)
    }

    /// The same with a variant, whose own weights come last from the stream of every branch: the others do not depend on it.
    pub fn varied(
        space: Arc<Space>,
        operators: &[Vec<u16>],
        variant: Variant,
        seed: u64,
        round: u64,
        device: Device,
    ) -> Result<Self> {
        let paths = Paths::single(space.cells().len());
        Self::made(space, operators, paths, variant, seed, round, device)
    }

    /// A stand-alone network: of an ensemble, with weights for every path.
    pub fn of(
        space: Arc<Space>,
        architecture: &Architecture,
        variant: Variant,
        seed: u64,
        round: u64,
        device: Device,
    ) -> Result<Self> {
        Self::made(space, architecture.cells(), architecture.paths(), variant, seed, round, device)
    }

    fn made(
        space: Arc<Space>,
        operators: &[Vec<u16>],
        paths: Paths,
        variant: Variant,
        seed: u64,
        round: u64,
        device: Device,
    ) -> Result<Self> {
        let init = |part| Init::new(seed, round, part, device);
        let body = match space.body() {
            Plan::Chain(chain) => {
                let details = variant.details(&space);
                Body::Chain(Box::new(Chain::new(&space, chain, operators, paths, details, &init)?))
            }
            Plan::Stack(stack) => Body::Stacked(Stacked::new(&space, stack, operators, variant.activation, &init)?),
        };
        let classifier = |path| Linear::uniform(space.classified(), space.classes(), &mut init(CLASSIFIER + 2 * path as u64));
        let classifiers = (0..paths.count()).map(classifier).collect::<Result<_>>()?;
        Ok(Network { space, variant, paths, body, classifiers, precision: Precision::Float32 })
    }

    /// The same weights with other arithmetic.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Weights that are made binary are real from now on.
    pub fn real(&mut self) {
        match &mut self.body {
            Body::Chain(chain) => {
                chain.places.iter_mut().flat_map(BTreeMap::values_mut).flatten().for_each(Unit::real);
            }
            Body::Stacked(stacked) => stacked.real(),
        }
    }

    /// Logits, [images, classes], with the given operators of every place open; of an ensemble the mean over its paths.
    pub fn forward(&self, images: &Tensor, open: &[Vec<u16>], norm: &Norm) -> Result<Tensor> {
        mean(&self.logits(images, open, self.paths, norm)?)
    }

    /// Logits of every path. A supernet computes any `paths` with its weights.
    pub fn logits(&self, images: &Tensor, open: &[Vec<u16>], paths: Paths, norm: &Norm) -> Result<Vec<Tensor>> {
        self.classify(&self.vectors(images, open, paths, norm)?)
    }

    /// Of what [`Network::vectors`] gave.
    pub fn classify(&self, vectors: &[Tensor]) -> Result<Vec<Tensor>> {
        let classifier = |path: usize| self.classifiers.get(path).unwrap_or_else(|| self.classifier());
        vectors.iter().enumerate().map(|(path, vector)| classifier(path).forward(vector)).collect()
    }

    /// What the classifier of every path is given, [images, numbers].
    pub fn vectors(&self, images: &Tensor, open: &[Vec<u16>], paths: Paths, norm: &Norm) -> Result<Vec<Tensor>> {
        if let Some((stack, stacked)) = self.stacked() {
            return Ok(vec![pooled(&stacked.features(stack, images, open, norm, None, None)?)?]);
        }
        self.along(images, paths, norm, &mut |place, cell, x| self.cell(cell, x, &open[place], norm))
    }

    /// The same of a chain, where `work` computes the places.
    pub fn along(&self, images: &Tensor, paths: Paths, norm: &Norm, work: Work) -> Result<Vec<Tensor>> {
        let own = self.paths.is_ensemble();
        let mut through = |x: Tensor, places: Range<usize>| {
            places.into_iter().try_fold(x, |x, place| work(place, if own { place } else { paths.cell(place) }, &x))
        };
        let shared = through(self.stem(images, norm)?, 0..paths.split())?;
        let shared = divided(shared, paths.count())?;
        let path = |path| {
            let x = through(shared.shallow_clone(), paths.own(path))?;
            self.chain()?.end(if own { path } else { 0 }, &x, norm)
        };
        (0..paths.count()).map(path).collect()
    }

    /// Logits with all operators of every cell at once, each with its share.
    pub fn mixed(&self, images: &Tensor, mix: &Mix, norm: &Norm) -> Result<Tensor> {
        let vectors = match self.stacked() {
            Some((stack, stacked)) => vec![pooled(&stacked.features(stack, images, mix.open(), norm, None, Some(mix))?)?],
            None => {
                let work: Work = &mut |_, cell, x| {
                    let (shares, branch) = (mix.cell(cell)?, |operator| self.branch(cell, operator, x, norm));
                    match self.shortcut(cell) {
                        true => shares.with_input(x, branch),
                        false => shares.sum(branch),
                    }
                };
                self.along(images, self.paths, norm, work)?
            }
        };
        mean(&self.classify(&vectors)?)
    }

    /// The same of stacked cells, with what `drop` makes of the outputs of their operators.
    pub fn vectors_dropping(&self, images: &Tensor, open: &[Vec<u16>], norm: &Norm, drop: Dropping) -> Result<Vec<Tensor>> {
        match self.stacked() {
            Some((stack, stacked)) => Ok(vec![pooled(&stacked.features(stack, images, open, norm, Some(drop), None)?)?]),
            None => self.vectors(images, open, self.paths, norm),
        }
    }

    /// To compute with this network what is like `images`, in its precision.
    pub fn turn(&self, images: &Tensor, norm: &Norm) -> Result<Turn> {
        Turn::begin(images.device(), self.chain().is_ok_and(|chain| chain.mostly(images, norm)), self.precision)
    }

    /// Whether the cells of a pass of what is like `images` are a row for a [`super::tape::Tape`].
    pub fn is_row(&self, images: &Tensor, paths: Paths, norm: &Norm) -> bool {
        paths.count() == 1 && self.chain().is_ok_and(|chain| chain.is_row(images, norm))
    }

    /// Stem and fixed block.
    pub fn stem(&self, images: &Tensor, norm: &Norm) -> Result<Tensor> {
        self.chain()?.begin(images, norm)
    }

    /// One cell with the given operators open.
    pub fn cell(&self, cell: usize, x: &Tensor, open: &[u16], norm: &Norm) -> Result<Tensor> {
        let branches: Vec<_> = open.iter().map(|o| self.units(cell, *o)).collect();
        self.chain()?.cell(x, &branches, self.shortcut(cell), norm)
    }

    /// The same from branches that were computed alone, without gradient: the same bits.
    pub fn join(&self, cell: usize, x: &Tensor, open: &[u16], branches: &BTreeMap<u16, Tensor>) -> Result<Tensor> {
        let joined: Vec<_> = open.iter().map(|operator| &branches[operator]).collect();
        match joined.is_empty() || !self.fits(cell, x, open, &Norm::Batch) {
            true => self.merge(cell, x, &joined),
            false => fused::join(x, &joined, self.shortcut(cell)),
        }
    }

    /// Whether our kernels take a cell with these operators open as a whole.
    fn fits(&self, cell: usize, x: &Tensor, open: &[u16], norm: &Norm) -> bool {
        self.chain().is_ok_and(|chain| chain.fits(x, open.iter().flat_map(|operator| self.units(cell, *operator)), norm))
    }

    /// One cell along two paths, each a list of operators with whether the selected one and the unselected one has it: the outputs
    /// of the selected one, with gradient, and of the other, without. A branch that both have is computed once.
    pub fn two_paths(&self, cell: usize, x: &Tensor, paths: &[(u16, bool, bool)], norm: &Norm) -> Result<(Tensor, Tensor)> {
        let paths: Vec<_> = paths.iter().filter(|(_, s, u)| *s || *u).collect();
        let operators: Vec<_> = paths.iter().map(|(operator, ..)| *operator).collect();
        if self.fits(cell, x, &operators, norm) {
            let branch = |(o, selected, unselected): &&(u16, bool, bool)| Branch {
                units: self.units(cell, *o),
                selected: *selected,
                unselected: *unselected,
            };
            let branches: Vec<_> = paths.iter().map(branch).collect();
            let (y, other) = fused::cell(x, &branches, self.shortcut(cell), norm, true)?;
            return Ok((y, other.unwrap_or_else(|| x.detach())));
        }
        let (mut selected, mut unselected) = (Vec::new(), Vec::new());
        for (operator, s, u) in paths {
            if *s {
                let y = self.branch(cell, *operator, x, norm)?;
                if *u {
                    unselected.push(y.f_detach()?);
                }
                selected.push(y);
            } else if *u {
                let _no_grad = no_grad_guard();
                unselected.push(self.branch(cell, *operator, x, norm)?);
            }
        }
        let y = self.merge(cell, x, &selected.iter().collect::<Vec<_>>())?;
        let _no_grad = no_grad_guard();
        let other = self.merge(cell, &x.f_detach()?, &unselected.iter().collect::<Vec<_>>())?;
        Ok((y, other))
    }

    /// One operator of one cell.
    pub fn branch(&self, cell: usize, operator: u16, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        chain::branch(x, self.units(cell, operator), norm)
    }

    fn shortcut(&self, cell: usize) -> bool {
        self.shape(cell).kind == CellKind::Normal
    }

    /// Normal cell: (sum of branches + input) / (branches + 1), the input itself without branches. Else the mean of the branches.
    pub fn merge(&self, cell: usize, x: &Tensor, branches: &[&Tensor]) -> Result<Tensor> {
        chain::merged(x, branches, self.shortcut(cell))
    }

    /// Tail convolution, average pooling, hidden layer, classifier of the first path.
    pub fn head(&self, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        self.classifier().forward(&self.chain()?.end(0, x, norm)?)
    }

    /// The parameters that a pass with these operators uses, in its order.
    pub fn passed(&self, open: &[Vec<u16>]) -> Vec<&Parameter> {
        let mut all: Vec<&Parameter> = match &self.body {
            Body::Chain(chain) => {
                let Chain { stem, block, places, .. } = &**chain;
                let branches =
                    open.iter().enumerate().flat_map(|(place, operators)| operators.iter().map(move |o| &places[place][o]));
                let units = std::iter::once(stem).chain(block).chain(branches.flatten()).chain(chain.tails());
                let hidden = (0..self.paths.count()).filter_map(|path| chain.hidden(path));
                units.flat_map(|unit| unit.parameters()).chain(hidden.flat_map(Linear::parameters)).collect()
            }
            Body::Stacked(_) => {
                let weights = self.stacked_weights(open).into_iter();
                weights.flat_map(|(_, weight)| weight.parameters()).collect()
            }
        };
        all.extend(self.classifiers.iter().flat_map(Linear::parameters));
        all
    }

    /// The same, those with weight decay first, and how many those are.
    pub fn parameters(&self, open: &[Vec<u16>]) -> (Vec<&Parameter>, usize) {
        let (mut decayed, plain): (Vec<_>, Vec<_>) = self.passed(open).into_iter().partition(|p| p.decay);
        let count = decayed.len();
        decayed.extend(plain);
        (decayed, count)
    }

    pub fn space(&self) -> &Arc<Space> {
        &self.space
    }

    pub fn variant(&self) -> Variant {
        self.variant
    }

    pub fn paths(&self) -> Paths {
        self.paths
    }

    /// The cell of the space that a place is.
    pub fn shape(&self, place: usize) -> &Cell {
        &self.space.cells()[self.paths.cell(place)]
    }

    /// Forgets all operators but these, whose weights stay as they are.
    pub fn keep(&mut self, operators: &[Vec<u16>]) {
        match &mut self.body {
            Body::Chain(chain) => {
                chain.places.iter_mut().zip(operators).for_each(|(cell, operators)| cell.retain(|o, _| operators.contains(o)));
            }
            Body::Stacked(stacked) => stacked.keep(operators),
        }
    }

    /// The operators of every cell that have weights.
    pub fn operators(&self) -> Vec<Vec<u16>> {
        match &self.body {
            Body::Chain(chain) => chain.places.iter().map(|cell| cell.keys().copied().collect()).collect(),
            Body::Stacked(stacked) => stacked.operators(),
        }
    }

    /// Whether an operator of a cell has weights.
    pub fn has(&self, cell: usize, operator: u16) -> bool {
        match &self.body {
            Body::Chain(chain) => chain.places[cell].contains_key(&operator),
            Body::Stacked(stacked) => stacked.operators()[cell].contains(&operator),
        }
    }

    /// The units of one operator of a chain's cell, first to last.
    pub fn units(&self, cell: usize, operator: u16) -> &[Unit] {
        match &self.body {
            Body::Chain(chain) => &chain.places[cell][&operator],
            Body::Stacked(_) => &[],
        }
    }

    /// Stem, cells and tail, where this is a chain.
    pub fn chain(&self) -> Result<&Chain> {
        match &self.body {
            Body::Chain(chain) => Ok(chain),
            Body::Stacked(_) => Err(Error::UnsupportedSpace { what: "a pass cell by cell", space: self.space.name().into() }),
        }
    }

    /// Of every path: tail, where this is a chain, and by their names the linear layers behind it.
    pub fn heads(&self) -> impl Iterator<Item = (Option<&Unit>, Vec<(&'static str, &Linear)>)> {
        let chain = self.chain().ok();
        self.classifiers.iter().enumerate().map(move |(path, classifier)| {
            let hidden = chain.and_then(|chain| chain.hidden(path)).map(|hidden| ("hidden", hidden));
            let tail = chain.and_then(|chain| chain.tails().nth(path));
            (tail, hidden.into_iter().chain([("classifier", classifier)]).collect())
        })
    }

    /// Of the first path.
    pub fn classifier(&self) -> &Linear {
        &self.classifiers[0]
    }

    fn stacked(&self) -> Option<(&Stack, &Stacked)> {
        match (&self.body, self.space.stack()) {
            (Body::Stacked(stacked), Some(stack)) => Some((stack, stacked)),
            _ => None,
        }
    }

    /// Of stacked cells, every weight that a pass with these operators meets, in its order, with whose it is; none of a chain.
    pub fn stacked_weights(&self, open: &[Vec<u16>]) -> Vec<(Owner, Weight<'_>)> {
        let Some((stack, stacked)) = self.stacked() else { return Vec::new() };
        let chains = stacked.chains(&self.space, stack, open);
        chains.into_iter().flat_map(|(path, owner, chain)| chain.weights(&path).into_iter().map(move |w| (owner, w))).collect()
    }
}
