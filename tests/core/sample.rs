//! The sampler against every architecture of a small space: the conditional distribution, the window, what is reachable;
//! then the published space, where nothing can be enumerated.

use crate::support::{architectures, assert_frequencies, between, chain, choices, everything};
use nse::arch::Architecture;
use nse::cost::{CostTable, Metric};
use nse::search::gates::probability;
use nse::search::{Purpose, Sampler, Stream, Window};
use nse::space::Space;
use nse::{Error, Result};
use std::collections::HashSet;
use std::time::Instant;

const OPERATORS: [&str; 6] = ["mbconv_k3_t1", "mbconv_k5_t3", "rec_k3_t1", "conv_k3_t2", "dualconv_k3_t1", "mbconv_k3_t6"];

/// Two to four cells of all kinds with two or three operators, on images of `size`; operators active and their probabilities.
fn random_space(size: u32, stream: &mut Stream) -> (Space, Vec<Vec<u16>>, Vec<Vec<f64>>) {
    let lists: Vec<Vec<&str>> = (0..2 + stream.below(3))
        .map(|_| {
            let mut names = OPERATORS;
            stream.shuffle(&mut names);
            names[..2 + stream.below(2) as usize].to_vec()
        })
        .collect();
    let cells: Vec<_> = lists.iter().map(|names| (["normal", "reduce", "expand"][stream.below(3) as usize], names)).collect();
    let cells: Vec<_> =
        cells.into_iter().map(|(kind, names)| (kind, if kind == "normal" { 0 } else { 3 }, names.as_slice())).collect();
    let space = chain(size, 2, &cells);
    let active = everything(&space);
    let p = active.iter().map(|a| a.iter().map(|_| between(stream, 0.1, 0.9)).collect()).collect();
    (space, active, p)
}

/// Every architecture with its cost and its probability when every operator is open independently.
struct Enumerated {
    space: Space,
    costs: CostTable,
    active: Vec<Vec<u16>>,
    p: Vec<Vec<f64>>,
    all: Vec<(Architecture, u64, f64)>,
}

impl Enumerated {
    fn new((space, active, p): (Space, Vec<Vec<u16>>, Vec<Vec<f64>>)) -> Self {
        let costs = CostTable::new(&space);
        let mass = |architecture: &Architecture| -> f64 {
            let cells = architecture.cells().iter().zip(&active).zip(&p);
            cells
                .map(|((open, active), p)| probability(p, &active.iter().map(|o| open.contains(o)).collect::<Vec<_>>()))
                .product()
        };
        let all = architectures(&space, &active);
        let all = all.into_iter().map(|a| (a.clone(), costs.architecture(&a).macs, mass(&a))).collect();
        Enumerated { space, costs, active, p, all }
    }

    fn sampler(&self, window: Window) -> Result<Sampler> {
        Sampler::new(&self.costs.prices(Metric::Macs), &choices(&self.space, &self.active, &self.p), window)
    }

    fn draw(&self, window: Window, count: usize) -> Result<Vec<Architecture>> {
        self.sampler(window)?.distinct(&self.space, count, &HashSet::new(), &mut stream(99))
    }

    fn costs(&self) -> Vec<u64> {
        let mut costs: Vec<_> = self.all.iter().map(|(_, macs, _)| *macs).collect();
        costs.sort();
        costs.dedup();
        costs
    }
}

fn stream(index: u64) -> Stream {
    Stream::new(11, Purpose::Candidates, 0, index)
}

fn assert_follows_the_conditional(enumerated: &Enumerated, window: Window, stream: &mut Stream) {
    let sampler = enumerated.sampler(window).unwrap();
    let masses: Vec<f64> =
        enumerated.all.iter().map(|(_, macs, mass)| if window.contains(*macs) { *mass } else { 0.0 }).collect();
    let total: f64 = masses.iter().sum();
    let mut observed = vec![0; masses.len()];
    for _ in 0..6000 {
        let drawn = sampler.distinct(&enumerated.space, 1, &HashSet::new(), stream).unwrap();
        observed[enumerated.all.iter().position(|(a, _, _)| *a == drawn[0]).unwrap()] += 1;
    }
    let expected: Vec<f64> = masses.iter().map(|m| m / total).collect();
    assert_frequencies(&observed, &expected, &format!("{window:?} of {:?}", enumerated.space.to_json()));
}

#[test]
fn draws_follow_the_conditional_distribution() {
    let mut stream = stream(0);
    // Costs from hundreds (a bin per multiply-accumulate) to millions (hundreds of them per bin).
    for size in [1, 2, 5, 16, 33, 64] {
        for _ in 0..4 {
            let enumerated = Enumerated::new(random_space(size, &mut stream));
            let costs = enumerated.costs();
            // The middle third, an edge, everything.
            let [low, middle, high] = [costs[costs.len() / 3], costs[costs.len() / 2], costs[costs.len() * 2 / 3]];
            assert_follows_the_conditional(&enumerated, Window { low, high }, &mut stream);
            assert_follows_the_conditional(&enumerated, Window { low: 0, high: middle - 1 }, &mut stream);
            assert_follows_the_conditional(&enumerated, Window { low: 0, high: 10 * costs[costs.len() - 1] }, &mut stream);
        }
    }
}

#[test]
fn an_active_subset_is_all_that_is_drawn_from() {
    let mut stream = stream(1);
    let (space, mut active, mut p) = random_space(5, &mut stream);
    for (active, p) in active.iter_mut().zip(&mut p).skip(1) {
        active.remove(0);
        p.remove(0);
    }
    let enumerated = Enumerated::new((space, active, p));
    let costs = enumerated.costs();
    assert_follows_the_conditional(&enumerated, Window { low: costs[1], high: costs[costs.len() - 1] }, &mut stream);
}

#[test]
fn distinct_are_distinct_and_inside() {
    let mut stream = stream(2);
    for size in [1, 4, 64] {
        let (space, active, mut p) = random_space(size, &mut stream);
        p.iter_mut().flatten().for_each(|p| *p = 0.5);
        let enumerated = Enumerated::new((space, active, p));
        let costs = enumerated.costs();
        let window = Window { low: costs[costs.len() / 4], high: costs[costs.len() * 3 / 4] };
        let inside: HashSet<_> =
            enumerated.all.iter().filter(|(_, m, _)| window.contains(*m)).map(|(a, _, _)| a.clone()).collect();
        let sampler = enumerated.sampler(window).unwrap();
        let none = HashSet::new();

        let some = sampler.distinct(&enumerated.space, inside.len() / 2, &none, &mut stream).unwrap();
        assert_eq!(some.len(), inside.len() / 2);
        assert_eq!(some.iter().collect::<HashSet<_>>().len(), some.len());
        assert!(some.iter().all(|a| inside.contains(a)));

        let all = sampler.distinct(&enumerated.space, inside.len() + 50, &none, &mut stream).unwrap();
        assert_eq!(all.len(), inside.len(), "the space is small: all of it");
        assert_eq!(all.into_iter().collect::<HashSet<_>>(), inside);

        let known: HashSet<_> = some.into_iter().collect();
        let others = sampler.distinct(&enumerated.space, inside.len(), &known, &mut stream).unwrap();
        assert_eq!(others.iter().cloned().collect::<HashSet<_>>(), &inside - &known, "all but those known");
        assert!(sampler.distinct(&enumerated.space, 3, &inside, &mut stream).unwrap().is_empty(), "all are known: no error");
        assert!(sampler.distinct(&enumerated.space, 0, &none, &mut stream).unwrap().is_empty());
    }
}

#[test]
fn the_same_stream_draws_the_same() {
    let enumerated = Enumerated::new(random_space(8, &mut stream(3)));
    let everywhere = Window { low: 0, high: u64::MAX };
    assert_eq!(enumerated.draw(everywhere, 5).unwrap(), enumerated.draw(everywhere, 5).unwrap());
}

/// The error of a window without architectures: (least, greatest, below, above).
fn unreachable(result: Result<Vec<Architecture>>, window: Window) -> (u64, u64, Option<u64>, Option<u64>) {
    match result {
        Err(Error::Unreachable { unit: "MACs", low, high, least, greatest, below, above }) => {
            assert_eq!((low, high), (window.low as f64, window.high as f64));
            (least as u64, greatest as u64, below.map(|b| b as u64), above.map(|a| a as u64))
        }
        Err(other) => panic!("{other}"),
        Ok(drawn) => panic!("{} architectures in {window:?}", drawn.len()),
    }
}

#[test]
fn an_unreachable_window_says_what_is_reachable() {
    let mut stream = stream(4);
    for size in [1, 2, 8, 32] {
        for _ in 0..5 {
            let enumerated = Enumerated::new(random_space(size, &mut stream));
            let costs = enumerated.costs();
            let (first, last) = (costs[0], costs[costs.len() - 1]);
            let report = |window: Window| unreachable(enumerated.draw(window, 3), window);

            let below = Window { low: 1, high: first - 1 };
            assert_eq!(report(below), (first, last, None, Some(first)));
            let beyond = Window { low: last + 1, high: last + 10 };
            assert_eq!(report(beyond), (first, last, Some(last), None));
            let upside_down = Window { low: last, high: first };
            assert_eq!(report(upside_down).0, first);

            // The widest hole between two costs that follow each other.
            let hole = costs.windows(2).max_by_key(|pair| pair[1] - pair[0]).unwrap();
            let inside = Window { low: hole[0] + 1, high: hole[1] - 1 };
            let (least, greatest, below, above) = report(inside);
            assert_eq!((least, greatest), (first, last));
            assert_eq!((below, above), (Some(hole[0]), Some(hole[1])), "the nearest on both sides");
        }
    }
}

#[test]
fn every_reported_cost_is_that_of_an_architecture() {
    let mut stream = stream(5);
    for _ in 0..20 {
        // Large images: many costs share a bin, so the nearest need not be the very nearest, but must exist.
        let enumerated = Enumerated::new(random_space(128, &mut stream));
        let costs = enumerated.costs();
        let i = stream.below(costs.len() as u64 - 1) as usize;
        let window = Window { low: costs[i] + 1, high: costs[i + 1] - 1 };
        if window.low > window.high {
            continue;
        }
        let (least, greatest, below, above) = unreachable(enumerated.draw(window, 1), window);
        assert_eq!((least, greatest), (costs[0], costs[costs.len() - 1]));
        assert!(below.is_some_and(|b| b < window.low && costs.contains(&b)));
        assert!(above.is_some_and(|a| a > window.high && costs.contains(&a)));
    }
}

/// One operator costs a hundred thousand times more than the others: all without it share a bin, and all with it.
#[test]
fn costs_that_share_a_bin_keep_their_extremes() {
    let space = chain(64, 1, &[("normal", 0, &["dualconv_k31_t16"]), ("normal", 0, &["conv_k1_t1", "mbconv_k3_t1"])]);
    let active = everything(&space);
    let p = active.iter().map(|a| vec![0.5; a.len()]).collect();
    let enumerated = Enumerated::new((space, active, p));
    let costs = enumerated.costs();
    let (first, last) = (costs[0], costs[costs.len() - 1]);
    let between = Window { low: costs[3] + 1, high: costs[4] - 1 };
    assert!(between.high - between.low > 1_000_000_000);
    assert_eq!(unreachable(enumerated.draw(between, 1), between), (first, last, Some(costs[3]), Some(costs[4])));
}

#[test]
fn a_cell_without_active_operators() {
    let space = chain(2, 1, &[("normal", 0, &["conv_k1_t1"]), ("reduce", 2, &["conv_k1_t1"])]);
    let costs = CostTable::new(&space);
    let everywhere = Window { low: 0, high: u64::MAX };
    let draw = |active: [Vec<u16>; 2]| {
        let p = active.clone().map(|a| vec![0.5; a.len()]);
        let sampler = Sampler::new(&costs.prices(Metric::Macs), &choices(&space, &active, &p), everywhere)?;
        sampler.distinct(&space, 10, &HashSet::new(), &mut stream(6))
    };
    assert_eq!(draw([vec![], vec![0]]).unwrap(), [Architecture::new(&space, vec![vec![], vec![0]]).unwrap()]);
    assert!(matches!(draw([vec![0], vec![]]), Err(Error::Unreachable { .. })), "a reduce cell needs one");
}

#[test]
fn the_published_space_in_a_narrow_window() {
    let started = Instant::now();
    let space = Space::preset("nse-27", "{}").unwrap();
    let costs = CostTable::new(&space);
    let mut stream = stream(7);
    let active: Vec<Vec<u16>> = (0..22)
        .map(|_| {
            let mut order: Vec<u16> = (0..27).collect();
            stream.shuffle(&mut order);
            order[..5].to_vec()
        })
        .collect();
    let p: Vec<Vec<f64>> = active.iter().map(|a| a.iter().map(|_| between(&mut stream, 0.1, 0.9)).collect()).collect();
    let window = Window { low: 290_000_000, high: 310_000_000 };
    let sampler = Sampler::new(&costs.prices(Metric::Macs), &choices(&space, &active, &p), window).unwrap();
    let drawn = sampler.distinct(&space, 2000, &HashSet::new(), &mut stream).unwrap();
    println!("2,000 architectures of 22 cells x 5 operators in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    assert_eq!(drawn.len(), 2000);
    assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), 2000);
    assert!(drawn.iter().all(|a| window.contains(costs.architecture(a).macs)));
    let used = |a: &Architecture| a.cells().iter().zip(&active).all(|(open, active)| open.iter().all(|o| active.contains(o)));
    assert!(drawn.iter().all(used));

    let everywhere =
        Sampler::new(&costs.prices(Metric::Macs), &choices(&space, &active, &p), Window { low: 0, high: u64::MAX }).unwrap();
    assert_eq!(everywhere.distinct(&space, 2000, &HashSet::new(), &mut stream).unwrap().len(), 2000);
}
