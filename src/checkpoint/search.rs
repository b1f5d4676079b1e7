//! A search as a checkpoint: space, options, latencies and state in the head, the weights of the round under way in the body.

use super::file;
use crate::cost::LatencyTable;
use crate::error::{Error, Result};
use crate::json::out_of_range;
use crate::log;
use crate::search::{Arrays, Search, SearchOptions, Trainer};
use crate::space::Space;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Number of the head's form; it grows when an older library could not read it, or would read it wrongly.
const FORM: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Head {
    form: u32,
    /// Version of the library that wrote it; for people.
    nse: String,
    space: String,
    options: SearchOptions,
    latency: Option<String>,
    /// Name of the data, see [`Trainer::data`].
    data: String,
    search: Value,
}

/// Options that may differ from those of the checkpoint: they change nothing (or only the rounding) of what is done already.
const FREE: [&str; 5] = ["device", "threads", "checkpoint", "tensorboard", "candidates"];

/// Options in which the processes that share a search may differ.
const LOCAL: [&str; 4] = ["device", "threads", "checkpoint", "tensorboard"];

/// Writes the search to `path`, whole or not at all.
pub fn save(path: &Path, search: &Search, trainer: &dyn Trainer) -> Result<()> {
    let started = Instant::now();
    let head = Head {
        form: FORM,
        nse: env!("CARGO_PKG_VERSION").into(),
        space: search.space().to_json(),
        options: search.options().clone(),
        latency: search.latency().map(|table| table.to_json()),
        data: trainer.data(),
        search: search.state(),
    };
    let head = serde_json::to_string(&head).map_err(|e| Error::Panic(format!("writing a checkpoint: {e}")))?;
    let weights = search.under_way().map_or(Ok(Arrays::new()), |(_, active)| trainer.save(&active))?;
    file::write(path, &head, &weights)?;
    let bytes = || std::fs::metadata(path).map_or(0, |file| file.len());
    log::info!("checkpoint", "wrote {}: {} bytes in {} ms", path.display(), bytes(), started.elapsed().as_millis());
    Ok(())
}

/// What processes that share a search must all have alike, as a text.
pub fn identity(search: &Search) -> String {
    let mut options = serde_json::to_value(search.options()).unwrap_or_default();
    if let Some(options) = options.as_object_mut() {
        options.retain(|key, _| !LOCAL.contains(&key.as_str()));
    }
    json!({
        "nse": env!("CARGO_PKG_VERSION"),
        "space": search.space().to_json(),
        "options": options,
        "latency": search.latency().map(|table| table.to_json()),
        "rounds": search.rounds(),
        "active": search.active(),
        "front": search.front().iter().map(|s| (&s.architecture, s.accuracy)).collect::<Vec<_>>(),
        "scores": search.scores(),
    })
    .to_string()
}

/// A search read back; its weights are still to be given to a trainer, by [`Checkpoint::resume`].
pub struct Checkpoint {
    path: PathBuf,
    search: Search,
    data: String,
    weights: Arrays,
}

/// What the caller says of a search that it loads; what is None is taken from the checkpoint.
#[derive(Default)]
pub struct Expected<'a> {
    /// Must be the space of the checkpoint.
    pub space: Option<&'a Space>,
    /// Options as JSON: device, threads, checkpoint, tensorboard and candidates replace those of the checkpoint, all others must be the same.
    pub options: Option<&'a str>,
    /// Must be the table of the checkpoint.
    pub latency: Option<&'a LatencyTable>,
}

/// Reads a checkpoint. Errors: [`Error::Io`], [`Error::Format`] for a file that is no checkpoint, damaged, of another version or of
/// another space than expected, [`Error::Config`] for options that differ.
pub fn load(path: &Path, expected: &Expected) -> Result<Checkpoint> {
    parsed(path, file::read(path)?, expected)
}

/// The same of what is in the file, which somebody else may have read.
pub fn load_from(path: &Path, contents: &[u8], expected: &Expected) -> Result<Checkpoint> {
    parsed(path, file::parse_all(path, contents)?, expected)
}

fn parsed(path: &Path, (head, weights): (String, Arrays), expected: &Expected) -> Result<Checkpoint> {
    let wrong = |reason: String| Error::Format { path: path.into(), reason };
    let inside = |what: &str, error: Error| wrong(format!("{what}: {error}"));
    let value: Value = serde_json::from_str(&head).map_err(|e| wrong(format!("the head is no JSON: {e}")))?;
    match value["form"].as_u64() {
        Some(form) if form == u64::from(FORM) => {}
        Some(form) => return Err(wrong(format!("a checkpoint of form {form}, this library reads {FORM}"))),
        None => return Err(wrong("not the checkpoint of a search".into())),
    }
    let head: Head = serde_json::from_value(value).map_err(|e| wrong(format!("the head: {e}")))?;
    let space = Space::from_json(&head.space).map_err(|e| inside("the space", e))?;
    if let Some(other) = expected.space.filter(|other| **other != space) {
        let (name, given) = (space.name(), other.name());
        return Err(wrong(format!("made for the space {name:?}, which is not the space {given:?} that is given")));
    }
    let latency = head.latency.as_deref().map(LatencyTable::from_json).transpose().map_err(|e| inside("the latencies", e))?;
    if expected.latency.is_some() && expected.latency != latency.as_ref() {
        return Err(wrong("made with other latencies than those that are given".into()));
    }
    let options = expected.options.map_or(Ok(head.options.clone()), |text| changed(&head.options, text))?;
    let search =
        Search::restore(Arc::new(space), options, latency.map(Arc::new), head.search).map_err(|e| inside("the state", e))?;
    log::info!("checkpoint", "read {}, written by nse {}", path.display(), head.nse);
    Ok(Checkpoint { path: path.into(), search, data: head.data, weights })
}

impl Checkpoint {
    /// With which space and options the trainer must be made.
    pub fn search(&self) -> &Search {
        &self.search
    }

    /// The search without its weights, to look at.
    pub fn into_search(self) -> Search {
        self.search
    }

    /// Gives the weights to `trainer`; the search then goes on as if it had never stopped.
    pub fn resume(self, trainer: &mut dyn Trainer) -> Result<Search> {
        let wrong = |reason: String| Error::Format { path: self.path.clone(), reason };
        if trainer.data() != self.data {
            return Err(wrong("made with other images than those that are given".into()));
        }
        if let Some((round, active)) = self.search.under_way() {
            trainer.enter(self.search.trained_space())?;
            let restored = trainer.restore(self.search.options().seed, round, &active, &self.weights);
            restored.map_err(|error| match error {
                Error::Argument { reason, .. } => wrong(format!("the weights: {reason}")),
                other => other,
            })?;
        }
        Ok(self.search)
    }
}

/// The options in `text`, when they differ from `old` only where they may.
fn changed(old: &SearchOptions, text: &str) -> Result<SearchOptions> {
    let new = SearchOptions::from_json(text)?;
    let [before, after] = [old, &new].map(|options| serde_json::to_value(options).unwrap_or_default());
    match difference(&before, &after, "", &FREE) {
        Some((pointer, old, new)) => {
            let reason = format!("{new}, but the search in the checkpoint has {old}");
            Err(out_of_range("search options", pointer, reason))
        }
        None => Ok(new),
    }
}

/// The first place, with both values, where two documents differ, but for some keys at the top.
pub fn difference(before: &Value, after: &Value, at: &str, free: &[&str]) -> Option<(String, Value, Value)> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => (before.iter())
            .filter(|(key, _)| !(at.is_empty() && free.contains(&key.as_str())))
            .find_map(|(key, old)| difference(old, after.get(key).unwrap_or(&Value::Null), &format!("{at}/{key}"), free)),
        _ => (before != after).then(|| (at.into(), before.clone(), after.clone())),
    }
}
