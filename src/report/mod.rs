//! Pictures and logs for people: a search as a page, as JSON, as a picture; an architecture as a diagram; TensorBoard's event files.
//!
//! Everything that a user named (spaces, units, paths) is escaped where it is written, and nothing here waits for a search.

mod diagram;
mod document;
pub mod events;
mod fitness;
mod front;
mod movement;
mod page;
mod picture;
mod tensorboard;
mod text;

pub use diagram::draw_architecture;
pub use document::VERSION;
pub use tensorboard::EventLog;

use crate::error::{Error, Result};
use crate::search::{Drive, Event, RoundRecord, Scored, Search, SearchOptions};
use crate::space::Space;
use serde_json::Value;
use std::sync::Arc;

/// What a report tells of: a search at one moment.
pub struct Report {
    pub space: Arc<Space>,
    pub options: SearchOptions,
    /// Of the latency table, if there is one.
    pub unit: Option<String>,
    pub drive: Drive,
    /// Completed, and in total.
    pub rounds: (u64, u64),
    pub done: bool,
    pub event: Option<Event>,
    pub front: Arc<[Scored]>,
    /// Of a told search all results; of others those of the last round.
    pub scored: Arc<[Scored]>,
    pub history: Arc<[RoundRecord]>,
    /// The libtorch in use, as nse_runtime_info has it; null where there is none.
    pub libtorch: Value,
}

/// What a report can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Html,
    Json,
    Svg,
    Png,
}

impl Format {
    pub const ALL: [(&'static str, Format); 4] =
        [("html", Format::Html), ("json", Format::Json), ("svg", Format::Svg), ("png", Format::Png)];

    pub fn named(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, format)| format).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|(name, _)| format!("{name:?}")).collect();
            Error::Argument { name: "format", reason: format!("{name:?} is not known; there are {}", known.join(", ")) }
        })
    }
}

impl Report {
    pub fn of(search: &Search) -> Self {
        Report {
            space: search.space().clone(),
            options: search.options().clone(),
            unit: search.latency().map(|table| table.unit().to_owned()),
            drive: search.drive(),
            rounds: search.rounds(),
            done: search.done(),
            event: None,
            front: search.front().into(),
            scored: search.scored().into(),
            history: search.history().into(),
            libtorch: Value::Null,
        }
    }

    /// The content of a file.
    pub fn write(&self, format: Format) -> Result<Vec<u8>> {
        match format {
            Format::Html => Ok(page::html(self)?.into_bytes()),
            Format::Json => Ok(document::json(self).to_string().into_bytes()),
            Format::Svg => Ok(picture::svg(self)?.into_bytes()),
            Format::Png => picture::png(self),
        }
    }

    /// What the cost counts in, for people.
    fn unit(&self) -> &str {
        self.unit.as_deref().unwrap_or_else(|| self.options.objective.cost.unit())
    }

    /// Whether the front says something: accuracies of a front that a search begins with are not known yet.
    fn has_front(&self) -> bool {
        !self.front.is_empty() && (!self.history.is_empty() || self.drive == Drive::Told)
    }

    /// The most accurate member of the front, and the cheapest of several.
    fn best(&self) -> Option<&Scored> {
        let mut members = self.front.iter().filter(|_| self.has_front());
        let first = members.next()?;
        Some(members.fold(first, |best, member| if member.accuracy > best.accuracy { member } else { best }))
    }
}
