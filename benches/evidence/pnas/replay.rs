//! Searches that are told what a table says of the cells they ask for: growing with either predictor, evolution, and chance. No tensors.

use super::cells::{drawn, BLOCKS};
use super::Outcome;
use nse::arch::Blocks;
use nse::search::predictor::{correlation, Ensemble};
use nse::search::{self, Asked, Drive, Purpose, Search, SearchOptions, Silent, Sought, Start, Stream};
use nse::space::Space;
use serde_json::{json, Value};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Cells of a round that grows, but the first, which has all 21 of one block.
const BEAM: usize = 12;
/// Evaluations of every search: as many as growing has.
pub const EVALUATIONS: usize = 21 + (BLOCKS as usize - 1) * BEAM;
pub const SEARCHES: [(&str, &str); 4] =
    [("mlp", "`grow`, `mlp`"), ("lstm", "`grow`, `lstm`"), ("evolve", "`evolve`"), ("random", "chance")];

/// Chance needs nothing but the random cells.
pub fn seeds(search: &str) -> RangeInclusive<u64> {
    1..=if search == "random" { 20 } else { 5 }
}

/// How good a cell is.
pub type Truth<'a> = dyn FnMut(&Blocks) -> Outcome<f64> + 'a;

/// What a search evaluated, in that order, no cell twice.
pub struct Replay {
    pub cells: Vec<(Blocks, f64)>,
    /// Of what grows.
    pub foretold: Vec<Foretold>,
}

/// Rank correlations of what was foretold with what came out, where results of up to so many blocks were known.
pub struct Foretold {
    pub blocks: u32,
    /// Of random cells as large as those, and of larger ones.
    pub same: f64,
    pub larger: f64,
}

pub fn replay(space: &Arc<Space>, search: &str, seed: u64, truth: &mut Truth) -> Outcome<Replay> {
    if search == "random" {
        let mut cells = drawn(space, BLOCKS);
        Stream::new(seed, Purpose::Children, 1, 0).shuffle(&mut cells);
        cells.truncate(EVALUATIONS);
        let cells = cells.into_iter().map(|cell| truth(&cell).map(|accuracy| (cell, accuracy))).collect::<Outcome<_>>()?;
        return Ok(Replay { cells, foretold: Vec::new() });
    }
    let options = options(search, seed)?;
    let mut told = Search::start(space.clone(), options.clone(), Start { drive: Drive::Told, ..Start::default() })?;
    let (mut cells, mut foretold): (Vec<(Blocks, f64)>, Vec<Foretold>) = (Vec::new(), Vec::new());
    while cells.len() < EVALUATIONS {
        let (given, asked) = told.ask(1)?;
        if asked == Asked::Done {
            break;
        }
        for architecture in given {
            let cell = Blocks::of(told.space_of(&architecture), &architecture).ok_or("a search asked for no cell of blocks")?;
            // However it is written, it is trained once.
            let canonical = cell.canonical();
            let known = cells.iter().find(|(known, _)| *known == canonical).map(|(_, accuracy)| *accuracy);
            let accuracy = known.map_or_else(|| truth(&cell), Ok)?;
            if known.is_none() {
                cells.push((canonical, accuracy));
            }
            let round = told.rounds().0;
            told.tell(&architecture, search::Outcome::accuracy(accuracy))?;
            if matches!(options.strategy.get().seeks(), Sought::Cells(_))
                && told.rounds().0 > round
                && round + 1 < u64::from(BLOCKS)
            {
                foretold.push(judge(space, &options, &cells, round, truth)?);
            }
        }
    }
    Ok(Replay { cells, foretold })
}

fn options(search: &str, seed: u64) -> Outcome<SearchOptions> {
    let strategy: Value = match search {
        "evolve" => json!("evolve"),
        predictor => json!({ "grow": { "beam": BEAM, "predictor": predictor } }),
    };
    let mut options = json!({ "seed": seed, "strategy": strategy, "objective": { "low": 0, "high": 1e12 } });
    if search == "evolve" {
        options["branches"] = "single".into();
        options["rounds"] = 4.into();
        options["active"] = 6.into();
        options["candidates"] = json!({ "count": EVALUATIONS.div_ceil(4) });
    }
    Ok(SearchOptions::from_json(&options.to_string())?)
}

/// The predictor of the search, which learns from the same results again, about random cells.
fn judge(space: &Space, options: &SearchOptions, known: &[(Blocks, f64)], round: u64, truth: &mut Truth) -> Outcome<Foretold> {
    let (Sought::Cells(grow), Some(stack)) = (options.strategy.get().seeks(), space.stack()) else {
        return Err("nothing grows".into());
    };
    let predictor = Ensemble::fit(&grow.predictor, stack, known, (options.seed, round), &Silent)?;
    let mut of = |blocks: u32| -> Outcome<f64> {
        let mut pairs = Vec::new();
        for cell in drawn(space, blocks) {
            pairs.push((predictor.predict(&cell, &[])[0], truth(&cell)?));
        }
        Ok(correlation(&pairs).unwrap_or(0.0))
    };
    let blocks = round as u32 + 1;
    Ok(Foretold { blocks, same: of(blocks)?, larger: of(blocks + 1)? })
}
