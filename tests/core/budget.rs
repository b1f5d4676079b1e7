//! What a budget holds, against every architecture of a small space: the middle, the count, whether it can be met and what is near.

use crate::support::{architectures, chain, config, everything};
use nse::cost::{describe, CostTable, LatencyTable, Metric, Prices, Spread};
use nse::search::{Budget, Purpose, Reach, Search, SearchOptions, Stream};
use nse::space::Space;
use nse::Error;
use serde_json::{json, Value};
use std::sync::Arc;

const OPERATORS: [&str; 6] = ["mbconv_k3_t1", "mbconv_k5_t3", "rec_k3_t1", "conv_k3_t2", "dualconv_k3_t1", "mbconv_k3_t6"];

/// On images of one pixel a bin of the table is one unit of cost; on large ones it is many.
fn space(size: u32) -> Space {
    chain(size, 2, &[("normal", 0, &OPERATORS), ("reduce", 3, &OPERATORS[..4]), ("expand", 4, &OPERATORS[2..])])
}

fn costs(space: &Space, metric: Metric) -> Vec<u64> {
    let prices = CostTable::new(space).prices(metric);
    let mut costs: Vec<u64> = architectures(space, &everything(space)).iter().map(|a| prices.architecture(a)).collect();
    costs.sort_unstable();
    costs
}

fn reach(space: &Space, budget: Value) -> Reach {
    Budget::from_json(&budget.to_string()).unwrap().reach(space, None).unwrap()
}

#[test]
fn the_middle_is_the_median() {
    let small = space(1);
    for metric in [Metric::Macs, Metric::Params] {
        let costs = costs(&small, metric);
        let prices = CostTable::new(&small).prices(metric);
        assert_eq!(Spread::new(&small, &prices, u64::MAX).median(), costs[(costs.len() - 1) / 2], "{metric:?}");
    }
    let description = describe(&small, None).unwrap();
    assert_eq!(description.macs.middle, costs(&small, Metric::Macs)[(64 * 15 * 15 - 1) / 2] as f64);
    for size in [8, 64, 224] {
        let large = space(size);
        let costs = costs(&large, Metric::Macs);
        let [least, middle, greatest] = [costs[0], costs[costs.len() / 2], costs[costs.len() - 1]].map(|cost| cost as f64);
        let found = describe(&large, None).unwrap().macs.middle;
        // The costs of a small space lie in heaps: a heap's width is what the median may be off by.
        assert!((found - middle).abs() < 0.005 * (greatest - least), "{found}, not {middle}, of {least} to {greatest}");
    }
}

#[test]
fn the_number_inside_is_counted() {
    let small = space(1);
    let mut stream = Stream::new(3, Purpose::Probe, 0, 0);
    let all = costs(&small, Metric::Macs);
    for _ in 0..40 {
        let mut bounds = [all[stream.below(all.len() as u64) as usize], all[stream.below(all.len() as u64) as usize]];
        bounds.sort_unstable();
        let inside = all.iter().filter(|cost| (bounds[0]..=bounds[1]).contains(cost)).count();
        let found = reach(&small, json!({ "low": bounds[0], "high": bounds[1] }));
        assert!(found.satisfiable);
        assert!((found.log10_architectures.unwrap() - (inside as f64).log10()).abs() < 1e-9, "{inside} in {bounds:?}");
    }
    let everything = reach(&small, json!({ "high": 1e12 }));
    assert!((everything.log10_architectures.unwrap() - small.log10_architectures()).abs() < 1e-9);

    let large = space(200);
    let all = costs(&large, Metric::Macs);
    for (low, high) in [(0.0, 0.5), (0.2, 0.4), (0.45, 0.55)] {
        let at = |part: f64| all[(part * (all.len() - 1) as f64) as usize];
        let inside = all.iter().filter(|cost| (at(low)..=at(high)).contains(cost)).count() as f64;
        let found = reach(&large, json!({ "low": at(low), "high": at(high) })).log10_architectures.unwrap();
        assert!((found - inside.log10()).abs() < 0.02, "10^{found}, not {inside}");
    }
    let narrow = json!({ "low": all[9], "high": all[9] });
    assert_eq!(reach(&large, narrow).log10_architectures, None, "too narrow to tell");
}

#[test]
fn a_budget_nobody_can_keep_is_an_answer() {
    let small = space(1);
    let all = costs(&small, Metric::Params);
    let (least, greatest) = (all[0], all[all.len() - 1]);
    let mut holes = 0;
    for pair in all.windows(2).filter(|pair| pair[1] - pair[0] > 1) {
        let found = reach(&small, json!({ "cost": "params", "low": pair[0] + 1, "high": pair[1] - 1 }));
        assert!(!found.satisfiable && found.log10_architectures.is_none());
        assert_eq!((found.below, found.above), (Some(pair[0] as f64), Some(pair[1] as f64)));
        assert_eq!((found.range.least, found.range.greatest), (least as f64, greatest as f64));
        holes += 1;
    }
    assert!(holes > 5);
    let text = json!(reach(&small, json!({ "cost": "params", "low": 0, "high": least - 1 })));
    assert_eq!(text["satisfiable"], false);
    assert_eq!((&text["unit"], &text["above"]), (&json!("parameters"), &json!(least)));
    assert!(text.get("below").is_none() && text.get("log10_architectures").is_none());
    assert!(text["middle"].as_u64().unwrap() > least);
}

/// What it says of the published space is what a search says.
#[test]
fn a_search_agrees() {
    let space = Arc::new(Space::preset("nse-27", "{}").unwrap());
    for (low, high) in [(300e6, 350e6), (0.0, 1e6), (1e12, 2e12), (0.0, 1e12), (4e9, 4.01e9)] {
        let found = reach(&space, json!({ "low": low, "high": high }));
        let options = json!({ "objective": { "low": low, "high": high }, "active": 27 }).to_string();
        let search = Search::new(space.clone(), SearchOptions::from_json(&options).unwrap());
        match search {
            Ok(_) => assert!(found.satisfiable && found.log10_architectures.unwrap() > 3.0, "{found:?}"),
            Err(Error::Unreachable { below, above, .. }) => {
                assert!(!found.satisfiable);
                assert_eq!((found.below, found.above), (below, above));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn budgets_are_strict() {
    let refused = |budget: Value| config(Budget::from_json(&budget.to_string()));
    assert_eq!(refused(json!({ "low": 2, "high": 1 })).1, "/low");
    assert_eq!(refused(json!({ "low": 0.5, "high": 1 })).1, "/low");
    assert_eq!(refused(json!({ "high": 1e21 })).1, "/high");
    assert_eq!(refused(json!({ "high": -1 })).1, "/high");
    assert_eq!(refused(json!({ "high": 1, "wide": 1 })).0, "budget");
    assert_eq!(refused(json!({ "cost": "joules", "high": 1 })).1, "/cost");
    assert!(Budget::from_json("{\"cost\": \"latency\", \"low\": 0.5, \"high\": 1.5}").is_ok());
    let timed = Budget::from_json("{\"cost\": \"latency\", \"high\": 1}").unwrap();
    assert!(matches!(timed.reach(&space(1), None), Err(Error::Argument { name: "latency", .. })));
    let empty = LatencyTable::new("ms").unwrap();
    assert!(matches!(timed.reach(&space(1), Some(&empty)), Err(Error::MissingLatencies { .. })));
}

#[test]
fn latencies_are_in_the_unit_of_the_table() {
    let space = space(1);
    let mut table = LatencyTable::new("ms").unwrap();
    for (i, key) in nse::cost::latency_keys(&space).into_iter().enumerate() {
        table.set(key, 1.0 + 0.25 * i as f64).unwrap();
    }
    let prices = Prices::timed(&space, &table.resolve(&space).unwrap());
    let mut times: Vec<f64> =
        (architectures(&space, &everything(&space)).iter()).map(|a| Metric::Latency.amount(prices.architecture(a))).collect();
    times.sort_by(f64::total_cmp);
    let middle = times[times.len() / 2];
    let budget = Budget { cost: Metric::Latency, low: 0.0, high: middle };
    let found = budget.reach(&space, Some(&table)).unwrap();
    assert!(found.satisfiable);
    assert_eq!((found.range.least, found.range.greatest), (times[0], times[times.len() - 1]));
    assert!((found.range.middle - middle).abs() < 0.01 * (times[times.len() - 1] - times[0]));
    assert!((found.log10_architectures.unwrap() - (times.len() as f64 / 2.0).log10()).abs() < 0.02);
}
