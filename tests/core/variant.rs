//! Variants of stand-alone networks: the published costs to the digit, costs by hand, strict options.

use crate::cost;
use crate::support::{chain, config};
use nse::arch::{Architecture, Variant};
use nse::cost::{variant_cost, Cost, CostTable};
use nse::space::{Activation, Space};
use nse::supernet::ModelOptions;
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
    assert_eq!(plain, Cost::real(1_471_130_624, 15_742_296));
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
    assert_eq!(excited, Cost::real(333_940_328, 7_563_774));
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

#[test]
fn the_options_are_strict() {
    let read = |text: &str| ModelOptions::from_json(text);
    assert_eq!(read("{}").unwrap().variant, PLAIN);
    assert_eq!(read(r#"{"variant": {}}"#).unwrap().variant, PLAIN);
    let half = read(r#"{"variant": {"activation": "swish"}}"#).unwrap().variant;
    assert_eq!(half, Variant { activation: Activation::Swish, ..PLAIN });
    let given = r#"{"variant": {"squeeze_excitation": true, "activation": "swish"}}"#;
    assert_eq!(read(given).unwrap().variant, EXCITED);
    let written = serde_json::to_value(read(given).unwrap()).unwrap();
    assert_eq!(written["variant"], json!({ "squeeze_excitation": true, "activation": "swish" }));
    for (text, pointer, reason) in [
        (r#"{"variant": {"squeeze": true}}"#, "/variant/squeeze", "unknown field `squeeze`"),
        (r#"{"variant": {"activation": "gelu"}}"#, "/variant/activation", "unknown variant `gelu`"),
        (r#"{"variant": {"activation": "Swish"}}"#, "/variant/activation", "unknown variant `Swish`"),
        (r#"{"variant": {"activation": null}}"#, "/variant/activation", ""),
        (r#"{"variant": {"squeeze_excitation": 1}}"#, "/variant/squeeze_excitation", "expected a boolean"),
        (r#"{"variant": [true, "swish"]}"#, "/variant", "expected an object"),
        (r#"{"variant": null}"#, "/variant", ""),
        (r#"{"variant": "swish"}"#, "/variant", "swish"),
    ] {
        let (document, at, why) = config(read(text));
        assert_eq!((document, at.as_str()), ("model options", pointer), "{text}: {why}");
        assert!(why.contains(reason), "{text}: {why:?} does not say {reason:?}");
    }
}

#[test]
fn the_schema_explains_the_variant() {
    let schema: Value = serde_json::from_str(&ModelOptions::schema()).unwrap();
    let variant = &schema["properties"]["variant"];
    assert_eq!(variant["default"], json!({ "squeeze_excitation": false, "activation": "relu" }));
    assert_eq!(variant["additionalProperties"], false);
    for key in ["squeeze_excitation", "activation"] {
        assert!(variant["properties"][key]["description"].as_str().is_some_and(|d| d.len() > 5), "{key} has no description");
    }
    let text = variant["properties"]["activation"].to_string();
    assert!(text.contains("\"relu\"") && text.contains("\"swish\""), "{text}");
}
