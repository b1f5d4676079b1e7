//! Stacked cells: a cell is a small graph whose edges carry operators; it is searched once for each kind of cell and repeated through the
//! network. Where operators compete, the space has an edge, not a place in the network: one choice for all repetitions.

mod build;
mod document;
mod preset;

pub(super) use document::StackSpaceDocument;
pub use document::{CellPool, CELL_POOLS};
pub(super) use preset::{preset, presets};

use super::step::output;
use super::{Operator, Shape, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

impl Skeleton {
    /// Cells before it that a cell reads: the first nodes of its graph.
    pub fn inputs(self) -> u32 {
        match self {
            Skeleton::DartsCifar | Skeleton::DartsImageNet => 2,
            Skeleton::NasBench201 => 1,
        }
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
    /// Of a cell, without those that it reads. Every node has an edge from every one before it.
    pub nodes: u32,
    /// Whether the cells that halve the size are the same as the others (as in ABS).
    pub shared: bool,
}

/// A kind of cell: one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graph {
    pub name: &'static str,
    /// Index of its first edge.
    pub first: usize,
}

/// An edge of a graph, from node to node. Nodes count from 0, those that are read from outside first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub graph: usize,
    pub from: u32,
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
    /// Of its first nodes.
    pub input: Shape,
    /// Whether edges from outside have stride 2.
    pub halves: bool,
    pub output: Shape,
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
    /// Stride of an edge and the shape that it gets.
    pub fn edge(&self, edge: &Edge) -> (u32, Shape) {
        let outside = edge.from < self.before.len() as u32;
        match self.halves {
            true if outside => (2, self.input),
            true => (1, Shape { channels: self.input.channels, ..self.output }),
            false => (1, self.input),
        }
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

    /// Index of an edge.
    pub fn find(&self, graph: usize, from: u32, to: u32) -> Option<usize> {
        self.edges.iter().position(|edge| *edge == Edge { graph, from, to })
    }

    /// "normal 0->2": for people.
    pub fn label(&self, edge: usize) -> String {
        let Edge { graph, from, to } = self.edges[edge];
        format!("{} {from}->{to}", self.graphs[graph].name)
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
                    true => used[edge.from as usize] |= !alive[i].is_empty(),
                    false => alive[i].clear(),
                }
            }
        }
        alive
    }

    /// For every edge, the paths over edges that are not empty, from what a cell reads to its last node, that it is part of.
    pub fn paths(&self, open: &[Vec<u16>]) -> Vec<f64> {
        let inputs = self.plan.skeleton.inputs() as usize;
        let nodes = inputs + self.plan.nodes as usize;
        let mut paths = vec![0.0; self.edges.len()];
        for graph in 0..self.graphs.len() {
            let own = || self.edges.iter().enumerate().filter(move |(i, edge)| edge.graph == graph && !open[*i].is_empty());
            let (mut to, mut on) = (vec![0.0; nodes], vec![0.0; nodes]);
            to[..inputs].fill(1.0);
            on[nodes - 1] = 1.0;
            own().for_each(|(_, edge)| to[edge.to as usize] += to[edge.from as usize]);
            let backwards: Vec<_> = own().collect();
            backwards.iter().rev().for_each(|(_, edge)| on[edge.from as usize] += on[edge.to as usize]);
            own().for_each(|(i, edge)| paths[i] = to[edge.from as usize] * on[edge.to as usize]);
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
    pub fn work(&self, edge: usize, operator: &Operator) -> Vec<(Vec<Step>, Shape)> {
        let work = |cell: &Repetition| {
            let (stride, input) = cell.edge(&self.edges[edge]);
            (operator.steps(input.channels, stride), input)
        };
        self.repetitions(edge).map(work).collect()
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
