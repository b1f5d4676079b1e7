//! Whether ensembles that NEAS finds are better than their members, than those found by accuracy alone and than single networks: docs/neas.md.

mod found;
mod table;

use crate::{numbers, Images, Outcome, Paths};
use nse::space::Space;
use std::sync::Arc;

/// The table.
pub fn measure(images: &Images, paths: &Paths) -> Outcome<String> {
    let space = Arc::new(Space::from_json(include_str!("space.json"))?);
    found::measure(&space, images, paths)?;
    Ok(table::table(&table::read(&paths.read("found.csv"))?))
}
