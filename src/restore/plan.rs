//! A network as a list of layers in the order in which they are computed: what its costs are counted from, and what it is built from.

/// A layer; it reads the outputs of earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The noise that the network begins with.
    Input,
    /// With bias. "Same" padding, by zeros, or where it `reflects` by the map mirrored at its edges.
    Conv {
        kernel: u32,
        stride: u32,
        reflects: bool,
    },
    /// Batch normalisation by the statistics of the map, with learnt scale and shift.
    Norm,
    /// Leaky ReLU with slope 0.2 below zero.
    Leaky,
    Add,
    Concat,
    /// The greatest of 2 x 2.
    Pool,
    /// Twice as high and wide, bilinear.
    Up,
    /// Channels become pixels: height and width times this.
    ToSpace(u32),
    /// Pixels become channels: height and width by this.
    ToDepth(u32),
    Sigmoid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub op: Op,
    /// Numbers of earlier nodes.
    pub from: Vec<usize>,
    /// Of the output.
    pub channels: u32,
    /// How often the output is halved, against the image.
    pub halvings: u32,
}

/// The output is that of the last node; it has the size of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub nodes: Vec<Node>,
    /// How often the smallest map is halved.
    pub depth: u32,
}

impl Plan {
    pub fn begin(channels: u32) -> Self {
        Plan { nodes: vec![Node { op: Op::Input, from: Vec::new(), channels, halvings: 0 }], depth: 0 }
    }

    pub fn channels(&self, node: usize) -> u32 {
        self.nodes[node].channels
    }

    fn push(&mut self, op: Op, from: &[usize], channels: u32, halvings: u32) -> usize {
        self.depth = self.depth.max(halvings);
        self.nodes.push(Node { op, from: from.to_vec(), channels, halvings });
        self.nodes.len() - 1
    }

    /// A layer that keeps the number of channels, or of several maps adds them up as Concat does.
    pub fn then(&mut self, op: Op, from: &[usize]) -> usize {
        let Node { channels, halvings, .. } = self.nodes[from[0]];
        let (channels, halvings) = match op {
            Op::Concat => (from.iter().map(|node| self.channels(*node)).sum(), halvings),
            Op::Pool => (channels, halvings + 1),
            Op::Up => (channels, halvings - 1),
            Op::ToSpace(factor) => (channels / (factor * factor), halvings - factor.ilog2()),
            Op::ToDepth(factor) => (channels * factor * factor, halvings + factor.ilog2()),
            _ => (channels, halvings),
        };
        self.push(op, from, channels, halvings)
    }

    pub fn conv(&mut self, from: usize, channels: u32, kernel: u32, stride: u32, reflects: bool) -> usize {
        let halvings = self.nodes[from].halvings + stride.ilog2();
        self.push(Op::Conv { kernel, stride, reflects }, &[from], channels, halvings)
    }

    /// Convolution and batch-norm.
    pub fn normed(&mut self, from: usize, channels: u32, kernel: u32, stride: u32, reflects: bool) -> usize {
        let conv = self.conv(from, channels, kernel, stride, reflects);
        self.then(Op::Norm, &[conv])
    }

    /// Height and width of the noise for an image: what can be halved so often that two pixels are left, for batch-norm and mirrors
    /// need more than one. The output is cut to the image.
    pub fn padded(&self, size: [u32; 2]) -> [u32; 2] {
        let whole = 1 << self.depth;
        size.map(|side| side.next_multiple_of(whole).max(2 * whole))
    }

    /// Trainable numbers: weights and biases of convolutions, scales and shifts of batch-norms.
    pub fn params(&self) -> u64 {
        let params = |node: &Node| match node.op {
            Op::Conv { kernel, .. } => {
                (u64::from(self.channels(node.from[0])) * u64::from(kernel * kernel) + 1) * u64::from(node.channels)
            }
            Op::Norm => 2 * u64::from(node.channels),
            _ => 0,
        };
        self.nodes.iter().map(params).sum()
    }

    /// Multiply-accumulates of the convolutions in one forward pass for an image of this height and width, padding included.
    pub fn macs(&self, size: [u32; 2]) -> u64 {
        let padded = self.padded(size);
        let macs = |node: &Node| match node.op {
            Op::Conv { kernel, .. } => {
                let pixels: u64 = padded.iter().map(|side| u64::from(side >> node.halvings)).product();
                pixels * u64::from(self.channels(node.from[0])) * u64::from(kernel * kernel) * u64::from(node.channels)
            }
            _ => 0,
        };
        self.nodes.iter().map(macs).sum()
    }
}
