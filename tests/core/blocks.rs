//! Cells of blocks (PNAS): how many there are, which are the same, what the published ones cost to the digit, and what a document may say.

use crate::support;
use nse::arch::{Architecture, Block, Blocks, Variant};
use nse::cost::{describe, describe_architecture, CostTable};
use nse::space::{Space, Stack};
use serde_json::{json, Value};
use std::collections::BTreeSet;

const OPERATORS: [&str; 4] = ["identity", "sep_conv_3x3", "max_pool_3x3", "dil_conv_3x3"];

fn space(changes: Value) -> Space {
    Space::preset("pnas-cifar", &changes.to_string()).unwrap()
}

fn stack(space: &Space) -> &Stack {
    space.stack().unwrap()
}

fn cost(name: &str, overrides: Value) -> (u64, u64) {
    let (space, architecture) = Architecture::preset(name, &overrides.to_string()).unwrap();
    let cost = CostTable::new(&space).architecture(&architecture);
    (cost.params, cost.macs)
}

/// PNASNet-5: 86.1 M and 25.0 G, 588 M, 3.2 M in the paper.
#[test]
fn published_counts() {
    assert_eq!(cost("pnasnet-5-large", json!({})), (86_061_989, 24_937_400_112));
    assert_eq!(cost("pnasnet-5-mobile", json!({})), (5_065_568, 587_294_280));
    assert_eq!(cost("pnasnet-5-cifar", json!({})), (3_159_994, 545_301_888));
    // The network that is trained while searching: two cells in a stage, 24 channels.
    assert_eq!(cost("pnasnet-5-cifar", json!({ "cells": 6, "channels": 24 })).0, 550_306);
}

/// All cells of so many blocks, whichever side is which.
fn all(operators: usize, blocks: u32) -> Vec<Blocks> {
    let space = space(json!({ "operators": OPERATORS[..operators] }));
    (0..blocks).fold(vec![Blocks::none(stack(&space))], |cells, _| {
        cells.iter().flat_map(|cell| cell.extensions().map(|block| cell.with(block)).collect::<Vec<_>>()).collect()
    })
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |order: &Vec<usize>| (0..count).map(|at| [&order[..at], &[last], &order[at..]].concat()).collect::<Vec<_>>();
    orders(last).iter().flat_map(insert).collect()
}

/// The least of all ways to write a cell, by trying every one.
fn least(cell: &Blocks, operators: u16) -> Vec<Block> {
    let written = |order: Vec<usize>| -> Option<Vec<Block>> {
        let named = |at: usize, side: u16| match usize::from(side / operators).checked_sub(2) {
            None => Some(side),
            Some(block) => {
                let node = order[..at].iter().position(|other| *other == block)? as u16 + 2;
                Some(node * operators + side % operators)
            }
        };
        let block = |(at, block): (usize, &usize)| {
            let [a, b] = cell.blocks()[*block].map(|side| named(at, side));
            Some([a?.min(b?), a?.max(b?)])
        };
        order.iter().enumerate().map(block).collect()
    };
    orders(cell.blocks().len()).into_iter().filter_map(written).min().unwrap()
}

#[test]
fn the_canonical_form_is_the_least_of_all() {
    for (operators, counts) in [(2, &[10, 165, 3840][..]), (3, &[21, 735]), (4, &[36, 2178])] {
        for (blocks, count) in (1..).zip(counts) {
            let cells = all(operators, blocks);
            let canonical: BTreeSet<_> = cells.iter().map(Blocks::canonical).collect();
            assert_eq!(canonical.len(), *count, "{operators} operators, {blocks} blocks");
            for cell in &cells {
                assert_eq!(cell.canonical().blocks(), least(cell, operators as u16), "{cell:?}");
            }
            assert!(canonical.iter().all(|cell| cell.canonical() == *cell));
        }
    }
}

/// With the eight operators of the paper.
#[test]
fn counts_are_the_published_ones() {
    let of = |nodes: u32| describe(&space(json!({ "nodes": nodes })), None).unwrap();
    let one = of(1);
    assert_eq!((one.single_branch.as_str(), one.genotypes.as_deref()), ("256", Some("136")));
    let two = of(2);
    assert_eq!((two.single_branch.as_str(), two.genotypes.as_deref()), ("147456", Some("40800")));
    let five = of(5);
    // 5.6e14, and 2.08e13 when it does not matter which side is which.
    assert_eq!(five.single_branch, (1..=5u128).map(|b| (8 * (b + 1)).pow(2)).product::<u128>().to_string());
    assert_eq!(five.single_branch.len(), 15);
    assert_eq!(
        five.genotypes.as_deref(),
        Some((1..=5u128).map(|b| 8 * (b + 1) * (8 * (b + 1) + 1) / 2).product::<u128>().to_string()).as_deref()
    );
    let space = space(json!({ "nodes": 2 }));
    let first: Vec<_> = Blocks::none(stack(&space)).extensions().collect();
    assert_eq!(first.len(), 136);
    let cells = first.iter().flat_map(|block| {
        let one = Blocks::none(stack(&space)).with(*block);
        one.extensions().map(|block| one.with(block)).collect::<Vec<_>>()
    });
    let cells: Vec<_> = cells.collect();
    assert_eq!(cells.len(), 40_800);
    let distinct: BTreeSet<_> = cells.iter().map(Blocks::canonical).collect();
    let dependent = distinct.iter().filter(|cell| cell.blocks()[1][1] >= 16).count();
    assert_eq!((distinct.len(), dependent), (31_620, 22_304));
}

/// Of cells with many blocks, too: in any order of the blocks, with any sides swapped.
#[test]
fn cells_of_many_blocks_have_one_canonical_form() {
    let space = space(json!({ "nodes": 12 }));
    let cell = |blocks: &[Block]| blocks.iter().fold(Blocks::none(stack(&space)), |cell, block| cell.with(*block));
    // Eight equal blocks, and four that get two of them each.
    let twins = vec![[0, 1]; 8];
    let pairs = |of: [[u16; 2]; 4]| cell(&[twins.clone(), of.map(|[a, b]| [8 * (a + 2), 8 * (b + 2) + 1]).into()].concat());
    let one = pairs([[0, 1], [2, 3], [4, 5], [6, 7]]);
    let other = pairs([[7, 3], [1, 4], [0, 6], [5, 2]]);
    assert_eq!(one.canonical(), other.canonical());
    assert_ne!(one.canonical(), pairs([[7, 3], [3, 4], [0, 6], [5, 2]]).canonical());
    let equal = cell(&[[0, 1]; 12]);
    assert_eq!(equal.canonical(), equal);
}

#[test]
fn an_architecture_is_read_written_and_described() {
    let (space, architecture) = Architecture::preset("pnasnet-5-cifar", "{}").unwrap();
    let text = architecture.genotype(&space).unwrap();
    assert_eq!(Architecture::from_genotype(&space, &text).unwrap(), architecture);
    assert!(text.contains("('sep_conv_3x3', 4), ('max_pool_3x3', 1)"), "{text}");
    let described = describe_architecture(&space, &architecture, Variant::default());
    assert_eq!(
        (&described["cells"][7]["edge"], &described["cells"][7]["operators"]),
        (&json!("cell 5b"), &json!(["max_pool_3x3~1"]))
    );
    // Its blocks in another order and its sides swapped are the same cell.
    let other =
        "Genotype(normal=[('identity', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_5x5', 1), ('max_pool_3x3', 0), \
                 ('sep_conv_5x5', 0), ('max_pool_3x3', 1), ('sep_conv_3x3', 3), ('max_pool_3x3', 1), ('sep_conv_7x7', 1)])";
    let other = Architecture::from_genotype(&space, other).unwrap();
    assert_ne!(other, architecture);
    assert_eq!(other.canonical(&space), architecture.canonical(&space));
    assert_eq!(describe_architecture(&space, &other, Variant::default())["canonical"], described["canonical"]);
    assert!(described["canonical"].as_str().is_some_and(|text| text.starts_with("Genotype(normal=[")));
    let same = Architecture::from_genotype(&space, &architecture.canonical(&space).unwrap().genotype(&space).unwrap()).unwrap();
    assert_eq!(CostTable::new(&space).architecture(&same), CostTable::new(&space).architecture(&architecture));
    // Several operators on a side are a sum, and nothing that a genotype can say.
    let mut cells = architecture.cells().to_vec();
    cells[0].push(0);
    let several = Architecture::new(&space, cells).unwrap();
    assert_eq!((several.genotype(&space), several.canonical(&space)), (None, None));
    let svg = nse::report::draw_architecture(&space, &architecture);
    assert!(svg.contains("cell node 6") && svg.contains("of 4, "), "{svg}");
    let refused = |text: &str| support::config::<()>(Err(Architecture::from_genotype(&space, text).unwrap_err())).2;
    assert!(refused(&text.replace("('sep_conv_3x3', 4)", "('sep_conv_3x3', 5)")).contains("node 5 has edges from 0 to 4"));
    assert!(refused(&text.replace("'identity'", "'none'")).contains("\"none\" is not an operator"));
    assert!(refused(&text.replace("reduce=[('sep_conv_5x5'", "reduce=[('sep_conv_3x3'")).contains("one kind of cells"));
}

#[test]
fn what_is_wrong_in_a_document_is_named() {
    let refused = |name: &str, changes: Value| {
        let (_, pointer, reason) = support::config::<()>(Err(Space::preset(name, &changes.to_string()).unwrap_err()));
        (pointer, reason)
    };
    let at = |pointer: &str, reason: &str| (pointer.to_owned(), reason.to_owned());
    assert_eq!(
        refused("pnas-cifar", json!({ "operators": ["none", "identity"] })),
        at("/operators", "none: a block has an operator on each side")
    );
    assert_eq!(
        refused("pnas-cifar", json!({ "operators": ["identity~0"] })),
        at("/operators/0", "identity~0: of which node is what an architecture says, not a space")
    );
    assert_eq!(refused("pnas-cifar", json!({ "shared": true })), at("/shared", "this skeleton has one kind of cells anyway"));
    assert_eq!(
        refused("pnas-cifar", json!({ "stem": 8 })),
        at("/stem", "only pnas-imagenet has a first convolution of any width")
    );
    assert_eq!(refused("pnas-mobile", json!({ "channels": 4 })), at("/channels", "4 is not in 8 to 4096"));
    let small = json!({ "input": { "channels": 1, "height": 2, "width": 9 } });
    assert_eq!(refused("pnas-mobile", small), at("/input", "a convolution of 3x3 does not fit inside"));
    for name in ["identity~00", "identity~", "identity~-1", "identity~0~0", "mbconv_k3_t3~0"] {
        assert!(name.parse::<nse::space::Operator>().is_err(), "{name}");
    }
}
