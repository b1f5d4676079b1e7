//! Spaces: the presets, their overrides, the JSON form read and written, and the pool of one cell.

use crate::support::{cases, config};
use nse::cost::describe;
use nse::space::{operators_19, operators_27, operators_72, presets, CellKind, Operator, Pool, Shape, Space};
use nse::Error;
use proptest::prelude::*;
use serde_json::{json, Value};

fn preset(name: &str, overrides: Value) -> Space {
    Space::preset(name, &overrides.to_string()).unwrap()
}

fn kinds(space: &Space) -> String {
    let letter = |kind| match kind {
        CellKind::Normal => 'N',
        CellKind::Reduce => 'R',
        CellKind::Expand => 'E',
        CellKind::Edge => 'e',
    };
    space.cells().iter().map(|c| letter(c.kind)).collect()
}

/// Channels of the stem and of every reduce and expand cell.
fn widths(space: &Space) -> Vec<u32> {
    let changes = space.cells().iter().filter(|c| c.kind != CellKind::Normal).map(|c| c.channels);
    std::iter::once(space.chain().unwrap().stem.cout).chain(changes).collect()
}

#[test]
fn nse_27_is_the_published_space() {
    let space = preset("nse-27", json!({}));
    assert_eq!(space.name(), "nse-27");
    assert_eq!(kinds(&space), "NRNNNRNNNRNNNENNNRNNNE");
    assert_eq!(widths(&space), [16, 24, 40, 80, 96, 192, 320]);
    assert_eq!((space.input(), space.classes()), (Shape { channels: 3, height: 224, width: 224 }, 1000));
    assert!(space.cells().iter().all(|c| c.operators == operators_27()));
    assert_eq!(space.most_operators(), 27);
    let sizes: Vec<_> = space.cells().iter().map(|c| c.input.height).collect();
    assert_eq!(sizes, [112, 112, 56, 56, 56, 56, 28, 28, 28, 28, 14, 14, 14, 14, 14, 14, 14, 14, 7, 7, 7, 7]);
    assert_eq!(space.features(), Shape { channels: 320, height: 7, width: 7 });
    assert_eq!(
        (
            space.chain().unwrap().tail.cin,
            space.chain().unwrap().tail.cout,
            space.chain().unwrap().tail.norm,
            space.chain().unwrap().tail.relu
        ),
        (320, 1024, false, true)
    );
    assert_eq!((space.chain().unwrap().stem.weight(), space.chain().unwrap().stem.stride), ([16, 3, 3, 3], [2, 2]));
}

#[test]
fn nse_19_is_the_published_latency_space() {
    let space = preset("nse-19", json!({}));
    assert_eq!(kinds(&space), "NRNNNRNNNRNNNNNNNRNNN");
    assert_eq!(widths(&space), [16, 32, 64, 128, 256]);
    assert!(space.cells().iter().all(|c| c.operators == operators_19()));
    assert_eq!(space.features(), Shape { channels: 256, height: 7, width: 7 });
    assert_eq!(space.chain().unwrap().tail.cout, 1024);
}

#[test]
fn nse_72_is_the_published_second_space() {
    let [first, second] = ["nse-27", "nse-72"].map(|name| preset(name, json!({})));
    assert!(second.cells().iter().all(|c| c.operators == operators_72()));
    let shapes = |space: &Space| space.cells().iter().map(|c| (c.kind, c.input, c.channels)).collect::<Vec<_>>();
    assert_eq!(shapes(&first), shapes(&second));
}

#[test]
fn nse_27_small_is_for_small_grey_images() {
    let space = preset("nse-27-small", json!({}));
    assert_eq!(kinds(&space), "NRNNRNN");
    assert_eq!(widths(&space), [16, 32, 64]);
    assert_eq!((space.input(), space.classes()), (Shape { channels: 1, height: 28, width: 28 }, 10));
    assert_eq!(space.features(), Shape { channels: 64, height: 4, width: 4 });
    assert_eq!(space.chain().unwrap().tail.cout, 256);
    assert!(space.cells().iter().all(|c| c.operators == operators_27()));
}

/// Cells, strides and widths as published, and the counts of networks with one branch open.
#[test]
fn chains_of_other_methods_have_as_many_networks_as_published() {
    let single = |space: &Space| nse::cost::describe(space, None).unwrap().single_branch;
    let (spos, fairnas, neas) = (preset("spos", json!({})), preset("fairnas", json!({})), preset("neas", json!({})));
    assert_eq!((spos.cells().len(), single(&spos)), (21, "221502229807900608".into()));
    assert_eq!((fairnas.cells().len(), single(&fairnas)), (19, "609359740010496".into()));
    assert_eq!((neas.cells().len(), single(&neas)), (20, "36917038301316768".into()));
    assert_eq!(widths(&neas), [16, 24, 40, 80, 112, 160]);
    let stages: Vec<_> = neas.cells().iter().map(|cell| (cell.channels, cell.stride(), cell.may_be_skipped())).collect();
    assert_eq!(stages.iter().filter(|(_, stride, _)| *stride == 2).count(), 4);
    for (i, (channels, stride, skipped)) in stages.into_iter().enumerate() {
        assert_eq!(channels, [24, 40, 80, 112, 160][i / 4]);
        assert_eq!((stride, skipped), if i % 4 > 0 { (1, true) } else { ([2, 2, 2, 1, 2][i / 4], false) });
    }
    let names: Vec<_> = neas.cells()[0].operators.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["mbconv_k3_t4", "mbconv_k3_t6", "mbconv_k5_t4", "mbconv_k5_t6", "mbconv_k7_t4", "mbconv_k7_t6"]);
    // That nothing is skipped survives the JSON form, and is held to.
    assert_eq!(Space::from_json(&fairnas.to_json()).unwrap(), fairnas);
    let skipping = nse::arch::Architecture::new(&fairnas, (0..19).map(|i| if i == 1 { Vec::new() } else { vec![0] }).collect());
    assert_eq!(config(skipping).1, "/cells/1");
    assert!(preset("fairnas", json!({ "skip": true })).cells()[1].may_be_skipped());
    let mut document: Value = serde_json::from_str(&fairnas.to_json()).unwrap();
    document["cells"][0]["skip"] = true.into();
    let (_, pointer, reason) = config(Space::from_json(&document.to_string()));
    assert_eq!((pointer.as_str(), reason.as_str()), ("/cells/0/skip", "a reduce cell cannot be skipped"));
}

/// 25 and 29 numbers where 20 and 16 of the 20 cells are shared.
#[test]
fn ensembles_are_read_as_published_code_writes_them() {
    let space = preset("neas", json!({}));
    let read = |numbers: &[i64]| nse::arch::Architecture::from_json(&space, &json!({ "tuple": numbers }).to_string());
    // The published medium one.
    let published = [16, 2, 0, 3, 2, 0, 2, 5, 0, -1, 3, 0, 2, 0, 0, 3, 5, 4, 0, 5, 0, 5, 4, 0, 3, 5, 2, 5, 0];
    let medium = read(&published).unwrap();
    let paths = medium.paths();
    assert_eq!((published.len(), paths.count(), paths.split(), paths.cells(), paths.places()), (29, 2, 16, 20, 24));
    let indices: Vec<i64> = medium.cells().iter().map(|open| open.first().map_or(-1, |o| i64::from(*o))).collect();
    // The second path comes first in canonical order.
    assert_eq!(indices, [3, 2, 0, 2, 5, 0, -1, 3, 0, 2, 0, 0, 3, 5, 4, 0, 3, 5, 2, 5, 5, 0, 5, 4]);
    let all: Vec<i64> = [20, 2].into_iter().chain([0; 23]).collect();
    assert_eq!((all.len(), read(&all).unwrap().paths().split()), (25, 20));
    let changed = |at: usize, value: i64| {
        let mut numbers = published.to_vec();
        numbers[at] = value;
        let (_, pointer, reason) = config(read(&numbers));
        format!("{pointer}: {reason}")
    };
    for (at, value, said) in [
        (0, 21, "/tuple/0: 21 shared cells, the space \"neas\" has 20"),
        (0, -1, "/tuple/0: -1 shared cells"),
        (0, 15, "/tuple: 29 numbers, 2 paths that share 15 of 20 cells have 30"),
        (1, 1, "/tuple/1: 1 paths, an ensemble has 2 to 16"),
        (2, 3, "/tuple/2: 3 where a block is fixed"),
        (23, 1, "/tuple/23: 1 where a block is fixed"),
        (4, -2, "/tuple/4: -2 is no index"),
        (4, 6, "/cells/1: operator 6 of 6"),
        (3, -1, "/cells/0: a reduce cell needs at least one operator"),
    ] {
        assert!(changed(at, value).starts_with(said), "{}", changed(at, value));
    }
    assert_eq!(config(read(&[16])).1, "/tuple");
    let both = json!({ "tuple": published, "cells": [] });
    assert_eq!(config(nse::arch::Architecture::from_json(&space, &both.to_string())).1, "/tuple");
}

#[test]
fn every_preset_is_listed_and_others_are_refused() {
    let names: Vec<_> = presets().map(|(name, _)| name).collect();
    let stacked = [
        "darts-cifar",
        "bnas-cifar",
        "darts-imagenet",
        "darts-shared",
        "nas-bench-201",
        "pnas-cifar",
        "pnas-mobile",
        "pnas-imagenet",
    ];
    assert_eq!(names, [&["nse-19", "nse-27", "nse-27-small", "nse-72", "spos", "fairnas", "neas"][..], &stacked].concat());
    for (name, line) in presets() {
        assert_eq!(preset(name, json!({})).name(), name);
        assert!(!line.is_empty());
    }
    match Space::preset("nse-28", "{}") {
        Err(Error::Argument { name: "name", reason }) => {
            assert_eq!(reason, format!("\"nse-28\" is not a preset; there are {}", names.join(", ")))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn overrides_change_what_they_name_and_nothing_else() {
    let published = preset("nse-27", json!({}));
    let scaled = preset("nse-27", json!({ "scale": 1.04 }));
    assert_eq!(widths(&scaled), [16, 24, 40, 80, 96, 200, 336], "the published widths at 1.04; the first is never scaled");
    assert_eq!(kinds(&scaled), kinds(&published));

    assert_eq!(
        widths(&preset("nse-27", json!({ "scale": 0.5 }))),
        [16, 16, 24, 40, 48, 96, 160],
        "12 and 20 round up to 16 and 24"
    );
    assert_eq!(widths(&preset("nse-27", json!({ "scale": 0.5, "divisor": 1 }))), [16, 12, 20, 40, 48, 96, 160]);
    let never_more_than_a_tenth_below = [16, 16, 24, 40, 40, 88, 144];
    assert_eq!(widths(&preset("nse-27", json!({ "scale": 0.45 }))), never_more_than_a_tenth_below, "10.8 and 18 round up");
    assert_eq!(widths(&preset("nse-27", json!({ "scale": 0.01 }))), [16, 8, 8, 8, 8, 8, 8], "never below the divisor");
    assert_eq!(kinds(&preset("nse-27", json!({ "repeats": [1, 2, 2, 2, 2, 3] }))), "NRNNRNNRNNENNRNNNE");

    let own = preset(
        "nse-27-small",
        json!({ "input": { "channels": 3, "height": 32, "width": 20 }, "classes": 100, "layout": "NR", "repeats": [0, 2],
                "channels": [8, 12], "stem_stride": 1, "tail": 64, "operators": ["rec_k5_t2", "conv_k3_t1"] }),
    );
    assert_eq!((kinds(&own), widths(&own)), ("RNN".into(), vec![8, 16]));
    assert_eq!((own.input(), own.classes()), (Shape { channels: 3, height: 32, width: 20 }, 100));
    assert_eq!(own.features(), Shape { channels: 16, height: 16, width: 10 });
    assert_eq!((own.chain().unwrap().stem.stride, own.chain().unwrap().tail.cout), ([1, 1], 64));
    assert!(own.cells().iter().all(|c| c.operators.iter().map(Operator::to_string).eq(["rec_k5_t2", "conv_k3_t1"])));
}

#[test]
fn wrong_overrides_say_where() {
    let refused = [
        (json!({ "epoch": 3 }), "/epoch", "unknown field `epoch`"),
        (json!({ "input": { "channels": 3, "height": 32, "width": 32, "depth": 1 } }), "/input/depth", "unknown field `depth`"),
        (json!({ "classes": "ten" }), "/classes", "invalid type"),
        (json!({ "classes": 1 }), "/classes", "1 is not in 2 to 1000000"),
        (json!({ "layout": "NS" }), "/layout", "unknown variant `NS`"),
        (json!({ "layout": "NER", "repeats": [1, 2] }), "/repeats", "layout NER has 6 stages, not 2"),
        (json!({ "repeats": [1, 2, 2, 2, 2, 101] }), "/repeats", "0 to 100 normal cells"),
        (json!({ "layout": "NR", "repeats": [] }), "/repeats", "1 to 100 stages"),
        (json!({ "channels": [16, 24] }), "/channels", "2 widths for 7 stages"),
        (json!({ "scale": 0.0 }), "/scale", "0.0 is not in (0, 100]"),
        (json!({ "scale": 101.0 }), "/scale", "101.0 is not in (0, 100]"),
        (json!({ "divisor": 0 }), "/divisor", "0 is not in 1 to 1024"),
        (json!({ "operators": ["rec_k5_t2", "rec_k4_t2"] }), "/operators/1", "\"rec_k4_t2\" is not an operator"),
        (json!({ "operators": "nse-28" }), "/operators", "\"nse-28\" is not a published pool; there are nse-19, nse-27, nse-72"),
        (json!({ "input": { "channels": 0, "height": 32, "width": 32 } }), "/input/channels", "0 is not in 1 to 1024"),
        (json!([]), "", "expected an object, not a list"),
        (json!({ "input": [3, 32, 32] }), "/input", "expected an object, not a list"),
    ];
    for (overrides, pointer, reason) in refused {
        let (document, at, why) = config(Space::preset("nse-27", &overrides.to_string()));
        assert_eq!((document, at.as_str()), ("preset overrides", pointer), "{overrides}: {why}");
        assert!(why.contains(reason), "{overrides}: {why}");
    }
    assert_eq!(config(Space::preset("nse-27", "{} x")).1, "");
    assert_eq!(config(Space::preset("nse-27", "{")).1, "");
}

fn operators() -> impl Strategy<Value = Vec<String>> {
    let all: Vec<String> = operators_27().iter().map(Operator::to_string).collect();
    proptest::sample::subsequence(all, 1..8).prop_shuffle()
}

const KINDS: [&str; 3] = ["normal", "reduce", "expand"];

/// A valid space document: mixed kinds, some cells with operators of their own.
fn document() -> impl Strategy<Value = Value> {
    let cell = (0..KINDS.len(), 1u32..40, proptest::option::of(operators())).prop_map(|(kind, channels, own)| {
        let mut cell = json!({ "kind": (KINDS[kind]) });
        if kind > 0 {
            cell["channels"] = channels.into();
        }
        if let Some(own) = own {
            cell["operators"] = own.into();
        }
        cell
    });
    let cells = proptest::collection::vec(cell, 1..12);
    ("\\PC{0,12}", [1u32..5, 1u32..40, 1u32..40], 2u32..20, 1u32..30, 1u32..=4, cells, operators()).prop_map(
        |(name, [channels, height, width], classes, stem, stride, cells, operators)| {
            json!({ "name": name, "input": { "channels": channels, "height": height, "width": width }, "classes": classes,
                    "stem": { "channels": stem, "stride": stride, "kernel": 2 * stride - 1 }, "cells": cells, "operators": operators,
                    "tail": { "channels": classes + 1, "norm": stride == 1 } })
        },
    )
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn what_is_written_is_read_back(document in document()) {
        let space = Space::from_json(&document.to_string()).unwrap();
        prop_assert_eq!(space.cells().len(), document["cells"].as_array().unwrap().len());
        prop_assert_eq!(u64::from(space.chain().unwrap().stem.kernel[0]), document["stem"]["kernel"].as_u64().unwrap());
        prop_assert_eq!(space.chain().unwrap().tail.norm, document["tail"]["norm"].as_bool().unwrap());
        for (cell, written) in space.cells().iter().zip(document["cells"].as_array().unwrap()) {
            let wanted = written.get("operators").unwrap_or(&document["operators"]);
            prop_assert_eq!(serde_json::to_value(&cell.operators).unwrap(), wanted.clone());
        }
        let text = space.to_json();
        prop_assert_eq!(&Space::from_json(&text).unwrap(), &space);
        prop_assert_eq!(Space::from_json(&text).unwrap().to_json(), text);
    }
}

#[test]
fn presets_are_read_back() {
    for (name, _) in presets() {
        let space = preset(name, json!({}));
        assert_eq!(Space::from_json(&space.to_json()).unwrap(), space);
    }
    let mut document: Value = serde_json::from_str(&preset("nse-27", json!({})).to_json()).unwrap();
    assert_eq!(document["cells"][0], json!({ "kind": "normal" }), "shared operators are written once");
    document["operators"] = "nse-27".into();
    assert_eq!(Space::from_json(&document.to_string()).unwrap(), preset("nse-27", json!({})), "a published pool by its name");
}

#[test]
fn the_number_of_architectures_counts_subsets() {
    let space = preset("nse-27", json!({ "operators": ["rec_k5_t2", "rec_k5_t4", "conv_k3_t1"] }));
    // 16 cells with 8 subsets each, 6 that must not be empty with 7.
    assert!((space.log10_architectures() - (16.0 * 8f64.log10() + 6.0 * 7f64.log10())).abs() < 1e-9);
    let described = describe(&preset("nse-27", json!({})), None).unwrap();
    assert_eq!((described.cells, described.operators, described.most_operators_per_cell), (22, 594, 27));
    assert!((described.log10_architectures - 594.0 * 2f64.log10()).abs() < 1e-6);
}

#[test]
fn a_pool_lets_operators_leave_and_never_return() {
    let mut pool = Pool::new(vec![4, 1, 6, 0, 5, 2, 3], 3);
    assert_eq!((pool.active(), pool.pending()), (&[1, 4, 6][..], &[0, 5, 2, 3][..]));
    pool.drop_operator(4);
    assert_eq!((pool.active(), pool.pending()), (&[1, 6][..], &[0, 5, 2, 3][..]), "a dropped operator is not pending");
    pool.evolve(vec![6], 3);
    assert_eq!((pool.active(), pool.pending()), (&[0, 5, 6][..], &[2, 3][..]), "next in the order of the pool");
    pool.evolve(vec![0, 5, 6], 3);
    assert_eq!((pool.active(), pool.pending()), (&[0, 5, 6][..], &[2, 3][..]), "full: nothing comes");
    pool.evolve(vec![0, 5, 6], 2);
    assert_eq!((pool.active(), pool.pending()), (&[0, 5, 6][..], &[2, 3][..]), "what is retained may exceed the size");
    pool.evolve(vec![], 5);
    assert_eq!((pool.active(), pool.pending()), (&[2, 3][..], &[][..]), "the rest, fewer than the size");
    let small = Pool::new(vec![1, 0], 5);
    assert_eq!((small.active(), small.pending()), (&[0, 1][..], &[][..]));
}
