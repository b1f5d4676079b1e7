//! The Pareto front over price (less is better) and accuracy (more is better).

use crate::arch::Architecture;
use crate::cost::{Cost, CostTable, LatencyTable, Metric, Prices};
use crate::error::Result;
use crate::space::Space;
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::BTreeMap;

/// A scored architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    pub architecture: Architecture,
    pub cost: Cost,
    /// What the objective counts: multiply-accumulates, parameters, or billionths of a latency unit.
    pub price: u64,
    /// Held-out top-1 with the supernet's weights, 0 to 1.
    pub accuracy: f64,
    /// Round in which it was first found, from 1; 0: by the search that this one continues.
    pub found: u64,
}

/// The non-dominated members of `scored`, cheapest first. One architecture dominates another when its price is no higher and it is
/// no less accurate, and one of the two strictly.
///
/// Ties: of several with equal price and equal accuracy one stays, the one found in the earliest round (so that an old member
/// is not displaced by an equal newcomer), then the smallest in canonical order. The order of `scored` does not matter.
pub fn front(mut scored: Vec<Scored>) -> Vec<Scored> {
    scored.sort_by(|a, b| {
        (a.price.cmp(&b.price))
            .then(b.accuracy.total_cmp(&a.accuracy))
            .then(a.found.cmp(&b.found))
            .then_with(|| a.architecture.cmp(&b.architecture))
    });
    let mut best = f64::NEG_INFINITY;
    scored.retain(|s| {
        let rises = s.accuracy > best;
        best = best.max(s.accuracy);
        rises
    });
    scored
}

/// The front of `main` and `extras` together, without the extras: these lie below the cost window and only remove members
/// at its cheap edge. Should they remove all, the front of `main` alone is kept, so that a round never ends empty-handed.
pub fn front_with_extras(main: Vec<Scored>, extras: Vec<Scored>) -> Vec<Scored> {
    let killers: std::collections::HashSet<_> = extras.iter().map(|s| s.architecture.clone()).collect();
    let mut together = main.clone();
    together.extend(extras);
    let mut kept = front(together);
    kept.retain(|s| !killers.contains(&s.architecture));
    if kept.is_empty() {
        front(main)
    } else {
        kept
    }
}

/// The front of `scored` under another cost, priced anew.
pub fn front_under(
    space: &Space,
    mut scored: Vec<Scored>,
    metric: Metric,
    latency: Option<&LatencyTable>,
) -> Result<Vec<Scored>> {
    let prices = Prices::of(space, &CostTable::new(space), metric, latency)?;
    // Cells that grow are of several spaces.
    let mut smaller: BTreeMap<usize, Prices> = BTreeMap::new();
    for s in &mut scored {
        let cells = s.architecture.paths().cells();
        let known = match smaller.entry(cells) {
            _ if cells == space.cells().len() => &prices,
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let space = s.architecture.space_in(space);
                free.insert(Prices::of(&space, &CostTable::new(&space), metric, latency)?)
            }
        };
        s.price = known.architecture(&s.architecture);
    }
    Ok(front(scored))
}

/// The most accurate member with at most this `price`; of equals the cheapest.
pub fn best(front: &[Scored], price: u64) -> Option<&Scored> {
    front.iter().filter(|s| s.price <= price).reduce(|best, s| if s.accuracy > best.accuracy { s } else { best })
}
