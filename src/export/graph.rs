//! A network as a list of layers, first to last, and its weights as named arrays. Names of weights are those of PyTorch modules:
//! "cell0.mbconv_k3_t3.expand.weight", "cell0.mbconv_k3_t3.expand.bn.running_mean".

use super::{safetensors, Card};
use crate::error::{Error, Result};
use crate::search::{Array, Arrays};
use crate::space::step::Pooling;
use crate::space::{Activation, Binary, Body, CellKind, Convolution, Details, Excitation, Gate};
use std::ops::Range;

/// Of PyTorch's default, as in the published code.
pub const EPSILON: f64 = 1e-5;

pub struct Graph {
    pub card: Card,
    pub weights: Arrays,
    pub nodes: Vec<Node>,
    /// Whether it takes pixels, 0 to 255, and normalises them itself.
    pub raw: bool,
}

/// A layer and the name of its output, which is an identifier and given once.
pub struct Node {
    pub to: String,
    pub layer: Layer,
}

/// Maps are [images, channels, height, width], vectors [images, numbers]. `from` and the like are names of outputs, `path` is where
/// the weights of a layer are.
pub enum Layer {
    /// (pixel / 255 - mean) / std, as pixel * `path`.scale + `path`.shift, both [1, channels, 1, 1].
    Normalise {
        from: String,
        path: String,
    },
    /// `path`.weight, and `path`.bias where there is one.
    Convolve {
        from: String,
        path: String,
        shape: Convolution,
        bias: bool,
    },
    /// `path`.weight, .bias, .running_mean and .running_var.
    Norm {
        from: String,
        path: String,
    },
    Activate {
        from: String,
        activation: Activation,
    },
    /// Average over all positions: map to vector.
    Pool {
        from: String,
    },
    /// `path`.weight and `path`.bias.
    Linear {
        from: String,
        path: String,
    },
    Gate {
        from: String,
        gate: Gate,
    },
    /// Every channel of a map times a number of a vector.
    Scale {
        from: String,
        gate: String,
    },
    /// Of maps or of vectors; at least two.
    Mean {
        terms: Vec<String>,
    },
    /// Of maps; at least two.
    Sum {
        terms: Vec<String>,
    },
    /// The channels of maps, one behind the other.
    Concatenate {
        terms: Vec<String>,
    },
    /// The greatest or the mean number in a window at every place; what hangs over the edges of a map does not count.
    Window {
        from: String,
        pooling: Pooling,
    },
    /// A map without its first row and its first column; those which `grow` (rows, columns) have one of zeros at the end instead.
    Shift {
        from: String,
        grow: [bool; 2],
    },
    /// Zeros, in the shape of every so many rows and columns of a map.
    Nothing {
        from: String,
        stride: u32,
    },
}

/// Name of the images.
pub const INPUT: &str = "images";
/// Name of the last output.
pub const OUTPUT: &str = "logits";

impl Graph {
    /// The network of `card`. Every weight must be there, in its shape, and no other.
    pub fn new(card: Card, weights: Arrays) -> Result<Self> {
        let Builder { nodes, shapes, .. } = Builder::of(&card);
        let wrong = |reason: String| Error::Argument { name: "weights", reason };
        for (name, shape) in &shapes {
            let array = weights.get(name).ok_or_else(|| wrong(format!("{name} is missing")))?;
            if array.shape != *shape {
                return Err(wrong(format!("{name} has the shape {:?}, the network has {shape:?}", array.shape)));
            }
        }
        if weights.len() != shapes.len() {
            return Err(wrong(format!("{} arrays, the network has {}", weights.len(), shapes.len())));
        }
        Ok(Graph { card, weights, nodes, raw: false })
    }

    /// Names and shapes of the weights that the network of `card` has.
    pub fn shapes(card: &Card) -> Vec<(String, Vec<usize>)> {
        Builder::of(card).shapes
    }

    /// A name of network and weights.
    pub fn fingerprint(&self) -> String {
        safetensors::checksum(&self.card.to_json(self.raw), &self.weights)
    }

    /// Puts the normalisation in front of the network.
    pub fn normalise(&mut self) {
        let normalisation = &self.card.normalisation;
        let shape = vec![1, normalisation.mean.len(), 1, 1];
        let pairs = || normalisation.mean.iter().zip(&normalisation.std);
        let scale = pairs().map(|(_, std)| 1.0 / (255.0 * std)).collect();
        let shift = pairs().map(|(mean, std)| -mean / std).collect();
        self.weights.insert("normalise.scale".into(), Array { shape: shape.clone(), values: scale });
        self.weights.insert("normalise.shift".into(), Array { shape, values: shift });
        let to = "normalised".to_owned();
        for node in &mut self.nodes {
            for name in node.layer.inputs_mut().into_iter().filter(|name| *name == INPUT) {
                name.clone_from(&to);
            }
        }
        self.nodes.insert(0, Node { to, layer: Layer::Normalise { from: INPUT.into(), path: "normalise".into() } });
        self.raw = true;
    }
}

impl Layer {
    /// Names of the outputs that it reads.
    pub fn inputs_mut(&mut self) -> Vec<&mut String> {
        match self {
            Layer::Normalise { from, .. }
            | Layer::Convolve { from, .. }
            | Layer::Norm { from, .. }
            | Layer::Activate { from, .. }
            | Layer::Pool { from }
            | Layer::Linear { from, .. }
            | Layer::Window { from, .. }
            | Layer::Shift { from, .. }
            | Layer::Nothing { from, .. }
            | Layer::Gate { from, .. } => vec![from],
            Layer::Scale { from, gate } => vec![from, gate],
            Layer::Mean { terms } | Layer::Sum { terms } | Layer::Concatenate { terms } => terms.iter_mut().collect(),
        }
    }
}

/// Of an output that has a name like a path.
fn identifier(path: &str) -> String {
    path.replace('.', "_")
}

pub(super) struct Builder {
    details: Details,
    nodes: Vec<Node>,
    /// Of all weights.
    shapes: Vec<(String, Vec<usize>)>,
}

impl Builder {
    fn of(card: &Card) -> Self {
        let mut builder = Builder { details: card.variant.details(&card.space), nodes: Vec::new(), shapes: Vec::new() };
        builder.network(card);
        builder
    }

    fn network(&mut self, card: &Card) {
        let space = &card.space;
        let paths = card.architecture.paths();
        match space.body() {
            Body::Stack(stack) => {
                let features = self.stack(card, stack);
                self.classify(card, &features, 0, OUTPUT);
            }
            Body::Chain(chain) => {
                let mut stem = self.unit(INPUT, "stem", &chain.stem, None);
                if !chain.block.is_empty() {
                    let y = self.branch(&stem, "block", &chain.block);
                    stem = self.mean("block", vec![y], chain.shortcut().then_some(stem));
                }
                let shared = self.places(card, stem, 0..paths.split());
                let mut terms = Vec::new();
                for path in 0..paths.count() {
                    let x = self.places(card, shared.clone(), paths.own(path));
                    let features = self.unit(&x, &paths.head(path, "tail"), &chain.tail, None);
                    terms.push(self.classify(card, &features, path, &identifier(&paths.head(path, OUTPUT))));
                }
                if paths.is_ensemble() {
                    self.push(OUTPUT.into(), Layer::Mean { terms });
                }
            }
        }
    }

    /// Average pooling, hidden layer and classifier of a path; gives the name of its output, which is `to`.
    fn classify(&mut self, card: &Card, features: &str, path: usize, to: &str) -> String {
        let (paths, space) = (card.architecture.paths(), &card.space);
        let mut vector = self.push(identifier(&paths.head(path, "features")), Layer::Pool { from: features.into() });
        if space.chain().is_some_and(|chain| chain.hidden.is_some()) {
            let part = paths.head(path, "hidden");
            vector = self.linear(&vector, &part, space.pooled().channels, space.classified(), &identifier(&part));
            vector = self.activate(&vector, format!("{}_act", identifier(&part)));
        }
        self.linear(&vector, &paths.head(path, "classifier"), space.classified(), space.classes(), to)
    }

    /// Some places of a chain, one behind the other; gives the name of their output.
    fn places(&mut self, card: &Card, mut x: String, places: Range<usize>) -> String {
        let (space, paths) = (&card.space, card.architecture.paths());
        for place in places {
            let (cell, open, label) = (&space.cells()[paths.cell(place)], &card.architecture.cells()[place], paths.label(place));
            let mut terms = Vec::new();
            for operator in open.iter().map(|o| cell.operators[usize::from(*o)]) {
                let chain = operator.convolutions(cell.input.channels, cell.channels, cell.stride());
                terms.push(self.branch(&x, &format!("{label}.{operator}"), &chain));
            }
            x = self.mean(&label, terms, (cell.kind == CellKind::Normal).then_some(x));
        }
        x
    }

    /// Convolutions one behind the other, with their squeeze-excitation.
    fn branch(&mut self, x: &str, path: &str, chain: &[Convolution]) -> String {
        let excited = self.details.excited(chain);
        chain.iter().enumerate().fold(x.to_owned(), |y, (i, convolution)| {
            let excitation = excited.filter(|(at, _)| *at == i).map(|(_, excitation)| excitation);
            self.unit(&y, &format!("{path}.{}", convolution.name), convolution, excitation)
        })
    }

    /// Of branches, and of what goes around them.
    fn mean(&mut self, label: &str, mut terms: Vec<String>, shortcut: Option<String>) -> String {
        terms.extend(shortcut);
        match terms.len() {
            1 => terms.remove(0),
            _ => self.push(identifier(label), Layer::Mean { terms }),
        }
    }

    /// A convolution with what follows it; gives the name of its output.
    pub(super) fn unit(&mut self, from: &str, path: &str, shape: &Convolution, excited: Option<Excitation>) -> String {
        let name = identifier(path);
        self.weight(format!("{path}.weight"), &shape.weight());
        if let Some(projections) = shape.binary.and_then(Binary::projections) {
            self.weight(format!("{path}.matrix"), &[projections, 1, shape.kernel[0], shape.kernel[1]]);
        }
        let convolve = Layer::Convolve { from: from.into(), path: path.into(), shape: shape.clone(), bias: false };
        let mut y = self.push(name.clone(), convolve);
        if shape.norm {
            y = self.norm(&y, path, shape.cout);
        }
        if shape.relu {
            y = self.activate(&y, format!("{name}_act"));
        }
        if let Some(excitation) = excited {
            let (squeezed, activation) = (excitation.squeezed(shape.cout), excitation.inside(self.details.activation));
            let mut gate = self.push(format!("{name}_pool"), Layer::Pool { from: y.clone() });
            gate = self.linear(&gate, &format!("{path}.squeeze"), shape.cout, squeezed, &format!("{name}_squeeze"));
            gate = self.push(format!("{name}_squeeze_act"), Layer::Activate { from: gate, activation });
            gate = self.linear(&gate, &format!("{path}.excite"), squeezed, shape.cout, &format!("{name}_excite"));
            gate = self.push(format!("{name}_gate"), Layer::Gate { from: gate, gate: excitation.gate });
            y = self.push(format!("{name}_excited"), Layer::Scale { from: y, gate });
        }
        y
    }

    /// Batch-norm of what has a path.
    pub(super) fn norm(&mut self, from: &str, path: &str, channels: u32) -> String {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            self.weight(format!("{path}.bn.{part}"), &[channels]);
        }
        let layer = Layer::Norm { from: from.into(), path: format!("{path}.bn") };
        self.push(format!("{}_bn", identifier(path)), layer)
    }

    pub(super) fn activate(&mut self, from: &str, to: String) -> String {
        self.push(to, Layer::Activate { from: from.into(), activation: self.details.activation })
    }

    fn linear(&mut self, from: &str, path: &str, inputs: u32, outputs: u32, to: &str) -> String {
        self.weight(format!("{path}.weight"), &[outputs, inputs]);
        self.weight(format!("{path}.bias"), &[outputs]);
        self.push(to.into(), Layer::Linear { from: from.into(), path: path.into() })
    }

    fn weight(&mut self, name: String, shape: &[u32]) {
        self.shapes.push((name, shape.iter().map(|n| *n as usize).collect()));
    }

    pub(super) fn push(&mut self, to: String, layer: Layer) -> String {
        self.nodes.push(Node { to: to.clone(), layer });
        to
    }
}
