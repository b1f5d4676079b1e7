//! What a search goes after: a window of costs, and the pull of the fitness towards a target in it.

use super::sample::Window;
use crate::cost::Metric;
use crate::error::Result;
use crate::json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cost window candidates must lie in, and the pull of the fitness towards a target. Costs are of the whole network for one
/// image: multiply-accumulates, parameters, or the time that the search's latency table gives, in the table's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Which cost: "macs", "params", "bits" (size of the trained network, 1 for each binary weight), "operations" (multiply-accumulates, 64 binary
    /// ones counted as one) or "latency". A latency needs a table.
    #[serde(default)]
    pub cost: Metric,
    /// Least cost of a candidate (inclusive).
    #[schemars(range(min = 0.0, max = 1e20))]
    pub low: f64,
    /// Greatest cost of a candidate (inclusive): the budget. Latencies count in billionths of the table's unit.
    #[schemars(range(min = 0.0, max = 1e20))]
    pub high: f64,
    /// Cost that the fitness is pulled to, above 0. Default: `low`, as published, or `high` when `low` is 0.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e20))]
    pub target: Option<f64>,
    /// Weight of the pull: loss = cross-entropy + alpha (cost / target - 1)^beta. The published 1e-5 (MMACs - 300)^2
    /// is alpha 0.9, and 2e-4 (latency - 66)^2 is alpha 0.8712.
    #[serde(default = "alpha")]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub alpha: f64,
    /// Even exponent of the pull.
    #[serde(default = "beta")]
    #[schemars(range(min = 2, max = 8))]
    pub beta: u32,
}

fn alpha() -> f64 {
    0.9
}

fn beta() -> u32 {
    2
}

impl Objective {
    /// What the ranges of the schema do not say.
    pub(super) fn check(&self, document: &'static str, at: &str) -> Result<()> {
        let wrong = |key: &str, reason: String| Err(json::out_of_range(document, format!("{at}/{key}"), reason));
        check_window(document, at, self.cost, self.low, self.high)?;
        if let Some(part) = self.target.filter(|target| !self.cost.counts(*target)) {
            return wrong("target", format!("{part} {} are no whole number", self.cost.unit()));
        }
        if self.target() == 0.0 {
            return wrong("target", "a target of 0 leaves nothing to compare with".into());
        }
        match self.beta % 2 {
            1 => wrong("beta", format!("{} is odd", self.beta)),
            _ => Ok(()),
        }
    }

    pub fn window(&self) -> Window {
        let [low, high] = [self.low, self.high].map(|amount| self.cost.price(amount));
        Window { low, high }
    }

    /// The window of the extras: just below, `width` wide; None when there is nothing below.
    pub fn below(&self, width: Option<f64>) -> Option<Window> {
        let Window { low, high } = self.window();
        let width = width.map_or((high - low) / 5, |width| self.cost.price(width));
        (low > 0 && width > 0).then(|| Window { low: low.saturating_sub(width), high: low - 1 })
    }

    fn target(&self) -> f64 {
        self.target.unwrap_or(if self.low > 0.0 { self.low } else { self.high })
    }

    /// alpha (cost / target - 1)^beta.
    pub fn penalty(&self, cost: f64) -> f64 {
        self.alpha * (cost / self.target() - 1.0).powi(self.beta as i32)
    }

    /// d penalty / d cost, in 1 / unit of the cost, of penalty = alpha (cost / target - 1)^beta.
    pub fn slope(&self, cost: f64) -> f64 {
        let excess = cost / self.target() - 1.0;
        self.alpha * f64::from(self.beta) * excess.powi(self.beta as i32 - 1) / self.target()
    }
}

/// Whether costs can be asked to lie between `low` and `high`.
pub(super) fn check_window(document: &'static str, at: &str, cost: Metric, low: f64, high: f64) -> Result<()> {
    for (key, value) in [("low", low), ("high", high)] {
        if !cost.counts(value) {
            let reason = format!("{value} {} are no whole number", cost.unit());
            return Err(json::out_of_range(document, format!("{at}/{key}"), reason));
        }
    }
    if low > high {
        return Err(json::out_of_range(document, format!("{at}/low"), format!("{low} is above high, {high}")));
    }
    Ok(())
}
