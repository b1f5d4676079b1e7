//! Files of lines, and what tables say of several numbers. No tensors: tests/core has this file too.

use super::Outcome;

/// The lines below the header.
pub fn rows<const N: usize>(csv: &str) -> Outcome<Vec<[&str; N]>> {
    csv.lines().skip(1).map(row).collect()
}

fn row<const N: usize>(line: &str) -> Outcome<[&str; N]> {
    let columns: Vec<&str> = line.split(',').collect();
    columns.try_into().map_err(|_| format!("not {N} columns: {line}").into())
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Of the sample.
pub fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len().max(2) - 1) as f64).sqrt()
}

pub fn spread(values: &[f64], digits: usize) -> String {
    match values.len() {
        1 => format!("{:.digits$}", values[0]),
        _ => format!("{:.digits$} ± {:.digits$}", mean(values), deviation(values)),
    }
}
