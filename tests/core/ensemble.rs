//! Ensembles as architectures: the canonical form, JSON, code, costs that count what is shared once, and errors that name the bad value.

use crate::support::{cases, chain, config};
use nse::arch::{Architecture, Variant};
use nse::cost::{describe_architecture, latency_keys, Cost, CostTable, LatencyTable, Metric, Prices};
use nse::search::{Drive, Outcome, Search, SearchOptions, Start};
use nse::space::Space;
use nse::Error;
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

fn space() -> Space {
    chain(
        8,
        4,
        &[
            ("normal", 0, &["conv_k1_t1", "conv_k3_t1", "mbconv_k3_t3"]),
            ("reduce", 6, &["conv_k3_t1", "mbconv_k3_t3"]),
            ("normal", 0, &["conv_k1_t1", "mbconv_k5_t3"]),
            ("expand", 8, &["conv_k1_t1", "mbconv_k3_t1"]),
        ],
    )
}

type Cells = Vec<Vec<u16>>;

fn cells(list: &[&[u16]]) -> Cells {
    list.iter().map(|cell| cell.to_vec()).collect()
}

fn ensemble(shared: &[&[u16]], paths: &[&[&[u16]]]) -> nse::Result<Architecture> {
    Architecture::ensemble(&space(), cells(shared), paths.iter().map(|path| cells(path)).collect())
}

/// Two paths that part behind the reduce cell.
fn two() -> Architecture {
    ensemble(&[&[1], &[0]], &[&[&[1], &[0]], &[&[], &[1, 0]]]).unwrap()
}

#[test]
fn the_order_of_paths_says_nothing() {
    let swapped = ensemble(&[&[1], &[0]], &[&[&[], &[0, 1, 0]], &[&[1], &[0]]]).unwrap();
    assert_eq!(two(), swapped);
    assert_eq!(two().code(&space()), swapped.code(&space()));
    assert_eq!(two().to_json(&space()), swapped.to_json(&space()));
    assert_ne!(two(), ensemble(&[&[1], &[0]], &[&[&[1], &[0]], &[&[1], &[0]]]).unwrap(), "paths may be equal");
    let paths = two().paths();
    assert_eq!((paths.count(), paths.split(), paths.cells(), paths.places()), (2, 2, 4, 6));
    let labels: Vec<_> = (0..6).map(|place| paths.label(place)).collect();
    assert_eq!(labels, ["cell0", "cell1", "path0.cell2", "path0.cell3", "path1.cell2", "path1.cell3"]);
    let members = [cells(&[&[1], &[0], &[], &[0, 1]]), cells(&[&[1], &[0], &[1], &[0]])];
    assert_eq!(two().members(), members.map(|member| Architecture::new(&space(), member).unwrap()));
    assert_eq!(Architecture::joined(&space(), 2, &two().members()).unwrap(), two());
}

#[test]
fn json_and_code_are_read_back() {
    let space = space();
    let document = json!({
        "space": "chain", "cells": [["conv_k3_t1"], ["conv_k3_t1"]],
        "paths": [[[], ["conv_k1_t1", "mbconv_k3_t1"]], [["mbconv_k5_t3"], ["conv_k1_t1"]]]
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&two().to_json(&space)).unwrap(), document);
    assert_eq!(Architecture::from_json(&space, &document.to_string()).unwrap(), two());
    assert_eq!(Architecture::from_code(&space, &two().code(&space)).unwrap(), two());
    // As in a checkpoint; what was there before ensembles is read as it was.
    let kept = serde_json::to_value(two()).unwrap();
    assert_eq!(serde_json::from_value::<Architecture>(kept).unwrap(), two());
    let single = two().member(0);
    assert_eq!(serde_json::to_value(&single).unwrap(), json!([[1], [0], [], [0, 1]]));
    assert!(serde_json::from_value::<Architecture>(json!({ "cells": [], "paths": [[[0]], []] })).is_err());
}

#[test]
fn every_other_spelling_of_a_code_is_refused() {
    let code = two().code(&space());
    assert!(code.starts_with("e1"));
    let refused = |code: &str| match Architecture::from_code(&space(), code) {
        Err(Error::Argument { reason, .. }) => reason,
        other => panic!("{code}: {other:?}"),
    };
    for at in 0..code.len() {
        for digit in "0123456789abcdefghjkmnpqrstvwxyz".chars().filter(|digit| !code[at..].starts_with(*digit)) {
            refused(&format!("{}{digit}{}", &code[..at], &code[at + 1..]));
        }
    }
    assert!(refused("x1aaaa.111").contains("\"n1\""));
}

#[test]
fn wrong_documents_say_where() {
    let (c, m) = ("conv_k3_t1", "mbconv_k3_t3");
    let path = json!([["conv_k1_t1"], ["conv_k1_t1"]]);
    let refused = [
        (json!({ "cells": [[c], [c]], "paths": [path] }), "/paths", "1 paths, an ensemble has 2 to 16"),
        (json!({ "cells": [[c], [c]], "paths": [] }), "/paths", "0 paths"),
        (json!({ "cells": [[c], [c]], "paths": vec![path.clone(); 17] }), "/paths", "17 paths"),
        (
            json!({ "cells": [[c], [c]], "paths": [path, [[]]] }),
            "/paths/1",
            "1 cells behind 2 shared ones, the space \"chain\" has 4",
        ),
        (json!({ "cells": [[c], [c], [], [], []], "paths": [[], []] }), "/cells", "5 cells, the space \"chain\" has 4"),
        (json!({ "cells": [[c], []], "paths": [path, path] }), "/cells/1", "a reduce cell needs at least one operator"),
        (json!({ "cells": [[c], [c]], "paths": [path, [[], []]] }), "/paths/1/1", "an expand cell needs at least one operator"),
        (
            json!({ "cells": [[c], [c]], "paths": [path, [[m], [c]]] }),
            "/paths/1/0/0",
            "mbconv_k3_t3 is not a candidate of this cell",
        ),
        (
            json!({ "cells": [[c], [c]], "paths": [path, [["conv_k2_t1"], [c]]] }),
            "/paths/1/0/0",
            "\"conv_k2_t1\" is not an operator",
        ),
        (json!({ "paths": [path, path] }), "", "missing field `cells`"),
        (json!({ "genotype": "darts-v2", "paths": [path, path] }), "/paths", "beside \"genotype\""),
    ];
    for (document, pointer, reason) in refused {
        let (name, at, why) = config(Architecture::from_json(&space(), &document.to_string()));
        assert_eq!((name, at.as_str()), ("architecture", pointer), "{document}: {why}");
        assert!(why.contains(reason), "{document}: {why}");
    }
    let stacked = Space::preset("nas-bench-201", "{}").unwrap();
    let refused = Architecture::ensemble(&stacked, Vec::new(), vec![vec![vec![0]; 6]; 2]);
    assert!(matches!(refused, Err(Error::UnsupportedSpace { what: "an ensemble", .. })), "{refused:?}");
}

fn cost(architecture: &Architecture) -> Cost {
    CostTable::new(&space()).architecture(architecture)
}

#[test]
fn what_is_shared_costs_once() {
    // By hand: stem 8 x 8 x 9 x 4, cell 0 and 1 and what the paths have, tail and classifier of each.
    let (space, table) = (space(), CostTable::new(&space()));
    let shared = 64 * 9 * 4 + table.branches(0, &[1]).macs + table.branches(1, &[0]).macs;
    let own = table.branches(2, &[1]).macs + table.branches(3, &[0]).macs + table.branches(3, &[0, 1]).macs;
    let head = 16 * 8 + 2;
    assert_eq!(cost(&two()).macs, shared + own + 2 * head);
    let members: u64 = two().members().iter().map(|member| cost(member).macs).sum();
    assert_eq!(members - cost(&two()).macs, shared, "(K - 1) times what is shared");
    let described = describe_architecture(&space, &two(), Variant::default());
    assert_eq!(described["saved"]["macs"], shared);
    assert_eq!((&described["paths"], &described["split"], &described["macs"]), (&json!(2), &json!(2), &json!(cost(&two()).macs)));
    assert_eq!(described["cells"].as_array().unwrap().len(), 6);
    assert_eq!((&described["cells"][4]["path"], &described["cells"][4]["cell"]), (&json!(1), &json!(2)));
    // With squeeze-excitation too: it is in every branch, shared or not.
    let excited =
        |a: &Architecture| nse::cost::variant_cost(&space, a, Variant { squeeze_excitation: true, ..Variant::default() });
    let apart: u64 = two().members().iter().map(|member| excited(member).macs).sum();
    let modules = excited(&two().member(0)).macs - cost(&two().member(0)).macs;
    assert!(modules > 0 && apart - excited(&two()).macs > shared);
}

#[test]
fn a_later_split_is_cheaper_by_what_is_shared() {
    let space = space();
    let path = Architecture::new(&space, cells(&[&[1], &[0], &[1], &[0]])).unwrap();
    let table = CostTable::new(&space);
    for count in [2, 3, 16] {
        let of = |split: usize| cost(&Architecture::joined(&space, split, &vec![path.clone(); count]).unwrap());
        for split in 0..4 {
            let saved = table.branches(split, &path.cells()[split]);
            assert_eq!(of(split).macs - of(split + 1).macs, (count as u64 - 1) * saved.macs);
            assert_eq!(of(split).params - of(split + 1).params, (count as u64 - 1) * saved.params);
        }
        assert_eq!(of(4).macs, cost(&path).macs + (count as u64 - 1) * table.head().macs, "all but the heads is shared");
    }
}

#[test]
fn latencies_count_what_is_shared_once() {
    let space = space();
    let mut latencies = LatencyTable::new("ms").unwrap();
    for (i, key) in latency_keys(&space).into_iter().enumerate() {
        latencies.set(key, 1.0 + i as f64 / 7.0).unwrap();
    }
    let resolved = latencies.resolve(&space).unwrap();
    let whole = latencies.architecture(&space, &two()).unwrap();
    assert!((resolved.architecture(&space, &two()) - whole).abs() < 1e-9);
    let prices = Prices::of(&space, &CostTable::new(&space), Metric::Latency, Some(&latencies)).unwrap();
    assert!((Metric::Latency.amount(prices.architecture(&two())) - whole).abs() < 1e-6);
    // The saving is what all paths share: the stem, and what two networks that are equal as far as the split have in common.
    let members: f64 = two().members().iter().map(|member| latencies.architecture(&space, member).unwrap()).sum();
    let three = Architecture::joined(&space, 2, &[two().member(0), two().member(0), two().member(1)]).unwrap();
    let third = latencies.architecture(&space, &three).unwrap() - whole;
    let saved = latencies.architecture(&space, &two().member(0)).unwrap() - third;
    assert!((members - whole - saved).abs() < 1e-9 && saved > 0.0);
}

#[test]
fn a_search_of_networks_has_no_ensembles() {
    let space = Arc::new(space());
    let options = SearchOptions::from_json(r#"{"objective": {"low": 1, "high": 1e9}, "active": 2}"#).unwrap();
    let start = Start { drive: Drive::Told, ..Start::default() };
    let mut search = Search::start(space.clone(), options.clone(), start).unwrap();
    let refused = search.tell(&two(), Outcome::accuracy(0.5));
    assert!(refused.is_err_and(|error| error.to_string().contains("2 paths, the search is of single networks")));
    let front = vec![(space.clone(), two())];
    let refused = Search::start(space, options, Start { front, ..Start::default() });
    assert!(refused.is_err_and(|error| error.to_string().contains("2 paths, the search is of single networks")));
}

/// Any ensemble of the preset: split, number of paths, operators of every place.
fn any() -> impl Strategy<Value = (usize, usize, Vec<Cells>)> {
    let path = proptest::collection::vec(proptest::collection::vec(0u16..27, 1..3), 7);
    (0usize..8, 2usize..6, proptest::collection::vec(path, 5))
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn any_ensemble_survives_every_form((split, count, all) in any()) {
        let space = Space::preset("nse-27-small", "{}").unwrap();
        let shared = all[0][..split].to_vec();
        let paths: Vec<Cells> = all[..count].iter().map(|path| path[split..].to_vec()).collect();
        let architecture = Architecture::ensemble(&space, shared.clone(), paths.clone()).unwrap();
        let backwards = Architecture::ensemble(&space, shared, paths.into_iter().rev().collect()).unwrap();
        prop_assert_eq!(&backwards, &architecture);
        prop_assert_eq!(&Architecture::from_json(&space, &architecture.to_json(&space)).unwrap(), &architecture);
        prop_assert_eq!(&Architecture::from_code(&space, &architecture.code(&space)).unwrap(), &architecture);
        prop_assert_eq!(&architecture.again(&space).unwrap(), &architecture);
        let table = CostTable::new(&space);
        let members: u64 = architecture.members().iter().map(|member| table.architecture(member).macs).sum();
        let shared: u64 = (0..split).map(|cell| table.branches(cell, &architecture.cells()[cell]).macs).sum();
        let stem = table.fixed().macs - table.head().macs;
        prop_assert_eq!(members - table.architecture(&architecture).macs, (count as u64 - 1) * (stem + shared));
    }
}
