//! The part without weights: drawing candidates in a window of costs, against rejection; and what a round costs in pools of any size, with a trainer that
//! does nothing.

use crate::baseline::Baseline;
use crate::setting::Setting;
use crate::Outcome;
use nse::arch::Architecture;
use nse::cost::{CostTable, Metric, Prices};
use nse::search::fitness::probability;
use nse::search::*;
use nse::space::Space;
use serde_json::{json, Value};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const CANDIDATES: usize = 2000;
/// Draws after which the baseline gives up.
const ATTEMPTS: u64 = 4000;

/// 2,000 different candidates of the published space within 300 +- 10 million multiply-accumulates, with the probabilities of a round that has
/// just begun and of one that has learnt.
pub fn sampling(python: &str, folder: &Path) -> Outcome<Value> {
    let setting = Setting::new("L")?;
    let costs = CostTable::new(&setting.space);
    let prices = Prices::of(&setting.space, &costs, Metric::Macs, None)?;
    let window = Window { low: 290_000_000, high: 310_000_000 };
    let mut baseline = Baseline::start(python, folder, &setting)?;
    let mut report = Vec::new();
    println!("\n2,000 candidates of the published space in 300 +- 10 million multiply-accumulates");
    for (name, spread) in [("all at 1/2", 0.0), ("theta of spread 2", 2.0)] {
        let mut stream = Stream::new(3, Purpose::Candidates, 0, 0);
        let mut theta = |_: &u16| probability(stream.normals()[0] * spread);
        let p: Vec<Vec<f64>> = setting.active.iter().map(|active| active.iter().map(&mut theta).collect()).collect();
        let skippable: Vec<bool> = setting.space.cells().iter().map(|cell| cell.may_be_skipped()).collect();
        let choices: Vec<_> = (setting.active.iter().zip(&p).zip(&skippable))
            .map(|((active, p), skippable)| CellChoices { active, p, may_be_skipped: *skippable, single: false })
            .collect();
        let begun = Instant::now();
        let found =
            Sampler::new(&prices, &choices, window)?.distinct(&setting.space, CANDIDATES, &HashSet::new(), &mut stream)?;
        let ours = begun.elapsed().as_secs_f64();
        let different: HashSet<&Architecture> = found.iter().collect();
        if found.len() != CANDIDATES
            || different.len() != CANDIDATES
            || !found.iter().all(|a| window.contains(prices.architecture(a)))
        {
            return Err("a candidate is missing, there twice, or outside of the window".into());
        }
        let of_cells =
            |cell: usize, active: &Vec<u16>| active.iter().map(|o| prices.operator(cell, *o) as f64).collect::<Vec<_>>();
        let prices: Vec<_> = setting.active.iter().enumerate().map(|(cell, active)| of_cells(cell, active)).collect();
        let fixed = costs.fixed().macs;
        let answer = baseline.ask(json!({
            "do": "sample", "prices": prices, "p": p, "fixed": fixed, "skippable": skippable, "low": window.low, "high": window.high,
            "count": CANDIDATES, "seed": 1, "attempts": ATTEMPTS,
        }))?;
        println!(
            "  {name:<20} library {:.3} s, all different and inside; rejection {} after {} draws and {:.1} s",
            ours,
            answer["found"],
            answer["tried"],
            answer["seconds"].as_f64().unwrap_or_default()
        );
        report.push(json!({ "probabilities": name, "seconds": ours, "rejection": answer }));
    }
    Ok(json!(report))
}

/// Trains nothing and scores alike.
struct Idle;

impl Trainer for Idle {
    fn steps_per_epoch(&self) -> u64 {
        500
    }
    fn steps_per_candidate(&self) -> f64 {
        1.0
    }
    fn begin_round(&mut self, _: u64, _: u64, _: &[Vec<u16>]) -> Result<(), nse::Error> {
        Ok(())
    }

    fn keep(&mut self, _: &[Vec<u16>]) -> Result<(), nse::Error> {
        Ok(())
    }

    fn remember(&mut self) -> Result<(), nse::Error> {
        Ok(())
    }

    fn compare(&self, _: &[Vec<u16>]) -> Result<Comparison, nse::Error> {
        Ok(Comparison::default())
    }
    fn weight_step(&mut self, _: At, _: &[Vec<u16>], _: f64) -> Result<StepOutcome, nse::Error> {
        Ok(StepOutcome { loss: 1.0, correct: 1, images: 2 })
    }
    fn architecture_step(
        &mut self,
        _: At,
        active: &[Vec<u16>],
        _: &[Option<TwoPaths>],
    ) -> Result<(f64, Vec<PathGradient>), nse::Error> {
        Ok((1.0, vec![PathGradient { selected: 0.0, unselected: 0.0 }; active.len()]))
    }
    fn save(&self, _: &[Vec<u16>]) -> Result<Arrays, nse::Error> {
        Ok(Arrays::new())
    }
    fn restore(&mut self, _: u64, _: u64, _: &[Vec<u16>], _: &Arrays) -> Result<(), nse::Error> {
        Ok(())
    }
    fn data(&self) -> String {
        "none".into()
    }
    fn score(&mut self, _: u64, _: u64, candidates: &[Architecture], _: &dyn Control) -> Result<Vec<f64>, nse::Error> {
        Ok(vec![0.5; candidates.len()])
    }
}

/// One round of 500 weight steps, 250 architecture steps and 200 candidates in pools of growing size.
pub fn pools() -> Outcome<Value> {
    println!("\na round of 500 steps and 200 candidates without its tensors, by operators per cell");
    let mut report = Vec::new();
    for operators in [27, 72, 500, 5000] {
        let names = (1..=8).flat_map(|d| (1..=16).flat_map(move |t| (0..=15).map(move |k| (2 * k + 1, t, d))));
        let grouped = names
            .clone()
            .map(|(k, t, d)| format!("mbconv_k{k}_t{t}{}_g2x2", if d > 1 { format!("_d{d}") } else { String::new() }));
        let names: Vec<_> = names
            .map(|(k, t, d)| format!("mbconv_k{k}_t{t}{}", if d > 1 { format!("_d{d}") } else { String::new() }))
            .chain(grouped)
            .chain((1..=16).flat_map(|t| (0..=15).map(move |k| format!("rec_k{}_t{t}", 2 * k + 1))))
            .chain((1..=16).flat_map(|t| (0..=15).map(move |k| format!("conv_k{}_t{t}", 2 * k + 1))))
            .chain((1..=16).flat_map(|t| (0..=15).map(move |k| format!("dualconv_k{}_t{t}", 2 * k + 1))))
            .chain((1..=16).flat_map(|t| (0..=15).map(move |k| format!("mbconv_k{}_t{t}_g4x4", 2 * k + 1))))
            .take(operators)
            .collect();
        let overrides = json!({
            "input": { "channels": 3, "height": 32, "width": 32 }, "classes": 10, "layout": "NR", "repeats": [1, 2, 2, 1],
            "channels": [16, 24, 40, 80], "operators": names,
        });
        let space = Arc::new(Space::preset("nse-27", &overrides.to_string())?);
        let (least, greatest) = CostTable::new(&space).range();
        let options = json!({
            "rounds": 1, "objective": { "low": least.macs, "high": greatest.macs }, "train": { "epochs": 1 },
            "candidates": { "count": 200, "extras": 0, "too_few": "accept" },
        });
        let begun = Instant::now();
        let mut search = Search::new(space.clone(), SearchOptions::from_json(&options.to_string())?)?;
        let made = begun.elapsed().as_secs_f64();
        search.step(&mut Idle, &Silent)?;
        let round = begun.elapsed().as_secs_f64() - made;
        println!("  {:>5} operators: {:.1} ms to begin, {:.1} ms the round", space.most_operators(), made * 1e3, round * 1e3);
        report.push(json!({ "operators": space.most_operators(), "begin": made, "round": round }));
    }
    Ok(json!(report))
}
