//! Convolutions of signs by signs on packed bits, against libtorch's of floats.

use crate::Outcome;
use nse::space::Convolution;
use nse::supernet::binary::{packed, sign};
use std::time::Instant;
use tch::{no_grad_guard, Device, Kind, Tensor};

const TURNS: usize = 9;

/// Seconds of one run, of enough of them to be measured.
fn seconds(work: &mut dyn FnMut()) -> f64 {
    let mut runs = 1;
    loop {
        let begun = Instant::now();
        (0..runs).for_each(|_| work());
        let took = begun.elapsed().as_secs_f64();
        if took > 0.02 {
            return took / f64::from(runs);
        }
        runs *= 2;
    }
}

/// Packing of images and weights is part of the time. The float convolution gets weights and signs as they are, in the layout that suits it.
pub fn table() -> Outcome<String> {
    let _no_grad = no_grad_guard();
    let mut table =
        String::from("| convolution | images | fp32, ms | packed, ms | ratio (least to most) |\n|---|---|---|---|---|\n");
    for (cin, cout, kernel, size) in [(64, 64, 1, 28), (256, 256, 1, 14), (64, 64, 3, 28), (128, 128, 3, 14), (256, 256, 3, 7)] {
        let c = Convolution::kernel("bench", cin, cout, [kernel, kernel]);
        let normal = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
        let x = normal(&[16, cin.into(), size, size]).contiguous();
        let w = normal(&[cout.into(), cin.into(), kernel.into(), kernel.into()]);
        let (signs, weights) = (sign(&x)?, sign(&w)?);
        let scales = w.abs().mean_dim([1i64, 2, 3].as_slice(), true, None).view([1, -1, 1, 1]);
        let padding = [i64::from(kernel / 2); 2];
        let float = || signs.conv2d::<Tensor>(&weights, None, [1, 1], padding, [1, 1], 1);
        let equal = (float() * &scales - packed(&c, &x, &w)?).abs().max().double_value(&[]);
        if equal != 0.0 {
            return Err(format!("{c:?}: results differ by {equal}").into());
        }
        let (mut floats, mut bits, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            floats.push(seconds(&mut || drop(float())));
            bits.push(seconds(&mut || drop(packed(&c, &x, &w))));
            ratios.push(floats[floats.len() - 1] / bits[bits.len() - 1]);
        }
        let sorted = |mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all
        };
        let (floats, bits, ratios) = (sorted(floats), sorted(bits), sorted(ratios));
        table += &format!(
            "| {kernel}x{kernel}, {cin} to {cout} channels, {size}x{size} | 16 | {:.2} | {:.2} | {:.1} ({:.1} to {:.1}) |\n",
            floats[TURNS / 2] * 1e3,
            bits[TURNS / 2] * 1e3,
            ratios[TURNS / 2],
            ratios[0],
            ratios[TURNS - 1]
        );
    }
    Ok(table)
}
