//! From the numbers of a stack to its layers.

use super::{Edge, Graph, Layer, Plan, Repetition, Skeleton, Stack};
use crate::space::step::output;
use crate::space::{Convolution, Shape, Step};

impl Stack {
    pub(in crate::space) fn new(plan: Plan, input: Shape) -> Self {
        let names: &[&'static str] = match plan.skeleton.alike() || plan.shared {
            true => &["cell"],
            false => &["normal", "reduce"],
        };
        let inputs = plan.skeleton.inputs();
        let (mut graphs, mut edges) = (Vec::new(), Vec::new());
        for (graph, name) in names.iter().enumerate() {
            graphs.push(Graph { name, first: edges.len() });
            let nodes = inputs..inputs + plan.nodes;
            let froms = |to| if plan.skeleton.blocks() { vec![None; 2] } else { (0..to).map(Some).collect() };
            edges.extend(nodes.flat_map(|to| froms(to).into_iter().map(move |from| Edge { graph, from, to })));
        }
        let mut builder = Builder { plan, outputs: vec![input], stem: Vec::new(), layers: Vec::new() };
        let tail = match plan.skeleton {
            Skeleton::NasBench201 => builder.stages(),
            _ => builder.pairs(graphs.len() - 1),
        };
        let features = builder.last();
        Stack { plan, graphs, edges, stem: builder.stem, layers: builder.layers, tail, input, features }
    }
}

struct Builder {
    plan: Plan,
    /// The image, the parts of the stem, the layers.
    outputs: Vec<Shape>,
    stem: Vec<Vec<Step>>,
    layers: Vec<Layer>,
}

impl Builder {
    fn last(&self) -> Shape {
        self.outputs[self.outputs.len() - 1]
    }

    fn stem(&mut self, part: Vec<Step>) {
        self.outputs.push(output(&part, self.last()));
        self.stem.push(part);
    }

    /// Of DARTS and PNAS. `reduce`: which graph halves the size.
    fn pairs(&mut self, reduce: usize) -> Vec<Step> {
        let Plan { skeleton, channels, cells, nodes, stem, binary, .. } = self.plan;
        let image = self.last().channels;
        let conv = |channels| conv3("conv", image, channels, 1).linear();
        match skeleton {
            Skeleton::DartsImageNet => {
                let first = conv3("conv1", image, channels / 2, 2);
                self.stem(vec![Step::Convolve(first), Step::Convolve(conv3("conv2", channels / 2, channels, 2).linear())]);
                self.stem(vec![Step::Activate, Step::Convolve(conv3("conv3", channels, channels, 2).linear())]);
            }
            Skeleton::PnasImageNet => self.stem(vec![Step::Convolve(conv(stem).stride([2, 2]).inside())]),
            _ => self.stem(vec![Step::Convolve(conv(stem))]),
        }
        if self.stem.len() < 2 {
            self.outputs[0] = self.last();
        }
        // Channels, and whether the size is halved.
        let mut sizes = Vec::new();
        if skeleton == Skeleton::PnasImageNet {
            sizes.extend([(channels / 4, true), (channels / 2, true)]);
        }
        let halvings = |i| u32::from(i >= cells / 3) + u32::from(i >= 2 * cells / 3);
        sizes.extend((0..cells).map(|i| (channels << halvings(i), i == cells / 3 || i == 2 * cells / 3)));
        let mut halved = skeleton == Skeleton::DartsImageNet;
        for (i, (channels, halves)) in sizes.into_iter().enumerate() {
            let [earlier, last] = [self.outputs[self.outputs.len() - 2], self.last()];
            let whole = |from: Shape| {
                let conv = Convolution::pointwise("conv", from.channels, channels).linear();
                let steps = vec![Step::Activate, Step::Convolve(conv)];
                match binary {
                    Some(binary) => binary.steps(steps, from.channels),
                    None => steps,
                }
            };
            let from_earlier = match halved {
                true => vec![Step::Activate, Step::halve(earlier.channels, channels)],
                // As in the published code, whose first cell has no cell before the one before it.
                false if i == 0 && skeleton == Skeleton::PnasImageNet => Vec::new(),
                false => whole(earlier),
            };
            let input = Shape { channels, ..last };
            let size = if halves { input.size().map(|side| side.div_ceil(2)) } else { input.size() };
            let output = Shape { channels: channels * nodes, height: size[0], width: size[1] };
            let before = vec![(from_earlier, earlier), (whole(last), last)];
            self.layers.push(Layer::Cell(Repetition {
                graph: if halves { reduce } else { 0 },
                before,
                input,
                halves,
                output,
                sampling: 1,
            }));
            self.outputs.push(output);
            halved = halves;
        }
        if skeleton.blocks() {
            vec![Step::Activate]
        } else {
            Vec::new()
        }
    }

    /// Of NAS-Bench-201.
    fn stages(&mut self) -> Vec<Step> {
        let Plan { mut channels, cells, .. } = self.plan;
        self.stem(vec![Step::Convolve(conv3("conv", self.last().channels, channels, 1).linear())]);
        for stage in 0..3 {
            if stage > 0 {
                let input = self.last();
                let conv = |name, cin, stride| Step::Convolve(conv3(name, cin, 2 * channels, stride).linear());
                let chain = vec![Step::Activate, conv("conv1", channels, 2), Step::Activate, conv("conv2", 2 * channels, 1)];
                let stand_in = Convolution::pointwise("shortcut", channels, 2 * channels).linear().without_norm();
                let shortcut = vec![Step::pool(true, 2, 2), Step::Convolve(stand_in)];
                self.outputs.push(output(&chain, input));
                self.layers.push(Layer::Residual { input, chain, shortcut });
                channels *= 2;
            }
            for _ in 0..cells {
                let input = self.last();
                let before = vec![(Vec::new(), input)];
                self.layers.push(Layer::Cell(Repetition { graph: 0, before, input, halves: false, output: input, sampling: 1 }));
                self.outputs.push(input);
            }
        }
        vec![Step::Normalise(channels), Step::Activate]
    }
}

fn conv3(name: &'static str, cin: u32, cout: u32, stride: u32) -> Convolution {
    Convolution::kernel(name, cin, cout, [3, 3]).stride([stride, stride])
}
