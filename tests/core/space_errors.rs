//! Every way in which the JSON form of a space can be wrong, and where the error points.

use crate::support::{config, with, without};
use nse::space::Space;
use serde_json::{json, Value};

fn valid() -> Value {
    json!({
        "name": "three", "input": { "channels": 3, "height": 32, "width": 32 }, "classes": 10,
        "stem": { "channels": 8, "stride": 2 },
        "cells": [
            { "kind": "normal" },
            { "kind": "reduce", "channels": 12 },
            { "kind": "expand", "channels": 16, "operators": ["rec_k5_t2", "conv_k3_t1", "mbconv_k3_t3_g2x4"] }
        ],
        "operators": ["mbconv_k3_t1", "mbconv_k5_t3"], "tail": { "channels": 64 }
    })
}

fn assert_refused(document: &Value, pointer: &str, reason: &str) {
    let (name, at, why) = config(Space::from_json(&document.to_string()));
    assert_eq!((name, at.as_str()), ("space", pointer), "{why}");
    assert!(why.contains(reason), "{pointer}: {why:?} does not say {reason:?}");
}

#[test]
fn the_document_itself_is_valid() {
    let space = Space::from_json(&valid().to_string()).unwrap();
    assert_eq!(space.cells()[2].operators.len(), 3);
    assert_eq!(space.cells()[1].operators.len(), 2);
}

#[test]
fn a_missing_key_is_named_at_its_object() {
    for key in ["name", "input", "classes", "stem", "cells", "tail"] {
        assert_refused(&without(&valid(), &format!("/{key}")), "", &format!("missing field `{key}`"));
    }
    for (object, key) in [
        ("/input", "channels"),
        ("/input", "height"),
        ("/input", "width"),
        ("/stem", "channels"),
        ("/stem", "stride"),
        ("/tail", "channels"),
        ("/cells/1", "kind"),
    ] {
        assert_refused(&without(&valid(), &format!("{object}/{key}")), object, &format!("missing field `{key}`"));
    }
}

#[test]
fn an_unknown_key_is_pointed_at() {
    for at in ["/weights", "/input/depth", "/stem/norm", "/tail/relu", "/cells/1/stride", "/cells/2/width"] {
        let key = at.rsplit('/').next().unwrap();
        assert_refused(&with(&valid(), at, json!(1)), at, &format!("unknown field `{key}`"));
    }
    assert_refused(&with(&valid(), "/a~1b~0c", json!(1)), "/a~01b~00c", "unknown field");
    let mut odd = valid();
    odd["a/b~c"] = json!(1);
    assert_refused(&odd, "/a~1b~0c", "unknown field `a/b~c`");
}

#[test]
fn a_wrong_type_is_pointed_at() {
    for (at, value) in [
        ("/name", json!(7)),
        ("/input", json!("28x28")),
        ("/input/height", json!("32")),
        ("/input/width", json!(32.5)),
        ("/classes", json!(-1)),
        ("/stem/stride", json!(null)),
        ("/cells", json!({})),
        ("/cells/0", json!("normal")),
        ("/cells/1/channels", json!([12])),
        ("/cells/1/channels", json!(4_294_967_296u64)),
    ] {
        assert_refused(&with(&valid(), at, value), at, "invalid");
    }
    assert_refused(&with(&valid(), "/cells/1/kind", json!("pool")), "/cells/1/kind", "unknown variant `pool`");
    assert_refused(&with(&valid(), "/operators", json!(3)), "/operators", "expected the name of a published pool");
    assert_refused(&with(&valid(), "/cells/2/operators", json!(["rec_k5_t2", 3])), "/cells/2/operators", "expected the name");
}

/// Values by position are not the documented form.
#[test]
fn a_list_is_no_object() {
    for (at, value) in [
        ("/input", json!([3, 32, 32])),
        ("/stem", json!([8, 2])),
        ("/tail", json!([64])),
        ("/cells/1", json!(["reduce", 12, null])),
    ] {
        assert_refused(&with(&valid(), at, value), at, "expected an object, not a list");
    }
    let positions = json!(["n", [1, 4, 4], 2, [2, 1], [["reduce", 3, ["conv_k1_t1"]]], null, [4]]);
    assert_refused(&positions, "", "expected an object, not a list");
}

#[test]
fn a_value_out_of_range_is_pointed_at() {
    for (at, value, reason) in [
        ("/input/channels", 0, "0 is not in 1 to 1024"),
        ("/input/channels", 1025, "1025 is not in 1 to 1024"),
        ("/input/height", 0, "0 is not in 1 to 4096"),
        ("/input/height", 4097, "4097 is not in 1 to 4096"),
        ("/input/width", 4097, "4097 is not in 1 to 4096"),
        ("/classes", 1, "1 is not in 2 to 1000000"),
        ("/classes", 1_000_001, "1000001 is not in 2 to 1000000"),
        ("/stem/channels", 0, "0 is not in 1 to 65536"),
        ("/stem/channels", 65_537, "65537 is not in 1 to 65536"),
        ("/stem/stride", 5, "5 is not in 1 to 4"),
        ("/stem/kernel", 33, "33 is not in 1 to 31"),
        ("/stem/kernel", 4, "4 is even"),
        ("/tail/channels", 0, "0 is not in 1 to 65536"),
        ("/cells/1/channels", 0, "0 is not in 1 to 65536"),
        ("/cells/2/channels", 65_537, "65537 is not in 1 to 65536"),
    ] {
        assert_refused(&with(&valid(), at, json!(value)), at, reason);
    }
    assert_refused(&with(&valid(), "/cells", json!([])), "/cells", "0 is not in 1 to 1000");
    let many = vec![json!({ "kind": "normal" }); 1001];
    assert_refused(&with(&valid(), "/cells", many.into()), "/cells", "1001 is not in 1 to 1000");
}

#[test]
fn only_reduce_and_expand_cells_have_channels_and_they_must() {
    assert_refused(&with(&valid(), "/cells/0/channels", json!(8)), "/cells/0/channels", "a normal cell keeps its channels");
    assert_refused(&without(&valid(), "/cells/1/channels"), "/cells/1", "a reduce cell needs \"channels\"");
    assert_refused(
        &without(&valid(), "/cells/2/channels"),
        "/cells/2",
        "an expand cell needs \"channels\"".trim_start_matches("an "),
    );
}

#[test]
fn every_cell_needs_operators() {
    assert_refused(&without(&valid(), "/operators"), "/cells/0", "no \"operators\" here and none for the whole space");
    assert_refused(&with(&valid(), "/operators", json!([])), "/operators", "0 operators are not in 1 to 65535");
    assert_refused(&with(&valid(), "/cells/2/operators", json!([])), "/cells/2/operators", "0 operators are not in 1 to 65535");
}

#[test]
fn a_wrong_operator_is_pointed_at() {
    assert_refused(
        &with(&valid(), "/cells/2/operators/1", json!("conv_k4_t1")),
        "/cells/2/operators/1",
        "\"conv_k4_t1\" is not an operator",
    );
    assert_refused(&with(&valid(), "/operators/0", json!("skip")), "/operators/0", "\"skip\" is not an operator");
    assert_refused(
        &with(&valid(), "/cells/2/operators/1", json!("rec_k5_t2")),
        "/cells/2/operators/1",
        "rec_k5_t2 is listed twice",
    );
    assert_refused(&with(&valid(), "/operators/1", json!("mbconv_k3_t1")), "/operators/1", "mbconv_k3_t1 is listed twice");
    assert_refused(&with(&valid(), "/operators", json!("nse-28")), "/operators", "\"nse-28\" is not a published pool");
    assert_refused(&with(&valid(), "/cells/2/operators", json!("mb")), "/cells/2/operators", "\"mb\" is not a published pool");
}

#[test]
fn groups_must_divide_the_channels() {
    let grouped = |name: &str| with(&valid(), "/cells/2/operators/2", json!(name));
    assert!(Space::from_json(&grouped("mbconv_k3_t1_g12x4").to_string()).is_ok());
    assert_refused(
        &grouped("mbconv_k3_t1_g5x1"),
        "/cells/2/operators",
        "mbconv_k3_t1_g5x1: 12 to 16 channels do not divide into 5 and 1 groups",
    );
    assert_refused(&grouped("mbconv_k3_t3_g1x3"), "/cells/2/operators", "12 to 16 channels do not divide into 1 and 3 groups");
}

#[test]
fn text_that_is_not_one_json_document_is_refused() {
    let text = valid().to_string();
    for (wrong, reason) in [
        (String::new(), "EOF"),
        ("{".into(), "EOF"),
        (text[..text.len() - 1].into(), "EOF"),
        (format!("{text}x"), "trailing characters"),
        (format!("{text}{text}"), "trailing characters"),
        ("7".into(), "invalid type: integer `7`"),
        ("null".into(), "invalid type: null"),
    ] {
        let (_, pointer, why) = config(Space::from_json(&wrong));
        assert_eq!(pointer, "", "{why}");
        assert!(why.contains(reason), "{why}");
    }
    assert!(Space::from_json(&format!(" \n{text}\n ")).is_ok());
    let twice = text.replacen("\"classes\":10", "\"classes\":10,\"classes\":10", 1);
    assert!(config(Space::from_json(&twice)).2.contains("duplicate field `classes`"));
}

#[test]
fn the_text_of_an_error_is_one_line_with_the_place() {
    let error = Space::from_json(&with(&valid(), "/classes", json!(1)).to_string()).unwrap_err();
    assert_eq!(error.to_string(), "space: 1 is not in 2 to 1000000 (at /classes)");
    assert_eq!(error.detail(), json!({ "document": "space", "pointer": "/classes" }));
    let error = Space::from_json(&without(&valid(), "/tail").to_string()).unwrap_err().to_string();
    assert!(error.ends_with("(at the top)") && !error.contains('\n'), "{error}");
}

#[test]
fn an_override_is_pointed_at_by_its_own_name() {
    let cases = [
        (r#"{"tail": 0}"#, "/tail"),
        (r#"{"stem_stride": 9}"#, "/stem_stride"),
        (r#"{"channels": [0, 24, 40, 80, 96, 192, 320]}"#, "/channels/0"),
        (r#"{"channels": [16, 24, 40, 80, 96, 192, 320000]}"#, "/channels/6"),
        (r#"{"channels": [16, 24, 320000, 80, 96, 192, 320]}"#, "/channels/2"),
        (r#"{"operators": ["mbconv_k3_t1_g5x1"]}"#, "/operators"),
        (r#"{"operators": ["mbconv_k3_t1", "mbconv_k3_t1"]}"#, "/operators/1"),
        (r#"{"input": {"channels": 0, "height": 1, "width": 1}}"#, "/input/channels"),
        (r#"{"classes": 1}"#, "/classes"),
        (r#"{"layout": "NR", "repeats": [0], "channels": [16]}"#, "/repeats"),
    ];
    for (overrides, pointer) in cases {
        let (document, at, reason) = config(Space::preset("nse-27", overrides));
        assert_eq!((document, at.as_str()), ("preset overrides", pointer), "{overrides}: {reason}");
    }
}
