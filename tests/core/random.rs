//! Random streams: golden values, so that no update of a dependency can change a stored result, and their distributions.
//! The golden values were computed from the definition of ChaCha8 (RFC 8439 with 8 rounds, a 64-bit counter and nonce 0).

use crate::support::assert_frequencies;
use nse::search::{Purpose, Stream};
use std::collections::HashSet;

const PURPOSES: [Purpose; 10] = [
    Purpose::Pool,
    Purpose::WeightGates,
    Purpose::ArchitectureGates,
    Purpose::Candidates,
    Purpose::Weights,
    Purpose::TrainOrder,
    Purpose::HeldOutOrder,
    Purpose::Augment,
    Purpose::Split,
    Purpose::Calibration,
];

#[test]
fn golden_words() {
    let golden = [
        (
            (0, Purpose::Pool, 0, 0),
            [0x3febe7d052d76565, 0x519d89fdb939a805, 0x5eecaa33822196c6, 0x9ad074f94e28f793],
            0x34711bc8d882abe1,
        ),
        (
            (1, Purpose::Pool, 2, 3),
            [0xc8fe8f85dd7cb658, 0xc2dfdff401ec427e, 0x61e1745e80561cbb, 0xe06f55f15dd870fb],
            0x7ecdff37a85051ec,
        ),
        (
            (u64::MAX, Purpose::Calibration, 7, 11),
            [0x2f8f0b6dd8376c74, 0x383c6df26364fbc5, 0x0460766d03b0fc48, 0xe0603f728981e192],
            0x71fa03e27e5b4e14,
        ),
        (
            (27, Purpose::Candidates, 1, 0),
            [0x8e3abaf80c6df945, 0x72586bb737292ded, 0xed4326e6c47bbe65, 0x5b6e239aec835398],
            0x9bbb1f9fd94f32b3,
        ),
    ];
    for ((seed, purpose, round, index), first, last) in golden {
        let mut stream = Stream::new(seed, purpose, round, index);
        assert_eq!([(); 4].map(|()| stream.next_u64()), first);
        let rest: Vec<u64> = (4..24).map(|_| stream.next_u64()).collect();
        assert_eq!(rest[19], last, "the 24th, of the third block");
    }
}

#[test]
fn golden_uniforms() {
    let mut stream = Stream::new(27, Purpose::Candidates, 1, 0);
    assert_eq!([(); 3].map(|()| stream.uniform()), [0.5555836539828575, 0.4466616937926672, 0.9268059075734375]);
}

#[test]
fn golden_shuffle() {
    let mut items: Vec<u32> = (0..10).collect();
    Stream::new(27, Purpose::Pool, 0, 0).shuffle(&mut items);
    assert_eq!(items, [1, 4, 7, 0, 5, 9, 2, 3, 8, 6]);
}

#[test]
fn purposes_keep_their_numbers() {
    assert_eq!(PURPOSES.map(|purpose| purpose as u64), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn every_name_is_another_stream() {
    let mut seen = HashSet::new();
    for seed in [0, 1, 2, u64::MAX] {
        for purpose in PURPOSES {
            for round in 0..4 {
                for index in [0, 1, 2, 1 << 32, u64::MAX] {
                    let first = Stream::new(seed, purpose, round, index).next_u64();
                    assert_eq!(first, Stream::new(seed, purpose, round, index).next_u64(), "and the same name the same stream");
                    assert!(seen.insert(first));
                }
            }
        }
    }
}

#[test]
fn uniform_is_flat_in_its_range() {
    let mut stream = Stream::new(1, Purpose::Weights, 0, 0);
    let (mut bins, mut sum) = ([0; 50], 0.0);
    for _ in 0..200_000 {
        let value = stream.uniform();
        assert!((0.0..1.0).contains(&value));
        assert_eq!((value * (1u64 << 53) as f64).fract(), 0.0, "a multiple of 2^-53");
        bins[(value * 50.0) as usize] += 1;
        sum += value;
    }
    assert_frequencies(&bins, &[0.02; 50], "uniform");
    assert!((sum / 200_000.0 - 0.5).abs() < 0.003);
}

#[test]
fn below_has_no_bias() {
    let mut stream = Stream::new(2, Purpose::Weights, 0, 0);
    for n in [1, 2, 3, 7, 10, 100] {
        let mut counts = vec![0; n as usize];
        for _ in 0..50_000 {
            counts[stream.below(n) as usize] += 1;
        }
        assert_frequencies(&counts, &vec![1.0 / n as f64; n as usize], &format!("below {n}"));
    }
    // Without rejection, multiply-shift would give multiples of 3 half of the time: 4 words go to 3 values.
    let n = 3 << 62;
    let mut thirds = [0; 3];
    for _ in 0..50_000 {
        thirds[(stream.below(n) % 3) as usize] += 1;
    }
    assert_frequencies(&thirds, &[1.0 / 3.0; 3], "below 3 * 2^62");
    assert!((0..1000).all(|_| stream.below(u64::MAX) < u64::MAX));
}

#[test]
fn shuffle_gives_every_order_equally_often() {
    let mut stream = Stream::new(3, Purpose::TrainOrder, 0, 0);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..48_000 {
        let mut items = [0, 1, 2, 3];
        stream.shuffle(&mut items);
        *counts.entry(items).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 24);
    assert_frequencies(&counts.into_values().collect::<Vec<_>>(), &[1.0 / 24.0; 24], "orders of four");
}

#[test]
fn shuffle_is_a_permutation() {
    for length in [0, 1, 2, 5, 1000] {
        let mut items: Vec<usize> = (0..length).collect();
        Stream::new(4, Purpose::TrainOrder, 0, length as u64).shuffle(&mut items);
        assert!(length < 5 || !items.is_sorted());
        items.sort();
        assert_eq!(items, (0..length).collect::<Vec<_>>());
    }
}

#[test]
fn normals_have_mean_0_and_variance_1() {
    let mut stream = Stream::new(5, Purpose::Weights, 0, 0);
    let values: Vec<f64> = (0..50_000).flat_map(|_| stream.normals()).collect();
    let moment = |power| values.iter().map(|v: &f64| v.powi(power)).sum::<f64>() / values.len() as f64;
    assert!(values.iter().all(|v| v.is_finite()));
    // Four standard errors: sqrt(1, 2, 15, 96 / 100,000).
    assert!(moment(1).abs() < 0.0127, "{}", moment(1));
    assert!((moment(2) - 1.0).abs() < 0.018, "{}", moment(2));
    assert!(moment(3).abs() < 0.049, "{}", moment(3));
    assert!((moment(4) - 3.0).abs() < 0.124, "{}", moment(4));
    let pairs = values.chunks_exact(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / 50_000.0;
    assert!(pairs.abs() < 0.018, "the two of a pair are independent: {pairs}");
}
