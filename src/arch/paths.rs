//! Which cells of a space the places of an architecture are. Those of a single network are its cells; an ensemble has the cells that all
//! its paths share, then those of its first path behind them, those of its second, and so on, each path with a tail and a classifier.

use std::ops::{Range, RangeInclusive};

/// Of an architecture: how many paths, and where they part. A single network is one path that parts behind its last cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Paths {
    count: usize,
    split: usize,
    cells: usize,
}

/// How many paths an ensemble may have.
pub const ENSEMBLE: RangeInclusive<usize> = 2..=16;

impl Paths {
    /// Of a network with so many cells.
    pub fn single(cells: usize) -> Self {
        Paths { count: 1, split: cells, cells }
    }

    /// `count` paths through the `cells` of a space, of which they share the first `split`, at most all.
    pub fn parted(cells: usize, split: usize, count: usize) -> Self {
        Paths { count, split: split.min(cells), cells }
    }

    /// 1: no ensemble.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many cells all paths share; the first ones.
    pub fn split(&self) -> usize {
        self.split
    }

    /// Cells of a path, with those that it shares.
    pub fn cells(&self) -> usize {
        self.cells
    }

    pub fn is_ensemble(&self) -> bool {
        self.count > 1
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.split + self.count * (self.cells - self.split)
    }

    /// Places of a path behind those that it shares.
    pub fn own(&self, path: usize) -> Range<usize> {
        let length = self.cells - self.split;
        self.split + path * length..self.split + (path + 1) * length
    }

    /// On which path a place is, with the cell of the space that it is; None: on all.
    pub fn at(&self, place: usize) -> (Option<usize>, usize) {
        match place.checked_sub(self.split) {
            None => (None, place),
            Some(behind) => {
                let length = (self.cells - self.split).max(1);
                (Some(behind / length), self.split + behind % length)
            }
        }
    }

    /// Which cell of the space a place is.
    pub fn cell(&self, place: usize) -> usize {
        self.at(place).1
    }

    /// The name of a place in weights and pictures: "cell2", or "path1.cell2" where the paths have parted.
    pub fn label(&self, place: usize) -> String {
        match self.at(place) {
            (None, cell) => format!("cell{cell}"),
            (Some(path), cell) => format!("path{path}.cell{cell}"),
        }
    }

    /// The same of a part that every path has for itself, as "tail" or "path1.tail".
    pub fn head(&self, path: usize, part: &str) -> String {
        match self.is_ensemble() {
            false => part.into(),
            true => format!("path{path}.{part}"),
        }
    }
}
