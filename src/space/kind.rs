//! The kinds of operators. A new kind is one entry here or in `edge_kind`: names, costs, weights, exports and latency keys follow from it.
//!
//! The four kinds here are those of the published code of NSE (Ci et al., ICCV 2021).

use super::{Convolution, Operator, Step};
use std::fmt;

pub struct Kind {
    pub name: &'static str,
    pub form: Form,
}

pub enum Form {
    /// A branch of a cell in a chain: two 1x1 convolutions, and between them what the kind says.
    Branch(Branch),
    /// On an edge of a stacked cell.
    Edge(Edge),
}

pub struct Branch {
    /// Whether a dilation other than 1 makes sense.
    pub dilates: bool,
    /// Whether the 1x1 convolutions may be grouped.
    pub grouped: bool,
    /// The convolutions in the middle, of `width` channels, first to last; together they have the stride.
    pub middle: fn(operator: &Operator, width: u32, stride: u32) -> Vec<Convolution>,
}

pub struct Edge {
    /// Sides of the kernel that there are; with none, the name has no size.
    pub kernels: &'static [u32],
    /// Channels before and after.
    pub steps: fn(kernel: u32, channels: [u32; 2], stride: u32) -> Vec<Step>,
}

/// A kind of branch.
const fn branch(name: &'static str, dilates: bool, grouped: bool, middle: fn(&Operator, u32, u32) -> Vec<Convolution>) -> Kind {
    Kind { name, form: Form::Branch(Branch { dilates, grouped, middle }) }
}

/// Depthwise k x k (MobileNetV2's inverted bottleneck).
pub static MBCONV: Kind = branch("mbconv", true, true, |o, width, stride| {
    vec![Convolution::square("depthwise", width, o.kernel, stride).dilation(o.dilation).groups(width)]
});

/// A dense 1 x k followed by a dense k x 1.
pub static REC: Kind = branch("rec", false, false, |o, width, stride| {
    vec![
        Convolution::kernel("row", width, width, [1, o.kernel]).stride([1, stride]),
        Convolution::kernel("column", width, width, [o.kernel, 1]).stride([stride, 1]),
    ]
});

/// One dense k x k.
pub static CONV: Kind =
    branch("conv", false, false, |o, width, stride| vec![Convolution::square("spatial", width, o.kernel, stride)]);

/// Two dense k x k; the second carries the stride.
pub static DUALCONV: Kind = branch("dualconv", false, false, |o, width, stride| {
    vec![Convolution::square("spatial1", width, o.kernel, 1), Convolution::square("spatial2", width, o.kernel, stride)]
});

/// All of these.
pub static KINDS: [&Kind; 4] = [&MBCONV, &REC, &CONV, &DUALCONV];

/// Two kinds are the same when their names are.
impl PartialEq for Kind {
    fn eq(&self, other: &Kind) -> bool {
        self.name == other.name
    }
}

impl Eq for Kind {}

impl std::hash::Hash for Kind {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
