//! The net that does not see the order of blocks: the mean over blocks of the vectors of their four words, then two hidden layers.

use super::algebra::{add_gradients, add_product, add_scaled, dot, sigmoid, split, split_mut};
use super::vocabulary::{Vocabulary, Words};
use super::{normals, Learning, Net, Predictor};
use crate::search::random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ranks larger cells than it has seen better than "lstm" does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mlp {
    /// Numbers in the vector of a word (published: 100).
    #[schemars(range(min = 1, max = 512))]
    pub embedding: usize,
    /// Numbers in each of the two hidden layers (published: 100).
    #[schemars(range(min = 1, max = 512))]
    pub hidden: usize,
    /// Nets, whose mean is what is foretold.
    #[schemars(range(min = 1, max = 100))]
    pub members: usize,
    /// Passes over the results.
    #[schemars(range(min = 1, max = 10_000))]
    pub epochs: usize,
    /// Learning rate at the beginning; at the end it is a tenth of it.
    #[schemars(range(min = 1e-6, max = 1.0))]
    pub lr: f64,
}

impl Default for Mlp {
    fn default() -> Self {
        Mlp { embedding: 8, hidden: 32, members: 5, epochs: 200, lr: 0.01 }
    }
}

impl Predictor for Mlp {
    fn learning(&self) -> Learning {
        Learning { members: self.members, epochs: self.epochs, lr: self.lr }
    }

    fn net(&self, vocabulary: Vocabulary) -> Box<dyn Net> {
        Box::new(MeanNet { vocabulary: Vocabulary { width: self.embedding, ..vocabulary }, hidden: self.hidden })
    }
}

struct MeanNet {
    vocabulary: Vocabulary,
    hidden: usize,
}

/// The numbers of a net, or their gradients, part by part.
struct Parts<T> {
    table: T,
    first: T,
    first_bias: T,
    second: T,
    second_bias: T,
    last: T,
    /// One number.
    bias: T,
}

impl MeanNet {
    fn sizes(&self) -> [usize; 7] {
        let (x, h) = (4 * self.vocabulary.width, self.hidden);
        [self.vocabulary.numbers(), x * h, h, h * h, h, h, 1]
    }

    fn parts<'a>(&self, numbers: &'a [f64]) -> Parts<&'a [f64]> {
        let [table, first, first_bias, second, second_bias, last, bias] = split(self.sizes(), numbers);
        Parts { table, first, first_bias, second, second_bias, last, bias }
    }

    fn parts_mut<'a>(&self, numbers: &'a mut [f64]) -> Parts<&'a mut [f64]> {
        let [table, first, first_bias, second, second_bias, last, bias] = split_mut(self.sizes(), numbers);
        Parts { table, first, first_bias, second, second_bias, last, bias }
    }

    /// Sums over blocks of the vectors of their words.
    fn sums(&self, table: &[f64], cell: &[Words], x: &mut [f64]) {
        let width = self.vocabulary.width;
        for block in cell {
            for (place, (word, x)) in block.iter().zip(x.chunks_exact_mut(width)).enumerate() {
                self.vocabulary.add(table, place, *word, x);
            }
        }
    }

    fn layers(&self, p: &Parts<&[f64]>, x: &[f64]) -> (Vec<f64>, Vec<f64>, f64) {
        let layer = |w: &[f64], bias: &[f64], x: &[f64]| {
            let mut y = bias.to_vec();
            add_product(w, x, &mut y);
            y.iter_mut().for_each(|y| *y = y.max(0.0));
            y
        };
        let one = layer(p.first, p.first_bias, x);
        let two = layer(p.second, p.second_bias, &one);
        let y = sigmoid(dot(p.last, &two) + p.bias[0]);
        (one, two, y)
    }
}

impl Net for MeanNet {
    fn init(&self, mean: f64, stream: &mut Stream) -> Vec<f64> {
        let [_, first, _, second, _, last, _] = self.sizes();
        let mut numbers = self.vocabulary.init(0.1, stream);
        let (x, h) = (4 * self.vocabulary.width, self.hidden);
        numbers.extend(normals(first, (2.0 / x as f64).sqrt(), stream));
        numbers.extend(vec![0.0; h]);
        numbers.extend(normals(second, (2.0 / h as f64).sqrt(), stream));
        numbers.extend(vec![0.0; h]);
        numbers.extend(normals(last, 0.1 / (h as f64).sqrt(), stream));
        numbers.push((mean / (1.0 - mean)).ln());
        numbers
    }

    fn predict(&self, numbers: &[f64], cell: &[Words], next: &[Words]) -> Vec<f64> {
        let p = self.parts(numbers);
        let mut before = vec![0.0; 4 * self.vocabulary.width];
        self.sums(p.table, cell, &mut before);
        let blocks = (cell.len() + usize::from(!next.is_empty())) as f64;
        let foretell = |block: &[Words]| {
            let mut x = before.clone();
            self.sums(p.table, block, &mut x);
            x.iter_mut().for_each(|x| *x /= blocks);
            self.layers(&p, &x).2
        };
        match next {
            [] => vec![foretell(&[])],
            next => next.iter().map(|block| foretell(std::slice::from_ref(block))).collect(),
        }
    }

    fn learn(&self, numbers: &[f64], cell: &[Words], accuracy: f64, gradient: &mut [f64]) -> f64 {
        let p = self.parts(numbers);
        let g = self.parts_mut(gradient);
        let (width, blocks) = (self.vocabulary.width, cell.len() as f64);
        let mut x = vec![0.0; 4 * width];
        self.sums(p.table, cell, &mut x);
        x.iter_mut().for_each(|x| *x /= blocks);
        let (one, two, y) = self.layers(&p, &x);
        let dy = (y - accuracy).signum() * y * (1.0 - y);
        g.bias[0] += dy;
        let mut d_two: Vec<f64> = vec![0.0; self.hidden];
        add_gradients(p.last, &two, &[dy], g.last, &mut d_two);
        let open = |d: &mut [f64], y: &[f64]| d.iter_mut().zip(y).filter(|(_, y)| **y <= 0.0).for_each(|(d, _)| *d = 0.0);
        open(&mut d_two, &two);
        add_scaled(1.0, &d_two, g.second_bias);
        let mut d_one = vec![0.0; self.hidden];
        add_gradients(p.second, &one, &d_two, g.second, &mut d_one);
        open(&mut d_one, &one);
        add_scaled(1.0, &d_one, g.first_bias);
        let mut dx = vec![0.0; x.len()];
        add_gradients(p.first, &x, &d_one, g.first, &mut dx);
        dx.iter_mut().for_each(|dx| *dx /= blocks);
        for block in cell {
            for (place, (word, dx)) in block.iter().zip(dx.chunks_exact(width)).enumerate() {
                self.vocabulary.learn(g.table, place, *word, dx);
            }
        }
        (y - accuracy).abs()
    }
}
