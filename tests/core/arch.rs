//! Architectures: the canonical form, the JSON form, and errors that point at the wrong cell.

use crate::support::{architectures, cases, chain, config, everything};
use nse::arch::Architecture;
use nse::space::Space;
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashSet;

fn space() -> Space {
    chain(
        4,
        2,
        &[
            ("normal", 0, &["conv_k1_t1", "conv_k3_t1", "rec_k3_t1"]),
            ("reduce", 4, &["conv_k3_t1", "conv_k1_t1"]),
            ("expand", 6, &["conv_k1_t1", "dualconv_k3_t1"]),
        ],
    )
}

fn new(cells: &[&[u16]]) -> nse::Result<Architecture> {
    Architecture::new(&space(), cells.iter().map(|c| c.to_vec()).collect())
}

#[test]
fn equal_sets_are_equal() {
    let one = new(&[&[2, 0], &[1, 1, 0], &[0]]).unwrap();
    let two = new(&[&[0, 2, 0], &[0, 1], &[0, 0]]).unwrap();
    assert_eq!(one, two);
    assert_eq!(one.cells(), [vec![0, 2], vec![0, 1], vec![0]]);
    assert_eq!(HashSet::from([one.clone(), two]).len(), 1);
    assert_ne!(one, new(&[&[0], &[0, 1], &[0]]).unwrap());
}

#[test]
fn the_order_is_that_of_the_operators() {
    let mut all = architectures(&space(), &everything(&space()));
    assert_eq!(all.len(), 8 * 3 * 3);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8 * 3 * 3);
    assert!(all.windows(2).all(|pair| pair[0].cells() < pair[1].cells()));
}

#[test]
fn a_normal_cell_may_be_empty_and_no_other() {
    assert!(new(&[&[], &[0], &[0]]).is_ok());
    let refused = |cells: &[&[u16]]| {
        let (document, pointer, reason) = config(new(cells));
        assert_eq!(document, "architecture");
        (pointer, reason)
    };
    assert_eq!(refused(&[&[], &[], &[0]]), ("/cells/1".into(), "a reduce cell needs at least one operator".into()));
    // The kind is said without an article that would need to fit it.
    let (pointer, reason) = refused(&[&[], &[0], &[]]);
    assert!(pointer == "/cells/2" && reason.contains("expand cell needs at least one operator"), "{pointer}: {reason}");
    assert_eq!(refused(&[&[0], &[2], &[0]]), ("/cells/1".into(), "operator 2 of 2".into()));
    assert_eq!(refused(&[&[u16::MAX], &[0], &[0]]), ("/cells/0".into(), "operator 65535 of 3".into()));
    assert_eq!(refused(&[&[0], &[0]]), ("/cells".into(), "2 cells, the space \"chain\" has 3".into()));
    assert_eq!(refused(&[&[0], &[0], &[0], &[0]]).0, "/cells");
}

#[test]
fn names_are_those_of_the_space() {
    let space = space();
    let architecture = new(&[&[2, 0], &[1], &[1]]).unwrap();
    assert_eq!(architecture.names(&space), [vec!["conv_k1_t1", "rec_k3_t1"], vec!["conv_k1_t1"], vec!["dualconv_k3_t1"]]);
    let text: serde_json::Value = serde_json::from_str(&architecture.to_json(&space)).unwrap();
    assert_eq!(text, json!({ "space": "chain", "cells": [["conv_k1_t1", "rec_k3_t1"], ["conv_k1_t1"], ["dualconv_k3_t1"]] }));
}

#[test]
fn the_json_form_is_read_back() {
    let space = space();
    for architecture in architectures(&space, &everything(&space)) {
        assert_eq!(Architecture::from_json(&space, &architecture.to_json(&space)).unwrap(), architecture);
    }
    let unnamed = r#"{"cells": [["rec_k3_t1", "conv_k1_t1", "rec_k3_t1"], ["conv_k3_t1"], ["conv_k1_t1"]]}"#;
    assert_eq!(Architecture::from_json(&space, unnamed).unwrap(), new(&[&[0, 2], &[0], &[0]]).unwrap(), "in any order, twice");
}

#[test]
fn wrong_documents_say_where() {
    let refused = [
        (
            json!({ "space": "other", "cells": [[], ["conv_k1_t1"], ["conv_k1_t1"]] }),
            "/space",
            "made for the space \"other\", not for \"chain\"",
        ),
        (json!({ "cells": [[], ["conv_k1_t1"]] }), "/cells", "2 cells"),
        (json!({ "cells": [[], ["conv_k1_t1"], ["conv_k1_t1"], ["conv_k1_t1"]] }), "/cells", "4 cells"),
        (json!({ "cells": [[], ["conv_k1_t1"], []] }), "/cells/2", "needs at least one operator"),
        (json!({ "cells": [[], ["conv_k1_t1", "conv_k2_t1"], []] }), "/cells/1/1", "\"conv_k2_t1\" is not an operator"),
        (json!({ "cells": [[], ["rec_k3_t1"], ["conv_k1_t1"]] }), "/cells/1/0", "rec_k3_t1 is not a candidate of this cell"),
        (json!({ "cells": [[], [3], []] }), "/cells/1/0", "invalid type"),
        (json!({ "cells": [[], "conv_k1_t1", []] }), "/cells/1", "invalid type"),
        (json!({ "cells": [], "score": 1 }), "/score", "unknown field `score`"),
        (json!({}), "", "missing field `cells`"),
        (json!([null, [[], ["conv_k1_t1"], ["conv_k1_t1"]]]), "", "expected an object, not a list"),
    ];
    for (document, pointer, reason) in refused {
        let (name, at, why) = config(Architecture::from_json(&space(), &document.to_string()));
        assert_eq!((name, at.as_str()), ("architecture", pointer), "{document}: {why}");
        assert!(why.contains(reason), "{document}: {why}");
    }
    assert_eq!(config(Architecture::from_json(&space(), "{}{}")).1, "");
}

#[test]
fn uniform_is_one_operator_everywhere() {
    let uniform = |name: &str| Architecture::uniform(&space(), &name.parse().unwrap());
    assert_eq!(uniform("conv_k1_t1").unwrap().cells(), [vec![0], vec![1], vec![0]]);
    let (_, pointer, reason) = config(uniform("rec_k3_t1"));
    assert_eq!((pointer.as_str(), reason.as_str()), ("/cells/1", "rec_k3_t1 is not a candidate of this cell"));
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn any_order_and_repetition_gives_the_canonical_form(cells in proptest::collection::vec(proptest::collection::vec(0u16..27, 1..9), 7)) {
        let space = Space::preset("nse-27-small", "{}").unwrap();
        let architecture = Architecture::new(&space, cells.clone()).unwrap();
        for (given, kept) in cells.iter().zip(architecture.cells()) {
            prop_assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(given.iter().collect::<HashSet<_>>(), kept.iter().collect::<HashSet<_>>());
        }
        let backwards = cells.iter().map(|c| c.iter().rev().copied().collect()).collect();
        prop_assert_eq!(&Architecture::new(&space, backwards).unwrap(), &architecture);
        prop_assert_eq!(&Architecture::from_json(&space, &architecture.to_json(&space)).unwrap(), &architecture);
    }
}
