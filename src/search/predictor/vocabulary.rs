//! What nets read of a cell: four words for every block, and a vector for every word.

use super::algebra::add_scaled;
use crate::arch::{Block, Blocks};
use crate::search::random::Stream;
use std::ops::Range;

/// The node and the operator of both sides of a block, the lesser side first: a block reads the same whichever side is which.
pub type Words = [usize; 4];

/// The sizes of the tables: one for nodes, one for operators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vocabulary {
    pub inputs: usize,
    /// With those that are read from outside.
    pub nodes: usize,
    pub operators: usize,
    /// Numbers of a vector.
    pub width: usize,
}

/// Words in the order of a block: nodes, then operators.
pub fn words(cell: &Blocks, block: Block) -> Words {
    let [a, b] = [block[0].min(block[1]), block[0].max(block[1])].map(|side| cell.parts(side));
    [a.0, b.0, a.1, b.1].map(usize::from)
}

impl Vocabulary {
    /// Rows: nodes that are read from outside, one for "a block", every block, operators.
    fn rows(&self) -> usize {
        self.nodes + 1 + self.operators
    }

    pub fn numbers(&self) -> usize {
        self.rows() * self.width
    }

    /// A block that no cell had as an input yet is like any other block, and before there was any, like nothing.
    pub fn init(&self, deviation: f64, stream: &mut Stream) -> Vec<f64> {
        let random = |row: usize| row < self.inputs || row > self.nodes;
        let row =
            |row| (0..self.width).map(|_| if random(row) { deviation * stream.normals()[0] } else { 0.0 }).collect::<Vec<_>>();
        (0..self.rows()).flat_map(row).collect()
    }

    /// Where the vectors are that a word is the sum of. `place`: in [`Words`].
    fn parts(&self, place: usize, word: usize) -> [Option<Range<usize>>; 2] {
        let row = |row: usize| Some(row * self.width..(row + 1) * self.width);
        match place {
            0 | 1 if word < self.inputs => [row(word), None],
            0 | 1 => [row(self.inputs), row(word + 1)],
            _ => [row(self.nodes + 1 + word), None],
        }
    }

    /// Adds the vector of a word.
    pub fn add(&self, table: &[f64], place: usize, word: usize, x: &mut [f64]) {
        self.parts(place, word).into_iter().flatten().for_each(|at| add_scaled(1.0, &table[at], x));
    }

    /// Adds dL/dx to the gradients of the vectors of a word.
    pub fn learn(&self, gradient: &mut [f64], place: usize, word: usize, dx: &[f64]) {
        self.parts(place, word).into_iter().flatten().for_each(|at| add_scaled(1.0, dx, &mut gradient[at]));
    }
}
