//! Exact draws of whole architectures under a cost window: every operator open with its learnt probability, given that the
//! MACs lie inside the window and that no reduce or expand cell is empty.
//!
//! Dynamic programming over the operators, cell by cell, on discretised cost: the table holds the probability that the operators
//! still to come end inside the window. Costs are rounded down to bins, the window is widened by what rounding can hide,
//! and a draw whose exact cost falls outside is drawn again, a bounded number of times. So the distribution stays exact.

use super::random::{Purpose, Stream};
use crate::arch::Architecture;
use crate::cost::CostTable;
use crate::error::{Error, Result};
use crate::space::Space;
use std::collections::HashSet;

/// Memory for the table, bytes; it limits how fine the bins are.
const TABLE_BYTES: u64 = 64 << 20;
/// Bins that the window should span.
const WINDOW_BINS: u64 = 64;
const BINS: std::ops::RangeInclusive<u64> = 1 << 12..=1 << 16;
/// Bins of the report on what is reachable.
const REPORT_BINS: usize = 1 << 13;
/// Draws in a row outside the exact window before a sampler gives up.
const PATIENCE: u32 = 50_000;

/// Inclusive bounds in multiply-accumulates of the whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub low: u64,
    pub high: u64,
}

impl Window {
    pub fn contains(&self, macs: u64) -> bool {
        (self.low..=self.high).contains(&macs)
    }
}

/// One operator that may be open.
struct Item {
    cell: usize,
    operator: u16,
    p: f64,
    macs: u64,
    bins: usize,
    /// The last operator of a cell that must not be empty.
    closes: bool,
    /// The last operator of any cell.
    last: bool,
}

pub struct Sampler {
    items: Vec<Item>,
    cells: usize,
    fixed: u64,
    window: Window,
    /// `table[item][flag][bins used]`; flag: the cell of this item has an open operator already. Each layer is scaled to maximum 1.
    table: Vec<[Vec<f64>; 2]>,
}

/// What a sampler draws from: the active operators of a cell and the probability of each.
#[derive(Clone, Copy)]
pub struct CellChoices<'a> {
    pub active: &'a [u16],
    pub p: &'a [f64],
    pub may_be_skipped: bool,
}

impl Sampler {
    pub fn new(costs: &CostTable, cells: &[CellChoices], window: Window) -> Result<Self> {
        let fixed = costs.fixed().macs;
        let mut items = Vec::new();
        for (cell, choices) in cells.iter().enumerate() {
            for (i, operator) in choices.active.iter().enumerate() {
                let last = i + 1 == choices.active.len();
                let closes = last && !choices.may_be_skipped;
                let macs = costs.operator(cell, *operator).macs;
                items.push(Item { cell, operator: *operator, p: choices.p[i], macs, bins: 0, closes, last });
            }
        }
        let everything = items.iter().fold(fixed, |sum, item| sum.saturating_add(item.macs));
        let high = window.high.min(everything);
        let stuck = cells.iter().any(|c| c.active.is_empty() && !c.may_be_skipped);
        let mut sampler = Sampler { items, cells: cells.len(), fixed, window, table: Vec::new() };
        if stuck || window.low > high || high < fixed {
            return Err(sampler.unreachable());
        }
        let room = high - fixed;
        let operators = sampler.items.len() as u64;
        let wanted = room.saturating_mul(WINDOW_BINS) / (high - window.low + 1);
        let bins = wanted.clamp(*BINS.start(), *BINS.end()).min(TABLE_BYTES / (16 * (operators + 1))).max(64);
        let width = room / bins + 1;
        // An operator that does not fit alone gets more bins than there are.
        sampler.items.iter_mut().for_each(|item| item.bins = (item.macs / width).min(bins + 1) as usize);
        // Rounding down hides up to width - 1 per open operator.
        let hidden = operators.saturating_mul(width - 1);
        let least = window.low.saturating_sub(fixed).saturating_sub(hidden).div_ceil(width);
        sampler.fill(least as usize, (room / width) as usize);
        if sampler.table[0][0][0] > 0.0 && sampler.hits() {
            Ok(sampler)
        } else {
            Err(sampler.unreachable())
        }
    }

    /// Whether the exact window is met at all; a matter of course when no cost was rounded.
    fn hits(&self) -> bool {
        let mut stream = Stream::new(0, Purpose::Probe, 0, 0);
        (0..PATIENCE).any(|_| self.window.contains(self.draw_binned(&mut stream).1))
    }

    fn fill(&mut self, least: usize, most: usize) {
        let end: Vec<f64> = (0..=most).map(|used| if used >= least { 1.0 } else { 0.0 }).collect();
        let mut table = vec![[end.clone(), end]];
        let mut before: usize = self.items.iter().map(|item| item.bins).sum();
        for (i, item) in self.items.iter().enumerate().rev() {
            before -= item.bins;
            let next = &table[self.items.len() - 1 - i];
            // Only what the operators before can have used: masses elsewhere would spoil the scale.
            let mut layer = [false, true].map(|flag| {
                let mass = |used| self.closed(next, item, flag, used) + self.opened(next, item, used);
                (0..=most).map(|used| if used <= before { mass(used) } else { 0.0 }).collect::<Vec<f64>>()
            });
            let scale = layer.iter().flatten().fold(0.0f64, |a, b| a.max(*b));
            if scale > 0.0 {
                layer.iter_mut().flatten().for_each(|v| *v /= scale);
            }
            table.push(layer);
        }
        table.reverse();
        self.table = table;
    }

    /// Mass of leaving `item` closed with `used` bins so far.
    fn closed(&self, next: &[Vec<f64>; 2], item: &Item, flag: bool, used: usize) -> f64 {
        if item.closes && !flag {
            return 0.0;
        }
        (1.0 - item.p) * next[usize::from(flag && !item.last)][used]
    }

    fn opened(&self, next: &[Vec<f64>; 2], item: &Item, used: usize) -> f64 {
        item.p * next[usize::from(!item.last)].get(used + item.bins).copied().unwrap_or(0.0)
    }

    /// One architecture inside the widened window, with its exact cost.
    fn draw_binned(&self, stream: &mut Stream) -> (Vec<Vec<u16>>, u64) {
        let mut cells = vec![Vec::new(); self.cells];
        let (mut used, mut flag, mut macs) = (0, false, self.fixed);
        for (item, next) in self.items.iter().zip(&self.table[1..]) {
            let (closed, opened) = (self.closed(next, item, flag, used), self.opened(next, item, used));
            if stream.uniform() * (closed + opened) >= closed {
                cells[item.cell].push(item.operator);
                used += item.bins;
                macs = macs.saturating_add(item.macs);
                flag = true;
            }
            flag &= !item.last;
        }
        (cells, macs)
    }

    /// Up to `count` different architectures inside the window, in the order drawn, none of them in `known`. Fewer only when
    /// the space has hardly more to offer.
    pub fn distinct(
        &self,
        space: &Space,
        count: usize,
        known: &HashSet<Architecture>,
        stream: &mut Stream,
    ) -> Result<Vec<Architecture>> {
        let mut seen = known.clone();
        let mut drawn = Vec::with_capacity(count.min(1 << 16));
        let (mut outside, mut again) = (0, 0);
        while drawn.len() < count && outside < PATIENCE && again < 500 + 10 * seen.len() {
            let (cells, macs) = self.draw_binned(stream);
            if !self.window.contains(macs) {
                outside += 1;
                continue;
            }
            outside = 0;
            let architecture = Architecture::new(space, cells)?;
            if seen.insert(architecture.clone()) {
                drawn.push(architecture);
                again = 0;
            } else {
                again += 1;
            }
        }
        Ok(drawn)
    }

    /// The reason in numbers. A forward pass keeps, per bin of the whole cost range, the least and the greatest cost met there:
    /// every number it reports is the cost of some architecture.
    fn unreachable(&self) -> Error {
        let greatest = self.items.iter().fold(0u64, |sum, item| sum.saturating_add(item.macs));
        let width = greatest / REPORT_BINS as u64 + 1;
        let mut reached: [Vec<Option<(u64, u64)>>; 2] = [vec![None; REPORT_BINS + 1], vec![None; REPORT_BINS + 1]];
        reached[0][0] = Some((0, 0));
        for item in &self.items {
            let before = std::mem::replace(&mut reached, [vec![None; REPORT_BINS + 1], vec![None; REPORT_BINS + 1]]);
            for (flag, bins) in before.iter().enumerate() {
                for (least, most) in bins.iter().flatten() {
                    let mut meet = |flag: bool, macs: u64| {
                        let slot = &mut reached[usize::from(flag && !item.last)][(macs / width) as usize];
                        *slot = Some(slot.map_or((macs, macs), |(a, b)| (a.min(macs), b.max(macs))));
                    };
                    for macs in [*least, *most] {
                        if !(item.closes && flag == 0) {
                            meet(flag == 1, macs);
                        }
                        meet(true, macs.saturating_add(item.macs));
                    }
                }
            }
        }
        let costs = || reached[0].iter().flatten().flat_map(|(a, b)| [a, b].map(|macs| self.fixed.saturating_add(*macs)));
        Error::Unreachable {
            unit: "MACs",
            low: self.window.low,
            high: self.window.high,
            least: costs().min().unwrap_or(self.fixed),
            greatest: costs().max().unwrap_or(self.fixed),
            below: costs().filter(|c| *c < self.window.low).max(),
            above: costs().filter(|c| *c > self.window.high).min(),
        }
    }
}
