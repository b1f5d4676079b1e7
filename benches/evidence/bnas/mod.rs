//! What a search of binary weights finds, against one of real weights: docs/bnas.md.

mod found;
mod table;

use crate::{numbers, Images, Outcome, Paths};

/// The table.
pub fn measure(images: &Images, paths: &Paths) -> Outcome<String> {
    found::measure(images, paths)?;
    Ok(table::table(&table::read(&paths.read("found.csv"))?))
}
