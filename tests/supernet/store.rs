//! Weights and momenta as arrays: all of them, bit by bit, and nothing that does not belong.

use crate::support::{small, stripes};
use nse::search::{Arrays, At, SearchOptions, Trainer};
use nse::supernet::SupernetTrainer;
use nse::Error;

fn trainer() -> SupernetTrainer {
    let options = r#"{"seed": 2, "objective": {"low": 0, "high": 90000}, "train": {"batch": 32}, "held_out": 0.2}"#;
    let options = SearchOptions::from_json(options).unwrap();
    SupernetTrainer::new(small(), &stripes(300, 1), None, &options).unwrap()
}

fn trained(active: &[Vec<u16>], steps: u64) -> SupernetTrainer {
    let mut trainer = trainer();
    trainer.begin_round(2, 1, active).unwrap();
    for step in 0..steps {
        trainer.weight_step(At { seed: 2, round: 1, step }, active, 0.1).unwrap();
    }
    trainer
}

#[test]
fn everything_comes_back_bit_by_bit() {
    let active = vec![vec![0, 3], vec![1, 2, 4], vec![]];
    let trained = trained(&active, 3);
    let arrays = trained.save(&active).unwrap();
    let momenta = arrays.iter().filter(|(name, _)| name.ends_with(".momentum"));
    assert!(momenta.clone().all(|(_, array)| array.values.iter().any(|v| *v != 0.0)), "everything took part");
    assert_eq!(arrays.len(), 2 * momenta.count());
    assert_eq!(arrays["cells.1.conv_k3_t1.spatial.0"].shape, [8, 8, 3, 3]);

    let mut fresh = trainer();
    fresh.restore(2, 1, &active, &arrays).unwrap();
    assert_eq!(fresh.save(&active).unwrap(), arrays);
    let step = |trainer: &mut SupernetTrainer| {
        let at = At { seed: 2, round: 1, step: 3 };
        trainer.weight_step(at, &active, 0.1).unwrap()
    };
    let (mut trained, mut fresh) = (trained, fresh);
    assert_eq!(step(&mut trained), step(&mut fresh), "the next step is the same");
    assert_eq!(trained.save(&active).unwrap(), fresh.save(&active).unwrap());
}

/// Operators that were dropped need no weights any more.
#[test]
fn only_what_is_active_is_saved() {
    let mut trained = trained(&[vec![0, 1], vec![0, 1], vec![0]], 1);
    let fewer = vec![vec![1], vec![0, 1], vec![]];
    let arrays = trained.save(&fewer).unwrap();
    assert!(arrays.keys().all(|name| !name.starts_with("cells.0.mbconv_k3_t1.") && !name.starts_with("cells.2.")));
    trained.restore(2, 1, &fewer, &arrays).unwrap();
    assert_eq!(trained.save(&fewer).unwrap(), arrays);
}

#[test]
fn what_does_not_belong_is_refused() {
    let active = vec![vec![0], vec![1], vec![2]];
    let trained = trained(&active, 1);
    let arrays = trained.save(&active).unwrap();
    let refused = |change: &dyn Fn(&mut Arrays)| {
        let mut changed = arrays.clone();
        change(&mut changed);
        match trainer().restore(2, 1, &active, &changed) {
            Err(Error::Argument { name: "weights", reason }) => reason,
            other => panic!("{other:?}"),
        }
    };
    let count = arrays.len();
    assert_eq!(refused(&|a| drop(a.remove("stem.0"))), format!("{} arrays, the network has {count}", count - 1));
    let renamed = |a: &mut Arrays| {
        let stem = a.remove("stem.0").unwrap();
        a.insert("stem.9".into(), stem);
    };
    assert_eq!(refused(&renamed), "stem.0 is missing");
    let reshaped = |a: &mut Arrays| a.get_mut("tail.0").unwrap().shape = vec![12, 16, 1, 1];
    assert_eq!(refused(&reshaped), "tail.0 has the shape [12, 16, 1, 1], the network has [16, 12, 1, 1]");
}

#[test]
fn data_has_a_name_of_its_own() {
    let options = SearchOptions::from_json(r#"{"objective": {"low": 0, "high": 90000}}"#).unwrap();
    let data = |train: &nse::data::Dataset, held_out: Option<&nse::data::Dataset>| {
        SupernetTrainer::new(small(), train, held_out, &options).unwrap().data()
    };
    let (one, other) = (stripes(60, 1), stripes(60, 2));
    assert_eq!(data(&one, None), data(&stripes(60, 1), None));
    assert_ne!(data(&one, None), data(&other, None));
    assert_ne!(data(&one, Some(&other)), data(&one, Some(&one)));
    assert_ne!(data(&one, None), data(&stripes(61, 1), None));
}
