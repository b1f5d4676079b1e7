//! Our depthwise kernels against the library's convolution: values and both gradients.

use crate::support::{distance, normal};
use nse::supernet::shim::depthwise;
use tch::Tensor;

struct Case {
    images: i64,
    channels: i64,
    size: [i64; 2],
    kernel: i64,
    stride: i64,
    dilation: i64,
}

fn check(case: &Case) {
    let Case { images, channels, size: [height, width], kernel, stride, dilation } = *case;
    let x = normal(&[images, channels, height, width], 1).set_requires_grad(true);
    let weight = normal(&[channels, 1, kernel, kernel], 2).set_requires_grad(true);
    let padding = dilation * (kernel - 1) / 2;
    let library = x.conv2d::<Tensor>(&weight, None, [stride, stride], [padding, padding], [dilation, dilation], channels);
    let ours = depthwise(&x, &weight, stride as u32, dilation as u32).unwrap();
    let upstream = normal(&library.size(), 3);
    let gradients = |y: &Tensor| Tensor::run_backward(&[(y * &upstream).sum(None)], &[&x, &weight], false, false);
    let (expected, got) = (gradients(&library), gradients(&ours));
    let name = format!("{images} images, {channels} channels, {height}x{width}, k{kernel} s{stride} d{dilation}");
    assert!(distance(&library, &ours) < 1e-5, "{name}: values");
    assert!(distance(&expected[0], &got[0]) < 1e-5, "{name}: gradient of the input");
    assert!(distance(&expected[1], &got[1]) < 1e-5, "{name}: gradient of the weight");
}

#[test]
fn agrees_with_the_library() {
    for kernel in [1, 3, 5, 7, 9, 11] {
        for (stride, dilation) in [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (1, 3)] {
            for size in [[1, 1], [4, 4], [7, 5], [14, 13]] {
                check(&Case { images: 17, channels: 3, size, kernel, stride, dilation });
            }
        }
    }
}

#[test]
fn any_number_of_images() {
    for images in [1, 7, 8, 15, 16, 32, 33] {
        check(&Case { images, channels: 5, size: [9, 9], kernel: 5, stride: 2, dilation: 1 });
    }
}

#[test]
fn a_view_that_is_not_contiguous() {
    let wide = normal(&[16, 8, 6, 12], 4);
    let weight = normal(&[8, 1, 3, 3], 5);
    let view = wide.slice(3, 0, 12, 2);
    assert!(!view.is_contiguous());
    let expected = depthwise(&view.contiguous(), &weight, 1, 1).unwrap();
    assert_eq!(distance(&expected, &depthwise(&view, &weight, 1, 1).unwrap()), 0.0);
}
