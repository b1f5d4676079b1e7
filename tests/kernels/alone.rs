//! A convolution alone: values and both gradients.

use crate::at_every_level;
use crate::support::{distance, normal};
use nse::space::{Activation, Convolution};
use nse::supernet::fused::{averaged, convolve, dots};
use nse::supernet::unit::{Init, Unit};
use tch::{Device, Kind, Tensor};

fn unit(shape: Convolution) -> Unit {
    Unit::new(shape.without_norm().linear(), Activation::Relu, &mut Init::new(2, 0, 0, Device::Cpu)).unwrap()
}

fn depthwise(channels: u32, kernel: u32, stride: u32, dilation: u32) -> Convolution {
    Convolution::square("alone", channels, kernel, stride).dilation(dilation).groups(channels)
}

fn library(c: &Convolution, x: &Tensor, weight: &Tensor) -> Tensor {
    let [stride, padding, dilation] = [c.stride, c.padding(), [c.dilation; 2]].map(|pair| pair.map(i64::from));
    x.conv2d::<Tensor>(weight, None, stride, padding, dilation, c.groups.into())
}

/// Values and the gradients of input and weight.
fn run(x: &Tensor, weight: &Tensor, upstream: &Tensor, forward: impl Fn(&Tensor) -> Tensor) -> [Tensor; 3] {
    let x = x.detach().set_requires_grad(true);
    let y = forward(&x);
    let gradients = Tensor::run_backward(&[(&y * upstream).sum(None)], &[&x, weight], false, false);
    [y.detach(), gradients[0].shallow_clone(), gradients[1].shallow_clone()]
}

fn check(images: i64, [height, width]: [i64; 2], shape: Convolution) {
    let x = normal(&[images, shape.cin.into(), height, width], 1);
    let unit = unit(shape.clone());
    let plain = |x: &Tensor, weight: &Tensor| library(&shape, x, weight);
    compare(&x, &unit, plain, |x| convolve(x, &unit, &unit.weight.value).unwrap().unwrap());
}

/// What `ours` gives, and its gradients, at every level, with those of the same in 64 bits.
fn compare(x: &Tensor, unit: &Unit, library: impl Fn(&Tensor, &Tensor) -> Tensor, ours: impl Fn(&Tensor) -> Tensor) {
    let upstream = normal(&library(x, &unit.weight.value).size(), 3);
    let weight = unit.weight.value.detach().to_kind(Kind::Double).set_requires_grad(true);
    let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
    let expected = run(&double(x), &weight, &double(&upstream), |x| library(x, &weight));
    at_every_level(|level| {
        let got = run(x, &unit.weight.value, &upstream, &ours);
        for ((expected, got), what) in
            expected.iter().zip(&got).zip(["values", "gradient of the input", "gradient of the weight"])
        {
            let off = distance(expected, &double(got));
            assert!(off < 2e-6, "{level}: {what} off by {off:.1e}: {:?}, {:?}", x.size(), unit.shape);
        }
    });
}

#[test]
fn every_depthwise_shape() {
    for kernel in [1, 3, 5, 7, 9, 11] {
        for (stride, dilation) in [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 1), (5, 2)] {
            for (size, channels) in [([1, 1], 3), ([4, 4], 17), ([14, 19], 5)] {
                check(2, size, depthwise(channels, kernel, stride, dilation));
            }
        }
    }
}

/// Few channels too: oneDNN writes behind the weight's gradient there, without AVX-512.
#[test]
fn dense_shapes() {
    for (cin, cout) in [(1, 6), (6, 6), (6, 12), (24, 7), (33, 40)] {
        for (kernel, stride) in [([1, 1], [1, 1]), ([1, 1], [2, 2]), ([3, 3], [2, 2]), ([1, 7], [1, 2]), ([7, 1], [2, 1])] {
            for (images, size) in [(3, [12, 9]), (32, [3, 3])] {
                check(images, size, Convolution::kernel("alone", cin, cout, kernel).stride(stride));
            }
        }
    }
    check(5, [8, 8], Convolution::kernel("alone", 12, 24, [3, 3]).groups(3));
}

#[test]
fn any_number_of_images_and_channels() {
    for (images, channels) in [(1, 1), (1, 40), (2, 33), (17, 8), (33, 2)] {
        check(images, [9, 8], depthwise(channels, 5, 2, 1));
        check(images, [8, 9], depthwise(channels, 7, 1, 1));
    }
}

#[test]
fn a_view_that_is_not_contiguous() {
    let wide = normal(&[16, 8, 6, 12], 4);
    let view = wide.slice(3, 0, 12, 2);
    assert!(!view.is_contiguous());
    for shape in [depthwise(8, 3, 1, 1), Convolution::pointwise("alone", 8, 5)] {
        let unit = unit(shape);
        at_every_level(|_| {
            let [expected, got] = [&view.contiguous(), &view].map(|x| convolve(x, &unit, &unit.weight.value).unwrap().unwrap());
            assert_eq!(distance(&expected, &got), 0.0);
        });
    }
}

/// What they are not for goes through libtorch.
#[test]
fn other_numbers_and_paddings_are_left_alone() {
    let x = normal(&[1, 4, 6, 6], 1);
    let own = |x: &Tensor, shape| {
        let unit = unit(shape);
        convolve(x, &unit, &unit.weight.value).unwrap().is_some()
    };
    assert!(own(&x, Convolution::pointwise("alone", 4, 4)));
    assert!(!own(&x, Convolution::kernel("alone", 4, 4, [3, 3]).inside()));
    assert!(!own(&x.to_kind(Kind::Double), Convolution::pointwise("alone", 4, 4)));
}

#[test]
fn averages_of_what_a_tail_gives() {
    for (images, size, cout, rectified) in
        [(1, [1, 1], 3, true), (3, [7, 5], 17, true), (40, [4, 4], 70, true), (2, [16, 12], 5, false)]
    {
        let shape = Convolution::kernel("tail", 9, cout, [1, 1]).without_norm();
        let shape = if rectified { shape } else { shape.linear() };
        let unit = Unit::new(shape.clone(), Activation::Relu, &mut Init::new(2, 0, 0, Device::Cpu)).unwrap();
        let plain = |x: &Tensor, weight: &Tensor| {
            let y = library(&shape, x, weight);
            let y = if rectified { y.relu() } else { y };
            y.mean_dim([2i64, 3].as_slice(), false, None)
        };
        let x = normal(&[images, 9, size[0], size[1]], 1);
        compare(&x, &unit, plain, |x| averaged(x, &unit).unwrap().unwrap());
    }
}

#[test]
fn sums_of_products() {
    for size in [[1, 1, 1, 1], [2, 17, 5, 3], [64, 40, 16, 16]] {
        let (a, b) = (normal(&size, 1), normal(&size, 2));
        let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
        let expected = (double(&a) * double(&b)).sum(None).double_value(&[]);
        // How large a sum of so many products is by chance.
        let scale = (a.numel() as f64).sqrt();
        let together = b.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        at_every_level(|level| {
            for b in [&b, &together] {
                let got = dots(&[(&a, b)]).unwrap()[0];
                assert!((expected - got).abs() < 1e-6 * scale, "{level}: {got} for {expected}, {size:?}");
            }
        });
    }
}
