//! A search that is asked and told: what it hands out, and what becomes of results.

use crate::support::cases;
use crate::synthetic::{options, small_space, timeless, window, Synthetic};
use nse::arch::Architecture;
use nse::search::{pareto, Asked, Drive, Effect, Outcome, Purpose, Scored, Search, Silent, Start, Stream, Window};
use nse::space::Space;
use nse::Error;
use proptest::prelude::*;
use serde_json::{json, Value};
use std::collections::HashSet;
use std::sync::Arc;

fn told(space: &Arc<Space>, seed: u64, window: Window, rest: Value) -> Search {
    let start = Start { drive: Drive::Told, ..Start::default() };
    Search::start(space.clone(), options(seed, window, rest), start).unwrap()
}

pub fn middle(space: &Arc<Space>, seed: u64, count: usize) -> Search {
    told(space, seed, window(space, 0.2, 0.6), json!({ "active": 3, "rounds": 3, "candidates": { "count": count } }))
}

pub fn one(search: &mut Search) -> Architecture {
    let (mut given, asked) = search.ask(1).unwrap();
    assert_eq!((given.len(), asked), (1, Asked::Given));
    given.remove(0)
}

fn argument<T: std::fmt::Debug>(result: nse::Result<T>) -> (&'static str, String) {
    match result {
        Err(Error::Argument { name, reason }) => (name, reason),
        other => panic!("{other:?}"),
    }
}

/// Everything but the wall clock.
pub fn state(search: &Search) -> Value {
    let mut state = search.state();
    state["history"] = json!(timeless(search.history()));
    state
}

/// Asks and tells to the end, `batch` at a time; what was handed out, in order.
pub fn finish(search: &mut Search, world: &Synthetic, batch: usize) -> Vec<Architecture> {
    let mut all = Vec::new();
    loop {
        let (given, asked) = search.ask(batch).unwrap();
        for architecture in &given {
            let accuracy = world.accuracy(architecture.cells());
            let effect = search.tell(architecture, Outcome::accuracy(accuracy)).unwrap();
            // Those asked beyond the end of a round.
            assert!(effect == Effect::Counted || effect == Effect::Late);
        }
        all.extend(given);
        match asked {
            Asked::Done => return all,
            Asked::Pending => panic!("nothing is outstanding"),
            Asked::Given => {}
        }
    }
}

#[test]
fn what_is_asked_is_new_and_inside() {
    let space = small_space();
    let world = Synthetic::new(&space, 1);
    let inside = window(&space, 0.2, 0.6);
    let mut search = middle(&space, 1, 20);
    let all = finish(&mut search, &world, 7);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert_eq!(search.history().len(), 3);
    assert!(search.done());
    let cost = |a: &Architecture| nse::cost::CostTable::new(&space).architecture(a).macs;
    assert!(all.iter().all(|a| inside.contains(cost(a))));
    // 7 at a time: the last of a round are asked beyond its 20, and are late when they are told after the 20th.
    for record in search.history() {
        assert!(record.candidates.len() == 20 && record.loss.is_finite());
        assert!((record.accuracy - record.candidates.iter().map(|c| c.accuracy).sum::<f64>() / 20.0).abs() < 1e-9);
    }
    // The front is that of all results.
    let scored = search.scored();
    assert_eq!(scored.len(), all.len());
    assert_eq!(search.front(), pareto::front(scored));
    assert_eq!(search.ask(3).unwrap(), (Vec::new(), Asked::Done));
    assert_eq!(search.tell(&all[0], Outcome::accuracy(world.accuracy(all[0].cells()))).unwrap(), Effect::Repeated);
}

/// Results of a batch of 7 against a round of 20: with the 20th the round closes, and the rest of the batch is late.
#[test]
fn a_round_closes_with_its_last_result() {
    let space = small_space();
    let mut search = middle(&space, 2, 5);
    let (given, _) = search.ask(8).unwrap();
    assert_eq!(given.len(), 8, "asking beyond the round is allowed");
    let effects: Vec<_> = given.iter().map(|a| search.tell(a, Outcome::accuracy(0.5)).unwrap()).collect();
    assert_eq!(effects, [[Effect::Counted; 5].as_slice(), &[Effect::Late; 3]].concat());
    assert_eq!(search.rounds(), (1, 3));
    assert_eq!(search.history()[0].candidates.len(), 5);
    // Failures count, and are nowhere else.
    let (given, _) = search.ask(5).unwrap();
    for (i, architecture) in given.iter().enumerate() {
        let outcome = if i < 3 { Outcome::failed() } else { Outcome::accuracy(0.9) };
        assert_eq!(search.tell(architecture, outcome).unwrap(), Effect::Counted);
    }
    assert_eq!(search.rounds(), (2, 3));
    assert_eq!(search.history()[1].candidates.len(), 2);
    assert!(search.front().iter().all(|s| !given[..3].contains(&s.architecture)));
}

#[test]
fn results_are_held_against_what_is_known() {
    let space = small_space();
    let mut search = middle(&space, 3, 10);
    let asked = one(&mut search);
    for wrong in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
        let (name, reason) = argument(search.tell(&asked, Outcome::accuracy(wrong)));
        assert!(name == "result" && reason.contains(&wrong.to_string()), "{reason}");
    }
    for wrong in [f64::NAN, -1.0, f64::INFINITY, 0.5] {
        let (_, reason) = argument(search.tell(&asked, Outcome { cost: Some(wrong), ..Outcome::accuracy(0.5) }));
        assert!(reason.contains(&wrong.to_string()), "{reason}");
    }
    assert_eq!(search.pending().count(), 1, "nothing was told");
    assert_eq!(search.tell(&asked, Outcome::accuracy(0.5)).unwrap(), Effect::Counted);
    let before = state(&search);
    assert_eq!(search.tell(&asked, Outcome::accuracy(0.5)).unwrap(), Effect::Repeated);
    for other in [Outcome::accuracy(0.6), Outcome::failed(), Outcome { cost: Some(500.0), ..Outcome::accuracy(0.5) }] {
        match search.tell(&asked, other) {
            Err(Error::Conflict { code, known, told }) => {
                assert_eq!(code, asked.code(&space));
                assert!(known == "accuracy 0.5" && told == other.to_string(), "{known}, {told}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(state(&search), before, "nothing has changed");
    let failed = one(&mut search);
    assert_eq!(search.tell(&failed, Outcome { accuracy: f64::NAN, cost: None, failed: true }).unwrap(), Effect::Counted);
    assert_eq!(search.tell(&failed, Outcome::failed()).unwrap(), Effect::Repeated);
    assert!(matches!(search.tell(&failed, Outcome::accuracy(0.1)), Err(Error::Conflict { .. })));
}

#[test]
fn results_nobody_asked_for() {
    let space = small_space();
    let world = Synthetic::new(&space, 4);
    let mut other = middle(&space, 99, 10);
    let earlier = finish(&mut other, &world, 5);
    let mut search = middle(&space, 4, 10);
    for architecture in &earlier {
        let outcome = Outcome::accuracy(world.accuracy(architecture.cells()));
        assert_eq!(search.tell(architecture, outcome).unwrap(), Effect::Unasked);
    }
    assert_eq!(search.rounds(), (0, 3), "they do not count");
    assert!(search.scores().iter().flatten().all(|score| score.is_nan()), "nor teach");
    assert_eq!(search.front().len(), other.front().len());
    assert!(search.front().iter().all(|s| s.found == 0));
    let everywhere: Vec<Vec<u16>> = space.cells().iter().map(|c| (0..c.operators.len() as u16).collect()).collect();
    let outside = Architecture::new(&space, everywhere).unwrap();
    assert_eq!(search.tell(&outside, Outcome::accuracy(1.0)).unwrap(), Effect::Unasked);
    assert_eq!(search.front().len(), other.front().len(), "outside the window");
    let asked = finish(&mut search, &world, 5);
    assert!(asked.iter().all(|a| !earlier.contains(a)), "never asked any more");
    // And after the end.
    let best = Architecture::new(&space, vec![vec![], vec![0], vec![]]).unwrap();
    let inside = window(&space, 0.2, 0.6);
    let cost = Some((inside.low + 1) as f64);
    assert_eq!(search.tell(&best, Outcome { cost, ..Outcome::accuracy(1.0) }).unwrap(), Effect::Unasked);
    assert!(search.front().iter().any(|s| s.architecture == best));
}

#[test]
fn a_told_cost_replaces_the_computed_one() {
    let space = small_space();
    let inside = window(&space, 0.2, 0.6);
    let mut search = middle(&space, 5, 10);
    let (given, _) = search.ask(3).unwrap();
    let costs = [inside.low as f64, inside.high as f64, inside.high as f64 + 1.0];
    for (architecture, cost) in given.iter().zip(costs) {
        let accuracy = 0.5 + 0.1 * (cost - inside.low as f64) / (inside.high - inside.low) as f64;
        search.tell(architecture, Outcome { cost: Some(cost), ..Outcome::accuracy(accuracy) }).unwrap();
    }
    let front: Vec<_> = search.front().iter().map(|s| (&s.architecture, s.price as f64)).collect();
    assert_eq!(front, [(&given[0], costs[0]), (&given[1], costs[1])], "the third is outside by its told cost");
    let computed = search.front_under(nse::cost::Metric::Macs, None).unwrap();
    let cost = |a: &Architecture| nse::cost::CostTable::new(&space).architecture(a).macs;
    assert!(computed.iter().all(|s| s.price == cost(&s.architecture)));
}

#[test]
fn the_same_asks_and_tells_give_the_same() {
    let space = small_space();
    let world = Synthetic::new(&space, 6);
    let (mut one, mut two) = (middle(&space, 6, 30), middle(&space, 6, 30));
    assert_eq!(finish(&mut one, &world, 5), finish(&mut two, &world, 5));
    assert_eq!(state(&one), state(&two));
    let mut other = middle(&space, 7, 30);
    assert_ne!(finish(&mut other, &world, 5), finish(&mut middle(&space, 6, 30), &world, 5), "another seed");
}

#[test]
fn a_window_with_little_in_it() {
    let space = small_space();
    let narrow = window(&space, 0.2, 0.203);
    let mut search =
        told(&space, 8, narrow, json!({ "active": 7, "rounds": 2, "candidates": { "count": 100_000 }, "told": { "lr": 0 } }));
    let (given, asked) = search.ask(100_000).unwrap();
    assert_eq!(asked, Asked::Given);
    assert!(given.len() > 10 && given.len() < 100_000);
    assert_eq!(search.ask(1).unwrap(), (Vec::new(), Asked::Pending), "there are no more until something is told");
    for architecture in &given[1..] {
        assert_eq!(search.tell(architecture, Outcome::accuracy(0.5)).unwrap(), Effect::Counted);
        assert_eq!(search.rounds().0, 0);
    }
    search.forget(&given[0]).unwrap();
    search.forget(&given[0]).unwrap();
    search.forget(&given[1]).unwrap();
    assert_eq!(search.ask(5).unwrap(), (vec![given[0].clone()], Asked::Given), "only what was forgotten comes again");
    assert_eq!(search.tell(&given[0], Outcome::accuracy(0.5)).unwrap(), Effect::Counted);
    assert_eq!(search.rounds().0, 1, "nothing more, and nothing outstanding");
    assert_eq!(search.ask(1).unwrap().1, Asked::Done, "an empty round ends at once");
}

/// Whoever asks in vain may be told of as if nobody had asked.
#[test]
fn an_ask_that_hands_out_nothing_changes_nothing() {
    let space = small_space();
    let rest = json!({ "active": 7, "rounds": 2, "candidates": { "count": 100_000 }, "told": { "lr": 0 } });
    let mut search = told(&space, 8, window(&space, 0.2, 0.203), rest);
    let mut all = Vec::new();
    loop {
        let before = search.state();
        let (given, asked) = search.ask(1).unwrap();
        if asked == Asked::Pending {
            assert!(all.len() > 10 && search.state() == before);
            break;
        }
        all.extend(given);
    }
    all.iter().for_each(|architecture| assert_eq!(search.tell(architecture, Outcome::accuracy(0.5)).unwrap(), Effect::Counted));
    assert_eq!(search.ask(1).unwrap(), (Vec::new(), Asked::Done));
}

#[test]
fn a_forgotten_worker_that_comes_back() {
    let space = small_space();
    let mut search = middle(&space, 9, 10);
    let lost = one(&mut search);
    search.forget(&lost).unwrap();
    assert_eq!(search.pending().count(), 0);
    assert_eq!(search.tell(&lost, Outcome::accuracy(0.7)).unwrap(), Effect::Unasked);
    search.forget(&lost).unwrap();
    assert_eq!(search.tell(&lost, Outcome::accuracy(0.7)).unwrap(), Effect::Repeated, "what was told is not forgotten");
}

#[test]
fn a_front_to_begin_with_is_asked_first() {
    let space = small_space();
    let world = Synthetic::new(&space, 10);
    let mut first = middle(&space, 10, 20);
    finish(&mut first, &world, 5);
    let members: Vec<_> = first.front().iter().map(|s| s.architecture.clone()).collect();
    let begin = |start: Start| {
        let rest = json!({ "active": 3, "rounds": 2, "candidates": { "count": 20 } });
        Search::start(space.clone(), options(11, window(&space, 0.2, 0.6), rest), start).unwrap()
    };
    let mut second = begin(Start { drive: Drive::Told, continued: Some(&first), ..Start::default() });
    assert!(second.front().is_empty(), "nothing is known here");
    let known = members[0].clone();
    second.tell(&known, Outcome::accuracy(world.accuracy(known.cells()))).unwrap();
    let asked = finish(&mut second, &world, 1);
    assert_eq!(asked[..members.len() - 1], members[1..]);
    // And a search that trains goes on from one that was told.
    let mut third = begin(Start { continued: Some(&second), ..Start::default() });
    third.step(&mut Synthetic::new(&space, 10), &Silent).unwrap();
    assert!(!third.front().is_empty());
}

#[test]
fn each_kind_of_search_says_what_it_is() {
    let space = small_space();
    let mut search = middle(&space, 12, 10);
    assert!(argument(search.step(&mut Synthetic::new(&space, 1), &Silent)).1.contains("asked and told"));
    let some = one(&mut search);
    let rest = json!({ "active": 3, "rounds": 1 });
    let mut trained = Search::new(space.clone(), options(1, window(&space, 0.2, 0.6), rest)).unwrap();
    assert!(argument(trained.ask(1)).1.contains("stepped"));
    assert!(argument(trained.tell(&some, Outcome::accuracy(0.5))).1.contains("stepped"));
    assert!(argument(trained.forget(&some)).1.contains("stepped"));
    assert_eq!(trained.pending().count(), 0);
}

/// Whatever a platform does: no error, every architecture once, rounds that end, the front of what was told.
fn anything_goes(seed: u64, count: usize, group: usize) -> std::result::Result<(), TestCaseError> {
    let space = small_space();
    let mut stream = Stream::new(seed, Purpose::Probe, 0, 3);
    let low = 0.7 * stream.uniform();
    let bounds = window(&space, low, (low + 0.02 + 0.3 * stream.uniform()).min(1.0));
    let rest = json!({
        "active": 2 + stream.below(4), "rounds": 4, "candidates": { "count": count },
        "told": { "group": group, "lr": 1.5 }, "fitness": { "preserve": stream.below(2) == 0, "threshold": -1.0 },
        "branches": if stream.below(4) == 0 { "single" } else { "multi" }
    });
    let start = Start { drive: Drive::Told, ..Start::default() };
    // Some windows are out of reach of single branches: not the matter here.
    let Ok(mut search) = Search::start(space.clone(), options(seed, bounds, rest), start) else { return Ok(()) };
    let world = Synthetic::new(&space, seed);
    let (mut given, mut seen): (Vec<Architecture>, HashSet<Architecture>) = Default::default();
    for _ in 0..2000 {
        match stream.below(10) {
            0..=3 => {
                let (new, asked) = search.ask(1 + stream.below(6) as usize).unwrap();
                for architecture in new {
                    prop_assert!(seen.insert(architecture.clone()), "twice");
                    given.push(architecture);
                }
                if asked == Asked::Done {
                    break;
                }
            }
            4..=7 if !given.is_empty() => {
                let architecture = given.swap_remove(stream.below(given.len() as u64) as usize);
                let accuracy = Outcome::accuracy(world.accuracy(architecture.cells()));
                let dear = Some((bounds.low + stream.below(2 * (bounds.high - bounds.low) + 1)) as f64);
                let outcome = match stream.below(6) {
                    0 => Outcome::failed(),
                    1 => Outcome { cost: dear, ..accuracy },
                    _ => accuracy,
                };
                search.tell(&architecture, outcome).unwrap();
                prop_assert_eq!(search.tell(&architecture, outcome).unwrap(), Effect::Repeated);
            }
            8 if !given.is_empty() => {
                let architecture = given.swap_remove(stream.below(given.len() as u64) as usize);
                search.forget(&architecture).unwrap();
                seen.remove(&architecture);
            }
            9 => {
                let cells =
                    (space.cells().iter()).map(|cell| vec![stream.below(cell.operators.len() as u64) as u16]).collect::<Vec<_>>();
                let architecture = Architecture::new(&space, cells).unwrap();
                if seen.insert(architecture.clone()) {
                    let accuracy = world.accuracy(architecture.cells());
                    prop_assert_eq!(search.tell(&architecture, Outcome::accuracy(accuracy)).unwrap(), Effect::Unasked);
                }
            }
            _ => {}
        }
        prop_assert_eq!(search.pending().count(), given.len());
        let front: Vec<Scored> = pareto::front(search.scored());
        prop_assert_eq!(search.front(), front);
        if stream.below(20) == 0 {
            let again = Search::restore(space.clone(), search.options().clone(), None, search.state()).unwrap();
            prop_assert_eq!(again.state(), search.state());
            search = again;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn whatever_a_platform_does(seed in 0u64..1 << 40, count in 1usize..12, group in 2usize..5) {
        anything_goes(seed, count, group)?;
    }
}
