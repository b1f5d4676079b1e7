//! What a search writes to the log.

use super::engine::Search;
use crate::log;

/// Target of all of it.
const TARGET: &str = "search";

/// A new search, or one from a checkpoint.
pub fn ready(search: &Search, how: &str) {
    if !log::enabled(log::Level::Info) {
        return;
    }
    let (space, options) = (search.space(), search.options());
    log::info!(
        TARGET,
        "{how}: space {:?}, {} cells with {} operators, {} active in a cell; {} of {} rounds done; seed {}, device {:?}",
        space.name(),
        space.cells().len(),
        space.cells().iter().map(|cell| cell.operators.len()).sum::<usize>(),
        options.active,
        search.run.round,
        search.run.rounds,
        options.seed,
        options.device,
    );
}

pub fn round_begun(search: &Search) {
    log::info!(TARGET, "round {} of {} begins: {} steps", search.run.round + 1, search.run.rounds, search.run.steps);
}

pub fn warm(search: &Search, step: u64) {
    log::info!(TARGET, "round {} of {}: warm after {step} steps", search.run.round + 1, search.run.rounds);
}

pub fn trained(search: &Search, step: u64, loss: f64) {
    log::trace!(TARGET, "round {}, step {} of {}: loss {loss:.4}", search.run.round + 1, step + 1, search.run.steps);
}

pub fn dropped(search: &Search, cell: usize, operator: u16) {
    log::debug!(
        TARGET,
        "round {}: cell {cell} drops {}",
        search.run.round + 1,
        search.space().cells()[cell].operators[usize::from(operator)]
    );
}

/// After the last piece of work of a round.
pub fn round_finished(search: &Search) {
    let Some(record) = search.run.history.last().filter(|_| log::enabled(log::Level::Info)) else { return };
    let best = search.run.front.iter().map(|scored| scored.accuracy).fold(f64::NAN, f64::max);
    log::info!(
        TARGET,
        "round {} of {} finished: {} on the front, best accuracy {best:.4}; trained {:.1} s, scored {:.1} s",
        record.round,
        search.run.rounds,
        search.run.front.len(),
        search.run.seconds.train,
        search.run.seconds.score,
    );
}
