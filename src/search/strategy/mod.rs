//! How the space changes between rounds. A strategy sees where a search stands and says what goes on; it draws nothing, trains nothing
//! and keeps nothing, so that whatever it decides is decided the same way after a checkpoint.
//!
//! A new one is a file of this folder with the trait in it, and a line in the list below.

pub use self::eliminate::Rule;
pub use self::grow::{Evaluator, Select};
use super::registry::registry;
use super::scorer::{ScorerOptions, Scores};
use super::sought::Sought;
use std::collections::BTreeSet;

registry! {
    /// How the space changes between rounds.
    StrategyOptions of Strategy, such as "the name of a strategy or {name: its options}":
    evolve => Evolve,
    shrink => Shrink,
    eliminate => Eliminate,
    grow => Grow,
    neas => Neas,
}

impl Default for StrategyOptions {
    fn default() -> Self {
        StrategyOptions::Evolve(Evolve::default())
    }
}

pub trait Strategy {
    /// What operators are scored by when the options do not say.
    fn scorer(&self) -> ScorerOptions;

    /// How many operators of a cell are active at first, where the option `active` says so many; usize::MAX: all.
    fn begins(&self, active: usize) -> usize;

    /// At most so many rounds, when the options do not say, from the first space on.
    fn rounds(&self, now: &Standing) -> u64;

    /// Passes over the training images in a round (from 0), when the option train.epochs says so many.
    fn epochs(&self, _round: u64, epochs: f64) -> f64 {
        epochs
    }

    /// Whether operators that stay keep their weights. Else every round begins with fresh ones. Such a strategy has all operators
    /// active from the start.
    fn keeps_weights(&self) -> bool;

    /// Whether operators that learn badly leave while the supernet is trained (option fitness.threshold).
    fn drops_in_training(&self) -> bool;

    /// Whether every round ends with candidates and a front, and not only the last.
    fn always_searches(&self) -> bool;

    /// What its rounds look for.
    fn seeks(&self) -> Sought<'_> {
        Sought::Networks
    }

    /// Whether results that a host tells are enough for it, without a supernet that scores operators.
    fn listens(&self) -> bool {
        false
    }

    /// What the space becomes, at the end of a round.
    fn change(&self, now: &Standing) -> Change;
}

/// One thing that a cell can do: an operator on a branch, or, None, nothing at all.
pub type Choice = Option<u16>;

/// Given operators of every cell, and which cells are free to be skipped.
pub type Reaches<'a> = &'a dyn Fn(&[Vec<u16>], &[bool]) -> bool;

/// Where a search stands.
pub struct Standing<'a> {
    /// Under way, from 0, and how many there are to be.
    pub round: u64,
    pub rounds: u64,
    pub cells: Vec<CellStanding<'a>>,
    /// Operators of a cell that the option `active` wants.
    pub active: usize,
    /// At most one branch of a cell is open.
    pub single: bool,
    /// Choices that left the space so far.
    pub dropped: usize,
    /// Of the operators that are active; empty before a round's operators are scored.
    pub scores: Scores,
    /// Whether the cost window can be met with these operators, and with these cells free to be skipped.
    pub reaches: Reaches<'a>,
    /// Cells that are edges to the same node, where the node takes two of them.
    pub joined: &'a [Vec<usize>],
}

pub struct CellStanding<'a> {
    pub active: &'a [u16],
    /// Operators that wait for their turn.
    pub pending: usize,
    pub skippable: bool,
    /// What the front of this round uses.
    pub front: BTreeSet<u16>,
}

/// What the space becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Operators of every cell that stay.
    pub retained: Vec<BTreeSet<u16>>,
    /// Cells that may be skipped: no more than before.
    pub skippable: Vec<bool>,
    /// Cells with fewer operators than this get pending ones.
    pub size: usize,
    /// The next round is the last, whatever was planned.
    pub last: bool,
    /// The next round begins with the weights of now as the ones that later weights are compared with.
    pub refresh: bool,
}

impl Standing<'_> {
    /// The space as it is.
    pub fn unchanged(&self) -> Change {
        Change {
            retained: self.cells.iter().map(|cell| cell.active.iter().copied().collect()).collect(),
            skippable: self.cells.iter().map(|cell| cell.skippable).collect(),
            size: 0,
            last: false,
            refresh: false,
        }
    }

    pub fn last_round(&self) -> bool {
        self.round + 1 == self.rounds
    }

    /// log10 of the number of architectures of `change`, whatever they cost.
    pub fn log10_size(&self, change: &Change) -> f64 {
        let size = |(operators, skippable): (&BTreeSet<u16>, &bool)| {
            super::children::log10_choices(operators.len(), *skippable, self.single)
        };
        change.retained.iter().zip(&change.skippable).map(size).sum()
    }

    /// Every choice of the cells that have several, the worst first. Those with no score come before all others, equal ones in the
    /// order of cells and operators, with nothing behind all operators.
    pub fn ranked(&self) -> Vec<(usize, Choice)> {
        let several = |i: &usize| self.cells[*i].active.len() + usize::from(self.cells[*i].skippable) > 1;
        let choices = |i: usize| {
            let cell = &self.cells[i];
            let nothing = cell.skippable.then_some(None);
            cell.active.iter().map(|o| Some(*o)).chain(nothing).map(move |choice| (i, choice))
        };
        let mut ranked: Vec<_> = (0..self.cells.len()).filter(several).flat_map(choices).collect();
        let score = |(cell, choice): &(usize, Choice)| {
            let score = self.scores.of(*cell, *choice);
            if score.is_nan() {
                f64::NEG_INFINITY
            } else {
                score
            }
        };
        ranked.sort_by(|a, b| score(a).total_cmp(&score(b)));
        ranked
    }

    /// Takes `drops` out of the space, in this order: all at once when the cost window is then within reach, else one after the other,
    /// and those stay without which it is not. Stops after `most`.
    pub fn without(&self, drops: &[(usize, Choice)], most: usize) -> Change {
        let mut change = self.unchanged();
        let all = &drops[..drops.len().min(most)];
        all.iter().for_each(|drop| change.take(*drop));
        if self.reachable(&change) {
            return change;
        }
        let mut change = self.unchanged();
        let mut left = most;
        for drop in drops {
            let mut next = change.clone();
            next.take(*drop);
            if left > 0 && self.reachable(&next) {
                (change, left) = (next, left - 1);
            }
        }
        change
    }

    fn reachable(&self, change: &Change) -> bool {
        let operators: Vec<Vec<u16>> = change.retained.iter().map(|kept| kept.iter().copied().collect()).collect();
        let empty = operators.iter().zip(&change.skippable).any(|(operators, skippable)| operators.is_empty() && !skippable);
        !empty && (self.reaches)(&operators, &change.skippable)
    }
}

impl Change {
    fn take(&mut self, (cell, choice): (usize, Choice)) {
        match choice {
            Some(operator) => drop(self.retained[cell].remove(&operator)),
            None => self.skippable[cell] = false,
        }
    }

    /// Choices over all cells.
    pub fn choices(&self) -> usize {
        self.retained.iter().map(BTreeSet::len).sum::<usize>() + self.skippable.iter().filter(|skippable| **skippable).count()
    }

    /// Whether nothing is left to choose.
    pub fn settled(&self) -> bool {
        self.retained.iter().zip(&self.skippable).all(|(kept, skippable)| kept.len() + usize::from(*skippable) <= 1)
    }
}
