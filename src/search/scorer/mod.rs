//! What gives an operator its score. A scorer says what it needs (that operators learn, that weights are compared with earlier ones, that
//! some architectures are evaluated), and makes scores of it, higher for better.
//!
//! A new one is a file of this folder with the trait in it, and a line in the list below.

use super::children::Children;
use super::mixture::Blend;
use super::observe::Control;
use super::random::Stream;
use super::registry::registry;
use super::strategy::Choice;
use super::trainer::Comparison;
use crate::arch::Architecture;
use crate::error::Result;
use crate::json;
use serde::{Deserialize, Serialize};

registry! {
    /// What gives an operator its score.
    ScorerOptions of Scorer, such as "the name of a scorer or {name: its options}":
    fitness => Fitness,
    angle => Angle,
    magnitude => Magnitude,
    accuracy => Accuracy,
    diversity => Diversity,
    alpha => Alpha,
}

pub use diversity::Difference;

impl Default for ScorerOptions {
    fn default() -> Self {
        ScorerOptions::Fitness(Fitness::default())
    }
}

/// What scores are made of.
pub struct Evidence<'a> {
    pub children: &'a Children<'a>,
    /// Learnt theta of the active operators of every cell.
    pub theta: Vec<&'a [f64]>,
    /// Where all operators run at once.
    pub blends: Vec<Blend>,
    /// Where weights are compared.
    pub comparison: Option<Comparison>,
    /// The architectures that were evaluated, with their accuracies.
    pub evaluated: Vec<(&'a Architecture, f64)>,
    /// How different the paths of each are, where that is asked.
    pub diversities: Vec<f64>,
    pub stream: Stream,
    pub control: &'a dyn Control,
}

pub trait Scorer {
    /// Whether operators learn theta, in architecture steps.
    fn learns(&self) -> bool {
        false
    }

    /// How all operators of a cell run at once, and their shares are learnt; None: some are open, each as much as the others.
    fn mixes(&self) -> Option<&Alpha> {
        None
    }

    /// Whether weights are compared with those of the beginning.
    fn compares(&self) -> bool {
        false
    }

    /// Architectures for each operator that are evaluated after a round's training, for which images are needed; None: not any.
    fn evaluates(&self) -> Option<usize> {
        None
    }

    /// How the paths of the ensembles that are evaluated are told apart; None: not at all. Only where a search is of ensembles.
    fn differs(&self) -> Option<Difference> {
        None
    }

    /// Of every choice. May stop early, with [`crate::Error::Cancelled`].
    fn score(&self, evidence: Evidence) -> Result<Scores>;
}

/// A score, or NaN: nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    pub choice: Choice,
    #[serde(deserialize_with = "json::unknown")]
    pub score: f64,
}

/// Of the choices of every cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scores(Vec<Vec<Score>>);

impl Scores {
    pub fn new(children: &Children, score: impl Fn((usize, Choice)) -> f64) -> Self {
        let mut cells = vec![Vec::new(); children.active.len()];
        children.all_choices().for_each(|(cell, choice)| cells[cell].push(Score { choice, score: score((cell, choice)) }));
        Scores(cells)
    }

    pub fn cells(&self) -> &[Vec<Score>] {
        &self.0
    }

    pub fn of(&self, cell: usize, choice: Choice) -> f64 {
        let found = self.0.get(cell).and_then(|scores| scores.iter().find(|score| score.choice == choice));
        found.map_or(f64::NAN, |score| score.score)
    }

    /// Those of some operators of a cell, less their mean and divided by their deviation. What nobody has comes off as badly as the
    /// worst, and 0 when nothing is known.
    pub fn standard(&self, cell: usize, operators: &[u16]) -> Vec<f64> {
        let all: Vec<f64> = operators.iter().map(|o| self.of(cell, Some(*o))).collect();
        let (mean, deviation) = spread(&all);
        let worst = all.iter().copied().filter(|score| score.is_finite()).fold(mean, f64::min);
        all.into_iter().map(|score| (if score.is_finite() { score } else { worst } - mean) / deviation).collect()
    }
}

/// Mean and deviation of what is known; 0 and 1 of nothing, and 1 of what is all equal.
fn spread(all: &[f64]) -> (f64, f64) {
    let known: Vec<f64> = all.iter().copied().filter(|score| score.is_finite()).collect();
    let count = known.len().max(1) as f64;
    let mean = known.iter().sum::<f64>() / count;
    let deviation = (known.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / count).sqrt();
    // What rounding leaves of equal numbers is no spread.
    let none = deviation <= 1e-12 * mean.abs().max(1e-300);
    (mean, if none { 1.0 } else { deviation })
}
