//! A front asked again under another cost: that of all candidates of the last round, also of a search read from an older file.

use crate::synthetic::{options, run, small_space, window, Synthetic};
use nse::cost::{latency_keys, LatencyTable, Metric};
use nse::search::{Drive, Search, Silent};
use nse::Error;
use serde_json::json;

fn finished() -> Search {
    let space = small_space();
    let rest = json!({ "active": 3, "rounds": 2, "train": { "epochs": 1 }, "candidates": { "count": 40, "extras": 5 } });
    let mut search = Search::new(space.clone(), options(3, window(&space, 0.2, 0.6), rest)).unwrap();
    assert!(run(&mut search, &mut Synthetic::new(&space, 3), &Silent).is_empty());
    search
}

#[test]
fn it_is_the_front_of_all_candidates_of_the_last_round() {
    let search = finished();
    let candidates = &search.history().last().unwrap().candidates;
    assert_eq!(search.scored().len(), candidates.len());
    let better = |one: (u64, f64), two: (u64, f64)| one.0 <= two.0 && one.1 >= two.1 && one != two;
    let all: Vec<(u64, f64)> = candidates.iter().map(|c| (c.params, c.accuracy)).collect();
    let mut expected: Vec<_> = all.iter().filter(|one| !all.iter().any(|other| better(*other, **one))).copied().collect();
    expected.sort_by_key(|one| one.0);
    expected.dedup();
    let front = search.front_under(Metric::Params, None).unwrap();
    assert_eq!(front.iter().map(|s| (s.price, s.accuracy)).collect::<Vec<_>>(), expected);
    assert!(front.iter().all(|s| s.price == s.cost.params));
    assert_ne!(front.len(), search.front().len(), "another front than that of the search");

    assert!(matches!(search.front_under(Metric::Latency, None), Err(Error::Argument { name: "latency", .. })));
    let mut table = LatencyTable::new("ms").unwrap();
    assert!(matches!(search.front_under(Metric::Latency, Some(&table)), Err(Error::MissingLatencies { .. })));
    latency_keys(search.space()).into_iter().enumerate().for_each(|(i, key)| table.set(key, 1.0 + i as f64 / 4.0).unwrap());
    let timed = search.front_under(Metric::Latency, Some(&table)).unwrap();
    for member in &timed {
        let time = table.architecture(search.space(), &member.architecture).unwrap();
        assert!((Metric::Latency.amount(member.price) - time).abs() < 1e-6);
    }
}

#[test]
fn a_state_of_an_older_library_has_its_front() {
    let search = finished();
    let mut state = search.state();
    let keys = state.as_object_mut().unwrap();
    assert!(keys.remove("scored").is_some() && keys.remove("told").is_some());
    let again = Search::restore(search.space().clone(), search.options().clone(), None, state).unwrap();
    assert_eq!(again.drive(), Drive::Steps);
    assert_eq!(again.scored(), search.front());
    assert_eq!(again.front_under(Metric::Macs, None).unwrap(), search.front());
}
