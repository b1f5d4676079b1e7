//! The JSON form of a space. Strict to read; written in one canonical way, so that reading what was written gives the same space.

use super::published::POOLS;
use super::stack::StackSpaceDocument;
use super::{Activation, Binary, Body, Cell, CellKind, Chain, Convolution, Details, Excitation, Operator, Shape, Space};
use crate::error::{Error, Result};
use crate::json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) const DOCUMENT: &str = "space";

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SpaceDocument {
    pub name: String,
    pub input: ShapeDocument,
    pub classes: u32,
    pub stem: StemDocument,
    pub cells: Vec<CellDocument>,
    /// For the cells that do not list their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operators: Option<Operators>,
    pub tail: TailDocument,
    /// In every branch and in a fixed block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub squeeze_excitation: Option<Excitation>,
    /// Wherever a convolution of stem, branches and tail, or a hidden layer, has one.
    #[serde(default, skip_serializing_if = "is_relu")]
    pub activation: Activation,
    /// Of the convolutions of all operators; stem, tail and classifier are real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<Binary>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShapeDocument {
    pub channels: u32,
    pub height: u32,
    pub width: u32,
}

impl ShapeDocument {
    pub fn of(shape: Shape) -> Self {
        ShapeDocument { channels: shape.channels, height: shape.height, width: shape.width }
    }

    /// Of the images of a space.
    pub fn read(&self) -> Result<Shape> {
        within("/input/channels", self.channels, 1..=1024)?;
        within("/input/height", self.height, 1..=4096)?;
        within("/input/width", self.width, 1..=4096)?;
        Ok(Shape { channels: self.channels, height: self.height, width: self.width })
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StemDocument {
    pub channels: u32,
    pub stride: u32,
    #[serde(default = "stem_kernel", skip_serializing_if = "is_stem_kernel")]
    pub kernel: u32,
    /// Behind the convolution, the same in every network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockDocument>,
}

/// A depthwise convolution and a 1x1 projection.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockDocument {
    /// Of the output. Where those are the stem's, it is the mean of what comes out and what goes in.
    pub channels: u32,
    #[serde(default = "stem_kernel", skip_serializing_if = "is_stem_kernel")]
    pub kernel: u32,
}

/// Side of the kernels of stem and fixed block unless said otherwise.
pub(super) const STEM_KERNEL: u32 = 3;

fn stem_kernel() -> u32 {
    STEM_KERNEL
}

fn is_stem_kernel(kernel: &u32) -> bool {
    *kernel == STEM_KERNEL
}

fn is_relu(activation: &Activation) -> bool {
    *activation == Activation::Relu
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CellDocument {
    pub kind: CellKind,
    /// Of the output; not allowed for a normal cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operators: Option<Operators>,
    /// Whether a normal cell may be skipped; others never may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<bool>,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TailDocument {
    pub channels: u32,
    /// Whether batch-norm follows; the published tail has none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub norm: bool,
    /// Outputs of a linear layer with bias and activation between average pooling and classifier; none without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<u32>,
}

/// A published pool by name, or a list of operators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected the name of a published pool or a list of operator names")]
pub(super) enum Operators {
    Published(String),
    Listed(Vec<String>),
}

impl Operators {
    fn resolve(&self, pointer: &str) -> Result<Vec<Operator>> {
        let operators = match self {
            Operators::Published(name) => {
                let pool = POOLS.iter().find(|pool| pool.name == *name).ok_or_else(|| {
                    let known: Vec<_> = POOLS.iter().map(|pool| pool.name).collect();
                    let reason = format!("{name:?} is not a published pool; there are {}", known.join(", "));
                    json::out_of_range(DOCUMENT, pointer, reason)
                })?;
                (pool.operators)()
            }
            Operators::Listed(names) => (names.iter().enumerate())
                .map(|(i, name)| name.parse().map_err(|e: String| json::out_of_range(DOCUMENT, format!("{pointer}/{i}"), e)))
                .collect::<Result<_>>()?,
        };
        if operators.is_empty() || operators.len() > usize::from(u16::MAX) {
            return Err(json::out_of_range(DOCUMENT, pointer, format!("{} operators are not in 1 to 65535", operators.len())));
        }
        let mut seen = std::collections::HashSet::new();
        match operators.iter().position(|o| !seen.insert(o)) {
            Some(twice) => {
                Err(json::out_of_range(DOCUMENT, format!("{pointer}/{twice}"), format!("{} is listed twice", operators[twice])))
            }
            None => Ok(operators),
        }
    }
}

impl Space {
    /// Reads the JSON form (docs/space.md). Unknown keys and values out of range are errors with a JSON pointer.
    pub fn from_json(text: &str) -> Result<Space> {
        let stacked = serde_json::from_str(text).is_ok_and(|value: serde_json::Value| value.get("stack").is_some());
        match stacked {
            true => Self::from_stack(&json::parse::<StackSpaceDocument>(DOCUMENT, text)?),
            false => Self::from_document(&json::parse(DOCUMENT, text)?),
        }
    }

    /// The canonical JSON form: `from_json(to_json(space)) == space`.
    pub fn to_json(&self) -> String {
        match &self.body {
            Body::Stack(stack) => serde_json::to_string_pretty(&self.stack_document(stack)),
            Body::Chain(chain) => serde_json::to_string_pretty(&self.chain_document(chain)),
        }
        .unwrap_or_default()
    }

    fn chain_document(&self, chain: &Chain) -> SpaceDocument {
        let listed = |cell: &Cell| Operators::Listed(cell.operators.iter().map(Operator::to_string).collect());
        let common = self.cells.first().map(listed);
        SpaceDocument {
            name: self.name.clone(),
            input: ShapeDocument::of(self.input),
            classes: self.classes,
            stem: StemDocument {
                channels: chain.stem.cout,
                stride: chain.stem.stride[0],
                kernel: chain.stem.kernel[0],
                block: match &chain.block[..] {
                    [depthwise, .., project] => Some(BlockDocument { channels: project.cout, kernel: depthwise.kernel[0] }),
                    _ => None,
                },
            },
            cells: (self.cells.iter())
                .map(|cell| CellDocument {
                    kind: cell.kind,
                    channels: (cell.kind != CellKind::Normal).then_some(cell.channels),
                    operators: Some(listed(cell)).filter(|own| common.as_ref() != Some(own)),
                    skip: (cell.kind == CellKind::Normal && !cell.may_be_empty).then_some(false),
                })
                .collect(),
            operators: common,
            tail: TailDocument { channels: chain.tail.cout, norm: chain.tail.norm, hidden: chain.hidden },
            squeeze_excitation: chain.details.excitation,
            activation: chain.details.activation,
            binary: self.binary(),
        }
    }

    pub(super) fn from_document(document: &SpaceDocument) -> Result<Space> {
        let input = document.input.read()?;
        within("/classes", document.classes, 2..=1_000_000)?;
        within("/stem/channels", document.stem.channels, 1..=65_536)?;
        within("/stem/stride", document.stem.stride, 1..=4)?;
        within("/tail/channels", document.tail.channels, 1..=65_536)?;
        within("/cells", document.cells.len() as u32, 1..=1000)?;
        document.tail.hidden.map_or(Ok(()), |hidden| within("/tail/hidden", hidden, 1..=65_536))?;
        let StemDocument { channels, stride, kernel, block } = document.stem;
        odd("/stem/kernel", kernel)?;
        let stem = Convolution::kernel("stem", input.channels, channels, [kernel, kernel]).stride([stride, stride]);
        let block = block.map_or(Ok(Vec::new()), |block| block.read(channels))?;
        let details = Details { activation: document.activation, excitation: document.squeeze_excitation };
        if let Some(Excitation { reduction, divisor, .. }) = details.excitation {
            within("/squeeze_excitation/reduction", reduction, 1..=1024)?;
            within("/squeeze_excitation/divisor", divisor.unwrap_or(1), 1..=1024)?;
        }
        let [height, width] = stem.output(input.size());
        let mut flowing = Shape { channels: block.last().map_or(stem.cout, |last| last.cout), height, width };
        let mut cells = Vec::with_capacity(document.cells.len());
        for (i, cell) in document.cells.iter().enumerate() {
            let mut cell = read_cell(&format!("/cells/{i}"), cell, document.operators.as_ref(), flowing)?;
            cell.operators.iter_mut().for_each(|operator| operator.binary = document.binary);
            cells.push(cell);
            flowing = cells[i].output();
        }
        let tail = Convolution::pointwise("tail", flowing.channels, document.tail.channels);
        let tail = if document.tail.norm { tail } else { tail.without_norm() };
        let body = Body::Chain(Chain { stem, block, tail, hidden: document.tail.hidden, details });
        Ok(Space { name: document.name.clone(), input, classes: document.classes, cells, body })
    }
}

impl BlockDocument {
    /// Behind a stem of `stem` channels.
    fn read(self, stem: u32) -> Result<Vec<Convolution>> {
        within("/stem/block/channels", self.channels, 1..=65_536)?;
        odd("/stem/block/kernel", self.kernel)?;
        let depthwise = Convolution::square("depthwise", stem, self.kernel, 1).groups(stem);
        Ok(vec![depthwise, Convolution::pointwise("project", stem, self.channels).linear()])
    }
}

/// That this can be the side of a kernel.
fn odd(pointer: &str, kernel: u32) -> Result<()> {
    within(pointer, kernel, 1..=31)?;
    match kernel % 2 {
        0 => Err(json::out_of_range(DOCUMENT, pointer, format!("{kernel} is even"))),
        _ => Ok(()),
    }
}

fn read_cell(at: &str, cell: &CellDocument, shared: Option<&Operators>, input: Shape) -> Result<Cell> {
    let wrong = |key: &str, reason: String| json::out_of_range(DOCUMENT, format!("{at}{key}"), reason);
    let channels = match (cell.kind, cell.channels) {
        (CellKind::Normal, None) => input.channels,
        (CellKind::Normal, Some(_)) => return Err(wrong("/channels", "a normal cell keeps its channels".into())),
        (_, Some(channels)) => channels,
        (kind, None) => return Err(wrong("", format!("{kind} needs \"channels\""))),
    };
    within(&format!("{at}/channels"), channels, 1..=65_536)?;
    let (operators, listed) = match (&cell.operators, shared) {
        (Some(own), _) => (own, format!("{at}/operators")),
        (None, Some(shared)) => (shared, "/operators".into()),
        (None, None) => return Err(wrong("", "no \"operators\" here and none for the whole space".into())),
    };
    let operators = operators.resolve(&listed)?;
    let may_be_empty = match (cell.kind, cell.skip) {
        (CellKind::Normal, skip) => skip.unwrap_or(true),
        (_, None | Some(false)) => false,
        (kind, Some(true)) => return Err(wrong("/skip", format!("{kind} cannot be skipped"))),
    };
    match operators.iter().find_map(|o| o.misfit(input.channels, channels)) {
        Some(reason) => Err(json::out_of_range(DOCUMENT, listed, format!("{at}: {reason}"))),
        None => {
            let stride = if cell.kind == CellKind::Reduce { 2 } else { 1 };
            Ok(Cell { kind: cell.kind, input, channels, stride, operators, may_be_empty })
        }
    }
}

pub(super) fn within(pointer: &str, value: u32, range: std::ops::RangeInclusive<u32>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let reason = format!("{value} is not in {} to {}", range.start(), range.end());
    Err(Error::Config { document: DOCUMENT, pointer: pointer.into(), reason })
}
