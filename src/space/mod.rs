//! What can be searched: a chain of cells between a stem and a tail, each cell with its own pool of candidate operators.
//! Shapes only: no weights, no scores, no choice made.

mod cell;
mod convolution;
mod json;
pub mod kind;
mod operator;
mod pool;
mod preset;
mod published;

pub use cell::{Cell, CellKind};
pub use convolution::Convolution;
pub use operator::Operator;
pub use pool::Pool;
pub use preset::{presets, Layout};
pub use published::{operators_19, operators_27, operators_72, PublishedPool, POOLS};

/// Channels, height, width of an image or a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub channels: u32,
    pub height: u32,
    pub width: u32,
}

impl Shape {
    pub fn size(&self) -> [u32; 2] {
        [self.height, self.width]
    }

    /// How many numbers it has.
    pub fn numbers(&self) -> u64 {
        u64::from(self.channels).saturating_mul(u64::from(self.height)).saturating_mul(u64::from(self.width))
    }
}

/// A search space. Made by [`Space::from_json`] or [`Space::preset`], which check every number; immutable afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    name: String,
    input: Shape,
    classes: u32,
    stem: Convolution,
    cells: Vec<Cell>,
    tail: Convolution,
}

impl Space {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shape of one image.
    pub fn input(&self) -> Shape {
        self.input
    }

    pub fn classes(&self) -> u32 {
        self.classes
    }

    /// Convolution (3x3 unless the document says otherwise) with batch-norm and ReLU in front of the cells.
    pub fn stem(&self) -> &Convolution {
        &self.stem
    }

    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// 1x1 convolution with ReLU, and batch-norm only where the document wants it, behind the cells; then average pooling and a linear classifier.
    pub fn tail(&self) -> &Convolution {
        &self.tail
    }

    /// Shape of what enters the tail.
    pub fn features(&self) -> Shape {
        self.cells.last().map_or(self.stem_output(), Cell::output)
    }

    fn stem_output(&self) -> Shape {
        let [height, width] = self.stem.output(self.input.size());
        Shape { channels: self.stem.cout, height, width }
    }

    /// The largest number of candidates of any cell.
    pub fn most_operators(&self) -> usize {
        self.cells.iter().map(|c| c.operators.len()).max().unwrap_or(0)
    }

    /// log10 of the number of architectures: every subset of a cell's operators, the empty one only where a cell may be skipped.
    pub fn log10_architectures(&self) -> f64 {
        self.cells
            .iter()
            .map(|cell| {
                let subsets = (cell.operators.len() as f64).exp2();
                let allowed = if cell.may_be_skipped() { subsets } else { subsets - 1.0 };
                if allowed.is_finite() {
                    allowed.log10()
                } else {
                    cell.operators.len() as f64 * 2f64.log10()
                }
            })
            .sum()
    }
}
