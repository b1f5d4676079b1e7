//! The weights of a chain of cells: stem, the branches of every place, and the tail of every path.

use super::network::{STEM, TAIL};
use super::unit::{Init, Unit};
use crate::arch::{Paths, Variant};
use crate::error::Result;
use crate::space::{Chain as Ends, Space};
use std::collections::BTreeMap;

pub struct Chain {
    pub stem: Unit,
    /// Per place, the chain of units of every operator that has weights.
    pub(super) places: Vec<BTreeMap<u16, Vec<Unit>>>,
    /// Of the first path, and of the others.
    pub tail: Unit,
    others: Vec<Unit>,
}

impl Chain {
    pub(super) fn new(
        space: &Space,
        ends: &Ends,
        operators: &[Vec<u16>],
        paths: Paths,
        variant: Variant,
        init: &dyn Fn(u64) -> Init,
    ) -> Result<Self> {
        let unit = |convolution, init: &mut Init| Unit::new(convolution, variant.activation, init);
        let branch = |place: usize, operator: u16| -> Result<Vec<Unit>> {
            let shape = &space.cells()[paths.cell(place)];
            let mut init = init((place as u64) << 16 | u64::from(operator));
            let chain = shape.operators[usize::from(operator)].convolutions(shape.input.channels, shape.channels, shape.stride());
            let excited = variant.excited(&chain);
            let mut units = chain.into_iter().map(|convolution| unit(convolution, &mut init)).collect::<Result<Vec<_>>>()?;
            if let Some(at) = excited {
                units[at].excite(&mut init)?;
            }
            Ok(units)
        };
        let places = (operators.iter().enumerate())
            .map(|(place, operators)| operators.iter().map(|o| Ok((*o, branch(place, *o)?))).collect())
            .collect::<Result<_>>()?;
        let tail = |path| unit(ends.tail.clone(), &mut init(TAIL + 2 * path as u64));
        let others = (1..paths.count()).map(tail).collect::<Result<_>>()?;
        Ok(Chain { stem: unit(ends.stem.clone(), &mut init(STEM))?, places, tail: tail(0)?, others })
    }

    /// Of every path.
    pub(super) fn tails(&self) -> impl Iterator<Item = &Unit> {
        std::iter::once(&self.tail).chain(&self.others)
    }
}
