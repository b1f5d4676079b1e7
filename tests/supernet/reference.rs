//! An independent implementation of the networks in plain loops and 64-bit floats.

use nse::arch::{Activation, Variant};
use nse::space::{CellKind, Convolution, Space};
use std::collections::HashMap;

/// [images][channels][height][width], flat.
#[derive(Clone)]
pub struct Map {
    pub shape: [usize; 4],
    pub data: Vec<f64>,
}

impl Map {
    pub fn zeros(shape: [usize; 4]) -> Self {
        Map { shape, data: vec![0.0; shape.iter().product()] }
    }

    fn at(&self, n: usize, c: usize, y: usize, x: usize) -> usize {
        ((n * self.shape[1] + c) * self.shape[2] + y) * self.shape[3] + x
    }
}

/// Weights by the names that exports use.
pub type Weights = HashMap<String, Vec<f64>>;

/// How batch-norm gets its statistics.
#[derive(Clone, Copy, PartialEq)]
pub enum Norm {
    Batch,
    Running,
}

pub fn convolve(x: &Map, c: &Convolution, weight: &[f64]) -> Map {
    let [images, _, height, width] = x.shape;
    let [out_height, out_width] = c.output([height as u32, width as u32]).map(|n| n as usize);
    let mut y = Map::zeros([images, c.cout as usize, out_height, out_width]);
    let (per_group, out_per_group) = ((c.cin / c.groups) as usize, (c.cout / c.groups) as usize);
    let [kh, kw] = c.kernel.map(|k| k as usize);
    let [ph, pw] = c.padding().map(|p| p as i64);
    for n in 0..images {
        for o in 0..c.cout as usize {
            for (oy, ox) in (0..out_height).flat_map(|y| (0..out_width).map(move |x| (y, x))) {
                let mut sum = 0.0;
                for i in 0..per_group {
                    for (ky, kx) in (0..kh).flat_map(|y| (0..kw).map(move |x| (y, x))) {
                        let iy = (oy as i64) * i64::from(c.stride[0]) + (ky as i64) * i64::from(c.dilation) - ph;
                        let ix = (ox as i64) * i64::from(c.stride[1]) + (kx as i64) * i64::from(c.dilation) - pw;
                        if (0..height as i64).contains(&iy) && (0..width as i64).contains(&ix) {
                            let input = x.data[x.at(n, o / out_per_group * per_group + i, iy as usize, ix as usize)];
                            sum += input * weight[((o * per_group + i) * kh + ky) * kw + kx];
                        }
                    }
                }
                let at = y.at(n, o, oy, ox);
                y.data[at] = sum;
            }
        }
    }
    y
}

fn normalise(x: &mut Map, weights: &Weights, path: &str, norm: Norm) {
    let plane = x.shape[2] * x.shape[3];
    let count = (x.shape[0] * plane) as f64;
    let part = |name: &str, c: usize| weights[&format!("{path}.bn.{name}")][c];
    for c in 0..x.shape[1] {
        let places: Vec<usize> = (0..x.shape[0])
            .flat_map(|n| (0..plane).map(move |p| (n, p)))
            .map(|(n, p)| (n * x.shape[1] + c) * plane + p)
            .collect();
        let mean = places.iter().map(|i| x.data[*i]).sum::<f64>() / count;
        let var = places.iter().map(|i| (x.data[*i] - mean).powi(2)).sum::<f64>() / count;
        let (mean, var) = match norm {
            Norm::Batch => (mean, var),
            Norm::Running => (part("running_mean", c), part("running_var", c)),
        };
        let (scale, shift) = (part("weight", c), part("bias", c));
        for i in places {
            x.data[i] = (x.data[i] - mean) / (var + 1e-5).sqrt() * scale + shift;
        }
    }
}

fn activate(values: &mut [f64], activation: Activation) {
    for v in values {
        *v = match activation {
            Activation::Relu => v.max(0.0),
            Activation::Swish => *v / (1.0 + (-*v).exp()),
        };
    }
}

fn unit(x: &Map, c: &Convolution, weights: &Weights, path: &str, norm: Norm, activation: Activation) -> Map {
    let mut y = convolve(x, c, &weights[&format!("{path}.weight")]);
    if c.norm {
        normalise(&mut y, weights, path, norm);
    }
    if c.relu {
        activate(&mut y.data, activation);
    }
    y
}

/// Average of one channel of one image.
fn average(x: &Map, n: usize, c: usize) -> f64 {
    let plane = x.shape[2] * x.shape[3];
    x.data[x.at(n, c, 0, 0)..][..plane].iter().sum::<f64>() / plane as f64
}

fn linear(x: &[f64], weights: &Weights, path: &str) -> Vec<f64> {
    let (matrix, bias) = (&weights[&format!("{path}.weight")], &weights[&format!("{path}.bias")]);
    let row = |k: usize| x.iter().enumerate().map(|(c, v)| matrix[k * x.len() + c] * v).sum::<f64>();
    bias.iter().enumerate().map(|(k, bias)| bias + row(k)).collect()
}

/// Squeeze-excitation, when the weights have it at this place.
fn excite(x: &mut Map, weights: &Weights, path: &str, activation: Activation) {
    if !weights.contains_key(&format!("{path}.squeeze.weight")) {
        return;
    }
    let ([images, channels, ..], plane) = (x.shape, x.shape[2] * x.shape[3]);
    for n in 0..images {
        let averages: Vec<_> = (0..channels).map(|c| average(x, n, c)).collect();
        let mut inner = linear(&averages, weights, &format!("{path}.squeeze"));
        assert_eq!(inner.len(), (channels / 4).max(1), "channels inside of {path}");
        activate(&mut inner, activation);
        for (c, gate) in linear(&inner, weights, &format!("{path}.excite")).iter().enumerate() {
            let at = x.at(n, c, 0, 0);
            x.data[at..][..plane].iter_mut().for_each(|v| *v /= 1.0 + (-gate).exp());
        }
    }
}

/// Logits of a network with the given operators open, image by image.
pub fn forward(space: &Space, open: &[Vec<u16>], weights: &Weights, images: &Map, norm: Norm) -> Vec<Vec<f64>> {
    varied(space, open, Variant::default(), weights, images, norm)
}

/// The same with a variant.
pub fn varied(space: &Space, open: &[Vec<u16>], variant: Variant, weights: &Weights, images: &Map, norm: Norm) -> Vec<Vec<f64>> {
    let activation = variant.activation;
    let mut x = unit(images, &space.chain().unwrap().stem, weights, "stem", norm, activation);
    for (i, cell) in space.cells().iter().enumerate() {
        let mut terms = Vec::new();
        for operator in &open[i] {
            let operator = cell.operators[usize::from(*operator)];
            let mut y = x.clone();
            let chain = operator.convolutions(cell.input.channels, cell.channels, cell.stride());
            for (at, c) in chain.iter().enumerate() {
                let path = format!("cell{i}.{operator}.{}", c.name);
                y = unit(&y, c, weights, &path, norm, activation);
                assert_eq!(
                    weights.contains_key(&format!("{path}.squeeze.weight")),
                    variant.squeeze_excitation && at + 2 == chain.len(),
                    "squeeze-excitation of {path}"
                );
                excite(&mut y, weights, &path, activation);
            }
            terms.push(y);
        }
        if cell.kind == CellKind::Normal {
            terms.push(x);
        }
        let mut mean = Map::zeros(terms[0].shape);
        for (at, value) in mean.data.iter_mut().enumerate() {
            *value = terms.iter().map(|t| t.data[at]).sum::<f64>() / terms.len() as f64;
        }
        x = mean;
    }
    let features = unit(&x, &space.chain().unwrap().tail, weights, "tail", norm, activation);
    let pooled = |n| (0..features.shape[1]).map(|c| average(&features, n, c)).collect::<Vec<_>>();
    (0..images.shape[0]).map(|n| linear(&pooled(n), weights, "classifier")).collect()
}
