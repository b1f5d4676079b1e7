//! One place in the chain where operators compete.

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
}

/// With its article, for messages.
impl fmt::Display for CellKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CellKind::Normal => "a normal cell",
            CellKind::Reduce => "a reduce cell",
            CellKind::Expand => "an expand cell",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub kind: CellKind,
    pub input: Shape,
    /// Channels of the output; a normal cell keeps those of the input.
    pub channels: u32,
    /// All candidates, in index order.
    pub operators: Vec<Operator>,
}

impl Cell {
    pub fn stride(&self) -> u32 {
        match self.kind {
            CellKind::Reduce => 2,
            CellKind::Normal | CellKind::Expand => 1,
        }
    }

    pub fn output(&self) -> Shape {
        let stride = self.stride();
        Shape { channels: self.channels, height: self.input.height.div_ceil(stride), width: self.input.width.div_ceil(stride) }
    }

    /// Whether no branch at all is allowed: the cell then passes its input on.
    pub fn may_be_skipped(&self) -> bool {
        self.kind == CellKind::Normal
    }

    pub fn find(&self, operator: &Operator) -> Option<u16> {
        self.operators.iter().position(|o| o == operator).map(|i| i as u16)
    }
}
