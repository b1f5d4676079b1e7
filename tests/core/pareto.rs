//! The Pareto front against the documented rule written out in O(n^2), the extras, and the choice of the best.

use crate::support::{cases, chain};
use nse::arch::Architecture;
use nse::cost::Cost;
use nse::search::pareto::{best, front, front_with_extras};
use nse::search::{Purpose, Scored, Stream};
use nse::space::Space;
use proptest::prelude::*;
use std::collections::HashSet;

/// Six normal cells with one operator: 64 architectures, told apart by their bits.
fn space() -> Space {
    chain(1, 1, &[("normal", 0, &["conv_k1_t1"][..]); 6])
}

fn scored(space: &Space, name: u64, macs: u64, accuracy: f64, found: u64) -> Scored {
    let cells = (0..6).map(|bit| if name >> bit & 1 == 1 { vec![0] } else { vec![] }).collect();
    let architecture = Architecture::new(space, cells).unwrap();
    Scored { architecture, cost: Cost::real(macs, 1000 - macs), price: macs, accuracy, found }
}

fn dominates(a: &Scored, b: &Scored) -> bool {
    let (cheaper, better) = (a.cost.macs <= b.cost.macs, a.accuracy >= b.accuracy);
    cheaper && better && (a.cost.macs < b.cost.macs || a.accuracy > b.accuracy)
}

/// Of two with equal MACs and accuracy, whether `a` goes before `b`.
fn goes_before(a: &Scored, b: &Scored) -> bool {
    let tie = a.cost.macs == b.cost.macs && a.accuracy == b.accuracy;
    tie && (a.found, &a.architecture) < (b.found, &b.architecture)
}

fn by_the_rule(scored: &[Scored]) -> Vec<Scored> {
    let stays = |s: &&Scored| !scored.iter().any(|other| dominates(other, s) || goes_before(other, s));
    let mut kept: Vec<_> = scored.iter().filter(stays).cloned().collect();
    kept.sort_by_key(|s| s.cost.macs);
    kept
}

/// Few different values, so that ties of every sort are common; every architecture at most once.
fn population() -> impl Strategy<Value = Vec<Scored>> {
    let one = (0u64..64, 1u64..8, 0u32..6, 0u64..3);
    proptest::collection::vec(one, 0..30).prop_map(|drawn| {
        let (space, mut names) = (space(), HashSet::new());
        let mut kept = drawn;
        kept.retain(|one| names.insert(one.0));
        kept.into_iter().map(|(name, macs, tenths, found)| scored(&space, name, macs, f64::from(tenths) / 10.0, found)).collect()
    })
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn the_front_follows_the_rule(population in population()) {
        prop_assert_eq!(front(population.clone()), by_the_rule(&population));
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(population in population(), seed in 0u64..1000) {
        let mut shuffled = population.clone();
        Stream::new(seed, Purpose::Candidates, 0, 0).shuffle(&mut shuffled);
        prop_assert_eq!(front(shuffled), front(population));
    }

    #[test]
    fn a_front_is_its_own_front_and_rises(population in population()) {
        let once = front(population);
        prop_assert!(once.windows(2).all(|w| w[0].cost.macs < w[1].cost.macs && w[0].accuracy < w[1].accuracy));
        prop_assert_eq!(front(once.clone()), once);
    }

    /// Members of the main part that no extra rules out; should none be left, the front of the main part.
    #[test]
    fn extras_only_remove(population in population(), split in 0usize..10) {
        let (main, extras) = population.split_at(split.min(population.len()));
        let together = by_the_rule(&population);
        let left: Vec<_> = together.into_iter().filter(|s| main.contains(s)).collect();
        let expected = if left.is_empty() { by_the_rule(main) } else { left };
        prop_assert_eq!(front_with_extras(main.to_vec(), extras.to_vec()), expected);
    }
}

#[test]
fn of_equals_the_earliest_then_the_smallest_stays() {
    let space = space();
    let front = |all: &[Scored]| front(all.to_vec());
    let (old, new) = (scored(&space, 9, 5, 0.5, 0), scored(&space, 1, 5, 0.5, 1));
    assert_eq!(front(&[new.clone(), old.clone()]), [old], "an equal newcomer does not displace an old member");
    let other = scored(&space, 2, 5, 0.5, 1);
    let smallest = if new.architecture < other.architecture { &new } else { &other };
    assert_eq!(front(&[other.clone(), new.clone()]), vec![smallest.clone()]);
    let cheaper = scored(&space, 3, 4, 0.5, 2);
    assert_eq!(front(&[new.clone(), cheaper.clone()]), [cheaper], "equal accuracy for less");
    let better = scored(&space, 4, 5, 0.6, 2);
    assert_eq!(front(&[new, better.clone()]), [better], "more accuracy for the same");
}

#[test]
fn extras_guard_the_cheap_edge() {
    let space = space();
    let cheap = scored(&space, 1, 100, 0.5, 0);
    let dear = scored(&space, 2, 120, 0.7, 0);
    let guard = scored(&space, 3, 90, 0.6, 0);
    let main = vec![cheap.clone(), dear.clone()];
    assert_eq!(front_with_extras(main.clone(), vec![]), main);
    assert_eq!(front_with_extras(main.clone(), vec![guard]), vec![dear.clone()]);
    let best_of_all = scored(&space, 4, 90, 0.9, 0);
    assert_eq!(front_with_extras(main.clone(), vec![best_of_all]), main, "a round never ends empty-handed");
    let equal = scored(&space, 5, 90, 0.7, 0);
    assert_eq!(front_with_extras(main.clone(), vec![equal]), main, "equal accuracy for less removes too, here all");
    assert_eq!(front_with_extras(vec![], vec![dear]), []);
}

#[test]
fn the_best_is_the_most_accurate_within_the_budget() {
    let space = space();
    let members = front(vec![scored(&space, 1, 10, 0.3, 0), scored(&space, 2, 20, 0.5, 0), scored(&space, 3, 30, 0.6, 0)]);
    assert_eq!(best(&members, 9), None);
    assert_eq!(best(&members, 10).unwrap().cost.macs, 10, "the budget is inclusive");
    assert_eq!(best(&members, 29).unwrap().cost.macs, 20);
    assert_eq!(best(&members, u64::MAX).unwrap().cost.macs, 30);
    assert_eq!(best(&[], 100), None);
    let equals = [scored(&space, 1, 10, 0.5, 0), scored(&space, 2, 20, 0.5, 0)];
    assert_eq!(best(&equals, 100).unwrap().cost.macs, 10, "of equals the cheapest");
}

#[test]
fn accuracies_that_are_no_numbers_are_on_no_front() {
    let space = space();
    let fine = scored(&space, 1, 20, 0.5, 0);
    let broken = scored(&space, 2, 10, f64::NAN, 0);
    assert_eq!(front(vec![broken.clone(), fine.clone()]), vec![fine.clone()]);
    assert_eq!(front(vec![fine.clone(), scored(&space, 3, 20, f64::NAN, 0)]), [fine]);
    assert!(front(vec![broken]).is_empty());
}
