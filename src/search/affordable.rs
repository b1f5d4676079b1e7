//! Which operators can be part of any architecture inside the cost window.

use super::sample::Window;
use crate::cost::Prices;
use crate::space::{Cell, Space};

/// The operators of every cell that fit under the window beside the cheapest choice in all other cells.
pub(super) fn affordable(space: &Space, prices: &Prices, all: &[Vec<u16>], window: Window) -> Vec<Vec<u16>> {
    let least = |(i, cell): (usize, &Cell)| match cell.may_be_skipped() {
        true => 0,
        false => all[i].iter().map(|o| prices.operator(i, *o)).min().unwrap_or(0),
    };
    let least: Vec<u64> = space.cells().iter().enumerate().map(least).collect();
    let high = window.high.saturating_add(prices.discount());
    let room = high.saturating_sub(prices.fixed()).saturating_sub(least.iter().sum());
    let fits =
        |i: usize, operators: &[u16]| operators.iter().copied().filter(|o| prices.operator(i, *o) <= room + least[i]).collect();
    all.iter().enumerate().map(|(i, operators)| fits(i, operators)).collect()
}
