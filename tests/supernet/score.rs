//! Re-calibration and scoring: exact statistics, independence of order, no trace left behind.

use crate::support::{small, stripes, values, After};
use nse::arch::Architecture;
use nse::data::Normalisation;
use nse::search::{At, SearchOptions, Silent, Trainer};
use nse::supernet::learner::Loader;
use nse::supernet::network::Network;
use nse::supernet::norm::Norm;
use nse::supernet::{score, SupernetTrainer};
use nse::Error;
use std::cell::Cell;
use tch::{no_grad, Device, Kind, Tensor};

fn open() -> Vec<Vec<u16>> {
    vec![vec![0, 3], vec![1], vec![2]]
}

fn network() -> Network {
    Network::new(small(), &open(), 1, 0, Device::Cpu).unwrap()
}

fn loader(count: usize) -> Loader {
    let data = stripes(count, 3);
    let normalisation = Normalisation::of(&data);
    Loader::new(data, normalisation, Device::Cpu)
}

/// Mean and unbiased variance per channel of the stem's convolution.
fn stem_moments(network: &Network, images: &Tensor) -> (Vec<f64>, Vec<f64>) {
    let stem = &network.chain().unwrap().stem;
    let y = images.conv2d::<Tensor>(&stem.weight.value, None, [2, 2], [1, 1], [1, 1], 1).to_kind(Kind::Double);
    let per_channel = y.transpose(0, 1).contiguous().view([8, -1]);
    let dim = [1i64];
    (values(&per_channel.mean_dim(dim.as_slice(), false, None)), values(&per_channel.var_dim(dim.as_slice(), true, false)))
}

#[test]
fn one_pass_gives_exact_statistics() {
    let (network, mut loader) = (network(), loader(60));
    let statistics = score::calibrate(&network, &open(), &mut loader, 60, &Silent).unwrap();
    let (images, _) = loader.load(&(0..60).collect::<Vec<_>>(), None).unwrap();
    let (mean, var) = stem_moments(&network, &images);
    for (expected, got) in mean.iter().zip(values(&statistics[0].0)).chain(var.iter().zip(values(&statistics[0].1))) {
        assert!((expected - got).abs() < 1e-5, "{got} instead of {expected}");
    }
    // One batch-norm in the stem, three in each of the four branches but four in rec.
    assert_eq!(statistics.len(), 1 + 3 + 4 + 3 + 3);
}

#[test]
fn several_passes_are_averaged() {
    let (network, mut loader) = (network(), loader(60));
    let statistics = score::calibrate(&network, &open(), &mut loader, 20, &Silent).unwrap();
    let mut sum = vec![0.0; 8];
    for pass in 0..3u32 {
        let (images, _) = loader.load(&(20 * pass..20 * (pass + 1)).collect::<Vec<_>>(), None).unwrap();
        stem_moments(&network, &images).1.iter().zip(&mut sum).for_each(|(var, sum)| *sum += var / 3.0);
    }
    for (expected, got) in sum.iter().zip(values(&statistics[0].1)) {
        assert!((expected - got).abs() < 1e-5, "{got} instead of {expected}");
    }
}

#[test]
fn evaluation_uses_the_statistics_and_all_images() {
    let (network, mut loader) = (network(), loader(61));
    let statistics = score::calibrate(&network, &open(), &mut loader, 61, &Silent).unwrap();
    let whole = score::evaluate(&network, &open(), &statistics, &mut loader, 61, &Silent).unwrap();
    let parts = score::evaluate(&network, &open(), &statistics, &mut loader, 10, &Silent).unwrap();
    assert!((whole.0 - parts.0).abs() < 1e-5 && whole.1 == parts.1, "{whole:?} and {parts:?}: passes must not matter");
    // On the images that gave the statistics it is the forward pass by batch statistics, but for the unbiased variance.
    let (images, labels) = loader.load(&(0..61).collect::<Vec<_>>(), None).unwrap();
    let logits = no_grad(|| network.forward(&images, &open(), &Norm::Batch).unwrap());
    let by_batch = nse::supernet::learner::cross_entropy(&logits, &labels, 0.0).unwrap().double_value(&[]);
    assert!((by_batch - whole.0).abs() < 1e-2, "{by_batch} against {}", whole.0);
}

fn trainer() -> SupernetTrainer {
    let options =
        r#"{"objective": {"low": 0, "high": 1000000}, "train": {"batch": 32}, "score": {"calibration": 64, "batch": 64}}"#;
    let mut trainer = SupernetTrainer::new(small(), &stripes(300, 5), None, &SearchOptions::from_json(options).unwrap()).unwrap();
    trainer.begin_round(0, 0, &[vec![0, 1, 3], vec![0, 1, 2], vec![2, 4]]).unwrap();
    for step in 0..20 {
        trainer.weight_step(At { seed: 0, round: 0, step }, &[vec![0, 3], vec![1, 2], vec![2, 4]], 0.05).unwrap();
    }
    trainer
}

fn candidates() -> Vec<Architecture> {
    let cells = [
        [vec![0], vec![1], vec![]],
        // The same beginning, then branches that others have too, in another company.
        [vec![0], vec![1, 2], vec![4]],
        [vec![0], vec![0, 2], vec![4]],
        [vec![], vec![0, 2], vec![4]],
        [vec![1, 3], vec![1], vec![2]],
    ];
    cells.map(|cells| Architecture::new(&small(), cells.to_vec()).unwrap()).to_vec()
}

#[test]
fn a_score_depends_on_nothing_but_the_candidate() {
    let mut trainer = trainer();
    let forwards = trainer.score(0, 0, &candidates(), &Silent).unwrap();
    let backwards = trainer.score(0, 0, &candidates().into_iter().rev().collect::<Vec<_>>(), &Silent).unwrap();
    let alone: Vec<_> =
        candidates().iter().flat_map(|c| trainer.score(0, 0, std::slice::from_ref(c), &Silent).unwrap()).collect();
    assert_eq!(forwards, backwards.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(forwards, alone);
    assert!(forwards.iter().all(|a| (0.0..=1.0).contains(a)) && forwards.iter().any(|a| *a != forwards[0]), "{forwards:?}");
}

#[test]
fn scoring_can_be_cancelled_between_batches() {
    let mut trainer = trainer();
    assert!(matches!(trainer.score(0, 0, &candidates(), &After(Cell::new(3))), Err(Error::Cancelled)));
}
