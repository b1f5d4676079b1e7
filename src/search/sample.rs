//! Exact draws of whole architectures under a cost window: every operator open with its learnt probability, given that the
//! price lies inside the window and that no reduce or expand cell is empty.
//!
//! Dynamic programming over the operators, cell by cell, on discretised cost: the table holds the probability that the operators
//! still to come end inside the window. Costs are rounded down to bins, the window is widened by what rounding can hide,
//! and a draw whose exact cost falls outside is drawn again, a bounded number of times. So the distribution stays exact.

use super::random::{Purpose, Stream};
use super::reach;
use crate::cost::Prices;
use crate::error::{Error, Result};

/// Memory for the table, bytes; it limits how fine the bins are.
const TABLE_BYTES: u64 = 64 << 20;
/// Bins that the window should span.
const WINDOW_BINS: u64 = 64;
const BINS: std::ops::RangeInclusive<u64> = 1 << 12..=1 << 16;
/// Bins of the report on what is reachable.
const REPORT_BINS: usize = 1 << 13;
/// Draws in a row outside the exact window before a sampler gives up.
pub(super) const PATIENCE: u32 = 50_000;

/// Inclusive bounds of the price of the whole network (multiply-accumulates, parameters, or billionths of a latency unit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub low: u64,
    pub high: u64,
}

impl Window {
    pub fn contains(&self, price: u64) -> bool {
        (self.low..=self.high).contains(&price)
    }
}

/// One operator that may be open.
pub(super) struct Item {
    pub cell: usize,
    pub operator: u16,
    p: f64,
    pub price: u64,
    bins: usize,
    /// The last operator of a cell that must not be empty.
    pub closes: bool,
    /// The last operator of any cell.
    pub last: bool,
    /// Opens only where no other of its cell is open.
    pub single: bool,
}

pub struct Sampler {
    pub(super) items: Vec<Item>,
    pub(super) cells: usize,
    prices: Prices,
    /// As asked for; `shifted` is the same before the discount.
    window: Window,
    shifted: Window,
    /// `table[item][flag][bins used]`; flag: the cell of this item has an open operator already. Each layer is scaled to maximum 1.
    table: Vec<[Vec<f64>; 2]>,
}

/// What a sampler draws from: the active operators of a cell and the probability of each.
#[derive(Clone, Copy)]
pub struct CellChoices<'a> {
    pub active: &'a [u16],
    pub p: &'a [f64],
    pub may_be_skipped: bool,
    /// At most one operator is open.
    pub single: bool,
}

/// Where a draw stands in the table: bins used so far, and whether the cell of the next item has an open operator already.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    used: usize,
    flag: bool,
}

impl Sampler {
    pub fn new(prices: &Prices, cells: &[CellChoices], window: Window) -> Result<Self> {
        let fixed = prices.fixed();
        let [low, high] = [window.low, window.high].map(|bound| bound.saturating_add(prices.discount()));
        let shifted = Window { low, high };
        let mut items = Vec::new();
        for (cell, choices) in cells.iter().enumerate() {
            for (i, operator) in choices.active.iter().enumerate() {
                let last = i + 1 == choices.active.len();
                let closes = last && !choices.may_be_skipped;
                let (price, single) = (prices.operator(cell, *operator), choices.single);
                items.push(Item { cell, operator: *operator, p: choices.p[i], price, bins: 0, closes, last, single });
            }
        }
        let everything = items.iter().fold(fixed, |sum, item| sum.saturating_add(item.price));
        let high = shifted.high.min(everything);
        let stuck = cells.iter().any(|c| c.active.is_empty() && !c.may_be_skipped);
        let mut sampler = Sampler { items, cells: cells.len(), prices: prices.clone(), window, shifted, table: Vec::new() };
        if stuck || window.low > window.high || shifted.low > high || high < fixed {
            return Err(sampler.unreachable());
        }
        let room = high - fixed;
        let operators = sampler.items.len() as u64;
        let wanted = room.saturating_mul(WINDOW_BINS) / (high - shifted.low + 1);
        let affordable = TABLE_BYTES / (16 * (operators + 1));
        let bins = wanted.clamp(*BINS.start(), *BINS.end()).min(affordable).max(64);
        let (least, width) = (shifted.low.saturating_sub(fixed), room / bins + 1);
        // Rounding down hides up to width - 1 per open operator.
        sampler.divide(width, least.saturating_sub(operators.saturating_mul(width - 1)), room);
        if sampler.empty() {
            return Err(sampler.unreachable());
        }
        if sampler.hits() {
            return Ok(sampler);
        }
        // The window is met seldom, if at all. Without rounding no draw misses it.
        let unit = reach::unit(&sampler.items);
        if room / unit < affordable {
            sampler.divide(unit, least, room);
            return if sampler.empty() { Err(sampler.unreachable()) } else { Ok(sampler) };
        }
        Err(match reach::reaches(&sampler.items, least, room) {
            Some(false) => sampler.unreachable(),
            known => sampler.too_rare(known.is_some()),
        })
    }

    /// Makes the table, with bins of this width, for the prices from `least` to `room` without what is fixed.
    fn divide(&mut self, width: u64, least: u64, room: u64) {
        let most = room / width;
        // An operator that does not fit alone gets more bins than there are.
        self.items.iter_mut().for_each(|item| item.bins = (item.price / width).min(most + 1) as usize);
        self.fill(least.div_ceil(width) as usize, most as usize);
    }

    /// Nothing lies inside the window, not even the widened one.
    fn empty(&self) -> bool {
        self.table[0][0][0] <= 0.0
    }

    /// Whether draws meet the exact window at all.
    fn hits(&self) -> bool {
        let mut stream = Stream::new(0, Purpose::Probe, 0, 0);
        (0..PATIENCE).any(|_| self.shifted.contains(self.draw_binned(&mut stream).1))
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
                let mass = |used| self.closed(next, item, flag, used) + self.opened(next, item, flag, used);
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

    fn opened(&self, next: &[Vec<f64>; 2], item: &Item, flag: bool, used: usize) -> f64 {
        if item.single && flag {
            return 0.0;
        }
        item.p * next[usize::from(!item.last)].get(used + item.bins).copied().unwrap_or(0.0)
    }

    /// Masses of leaving item `i` closed and of opening it, at `place`; they need not sum to 1.
    pub(super) fn masses(&self, i: usize, place: Place) -> [f64; 2] {
        let (item, next) = (&self.items[i], &self.table[i + 1]);
        [self.closed(next, item, place.flag, place.used), self.opened(next, item, place.flag, place.used)]
    }

    /// Where a draw stands after item `i` was opened, or not.
    pub(super) fn after(&self, i: usize, place: Place, open: bool) -> Place {
        let item = &self.items[i];
        Place { used: place.used + if open { item.bins } else { 0 }, flag: (place.flag || open) && !item.last }
    }

    /// Operators per cell of what the items say, with its price before the discount.
    pub(super) fn cells_of(&self, open: &[bool]) -> (Vec<Vec<u16>>, u64) {
        let mut cells = vec![Vec::new(); self.cells];
        let mut price = self.prices.fixed();
        for (item, _) in self.items.iter().zip(open).filter(|(_, open)| **open) {
            cells[item.cell].push(item.operator);
            price = price.saturating_add(item.price);
        }
        (cells, price)
    }

    pub(super) fn inside(&self, price_before_discount: u64) -> bool {
        self.shifted.contains(price_before_discount)
    }

    /// One architecture inside the widened window, with its exact price before the discount.
    pub(super) fn draw_binned(&self, stream: &mut Stream) -> (Vec<Vec<u16>>, u64) {
        let mut place = Place::default();
        let mut open = Vec::with_capacity(self.items.len());
        for i in 0..self.items.len() {
            let [closed, opened] = self.masses(i, place);
            open.push(stream.uniform() * (closed + opened) >= closed);
            place = self.after(i, place, open[i]);
        }
        self.cells_of(&open)
    }

    /// `surely`: there is one.
    fn too_rare(&self, surely: bool) -> Error {
        let [low, high] = [self.window.low, self.window.high].map(|price| self.prices.metric.amount(price));
        Error::TooRare { unit: self.prices.metric.unit(), low, high, draws: PATIENCE, surely }
    }

    /// The reason in numbers. A forward pass keeps, per bin of the whole cost range, the least and the greatest cost met there:
    /// every number it reports is the cost of some architecture.
    fn unreachable(&self) -> Error {
        let greatest = self.items.iter().fold(0u64, |sum, item| sum.saturating_add(item.price));
        let width = greatest / REPORT_BINS as u64 + 1;
        let mut reached: [Vec<Option<(u64, u64)>>; 2] = [vec![None; REPORT_BINS + 1], vec![None; REPORT_BINS + 1]];
        reached[0][0] = Some((0, 0));
        for item in &self.items {
            let before = std::mem::replace(&mut reached, [vec![None; REPORT_BINS + 1], vec![None; REPORT_BINS + 1]]);
            for (flag, bins) in before.iter().enumerate() {
                for (least, most) in bins.iter().flatten() {
                    let mut meet = |flag: bool, price: u64| {
                        let slot = &mut reached[usize::from(flag && !item.last)][(price / width) as usize];
                        *slot = Some(slot.map_or((price, price), |(a, b)| (a.min(price), b.max(price))));
                    };
                    for price in [*least, *most] {
                        if !(item.closes && flag == 0) {
                            meet(flag == 1, price);
                        }
                        if !(item.single && flag == 1) {
                            meet(true, price.saturating_add(item.price));
                        }
                    }
                }
            }
        }
        let (fixed, discount) = (self.prices.fixed(), self.prices.discount());
        let whole = |price: u64| fixed.saturating_add(price).saturating_sub(discount);
        let prices = || reached[0].iter().flatten().flat_map(|(a, b)| [whole(*a), whole(*b)]);
        let amount = |price: u64| self.prices.metric.amount(price);
        Error::Unreachable {
            unit: self.prices.metric.unit(),
            low: amount(self.window.low),
            high: amount(self.window.high),
            least: amount(prices().min().unwrap_or(whole(0))),
            greatest: amount(prices().max().unwrap_or(whole(0))),
            below: prices().filter(|p| *p < self.window.low).max().map(amount),
            above: prices().filter(|p| *p > self.window.high).min().map(amount),
        }
    }
}
