//! The angle by which ABS scores, on vectors whose angles are known.

use crate::support::chain;
use nse::arch::Architecture;
use nse::search::scorer::Angle;
use nse::search::{Comparison, Parts, Products};
use nse::space::Space;
use std::collections::BTreeMap;
use std::f64::consts::PI;

/// Of two vectors, number by number.
fn products(then: &[f64], now: &[f64]) -> Products {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    Products { both: product(then, now), then: product(then, then), now: product(now, now) }
}

fn near(is: f64, should: f64) {
    assert!((is - should).abs() < 1e-12, "{is}, not {should}");
}

#[test]
fn angles_that_are_known() {
    let w = [0.5, -2.0, 3.0];
    near(products(&w, &w).angle(), 0.0);
    near(products(&w, &w.map(|x| -x)).angle(), PI);
    near(products(&[1.0, 0.0, 2.0], &[0.0, 7.0, 0.0]).angle(), PI / 2.0);
    near(products(&[1.0, 0.0], &[1.0, 1.0]).angle(), PI / 4.0);
    near(products(&[1.0, 0.0], &[1e150, 1e150]).angle(), PI / 4.0);
    near(products(&w, &w.map(|x| 1e-3 * x)).angle(), 0.0);
    // Nothing has turned where nothing is.
    assert_eq!(Products::default().angle(), 0.0);
    assert_eq!(products(&w, &[0.0; 3]).angle(), 0.0);
}

/// Rounding may leave a cosine a little above 1, of which there is no arccos.
#[test]
fn a_cosine_beyond_one_is_one() {
    let beyond = Products { both: 1.0 + 1e-15, then: 1.0, now: 1.0 };
    assert_eq!(beyond.angle(), 0.0);
    near(Products { both: -1.0 - 1e-15, ..beyond }.angle(), PI);
}

/// A part that is the same then and now (a pooling kernel, 1/9 nine times for each channel) counts in all three sums.
#[test]
fn a_constant_part_makes_the_angle_smaller() {
    let (then, now) = ([1.0, 2.0], [-2.0, 1.0]);
    let channels = 16.0;
    let pooled = products(&then, &now) + Products::constant(channels / 9.0);
    near(pooled.angle(), ((channels / 9.0) / (5.0 + channels / 9.0)).acos());
    let pool = [1.0 / 9.0; 9 * 16];
    let [long_then, long_now] = [then, now].map(|w| [&w[..], &pool].concat());
    near(pooled.angle(), products(&long_then, &long_now).angle());
}

/// Two cells, one of which may be skipped: 3 channels there.
fn compared() -> (nse::space::Space, Comparison) {
    let space = chain(4, 3, &[("normal", 0, &["conv_k3_t1", "rec_k3_t1"]), ("reduce", 5, &["conv_k3_t1"])]);
    let parts = |kernels, norms| Parts { kernels, norms };
    let first = parts(products(&[1.0, 1.0], &[1.0, -1.0]), products(&[2.0], &[1.0]));
    let second = parts(products(&[1.0], &[2.0]), products(&[1.0, 0.0], &[0.0, 1.0]));
    let third = parts(products(&[0.0, 3.0], &[4.0, 0.0]), products(&[1.0], &[-1.0]));
    let cells = vec![BTreeMap::from([(0, first), (1, second)]), BTreeMap::from([(0, third)])];
    (space, Comparison { ends: products(&[1.0, 2.0], &[2.0, 1.0]), cells })
}

#[test]
fn an_architecture_is_the_vector_of_all_its_kernels() {
    let (space, comparison) = compared();
    let angle = |options: &Angle, cells: [&[u16]; 2]| {
        let cells = cells.iter().map(|open| open.to_vec()).collect();
        options.of(&space, &comparison, &Architecture::new(&space, cells).unwrap())
    };
    let plain = Angle::default();
    // Ends (1,2) and (2,1), the reduce cell (0,3) and (4,0); then the operators of the normal cell.
    let of = |then: &[f64], now: &[f64]| {
        products(&[&[1.0, 2.0, 0.0, 3.0], then].concat(), &[&[2.0, 1.0, 4.0, 0.0], now].concat()).angle()
    };
    near(angle(&plain, [&[], &[0]]), of(&[], &[]));
    near(angle(&plain, [&[], &[0]]), (4.0 / (14f64.sqrt() * 21f64.sqrt())).acos());
    near(angle(&plain, [&[0], &[0]]), of(&[1.0, 1.0], &[1.0, -1.0]));
    near(angle(&plain, [&[1], &[0]]), of(&[1.0], &[2.0]));
    near(angle(&plain, [&[0, 1], &[0]]), of(&[1.0, 1.0, 1.0], &[1.0, -1.0, 2.0]));

    let norms = Angle { norms: true, ..Angle::default() };
    near(angle(&norms, [&[1], &[0]]), of(&[1.0, 1.0, 0.0, 1.0], &[2.0, 0.0, 1.0, -1.0]));

    // A cell of 3 channels that is skipped has the identity matrix: three ones.
    let identity = Angle { identity: true, ..Angle::default() };
    near(angle(&identity, [&[], &[0]]), of(&[1.0; 3], &[1.0; 3]));
    near(angle(&identity, [&[0], &[0]]), angle(&plain, [&[0], &[0]]));
}

/// NAS-Bench-201: an edge counts once for every path from the first node to the last; a pool as a constant; an empty edge takes its paths
/// away, and an identity adds nothing unless that is asked for.
#[test]
fn stacked_cells_by_their_paths() {
    let space =
        Space::preset("nas-bench-201", r#"{"channels": 2, "cells": 1, "input": {"channels": 1, "height": 8, "width": 8}}"#)
            .unwrap();
    let ends = products(&[1.0, 2.0], &[2.0, 1.0]);
    // Another pair of vectors for every edge and operator.
    let part = |edge: usize, operator: u16| {
        let (e, o) = (edge as f64 + 1.0, f64::from(operator) + 1.0);
        Parts { kernels: products(&[e, o], &[o, e - 3.0]), norms: products(&[o], &[e]) }
    };
    let cells = (0..6).map(|edge| [1, 2].map(|operator| (operator, part(edge, operator))).into()).collect();
    let comparison = Comparison { ends, cells };
    let angle =
        |text: &str, options: &Angle| options.of(&space, &comparison, &Architecture::from_genotype(&space, text).unwrap());
    let plain = Angle::default();
    let kernels = |edge, operator| part(edge, operator).kernels;
    // Edges in order 01, 02, 12, 03, 13, 23. All paths: 0-3; 0-2-3; 0-1-3; 0-1-2-3.
    let text = "|nor_conv_1x1~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|nor_conv_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|";
    let expected = [(0, 1, 2.0), (1, 2, 1.0), (2, 1, 1.0), (3, 2, 1.0), (4, 1, 1.0), (5, 2, 2.0)];
    let sum = expected.iter().fold(ends, |sum, (edge, operator, times)| sum + kernels(*edge, *operator).times(*times));
    near(angle(text, &plain), sum.angle());
    let normed = expected.iter().fold(sum, |sum, (edge, operator, times)| sum + part(*edge, *operator).norms.times(*times));
    near(angle(text, &Angle { norms: true, ..Angle::default() }), normed.angle());
    // Without 2-3 only 0-3 and 0-1-3 are left.
    let text = "|nor_conv_1x1~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|nor_conv_3x3~0|nor_conv_1x1~1|none~2|";
    near(angle(text, &plain), (ends + kernels(0, 1) + kernels(3, 2) + kernels(4, 1)).angle());
    // Pools of 3 x 3 on 2, 4 and 8 channels, on 0-1 which is on two paths; the others are identities.
    let text = "|avg_pool_3x3~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|";
    near(angle(text, &plain), (ends + Products::constant(2.0 * 14.0 / 9.0)).angle());
    let identities = Products::constant(2.0 * 14.0 / 9.0 + (1.0 + 1.0 + 1.0 + 1.0 + 2.0) * 14.0);
    near(angle(text, &Angle { identity: true, ..Angle::default() }), (ends + identities).angle());
    let nothing = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|";
    near(angle(nothing, &Angle { identity: true, ..Angle::default() }), ends.angle());
}

/// DARTS: 16 paths from what a cell reads to its last node, of which an edge may be part of several.
#[test]
fn paths_of_darts() {
    let space = Space::preset("darts-shared", "{}").unwrap();
    let stack = space.stack().unwrap();
    let paths = stack.paths(&vec![vec![0]; 14]);
    let of = |from, to| paths[stack.find(0, from, to).unwrap()][&from];
    let all: f64 = (0..5).map(|from| of(from, 5)).sum();
    assert_eq!(all, 16.0);
    assert_eq!([of(0, 2), of(1, 2), of(2, 3), of(0, 5), of(4, 5), of(0, 4)], [4.0, 4.0, 4.0, 1.0, 8.0, 1.0]);
    let mut without = vec![vec![0]; 14];
    without[stack.find(0, 4, 5).unwrap()].clear();
    let paths = stack.paths(&without);
    assert_eq!([paths[stack.find(0, 0, 4).unwrap()][&0], paths[stack.find(0, 0, 2).unwrap()][&0]], [0.0, 2.0]);
}
