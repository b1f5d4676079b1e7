//! Ensembles of the space as it is: drawn, changed and crossed. A draw has any number of shared cells that is allowed, and on every path any
//! choice of every cell, each as likely as the others.

use super::breeding::Breeding;
use super::children::{Children, TRIES};
use super::engine::Search;
use super::observe::Control;
use super::random::Stream;
use super::sample::{CellChoices, Sampler, Window};
use super::sought::Sought;
use super::strategy::Choice;
use crate::arch::{Architecture, Paths};
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::ops::RangeInclusive;

pub struct Ensembles<'a> {
    /// What the cells can do.
    pub cells: Children<'a>,
    pub paths: usize,
    /// How many cells may be shared.
    pub splits: RangeInclusive<usize>,
    pub window: Window,
    pub breeding: Breeding,
}

impl Search {
    /// What is searched, where it is ensembles.
    pub(super) fn ensembles(&self) -> Option<Ensembles<'_>> {
        let Sought::Ensembles(plan) = self.seeks() else { return None };
        let splits = plan.splits(self.space.cells().len());
        let window = self.options.objective.window();
        Some(Ensembles { cells: self.all_children(), paths: plan.paths, splits, window, breeding: plan.breeding })
    }
}

impl Ensembles<'_> {
    /// One of all, whatever it costs; with this choice of a cell on some path, if there is one.
    pub fn any(&self, choice: Option<(usize, Choice)>, stream: &mut Stream) -> Result<Architecture> {
        let (low, high) = (*self.splits.start(), *self.splits.end());
        let split = low + stream.below((high - low + 1) as u64) as usize;
        let first = self.cells.draw(choice, stream);
        let others = (1..self.paths).map(|_| self.cells.draw(None, stream)).collect::<Vec<_>>();
        let paths = std::iter::once(&first).chain(&others).map(|path| path[split..].to_vec()).collect();
        Architecture::ensemble(self.cells.space, first[..split].to_vec(), paths)
    }

    /// Up to `wanted` for every choice of a cell that has several, none dearer than the greatest cost.
    pub fn of_each(&self, wanted: usize, stream: &mut Stream, control: &dyn Control) -> Result<Vec<Architecture>> {
        let draw = |choice, stream: &mut Stream| self.any(Some(choice), stream);
        let cheap = |(cell, choice): (usize, Choice), stream: &mut Stream| {
            // All paths have it: what is cheapest shares it.
            let only = self.cells.only(cell, choice);
            let window = Window { low: 0, high: self.window.high };
            Ok(self.exact(&only.active, &only.skippable, window, 1, &HashSet::new(), stream)?.pop())
        };
        self.cells.each(wanted, stream, control, &draw, &cheap)
    }

    /// Up to `count` different ones inside the window, and none of `known`: fewer when it is not likely that there are more.
    pub fn inside(&self, count: usize, known: &HashSet<Architecture>, stream: &mut Stream) -> Result<Vec<Architecture>> {
        let mut seen = known.clone();
        let mut found = Vec::new();
        let mut tries = count.saturating_mul(TRIES);
        while found.len() < count && tries > 0 {
            tries -= 1;
            let drawn = self.any(None, stream)?;
            if self.fits(&drawn) && seen.insert(drawn.clone()) {
                found.push(drawn);
            }
        }
        if found.len() < count {
            // Hardly any draw meets the window: they are drawn inside it.
            let (active, skippable) = (&self.cells.active, &self.cells.skippable);
            found.extend(self.exact(active, skippable, self.window, count - found.len(), &seen, stream)?);
        }
        Ok(found)
    }

    pub fn fits(&self, ensemble: &Architecture) -> bool {
        self.window.contains(self.cells.prices.architecture(ensemble))
    }

    /// That some ensemble of these operators lies in the window; the error says what is within reach.
    pub fn reaches(&self, active: &[Vec<u16>], skippable: &[bool]) -> Result<()> {
        let mut known: Option<Error> = None;
        for paths in self.shapes() {
            match self.sampler(paths, active, skippable, self.window) {
                Ok(_) => return Ok(()),
                Err(error) => known = Some(known.into_iter().fold(error, both)),
            }
        }
        known.map_or(Ok(()), Err)
    }

    fn shapes(&self) -> impl Iterator<Item = Paths> + '_ {
        let cells = self.cells.space.cells().len();
        self.splits.clone().rev().map(move |split| Paths::parted(cells, split, self.paths))
    }

    /// Draws of one shape inside a window, as if its places were the cells of a chain.
    fn sampler(&self, paths: Paths, active: &[Vec<u16>], skippable: &[bool], window: Window) -> Result<Sampler> {
        let half: Vec<Vec<f64>> = active.iter().map(|active| vec![0.5; active.len()]).collect();
        let place = |place: usize| {
            let cell = paths.cell(place);
            CellChoices { active: &active[cell], p: &half[cell], may_be_skipped: skippable[cell], single: self.cells.single }
        };
        let places: Vec<_> = (0..paths.places()).map(place).collect();
        Sampler::new(&self.cells.prices.parted(paths), &places, window)
    }

    /// Up to `count` different ones inside `window`, from one shape after the other.
    fn exact(
        &self,
        active: &[Vec<u16>],
        skippable: &[bool],
        window: Window,
        count: usize,
        known: &HashSet<Architecture>,
        stream: &mut Stream,
    ) -> Result<Vec<Architecture>> {
        let (mut seen, mut found) = (known.clone(), Vec::new());
        for paths in self.shapes() {
            if found.len() == count {
                break;
            }
            let Ok(sampler) = self.sampler(paths, active, skippable, window) else { continue };
            // As often in a row without a new one.
            let mut tries = TRIES;
            while found.len() < count && tries > 0 {
                tries -= 1;
                let ensemble = Architecture::of_places(self.cells.space, paths, sampler.draw_binned(stream).0)?;
                if window.contains(self.cells.prices.architecture(&ensemble)) && seen.insert(ensemble.clone()) {
                    found.push(ensemble);
                    tries = TRIES;
                }
            }
        }
        Ok(found)
    }

    /// As often as not one shared cell more or less; then every place does anything else with the probability `rate`.
    pub fn mutated(&self, parent: &Architecture, rate: f64, stream: &mut Stream) -> Result<Architecture> {
        let split = match stream.below(4) {
            0 => parent.paths().split() + 1,
            1 => parent.paths().split().saturating_sub(1),
            _ => parent.paths().split(),
        };
        let split = split.clamp(*self.splits.start(), *self.splits.end());
        let members = parent.members();
        // What was not shared and is now comes from any of the paths.
        let shared = members[stream.below(members.len() as u64) as usize].cells()[..split].to_vec();
        let paths = members.iter().map(|member| member.cells()[split..].to_vec()).collect();
        let moved = Architecture::ensemble(self.cells.space, shared, paths)?;
        let place = |(cell, open): (usize, &Vec<u16>)| match stream.uniform() < rate {
            true => self.cells.of_cell(cell, None, stream),
            false => open.clone(),
        };
        Architecture::of_places(self.cells.space, moved.paths(), moved.by_cell().map(place).collect())
    }

    /// Of two that part at the same cell: every place from one of them.
    pub fn crossed(&self, one: &Architecture, other: &Architecture, stream: &mut Stream) -> Result<Architecture> {
        let pairs = one.cells().iter().zip(other.cells());
        let places = pairs.map(|(one, other)| if stream.below(2) == 0 { one.clone() } else { other.clone() }).collect();
        Architecture::of_places(self.cells.space, one.paths(), places)
    }
}

/// What two shapes say of a window that neither meets. Where one only has too little inside, that.
fn both(one: Error, other: Error) -> Error {
    match (one, other) {
        (
            Error::Unreachable { unit, low, high, least, greatest, below, above },
            Error::Unreachable { least: l, greatest: g, below: b, above: a, .. },
        ) => Error::Unreachable {
            unit,
            low,
            high,
            least: least.min(l),
            greatest: greatest.max(g),
            below: [below, b].into_iter().flatten().reduce(f64::max),
            above: [above, a].into_iter().flatten().reduce(f64::min),
        },
        (Error::Unreachable { .. }, other) => other,
        (one, _) => one,
    }
}
