//! Operators: the published pool in its order, one name each, and the convolutions they stand for.

use crate::support::cases;
use nse::space::kind::{CONV, DUALCONV, MBCONV, REC};
use nse::space::{operators_19, operators_27, operators_72, Convolution, Operator};
use proptest::prelude::*;

const PUBLISHED: &str = "
    mbconv_k3_t1 mbconv_k3_t1_d2 mbconv_k3_t1_d3 mbconv_k3_t3 mbconv_k3_t3_d2 mbconv_k3_t3_d3 mbconv_k3_t6 mbconv_k3_t6_d2
    mbconv_k3_t6_d3 mbconv_k5_t1 mbconv_k5_t3 mbconv_k5_t6 mbconv_k7_t1 mbconv_k7_t3 mbconv_k7_t6 mbconv_k9_t1 mbconv_k9_t3
    mbconv_k9_t6 mbconv_k11_t1 mbconv_k11_t3 mbconv_k11_t6 rec_k5_t1 rec_k5_t2 rec_k5_t4 rec_k7_t1 rec_k7_t2 rec_k7_t4";

fn operator() -> impl Strategy<Value = Operator> {
    (0..4, 0u32..16, 1u32..=16, 1u32..=8, [1u32..=64, 1u32..=64]).prop_map(|(kind, half, expansion, dilation, groups)| {
        let kernel = 2 * half + 1;
        match kind {
            0 => Operator::new(&MBCONV, kernel, expansion).dilation(dilation).groups(groups),
            1 => Operator::new(&REC, kernel, expansion),
            2 => Operator::new(&CONV, kernel, expansion),
            _ => Operator::new(&DUALCONV, kernel, expansion),
        }
    })
}

#[test]
fn the_published_pool_is_in_its_order() {
    let names: Vec<_> = operators_27().iter().map(Operator::to_string).collect();
    assert_eq!(names, PUBLISHED.split_whitespace().collect::<Vec<_>>());
    assert_eq!(names.len(), 27);
}

/// Indices are those by which published architectures are written down.
#[test]
fn the_other_published_pools() {
    let names = |pool: Vec<Operator>| pool.iter().map(Operator::to_string).collect::<Vec<_>>();
    let for_latency = "
        mbconv_k3_t1 mbconv_k3_t3 mbconv_k3_t6 mbconv_k5_t1 mbconv_k5_t3 mbconv_k5_t6 mbconv_k7_t1 mbconv_k7_t3 mbconv_k7_t6
        conv_k3_t1 conv_k3_t2 dualconv_k3_t1 dualconv_k3_t2 rec_k5_t1 rec_k5_t2 rec_k5_t4 rec_k7_t1 rec_k7_t2 rec_k7_t4";
    assert_eq!(names(operators_19()), for_latency.split_whitespace().collect::<Vec<_>>());

    let grouped = names(operators_72());
    assert_eq!(grouped[..27], names(operators_27()));
    assert_eq!(
        grouped[27..33].join(" "),
        "mbconv_k3_t1_g1x2 mbconv_k3_t1_g2x1 mbconv_k3_t1_g2x2 mbconv_k3_t3_g1x2 mbconv_k3_t3_g2x1 mbconv_k3_t3_g2x2"
    );
    // Index 27 + 9 k + 3 t + g.
    assert_eq!(
        [grouped[27 + 9 + 3 + 2].as_str(), &grouped[61], &grouped[71]],
        ["mbconv_k5_t3_g2x2", "mbconv_k9_t6_g2x1", "mbconv_k11_t6_g2x2"]
    );
    assert_eq!((grouped.len(), grouped.iter().collect::<std::collections::HashSet<_>>().len()), (72, 72));
}

#[test]
fn names_say_what_the_fields_are() {
    let mbconv = |dilation, groups| Operator::new(&MBCONV, 3, 6).dilation(dilation).groups(groups);
    let named = [
        ("mbconv_k3_t6", mbconv(1, [1, 1])),
        ("mbconv_k3_t6_d2", mbconv(2, [1, 1])),
        ("mbconv_k3_t6_g1x2", mbconv(1, [1, 2])),
        ("mbconv_k3_t6_d8_g64x1", mbconv(8, [64, 1])),
        ("rec_k7_t4", Operator::new(&REC, 7, 4)),
        ("conv_k31_t16", Operator::new(&CONV, 31, 16)),
        ("dualconv_k1_t1", Operator::new(&DUALCONV, 1, 1)),
    ];
    for (name, operator) in named {
        assert_eq!(name.parse::<Operator>().unwrap(), operator);
        assert_eq!(operator.to_string(), name);
        assert_eq!(serde_json::to_string(&operator).unwrap(), format!("{name:?}"));
        assert_eq!(serde_json::from_str::<Operator>(&format!("{name:?}")).unwrap(), operator);
    }
}

#[test]
fn other_spellings_are_refused() {
    let shapeless =
        "_ mbconv mbconv_k3 mbconv_t6_k3 mbconv-k3-t6 MBCONV_k3_t6 mbconv_K3_t6 sepconv_k3_t6 mbconv__k3_t6 mbconv_k3_t6_
        mbconv_k_t6 mbconv_k3_t mbconv_kx_t6";
    let zeros_and_signs = "mbconv_k03_t6 mbconv_k3_t06 mbconv_k3_t6_d02 mbconv_k3_t6_g01x2 mbconv_k3_t6_g1x02 mbconv_k+3_t6
        mbconv_k-3_t6 mbconv_k3.0_t6";
    let ones_that_are_not_written = "mbconv_k3_t6_d1 mbconv_k3_t6_g1x1 mbconv_k3_t6_d1_g1x2 mbconv_k3_t6_d2_g1x1";
    let out_of_range = "mbconv_k2_t6 mbconv_k0_t6 mbconv_k33_t6 mbconv_k3_t0 mbconv_k3_t17 mbconv_k3_t6_d9 mbconv_k3_t6_d0
        mbconv_k3_t6_g0x2 mbconv_k3_t6_g1x65 mbconv_k99999999999_t6 rec_k4_t1 conv_k6_t1 dualconv_k8_t1";
    let parts_that_do_not_belong = "mbconv_k3_t6_d2_d3 mbconv_k3_t6_g1x2_d2 mbconv_k3_t6_d2_g1x2_x mbconv_k3_t6_g1
        mbconv_k3_t6_g1x2x3 mbconv_k3_t6_e2 rec_k5_t2_d2 rec_k5_t2_g1x2 conv_k3_t1_d2 dualconv_k3_t1_x rec_k5_t2_";
    let refused = [shapeless, zeros_and_signs, ones_that_are_not_written, out_of_range, parts_that_do_not_belong];
    let refused = refused.iter().flat_map(|names| names.split_whitespace()).chain(["", " mbconv_k3_t6", "mbconv_k3_t6 "]);
    for name in refused {
        let reason = name.parse::<Operator>().expect_err(name);
        assert!(reason.starts_with(&format!("{name:?} is not an operator")), "{reason}");
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn every_operator_is_read_back_from_its_name(operator in operator()) {
        prop_assert_eq!(operator.to_string().parse::<Operator>(), Ok(operator));
    }

    /// Whatever is accepted is spelt as it is printed: two names never mean one operator.
    #[test]
    fn every_accepted_name_is_the_printed_one(name in "(mbconv|rec|conv|dualconv)_k[0-9]{1,2}_t[0-9]{1,2}(_d[0-9]{1,2})?(_g[0-9]{1,2}x[0-9]{1,2})?") {
        if let Ok(operator) = name.parse::<Operator>() {
            prop_assert_eq!(operator.to_string(), name);
        }
    }

    /// Every chain joins cin to cout, carries the stride once per direction, and only its last convolution is linear.
    #[test]
    fn every_chain_fits_together(operator in operator(), cin in 1u32..4, cout in 1u32..4, stride in 1u32..=2) {
        let [first, last] = operator.groups;
        let (cin, cout) = (cin * first * last, cout * last);
        prop_assert_eq!(operator.misfit(cin, cout), None);
        let chain = operator.convolutions(cin, cout, stride);
        prop_assert_eq!((chain[0].cin, chain[chain.len() - 1].cout), (cin, cout));
        prop_assert!(chain.windows(2).all(|pair| pair[0].cout == pair[1].cin));
        prop_assert!(chain.iter().all(|c| c.cin % c.groups == 0 && c.cout % c.groups == 0 && c.norm));
        prop_assert!(chain.iter().enumerate().all(|(i, c)| c.relu == (i + 1 < chain.len())));
        for side in [0, 1] {
            prop_assert_eq!(chain.iter().map(|c| c.stride[side]).product::<u32>(), stride);
        }
    }
}

#[test]
fn the_four_kinds_are_these_convolutions() {
    let shape = |c: &Convolution| (c.name, c.weight(), c.stride, c.dilation, c.groups);
    let shapes = |name: &str, cin, cout| -> Vec<_> {
        name.parse::<Operator>().unwrap().convolutions(cin, cout, 2).iter().map(shape).collect()
    };
    assert_eq!(
        shapes("mbconv_k5_t3_d2_g2x4", 8, 12),
        [
            ("expand", [24, 4, 1, 1], [1, 1], 1, 2),
            ("depthwise", [24, 1, 5, 5], [2, 2], 2, 24),
            ("project", [12, 6, 1, 1], [1, 1], 1, 4)
        ]
    );
    assert_eq!(
        shapes("rec_k7_t2", 8, 12),
        [
            ("expand", [16, 8, 1, 1], [1, 1], 1, 1),
            ("row", [16, 16, 1, 7], [1, 2], 1, 1),
            ("column", [16, 16, 7, 1], [2, 1], 1, 1),
            ("project", [12, 16, 1, 1], [1, 1], 1, 1)
        ]
    );
    assert_eq!(
        shapes("conv_k3_t1", 8, 12),
        [
            ("expand", [8, 8, 1, 1], [1, 1], 1, 1),
            ("spatial", [8, 8, 3, 3], [2, 2], 1, 1),
            ("project", [12, 8, 1, 1], [1, 1], 1, 1)
        ]
    );
    assert_eq!(
        shapes("dualconv_k3_t2", 8, 12),
        [
            ("expand", [16, 8, 1, 1], [1, 1], 1, 1),
            ("spatial1", [16, 16, 3, 3], [1, 1], 1, 1),
            ("spatial2", [16, 16, 3, 3], [2, 2], 1, 1),
            ("project", [12, 16, 1, 1], [1, 1], 1, 1)
        ]
    );
}

#[test]
fn padding_keeps_the_size() {
    let conv = |kernel, dilation| Convolution::square("c", 4, kernel, 1).dilation(dilation);
    assert_eq!(conv(3, 1).padding(), [1, 1]);
    assert_eq!(conv(11, 1).padding(), [5, 5]);
    assert_eq!(conv(3, 3).padding(), [3, 3]);
    assert_eq!(Convolution::kernel("row", 4, 4, [1, 7]).padding(), [0, 3]);
    assert_eq!(conv(3, 1).output([7, 4]), [7, 4]);
    assert_eq!(conv(3, 1).stride([2, 2]).output([7, 4]), [4, 2]);
}

#[test]
fn groups_must_divide_all_they_touch() {
    let misfit = |name: &str, cin, cout| name.parse::<Operator>().unwrap().misfit(cin, cout);
    assert_eq!(misfit("mbconv_k3_t3_g2x3", 4, 9), None);
    assert!(misfit("mbconv_k3_t2_g3x1", 4, 9).unwrap().contains("4 to 9 channels do not divide into 3 and 1 groups"));
    assert!(misfit("mbconv_k3_t3_g1x2", 4, 9).is_some());
    assert!(misfit("mbconv_k3_t1_g1x3", 4, 9).is_some());
    assert_eq!(misfit("rec_k7_t4", 5, 7), None);
}
