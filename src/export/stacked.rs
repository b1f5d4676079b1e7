//! Stacked cells as layers. Names of weights: "stem0.conv.weight", "cell3.before0.conv.weight", "cell3.edge0_2.sep_conv_3x3.depthwise1.weight",
//! "block5.conv1.weight", "tail.bn.weight"; cells and blocks count together, from 0.

use super::graph::{Builder, Layer, INPUT};
use super::Card;
use crate::space::stack::{Layer as Stacked, Repetition};
use crate::space::{Shape, Space, Stack, Step};

impl Builder {
    /// All in front of the average pooling; gives the name of its output.
    pub(super) fn stack(&mut self, card: &Card, stack: &Stack) -> String {
        let mut shape = card.space.input();
        let mut outputs = vec![INPUT.to_owned()];
        for (i, part) in stack.stem().iter().enumerate() {
            let from = outputs[outputs.len() - 1].clone();
            outputs.push(self.steps(&from, &format!("stem{i}"), part, &mut shape));
        }
        if stack.stem().len() < 2 {
            // The first cells read it twice.
            outputs[0] = outputs[1].clone();
        }
        let open = stack.alive(card.architecture.cells());
        for (i, layer) in stack.layers().iter().enumerate() {
            let last = outputs[outputs.len() - 1].clone();
            outputs.push(match layer {
                Stacked::Residual { input, chain, shortcut } => {
                    let path = format!("block{i}");
                    let chain = self.steps(&last, &path, chain, &mut input.clone());
                    let shortcut = self.steps(&last, &format!("{path}.shortcut"), shortcut, &mut input.clone());
                    self.push(path, Layer::Sum { terms: vec![shortcut, chain] })
                }
                Stacked::Cell(cell) => {
                    let from = outputs[outputs.len() - cell.before.len()..].to_vec();
                    self.cell(stack, i, cell, from, (&card.space, &open))
                }
            });
        }
        let last = outputs[outputs.len() - 1].clone();
        self.steps(&last, "tail", stack.tail(), &mut stack.features())
    }

    fn cell(
        &mut self,
        stack: &Stack,
        index: usize,
        cell: &Repetition,
        from: Vec<String>,
        (space, open): (&Space, &[Vec<u16>]),
    ) -> String {
        let before = from.iter().zip(&cell.before).enumerate();
        let mut nodes: Vec<String> = before
            .map(|(i, (from, (steps, shape)))| self.steps(from, &format!("cell{index}.before{i}"), steps, &mut shape.clone()))
            .collect();
        let inputs = nodes.len();
        for node in stack.nodes(cell.graph) {
            let mut terms = Vec::new();
            for (place, chosen) in node.flat_map(|place| open[place].iter().map(move |o| (place, *o))) {
                let operator = space.cells()[place].operators[usize::from(chosen)];
                let from = stack.from(place, chosen);
                let (steps, mut input) = cell.work(from, &operator);
                let path = format!("cell{index}.{}", stack.path(place, chosen, &operator));
                let from = nodes[from as usize].clone();
                terms.push(self.steps(&from, &path, &steps, &mut input));
            }
            let name = format!("cell{index}_node{}", nodes.len());
            let stride = if cell.halves { 2 } else { 1 };
            nodes.push(match terms.len() {
                0 => self.push(name, Layer::Nothing { from: nodes[0].clone(), stride }),
                1 => terms[0].clone(),
                _ => self.push(name, Layer::Sum { terms }),
            });
        }
        match stack.plan().skeleton.concatenates() {
            true if nodes.len() - inputs > 1 => {
                self.push(format!("cell{index}"), Layer::Concatenate { terms: nodes.split_off(inputs) })
            }
            _ => nodes[nodes.len() - 1].clone(),
        }
    }

    /// A chain of steps on a map of some shape, which becomes that of the output.
    fn steps(&mut self, from: &str, path: &str, steps: &[Step], shape: &mut Shape) -> String {
        let mut y = from.to_owned();
        for (i, step) in steps.iter().enumerate() {
            let name = format!("{}_{i}", path.replace('.', "_"));
            y = match step {
                Step::Activate => self.activate(&y, name),
                Step::Convolve(convolution) => self.unit(&y, &format!("{path}.{}", convolution.name), convolution, None),
                Step::Pool(pooling) => self.push(name, Layer::Window { from: y, pooling: *pooling }),
                Step::Halve(halves) => {
                    let odd = shape.size().map(|side| side % 2 == 1);
                    let shifted = self.push(format!("{name}_shifted"), Layer::Shift { from: y.clone(), grow: odd });
                    let terms = halves.iter().zip([y, shifted]);
                    let terms =
                        terms.map(|(half, from)| self.unit(&from, &format!("{path}.{}", half.name), half, None)).collect();
                    let both = self.push(name, Layer::Concatenate { terms });
                    self.norm(&both, path, halves.iter().map(|half| half.cout).sum())
                }
                Step::Normalise(channels) => self.norm(&y, path, *channels),
            };
            *shape = step.output(*shape);
        }
        y
    }
}
