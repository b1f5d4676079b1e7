//! Numbers and names as people read them.

use crate::arch::Architecture;
use crate::cost::Metric;
use crate::space::Space;
use std::fmt::Write;

/// `name` without what no XML document may contain and no reader sees.
pub fn visible(name: &str) -> String {
    let plain =
        |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    name.chars().map(|c| if plain(c) { c } else { '\u{fffd}' }).collect()
}

/// 343211 as "343 k", 12345678 as "12.3 M".
pub fn short(value: f64) -> String {
    let (unit, sign) = unit_of(value.abs());
    let scaled = value / unit;
    match (scaled.abs(), sign) {
        (s, "") if s >= 100.0 || s.fract() == 0.0 => format!("{scaled:.0}"),
        (s, _) if s >= 100.0 => format!("{scaled:.0} {sign}"),
        (s, _) if s >= 10.0 => format!("{scaled:.1} {sign}").trim_end().to_owned(),
        _ => format!("{scaled:.3} {sign}").trim_end().to_owned(),
    }
}

/// A power of a thousand, and its sign.
pub fn unit_of(value: f64) -> (f64, &'static str) {
    match value {
        v if v >= 1e12 => (1e12, "T"),
        v if v >= 1e9 => (1e9, "G"),
        v if v >= 1e6 => (1e6, "M"),
        // 0.343 M rather than 343 k: the costs of one front stay in one unit.
        v if v >= 1e5 => (1e6, "M"),
        v if v >= 1e3 => (1e3, "k"),
        _ => (1.0, ""),
    }
}

/// A cost with its unit.
pub fn cost(metric: Metric, unit: &str, value: f64) -> String {
    match metric {
        Metric::Macs => format!("{} MACs", short(value)),
        Metric::Params => format!("{} parameters", short(value)),
        Metric::Bits => format!("{} bits", short(value)),
        Metric::Operations => format!("{} operations", short(value)),
        Metric::Latency => format!("{value:.4} {}", visible(unit)),
    }
}

pub fn percent(value: f64) -> String {
    match value.is_finite() {
        true => format!("{:.2}%", 100.0 * value),
        false => "not known".into(),
    }
}

pub fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => "not known".into(),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// One line for each cell of an architecture, runs of equal cells together; of an ensemble path by path.
pub fn cells(space: &Space, architecture: &Architecture) -> String {
    let (shared, paths) = architecture.parts(&architecture.names(space));
    let mut text = run(&shared, 0);
    for (k, path) in paths.iter().enumerate().filter(|_| architecture.paths().is_ensemble()) {
        // Writing to a string cannot fail.
        let _ = write!(text, "path {}:\n{}", k + 1, run(path, shared.len()));
    }
    text
}

/// Cells from the one numbered `first` on.
fn run(names: &[Vec<String>], first: usize) -> String {
    let mut text = String::new();
    let mut from = 0;
    for to in 1..=names.len() {
        if to < names.len() && names[to] == names[from] {
            continue;
        }
        let what = if names[from].is_empty() { "skipped".to_owned() } else { names[from].join(" + ") };
        let (low, high) = (first + from, first + to - 1);
        let place = if low == high { format!("cell {low}") } else { format!("cells {low}-{high}") };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{place}: {what}");
        from = to;
    }
    text
}
