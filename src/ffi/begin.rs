//! What a search begins from: nothing, a checkpoint, architectures of the host.

use super::arch::{nse_arch, ArchHandle};
use super::driver::State;
use super::handle;
use super::search::nse_search_desc;
use super::view::Shared;
use crate::arch::Architecture;
use crate::checkpoint::{Checkpoint, Keeper};
use crate::error::{Error, Result};
use crate::report::EventLog;
use crate::search::{Search, Trainer};
use crate::space::Space;
use std::sync::Arc;

pub(super) enum Begin {
    New(Search),
    Saved(Checkpoint),
}

impl Begin {
    pub fn search(&self) -> &Search {
        match self {
            Begin::New(search) => search,
            Begin::Saved(checkpoint) => checkpoint.search(),
        }
    }

    /// Without a trainer, to be looked at.
    pub fn alone(self, shared: &Shared) -> Search {
        let search = match self {
            Begin::New(search) => search,
            Begin::Saved(checkpoint) => checkpoint.into_search(),
        };
        shared.publish(&search, None);
        search
    }

    /// `writes`: checkpoints and logs, as far as its options want them.
    pub fn with<T: Trainer>(self, mut trainer: T, shared: &Shared, writes: bool) -> Result<State<T>> {
        let search = match self {
            Begin::New(search) => search,
            Begin::Saved(checkpoint) => checkpoint.resume(&mut trainer)?,
        };
        shared.publish(&search, None);
        let keeper = search.options().checkpoint.clone().filter(|_| writes).map(Keeper::new);
        let log = search
            .options()
            .tensorboard
            .as_ref()
            .filter(|_| writes)
            .map(|options| EventLog::open(options, &search))
            .transpose()?;
        Ok(State { search, trainer, keeper, log })
    }
}

/// The architectures to begin with, each with its space.
pub(super) fn start(desc: &nse_search_desc) -> Result<Vec<(Arc<Space>, Architecture)>> {
    if desc.start_count == 0 {
        return Ok(Vec::new());
    }
    if desc.start.is_null() {
        return Err(Error::Argument { name: "desc", reason: format!("start is NULL, start_count {}", desc.start_count) });
    }
    if desc.start_count > 1 << 20 {
        let reason = format!("start_count {} is not in 0 to {}", desc.start_count, 1 << 20);
        return Err(Error::Argument { name: "desc", reason });
    }
    // SAFETY: not NULL; the caller says that so many handles are there.
    let handles = unsafe { std::slice::from_raw_parts(desc.start, desc.start_count) };
    let part = |arch: &*const nse_arch| {
        let arch = handle::get::<ArchHandle>("desc.start", *arch)?;
        Ok((arch.space.clone(), arch.architecture.clone()))
    };
    handles.iter().map(part).collect()
}
