//! What the arguments name: JSON given or in a file, images, spaces, tables.

use crate::api::{Dataset, Latency, Space};
use crate::args::{Budget, Cost, Device, SpaceArgs};
use crate::exit::{Failure, Outcome, DATA, REFUSED};
use serde_json::{json, Map, Value};
use std::path::{Path, PathBuf};

pub fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|e| Failure::file(path, e))
}

pub fn write(path: &Path, content: &[u8]) -> Outcome<()> {
    std::fs::write(path, content).map_err(|e| Failure::file(path, e))
}

/// A JSON object, or the name of a file with one.
pub fn object(flag: &str, given: Option<&str>) -> Outcome<Map<String, Value>> {
    let Some(given) = given else { return Ok(Map::new()) };
    let (place, text) = match given.trim_start().starts_with('{') {
        true => (flag.to_owned(), given.to_owned()),
        false => (format!("{flag} {given}"), read(Path::new(given))?),
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(Failure::new(REFUSED, format!("{place}: {other} is not a JSON object"))),
        Err(error) => Err(Failure::new(REFUSED, format!("{place}: no JSON: {error}"))),
    }
}

/// Lays `value` into `options` at `path`, unless it is None.
pub fn lay<T: Into<Value>>(options: &mut Map<String, Value>, path: &[&str], value: Option<T>) -> Outcome<()> {
    let (Some(value), Some((last, parents))) = (value, path.split_last()) else { return Ok(()) };
    let mut at = options;
    for parent in parents {
        let inner = at.entry(*parent).or_insert_with(|| json!({}));
        at = inner.as_object_mut().ok_or_else(|| Failure::new(REFUSED, format!("--options: {parent} is not an object")))?;
    }
    at.insert((*last).into(), value.into());
    Ok(())
}

pub fn lay_device(options: &mut Map<String, Value>, device: &Device) -> Outcome<()> {
    lay(options, &["device"], device.device.clone())?;
    lay(options, &["threads"], device.threads)
}

/// Where images are: what is written into run.json, too.
pub enum Data {
    Folder(PathBuf),
    Json(Map<String, Value>),
}

impl Data {
    pub fn named(given: &str) -> Outcome<Self> {
        let path = Path::new(given);
        if given.trim_start().starts_with('{') || path.is_file() {
            return object("--data", Some(given)).map(Data::Json);
        }
        match path.canonicalize() {
            Ok(folder) => Ok(Data::Folder(folder)),
            Err(error) => Err(Failure::file(path, error)),
        }
    }

    pub fn train(&self) -> Outcome<Dataset> {
        match self {
            Data::Folder(folder) => Dataset::open(&idx(folder, "train")?),
            Data::Json(json) => Dataset::open(&Value::Object(json.clone())),
        }
    }

    /// None: there are none.
    pub fn test(&self) -> Outcome<Option<Dataset>> {
        match self {
            Data::Folder(folder) if part(folder, "t10k-images-idx3-ubyte").is_some() => {
                Dataset::open(&idx(folder, "t10k")?).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub fn to_json(&self) -> Value {
        match self {
            Data::Folder(folder) => json!(folder),
            Data::Json(json) => Value::Object(json.clone()),
        }
    }
}

fn part(folder: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.gz"), name.replace("-idx", ".idx"), name.replace("-idx", ".idx") + ".gz"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn idx(folder: &Path, which: &str) -> Outcome<Value> {
    let file = |name: &str| {
        part(folder, name).ok_or_else(|| {
            Failure::new(DATA, format!("{}: there is neither {name} nor {name}.gz in this folder", folder.display()))
        })
    };
    let (images, labels) = (file(&format!("{which}-images-idx3-ubyte"))?, file(&format!("{which}-labels-idx1-ubyte"))?);
    Ok(json!({ "format": "idx", "images": images, "labels": labels }))
}

/// A preset, or a document. A preset takes size, channels and classes of the `images`, unless the overrides say otherwise.
pub fn space(args: &SpaceArgs, images: Option<&Dataset>) -> Outcome<Space> {
    let path = Path::new(&args.space);
    if args.space.trim_start().starts_with('{') || path.is_file() || args.space.ends_with(".json") {
        if args.overrides.is_some() {
            return Err(Failure::new(REFUSED, format!("--overrides are for presets, and {} is a document", args.space)));
        }
        let text = if args.space.trim_start().starts_with('{') { args.space.clone() } else { read(path)? };
        return Space::parse(&text);
    }
    let mut overrides = object("--overrides", args.overrides.as_deref())?;
    if let Some(images) = images {
        let info = images.info()?;
        let input = json!({ "channels": info["channels"], "height": info["height"], "width": info["width"] });
        overrides.entry("input").or_insert(input);
        overrides.entry("classes").or_insert(info["classes"].clone());
    }
    Space::preset(&args.space, &Value::Object(overrides))
}

pub fn table(path: Option<&Path>) -> Outcome<Option<Latency>> {
    path.map(|path| Latency::parse(&read(path)?)).transpose()
}

impl Budget {
    /// Part of the budget from which candidates are taken, unless told.
    const LOW: f64 = 0.85;

    pub fn name(&self) -> &'static str {
        match self.cost {
            Cost::Macs => "macs",
            Cost::Params => "params",
            Cost::Bits => "bits",
            Cost::Operations => "operations",
            Cost::Latency => "latency",
        }
    }

    /// The window; None without a budget.
    pub fn window(&self) -> Option<(f64, f64)> {
        let high = self.budget?;
        let low = self.low.unwrap_or(match self.cost {
            Cost::Latency => Self::LOW * high,
            _ => (Self::LOW * high).floor(),
        });
        Some((low, high))
    }
}

/// 1234567 as 1.235 M.
pub fn short(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.3} G", v / 1e9),
        v if v >= 1e5 => format!("{:.3} M", v / 1e6),
        v if v >= 1e3 => format!("{:.1} k", v / 1e3),
        v => format!("{v}"),
    }
}

/// A cost with its unit.
pub fn priced(cost: &str, value: f64) -> String {
    match cost {
        "macs" => format!("{} MACs", short(value)),
        "params" => format!("{} parameters", short(value)),
        "bits" | "operations" => format!("{} {cost}", short(value)),
        _ => format!("{value:.4}"),
    }
}
