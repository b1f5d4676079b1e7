//! Convolutions of signs by signs on packed bits, against libtorch's of the same numbers as floats, in turns and after equal results. Packing
//! of images and weights is part of the time; the float convolution gets its signs ready made.

use crate::Outcome;
use nse::space::Convolution;
use nse::supernet::binary::{packed, sign};
use serde_json::{json, Value};
use std::time::Instant;
use tch::{no_grad_guard, Device, Kind, Tensor};

const TURNS: usize = 9;
const IMAGES: i64 = 16;
/// Channels in and out, kernel, size of the image.
const SHAPES: [(u32, u32, u32, i64); 5] =
    [(64, 64, 1, 28), (256, 256, 1, 14), (64, 64, 3, 28), (128, 128, 3, 14), (256, 256, 3, 7)];

pub fn convolutions() -> Outcome<Value> {
    let _no_grad = no_grad_guard();
    println!("| convolution | fp32, ms | packed, ms | ratio (least to most) |\n|---|---|---|---|");
    let mut all = Vec::new();
    for (cin, cout, kernel, size) in SHAPES {
        let c = Convolution::kernel("bench", cin, cout, [kernel, kernel]);
        let normal = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
        // Channels lie together, as in all maps of the library.
        let x = normal(&[IMAGES, size, size, cin.into()]).permute([0, 3, 1, 2]);
        let w = normal(&[cout.into(), cin.into(), kernel.into(), kernel.into()]);
        let (signs, weights) = (sign(&x)?, sign(&w)?);
        let scales = w.abs().mean_dim([1i64, 2, 3].as_slice(), true, None).view([1, -1, 1, 1]);
        let float = || signs.conv2d::<Tensor>(&weights, None, [1, 1], c.padding().map(i64::from), [1, 1], 1);
        let apart = (float() * &scales - packed(&c, &x, &w)?).abs().max().double_value(&[]);
        if apart != 0.0 {
            return Err(format!("{c:?}: results differ by {apart}").into());
        }
        let mut turns = Vec::new();
        for _ in 0..TURNS {
            let float = || {
                drop(float());
                Ok(())
            };
            turns.push([seconds(float)?, seconds(|| packed(&c, &x, &w).map(drop).map_err(Into::into))?]);
        }
        let sorted = |value: fn(&[f64; 2]) -> f64| {
            let mut all: Vec<f64> = turns.iter().map(value).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (floats, bits, ratios) = (sorted(|t| 1e3 * t[0]), sorted(|t| 1e3 * t[1]), sorted(|t| t[0] / t[1]));
        let (middle, last) = (TURNS / 2, TURNS - 1);
        println!(
            "| {kernel} x {kernel}, {cin} to {cout} channels, {IMAGES} images of {size} x {size} | {:.2} | {:.2} | {:.1} ({:.1} to {:.1}) |",
            floats[middle], bits[middle], ratios[middle], ratios[0], ratios[last]
        );
        all.push(json!({ "channels": [cin, cout], "kernel": kernel, "size": size, "fp32_ms": floats, "packed_ms": bits, "ratios": ratios }));
    }
    Ok(all.into())
}

/// Of one run, after one that is not counted, of as many as take a while.
fn seconds(mut work: impl FnMut() -> Outcome<()>) -> Outcome<f64> {
    work()?;
    let mut runs = 1;
    loop {
        let begun = Instant::now();
        for _ in 0..runs {
            work()?;
        }
        let took = begun.elapsed().as_secs_f64();
        if took > 0.02 {
            return Ok(took / f64::from(runs));
        }
        runs *= 2;
    }
}
