//! How the prices of all architectures of a space are spread: how many there are by price, by dynamic programming over the operators.
//!
//! Prices count in bins. While a bin is one unit, every number is exact. Otherwise an operator between two bins goes to both, in
//! such parts that its mean price is right: sums of many operators are then off by a few bins.

use super::Prices;
use crate::space::Space;

const BINS: u64 = 1 << 13;

pub struct Spread {
    /// Price of the first bin, before the discount, and of each bin.
    fixed: u64,
    discount: u64,
    width: u64,
    /// Architectures per bin, divided by 10^`log10`.
    counts: Vec<f64>,
    log10: f64,
}

impl Spread {
    /// Of the architectures that cost no more than `most`, about.
    pub fn new(space: &Space, prices: &Prices, most: u64) -> Self {
        let (fixed, discount) = (prices.fixed(), prices.discount());
        let room = most.min(prices.range(space).1).saturating_add(discount).saturating_sub(fixed);
        let width = room / BINS + 1;
        let end = (room / width) as usize + usize::from(width > 1);
        let mut spread = Spread { fixed, discount, width, counts: vec![0.0; end + 1], log10: 0.0 };
        spread.counts[0] = 1.0;
        for (i, cell) in space.cells().iter().enumerate() {
            let before = spread.counts.clone();
            (0..cell.operators.len() as u16).for_each(|o| spread.add(prices.operator(i, o)));
            if !cell.may_be_skipped() {
                spread.counts.iter_mut().zip(before).for_each(|(all, none)| *all = (*all - none).max(0.0));
            }
            spread.rescale();
        }
        spread
    }

    /// One more operator, open or not.
    fn add(&mut self, price: u64) {
        let bins = price / self.width;
        let upper = (price % self.width) as f64 / self.width as f64;
        let Some(first) = usize::try_from(bins).ok().filter(|bins| *bins < self.counts.len()) else { return };
        for at in (first..self.counts.len()).rev() {
            // An operator of no bins at all leads here from here.
            let here = self.counts[at - first] * (1.0 - upper);
            let below = (at - first).checked_sub(1).map_or(0.0, |at| self.counts[at] * upper);
            self.counts[at] += here + below;
        }
        // A cell may have more operators than a number of this size has doublings.
        if self.counts.iter().any(|count| *count > 1e200) {
            self.rescale();
        }
    }

    /// By a power of two, which changes no digit.
    fn rescale(&mut self) {
        let most = self.counts.iter().fold(1.0, |a: f64, b| a.max(*b));
        let scale = most.log2().floor().exp2();
        self.counts.iter_mut().for_each(|count| *count /= scale);
        self.log10 += scale.log10();
    }

    /// Half of the architectures cost no more.
    pub fn median(&self) -> u64 {
        let half = self.counts.iter().sum::<f64>() / 2.0;
        let mut sum = 0.0;
        let passes = |count: &f64| {
            sum += count;
            sum >= half
        };
        self.price(self.counts.iter().position(passes).unwrap_or(0))
    }

    /// log10 of the number of architectures that cost `low` to `high`; None when there is none, or the bins are too wide to tell.
    pub fn log10_between(&self, low: u64, high: u64) -> Option<f64> {
        // Too narrow for what rounding moves about.
        if self.width > 1 && high.saturating_sub(low) / self.width < 16 {
            return None;
        }
        let inside = |bin: &usize| (low..=high).contains(&self.price(*bin));
        let sum: f64 = (0..self.counts.len()).filter(inside).map(|bin| self.counts[bin]).sum();
        (sum > 0.0).then(|| sum.log10() + self.log10)
    }

    fn price(&self, bin: usize) -> u64 {
        (self.width.saturating_mul(bin as u64)).saturating_add(self.fixed).saturating_sub(self.discount)
    }
}
