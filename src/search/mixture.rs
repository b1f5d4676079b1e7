//! Cells whose operators run all at once: the weights alpha of their outputs, how these are learnt, and the steps of a search that learns them.
//! Formulas: published code of DARTS (Liu et al., ICLR 2019), weights beta of edges: of PC-DARTS (Xu et al., ICLR 2020).

use super::engine::Search;
use super::evolve::Evolution;
use super::fitness::{Adam, CellFitness};
use super::random::{Purpose, Stream};
use super::scorer::Alpha;
use super::strategy::Choice;
use super::trainer::{At, Trainer};
use crate::error::{Error, Result};
use crate::space::Space;
use serde::{Deserialize, Serialize};

/// Deviation of what alpha and beta begin with.
const SPREAD: f64 = 1e-3;

const BETAS: [f64; 2] = [0.5, 0.999];

/// What comes of a cell: the outputs of everything that it could do alone, each times its share.
#[derive(Clone, Debug, PartialEq)]
pub struct Blend {
    /// Of the active operators, and of nothing where the cell may be empty; they sum to 1.
    pub shares: Vec<(Choice, f64)>,
    /// What all of it is multiplied by, where edges have weights.
    pub edge: Option<f64>,
}

impl Blend {
    /// What a choice adds to its node; NaN of none that there is.
    pub fn score(&self, choice: Choice) -> f64 {
        let share = self.shares.iter().find(|(of, _)| *of == choice).map_or(f64::NAN, |(_, share)| *share);
        share * self.edge.unwrap_or(1.0)
    }
}

/// dLoss/dshare, parallel to a cell's shares, and of its edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlendGradient {
    pub shares: Vec<f64>,
    pub edge: f64,
}

/// Alpha of every cell, and beta of every node, with the state of the optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Mixture {
    cells: Vec<Mixed>,
    /// Empty where edges have no weights.
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mixed {
    choices: Vec<Choice>,
    alpha: CellFitness,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    /// Cells of the space that are edges to it.
    edges: Vec<usize>,
    beta: CellFitness,
}

fn softmax(values: &[f64]) -> Vec<f64> {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = values.iter().map(|value| (value - greatest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// dLoss/dvalues, from those of their softmax p: p_i (g_i - sum of p g).
fn through_softmax(p: &[f64], gradient: &[f64]) -> Vec<f64> {
    let mean: f64 = p.iter().zip(gradient).map(|(p, g)| p * g).sum();
    p.iter().zip(gradient).map(|(p, g)| p * (g - mean)).collect()
}

/// What every cell could do.
fn choices(active: &[Vec<u16>], skippable: &[bool]) -> Vec<Vec<Choice>> {
    let of_cell = |(active, skippable): (&Vec<u16>, &bool)| {
        active.iter().map(|o| Some(*o)).chain(skippable.then_some(None)).collect::<Vec<Choice>>()
    };
    active.iter().zip(skippable).map(of_cell).collect()
}

/// Edges of every node, where edges have weights.
fn nodes(space: &Space, edge_weights: bool) -> Vec<Vec<usize>> {
    let stack = space.stack().filter(|_| edge_weights);
    let nodes = stack.into_iter().flat_map(|stack| (0..stack.graphs().len()).flat_map(|graph| stack.nodes(graph)));
    nodes.map(Iterator::collect).collect()
}

impl Mixture {
    /// As published: nearly equal, by chance.
    fn new(space: &Space, edge_weights: bool, evolution: &Evolution, stream: impl Fn(u64) -> Stream) -> Self {
        let chance = |count: usize, index: u64| {
            let mut stream = stream(index);
            CellFitness::given((0..count).map(|_| SPREAD * stream.normals()[0]).collect())
        };
        let choices = choices(&evolution.active(), evolution.skippable());
        let cells: Vec<Mixed> = (choices.into_iter().zip(0..))
            .map(|(choices, index)| Mixed { alpha: chance(choices.len(), index), choices })
            .collect();
        let first = cells.len() as u64;
        let nodes = nodes(space, edge_weights).into_iter().zip(first..);
        let nodes = nodes.map(|(edges, index)| Node { beta: chance(edges.len(), index), edges }).collect();
        Mixture { cells, nodes }
    }

    /// Of every cell.
    fn blends(&self) -> Vec<Blend> {
        let mut blends: Vec<Blend> = (self.cells.iter())
            .map(|cell| Blend { shares: cell.choices.iter().copied().zip(softmax(cell.alpha.theta())).collect(), edge: None })
            .collect();
        for node in &self.nodes {
            let weights = softmax(node.beta.theta());
            node.edges.iter().zip(weights).for_each(|(edge, weight)| blends[*edge].edge = Some(weight));
        }
        blends
    }

    /// One step of Adam, with L2 decay as in PyTorch's.
    fn learn(&mut self, options: &Alpha, gradients: &[BlendGradient]) {
        let adam = Adam { lr: options.lr, beta1: BETAS[0], beta2: BETAS[1] };
        let step = |values: &mut CellFitness, gradient: &[f64]| {
            let slope = through_softmax(&softmax(values.theta()), gradient);
            let decayed = slope.iter().zip(values.theta()).map(|(slope, value)| slope + options.weight_decay * value);
            let decayed: Vec<f64> = decayed.collect();
            values.update(&adam, &decayed);
        };
        for (cell, gradient) in self.cells.iter_mut().zip(gradients) {
            step(&mut cell.alpha, &gradient.shares);
        }
        for node in &mut self.nodes {
            let gradient: Vec<f64> = node.edges.iter().map(|edge| gradients[*edge].edge).collect();
            step(&mut node.beta, &gradient);
        }
    }

    /// Goes on with what is left of every cell.
    pub(super) fn keep(&mut self, active: &[Vec<u16>], skippable: &[bool]) {
        for (cell, left) in self.cells.iter_mut().zip(choices(active, skippable)) {
            for position in (0..cell.choices.len()).rev().filter(|at| !left.contains(&cell.choices[*at])).collect::<Vec<_>>() {
                cell.choices.remove(position);
                cell.alpha.remove(position);
            }
        }
    }

    /// Whether this is of a space in this state.
    fn fits(&self, space: &Space, edge_weights: bool, active: &[Vec<u16>], skippable: &[bool]) -> bool {
        let own = self.cells.iter().map(|cell| &cell.choices);
        own.eq(choices(active, skippable).iter())
            && self.cells.iter().all(|cell| cell.alpha.fits(cell.choices.len()))
            && self.nodes.iter().map(|node| &node.edges).eq(nodes(space, edge_weights).iter())
            && self.nodes.iter().all(|node| node.beta.fits(node.edges.len()))
    }
}

impl Search {
    fn mixes(&self) -> Option<&Alpha> {
        self.scorer().mixes()
    }

    fn fresh_mixture(&self) -> Option<Mixture> {
        let stream = |index| Stream::new(self.options.seed, Purpose::Mixture, self.run.round, index);
        let mixture = |alpha: &Alpha| Mixture::new(&self.space, alpha.edge_weights, &self.run.evolution, stream);
        self.mixes().map(mixture)
    }

    /// A round begins: alpha goes on where weights do.
    pub(super) fn mix(&mut self) {
        if self.run.mixture.is_none() {
            self.run.mixture = self.fresh_mixture();
        }
    }

    /// Of the next step, where all operators run at once; before a round, as it would begin.
    pub(super) fn blends(&self) -> Option<Vec<Blend>> {
        let fresh = || self.fresh_mixture().map(|mixture| mixture.blends());
        self.run.mixture.as_ref().map_or_else(fresh, |mixture| Some(mixture.blends()))
    }

    /// Whether operators learn behind a weight step.
    pub(super) fn learns_behind(&self, step: u64) -> bool {
        let warmup = self.mixes().filter(|_| self.run.round == 0 || !self.strategy().keeps_weights());
        let waits = warmup.is_some_and(|alpha| (step as f64) < alpha.warmup * self.run.steps as f64);
        self.options.interval().is_some_and(|interval| (step + 1) % interval == 0) && !waits
    }

    /// A step of alpha.
    pub(super) fn learn_mixture(&mut self, trainer: &mut dyn Trainer, at: At) -> Result<()> {
        let Some(blends) = self.blends() else { return Ok(()) };
        let (loss, gradients) = trainer.mixture_step(at, &blends)?;
        let parallel = |(blend, gradient): (&Blend, &BlendGradient)| blend.shares.len() == gradient.shares.len();
        if gradients.len() != blends.len() || !blends.iter().zip(&gradients).all(parallel) {
            let reason = format!("gradients of {} cells, there are {}", gradients.len(), blends.len());
            return Err(Error::Argument { name: "trainer", reason });
        }
        if !gradients.iter().flat_map(|g| g.shares.iter().chain([&g.edge])).all(|number| number.is_finite()) {
            return Err(Error::Diverged { loss, round: at.round + 1, step: at.step + 1 });
        }
        let Some(alpha) = self.mixes().cloned() else { return Ok(()) };
        if let Some(mixture) = &mut self.run.mixture {
            mixture.learn(&alpha, &gradients);
            for (cell, blend) in mixture.blends().iter().enumerate() {
                for operator in blend.shares.iter().filter_map(|(choice, _)| *choice) {
                    self.run.evolution.note(cell, operator, blend.score(Some(operator)));
                }
            }
        }
        Ok(())
    }

    /// Whether a search that was read back has what it should have learnt.
    pub(super) fn mixture_fits(&self) -> Result<()> {
        let evolution = &self.run.evolution;
        let wanted = self.mixes().filter(|_| self.run.kept || !self.between_rounds());
        let fits = match (&self.run.mixture, wanted) {
            (Some(mixture), Some(alpha)) => {
                mixture.fits(&self.space, alpha.edge_weights, &evolution.active(), evolution.skippable())
            }
            (mixture, wanted) => mixture.is_none() && wanted.is_none(),
        };
        match fits {
            true => Ok(()),
            false => {
                let reason = "alpha of other operators than there are".into();
                Err(Error::Config { document: "search state", pointer: String::new(), reason })
            }
        }
    }
}
