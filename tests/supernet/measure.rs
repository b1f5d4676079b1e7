//! Measured latencies: everything that a space needs, with progress, and an end when told. What the times are is not tested.

use crate::support::{all_operators, with_details, After};
use nse::arch::Architecture;
use nse::cost::{latency_keys, LatencyKind};
use nse::search::{Event, EventKind, Silent};
use nse::supernet::{measure_latencies, MeasureOptions};
use nse::Error;
use std::cell::{Cell, RefCell};

fn options(text: &str) -> MeasureOptions {
    MeasureOptions::from_json(text).unwrap()
}

#[test]
fn everything_that_a_space_needs_is_timed() {
    let space = with_details(&all_operators());
    let keys = latency_keys(&space);
    for kind in LatencyKind::ALL {
        assert!(keys.iter().any(|key| key.kind == kind), "{kind:?}");
    }
    let table = measure_latencies(&space, &options(r#"{"batch": 2, "repeats": 4}"#), &Silent, &|_| ()).unwrap();
    assert_eq!(table.unit(), "ms");
    assert!(table.iter().map(|(key, _)| key).eq(&keys), "these and no others");
    assert!(table.iter().all(|(_, time)| time > 0.0));
    let latencies = table.resolve(&space).unwrap();
    let architecture = |cells: [&[u16]; 3]| Architecture::new(&space, cells.map(<[u16]>::to_vec).to_vec()).unwrap();
    let (small, large) = (architecture([&[], &[0], &[0]]), architecture([&[0, 3], &[0, 5], &[0]]));
    assert!(latencies.architecture(&space, &small) < latencies.architecture(&space, &large), "more branches take longer");
}

#[test]
fn one_pass_without_warm_up_is_enough() {
    let table = measure_latencies(&all_operators(), &options(r#"{"warmup": 0, "repeats": 1}"#), &Silent, &|_| ()).unwrap();
    assert!(table.missing(&all_operators()).is_empty());
}

#[test]
fn every_operation_is_reported() {
    let events = RefCell::new(Vec::<Event>::new());
    let watch = |event: &Event| events.borrow_mut().push(*event);
    let table = measure_latencies(&all_operators(), &options("{}"), &Silent, &watch).unwrap();
    let events = events.into_inner();
    assert_eq!(events.len(), table.len());
    for (i, event) in events.iter().enumerate() {
        assert_eq!((event.kind, event.step, event.steps), (EventKind::Measure, i as u64 + 1, table.len() as u64));
        assert_eq!((event.round, event.rounds, event.epoch, event.epochs), (0, 0, 0, 0));
        assert!(event.loss.is_nan() && event.accuracy.is_nan() && event.images_per_second.is_nan());
        assert!(event.seconds > 0.0 && event.seconds_left >= 0.0);
    }
    assert!(events.windows(2).all(|pair| pair[0].seconds <= pair[1].seconds));
    assert_eq!(events[events.len() - 1].seconds_left, 0.0);
}

#[test]
fn a_measurement_can_be_cancelled() {
    for calls in [1, 4] {
        let told = Cell::new(0);
        let watch = |_: &Event| told.set(told.get() + 1);
        let result = measure_latencies(&all_operators(), &options("{}"), &After(Cell::new(calls)), &watch);
        assert!(matches!(result, Err(Error::Cancelled)));
        assert_eq!(told.get(), calls - 1, "told of what was timed, and of nothing after");
    }
}

#[test]
fn a_wrong_device_is_named() {
    let error = measure_latencies(&all_operators(), &options(r#"{"device": "gpu"}"#), &Silent, &|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "device \"gpu\": expected \"cpu\", \"cuda\" or \"cuda:N\"");
}
