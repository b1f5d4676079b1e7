//! One size: equality, then steps, scoring, sampling and memory, both sides in turns.

use crate::baseline::Baseline;
use crate::setting::Setting;
use crate::{equal, limit, Outcome};
use nse::arch::Architecture;
use nse::search::{At, Precision, SearchOptions, Silent, TrainOptions, GROUP};
use nse::supernet::learner::{self, Loader};
use nse::supernet::network::Network;
use nse::supernet::{paths, score};
use serde_json::{json, Value};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const AT: At = At { seed: 0, round: 0, step: 0 };
/// Candidates of a round; batches that each is calibrated with and evaluated on.
const DRAWN: u64 = 500;
pub const CALIBRATION: usize = 40;
const VALIDATION: usize = 16;
/// Images of the smaller calibration set, as the search has it when nothing else is said.
const SMALLER: usize = 1024;

/// Times of the library and of the baseline, one pair a turn.
#[derive(Default)]
pub struct Turns(pub Vec<(f64, f64)>);

impl Turns {
    fn sorted(&self, of: impl Fn(&(f64, f64)) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = self.0.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// Prints one line of the table; returns the same as JSON.
    pub fn report(&self, work: &str, unit: f64) -> Value {
        let middle = |values: &[f64]| values[values.len() / 2];
        let (ours, theirs, ratios) = (self.sorted(|t| t.0), self.sorted(|t| t.1), self.sorted(|t| t.1 / t.0));
        let (low, high) = (ratios[ratios.len() / 4], ratios[ratios.len() - 1 - ratios.len() / 4]);
        let (a, b) = (middle(&ours) * unit, middle(&theirs) * unit);
        println!("  {work:<34} {a:>10.1} {b:>10.1} {:>8.2}x   {low:.2} to {high:.2}", middle(&ratios));
        json!({ "library": a, "baseline": b, "ratio": middle(&ratios), "quartiles": [low, high], "turns": self.0 })
    }
}

fn timed<T>(work: impl FnOnce() -> Result<T, nse::Error>) -> Outcome<(f64, T)> {
    let begun = Instant::now();
    let result = work()?;
    Ok((begun.elapsed().as_secs_f64(), result))
}

fn recipe() -> Outcome<TrainOptions> {
    let text = r#"{"objective": {"low": 0, "high": 1000000000}, "train": {"label_smoothing": 0, "weight_decay": 4e-5}}"#;
    Ok(SearchOptions::from_json(text)?.train)
}

pub fn size(python: &str, folder: &Path, size: &str, steps: u64) -> Outcome<Value> {
    let setting = Setting::new(size)?;
    let networks = [setting.network()?, setting.network()?.with_precision(Precision::BFloat16)];
    let batch = setting.batch(5)?;
    println!(
        "\nsize {}: {} cells, {} operators, batch {}",
        setting.name,
        setting.active.len(),
        setting.space.most_operators(),
        setting.batch
    );
    let mut baseline = Baseline::start(python, folder, &setting)?;
    baseline.take_weights(&setting, &networks[0])?;
    baseline.take_batch("0", &batch)?;
    let equality = equal::check(&setting, &networks, &batch, &mut baseline)?;
    println!("  {:<34} {:>10} {:>10} {:>9}   middle half", "", "library", "baseline", "ratio");
    let options = recipe()?;
    let weight_turns = in_turns(
        &networks,
        steps,
        |network, i| Ok(timed(|| learner::step(network, &batch, &options, AT, &setting.open(i), 1e-4))?.0),
        |i| baseline.weight_step(&setting.open(i), 1e-4),
    )?;
    let weights = report(&weight_turns, "weight step, ms", 1e3);
    let architecture_turns = in_turns(
        &networks,
        steps,
        |network, i| Ok(timed(|| paths::step(network, &batch, AT, &setting.active, &setting.paths(i)))?.0),
        |i| Ok(baseline.architecture_step(&setting, &setting.paths(i), false)?.0),
    )?;
    let architecture = report(&architecture_turns, "architecture step, ms", 1e3);
    let scoring = match size {
        "L" => Value::Null,
        _ => scoring(&setting, &networks, &mut baseline, 3)?,
    };
    drop(baseline);
    let seconds = weight_turns[0].sorted(|t| t.0);
    let limit = limit::of_weight_steps(&setting, steps, seconds.iter().sum::<f64>() / seconds.len() as f64)?;
    let memory = memory(python, folder, &setting)?;
    Ok(json!({
        "equality": equality, "weight_step": weights, "architecture_step": architecture, "scoring": scoring, "limit": limit,
        "memory": memory,
    }))
}

/// Times of the library in 32 bits, and in bfloat16.
type Precisions = [Turns; 2];

fn report([float32, bfloat16]: &Precisions, work: &str, unit: f64) -> Value {
    json!({ "float32": float32.report(work, unit), "bfloat16": bfloat16.report("  in bfloat16", unit) })
}

/// `steps` turns, and one before that warms up.
fn in_turns(
    networks: &[Network; 2],
    steps: u64,
    mut ours: impl FnMut(&Network, u64) -> Outcome<f64>,
    mut theirs: impl FnMut(u64) -> Outcome<f64>,
) -> Outcome<Precisions> {
    let mut turns = Precisions::default();
    for i in 0..steps + 1 {
        let [float32, bfloat16] = [ours(&networks[0], i)?, ours(&networks[1], i)?];
        let theirs = theirs(i)?;
        if i > 0 {
            turns[0].0.push((float32, theirs));
            turns[1].0.push((bfloat16, theirs));
        }
    }
    Ok(turns)
}

/// What candidates are calibrated with, and what they are evaluated on.
fn scored_on(setting: &Setting) -> Outcome<[Loader; 2]> {
    Ok([setting.loader(CALIBRATION * setting.batch, 11)?, setting.loader(VALIDATION * setting.batch, 12)?])
}

/// Out of as many candidates as a search draws, in its order, groups of as many as it scores at a time.
fn groups_of(setting: &Setting, groups: usize) -> Outcome<Vec<Vec<Architecture>>> {
    let drawn = (0..DRAWN).map(|i| Architecture::new(&setting.space, setting.open(500 + i)));
    let drawn: Vec<_> = drawn.collect::<Result<BTreeSet<_>, nse::Error>>()?.into_iter().collect();
    Ok((1..=groups).map(|i| drawn[drawn.len() * i / (groups + 1)..][..GROUP].to_vec()).collect())
}

/// The first images of a loader become batches of the baseline; their names.
pub fn take_batches(
    setting: &Setting,
    baseline: &mut Baseline,
    loader: &mut Loader,
    prefix: &str,
    count: usize,
) -> Outcome<Vec<String>> {
    let one = |i: usize| {
        let positions: Vec<u32> = (i * setting.batch..(i + 1) * setting.batch).map(|p| p as u32).collect();
        let name = format!("{prefix}{i}");
        baseline.take_batch(&name, &loader.load(&positions, None)?)?;
        Ok(name)
    };
    (0..count).map(one).collect()
}

/// The same candidates with the same images on both sides, and the accuracies equal up to a few images. Then, against the same times of the
/// baseline, the library's with the smaller calibration set.
fn scoring(setting: &Setting, networks: &[Network; 2], baseline: &mut Baseline, groups: usize) -> Outcome<Value> {
    baseline.take_weights(setting, &networks[0])?;
    let [mut calibration, mut validation] = scored_on(setting)?;
    let mut smaller = setting.loader(SMALLER, 13)?;
    let names = [
        take_batches(setting, baseline, &mut calibration, "c", CALIBRATION)?,
        take_batches(setting, baseline, &mut validation, "v", VALIDATION)?,
    ];
    let mut ours = |candidates: &[Architecture]| -> Outcome<[(f64, Vec<f64>); 4]> {
        let mut score = |network, calibration: &mut Loader, batch| {
            timed(|| score::score(network, candidates, calibration, &mut validation, batch, &Silent))
        };
        let (float32, bfloat16) = (&networks[0], &networks[1]);
        Ok([
            score(float32, &mut calibration, setting.batch)?,
            score(bfloat16, &mut calibration, setting.batch)?,
            score(float32, &mut smaller, SMALLER)?,
            score(bfloat16, &mut smaller, SMALLER)?,
        ])
    };
    // It takes them one by one.
    let mut theirs = |candidates: &[Architecture]| {
        let open: Vec<_> = candidates.iter().map(Architecture::cells).collect();
        baseline.ask(json!({ "do": "score", "calibration": names[0], "validation": names[1], "candidates": open }))
    };
    let groups = groups_of(setting, groups)?;
    // Warms up.
    ours(&groups[0])?;
    theirs(&groups[0][..1])?;
    let (mut same, mut fewer) = (Precisions::default(), Precisions::default());
    for candidates in &groups {
        let (ours, answer) = (ours(candidates)?, theirs(candidates)?);
        let theirs = answer["seconds"].as_f64().ok_or("no seconds")?;
        for (turns, (ours, _)) in same.iter_mut().chain(&mut fewer).zip(&ours) {
            turns.0.push((ours / GROUP as f64, theirs / GROUP as f64));
        }
        for (i, accuracy) in ours[0].1.iter().enumerate() {
            let theirs = answer["accuracies"][i].as_f64().ok_or("no accuracy")?;
            if (accuracy - theirs).abs() > 0.003 {
                return Err(format!("a candidate has accuracy {accuracy}, the baseline says {theirs}").into());
            }
        }
    }
    let seconds = same[0].sorted(|t| t.0)[groups.len() / 2];
    Ok(json!({
        "same": report(&same, "scoring a candidate, same images, s", 1.0),
        "fewer": report(&fewer, "the same, 1,024 for statistics, s", 1.0),
        "limit": limit::of_scoring(setting, &groups, CALIBRATION * setting.batch, VALIDATION * setting.batch, seconds)?,
    }))
}

/// Peak memory above start, each side in a fresh process.
fn memory(python: &str, folder: &Path, setting: &Setting) -> Outcome<Value> {
    const STEPS: u64 = 6;
    let own = Command::new(std::env::current_exe()?).args(["--memory", setting.name, &STEPS.to_string()]).output()?;
    let ours: f64 = String::from_utf8(own.stdout)?.trim().parse()?;
    let mut baseline = Baseline::start(python, folder, setting)?;
    baseline.take_batch("0", &setting.batch(5)?)?;
    for i in 0..STEPS {
        baseline.weight_step(&setting.open(i), 1e-4)?;
    }
    let answer = baseline.ask(json!({ "do": "memory", "reset": false }))?;
    let number = |key: &str| answer[key].as_f64().ok_or("no number");
    let theirs = number("most")? - number("start")?;
    let mib = |bytes: f64| bytes / 1048576.0;
    println!("  {:<34} {:>10.0} {:>10.0} {:>8.2}", "peak memory of training, MiB", mib(ours), mib(theirs), ours / theirs);
    Ok(json!({ "library": ours, "baseline": theirs, "share": ours / theirs }))
}

/// In a process of its own: prints by how many bytes some weight steps raise the most that was resident.
pub fn memory_here(size: &str, steps: u64) -> Outcome<()> {
    let setting = Setting::new(size)?;
    let resident = |key: &str| -> Outcome<f64> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find(|l| l.starts_with(key)).ok_or("no such line")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<f64>()? * 1024.0)
    };
    let _ = tch::Tensor::ones([8i64].as_slice(), (tch::Kind::Float, tch::Device::Cpu)) + 1.0;
    let start = resident("VmRSS")?;
    let (network, batch, options) = (setting.network()?, setting.batch(5)?, recipe()?);
    for i in 0..steps {
        learner::step(&network, &batch, &options, AT, &setting.open(i), 1e-4)?;
    }
    println!("{}", resident("VmHWM")? - start);
    Ok(())
}

/// Weight steps, then architecture steps, then groups of candidates scored, and the median seconds of each.
pub fn alone(size: &str, steps: u64, groups: usize, precision: &str) -> Outcome<()> {
    let setting = Setting::new(size)?;
    let precision = serde_json::from_value(json!(precision))?;
    let (network, batch, options) = (setting.network()?.with_precision(precision), setting.batch(5)?, recipe()?);
    let [mut calibration, mut validation] = scored_on(&setting)?;
    let mut smaller = setting.loader(SMALLER, 13)?;
    let [mut weight, mut architecture, mut same, mut fewer] = [const { Turns(Vec::new()) }; 4];
    for i in 0..steps {
        weight.0.push((timed(|| learner::step(&network, &batch, &options, AT, &setting.open(i), 1e-4))?.0, 1.0));
    }
    for i in 0..steps {
        architecture.0.push((timed(|| paths::step(&network, &batch, AT, &setting.active, &setting.paths(i)))?.0, 1.0));
    }
    for candidates in groups_of(&setting, groups)? {
        for (turns, images, batch) in [(&mut same, &mut calibration, setting.batch), (&mut fewer, &mut smaller, SMALLER)] {
            let group = timed(|| score::score(&network, &candidates, images, &mut validation, batch, &Silent))?;
            turns.0.push((group.0 / GROUP as f64, 1.0));
        }
    }
    let works = ["weight step", "architecture step", "a candidate", "with 1,024 images"];
    for (name, turns) in works.into_iter().zip([weight, architecture, same, fewer]) {
        let seconds = turns.sorted(|t| t.0);
        let Some(best) = seconds.first() else { continue };
        println!("{name}: {:.1} ms, at best {:.1} ms", seconds[seconds.len() / 2] * 1e3, best * 1e3);
    }
    Ok(())
}
