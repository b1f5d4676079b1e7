//! Searches that are told what a table says of the cells they ask for: growing, evolution, and chance. No tensors.

use super::cells::{drawn, random, BLOCKS};
use super::Outcome;
use nse::arch::Blocks;
use nse::search::predictor::{correlation, Ensemble};
use nse::search::{self, Asked, Drive, Purpose, Search, SearchOptions, Silent, Sought, Start, Stream};
use nse::space::{Space, Stack};
use serde_json::{json, Value};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Cells of a round that grows, but the first, which has all of one block.
const BEAM: usize = 16;
pub const ONE_BLOCK: usize = 55;
/// Evaluations of every search: as many as growing has.
pub const EVALUATIONS: usize = ONE_BLOCK + (BLOCKS as usize - 1) * BEAM;
/// The last evaluation of every round that grows.
pub const ROUNDS: [usize; BLOCKS as usize] = [ONE_BLOCK, ONE_BLOCK + BEAM, ONE_BLOCK + 2 * BEAM, EVALUATIONS];
pub const SEARCHES: [(&str, &str); 4] =
    [("mlp", "`grow`, `mlp`"), ("regularised", "regularised evolution"), ("evolve", "`evolve`"), ("random", "chance")];
/// Of regularised evolution, a fifth of what is published: 100 and 25 for 20,000 evaluations.
pub const POPULATION: usize = 20;
const TOURNAMENT: usize = 5;

/// Chance needs nothing but the random cells.
pub fn seeds(search: &str) -> RangeInclusive<u64> {
    1..=match search {
        "random" => 100,
        "evolve" => 2,
        _ => 3,
    }
}

/// How good a cell is.
pub type Truth<'a> = dyn FnMut(&Blocks) -> Outcome<f64> + 'a;

/// What a search evaluated, in that order, no cell twice.
#[derive(Default)]
pub struct Replay {
    pub cells: Vec<Blocks>,
    /// Of what grows.
    pub foretold: Vec<Foretold>,
}

/// Rank correlations of what was foretold with what came out, where results of up to so many blocks were known.
pub struct Foretold {
    pub blocks: u32,
    /// Of random cells as large as those, and of larger ones, none of which was told; None: all were.
    pub same: Option<f64>,
    pub larger: Option<f64>,
}

impl Foretold {
    /// Of the file that has them.
    pub fn line(&self, search: &str, seed: u64) -> String {
        let [same, larger] = [self.same, self.larger].map(|of| of.map_or(String::new(), |of| format!("{of:.4}")));
        format!("{search},{seed},{},{same},{larger}", self.blocks)
    }
}

pub fn replay(space: &Arc<Space>, search: &str, seed: u64, truth: &mut Truth) -> Outcome<Replay> {
    match search {
        "regularised" => regularised(space, seed, truth),
        "random" => Ok(Replay { cells: shuffled(space, seed), ..Replay::default() }),
        _ => told(space, &options(search, seed)?, truth),
    }
}

/// The random cells in one order of many.
pub fn shuffled(space: &Space, seed: u64) -> Vec<Blocks> {
    let mut cells = drawn(space, BLOCKS);
    Stream::new(seed, Purpose::Children, 1, 0).shuffle(&mut cells);
    cells
}

fn told(space: &Arc<Space>, options: &SearchOptions, truth: &mut Truth) -> Outcome<Replay> {
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
                foretold.push(judge(space, options, &cells, round, truth)?);
            }
        }
    }
    Ok(Replay { cells: cells.into_iter().map(|(cell, _)| cell).collect(), foretold })
}

fn options(search: &str, seed: u64) -> Outcome<SearchOptions> {
    let objective = json!({ "low": 0, "high": 1e12, "alpha": 0 });
    let options: Value = match search {
        // All else as it is by default; that makes six rounds.
        "evolve" => json!({
            "seed": seed, "objective": objective, "branches": "single", "candidates": { "count": EVALUATIONS.div_ceil(6) },
        }),
        predictor => json!({
            "seed": seed, "objective": objective, "strategy": { "grow": { "beam": BEAM, "predictor": predictor } },
        }),
    };
    Ok(SearchOptions::from_json(&options.to_string())?)
}

/// The predictor of the search, which learns from the same results again, about random cells.
fn judge(space: &Space, options: &SearchOptions, known: &[(Blocks, f64)], round: u64, truth: &mut Truth) -> Outcome<Foretold> {
    let (Sought::Cells(grow), Some(stack)) = (options.strategy.get().seeks(), space.stack()) else {
        return Err("nothing grows".into());
    };
    let predictor = Ensemble::fit(&grow.predictor, stack, known, (options.seed, round), &Silent)?;
    let mut of = |blocks: u32| -> Outcome<Option<f64>> {
        let mut pairs = Vec::new();
        for cell in drawn(space, blocks) {
            if known.iter().all(|(known, _)| *known != cell.canonical()) {
                pairs.push((predictor.predict(&cell, &[])[0], truth(&cell)?));
            }
        }
        Ok(correlation(&pairs))
    };
    let blocks = round as u32 + 1;
    Ok(Foretold { blocks, same: of(blocks)?, larger: of(blocks + 1)? })
}

/// Regularised evolution (Real et al., AAAI 2019) of the largest cells: the best of a few of the population has a child with one change, and the
/// oldest leaves. A child that is known already is none.
fn regularised(space: &Space, seed: u64, truth: &mut Truth) -> Outcome<Replay> {
    let stack = space.stack().ok_or("no cells")?;
    let (none, mut stream) = (Blocks::none(stack), Stream::new(seed, Purpose::Breeding, 0, 0));
    let mut cells: Vec<(Blocks, f64)> = Vec::new();
    while cells.len() < EVALUATIONS {
        let population = &cells[cells.len().saturating_sub(POPULATION)..];
        let child = if population.len() < POPULATION {
            random(&none, BLOCKS, &mut stream)
        } else {
            let tournament = [(); TOURNAMENT].map(|()| &population[stream.below(POPULATION as u64) as usize]);
            let best = tournament.into_iter().reduce(|best, other| if other.1 > best.1 { other } else { best });
            mutated(&best.ok_or("no tournament")?.0, stack, &mut stream)
        };
        if cells.iter().all(|(known, _)| *known != child) {
            let accuracy = truth(&child)?;
            cells.push((child, accuracy));
        }
    }
    Ok(Replay { cells: cells.into_iter().map(|(cell, _)| cell).collect(), ..Replay::default() })
}

/// With another operator, or another node, at one side of one block.
fn mutated(parent: &Blocks, stack: &Stack, stream: &mut Stream) -> Blocks {
    let (operators, inputs) = (stack.plan().operators as u16, stack.plan().skeleton.inputs() as u16);
    let [changed, what] = [u64::from(2 * BLOCKS), 2].map(|of| stream.below(of) as u16);
    let mut other = |than: u16, of: u16| (than + 1 + stream.below(u64::from(of - 1)) as u16) % of;
    let block = |cell: Blocks, (at, sides): (u16, &[u16; 2])| {
        let mut sides = *sides;
        if at == changed / 2 {
            let side = &mut sides[usize::from(changed % 2)];
            let (node, operator) = parent.parts(*side);
            *side = match what {
                0 => node * operators + other(operator, operators),
                _ => other(node, inputs + at) * operators + operator,
            };
        }
        cell.with(sides)
    };
    (0..).zip(parent.blocks()).fold(Blocks::none(stack), block).canonical()
}
