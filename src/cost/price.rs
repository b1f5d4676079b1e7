//! The one cost that a search is about, as whole numbers that add up exactly.

use super::{CostTable, Latencies, LatencyTable};
use crate::arch::{Architecture, Paths};
use crate::error::{Error, Result};
use crate::space::{Cell, CellKind, Space};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which cost a search is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Multiply-accumulates of one image.
    #[default]
    Macs,
    /// Trainable numbers.
    Params,
    /// Size of the trained network: 32 for each real number, 1 for each binary weight.
    Bits,
    /// Multiply-accumulates of one image, of which 64 with binary weights count as one.
    Operations,
    /// Time by a look-up table, in the table's unit.
    Latency,
}

impl Metric {
    /// Price units per unit that a caller counts in: a latency is priced in billionths of the table's unit, operations in 64ths.
    pub fn scale(self) -> f64 {
        match self {
            Metric::Macs | Metric::Params | Metric::Bits => 1.0,
            Metric::Operations => 64.0,
            Metric::Latency => 1e9,
        }
    }

    /// Of a price, in the unit that a caller counts in.
    pub fn amount(self, price: u64) -> f64 {
        price as f64 / self.scale()
    }

    /// The nearest price; beyond 64 bits the greatest.
    pub fn price(self, amount: f64) -> u64 {
        (amount * self.scale()).round() as u64
    }

    /// The highest price that costs no more than `amount`.
    pub fn at_most(self, amount: f64) -> u64 {
        match self {
            Metric::Macs | Metric::Params | Metric::Bits => amount as u64,
            Metric::Operations => (amount * self.scale()) as u64,
            // The nearest: an amount that was a price before is that price again.
            Metric::Latency => self.price(amount),
        }
    }

    /// Whether a cost can be this much: counts are whole, operations in 64ths.
    pub fn counts(self, amount: f64) -> bool {
        self == Metric::Latency || (amount * self.scale()).fract() == 0.0
    }

    /// For messages and pictures.
    pub fn unit(self) -> &'static str {
        match self {
            Metric::Macs => "MACs",
            Metric::Params => "parameters",
            Metric::Bits => "bits",
            Metric::Operations => "operations",
            Metric::Latency => "units of latency",
        }
    }
}

/// Prices of one space by one metric: an architecture has the price `fixed` + the sum over its open operators - `discount`.
/// An operator carries the addition that merges it; a cell without shortcut needs one addition fewer, which is its discount.
#[derive(Clone, Debug)]
pub struct Prices {
    pub metric: Metric,
    fixed: u64,
    /// What an ensemble has once more for each path but the first.
    head: u64,
    /// Per cell.
    discounts: Vec<u64>,
    operators: Vec<Vec<u64>>,
}

impl Prices {
    /// By any metric. Fails when a latency has no table, or the table lacks something.
    pub fn of(space: &Space, costs: &CostTable, metric: Metric, latency: Option<&LatencyTable>) -> Result<Self> {
        match (metric, latency) {
            (Metric::Latency, Some(table)) => Ok(Self::timed(space, &table.resolve(space)?)),
            (Metric::Latency, None) => {
                let reason = "the cost is a latency, and there is no latency table".into();
                Err(Error::Argument { name: "latency", reason })
            }
            (metric, _) => Ok(costs.prices(metric)),
        }
    }

    /// By what is counted: additions are free.
    pub(super) fn counted(costs: &CostTable, metric: Metric) -> Self {
        let price = |cost: super::Cost| match metric {
            Metric::Params => cost.params,
            Metric::Bits => cost.bits(),
            Metric::Operations => cost.operations64(),
            Metric::Macs | Metric::Latency => cost.macs,
        };
        Prices {
            metric,
            fixed: price(costs.fixed),
            head: price(costs.head),
            discounts: vec![0; costs.cells.len()],
            operators: costs.cells.iter().map(|operators| operators.iter().map(|c| price(*c)).collect()).collect(),
        }
    }

    /// By a look-up table.
    pub fn timed(space: &Space, latencies: &Latencies) -> Self {
        let price = |time: f64| Metric::Latency.price(time);
        let additions: Vec<u64> = latencies.additions.iter().map(|time| price(*time)).collect();
        let discount = |(cell, addition): (&Cell, &u64)| if cell.kind == CellKind::Normal { 0 } else { *addition };
        let merged = |(times, addition): (&Vec<f64>, &u64)| times.iter().map(|t| price(*t).saturating_add(*addition)).collect();
        Prices {
            metric: Metric::Latency,
            fixed: price(latencies.ends),
            head: price(latencies.head),
            discounts: space.cells().iter().zip(&additions).map(discount).collect(),
            operators: latencies.operators.iter().zip(&additions).map(merged).collect(),
        }
    }

    /// Of everything outside the cells, plus what every reduce and expand cell is charged too much.
    pub fn fixed(&self) -> u64 {
        self.fixed
    }

    pub fn discount(&self) -> u64 {
        self.discounts.iter().fold(0, |sum: u64, discount| sum.saturating_add(*discount))
    }

    /// Of architectures with such paths, as if their places were the cells of a chain.
    pub fn parted(&self, paths: Paths) -> Self {
        let places = || (0..paths.places()).map(|place| paths.cell(place));
        Prices {
            metric: self.metric,
            fixed: self.fixed.saturating_add(self.head.saturating_mul(paths.count() as u64 - 1)),
            head: self.head,
            discounts: places().map(|cell| self.discounts[cell]).collect(),
            operators: places().map(|cell| self.operators[cell].clone()).collect(),
        }
    }

    /// Of one operator of one cell, with its addition.
    pub fn operator(&self, cell: usize, operator: u16) -> u64 {
        self.operators[cell][usize::from(operator)]
    }

    /// Sum over some operators of one cell.
    pub fn branches(&self, cell: usize, operators: &[u16]) -> u64 {
        operators.iter().fold(0, |sum, o| sum.saturating_add(self.operator(cell, *o)))
    }

    /// The lowest and the highest price of an architecture of `space`.
    pub fn range(&self, space: &Space) -> (u64, u64) {
        let least = self.operators.iter().zip(space.cells()).filter(|(_, cell)| !cell.may_be_skipped());
        let least = least.fold(self.fixed, |sum, (prices, _)| sum.saturating_add(prices.iter().copied().min().unwrap_or(0)));
        let greatest = self.operators.iter().flatten().fold(self.fixed, |sum, price| sum.saturating_add(*price));
        let discount = self.discount();
        (least.saturating_sub(discount), greatest.saturating_sub(discount))
    }

    pub fn architecture(&self, architecture: &Architecture) -> u64 {
        let heads = self.head.saturating_mul(architecture.paths().count() as u64 - 1);
        let fixed = self.fixed.saturating_add(heads);
        let sum = architecture.by_cell().fold(fixed, |sum, (cell, operators)| sum.saturating_add(self.branches(cell, operators)));
        architecture.by_cell().fold(sum, |sum, (cell, _)| sum.saturating_sub(self.discounts[cell]))
    }
}
