//! The published architectures: what they cost, to the digit, where they live, and what overrides do to them.

use nse::arch::{presets, Architecture};
use nse::cost::CostTable;
use nse::space::Space;
use nse::Error;
use serde_json::json;

fn preset(name: &str, overrides: serde_json::Value) -> (Space, Architecture) {
    Architecture::preset(name, &overrides.to_string()).unwrap()
}

/// Multiply-accumulates by the standard and by the published count, and parameters.
fn cost(name: &str, overrides: serde_json::Value) -> [u64; 3] {
    let (space, architecture) = preset(name, overrides);
    let costs = CostTable::new(&space);
    let cost = costs.architecture(&architecture);
    [cost.macs, costs.published_macs(cost), cost.params]
}

#[test]
fn costs_are_the_published_ones() {
    assert_eq!(cost("nsenet-27", json!({})), [326_325_200, 326_326_224, 4_570_464]);
    assert_eq!(cost("nsenet-27", json!({ "scale": 1.0 })), [315_815_680, 315_816_704, 4_355_184]);
    assert_eq!(cost("nsenet-gpu", json!({})), [1_471_130_624, 1_471_131_648, 15_742_296]);
    // Published as 330.95 M; the digits behind are ours.
    assert_eq!(cost("nsenet", json!({})), [330_953_544, 330_954_568, 4_564_000]);
}

/// Multiply-accumulates with and without squeeze-excitation, and parameters, of convolutions and linear layers.
#[test]
fn costs_of_published_lists_are_the_published_ones() {
    for (name, macs, without, params) in [
        ("neas-s", 301_500_768, 299_831_392, 8_657_656),
        ("neas-m", 449_351_296, 446_121_088, 11_551_936),
        ("neas-l", 553_140_864, 549_270_400, 12_444_832),
    ] {
        let [counted, _, parameters] = cost(name, json!({}));
        assert_eq!((counted, parameters), (macs, params), "{name}");
        assert_eq!(cost(name, json!({ "squeeze_excitation": null }))[0], without, "{name} without squeeze-excitation");
        let paths = preset(name, json!({})).1.paths();
        assert_eq!((paths.count(), paths.split()), (2, if name == "neas-s" { 20 } else { 16 }));
    }
    assert_eq!(cost("spos-abs", json!({}))[0], 470_792_064);
    assert_eq!(cost("spos-abs", json!({}))[2], 5_936_776);
    let other = json!({ "repeats": [0, 3, 3, 3, 3, 2] });
    for name in ["neas-m", "spos-abs"] {
        match Architecture::preset(name, &other.to_string()).unwrap_err() {
            Error::Argument { name: "overrides_json", reason } => {
                assert!(reason.starts_with(&format!("{name} does not fit into the space that they make")), "{reason}")
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn the_first_cell_of_nsenet_27() {
    let (space, architecture) = preset("nsenet-27", json!({}));
    let cost = CostTable::new(&space).branches(0, &architecture.cells()[0]);
    assert_eq!((cost.macs, cost.params), (8_228_864, 752));
}

#[test]
fn they_are_members_of_their_published_spaces() {
    for name in ["nsenet-27", "nsenet", "nsenet-gpu"] {
        let (space, architecture) = preset(name, json!({ "scale": 1.0 }));
        let published = Space::preset(space.name(), "{}").unwrap();
        assert_eq!(space, published, "{name}: at scale 1 it is the space that was searched");
        assert_eq!(Architecture::from_json(&published, &architecture.to_json(&space)).unwrap(), architecture);
    }
    let skipped = |name| preset(name, json!({})).1.cells().iter().filter(|cell| cell.is_empty()).count();
    assert_eq!([skipped("nsenet-27"), skipped("nsenet"), skipped("nsenet-gpu")], [4, 4, 7]);
}

#[test]
fn the_chain_without_the_skipped_cells_costs_the_same() {
    let (whole, short) = (cost("nsenet-27", json!({})), cost("nsenet-27", json!({ "repeats": [1, 2, 2, 2, 2, 3] })));
    assert_eq!(whole, short);
    let (whole, short) = (cost("nsenet-gpu", json!({})), cost("nsenet-gpu", json!({ "repeats": [0, 1, 3, 4, 2] })));
    assert_eq!(whole, short);
}

#[test]
fn other_images_and_classes() {
    let small = json!({ "input": { "channels": 1, "height": 28, "width": 28 }, "classes": 10, "stem_stride": 1 });
    let (space, architecture) = preset("nsenet-27", small);
    assert_eq!(space.classes(), 10);
    assert!(CostTable::new(&space).architecture(&architecture).macs < 30_000_000);
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |name: &str, overrides: serde_json::Value| Architecture::preset(name, &overrides.to_string()).unwrap_err();
    match refused("nsenet-28", json!({})) {
        Error::Argument { name: "name", reason } => {
            let known: Vec<_> = presets().map(|(name, _)| name).collect();
            assert_eq!(known[..4], ["nsenet-27", "nsenet", "nsenet-gpu", "darts-v1"]);
            assert_eq!(reason, format!("\"nsenet-28\" is not a published architecture; there are {}", known.join(", ")));
        }
        other => panic!("{other}"),
    }
    match refused("nsenet-27", json!({ "repeats": [1, 1, 2, 2, 2, 3] })) {
        Error::Argument { name: "overrides_json", reason } => {
            assert_eq!(reason, "the chain holds 17 of the 18 cells of nsenet-27");
        }
        other => panic!("{other}"),
    }
    match refused("nsenet", json!({ "operators": "nse-27" })) {
        Error::Config { pointer, reason, .. } => {
            assert_eq!((pointer.as_str(), reason.as_str()), ("/cells/1/0", "mbconv_k3_t6_g2x1 is not a candidate of this cell"));
        }
        other => panic!("{other}"),
    }
    assert!(matches!(refused("nsenet", json!({ "scale": 0 })), Error::Config { pointer, .. } if pointer == "/scale"));
}
