//! What one entry of a latency table is about: one operation, by its shapes. Two operations of a network that have the same shapes
//! have the same key, wherever they are.
//!
//! Conventions of the published tables (code of NSE, Ci et al., ICCV 2021): a key is one convolution, without its batch-norm and
//! activation; one addition of two maps; the average pooling; or the classifier.

use crate::space::{Cell, CellKind, Chain, Convolution, Shape, Space};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LatencyKind {
    Conv,
    /// Of two maps, where the branches of a cell join.
    Add,
    AvgPool,
    /// The classifier, with its bias.
    Linear,
}

impl LatencyKind {
    pub const ALL: [LatencyKind; 4] = [LatencyKind::Conv, LatencyKind::Add, LatencyKind::AvgPool, LatencyKind::Linear];

    pub fn name(self) -> &'static str {
        match self {
            LatencyKind::Conv => "conv",
            LatencyKind::Add => "add",
            LatencyKind::AvgPool => "avgpool",
            LatencyKind::Linear => "linear",
        }
    }
}

/// Pairs are height, width.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LatencyKey {
    pub kind: LatencyKind,
    /// Of the input; for an addition this is the size of the cell's output.
    pub input: [u32; 2],
    pub cin: u32,
    pub cout: u32,
    pub kernel: [u32; 2],
    pub stride: [u32; 2],
    pub padding: [u32; 2],
    pub dilation: u32,
    pub groups: u32,
}

impl LatencyKey {
    /// `input`: height and width of what enters the convolution.
    pub fn convolution(c: &Convolution, input: [u32; 2]) -> Self {
        LatencyKey {
            kind: LatencyKind::Conv,
            input,
            cin: c.cin,
            cout: c.cout,
            kernel: c.kernel,
            stride: c.stride,
            padding: c.padding(),
            dilation: c.dilation,
            groups: c.groups,
        }
    }

    /// Of two maps of this shape.
    pub fn addition(shape: Shape) -> Self {
        Self::plain(LatencyKind::Add, shape.size(), shape.channels, shape.channels)
    }

    /// The average pooling in front of the classifier of `space`: over the whole map.
    pub fn pooling(space: &Space) -> Self {
        Self::pool(space.pooled().size(), space.pooled().channels)
    }

    pub fn classifier(space: &Space) -> Self {
        Self::linear(space.pooled().channels, space.classes())
    }

    fn pool(size: [u32; 2], channels: u32) -> Self {
        let plain = Self::plain(LatencyKind::AvgPool, size, channels, channels);
        LatencyKey { kernel: size, stride: [1, 1], dilation: 1, groups: 1, ..plain }
    }

    fn linear(cin: u32, cout: u32) -> Self {
        Self::plain(LatencyKind::Linear, [1, 1], cin, cout)
    }

    /// 0 for everything that only a kernel has.
    fn plain(kind: LatencyKind, input: [u32; 2], cin: u32, cout: u32) -> Self {
        LatencyKey { kind, input, cin, cout, kernel: [0, 0], stride: [0, 0], padding: [0, 0], dilation: 0, groups: 0 }
    }

    /// Why no network can have this operation, if none can.
    pub fn misfit(&self) -> Option<String> {
        if self.input.contains(&0) || self.cin == 0 || self.cout == 0 {
            return Some(format!("{self}: a size or a number of channels is 0"));
        }
        let usual = match self.kind {
            LatencyKind::Add => Self::plain(LatencyKind::Add, self.input, self.cin, self.cin),
            LatencyKind::AvgPool => Self::pool(self.input, self.cin),
            LatencyKind::Linear => Self::linear(self.cin, self.cout),
            LatencyKind::Conv => {
                if self.kernel.contains(&0) || self.stride.contains(&0) || self.dilation == 0 || self.groups == 0 {
                    return Some(format!("{self}: kernel, stride, dilation or groups of a convolution are 0"));
                }
                let divide = self.cin % self.groups == 0 && self.cout % self.groups == 0;
                return (!divide).then(|| format!("{self}: the channels do not divide into {} groups", self.groups));
            }
        };
        (*self != usual).then(|| format!("{self}: written as {usual} in a table"))
    }
}

/// The row of the CSV form, without its time: `conv,28,64,64,3,1,1,1,64`.
impl fmt::Display for LatencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [input, kernel, stride, padding] = [self.input, self.kernel, self.stride, self.padding].map(pair);
        let LatencyKey { kind, cin, cout, dilation, groups, .. } = self;
        write!(f, "{},{input},{cin},{cout},{kernel},{stride},{padding},{dilation},{groups}", kind.name())
    }
}

/// `3` for two equal numbers, else `1x3`: height, width.
pub(super) fn pair([height, width]: [u32; 2]) -> String {
    if height == width {
        height.to_string()
    } else {
        format!("{height}x{width}")
    }
}

/// Everything that an architecture of `space` can need, ascending and each once. Nothing where cells are stacked, which have no
/// latencies: [`Space::need_chain`] tells.
pub fn latency_keys(space: &Space) -> Vec<LatencyKey> {
    let Some(chain) = space.chain() else { return Vec::new() };
    let mut keys = BTreeSet::from(ends(space, chain));
    for cell in space.cells() {
        keys.extend(operators(cell).flatten());
        keys.extend(addition(cell));
    }
    keys.into_iter().collect()
}

/// What every architecture has: stem, tail, pooling, classifier.
pub(super) fn ends(space: &Space, chain: &Chain) -> [LatencyKey; 4] {
    [
        LatencyKey::convolution(&chain.stem, space.input().size()),
        LatencyKey::convolution(&chain.tail, space.features().size()),
        LatencyKey::pooling(space),
        LatencyKey::classifier(space),
    ]
}

/// For every operator of a cell its convolutions, first to last.
pub(super) fn operators(cell: &Cell) -> impl Iterator<Item = Vec<LatencyKey>> + '_ {
    cell.operators.iter().map(|operator| {
        let mut size = cell.input.size();
        let convolutions = operator.convolutions(cell.input.channels, cell.channels, cell.stride());
        let keys = convolutions.iter().map(|c| {
            let key = LatencyKey::convolution(c, size);
            size = c.output(size);
            key
        });
        keys.collect()
    })
}

/// One addition in a cell; none where no architecture adds anything.
pub(super) fn addition(cell: &Cell) -> Option<LatencyKey> {
    (additions(cell.kind, cell.operators.len()) > 0).then(|| LatencyKey::addition(cell.output()))
}

/// How many additions join so many branches: a normal cell adds its input too.
pub(super) fn additions(kind: CellKind, branches: usize) -> usize {
    match kind {
        CellKind::Normal => branches,
        CellKind::Reduce | CellKind::Expand | CellKind::Edge => branches.saturating_sub(1),
    }
}
