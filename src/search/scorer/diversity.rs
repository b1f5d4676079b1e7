//! How an operator serves an ensemble (NEAS, Chen et al., CVPR 2021): by the accuracy of the ensembles that have it, and by how much
//! their members disagree. The paper says that both count; how was not published in a form that we could read, so what follows is ours:
//! potential is the mean accuracy of the members, diversity the mean share of images on which two members say different things, and the
//! score is the sum of both, each less its mean over all operators and divided by its deviation.

use super::{Evidence, Moment, Scorer, Scores, Seen};
use crate::arch::Architecture;
use crate::error::Result;
use crate::search::children::Children;
use crate::search::observe::Control;
use crate::search::random::Stream;
use crate::search::trainer::Trainer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Potential and diversity of the operator in ensembles of architectures that are drawn together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Diversity {
    /// Architectures for each operator.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub samples: usize,
    /// Members of an ensemble.
    #[schemars(range(min = 2, max = 16))]
    pub paths: usize,
    /// Weight of the diversity; the potential has 1.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub weight: f64,
}

impl Default for Diversity {
    fn default() -> Self {
        Diversity { samples: 10, paths: 2, weight: 1.0 }
    }
}

/// Share of the images on which two members differ, the mean over all pairs: 0 for members that say the same.
pub fn disagreement(predictions: &[Vec<u32>]) -> f64 {
    let pair = |a: &[u32], b: &[u32]| a.iter().zip(b).filter(|(a, b)| a != b).count() as f64 / a.len().max(1) as f64;
    let pairs = predictions.iter().enumerate().flat_map(|(i, a)| predictions[..i].iter().map(move |b| pair(a, b)));
    let (sum, count) = pairs.fold((0.0, 0u32), |(sum, count), pair| (sum + pair, count + 1));
    sum / f64::from(count.max(1))
}

impl Scorer for Diversity {
    fn looks(&self) -> bool {
        true
    }

    fn together(&self) -> usize {
        self.paths
    }

    fn children(&self, children: &Children, stream: &mut Stream) -> Result<Vec<Architecture>> {
        children.of_each(self.samples, stream)
    }

    fn look(&self, trainer: &mut dyn Trainer, at: Moment, children: &[Architecture], control: &dyn Control) -> Result<Vec<Seen>> {
        let predictions = trainer.predict(at.seed, at.round, children, control)?;
        let (accuracies, classes): (Vec<f64>, Vec<_>) = predictions.into_iter().map(|p| (p.accuracy, p.classes)).unzip();
        let disagreement = disagreement(&classes);
        Ok(accuracies.into_iter().map(|accuracy| Seen { accuracy, disagreement }).collect())
    }

    fn score(&self, evidence: Evidence) -> Result<Scores> {
        let children = evidence.children;
        let mean = |value: fn(&Seen) -> f64| {
            children.mean(evidence.seen.iter().map(|(child, seen)| (*child, value(seen))), self.samples).standardised()
        };
        let [potential, diversity] = [mean(|seen| seen.accuracy), mean(|seen| seen.disagreement)];
        let both = |(cell, choice)| potential.of(cell, choice) + self.weight * diversity.of(cell, choice);
        Ok(Scores::new(children, both))
    }
}
