//! The weights of a chain of cells: stem with its fixed block, the branches of every place, tail and hidden layer of every path; and the
//! passes through them that need no more than that.

use super::fused::{self, Branch};
use super::network::{BLOCK, HIDDEN, STEM, TAIL};
use super::norm::Norm;
use super::unit::{activate, Init, Linear, Unit};
use crate::arch::Paths;
use crate::error::{Error, Result};
use crate::space::{Activation, Chain as Ends, Convolution, Details, Space};
use std::collections::BTreeMap;
use tch::Tensor;

pub struct Chain {
    pub stem: Unit,
    /// The fixed block behind the stem, and whether it has a shortcut; none: there is none.
    pub block: Vec<Unit>,
    shortcut: bool,
    /// Per place, the chain of units of every operator that has weights.
    pub(super) places: Vec<BTreeMap<u16, Vec<Unit>>>,
    /// Of the first path, and of the others.
    pub tail: Unit,
    others: Vec<Unit>,
    /// Of every path; none where the space has none.
    hidden: Vec<Linear>,
    activation: Activation,
    /// Whether our kernels are for stem, block and cells as a whole; and whether with all weights as they are.
    fused: bool,
    plain: bool,
}

impl Chain {
    pub(super) fn new(
        space: &Space,
        ends: &Ends,
        operators: &[Vec<u16>],
        paths: Paths,
        details: Details,
        init: &dyn Fn(u64) -> Init,
    ) -> Result<Self> {
        let unit = |convolution, init: &mut Init| Unit::new(convolution, details.activation, init);
        let branch = |chain: Vec<Convolution>, init: &mut Init| -> Result<Vec<Unit>> {
            let excited = details.excited(&chain);
            let mut units = chain.into_iter().map(|convolution| unit(convolution, init)).collect::<Result<Vec<_>>>()?;
            if let Some((at, excitation)) = excited {
                units[at].excite(excitation, init)?;
            }
            Ok(units)
        };
        let operator = |place: usize, operator: u16| {
            let shape = &space.cells()[paths.cell(place)];
            let chain = shape.operators[usize::from(operator)].convolutions(shape.input.channels, shape.channels, shape.stride());
            branch(chain, &mut init((place as u64) << 16 | u64::from(operator)))
        };
        let places = (operators.iter().enumerate())
            .map(|(place, operators)| operators.iter().map(|o| Ok((*o, operator(place, *o)?))).collect())
            .collect::<Result<_>>()?;
        let tail = |path| unit(ends.tail.clone(), &mut init(TAIL + 2 * path as u64));
        let others = (1..paths.count()).map(tail).collect::<Result<_>>()?;
        let hidden = ends.hidden.iter().flat_map(|hidden| {
            (0..paths.count() as u64).map(|path| Linear::kaiming(ends.tail.cout, *hidden, &mut init(HIDDEN + path)))
        });
        let mut chain = Chain {
            stem: unit(ends.stem.clone(), &mut init(STEM))?,
            block: branch(ends.block.clone(), &mut init(BLOCK))?,
            shortcut: ends.shortcut(),
            places,
            tail: tail(0)?,
            others,
            hidden: hidden.collect::<Result<_>>()?,
            activation: details.activation,
            fused: false,
            plain: false,
        };
        let (fused, plain) = (chain.units().all(fused::takes), chain.units().all(|unit| unit.shape.binary.is_none()));
        (chain.fused, chain.plain) = (fused, plain);
        Ok(chain)
    }

    /// Of stem, block and cells.
    fn units(&self) -> impl Iterator<Item = &Unit> {
        let branches = self.places.iter().flat_map(|operators| operators.values().flatten());
        std::iter::once(&self.stem).chain(&self.block).chain(branches)
    }

    /// Whether our kernels are for nearly all of a pass of what is like `images`.
    pub(super) fn mostly(&self, images: &Tensor, norm: &Norm) -> bool {
        self.fused && fused::fits(images, std::iter::once(&self.stem), norm)
    }

    /// Whether cells are a row for a [`super::tape::Tape`], each behind the one before.
    pub(super) fn is_row(&self, images: &Tensor, norm: &Norm) -> bool {
        self.plain && self.mostly(images, norm)
    }

    /// Whether our kernels take a cell with these units as a whole. Where they are for all units, none is looked at again.
    pub(super) fn fits<'a>(&self, x: &Tensor, units: impl Iterator<Item = &'a Unit>, norm: &Norm) -> bool {
        fused::fits(x, units.take_while(|_| !self.fused), norm)
    }

    /// The mean of branches, and of the input too where there is a shortcut.
    pub(super) fn cell(&self, x: &Tensor, branches: &[&[Unit]], shortcut: bool, norm: &Norm) -> Result<Tensor> {
        if self.fits(x, branches.iter().copied().flatten(), norm) {
            let branches: Vec<_> = branches.iter().map(|units| Branch { units, selected: true, unselected: false }).collect();
            return Ok(fused::cell(x, &branches, shortcut, norm, false)?.0);
        }
        let branches: Vec<_> = branches.iter().map(|units| branch(x, units, norm)).collect::<Result<_>>()?;
        merged(x, &branches.iter().collect::<Vec<_>>(), shortcut)
    }

    /// Of every path.
    pub(super) fn tails(&self) -> impl Iterator<Item = &Unit> {
        std::iter::once(&self.tail).chain(&self.others)
    }

    /// Of a path, where there is one.
    pub fn hidden(&self, path: usize) -> Option<&Linear> {
        self.hidden.get(path)
    }

    /// What the first cell is given.
    pub(super) fn begin(&self, images: &Tensor, norm: &Norm) -> Result<Tensor> {
        let x = branch(images, std::slice::from_ref(&self.stem), norm)?;
        match self.block.is_empty() {
            true => Ok(x),
            false => self.cell(&x, &[&self.block], self.shortcut, norm),
        }
    }

    /// What the classifier of a path is given, by what comes out of its last cell.
    pub(super) fn end(&self, path: usize, x: &Tensor, norm: &Norm) -> Result<Tensor> {
        let tail = self.tails().nth(path).ok_or_else(|| Error::Torch(format!("no path {path}")))?;
        let pooled = match fused::averaged(x, tail)? {
            Some(averages) => averages,
            None => pooled(&branch(x, std::slice::from_ref(tail), norm)?)?,
        };
        match self.hidden(path) {
            Some(hidden) => activate(hidden.forward(&pooled)?, self.activation),
            None => Ok(pooled),
        }
    }
}

/// The average over all positions of a map.
pub(super) fn pooled(features: &Tensor) -> Result<Tensor> {
    Ok(features.f_mean_dim([2i64, 3].as_slice(), false, None)?)
}

/// Units one behind the other.
pub(super) fn branch(x: &Tensor, units: &[Unit], norm: &Norm) -> Result<Tensor> {
    if fused::fits(x, units.iter(), norm) {
        let branch = Branch { units, selected: true, unselected: false };
        return Ok(fused::cell(x, &[branch], false, norm, false)?.0);
    }
    units.iter().try_fold(x.shallow_clone(), |y, unit| unit.forward(&y, norm))
}

/// The mean of branches, and of the input too where there is a shortcut; the input itself where there is nothing else.
pub(super) fn merged(x: &Tensor, branches: &[&Tensor], shortcut: bool) -> Result<Tensor> {
    let mut terms = branches.iter().copied().chain(shortcut.then_some(x));
    let count = terms.clone().count();
    let Some(first) = terms.next() else { return Ok(x.shallow_clone()) };
    if count == 1 {
        return Ok(first.shallow_clone());
    }
    let mut sum = first.shallow_clone();
    for term in terms {
        sum = sum.f_add(term)?;
    }
    // A tensor and not a number: tch panics when it drops a number after libtorch has failed.
    Ok(sum.f_div(&Tensor::f_from_slice(&[count as f32])?.f_view::<&[i64]>(&[])?)?)
}
