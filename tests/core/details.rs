//! What a space gives all its networks beside cells: a fixed block behind the stem, squeeze-excitation, activations, a hidden layer.

use crate::support::config;
use nse::arch::{Architecture, Variant};
use nse::cost::{latency_keys, memory, variant_cost, CostTable, Latencies, LatencyKind, LatencyTable, Metric, Prices};
use nse::report::draw_architecture;
use nse::space::{Activation, Excitation, Gate, Space};
use serde_json::{json, Value};

/// Two stages of two cells each, with everything.
fn document() -> Value {
    json!({
        "name": "whole", "input": { "channels": 1, "height": 12, "width": 10 }, "classes": 3,
        "stem": { "channels": 6, "stride": 2, "block": { "channels": 6, "kernel": 5 } },
        "cells": [{ "kind": "normal" }, { "kind": "reduce", "channels": 10 }, { "kind": "normal" }],
        "operators": ["mbconv_k3_t2", "rec_k5_t3"],
        "tail": { "channels": 20, "norm": true, "hidden": 7 },
        "squeeze_excitation": { "reduction": 4, "divisor": 8, "activation": "relu", "gate": "hard_sigmoid" },
        "activation": "swish"
    })
}

fn space(document: &Value) -> Space {
    Space::from_json(&document.to_string()).unwrap()
}

fn without(key: &str, mut document: Value) -> Value {
    let (at, last) = key.rsplit_once('/').unwrap();
    document.pointer_mut(at).unwrap().as_object_mut().unwrap().remove(last);
    document
}

#[test]
fn the_document_says_them_and_is_written_as_it_was_read() {
    let whole = space(&document());
    assert_eq!(space(&serde_json::from_str(&whole.to_json()).unwrap()), whole);
    let (chain, details) = (whole.chain().unwrap(), whole.details());
    assert_eq!(
        (details.activation, chain.hidden, whole.classified(), whole.pooled().channels),
        (Activation::Swish, Some(7), 7, 20)
    );
    let excitation = Excitation { reduction: 4, divisor: Some(8), activation: Some(Activation::Relu), gate: Gate::HardSigmoid };
    assert_eq!(details.excitation, Some(excitation));
    let shapes: Vec<_> = chain.block.iter().map(|c| (c.name, c.weight(), c.groups, c.relu, c.norm)).collect();
    assert_eq!(shapes, [("depthwise", [6, 1, 5, 5], 6, true, true), ("project", [6, 6, 1, 1], 1, false, true)]);
    assert!(chain.shortcut());
    // A block that widens has no shortcut, and the cells follow it.
    let mut wider = document();
    wider["stem"]["block"] = json!({ "channels": 9 });
    let wider = space(&wider);
    assert_eq!((wider.chain().unwrap().shortcut(), wider.cells()[0].input.channels), (false, 9));
    assert_eq!(wider.chain().unwrap().block[0].kernel, [3, 3]);
}

#[test]
fn spaces_without_them_are_written_as_before() {
    for (name, _) in nse::space::presets().filter(|(name, _)| !["spos", "fairnas", "neas"].contains(name)) {
        let text = Space::preset(name, "{}").unwrap().to_json();
        for key in ["\"block\"", "\"hidden\"", "squeeze_excitation", "activation"] {
            assert!(!text.contains(key), "{name}: {key}");
        }
    }
    // A code from before there was any of this, of docs/train.md.
    let overrides = json!({ "stem_stride": 1, "repeats": [0, 2, 3, 2], "channels": [16, 24, 48, 96], "tail": 256 });
    let plain = Space::preset("nse-27-small", &overrides.to_string()).unwrap();
    let (code, macs) = ("n1kycv.36spet37j1x8sj3", 4_682_744);
    let architecture = Architecture::from_code(&plain, code).unwrap();
    assert_eq!((architecture.code(&plain).as_str(), CostTable::new(&plain).architecture(&architecture).macs), (code, macs));
}

#[test]
fn channels_inside_are_rounded_as_published() {
    let of = |divisor| Excitation { divisor, ..Excitation::default() };
    let squeezed = |divisor, widths: [u32; 5]| widths.map(|width| of(divisor).squeezed(width));
    // Rounded down, at least one: the published code of NSE.
    assert_eq!(squeezed(None, [1, 3, 7, 64, 90]), [1, 1, 1, 16, 22]);
    // To a multiple of 8, never more than 10% below: 96/4 = 24; 160/4 = 40; 144/4 = 36 to 40; 240/4 = 60 to 64; 16/4 = 4 to 8.
    assert_eq!(squeezed(Some(8), [96, 160, 144, 240, 16]), [24, 40, 40, 64, 8]);
}

#[test]
fn what_is_wrong_is_named() {
    for (pointer, value, said) in [
        ("/stem/block/channels", json!(0), "0 is not in 1 to 65536"),
        ("/stem/block/kernel", json!(4), "4 is even"),
        ("/stem/block/kernel", json!(33), "33 is not in 1 to 31"),
        ("/tail/hidden", json!(0), "0 is not in 1 to 65536"),
        ("/squeeze_excitation/reduction", json!(0), "0 is not in 1 to 1024"),
        ("/squeeze_excitation/divisor", json!(0), "0 is not in 1 to 1024"),
    ] {
        let mut wrong = document();
        *wrong.pointer_mut(pointer).unwrap() = value;
        let (_, at, reason) = config(Space::from_json(&wrong.to_string()));
        assert_eq!((at.as_str(), reason.as_str()), (pointer, said));
    }
    for pointer in ["/squeeze_excitation/gate", "/activation"] {
        let mut wrong = document();
        *wrong.pointer_mut(pointer).unwrap() = json!("tanh");
        let (_, at, reason) = config(Space::from_json(&wrong.to_string()));
        assert!(at == pointer && reason.contains("tanh"), "{at}: {reason}");
    }
    let (_, at, _) = config(Space::from_json(&without("/stem/block/channels", document()).to_string()));
    assert_eq!(at, "/stem/block");
    for (overrides, pointer) in [
        (json!({ "block": { "stem": 0, "kernel": 3 } }), "/block/stem"),
        (json!({ "block": { "stem": 4, "kernel": 2 } }), "/block/kernel"),
        (json!({ "hidden": 0 }), "/hidden"),
        (json!({ "squeeze_excitation": { "reduction": 0 } }), "/squeeze_excitation/reduction"),
        (json!({ "block": { "stem": 4, "kernel": 3 }, "channels": [0, 24, 40, 80, 112, 160] }), "/channels/0"),
    ] {
        assert_eq!(config(Space::preset("neas", &overrides.to_string())).1, pointer);
    }
}

/// Each part, by hand.
#[test]
fn costs_count_them() {
    let open = |space: &Space| Architecture::new(space, vec![vec![0], vec![1], vec![]]).unwrap();
    let cost = |document: &Value| CostTable::new(&space(document)).architecture(&open(&space(document)));
    let whole = cost(&document());
    let less = |key: &str| {
        let rest = cost(&without(key, document()));
        (whole.macs - rest.macs, whole.params - rest.params)
    };
    // On 6 x 5 positions: 6 channels by 5 x 5, then 6 x 6; 8 inside of squeeze-excitation.
    assert_eq!(less("/stem/block"), (30 * (6 * 25 + 36) + 2 * 6 * 8, 6 * 25 + 12 + 36 + 12 + 2 * 6 * 8 + 8 + 6));
    // 20 to 7 to 3 instead of 20 to 3.
    assert_eq!(less("/tail/hidden"), (20 * 7 + 7 * 3 - 20 * 3, 20 * 7 + 7 + 7 * 3 - 20 * 3));
    // Block: 6 and 8 inside; mbconv with t 2: 12 and 8; rec with t 3: 18 and 8.
    assert_eq!(less("/squeeze_excitation"), (2 * 8 * (6 + 12 + 18), 2 * 8 * (6 + 12 + 18) + 3 * 8 + 6 + 12 + 18));
    assert_eq!(less("/activation"), (0, 0));
    // What a stand-alone network would add is there.
    let excited = Variant { squeeze_excitation: true, activation: Activation::Swish };
    assert_eq!(variant_cost(&space(&document()), &open(&space(&document())), excited), whole);
    let plain = without("/squeeze_excitation", document());
    // A quarter: 1 of 6, 3 of 12 and 4 of 18 channels.
    let added = variant_cost(&space(&plain), &open(&space(&plain)), excited).macs - cost(&plain).macs;
    assert_eq!(added, 2 * (6 + 3 * 12 + 4 * 18));
    // Every path of an ensemble has a tail and a hidden layer of its own, and shares the block.
    let two = Architecture::joined(&space(&document()), 3, &[open(&space(&document())), open(&space(&document()))]).unwrap();
    let head = 3 * 3 * 10 * 20 + 20 * 7 + 7 * 3;
    assert_eq!(CostTable::new(&space(&document())).architecture(&two).macs, whole.macs + head);
}

/// The keys of an architecture have all its multiply-accumulates, and a table with all keys of the space prices it.
#[test]
fn latencies_know_every_operation() {
    let space = space(&document());
    let mut table = LatencyTable::default();
    for key in latency_keys(&space) {
        let per_position = u64::from(key.cin / key.groups.max(1)) * u64::from(key.cout);
        let macs = match key.kind {
            LatencyKind::Conv => {
                let positions = [0, 1].map(|side| u64::from(key.input[side].div_ceil(key.stride[side])));
                per_position * key.kernel.iter().chain(&positions.map(|p| p as u32)).map(|n| u64::from(*n)).product::<u64>()
            }
            LatencyKind::Linear => per_position,
            LatencyKind::Add | LatencyKind::AvgPool | LatencyKind::Scale => 0,
        };
        table.set(key, macs as f64).unwrap();
    }
    let latencies: Latencies = table.resolve(&space).unwrap();
    let prices = Prices::of(&space, &CostTable::new(&space), Metric::Latency, Some(&table)).unwrap();
    let single = Architecture::new(&space, vec![vec![0, 1], vec![1], vec![0]]).unwrap();
    let two = Architecture::joined(&space, 1, &[single.clone(), single.clone()]).unwrap();
    for architecture in [single, two] {
        let macs = CostTable::new(&space).architecture(&architecture).macs as f64;
        assert_eq!(table.architecture(&space, &architecture).unwrap(), macs);
        assert_eq!(latencies.architecture(&space, &architecture), macs);
        assert_eq!(Metric::Latency.amount(prices.architecture(&architecture)), macs);
    }
    // A module is a pooling, two linear layers and a scaling; the block has an addition, which no cell has at this size and width.
    let kinds = |document: &Value, kind| latency_keys(&self::space(document)).iter().filter(|key| key.kind == kind).count();
    assert_eq!(
        [kinds(&document(), LatencyKind::Scale), kinds(&without("/squeeze_excitation", document()), LatencyKind::Scale)],
        [7, 0]
    );
    let text = table.to_csv();
    assert!(text.contains("\nscale,6x5,6,6,0,0,0,0,0,0.0\n"), "{text}");
    assert_eq!(LatencyTable::parse(&text).unwrap(), table);
}

#[test]
fn estimates_and_pictures_have_them() {
    let bytes = |document: &Value| {
        let space = space(document);
        memory(&space, &vec![vec![0, 1]; 3], 8, 8, 0, true, 0)
    };
    let whole = bytes(&document());
    for key in ["/stem/block", "/tail/hidden", "/squeeze_excitation"] {
        assert!(bytes(&without(key, document())).weights < whole.weights, "{key}");
    }
    for key in ["/stem/block", "/squeeze_excitation", "/activation"] {
        assert!(bytes(&without(key, document())).training < whole.training, "{key}");
    }
    let space = space(&document());
    let picture = draw_architecture(&space, &Architecture::new(&space, vec![vec![], vec![0], vec![]]).unwrap());
    for text in ["block", "depthwise 5x5, 1x1", "conv, pool, 7, linear"] {
        assert!(picture.contains(text), "{text}");
    }
}
