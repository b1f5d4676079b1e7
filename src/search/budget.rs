//! Whether a cost window can be met at all, before any search: the same answer as a search would give.

use super::objective::check_window;
use super::sample::{CellChoices, Sampler, Window};
use crate::cost::{whole, CostTable, LatencyTable, Metric, Prices, Range, Spread};
use crate::error::{Error, Result};
use crate::json;
use crate::space::Space;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DOCUMENT: &str = "budget";

/// A cost window by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Which cost: "macs", "params", "bits", "operations" or "latency". A latency needs a table.
    #[serde(default)]
    pub cost: Metric,
    /// Least cost (inclusive).
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e20))]
    pub low: f64,
    /// Greatest cost (inclusive).
    #[schemars(range(min = 0.0, max = 1e20))]
    pub high: f64,
}

/// What a space has inside a budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reach {
    pub satisfiable: bool,
    pub unit: &'static str,
    /// Of the whole space.
    #[serde(flatten)]
    pub range: Range,
    /// Of a budget that is not satisfiable: costs of architectures on both sides of it.
    #[serde(serialize_with = "maybe_whole", skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    #[serde(serialize_with = "maybe_whole", skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// log10 of the number of architectures inside; None where that is not known well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log10_architectures: Option<f64>,
}

fn maybe_whole<S: serde::Serializer>(value: &Option<f64>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    whole(&value.unwrap_or_default(), serializer)
}

impl Budget {
    /// Reads the JSON form: `{"cost": "macs", "low": 0, "high": 1e8}`, strictly.
    pub fn from_json(text: &str) -> Result<Self> {
        let budget: Budget = json::parse(DOCUMENT, text)?;
        json::check_ranges(DOCUMENT, &budget)?;
        check_window(DOCUMENT, "", budget.cost, budget.low, budget.high)?;
        Ok(budget)
    }

    /// Fails only when the budget is a latency and the table is missing or lacks something.
    pub fn reach(&self, space: &Space, latency: Option<&LatencyTable>) -> Result<Reach> {
        let prices = Prices::of(space, &CostTable::new(space), self.cost, latency)?;
        let [low, high] = [self.low, self.high].map(|amount| self.cost.price(amount));
        let all: Vec<Vec<u16>> = space.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect();
        let half: Vec<Vec<f64>> = all.iter().map(|operators| vec![0.5; operators.len()]).collect();
        let cells: Vec<_> = (space.cells().iter().zip(&all).zip(&half))
            .map(|((cell, active), p)| CellChoices { active, p, may_be_skipped: cell.may_be_skipped(), single: false })
            .collect();
        let (satisfiable, below, above) = match Sampler::new(&prices, &cells, Window { low, high }) {
            Ok(_) => (true, None, None),
            Err(Error::Unreachable { below, above, .. }) => (false, below, above),
            Err(Error::TooRare { surely, .. }) => (surely, None, None),
            Err(other) => return Err(other),
        };
        let inside = || Spread::new(space, &prices, high).log10_between(low, high);
        Ok(Reach {
            satisfiable,
            unit: self.cost.unit(),
            range: Range::new(space, &prices),
            below,
            above,
            log10_architectures: satisfiable.then(inside).flatten(),
        })
    }
}
