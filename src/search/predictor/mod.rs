//! What foretells how good a cell of blocks will be from results of others (PNAS, Liu et al., ECCV 2018, section 4): several nets, each
//! of which has seen other four fifths of the results, and their mean. They learn anew from all results whenever there are new ones, by
//! the mean absolute error, so that what they say follows from results and seed alone.
//!
//! A new one is a file of this folder with the trait in it, and a line in the list below.

mod algebra;
mod vocabulary;

use super::observe::Control;
use super::random::{Purpose, Stream};
use super::registry::registry;
use crate::arch::{Block, Blocks};
use crate::error::{Error, Result};
use crate::space::Stack;
use algebra::Adam;
pub use vocabulary::{words, Vocabulary, Words};

registry! {
    /// What foretells how good a cell is.
    PredictorOptions of Predictor, such as "the name of a predictor or {name: its options}":
    mlp => Mlp,
    lstm => Lstm,
}

impl Default for PredictorOptions {
    fn default() -> Self {
        PredictorOptions::Mlp(Mlp::default())
    }
}

pub trait Predictor {
    fn learning(&self) -> Learning;

    /// For cells that are written with these words, whatever the width of its vectors.
    fn net(&self, vocabulary: Vocabulary) -> Box<dyn Net>;
}

/// How the nets learn.
#[derive(Clone, Copy, Debug)]
pub struct Learning {
    pub members: usize,
    pub epochs: usize,
    /// Of Adam, at the beginning.
    pub lr: f64,
}

/// The shape of a net: what it computes with given numbers.
pub trait Net {
    /// Numbers to begin with: it says about `mean` of everything.
    fn init(&self, mean: f64, stream: &mut Stream) -> Vec<f64>;

    /// Of a cell with each of the blocks `next`; without any, of the cell itself.
    fn predict(&self, numbers: &[f64], cell: &[Words], next: &[Words]) -> Vec<f64>;

    /// The absolute error; its gradient is added.
    fn learn(&self, numbers: &[f64], cell: &[Words], accuracy: f64, gradient: &mut [f64]) -> f64;
}

/// Results per step.
const BATCH: usize = 16;

/// Of the results that a net learns from.
const SHARE: f64 = 0.8;

/// Nets that have learnt.
pub struct Ensemble {
    net: Box<dyn Net>,
    members: Vec<Vec<f64>>,
}

impl Ensemble {
    /// Learns from results, of which there must be some. `stack`: with the largest cells that will be asked for. May stop early, with
    /// [`Error::Cancelled`].
    pub fn fit(
        options: &PredictorOptions,
        stack: &Stack,
        results: &[(Blocks, f64)],
        (seed, round): (u64, u64),
        control: &dyn Control,
    ) -> Result<Self> {
        let plan = stack.plan();
        let [inputs, blocks, operators] = [plan.skeleton.inputs(), plan.nodes, plan.operators].map(|n| n as usize);
        let predictor = options.get();
        let net = predictor.net(Vocabulary { inputs, nodes: inputs + blocks, operators, width: 1 });
        let read: Vec<(Vec<Words>, f64)> = results.iter().map(|(cell, accuracy)| (read(cell), *accuracy)).collect();
        let learning = predictor.learning();
        let one = |member| {
            let mut stream = Stream::new(seed, Purpose::Predictor, round, member);
            let kept = ((read.len() as f64 * SHARE).ceil() as usize).clamp(1, read.len().max(1));
            let mut chosen: Vec<_> = read.iter().collect();
            stream.shuffle(&mut chosen);
            chosen.truncate(kept);
            train(&*net, &learning, &mut chosen, &mut stream, control)
        };
        let members = (0..learning.members as u64).map(one).collect::<Result<_>>()?;
        Ok(Ensemble { net, members })
    }

    /// Of a cell with each of the blocks `next`; without any, of the cell itself.
    pub fn predict(&self, cell: &Blocks, next: &[Block]) -> Vec<f64> {
        let (cell, next) = (read(cell), next.iter().map(|block| words(cell, *block)).collect::<Vec<_>>());
        let mut sums = vec![0.0; next.len().max(1)];
        for numbers in &self.members {
            let foretold = self.net.predict(numbers, &cell, &next);
            sums.iter_mut().zip(foretold).for_each(|(sum, foretold)| *sum += foretold);
        }
        sums.iter_mut().for_each(|sum| *sum /= self.members.len() as f64);
        sums
    }
}

fn read(cell: &Blocks) -> Vec<Words> {
    cell.blocks().iter().map(|block| words(cell, *block)).collect()
}

fn train(
    net: &dyn Net,
    learning: &Learning,
    results: &mut [&(Vec<Words>, f64)],
    stream: &mut Stream,
    control: &dyn Control,
) -> Result<Vec<f64>> {
    let mean = results.iter().map(|(_, accuracy)| accuracy).sum::<f64>() / results.len().max(1) as f64;
    let mut numbers = net.init(mean.clamp(1e-3, 1.0 - 1e-3), stream);
    let mut adam = Adam::new(numbers.len());
    let mut gradient = vec![0.0; numbers.len()];
    for epoch in 0..learning.epochs {
        if control.cancelled() {
            return Err(Error::Cancelled);
        }
        let lr = learning.lr * (1.0 - 0.9 * epoch as f64 / learning.epochs as f64);
        stream.shuffle(results);
        for batch in results.chunks(BATCH) {
            gradient.fill(0.0);
            for (cell, accuracy) in batch {
                net.learn(&numbers, cell, *accuracy, &mut gradient);
            }
            gradient.iter_mut().for_each(|g| *g /= batch.len() as f64);
            adam.update(lr, &gradient, &mut numbers);
        }
    }
    Ok(numbers)
}

fn normals(count: usize, deviation: f64, stream: &mut Stream) -> Vec<f64> {
    (0..count).map(|_| deviation * stream.normals()[0]).collect()
}

/// Spearman's rank correlation of pairs, equal ones sharing the mean of their ranks. None: fewer than two, or one side is all equal.
pub fn correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let ranks = |values: Vec<f64>| -> Vec<f64> {
        let rank = |value: &f64| {
            let [below, equal] = [values.iter().filter(|v| *v < value).count(), values.iter().filter(|v| *v == value).count()];
            below as f64 + (equal as f64 - 1.0) / 2.0
        };
        values.iter().map(rank).collect()
    };
    let mean = (pairs.len() as f64 - 1.0) / 2.0;
    let [a, b] = [ranks(pairs.iter().map(|p| p.0).collect()), ranks(pairs.iter().map(|p| p.1).collect())];
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let lengths = (product(&a, &a) * product(&b, &b)).sqrt();
    (lengths > 0.0).then(|| product(&a, &b) / lengths)
}
