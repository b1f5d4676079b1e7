//! How well a smaller set of images for the statistics of batch-norm ranks candidates, against how well the full set agrees with another full
//! set: at size S, on Fashion-MNIST, in several supernets.

use crate::images::HELD_OUT;
use crate::measure::CALIBRATION;
use crate::round::{options, training_images, Recorder};
use crate::setting::Setting;
use crate::tau::tau;
use crate::Outcome;
use nse::data::{Dataset, Normalisation};
use nse::search::{Purpose, Search, Silent, Stream, Trainer};
use nse::supernet::learner::Loader;
use nse::supernet::network::Network;
use nse::supernet::{score, store, SupernetTrainer};
use tch::Device;

/// Of the supernets, where no others are wanted.
const SEEDS: [u64; 3] = [1, 2, 3];
const STEPS: usize = 1000;
const CANDIDATES: usize = 48;
/// Images of the smaller sets; each is one batch.
const SMALLER: [usize; 3] = [1024, 512, 256];

pub fn print(data: &str, seeds: &[&str]) -> Outcome<()> {
    let wanted = seeds.iter().map(|seed| seed.parse()).collect::<Result<Vec<u64>, _>>()?;
    let seeds = if wanted.is_empty() { SEEDS.to_vec() } else { wanted };
    let setting = Setting::new("S")?;
    let [train, held_out] = training_images(data)?;
    let full = CALIBRATION * setting.batch;
    println!("| supernet | spread of accuracy, points | {full} others | {} |", SMALLER.map(|n| n.to_string()).join(" | "));
    println!("|---|---|---|{}", "---|".repeat(SMALLER.len()));
    for seed in seeds {
        let options = options(&setting, STEPS, [CANDIDATES, 0], seed)?;
        let mut trainer = Recorder::new(SupernetTrainer::new(setting.space.clone(), &train, Some(&held_out), &options)?);
        Search::new(setting.space.clone(), options.clone())?.step(&mut trainer, &Silent)?;
        let network = Network::new(setting.space.clone(), &trainer.active, 0, 0, Device::Cpu)?;
        store::overwrite_values(&network, &trainer.active, &trainer.save(&trainer.active)?)?;
        let normalisation = Normalisation::of(&train);
        let loader = |images: &Dataset| Loader::new(images.clone(), normalisation.clone(), Device::Cpu);
        let mut set = 0;
        let mut accuracies = |images: usize, batch: usize| -> Outcome<Vec<f64>> {
            set += 1;
            let chosen = train.choose(images, &mut Stream::new(seed, Purpose::Calibration, 1, set))?;
            let (mut calibration, mut held_out) = (loader(&chosen), loader(&held_out));
            let groups = trainer.candidates.chunks(nse::search::GROUP);
            let scores = groups.map(|group| score::score(&network, group, &mut calibration, &mut held_out, batch, &Silent));
            Ok(scores.collect::<nse::Result<Vec<_>>>()?.concat())
        };
        let reference = accuracies(full, setting.batch)?;
        let others: Vec<Vec<f64>> = std::iter::once(accuracies(full, setting.batch))
            .chain(SMALLER.map(|images| accuracies(images, images)))
            .collect::<Outcome<_>>()?;
        let (least, most) = reference.iter().fold((1f64, 0f64), |(least, most), a| (least.min(*a), most.max(*a)));
        let cell = |other: &Vec<f64>| {
            let apart = reference.iter().zip(other).map(|(a, b)| (a - b).abs()).sum::<f64>() / reference.len() as f64;
            format!("{:.2} ({:.2})", tau(&reference, other), 100.0 * apart)
        };
        let cells: Vec<String> = others.iter().map(cell).collect();
        println!("| {seed} | {:.1} to {:.1} | {} |", 100.0 * least, 100.0 * most, cells.join(" | "));
    }
    println!("Kendall's tau to the accuracies with {full} images, {CANDIDATES} candidates, {HELD_OUT} held-out images; mean difference in points.");
    Ok(())
}
