//! Whether ensembles that NEAS finds are better than their members, than those found by accuracy alone and than single networks: docs/neas.md.

mod found;
mod table;

use crate::{Images, Outcome, Paths};
use nse::space::Space;
use std::sync::Arc;

/// The table.
pub fn measure(images: &Images, paths: &Paths) -> Outcome<String> {
    let space = Arc::new(Space::from_json(include_str!("space.json"))?);
    let (least, most) = nse::cost::CostTable::new(&space).range();
    eprintln!("{least:?} {most:?}");
    found::measure(&space, images, paths)?;
    Ok(String::new())
}
