//! The evolution by which a search of ensembles finds its candidates (as the published one of SPOS, which the paper of NEAS names for its
//! last step; what it does with paths and where they part is ours): generation after generation, until enough were scored.

use super::children::TRIES;
use super::engine::{Phase, Search};
use super::ensembles::Ensembles;
use super::options::TooFew;
use super::random::{Purpose, Stream};
use crate::arch::Architecture;
use crate::error::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// What a strategy says of the ensembles that it searches.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub paths: usize,
    /// Least and greatest number of shared cells.
    pub split: Option<[usize; 2]>,
    pub breeding: Breeding,
}

/// How candidates come from those before: candidates.count of them, generation after generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Breeding {
    /// Ensembles of a generation; the first is drawn at random (published for SPOS: 50).
    #[schemars(range(min = 2, max = 1_000_000))]
    pub population: usize,
    /// The best of all so far, from which a generation comes (published: 10).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub parents: usize,
    /// Part of a generation that comes from two parents each (published: 0.5). The rest is changed from one.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub crossover: f64,
    /// Probability that a place does anything else where an ensemble is changed (published: 0.1).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mutation: f64,
}

impl Default for Breeding {
    fn default() -> Self {
        Breeding { population: 50, parents: 10, crossover: 0.5, mutation: 0.1 }
    }
}

impl Plan {
    /// How many of so many cells may be shared: what the plan says, else one to all but one.
    pub fn splits(&self, cells: usize) -> RangeInclusive<usize> {
        let [low, high] = self.split.unwrap_or([1, cells.saturating_sub(1)]);
        low.min(high)..=high
    }
}

impl Search {
    /// The last front and the first generation.
    pub(super) fn first_generation(&self, ensembles: &Ensembles, stream: &mut Stream) -> Result<Vec<Architecture>> {
        let active = &ensembles.cells.active;
        let mut candidates: Vec<_> = self.run.front.iter().map(|s| s.architecture.clone()).filter(|a| a.within(active)).collect();
        let known: HashSet<_> = candidates.iter().cloned().collect();
        let wanted = ensembles.breeding.population.min(self.options.candidates.count);
        let new = ensembles.inside(wanted, &known, stream)?;
        if new.is_empty() && known.is_empty() {
            ensembles.reaches(active, &ensembles.cells.skippable)?;
        }
        if new.len() < wanted && self.options.candidates.too_few == TooFew::Error {
            return Err(Error::TooFew { wanted, found: new.len(), known: known.len() });
        }
        candidates.extend(new);
        Ok(candidates)
    }

    /// Adds the next generation to the candidates, all of which are scored. Whether there is one.
    pub(super) fn breed(&mut self) -> Result<bool> {
        let next = self.next_generation()?;
        let Phase::Score { candidates, main, .. } = &mut self.run.phase else { return Ok(false) };
        if next.is_empty() {
            return Ok(false);
        }
        candidates.extend(next);
        *main = candidates.len();
        Ok(true)
    }

    fn next_generation(&self) -> Result<Vec<Architecture>> {
        let Phase::Score { candidates, accuracies, .. } = &self.run.phase else { return Ok(Vec::new()) };
        let Some(ensembles) = self.ensembles() else { return Ok(Vec::new()) };
        let Breeding { population, parents, crossover, mutation } = ensembles.breeding;
        let wanted = population.min(self.options.candidates.count.saturating_sub(candidates.len()));
        let mut stream = Stream::new(self.options.seed, Purpose::Breeding, self.run.round, candidates.len() as u64);
        let mut best: Vec<_> = candidates.iter().zip(accuracies).collect();
        let price = |a: &Architecture| self.prices.architecture(a);
        best.sort_by(|a, b| b.1.total_cmp(a.1).then_with(|| price(a.0).cmp(&price(b.0))).then_with(|| a.0.cmp(b.0)));
        let parents: Vec<&Architecture> = best.into_iter().take(parents).map(|(parent, _)| parent).collect();
        if wanted == 0 || parents.is_empty() {
            return Ok(Vec::new());
        }
        let mut seen: HashSet<_> = candidates.iter().cloned().collect();
        let mut next = Vec::new();
        let crossed = (wanted as f64 * crossover).round() as usize;
        for (until, crosses) in [(crossed, true), (wanted, false)] {
            let mut tries = (until - next.len().min(until)) * TRIES;
            while next.len() < until && tries > 0 {
                tries -= 1;
                let parent = parents[stream.below(parents.len() as u64) as usize];
                let child = match crosses {
                    true => {
                        // Of those that part where it does; alone, it can only change.
                        let mates: Vec<_> = parents.iter().filter(|mate| mate.paths() == parent.paths()).collect();
                        ensembles.crossed(parent, mates[stream.below(mates.len() as u64) as usize], &mut stream)?
                    }
                    false => ensembles.mutated(parent, mutation, &mut stream)?,
                };
                if ensembles.fits(&child) && seen.insert(child.clone()) {
                    next.push(child);
                }
            }
        }
        next.extend(ensembles.inside(wanted - next.len(), &seen, &mut stream)?);
        // Those that begin alike come together.
        next.sort_unstable();
        Ok(next)
    }
}
