//! The space as it changes: which operators of every cell are active, what they have learnt, which leave and which come.

use super::fitness::{Adam, CellFitness, TwoPaths};
use super::gates;
use super::random::{Purpose, Stream};
use super::sample::{CellChoices, Sampler, Window};
use super::trainer::PathGradient;
use super::Objective;
use crate::arch::Architecture;
use crate::cost::CostTable;
use crate::error::Result;
use crate::json;
use crate::space::{Cell, Pool, Space};
use std::collections::BTreeSet;

/// Steps from the cheapest to the dearest active subset.
const STEPS: usize = 64;

#[derive(Clone)]
pub(super) struct Evolution {
    pools: Vec<Pool>,
    fitness: Vec<CellFitness>,
    /// Latest theta of every operator that an architecture step has met; NaN for the others.
    learnt: Vec<Vec<f64>>,
    /// Operators that must stay this round: those of the last front, and those without which the window is out of reach.
    pinned: Vec<BTreeSet<u16>>,
    skippable: Vec<bool>,
    size: usize,
}

impl Evolution {
    /// A first active subset of `size` operators per cell from which `window` can be reached: a random one, or if that misses the
    /// window, neighbours in cost, as dear as it takes. An operator too dear for every architecture in the window takes no part.
    pub fn new(space: &Space, costs: &CostTable, size: usize, seed: u64, window: Window) -> Result<Self> {
        let nothing = vec![Vec::new(); space.cells().len()];
        let all: Vec<Vec<u16>> = space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect();
        Self::around(space, &all, &nothing, usize::MAX, seed).sampler(costs, window)?;
        let affordable = affordable(space, costs, &all, window);
        let neighbours = (0..=STEPS).map(|step| {
            let priced = |(i, operators): (usize, &Vec<u16>)| {
                let mut operators = operators.clone();
                operators.sort_by_key(|o| costs.operator(i, *o).macs);
                let first = operators.len().saturating_sub(size) * step / STEPS;
                operators.into_iter().skip(first).take(size).collect()
            };
            affordable.iter().enumerate().map(priced).collect::<Vec<Vec<u16>>>()
        });
        let cores = std::iter::once(nothing).chain(neighbours);
        let mut starts = cores.map(|core| Self::around(space, &affordable, &core, size, seed));
        starts.find(|start| start.sampler(costs, window).is_ok()).ok_or_else(|| {
            let reason = format!("{size} operators per cell do not reach the cost window, all {} do", space.most_operators());
            json::out_of_range("search options", "/active", reason)
        })
    }

    /// `core` and then the other `operators` of each cell in random order; the first `size` are active.
    fn around(space: &Space, operators: &[Vec<u16>], core: &[Vec<u16>], size: usize, seed: u64) -> Self {
        let pools = (operators.iter().zip(core).enumerate())
            .map(|(i, (operators, core))| {
                let mut operators = operators.clone();
                Stream::new(seed, Purpose::Pool, 0, i as u64).shuffle(&mut operators);
                operators.sort_by_key(|o| !core.contains(o));
                Pool::new(operators, size)
            })
            .collect();
        let mut evolution = Evolution {
            pools,
            fitness: Vec::new(),
            learnt: space.cells().iter().map(|cell| vec![f64::NAN; cell.operators.len()]).collect(),
            pinned: vec![BTreeSet::new(); space.cells().len()],
            skippable: space.cells().iter().map(|cell| cell.may_be_skipped()).collect(),
            size,
        };
        evolution.reset_fitness();
        evolution
    }

    /// Operators that take part in the search, of the cell that has most of them.
    pub fn most_operators(&self) -> usize {
        self.pools.iter().map(|pool| pool.active().len() + pool.pending().len()).max().unwrap_or(0)
    }

    pub fn active(&self) -> Vec<Vec<u16>> {
        self.pools.iter().map(|pool| pool.active().to_vec()).collect()
    }

    pub fn theta(&self, cell: usize) -> &[f64] {
        self.fitness[cell].theta()
    }

    pub fn learnt(&self) -> &[Vec<f64>] {
        &self.learnt
    }

    /// Gates of a weight step: every active operator open with probability one half, at least one where a cell needs it.
    pub fn draw_half(&self, stream: &mut Stream) -> Vec<Vec<u16>> {
        let draw = |(pool, skippable): (&Pool, &bool)| {
            let half = vec![0.5; pool.active().len()];
            let gates = gates::draw(&half, &forbidden(half.len(), *skippable), stream).unwrap_or_default();
            pool.active().iter().zip(gates).filter(|(_, open)| *open).map(|(o, _)| *o).collect()
        };
        self.pools.iter().zip(&self.skippable).map(draw).collect()
    }

    /// The two different gate vectors of every cell, drawn with the learnt probabilities without replacement; None for a cell
    /// that has only one.
    pub fn draw_two(&self, stream: &mut Stream) -> Vec<Option<TwoPaths>> {
        let draw = |(fitness, skippable): (&CellFitness, &bool)| {
            let p = fitness.probabilities();
            let mut out = forbidden(p.len(), *skippable);
            let selected = gates::draw(&p, &out, stream)?;
            out.push(selected.clone());
            let unselected = gates::draw(&p, &out, stream)?;
            Some(TwoPaths::new(&p, selected, unselected))
        };
        self.fitness.iter().zip(&self.skippable).map(draw).collect()
    }

    /// One Adam step on theta from the path gradients and the pull of the expected cost towards the target.
    pub fn learn(
        &mut self,
        costs: &CostTable,
        objective: &Objective,
        adam: &Adam,
        paths: &[Option<TwoPaths>],
        gradients: &[PathGradient],
    ) {
        let macs = |cell: usize, gates: &[bool]| {
            let open = self.pools[cell].active().iter().zip(gates).filter(|(_, open)| **open);
            open.map(|(o, _)| costs.operator(cell, *o).macs).sum::<u64>() as f64
        };
        let both: Vec<_> = (paths.iter().enumerate())
            .map(|(cell, paths)| match paths {
                Some(two) => (macs(cell, &two.selected), macs(cell, &two.unselected)),
                None => (costs.branches(cell, self.pools[cell].active()).macs as f64, 0.0),
            })
            .collect();
        let expected: f64 = (both.iter().zip(paths))
            .map(|((selected, unselected), paths)| {
                let ps = paths.as_ref().map_or(1.0, |two| two.ps);
                selected * ps + unselected * (1.0 - ps)
            })
            .sum();
        let slope = objective.slope(costs.fixed().macs as f64 + expected);
        for (cell, two) in paths.iter().enumerate().filter_map(|(cell, paths)| Some((cell, paths.as_ref()?))) {
            let PathGradient { selected, unselected } = gradients[cell];
            let (selected, unselected) = (selected + slope * both[cell].0, unselected + slope * both[cell].1);
            let fitness = &mut self.fitness[cell];
            let gradient = super::fitness::theta_gradient(fitness.theta(), two, selected, unselected);
            fitness.update(adam, &gradient);
            for (operator, theta) in self.pools[cell].active().iter().zip(fitness.theta()) {
                self.learnt[cell][usize::from(*operator)] = *theta;
            }
        }
    }

    /// Drops active operators whose theta is below `threshold`, worst first, and says which. Guards: pinned operators stay, a
    /// reduce or expand cell keeps two (so that two different paths exist), and the window stays within reach.
    pub fn drop_unfit(&mut self, costs: &CostTable, threshold: f64, window: Window) -> Vec<(usize, u16)> {
        let mut dropped = Vec::new();
        for cell in 0..self.pools.len() {
            let least = if self.skippable[cell] { 0 } else { 2 };
            while self.pools[cell].active().len() > least {
                let Some(position) = self.worst(cell, threshold) else { break };
                let operator = self.pools[cell].active()[position];
                let mut without = self.clone();
                without.pools[cell].drop_operator(operator);
                without.fitness[cell].remove(position);
                if without.sampler(costs, window).is_ok() {
                    *self = without;
                    dropped.push((cell, operator));
                } else {
                    self.pinned[cell].insert(operator);
                }
            }
        }
        dropped
    }

    /// Position of the active operator with the lowest theta below `threshold` that is not pinned.
    fn worst(&self, cell: usize, threshold: f64) -> Option<usize> {
        let theta = self.fitness[cell].theta();
        let droppable = |i: &usize| theta[*i] < threshold && !self.pinned[cell].contains(&self.pools[cell].active()[*i]);
        (0..theta.len()).filter(droppable).min_by(|a, b| theta[*a].total_cmp(&theta[*b]))
    }

    /// Draws architectures with the learnt probabilities.
    pub fn sampler(&self, costs: &CostTable, window: Window) -> Result<Sampler> {
        let p: Vec<_> = self.fitness.iter().map(CellFitness::probabilities).collect();
        let cells: Vec<_> = (self.pools.iter().zip(&p).zip(&self.skippable))
            .map(|((pool, p), skippable)| CellChoices { active: pool.active(), p, may_be_skipped: *skippable })
            .collect();
        Sampler::new(costs, &cells, window)
    }

    /// The next round's space: in every cell the operators the front uses, then pending ones up to the size of the active
    /// subset. Theta starts from zero. Returns (retained, refilled) per cell.
    pub fn advance<'a>(&mut self, front: impl Iterator<Item = &'a Architecture>, preserve: bool) -> Vec<(Vec<u16>, Vec<u16>)> {
        let mut used = vec![BTreeSet::new(); self.pools.len()];
        for architecture in front {
            for (cell, operators) in architecture.cells().iter().enumerate() {
                used[cell].extend(operators);
            }
        }
        let mut changes = Vec::with_capacity(used.len());
        for (pool, used) in self.pools.iter_mut().zip(&used) {
            let retained: Vec<u16> = used.iter().copied().collect();
            pool.evolve(retained.clone(), self.size);
            let refilled = pool.active().iter().filter(|o| !used.contains(o)).copied().collect();
            changes.push((retained, refilled));
        }
        self.pinned = if preserve { used } else { vec![BTreeSet::new(); self.pools.len()] };
        self.reset_fitness();
        changes
    }

    fn reset_fitness(&mut self) {
        self.fitness = self.pools.iter().map(|pool| CellFitness::new(pool.active().len())).collect();
    }
}

/// The operators of every cell that fit under the window beside the cheapest choice in all other cells.
fn affordable(space: &Space, costs: &CostTable, all: &[Vec<u16>], window: Window) -> Vec<Vec<u16>> {
    let macs = |cell: usize, operator: u16| costs.operator(cell, operator).macs;
    let least = |(i, cell): (usize, &Cell)| match cell.may_be_skipped() {
        true => 0,
        false => all[i].iter().map(|o| macs(i, *o)).min().unwrap_or(0),
    };
    let least: Vec<u64> = space.cells().iter().enumerate().map(least).collect();
    let room = window.high.saturating_sub(costs.fixed().macs).saturating_sub(least.iter().sum());
    let fits = |i: usize, operators: &[u16]| operators.iter().copied().filter(|o| macs(i, *o) <= room + least[i]).collect();
    all.iter().enumerate().map(|(i, operators)| fits(i, operators)).collect()
}

/// The empty gate vector, where a cell may not be skipped.
fn forbidden(operators: usize, skippable: bool) -> Vec<Vec<bool>> {
    if skippable {
        Vec::new()
    } else {
        vec![vec![false; operators]]
    }
}
