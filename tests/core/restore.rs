//! The search for restoring networks, with fits that are made up: selection, caps, resume, threads, ask and tell.

use crate::picture::picture;
use nse::checkpoint::Keeper;
use nse::restore::{Fitter, Gauge, Genome, Network, Plan, Problem, Restoration, RestoreOptions, Saved, Watch};
use nse::search::{Asked, CheckpointOptions, Control, Effect, Event, EventKind, Silent, Status};
use nse::{Error, Result};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Mutex;

/// Good is a network with many layers: its output is grey, the nearer to white the more it has.
struct MadeUp {
    fits: AtomicU64,
    /// Fits with fewer layers diverge.
    least: usize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl MadeUp {
    fn new() -> Self {
        MadeUp { fits: AtomicU64::new(0), least: 0, at_once: AtomicUsize::new(0), most_at_once: AtomicUsize::new(0) }
    }
}

impl Fitter for MadeUp {
    fn fit<'a>(&self, problem: &'a Problem, plan: &Plan, repeat: u64, watch: &dyn Watch) -> Result<Gauge<'a>> {
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_micros(200));
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.fits.fetch_add(1, Ordering::SeqCst);
        let mut gauge = Gauge::new(problem);
        if watch.cancelled() {
            return Err(Error::Cancelled);
        }
        if plan.nodes.len() < self.least {
            return Ok(gauge.end(0, true));
        }
        let grey = plan.nodes.len() as f32 / 200.0 + repeat as f32 / 1000.0 + plan.params() as f32 * 1e-12;
        gauge.look(1, vec![grey; problem.given.values.len()]);
        watch.step(1, 0.5, gauge.fitness());
        Ok(gauge.end(1, false))
    }
}

fn options(search: &str) -> RestoreOptions {
    let text = format!(r#"{{"task": "denoise", "seed": 3, "train": {{"iterations": 1}}, "search": {search}}}"#);
    RestoreOptions::from_json(&text).unwrap()
}

fn problem(options: RestoreOptions) -> Problem {
    Problem::new(options, picture([1, 16, 16], |_| 1.0), None, None).unwrap()
}

fn search(search: &str) -> Restoration {
    Restoration::new(problem(options(search))).unwrap()
}

const SMALL: &str = r#"{"units": 3, "population": 8, "generations": 4}"#;

fn run(search: &Restoration, fitter: &MadeUp) {
    while search.step(fitter, None, &Silent, &|_| {}).unwrap() == Status::Round {}
}

/// Everything but what may differ.
fn said(search: &Restoration) -> serde_json::Value {
    let mut report = search.report();
    report["options"] = serde_json::Value::Null;
    report
}

#[test]
fn the_better_half_has_the_children() {
    let search = search(SMALL);
    let fitter = MadeUp::new();
    run(&search, &fitter);
    let report = search.report();
    assert_eq!(
        (report["generation"].as_u64(), report["done"].as_bool(), report["networks"].as_u64()),
        (Some(4), Some(true), Some(32))
    );
    // No genome is fitted twice.
    assert_eq!(fitter.fits.load(Ordering::SeqCst), 32);
    let history = report["history"].as_array().unwrap();
    let survivors: Vec<u64> = history.iter().map(|record| record["survivors"].as_u64().unwrap()).collect();
    // Half of all with the median: of 8 are 5, of 13 are 7, of 15 are 8, of 16 are 9.
    assert_eq!(survivors, [5, 7, 8, 9]);
    let medians: Vec<f64> = history.iter().map(|record| record["median"].as_f64().unwrap()).collect();
    assert!(medians.windows(2).all(|pair| pair[0] <= pair[1]) && medians[3] > medians[0], "{medians:?}");
    let front = report["front"].as_array().unwrap();
    assert_eq!(front.last(), Some(&report["best"]));
    let costs: Vec<(u64, f64)> =
        front.iter().map(|member| (member["params"].as_u64().unwrap(), member["fitness"].as_f64().unwrap())).collect();
    assert!(costs.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1), "{costs:?}");
    // Nothing happens any more.
    assert_eq!(search.step(&fitter, None, &Silent, &|_| {}).unwrap(), Status::Done);
    assert_eq!(fitter.fits.load(Ordering::SeqCst), 32);
}

/// Evolution finds better networks than as many that are drawn at random, for most seeds.
#[test]
fn evolution_is_better_than_chance() {
    let better = (0..5).filter(|seed| {
        let best = |search: &str| {
            let options = RestoreOptions { seed: *seed, ..options(search) };
            let search = Restoration::new(problem(options)).unwrap();
            run(&search, &MadeUp::new());
            let best = search.population().best().unwrap();
            best.known.fitness.unwrap()
        };
        best(r#"{"units": 3, "population": 10, "generations": 8}"#) > best(r#"{"units": 3, "population": 80, "generations": 1}"#)
    });
    assert!(better.count() >= 4);
}

#[test]
fn caps_hold_for_parameters_and_for_multiply_accumulates() {
    let search = search(r#"{"units": 2, "population": 30, "generations": 2, "max_params": 200000, "max_macs": 3000000}"#);
    run(&search, &MadeUp::new());
    let population = search.population();
    assert_eq!(population.known().len(), 60);
    let most = |cost: fn(&nse::restore::Known) -> u64| population.known().values().map(cost).max().unwrap();
    assert!(most(|known| known.params) <= 200_000 && most(|known| known.macs) <= 3_000_000);
    let refused = Restoration::new(problem(options(r#"{"max_macs": 1000}"#))).err().unwrap().to_string();
    assert!(refused.contains("1000 multiply-accumulates (max_macs) (at /search)"), "{refused}");
}

#[test]
fn several_at_once_give_the_same() {
    let one = search(SMALL);
    let text = r#"{"units": 3, "population": 8, "generations": 4, "parallel": 3}"#;
    let (three, fitter) = (search(text), MadeUp::new());
    run(&one, &MadeUp::new());
    run(&three, &fitter);
    assert_eq!(said(&one), said(&three));
    assert!(fitter.most_at_once.load(Ordering::SeqCst) > 1);
}

/// Cancels after so many asks.
struct After(AtomicUsize);

impl Control for After {
    fn cancelled(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err()
    }
}

#[test]
fn wherever_it_is_cut_it_ends_the_same() {
    let whole = search(SMALL);
    run(&whole, &MadeUp::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.nse");
    let mut cancelled = 0;
    for cut in [0, 3, 7, 12] {
        let mut part = search(SMALL);
        loop {
            let keeper = Keeper::new(CheckpointOptions { path: path.clone(), steps: Some(1), seconds: None });
            match part.step(&MadeUp::new(), Some(&keeper), &After(AtomicUsize::new(cut)), &|_| {}) {
                Ok(Status::Done) => break,
                Ok(Status::Round) => {}
                Err(error) => {
                    assert!(matches!(error, Error::Cancelled), "{error}");
                    cancelled += 1;
                    // A process that knows nothing but the file; one that never wrote any begins anew.
                    if path.exists() {
                        part = Restoration::resume(&path, Saved::read(&path).unwrap(), problem(options(SMALL))).unwrap();
                    }
                    if cut == 0 {
                        run(&part, &MadeUp::new());
                        break;
                    }
                }
            }
        }
        assert_eq!(said(&part), said(&whole), "cut at {cut}");
    }
    assert!(cancelled > 0);
}

#[test]
fn a_file_of_another_search_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("search.nse");
    let first = search(SMALL);
    run(&first, &MadeUp::new());
    first.save(&path).unwrap();
    let resume = |problem| Restoration::resume(&path, Saved::read(&path).unwrap(), problem);
    let said = |problem| resume(problem).err().unwrap().to_string();
    let other = Problem::new(options(SMALL), picture([1, 16, 16], |_| 0.9), None, None).unwrap();
    assert!(said(other).contains("other images"));
    assert!(said(problem(options(r#"{"units": 3, "population": 9, "generations": 4}"#))).contains("/search/population"));
    assert!(said(problem(options(r#"{"units": 3, "population": 8, "generations": 3}"#))).contains("3, but 4 are complete"));
    // With more generations it goes on, as if it had had them from the beginning.
    let longer = r#"{"units": 3, "population": 8, "generations": 6, "parallel": 2}"#;
    let (gone_on, whole) = (resume(problem(options(longer))).unwrap(), search(longer));
    run(&gone_on, &MadeUp::new());
    run(&whole, &MadeUp::new());
    assert_eq!(self::said(&gone_on)["best"], self::said(&whole)["best"]);
    assert_eq!(gone_on.report()["history"], whole.report()["history"]);
    std::fs::write(&path, "no checkpoint").unwrap();
    assert!(matches!(Saved::read(&path), Err(Error::Format { .. })));
}

#[test]
fn what_diverges_has_failed_and_the_search_goes_on() {
    let search = search(SMALL);
    let fitter = MadeUp { least: 70, ..MadeUp::new() };
    run(&search, &fitter);
    let report = search.report();
    assert!(report["failed"].as_u64().unwrap() > 0 && report["done"] == true);
    let population = search.population();
    let failed: Vec<_> = population.known().values().filter(|known| known.fitness.is_none()).collect();
    assert!(failed.iter().all(|known| known.fits.iter().all(|fit| fit.diverged)));
    assert!(population.front().iter().all(|member| member.known.fitness.is_some()));
}

#[test]
fn repeats_are_averaged() {
    let search = search(r#"{"units": 2, "population": 2, "generations": 1, "repeats": 3}"#);
    run(&search, &MadeUp::new());
    let population = search.population();
    for known in population.known().values() {
        let each: Vec<f64> = known.fits.iter().map(|fit| fit.fitness.unwrap()).collect();
        assert!(each.len() == 3 && each[0] < each[1] && each[1] < each[2]);
        assert!((known.fitness.unwrap() - each.iter().sum::<f64>() / 3.0).abs() < 1e-12);
    }
}

#[test]
fn events_come_in_order() {
    let search = search(r#"{"units": 2, "population": 3, "generations": 2}"#);
    let events: Mutex<Vec<Event>> = Mutex::default();
    while search.step(&MadeUp::new(), None, &Silent, &|event| events.lock().unwrap().push(*event)).unwrap() == Status::Round {}
    let events = events.into_inner().unwrap();
    let of = |kind: EventKind| events.iter().filter(move |event| event.kind == kind);
    let scored: Vec<(u64, u64, u64)> = of(EventKind::Score).map(|event| (event.round, event.step, event.steps)).collect();
    assert_eq!(scored, [(1, 1, 3), (1, 2, 3), (1, 3, 3), (2, 1, 3), (2, 2, 3), (2, 3, 3)]);
    let trained: Vec<(u64, u64)> = of(EventKind::Train).map(|event| (event.round, event.epoch)).collect();
    assert_eq!(trained, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]);
    assert_eq!(of(EventKind::Finish).map(|event| event.round).collect::<Vec<_>>(), [1, 2]);
    assert!(of(EventKind::Finish).all(|event| event.accuracy > 0.0));
}

// ---- Asked and told --------------------------------------------------------------------------------------------------------

fn fitness(genome: &Genome) -> f64 {
    genome.bits().iter().filter(|bit| **bit).count() as f64
}

#[test]
fn the_host_may_evaluate_in_any_order() {
    let told = |backwards: bool| {
        let search = search(r#"{"units": 2, "population": 6, "generations": 3}"#);
        let mut population = search.population();
        loop {
            let (mut given, asked) = population.ask(6);
            if asked == Asked::Done {
                break;
            }
            assert_eq!((given.len(), asked), (6, Asked::Given));
            assert_eq!(population.ask(1), (Vec::new(), Asked::Pending));
            assert_eq!(population.pending().count(), 6);
            if backwards {
                given.reverse();
            }
            for genome in given {
                assert_eq!(population.tell(&genome, Some(fitness(&genome)), Vec::new()).unwrap(), Effect::Counted);
            }
        }
        drop(population);
        said(&search)
    };
    assert_eq!(told(false), told(true));
}

#[test]
fn results_are_checked() {
    let search = search(r#"{"units": 2, "population": 4, "generations": 2, "max_params": 500000}"#);
    let mut population = search.population();
    let (given, _) = population.ask(2);
    population.tell(&given[0], Some(20.0), Vec::new()).unwrap();
    assert_eq!(population.tell(&given[0], Some(20.0), Vec::new()).unwrap(), Effect::Repeated);
    let conflict = population.tell(&given[0], None, Vec::new()).unwrap_err();
    assert!(matches!(conflict, Error::Conflict { .. }) && conflict.to_string().contains("fitness 20"), "{conflict}");
    let said = |error: Error| error.to_string();
    assert!(said(population.tell(&given[1], Some(f64::NAN), Vec::new()).unwrap_err()).contains("NaN"));
    let other = Genome::parse("1-2cbe2").unwrap();
    assert!(said(population.tell(&other, Some(1.0), Vec::new()).unwrap_err()).contains("1 units, and this search 2"));
    let dear = Genome::new(vec![true; 44]).unwrap();
    assert!(said(population.tell(&dear, Some(1.0), Vec::new()).unwrap_err()).contains("max_params 500000"));
    // Forgotten ones are asked again; one that nobody asked for takes part.
    population.forget(&given[1]);
    assert!(population.ask(9).0.contains(&given[1]));
    let cheap = Genome::new(vec![false; 44]).unwrap();
    assert!(Network::Genome(cheap.clone()).plan(32, 1).is_ok());
    assert_eq!(population.tell(&cheap, Some(90.0), Vec::new()).unwrap(), Effect::Unasked);
    assert_eq!(population.best().unwrap().code, cheap);
    assert_eq!(population.generations(), (0, 2));
}

/// Of two parents one is nine times as fit: nine of ten children without mutation and of one unit would be its own. Here the cut is in
/// front of all units or between two, so a child begins as its father in half of the cases, and ends as its mother.
#[test]
fn roulette_goes_by_fitness() {
    let (mut of_the_fit, mut all) = (0, 0);
    for seed in 0..40 {
        let options = RestoreOptions { seed, ..options(r#"{"units": 2, "population": 8, "generations": 2, "mutation": 0.02}"#) };
        let search = Restoration::new(problem(options)).unwrap();
        let mut population = search.population();
        let given = population.ask(8).0;
        for (at, genome) in given.iter().enumerate() {
            // Five survive.
            population.tell(genome, Some(if at == 0 { 90.0 } else { 2.0 - at as f64 / 10.0 }), Vec::new()).unwrap();
        }
        let near = |child: &Genome, parent: &Genome| {
            let half = |genome: &Genome| genome.bits()[22..].to_vec();
            half(child).iter().zip(half(parent)).filter(|(a, b)| **a != *b).count() < 4
        };
        for child in population.ask(8).0 {
            of_the_fit += usize::from(near(&child, &given[0]));
            all += 1;
        }
    }
    // 90 of 96.8; by chance it would be a fifth.
    assert!(of_the_fit * 10 > all * 8, "{of_the_fit} of {all}");
}

#[test]
fn without_anything_new_a_search_ends() {
    let search = search(r#"{"units": 1, "population": 2, "generations": 2, "mutation": 0.0}"#);
    let mut population = search.population();
    for genome in population.ask(2).0 {
        population.tell(&genome, Some(9.0), Vec::new()).unwrap();
    }
    // Every child of one unit is a parent.
    assert!(population.done() && population.ask(1).1 == Asked::Done);
}
