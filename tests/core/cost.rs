//! Costs to the digit: the published network, operators computed by hand, the range of a space, and no overflow.

use crate::support::{architectures, chain, config, everything};
use nse::arch::Architecture;
use nse::cost::{describe, Cost, CostTable};
use nse::search::{Purpose, Stream};
use nse::space::Space;
use serde_json::json;

/// Operators per cell of the published NSENet27, in the published index order.
fn nsenet27() -> Vec<Vec<u16>> {
    let cells: [&[u16]; 18] = [
        &[0],
        &[6],
        &[3],
        &[0],
        &[16],
        &[3],
        &[9],
        &[11, 17],
        &[9, 2],
        &[12],
        &[1, 6],
        &[9, 12],
        &[9],
        &[17, 14],
        &[21],
        &[3],
        &[13],
        &[19, 3, 14],
    ];
    cells.map(Vec::from).into()
}

pub fn published(scale: f64) -> (Space, CostTable, Architecture) {
    let overrides = json!({ "repeats": [1, 2, 2, 2, 2, 3], "scale": scale });
    let space = Space::preset("nse-27", &overrides.to_string()).unwrap();
    let architecture = Architecture::new(&space, nsenet27()).unwrap();
    (space.clone(), CostTable::new(&space), architecture)
}

#[test]
fn nsenet27_costs_what_was_published() {
    let (_, costs, architecture) = published(1.04);
    assert_eq!(costs.architecture(&architecture), Cost::real(326_325_200, 4_570_464));
    let (_, costs, architecture) = published(1.0);
    assert_eq!(costs.architecture(&architecture), Cost::real(315_815_680, 4_355_184));
}

#[test]
fn the_first_cell_of_nsenet27() {
    let (_, costs, _) = published(1.04);
    assert_eq!(costs.branches(0, &[0]), Cost::real(8_228_864, 752));
    assert_eq!(costs.operator(0, 0), costs.branches(0, &[0]));
    assert_eq!(costs.branches(0, &[]), Cost::default(), "a skipped cell is free");
}

/// A reduce cell from 8 to 12 channels on 16 x 12 with every kind of operator, then a normal cell on 8 x 6.
fn by_hand() -> (Space, CostTable) {
    let text = json!({
        "name": "hand", "input": { "channels": 3, "height": 32, "width": 24 }, "classes": 10, "stem": { "channels": 8, "stride": 2 },
        "cells": [
            { "kind": "reduce", "channels": 12, "operators":
                ["rec_k5_t2", "conv_k3_t2", "dualconv_k3_t1", "mbconv_k5_t3_g2x4", "mbconv_k3_t1_d3", "mbconv_k3_t1"] },
            { "kind": "normal", "operators": ["mbconv_k3_t1", "conv_k1_t1"] }
        ],
        "tail": { "channels": 32 }
    });
    let space = Space::from_json(&text.to_string()).unwrap();
    let costs = CostTable::new(&space);
    (space, costs)
}

#[test]
fn operators_cost_what_one_computes_by_hand() {
    let (_, costs) = by_hand();
    let cost = |operator| (costs.operator(0, operator).macs, costs.operator(0, operator).params);
    // In: 16 x 12 = 192 positions; after the row convolution 16 x 6 = 96; out: 8 x 6 = 48.
    let rec = 8 * 16 * 192 + 16 * 16 * 5 * 96 + 16 * 16 * 5 * 48 + 16 * 12 * 48;
    assert_eq!(cost(0), (rec, 128 + 1280 + 1280 + 192 + 2 * (16 + 16 + 16 + 12)));
    assert_eq!(cost(0), (218_112, 3_000));
    let conv = 8 * 16 * 192 + 16 * 16 * 9 * 48 + 16 * 12 * 48;
    assert_eq!(cost(1), (conv, 128 + 2304 + 192 + 2 * (16 + 16 + 12)));
    assert_eq!(cost(1), (144_384, 2_712));
    // The first of the two dense convolutions still sees the whole size.
    let dual = 8 * 8 * 192 + 8 * 8 * 9 * 192 + 8 * 8 * 9 * 48 + 8 * 12 * 48;
    assert_eq!(cost(2), (dual, 64 + 576 + 576 + 96 + 2 * (8 + 8 + 8 + 12)));
    assert_eq!(cost(2), (155_136, 1_384));
    // Groups 2 and 4: 4 inputs per filter of the expansion, 6 per filter of the projection.
    let grouped = 24 * 4 * 192 + 24 * 25 * 48 + 12 * 6 * 48;
    assert_eq!(cost(3), (grouped, 96 + 600 + 72 + 2 * (24 + 24 + 12)));
    assert_eq!(cost(3), (50_688, 888));
    let dilated = 8 * 8 * 192 + 8 * 9 * 48 + 8 * 12 * 48;
    assert_eq!(cost(4), (dilated, 64 + 72 + 96 + 2 * (8 + 8 + 12)));
    assert_eq!(cost(4), (20_352, 288));
    assert_eq!(cost(5), cost(4), "dilation costs nothing");
    assert_eq!(costs.operator(1, 0), Cost::real((144 + 108 + 144) * 48, 144 + 108 + 144 + 2 * 36));
    assert_eq!(costs.operator(1, 1), Cost::real(3 * 144 * 48, 3 * 144 + 2 * 36));
}

#[test]
fn stem_tail_and_classifier_are_in_every_architecture() {
    let (space, costs) = by_hand();
    // Stem 3x3 with batch-norm on 16 x 12; tail 1x1 without on 8 x 6; classifier with bias.
    let fixed = Cost::real(216 * 192 + 384 * 48 + 320, (216 + 16) + 384 + (320 + 10));
    assert_eq!(costs.fixed(), fixed);
    assert_eq!(fixed, Cost::real(60_224, 946));
    let architecture = Architecture::new(&space, vec![vec![3, 1], vec![]]).unwrap();
    assert_eq!(costs.architecture(&architecture), Cost::real(60_224 + 144_384 + 50_688, 946 + 2_712 + 888));
    assert_eq!(costs.branches(0, &[1, 3]), costs.operator(0, 1) + costs.operator(0, 3));
}

#[test]
fn odd_sizes_round_up() {
    let space = chain(7, 2, &[("reduce", 4, &["conv_k3_t1"]), ("reduce", 4, &["conv_k3_t1"])]);
    let costs = CostTable::new(&space);
    assert_eq!(costs.operator(0, 0).macs, 4 * 49 + 36 * 16 + 8 * 16);
    assert_eq!(costs.operator(1, 0).macs, 16 * 16 + 144 * 4 + 16 * 4);
}

#[test]
fn the_range_is_that_of_all_architectures() {
    let (space, costs) = by_hand();
    let (least, greatest) = costs.range();
    assert_eq!(least, Cost::real(60_224 + 20_352, 946 + 288), "the cheapest reduce cell, and no normal cell");
    let all = architectures(&space, &everything(&space));
    let priced: Vec<_> = all.iter().map(|a| costs.architecture(a)).collect();
    assert_eq!(least.macs, priced.iter().map(|c| c.macs).min().unwrap());
    assert_eq!(least.params, priced.iter().map(|c| c.params).min().unwrap());
    assert_eq!(greatest.macs, priced.iter().map(|c| c.macs).max().unwrap());
    assert_eq!(greatest.params, priced.iter().map(|c| c.params).max().unwrap());
    let described = describe(&space, None).unwrap();
    assert!(described.latency.is_none());
    let text = serde_json::to_value(&described).unwrap();
    assert_eq!(text["macs"], json!({ "least": least.macs, "middle": text["macs"]["middle"], "greatest": greatest.macs }));
    assert_eq!(text["params"], json!({ "least": least.params, "middle": text["params"]["middle"], "greatest": greatest.params }));
}

#[test]
fn the_cost_of_an_architecture_is_the_sum_of_its_parts() {
    let (space, costs, _) = published(1.0);
    let mut stream = Stream::new(3, Purpose::Candidates, 0, 0);
    for _ in 0..200 {
        let cells: Vec<Vec<u16>> =
            (0..space.cells().len()).map(|_| (0..1 + stream.below(3)).map(|_| stream.below(27) as u16).collect()).collect();
        let architecture = Architecture::new(&space, cells).unwrap();
        let mut sum = costs.fixed();
        for (cell, operators) in architecture.cells().iter().enumerate() {
            for operator in operators {
                sum = sum + costs.operator(cell, *operator);
            }
        }
        assert_eq!(costs.architecture(&architecture), sum);
    }
}

#[test]
fn absurd_spaces_saturate() {
    let cell = json!({ "kind": "expand", "channels": 65_536, "operators": ["dualconv_k31_t16", "conv_k31_t16"] });
    let text = json!({
        "name": "absurd", "input": { "channels": 1024, "height": 4096, "width": 4096 }, "classes": 1_000_000,
        "stem": { "channels": 65_536, "stride": 1 }, "cells": vec![cell; 1000], "tail": { "channels": 65_536 }
    });
    let space = Space::from_json(&text.to_string()).unwrap();
    let costs = CostTable::new(&space);
    assert_eq!(costs.operator(0, 0).macs, u64::MAX, "more than 2^64");
    let architecture = Architecture::new(&space, vec![vec![0, 1]; 1000]).unwrap();
    assert_eq!(costs.architecture(&architecture).macs, u64::MAX);
    assert_eq!(costs.range().1.macs, u64::MAX);
    assert_eq!(describe(&space, None).unwrap().macs.greatest, u64::MAX as f64);
    let most = Cost::real(u64::MAX, u64::MAX);
    assert_eq!(most + Cost::real(1, 1), most);
    assert_eq!([most, most].into_iter().sum::<Cost>(), most);
    assert_eq!(config(Architecture::new(&space, vec![])).1, "/cells");
}
