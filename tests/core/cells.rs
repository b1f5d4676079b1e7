//! Spaces of stacked cells: how many architectures they have, what published ones cost to the digit, the JSON form, and what they cannot do.

use crate::support;
use nse::arch::{presets, Architecture, Variant};
use nse::cost::{describe, describe_architecture, CostTable, LatencyTable, Metric, Prices};
use nse::data::Normalisation;
use nse::export::{Card, Graph};
use nse::search::{Drive, Search, SearchOptions, Start};
use nse::space::{CellKind, Shape, Space};
use nse::Error;
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Place and reason.
fn config(error: Error) -> (String, String) {
    let (_, pointer, reason) = support::config::<()>(Err(error));
    (pointer, reason)
}

fn space(name: &str, overrides: Value) -> Space {
    Space::preset(name, &overrides.to_string()).unwrap()
}

/// Parameters and multiply-accumulates of a published architecture.
fn cost(name: &str, overrides: Value) -> (u64, u64) {
    let (space, architecture) = Architecture::preset(name, &overrides.to_string()).unwrap();
    let cost = CostTable::new(&space).architecture(&architecture);
    (cost.params, cost.macs)
}

/// In another network than the one it was published with.
fn moved(name: &str, to: &str) -> (u64, u64) {
    let space = space(to, json!({}));
    let cost = CostTable::new(&space).architecture(&Architecture::from_genotype(&space, name).unwrap());
    (cost.params, cost.macs)
}

/// Parameters without an auxiliary head, as the published training prints them ("param size = 3.349342MB").
#[test]
fn on_cifar() {
    assert_eq!(cost("darts-v1", json!({})), (3_169_414, 500_987_520));
    assert_eq!(cost("darts-v2", json!({})), (3_349_342, 528_359_040));
    assert_eq!(cost("pdarts", json!({})), (3_433_798, 532_174_464));
    assert_eq!(cost("pc-darts-cifar", json!({})), (3_634_678, 556_670_592));
    assert_eq!(moved("darts-abs", "darts-cifar"), (3_971_854, 619_956_864));
    // Published as 2,499,814 with steps that keep their channels apart; as plain convolutions it has less.
    assert_eq!(cost("bnas", json!({})), (2_492_902, 394_570_368));
}

#[test]
fn on_imagenet() {
    assert_eq!(moved("darts-v1", "darts-imagenet"), (4_510_432, 505_864_704));
    assert_eq!(moved("darts-v2", "darts-imagenet"), (4_718_752, 529_911_552));
    assert_eq!(cost("pc-darts-imagenet", json!({})), (5_342_464, 581_627_328));
    assert_eq!(cost("darts-search", json!({})), (4_039_840, 445_973_376));
    assert_eq!(cost("pdarts-search", json!({})), (5_077_696, 563_545_152));
    assert_eq!(cost("darts-abs", json!({})), (5_590_144, 618_920_640));
    assert_eq!(cost("pdarts-abs", json!({})), (5_812_288, 644_322_240));
    // "547M" and "570M".
    assert_eq!(cost("darts-abs", json!({ "channels": 45 })), (4_978_098, 546_834_996));
    assert_eq!(cost("pdarts-abs", json!({ "channels": 45 })), (5_175_018, 569_378_916));
}

/// Published counts have the biases of the classifier in them: 220.119690 M, 554.486410 M, 507.022888 M.
#[test]
fn published_counts_of_other_tools() {
    let published = |space: &Space, architecture: &Architecture| {
        let costs = CostTable::new(space);
        let cost = costs.architecture(architecture);
        (cost.params, costs.published_macs(cost))
    };
    let (bench, dearest) = Architecture::preset("conv3x3-201", "{}").unwrap();
    assert_eq!(published(&bench, &dearest), (1_531_546, 220_119_690));
    assert_eq!(cost("resnet-201", json!({})), (559_386, 78_561_920));
    let nothing = Architecture::new(&bench, vec![Vec::new(); 6]).unwrap();
    assert_eq!(published(&bench, &nothing), (73_306, 7_783_050));
    let pointwise = Architecture::uniform(&bench, &"nor_conv_1x1".parse().unwrap()).unwrap();
    assert_eq!(published(&bench, &pointwise), (241_306, 31_376_010));
    let hundred = Architecture::preset("conv3x3-201", r#"{"classes": 100}"#).unwrap();
    assert_eq!(published(&hundred.0, &hundred.1), (1_537_396, 220_125_540));
    let cifar = space("darts-cifar", json!({}));
    let pvll = "PVLL_NAS = Genotype(normal=[('sep_conv_5x5', 0), ('dil_conv_3x3', 1), ('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('avg_pool_3x3', 3), \
                ('dil_conv_5x5', 1), ('sep_conv_3x3', 1), ('max_pool_3x3', 0)], reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', 0), ('max_pool_3x3', 1), \
                ('dil_conv_3x3', 2), ('dil_conv_5x5', 2), ('sep_conv_5x5', 0), ('dil_conv_3x3', 1), ('skip_connect', 2)])";
    assert_eq!(published(&cifar, &Architecture::from_genotype(&cifar, pvll).unwrap()), (3_505_726, 554_486_410));
    let imagenet = space("darts-imagenet", json!({}));
    let d0 = "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('sep_conv_3x3', 2), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), \
              ('max_pool_3x3', 3), ('sep_conv_3x3', 3), ('max_pool_3x3', 1)], reduce=[('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('skip_connect', 1), \
              ('max_pool_3x3', 2), ('max_pool_3x3', 0), ('sep_conv_5x5', 2), ('dil_conv_5x5', 3), ('avg_pool_3x3', 0)])";
    assert_eq!(published(&imagenet, &Architecture::from_genotype(&imagenet, d0).unwrap()), (4_618_048, 507_022_888));
}

#[test]
fn counts_are_the_published_ones() {
    let counted = |name: &str| {
        let space = space(name, json!({}));
        let described = describe(&space, None).unwrap();
        (described.cells, described.operators, described.single_branch, described.genotypes)
    };
    let some = |digits: &str| Some(digits.to_owned());
    assert_eq!(counted("nas-bench-201"), (6, 24, "15625".into(), None));
    // 8^14, by which ABS counts; 1,037,664,180 genotypes for each kind of cells, by which DARTS does.
    assert_eq!(counted("darts-shared"), (14, 98, "4398046511104".into(), some("1037664180")));
    assert_eq!(counted("darts-cifar"), (28, 196, "19342813113834066795298816".into(), some("1076746950455072400")));
    assert_eq!(counted("darts-imagenet").2, "19342813113834066795298816");
    // And of chains: 28 choices in 15 cells, 27 in 7 of the 22.
    let chain = describe(&space("nse-27", json!({})), None).unwrap();
    assert_eq!(chain.single_branch, (28u128.pow(16) * 27u128.pow(6)).to_string());
}

/// 6,466 different networks among 15,625 cells.
#[test]
fn cells_that_are_the_same_network() {
    let space = space("nas-bench-201", json!({ "cells": 1, "channels": 2 }));
    let mut topologies = BTreeSet::new();
    for code in 0..15_625 {
        let choice = |edge| match code / 5usize.pow(edge) % 5 {
            0 => Vec::new(),
            operator => vec![operator as u16 - 1],
        };
        let architecture = Architecture::new(&space, (0..6).map(choice).collect()).unwrap();
        topologies.insert(architecture.topology(&space).unwrap());
    }
    assert_eq!(topologies.len(), 6_466);
    let of = |text: &str| Architecture::from_genotype(&space, text).unwrap().topology(&space).unwrap();
    assert_eq!(of("|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"), "#+#+#+(0)@nor_conv_1x1");
    assert_eq!(of("|none~0|+|avg_pool_3x3~0|none~1|+|skip_connect~0|none~1|none~2|"), "#+#+0");
}

/// By hand: on one edge of a cell that halves the size, and of one that does not.
#[test]
fn operators_by_hand() {
    let space = space("darts-cifar", json!({ "cells": 3, "channels": 4, "input": { "channels": 1, "height": 8, "width": 8 } }));
    let stack = space.stack().unwrap();
    let costs = CostTable::new(&space);
    let at = |graph, from, to, name: &str| {
        let edge = stack.find(graph, from, to).unwrap();
        let operator = space.cells()[edge].find(&name.parse().unwrap()).unwrap();
        let cost = costs.operator(edge, operator);
        (cost.params, cost.macs)
    };
    // The normal cell, 8x8 with 4 channels: two times (depthwise 4 x 9, 1x1 4 x 4, norm 8).
    assert_eq!(at(0, 0, 2, "sep_conv_3x3"), (2 * (36 + 16 + 8), 2 * (36 + 16) * 64));
    assert_eq!(at(0, 4, 5, "dil_conv_5x5"), (100 + 16 + 8, 116 * 64));
    assert_eq!(at(0, 1, 2, "skip_connect"), (0, 0));
    // The reduction cells: 8 channels from 8x8 to 4x4, and 16 from 4x4 to 2x2.
    assert_eq!(at(1, 0, 2, "skip_connect"), (64 + 16 + 256 + 32, 64 * 16 + 256 * 4));
    assert_eq!(at(1, 2, 3, "skip_connect"), (0, 0), "between its own nodes nothing is halved");
    assert_eq!(at(1, 1, 5, "max_pool_3x3"), (0, 0));
    let halved = |c: u64, side: u64| 2 * (c * 9 + c * c) * side * side;
    assert_eq!(at(1, 1, 2, "sep_conv_3x3").1, halved(8, 4) + halved(16, 2));
    assert_eq!((space.features(), space.pooled()), (Shape { channels: 64, height: 2, width: 2 }, space.features()));
    assert_eq!(stack.label(stack.find(1, 1, 5).unwrap()), "reduce 1->5");
}

#[test]
fn sizes_that_are_odd_are_rounded_up() {
    for name in ["darts-cifar", "darts-imagenet", "nas-bench-201", "pnas-cifar", "pnas-mobile"] {
        let space = space(name, json!({ "cells": 3, "channels": 8, "input": { "channels": 1, "height": 27, "width": 13 } }));
        let (height, width) = if ["darts-imagenet", "pnas-mobile"].contains(&name) { (1, 1) } else { (7, 4) };
        assert_eq!((space.features().height, space.features().width), (height, width), "{name}");
    }
}

#[test]
fn json_forms_are_read_again() {
    for name in ["darts-cifar", "darts-imagenet", "darts-shared", "nas-bench-201", "pnas-cifar", "pnas-mobile", "pnas-imagenet"] {
        let space = space(name, json!({ "channels": 10, "input": { "channels": 1, "height": 28, "width": 28 } }));
        assert_eq!(Space::from_json(&space.to_json()).unwrap(), space);
        assert!(space.chain().is_none() && space.cells().iter().all(|cell| cell.kind == CellKind::Edge));
    }
    let full = space("darts-shared", json!({ "operators": ["sep_conv_3x3", "max_pool_3x3", "conv_7x1_1x7", "sep_conv_7x7"] }));
    assert!(full.cells().iter().all(|cell| !cell.may_be_skipped()));
    assert_eq!(Space::from_json(&full.to_json()).unwrap(), full);
    assert!(Architecture::new(&full, vec![Vec::new(); 14])
        .unwrap_err()
        .to_string()
        .contains("an edge needs at least one operator"));
    for (name, _) in presets() {
        let (space, architecture) = Architecture::preset(name, "{}").unwrap();
        assert_eq!(Architecture::from_json(&space, &architecture.to_json(&space)).unwrap(), architecture);
        assert_eq!(Architecture::from_code(&space, &architecture.code(&space)).unwrap(), architecture);
    }
}

#[test]
fn what_is_wrong_in_a_document_is_named() {
    let stack = |changes: Value| {
        let mut document = json!({ "name": "own", "input": { "channels": 1, "height": 8, "width": 8 }, "classes": 2,
            "stack": { "skeleton": "darts-cifar", "channels": 4, "cells": 3, "nodes": 2, "operators": "darts" } });
        for (key, value) in changes.as_object().unwrap() {
            document["stack"][key] = value.clone();
        }
        Space::from_json(&document.to_string())
    };
    assert!(stack(json!({})).is_ok());
    let refused = |changes: Value| config(stack(changes).unwrap_err());
    let at = |pointer: &str, reason: &str| (pointer.to_owned(), reason.to_owned());
    assert_eq!(refused(json!({ "cells": 2 })), at("/stack/cells", "2 is not in 3 to 100"));
    assert_eq!(refused(json!({ "channels": 1 })), at("/stack/channels", "1 is not in 2 to 4096"));
    assert_eq!(refused(json!({ "nodes": 13 })), at("/stack/nodes", "13 is not in 1 to 12"));
    assert_eq!(refused(json!({ "operators": ["none"] })), at("/stack/operators", "no operator"));
    assert_eq!(refused(json!({ "operators": ["skip_connect", "skip_connect"] })).0, "/stack/operators/1");
    assert_eq!(
        refused(json!({ "operators": ["mbconv_k3_t3"] })),
        at("/stack/operators/0", "mbconv_k3_t3 is an operator of a chain; on an edge there are those like sep_conv_3x3")
    );
    assert_eq!(
        refused(json!({ "operators": "nse-27" })),
        at("/stack/operators", "\"nse-27\" is not a published pool of stacked cells; there are darts, nas-bench-201, pnas")
    );
    assert_eq!(refused(json!({ "operators": ["sep_conv_4x4"] })).0, "/stack/operators/0");
    assert_eq!(refused(json!({ "skeleton": "nas-bench-201", "shared": true })).0, "/stack/shared");
    assert!(refused(json!({ "skeleton": "resnet" })).1.contains("unknown variant `resnet`"));
    assert!(refused(json!({ "head": 3 })).1.contains("unknown field `head`"));
    // Neither goes in the other.
    let chain = r#"{"name": "c", "input": {"channels": 1, "height": 8, "width": 8}, "classes": 2, "stem": {"channels": 4, "stride": 1},
        "cells": [{"kind": "normal"}], "operators": ["sep_conv_3x3"], "tail": {"channels": 8}}"#;
    let refused = config(Space::from_json(chain).unwrap_err());
    assert_eq!(refused, at("/operators", "/cells/0: sep_conv_3x3 belongs on the edges of stacked cells, not in a chain"));
    let edge = config(Space::from_json(&chain.replace("\"normal\"", "\"edge\"")).unwrap_err());
    assert!(edge.1.contains("unknown variant `edge`"), "{}", edge.1);
    let overrides = |text: &str| config(Space::preset("nas-bench-201", text).unwrap_err());
    assert_eq!(overrides(r#"{"cells": 0}"#), at("/cells", "0 is not in 1 to 100"));
    assert!(overrides(r#"{"scale": 2}"#).1.contains("unknown field `scale`"));
    assert!(overrides(r#"{"cells": null}"#).0 == "/cells");
}

#[test]
fn what_stacked_cells_have_not_is_said() {
    let space = space("nas-bench-201", json!({}));
    let architecture = Architecture::new(&space, vec![Vec::new(); 6]).unwrap();
    let refused = |error: Error| match error {
        Error::UnsupportedSpace { what, space } => (what, space),
        other => panic!("{other}"),
    };
    let table = LatencyTable::new("ms").unwrap();
    let own = |what| (what, "nas-bench-201".to_owned());
    assert_eq!(refused(table.resolve(&space).unwrap_err()), own("a latency by look-up"));
    assert_eq!(refused(table.architecture(&space, &architecture).unwrap_err()), own("a latency by look-up"));
    assert_eq!(refused(describe(&space, Some(&table)).unwrap_err()), own("a latency by look-up"));
    let variant = Variant::from_json(r#"{"squeeze_excitation": true}"#).unwrap();
    assert_eq!(refused(variant.fits(&space).unwrap_err()), own("squeeze-excitation"));
    assert!(Variant::from_json(r#"{"activation": "swish"}"#).unwrap().fits(&space).is_ok());
}

/// A price is the same as the cost, and the dearest architecture has everything open.
#[test]
fn prices_add_up() {
    let space = space("nas-bench-201", json!({}));
    let costs = CostTable::new(&space);
    let prices = Prices::of(&space, &costs, Metric::Params, None).unwrap();
    let (least, greatest) = prices.range(&space);
    assert_eq!((least, greatest), (73_306, 73_306 + (1_531_546 - 73_306) + (241_306 - 73_306)));
    let described = describe(&space, None).unwrap();
    assert_eq!(described.params.least, 73_306.0);
}

#[test]
fn an_architecture_is_described_edge_by_edge() {
    let (space, architecture) = Architecture::preset("resnet-201", "{}").unwrap();
    let described = describe_architecture(&space, &architecture, Variant::default());
    assert_eq!(described["cells"][0]["edge"], "cell 0->1");
    assert_eq!(described["cells"][0]["kind"], "edge");
    assert_eq!(described["cells"][0]["operators"], json!(["nor_conv_3x3"]));
    assert_eq!(described["genotype"], "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|");
    assert_eq!(described["topology"], "#+#+((0)@nor_conv_3x3)@nor_conv_3x3+0");
    let svg = nse::report::draw_architecture(&space, &architecture);
    assert!(svg.contains("cell node 3") && svg.contains("of 2, ") && svg.contains("nor_conv_3x3"), "{svg}");
}

/// Every weight of a network has a name and a shape, and together they are what it costs.
#[test]
fn weights_are_as_many_as_they_cost() {
    let normalisation = |channels| Normalisation { mean: vec![0.5; channels], std: vec![0.5; channels] };
    let weights = |space: Space, architecture: Architecture| {
        let normalisation = normalisation(space.input().channels as usize);
        let card = Card { space: Arc::new(space), architecture, variant: Variant::default(), normalisation };
        assert_eq!(Card::from_json(&card.to_json(false)).unwrap(), card);
        let trained = Graph::shapes(&card).into_iter().filter(|(name, _)| !name.contains(".running_"));
        trained.map(|(_, shape)| shape.iter().product::<usize>() as u64).sum::<u64>()
    };
    for (name, _) in presets() {
        let (space, architecture) = Architecture::preset(name, "{}").unwrap();
        let cost = CostTable::new(&space).architecture(&architecture);
        assert_eq!(weights(space, architecture), cost.params, "{name}");
    }
    // A convolution that leads to nothing costs, as in published counts, and is left out of the network.
    let bench = space("nas-bench-201", json!({}));
    let dead =
        Architecture::from_genotype(&bench, "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|none~1|none~2|").unwrap();
    assert_eq!(CostTable::new(&bench).architecture(&dead).params, 73_306 + (241_306 - 73_306 + 1_531_546 - 73_306) / 6);
    assert_eq!(bench.stack().unwrap().alive(dead.cells()), [vec![], vec![], vec![], vec![0], vec![], vec![]]);
    assert_eq!(weights(bench, dead), 73_306);
}

#[test]
fn fitness_is_not_learnt() {
    let space = Arc::new(space("nas-bench-201", json!({})));
    let begun = |drive| {
        let options = SearchOptions::from_json(r#"{"objective": {"low": 0, "high": 1e9}}"#).unwrap();
        Search::start(space.clone(), options, Start { drive, ..Start::default() })
    };
    for drive in [Drive::Steps, Drive::Pushed] {
        match begun(drive).err() {
            Some(Error::UnsupportedSpace { what, space }) => {
                assert_eq!((what, space.as_str()), ("a search that learns fitness (option \"scorer\")", "nas-bench-201"))
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(begun(Drive::Told).is_ok());
}

/// The text of a node has that of every earlier one in it, so often as operators lead there.
#[test]
fn a_topology_that_is_too_long_is_none() {
    let document = json!({ "name": "deep", "input": { "channels": 1, "height": 8, "width": 8 }, "classes": 2,
        "stack": { "skeleton": "nas-bench-201", "channels": 4, "cells": 1, "nodes": 12, "operators": "nas-bench-201" } });
    let space = Space::from_json(&document.to_string()).unwrap();
    let of = |open: Vec<u16>| {
        let architecture = Architecture::new(&space, vec![open; space.cells().len()]).unwrap();
        (architecture.topology(&space), describe_architecture(&space, &architecture, Variant::default()))
    };
    let (all, described) = of(vec![0, 1, 2, 3]);
    assert!(all.is_none() && described["topology"].is_null());
    assert!(of(vec![0]).0.is_some_and(|text| text.len() < 1 << 16));
}
