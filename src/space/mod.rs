//! What can be searched: a chain of cells between a stem and a tail, each cell with its own pool of candidate operators; or cells that
//! are stacked, each edge of their graphs with such a pool. Shapes only: no weights, no scores, no choice made.

mod binary;
mod cell;
mod convolution;
mod details;
pub mod edge_kind;
mod json;
pub mod kind;
mod operator;
mod pool;
mod preset;
mod published;
pub mod stack;
pub mod step;

pub use binary::{Binary, Pcnn, Xnor};
pub use cell::{Cell, CellKind};
pub use convolution::Convolution;
pub use details::{Activation, Details, Excitation, Gate};
pub use operator::Operator;
pub use pool::Pool;
pub use preset::{presets, Layout};
pub use published::{operators_19, operators_27, operators_72, PublishedPool, POOLS};
pub use stack::Stack;
pub use step::Step;

use crate::error::{Error, Result};

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
    cells: Vec<Cell>,
    body: Body,
}

/// What the places where operators compete are part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Chain(Chain),
    Stack(Stack),
}

/// The ends of a chain of cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Convolution (3x3 unless the document says otherwise) with batch-norm and activation in front of the cells.
    pub stem: Convolution,
    /// Behind it, where the document has a fixed block: a depthwise convolution and a 1x1 projection; else nothing.
    pub block: Vec<Convolution>,
    /// 1x1 convolution with activation, and batch-norm only where the document wants it, behind the cells.
    pub tail: Convolution,
    /// Outputs of a linear layer with bias and activation between average pooling and classifier, where there is one.
    pub hidden: Option<u32>,
    pub details: Details,
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

    /// Where operators compete: the cells of a chain, or the edges of stacked cells.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Stem and tail, when this is a chain of cells.
    pub fn chain(&self) -> Option<&Chain> {
        match &self.body {
            Body::Chain(chain) => Some(chain),
            Body::Stack(_) => None,
        }
    }

    /// The same, or that this cannot be done with stacked cells.
    pub fn need_chain(&self, what: &'static str) -> Result<&Chain> {
        self.chain().ok_or_else(|| Error::UnsupportedSpace { what, space: self.name.clone() })
    }

    /// The cells and how they are joined, when they are stacked.
    pub fn stack(&self) -> Option<&Stack> {
        match &self.body {
            Body::Chain(_) => None,
            Body::Stack(stack) => Some(stack),
        }
    }

    /// Shape of what comes out of the last cell.
    pub fn features(&self) -> Shape {
        match &self.body {
            Body::Chain(chain) => self.cells.last().map_or(chain.output(self.input), Cell::output),
            Body::Stack(stack) => stack.features(),
        }
    }

    /// What the networks have beside convolutions and batch-norms, unless a stand-alone one has more.
    pub fn details(&self) -> Details {
        self.chain().map_or(Details::default(), |chain| chain.details)
    }

    /// How many numbers the linear classifier is given.
    pub fn classified(&self) -> u32 {
        self.chain().and_then(|chain| chain.hidden).unwrap_or(self.pooled().channels)
    }

    /// Shape of what the average pooling behind the last map is given.
    pub fn pooled(&self) -> Shape {
        let features = self.features();
        Shape { channels: self.chain().map_or(features.channels, |chain| chain.tail.cout), ..features }
    }

    /// What the weights of its operators are made into; None: they are real.
    pub fn binary(&self) -> Option<Binary> {
        self.cells.first()?.operators.first()?.binary
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

impl Chain {
    /// Of the stem, in front of a fixed block, for images of this shape.
    pub fn stemmed(&self, input: Shape) -> Shape {
        let [height, width] = self.stem.output(input.size());
        Shape { channels: self.stem.cout, height, width }
    }

    /// Of what the first cell is given.
    pub fn output(&self, input: Shape) -> Shape {
        let channels = self.block.last().map_or(self.stem.cout, |last| last.cout);
        Shape { channels, ..self.stemmed(input) }
    }

    /// Whether what comes out of the fixed block is the mean of that and what goes in, as of a normal cell.
    pub fn shortcut(&self) -> bool {
        self.block.last().is_some_and(|last| last.cout == self.stem.cout)
    }
}
