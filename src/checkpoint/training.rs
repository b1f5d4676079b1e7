//! A stand-alone training as a checkpoint: what is trained and how far it is in the head, weights and optimizer in the body.

use super::file;
use super::search::difference;
use crate::error::{Error, Result};
use crate::json;
use crate::log;
use crate::search::Arrays;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use std::time::Instant;

/// Number of the head's form; it grows when an older library could not read it, or would read it wrongly.
const FORM: u32 = 1;

/// Options that may differ from those of the checkpoint.
const FREE: [&str; 3] = ["device", "threads", "checkpoint"];

/// What a training is of. Two are the same when they end with the same weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Space and architecture, as JSON.
    pub space: String,
    pub architecture: String,
    /// Names of images, and of the weights it began with.
    pub data: String,
    pub options: Value,
}

#[derive(Serialize, Deserialize)]
struct Head {
    training: u32,
    /// Version of the library that wrote it; for people.
    nse: String,
    of: Identity,
    /// How far it is: for whoever trains.
    progress: Value,
}

/// Writes a training to `path`, whole or not at all.
pub fn save(path: &Path, of: &Identity, progress: Value, weights: &Arrays) -> Result<()> {
    let started = Instant::now();
    let head = Head { training: FORM, nse: env!("CARGO_PKG_VERSION").into(), of: of.clone(), progress };
    let head = serde_json::to_string(&head).map_err(|e| Error::Panic(format!("writing a checkpoint: {e}")))?;
    file::write(path, &head, weights)?;
    log::info!("checkpoint", "wrote {} in {} ms", path.display(), started.elapsed().as_millis());
    Ok(())
}

/// How far the training `of` is that is saved at `path`, and its weights. Errors: [`Error::Io`], [`Error::Format`] for a file that is
/// no checkpoint of a training, damaged, or of another network or other images, [`Error::Config`] for other options.
pub fn load(path: &Path, of: &Identity) -> Result<(Value, Arrays)> {
    let (head, weights) = file::read(path)?;
    let wrong = |reason: String| Error::Format { path: path.into(), reason };
    let value: Value = serde_json::from_str(&head).map_err(|e| wrong(format!("the head is no JSON: {e}")))?;
    match value["training"].as_u64() {
        Some(form) if form == u64::from(FORM) => {}
        Some(form) => return Err(wrong(format!("a training of form {form}, this library reads {FORM}"))),
        None => return Err(wrong("not the checkpoint of a training".into())),
    }
    let head: Head = serde_json::from_value(value).map_err(|e| wrong(format!("the head: {e}")))?;
    for (what, before, now) in [
        ("another space", &head.of.space, &of.space),
        ("another architecture", &head.of.architecture, &of.architecture),
        ("other images, or from other weights,", &head.of.data, &of.data),
    ] {
        if before != now {
            return Err(wrong(format!("a training of {what} than is given")));
        }
    }
    if let Some((pointer, before, now)) = difference(&head.of.options, &of.options, "", &FREE) {
        let reason = format!("{now}, but the training in the checkpoint has {before}");
        return Err(json::out_of_range("model options", pointer, reason));
    }
    log::info!("checkpoint", "read {}, written by nse {}", path.display(), head.nse);
    Ok((head.progress, weights))
}
