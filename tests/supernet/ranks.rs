//! A search in parts: every number of ranks, here threads, ends with the same bits, and what one rank cannot do stops all.

use crate::support::{small, stripes};
use crate::threads::{on_ranks, on_ranks_with};
use nse::arch::Architecture;
use nse::data::{Normalisation, Order};
use nse::dist::{selftest, Crew, Together};
use nse::search::{
    json_lines, Arrays, At, Collective, Control, Event, Observer, Purpose, Search, SearchOptions, Silent, Solo, Status, Stream,
    TrainOptions, Trainer, TwoPaths,
};
use nse::space::Space;
use nse::supernet::learner::{step, Learner, Loader};
use nse::supernet::network::Network;
use nse::supernet::{store, PushTrainer, SupernetTrainer};
use nse::{Error, Result};
use serde_json::json;
use std::cell::Cell;
use std::sync::Arc;
use tch::Device;

pub fn options(shards: usize) -> SearchOptions {
    let text = format!(
        r#"{{"seed": 2, "rounds": 2, "active": 3, "objective": {{"low": 40000, "high": 90000}}, "shards": {shards},
        "train": {{"epochs": 2, "batch": 30, "lr": 0.1, "label_smoothing": 0.1}}, "candidates": {{"count": 7, "extras": 2}},
        "score": {{"calibration": 64, "batch": 64}}, "held_out": 0.2}}"#
    );
    SearchOptions::from_json(&text).unwrap()
}

pub fn trainer(shards: usize, comm: Arc<dyn Collective>) -> Result<SupernetTrainer> {
    trainer_of(&options(shards), comm)
}

fn trainer_of(options: &SearchOptions, comm: Arc<dyn Collective>) -> Result<SupernetTrainer> {
    let mut trainer = SupernetTrainer::new(small(), &stripes(150, 1), None, options)?;
    trainer.join(comm)?;
    Ok(trainer)
}

/// Cancels at the fifth question, which every rank is asked whatever work it is left, and at every so many.
struct Impatient(u32, Cell<u32>);

impl Control for Impatient {
    fn cancelled(&self) -> bool {
        let asked = self.1.get() + 1;
        self.1.set(asked);
        self.0 > 0 && (asked == 5 || asked % self.0 == 0)
    }
}

impl Observer for Impatient {
    fn event(&self, _: &Event, _: &Search) {}
}

/// All that comes of a search: its rounds, its fitness, its weights; and how often it was cancelled.
#[derive(Debug, PartialEq)]
pub struct End(Vec<String>, Vec<Vec<u64>>, Arrays);

fn run(shards: usize, comm: Arc<dyn Collective>, patience: &[u32]) -> (End, u32) {
    run_of(&options(shards), comm, patience)
}

fn run_of(options: &SearchOptions, comm: Arc<dyn Collective>, patience: &[u32]) -> (End, u32) {
    let impatient = Impatient(patience.get(comm.rank()).copied().unwrap_or(0), Cell::new(0));
    run_with(options, trainer_of(options, comm).unwrap(), impatient)
}

pub fn run_alone(shards: usize) -> End {
    run(shards, Arc::new(Solo), &[]).0
}

pub fn run_patiently(options: &SearchOptions, trainer: SupernetTrainer) -> End {
    run_with(options, trainer, Impatient(0, Cell::new(0))).0
}

fn run_with(options: &SearchOptions, mut trainer: SupernetTrainer, impatient: Impatient) -> (End, u32) {
    let mut search = Search::new(small(), options.clone()).unwrap();
    let mut cancels = 0;
    let mut active = search.active();
    loop {
        match search.step(&mut trainer, &impatient) {
            Ok(Status::Done) => break,
            Ok(Status::Round) => active = search.active(),
            Err(Error::Cancelled) => cancels += 1,
            Err(other) => panic!("{other}"),
        }
    }
    let lines = json_lines(search.history());
    let timeless = lines.lines().map(|line| line.split("\"seconds\"").next().unwrap().to_owned()).collect();
    let fitness = search.scores().iter().map(|cell| cell.iter().map(|score| score.to_bits()).collect()).collect();
    (End(timeless, fitness, trainer.save(&active).unwrap()), cancels)
}

#[test]
fn any_number_of_ranks_ends_with_the_same_bits() {
    let (alone, _) = run(4, Arc::new(Solo), &[]);
    assert!(alone.0.len() == 2 && !alone.2.is_empty());
    for (size, counts) in [(2, true), (3, false), (3, true), (4, false), (6, true)] {
        for (end, _) in on_ranks_with(counts, size, |comm| run(4, comm, &[])) {
            assert!(end == alone, "{size} ranks, {counts}");
        }
    }
    assert_ne!(run(2, Arc::new(Solo), &[]).0 .0, alone.0, "parts have statistics of their own");
}

/// A batch in one part is what it always was, to what is lost in adding gradients as whole numbers.
#[test]
fn one_part_on_two_ranks_is_the_undivided_search() {
    let (alone, _) = run(1, Arc::new(Solo), &[]);
    for (end, _) in on_ranks(2, |comm| run(1, comm, &[])) {
        assert_eq!(end.0, alone.0);
        for (name, array) in &alone.2 {
            let far = array.values.iter().zip(&end.2[name].values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far <= 1e-5, "{name}: {far}");
        }
    }
}

#[test]
fn a_cancel_on_one_rank_stops_all_and_changes_nothing() {
    let (alone, _) = run(4, Arc::new(Solo), &[]);
    // Without a count: who is asked how often is the same every time.
    let ends = on_ranks_with(false, 3, |comm| run(4, comm, &[0, 23, 37]));
    assert!(ends[0].1 > 2 && ends.iter().all(|(_, cancels)| *cancels == ends[0].1), "all hear of every cancel");
    assert!(ends.iter().all(|(end, _)| *end == alone));
}

/// Scores that every rank computes by itself, and scores from accuracies that the ranks divide.
#[test]
fn a_space_that_shrinks_is_the_same_on_all_ranks() {
    let shrink = json!({ "shrink": { "drop": { "per_cell": 1 }, "until": 30, "refresh": 2 } });
    let neas = json!({ "neas": { "shrink": shrink["shrink"], "evolution": { "population": 4, "parents": 2 } } });
    for (strategy, scorer) in [
        (&shrink, json!({ "angle": { "samples": 30 } })),
        (&shrink, json!({ "accuracy": { "samples": 4 } })),
        (&neas, json!({ "diversity": { "samples": 2 } })),
    ] {
        let mut document = serde_json::to_value(options(4)).unwrap();
        document["strategy"] = strategy.clone();
        document["scorer"] = scorer.clone();
        let options = SearchOptions::from_json(&document.to_string()).unwrap();
        let (alone, _) = run_of(&options, Arc::new(Solo), &[]);
        assert!(alone.0.len() == 2, "{} rounds", alone.0.len());
        // A group of ensembles is asked about twice as often.
        let late = if strategy.get("neas").is_some() { 60 } else { 0 };
        for (size, patience) in [(2, vec![]), (3, vec![0, 23 + late, 37 + late])] {
            for (end, cancels) in on_ranks_with(patience.is_empty(), size, |comm| run_of(&options, comm, &patience)) {
                assert!(end == alone, "{size} ranks by {scorer}");
                assert_eq!(cancels > 0, !patience.is_empty());
            }
        }
    }
}

/// The step of four parts is the mean of the four steps of its parts.
#[test]
fn the_gradient_is_the_mean_over_the_parts() {
    let (space, data) = (small(), stripes(30, 1));
    let open: Vec<Vec<u16>> = vec![vec![0, 1], vec![2], vec![1, 3]];
    let recipe = TrainOptions { batch: 30, weight_decay: 0.0, ..TrainOptions::default() };
    let network = || Network::new(space.clone(), &open, 5, 0, Device::Cpu).unwrap();
    let loader = || Loader::new(data.clone(), Normalisation::of(&data), Device::Cpu);
    let (at, lr) = (At { seed: 5, round: 0, step: 0 }, 0.5);
    let weights = |network: &Network| store::save(network, &open).unwrap();
    let before = weights(&network());

    let divided = network();
    let mut learner = Learner::new(loader(), recipe.clone(), 5);
    let outcome = learner.step(&Crew::new(Arc::new(Solo), 4), &divided, at, &open, lr).unwrap();
    let divided = weights(&divided);

    // Parts are cut from the batch as it is changed in one go: each image has the changes that it has undivided.
    let positions = Order::new(5, Purpose::TrainOrder, 30, 30).batch(0, 0).to_vec();
    let changes = (recipe.augment.into(), Stream::new(5, Purpose::Augment, 0, 0));
    let (images, labels) = loader().load(&positions, Some(changes)).unwrap();
    let (mut sum, mut loss) = (before.clone(), 0.0);
    for (from, to) in [(0, 7), (7, 15), (15, 22), (22, 30)] {
        let (part, share) = (network(), (to - from) as f64 / 30.0);
        let batch = (images.narrow(0, from, to - from), labels.narrow(0, from, to - from));
        loss += step(&part, &batch, &recipe, at, &open, lr).unwrap().loss * share;
        for (name, array) in weights(&part) {
            let moved = array.values.iter().zip(&before[&name].values).map(|(after, before)| (after - before) * share as f32);
            sum.get_mut(&name).unwrap().values.iter_mut().zip(moved).for_each(|(sum, moved)| *sum += moved);
        }
    }
    assert!((outcome.loss - loss).abs() < 1e-6 && outcome.images == 30, "{outcome:?} {loss}");
    let mut moved = 0.0f32;
    for (name, array) in divided.iter().filter(|(name, _)| !name.ends_with("momentum")) {
        for (place, (a, b)) in array.values.iter().zip(&sum[name].values).enumerate() {
            moved = moved.max((a - before[name].values[place]).abs());
            assert!((a - b).abs() <= 1e-5, "{name}: {a} {b}");
        }
    }
    assert!(moved > 1e-2, "the step moves: {moved}");
}

/// Where buckets end, and whether they are added while the backward pass goes on, is for speed alone: two parts of which a rank has both, or
/// one; a tensor a bucket, some, all.
#[test]
fn buckets_and_what_goes_on_beside_them_do_not_show() {
    let (space, data) = (small(), stripes(30, 1));
    let open: Vec<Vec<u16>> = vec![vec![0, 1], vec![2], vec![1, 3]];
    let recipe = TrainOptions { batch: 30, ..TrainOptions::default() };
    let trained = |crew: Crew| {
        let network = Network::new(space.clone(), &open, 5, 0, Device::Cpu).unwrap();
        let mut learner = Learner::new(Loader::new(data.clone(), Normalisation::of(&data), Device::Cpu), recipe.clone(), 5);
        let steps = (0..3).map(|step| learner.step(&crew, &network, At { seed: 5, round: 0, step }, &open, 0.5).unwrap());
        (steps.collect::<Vec<_>>(), store::save(&network, &open).unwrap())
    };
    let alone = trained(Crew::new(Arc::new(Solo), 2));
    for bucket in [1, 300, 2000] {
        assert!(trained(Crew::new(Arc::new(Solo), 2).with_buckets(bucket)) == alone, "one rank, {bucket}");
        for size in [2, 3] {
            for end in on_ranks(size, |comm| trained(Crew::new(comm, 2).with_buckets(bucket))) {
                assert!(end == alone, "{size} ranks, {bucket}");
            }
        }
    }
}

/// How far apart they may be after every step. From the first on a ReLU may have its input on the other side of zero, by rounding.
const APART: [f64; 4] = [1e-5, 2e-2, 2e-2, 2e-2];
const STACKED: &str = r#"{"input": {"channels": 1, "height": 12, "width": 12}, "classes": 3, "channels": 4, "cells": 2}"#;

/// Steps and path gradients of ranks that normalise together, in a chain and in stacked cells: one rank has the whole batch in one piece.
#[test]
fn batch_norm_over_all_ranks_is_that_of_one() {
    let mut document = serde_json::to_value(options(6)).unwrap();
    document["batch_norm"] = json!("batch");
    let options = SearchOptions::from_json(&document.to_string()).unwrap();
    let stacked = Arc::new(Space::preset("nas-bench-201", STACKED).unwrap());
    let chain = vec![vec![0, 1], vec![0, 1], vec![2]];
    let edges: Vec<Vec<u16>> = stacked.cells().iter().map(|cell| (0..cell.operators.len() as u16).collect()).collect();
    for (space, active) in [(small(), chain), (stacked, edges)] {
        let paths: Vec<_> = active
            .iter()
            .map(|cell| {
                let gates = |first| (0..cell.len()).map(|i| (i % 2 == 0) == first).collect();
                space.stack().is_none().then(|| TwoPaths { selected: gates(true), unselected: gates(false), ps: 0.5 })
            })
            .collect();
        let trained = |comm: Arc<dyn Collective>| {
            let mut trainer = SupernetTrainer::new(space.clone(), &stripes(150, 1), None, &options).unwrap();
            trainer.join(comm).unwrap();
            trainer.begin_round(2, 0, &active).unwrap();
            // After every step what was said of it, and the weights.
            let steps = (0..4).map(|step| {
                let at = At { seed: 2, round: 0, step };
                let mut said = Vec::new();
                // First, so that in the first turn all of it is of the same weights.
                if space.stack().is_none() {
                    let (loss, gradients) = trainer.architecture_step(at, &active, &paths).unwrap();
                    said.push(loss);
                    said.extend(gradients.iter().flat_map(|g| [g.selected, g.unselected]));
                }
                let outcome = trainer.weight_step(at, &active, 0.05).unwrap();
                said.extend([outcome.loss, outcome.images as f64]);
                (said, trainer.save(&active).unwrap())
            });
            steps.collect::<Vec<_>>()
        };
        let alone = trained(Arc::new(Solo));
        // Six are more than compute at once on two cores.
        for size in [2, 3, 4, 6] {
            let ends = on_ranks(size, trained);
            assert!(ends.iter().all(|end| *end == ends[0]), "{size} ranks: the same bits on each");
            for (step, ((said, weights), (other, moved))) in alone.iter().zip(&ends[0]).enumerate() {
                let far = |(a, b): (f64, f64)| (a - b).abs();
                let numbers = said.iter().copied().zip(other.iter().copied()).map(far).fold(0.0, f64::max);
                let both = weights.iter().flat_map(|(name, array)| array.values.iter().zip(&moved[name].values));
                let values = both.map(|(a, b)| far((f64::from(*a), f64::from(*b)))).fold(0.0, f64::max);
                assert!(numbers <= APART[step] && values <= APART[step], "{size} ranks, step {step}: {numbers} {values}");
            }
        }
    }
}

/// What fails on one rank in the middle of a step in which ranks wait for each other at every layer.
#[test]
fn a_rank_that_fails_while_all_normalise_is_named_to_the_others() {
    let said = on_ranks(3, |comm| {
        let crew = Crew::new(comm, 3);
        let together = Together::new(&crew);
        let numbers: Vec<f64> = (0..1200).map(|i| (crew.part(crew.size()).start * 10_000 + i) as f64).collect();
        let heard = together.gather(&numbers).unwrap();
        assert!(heard.len() == 3 && heard[2].len() == 1200 && heard[2][1199] == 21_199.0 && heard[0][0] == 0.0);
        let own = match crew.part(crew.size()).start {
            1 => Err(Error::Busy("disk")),
            2 => together.gather(&numbers).map(|_| ()),
            _ => Ok(()),
        };
        together.end(own).unwrap_err().to_string()
    });
    let elsewhere = |rank| format!("rank {rank} of 3: a step: rank 1 could not do its part; it has the error");
    assert_eq!(said, [elsewhere(0), "disk is busy with another call".into(), elsewhere(2)]);
    // And one that has more to say than the others.
    let said = on_ranks(2, |comm| {
        let crew = Crew::new(comm, 2);
        let together = Together::new(&crew);
        let own = if crew.part(crew.size()).start == 0 { together.gather(&[1.0]).map(|_| ()) } else { Ok(()) };
        together.end(own).unwrap_err().to_string()
    });
    assert_eq!(said[0], "rank 0 of 2: a step: rank 1 is at another place of it");
    assert_eq!(said[1], "rank 1 of 2: a step: rank 0 is at another place of it");
}

#[test]
fn ranks_without_a_part_cannot_normalise_together() {
    let mut document = serde_json::to_value(options(2)).unwrap();
    document["batch_norm"] = json!("batch");
    let options = SearchOptions::from_json(&document.to_string()).unwrap();
    let said = on_ranks(3, |comm| trainer_of(&options, comm).err().map(|error| error.to_string()));
    let expected = "shards: 2 parts for 3 ranks: with batch_norm \"batch\" each needs one";
    assert!(said.iter().all(|said| said.as_deref() == Some(expected)), "{said:?}");
}

#[test]
fn a_loss_that_is_not_finite_is_one_on_all_ranks_and_keeps_the_weights() {
    let active = vec![vec![0, 1], vec![0, 1], vec![2]];
    let ends = on_ranks(3, |comm| {
        let mut trainer = trainer(3, comm).unwrap();
        trainer.begin_round(2, 0, &active).unwrap();
        for step in 0..50 {
            let before = trainer.save(&active).unwrap();
            match trainer.weight_step(At { seed: 2, round: 0, step }, &active, 1e30) {
                Ok(_) => {}
                Err(Error::Diverged { step: at, .. }) => {
                    assert!(trainer.save(&active).unwrap() == before);
                    return at;
                }
                Err(other) => panic!("{other}"),
            }
        }
        panic!("a rate of 1e30 must diverge");
    });
    assert!(ends.iter().all(|at| *at == ends[0]));
}

#[test]
fn a_rank_that_fails_is_named_to_the_others() {
    let active = vec![vec![0, 1], vec![0, 1], vec![2]];
    let at = At { seed: 2, round: 0, step: 0 };
    let said = on_ranks(3, |comm| {
        let rank = comm.rank();
        let mut trainer = trainer(3, comm).unwrap();
        if rank != 1 {
            trainer.begin_round(2, 0, &active).unwrap();
        }
        // Rank 1 has no weights yet, which is no reason for the others to wait for ever.
        let candidate = [Architecture::new(&small(), vec![vec![0], vec![1], vec![2]]).unwrap()];
        let scored = trainer.score(2, 0, &candidate, &Silent).unwrap_err().to_string();
        trainer.begin_round(2, 0, &active).unwrap();
        trainer.weight_step(at, &active, 0.1).unwrap();
        scored
    });
    assert_eq!(said[0], "rank 0 of 3: a step: rank 1 could not do its part; it has the error");
    assert_eq!(said[1], "libtorch: no round has begun");
}

#[test]
fn other_images_on_one_rank_are_refused_on_all() {
    let said = on_ranks(2, |comm| {
        let images = stripes(150, comm.rank() as u64);
        let mut trainer = SupernetTrainer::new(small(), &images, None, &options(2)).unwrap();
        trainer.join(comm).err().map(|error| error.to_string())
    });
    let expected = |rank: usize| Some(format!("rank {rank} of 2: the images: rank 1 has another than rank 0"));
    assert_eq!(said, [expected(0), expected(1)]);
}

#[test]
fn the_selftest_holds_for_threads() {
    on_ranks(5, |comm| selftest(comm.as_ref()).unwrap());
}

#[test]
fn more_parts_than_a_batch_can_have_are_refused() {
    let error = trainer(16, Arc::new(Solo)).err().unwrap().to_string();
    assert_eq!(error, "shards: 16 parts of a batch of 30 images: each needs two");
}

#[test]
fn pushed_batches_have_no_parts() {
    let error = PushTrainer::new(small(), &options(2)).err().unwrap().to_string();
    assert_eq!(error, "shards: 2: pushed batches are not computed in parts");
}
