//! Whether growing a cell finds better ones than evolution and chance do, and how well its predictors rank cells: docs/pnas.md.

mod alone;
mod cells;
mod replay;
mod tables;

use crate::{numbers, Images, Outcome, Paths};
use alone::Alone;
use cells::{drawn, space, written, Table, AGAIN, BLOCKS, TOLD};
use replay::{replay, SEARCHES, SEEDS};
use std::fmt::Write;
use std::sync::Arc;

const ASKED: &str = "search,seed,evaluation,cell\n";
const FORETOLD: &str = "predictor,seed,blocks,same,larger\n";

/// Trains the cells that the searches ask for and that are not trained yet; what the searches do is written anew. The tables.
pub fn measure(images: &Images, paths: &Paths) -> Outcome<String> {
    let space = Arc::new(space()?);
    let mut alone = Alone::new(&space, images, paths)?;
    let (mut asked, mut foretold) = (ASKED.to_string(), FORETOLD.to_string());
    for (seed, search) in SEEDS.flat_map(|seed| SEARCHES.map(|(search, _)| (seed, search))) {
        let found = replay(&space, search, seed, &mut |cell| alone.accuracy(cell, TOLD))?;
        for (at, (cell, _)) in found.cells.iter().enumerate() {
            writeln!(asked, "{search},{seed},{},{}", at + 1, written(&space, cell))?;
        }
        for of in &found.foretold {
            writeln!(foretold, "{search},{seed},{},{:.4},{:.4}", of.blocks, of.same, of.larger)?;
        }
        let (best, _) = tables::first_best(&found.cells.iter().map(|(_, accuracy)| *accuracy).collect::<Vec<_>>());
        for again in AGAIN {
            alone.accuracy(&found.cells[best].0, again)?;
        }
    }
    paths.write("asked.csv", &asked)?;
    paths.write("foretold.csv", &foretold)?;
    let table = Table::read(&space, &paths.read("cells.csv"))?;
    let random: Vec<_> = (1..=BLOCKS).map(|blocks| drawn(&space, blocks)).collect();
    let searches = tables::searches(&table, &random[BLOCKS as usize - 1], &tables::read_asked(&space, &asked)?)?;
    Ok([tables::cells(&table, &random), searches, tables::ranks(&foretold)?].join("\n"))
}
