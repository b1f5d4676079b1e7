//! Dense convolutions of any shape, two behind each other with batch-norm, forward and backward: groups, strides that differ, dilation, small images
//! and many of them, channels that fill no vector and those that fill many.

use crate::at_every_level;
use crate::support::normal;
use nse::search::{Purpose, Stream};
use nse::space::{Activation, Convolution};
use nse::supernet::fused::{cell, Branch};
use nse::supernet::norm::Norm;
use nse::supernet::unit::{Init, Unit};
use tch::{Device, Kind, Tensor};

pub struct Case {
    pub images: i64,
    pub size: [i64; 2],
    pub shapes: [Convolution; 2],
}

/// The same whenever it is drawn.
pub fn draw(index: u64) -> Case {
    let mut stream = Stream::new(9, Purpose::Augment, 0, index);
    let mut below = |count: u64| stream.below(count) as u32;
    let size = [1 + below(20), 1 + below(20)];
    // Enough numbers for a variance.
    let images = 1 + below(9) + 40 / (size[0] * size[1]);
    let groups = [1, 1, 1 + below(3)][below(3) as usize];
    let wide = if below(8) == 0 { 24 } else { 1 };
    let channels = [(1 + below(12)) * wide, 1 + below(20), 1 + below(20)].map(|count| count * groups);
    let mut shape = |cin: u32, cout: u32| {
        let kernel = [1 + 2 * below(4), 1 + 2 * below(4)];
        let stride = if below(2) == 0 { [1, 1] } else { [1 + below(3), 1 + below(2)] };
        Convolution::kernel("dense", cin, cout, kernel).stride(stride).dilation(1 + below(2)).groups(groups)
    };
    let first = shape(channels[0], channels[1]);
    let second = Convolution { stride: [1, 1], ..shape(channels[1], channels[2]).linear() };
    Case { images: images.into(), size: size.map(i64::from), shapes: [first, second] }
}

/// Output, and gradients of the input and of all that is learnt.
fn run(units: &[Unit], x: &Tensor, forward: impl Fn(&[Unit], &Tensor) -> Tensor) -> Vec<Tensor> {
    let x = x.detach().set_requires_grad(true);
    let y = forward(units, &x);
    let upstream = normal(&y.size(), 3).to_kind(y.kind());
    let inputs: Vec<_> = std::iter::once(&x).chain(units.iter().flat_map(Unit::parameters).map(|p| &p.value)).collect();
    let gradients = Tensor::run_backward(&[(&y * upstream).sum(None)], &inputs, false, false);
    std::iter::once(y.detach()).chain(gradients).map(|t| t.to_kind(Kind::Double)).collect()
}

/// Both units of a case at every level, against libtorch with 64-bit floats: output and gradients in the mean no further off than this.
fn check(Case { images, size: [height, width], shapes }: Case, index: u64, bound: f64) {
    let units = || {
        shapes.iter().map(|shape| {
            let unit = Unit::new(shape.clone(), Activation::Relu, &mut Init::new(5, 0, index, Device::Cpu)).unwrap();
            if let Some([scale, shift]) = &unit.norm {
                scale.value.shallow_clone().set_data(&(scale.value.detach() + normal(&scale.value.size(), 7) * 0.3));
                shift.value.shallow_clone().set_data(&(normal(&shift.value.size(), 8) * 0.3));
            }
            unit
        })
    };
    let (single, double): (Vec<_>, Vec<_>) = (units().collect(), units().collect());
    for parameter in double.iter().flat_map(Unit::parameters) {
        parameter.value.shallow_clone().set_data(&parameter.value.detach().to_kind(Kind::Double));
    }
    let x = normal(&[images, shapes[0].cin.into(), height, width], 1);
    let expected = run(&double, &x.to_kind(Kind::Double), |units, x| {
        units.iter().fold(x.shallow_clone(), |x, unit| unit.forward(&x, &Norm::Batch).unwrap())
    });
    at_every_level(|level| {
        let got = run(&single, &x, |units, x| {
            cell(x, &[Branch { units, selected: true, unselected: false }], false, &Norm::Batch, false).unwrap().0
        });
        for (at, (expected, got)) in expected.iter().zip(&got).enumerate() {
            // What batch-norm takes out again (a constant of every channel) has no gradient but rounding.
            let off = f64::try_from((expected - got).norm()).unwrap() / (f64::try_from(expected.norm()).unwrap() + 1e-3);
            assert!(off < bound, "{level}: number {at} of {shapes:?} on {images} images of {height}x{width} is off by {off:.1e}");
        }
    });
}

#[test]
fn any_shape() {
    for index in 0..120 {
        check(draw(index), index, 1e-4);
    }
}

/// Long lines, and lines of many channels, along rows and columns: whole tiles and cut ones, one strip and several, parts of an image and several images.
#[test]
fn along_lines() {
    let case = |images, size, channels: [u32; 3], kernels: [[u32; 2]; 2]| {
        let shape = |i: usize| Convolution::kernel("line", channels[i], channels[i + 1], kernels[i]);
        Case { images, size, shapes: [shape(0), shape(1).linear()] }
    };
    let cases = [
        case(2, [29, 31], [104, 99, 96], [[1, 5], [5, 1]]),
        case(3, [30, 28], [97, 96, 114], [[7, 1], [1, 7]]),
        case(5, [9, 7], [260, 256, 270], [[1, 7], [7, 1]]),
        case(9, [7, 8], [256, 300, 256], [[5, 1], [1, 5]]),
        case(1, [61, 33], [48, 36, 32], [[7, 1], [5, 1]]),
        case(4, [64, 64], [96, 96, 96], [[5, 1], [1, 7]]),
        case(6, [4, 5], [270, 260, 290], [[5, 1], [1, 5]]),
        case(7, [9, 4], [260, 258, 264], [[1, 5], [5, 1]]),
    ];
    for (index, case) in (0..).zip(cases) {
        check(case, index, 2e-5);
    }
}
