//! An independent implementation of the networks in plain loops and 64-bit floats.

use nse::arch::Variant;
use nse::space::{Activation, CellKind, Convolution, Details, Excitation, Gate, Space};
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

/// Squeeze-excitation.
fn excite(x: &mut Map, weights: &Weights, path: &str, excitation: &Excitation, activation: Activation) {
    let ([images, channels, ..], plane) = (x.shape, x.shape[2] * x.shape[3]);
    for n in 0..images {
        let averages: Vec<_> = (0..channels).map(|c| average(x, n, c)).collect();
        let mut inner = linear(&averages, weights, &format!("{path}.squeeze"));
        let inside = match excitation.divisor {
            None => (channels / 4).max(1),
            // 9 would be more than 10% above 8.
            Some(8) if channels == 36 => 16,
            Some(8) if channels < 36 => 8,
            other => panic!("{channels} channels divided by {other:?}"),
        };
        assert_eq!(inner.len(), inside, "channels inside of {path}");
        activate(&mut inner, excitation.activation.unwrap_or(activation));
        for (c, gate) in linear(&inner, weights, &format!("{path}.excite")).into_iter().enumerate() {
            let gate = match excitation.gate {
                Gate::Sigmoid => 1.0 / (1.0 + (-gate).exp()),
                Gate::HardSigmoid => (gate / 6.0 + 0.5).clamp(0.0, 1.0),
            };
            let at = x.at(n, c, 0, 0);
            x.data[at..][..plane].iter_mut().for_each(|v| *v *= gate);
        }
    }
}

/// Convolutions one behind the other.
fn branch(x: &Map, chain: &[Convolution], weights: &Weights, path: &str, norm: Norm, details: Details) -> Map {
    let mut y = x.clone();
    for (at, c) in chain.iter().enumerate() {
        let path = format!("{path}.{}", c.name);
        y = unit(&y, c, weights, &path, norm, details.activation);
        let excitation = details.excitation.filter(|_| at + 2 == chain.len());
        let has = weights.contains_key(&format!("{path}.squeeze.weight"));
        assert_eq!(has, excitation.is_some(), "squeeze-excitation of {path}");
        excitation.iter().for_each(|excitation| excite(&mut y, weights, &path, excitation, details.activation));
    }
    y
}

fn mean(terms: &[Map]) -> Map {
    let mut mean = Map::zeros(terms[0].shape);
    for (at, value) in mean.data.iter_mut().enumerate() {
        *value = terms.iter().map(|t| t.data[at]).sum::<f64>() / terms.len() as f64;
    }
    mean
}

/// Logits of a network with the given operators open, image by image.
pub fn forward(space: &Space, open: &[Vec<u16>], weights: &Weights, images: &Map, norm: Norm) -> Vec<Vec<f64>> {
    varied(space, open, Variant::default(), weights, images, norm)
}

/// The same with a variant.
pub fn varied(space: &Space, open: &[Vec<u16>], variant: Variant, weights: &Weights, images: &Map, norm: Norm) -> Vec<Vec<f64>> {
    let (chain, own) = (space.chain().unwrap(), space.details());
    let details = Details {
        activation: if variant.activation == Activation::Swish { Activation::Swish } else { own.activation },
        excitation: if variant.squeeze_excitation { Some(Excitation::default()) } else { own.excitation },
    };
    let mut x = unit(images, &chain.stem, weights, "stem", norm, details.activation);
    if let [_, project] = &chain.block[..] {
        let y = branch(&x, &chain.block, weights, "block", norm, details);
        x = if project.cout == chain.stem.cout { mean(&[x, y]) } else { y };
    }
    for (i, cell) in space.cells().iter().enumerate() {
        let branch = |operator: &u16| {
            let operator = cell.operators[usize::from(*operator)];
            let chain = operator.convolutions(cell.input.channels, cell.channels, cell.stride());
            branch(&x, &chain, weights, &format!("cell{i}.{operator}"), norm, details)
        };
        let mut terms: Vec<Map> = open[i].iter().map(branch).collect();
        if cell.kind == CellKind::Normal {
            terms.push(x);
        }
        x = mean(&terms);
    }
    let features = unit(&x, &chain.tail, weights, "tail", norm, details.activation);
    let head = |n| {
        let mut vector: Vec<f64> = (0..features.shape[1]).map(|c| average(&features, n, c)).collect();
        if chain.hidden.is_some() {
            vector = linear(&vector, weights, "hidden");
            activate(&mut vector, details.activation);
        }
        linear(&vector, weights, "classifier")
    };
    (0..images.shape[0]).map(head).collect()
}
