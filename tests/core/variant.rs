//! Variants of stand-alone networks: the published costs to the digit, and costs by hand.

use crate::cost;
use crate::support::chain;
use nse::arch::{Activation, Architecture, Variant};
use nse::cost::{variant_cost, Cost, CostTable};
use nse::space::Space;
use serde_json::{json, Value};

const PLAIN: Variant = Variant { squeeze_excitation: false, activation: Activation::Relu };
const EXCITED: Variant = Variant { squeeze_excitation: true, activation: Activation::Swish };

fn published(overrides: &Value, cells: &[&[u16]]) -> [Cost; 2] {
    let space = Space::preset("nse-27", &overrides.to_string()).unwrap();
    let architecture = Architecture::new(&space, cells.iter().map(|c| c.to_vec()).collect()).unwrap();
    assert_eq!(variant_cost(&space, &architecture, PLAIN), CostTable::new(&space).architecture(&architecture));
    [PLAIN, EXCITED].map(|variant| variant_cost(&space, &architecture, variant))
}

#[test]
fn nsenet27() {
    let (space, costs, architecture) = cost::published(1.04);
    assert_eq!(variant_cost(&space, &architecture, PLAIN), costs.architecture(&architecture));
    assert_eq!(variant_cost(&space, &architecture, EXCITED).macs, 328_334_608);
}

#[test]
fn nsenet_gpu() {
    let mut operators = Vec::new();
    for kernel in [3, 5, 7] {
        operators.extend([1, 3, 6].map(|t| format!("mbconv_k{kernel}_t{t}")));
    }
    operators.extend(["conv_k3_t1", "conv_k3_t2", "dualconv_k3_t1", "dualconv_k3_t2"].map(String::from));
    for kernel in [5, 7] {
        operators.extend([1, 2, 4].map(|t| format!("rec_k{kernel}_t{t}")));
    }
    let overrides =
        json!({ "layout": "NR", "channels": [16, 32, 64, 128, 256], "repeats": [0, 1, 3, 4, 2], "operators": operators });
    let cells: [&[u16]; 14] = [
        &[15],
        &[11],
        &[1, 17],
        &[16, 1],
        &[11],
        &[11],
        &[2, 7],
        &[3],
        &[1, 6],
        &[11],
        &[11, 6],
        &[8, 2],
        &[0, 1, 8, 11],
        &[2, 6, 8, 12, 14],
    ];
    let [plain, excited] = published(&overrides, &cells);
    assert_eq!(plain, Cost { macs: 1_471_130_624, params: 15_742_296 });
    assert_eq!(excited.macs, 1_476_155_392);
}

#[test]
fn nsenet() {
    let mut operators: Vec<String> = nse::space::operators_27().iter().map(ToString::to_string).collect();
    for kernel in [3, 5, 7, 9, 11] {
        for t in [1, 3, 6] {
            operators.extend(["1x2", "2x1", "2x2"].map(|groups| format!("mbconv_k{kernel}_t{t}_g{groups}")));
        }
    }
    let cells: [&[u16]; 18] = [
        &[0],
        &[34],
        &[3],
        &[52],
        &[35],
        &[38],
        &[17, 11, 49],
        &[41],
        &[35],
        &[12],
        &[1, 10, 6],
        &[9],
        &[0, 9],
        &[35, 52, 61],
        &[10, 32],
        &[3, 57],
        &[13],
        &[3, 19, 44],
    ];
    let [plain, excited] = published(&json!({ "scale": 1.045, "repeats": [1, 1, 2, 3, 2, 3], "operators": operators }), &cells);
    assert_eq!(plain.macs / 10_000, 33_095, "{plain:?}");
    assert_eq!(excited, Cost { macs: 333_940_328, params: 7_563_774 });
}

#[test]
fn squeeze_excitation_costs_what_one_computes_by_hand() {
    let space = chain(8, 3, &[("reduce", 5, &["mbconv_k3_t1", "rec_k5_t4", "dualconv_k3_t2"]), ("normal", 0, &["conv_k3_t3"])]);
    let added = |cells: [&[u16]; 2]| {
        let architecture = Architecture::new(&space, cells.map(Vec::from).into()).unwrap();
        let [plain, excited] = [PLAIN, EXCITED].map(|variant| variant_cost(&space, &architecture, variant));
        assert_eq!(variant_cost(&space, &architecture, Variant { activation: Activation::Swish, ..PLAIN }), plain);
        (excited.macs - plain.macs, excited.params - plain.params)
    };
    // Widths 3, 12 and 6; inside 1 (never none), 3 and 1. Once per image, whatever the size of the map.
    assert_eq!(added([&[0], &[]]), (2 * 3, 2 * 3 + 1 + 3));
    assert_eq!(added([&[1], &[]]), (2 * 12 * 3, 2 * 12 * 3 + 3 + 12));
    assert_eq!(added([&[2], &[]]), (2 * 6, 2 * 6 + 1 + 6));
    // Width 15 of the second cell; inside 3.
    assert_eq!(added([&[0, 1], &[0]]), (6 + 72 + 90, 10 + 87 + 108));
}
