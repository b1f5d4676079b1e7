//! Depthwise convolution alone: values and both gradients.

use crate::at_every_level;
use crate::support::{distance, normal};
use nse::supernet::shim::depthwise;
use tch::{Kind, Tensor};

struct Case {
    images: i64,
    channels: i64,
    size: [i64; 2],
    kernel: i64,
    stride: i64,
    dilation: i64,
}

/// Values and the gradients of input and weight.
fn run(x: &Tensor, weight: &Tensor, upstream: &Tensor, forward: impl Fn(&Tensor, &Tensor) -> Tensor) -> [Tensor; 3] {
    let (x, weight) = (x.detach().set_requires_grad(true), weight.detach().set_requires_grad(true));
    let y = forward(&x, &weight);
    let gradients = Tensor::run_backward(&[(&y * upstream).sum(None)], &[&x, &weight], false, false);
    [y.detach(), gradients[0].shallow_clone(), gradients[1].shallow_clone()]
}

fn check(case: &Case) {
    let Case { images, channels, size: [height, width], kernel, stride, dilation } = *case;
    let x = normal(&[images, channels, height, width], 1);
    let weight = normal(&[channels, 1, kernel, kernel], 2);
    let padding = dilation * (kernel - 1) / 2;
    let library = |x: &Tensor, w: &Tensor| {
        x.conv2d::<Tensor>(w, None, [stride, stride], [padding, padding], [dilation, dilation], channels)
    };
    let upstream = normal(&library(&x, &weight).size(), 3);
    let expected = run(&x.to_kind(Kind::Double), &weight.to_kind(Kind::Double), &upstream.to_kind(Kind::Double), library);
    at_every_level(|level| {
        let got = run(&x, &weight, &upstream, |x, w| depthwise(x, w, stride as u32, dilation as u32).unwrap());
        for ((expected, got), what) in
            expected.iter().zip(&got).zip(["values", "gradient of the input", "gradient of the weight"])
        {
            let off = distance(expected, &got.to_kind(Kind::Double));
            assert!(
                off < 2e-6,
                "{level}: {what} off by {off:.1e}: {images} images, {channels} channels, {height}x{width}, k{kernel} s{stride} d{dilation}"
            );
        }
    });
}

#[test]
fn every_shape() {
    for kernel in [1, 3, 5, 7, 9, 11] {
        for (stride, dilation) in [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3), (2, 3), (3, 1), (5, 2)] {
            for (size, channels) in [([1, 1], 3), ([4, 4], 17), ([14, 19], 5)] {
                check(&Case { images: 2, channels, size, kernel, stride, dilation });
            }
        }
    }
}

#[test]
fn any_number_of_images_and_channels() {
    for (images, channels) in [(1, 1), (1, 40), (2, 33), (17, 8), (33, 2)] {
        check(&Case { images, channels, size: [9, 8], kernel: 5, stride: 2, dilation: 1 });
        check(&Case { images, channels, size: [8, 9], kernel: 7, stride: 1, dilation: 1 });
    }
}

#[test]
fn a_view_that_is_not_contiguous() {
    let wide = normal(&[16, 8, 6, 12], 4);
    let weight = normal(&[8, 1, 3, 3], 5);
    let view = wide.slice(3, 0, 12, 2);
    assert!(!view.is_contiguous());
    at_every_level(|_| {
        let expected = depthwise(&view.contiguous(), &weight, 1, 1).unwrap();
        assert_eq!(distance(&expected, &depthwise(&view, &weight, 1, 1).unwrap()), 0.0);
    });
}
