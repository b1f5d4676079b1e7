//! Latency by look-up: which operations a space needs, and their sums, by hand, by brute force and as published.

use crate::support::{architectures, chain, everything};
use nse::arch::Architecture;
use nse::cost::{latency_keys, LatencyKey, LatencyKind, LatencyTable};
use nse::space::{CellKind, Space};
use nse::Error;
use serde_json::json;

/// A normal, a reduce and an expand cell; rectangular maps, grouped and dilated convolutions.
fn by_hand() -> Space {
    let text = json!({
        "name": "hand", "input": { "channels": 3, "height": 16, "width": 12 }, "classes": 10, "stem": { "channels": 8, "stride": 2 },
        "cells": [
            { "kind": "normal", "operators": ["mbconv_k3_t2_d2", "conv_k3_t1"] },
            { "kind": "reduce", "channels": 12, "operators": ["rec_k5_t2"] },
            { "kind": "expand", "channels": 16, "operators": ["mbconv_k5_t2_g2x4", "dualconv_k3_t1"] }
        ],
        "tail": { "channels": 32 }
    });
    Space::from_json(&text.to_string()).unwrap()
}

/// What `by_hand` needs. The reduce cell never adds, for it has one operator.
const KEYS: [&str; 20] = [
    "conv,4x3,12,12,1,1,0,1,1",
    "conv,4x3,12,12,3,1,1,1,1",
    "conv,4x3,12,16,1,1,0,1,1",
    "conv,4x3,12,24,1,1,0,1,2",
    "conv,4x3,16,12,1,1,0,1,1",
    "conv,4x3,16,32,1,1,0,1,1",
    "conv,4x3,24,16,1,1,0,1,4",
    "conv,4x3,24,24,5,1,2,1,24",
    "conv,8x3,16,16,5x1,2x1,2x0,1,1",
    "conv,8x6,8,8,1,1,0,1,1",
    "conv,8x6,8,8,3,1,1,1,1",
    "conv,8x6,8,16,1,1,0,1,1",
    "conv,8x6,16,8,1,1,0,1,1",
    "conv,8x6,16,16,1x5,1x2,0x2,1,1",
    "conv,8x6,16,16,3,1,2,2,16",
    "conv,16x12,3,8,3,2,1,1,1",
    "add,4x3,16,16,0,0,0,0,0",
    "add,8x6,8,8,0,0,0,0,0",
    "avgpool,4x3,32,32,4x3,1,0,1,1",
    "linear,1,32,10,0,0,0,0,0",
];

/// Every key of `space` with a time of its own.
fn filled(space: &Space) -> LatencyTable {
    let mut table = LatencyTable::default();
    for (i, key) in latency_keys(space).into_iter().enumerate() {
        table.set(key, 1.0 + (i as f64).sqrt()).unwrap();
    }
    table
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} is not {b}");
}

#[test]
fn the_keys_of_a_small_space() {
    let keys = latency_keys(&by_hand());
    let written: Vec<_> = keys.iter().map(LatencyKey::to_string).collect();
    assert_eq!(written, KEYS);
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "ascending, each once");
    assert!(keys.iter().all(|key| key.misfit().is_none()));
}

#[test]
fn equal_operations_share_a_key() {
    let cell: (&str, u32, &[&str]) = ("normal", 0, &["conv_k3_t1"]);
    let (one, four) = (chain(8, 4, &[cell]), chain(8, 4, &[cell; 4]));
    assert_eq!(latency_keys(&one), latency_keys(&four));
    // Stem, tail, pool, classifier; 1x1 and 3x3 of the operator (expand and project are alike); an addition.
    assert_eq!(latency_keys(&one).len(), 7);
}

#[test]
fn only_cells_that_can_join_something_need_additions() {
    let additions = |cells: &[(&str, u32, &[&str])]| {
        latency_keys(&chain(8, 4, cells)).into_iter().filter(|key| key.kind == LatencyKind::Add).collect::<Vec<_>>()
    };
    assert!(additions(&[("reduce", 6, &["conv_k3_t1"]), ("expand", 8, &["conv_k3_t1"])]).is_empty());
    let both = additions(&[("normal", 0, &["conv_k3_t1"]), ("reduce", 6, &["conv_k3_t1", "conv_k3_t2"])]);
    let shapes: Vec<_> = both.iter().map(|key| (key.input, key.cin, key.cout)).collect();
    assert_eq!(shapes, [([4, 4], 6, 6), ([8, 8], 4, 4)], "of the cell's output");
}

#[test]
fn what_a_table_lacks_is_listed() {
    let (space, mut table) = (by_hand(), LatencyTable::default());
    assert_eq!(table.missing(&space), latency_keys(&space));
    let some: Vec<_> = latency_keys(&space).into_iter().step_by(2).collect();
    some.iter().for_each(|key| table.set(key.clone(), 1.0).unwrap());
    let missing: Vec<_> = table.missing(&space).iter().map(LatencyKey::to_string).collect();
    assert_eq!(missing, KEYS.iter().copied().skip(1).step_by(2).collect::<Vec<_>>());

    let error = table.resolve(&space).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the latency table lacks 10 entries: conv,4x3,12,12,3,1,1,1,1; conv,4x3,12,24,1,1,0,1,2; conv,4x3,16,32,1,1,0,1,1; and 7 more"
    );
    assert_eq!(error.detail(), json!({ "missing": missing }));
    assert!(matches!(error, Error::MissingLatencies { missing } if missing.len() == 10));

    let mut table = filled(&space);
    assert!(table.missing(&space).is_empty());
    let other = Space::from_json(&space.to_json().replace("\"classes\": 10", "\"classes\": 11")).unwrap();
    let error = table.resolve(&other).unwrap_err().to_string();
    assert_eq!(error, "the latency table lacks 1 entry: linear,1,32,11,0,0,0,0,0");
    table.set(LatencyKey::classifier(&other), 0.0).unwrap();
    assert!(table.resolve(&other).is_ok() && table.resolve(&space).is_ok(), "one table may serve several spaces");
}

#[test]
fn the_times_of_a_space_are_sums_over_its_keys() {
    let space = by_hand();
    let table = filled(&space);
    let time = |row: &str| table.iter().find(|(key, _)| key.to_string() == row).unwrap().1;
    let sum = |rows: &[&str]| rows.iter().map(|row| time(row)).sum::<f64>();
    let latencies = table.resolve(&space).unwrap();
    close(latencies.ends, sum(&[KEYS[15], KEYS[5], KEYS[18], KEYS[19]]));
    let operators: Vec<_> = latencies.operators.iter().map(Vec::len).collect();
    assert_eq!(operators, [2, 1, 2]);
    close(latencies.operators[0][0], sum(&[KEYS[11], KEYS[14], KEYS[12]]));
    close(latencies.operators[0][1], 2.0 * time(KEYS[9]) + time(KEYS[10]));
    close(latencies.operators[1][0], sum(&[KEYS[11], KEYS[13], KEYS[8], KEYS[4]]));
    close(latencies.operators[2][0], sum(&[KEYS[3], KEYS[7], KEYS[6]]));
    close(latencies.operators[2][1], time(KEYS[0]) + 2.0 * time(KEYS[1]) + time(KEYS[2]));
    assert_eq!(latencies.additions, [time(KEYS[17]), 0.0, time(KEYS[16])]);
}

/// The latency of every architecture, operation by operation, against the sums made before.
#[test]
fn the_latency_of_every_architecture() {
    let space = by_hand();
    let (table, mut seen) = (filled(&space), 0);
    let latencies = table.resolve(&space).unwrap();
    for architecture in architectures(&space, &everything(&space)) {
        let mut needed = vec![
            LatencyKey::convolution(&space.chain().unwrap().stem, space.input().size()),
            LatencyKey::convolution(&space.chain().unwrap().tail, [4, 3]),
            LatencyKey::pooling(&space),
            LatencyKey::classifier(&space),
        ];
        for (open, cell) in architecture.cells().iter().zip(space.cells()) {
            for operator in open {
                let mut size = cell.input.size();
                for c in cell.operators[usize::from(*operator)].convolutions(cell.input.channels, cell.channels, cell.stride()) {
                    needed.push(LatencyKey::convolution(&c, size));
                    size = c.output(size);
                }
                assert_eq!(size, cell.output().size());
            }
            let terms = open.len() + usize::from(cell.kind == CellKind::Normal);
            needed.extend((1..terms).map(|_| LatencyKey::addition(cell.output())));
        }
        close(latencies.architecture(&space, &architecture), needed.iter().map(|key| table.get(key).unwrap()).sum());
        seen += 1;
    }
    assert_eq!(seen, 4 * 3, "subsets of two operators, of one, and of two again");
}

#[test]
fn what_cannot_be_is_not_set() {
    let mut table = LatencyTable::new("us").unwrap();
    let good = latency_keys(&by_hand())[0].clone();
    for (time, shown) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (9e-10, "0.0000000009"), (1.1e6, "1100000")] {
        let error = table.set(good.clone(), time).unwrap_err().to_string();
        assert_eq!(error, format!("time: {shown} is not 0 and not in 1e-9 to 1e6 units, for conv,4x3,12,12,1,1,0,1,1"));
    }
    let error = table.set(LatencyKey { groups: 5, ..good.clone() }, 1.0).unwrap_err().to_string();
    assert_eq!(error, "key: conv,4x3,12,12,1,1,0,1,5: the channels do not divide into 5 groups");
    assert!(table.is_empty());
    table.set(good.clone(), 1.0).unwrap();
    table.set(good.clone(), 2.0).unwrap();
    assert_eq!((table.len(), table.get(&good), table.unit()), (1, Some(2.0), "us"), "the last counts");
    for unit in ["", " ", "ms ", "a  b", "m\ns", &"x".repeat(33)] {
        let error = LatencyTable::new(unit).unwrap_err().to_string();
        assert_eq!(error, format!("unit: {unit:?} is not a unit: 1 to 32 visible characters are"));
    }
}

/// What NSENet_GPU needs of the published table, in its own unit (66 are about 7 ms on the authors' GPU).
const NSENET_GPU: &str = "\
kind,input_size,in_channels,out_channels,kernel,stride,padding,dilation,groups,time
conv,224,3,16,3,2,1,1,1,0.681
conv,7,256,1024,1,1,0,1,1,0.429
avgpool,7,1024,1024,7,1,0,1,1,0.2495
linear,1,1024,1000,0,0,0,0,0,0.0
add,56,32,32,0,0,0,0,0,0.452
add,28,64,64,0,0,0,0,0,0.272
add,14,128,128,0,0,0,0,0,0.18
add,7,256,256,0,0,0,0,0,0.136
conv,112,16,64,1,1,0,1,1,1.342
conv,112,64,64,1x5,1x2,0x2,1,1,2.982
conv,112x56,64,64,5x1,2x1,2x0,1,1,1.565
conv,56,64,32,1,1,0,1,1,0.4745
conv,56,32,32,1,1,0,1,1,0.351
conv,56,32,32,3,1,1,1,1,0.842
conv,56,32,64,1,1,0,1,1,0.477
conv,56,32,96,1,1,0,1,1,0.6835
conv,56,64,64,1x7,1x2,0x3,1,1,1.103
conv,56,96,96,3,2,1,1,96,1.111
conv,56x28,64,64,7x1,2x1,3x0,1,1,0.617
conv,28,64,64,1,1,0,1,1,0.2405
conv,28,64,64,1x7,1x1,0x3,1,1,0.6135
conv,28,64,64,3,1,1,1,1,0.6155
conv,28,64,192,1,1,0,1,1,0.482
conv,28,64,384,1,1,0,1,1,0.757
conv,28,96,64,1,1,0,1,1,0.274
conv,28,192,64,1,1,0,1,1,0.37
conv,28,192,192,3,1,1,1,192,1.1555
conv,28,192,192,7,2,3,1,192,1.995
conv,28,384,384,3,2,1,1,384,1.051
conv,28x28,64,64,7x1,1x1,3x0,1,1,0.6165
conv,14,128,128,1,1,0,1,1,0.199
conv,14,128,128,3,1,1,1,1,0.557
conv,14,128,128,5,1,2,1,128,0.57
conv,14,128,128,7,1,3,1,128,0.863
conv,14,128,384,1,1,0,1,1,0.39
conv,14,128,768,1,1,0,1,1,0.626
conv,14,192,128,1,1,0,1,1,0.2285
conv,14,384,128,1,1,0,1,1,0.35
conv,14,384,384,3,1,1,1,384,0.7765
conv,14,768,768,3,2,1,1,768,0.729
conv,14,768,768,7,2,3,1,768,2.2125
conv,7,256,256,1,1,0,1,1,0.188
conv,7,256,256,3,1,1,1,1,0.809
conv,7,256,256,3,1,1,1,256,0.24
conv,7,256,256,7,1,3,1,256,0.523
conv,7,256,512,1,1,0,1,1,0.2705
conv,7,256,768,1,1,0,1,1,0.338
conv,7,256,1536,1,1,0,1,1,0.572
conv,7,512,256,1,1,0,1,1,0.255
conv,7,512,512,1x5,1x1,0x2,1,1,1.521
conv,7,512,512,3,1,1,1,1,2.667
conv,7x7,512,512,5x1,1x1,2x0,1,1,1.5035
conv,7,768,256,1,1,0,1,1,0.329
conv,7,768,768,3,1,1,1,768,0.525
conv,7,1536,256,1,1,0,1,1,0.551
conv,7,1536,1536,3,1,1,1,1536,0.957
conv,7,1536,1536,7,1,3,1,1536,2.54
";

/// The published operators of every cell; one stage of each width, layout NR with 0, 1, 3, 4, 2 normal cells.
fn nsenet_gpu() -> Space {
    let cells: [(u32, &[&str]); 14] = [
        (32, &["rec_k5_t4"]),
        (0, &["dualconv_k3_t1"]),
        (64, &["mbconv_k3_t3", "rec_k7_t2"]),
        (0, &["rec_k7_t1", "mbconv_k3_t3"]),
        (0, &["dualconv_k3_t1"]),
        (0, &["dualconv_k3_t1"]),
        (128, &["mbconv_k3_t6", "mbconv_k7_t3"]),
        (0, &["mbconv_k5_t1"]),
        (0, &["mbconv_k3_t3", "mbconv_k7_t1"]),
        (0, &["dualconv_k3_t1"]),
        (0, &["dualconv_k3_t1", "mbconv_k7_t1"]),
        (256, &["mbconv_k7_t6", "mbconv_k3_t6"]),
        (0, &["mbconv_k3_t1", "mbconv_k3_t3", "mbconv_k7_t6", "dualconv_k3_t1"]),
        (0, &["mbconv_k3_t6", "mbconv_k7_t1", "mbconv_k7_t6", "dualconv_k3_t2", "rec_k5_t2"]),
    ];
    let cells: Vec<_> = (cells.iter())
        .map(|(channels, operators)| match channels {
            0 => json!({ "kind": "normal", "operators": operators }),
            _ => json!({ "kind": "reduce", "channels": channels, "operators": operators }),
        })
        .collect();
    let text = json!({
        "name": "gpu", "input": { "channels": 3, "height": 224, "width": 224 }, "classes": 1000,
        "stem": { "channels": 16, "stride": 2 }, "cells": cells, "tail": { "channels": 1024 }
    });
    Space::from_json(&text.to_string()).unwrap()
}

#[test]
fn nsenet_gpu_takes_what_was_published() {
    let (space, table) = (nsenet_gpu(), LatencyTable::parse(NSENET_GPU).unwrap());
    assert_eq!(latency_keys(&space).len(), table.len(), "nothing is missing, nothing is too much");
    let latencies = table.resolve(&space).unwrap();
    let stem = table.get(&LatencyKey::convolution(&space.chain().unwrap().stem, [224, 224])).unwrap();
    let (mut cells, mut reduce_additions) = (latencies.operators.iter().flatten().sum::<f64>(), 0.0);
    for (cell, addition) in space.cells().iter().zip(&latencies.additions) {
        match cell.kind {
            CellKind::Normal => cells += cell.operators.len() as f64 * addition,
            _ => reduce_additions += (cell.operators.len() - 1) as f64 * addition,
        }
    }
    close(cells, 65.504);
    close(reduce_additions, 0.588);
    close(latencies.ends - stem, 0.6785);
    close(stem, 0.681);
    let architecture = Architecture::new(&space, everything(&space)).unwrap();
    close(latencies.architecture(&space, &architecture), 65.504 + 0.588 + 0.6785 + 0.681);
}

/// All 19 operators in all cells of that space: all are among the 371 rows of the published table.
#[test]
fn the_published_space_needs_242_times() {
    let operators = [
        "mbconv_k3_t1",
        "mbconv_k3_t3",
        "mbconv_k3_t6",
        "mbconv_k5_t1",
        "mbconv_k5_t3",
        "mbconv_k5_t6",
        "mbconv_k7_t1",
        "mbconv_k7_t3",
        "mbconv_k7_t6",
        "conv_k3_t1",
        "conv_k3_t2",
        "dualconv_k3_t1",
        "dualconv_k3_t2",
        "rec_k5_t1",
        "rec_k5_t2",
        "rec_k5_t4",
        "rec_k7_t1",
        "rec_k7_t2",
        "rec_k7_t4",
    ];
    let overrides = json!({
        "layout": "NR", "repeats": [0, 1, 3, 4, 2], "channels": [16, 32, 64, 128, 256], "operators": operators
    });
    let space = Space::preset("nse-27", &overrides.to_string()).unwrap();
    assert_eq!(latency_keys(&space).len(), 242, "the tail is also an expansion by 4");
    let architecture = [
        vec![15],
        vec![11],
        vec![1, 17],
        vec![16, 1],
        vec![11],
        vec![11],
        vec![2, 7],
        vec![3],
        vec![1, 6],
        vec![11],
        vec![11, 6],
        vec![8, 2],
        vec![0, 1, 8, 11],
        vec![2, 6, 8, 12, 14],
    ];
    let architecture = Architecture::new(&space, architecture.to_vec()).unwrap();
    let small = nsenet_gpu();
    let all = Architecture::new(&small, everything(&small)).unwrap().names(&small);
    let sorted = |mut names: Vec<Vec<String>>| {
        names.iter_mut().for_each(|cell| cell.sort());
        names
    };
    assert_eq!(sorted(architecture.names(&space)), sorted(all), "the published indices are the operators above");
    let Ok(path) = std::env::var("NSE_LATENCY_FIXTURE") else { return };
    let table = LatencyTable::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(table.len(), 371);
    close(table.resolve(&space).unwrap().architecture(&space, &architecture), 67.4515);
}
