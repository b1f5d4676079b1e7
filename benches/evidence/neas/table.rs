//! The file of the study, and the table that is made of it. No tensors: tests/core has this file too.

use super::numbers::{mean, rows, spread};
use super::Outcome;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What an architecture costs that is found, in multiply-accumulates.
pub const LOW: u64 = 1_200_000;
pub const HIGH: u64 = 1_300_000;

pub const SEARCHES: [(&str, &str); 3] = [
    ("diversity", "ensemble, by potential and diversity"),
    ("accuracy", "ensemble, by accuracy alone"),
    ("single", "single network, by accuracy"),
];
pub const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;
/// Seeds with which everything that is found is trained.
pub const TRAININGS: [u64; 1] = [1];

pub const HEADER: &str = "search,seed,network,code,macs,params,training,accuracy\n";

/// A network that was trained.
#[allow(dead_code)] // tests/core reads all of it
pub struct Row {
    pub search: String,
    pub seed: u64,
    /// What was found, or one of its paths as a network by itself.
    pub member: bool,
    pub code: String,
    pub macs: u64,
    pub params: u64,
    pub training: u64,
    /// On the test images.
    pub accuracy: f64,
}

pub fn read(csv: &str) -> Outcome<Vec<Row>> {
    let row = |[search, seed, network, code, macs, params, training, accuracy]: [&str; 8]| {
        let member = match network {
            "found" => false,
            "member" => true,
            other => return Err(format!("neither found nor a member: {other}").into()),
        };
        let [seed, macs, params, training] = [seed.parse()?, macs.parse()?, params.parse()?, training.parse()?];
        Ok(Row { search: search.into(), seed, member, code: code.into(), macs, params, training, accuracy: accuracy.parse()? })
    };
    rows(csv)?.into_iter().map(row).collect()
}

/// What was found with one seed, in percent and multiply-accumulates, and its better member.
struct Found {
    accuracy: f64,
    macs: f64,
    best_member: Option<(f64, f64)>,
}

fn found(rows: &[&Row]) -> Option<Found> {
    // Of one network, the mean over its trainings.
    let mut networks: BTreeMap<(bool, &str), Vec<&Row>> = BTreeMap::new();
    rows.iter().for_each(|row| networks.entry((row.member, &row.code)).or_default().push(row));
    let of = |rows: &Vec<&Row>| {
        let accuracies: Vec<f64> = rows.iter().map(|row| 100.0 * row.accuracy).collect();
        (mean(&accuracies), rows[0].macs as f64)
    };
    let members = networks.iter().filter(|((member, _), _)| *member).map(|(_, rows)| of(rows));
    let best_member = members.reduce(|best, other| if other.0 > best.0 { other } else { best });
    let (accuracy, macs) = networks.iter().find(|((member, _), _)| !member).map(|(_, rows)| of(rows))?;
    Some(Found { accuracy, macs, best_member })
}

pub fn table(rows: &[Row]) -> String {
    let mut lines = "| found | test accuracy (%) | each seed | MACs (thousand) | its best member, trained alone (%) | each seed | MACs (thousand) |\n\
                     |---|---|---|---|---|---|---|\n"
        .to_string();
    let each = |values: &[f64]| values.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(" ");
    for (search, name) in SEARCHES {
        let of_seed = |seed| found(&rows.iter().filter(|row| row.search == search && row.seed == seed).collect::<Vec<_>>());
        let all: Vec<Found> = SEEDS.filter_map(of_seed).collect();
        let (accuracies, macs): (Vec<f64>, Vec<f64>) = all.iter().map(|found| (found.accuracy, found.macs / 1e3)).unzip();
        let _ = write!(lines, "| {name} | {} | {} | {:.0} |", spread(&accuracies, 2), each(&accuracies), mean(&macs));
        let (members, macs): (Vec<f64>, Vec<f64>) =
            all.iter().filter_map(|found| found.best_member).map(|(a, m)| (a, m / 1e3)).unzip();
        let _ = match members.is_empty() {
            true => writeln!(lines, " | | |"),
            false => writeln!(lines, " {} | {} | {:.0} |", spread(&members, 2), each(&members), mean(&macs)),
        };
    }
    lines
}
