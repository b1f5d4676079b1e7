//! A search into which a host pushes its batches finds what a search with datasets finds that draws the same batches.

use crate::support::{small, stripes};
use nse::checkpoint::{self, Expected};
use nse::data::{Dataset, Normalisation, Order, PushedBatch, Values};
use nse::search::{
    json_lines, Control, Drive, Event, Given, Observer, Purpose, Search, SearchOptions, Silent, Start, Status, Stream, Wanted,
};
use nse::supernet::{PushTrainer, SupernetTrainer};
use nse::{Error, Result};
use std::cell::Cell;

const OPTIONS: &str = r#"{"seed": 3, "rounds": 2, "active": 3, "objective": {"low": 40000, "high": 90000},
    "train": {"epochs": 3, "batch": 32, "lr": 0.1}, "candidates": {"count": 6, "extras": 2}, "fitness": {"interval": 3},
    "score": {"calibration": 64, "batch": 64}, "held_out": 0.2, "pushed": {"steps_per_epoch": 7}}"#;
const ROUNDS: u64 = 2;

fn options() -> SearchOptions {
    SearchOptions::from_json(OPTIONS).unwrap()
}

/// With both kinds of architecture steps.
fn both() -> [SearchOptions; 2] {
    let alpha = OPTIONS.replacen('{', r#"{"scorer": {"alpha": {"lr": 0.1, "interval": 3}}, "#, 1);
    [options(), SearchOptions::from_json(&alpha).unwrap()]
}

fn pushed(options: &SearchOptions) -> (Search, PushTrainer) {
    let search = Search::start(small(), options.clone(), Start { drive: Drive::Pushed, ..Start::default() }).unwrap();
    (search, PushTrainer::new(small(), options).unwrap())
}

/// A host with its own loop: it loads what a search with datasets would.
struct Host {
    train: Dataset,
    held_out: Dataset,
    normalisation: Normalisation,
    orders: [Order; 2],
}

impl Host {
    fn new() -> Self {
        let (train, held_out) = stripes(300, 1).split(0.2, 3).unwrap();
        let orders = [(Purpose::TrainOrder, &train), (Purpose::HeldOutOrder, &held_out)];
        let orders = orders.map(|(purpose, dataset)| Order::new(3, purpose, dataset.len(), 32));
        Host { normalisation: Normalisation::of(&train), train, held_out, orders }
    }

    fn batch(&self, dataset: &Dataset, positions: &[u32], augment: Option<Stream>) -> PushedBatch {
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        let changes = augment.map(|stream| (options().train.augment.into(), stream));
        dataset.fill(positions, &self.normalisation, changes, &mut images, &mut labels).unwrap();
        let bytes = images.iter().flat_map(|v| v.to_ne_bytes()).collect();
        let labels = labels.into_iter().map(|label| label as u32).collect();
        PushedBatch { shape: [positions.len(), 1, 12, 12], values: Values::Host(bytes), labels }
    }

    /// What the search wants now, or None for the end of an epoch.
    fn next(&mut self, search: &Search) -> Option<PushedBatch> {
        let (round, place) = (search.rounds().0, search.place());
        let whole = |dataset: &Dataset| (0..dataset.len() as u32).collect::<Vec<_>>();
        match search.wanted() {
            Wanted::Weight if place.step == 7 * place.epoch => None,
            Wanted::Weight => {
                let positions = self.orders[0].batch(round, place.step).to_vec();
                Some(self.batch(&self.train, &positions, Some(Stream::new(3, Purpose::Augment, round, place.step))))
            }
            Wanted::Architecture => {
                let positions = self.orders[1].batch(round, (place.step - 1) / 3).to_vec();
                Some(self.batch(&self.held_out, &positions, None))
            }
            Wanted::Calibrate => {
                let chosen = self.train.choose(64, &mut Stream::new(3, Purpose::Calibration, round, 0)).unwrap();
                Some(self.batch(&chosen, &whole(&chosen), None))
            }
            Wanted::Evaluate => Some(self.batch(&self.held_out, &whole(&self.held_out), None)),
            Wanted::Nothing => unreachable!("a finished search wants nothing"),
        }
    }
}

/// Gives what comes next, and the end of the evaluation with its only batch.
fn push(search: &mut Search, trainer: &mut PushTrainer, host: &mut Host, observer: &dyn Observer) -> Result<()> {
    let wanted = search.wanted();
    let Some(batch) = host.next(search) else { return search.push(Given::End, trainer, observer) };
    let images = batch.labels.len() as u64;
    let batch = trainer.batch(&batch)?;
    search.push(Given::Batch { wanted, images, lr: None, batch }, trainer, observer)?;
    if wanted == Wanted::Evaluate {
        search.push(Given::End, trainer, observer)?;
    }
    Ok(())
}

fn with_datasets(options: &SearchOptions) -> Search {
    let mut trainer = SupernetTrainer::new(small(), &stripes(300, 1), None, options).unwrap();
    let mut search = Search::new(small(), options.clone()).unwrap();
    while search.step(&mut trainer, &Silent).unwrap() != Status::Done {}
    search
}

fn history(search: &Search) -> Vec<serde_json::Value> {
    let lines = json_lines(search.history());
    let mut records: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.iter_mut().for_each(|r| drop(r.as_object_mut().unwrap().remove("seconds")));
    records
}

#[test]
fn is_the_same_search_as_with_datasets() {
    for options in both() {
        let expected = with_datasets(&options);
        let ((mut search, mut trainer), mut host) = (pushed(&options), Host::new());
        while search.wanted() != Wanted::Nothing {
            push(&mut search, &mut trainer, &mut host, &Silent).unwrap();
        }
        assert_eq!(search.rounds(), (ROUNDS, ROUNDS));
        assert_eq!(history(&search), history(&expected));
        assert_eq!(search.front(), expected.front());
    }
}

/// It is the host who ends the epochs of a warm-up; the weights behind the last of them are those to compare with.
#[test]
fn so_it_is_with_a_warm_up() {
    let mut document: serde_json::Value = serde_json::from_str(OPTIONS).unwrap();
    document.as_object_mut().unwrap().remove("rounds");
    document["branches"] = "single".into();
    document["strategy"] = serde_json::json!({ "shrink": {
        "drop": { "worst": 6 }, "until": 8, "later_epochs": 1, "warm_up": 2, "ramp": { "epochs": 6 }
    } });
    document["candidates"]["too_few"] = "accept".into();
    let options = || SearchOptions::from_json(&document.to_string()).unwrap();
    let expected = with_datasets(&options());
    let ((mut search, mut trainer), mut host) = (pushed(&options()), Host::new());
    let mut epochs = Vec::new();
    while search.wanted() != Wanted::Nothing {
        epochs.push(search.place().epochs);
        push(&mut search, &mut trainer, &mut host, &Silent).unwrap();
    }
    epochs.dedup();
    assert_eq!(epochs, [5, 1]);
    assert_eq!(history(&search), history(&expected));
    assert!(!search.front().is_empty() && search.front() == expected.front());
}

/// Cancels every eleventh question.
struct Impatient(Cell<u32>);

impl Control for Impatient {
    fn cancelled(&self) -> bool {
        self.0.set(self.0.get() + 1);
        self.0.get() % 11 == 0
    }
}

impl Observer for Impatient {
    fn event(&self, _: &Event, _: &Search) {}
}

#[test]
fn cancels_bad_batches_and_restarts_change_nothing() {
    for options in both() {
        let expected = with_datasets(&options);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pushed.nse");
        let ((mut search, mut trainer), mut host) = (pushed(&options), Host::new());
        let (impatient, mut pushes, mut cancels) = (Impatient(Cell::new(0)), 0, 0);
        while search.wanted() != Wanted::Nothing {
            match push(&mut search, &mut trainer, &mut host, &impatient) {
                Ok(()) => {}
                Err(Error::Cancelled) => cancels += 1,
                Err(other) => panic!("{other}"),
            }
            pushes += 1;
            let (wanted, place) = (search.wanted(), search.place());
            if matches!(wanted, Wanted::Weight | Wanted::Architecture) && place.step != 7 * place.epoch {
                let mut nan = host.next(&search).unwrap();
                nan.values = Values::Host(f32::NAN.to_ne_bytes().repeat(nan.labels.len() * 144));
                let images = nan.labels.len() as u64;
                let batch = trainer.batch(&nan).unwrap();
                let diverged = search.push(Given::Batch { wanted, images, lr: None, batch }, &mut trainer, &Silent);
                assert!(matches!(diverged, Err(Error::Diverged { .. })), "{diverged:?}");
            }
            if pushes % 10 == 0 {
                checkpoint::save(&path, &search, &trainer).unwrap();
                trainer = PushTrainer::new(small(), &options).unwrap();
                search = checkpoint::load(&path, &Expected::default()).unwrap().resume(&mut trainer).unwrap();
                assert_eq!(search.drive(), Drive::Pushed);
            }
        }
        assert!(cancels > 5, "{cancels} cancels");
        assert_eq!(history(&search), history(&expected));
        assert_eq!(search.front(), expected.front());
    }
}

#[test]
fn calibration_and_evaluation_may_come_in_parts() {
    let ((mut search, mut trainer), mut host) = (pushed(&options()), Host::new());
    while search.wanted() != Wanted::Calibrate {
        push(&mut search, &mut trainer, &mut host, &Silent).unwrap();
    }
    let mut give = |search: &mut Search, wanted, batch: &PushedBatch| {
        let given = Given::Batch { wanted, images: batch.labels.len() as u64, lr: None, batch: trainer.batch(batch).unwrap() };
        search.push(given, &mut trainer, &Silent)
    };
    let thirty: Vec<u32> = (0..30).collect();
    let part = host.batch(&host.train, &thirty, None);
    give(&mut search, Wanted::Calibrate, &part).unwrap();
    assert_eq!(search.wanted(), Wanted::Calibrate);
    give(&mut search, Wanted::Calibrate, &part).unwrap();
    give(&mut search, Wanted::Calibrate, &part).unwrap();
    assert_eq!(search.wanted(), Wanted::Evaluate, "90 of 64 images");
    for half in [0..30u32, 30..60] {
        let batch = host.batch(&host.held_out, &half.collect::<Vec<_>>(), None);
        give(&mut search, Wanted::Evaluate, &batch).unwrap();
    }
    assert_eq!((search.wanted(), search.rounds().0), (Wanted::Evaluate, 0));
    search.push(Given::End, &mut trainer, &Silent).unwrap();
    assert_eq!((search.wanted(), search.rounds().0), (Wanted::Weight, 1));
    let accuracies: Vec<f64> = search.front().iter().map(|s| s.accuracy * 60.0).collect();
    assert!(accuracies.iter().all(|right| (right - right.round()).abs() < 1e-9), "of 60 images: {accuracies:?}");
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let ((mut search, mut trainer), mut host) = (pushed(&options()), Host::new());
    let refused = |result: Result<()>, text: &str| match result {
        Err(Error::Argument { name: "batch", reason }) => assert!(reason.contains(text), "{reason:?} does not say {text:?}"),
        other => panic!("{other:?} instead of {text:?}"),
    };
    refused(search.push(Given::End, &mut trainer, &Silent), "the end was given, and a weight step comes next");
    let good = host.next(&search).unwrap();
    let like = |shape, labels| PushedBatch { shape, values: Values::Host(vec![0; shape.iter().product::<usize>() * 4]), labels };
    refused(trainer.batch(&like([2, 3, 12, 12], vec![0; 2])).map(drop), "images of 3x12x12, the space is for 1x12x12");
    refused(trainer.batch(&like([1, 1, 12, 12], vec![0])).map(drop), "1 images");
    refused(trainer.batch(&like([2, 1, 12, 12], vec![0; 3])).map(drop), "2 images and 3 labels");
    refused(trainer.batch(&like([2, 1, 12, 12], vec![0, 3])).map(drop), "label 3 of image 1 is not in 0 to 2");
    let batch = trainer.batch(&good).unwrap();
    let given = Given::Batch { wanted: Wanted::Evaluate, images: 32, lr: None, batch };
    refused(search.push(given, &mut trainer, &Silent), "a batch for the evaluation was given, a weight step comes next");

    let without = SearchOptions::from_json(&OPTIONS.replace(r#", "pushed": {"steps_per_epoch": 7}"#, "")).unwrap();
    let mut search = Search::start(small(), without.clone(), Start { drive: Drive::Pushed, ..Start::default() }).unwrap();
    let mut trainer = PushTrainer::new(small(), &without).unwrap();
    let given = |lr, trainer: &PushTrainer| {
        let batch = trainer.batch(&good).unwrap();
        Given::Batch { wanted: Wanted::Weight, images: 32, lr, batch }
    };
    let rateless = given(None, &trainer);
    refused(search.push(rateless, &mut trainer, &Silent), "lr must be given");
    let rated = given(Some(0.25), &trainer);
    search.push(rated, &mut trainer, &Silent).unwrap();
    assert_eq!((trainer.last().lr, search.place().step), (0.25, 1));
}
