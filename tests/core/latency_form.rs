//! The two texts of a latency table: read, written, and everything that can be wrong in them.

use crate::support::{cases, config, with, without};
use nse::cost::{LatencyKey, LatencyKind, LatencyTable};
use proptest::prelude::*;
use serde_json::{json, Value};

const HEADER: &str = "kind,input_size,in_channels,out_channels,kernel,stride,padding,dilation,groups,time";

/// One row of every kind.
const ROWS: [&str; 5] = [
    "conv,14x7,128,128,3x1,2x1,1x0,1,1,0.164",
    "conv,28,64,64,3,1,1,1,64,0.5",
    "add,28,64,64,0,0,0,0,0,0.272",
    "avgpool,7,1024,1024,7,1,0,1,1,0.2495",
    "linear,1,1024,1000,0,0,0,0,0,0.0",
];

fn csv(rows: &[&str]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn valid() -> Value {
    json!({ "unit": "us", "entries": [
        { "kind": "conv", "input_size": "14x7", "in_channels": 128, "out_channels": 128, "kernel": "3x1", "stride": "2x1",
          "padding": "1x0", "dilation": 1, "groups": 1, "time": 0.164 },
        { "kind": "add", "input_size": 28, "in_channels": 64, "out_channels": 64, "kernel": 0, "stride": 0, "padding": 0,
          "dilation": 0, "groups": 0, "time": 2 }
    ] })
}

/// Refused at `at` (a line or a JSON pointer), for this reason.
fn assert_refused(text: &str, at: &str, reason: &str) {
    let (document, pointer, why) = config(LatencyTable::parse(text));
    assert_eq!((document, pointer.as_str()), ("latency table", at), "{text}: {why}");
    assert!(why.contains(reason), "{text}: {why:?} does not say {reason:?}");
}

#[test]
fn a_csv_table_is_read() {
    let table = LatencyTable::parse(&csv(&ROWS)).unwrap();
    assert_eq!((table.len(), table.unit()), (5, "ms"));
    let entries: Vec<_> = table.iter().map(|(key, time)| (key.clone(), time)).collect();
    let key = LatencyKey {
        kind: LatencyKind::Conv,
        input: [14, 7],
        cin: 128,
        cout: 128,
        kernel: [3, 1],
        stride: [2, 1],
        padding: [1, 0],
        dilation: 1,
        groups: 1,
    };
    assert_eq!(entries[0], (key, 0.164));
    assert_eq!(entries[4].0.kind, LatencyKind::Linear);
    assert_eq!(entries.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>(), ROWS.map(|r| r.rsplit_once(',').unwrap().0));

    let spaced = format!("\n# unit:  GPU ms \r\n\r\n{HEADER}\r\n\n{}\r\n\n{}", ROWS[1], ROWS[0]);
    let table = LatencyTable::parse(&spaced).unwrap();
    assert_eq!((table.len(), table.unit()), (2, "GPU ms"));
    let written = "conv,28x28,64,64,3x3,1x1,1x1,1,64,0.5";
    let read = |row| LatencyTable::parse(&csv(&[row])).unwrap();
    assert_eq!(read(written), read(ROWS[1]), "a square may be written out");
    assert!(LatencyTable::parse(HEADER).unwrap().is_empty());
}

#[test]
fn a_json_table_is_read() {
    let table = LatencyTable::parse(&format!(" \n{}", valid())).unwrap();
    assert_eq!((table.len(), table.unit()), (2, "us"));
    let rows: Vec<_> = table.iter().map(|(key, time)| format!("{key},{time}")).collect();
    assert_eq!(rows, [ROWS[0], "add,28,64,64,0,0,0,0,0,2"]);
    assert_eq!(LatencyTable::parse(&without(&valid(), "/unit").to_string()).unwrap().unit(), "ms");
    let written = with(&valid(), "/entries/1/input_size", json!("28x28"));
    assert_eq!(LatencyTable::parse(&written.to_string()).unwrap(), table, "a square may be written out");
}

#[test]
fn what_is_written() {
    let table = LatencyTable::parse(&csv(&ROWS)).unwrap();
    assert_eq!(table.to_csv(), format!("# unit: ms\n{}", csv(&ROWS)));
    let text: Value = serde_json::from_str(&table.to_json()).unwrap();
    assert_eq!(text["entries"][0], valid()["entries"][0]);
    assert_eq!((&text["unit"], text["entries"].as_array().unwrap().len()), (&json!("ms"), 5));
}

fn key() -> impl Strategy<Value = LatencyKey> {
    let pair = || [1..300u32, 1..300u32];
    let kernel = (pair(), pair(), [0..9u32, 0..9u32], 1..5u32, 1..5u32);
    (0..LatencyKind::ALL.len(), pair(), 1..2000u32, 1..2000u32, kernel).prop_map(
        |(kind, input, cin, cout, (kernel, stride, padding, dilation, groups))| {
            let conv = LatencyKey {
                kind: LatencyKind::Conv,
                input,
                cin: cin * groups,
                cout: cout * groups,
                kernel,
                stride,
                padding,
                dilation,
                groups,
            };
            let plain =
                LatencyKey { kernel: [0, 0], stride: [0, 0], padding: [0, 0], dilation: 0, groups: 0, cin, cout, ..conv.clone() };
            match LatencyKind::ALL[kind] {
                LatencyKind::Conv => conv,
                LatencyKind::Add => LatencyKey { kind: LatencyKind::Add, cout: cin, ..plain },
                LatencyKind::AvgPool => {
                    let pool = LatencyKey { kind: LatencyKind::AvgPool, cout: cin, kernel: input, stride: [1, 1], ..plain };
                    LatencyKey { dilation: 1, groups: 1, ..pool }
                }
                LatencyKind::Linear => LatencyKey { kind: LatencyKind::Linear, input: [1, 1], ..plain },
                LatencyKind::Scale => LatencyKey { kind: LatencyKind::Scale, cout: cin, ..plain },
            }
        },
    )
}

fn time() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1e-9), Just(1e6), 1e-9..100.0, (-9.0..6.0).prop_map(|magnitude: f64| 10f64.powf(magnitude))]
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn what_is_written_reads_back(entries in prop::collection::vec((key(), time()), 0..20), unit in "[!-~é]{1,9}( [!-~]{1,9})?") {
        let mut table = LatencyTable::new(&unit).unwrap();
        for (key, time) in entries {
            table.set(key, time).unwrap();
        }
        prop_assert_eq!(&LatencyTable::parse(&table.to_csv()).unwrap(), &table);
        prop_assert_eq!(&LatencyTable::parse(&table.to_json()).unwrap(), &table);
    }

    /// Whatever is in a file, reading it ends in a table or in an error of one line.
    #[test]
    fn any_text_is_read_or_refused(text in "(#|\\{|kind,|conv,|[0-9x,.\n -])*", row in "[a-z]{0,5}(,[0-9x.e-]{0,4}){8,10}") {
        for text in [text, csv(&[&row])] {
            if let Err(error) = LatencyTable::parse(&text) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }
}

#[test]
fn a_csv_text_needs_its_header() {
    for text in ["", " \n\n", "# unit: ms\n"] {
        assert_refused(text, "", "there is no header \"kind,input_size,in_channels,");
    }
    assert_refused(ROWS[0], "line 1", "\"conv,14x7,128,128,3x1,2x1,1x0,1,1,0.164\" is not the header");
    assert_refused("\n# unit: ms\nkind,time\n", "line 3", "\"kind,time\" is not the header");
    assert_refused(&csv(&[HEADER]), "line 2", "kind: \"kind\" is not conv, add, avgpool, linear or scale");
    assert_refused("# units: ms\n", "line 1", "\"# units: ms\" is not the header");
    assert_refused("# unit: ms\n# unit: us\n", "line 2", "a second unit");
    assert_refused("# unit: \n", "line 1", "\"\" is not a unit");
    let long = config(LatencyTable::parse(&"z".repeat(1_000_000))).2;
    assert!(long.len() < 300, "a message does not repeat a whole file");
}

#[test]
fn a_wrong_row_is_named_by_its_line() {
    let good = ROWS[1];
    for (row, reason) in [
        ("conv,28,64,64,3,1,1,1,64", "9 columns, the header has 10"),
        ("conv,28,64,64,3,1,1,1,64,0.5,", "11 columns, the header has 10"),
        ("# unit: ms", "1 columns, the header has 10"),
        ("pool,28,64,64,3,1,1,1,64,0.5", "kind: \"pool\" is not conv, add, avgpool, linear or scale"),
        ("Conv,28,64,64,3,1,1,1,64,0.5", "kind: \"Conv\" is not"),
        ("conv,28x,64,64,3,1,1,1,64,0.5", "input_size: \"28x\" is not a whole number, or height and width like 1x3"),
        ("conv,28x28x1,64,64,3,1,1,1,64,0.5", "input_size: \"28x28x1\" is not"),
        ("conv,28,6.4,64,3,1,1,1,64,0.5", "in_channels: \"6.4\" is not a whole number"),
        ("conv,28,64,,3,1,1,1,64,0.5", "out_channels: \"\" is not a whole number"),
        ("conv,28,64,64,-3,1,1,1,64,0.5", "kernel: \"-3\" is not"),
        ("conv,28,64,64,3,+1,1,1,64,0.5", "stride: \"+1\" is not"),
        ("conv,28,64,64,3,1,one,1,64,0.5", "padding: \"one\" is not"),
        ("conv,28,64,64,3,1,1,1x1,64,0.5", "dilation: \"1x1\" is not a whole number"),
        ("conv,28,64,64,3,1,1,1,4294967296,0.5", "groups: \"4294967296\" is not a whole number"),
        ("conv,28,64,64,3,1,1,1,64,fast", "time: \"fast\" is not a number"),
        ("conv,28,64,64,3,1,1,1,64,-0.5", "-0.5 is not 0 and not in 1e-9 to 1e6 units"),
        ("conv,28,64,64,3,1,1,1,64,NaN", "NaN is not 0 and not in 1e-9 to 1e6 units"),
        ("conv,28,64,64,3,1,1,1,64,1e999", "inf is not 0 and not in 1e-9 to 1e6 units"),
        ("conv,0,64,64,3,1,1,1,64,0.5", "conv,0,64,64,3,1,1,1,64: a size or a number of channels is 0"),
        ("conv,28,64,64,0,1,1,1,64,0.5", "kernel, stride, dilation or groups of a convolution are 0"),
        ("conv,28,64,96,3,1,1,1,64,0.5", "conv,28,64,96,3,1,1,1,64: the channels do not divide into 64 groups"),
        ("add,28,64,64,1,1,0,1,1,0.5", "add,28,64,64,1,1,0,1,1: written as add,28,64,64,0,0,0,0,0 in a table"),
        ("add,28,64,32,0,0,0,0,0,0.5", "written as add,28,64,64,0,0,0,0,0 in a table"),
        ("avgpool,7,64,64,7,7,0,1,1,0.5", "written as avgpool,7,64,64,7,1,0,1,1 in a table"),
        ("linear,7,64,10,0,0,0,0,0,0.5", "written as linear,1,64,10,0,0,0,0,0 in a table"),
        ("conv,14x7,128,128,3x1,2x1,1x0,1,1,7", "conv,14x7,128,128,3x1,2x1,1x0,1,1 is listed twice"),
    ] {
        assert_refused(&csv(&[ROWS[0], row, good]), "line 3", reason);
    }
    let error = LatencyTable::parse(&csv(&["conv,28,64,64,3,1,1,1,64,fast"])).unwrap_err();
    assert_eq!(error.to_string(), "latency table: time: \"fast\" is not a number (at line 2)");
    assert_eq!(error.detail(), json!({ "document": "latency table", "pointer": "line 2" }));
}

#[test]
fn a_wrong_json_value_is_pointed_at() {
    let refused = |document: Value, at: &str, reason: &str| assert_refused(&document.to_string(), at, reason);
    for (at, value, reason) in [
        ("/units", json!("ms"), "unknown field `units`"),
        ("/unit", json!(1), "invalid type"),
        ("/unit", json!("m\ns"), "\"m\\ns\" is not a unit"),
        ("/entries", json!({}), "invalid type"),
        ("/entries/0", json!([]), "expected an object, not a list"),
        ("/entries/0/name", json!("a"), "unknown field `name`"),
        ("/entries/0/kind", json!("pool"), "unknown variant `pool`, expected one of `conv`, `add`, `avgpool`, `linear`"),
        ("/entries/0/in_channels", json!(-1), "invalid value"),
        ("/entries/0/dilation", json!("1"), "invalid type"),
        ("/entries/0/kernel", json!(1.5), "expected a whole number, or height and width like \"1x3\""),
        ("/entries/0/kernel", json!([3, 1]), "expected a whole number, or height and width like \"1x3\""),
        ("/entries/0/kernel", json!("3:1"), "\"3:1\" is not a whole number, or height and width like 1x3"),
        ("/entries/1/input_size", json!("28x"), "\"28x\" is not"),
        ("/entries/0/stride", json!("-1"), "\"-1\" is not"),
        ("/entries/0/padding", json!(""), "\"\" is not"),
        ("/entries/0/time", json!("fast"), "invalid type"),
        ("/entries/0/time", json!(null), "invalid type"),
    ] {
        refused(with(&valid(), at, value), at, reason);
    }
    refused(with(&valid(), "/entries/0/time", json!(-2)), "/entries/0", "-2 is not 0 and not in 1e-9 to 1e6 units");
    refused(with(&valid(), "/entries/1/groups", json!(1)), "/entries/1", "written as add,28,64,64,0,0,0,0,0 in a table");
    refused(with(&valid(), "/entries/0", valid()["entries"][1].clone()), "/entries/1", "add,28,64,64,0,0,0,0,0 is listed twice");
    refused(without(&valid(), "/entries"), "", "missing field `entries`");
    for key in ["kind", "input_size", "in_channels", "out_channels", "kernel", "stride", "padding", "dilation", "groups", "time"]
    {
        refused(without(&valid(), &format!("/entries/0/{key}")), "/entries/0", &format!("missing field `{key}`"));
    }
    assert_refused("{", "", "EOF");
    assert_refused(&valid().to_string().replace("0.164", "1e999"), "/entries/0/time", "number out of range");
}
