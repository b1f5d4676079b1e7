//! Whether growing a cell finds better ones than evolution and chance do, and how well its predictor ranks cells: docs/pnas.md.

mod alone;
mod cells;
mod replay;
mod tables;

use crate::{numbers, Images, Outcome, Paths};
use alone::Alone;
use cells::{drawn, space, written, BLOCKS, FRESH, NOISE, TOLD};
use replay::{replay, seeds, SEARCHES};
use std::fmt::Write;
use std::sync::Arc;

const ASKED: &str = "search,seed,evaluation,cell\n";
const FORETOLD: &str = "predictor,seed,blocks,same,larger\n";

/// Trains the cells that the searches ask for and that are not trained yet; what the searches do is written anew. The tables.
pub fn measure(images: &Images, paths: &Paths) -> Outcome<String> {
    let space = Arc::new(space()?);
    let mut alone = Alone::new(&space, images, paths)?;
    let random: Vec<_> = (1..=BLOCKS).map(|blocks| drawn(&space, blocks)).collect();
    for cell in &random[BLOCKS as usize - 1][..NOISE] {
        for seed in FRESH {
            alone.accuracy(cell, seed)?;
        }
    }
    for cell in random.iter().flatten() {
        alone.accuracy(cell, TOLD)?;
    }
    let (mut asked, mut foretold) = (ASKED.to_string(), FORETOLD.to_string());
    let [told @ .., _chance] = SEARCHES;
    for (search, seed) in told.into_iter().flat_map(|(search, _)| seeds(search).map(move |seed| (search, seed))) {
        let found = replay(&space, search, seed, &mut |cell| alone.accuracy(cell, TOLD))?;
        for (at, cell) in found.cells.iter().enumerate() {
            writeln!(asked, "{search},{seed},{},{}", at + 1, written(&space, cell))?;
        }
        for of in &found.foretold {
            writeln!(foretold, "{}", of.line(search, seed))?;
        }
        paths.write("asked.csv", &asked)?;
        paths.write("foretold.csv", &foretold)?;
    }
    let asked = tables::read_asked(&space, &asked)?;
    for cell in tables::finalists(alone.table(), &asked)? {
        for seed in FRESH {
            alone.accuracy(&cell, seed)?;
        }
    }
    Ok(tables::all(&space, alone.table(), &random, &asked, &foretold)?.join("\n"))
}
