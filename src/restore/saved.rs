//! A search of networks in a file: as the checkpoints of other searches are, without weights.

use super::options::{RestoreOptions, DOCUMENT};
use super::population::{Population, Run};
use super::problem::Problem;
use crate::checkpoint::{difference, file};
use crate::error::{Error, Result};
use crate::json;
use crate::log;
use crate::search::Arrays;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// Number of the form; it grows when an older library could not read it, or would read it wrongly.
const FORM: u32 = 1;

/// Options that may differ from those of the file, and those below "search".
const FREE: [&str; 3] = ["device", "threads", "checkpoint"];
const FREE_IN_SEARCH: [&str; 2] = ["parallel", "generations"];

#[derive(Serialize, Deserialize)]
struct Head {
    restoration: u32,
    /// Version of the library that wrote it; for people.
    nse: String,
    /// A name of the images.
    images: String,
    options: RestoreOptions,
    run: Run,
}

pub fn save(path: &Path, problem: &Problem, population: &Population) -> Result<()> {
    let head = Head {
        restoration: FORM,
        nse: env!("CARGO_PKG_VERSION").into(),
        images: problem.fingerprint(),
        options: problem.options.clone(),
        run: population.run.clone(),
    };
    let head = serde_json::to_string(&head).map_err(|e| Error::Panic(format!("writing a checkpoint: {e}")))?;
    file::write(path, &head, &Arrays::new())?;
    log::info!("checkpoint", "wrote {}", path.display());
    Ok(())
}

/// What is in a file: the options that it was saved with, and the rest.
pub struct Saved {
    head: Head,
}

impl Saved {
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |reason: String| Error::Format { path: path.into(), reason };
        let (head, _) = file::read(path)?;
        let value: Value = serde_json::from_str(&head).map_err(|e| wrong(format!("the head is no JSON: {e}")))?;
        match value["restoration"].as_u64() {
            Some(form) if form == u64::from(FORM) => {}
            Some(form) => return Err(wrong(format!("a restoration of form {form}, this library reads {FORM}"))),
            None => return Err(wrong("not the checkpoint of a restoration".into())),
        }
        let head: Head = serde_json::from_value(value).map_err(|e| wrong(format!("the head: {e}")))?;
        log::info!("checkpoint", "read {}, written by nse {}", path.display(), head.nse);
        Ok(Saved { head })
    }

    pub fn options(&self) -> &RestoreOptions {
        &self.head.options
    }

    /// The search of `problem`, when it is the one that was saved.
    pub fn resume(self, path: &Path, problem: &Problem) -> Result<Population> {
        let wrong = |reason: String| Error::Format { path: path.into(), reason };
        if self.head.images != problem.fingerprint() {
            return Err(wrong("a restoration of other images than are given".into()));
        }
        let [before, now] = [&self.head.options, &problem.options].map(|options| {
            let mut options = serde_json::to_value(options).unwrap_or_default();
            FREE_IN_SEARCH.iter().for_each(|free| options["search"][*free] = Value::Null);
            options
        });
        if let Some((pointer, before, now)) = difference(&before, &now, "", &FREE) {
            let reason = format!("{now}, but the restoration in the checkpoint has {before}");
            return Err(json::out_of_range(DOCUMENT, pointer, reason));
        }
        if problem.options.search.generations < self.head.run.generation {
            let (wanted, done) = (problem.options.search.generations, self.head.run.generation);
            let reason = format!("{wanted}, but {done} are complete in the checkpoint");
            return Err(json::out_of_range(DOCUMENT, "/search/generations", reason));
        }
        Population::resume(&problem.options, problem.shape(), self.head.run).map_err(wrong)
    }
}
