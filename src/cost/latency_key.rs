//! What one entry of a latency table is about: one operation, by its shapes. Two operations of a network that have the same shapes
//! have the same key, wherever they are.
//!
//! Conventions of the published tables (code of NSE, Ci et al., ICCV 2021): a key is one convolution, without its batch-norm and
//! activation; one addition of two maps; the average pooling; or the classifier. Ours: of squeeze-excitation, and of a hidden layer in front of
//! the classifier, pooling and linear layers are such keys, too, and a map that is scaled is one more.

use crate::space::{Cell, CellKind, Chain, Convolution, Details, Shape, Space};
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
    /// With its bias: the classifier, and others.
    Linear,
    /// Of a map, every channel by a number of its own.
    Scale,
}

impl LatencyKind {
    pub const ALL: [LatencyKind; 5] =
        [LatencyKind::Conv, LatencyKind::Add, LatencyKind::AvgPool, LatencyKind::Linear, LatencyKind::Scale];

    pub fn name(self) -> &'static str {
        match self {
            LatencyKind::Conv => "conv",
            LatencyKind::Add => "add",
            LatencyKind::AvgPool => "avgpool",
            LatencyKind::Linear => "linear",
            LatencyKind::Scale => "scale",
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

    /// The average pooling behind the last map of `space`: over the whole map.
    pub fn pooling(space: &Space) -> Self {
        Self::pool(space.pooled().size(), space.pooled().channels)
    }

    pub fn classifier(space: &Space) -> Self {
        Self::linear(space.classified(), space.classes())
    }

    /// Of a map of this shape.
    pub fn scale(size: [u32; 2], channels: u32) -> Self {
        Self::plain(LatencyKind::Scale, size, channels, channels)
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
            LatencyKind::Scale => Self::scale(self.input, self.cin),
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
    let mut keys: BTreeSet<_> = stem(space, chain).into_iter().chain(head(space, chain)).collect();
    for cell in space.cells() {
        keys.extend(operators(cell, chain.details).flatten());
        keys.extend(addition(cell));
    }
    keys.into_iter().collect()
}

/// What every architecture has in front of its cells: stem and fixed block.
pub(super) fn stem(space: &Space, chain: &Chain) -> Vec<LatencyKey> {
    let mut keys = vec![LatencyKey::convolution(&chain.stem, space.input().size())];
    let shape = chain.stemmed(space.input());
    keys.extend(branch(&chain.block, shape.size(), chain.details));
    keys.extend(chain.shortcut().then(|| LatencyKey::addition(shape)));
    keys
}

/// What it has behind them, every path of an ensemble for itself: tail, pooling, hidden layer, classifier.
pub(super) fn head(space: &Space, chain: &Chain) -> Vec<LatencyKey> {
    let mut keys = vec![LatencyKey::convolution(&chain.tail, space.features().size()), LatencyKey::pooling(space)];
    keys.extend(chain.hidden.map(|hidden| LatencyKey::linear(chain.tail.cout, hidden)));
    keys.push(LatencyKey::classifier(space));
    keys
}

/// For every operator of a cell what it computes, first to last.
pub(super) fn operators(cell: &Cell, details: Details) -> impl Iterator<Item = Vec<LatencyKey>> + '_ {
    cell.operators.iter().map(move |operator| {
        let convolutions = operator.convolutions(cell.input.channels, cell.channels, cell.stride());
        branch(&convolutions, cell.input.size(), details)
    })
}

/// Convolutions one behind the other, on a map of some size, with their squeeze-excitation.
fn branch(convolutions: &[Convolution], mut size: [u32; 2], details: Details) -> Vec<LatencyKey> {
    let mut keys = Vec::with_capacity(convolutions.len());
    for (i, convolution) in convolutions.iter().enumerate() {
        keys.push(LatencyKey::convolution(convolution, size));
        size = convolution.output(size);
        if let Some((_, excitation)) = details.excited(convolutions).filter(|(at, _)| *at == i) {
            let (width, squeezed) = (convolution.cout, excitation.squeezed(convolution.cout));
            let linear = [LatencyKey::linear(width, squeezed), LatencyKey::linear(squeezed, width)];
            keys.push(LatencyKey::pool(size, width));
            keys.extend(linear);
            keys.push(LatencyKey::scale(size, width));
        }
    }
    keys
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
