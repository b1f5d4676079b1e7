//! The two texts of a latency table: CSV, as the published tables are, and JSON. Strict to read; what was written reads back as the
//! same table, to the last bit.

use super::latency::{time_fault, unit_fault, LatencyTable, DEFAULT_UNIT};
use super::latency_key::{pair, LatencyKey, LatencyKind};
use crate::error::{Error, Result};
use crate::json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DOCUMENT: &str = "latency table";

const HEADER: &str = "kind,input_size,in_channels,out_channels,kernel,stride,padding,dilation,groups,time";

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TableDocument {
    /// What the times are in. Default: "ms".
    #[serde(default = "default_unit")]
    unit: String,
    entries: Vec<EntryDocument>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EntryDocument {
    kind: LatencyKind,
    input_size: Pair,
    in_channels: u32,
    out_channels: u32,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: u32,
    groups: u32,
    time: f64,
}

/// A number for both directions, or "HxW".
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a whole number, or height and width like \"1x3\"")]
enum Pair {
    Both(u32),
    Each(String),
}

fn default_unit() -> String {
    DEFAULT_UNIT.into()
}

impl LatencyTable {
    /// JSON when the first character is `{`, else CSV.
    pub fn parse(text: &str) -> Result<Self> {
        if text.trim_start().starts_with('{') {
            Self::from_json(text)
        } else {
            Self::from_csv(text)
        }
    }

    /// An optional line `# unit: ms`, the header, and one operation per line; blank lines do not count. A size, kernel, stride or
    /// padding is one number for both directions, or `HxW`. Errors name the line.
    pub fn from_csv(text: &str) -> Result<Self> {
        let mut unit: Option<&str> = None;
        let mut table = None;
        let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())).filter(|(_, line)| !line.is_empty());
        for (number, line) in lines {
            let at = format!("line {number}");
            let wrong = |reason: String| json::out_of_range(DOCUMENT, &at, reason);
            match &mut table {
                Some(table) => {
                    let (key, time) = read_row(line).map_err(wrong)?;
                    add(table, at.clone(), key, time)?;
                }
                None if line == HEADER => table = Some(empty(&at, unit.unwrap_or(DEFAULT_UNIT))?),
                None => {
                    let named = line.strip_prefix("# unit:").map(str::trim);
                    let named = named.ok_or_else(|| wrong(format!("{} is not the header {HEADER:?}", shown(line))))?;
                    if let Some(reason) = unit_fault(named) {
                        return Err(wrong(reason));
                    }
                    if unit.replace(named).is_some() {
                        return Err(wrong("a second unit".into()));
                    }
                }
            }
        }
        table.ok_or_else(|| json::out_of_range(DOCUMENT, "", format!("there is no header {HEADER:?}")))
    }

    /// `{"unit": "ms", "entries": [{"kind": "conv", "input_size": 28, ..., "kernel": "1x3", ..., "time": 0.3}]}`, with the columns
    /// of the CSV form as keys.
    pub fn from_json(text: &str) -> Result<Self> {
        let document: TableDocument = json::parse(DOCUMENT, text)?;
        let mut table = empty("/unit", &document.unit)?;
        for (i, entry) in document.entries.iter().enumerate() {
            let at = format!("/entries/{i}");
            let read = |name: &str, pair: &Pair| match pair {
                Pair::Both(number) => Ok([*number; 2]),
                Pair::Each(text) => {
                    read_pair(text).map_err(|reason| json::out_of_range(DOCUMENT, format!("{at}/{name}"), reason))
                }
            };
            let key = LatencyKey {
                kind: entry.kind,
                input: read("input_size", &entry.input_size)?,
                cin: entry.in_channels,
                cout: entry.out_channels,
                kernel: read("kernel", &entry.kernel)?,
                stride: read("stride", &entry.stride)?,
                padding: read("padding", &entry.padding)?,
                dilation: entry.dilation,
                groups: entry.groups,
            };
            add(&mut table, at, key, entry.time)?;
        }
        Ok(table)
    }

    /// Sets the operation that the first nine columns of a CSV row name, as [`LatencyTable::missing`] lists them.
    pub fn set_row(&mut self, row: &str, time: f64) -> Result<()> {
        let wrong = |reason: String| Error::Argument { name: "key", reason };
        let columns = row.split(',').count();
        if columns != HEADER.split(',').count() - 1 {
            return Err(wrong(format!("{} has {columns} columns, a key has {}", shown(row), HEADER.split(',').count() - 1)));
        }
        let (key, _) = read_row(&format!("{row},0")).map_err(wrong)?;
        match key.misfit() {
            Some(reason) => Err(wrong(reason)),
            None => self.set(key, time),
        }
    }

    /// `parse(to_csv(table)) == table`.
    pub fn to_csv(&self) -> String {
        let rows = self.iter().map(|(key, time)| format!("{key},{time:?}\n"));
        format!("# unit: {}\n{HEADER}\n{}", self.unit(), rows.collect::<String>())
    }

    /// `parse(to_json(table)) == table`.
    pub fn to_json(&self) -> String {
        let both = |[height, width]: [u32; 2]| match height == width {
            true => Pair::Both(height),
            false => Pair::Each(pair([height, width])),
        };
        let entries = self.iter().map(|(key, time)| EntryDocument {
            kind: key.kind,
            input_size: both(key.input),
            in_channels: key.cin,
            out_channels: key.cout,
            kernel: both(key.kernel),
            stride: both(key.stride),
            padding: both(key.padding),
            dilation: key.dilation,
            groups: key.groups,
            time,
        });
        let document = TableDocument { unit: self.unit().into(), entries: entries.collect() };
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}

fn empty(at: &str, unit: &str) -> Result<LatencyTable> {
    LatencyTable::new(unit).map_err(|error| match error {
        Error::Argument { reason, .. } => json::out_of_range(DOCUMENT, at, reason),
        other => other,
    })
}

/// A new entry, read at `at`.
fn add(table: &mut LatencyTable, at: String, key: LatencyKey, time: f64) -> Result<()> {
    let twice = || table.get(&key).map(|_| format!("{key} is listed twice"));
    match key.misfit().or_else(|| time_fault(time)).or_else(twice) {
        Some(reason) => Err(json::out_of_range(DOCUMENT, at, reason)),
        None => table.set(key, time),
    }
}

fn read_row(line: &str) -> std::result::Result<(LatencyKey, f64), String> {
    let columns: Vec<_> = line.split(',').collect();
    let &[kind, input, cin, cout, kernel, stride, padding, dilation, groups, time] = columns.as_slice() else {
        return Err(format!("{} columns, the header has {}", columns.len(), HEADER.split(',').count()));
    };
    let known = LatencyKind::ALL.into_iter().find(|k| k.name() == kind);
    let named = |name: &str, reason: String| format!("{name}: {reason}");
    let key = LatencyKey {
        kind: known.ok_or_else(|| format!("kind: {} is not conv, add, avgpool, linear or scale", shown(kind)))?,
        input: read_pair(input).map_err(|e| named("input_size", e))?,
        cin: read_number(cin).map_err(|e| named("in_channels", e))?,
        cout: read_number(cout).map_err(|e| named("out_channels", e))?,
        kernel: read_pair(kernel).map_err(|e| named("kernel", e))?,
        stride: read_pair(stride).map_err(|e| named("stride", e))?,
        padding: read_pair(padding).map_err(|e| named("padding", e))?,
        dilation: read_number(dilation).map_err(|e| named("dilation", e))?,
        groups: read_number(groups).map_err(|e| named("groups", e))?,
    };
    let time = time.parse().map_err(|_| named("time", format!("{} is not a number", shown(time))))?;
    Ok((key, time))
}

fn read_pair(text: &str) -> std::result::Result<[u32; 2], String> {
    let (height, width) = text.split_once('x').unwrap_or((text, text));
    match (digits(height), digits(width)) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => Err(format!("{} is not a whole number, or height and width like 1x3", shown(text))),
    }
}

fn read_number(text: &str) -> std::result::Result<u32, String> {
    digits(text).ok_or_else(|| format!("{} is not a whole number", shown(text)))
}

/// Without a sign, which `parse` would take.
fn digits(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// The beginning of what was read, for a message.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(60).collect::<String>())
}
