//! Architectures of the space as it is, drawn to score its operators: every one at most once, none above a cost, each counted for every
//! choice that it has.
//!
//! The published code (AngleNAS, `compute_scores`) takes up to so many for each operator, in a hundred times as many draws. Where the
//! space has no more architectures than would be wanted, all of them are taken, as in its experiments on NAS-Bench-201.

use super::gates;
use super::observe::Control;
use super::random::Stream;
use super::sample::{CellChoices, Sampler, Window};
use super::scorer::Scores;
use super::strategy::Choice;
use crate::arch::Architecture;
use crate::cost::Prices;
use crate::error::{Error, Result};
use crate::space::Space;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Draws for each architecture that is wanted.
pub(super) const TRIES: usize = 100;

/// More than these are never listed.
const MOST: f64 = 2e5;

/// The space as it is.
pub struct Children<'a> {
    pub space: &'a Space,
    pub prices: &'a Prices,
    pub active: Vec<Vec<u16>>,
    pub skippable: Vec<bool>,
    pub single: bool,
    /// Greatest price.
    pub most: u64,
}

/// log10 of what a cell with so many operators can do.
pub fn log10_choices(operators: usize, skippable: bool, single: bool) -> f64 {
    let nothing = f64::from(u8::from(skippable));
    if single {
        (operators as f64 + nothing).log10()
    } else if operators < 1000 {
        ((operators as f64).exp2() - 1.0 + nothing).log10()
    } else {
        operators as f64 * 2f64.log10()
    }
}

/// What an architecture does in every cell, as choices: its operators, or nothing. Of an ensemble once, on how many paths it may be.
pub fn choices(architecture: &Architecture) -> impl Iterator<Item = (usize, Choice)> {
    let of_cell = |(cell, open): (usize, &Vec<u16>)| {
        let nothing = open.is_empty().then_some((cell, None));
        open.iter().map(|o| (cell, Some(*o))).chain(nothing).collect::<Vec<_>>()
    };
    architecture.by_cell().flat_map(of_cell).collect::<BTreeSet<_>>().into_iter()
}

/// Makes something for a choice of a cell.
type OfChoice<'a, T> = &'a dyn Fn((usize, Choice), &mut Stream) -> Result<T>;

impl Children<'_> {
    /// Every choice of every cell.
    pub fn all_choices(&self) -> impl Iterator<Item = (usize, Choice)> + '_ {
        self.active.iter().zip(&self.skippable).enumerate().flat_map(|(cell, (active, skippable))| {
            let nothing = skippable.then_some((cell, None));
            active.iter().map(move |o| (cell, Some(*o))).chain(nothing)
        })
    }

    pub fn log10_size(&self) -> f64 {
        self.active
            .iter()
            .zip(&self.skippable)
            .map(|(active, skippable)| log10_choices(active.len(), *skippable, self.single))
            .sum()
    }

    /// Up to `wanted` for every choice of a cell that has several; all that there are, if those are no more.
    pub fn of_each(&self, wanted: usize, stream: &mut Stream, control: &dyn Control) -> Result<Vec<Architecture>> {
        let choices: Vec<_> = self.all_choices().collect();
        let enough = (wanted * choices.len()) as f64;
        if self.log10_size() <= enough.min(MOST).log10() + 1e-9 {
            return self.everything();
        }
        let draw = |choice, stream: &mut Stream| Architecture::new(self.space, self.draw(Some(choice), stream));
        self.each(wanted, stream, control, &draw, &|(cell, choice), stream| self.cheap(cell, choice, stream))
    }

    /// What `draw` gives, up to `wanted` for every choice of a cell that has several; where it gives nothing that is cheap enough, what
    /// `cheap` gives.
    pub(super) fn each(
        &self,
        wanted: usize,
        stream: &mut Stream,
        control: &dyn Control,
        draw: OfChoice<Architecture>,
        cheap: OfChoice<Option<Architecture>>,
    ) -> Result<Vec<Architecture>> {
        let choices: Vec<_> = self.all_choices().collect();
        let mut counts: BTreeMap<(usize, Choice), usize> = choices.iter().map(|choice| (*choice, 0)).collect();
        let (mut seen, mut children) = (HashSet::new(), Vec::new());
        let mut take = |child: Architecture, counts: &mut BTreeMap<_, usize>, children: &mut Vec<Architecture>| {
            if self.prices.architecture(&child) > self.most || !seen.insert(child.clone()) {
                return false;
            }
            self::choices(&child).for_each(|choice| *counts.entry(choice).or_default() += 1);
            children.push(child);
            true
        };
        let alone = |cell: usize| self.active[cell].len() + usize::from(self.skippable[cell]) < 2;
        for (cell, choice) in choices.into_iter().filter(|(cell, _)| !alone(*cell)) {
            let missing = wanted.saturating_sub(counts[&(cell, choice)]);
            let (mut left, mut tries) = (missing, missing.saturating_mul(TRIES));
            while left > 0 && tries > 0 {
                if tries % TRIES == 0 && control.cancelled() {
                    return Err(Error::Cancelled);
                }
                tries -= 1;
                let child = draw((cell, choice), stream)?;
                left -= usize::from(take(child, &mut counts, &mut children));
            }
            if counts[&(cell, choice)] == 0 {
                // Hardly any has it at this cost: one is found exactly, if there is one.
                if let Some(child) = cheap((cell, choice), stream)? {
                    take(child, &mut counts, &mut children);
                }
            }
        }
        Ok(children)
    }

    /// What every cell does, one of them doing, or among others having, this choice: with single branches each choice of a cell is as
    /// likely as the others, else each operator as likely to be there as not.
    pub(super) fn draw(&self, choice: Option<(usize, Choice)>, stream: &mut Stream) -> Vec<Vec<u16>> {
        let fixed = |i: usize| choice.filter(|(cell, _)| *cell == i).map(|(_, choice)| choice);
        (0..self.active.len()).map(|i| self.of_cell(i, fixed(i), stream)).collect()
    }

    /// What one cell does, or among others has: anything, or this choice.
    pub(super) fn of_cell(&self, i: usize, fixed: Option<Choice>, stream: &mut Stream) -> Vec<u16> {
        match fixed {
            Some(None) => Vec::new(),
            Some(Some(fixed)) if self.single => vec![fixed],
            Some(Some(fixed)) => self.subset(i, Some(fixed), stream),
            None if self.single => {
                let drawn = stream.below((self.active[i].len() + usize::from(self.skippable[i])) as u64);
                self.active[i].get(drawn as usize).copied().into_iter().collect()
            }
            None => self.subset(i, None, stream),
        }
    }

    /// Any number of operators, not none where a cell cannot be skipped.
    fn subset(&self, cell: usize, fixed: Choice, stream: &mut Stream) -> Vec<u16> {
        let active = &self.active[cell];
        let p: Vec<f64> = active.iter().map(|o| if fixed == Some(*o) { 1.0 } else { 0.5 }).collect();
        let nothing = vec![vec![false; active.len()]];
        let forbidden = if self.skippable[cell] { &[][..] } else { &nothing };
        let gates = gates::draw(&p, forbidden, stream).unwrap_or_default();
        active.iter().zip(gates).filter(|(_, open)| *open).map(|(o, _)| *o).collect()
    }

    /// The space in which a cell has this choice only.
    pub(super) fn only(&self, cell: usize, choice: Choice) -> Self {
        let mut only = Children { active: self.active.clone(), skippable: self.skippable.clone(), ..*self };
        match choice {
            Some(operator) => (only.active[cell], only.skippable[cell]) = (vec![operator], false),
            None => only.active[cell].clear(),
        }
        only
    }

    /// One with this choice, whatever it takes; None: there is none at this cost.
    fn cheap(&self, cell: usize, choice: Choice, stream: &mut Stream) -> Result<Option<Architecture>> {
        let Children { active, skippable, .. } = self.only(cell, choice);
        let half: Vec<Vec<f64>> = active.iter().map(|active| vec![0.5; active.len()]).collect();
        let cells: Vec<_> = (active.iter().zip(&half).zip(&skippable))
            .map(|((active, p), skippable)| CellChoices { active, p, may_be_skipped: *skippable, single: self.single })
            .collect();
        match Sampler::new(self.prices, &cells, Window { low: 0, high: self.most }) {
            Ok(sampler) => Ok(sampler.distinct(self.space, 1, &HashSet::new(), stream)?.pop()),
            Err(_) => Ok(None),
        }
    }

    /// All of them, in canonical order.
    fn everything(&self) -> Result<Vec<Architecture>> {
        let of_cell = |i: usize| {
            let active = &self.active[i];
            let mut sets: Vec<Vec<u16>> = match self.single {
                true => active.iter().map(|o| vec![*o]).collect(),
                false => (1..1u64 << active.len())
                    .map(|mask| active.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, o)| *o).collect())
                    .collect(),
            };
            sets.extend(self.skippable[i].then(Vec::new));
            sets
        };
        let mut chains: Vec<Vec<Vec<u16>>> = vec![Vec::new()];
        for sets in (0..self.active.len()).map(of_cell) {
            let longer = |chain: &Vec<Vec<u16>>| {
                sets.iter().map(|set| [chain.as_slice(), std::slice::from_ref(set)].concat()).collect::<Vec<_>>()
            };
            chains = chains.iter().flat_map(longer).collect();
        }
        let mut all: Vec<_> = chains.into_iter().map(|cells| Architecture::new(self.space, cells)).collect::<Result<_>>()?;
        all.retain(|child| self.prices.architecture(child) <= self.most);
        all.sort_unstable();
        Ok(all)
    }

    /// For every choice the mean of the first `most` children that have it; none where there is none.
    pub fn mean<'c>(&self, valued: impl Iterator<Item = (&'c Architecture, f64)>, most: usize) -> Scores {
        let mut sums: BTreeMap<(usize, Choice), (f64, usize)> = BTreeMap::new();
        for (child, value) in valued {
            for choice in choices(child) {
                let (sum, count) = sums.entry(choice).or_default();
                if *count < most {
                    (*sum, *count) = (*sum + value, *count + 1);
                }
            }
        }
        let mean = |choice: (usize, Choice)| sums.get(&choice).map_or(f64::NAN, |(sum, count)| sum / *count as f64);
        Scores::new(self, mean)
    }
}
