//! The kinds of operators on the edges of stacked cells, under their published names: those of DARTS (Liu et al., ICLR 2019, `OPS`) and of
//! NAS-Bench-201 (Dong and Yang, ICLR 2020). An activation comes first; weights of an operator keep its channels.

use super::kind::{Edge, Form, Kind};
use super::{Convolution, Step};

const fn edge(name: &'static str, kernels: &'static [u32], steps: fn(u32, u32, u32) -> Vec<Step>) -> Kind {
    Kind { name, form: Form::Edge(Edge { kernels, steps }) }
}

/// `max_pool_3x3`.
pub static MAX_POOL: Kind = edge("max_pool", &[3], |kernel, _, stride| vec![Step::pool(false, kernel, stride)]);

/// `avg_pool_3x3`.
pub static AVG_POOL: Kind = edge("avg_pool", &[3], |kernel, _, stride| vec![Step::pool(true, kernel, stride)]);

/// The identity; at stride 2 a map of half the size.
pub static SKIP: Kind = edge("skip_connect", &[], |_, channels, stride| match stride {
    1 => Vec::new(),
    _ => vec![Step::Activate, Step::halve(channels, channels)],
});

/// `sep_conv_3x3`, 5x5, 7x7: a depthwise and a 1x1 convolution, twice; the first has the stride.
pub static SEP_CONV: Kind = edge("sep_conv", &[3, 5, 7], |kernel, channels, stride| {
    let first = separable(["depthwise1", "pointwise1"], kernel, channels, stride, 1);
    first.into_iter().chain(separable(["depthwise2", "pointwise2"], kernel, channels, 1, 1)).collect()
});

/// `dil_conv_3x3`, 5x5: a depthwise convolution of dilation 2, and a 1x1.
pub static DIL_CONV: Kind = edge("dil_conv", &[3, 5], |kernel, channels, stride| {
    separable(["depthwise", "pointwise"], kernel, channels, stride, 2).into()
});

/// `nor_conv_1x1`, 3x3: a dense convolution.
pub static NOR_CONV: Kind = edge("nor_conv", &[1, 3], |kernel, channels, stride| {
    vec![Step::Activate, Step::Convolve(Convolution::square("conv", channels, kernel, stride).linear())]
});

/// A dense 1 x 7 and a dense 7 x 1.
pub static CONV_7X1_1X7: Kind = edge("conv_7x1_1x7", &[], |_, channels, stride| {
    let row = Convolution::kernel("row", channels, channels, [1, 7]).stride([1, stride]).linear().without_norm();
    let column = Convolution::kernel("column", channels, channels, [7, 1]).stride([stride, 1]).linear();
    vec![Step::Activate, Step::Convolve(row), Step::Convolve(column)]
});

/// All of these.
pub static EDGE_KINDS: [&Kind; 7] = [&MAX_POOL, &AVG_POOL, &SKIP, &SEP_CONV, &DIL_CONV, &NOR_CONV, &CONV_7X1_1X7];

fn separable(names: [&'static str; 2], kernel: u32, channels: u32, stride: u32, dilation: u32) -> [Step; 3] {
    let depthwise = Convolution::square(names[0], channels, kernel, stride).dilation(dilation).groups(channels);
    let pointwise = Convolution::pointwise(names[1], channels, channels).linear();
    [Step::Activate, Step::Convolve(depthwise.linear().without_norm()), Step::Convolve(pointwise)]
}
