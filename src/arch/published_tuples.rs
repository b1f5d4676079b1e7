//! Architectures that were published as lists of operator indices, -1 where a cell is skipped: of the configurations of NEAS (researchmm/NEAS,
//! `configs/subnets`), and what SPOS finds in the space that ABS shrank (megvii-model/AngleNAS).

use super::tuple::cells;
use super::{Architecture, DOCUMENT};
use crate::error::{Error, Result};
use crate::json;
use crate::space::Space;

pub(super) struct Published {
    pub name: &'static str,
    pub description: &'static str,
    /// Where it was found.
    pub space: &'static str,
    numbers: Numbers,
}

enum Numbers {
    /// As [`Architecture::from_tuple`] reads them.
    Ensemble(&'static [i64]),
    /// Those of the cells, one behind the other.
    Single(&'static [i64]),
}

pub(super) static PUBLISHED: [Published; 4] = [
    Published {
        name: "neas-s",
        description: "NEAS-S: an ensemble of two paths that share all cells, 302 M multiply-accumulates, found in neas",
        space: "neas",
        numbers: Numbers::Ensemble(&[20, 2, 0, 0, -1, 0, 2, 0, 0, 2, -1, 0, -1, 0, 3, 2, 4, 0, 2, 5, 0, 4, 3, 0, 0]),
    },
    Published {
        name: "neas-m",
        description: "NEAS-M: an ensemble of two paths that share 16 of 20 cells, 449 M multiply-accumulates, found in neas",
        space: "neas",
        numbers: Numbers::Ensemble(&[16, 2, 0, 3, 2, 0, 2, 5, 0, -1, 3, 0, 2, 0, 0, 3, 5, 4, 0, 5, 0, 5, 4, 0, 3, 5, 2, 5, 0]),
    },
    Published {
        name: "neas-l",
        description: "NEAS-L: an ensemble of two paths that share 16 of 20 cells, 553 M multiply-accumulates, found in neas",
        space: "neas",
        numbers: Numbers::Ensemble(&[16, 2, 0, 5, 5, 1, 3, 5, 1, 3, 4, 1, 2, 5, 4, 1, 3, 3, 1, 3, 1, 5, 1, 0, 5, 4, 4, 3, 0]),
    },
    Published {
        name: "spos-abs",
        description: "SPOS in the space that ABS shrank: 471 M multiply-accumulates, found in spos",
        space: "spos",
        numbers: Numbers::Single(&[2, 2, -1, 0, 0, -1, -1, 0, 5, -1, 4, 4, 0, 0, 4, 2, 3, 4, 4, 4, 3]),
    },
];

impl Published {
    /// In `space`, which may have been changed.
    pub fn architecture(&self, space: &Space) -> Result<Architecture> {
        let architecture = match self.numbers {
            Numbers::Ensemble(numbers) => Architecture::from_tuple(space, numbers),
            Numbers::Single(numbers) => {
                let wrong = |at: usize, reason: String| json::out_of_range(DOCUMENT, format!("/{at}"), reason);
                cells(numbers, wrong).and_then(|cells| Architecture::new(space, cells))
            }
        };
        let reason = |error: Error| format!("{} does not fit into the space that they make: {error}", self.name);
        architecture.map_err(|error| Error::Argument { name: "overrides_json", reason: reason(error) })
    }
}
