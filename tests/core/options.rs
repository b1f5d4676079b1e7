//! The options of a search: defaults, strict JSON with pointers, and a schema that documents every key.

use crate::support::{config, with};
use nse::cost::Metric;
use nse::search::{SearchOptions, Window, PRESETS};
use serde_json::{json, Value};

fn least() -> Value {
    json!({ "objective": { "low": 250, "high": 300 } })
}

fn read(document: &Value) -> SearchOptions {
    SearchOptions::from_json(&document.to_string()).unwrap()
}

fn assert_refused(document: &Value, pointer: &str, reason: &str) {
    let (name, at, why) = config(SearchOptions::from_json(&document.to_string()));
    assert_eq!((name, at.as_str()), ("search options", pointer), "{document}: {why}");
    assert!(why.contains(reason), "{document}: {why:?} does not say {reason:?}");
}

/// `value` at `pointer`, with the objects in between.
fn set(pointer: &str, value: Value) -> Value {
    let mut document = least();
    if let Some((section, _)) = pointer[1..].split_once('/') {
        if document.get(section).is_none() {
            document[section] = json!({});
        }
        if section == "checkpoint" {
            document["checkpoint"] = json!({ "path": "search.nse" });
        }
        if pointer.starts_with("/train/augment/") {
            document["train"]["augment"] = json!({});
        }
    }
    with(&document, pointer, value)
}

#[test]
fn only_the_objective_is_needed() {
    let written = serde_json::to_value(read(&least())).unwrap();
    assert_eq!(
        written,
        json!({
            "preset": null, "seed": 0, "rounds": null, "active": 5, "branches": "multi", "checkpoint": null, "tensorboard": null,
            "objective": { "cost": "macs", "low": 250.0, "high": 300.0, "target": null, "alpha": 0.9, "beta": 2 },
            "train": { "epochs": 10.0, "batch": 128, "lr": 0.05, "warmup": 0.02, "momentum": 0.9, "weight_decay": 4e-5,
                       "label_smoothing": 0.0, "augment": { "pad": 2, "flip": true }, "precision": "float32" },
            "fitness": { "interval": 2, "lr": 5e-3, "threshold": -2.0, "preserve": true, "strict_prev": false },
            "candidates": { "count": 200, "extras": 20, "extra_width": null, "too_few": "error" },
            "score": { "calibration": 1024, "images": null, "batch": 1024 },
            "shards": 1, "batch_norm": "part", "channel_sampling": 1, "held_out": 0.1, "nccl": true, "device": "cpu", "threads": null, "pushed": { "steps_per_epoch": null },
            "told": { "group": 10, "lr": 1.0, "beta1": 0.0, "beta2": 0.999 }, "strategy": { "evolve": {} }, "scorer": null
        })
    );
    assert_eq!(serde_json::to_value(read(&written)).unwrap(), written, "what is written is read back");
}

#[test]
fn given_values_are_kept() {
    let given = json!({
        "preset": null, "seed": u64::MAX, "rounds": 3, "active": 7, "branches": "single",
        "checkpoint": { "path": "search.nse", "steps": 7, "seconds": 0.5 },
        "objective": { "cost": "params", "low": 1.0, "high": 1e20, "target": 5.0, "alpha": 0.1, "beta": 4 },
        "train": { "epochs": 0.5, "batch": 64, "lr": 0.1, "warmup": 0.1, "momentum": 0.5, "weight_decay": 0.0,
                   "label_smoothing": 0.1, "augment": { "pad": 0, "flip": false }, "precision": "bfloat16" },
        "fitness": { "interval": 1, "lr": 0.1, "threshold": -1.0, "preserve": false, "strict_prev": true },
        "candidates": { "count": 10, "extras": 0, "extra_width": 9.0, "too_few": "accept" },
        "score": { "calibration": 10, "images": 20, "batch": 30 },
        "shards": 3, "batch_norm": "batch", "channel_sampling": 2, "held_out": 0.25, "nccl": false, "device": "cuda:1", "threads": 4, "tensorboard": { "path": "logs" }, "pushed": { "steps_per_epoch": 9 },
        "told": { "group": 20, "lr": 0.5, "beta1": 0.9, "beta2": 0.99 },
        "strategy": { "shrink": { "drop": { "per_cell": 2 }, "until": 100.0, "refresh": 5, "later_epochs": 0.5, "warm_up": 2.0,
                                  "ramp": { "epochs": 9.0, "least": 0.1 } } },
        "scorer": { "angle": { "samples": 7, "norms": true, "identity": true } }
    });
    assert_eq!(serde_json::to_value(read(&given)).unwrap(), given);
    assert_eq!(read(&set("/train/lr", json!(0.3))).train.batch, 128, "other keys of a section keep their defaults");
}

#[test]
fn a_missing_objective_is_an_error() {
    assert_refused(&json!({}), "", "missing field `objective`");
    assert_refused(&json!({ "objective": { "high": 3 } }), "/objective", "missing field `low`");
    assert_refused(&json!({ "objective": { "low": 3 } }), "/objective", "missing field `high`");
}

#[test]
fn unknown_keys_are_pointed_at() {
    for at in [
        "/sede",
        "/objective/latency",
        "/train/epoch",
        "/train/augment/rotate",
        "/fitness/intervals",
        "/candidates/number",
        "/score/size",
        "/checkpoint/every",
    ] {
        let key = at.rsplit('/').next().unwrap();
        assert_refused(&set(at, json!(1)), at, &format!("unknown field `{key}`"));
    }
}

#[test]
fn wrong_types_are_pointed_at() {
    for (at, value) in [
        ("/seed", json!(-1)),
        ("/seed", json!("7")),
        ("/active", json!(2.5)),
        ("/objective/low", json!("1")),
        ("/checkpoint/steps", json!("often")),
        ("/train/lr", json!("fast")),
        ("/train", json!(3)),
        ("/train/augment/flip", json!(1)),
        ("/fitness/preserve", json!(null)),
        ("/device", json!(0)),
    ] {
        assert_refused(&set(at, value), at, "invalid");
    }
    for (at, value) in
        [("/objective", json!([250, 300, null, 0.9, 2])), ("/train/augment", json!([2, true])), ("/score", json!([]))]
    {
        assert_refused(&set(at, value), at, "expected an object, not a list");
    }
    assert_eq!(config(SearchOptions::from_json(&format!("{} 1", least()))).1, "");
    assert_eq!(config(SearchOptions::from_json("{\"objective\":")).0, "search options");
}

#[test]
fn values_out_of_range_are_pointed_at() {
    for (at, value, range) in [
        ("/rounds", json!(0), "1 to 10000"),
        ("/rounds", json!(10_001), "1 to 10000"),
        ("/active", json!(1), "2 to 1000"),
        ("/active", json!(1001), "2 to 1000"),
        ("/objective/low", json!(-1.0), "0 to 100000000000000000000"),
        ("/checkpoint/steps", json!(0), "1 to 1000000000"),
        ("/checkpoint/seconds", json!(-1.0), "0 to 1000000000"),
        ("/objective/alpha", json!(-0.1), "0 to 1000000"),
        ("/objective/beta", json!(1), "2 to 8"),
        ("/objective/beta", json!(10), "2 to 8"),
        ("/train/epochs", json!(0.0), "0.001 to 100000"),
        ("/train/batch", json!(1), "2 to 65536"),
        ("/train/lr", json!(0.0), "0.00000001 to 100"),
        ("/train/lr", json!(101.0), "0.00000001 to 100"),
        ("/train/warmup", json!(0.95), "0 to 0.9"),
        ("/train/momentum", json!(1.0), "0 to 0.999"),
        ("/train/weight_decay", json!(-1e-9), "0 to 1"),
        ("/train/label_smoothing", json!(0.6), "0 to 0.5"),
        ("/train/augment/pad", json!(65), "0 to 64"),
        ("/fitness/interval", json!(0), "1 to 1000000"),
        ("/fitness/lr", json!(-1.0), "0 to 10"),
        ("/told/group", json!(1), "2 to 1000000"),
        ("/told/lr", json!(10.5), "0 to 10"),
        ("/told/beta1", json!(1.0), "0 to 0.9999"),
        ("/told/beta2", json!(1.0), "0 to 0.9999"),
        ("/fitness/threshold", json!(0.5), "-1000000 to 0"),
        ("/candidates/count", json!(0), "1 to 1000000"),
        ("/candidates/extras", json!(1_000_001), "0 to 1000000"),
        ("/score/calibration", json!(1), "2 to 10000000"),
        ("/score/images", json!(0), "1 to 100000000"),
        ("/score/batch", json!(1), "2 to 1000000"),
        ("/shards", json!(0), "1 to 4096"),
        ("/shards", json!(4097), "1 to 4096"),
        ("/held_out", json!(0.0), "0.001 to 0.9"),
        ("/held_out", json!(1.0), "0.001 to 0.9"),
        ("/threads", json!(0), "1 to 1024"),
        ("/threads", json!(1025), "1 to 1024"),
    ] {
        assert_refused(&set(at, value.clone()), at, &format!("{value} is not in {range}"));
    }
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    assert_refused(&json!({ "objective": { "low": 301, "high": 300 } }), "/objective/low", "301 is above high, 300");
    assert_refused(&set("/objective/beta", json!(3)), "/objective/beta", "3 is odd");
    assert_refused(&set("/objective/low", json!(1.5)), "/objective/low", "1.5 MACs are no whole number");
    assert_refused(&set("/checkpoint/path", json!("")), "/checkpoint/path", "not the name of a file");
    assert_refused(&set("/checkpoint/path", json!("a\0b")), "/checkpoint/path", "not the name of a file");
    assert_refused(&set("/branches", json!("double")), "/branches", "unknown variant `double`");
    assert_refused(&set("/train/precision", json!("float16")), "/train/precision", "unknown variant `float16`");
    assert_refused(&set("/objective/cost", json!("flops")), "/objective/cost", "unknown variant `flops`");
    assert_refused(&set("/objective/target", json!(0)), "/objective/target", "a target of 0");
    assert_refused(&json!({ "objective": { "low": 0, "high": 0 } }), "/objective/target", "a target of 0");
    read(&json!({ "objective": { "low": 0, "high": 300 } }));
    read(&json!({ "objective": { "cost": "latency", "low": 1.5, "high": 300.25 } }));
    read(&json!({ "objective": { "low": 300, "high": 300 } }));
}

/// Calls `visit` with pointer, schema and whether it is required, for every key.
fn keys(schema: &Value, at: &str, visit: &mut dyn FnMut(&str, &Value, bool)) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let required = schema["required"].as_array().is_some_and(|r| r.contains(&json!(key)));
        visit(&format!("{at}/{key}"), property, required);
        keys(property, &format!("{at}/{key}"), visit);
    }
}

#[test]
fn the_schema_knows_every_key_with_its_default() {
    let schema: Value = serde_json::from_str(&SearchOptions::schema()).unwrap();
    assert!(schema["$schema"].as_str().unwrap().ends_with("/draft/2020-12/schema"));
    assert_eq!(schema["additionalProperties"], false);
    let mut all = set("/checkpoint/steps", json!(null));
    all["tensorboard"] = json!({ "path": "logs" });
    let written = serde_json::to_value(read(&all)).unwrap();
    let (mut seen, mut required) = (Vec::new(), Vec::new());
    keys(&schema, "", &mut |at, property, needed| {
        seen.push(at.to_string());
        let actual = written.pointer(at).unwrap_or_else(|| panic!("{at} is no option"));
        match property.get("default") {
            Some(default) if at == "/checkpoint" || at == "/tensorboard" => assert_eq!(default, &Value::Null),
            Some(default) => assert_eq!(default, actual, "{at}"),
            None if needed => required.push(at.to_string()),
            None => panic!("{at} has no default"),
        }
    });
    assert_eq!(required, ["/checkpoint/path", "/objective", "/objective/high", "/objective/low", "/tensorboard/path"]);
    assert_eq!(seen.len(), 61, "{seen:?}");
}

#[test]
fn the_schema_describes_every_key() {
    let schema: Value = serde_json::from_str(&SearchOptions::schema()).unwrap();
    keys(&schema, "", &mut |at, property, _| {
        let described = property["description"].as_str().is_some_and(|d| d.len() > 5);
        assert!(described, "{at} has no description");
    });
}

#[test]
fn the_extras_lie_just_below_the_window() {
    let objective = |low: u64, high: u64| read(&json!({ "objective": { "low": low, "high": high, "target": 1 } })).objective;
    assert_eq!(objective(300, 350).window(), Window { low: 300, high: 350 });
    assert_eq!(objective(300, 350).below(None), Some(Window { low: 290, high: 299 }), "a fifth of the width");
    assert_eq!(objective(300, 350).below(Some(20.0)), Some(Window { low: 280, high: 299 }));
    assert_eq!(objective(300, 350).below(Some(1000.0)), Some(Window { low: 0, high: 299 }));
    assert_eq!(objective(300, 350).below(Some(0.0)), None);
    assert_eq!(objective(300, 304).below(None), None, "too narrow for a fifth");
    assert_eq!(objective(0, 350).below(None), None, "nothing is below 0");
    let window = Window { low: 3, high: 5 };
    assert_eq!([2, 3, 5, 6].map(|macs| window.contains(macs)), [false, true, true, false]);
}

#[test]
fn the_pull_is_the_derivative_of_the_penalty() {
    let from_zero = read(&json!({ "objective": { "low": 0, "high": 300 } })).objective;
    assert_eq!(from_zero.slope(300.0), 0.0, "the target is high when low is 0");
    let read = |target: Value, alpha: f64, beta: u32| {
        read(&json!({ "objective": { "low": 200, "high": 300, "target": target, "alpha": alpha, "beta": beta } })).objective
    };
    let published = read(json!(null), 0.9, 2);
    assert_eq!(published.slope(200.0), 0.0, "the target is low when none is given");
    assert!((published.slope(250.0) - 0.9 * 2.0 * 0.25 / 200.0).abs() < 1e-15);
    assert!((published.slope(150.0) + 0.9 * 2.0 * 0.25 / 200.0).abs() < 1e-15);
    let steep = read(json!(100), 2.0, 4);
    let penalty = |macs: f64| 2.0 * (macs / 100.0 - 1.0).powi(4);
    for macs in [50.0, 99.0, 130.0, 300.0] {
        let difference = (penalty(macs + 1e-3) - penalty(macs - 1e-3)) / 2e-3;
        assert!((steep.slope(macs) - difference).abs() < 1e-7, "{macs}");
    }
    assert_eq!(read(json!(100), 0.0, 2).slope(1e9), 0.0);
}

#[test]
fn a_preset_is_laid_under_the_options() {
    let published = read(&json!({ "preset": "published-19", "seed": 3, "train": { "batch": 256 } }));
    assert_eq!((published.seed, published.active, published.train.batch, published.train.epochs), (3, 6, 256, 100.0));
    assert_eq!((published.objective.low, published.objective.high, published.objective.cost), (66.0, 78.0, Metric::Latency));
    assert_eq!(
        published.objective.below(published.candidates.extra_width),
        Some(Window { low: 64_000_000_000, high: 65_999_999_999 })
    );
    assert!((published.objective.slope(72.0) - 2.0 * 2e-4 * (72.0 - 66.0)).abs() < 1e-15, "2e-4 (latency - 66)^2");

    let published = read(&json!({ "preset": "published-27" }));
    assert!((published.objective.slope(320e6) - 2.0 * 1e-5 * 20.0 / 1e6).abs() < 1e-18, "1e-5 (MMACs - 300)^2");
    assert_eq!((published.candidates.count, published.candidates.extras), (2000, 100));
    assert_eq!(published.objective.below(published.candidates.extra_width), Some(Window { low: 290_000_000, high: 299_999_999 }));
    let schedule = published.train.schedule(100);
    assert_eq!((schedule.at(0), schedule.at(2), schedule.warmup), (0.1, 0.4, 2), "0.1 to 0.4 over 2 of 100 epochs");
    assert_eq!(read(&json!({ "preset": "published-72" })).rounds, Some(3));

    for preset in &PRESETS {
        let mut whole = json!({ "preset": preset.name, "objective": { "low": 1, "high": 2 } });
        assert_eq!(read(&whole).preset.as_deref(), Some(preset.name));
        whole["objective"] = json!({ "cost": "params", "high": 3e9, "low": 1 });
        assert_eq!(read(&whole).objective.high, 3e9, "{}: what is given goes before the preset", preset.name);
        assert!(!preset.description.is_empty());
    }
}

#[test]
fn a_preset_that_does_not_exist_or_does_not_help() {
    let reason = "\"desktop\" is not a preset; there are published-19, published-27, published-72, one-gpu, laptop";
    assert_refused(&json!({ "preset": "desktop" }), "/preset", reason);
    assert_refused(&json!({ "preset": 3 }), "/preset", "invalid type");
    assert_refused(&json!({ "preset": "laptop" }), "", "missing field `objective`");
    assert_refused(&json!({ "preset": "published-27", "train": { "epoch": 3 } }), "/train/epoch", "unknown field `epoch`");
    assert_refused(&json!({ "preset": "published-27", "train": 3 }), "/train", "invalid type");
}
