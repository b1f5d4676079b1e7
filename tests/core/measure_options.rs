//! The options of a latency measurement: defaults, ranges, strictness.

use crate::support::config;
use nse::supernet::MeasureOptions;
use serde_json::{json, Value};

fn read(document: Value) -> MeasureOptions {
    MeasureOptions::from_json(&document.to_string()).unwrap()
}

#[test]
fn everything_has_a_default() {
    let defaults = json!({ "device": "cpu", "batch": 1, "warmup": 3, "repeats": 10, "threads": null });
    assert_eq!(serde_json::to_value(read(json!({}))).unwrap(), defaults);
    let given = json!({ "device": "cuda:1", "batch": 65_536, "warmup": 0, "repeats": 10_000, "threads": 2 });
    assert_eq!(serde_json::to_value(read(given.clone())).unwrap(), given);
}

#[test]
fn what_is_wrong_is_pointed_at() {
    for (document, at, reason) in [
        (json!({ "batch": 0 }), "/batch", "0 is not in 1 to 65536"),
        (json!({ "batch": 65_537 }), "/batch", "65537 is not in 1 to 65536"),
        (json!({ "warmup": 10_001 }), "/warmup", "10001 is not in 0 to 10000"),
        (json!({ "repeats": 0 }), "/repeats", "0 is not in 1 to 10000"),
        (json!({ "threads": 0 }), "/threads", "0 is not in 1 to 1024"),
        (json!({ "device": 0 }), "/device", "invalid type"),
        (json!({ "repeat": 1 }), "/repeat", "unknown field `repeat`"),
        (json!([]), "", "expected an object, not a list"),
    ] {
        let (name, pointer, why) = config(MeasureOptions::from_json(&document.to_string()));
        assert_eq!((name, pointer.as_str()), ("measure options", at), "{why}");
        assert!(why.contains(reason), "{why:?} does not say {reason:?}");
    }
}

#[test]
#[cfg(not(feature = "torch"))]
fn a_build_without_libtorch_measures_nothing() {
    let space = nse::space::Space::preset("nse-27-small", "{}").unwrap();
    let error = nse::supernet::measure_latencies(&space, &read(json!({})), &nse::search::Silent, &|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "measuring latencies needs libtorch, and this build of nse has none");
}

#[test]
fn the_schema_documents_every_key() {
    let schema: Value = serde_json::from_str(&MeasureOptions::schema()).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(properties.len(), 5);
    for (key, property) in properties {
        assert!(property["description"].is_string(), "{key}");
    }
    assert_eq!((&properties["batch"]["default"], &properties["batch"]["maximum"]), (&json!(1), &json!(65_536)));
}
