//! Spaces whose operators have binary weights: their documents, what they are made of, and what they cost.

use crate::support::{config, everything};
use nse::arch::Architecture;
use nse::cost::{describe, describe_architecture, CostTable, Metric};
use nse::space::{Binary, Space, Step};
use serde_json::{json, Value};

const MODES: [&str; 5] = ["layer", "released", "filter", "xnor", "pcnn"];

fn bnas(overrides: Value) -> Space {
    Space::preset("bnas-cifar", &overrides.to_string()).unwrap()
}

fn described(channels: u32) -> Value {
    let space = bnas(json!({ "channels": channels }));
    let architecture = Architecture::from_genotype(&space, "bnas-xnor-1").unwrap();
    describe_architecture(&space, &architecture, Default::default())
}

/// Recomputed from the shapes in the published code.
#[test]
fn bnas_xnor_1_costs_what_was_published() {
    for (channels, binary, real, macs) in [
        (16, 508_416u64, 28_218u64, None),
        (36, 2_407_536, 92_278, Some((386_270_208u64, 8_300_160u64))),
        (44, 3_560_304, 126_862, Some((568_347_648, 11_586_432))),
    ] {
        let cost = described(channels);
        let (all, ones) = (cost["params"].as_u64().unwrap(), cost["binary"]["params"].as_u64().unwrap());
        assert_eq!((ones, all - ones), (binary, real), "{channels} channels");
        assert_eq!(cost["bits"], json!(binary + 32 * real));
        if let Some((binary, real)) = macs {
            let (all, ones) = (cost["macs"].as_u64().unwrap(), cost["binary"]["macs"].as_u64().unwrap());
            assert_eq!((ones, all - ones), (binary, real), "{channels} channels");
            assert_eq!(cost["operations"].as_f64().unwrap(), real as f64 + binary as f64 / 64.0);
        }
    }
    let megabytes = |channels| (described(channels)["bits"].as_f64().unwrap() / 8e3).round() / 1e3;
    assert_eq!([36, 44].map(megabytes), [0.67, 0.952]);
    let whole = |channels| (described(channels)["params"].as_f64().unwrap() * 4.0 / 1e3).round() / 1e3;
    assert_eq!([36, 44].map(whole), [9.999, 14.749]);
}

/// Binary or real, a network has as many parameters and multiply-accumulates, but for a batch-norm behind every pool, and where activations are
/// binary in front of every convolution.
#[test]
fn the_same_network_of_real_numbers_costs_the_same_in_all() {
    let real = Space::preset("darts-cifar", "{}").unwrap();
    let architecture = Architecture::from_genotype(&real, "bnas").unwrap();
    let cost = CostTable::new(&real).architecture(&architecture);
    assert_eq!((cost.params, cost.binary_params, cost.binary_macs), (2_492_902, 0, 0));
    assert_eq!(cost.bits(), 32 * 2_492_902);
    for mode in MODES {
        let space = bnas(json!({ "binary": mode }));
        let binary = CostTable::new(&space).architecture(&Architecture::from_genotype(&space, "bnas-xnor-1").unwrap());
        assert_eq!((binary.macs, binary.binary_params), (cost.macs, 2_407_536), "{mode}");
        // Two numbers for every channel behind a pool: two of them in each of 18 normal cells, and two that halve.
        let pools = 4 * 6 * (36 + 72 + 144) + 4 * (72 + 144);
        assert_eq!(binary.params == cost.params + pools, mode != "xnor", "{mode}");
    }
    assert_eq!(bnas(json!({ "binary": null })).stack(), real.stack());
}

#[test]
fn what_halves_in_front_of_a_cell_and_what_stands_at_the_ends_is_real() {
    let space = bnas(json!({ "binary": "filter" }));
    let stack = space.stack().unwrap();
    let mut binary = 0;
    for (steps, _) in stack.fixed() {
        for step in steps {
            match step {
                Step::Convolve(c) if c.name == "conv" && c.kernel == [1, 1] => {
                    binary += usize::from(c.binary == Some(Binary::Filter))
                }
                other => assert!(other.convolutions().iter().all(|c| c.binary.is_none())),
            }
        }
    }
    // Two in front of each of 20 cells, but those that halve, behind the two cells that do.
    assert_eq!(binary, 38);
    for (i, cell) in space.cells().iter().enumerate() {
        for (index, operator) in (0..).zip(&cell.operators) {
            for (steps, _) in stack.work(i, index, operator) {
                for step in steps {
                    assert!(step.convolutions().iter().all(|c| c.binary == Some(Binary::Filter)), "{operator}");
                }
            }
        }
    }
}

/// Nothing is above and below 0 behind an activation.
#[test]
fn binary_activations_come_from_a_batch_norm() {
    let space = bnas(json!({ "binary": "xnor" }));
    let operator = space.cells()[0].operators.iter().find(|o| o.to_string() == "sep_conv_3x3").unwrap();
    let steps = operator.steps([8, 8], 1);
    assert!(matches!(steps[0], Step::Normalise(8)));
    assert_eq!(steps.len(), 5);
    assert!(steps[1..].iter().all(|step| matches!(step, Step::Convolve(c) if c.norm && !c.relu)));
    let chain = Space::preset("nse-27-small", &json!({ "binary": "xnor" }).to_string()).unwrap();
    let convolutions = chain.cells()[0].operators[0].convolutions(16, 16, 1);
    assert!(convolutions.iter().all(|c| c.binary == Some(Binary::Xnor(Default::default())) && c.norm && !c.relu));
}

#[test]
fn documents_keep_the_mode() {
    for mode in MODES {
        for preset in ["darts-cifar", "nas-bench-201", "pnas-cifar", "nse-27-small"] {
            let space = Space::preset(preset, &json!({ "binary": mode }).to_string()).unwrap();
            let text = space.to_json();
            let document: Value = serde_json::from_str(&text).unwrap();
            let at = if space.stack().is_some() { "/stack/binary" } else { "/binary" };
            assert_eq!(document.pointer(at), Some(&json!(mode)), "{preset}");
            assert_eq!(Space::from_json(&text).unwrap(), space);
            assert_eq!(json!(space.binary().unwrap()), json!(mode));
            // Names and codes are those of real operators.
            let real = Space::preset(preset, "{}").unwrap();
            let all = Architecture::new(&space, everything(&space)).unwrap();
            let same =
                Architecture::from_json(&space, &Architecture::new(&real, everything(&real)).unwrap().to_json(&real)).unwrap();
            assert_eq!(all, same);
            assert_eq!(Architecture::from_code(&space, &all.code(&space)).unwrap(), all);
        }
    }
    for (mode, plain) in [
        (json!({ "xnor": { "factor": true } }), false),
        (json!({ "pcnn": { "projections": 4 } }), false),
        (json!({ "pcnn": {} }), true),
        (json!({ "pcnn": { "projections": 1 } }), true),
        (json!({ "xnor": { "factor": false } }), true),
    ] {
        let space = bnas(json!({ "binary": mode }));
        let document: Value = serde_json::from_str(&space.to_json()).unwrap();
        let name = mode.as_object().unwrap().keys().next().unwrap();
        assert_eq!(document["stack"]["binary"], if plain { json!(name) } else { mode.clone() });
        assert_eq!(Space::from_json(&space.to_json()).unwrap(), space);
        // Inference needs none of it: the costs are those of the plain mode.
        let named = bnas(json!({ "binary": name }));
        let cost =
            |space: &Space| CostTable::new(space).architecture(&Architecture::from_genotype(space, "bnas-xnor-1").unwrap());
        assert_eq!(cost(&space), cost(&named));
        assert_eq!(space == named, plain);
    }
    for (mode, at, said) in [
        (json!({ "pcnn": { "projections": 0 } }), "/pcnn/projections", "0 is not in 1 to 64"),
        (json!({ "pcnn": { "projections": 65 } }), "/pcnn/projections", "65 is not in 1 to 64"),
        (json!({ "pcnn": { "projection": 2 } }), "/pcnn/projection", "unknown field `projection`"),
        (json!({ "pcnn": [2] }), "/pcnn", "expected an object, not a list"),
        (json!({ "layer": {} }), "", "layer has no options"),
        (json!({ "half": {} }), "", "unknown variant `half`"),
        (json!({}), "", "nothing; expected the name of a binary mode"),
        (json!({ "pcnn": {}, "xnor": {} }), "", "expected one"),
        (json!(3), "", "expected the name of a binary mode"),
    ] {
        let (document, pointer, reason) = config(Space::preset("bnas-cifar", &json!({ "binary": mode }).to_string()));
        assert_eq!((document, pointer), ("preset overrides", format!("/binary{at}")), "{mode}: {reason}");
        assert!(reason.contains(said), "{mode}: {reason}");
    }
    let (document, pointer, reason) = config(Space::preset("bnas-cifar", r#"{"binary": "ternary"}"#));
    assert_eq!((document, pointer.as_str()), ("preset overrides", "/binary"));
    assert!(reason.contains("ternary"), "{reason}");
    let wrong = bnas(json!({})).to_json().replace("\"layer\"", "\"half\"");
    let (document, pointer, _) = config(Space::from_json(&wrong));
    assert_eq!((document, pointer.as_str()), ("space", "/stack/binary"));
}

#[test]
fn bits_and_operations_are_costs_to_search_by() {
    let space = bnas(json!({ "channels": 16 }));
    let costs = CostTable::new(&space);
    let architecture = Architecture::from_genotype(&space, "bnas-xnor-1").unwrap();
    let cost = costs.architecture(&architecture);
    let prices = [Metric::Bits, Metric::Operations].map(|metric| costs.prices(metric).architecture(&architecture));
    assert_eq!(prices, [508_416 + 32 * 28_218, cost.binary_macs + 64 * (cost.macs - cost.binary_macs)]);
    let ops = Metric::Operations;
    assert_eq!((ops.price(2.5), ops.at_most(2.51), ops.amount(160)), (160, 160, 2.5));
    assert!(ops.counts(0.015625) && !ops.counts(0.01) && Metric::Bits.counts(3.0) && !Metric::Bits.counts(3.5));
    let all = describe(&space, None).unwrap();
    assert!(all.bits.unwrap().least < all.params.least * 32.0 && all.operations.unwrap().greatest < all.macs.greatest);
    let real = describe(&Space::preset("darts-cifar", "{}").unwrap(), None).unwrap();
    assert!(real.bits.is_none() && real.operations.is_none());
}
