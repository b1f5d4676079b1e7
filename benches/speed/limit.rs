//! How close a weight step and the scoring of a candidate are to what the machine can do. Counted openly:
//!
//! compute: 2 operations per multiply-accumulate, three times (output, gradient of the input, gradient of the weight), all at the rate
//!   that libtorch's best convolution reaches here (oneDNN, 3x3, 256 to 256 channels, forward);
//! bytes: every map that a convolution gives is written and read once forward, and read and its gradient written and read backward with it
//!   being read once more: six times in all; the output of a cell the same; at the rate of a large copy.
//!
//! Where candidates are scored, once forward: 2 operations per multiply-accumulate, a map written and read once, and what the candidates of a group
//! begin with alike counted once.
//!
//! The limit is the sum of both: they overlap only in part. The convolutions alone are the second measure: each once forward and backward
//! in libtorch with channels together, nothing between them.

use crate::setting::Setting;
use crate::Outcome;
use nse::arch::Architecture;
use nse::space::Convolution;
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::time::Instant;
use tch::{no_grad, Device, Kind, Tensor};

/// Of each convolution of an open path: its shape, and the size of what it reads.
fn convolutions(setting: &Setting, open: &[Vec<u16>]) -> Vec<(Convolution, [u32; 2])> {
    let space = &setting.space;
    let mut all = vec![(space.chain().unwrap().stem.clone(), space.input().size())];
    for (cell, open) in space.cells().iter().zip(open) {
        for o in open {
            let mut size = cell.input.size();
            for c in cell.operators[usize::from(*o)].convolutions(cell.input.channels, cell.channels, cell.stride()) {
                all.push((c.clone(), size));
                size = c.output(size);
            }
        }
    }
    all.push((space.chain().unwrap().tail.clone(), space.features().size()));
    all
}

fn median(mut work: impl FnMut(), times: usize) -> f64 {
    work();
    let mut seconds: Vec<f64> = (0..times)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[times / 2]
}

/// Operations per second of a convolution that libtorch is good at, and bytes per second of a copy of 64 MiB, read and written.
fn machine() -> (f64, f64) {
    let normal = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
    let (x, w) = (normal(&[8, 256, 28, 28]), normal(&[256, 256, 3, 3]));
    let seconds = median(|| drop(no_grad(|| x.conv2d::<Tensor>(&w, None, [1, 1], [1, 1], [1, 1], 1))), 9);
    let rate = 2.0 * f64::from(8 * 28 * 28 * 256 * 9) * 256.0 / seconds;
    let (from, mut to) = (normal(&[16 << 20]), normal(&[16 << 20]));
    let copy = median(|| to.copy_(&from), 9);
    (rate, 2.0 * f64::from(64 << 20) / copy)
}

pub fn of_weight_steps(setting: &Setting, steps: u64, seconds: f64) -> Outcome<Value> {
    let (rate, bandwidth) = machine();
    let batch = setting.batch as f64;
    let (mut operations, mut bytes) = (0.0, 0.0);
    for i in 1..=steps {
        let open = setting.open(i);
        for (c, size) in convolutions(setting, &open) {
            let [height, width] = c.output(size).map(f64::from);
            let [out, into, kh, kw] = c.weight().map(f64::from);
            operations += 6.0 * batch * height * width * out * into * kh * kw;
            bytes += 24.0 * batch * height * width * out;
        }
        let outputs: u64 = setting.space.cells().iter().map(|cell| cell.output().numbers()).sum();
        bytes += 24.0 * batch * outputs as f64;
    }
    let (operations, bytes) = (operations / steps as f64, bytes / steps as f64);
    let limit = operations / rate + bytes / bandwidth;
    let alone = convolutions_alone(setting, &setting.open(1));
    println!(
        "  limit of a weight step: {:.1} ms = {:.1} GFLOP at {:.0} GFLOP/s and {:.0} MB at {:.1} GB/s; the library is at {:.0}% of it",
        limit * 1e3,
        operations / 1e9,
        rate / 1e9,
        bytes / 1e6,
        bandwidth / 1e9,
        100.0 * limit / seconds
    );
    println!("  the convolutions of one step alone in libtorch, channels together: {:.1} ms", alone * 1e3);
    Ok(json!({
        "operations": operations, "bytes": bytes, "rate": rate, "bandwidth": bandwidth, "seconds": limit, "share": limit / seconds,
        "convolutions_alone": alone,
    }))
}

/// Of candidates of these groups, each with so many images for its statistics and so many for its accuracy.
pub fn of_scoring(
    setting: &Setting,
    groups: &[Vec<Architecture>],
    calibration: usize,
    validation: usize,
    seconds: f64,
) -> Outcome<Value> {
    let (rate, bandwidth) = machine();
    let (images, mut operations, mut bytes) = ((calibration + validation) as f64, 0.0, 0.0);
    let mut count = |c: &Convolution, size: [u32; 2], images: f64| {
        let [height, width] = c.output(size).map(f64::from);
        let [out, into, kh, kw] = c.weight().map(f64::from);
        operations += 2.0 * images * height * width * out * into * kh * kw;
        bytes += 8.0 * images * height * width * out;
    };
    let chain = setting.space.chain().ok_or("no chain")?;
    for candidates in groups {
        let mut computed = BTreeSet::new();
        count(&chain.stem, setting.space.input().size(), images);
        for candidate in candidates {
            let open = candidate.cells();
            for (i, cell) in setting.space.cells().iter().enumerate() {
                for o in open[i].iter().filter(|o| computed.insert((&open[..i], **o))) {
                    let mut size = cell.input.size();
                    for c in cell.operators[usize::from(*o)].convolutions(cell.input.channels, cell.channels, cell.stride()) {
                        count(&c, size, images);
                        size = c.output(size);
                    }
                }
            }
            count(&chain.tail, setting.space.features().size(), validation as f64);
        }
    }
    let candidates = groups.iter().map(Vec::len).sum::<usize>() as f64;
    let limit = (operations / rate + bytes / bandwidth) / candidates;
    println!("  limit of scoring a candidate: {:.2} s; the library is at {:.0}% of it", limit, 100.0 * limit / seconds);
    Ok(json!({ "seconds": limit, "share": limit / seconds }))
}

fn convolutions_alone(setting: &Setting, open: &[Vec<u16>]) -> f64 {
    let mut total = 0.0;
    for (c, size) in convolutions(setting, open) {
        let wide = |channels: u32, [height, width]: [u32; 2]| {
            let size = [setting.batch as i64, i64::from(height), i64::from(width), i64::from(channels)];
            Tensor::randn(size, (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2])
        };
        let x = wide(c.cin, size).set_requires_grad(true);
        let w = Tensor::randn(c.weight().map(i64::from), (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let (stride, padding) = (c.stride.map(i64::from), c.padding().map(i64::from));
        let upstream = wide(c.cout, c.output(size));
        total += median(
            || {
                let y = x.conv2d::<Tensor>(&w, None, stride, padding, [i64::from(c.dilation); 2], i64::from(c.groups));
                drop(Tensor::run_backward(&[y.dot_all(&upstream)], &[&x, &w], false, false));
            },
            1,
        );
    }
    total
}

/// The sum of products of two maps, whose gradient is the other one.
trait DotAll {
    fn dot_all(&self, other: &Tensor) -> Tensor;
}

impl DotAll for Tensor {
    fn dot_all(&self, other: &Tensor) -> Tensor {
        (self * other).sum(Kind::Float)
    }
}
