//! What gives an operator its score. A scorer says what it needs (that operators learn, that weights are compared with earlier ones, that
//! some architectures are looked at), and makes scores of it, higher for better.
//!
//! A new one is a file of this folder with the trait in it, and a line in the list below.

use super::children::Children;
use super::observe::Control;
use super::random::Stream;
use super::registry::registry;
use super::strategy::Choice;
use super::trainer::{Comparison, Trainer};
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
}

impl Default for ScorerOptions {
    fn default() -> Self {
        ScorerOptions::Fitness(Fitness::default())
    }
}

/// Where in a run scores are wanted.
#[derive(Clone, Copy)]
pub struct Moment {
    pub seed: u64,
    pub round: u64,
}

/// What scores are made of.
pub struct Evidence<'a> {
    pub children: &'a Children<'a>,
    /// Learnt theta of the active operators of every cell.
    pub theta: Vec<&'a [f64]>,
    /// Where weights are compared.
    pub comparison: Option<Comparison>,
    /// The architectures that were looked at, and what was seen.
    pub seen: Vec<(&'a Architecture, Seen)>,
    pub stream: Stream,
}

pub trait Scorer {
    /// Whether operators learn theta, in architecture steps.
    fn learns(&self) -> bool {
        false
    }

    /// Whether weights are compared with those of the beginning.
    fn compares(&self) -> bool {
        false
    }

    /// How many architectures are looked at together.
    fn together(&self) -> usize {
        1
    }

    /// Whether architectures are looked at, for which images are needed.
    fn looks(&self) -> bool {
        false
    }

    /// Architectures to look at after a round's training.
    fn children(&self, _: &Children, _: &mut Stream) -> Result<Vec<Architecture>> {
        Ok(Vec::new())
    }

    /// What each of so many does.
    fn look(&self, _: &mut dyn Trainer, _: Moment, _: &[Architecture], _: &dyn Control) -> Result<Vec<Seen>> {
        Ok(Vec::new())
    }

    /// Of every choice.
    fn score(&self, evidence: Evidence) -> Result<Scores>;
}

/// What was seen of an architecture: its held-out accuracy, and how often those that were looked at with it say something else.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub accuracy: f64,
    pub disagreement: f64,
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

    /// All of them, less their mean and divided by their deviation.
    pub fn standardised(&self) -> Self {
        let all: Vec<f64> = self.0.iter().flatten().map(|score| score.score).collect();
        let (mean, deviation) = spread(&all);
        let standard = |score: &Score| Score { score: (score.score - mean) / deviation, ..*score };
        Scores(self.0.iter().map(|cell| cell.iter().map(standard).collect()).collect())
    }

    /// The same of some operators of a cell. What nobody has comes off as badly as the worst, and 0 when nothing is known.
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
