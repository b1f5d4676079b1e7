//! How many architectures there are when every cell has one operator: exact, as decimal digits.

use crate::space::{Space, Stack};

/// One operator in every cell, or none where that is allowed: what published spaces are counted by.
pub(super) fn single_branch(space: &Space) -> String {
    product(space.cells().iter().map(|cell| cell.operators.len() as u64 + u64::from(cell.may_be_skipped())))
}

/// Of DARTS's cells: every node has two edges with one operator each, as in the texts that it publishes. Of blocks: whichever side is which.
pub(super) fn genotypes(stack: &Stack) -> Option<String> {
    let plan = stack.plan();
    let operators = u64::from(plan.operators);
    let node = |to: u64| match plan.skeleton.blocks() {
        true => to * operators * (to * operators + 1) / 2,
        false => to * (to - 1) / 2 * operators * operators,
    };
    let inputs = u64::from(plan.skeleton.inputs());
    let nodes = inputs..inputs + u64::from(plan.nodes);
    let all = stack.graphs().iter().flat_map(|_| nodes.clone().map(node));
    plan.skeleton.concatenates().then(|| product(all))
}

fn product(factors: impl Iterator<Item = u64>) -> String {
    const LIMB: u64 = 1_000_000_000;
    let mut limbs = vec![1];
    for factor in factors {
        let mut carry = 0;
        for limb in &mut limbs {
            let value = *limb * factor + carry;
            (*limb, carry) = (value % LIMB, value / LIMB);
        }
        while carry > 0 {
            limbs.push(carry % LIMB);
            carry /= LIMB;
        }
    }
    let digits: String = limbs.iter().rev().map(|limb| format!("{limb:09}")).collect();
    match digits.trim_start_matches('0') {
        "" => "0".into(),
        digits => digits.into(),
    }
}
