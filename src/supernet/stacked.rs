//! The weights of stacked cells, and the pass through them. An operator of an edge has weights of its own in every cell that the edge is part
//! of. Names are those of `export`'s graph.

use super::mixed::Mix;
use super::norm::Norm;
use super::partial;
use super::step::Chain;
use super::unit::Init;
use crate::error::Result;
use crate::space::stack::{Layer as Plan, Repetition};
use crate::space::{Activation, Space, Stack};
use std::collections::BTreeMap;
use tch::Tensor;

pub struct Stacked {
    stem: Vec<Chain>,
    layers: Vec<Layer>,
    tail: Chain,
}

enum Layer {
    /// Per edge of the space, which may be of another kind of cells, the operators that have weights.
    Cell {
        before: Vec<Chain>,
        edges: Vec<BTreeMap<u16, Chain>>,
    },
    Residual {
        chain: Chain,
        shortcut: Chain,
    },
}

/// Whose weights a chain has.
#[derive(Clone, Copy)]
pub enum Owner {
    /// Every network's.
    All,
    /// This operator's of this edge.
    Edge(usize, u16),
}

/// Stream indices: those of an operator are layer + 1 << 40 | edge << 16 | operator, of other parts 1 << 36 | number.
const FIXED: u64 = 1 << 36;

/// What a stand-alone training does with the output of an operator that is not the identity: where it is from 0 to 1, and the output.
pub type Dropping<'a> = &'a mut dyn FnMut(f64, Tensor) -> Result<Tensor>;

impl Stacked {
    pub fn new(
        space: &Space,
        stack: &Stack,
        operators: &[Vec<u16>],
        activation: Activation,
        init: &dyn Fn(u64) -> Init,
    ) -> Result<Self> {
        let mut number = FIXED;
        let mut fixed = |steps| {
            number += 1;
            Chain::new(steps, activation, &mut init(number))
        };
        let stem = stack.stem().iter().map(|part| fixed(part)).collect::<Result<_>>()?;
        let tail = fixed(stack.tail())?;
        let mut layers = Vec::with_capacity(stack.layers().len());
        for (index, layer) in stack.layers().iter().enumerate() {
            layers.push(match layer {
                Plan::Residual { chain, shortcut, .. } => Layer::Residual { chain: fixed(chain)?, shortcut: fixed(shortcut)? },
                Plan::Cell(cell) => {
                    let before = cell.before.iter().map(|(steps, _)| fixed(steps)).collect::<Result<_>>()?;
                    let chain = |place: usize, operator: u16| {
                        let candidate = &space.cells()[place].operators[usize::from(operator)];
                        let (steps, _) = cell.work(stack.from(place, operator), candidate);
                        let part = (index as u64 + 1) << 40 | (place as u64) << 16 | u64::from(operator);
                        Ok((operator, Chain::new(&steps, activation, &mut init(part))?))
                    };
                    let edge = |(place, operators): (usize, &Vec<u16>)| match stack.edges()[place].graph == cell.graph {
                        true => operators.iter().map(|operator| chain(place, *operator)).collect(),
                        false => Ok(BTreeMap::new()),
                    };
                    Layer::Cell { before, edges: operators.iter().enumerate().map(edge).collect::<Result<_>>()? }
                }
            });
        }
        Ok(Stacked { stem, layers, tail })
    }

    /// Weights are real from now on.
    pub fn real(&mut self) {
        for layer in &mut self.layers {
            match layer {
                Layer::Cell { before, edges } => {
                    let operators = edges.iter_mut().flat_map(BTreeMap::values_mut);
                    before.iter_mut().chain(operators).for_each(Chain::real);
                }
                Layer::Residual { chain, shortcut } => [chain, shortcut].into_iter().for_each(Chain::real),
            }
        }
    }

    /// What the average pooling is given. `mix`: the operators that are open have these shares.
    pub fn features(
        &self,
        stack: &Stack,
        images: &Tensor,
        open: &[Vec<u16>],
        norm: &Norm,
        mut drop: Option<Dropping>,
        mix: Option<&Mix>,
    ) -> Result<Tensor> {
        let open = stack.alive(open);
        let mut outputs = vec![images.shallow_clone()];
        for part in &self.stem {
            outputs.push(part.forward(&outputs[outputs.len() - 1], norm)?);
        }
        if self.stem.len() < 2 {
            // The first cells read it twice.
            outputs[0] = outputs[1].shallow_clone();
        }
        for (index, (layer, plan)) in self.layers.iter().zip(stack.layers()).enumerate() {
            let depth = (index + 1) as f64 / self.layers.len() as f64;
            let y = match (layer, plan) {
                (Layer::Cell { before, edges }, Plan::Cell(cell)) => {
                    let from = &outputs[outputs.len() - before.len()..];
                    let mut nodes = Vec::with_capacity(before.len());
                    for (chain, x) in before.iter().zip(from) {
                        nodes.push(chain.forward(x, norm)?);
                    }
                    let mut branch = |chain: &Chain, x: &Tensor| match (chain.forward(x, norm)?, &mut drop) {
                        (y, Some(drop)) if !chain.is_identity() => drop(depth, y),
                        (y, _) => Ok(y),
                    };
                    let mut shared = |edge: usize, operator: u16, x: &Tensor| {
                        let y = branch(&edges[edge][&operator], x)?;
                        match mix {
                            Some(mix) => mix.cell(edge)?.of(operator, &y),
                            None => Ok(y),
                        }
                    };
                    self::cell(stack, cell, nodes, &open, mix, &mut shared)?
                }
                (Layer::Residual { chain, shortcut }, _) => {
                    let x = &outputs[outputs.len() - 1];
                    let y = chain.forward(x, norm)?;
                    shortcut.forward(x, norm)?.f_add(&y)?
                }
                (Layer::Cell { .. }, Plan::Residual { .. }) => continue,
            };
            outputs.push(y);
            // Cells read two at most.
            let read = outputs.len() - 2;
            outputs.drain(..read);
        }
        self.tail.forward(&outputs[outputs.len() - 1], norm)
    }

    /// Every chain that a pass with these operators goes through, in its order, with its name.
    pub fn chains(&self, space: &Space, stack: &Stack, open: &[Vec<u16>]) -> Vec<(String, Owner, &Chain)> {
        let open = stack.alive(open);
        let mut chains: Vec<_> = self.stem.iter().enumerate().map(|(i, part)| (format!("stem{i}"), Owner::All, part)).collect();
        for (i, layer) in self.layers.iter().enumerate() {
            match layer {
                Layer::Residual { chain, shortcut } => {
                    chains.push((format!("block{i}"), Owner::All, chain));
                    chains.push((format!("block{i}.shortcut"), Owner::All, shortcut));
                }
                Layer::Cell { before, edges } => {
                    let before = before.iter().enumerate();
                    chains.extend(before.map(|(number, chain)| (format!("cell{i}.before{number}"), Owner::All, chain)));
                    for (place, operators) in edges.iter().enumerate() {
                        chains.extend(open[place].iter().filter_map(|o| Some((o, operators.get(o)?))).map(|(o, chain)| {
                            let path = stack.path(place, *o, &space.cells()[place].operators[usize::from(*o)]);
                            (format!("cell{i}.{path}"), Owner::Edge(place, *o), chain)
                        }));
                    }
                }
            }
        }
        chains.push(("tail".into(), Owner::All, &self.tail));
        chains
    }

    /// Forgets all operators but these.
    pub fn keep(&mut self, operators: &[Vec<u16>]) {
        for layer in &mut self.layers {
            if let Layer::Cell { edges, .. } = layer {
                edges.iter_mut().zip(operators).for_each(|(edge, operators)| edge.retain(|o, _| operators.contains(o)));
            }
        }
    }

    /// The operators of every edge that have weights.
    pub fn operators(&self) -> Vec<Vec<u16>> {
        let mut all: Vec<Vec<u16>> = Vec::new();
        for layer in &self.layers {
            if let Layer::Cell { edges, .. } = layer {
                all.resize(edges.len(), Vec::new());
                let found = all.iter_mut().zip(edges).filter(|(_, edge)| !edge.is_empty());
                found.for_each(|(operators, edge)| *operators = edge.keys().copied().collect());
            }
        }
        all
    }
}

fn add(sum: &mut Option<Tensor>, y: Tensor) -> Result<()> {
    *sum = Some(match sum.take() {
        Some(sum) => sum.f_add(&y)?,
        None => y,
    });
    Ok(())
}

/// From what a cell reads to what it gives.
fn cell(
    stack: &Stack,
    cell: &Repetition,
    mut nodes: Vec<Tensor>,
    open: &[Vec<u16>],
    mix: Option<&Mix>,
    branch: &mut dyn FnMut(usize, u16, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let inputs = nodes.len();
    let over = |edge: usize, y: Tensor| match mix {
        Some(mix) => mix.cell(edge)?.over(y),
        None => Ok(y),
    };
    for node in stack.nodes(cell.graph) {
        let mut sum: Option<Tensor> = None;
        for place in node {
            let Some(from) = stack.edges()[place].from.filter(|_| cell.sampling > 1) else {
                for operator in &open[place] {
                    add(&mut sum, over(place, branch(place, *operator, &nodes[stack.from(place, *operator) as usize])?)?)?;
                }
                continue;
            };
            let (own, rest) = partial::split(&nodes[from as usize], cell.sampling)?;
            let mut through = None;
            for operator in &open[place] {
                add(&mut through, branch(place, *operator, &own)?)?;
            }
            add(&mut sum, over(place, partial::join(through, &own, &rest, cell.sampling, cell.gets(from).0)?)?)?;
        }
        let nothing = || -> Result<Tensor> {
            let (stride, shape) = (if cell.halves { 2 } else { 1 }, &nodes[0]);
            Ok(shape.f_slice(2, None, None, stride)?.f_slice(3, None, None, stride)?.f_detach()?.f_zeros_like()?)
        };
        nodes.push(sum.map_or_else(nothing, Ok)?);
    }
    match stack.plan().skeleton.concatenates() && nodes.len() - inputs > 1 {
        true => Ok(Tensor::f_cat(&nodes[inputs..], 1)?),
        false => Ok(nodes[nodes.len() - 1].shallow_clone()),
    }
}
