//! Products in bfloat16, against libtorch in 64 bits with what is multiplied rounded before.

use crate::at_every_level;
use crate::dense::{draw, Case};
use crate::support::{distance, normal};
use nse::space::{Activation, Convolution};
use nse::supernet::fused::{cell, convolve, Branch};
use nse::supernet::norm::Norm;
use nse::supernet::shim::BFloat16;
use nse::supernet::unit::{Init, Unit};
use tch::{Device, Kind, Tensor};

fn unit(shape: &Convolution, seed: u64) -> Unit {
    Unit::new(shape.clone(), Activation::Relu, &mut Init::new(5, 0, seed, Device::Cpu)).unwrap()
}

fn rounded(x: &Tensor) -> Tensor {
    x.to_kind(Kind::BFloat16).to_kind(Kind::Double)
}

/// Whether its products are rounded.
fn low(shape: &Convolution) -> bool {
    let [ins, outs] = [shape.cin, shape.cout].map(|channels| channels / shape.groups);
    ins % 2 == 0 && outs % 2 == 0
}

/// The convolution, and gradients of its input and weight, of numbers as they come.
fn plain(x: &Tensor, weight: &Tensor, upstream: &Tensor, shape: &Convolution) -> [Tensor; 3] {
    let [x, weight] = [x, weight].map(|t| t.detach().set_requires_grad(true));
    let padding = [0, 1].map(|axis| i64::from(shape.dilation * (shape.kernel[axis] - 1) / 2));
    let [dilation, groups] = [shape.dilation, shape.groups].map(i64::from);
    let y = x.conv2d::<Tensor>(&weight, None, shape.stride.map(i64::from), padding, [dilation, dilation], groups);
    let gradients = Tensor::run_backward(&[(&y * upstream).sum(None)], &[&x, &weight], false, false);
    let [of_x, of_weight] = gradients.try_into().unwrap();
    [y.detach(), of_x, of_weight]
}

#[test]
fn both_ways_of_any_shape() {
    let mut rounds = 0;
    for index in 0..160 {
        let Case { images, size: [height, width], shapes } = draw(index);
        let shape = &shapes[0];
        let unit = unit(shape, index);
        let (x, weight) = (normal(&[images, shape.cin.into(), height, width], 1), unit.weight.value.detach());
        let upstream = normal(&plain_size(&x, &weight, shape), 3);
        let as_read = |t: &Tensor| if low(shape) { rounded(t) } else { t.to_kind(Kind::Double) };
        let expected = plain(&as_read(&x), &as_read(&weight), &as_read(&upstream), shape);
        at_every_level(|level| {
            let [x, weight] = [&x, &weight].map(|t| t.detach().set_requires_grad(true));
            let y = {
                let _low = BFloat16::on(Device::Cpu).unwrap();
                convolve(&x, &unit, &weight).unwrap().expect("our kernels have it")
            };
            // Backward is as forward was.
            let gradients = Tensor::run_backward(&[(&y * &upstream).sum(None)], &[&x, &weight], false, false);
            for (at, (expected, got)) in expected.iter().zip([&y.detach(), &gradients[0], &gradients[1]]).enumerate() {
                let off = distance(expected, &got.to_kind(Kind::Double));
                assert!(
                    off < 2e-6,
                    "{level}: number {at} of {shape:?} on {images} images of {height}x{width} is off by {off:.1e}"
                );
            }
        });
        rounds += usize::from(low(shape));
    }
    assert!(rounds > 40, "only {rounds} shapes were rounded");
}

fn plain_size(x: &Tensor, weight: &Tensor, shape: &Convolution) -> Vec<i64> {
    let out = |axis: usize| (x.size()[2 + axis] as u64).div_ceil(shape.stride[axis].into()) as i64;
    vec![x.size()[0], weight.size()[0], out(0), out(1)]
}

#[test]
fn a_chain_is_as_near_as_its_rounding_and_only_while_it_is_asked_for() {
    let shapes = [
        Convolution::kernel("up", 32, 96, [1, 1]),
        Convolution::kernel("along", 96, 96, [1, 7]),
        Convolution::kernel("down", 96, 32, [1, 1]).linear(),
    ];
    let units: Vec<_> = shapes.iter().map(|shape| unit(shape, 3)).collect();
    let x = normal(&[6, 32, 9, 9], 1);
    let run = |low: bool| {
        let x = x.detach().set_requires_grad(true);
        let y = {
            let _low = low.then(|| BFloat16::on(Device::Cpu).unwrap());
            cell(&x, &[Branch { units: &units, selected: true, unselected: false }], false, &Norm::Batch, false).unwrap().0
        };
        let inputs: Vec<_> = std::iter::once(&x).chain(units.iter().flat_map(Unit::parameters).map(|p| &p.value)).collect();
        let gradients = Tensor::run_backward(&[(&y * normal(&y.size(), 3)).sum(None)], &inputs, false, false);
        std::iter::once(y.detach()).chain(gradients).collect::<Vec<_>>()
    };
    at_every_level(|level| {
        let (exact, near, again) = (run(false), run(true), run(false));
        for (at, ((exact, near), again)) in exact.iter().zip(&near).zip(&again).enumerate() {
            let off = distance(exact, near);
            // The last one is the sum of what comes from behind.
            assert!((off > 1e-4) == (at < 10) && off < 0.1, "{level}: number {at} is off by {off:.1e}");
            assert!(exact.equal(again), "{level}: number {at} is still rounded");
        }
    });
}

#[test]
fn what_is_not_a_number_stays_so() {
    let unit = unit(&Convolution::kernel("dense", 4, 6, [3, 3]), 3);
    at_every_level(|level| {
        for odd in [f64::NAN, f64::INFINITY] {
            let x = normal(&[2, 4, 5, 5], 1);
            let _ = x.get(1).get(2).get(3).get(3).fill_(odd);
            let _low = BFloat16::on(Device::Cpu).unwrap();
            let y = convolve(&x, &unit, &unit.weight.value).unwrap().unwrap();
            assert!(bool::try_from(y.get(0).isfinite().all()).unwrap(), "{level}: {odd} in another image");
            let near = y.get(1).narrow(1, 2, 3).narrow(2, 2, 3);
            assert!(bool::try_from(near.isfinite().logical_not().all()).unwrap(), "{level}: {odd} was lost");
        }
    });
}
