//! Named spaces of stacked cells.

use super::document::{CellOperators, StackDocument, StackSpaceDocument};
use super::Skeleton;
use crate::error::{Error, Result};
use crate::json;
use crate::space::json::ShapeDocument;
use crate::space::{preset, Binary, Space};
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
    binary: Option<Binary>,
    stem: Option<u32>,
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
    binary: Option<Binary>,
    stem: Option<u32>,
}

struct Named {
    name: &'static str,
    description: &'static str,
    skeleton: Skeleton,
    /// Channels and number of cells.
    size: [u32; 2],
    shared: bool,
    binary: Option<Binary>,
    /// Height and width of an image.
    side: u32,
    classes: u32,
    /// Of the first convolution, where the skeleton leaves it open.
    stem: Option<u32>,
}

const CIFAR: Named = Named {
    name: "darts-cifar",
    description: "stacked cells as DARTS on CIFAR-10: 32x32x3, 10 classes, 20 cells of 36 channels, two kinds of cells",
    skeleton: Skeleton::DartsCifar,
    size: [36, 20],
    shared: false,
    binary: None,
    side: 32,
    classes: 10,
    stem: None,
};

const IMAGENET: Named = Named {
    name: "darts-imagenet",
    description: "the same on ImageNet: 224x224x3, 1000 classes, 14 cells of 48 channels",
    skeleton: Skeleton::DartsImageNet,
    size: [48, 14],
    side: 224,
    classes: 1000,
    ..CIFAR
};

const MOBILE: Named = Named {
    name: "pnas-mobile",
    description: "the same on ImageNet: 224x224x3, 1001 classes, 9 cells of 54 channels and two in front",
    skeleton: Skeleton::PnasImageNet,
    size: [54, 9],
    side: 224,
    classes: 1001,
    stem: Some(32),
    ..CIFAR
};

static PRESETS: [Named; 8] = [
    CIFAR,
    Named {
        name: "bnas-cifar",
        description: "darts-cifar with binary weights, as in BNAS: one scale for each convolution",
        binary: Some(Binary::Layer),
        ..CIFAR
    },
    IMAGENET,
    Named {
        name: "darts-shared",
        description: "darts-imagenet with one kind of cells for both, as ABS shrinks it",
        shared: true,
        ..IMAGENET
    },
    Named {
        name: "nas-bench-201",
        description: "stacked cells as in NAS-Bench-201: 32x32x3, 10 classes, 3 stages of 5 cells, 16 channels",
        skeleton: Skeleton::NasBench201,
        size: [16, 5],
        ..CIFAR
    },
    Named {
        name: "pnas-cifar",
        description: "stacked cells of five blocks as in PNAS on CIFAR-10: 32x32x3, 10 classes, 9 cells of 48 channels",
        skeleton: Skeleton::PnasCifar,
        size: [48, 9],
        ..CIFAR
    },
    MOBILE,
    Named {
        name: "pnas-imagenet",
        description: "the same with 331x331x3 and 12 cells of 216 channels",
        size: [216, 12],
        side: 331,
        stem: Some(96),
        ..MOBILE
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
        let Preset { input, classes, skeleton, channels, cells, nodes, operators, shared, binary, stem } = merged;
        let stack = StackDocument { skeleton, channels, cells, nodes, operators, shared, binary, stem };
        Space::from_stack(&StackSpaceDocument { name: self.name.into(), input, classes, stack }).map_err(|error| match error {
            Error::Config { pointer, reason, .. } => {
                json::out_of_range(preset::DOCUMENT, pointer.strip_prefix("/stack").unwrap_or(&pointer), reason)
            }
            other => other,
        })
    }

    fn preset(&self) -> Preset {
        let (pool, nodes) = match self.skeleton {
            Skeleton::NasBench201 => ("nas-bench-201", 3),
            Skeleton::PnasCifar | Skeleton::PnasImageNet => ("pnas", 5),
            Skeleton::DartsCifar | Skeleton::DartsImageNet => ("darts", 4),
        };
        Preset {
            input: ShapeDocument { channels: 3, height: self.side, width: self.side },
            classes: self.classes,
            skeleton: self.skeleton,
            channels: self.size[0],
            cells: self.size[1],
            nodes,
            operators: CellOperators::Published(pool.into()),
            shared: self.shared,
            binary: self.binary,
            stem: self.stem,
        }
    }
}
