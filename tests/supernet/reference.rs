//! An independent implementation of the networks in plain loops and 64-bit floats.

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
    for c in 0..x.shape[1] {
        let places: Vec<usize> = (0..x.shape[0])
            .flat_map(|n| (0..plane).map(move |p| (n, p)))
            .map(|(n, p)| (n * x.shape[1] + c) * plane + p)
            .collect();
        let mean = places.iter().map(|i| x.data[*i]).sum::<f64>() / count;
        let var = places.iter().map(|i| (x.data[*i] - mean).powi(2)).sum::<f64>() / count;
        let (mean, var) = match norm {
            Norm::Batch => (mean, var),
            Norm::Running => (weights[&format!("{path}.bn.running_mean")][c], weights[&format!("{path}.bn.running_var")][c]),
        };
        let (scale, shift) = (weights[&format!("{path}.bn.weight")][c], weights[&format!("{path}.bn.bias")][c]);
        for i in places {
            x.data[i] = (x.data[i] - mean) / (var + 1e-5).sqrt() * scale + shift;
        }
    }
}

fn unit(x: &Map, c: &Convolution, weights: &Weights, path: &str, norm: Norm) -> Map {
    let mut y = convolve(x, c, &weights[&format!("{path}.weight")]);
    if c.norm {
        normalise(&mut y, weights, path, norm);
    }
    if c.relu {
        y.data.iter_mut().for_each(|v| *v = v.max(0.0));
    }
    y
}

/// Logits of a network with the given operators open, image by image.
pub fn forward(space: &Space, open: &[Vec<u16>], weights: &Weights, images: &Map, norm: Norm) -> Vec<Vec<f64>> {
    let mut x = unit(images, space.stem(), weights, "stem", norm);
    for (i, cell) in space.cells().iter().enumerate() {
        let mut terms = Vec::new();
        for operator in &open[i] {
            let operator = cell.operators[usize::from(*operator)];
            let mut y = x.clone();
            for c in operator.convolutions(cell.input.channels, cell.channels, cell.stride()) {
                y = unit(&y, &c, weights, &format!("cell{i}.{operator}.{}", c.name), norm);
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
    let features = unit(&x, space.tail(), weights, "tail", norm);
    let (channels, plane) = (features.shape[1], features.shape[2] * features.shape[3]);
    let pooled = |n: usize, c: usize| features.data[(n * channels + c) * plane..][..plane].iter().sum::<f64>() / plane as f64;
    let (matrix, bias) = (&weights["classifier.weight"], &weights["classifier.bias"]);
    (0..images.shape[0])
        .map(|n| {
            (0..bias.len())
                .map(|k| bias[k] + (0..channels).map(|c| matrix[k * channels + c] * pooled(n, c)).sum::<f64>())
                .collect()
        })
        .collect()
}
