//! The net that reads a cell word by word (Hochreiter and Schmidhuber 1997): the state behind the last word says how good the cell is.

use super::algebra::{add_gradients, add_product, add_scaled, dot, sigmoid, split, split_mut};
use super::vocabulary::{Vocabulary, Words};
use super::{normals, Learning, Net, Predictor};
use crate::search::random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Ranks cells as large as those that it has seen better than "mlp" does, by the paper; takes longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lstm {
    /// Numbers in the vector of a word (published: 100).
    #[schemars(range(min = 1, max = 512))]
    pub embedding: usize,
    /// Numbers in the state (published: 100).
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

impl Default for Lstm {
    fn default() -> Self {
        Lstm { embedding: 8, hidden: 24, members: 5, epochs: 40, lr: 0.01 }
    }
}

impl Predictor for Lstm {
    fn learning(&self) -> Learning {
        Learning { members: self.members, epochs: self.epochs, lr: self.lr }
    }

    fn net(&self, vocabulary: Vocabulary) -> Box<dyn Net> {
        Box::new(WordNet { vocabulary: Vocabulary { width: self.embedding, ..vocabulary }, hidden: self.hidden })
    }
}

struct WordNet {
    vocabulary: Vocabulary,
    hidden: usize,
}

/// What is known behind a word.
#[derive(Clone)]
struct State {
    cell: Vec<f64>,
    hidden: Vec<f64>,
}

/// What a backward pass needs of a word.
struct Read {
    place: usize,
    word: usize,
    /// The vector of the word, and the hidden state before it.
    x: Vec<f64>,
    before: State,
    /// Input, forget, output, candidate, after their activations.
    gates: Vec<f64>,
    /// tanh of the cell behind the word.
    squashed: Vec<f64>,
}

impl WordNet {
    /// Table, [vector, state] to gates, their biases, state to output, bias.
    fn sizes(&self) -> [usize; 5] {
        let (width, h) = (self.vocabulary.width, self.hidden);
        [self.vocabulary.numbers(), (width + h) * 4 * h, 4 * h, h, 1]
    }

    fn parts<'a>(&self, numbers: &'a [f64]) -> [&'a [f64]; 5] {
        split(self.sizes(), numbers)
    }

    fn parts_mut<'a>(&self, numbers: &'a mut [f64]) -> [&'a mut [f64]; 5] {
        split_mut(self.sizes(), numbers)
    }

    fn start(&self) -> State {
        State { cell: vec![0.0; self.hidden], hidden: vec![0.0; self.hidden] }
    }

    fn read(&self, parts: &[&[f64]; 5], place: usize, word: usize, before: &State) -> (State, Read) {
        let h = self.hidden;
        let mut x = vec![0.0; self.vocabulary.width];
        self.vocabulary.add(parts[0], place, word, &mut x);
        x.extend(&before.hidden);
        let mut gates = parts[2].to_vec();
        add_product(parts[1], &x, &mut gates);
        let (open, candidate) = gates.split_at_mut(3 * h);
        open.iter_mut().for_each(|gate| *gate = sigmoid(*gate));
        candidate.iter_mut().for_each(|value| *value = value.tanh());
        let cell: Vec<f64> = (0..h).map(|i| gates[h + i] * before.cell[i] + gates[i] * gates[3 * h + i]).collect();
        let squashed: Vec<f64> = cell.iter().map(|cell| cell.tanh()).collect();
        let hidden = (0..h).map(|i| gates[2 * h + i] * squashed[i]).collect();
        (State { cell, hidden }, Read { place, word, x, before: before.clone(), gates, squashed })
    }

    fn output(&self, parts: &[&[f64]; 5], state: &State) -> f64 {
        sigmoid(dot(parts[3], &state.hidden) + parts[4][0])
    }
}

impl Net for WordNet {
    fn init(&self, mean: f64, stream: &mut Stream) -> Vec<f64> {
        let [_, gates, _, last, _] = self.sizes();
        let h = self.hidden;
        let mut numbers = self.vocabulary.init(1.0, stream);
        numbers.extend(normals(gates, 1.0 / ((self.vocabulary.width + h) as f64).sqrt(), stream));
        // It forgets little at first.
        numbers.extend((0..4 * h).map(|i| if (h..2 * h).contains(&i) { 1.0 } else { 0.0 }));
        numbers.extend(normals(last, 0.1 / (h as f64).sqrt(), stream));
        numbers.push((mean / (1.0 - mean)).ln());
        numbers
    }

    fn predict(&self, numbers: &[f64], cell: &[Words], next: &[Words]) -> Vec<f64> {
        let parts = self.parts(numbers);
        let behind = |state: State, words: &[usize]| {
            words.iter().enumerate().fold(state, |state, (place, word)| self.read(&parts, place, *word, &state).0)
        };
        let state = cell.iter().fold(self.start(), |state, block| behind(state, block));
        if next.is_empty() {
            return vec![self.output(&parts, &state)];
        }
        // Blocks that begin alike are read together that far.
        let mut known: HashMap<[usize; 3], State> = HashMap::new();
        let foretell = |block: &Words| {
            let [a, b, c, d] = *block;
            let begun = known.entry([a, b, c]).or_insert_with(|| behind(state.clone(), &[a, b, c]));
            self.output(&parts, &self.read(&parts, 3, d, begun).0)
        };
        next.iter().map(foretell).collect()
    }

    fn learn(&self, numbers: &[f64], cell: &[Words], accuracy: f64, gradient: &mut [f64]) -> f64 {
        let (h, width) = (self.hidden, self.vocabulary.width);
        let parts = self.parts(numbers);
        let [g_table, g_gates, g_biases, g_last, g_bias] = self.parts_mut(gradient);
        let (mut state, mut reads) = (self.start(), Vec::with_capacity(4 * cell.len()));
        for (place, word) in cell.iter().flat_map(|block| block.iter().enumerate()) {
            let (next, read) = self.read(&parts, place, *word, &state);
            reads.push(read);
            state = next;
        }
        let y = self.output(&parts, &state);
        let dy = (y - accuracy).signum() * y * (1.0 - y);
        g_bias[0] += dy;
        let (mut d_hidden, mut d_cell) = (vec![0.0; h], vec![0.0; h]);
        add_gradients(parts[3], &state.hidden, &[dy], g_last, &mut d_hidden);
        for read in reads.iter().rev() {
            let (gates, mut d_gates) = (&read.gates, vec![0.0; 4 * h]);
            for i in 0..h {
                let [input, forget, output, candidate] = [0, 1, 2, 3].map(|gate| gates[gate * h + i]);
                d_cell[i] += d_hidden[i] * output * (1.0 - read.squashed[i] * read.squashed[i]);
                d_gates[i] = d_cell[i] * candidate * input * (1.0 - input);
                d_gates[h + i] = d_cell[i] * read.before.cell[i] * forget * (1.0 - forget);
                d_gates[2 * h + i] = d_hidden[i] * read.squashed[i] * output * (1.0 - output);
                d_gates[3 * h + i] = d_cell[i] * input * (1.0 - candidate * candidate);
                d_cell[i] *= forget;
            }
            add_scaled(1.0, &d_gates, g_biases);
            let mut dx = vec![0.0; width + h];
            add_gradients(parts[1], &read.x, &d_gates, g_gates, &mut dx);
            self.vocabulary.learn(g_table, read.place, read.word, &dx[..width]);
            d_hidden.copy_from_slice(&dx[width..]);
        }
        (y - accuracy).abs()
    }
}
