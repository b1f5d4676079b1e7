//! The learnt score theta of every active operator, and its two-path gradient. Formulas: published code of NSE.

use super::gates;
use serde::{Deserialize, Serialize};

/// p(theta) = sigmoid(theta) * 0.999 + 0.0005: never 0 and never 1.
pub fn probability(theta: f64) -> f64 {
    0.999 / (1.0 + (-theta).exp()) + 5e-4
}

/// dp/dtheta.
fn slope(theta: f64) -> f64 {
    let s = 1.0 / (1.0 + (-theta).exp());
    0.999 * s * (1.0 - s)
}

/// Two different gate vectors of one cell and their probabilities, normalised to sum 1.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoPaths {
    pub selected: Vec<bool>,
    pub unselected: Vec<bool>,
    /// ps = P(selected) / (P(selected) + P(unselected)); the unselected path has 1 - ps.
    pub ps: f64,
}

impl TwoPaths {
    pub fn new(p: &[f64], selected: Vec<bool>, unselected: Vec<bool>) -> Self {
        let (s, u) = (gates::probability(p, &selected), gates::probability(p, &unselected));
        TwoPaths { ps: s / (s + u), selected, unselected }
    }
}

/// dLoss/dtheta of one cell, from `selected` = dLoss/dps and `unselected` = dLoss/dpu.
///
/// With ps = Ps / (Ps + Pu):  dps/dtheta_i = ps pu (dlogPs/dp_i - dlogPu/dp_i) dp_i/dtheta_i,  dpu = -dps,
/// and dlogP(g)/dp_i = g_i / p_i - (1 - g_i) / (1 - p_i): only operators on which the two paths differ get a gradient.
pub fn theta_gradient(theta: &[f64], paths: &TwoPaths, selected: f64, unselected: f64) -> Vec<f64> {
    let scale = (selected - unselected) * paths.ps * (1.0 - paths.ps);
    (theta.iter().zip(paths.selected.iter().zip(&paths.unselected)))
        .map(|(theta, (s, u))| {
            let p = probability(*theta);
            let log_slope = |open: bool| if open { 1.0 / p } else { -1.0 / (1.0 - p) };
            scale * (log_slope(*s) - log_slope(*u)) * slope(*theta)
        })
        .collect()
}

/// An estimate of dE\[loss]/dtheta from results of architectures drawn with theta, given that their cost is inside a window and no
/// cell is empty that must not be. `open[j][i]`: whether result j has operator i; `losses`: of all results.
///
/// The score function: E\[(l - b) dlogP(g | window)/dtheta_i], with dlogP/dp_i = (g_i - E\[g_i | window]) / (p_i (1 - p_i)). With the
/// mean of the other results as the baseline b of each, the differences l - b sum to 0, so that E\[g_i | window] cancels and need not
/// be known; and the estimate is without bias.
pub fn score_gradient(theta: &[f64], open: &[Vec<bool>], losses: &[f64]) -> Vec<f64> {
    let count = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / count;
    let advantage = |loss: &f64| (loss - mean) / (count - 1.0).max(1.0);
    let score = |(i, theta): (usize, &f64)| {
        let sum: f64 = open.iter().zip(losses).filter(|(open, _)| open[i]).map(|(_, loss)| advantage(loss)).sum();
        let p = probability(*theta);
        sum * slope(*theta) / (p * (1.0 - p))
    };
    theta.iter().enumerate().map(score).collect()
}

/// Adam (Kingma and Ba 2015) for one cell's theta.
#[derive(Clone, Debug)]
pub struct Adam {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
}

const EPSILON: f64 = 1e-8;

/// Theta of the active operators of one cell, parallel to its pool's active list, with Adam's moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CellFitness {
    theta: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl CellFitness {
    /// All zero: every operator open with probability one half.
    pub fn new(operators: usize) -> Self {
        let zeros = vec![0.0; operators];
        CellFitness { theta: zeros.clone(), first: zeros.clone(), second: zeros, steps: 0 }
    }

    /// Scores that come from elsewhere; they are not learnt any further.
    pub fn given(theta: Vec<f64>) -> Self {
        CellFitness { theta: theta.clone(), ..CellFitness::new(theta.len()) }
    }

    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    /// Whether this is of so many operators.
    pub fn fits(&self, operators: usize) -> bool {
        [&self.theta, &self.first, &self.second].iter().all(|values| values.len() == operators)
    }

    pub fn probabilities(&self) -> Vec<f64> {
        self.theta.iter().map(|t| probability(*t)).collect()
    }

    pub fn update(&mut self, adam: &Adam, gradient: &[f64]) {
        self.steps += 1;
        let correction1 = 1.0 - adam.beta1.powi(self.steps);
        let correction2 = 1.0 - adam.beta2.powi(self.steps);
        for (i, g) in gradient.iter().enumerate() {
            self.first[i] = adam.beta1 * self.first[i] + (1.0 - adam.beta1) * g;
            self.second[i] = adam.beta2 * self.second[i] + (1.0 - adam.beta2) * g * g;
            let denominator = (self.second[i] / correction2).sqrt() + EPSILON;
            self.theta[i] -= adam.lr * (self.first[i] / correction1) / denominator;
        }
    }

    pub fn remove(&mut self, position: usize) {
        self.theta.remove(position);
        self.first.remove(position);
        self.second.remove(position);
    }
}
