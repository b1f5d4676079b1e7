//! NEAS (Chen et al., CVPR 2021): ensembles whose paths share their first cells. A supernet is trained along several paths at once, the
//! operators that promise least, by what ensembles with them achieve and by how different their paths are, leave, and an evolution
//! finds ensembles in what is left. The search code was never released: what the paper's abstract does not say is ours, see docs/neas.md.

use super::{Change, Shrink, Standing, Strategy};
use crate::arch::ENSEMBLE;
use crate::search::breeding::{Breeding, Plan};
use crate::search::scorer::{Diversity, ScorerOptions};
use crate::search::sought::Sought;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Searches ensembles of several paths that share their first cells; costs are those of the whole ensemble. The space shrinks as by the
/// strategy "shrink"; the last round searches the ensembles of what is left, generation after generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Neas {
    /// Of an ensemble.
    #[schemars(range(min = 2, max = 16))]
    pub paths: usize,
    /// Least and greatest number of cells that all paths share, at most all but one. Default: one to all but one.
    pub split: Option<[usize; 2]>,
    /// How the space shrinks; its size is the number of single networks.
    pub shrink: Shrink,
    /// How candidates come from those before.
    pub evolution: Breeding,
}

impl Default for Neas {
    fn default() -> Self {
        Neas { paths: *ENSEMBLE.start(), split: None, shrink: Shrink::default(), evolution: Breeding::default() }
    }
}

impl Strategy for Neas {
    fn scorer(&self) -> ScorerOptions {
        ScorerOptions::Diversity(Diversity::default())
    }

    fn begins(&self, active: usize) -> usize {
        self.shrink.begins(active)
    }

    fn rounds(&self, now: &Standing) -> u64 {
        self.shrink.rounds(now)
    }

    fn epochs(&self, round: u64, epochs: f64) -> f64 {
        self.shrink.epochs(round, epochs)
    }

    fn keeps_weights(&self) -> bool {
        true
    }

    fn drops_in_training(&self) -> bool {
        false
    }

    fn always_searches(&self) -> bool {
        false
    }

    fn seeks(&self) -> Sought<'_> {
        Sought::Ensembles(Plan { paths: self.paths, split: self.split, breeding: self.evolution.clone() })
    }

    fn change(&self, now: &Standing) -> Change {
        self.shrink.change(now)
    }
}
