//! Whether a round in bfloat16 ends as well as one in 32 bits: at size S, on Fashion-MNIST, from the same weights, batches and paths. What rounding alone
//! does to a round in 32 bits is shown by another instruction level, whose sums are in another order.

use crate::round::{options, training_images, Recorder};
use crate::setting::Setting;
use crate::tau::tau;
use crate::Outcome;
use nse::arch::Architecture;
use nse::data::{Dataset, Normalisation};
use nse::search::{Precision, Purpose, ScoreOptions, Search, SearchOptions, Silent, Stream, TrainOptions, Trainer, GROUP};
use nse::supernet::learner::Loader;
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

fn round(setting: &Setting, [train, held_out]: &[Dataset; 2], options: &SearchOptions, precision: Precision) -> Outcome<Recorder> {
    let options = SearchOptions { train: TrainOptions { precision, ..options.train.clone() }, ..options.clone() };
    let mut trainer = Recorder::new(SupernetTrainer::new(setting.space.clone(), train, Some(held_out), &options)?);
    Search::new(setting.space.clone(), options)?.step(&mut trainer, &Silent)?;
    Ok(trainer)
}

fn loss(ended: &Recorder) -> f64 {
    ended.losses[ended.losses.len() - LAST..].iter().sum::<f64>() / LAST as f64
}

/// Accuracies of candidates with the weights that a round has ended with.
fn accuracies(
    setting: &Setting,
    [train, held_out]: &[Dataset; 2],
    ended: &mut Recorder,
    candidates: &[Architecture],
    seed: u64,
    precision: Precision,
) -> Outcome<Vec<f64>> {
    let network = Network::new(setting.space.clone(), &ended.active, 0, 0, Device::Cpu)?.with_precision(precision);
    let active = ended.active.clone();
    store::overwrite_values(&network, &active, &ended.save(&active)?)?;
    let normalisation = Normalisation::of(train);
    let loader = |images: &Dataset| Loader::new(images.clone(), normalisation.clone(), Device::Cpu);
    let chosen = train.choose(SMALLER, &mut Stream::new(seed, Purpose::Calibration, 1, 0))?;
    let (mut calibration, mut held_out) = (loader(&chosen), loader(held_out));
    let groups = candidates.chunks(GROUP);
    let scores = groups.map(|group| score::score(&network, group, &mut calibration, &mut held_out, SMALLER, &Silent));
    Ok(scores.collect::<nse::Result<Vec<_>>>()?.concat())
}

pub fn print(data: &str, seeds: &[&str]) -> Outcome<()> {
    let wanted = seeds.iter().map(|seed| seed.parse()).collect::<Result<Vec<u64>, _>>()?;
    let seeds = if wanted.is_empty() { SEEDS.to_vec() } else { wanted };
    let setting = Setting::new("S")?;
    let images = training_images(data)?;
    let best = CString::new(fused::level_name())?;
    println!("| seed | loss | accuracy, mean of {CANDIDATES} candidates | best of them | tau to 32 bits: rounding alone | tau: bfloat16 | tau: bfloat16 to the same weights scored in 32 bits |");
    println!("|---|---|---|---|---|---|---|");
    for seed in seeds {
        let score = ScoreOptions { calibration: SMALLER, batch: SMALLER, ..ScoreOptions::default() };
        let options = SearchOptions { score, ..options(&setting, STEPS, [CANDIDATES, 0], seed)? };
        let mut exact = round(&setting, &images, &options, Precision::Float32)?;
        let candidates = exact.candidates.clone();
        let scores = |ended: &mut Recorder, precision| accuracies(&setting, &images, ended, &candidates, seed, precision);
        let of_exact = scores(&mut exact, Precision::Float32)?;
        if !fused::use_level(c"level_v3") {
            return Err("this processor has one instruction level".into());
        }
        let mut other = round(&setting, &images, &options, Precision::Float32)?;
        let of_other = scores(&mut other, Precision::Float32)?;
        fused::use_level(&best);
        let mut low = round(&setting, &images, &options, Precision::BFloat16)?;
        let of_low = scores(&mut low, Precision::BFloat16)?;
        let in_32_bits = scores(&mut low, Precision::Float32)?;
        let all = [&of_exact, &of_other, &of_low];
        let cell = |of: &dyn Fn(&Vec<f64>) -> f64| all.map(|scores| format!("{:.2}", 100.0 * of(scores))).join(", ");
        println!(
            "| {seed} | {:.4}, {:.4}, {:.4} | {} | {} | {:.2} | {:.2} | {:.2} |",
            loss(&exact),
            loss(&other),
            loss(&low),
            cell(&|scores| scores.iter().sum::<f64>() / scores.len() as f64),
            cell(&|scores| scores.iter().copied().fold(0.0, f64::max)),
            tau(&of_exact, &of_other),
            tau(&of_exact, &of_low),
            tau(&of_low, &in_32_bits),
        );
    }
    println!("Loss (mean of the last {LAST} of {STEPS} steps) and accuracies: 32 bits, 32 bits with other rounding, bfloat16. The same candidates everywhere.");
    Ok(())
}
