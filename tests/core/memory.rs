//! Memory by the shapes, held against a count by hand.

use nse::cost::{memory, CostTable};
use nse::space::Space;

/// Stem 4 x 8 x 8; one reduce cell to 6 x 4 x 4 with two operators; tail 10 x 4 x 4 without batch-norm; 3 classes.
fn space() -> Space {
    Space::from_json(
        r#"{"name": "one", "input": {"channels": 2, "height": 8, "width": 8}, "classes": 3,
            "stem": {"channels": 4, "stride": 1}, "cells": [{"kind": "reduce", "channels": 6}],
            "operators": ["conv_k3_t1", "mbconv_k3_t3"], "tail": {"channels": 10}}"#,
    )
    .unwrap()
}

#[test]
fn everything_that_a_step_keeps_is_counted() {
    let (space, costs) = (space(), CostTable::new(&space()));
    // Convolution and, where libtorch computes, its activation. Image 128; stem 256; tail: activation 160; output of the cell 96; mbconv:
    // expansion 12 x 8 x 8 and depthwise 12 x 4 x 4, projection 6 x 4 x 4 without activation.
    let kept = |own: bool| {
        let twice = if own { 1 } else { 2 };
        (128 + twice * 256 + 160 + 96, twice * (768 + 192) + 96)
    };
    let (largest, batch, pass) = (768, 5, 7);
    let params = costs.fixed().params + costs.operator(0, 1).params;
    for own in [false, true] {
        let (always, mbconv) = kept(own);
        let found = memory(&space, &[vec![1]], batch, pass, 1000, own, 0);
        assert_eq!(found.weights, 2 * 4 * params);
        assert_eq!(found.training_most, 4 * (batch * (always + mbconv + 3 * largest) + params));
        let half = costs.fixed().params + costs.operator(0, 1).params / 2;
        assert_eq!(found.training, 4 * (batch * (always + mbconv / 2 + 3 * largest) + half));
        assert_eq!(found.scoring, 4 * pass * (4 * largest + 128));
        assert_eq!(found.peak, found.weights + 1000 + found.training_most.max(found.scoring));
    }
}

#[test]
fn more_operators_and_images_take_more() {
    let space = space();
    let [one, two] = [vec![0], vec![0, 1]].map(|active| memory(&space, &[active], 8, 8, 0, true, 0));
    assert!(one.weights < two.weights && one.training < two.training && two.training < two.training_most);
    let double = memory(&space, &[vec![0, 1]], 16, 8, 0, true, 0);
    assert!(double.training > 3 * two.training / 2 && double.training < 2 * two.training);
    let sums = memory(&space, &[vec![0, 1]], 8, 8, 0, true, 28);
    assert_eq!(sums.training_most - two.training_most, two.weights / 8 * 28, "so many bytes for every gradient");
    let absurd = memory(&space, &[vec![0, 1]], u64::MAX, u64::MAX, u64::MAX, true, 0);
    assert_eq!(absurd.peak, u64::MAX, "no overflow");
}
