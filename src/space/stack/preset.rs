//! Named spaces of stacked cells.

use super::document::{CellOperators, StackDocument, StackSpaceDocument};
use super::Skeleton;
use crate::error::{Error, Result};
use crate::json;
use crate::space::json::ShapeDocument;
use crate::space::{preset, Space};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a preset fixes and its caller may override.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Preset {
    input: ShapeDocument,
    classes: u32,
    skeleton: Skeleton,
    channels: u32,
    cells: u32,
    nodes: u32,
    operators: CellOperators,
    shared: bool,
}

/// What may be given of it.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Overrides {
    input: Option<ShapeDocument>,
    classes: Option<u32>,
    skeleton: Option<Skeleton>,
    channels: Option<u32>,
    cells: Option<u32>,
    nodes: Option<u32>,
    operators: Option<CellOperators>,
    shared: Option<bool>,
}

struct Named {
    name: &'static str,
    description: &'static str,
    skeleton: Skeleton,
    /// Channels and number of cells.
    size: [u32; 2],
    shared: bool,
}

static PRESETS: [Named; 4] = [
    Named {
        name: "darts-cifar",
        description: "stacked cells as DARTS on CIFAR-10: 32x32x3, 10 classes, 20 cells of 36 channels, two kinds of cells",
        skeleton: Skeleton::DartsCifar,
        size: [36, 20],
        shared: false,
    },
    Named {
        name: "darts-imagenet",
        description: "the same on ImageNet: 224x224x3, 1000 classes, 14 cells of 48 channels",
        skeleton: Skeleton::DartsImageNet,
        size: [48, 14],
        shared: false,
    },
    Named {
        name: "darts-shared",
        description: "darts-imagenet with one kind of cells for both, as ABS shrinks it",
        skeleton: Skeleton::DartsImageNet,
        size: [48, 14],
        shared: true,
    },
    Named {
        name: "nas-bench-201",
        description: "stacked cells as in NAS-Bench-201: 32x32x3, 10 classes, 3 stages of 5 cells, 16 channels",
        skeleton: Skeleton::NasBench201,
        size: [16, 5],
        shared: false,
    },
];

/// Name and one-line description of every one.
pub fn presets() -> impl Iterator<Item = (&'static str, &'static str)> {
    PRESETS.iter().map(|named| (named.name, named.description))
}

/// None: no such name.
pub fn preset(name: &str, overrides: &str) -> Option<Result<Space>> {
    PRESETS.iter().find(|named| named.name == name).map(|named| named.with(overrides))
}

impl Named {
    fn with(&self, overrides: &str) -> Result<Space> {
        let merged: Preset = preset::lay_over::<Preset, Overrides>(&self.preset(), &[], overrides)?;
        let Preset { input, classes, skeleton, channels, cells, nodes, operators, shared } = merged;
        let stack = StackDocument { skeleton, channels, cells, nodes, operators, shared };
        Space::from_stack(&StackSpaceDocument { name: self.name.into(), input, classes, stack }).map_err(|error| match error {
            Error::Config { pointer, reason, .. } => {
                json::out_of_range(preset::DOCUMENT, pointer.strip_prefix("/stack").unwrap_or(&pointer), reason)
            }
            other => other,
        })
    }

    fn preset(&self) -> Preset {
        let (side, classes) = if self.skeleton == Skeleton::DartsImageNet { (224, 1000) } else { (32, 10) };
        let (pool, nodes) = if self.skeleton == Skeleton::NasBench201 { ("nas-bench-201", 3) } else { ("darts", 4) };
        Preset {
            input: ShapeDocument { channels: 3, height: side, width: side },
            classes,
            skeleton: self.skeleton,
            channels: self.size[0],
            cells: self.size[1],
            nodes,
            operators: CellOperators::Published(pool.into()),
            shared: self.shared,
        }
    }
}
