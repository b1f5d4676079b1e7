//! What ensembles with an operator achieve, and how different their paths then are: the two sides by which NEAS (Chen et al., CVPR 2021)
//! shrinks a space, potential and diversity. The paper's formulas were not to be had and its search code was never released: these are ours.

use super::{spread, Evidence, Scorer, Scores};
use crate::error::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Mean held-out accuracy of sampled ensembles that have the operator on some path (its potential), plus `weight` times how different the
/// paths of these ensembles are on the mean (its diversity), each less the mean over all operators and divided by their deviation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Diversity {
    /// Ensembles for each operator, at most as dear as the greatest cost of the objective.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub samples: usize,
    /// Of diversity, where that of potential is 1.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub weight: f64,
    /// How the difference of two paths is measured, on the held-out images.
    pub difference: Difference,
}

impl Default for Diversity {
    fn default() -> Self {
        Diversity { samples: 10, weight: 1.0, difference: Difference::default() }
    }
}

/// Of two paths, from their softmax outputs p and q; the mean over images and over all pairs of paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Difference {
    /// (KL(p, q) + KL(q, p)) / 2.
    #[default]
    Divergence,
    /// Part of the images to which the two give different classes.
    Disagreement,
}

/// Of probabilities as low as a 64-bit logarithm should see.
const LEAST: f64 = 1e-300;

impl Difference {
    /// Of two outputs for one image.
    pub fn between(self, p: &[f64], q: &[f64]) -> f64 {
        match self {
            Difference::Divergence => {
                let term = |(p, q): (&f64, &f64)| (p - q) * (p.max(LEAST).ln() - q.max(LEAST).ln());
                p.iter().zip(q).map(term).sum::<f64>() / 2.0
            }
            Difference::Disagreement => f64::from(u8::from(class(p) != class(q))),
        }
    }

    /// The mean over images and pairs. `outputs`: of every path, image by image, so many classes each.
    pub fn among(self, outputs: &[Vec<f64>], classes: usize) -> f64 {
        let (mut sum, mut count) = (0.0, 0u64);
        for (i, p) in outputs.iter().enumerate() {
            for (p, q) in outputs[i + 1..].iter().flat_map(|q| p.chunks(classes.max(1)).zip(q.chunks(classes.max(1)))) {
                (sum, count) = (sum + self.between(p, q), count + 1);
            }
        }
        sum / count.max(1) as f64
    }
}

/// The first of the most likely ones.
fn class(p: &[f64]) -> usize {
    (0..p.len()).fold(0, |best, at| if p[at] > p[best] { at } else { best })
}

impl Scorer for Diversity {
    fn evaluates(&self) -> Option<usize> {
        Some(self.samples)
    }

    fn differs(&self) -> Option<Difference> {
        Some(self.difference)
    }

    fn score(&self, evidence: Evidence) -> Result<Scores> {
        let (children, evaluated) = (evidence.children, &evidence.evaluated);
        let potential = children.mean(evaluated.iter().copied(), self.samples);
        let different = evaluated.iter().zip(&evidence.diversities).map(|((child, _), diversity)| (*child, *diversity));
        let diversity = children.mean(different, self.samples);
        let scale = |scores: &Scores| spread(&scores.cells().iter().flatten().map(|score| score.score).collect::<Vec<_>>());
        let (p, d) = (scale(&potential), scale(&diversity));
        Ok(Scores::new(children, |(cell, choice)| {
            let standard = |scores: &Scores, (mean, deviation): (f64, f64)| (scores.of(cell, choice) - mean) / deviation;
            standard(&potential, p) + self.weight * standard(&diversity, d)
        }))
    }
}
