//! The operator pools of the published code of NSE (Ci et al., ICCV 2021), in its index order.

use super::kind::{Kind, CONV, DUALCONV, MBCONV, REC};
use super::Operator;

/// Name, one line about it, and the operators.
pub struct PublishedPool {
    pub name: &'static str,
    pub description: &'static str,
    pub operators: fn() -> Vec<Operator>,
}

/// The pools that a space document and a preset may name.
pub static POOLS: [PublishedPool; 3] = [
    PublishedPool { name: "nse-19", description: "the latency setting: mbconv, conv, dualconv, rec", operators: operators_19 },
    PublishedPool { name: "nse-27", description: "the MAC setting: mbconv to 11x11 and dilated, rec", operators: operators_27 },
    PublishedPool { name: "nse-72", description: "nse-27 and mbconv with grouped 1x1 convolutions", operators: operators_72 },
];

/// "mb": for a budget in latency.
pub fn operators_19() -> Vec<Operator> {
    let mut pool = Vec::with_capacity(19);
    for kernel in [3, 5, 7] {
        pool.extend(family(&MBCONV, kernel, [1, 3, 6]));
    }
    pool.extend(family(&CONV, 3, [1, 2]));
    pool.extend(family(&DUALCONV, 3, [1, 2]));
    for kernel in [5, 7] {
        pool.extend(family(&REC, kernel, [1, 2, 4]));
    }
    pool
}

/// "macmb": for a budget in multiply-accumulates.
pub fn operators_27() -> Vec<Operator> {
    let mut pool = Vec::with_capacity(27);
    for operator in family(&MBCONV, 3, [1, 3, 6]) {
        pool.extend([1, 2, 3].map(|dilation| operator.dilation(dilation)));
    }
    for kernel in [5, 7, 9, 11] {
        pool.extend(family(&MBCONV, kernel, [1, 3, 6]));
    }
    for kernel in [5, 7] {
        pool.extend(family(&REC, kernel, [1, 2, 4]));
    }
    pool
}

/// "macmbg": the second, larger pool of a continued search.
pub fn operators_72() -> Vec<Operator> {
    let mut pool = operators_27();
    for kernel in [3, 5, 7, 9, 11] {
        for operator in family(&MBCONV, kernel, [1, 3, 6]) {
            pool.extend([[1, 2], [2, 1], [2, 2]].map(|groups| operator.groups(groups)));
        }
    }
    pool
}

fn family<const N: usize>(kind: &'static Kind, kernel: u32, expansions: [u32; N]) -> [Operator; N] {
    expansions.map(|expansion| Operator::new(kind, kernel, expansion))
}
