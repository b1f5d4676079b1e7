//! What an observer is told: every step and every group of candidates once, counters that only grow, an estimate of the rest.

use crate::synthetic::{options, run, small_space, window, Synthetic, STEPS_PER_EPOCH};
use nse::search::{Control, Event, EventKind, Meter, Observer, Search, Silent, Status};
use serde_json::json;
use std::cell::RefCell;

/// Every event, with rounds completed and the best accuracy of the front at that moment.
#[derive(Default)]
struct Recorder(RefCell<Vec<(Event, u64, f64)>>);

impl Control for Recorder {
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for Recorder {
    fn event(&self, event: &Event, search: &Search) {
        assert_eq!(search.rounds(), (search.history().len() as u64, event.rounds));
        let best = search.front().iter().map(|s| s.accuracy).fold(0.0, f64::max);
        self.0.borrow_mut().push((*event, search.rounds().0, best));
    }
}

fn recorded(seed: u64) -> (Search, Synthetic, Vec<(Event, u64, f64)>) {
    let space = small_space();
    let rest = json!({ "active": 3, "train": { "epochs": 2.5 }, "candidates": { "count": 10, "extras": 3 } });
    let mut search = Search::new(space.clone(), options(seed, window(&space, 0.1, 0.4), rest)).unwrap();
    let (mut trainer, recorder) = (Synthetic::new(&space, seed), Recorder::default());
    assert!(run(&mut search, &mut trainer, &recorder).is_empty());
    (search, trainer, recorder.0.into_inner())
}

#[test]
fn every_round_is_steps_then_candidates_then_its_end() {
    let (search, trainer, events) = recorded(2);
    let mut events = events.iter();
    for (round, record) in (1..).zip(search.history()) {
        let mut next = |kind, step, steps| {
            let (event, done, _) = events.next().unwrap();
            assert_eq!((event.kind, event.step, event.steps), (kind, step, steps));
            assert_eq!((event.round, event.rounds), (round, 3));
            assert_eq!(*done, if kind == EventKind::Finish { round } else { round - 1 }, "rounds completed");
            *event
        };
        for step in 1..=25 {
            let event = next(EventKind::Train, step, 25);
            // The epoch under way: the third ends half-way, with the round.
            assert_eq!((event.epoch, event.epochs), ((step / STEPS_PER_EPOCH + 1).min(3), 3));
        }
        let all = trainer.scored[round as usize - 1].len() as u64;
        assert_eq!(all, (record.candidates.len() + record.extras.len()) as u64);
        for done in (8..all + 8).step_by(8) {
            next(EventKind::Score, done.min(all), all);
        }
        next(EventKind::Finish, 1, 1);
    }
    assert!(events.next().is_none());
}

#[test]
fn numbers_are_in_their_ranges() {
    let mut better_extras = 0;
    for seed in 0..20 {
        let (search, trainer, events) = recorded(seed);
        for (event, _, front) in &events {
            let round = event.round as usize - 1;
            let (done, main) = (event.step as usize, search.history()[round].candidates.len());
            let best = |n: usize| trainer.scored[round][..n].iter().map(|a| trainer.accuracy(a.cells())).fold(0.0, f64::max);
            match event.kind {
                EventKind::Train => assert!(event.images_per_second > 0.0),
                EventKind::Score => {
                    assert_eq!(event.accuracy, best(done.min(main)), "the best so far, without extras");
                    better_extras += u32::from(event.accuracy < best(done));
                }
                EventKind::Finish => assert_eq!(event.accuracy, *front),
                EventKind::Measure | EventKind::Evaluate => panic!("a search measures and trains nothing alone"),
            }
            assert!(event.loss > 0.0 && event.loss < 1.0);
            assert!((0.0..=1.0).contains(&event.accuracy));
        }
    }
    assert!(better_extras > 0, "in some rounds an extra was better");
}

#[test]
fn time_passes_and_runs_out() {
    let (_, _, events) = recorded(2);
    assert!(events.windows(2).all(|pair| pair[0].0.seconds <= pair[1].0.seconds));
    for (event, ..) in &events {
        assert!(event.seconds_left.is_finite() && event.seconds_left >= 0.0, "{event:?}");
    }
    let left =
        |kind: EventKind, round: u64| events.iter().find(|(e, ..)| e.kind == kind && e.round == round).unwrap().0.seconds_left;
    assert!(left(EventKind::Finish, 1) > 0.0, "two rounds to go");
    assert_eq!(left(EventKind::Finish, 3), 0.0, "nothing to go");
}

#[test]
fn done_is_final() {
    let (mut search, mut trainer, events) = recorded(2);
    assert!(search.done());
    let (front, scored) = (search.front().to_vec(), trainer.scored.clone());
    let recorder = Recorder::default();
    for _ in 0..3 {
        assert_eq!(search.step(&mut trainer, &recorder).unwrap(), Status::Done);
    }
    assert!(recorder.0.borrow().is_empty() && !events.is_empty(), "nothing happens");
    assert_eq!((search.front(), search.history().len(), search.rounds()), (front.as_slice(), 3, (3, 3)));
    assert_eq!((trainer.scored, trainer.begun.len()), (scored, 3));
}

#[test]
fn a_step_is_one_round() {
    let space = small_space();
    let rest = json!({ "active": 3, "candidates": { "count": 4, "extras": 0 } });
    let mut search = Search::new(space.clone(), options(2, window(&space, 0.1, 0.4), rest)).unwrap();
    let mut trainer = Synthetic::new(&space, 2);
    let mut step = || (search.step(&mut trainer, &Silent).unwrap(), search.rounds().0, search.done());
    assert_eq!(step(), (Status::Round, 1, false));
    assert_eq!(step(), (Status::Round, 2, false));
    assert_eq!(step(), (Status::Done, 3, true));
}

#[test]
fn smoothed_values_start_exact_and_forget() {
    let mut meter = Meter::default();
    assert!(meter.loss().is_nan() && meter.accuracy().is_nan() && meter.seconds_left(1, 1, 1.0).is_nan());
    meter.trained(3.0, 50, 100);
    assert!((meter.loss() - 3.0).abs() < 1e-12 && (meter.accuracy() - 0.5).abs() < 1e-12);
    meter.trained(1.0, 100, 100);
    // Weights 0.05 * 0.95 and 0.05.
    assert!((meter.loss() - (3.0 * 0.95 + 1.0) / 1.95).abs() < 1e-12);
    for _ in 0..500 {
        meter.trained(2.0, 0, 100);
    }
    assert!((meter.loss() - 2.0).abs() < 1e-9 && meter.accuracy() < 1e-9);
    assert_eq!(meter.seconds_left(0, 0, 5.0), 0.0);
    assert!(meter.seconds_left(0, 2, 5.0) > 0.0, "before one was timed, a candidate takes some steps");
    meter.restart();
    assert!(meter.loss().is_nan() && meter.seconds_left(10, 0, 1.0) > 0.0, "a new round forgets the loss, not the speed");
}
