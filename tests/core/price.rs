//! Searches by any cost: prices add up to the cost of every architecture, windows and errors are in the unit of the objective.

use crate::support::{architectures, chain, choices, everything};
use crate::synthetic::{options, run, small_space, window, Synthetic};
use nse::arch::Architecture;
use nse::cost::*;
use nse::search::*;
use nse::space::Space;
use nse::Error;
use serde_json::{json, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// Every operation has a time that is no round number; additions are dear.
fn table(space: &Space) -> LatencyTable {
    let mut table = LatencyTable::new("ms").unwrap();
    for (i, key) in latency_keys(space).into_iter().enumerate() {
        let time = if key.kind == LatencyKind::Add { 5.0 } else { 0.1 } * (1.0 + (i as f64).sqrt());
        table.set(key, time).unwrap();
    }
    table
}

fn all_kinds() -> Space {
    let names = ["mbconv_k3_t1", "rec_k3_t2", "conv_k3_t1"];
    chain(6, 2, &[("normal", 0, &names), ("reduce", 3, &names), ("expand", 4, &names[1..])])
}

#[test]
fn prices_add_up_to_the_cost_of_every_architecture() {
    let space = all_kinds();
    let (costs, table) = (CostTable::new(&space), table(&space));
    let timed = Prices::timed(&space, &table.resolve(&space).unwrap());
    let [macs, params] = [Metric::Macs, Metric::Params].map(|metric| costs.prices(metric));
    let all = architectures(&space, &everything(&space));
    assert_eq!(all.len(), 8 * 7 * 3);
    for architecture in &all {
        let cost = costs.architecture(architecture);
        assert_eq!((macs.architecture(architecture), params.architecture(architecture)), (cost.macs, cost.params));
        let time = table.architecture(&space, architecture).unwrap();
        assert!((Metric::Latency.amount(timed.architecture(architecture)) - time).abs() < 1e-5, "{time}");
        assert!((table.resolve(&space).unwrap().architecture(&space, architecture) - time).abs() < 1e-9);
    }
    for prices in [&macs, &params, &timed] {
        let of_all: Vec<u64> = all.iter().map(|a| prices.architecture(a)).collect();
        assert_eq!(prices.range(&space), (*of_all.iter().min().unwrap(), *of_all.iter().max().unwrap()));
    }
    let described = describe(&space, Some(&table)).unwrap().latency.unwrap();
    assert_eq!((Metric::Latency.price(described.least), Metric::Latency.price(described.greatest)), timed.range(&space));
}

#[test]
fn a_window_in_latency_is_met_exactly() {
    let space = all_kinds();
    let timed = Prices::timed(&space, &table(&space).resolve(&space).unwrap());
    let active = everything(&space);
    let p: Vec<Vec<f64>> = active.iter().map(|a| vec![0.5; a.len()]).collect();
    let all = architectures(&space, &active);
    let mut prices: Vec<u64> = all.iter().map(|a| timed.architecture(a)).collect();
    prices.sort();
    for (low, high) in [(0, 30), (40, 41), (60, 120), (160, 167)] {
        let window = Window { low: prices[low], high: prices[high] };
        let sampler = Sampler::new(&timed, &choices(&space, &active, &p), window).unwrap();
        let mut stream = Stream::new(1, Purpose::Candidates, 0, 0);
        let drawn = sampler.distinct(&space, 1000, &HashSet::new(), &mut stream).unwrap();
        let inside: HashSet<_> = all.iter().filter(|a| window.contains(timed.architecture(a))).cloned().collect();
        assert_eq!(drawn.into_iter().collect::<HashSet<_>>(), inside);
    }
    let hole = prices.windows(2).max_by_key(|pair| pair[1] - pair[0]).unwrap();
    let between = Window { low: hole[0] + 1, high: hole[1] - 1 };
    match Sampler::new(&timed, &choices(&space, &active, &p), between).err() {
        Some(Error::Unreachable { unit, least, greatest, below, above, .. }) => {
            let amount = |price: u64| Metric::Latency.amount(price);
            assert_eq!((unit, least, greatest), ("units of latency", amount(prices[0]), amount(prices[167])));
            assert_eq!((below, above), (Some(amount(hole[0])), Some(amount(hole[1]))), "with the additions, exactly");
        }
        other => panic!("{other:?}"),
    }
}

fn search(space: &Arc<Space>, objective: Value, latency: Option<LatencyTable>) -> nse::Result<Search> {
    let options = json!({
        "objective": objective, "active": 3, "rounds": 2, "train": { "epochs": 2 },
        "fitness": { "interval": 1, "lr": 0.2, "threshold": -1.0 }, "candidates": { "count": 9, "extras": 3, "too_few": "accept" }
    });
    let start = Start { latency: latency.map(Arc::new), ..Start::default() };
    Search::start(space.clone(), SearchOptions::from_json(&options.to_string()).unwrap(), start)
}

#[test]
fn a_search_by_latency_and_one_by_parameters() {
    let space = small_space();
    let table = table(&space);
    let costs = CostTable::new(&space);
    let latency = |a: &Architecture| table.architecture(&space, a).unwrap();
    let params = |a: &Architecture| costs.architecture(a).params as f64;
    for (cost, low, high) in [("latency", 40.5, 80.25), ("params", 120.0, 300.0)] {
        let value = |a: &Architecture| if cost == "latency" { latency(a) } else { params(a) };
        let objective = json!({ "cost": cost, "low": low, "high": high });
        let mut search = search(&space, objective, Some(table.clone())).unwrap();
        let mut trainer = Synthetic::new(&space, 1);
        assert!(run(&mut search, &mut trainer, &Silent).is_empty());
        let front = search.front();
        assert!(
            front.len() > 1 && front.windows(2).all(|pair| pair[0].price < pair[1].price && pair[0].accuracy < pair[1].accuracy)
        );
        for record in search.history() {
            assert_eq!(serde_json::to_value(record.metric).unwrap(), cost);
            assert_eq!(record.window, [low, high]);
            assert!(record.candidates.iter().all(|p| (low..=high).contains(&p.cost)));
            let width = (high - low) / 5.0;
            assert!(record.extras.iter().all(|p| p.cost < low && p.cost >= low - width - 1e-5));
        }
        for member in front {
            assert!((search.metric().amount(member.price) - value(&member.architecture)).abs() < 1e-5);
            assert_eq!(member.cost, costs.architecture(&member.architecture));
        }
        assert!(search.history().iter().any(|record| !record.extras.is_empty()), "{cost}: extras");
    }
}

/// Above its target a latency pulls theta down, below it up, however small its numbers are.
#[test]
fn latency_pulls_towards_its_target() {
    let space = small_space();
    let mean_theta = |target: f64| {
        let objective = json!({ "cost": "latency", "low": 0, "high": 1e6, "target": target });
        let mut search = search(&space, objective, Some(table(&space))).unwrap();
        let mut trainer = Synthetic::new(&space, 1);
        trainer.utility.iter_mut().flatten().for_each(|u| *u = 1e-12);
        search.step(&mut trainer, &Silent).unwrap();
        search.scores().iter().flatten().filter(|theta| !theta.is_nan()).sum::<f64>()
    };
    assert!(mean_theta(1.0) < -1.0);
    assert!(mean_theta(1e5) > 1.0);
}

#[test]
fn a_latency_needs_its_table() {
    let space = small_space();
    let objective = json!({ "cost": "latency", "low": 1, "high": 100 });
    match search(&space, objective.clone(), None).err() {
        Some(Error::Argument { name: "latency", reason }) => {
            assert_eq!(reason, "the cost is a latency, and there is no latency table")
        }
        other => panic!("{other:?}"),
    }
    match search(&space, objective, Some(LatencyTable::default())).err() {
        Some(Error::MissingLatencies { missing }) => assert_eq!(missing.len(), latency_keys(&space).len()),
        other => panic!("{other:?}"),
    }
    let by_macs = window(&space, 0.0, 0.5);
    let unused = Start { latency: Some(Arc::new(LatencyTable::default())), ..Start::default() };
    assert!(Search::start(space.clone(), options(1, by_macs, json!({})), unused).is_ok(), "not asked for, not needed");
}

#[test]
fn an_architecture_needs_only_its_own_entries() {
    let space = all_kinds();
    let whole = table(&space);
    let architecture = Architecture::new(&space, vec![vec![], vec![0], vec![1]]).unwrap();
    let time = whole.architecture(&space, &architecture).unwrap();
    let mut own = LatencyTable::new("ms").unwrap();
    let missing = match own.architecture(&space, &architecture) {
        Err(Error::MissingLatencies { missing }) => missing,
        other => panic!("{other:?}"),
    };
    assert!(missing.len() < latency_keys(&space).len() / 2);
    for row in &missing {
        let key = latency_keys(&space).into_iter().find(|key| key.to_string() == *row).unwrap();
        own.set_row(row, whole.get(&key).unwrap()).unwrap();
    }
    assert!((own.architecture(&space, &architecture).unwrap() - time).abs() < 1e-12);
    for (row, reason) in [
        ("conv,1", "\"conv,1\" has 2 columns, a key has 9"),
        ("relu,1,1,1,1,1,1,1,1", "kind"),
        ("add,1,1,1,3,0,0,0,0", "written as"),
    ] {
        match own.set_row(row, 1.0) {
            Err(Error::Argument { name: "key", reason: why }) => assert!(why.contains(reason), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(own.set_row(&missing[0], -1.0).is_err());
}

#[test]
fn an_architecture_described() {
    let (space, architecture) = Architecture::preset("nsenet-27", "{}").unwrap();
    let of = |variant: &str| describe_architecture(&space, &architecture, nse::arch::Variant::from_json(variant).unwrap());
    let plain = of("{}");
    assert_eq!((&plain["macs"], &plain["published_macs"]), (&json!(326_325_200), &json!(326_326_224)));
    assert_eq!((&plain["params"], &plain["space"]), (&json!(4_570_464), &json!("nse-27")));
    assert_eq!(plain["cells"].as_array().unwrap().len(), 22);
    assert_eq!(plain["cells"][0]["macs"], 8_228_864);
    assert_eq!(
        plain["cells"][1],
        json!({
            "kind": "reduce", "channels": 24, "height": 56, "width": 56, "operators": ["mbconv_k3_t6"],
            "macs": plain["cells"][1]["macs"], "params": plain["cells"][1]["params"]
        })
    );
    assert_eq!(of(r#"{"squeeze_excitation": true}"#)["macs"], 328_334_608);
    assert_eq!(of(r#"{"activation": "swish"}"#), plain);
}

#[test]
fn a_budget_is_never_exceeded() {
    assert_eq!([Metric::Macs, Metric::Params].map(|metric| metric.at_most(100.9)), [100, 100]);
    assert_eq!((Metric::Macs.at_most(-1.0), Metric::Macs.at_most(f64::INFINITY)), (0, u64::MAX));
    for price in [1, 66_182_500_000, 123_456_789_012_345] {
        assert_eq!(
            Metric::Latency.at_most(Metric::Latency.amount(price)),
            price,
            "an amount that was a price is that price again"
        );
    }
}
