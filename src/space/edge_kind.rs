//! The kinds of operators on the edges of stacked cells, under their published names: those of DARTS (Liu et al., ICLR 2019, `OPS`), of
//! NAS-Bench-201 (Dong and Yang, ICLR 2020) and of PNAS (Liu et al., ECCV 2018). An activation comes first. Where an operator changes the
//! number of channels, it is as in the published code of PNASNet-5.

use super::kind::{Edge, Form, Kind};
use super::{Convolution, Step};

const fn edge(name: &'static str, kernels: &'static [u32], steps: fn(u32, [u32; 2], u32) -> Vec<Step>) -> Kind {
    Kind { name, form: Form::Edge(Edge { kernels, steps }) }
}

/// `max_pool_3x3`.
pub static MAX_POOL: Kind = edge("max_pool", &[3], |kernel, channels, stride| pool(false, kernel, channels, stride));

/// `avg_pool_3x3`.
pub static AVG_POOL: Kind = edge("avg_pool", &[3], |kernel, channels, stride| pool(true, kernel, channels, stride));

/// The identity; at stride 2 a map of half the size.
pub static SKIP: Kind = edge("skip_connect", &[], |_, [cin, cout], stride| match stride {
    1 => pointwise([cin, cout], stride),
    _ => vec![Step::Activate, Step::halve(cin, cout)],
});

/// The identity; at stride 2 a 1x1 convolution.
pub static IDENTITY: Kind = edge("identity", &[], |_, channels, stride| pointwise(channels, stride));

/// `sep_conv_3x3`, 5x5, 7x7: a depthwise and a 1x1 convolution, twice; the first has the stride.
pub static SEP_CONV: Kind = edge("sep_conv", &[3, 5, 7], |kernel, [cin, cout], stride| {
    let first = separable(["depthwise1", "pointwise1"], kernel, [cin, cout], stride, 1);
    first.into_iter().chain(separable(["depthwise2", "pointwise2"], kernel, [cout, cout], 1, 1)).collect()
});

/// `dil_conv_3x3`, 5x5: a depthwise convolution of dilation 2, and a 1x1.
pub static DIL_CONV: Kind = edge("dil_conv", &[3, 5], |kernel, channels, stride| {
    separable(["depthwise", "pointwise"], kernel, channels, stride, 2).into()
});

/// `nor_conv_1x1`, 3x3: a dense convolution.
pub static NOR_CONV: Kind = edge("nor_conv", &[1, 3], |kernel, [cin, cout], stride| {
    let conv = Convolution::kernel("conv", cin, cout, [kernel, kernel]).stride([stride, stride]);
    vec![Step::Activate, Step::Convolve(conv.linear())]
});

/// A dense 1 x 7 and a dense 7 x 1.
pub static CONV_7X1_1X7: Kind = edge("conv_7x1_1x7", &[], |_, [cin, cout], stride| {
    let row = Convolution::kernel("row", cin, cout, [1, 7]).stride([1, stride]).linear().without_norm();
    let column = Convolution::kernel("column", cout, cout, [7, 1]).stride([stride, 1]).linear();
    vec![Step::Activate, Step::Convolve(row), Step::Convolve(column)]
});

/// All of these.
pub static EDGE_KINDS: [&Kind; 8] = [&MAX_POOL, &AVG_POOL, &SKIP, &SEP_CONV, &DIL_CONV, &NOR_CONV, &CONV_7X1_1X7, &IDENTITY];

/// Nothing, where it would change nothing.
fn pointwise([cin, cout]: [u32; 2], stride: u32) -> Vec<Step> {
    match cin == cout && stride == 1 {
        true => Vec::new(),
        false => {
            let conv = Convolution::pointwise("conv", cin, cout).stride([stride, stride]);
            vec![Step::Activate, Step::Convolve(conv.linear())]
        }
    }
}

fn pool(average: bool, kernel: u32, [cin, cout]: [u32; 2], stride: u32) -> Vec<Step> {
    let widen = (cin != cout).then(|| Step::Convolve(Convolution::pointwise("conv", cin, cout).linear()));
    std::iter::once(Step::pool(average, kernel, stride)).chain(widen).collect()
}

fn separable(names: [&'static str; 2], kernel: u32, [cin, cout]: [u32; 2], stride: u32, dilation: u32) -> [Step; 3] {
    let depthwise = Convolution::square(names[0], cin, kernel, stride).dilation(dilation).groups(cin);
    let pointwise = Convolution::pointwise(names[1], cin, cout).linear();
    [Step::Activate, Step::Convolve(depthwise.linear().without_norm()), Step::Convolve(pointwise)]
}
