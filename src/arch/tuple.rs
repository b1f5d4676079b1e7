//! Ensembles as the published code of NEAS writes them (researchmm/NEAS, `decode_arch`): a list of whole numbers, first where the paths part
//! and how many they are, then the shared cells behind the fixed first block, then for every path its cells and its tail. A cell is the
//! index of its operator, or -1 where it is skipped; what is fixed is 0.

use super::{Architecture, DOCUMENT, ENSEMBLE};
use crate::error::{Error, Result};
use crate::json;
use crate::space::Space;

impl Architecture {
    pub fn from_tuple(space: &Space, numbers: &[i64]) -> Result<Self> {
        let fault = |at: usize, reason: String| json::out_of_range(DOCUMENT, format!("/tuple/{at}"), reason);
        let cells = space.cells().len();
        let [split, count, rest @ ..] = numbers else {
            return Err(json::out_of_range(DOCUMENT, "/tuple", format!("{} numbers are no ensemble", numbers.len())));
        };
        let Some(split) = usize::try_from(*split).ok().filter(|split| *split <= cells) else {
            return Err(fault(0, format!("{split} shared cells, the space {:?} has {cells}", space.name())));
        };
        let Some(count) = usize::try_from(*count).ok().filter(|count| ENSEMBLE.contains(count)) else {
            return Err(fault(1, format!("{count} paths, an ensemble has {} to {}", ENSEMBLE.start(), ENSEMBLE.end())));
        };
        let wanted = (split + 1) + count * (cells - split + 1);
        if rest.len() != wanted {
            let reason =
                format!("{} numbers, {count} paths that share {split} of {cells} cells have {}", numbers.len(), wanted + 2);
            return Err(json::out_of_range(DOCUMENT, "/tuple", reason));
        }
        let fixed = |at: usize| match rest[at] {
            0 => Ok(()),
            other => Err(fault(at + 2, format!("{other} where a block is fixed: 0"))),
        };
        let read = |from: usize, count: usize| self::cells(&rest[from..from + count], |at, reason| fault(from + at + 2, reason));
        fixed(0)?;
        let shared = read(1, split)?;
        let path = |path: usize| {
            let from = split + 1 + path * (cells - split + 1);
            fixed(from + cells - split)?;
            read(from, cells - split)
        };
        let paths = (0..count).map(path).collect::<Result<_>>()?;
        Self::ensemble(space, shared, paths)
    }
}

/// The operators of cells by their numbers; `fault` makes the error of the one at a place.
pub(super) fn cells(numbers: &[i64], fault: impl Fn(usize, String) -> Error) -> Result<Vec<Vec<u16>>> {
    let cell = |(at, number): (usize, &i64)| match number {
        -1 => Ok(Vec::new()),
        index => match u16::try_from(*index) {
            Ok(operator) => Ok(vec![operator]),
            Err(_) => Err(fault(at, format!("{index} is no index of an operator"))),
        },
    };
    numbers.iter().enumerate().map(cell).collect()
}
