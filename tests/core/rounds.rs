//! What must hold in every round of every search: which operators are active, which leave, which come, what is scored and kept.

use crate::support::{affordable, chain};
use crate::synthetic::{options, run, small_space, window, Synthetic};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::search::{pareto, Control, Event, EventKind, Observer, RoundRecord, Scored, Search, Silent, Window};
use nse::space::Space;
use serde_json::json;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Looks at the active operators after every event.
struct Watch {
    costs: CostTable,
    window: Window,
    /// The operators that take part.
    pool: Vec<Vec<u16>>,
    size: usize,
    preserve: bool,
    seen: RefCell<Seen>,
}

struct Seen {
    active: Vec<Vec<u16>>,
    /// Ever active.
    tried: Vec<BTreeSet<u16>>,
    dropped: u64,
    rounds: u64,
    front: Vec<Scored>,
}

impl Watch {
    fn new(search: &Search) -> Self {
        let active = search.active();
        let tried = active.iter().map(|a| a.iter().copied().collect()).collect();
        Watch {
            costs: CostTable::new(search.space()),
            window: search.options().objective.window(),
            pool: affordable(search.space(), search.options().objective.window().high),
            size: search.options().active,
            preserve: search.options().fitness.preserve,
            seen: RefCell::new(Seen { active, tried, dropped: 0, rounds: 0, front: Vec::new() }),
        }
    }

    /// By all sums of costs that active operators can have.
    fn reachable(&self, space: &Space, active: &[Vec<u16>]) -> bool {
        let mut sums = vec![self.costs.fixed().macs];
        for (i, cell) in space.cells().iter().enumerate() {
            let choices = crate::support::subsets(&active[i]);
            let allowed = choices.iter().filter(|open| !open.is_empty() || cell.may_be_skipped());
            let gains: Vec<u64> = allowed.map(|open| self.costs.branches(i, open).macs).collect();
            sums = gains.iter().flat_map(|gain| sums.iter().map(move |sum| sum + gain)).collect();
        }
        sums.iter().any(|sum| self.window.contains(*sum))
    }

    fn during(&self, search: &Search) {
        let mut seen = self.seen.borrow_mut();
        let active = search.active();
        for (i, cell) in search.space().cells().iter().enumerate() {
            assert!(active[i].windows(2).all(|pair| pair[0] < pair[1]));
            assert!(active[i].iter().all(|o| seen.active[i].contains(o)), "nothing comes during a round");
            assert!(cell.may_be_skipped() || !active[i].is_empty(), "a reduce or expand cell is never empty");
            let fell = active[i].len() < seen.active[i].len();
            assert!(cell.may_be_skipped() || !fell || active[i].len() >= 2, "dropping leaves it two");
            let used = |o: &u16| seen.front.iter().any(|s| s.architecture.cells()[i].contains(o));
            assert!(!self.preserve || seen.active[i].iter().all(|o| active[i].contains(o) || !used(o)), "the front is preserved");
            seen.dropped += (seen.active[i].len() - active[i].len()) as u64;
        }
        if active != seen.active {
            assert!(self.reachable(search.space(), &active), "dropping leaves the window within reach");
        }
        seen.active = active;
    }

    fn after(&self, search: &Search) {
        let mut seen = self.seen.borrow_mut();
        let (active, record) = (search.active(), search.history().last().unwrap());
        let name = |cell: usize, o: u16| search.space().cells()[cell].operators[usize::from(o)].to_string();
        for (i, cell) in search.space().cells().iter().enumerate() {
            let union: BTreeSet<u16> = search.front().iter().flat_map(|s| s.architecture.cells()[i].iter().copied()).collect();
            let names = |operators: &BTreeSet<u16>| operators.iter().map(|o| name(i, *o)).collect::<Vec<_>>();
            assert_eq!(record.retained[i], names(&union), "what the front uses");
            let now: BTreeSet<u16> = active[i].iter().copied().collect();
            let fresh = &now - &union;
            assert!(now.is_superset(&union));
            assert_eq!(record.refilled[i], names(&fresh));
            assert!(fresh.is_disjoint(&seen.tried[i]), "an operator that left does not return");
            let untried = self.pool[i].len() - seen.tried[i].len();
            assert_eq!(fresh.len(), self.size.saturating_sub(union.len()).min(untried), "filled up to the size, not beyond");
            assert!(cell.may_be_skipped() || !now.is_empty());
            seen.tried[i].extend(now);
        }
        (seen.active, seen.front, seen.rounds) = (active, search.front().to_vec(), seen.rounds + 1);
    }
}

impl Control for Watch {
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event, search: &Search) {
        match event.kind {
            EventKind::Finish => self.after(search),
            _ => self.during(search),
        }
    }
}

/// Fast learning and a near threshold: operators leave all the time.
fn restless(preserve: bool) -> serde_json::Value {
    json!({
        "active": 3, "train": { "epochs": 2 }, "candidates": { "count": 6, "extras": 2 },
        "fitness": { "interval": 1, "lr": 0.3, "threshold": -0.8, "preserve": preserve }
    })
}

#[test]
fn thousands_of_rounds_keep_their_promises() {
    let space = small_space();
    let (mut rounds, mut dropped, mut wanted) = (0, 0, 0);
    for seed in 0..800 {
        let low = [0.0, 0.05, 0.15, 0.3][seed as usize % 4];
        let window = window(&space, low, low + [0.02, 0.1][seed as usize / 4 % 2]);
        let mut search = Search::new(space.clone(), options(seed, window, restless(true))).unwrap();
        let watch = Watch::new(&search);
        let mut trainer = Synthetic::new(&space, seed);
        assert!(run(&mut search, &mut trainer, &watch).is_empty());
        assert!(search.done());
        wanted += (watch.pool.iter().map(Vec::len).max().unwrap() as u64 - 1) / 2;
        rounds += watch.seen.borrow().rounds;
        dropped += watch.seen.borrow().dropped;
        for (before, after) in search.history().iter().zip(trainer.begun.iter().skip(1)) {
            let sizes = before.retained.iter().zip(&before.refilled).map(|(retained, refilled)| retained.len() + refilled.len());
            assert!(sizes.eq(after.iter().map(Vec::len)), "the next round begins with what was retained and refilled");
        }
    }
    assert_eq!(rounds, wanted);
    assert!(rounds > 2000 && dropped > rounds, "{dropped} operators dropped in {rounds} rounds: enough to mean something");
}

#[test]
fn the_number_of_rounds() {
    let rounds = |operators: usize, active: usize, rounds: Option<u64>| {
        let names: Vec<String> = (0..operators).map(|i| format!("mbconv_k{}_t{}", 2 * (i / 16) + 1, i % 16 + 1)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let space = chain(1, 1, &[("normal", 0, &names[..1]), ("reduce", 1, &names)]);
        let window = window(&space, 0.0, 1.0);
        let rest = json!({ "active": active, "rounds": rounds });
        Search::new(Arc::new(space), options(0, window, rest)).unwrap().rounds()
    };
    assert_eq!(rounds(27, 5, None), (0, 6), "the published spaces");
    assert_eq!(rounds(19, 6, None), (0, 3));
    assert_eq!(rounds(72, 5, None), (0, 17));
    assert_eq!(rounds(5, 5, None), (0, 1));
    assert_eq!(rounds(3, 5, None), (0, 1), "all operators at once");
    assert_eq!(rounds(1, 2, None), (0, 1));
    assert_eq!(rounds(27, 5, Some(9)), (0, 9));
}

fn retained(seed: u64, preserve: bool, check: impl Fn(&RoundRecord, &RoundRecord, &[Vec<u16>])) {
    let space = small_space();
    let mut search = Search::new(space.clone(), options(seed, window(&space, 0.1, 0.3), restless(preserve))).unwrap();
    let mut trainer = Synthetic::new(&space, seed);
    run(&mut search, &mut trainer, &Silent);
    for (pair, begun) in search.history().windows(2).zip(&trainer.begun[1..]) {
        check(&pair[0], &pair[1], begun);
    }
}

#[test]
fn preserve_is_what_keeps_the_operators_of_the_front() {
    let lost = |preserve| {
        let lost = std::cell::Cell::new(0);
        for seed in 0..60 {
            retained(seed, preserve, |before, after, _| {
                let gone = after.dropped.iter().zip(&before.retained).map(|(d, r)| d.iter().filter(|o| r.contains(o)).count());
                lost.set(lost.get() + gone.sum::<usize>());
            });
        }
        lost.get()
    };
    assert_eq!(lost(true), 0);
    assert!(lost(false) > 20, "without it some are dropped");
}

#[test]
fn the_front_of_the_round_before_is_scored_again() {
    let space = small_space();
    for seed in 0..20 {
        let mut search = Search::new(space.clone(), options(seed, window(&space, 0.1, 0.4), restless(true))).unwrap();
        let mut trainer = Synthetic::new(&space, seed);
        trainer.drift = 0.001;
        let mut front: Vec<Scored> = Vec::new();
        for round in 0..search.rounds().1 {
            search.step(&mut trainer, &Silent).unwrap();
            let record = &search.history()[round as usize];
            let scored = &trainer.scored[round as usize];
            let (main, extras) = scored.split_at(record.candidates.len());
            assert!(front.iter().all(|s| main.contains(&s.architecture)));
            assert!(main.is_sorted() && extras.is_sorted(), "those that begin alike come together");
            assert_eq!(extras.len(), record.extras.len());
            assert_eq!(scored.iter().collect::<HashSet<_>>().len(), scored.len(), "nothing is scored twice in a round");
            for member in search.front() {
                let accuracy = trainer.accuracy(member.architecture.cells()) - 0.001 * round as f64;
                assert!((member.accuracy - accuracy).abs() < 1e-12, "the score of this round");
                let old = front.iter().find(|s| s.architecture == member.architecture);
                assert_eq!(member.found, old.map_or(round + 1, |s| s.found), "found when it was found first");
            }
            front = search.front().to_vec();
        }
    }
}

/// Candidates inside the window, extras just below; the front is that of both without the extras.
#[test]
fn what_is_scored_becomes_the_front() {
    let space = small_space();
    let costs = CostTable::new(&space);
    let mut fewer = 0;
    for seed in 0..40 {
        let window = window(&space, 0.2, 0.4);
        let mut rest = restless(true);
        rest["candidates"] = json!({ "count": 15, "extras": 10, "extra_width": 12 });
        let mut search = Search::new(space.clone(), options(seed, window, rest)).unwrap();
        let mut trainer = Synthetic::new(&space, seed);
        search.step(&mut trainer, &Silent).unwrap();
        let record = &search.history()[0];
        assert!(record.candidates.len() <= 15 && record.extras.len() <= 10);
        assert!(record.candidates.iter().all(|p| window.contains(p.macs)));
        assert!(record.extras.iter().all(|p| (window.low - 12..window.low).contains(&p.macs)));
        let scored = |a: &Architecture| Scored {
            architecture: a.clone(),
            cost: costs.architecture(a),
            price: costs.architecture(a).macs,
            accuracy: trainer.accuracy(a.cells()),
            found: 1,
        };
        let (main, extras) = trainer.scored[0].split_at(record.candidates.len());
        let [main, extras]: [Vec<Scored>; 2] = [main, extras].map(|part| part.iter().map(scored).collect());
        assert_eq!(search.front(), pareto::front_with_extras(main.clone(), extras));
        fewer += usize::from(search.front().len() < pareto::front(main).len());
    }
    assert!(fewer > 5, "extras mattered {fewer} times");
}

#[test]
fn the_record_of_a_round() {
    let space = small_space();
    let window = window(&space, 0.1, 0.4);
    let mut search = Search::new(space.clone(), options(5, window, restless(true))).unwrap();
    let mut trainer = Synthetic::new(&space, 5);
    assert!(search.scores().iter().flatten().all(|theta| theta.is_nan()), "nothing is learnt yet");
    run(&mut search, &mut trainer, &Silent);
    assert_eq!((search.rounds(), search.history().len()), ((3, 3), 3));
    for (i, record) in search.history().iter().enumerate() {
        assert_eq!((record.round, record.rounds, record.steps), (i as u64 + 1, 3, 20));
        assert_eq!(record.window, [window.low, window.high].map(|macs| macs as f64));
        assert!(record.candidates.iter().all(|p| p.cost == p.macs as f64 && p.params > 0));
        assert!(record.loss > 0.0 && record.loss < 1.0 && (record.loss + record.accuracy - 1.0).abs() < 2e-3);
        for (cell, active) in trainer.begun[i].iter().enumerate() {
            let stayed = record.fitness[cell].iter().map(|f| &f.operator);
            let all: BTreeSet<_> = stayed.chain(&record.dropped[cell]).cloned().collect();
            let begun = active.iter().map(|o| space.cells()[cell].operators[usize::from(*o)].to_string()).collect();
            assert_eq!(all, begun, "every operator of the round stayed or was dropped");
            assert!(record.fitness[cell].iter().all(|f| f.theta.is_finite()));
        }
        for member in &record.front {
            assert!((1..=record.round).contains(&member.found));
            assert!(record.candidates.iter().any(|p| p.macs == member.macs && p.accuracy == member.accuracy));
        }
    }
    let (last, scores) = (search.history().last().unwrap(), search.scores());
    for (cell, learnt) in last.fitness.iter().enumerate() {
        let find = |name: &String| space.cells()[cell].find(&name.parse().unwrap()).unwrap();
        assert!(learnt.iter().all(|f| scores[cell][usize::from(find(&f.operator))] == f.theta), "the latest theta");
        for (o, theta) in scores[cell].iter().enumerate() {
            let tried = trainer.begun.iter().any(|active| active[cell].contains(&(o as u16)));
            assert_eq!(theta.is_nan(), !tried, "not a number for those never active");
        }
    }
}
