//! Whether growing a cell finds better ones than evolution and chance do, and how well its predictors rank cells: docs/pnas.md.

mod alone;
mod cells;
mod replay;

use crate::{numbers, Images, Outcome, Paths};
use alone::Alone;
use cells::{space, written, AGAIN, TOLD};
use replay::{replay, SEARCHES, SEEDS};
use std::fmt::Write;
use std::sync::Arc;

const ASKED: &str = "search,seed,evaluation,cell\n";
const FORETOLD: &str = "predictor,seed,blocks,same,larger\n";

/// Trains the cells that the searches ask for and that are not trained yet; what the searches do is written anew.
pub fn measure(images: &Images, paths: &Paths) -> Outcome<String> {
    let space = Arc::new(space()?);
    let mut alone = Alone::new(&space, images, paths)?;
    let (mut asked, mut foretold) = (ASKED.to_string(), FORETOLD.to_string());
    // The predictors of the first seeds before those of the others: what is there early says most.
    for (seed, search) in SEEDS.flat_map(|seed| SEARCHES.map(|search| (seed, search))) {
        let found = replay(&space, search, seed, &mut |cell| alone.accuracy(cell, TOLD))?;
        for (at, (cell, _)) in found.cells.iter().enumerate() {
            writeln!(asked, "{search},{seed},{},{}", at + 1, written(&space, cell))?;
        }
        for of in &found.foretold {
            writeln!(foretold, "{search},{seed},{},{:.4},{:.4}", of.blocks, of.same, of.larger)?;
        }
        let best = found.cells.iter().reduce(|best, other| if other.1 > best.1 { other } else { best });
        for (again, (cell, _)) in AGAIN.into_iter().zip(best.iter().cycle()) {
            alone.accuracy(cell, again)?;
        }
    }
    paths.write("asked.csv", &asked)?;
    paths.write("foretold.csv", &foretold)?;
    Ok(String::new())
}
