//! The space as it changes: which operators of every cell are active, what they have learnt, which leave and which come.

use super::affordable::affordable;
use super::fitness::{Adam, CellFitness, TwoPaths};
use super::gates;
use super::random::{Purpose, Stream};
use super::sample::{CellChoices, Sampler, Window};
use super::scorer::Scores;
use super::strategy::{CellStanding, Change};
use super::trainer::PathGradient;
use super::{Branches, Objective};
use crate::arch::Architecture;
use crate::cost::Prices;
use crate::error::Result;
use crate::json;
use crate::space::{Pool, Space};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Steps from the cheapest to the dearest active subset.
const STEPS: usize = 64;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Evolution {
    pools: Vec<Pool>,
    fitness: Vec<CellFitness>,
    /// Latest theta of every operator that an architecture step has met, or what a scorer said; NaN for the others.
    #[serde(deserialize_with = "json::unknown_rows")]
    learnt: Vec<Vec<f64>>,
    /// Operators that must stay this round: those of the last front, and those without which the window is out of reach.
    pinned: Vec<BTreeSet<u16>>,
    /// What the last front uses, per cell; None before there is one.
    front: Option<Vec<BTreeSet<u16>>>,
    /// Cells that may be skipped.
    skippable: Vec<bool>,
    size: usize,
    branches: Branches,
}

/// Where a search begins: how many operators of a cell are active, and what an earlier search found.
pub(super) struct Beginning<'a> {
    pub size: usize,
    pub seed: u64,
    pub branches: Branches,
    pub preserve: bool,
    /// Operators per cell that are active from the start whatever the size: the front of the search that is continued.
    pub front: Option<&'a [BTreeSet<u16>]>,
    /// Operators per cell that had their turn in the search that is continued.
    pub left: &'a [BTreeSet<u16>],
}

impl Evolution {
    /// A first active subset per cell from which `window` can be reached: a random one, or if that misses the window,
    /// neighbours in cost, as dear as it takes. An operator too dear for every architecture in the window takes no part.
    pub fn new(space: &Space, prices: &Prices, beginning: &Beginning, window: Window) -> Result<Self> {
        let nothing = vec![Vec::new(); space.cells().len()];
        let all: Vec<Vec<u16>> = space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect();
        let size = beginning.size;
        Self::around(space, &all, &nothing, &Beginning { size: usize::MAX, front: None, ..*beginning })
            .sampler(prices, window)?;
        let mut affordable = affordable(space, prices, &all, window);
        let is_front = |i: usize, o: u16| beginning.front.is_some_and(|front| front[i].contains(&o));
        for (i, left) in beginning.left.iter().enumerate() {
            affordable[i].retain(|o| is_front(i, *o) || !left.contains(o));
        }
        for (operators, front) in affordable.iter_mut().zip(beginning.front.into_iter().flatten()) {
            let missing: Vec<u16> = front.iter().filter(|o| !operators.contains(o)).copied().collect();
            operators.extend(missing);
        }
        let neighbours = (0..=STEPS).map(|step| {
            let priced = |(i, operators): (usize, &Vec<u16>)| {
                let mut operators = operators.clone();
                operators.sort_by_key(|o| prices.operator(i, *o));
                let first = operators.len().saturating_sub(size) * step / STEPS;
                operators.into_iter().skip(first).take(size).collect()
            };
            affordable.iter().enumerate().map(priced).collect::<Vec<Vec<u16>>>()
        });
        let cores = std::iter::once(nothing).chain(neighbours);
        let mut starts = cores.map(|core| Self::around(space, &affordable, &core, beginning));
        starts.find(|start| start.sampler(prices, window).is_ok()).ok_or_else(|| {
            let reason = format!("{size} operators per cell do not reach the cost window, all {} do", space.most_operators());
            json::out_of_range("search options", "/active", reason)
        })
    }

    /// The front's operators, then those of `core`, and then the other `operators` of each cell in random order; the first
    /// are active.
    fn around(space: &Space, operators: &[Vec<u16>], core: &[Vec<u16>], beginning: &Beginning) -> Self {
        let nothing = BTreeSet::new();
        let pools = (operators.iter().zip(core).enumerate())
            .map(|(i, (operators, core))| {
                let front = beginning.front.map_or(&nothing, |front| &front[i]);
                let mut operators = operators.clone();
                Stream::new(beginning.seed, Purpose::Pool, 0, i as u64).shuffle(&mut operators);
                operators.sort_by_key(|o| (!front.contains(o), !core.contains(o)));
                Pool::new(operators, beginning.size.max(front.len()))
            })
            .collect();
        let cells = space.cells();
        let front = beginning.front.map(<[_]>::to_vec);
        let mut evolution = Evolution {
            pools,
            fitness: Vec::new(),
            learnt: cells.iter().map(|cell| vec![f64::NAN; cell.operators.len()]).collect(),
            pinned: front.clone().filter(|_| beginning.preserve).unwrap_or(vec![BTreeSet::new(); cells.len()]),
            front,
            skippable: cells.iter().map(|cell| cell.may_be_skipped()).collect(),
            size: beginning.size,
            branches: beginning.branches,
        };
        evolution.reset_fitness();
        evolution
    }

    /// Whether all indices are those of `space`, and what belongs together has one length.
    pub fn fits(&self, space: &Space) -> std::result::Result<(), String> {
        let cells = space.cells().len();
        let fronts = self.front.as_ref().map_or(cells, Vec::len);
        let lengths = [self.pools.len(), self.fitness.len(), self.learnt.len(), self.pinned.len(), fronts, self.skippable.len()];
        if lengths.iter().any(|length| *length != cells) {
            return Err(format!("{lengths:?} cells, not {cells}"));
        }
        for (i, cell) in space.cells().iter().enumerate() {
            let (pool, count) = (&self.pools[i], cell.operators.len());
            let front = self.front.iter().flat_map(|front| &front[i]);
            let mut operators = pool.active().iter().chain(pool.pending()).chain(pool.left()).chain(&self.pinned[i]).chain(front);
            let parallel = self.fitness[i].fits(pool.active().len()) && self.learnt[i].len() == count;
            let ascending = pool.active().windows(2).all(|pair| pair[0] < pair[1]);
            let kind = !self.skippable[i] || cell.may_be_skipped();
            if !(parallel && ascending && kind && operators.all(|o| usize::from(*o) < count)) {
                return Err(format!("the operators of cell {i}"));
            }
        }
        Ok(())
    }

    pub fn active(&self) -> Vec<Vec<u16>> {
        self.pools.iter().map(|pool| pool.active().to_vec()).collect()
    }

    pub fn skippable(&self) -> &[bool] {
        &self.skippable
    }

    /// The cells as a strategy sees them, with what `front` uses.
    pub fn standing(&self, front: Vec<BTreeSet<u16>>) -> Vec<CellStanding<'_>> {
        let cells = self.pools.iter().zip(&self.skippable).zip(front);
        cells
            .map(|((pool, skippable), front)| CellStanding {
                active: pool.active(),
                pending: pool.pending().len(),
                skippable: *skippable,
                front,
            })
            .collect()
    }

    /// Choices of `space` that were dropped: operators, and being skipped.
    pub fn dropped(&self, space: &Space) -> usize {
        let skips = space.cells().iter().zip(&self.skippable).filter(|(cell, skippable)| cell.may_be_skipped() && !**skippable);
        skips.count() + self.pools.iter().map(|pool| pool.left().len()).sum::<usize>()
    }

    /// Whether `window` can be met with these operators, each as likely as not.
    pub fn reaches(&self, prices: &Prices, window: Window, operators: &[Vec<u16>], skippable: &[bool]) -> bool {
        let half: Vec<Vec<f64>> = operators.iter().map(|operators| vec![0.5; operators.len()]).collect();
        let single = self.branches == Branches::Single;
        let cells: Vec<_> = (operators.iter().zip(&half).zip(skippable))
            .map(|((active, p), skippable)| CellChoices { active, p, may_be_skipped: *skippable, single })
            .collect();
        Sampler::new(prices, &cells, window).is_ok()
    }

    /// What a scorer says takes the place of what was learnt: candidates are drawn with the scores of each cell as theta, in units of
    /// their deviation.
    pub fn score(&mut self, scores: &Scores) {
        for (cell, pool) in self.pools.iter().enumerate() {
            self.fitness[cell] = CellFitness::given(scores.standard(cell, pool.active()));
            for operator in pool.active() {
                self.learnt[cell][usize::from(*operator)] = scores.of(cell, Some(*operator));
            }
        }
    }

    /// What is known of an operator while it learns.
    pub fn note(&mut self, cell: usize, operator: u16, score: f64) {
        self.learnt[cell][usize::from(operator)] = score;
    }

    pub fn theta(&self, cell: usize) -> &[f64] {
        self.fitness[cell].theta()
    }

    pub fn learnt(&self) -> &[Vec<f64>] {
        &self.learnt
    }

    /// Operators per cell that had their turn.
    pub fn left(&self) -> Vec<BTreeSet<u16>> {
        self.pools.iter().map(|pool| pool.left().iter().copied().collect()).collect()
    }

    /// Gates of a weight step: every active operator open with probability one half, at least one where a cell needs it. With
    /// single branches every operator, and none where a cell may be skipped, is as likely as the others.
    pub fn draw_half(&self, stream: &mut Stream) -> Vec<Vec<u16>> {
        let draw = |(pool, skippable): (&Pool, &bool)| {
            let half = vec![0.5; pool.active().len()];
            let gates = self.draw(&half, &forbidden(half.len(), *skippable), stream).unwrap_or_default();
            pool.active().iter().zip(gates).filter(|(_, open)| *open).map(|(o, _)| *o).collect()
        };
        self.pools.iter().zip(&self.skippable).map(draw).collect()
    }

    fn draw(&self, p: &[f64], forbidden: &[Vec<bool>], stream: &mut Stream) -> Option<Vec<bool>> {
        match self.branches {
            Branches::Multi => gates::draw(p, forbidden, stream),
            Branches::Single => gates::draw_single(p, forbidden, stream),
        }
    }

    /// The two different gate vectors of every cell, drawn with the learnt probabilities without replacement; None for a cell
    /// that has only one.
    ///
    /// With `rehearse` (published as `strict_prev`), after a first front and in half of all calls, the selected vector of every
    /// cell is what that front uses, and only the other one is drawn.
    pub fn draw_two(&self, rehearse: bool, stream: &mut Stream) -> Vec<Option<TwoPaths>> {
        let front = self.front.as_ref().filter(|_| rehearse && stream.below(2) == 1);
        let draw = |(cell, fitness): (usize, &CellFitness)| {
            let p = fitness.probabilities();
            let mut out = forbidden(p.len(), self.skippable[cell]);
            let rehearsed = front.and_then(|front| self.gates_of(cell, &front[cell])).filter(|gates| !out.contains(gates));
            let selected = rehearsed.or_else(|| self.draw(&p, &out, stream))?;
            out.push(selected.clone());
            let unselected = self.draw(&p, &out, stream)?;
            Some(TwoPaths::new(&p, selected, unselected))
        };
        self.fitness.iter().enumerate().map(draw).collect()
    }

    /// The gate vector that opens those of `operators` that are active; None when it has more branches than allowed.
    fn gates_of(&self, cell: usize, operators: &BTreeSet<u16>) -> Option<Vec<bool>> {
        let gates: Vec<bool> = self.pools[cell].active().iter().map(|o| operators.contains(o)).collect();
        let open = gates.iter().filter(|open| **open).count();
        (self.branches == Branches::Multi || open <= 1).then_some(gates)
    }

    /// One Adam step on theta from the path gradients and the pull of the expected cost towards the target.
    pub fn learn(
        &mut self,
        prices: &Prices,
        objective: &Objective,
        adam: &Adam,
        paths: &[Option<TwoPaths>],
        gradients: &[PathGradient],
    ) {
        let price = |cell: usize, gates: &[bool]| {
            let open = self.pools[cell].active().iter().zip(gates).filter(|(_, open)| **open);
            open.map(|(o, _)| prices.operator(cell, *o)).sum::<u64>() as f64
        };
        let both: Vec<_> = (paths.iter().enumerate())
            .map(|(cell, paths)| match paths {
                Some(two) => (price(cell, &two.selected), price(cell, &two.unselected)),
                None => (prices.branches(cell, self.pools[cell].active()) as f64, 0.0),
            })
            .collect();
        let expected: f64 = (both.iter().zip(paths))
            .map(|((selected, unselected), paths)| {
                let ps = paths.as_ref().map_or(1.0, |two| two.ps);
                selected * ps + unselected * (1.0 - ps)
            })
            .sum();
        let whole = prices.fixed() as f64 + expected - prices.discount() as f64;
        let slope = objective.slope(whole / prices.metric.scale()) / prices.metric.scale();
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
    pub fn drop_unfit(&mut self, prices: &Prices, threshold: f64, window: Window) -> Vec<(usize, u16)> {
        let mut dropped = Vec::new();
        for cell in 0..self.pools.len() {
            let least = if self.skippable[cell] { 0 } else { 2 };
            while self.pools[cell].active().len() > least {
                let Some(position) = self.worst(cell, threshold) else { break };
                let operator = self.pools[cell].active()[position];
                let mut without = self.clone();
                without.pools[cell].drop_operator(operator);
                without.fitness[cell].remove(position);
                if without.sampler(prices, window).is_ok() {
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
    pub fn sampler(&self, prices: &Prices, window: Window) -> Result<Sampler> {
        let p: Vec<_> = self.fitness.iter().map(CellFitness::probabilities).collect();
        let cells: Vec<_> = (self.pools.iter().zip(&p).zip(&self.skippable))
            .map(|((pool, p), skippable)| CellChoices {
                active: pool.active(),
                p,
                may_be_skipped: *skippable,
                single: self.branches == Branches::Single,
            })
            .collect();
        Sampler::new(prices, &cells, window)
    }

    /// One Adam step on theta from architectures drawn with it and the loss of each.
    pub fn learn_told(&mut self, adam: &Adam, results: &[(Architecture, f64)]) {
        let losses: Vec<f64> = results.iter().map(|(_, loss)| *loss).collect();
        for (cell, (pool, fitness)) in self.pools.iter().zip(&mut self.fitness).enumerate() {
            let gates = |a: &Architecture| pool.active().iter().map(|o| a.cells()[cell].contains(o)).collect();
            let open: Vec<Vec<bool>> = results.iter().map(|(architecture, _)| gates(architecture)).collect();
            let gradient = super::fitness::score_gradient(fitness.theta(), &open, &losses);
            fitness.update(adam, &gradient);
            for (operator, theta) in pool.active().iter().zip(fitness.theta()) {
                self.learnt[cell][usize::from(*operator)] = *theta;
            }
        }
    }

    /// Keeps the active operators of a front that grows during the round.
    pub fn pin<'a>(&mut self, front: impl Iterator<Item = &'a Architecture>) {
        for (pinned, used) in self.pinned.iter_mut().zip(used(front, self.pools.len())) {
            pinned.extend(used);
        }
    }

    /// What evolution does when these operators are used.
    pub fn evolved(&self, used: Vec<BTreeSet<u16>>) -> Change {
        Change { retained: used, skippable: self.skippable.clone(), size: self.size, last: false, refresh: false }
    }

    /// This space with `used` retained.
    pub fn after(&self, used: &[BTreeSet<u16>]) -> Self {
        let mut after = self.clone();
        after.advance(&self.evolved(used.to_vec()), Some(used.to_vec()), true);
        after
    }

    /// The next round's space: in every cell the operators that are retained, then pending ones up to the size of the active
    /// subset. `used`: by the front, if there is one; protected if told to `preserve` them. Theta starts from zero. Returns (retained, refilled) per cell.
    pub fn advance(&mut self, change: &Change, used: Option<Vec<BTreeSet<u16>>>, preserve: bool) -> Vec<(Vec<u16>, Vec<u16>)> {
        let mut changes = Vec::with_capacity(self.pools.len());
        for (pool, kept) in self.pools.iter_mut().zip(&change.retained) {
            let retained: Vec<u16> = kept.iter().copied().collect();
            pool.evolve(retained.clone(), change.size);
            let refilled = pool.active().iter().filter(|o| !kept.contains(o)).copied().collect();
            changes.push((retained, refilled));
        }
        self.skippable.clone_from(&change.skippable);
        self.pinned = used.clone().filter(|_| preserve).unwrap_or(vec![BTreeSet::new(); self.pools.len()]);
        self.front = used;
        self.reset_fitness();
        changes
    }

    fn reset_fitness(&mut self) {
        self.fitness = self.pools.iter().map(|pool| CellFitness::new(pool.active().len())).collect();
    }
}

/// The operators that some of `architectures` use, per cell.
pub(super) fn used<'a>(architectures: impl Iterator<Item = &'a Architecture>, cells: usize) -> Vec<BTreeSet<u16>> {
    let mut used = vec![BTreeSet::new(); cells];
    for architecture in architectures {
        architecture.by_cell().for_each(|(cell, operators)| used[cell].extend(operators));
    }
    used
}

/// The empty gate vector, where a cell may not be skipped.
fn forbidden(operators: usize, skippable: bool) -> Vec<Vec<bool>> {
    (!skippable).then(|| vec![false; operators]).into_iter().collect()
}
