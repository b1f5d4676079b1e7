//! Named spaces.

use super::json::{
    BlockDocument, CellDocument, Operators, ShapeDocument, SpaceDocument, StemDocument, TailDocument, STEM_KERNEL,
};
use super::{stack, Activation, Binary, CellKind, Excitation, Gate, Space};
use crate::error::{Error, Result};
use crate::json;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(super) const DOCUMENT: &str = "preset overrides";

/// How the stages of a chain follow each other: `repeats` normal cells per stage, with one cell between two stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Layout {
    /// A reduce cell between any two stages.
    #[serde(rename = "NR")]
    Nr,
    /// Six stages, joined by R, R, R, E, R, and a last E behind them: the published MAC setting.
    #[serde(rename = "NER")]
    Ner,
    /// The same without the last E.
    #[serde(rename = "NERN")]
    Nern,
}

impl Layout {
    /// The cells in order, or what is wrong with `repeats`.
    fn cells(self, repeats: &[u32]) -> std::result::Result<Vec<CellKind>, String> {
        use CellKind::{Expand, Normal, Reduce};
        let joints = match self {
            Layout::Nr => vec![Reduce; repeats.len().saturating_sub(1)],
            Layout::Ner if repeats.len() != 6 => return Err(format!("layout NER has 6 stages, not {}", repeats.len())),
            Layout::Nern if repeats.len() != 6 => return Err(format!("layout NERN has 6 stages, not {}", repeats.len())),
            Layout::Ner => vec![Reduce, Reduce, Reduce, Expand, Reduce, Expand],
            Layout::Nern => vec![Reduce, Reduce, Reduce, Expand, Reduce],
        };
        if repeats.is_empty() || repeats.len() > 100 || repeats.iter().any(|r| *r > 100) {
            return Err("1 to 100 stages of 0 to 100 normal cells each are allowed".into());
        }
        let mut cells = Vec::new();
        for (stage, repeat) in repeats.iter().enumerate() {
            cells.extend((0..*repeat).map(|_| Normal));
            cells.extend(joints.get(stage));
        }
        Ok(cells)
    }
}

/// What a preset fixes and its caller may override.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Preset {
    input: ShapeDocument,
    classes: u32,
    layout: Layout,
    repeats: Vec<u32>,
    /// Width of each stage: one more than there are reduce and expand cells.
    channels: Vec<u32>,
    /// Multiplies every width but the first.
    scale: f64,
    /// Scaled widths are rounded to a multiple of this.
    divisor: u32,
    stem_stride: u32,
    /// In front of the first stage, whose width it has then.
    block: Option<Block>,
    tail: u32,
    /// Whether batch-norm follows the convolution of the tail.
    tail_norm: bool,
    /// Outputs of a linear layer in front of the classifier.
    hidden: Option<u32>,
    squeeze_excitation: Option<Excitation>,
    activation: Activation,
    operators: Operators,
    /// Whether normal cells may be skipped.
    skip: bool,
    /// What the weights of the operators are made into.
    binary: Option<Binary>,
}

/// A fixed block behind the stem.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Block {
    /// Channels of the stem.
    stem: u32,
    /// Side of its depthwise kernel.
    kernel: u32,
}

impl Default for Preset {
    /// The published search space under a MAC budget: 22 cells, 27 operators, 224 x 224, 1000 classes.
    fn default() -> Self {
        Preset {
            input: ShapeDocument { channels: 3, height: 224, width: 224 },
            classes: 1000,
            layout: Layout::Ner,
            repeats: vec![1, 3, 3, 3, 3, 3],
            channels: vec![16, 24, 40, 80, 96, 192, 320],
            scale: 1.0,
            divisor: 8,
            stem_stride: 2,
            block: None,
            tail: 1024,
            tail_norm: false,
            hidden: None,
            squeeze_excitation: None,
            activation: Activation::Relu,
            operators: Operators::Published("nse-27".into()),
            skip: true,
            binary: None,
        }
    }
}

/// A named space: what it is, and what it fixes.
struct Named {
    name: &'static str,
    description: &'static str,
    preset: fn() -> Preset,
}

/// Inverted bottlenecks of kernels 3, 5 and 7, each with these expansions.
fn bottlenecks(expansions: [u32; 2]) -> Operators {
    let of = |kernel: u32| expansions.map(|expansion| format!("mbconv_k{kernel}_t{expansion}"));
    Operators::Listed([3, 5, 7].into_iter().flat_map(of).collect())
}

static PRESETS: [Named; 7] = [
    Named {
        name: "nse-19",
        description: "the published latency setting: 224x224x3, 1000 classes, layout NR, 21 cells, 19 operators",
        preset: || Preset {
            layout: Layout::Nr,
            repeats: vec![1, 3, 3, 7, 3],
            channels: vec![16, 32, 64, 128, 256],
            operators: Operators::Published("nse-19".into()),
            ..Preset::default()
        },
    },
    Named {
        name: "nse-27",
        description: "the published MAC setting: 224x224x3, 1000 classes, layout NER, 22 cells, 27 operators",
        preset: Preset::default,
    },
    Named {
        name: "nse-27-small",
        description: "for small grey images: 28x28x1, 10 classes, layout NR, 7 cells, 27 operators",
        preset: || Preset {
            input: ShapeDocument { channels: 1, height: 28, width: 28 },
            classes: 10,
            layout: Layout::Nr,
            repeats: vec![1, 2, 2],
            channels: vec![16, 32, 64],
            tail: 256,
            ..Preset::default()
        },
    },
    Named {
        name: "nse-72",
        description: "the published second space: nse-27 with 72 operators, grouped 1x1 convolutions among them",
        preset: || Preset { operators: Operators::Published("nse-72".into()), ..Preset::default() },
    },
    Named {
        name: "spos",
        description: "the chain of SPOS and ABS: 224x224x3, 1000 classes, 21 cells behind a fixed block, 6 operators",
        preset: || Preset {
            repeats: vec![0, 3, 3, 3, 3, 3],
            channels: vec![24, 32, 56, 112, 128, 256, 432],
            block: Some(Block { stem: 40, kernel: 3 }),
            tail: 1728,
            tail_norm: true,
            operators: bottlenecks([3, 6]),
            ..Preset::default()
        },
    },
    Named {
        name: "fairnas",
        description: "the chain of FairNAS: 224x224x3, 1000 classes, 19 cells behind a fixed block, none skipped, 6 operators",
        preset: || Preset {
            repeats: vec![0, 1, 3, 3, 3, 3],
            block: Some(Block { stem: 32, kernel: 3 }),
            tail: 1280,
            tail_norm: true,
            operators: bottlenecks([3, 6]),
            skip: false,
            ..Preset::default()
        },
    },
    Named {
        name: "neas",
        description:
            "the space of NEAS: 224x224x3, 1000 classes, 20 cells behind a fixed block, 6 operators, squeeze-excitation, swish",
        preset: || Preset {
            layout: Layout::Nern,
            repeats: vec![0, 3, 3, 3, 3, 3],
            channels: vec![16, 24, 40, 80, 112, 160],
            block: Some(Block { stem: 16, kernel: 3 }),
            tail: 960,
            tail_norm: true,
            hidden: Some(1280),
            squeeze_excitation: Some(Excitation {
                reduction: 4,
                divisor: Some(8),
                activation: Some(Activation::Relu),
                gate: Gate::HardSigmoid,
            }),
            activation: Activation::Swish,
            operators: bottlenecks([4, 6]),
            ..Preset::default()
        },
    },
];

/// Name and one-line description of every preset.
pub fn presets() -> impl Iterator<Item = (&'static str, &'static str)> {
    PRESETS.iter().map(|named| (named.name, named.description)).chain(stack::presets())
}

fn preset(name: &str) -> Result<Preset> {
    PRESETS.iter().find(|named| named.name == name).map(|named| (named.preset)()).ok_or_else(|| {
        let known: Vec<_> = presets().map(|(name, _)| name).collect();
        Error::Argument { name: "name", reason: format!("{name:?} is not a preset; there are {}", known.join(", ")) }
    })
}

impl Space {
    /// A named space. `overrides` is a JSON object with any of `input`, `classes`, `layout`, `repeats`, `channels`, `scale`,
    /// `divisor`, `stem_stride`, `block`, `tail`, `tail_norm`, `hidden`, `squeeze_excitation`, `activation`, `operators`, `skip`; of stacked cells `input`, `classes`, `skeleton`, `channels`, `cells`, `nodes`,
    /// `operators`, `shared`; `{}` changes nothing.
    pub fn preset(name: &str, overrides: &str) -> Result<Space> {
        stack::preset(name, overrides).unwrap_or_else(|| Self::preset_with(name, &[], overrides))
    }

    /// A named chain with some `changes` of our own, over which the caller's `overrides` are laid.
    pub(crate) fn preset_with(name: &str, changes: &[(&str, serde_json::Value)], overrides: &str) -> Result<Space> {
        let preset: Preset = lay_over::<Preset, Preset>(&preset(name)?, changes, overrides)?;
        let document = preset.expand(name)?;
        Space::from_document(&document).map_err(|error| match error {
            Error::Config { pointer, reason, .. } => json::out_of_range(DOCUMENT, document.override_of(&pointer), reason),
            other => other,
        })
    }
}

/// A preset with some `changes` of our own, over which the caller's `overrides`, which have the strict form `O`, are laid key by key.
pub(super) fn lay_over<P, O>(preset: &P, changes: &[(&str, serde_json::Value)], overrides: &str) -> Result<P>
where
    P: Serialize + DeserializeOwned + JsonSchema + 'static,
    O: DeserializeOwned + JsonSchema + 'static,
{
    json::parse::<O>(DOCUMENT, overrides)?;
    let wrong = |e: serde_json::Error| json::out_of_range(DOCUMENT, "", e.to_string());
    let overrides: serde_json::Map<String, serde_json::Value> = serde_json::from_str(overrides).map_err(wrong)?;
    let mut merged = serde_json::to_value(preset).map_err(wrong)?;
    for (key, value) in changes {
        merged[*key] = value.clone();
    }
    for (key, value) in overrides {
        merged[key] = value;
    }
    json::parse(DOCUMENT, &merged.to_string())
}

impl Preset {
    fn expand(&self, name: &str) -> Result<SpaceDocument> {
        let wrong = |pointer: &str, reason: String| json::out_of_range(DOCUMENT, pointer, reason);
        let kinds = self.layout.cells(&self.repeats).map_err(|reason| wrong("/repeats", reason))?;
        let stages = 1 + kinds.iter().filter(|k| **k != CellKind::Normal).count();
        if self.channels.len() != stages {
            return Err(wrong("/channels", format!("{} widths for {stages} stages", self.channels.len())));
        }
        if !(self.scale > 0.0 && self.scale <= 100.0) {
            return Err(wrong("/scale", format!("{:?} is not in (0, 100]", self.scale)));
        }
        if !(1..=1024).contains(&self.divisor) {
            return Err(wrong("/divisor", format!("{} is not in 1 to 1024", self.divisor)));
        }
        let mut widths = self.channels.iter().skip(1).map(|c| make_divisible(f64::from(*c) * self.scale, self.divisor));
        let cells = kinds
            .into_iter()
            .map(|kind| {
                let channels = if kind == CellKind::Normal { None } else { widths.next() };
                let skip = (kind == CellKind::Normal && !self.skip).then_some(false);
                CellDocument { kind, channels, operators: None, skip }
            })
            .collect();
        Ok(SpaceDocument {
            name: name.into(),
            input: self.input.clone(),
            classes: self.classes,
            stem: StemDocument {
                channels: self.block.map_or(self.channels[0], |block| block.stem),
                stride: self.stem_stride,
                kernel: STEM_KERNEL,
                block: self.block.map(|block| BlockDocument { channels: self.channels[0], kernel: block.kernel }),
            },
            cells,
            operators: Some(self.operators.clone()),
            tail: TailDocument { channels: self.tail, norm: self.tail_norm, hidden: self.hidden },
            squeeze_excitation: self.squeeze_excitation,
            activation: self.activation,
            binary: self.binary,
        })
    }
}

impl SpaceDocument {
    /// Which override is behind a place in the document that a preset became.
    fn override_of(&self, pointer: &str) -> String {
        let parts: Vec<_> = pointer.split('/').skip(1).collect();
        let stage = |cell: &str| {
            let before =
                cell.parse().map_or(0, |cell: usize| self.cells.iter().take(cell + 1).filter(|c| c.channels.is_some()).count());
            format!("/channels/{before}")
        };
        match parts[..] {
            ["stem", "channels"] if self.stem.block.is_some() => "/block/stem".into(),
            ["stem", "channels"] | ["stem", "block", "channels"] => "/channels/0".into(),
            ["stem", "block", part] => format!("/block/{part}"),
            ["stem", _] => "/stem_stride".into(),
            ["tail", "hidden"] => "/hidden".into(),
            ["tail", _] => "/tail".into(),
            ["cells", cell, "channels"] => stage(cell),
            ["cells"] => "/repeats".into(),
            _ => pointer.into(),
        }
    }
}

/// The nearest multiple of `divisor`, never more than 10% below `width` (the rule of MobileNet's code).
pub(super) fn make_divisible(width: f64, divisor: u32) -> u32 {
    let divisor = f64::from(divisor);
    let rounded = (((width + divisor / 2.0) / divisor).floor() * divisor).max(divisor);
    (if rounded < 0.9 * width { rounded + divisor } else { rounded }) as u32
}
