//! The JSON form of a space of stacked cells.

use super::{Plan, Skeleton, Stack};
use crate::error::{Error, Result};
use crate::json;
use crate::space::json::{within, ShapeDocument, DOCUMENT};
use crate::space::{Binary, Body, Cell, CellKind, Operator, Space};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::space) struct StackSpaceDocument {
    pub name: String,
    pub input: ShapeDocument,
    pub classes: u32,
    pub stack: StackDocument,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::space) struct StackDocument {
    pub skeleton: Skeleton,
    pub channels: u32,
    pub cells: u32,
    pub nodes: u32,
    pub operators: CellOperators,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// Of operators, and of the 1x1 convolutions in front of them: what their weights are made into. Stem, classifier and what
    /// halves the size in front of a cell are real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<Binary>,
    /// Channels of the first convolution, of `pnas-imagenet` only; default: a third of `channels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stem: Option<u32>,
}

/// A published pool by name, or names of operators; "none" among them: an edge may be empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected the name of a published pool or a list of operator names")]
pub(in crate::space) enum CellOperators {
    Published(String),
    Listed(Vec<String>),
}

/// The operators of a published space of cells.
pub struct CellPool {
    pub name: &'static str,
    pub description: &'static str,
    pub operators: &'static [&'static str],
}

/// No operator.
const NONE: &str = "none";

pub static CELL_POOLS: [CellPool; 3] = [
    CellPool {
        name: "darts",
        description: "none, pools, skip, separable and dilated convolutions",
        operators: &[
            NONE,
            "max_pool_3x3",
            "avg_pool_3x3",
            "skip_connect",
            "sep_conv_3x3",
            "sep_conv_5x5",
            "dil_conv_3x3",
            "dil_conv_5x5",
        ],
    },
    CellPool {
        name: "nas-bench-201",
        description: "none, skip, two dense convolutions, average pool",
        operators: &[NONE, "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"],
    },
    CellPool {
        name: "pnas",
        description: "identity, pools, separable and dilated convolutions, a dense 1x7 and 7x1",
        operators: &[
            "identity",
            "sep_conv_3x3",
            "sep_conv_5x5",
            "sep_conv_7x7",
            "conv_7x1_1x7",
            "avg_pool_3x3",
            "max_pool_3x3",
            "dil_conv_3x3",
        ],
    },
];

/// What may stand on an edge.
struct Candidates {
    operators: Vec<Operator>,
    may_be_empty: bool,
}

impl CellOperators {
    fn resolve(&self, at: &str) -> Result<Candidates> {
        let wrong = |at: String, reason: String| json::out_of_range(DOCUMENT, at, reason);
        let names: Vec<&str> = match self {
            CellOperators::Published(name) => {
                let pool = CELL_POOLS.iter().find(|pool| pool.name == name).ok_or_else(|| {
                    let known: Vec<_> = CELL_POOLS.iter().map(|pool| pool.name).collect();
                    wrong(at.into(), format!("{name:?} is not a published pool of stacked cells; there are {}", known.join(", ")))
                })?;
                pool.operators.to_vec()
            }
            CellOperators::Listed(names) => names.iter().map(String::as_str).collect(),
        };
        let mut operators = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let at = format!("{at}/{i}");
            if names[..i].contains(name) {
                return Err(wrong(at, format!("{name} is listed twice")));
            }
            if *name == NONE {
                continue;
            }
            let operator: Operator = name.parse().map_err(|reason| wrong(at.clone(), reason))?;
            if operator.from.is_some() {
                return Err(wrong(at, format!("{name}: of which node is what an architecture says, not a space")));
            }
            if !operator.is_edge() {
                return Err(wrong(at, format!("{name} is an operator of a chain; on an edge there are those like sep_conv_3x3")));
            }
            operators.push(operator);
        }
        match operators.is_empty() {
            true => Err(wrong(at.into(), "no operator".into())),
            false => Ok(Candidates { may_be_empty: operators.len() < names.len(), operators }),
        }
    }
}

impl Space {
    pub(in crate::space) fn from_stack(document: &StackSpaceDocument) -> Result<Space> {
        let StackSpaceDocument { name, input, classes, stack } = document;
        let input = input.read()?;
        within("/classes", *classes, 2..=1_000_000)?;
        let StackDocument { skeleton, channels, cells, nodes, shared, binary, .. } = *stack;
        let wrong = |at: &str, reason: &str| Err(json::out_of_range(DOCUMENT, at, reason));
        let inside = skeleton == Skeleton::PnasImageNet;
        // The first cells of that one have a quarter of them.
        within("/stack/channels", channels, if inside { 8 } else { 2 }..=4096)?;
        // Below three, a cell at a third and one at two thirds would be all there is.
        within("/stack/cells", cells, if skeleton == Skeleton::NasBench201 { 1 } else { 3 }..=100)?;
        within("/stack/nodes", nodes, 1..=12)?;
        if shared && skeleton.alike() {
            return wrong("/stack/shared", "this skeleton has one kind of cells anyway");
        }
        if inside && input.height.min(input.width) < 3 {
            return wrong("/input", "a convolution of 3x3 does not fit inside");
        }
        let stem = match (stack.stem, skeleton) {
            (None, Skeleton::DartsCifar) => 3 * channels,
            (None, Skeleton::PnasImageNet) => channels.div_ceil(3),
            (None, _) => channels,
            (Some(stem), Skeleton::PnasImageNet) => stem,
            (Some(_), _) => return wrong("/stack/stem", "only pnas-imagenet has a first convolution of any width"),
        };
        within("/stack/stem", stem, 1..=65_536)?;
        let Candidates { mut operators, may_be_empty } = stack.operators.resolve("/stack/operators")?;
        operators.iter_mut().for_each(|operator| operator.binary = binary);
        if may_be_empty && skeleton.blocks() {
            return wrong("/stack/operators", "none: a block has an operator on each side");
        }
        let count = operators.len() as u32;
        let stack = Stack::new(Plan { skeleton, channels, cells, nodes, operators: count, stem, shared, binary }, input);
        let cell = |(i, edge): (usize, &super::Edge)| {
            let first = stack.repetitions(i).next();
            let (stride, input) =
                first.map_or((1, input), |cell| edge.from.map_or((cell.gets(0).0, cell.input), |from| cell.gets(from)));
            let operators = stack.candidates(edge, &operators);
            Cell { kind: CellKind::Edge, input, stride, channels: input.channels, operators, may_be_empty }
        };
        let cells = stack.edges().iter().enumerate().map(cell).collect();
        Ok(Space { name: name.clone(), input, classes: *classes, cells, body: Body::Stack(stack) })
    }

    /// The same with so many nodes in a cell, where cells are stacked.
    pub fn of_nodes(&self, nodes: u32) -> Space {
        let smaller = self.stack().map(|stack| {
            let mut document = self.stack_document(stack);
            document.stack.nodes = nodes;
            Self::from_stack(&document)
        });
        // What is right with some nodes is with fewer.
        smaller.and_then(Result::ok).unwrap_or_else(|| self.clone())
    }

    /// The same for a supernet in which one channel of `parts` goes through the operators of an edge, and the others pass by (PC-DARTS, Xu et al.,
    /// ICLR 2020): the same edges and operators, and narrower weights.
    pub fn sampled(&self, parts: u32) -> Result<Space> {
        let wrong = |reason: String| Err(Error::Argument { name: "channel_sampling", reason });
        let mut sampled = self.clone();
        let Body::Stack(stack) = &mut sampled.body else {
            return wrong(format!("the cells of the space {:?} are a chain, not stacked", self.name));
        };
        let Plan { skeleton, channels, .. } = stack.plan;
        if skeleton.blocks() || !skeleton.concatenates() {
            return wrong(format!("the cells of the space {:?} are not those of DARTS", self.name));
        }
        if parts == 0 || channels % parts != 0 {
            return wrong(format!("{channels} channels do not divide into {parts}"));
        }
        for layer in &mut stack.layers {
            if let super::Layer::Cell(cell) = layer {
                cell.sampling = parts;
            }
        }
        Ok(sampled)
    }

    pub(in crate::space) fn stack_document(&self, stack: &Stack) -> StackSpaceDocument {
        let Plan { skeleton, channels, cells, nodes, operators, stem, shared, binary } = stack.plan;
        let none = self.cells.first().filter(|cell| cell.may_be_empty).map(|_| NONE.to_owned());
        let first = self.cells.first().map_or(&[][..], |cell| &cell.operators).iter().take(operators as usize);
        let named = first.map(|operator| operator.from(None).to_string());
        let operators = CellOperators::Listed(none.into_iter().chain(named).collect());
        let stem = (skeleton == Skeleton::PnasImageNet).then_some(stem);
        StackSpaceDocument {
            name: self.name.clone(),
            input: ShapeDocument::of(self.input),
            classes: self.classes,
            stack: StackDocument { skeleton, channels, cells, nodes, operators, shared, binary, stem },
        }
    }
}
