//! The one error type. Every variant keeps its facts as fields; the text is one line, lower case, and names the bad value.

use serde_json::{json, Value};
use std::path::PathBuf;
use std::sync::Arc;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- What the caller gave ------------------------------------------------------------------------------------------
    #[error("{name}: {reason}")]
    Argument { name: &'static str, reason: String },

    /// A JSON document that does not parse, has an unknown key or a value out of range. `pointer` is an RFC 6901 pointer; in the CSV
    /// form of a latency table it is "line 3", for example.
    #[error("{document}: {reason} (at {})", if .pointer.is_empty() { "the top" } else { .pointer.as_str() })]
    Config { document: &'static str, pointer: String, reason: String },

    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },

    #[error("{path}: {reason}")]
    Format { path: PathBuf, reason: String },

    /// No architecture of the space costs between `low` and `high`. `below` and `above` are the nearest reachable costs.
    #[error("no architecture costs between {low} and {high} {unit}: the space reaches {least} to {greatest}{}", nearest(.below, .above))]
    Unreachable { unit: &'static str, low: f64, high: f64, least: f64, greatest: f64, below: Option<f64>, above: Option<f64> },

    /// Where none of so many draws near the window lies inside; `surely`: there is an architecture inside all the same.
    #[error("hardly any architecture costs between {low} and {high} {unit}: none of {draws} draws that cost nearly that; a wider window is needed{}", if *.surely { "" } else { ", if there is one at all" })]
    TooRare { unit: &'static str, low: f64, high: f64, draws: u32, surely: bool },

    /// Fewer different architectures than candidates are wanted. `found` is all there are.
    #[error("{wanted} new candidates are wanted, but only {found} different architectures of the active operators lie in the cost window{}", beside(.known))]
    TooFew { wanted: usize, found: usize, known: usize },

    /// A latency table that does not have all that a space needs. `missing`: rows of its CSV form, without their times.
    #[error("the latency table lacks {}", listed(.missing))]
    MissingLatencies { missing: Vec<String> },

    /// A result that differs from the one that is known; nothing is changed.
    #[error("{code} was told before with {known}, and now with {told}")]
    Conflict { code: String, known: String, told: String },

    #[error("{0}")]
    NotFound(String),

    #[error("{name}: the buffer holds {capacity} values, {needed} are needed")]
    BufferTooSmall { name: &'static str, capacity: usize, needed: usize },

    // ---- How a run ended -----------------------------------------------------------------------------------------------
    #[error("cancelled; the work done so far is kept")]
    Cancelled,

    /// A loss that is not a number. The weights are those before the step, and everything found so far is kept.
    #[error("the loss became {loss} in round {round}, step {step}; the state before this step is kept (a lower learning rate may help)")]
    Diverged { loss: f64, round: u64, step: u64 },

    /// The object is there and can be looked at, but nothing can be computed with it any more.
    #[error("nse_shutdown has ended the thread of this {0}; free it")]
    ShutDown(&'static str),

    #[error("{0} is busy with another call")]
    Busy(&'static str),

    /// A function of the host did not succeed. `code` is what it returned.
    #[error("{name}: {what}: the host's function returned {code}")]
    Callback { name: &'static str, what: String, code: i32 },

    /// The ranks that share a run did not all do their part, or do not agree.
    #[error("rank {rank} of {size}: {what}: {reason}")]
    Collective { rank: usize, size: usize, what: &'static str, reason: String },

    // ---- The engine and the machine ------------------------------------------------------------------------------------
    #[error("device {device:?}: {reason}")]
    Device { device: String, reason: String },

    #[error("libtorch: {0}")]
    Torch(String),

    /// The libtorch of this process is not one that this library was made for. `others`: more files of libtorch that are mapped.
    #[error("libtorch {version} ({file}) is in this process, but nse ({nse}) was made for {made_for}{}", besides(.others))]
    TorchMismatch { version: String, file: String, nse: String, made_for: String, others: Vec<String> },

    /// Of a device, or of the machine. What is kept is as it was before the piece of work that needed more.
    #[error("out of memory: {0}")]
    OutOfMemory(String),

    #[error("{0} needs libtorch, and this build of nse has none")]
    Unsupported(&'static str),

    #[error("{what} is not possible in the space {space:?}: its cells are stacked")]
    UnsupportedSpace { what: &'static str, space: String },

    // ---- The C boundary ------------------------------------------------------------------------------------------------
    #[error("{name}: {reason}")]
    Handle { name: &'static str, reason: String },

    #[error("the header is for ABI {header}, the library has ABI {library}")]
    Abi { header: u32, library: u32 },

    #[error("this process was forked after nse was first used; use nse before the fork, or in a new process")]
    Forked,

    #[error("an earlier internal error left this {0} unusable; free it")]
    Poisoned(&'static str),

    #[error("internal error (a bug in nse): {0}")]
    Panic(String),

    /// One that is told more than once.
    #[error("{0}")]
    Shared(Arc<Error>),
}

impl Error {
    /// The machine-readable part: the fields a program would want beside the text.
    pub fn detail(&self) -> Value {
        match self {
            Error::Argument { name, .. } | Error::Handle { name, .. } => json!({ "argument": name }),
            Error::Config { document, pointer, .. } => json!({ "document": document, "pointer": pointer }),
            Error::Io { path, source } => json!({ "path": path, "os_error": source.raw_os_error() }),
            Error::Format { path, .. } => json!({ "path": path }),
            Error::Unreachable { unit, low, high, least, greatest, below, above } => json!({
                "unit": unit, "low": number(low), "high": number(high), "least": number(least), "greatest": number(greatest),
                "below": below.as_ref().map(number), "above": above.as_ref().map(number)
            }),
            Error::TooRare { unit, low, high, .. } => json!({ "unit": unit, "low": number(low), "high": number(high) }),
            Error::TooFew { wanted, found, known } => json!({ "wanted": wanted, "found": found, "known": known }),
            Error::Conflict { code, known, told } => json!({ "code": code, "known": known, "told": told }),
            Error::MissingLatencies { missing } => json!({ "missing": missing }),
            Error::BufferTooSmall { name, capacity, needed } => {
                json!({ "argument": name, "capacity": capacity, "needed": needed })
            }
            Error::Diverged { round, step, .. } => json!({ "round": round, "step": step }),
            Error::Callback { name, code, .. } => json!({ "argument": name, "code": code }),
            Error::Collective { rank, size, .. } => json!({ "rank": rank, "size": size }),
            Error::Device { device, .. } => json!({ "device": device }),
            Error::TorchMismatch { version, file, nse, made_for, others } => {
                json!({ "version": version, "file": file, "nse": nse, "made_for": made_for, "others": others })
            }
            Error::Shared(error) => error.detail(),
            Error::UnsupportedSpace { space, .. } => json!({ "space": space }),
            Error::Abi { header, library } => json!({ "header": header, "library": library }),
            _ => json!({}),
        }
    }
}

/// A whole number without a fraction where it is one.
fn number(value: &f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        json!(*value as i64)
    } else {
        json!(value)
    }
}

fn beside(known: &usize) -> String {
    match known {
        0 => String::new(),
        _ => format!(", beside the {known} of the front"),
    }
}

fn besides(others: &[String]) -> String {
    match others {
        [] => String::new(),
        _ => format!("; also here: {}", others.join(", ")),
    }
}

fn nearest(below: &Option<f64>, above: &Option<f64>) -> String {
    match (below, above) {
        (Some(b), Some(a)) => format!(", the nearest are {b} and {a}"),
        (Some(one), None) | (None, Some(one)) => format!(", the nearest is {one}"),
        (None, None) => String::new(),
    }
}

/// The first three, and how many there are.
fn listed(missing: &[String]) -> String {
    let (first, rest) = missing.split_at(missing.len().min(3));
    let more = if rest.is_empty() { String::new() } else { format!("; and {} more", rest.len()) };
    let what = if missing.len() == 1 { "entry" } else { "entries" };
    format!("{} {what}: {}{more}", missing.len(), first.join("; "))
}
