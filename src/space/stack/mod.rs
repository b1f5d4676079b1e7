//! Stacked cells: a cell is a small graph whose edges carry operators; it is searched once for each kind of cell and repeated through the
//! network. Where operators compete, the space has an edge, not a place in the network: one choice for all repetitions.

mod build;
mod document;
mod preset;

pub(super) use document::StackSpaceDocument;
pub use document::{CellPool, CELL_POOLS};
pub(super) use preset::{preset, presets};

use super::step::output;
use super::{Binary, Operator, Shape, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// How cells are joined to a network, as in published code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Skeleton {
    /// A 3x3 convolution to three times the channels; cells that read the two before them, of which those at a third and at two thirds
    /// halve the size and double the channels; a cell gives all its nodes, one behind the other.
    #[serde(rename = "darts-cifar")]
    DartsCifar,
    /// The same behind three convolutions of stride 2.
    #[serde(rename = "darts-imagenet")]
    DartsImageNet,
    /// A 3x3 convolution; three stages of cells that read the one before them and give their last node, with a residual block of stride 2
    /// and twice the channels between two stages; batch-norm and an activation at the end.
    #[serde(rename = "nas-bench-201")]
    NasBench201,
    /// A 3x3 convolution; cells as in `darts-cifar`, of one kind, made of blocks; an activation at the end.
    #[serde(rename = "pnas-cifar")]
    PnasCifar,
    /// The same behind a 3x3 convolution of stride 2 that stays inside the image, and two more cells that halve the size, of a quarter and of
    /// half the channels.
    #[serde(rename = "pnas-imagenet")]
    PnasImageNet,
}

impl Skeleton {
    /// Cells before it that a cell reads: the first nodes of its graph.
    pub fn inputs(self) -> u32 {
        match self {
            Skeleton::NasBench201 => 1,
            Skeleton::DartsCifar | Skeleton::DartsImageNet | Skeleton::PnasCifar | Skeleton::PnasImageNet => 2,
        }
    }

    /// Whether a node is a block: the sum of two operators, each of any node before it. Else every node has an edge from every one before.
    pub fn blocks(self) -> bool {
        matches!(self, Skeleton::PnasCifar | Skeleton::PnasImageNet)
    }

    /// Whether all cells are of one kind, whatever is wanted.
    pub fn alike(self) -> bool {
        !matches!(self, Skeleton::DartsCifar | Skeleton::DartsImageNet)
    }

    /// Whether a cell gives all its own nodes, one behind the other, or the last one.
    pub fn concatenates(self) -> bool {
        self != Skeleton::NasBench201
    }
}

/// The numbers that a stack is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub skeleton: Skeleton,
    /// Of the first cells.
    pub channels: u32,
    /// In the whole network; of NAS-Bench-201's skeleton in each stage.
    pub cells: u32,
    /// Of a cell, without those that it reads.
    pub nodes: u32,
    /// Operators to choose from.
    pub operators: u32,
    /// Channels of the first convolution, where they are not those of the first cells.
    pub stem: u32,
    /// Whether the cells that halve the size are the same as the others (as in ABS).
    pub shared: bool,
    /// What the weights of the cells are made into, but of what halves the size in front of one.
    pub binary: Option<Binary>,
}

/// A kind of cell: one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graph {
    pub name: &'static str,
    /// Index of its first edge.
    pub first: usize,
}

/// An edge of a graph, to a node. Nodes count from 0, those that are read from outside first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub graph: usize,
    /// None: a side of a block, whose operators say which node they get.
    pub from: Option<u32>,
    pub to: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    Cell(Repetition),
    /// The sum of a chain and of what stands in for its input.
    Residual {
        input: Shape,
        chain: Vec<Step>,
        shortcut: Vec<Step>,
    },
}

/// A cell in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repetition {
    pub graph: usize,
    /// What happens to each of the cells that it reads, the earlier one first, and their shapes.
    pub before: Vec<(Vec<Step>, Shape)>,
    /// Of its first nodes, but those that are read as they are.
    pub input: Shape,
    /// Whether edges from outside have stride 2.
    pub halves: bool,
    pub output: Shape,
    /// One channel of so many goes through the operators, see [`super::Space::sampled`].
    pub sampling: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    plan: Plan,
    graphs: Vec<Graph>,
    edges: Vec<Edge>,
    /// In front of the cells, each part behind the other. The first cells read the last two, or one twice.
    stem: Vec<Vec<Step>>,
    layers: Vec<Layer>,
    tail: Vec<Step>,
    input: Shape,
    features: Shape,
}

impl Repetition {
    /// Stride of an operator that gets node `from`, and the shape of that node.
    pub fn gets(&self, from: u32) -> (u32, Shape) {
        match self.before.get(from as usize) {
            Some((steps, shape)) => (if self.halves { 2 } else { 1 }, if steps.is_empty() { *shape } else { self.input }),
            None => (1, self.node()),
        }
    }

    /// What an operator that gets node `from` does, and the shape that it gets.
    pub fn work(&self, from: u32, operator: &Operator) -> (Vec<Step>, Shape) {
        let (stride, input) = self.gets(from);
        let sampled = |channels| channels / self.sampling;
        let steps = operator.steps([input.channels, self.input.channels].map(sampled), stride);
        (steps, Shape { channels: sampled(input.channels), ..input })
    }

    /// Of its own nodes.
    pub fn node(&self) -> Shape {
        Shape { channels: self.input.channels, ..self.output }
    }
}

impl Stack {
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The kinds of cells.
    pub fn graphs(&self) -> &[Graph] {
        &self.graphs
    }

    /// Of all graphs, in the order of [`super::Space::cells`]: graph by graph, node by node, by where they come from.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Index of an edge between two nodes.
    pub fn find(&self, graph: usize, from: u32, to: u32) -> Option<usize> {
        self.edges.iter().position(|edge| *edge == Edge { graph, from: Some(from), to })
    }

    /// The nodes of a graph that have edges, in their order: the indices of these.
    pub fn nodes(&self, graph: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut first = self.graphs[graph].first;
        self.edges[first..].chunk_by(|a, b| (a.graph, a.to) == (b.graph, b.to)).map_while(move |edges| {
            let node = first..first + edges.len();
            first = node.end;
            (edges[0].graph == graph).then_some(node)
        })
    }

    /// The node that an operator of an edge gets.
    pub fn from(&self, edge: usize, operator: u16) -> u32 {
        self.edges[edge].from.unwrap_or(u32::from(operator) / self.plan.operators)
    }

    /// What may stand on an edge, if these are the operators to choose from.
    pub(super) fn candidates(&self, edge: &Edge, operators: &[Operator]) -> Vec<Operator> {
        match edge.from {
            Some(_) => operators.to_vec(),
            None => (0..edge.to).flat_map(|from| operators.iter().map(move |operator| operator.from(Some(from)))).collect(),
        }
    }

    /// "a" or "b", which side of a block this is; nothing of other edges.
    fn side(&self, edge: usize) -> &'static str {
        match self.edges[edge] {
            Edge { from: Some(_), .. } => "",
            Edge { graph, .. } => ["a", "b"][(edge - self.graphs[graph].first) % 2],
        }
    }

    /// "normal 0->2", "cell 2a": for people.
    pub fn label(&self, edge: usize) -> String {
        let Edge { graph, from, to } = self.edges[edge];
        let from = from.map_or(String::new(), |from| format!("{from}->"));
        format!("{} {from}{to}{}", self.graphs[graph].name, self.side(edge))
    }

    /// "edge0_2.sep_conv_3x3", "edge0_2a.sep_conv_3x3": what the weights of an operator are called.
    pub fn path(&self, edge: usize, index: u16, operator: &Operator) -> String {
        let (from, to) = (self.from(edge, index), self.edges[edge].to);
        format!("edge{from}_{to}{}.{}", self.side(edge), operator.from(None))
    }

    pub fn stem(&self) -> &[Vec<Step>] {
        &self.stem
    }

    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Behind the cells, in front of average pooling and classifier.
    pub fn tail(&self) -> &[Step] {
        &self.tail
    }

    /// What the average pooling is given.
    pub fn features(&self) -> Shape {
        self.features
    }

    /// `open` without the edges that lead to nothing which a cell gives: they are there and cost, but nothing depends on them.
    pub fn alive(&self, open: &[Vec<u16>]) -> Vec<Vec<u16>> {
        let last = self.plan.skeleton.inputs() + self.plan.nodes - 1;
        let mut alive = open.to_vec();
        for graph in 0..self.graphs.len() {
            let mut used = vec![self.plan.skeleton.concatenates(); last as usize + 1];
            used[last as usize] = true;
            // Later nodes first: an edge goes on to them only.
            for (i, edge) in self.edges.iter().enumerate().rev().filter(|(_, edge)| edge.graph == graph) {
                match used[edge.to as usize] {
                    true => alive[i].iter().for_each(|operator| used[self.from(i, *operator) as usize] = true),
                    false => alive[i].clear(),
                }
            }
        }
        alive
    }

    /// For every edge, and the nodes that its operators get, the paths from what a cell reads to its last node that it is part of. An edge is
    /// on a path as a whole: several operators of one node do not make several paths.
    pub fn paths(&self, open: &[Vec<u16>]) -> Vec<BTreeMap<u32, f64>> {
        let inputs = self.plan.skeleton.inputs() as usize;
        let nodes = inputs + self.plan.nodes as usize;
        let froms = |(i, operators): (usize, &Vec<u16>)| operators.iter().map(|o| (self.from(i, *o), 0.0)).collect();
        let mut paths: Vec<BTreeMap<u32, f64>> = open.iter().enumerate().map(froms).collect();
        for graph in 0..self.graphs.len() {
            let steps = |(i, from): (usize, &BTreeMap<u32, f64>)| {
                from.keys().map(|from| (*from as usize, self.edges[i].to as usize)).collect::<Vec<_>>()
            };
            let own = paths.iter().enumerate().filter(|(i, _)| self.edges[*i].graph == graph);
            let own: Vec<(usize, usize)> = own.flat_map(steps).collect();
            let (mut to, mut on) = (vec![0.0; nodes], vec![0.0; nodes]);
            to[..inputs].fill(1.0);
            on[nodes - 1] = 1.0;
            own.iter().for_each(|step| to[step.1] += to[step.0]);
            own.iter().rev().for_each(|step| on[step.0] += on[step.1]);
            for (edge, paths) in self.edges.iter().zip(&mut paths).filter(|(edge, _)| edge.graph == graph) {
                paths.iter_mut().for_each(|(from, paths)| *paths = to[*from as usize] * on[edge.to as usize]);
            }
        }
        paths
    }

    /// The cells of the network that an edge is part of.
    pub fn repetitions(&self, edge: usize) -> impl Iterator<Item = &Repetition> + '_ {
        let graph = self.edges[edge].graph;
        self.layers.iter().filter_map(move |layer| match layer {
            Layer::Cell(cell) if cell.graph == graph => Some(cell),
            _ => None,
        })
    }

    /// What an operator of an edge does in each of those cells, and the shape that it gets there.
    pub fn work(&self, edge: usize, index: u16, operator: &Operator) -> Vec<(Vec<Step>, Shape)> {
        let from = self.from(edge, index);
        self.repetitions(edge).map(|cell| cell.work(from, operator)).collect()
    }

    /// What every network has, whatever is chosen: chains of steps, and the shape that each gets.
    pub fn fixed(&self) -> Vec<(&[Step], Shape)> {
        let mut shape = self.input;
        let mut fixed = Vec::new();
        for part in &self.stem {
            fixed.push((part.as_slice(), shape));
            shape = output(part, shape);
        }
        for layer in &self.layers {
            match layer {
                Layer::Cell(cell) => fixed.extend(cell.before.iter().map(|(steps, shape)| (steps.as_slice(), *shape))),
                Layer::Residual { input, chain, shortcut } => {
                    fixed.extend([(chain.as_slice(), *input), (shortcut.as_slice(), *input)])
                }
            }
        }
        fixed.push((self.tail.as_slice(), self.features));
        fixed
    }
}
