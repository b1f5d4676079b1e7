//! Whether a round in bfloat16 ends as well as one in 32 bits: at size S, on Fashion-MNIST, from the same weights, batches and paths. What rounding alone
//! does to a round in 32 bits is shown by another instruction level, whose sums are in another order.

use crate::round::{options, training_images, Recorder};
use crate::setting::Setting;
use crate::tau::tau;
use crate::Outcome;
use nse::arch::Architecture;
use nse::data::{Dataset, Normalisation, Order};
use nse::search::{At, Precision, Purpose, ScoreOptions, Search, SearchOptions, Silent, Stream, TrainOptions, Trainer, GROUP};
use nse::supernet::learner::{self, Loader};
use nse::supernet::network::Network;
use nse::supernet::{fused, score, store, SupernetTrainer};
use std::ffi::CString;
use tch::Device;

const SEEDS: [u64; 6] = [1, 2, 3, 4, 5, 6];
const STEPS: usize = 1000;
const CANDIDATES: usize = 48;
/// Images for the statistics of batch-norm.
const SMALLER: usize = 1024;
/// Steps at the end of the round over which the loss is averaged.
const LAST: usize = 100;

fn round(
    setting: &Setting,
    [train, held_out]: &[Dataset; 2],
    options: &SearchOptions,
    precision: Precision,
) -> Outcome<Recorder> {
    let options = SearchOptions { train: TrainOptions { precision, ..options.train.clone() }, ..options.clone() };
    let mut trainer = Recorder::new(SupernetTrainer::new(setting.space.clone(), train, Some(held_out), &options)?);
    Search::new(setting.space.clone(), options)?.step(&mut trainer, &Silent)?;
    Ok(trainer)
}

/// Accuracies of candidates.
fn accuracies(images: &[Dataset; 2], network: &Network, candidates: &[Architecture], seed: u64) -> Outcome<Vec<f64>> {
    let [mut train, mut held_out] = loaders(images);
    train.dataset = train.dataset.choose(SMALLER, &mut Stream::new(seed, Purpose::Calibration, 1, 0))?;
    let groups = candidates.chunks(GROUP);
    let scores = groups.map(|group| score::score(network, group, &mut train, &mut held_out, SMALLER, &Silent));
    Ok(scores.collect::<nse::Result<Vec<_>>>()?.concat())
}

fn loaders(images: &[Dataset; 2]) -> [Loader; 2] {
    let normalisation = Normalisation::of(&images[0]);
    [0, 1].map(|i| Loader::new(images[i].clone(), normalisation.clone(), Device::Cpu))
}

/// The supernet of a round that has ended.
fn network(setting: &Setting, ended: &mut Recorder, precision: Precision) -> Outcome<Network> {
    let active = ended.active.clone();
    let network = Network::new(setting.space.clone(), &active, 0, 0, Device::Cpu)?.with_precision(precision);
    store::overwrite_values(&network, &active, &ended.save(&active)?)?;
    Ok(network)
}

/// Results in 32 bits, in 32 bits with other rounding, and in bfloat16.
fn three<T>(mut run: impl FnMut(Precision) -> Outcome<T>) -> Outcome<[T; 3]> {
    let exact = run(Precision::Float32)?;
    let other = rounded_otherwise(|| run(Precision::Float32))?;
    Ok([exact, other, run(Precision::BFloat16)?])
}

/// At another instruction level, which changes nothing but rounding.
pub fn rounded_otherwise<T>(run: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let best = CString::new(fused::level_name())?;
    let other = if best.as_c_str() == c"level_v3" { c"level_v2" } else { c"level_v3" };
    if !fused::use_level(other) {
        return Err("this processor has one instruction level".into());
    }
    let result = run();
    fused::use_level(&best);
    result
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

fn percent<'a>(all: impl IntoIterator<Item = &'a Vec<f64>>, of: impl Fn(&[f64]) -> f64) -> String {
    all.into_iter().map(|scores| format!("{:.2}", 100.0 * of(scores))).collect::<Vec<_>>().join(", ")
}

/// Steps along paths that are drawn beforehand, the same in all three, and the same candidates.
fn along_paths(setting: &Setting, images: &[Dataset; 2], seeds: &[u64]) -> Outcome<()> {
    println!("| seed | loss | accuracy, mean of {CANDIDATES} candidates |\n|---|---|---|");
    let text = r#"{"objective": {"low": 0, "high": 1000000000}}"#;
    let options = SearchOptions::from_json(text)?.train;
    let candidates = (0..CANDIDATES as u64).map(|i| Architecture::new(&setting.space, setting.open(500 + i)));
    let candidates: Vec<_> = candidates.collect::<nse::Result<_>>()?;
    let schedule = options.schedule(STEPS as u64);
    for seed in seeds {
        let ended = three(|precision| {
            let network = Network::new(setting.space.clone(), &setting.active, *seed, 0, Device::Cpu)?.with_precision(precision);
            let [mut train, _] = loaders(images);
            let mut order = Order::new(*seed, Purpose::TrainOrder, train.dataset.len(), setting.batch);
            let mut losses = Vec::new();
            for step in 0..STEPS as u64 {
                let at = At { seed: *seed, round: 0, step };
                let batch = train.load(order.batch(0, step), None)?;
                let open = setting.open(seed * 10_000 + step);
                losses.push(learner::step(&network, &batch, &options, at, &open, schedule.at(step))?.loss);
            }
            Ok((mean(&losses[STEPS - LAST..]), accuracies(images, &network, &candidates, *seed)?))
        })?;
        let losses = ended.each_ref().map(|(loss, _)| format!("{loss:.4}")).join(", ");
        println!("| {seed} | {losses} | {} |", percent(ended.iter().map(|(_, scores)| scores), mean));
    }
    Ok(())
}

/// Rounds of a search, with the candidates of the first.
fn rounds(setting: &Setting, images: &[Dataset; 2], seeds: &[u64]) -> Outcome<()> {
    println!("| seed | loss | accuracy, mean of {CANDIDATES} candidates | best of them | tau to 32 bits: rounding alone | tau: bfloat16 |");
    println!("|---|---|---|---|---|---|");
    for seed in seeds {
        let score = ScoreOptions { calibration: SMALLER, batch: SMALLER, ..ScoreOptions::default() };
        let options = SearchOptions { score, ..options(setting, STEPS, [CANDIDATES, 0], *seed)? };
        let mut candidates = Vec::new();
        let ended = three(|precision| {
            let mut ended = round(setting, images, &options, precision)?;
            if candidates.is_empty() {
                candidates = ended.candidates.clone();
            }
            let network = network(setting, &mut ended, precision)?;
            Ok((mean(&ended.losses[ended.losses.len() - LAST..]), accuracies(images, &network, &candidates, *seed)?))
        })?;
        let losses = ended.each_ref().map(|(loss, _)| format!("{loss:.4}")).join(", ");
        let scores = || ended.iter().map(|(_, scores)| scores);
        let best = percent(scores(), |scores| scores.iter().copied().fold(0.0, f64::max));
        let [rounding, low] = [1, 2].map(|i| tau(&ended[0].1, &ended[i].1));
        println!("| {seed} | {losses} | {} | {best} | {rounding:.2} | {low:.2} |", percent(scores(), mean));
    }
    Ok(())
}

pub fn print(data: &str, seeds: &[&str]) -> Outcome<()> {
    let wanted = seeds.iter().map(|seed| seed.parse()).collect::<Result<Vec<u64>, _>>()?;
    let seeds = if wanted.is_empty() { SEEDS.to_vec() } else { wanted };
    let (setting, images) = (Setting::new("S")?, training_images(data)?);
    println!("Loss (mean of the last {LAST} of {STEPS} steps) and accuracies: 32 bits, 32 bits with other rounding, bfloat16.");
    along_paths(&setting, &images, &seeds)?;
    rounds(&setting, &images, &seeds)
}
