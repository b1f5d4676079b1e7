//! One place where operators compete: a cell of a chain, or an edge of stacked cells.

use super::{Operator, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CellKind {
    /// Stride 1, equal channels. Output: (sum of branches + input) / (branches + 1). May be skipped.
    Normal,
    /// Stride 2, next channels. Output: mean of the branches, at least one.
    Reduce,
    /// Stride 1, next channels. Output: mean of the branches, at least one.
    Expand,
    /// An edge of a cell that is stacked. Output: sum of the branches; with none, nothing comes over it.
    #[serde(skip_deserializing)]
    #[schemars(skip)]
    Edge,
}

/// With its article, for messages.
impl fmt::Display for CellKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CellKind::Normal => "a normal cell",
            CellKind::Reduce => "a reduce cell",
            CellKind::Expand => "an expand cell",
            CellKind::Edge => "an edge",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub kind: CellKind,
    /// Of an edge, as channels and stride: in the first cell that it is part of.
    pub input: Shape,
    /// Channels of the output; a normal cell and an edge keep those of the input.
    pub channels: u32,
    pub stride: u32,
    /// All candidates, in index order.
    pub operators: Vec<Operator>,
    /// Whether no branch at all is allowed.
    pub may_be_empty: bool,
}

impl Cell {
    pub fn stride(&self) -> u32 {
        self.stride
    }

    pub fn output(&self) -> Shape {
        let [height, width] = self.input.size().map(|side| side.div_ceil(self.stride));
        Shape { channels: self.channels, height, width }
    }

    /// Whether no branch at all is allowed: a cell then passes its input on, an edge nothing.
    pub fn may_be_skipped(&self) -> bool {
        self.may_be_empty
    }

    /// The candidate of this name.
    pub fn find(&self, operator: &Operator) -> Option<u16> {
        self.operators.iter().position(|o| *o == operator.binary(o.binary)).map(|i| i as u16)
    }
}
