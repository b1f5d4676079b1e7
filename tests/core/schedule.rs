//! The learning rate over a round, and how epochs become steps.

use nse::search::{Schedule, TrainOptions};

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn the_published_schedule() {
    let schedule = Schedule { start: 0.1, peak: 0.4, warmup: 20, total: 1000 };
    assert_eq!(schedule.at(0), 0.1);
    assert!(close(schedule.at(10), 0.25));
    assert!(close(schedule.at(19), 0.1 + 0.3 * 19.0 / 20.0));
    assert!(close(schedule.at(20), 0.4));
    assert!(close(schedule.at(20 + 245), 0.4 * (0.5 + 0.5 * 0.5f64.sqrt())), "a quarter of the cosine");
    assert!(close(schedule.at(20 + 490), 0.2), "half of it");
    assert!(schedule.at(999) > 0.0 && schedule.at(999) < 2e-6);
    assert!(close(schedule.at(1000), 0.0));
}

#[test]
fn it_rises_then_falls() {
    let schedule = Schedule { start: 0.01, peak: 1.0, warmup: 7, total: 50 };
    assert!((0..7).all(|step| schedule.at(step) < schedule.at(step + 1)));
    assert!((7..49).all(|step| schedule.at(step) > schedule.at(step + 1)));
    assert!((0..50).all(|step| schedule.at(step) > 0.0 && schedule.at(step) <= 1.0));
}

#[test]
fn without_warmup_it_starts_at_the_peak() {
    let schedule = Schedule { start: 0.1, peak: 0.4, warmup: 0, total: 4 };
    let rates: Vec<f64> = (0..4).map(|step| schedule.at(step)).collect();
    let expected = [0.4, 0.4 * (0.5 + 0.125f64.sqrt()), 0.2, 0.4 * (0.5 - 0.125f64.sqrt())];
    assert!(rates.iter().zip(expected).all(|(a, b)| close(*a, b)), "{rates:?}");
    assert_eq!(Schedule { total: 1, ..schedule }.at(0), 0.4);
    assert_eq!(Schedule { warmup: 1, total: 1, ..schedule }.at(0), 0.1, "all warm-up");
}

#[test]
fn options_become_a_schedule() {
    let options = TrainOptions { lr: 0.4, warmup: 0.02, ..TrainOptions::default() };
    assert_eq!(options.schedule(1000), Schedule { start: 0.1, peak: 0.4, warmup: 20, total: 1000 });
    assert_eq!(options.schedule(10), Schedule { start: 0.1, peak: 0.4, warmup: 0, total: 10 });
}

#[test]
fn epochs_become_steps() {
    let steps = |epochs, per_epoch| TrainOptions { epochs, ..TrainOptions::default() }.steps(per_epoch);
    assert_eq!(steps(10.0, 422), 4220);
    assert_eq!(steps(0.5, 422), 211);
    assert_eq!(steps(2.5, 3), 8, "to the nearest");
    assert_eq!(steps(0.001, 10), 1, "at least one");
}
