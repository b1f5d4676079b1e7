//! The architectures that the published code of NSE ships (Ci et al., ICCV 2021), in the spaces they were found in; those of stacked cells
//! are listed in `published_cells`, and those that were published as lists of indices in `published_tuples`.

use super::Architecture;
use super::{published_cells, published_tuples};
use crate::error::{Error, Result};
use crate::space::{operators_19, operators_27, operators_72, CellKind, Operator, Space};
use serde_json::json;

/// Operators are indices into the published pool.
struct Published {
    name: &'static str,
    description: &'static str,
    space: &'static str,
    /// Width multiplier.
    scale: f64,
    operators: fn() -> Vec<Operator>,
    stages: &'static [Stage],
}

/// The normal cells of a stage that are used (those beyond are skipped), and the cell to the next stage, if there is one.
struct Stage {
    normal: &'static [&'static [u16]],
    joint: &'static [u16],
}

static PUBLISHED: [Published; 3] = [
    Published {
        name: "nsenet-27",
        description: "NSENet-27: 326 M multiply-accumulates, found in nse-27",
        space: "nse-27",
        scale: 1.04,
        operators: operators_27,
        stages: &[
            Stage { normal: &[&[0]], joint: &[6] },
            Stage { normal: &[&[3], &[0]], joint: &[16] },
            Stage { normal: &[&[3], &[9]], joint: &[11, 17] },
            Stage { normal: &[&[9, 2], &[12]], joint: &[1, 6] },
            Stage { normal: &[&[9, 12], &[9]], joint: &[17, 14] },
            Stage { normal: &[&[21], &[3], &[13]], joint: &[19, 3, 14] },
        ],
    },
    Published {
        name: "nsenet",
        description: "NSENet: 331 M multiply-accumulates, found in nse-72 by a continued search",
        space: "nse-72",
        scale: 1.045,
        operators: operators_72,
        stages: &[
            Stage { normal: &[&[0]], joint: &[34] },
            Stage { normal: &[&[3]], joint: &[52] },
            Stage { normal: &[&[35], &[38]], joint: &[17, 11, 49] },
            Stage { normal: &[&[41], &[35], &[12]], joint: &[1, 10, 6] },
            Stage { normal: &[&[9], &[0, 9]], joint: &[35, 52, 61] },
            Stage { normal: &[&[10, 32], &[3, 57], &[13]], joint: &[3, 19, 44] },
        ],
    },
    Published {
        name: "nsenet-gpu",
        description: "NSENet-GPU: 1.47 G multiply-accumulates, found in nse-19 under a latency budget",
        space: "nse-19",
        scale: 1.0,
        operators: operators_19,
        stages: &[
            Stage { normal: &[], joint: &[15] },
            Stage { normal: &[&[11]], joint: &[1, 17] },
            Stage { normal: &[&[16, 1], &[11], &[11]], joint: &[2, 7] },
            Stage { normal: &[&[3], &[1, 6], &[11], &[11, 6]], joint: &[8, 2] },
            Stage { normal: &[&[0, 1, 8, 11], &[2, 6, 8, 12, 14]], joint: &[] },
        ],
    },
];

/// Name and one-line description of every published architecture.
pub fn presets() -> impl Iterator<Item = (&'static str, &'static str)> {
    let cells = published_cells::PUBLISHED.iter().map(|published| (published.name, published.description));
    let tuples = published_tuples::PUBLISHED.iter().map(|published| (published.name, published.description));
    PUBLISHED.iter().map(|published| (published.name, published.description)).chain(cells).chain(tuples)
}

/// That of a published architecture of stacked cells.
pub(super) fn genotype(name: &str) -> Option<&'static str> {
    published_cells::PUBLISHED.iter().find(|published| published.name == name).map(|published| published.genotype)
}

impl Architecture {
    /// A published architecture and its space. `overrides` change the space as in [`Space::preset`]; without any, the width is
    /// the published one.
    pub fn preset(name: &str, overrides: &str) -> Result<(Space, Architecture)> {
        if let Some(published) = published_cells::PUBLISHED.iter().find(|published| published.name == name) {
            let space = Space::preset(published.space, overrides)?;
            let architecture = Architecture::from_genotype(&space, published.genotype)?;
            return Ok((space, architecture));
        }
        if let Some(published) = published_tuples::PUBLISHED.iter().find(|published| published.name == name) {
            let space = Space::preset(published.space, overrides)?;
            let architecture = published.architecture(&space)?;
            return Ok((space, architecture));
        }
        let published = PUBLISHED.iter().find(|published| published.name == name).ok_or_else(|| {
            let known: Vec<_> = presets().map(|(name, _)| name).collect();
            let reason = format!("{name:?} is not a published architecture; there are {}", known.join(", "));
            Error::Argument { name: "name", reason }
        })?;
        let space = Space::preset_with(published.space, &[("scale", json!(published.scale))], overrides)?;
        let operators = (published.operators)();
        let chosen = |cell: &[u16]| cell.iter().filter_map(|o| operators.get(usize::from(*o)).copied()).collect();
        let chain = published.chain(&space);
        let used = chain.iter().filter(|cell| !cell.is_empty()).count();
        if used != published.cells() {
            let reason = format!("the chain holds {used} of the {} cells of {name}", published.cells());
            return Err(Error::Argument { name: "overrides_json", reason });
        }
        let cells = chain.into_iter().map(chosen).collect();
        let architecture = Architecture::from_operators(&space, cells)?;
        Ok((space, architecture))
    }
}

impl Published {
    /// Cells that are not skipped.
    fn cells(&self) -> usize {
        self.stages.iter().map(|stage| stage.normal.len() + usize::from(!stage.joint.is_empty())).sum()
    }

    /// Indices for every cell of `space`, empty where it is skipped.
    fn chain(&self, space: &Space) -> Vec<&'static [u16]> {
        let mut stages = self.stages.iter();
        let mut stage = stages.next();
        let mut used = 0;
        let mut chain = Vec::with_capacity(space.cells().len());
        for cell in space.cells() {
            if cell.kind == CellKind::Normal {
                chain.push(stage.and_then(|stage| stage.normal.get(used)).map_or(&[][..], |operators| operators));
                used += 1;
            } else {
                chain.push(stage.map_or(&[][..], |stage| stage.joint));
                stage = stages.next();
                used = 0;
            }
        }
        chain
    }
}
