//! The texts of published code, read and written: DARTS's genotypes and NAS-Bench-201's strings.

use crate::support;
use nse::arch::{presets, Architecture};
use nse::space::Space;
use nse::Error;
use serde_json::json;

/// Place and reason.
fn config(error: Error) -> (String, String) {
    let (_, pointer, reason) = support::config::<()>(Err(error));
    (pointer, reason)
}

fn space(name: &str) -> Space {
    Space::preset(name, "{}").unwrap()
}

fn refused(space: &Space, text: &str) -> String {
    let (pointer, reason) = config(Architecture::from_genotype(space, text).unwrap_err());
    assert_eq!(pointer, "/genotype");
    reason
}

#[test]
fn what_is_written_is_read() {
    let mut stacked = 0;
    for (name, _) in presets() {
        let (space, architecture) = Architecture::preset(name, "{}").unwrap();
        let Some(text) = architecture.genotype(&space) else { continue };
        stacked += 1;
        assert_eq!(Architecture::from_genotype(&space, &text).unwrap(), architecture, "{text}");
        assert_eq!(Architecture::from_genotype(&space, name).unwrap(), architecture);
        let document = json!({ "space": space.name(), "genotype": text }).to_string();
        assert_eq!(Architecture::from_json(&space, &document).unwrap(), architecture);
    }
    assert_eq!(stacked, 16);
}

/// As it is printed and stored: over lines, in other quotes, with a name, its keys in any order, its ends as lists.
#[test]
fn genotypes_as_people_write_them() {
    let space = space("darts-imagenet");
    let plain = Architecture::from_genotype(&space, "darts-abs").unwrap();
    let written = plain.genotype(&space).unwrap();
    assert!(
        written.starts_with("Genotype(normal=[('dil_conv_3x3', 0), ('sep_conv_3x3', 1), "),
        "in the order of the edges: {written}"
    );
    let spread = written.replace(", ", ",\n    ").replace('\'', "\"");
    assert_eq!(Architecture::from_genotype(&space, &format!("DARTS_ABS = {spread}\n")).unwrap(), plain);
    let listed = written.replace("range(2, 6)", "[2, 3, 4, 5]").replace(" 4)]", " 4),]");
    assert_eq!(Architecture::from_genotype(&space, &listed).unwrap(), plain);
    let (normal, reduce) = written.strip_prefix("Genotype(").unwrap().split_once(", reduce=").unwrap();
    let turned = format!("Genotype(reduce={}, {normal})", reduce.trim_end_matches(')').to_owned() + ")");
    assert_eq!(Architecture::from_genotype(&space, &turned).unwrap(), plain);
}

#[test]
fn cells_of_nas_bench_201() {
    let space = space("nas-bench-201");
    let read = |text: &str| Architecture::from_genotype(&space, text).unwrap();
    // node 1; node 2 from 0, 1; node 3 from 0, 1, 2. Operators without none: skip, 1x1, 3x3, pool.
    let architecture = read("|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|nor_conv_3x3~2|");
    assert_eq!(architecture.cells(), [[3], [1], [0], [1], [0], [2]]);
    let empty = read("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|");
    assert!(empty.cells().iter().all(Vec::is_empty));
    assert_eq!(read("|none~0|+|none~0|+|none~2|"), empty, "what is not named is empty");
    // Of one edge several, which published searches begin with.
    let several = read("|skip_connect~0|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|");
    assert_eq!(several.cells()[0], [0, 3]);
    assert_eq!(read(&several.genotype(&space).unwrap()), several);
}

#[test]
fn a_network_that_a_genotype_cannot_say() {
    let space = space("darts-cifar");
    let three = Architecture::new(&space, vec![vec![0]; 28]).unwrap();
    assert_eq!(three.genotype(&space), None);
    assert_eq!(Architecture::from_json(&space, &three.to_json(&space)).unwrap(), three);
    let chain = Space::preset("nse-27-small", "{}").unwrap();
    let skipped = Architecture::uniform(&chain, &"mbconv_k3_t1".parse().unwrap()).unwrap();
    assert_eq!((skipped.genotype(&chain), skipped.topology(&chain)), (None, None));
}

#[test]
fn what_is_wrong_is_named() {
    let (darts, shared, bench) = (space("darts-cifar"), space("darts-shared"), space("nas-bench-201"));
    let chain = Space::preset("nse-27-small", "{}").unwrap();
    assert_eq!(refused(&chain, "darts-v2"), "the cells of the space \"nse-27-small\" are a chain");
    assert_eq!(refused(&darts, "darts-v3"), "\"darts-v3\" is not a text like Genotype(normal=[...], ...)");
    assert_eq!(refused(&darts, "Genotype(normal=[])"), "no list reduce=[...]");
    assert_eq!(refused(&darts, "Genotype(normal=[], reduce=[])"), "normal: 0 nodes, the space has 4");
    assert_eq!(
        refused(&darts, "Genotype(normal=[('skip_connect', 0)], reduce=[])"),
        "normal has 1 operators, not two for each node"
    );
    assert_eq!(
        refused(&darts, "Genotype(normal=[('skip', x)], reduce=[])"),
        "\"('skip',x)\" in normal is not like ('skip_connect', 0)"
    );
    let pair = "('skip_connect', 0), ('skip_connect', 1), ";
    let with = |first: &str| format!("Genotype(normal=[{first}{}], reduce=[{}])", pair.repeat(3), pair.repeat(4));
    assert!(Architecture::from_genotype(&darts, &with(pair)).is_ok());
    assert_eq!(
        refused(&darts, &with("('skip_connect', 0), ('skip_connect', 2), ")),
        "normal: (\"skip_connect\", 2): node 2 has edges from 0 to 1"
    );
    assert_eq!(
        refused(&darts, &with("('skip_connect', 0), ('skip_connect', 0), ")),
        "normal: skip_connect from 0 to 2 is there twice, which this space has not"
    );
    assert_eq!(refused(&darts, &with("('nor_conv_1x1', 0), ('none', 1), ")), "nor_conv_1x1 is not a candidate of this space");
    assert!(refused(&darts, &with("('conv', 0), ('none', 1), ")).starts_with("\"conv\" is not an operator"));
    let ends = with(pair).replace("], reduce=", "], normal_concat=range(3, 6), reduce=");
    assert_eq!(refused(&darts, &ends), "normal_concat is not range(2,6): the cells of this space give all their nodes");
    assert_eq!(refused(&shared, "darts-v2"), "normal and reduce differ, and this space has one kind of cells for both");
    assert!(refused(&bench, "darts-v2").ends_with("is not a node; one is like |skip_connect~0|none~1|"));
    assert_eq!(refused(&bench, "skip_connect~0"), "\"skip_connect~0\" is not a node; one is like |skip_connect~0|none~1|");
    assert_eq!(refused(&bench, "|skip_connect|"), "\"skip_connect\" is not like skip_connect~0");
    assert_eq!(refused(&bench, "|skip_connect~x|"), "\"x\" in \"skip_connect~x\" is not a node");
    assert_eq!(refused(&bench, "|none~0|"), "cell: 1 nodes, the space has 3");
    assert_eq!(refused(&bench, "|none~0|+|none~0|none~1|+|none~3|"), "cell: (\"none\", 3): node 3 has edges from 0 to 2");
    let both = json!({ "cells": [[]], "genotype": "darts-v2" }).to_string();
    assert_eq!(config(Architecture::from_json(&darts, &both).unwrap_err()).0, "/genotype");
    assert_eq!(config(Architecture::from_json(&darts, "{}").unwrap_err()).1, "missing field `cells`");
}
