//! The file of the study, and the table that is made of it. No tensors: tests/core has this file too.

/// What an architecture costs that is found, in multiply-accumulates.
pub const LOW: u64 = 1_200_000;
pub const HIGH: u64 = 1_300_000;

pub const SEARCHES: [(&str, &str); 3] = [
    ("diversity", "ensemble, by potential and diversity"),
    ("accuracy", "ensemble, by accuracy alone"),
    ("single", "single network, by accuracy"),
];
pub const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;
/// Seeds with which everything that is found is trained.
pub const TRAININGS: [u64; 1] = [1];

pub const HEADER: &str = "search,seed,network,code,macs,params,training,accuracy\n";
