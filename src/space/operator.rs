//! One candidate operator, as data. Everything else that knows an operator (cost, weights, export) reads its convolutions.

use super::convolution::Convolution;
use super::edge_kind::EDGE_KINDS;
use super::kind::{Branch, Edge, Form, Kind, KINDS};
use super::{Binary, Step};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Of a chain: convolutions from `cin` to `cout` channels: a 1x1 expansion, what its kind says, and a 1x1 projection without activation.
/// Of an edge: the steps of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operator {
    pub kind: &'static Kind,
    /// Side of the kernel, odd; 1 where the kind has none.
    pub kernel: u32,
    /// Multiplies `cin` to give the width in the middle.
    pub expansion: u32,
    pub dilation: u32,
    /// Groups of the first and of the last 1x1 convolution.
    pub groups: [u32; 2],
    /// The node that it gets, where that is part of the choice: on the sides of blocks.
    pub from: Option<u32>,
    /// What the weights of its convolutions are made into; names do not show it.
    pub binary: Option<Binary>,
}

impl Operator {
    pub fn new(kind: &'static Kind, kernel: u32, expansion: u32) -> Self {
        Operator { kind, kernel, expansion, dilation: 1, groups: [1, 1], from: None, binary: None }
    }

    pub fn dilation(self, dilation: u32) -> Self {
        Operator { dilation, ..self }
    }

    pub fn groups(self, groups: [u32; 2]) -> Self {
        Operator { groups, ..self }
    }

    pub fn from(self, from: Option<u32>) -> Self {
        Operator { from, ..self }
    }

    pub fn binary(self, binary: Option<Binary>) -> Self {
        Operator { binary, ..self }
    }

    /// The convolutions, first to last, for a cell with these channels and stride.
    pub fn convolutions(&self, cin: u32, cout: u32, stride: u32) -> Vec<Convolution> {
        let branch = match &self.kind.form {
            Form::Branch(branch) => branch,
            Form::Edge(_) => return self.steps([cin, cout], stride).iter().flat_map(Step::convolutions).cloned().collect(),
        };
        let width = cin * self.expansion;
        let mut chain = vec![Convolution::pointwise("expand", cin, width).groups(self.groups[0])];
        chain.extend((branch.middle)(self, width, stride));
        chain.push(Convolution::pointwise("project", width, cout).groups(self.groups[1]).linear());
        self.binary.iter().for_each(|binary| binary.chain(&mut chain));
        chain
    }

    /// All that it does on an edge with these channels, before and after, and stride.
    pub fn steps(&self, channels: [u32; 2], stride: u32) -> Vec<Step> {
        match &self.kind.form {
            Form::Edge(edge) => {
                let steps = (edge.steps)(self.kernel, channels, stride);
                match self.binary {
                    Some(binary) => binary.steps(steps, channels[0]),
                    None => steps,
                }
            }
            Form::Branch(_) => self.convolutions(channels[0], channels[1], stride).into_iter().map(Step::Convolve).collect(),
        }
    }

    /// Whether it belongs on the edges of stacked cells.
    pub fn is_edge(&self) -> bool {
        matches!(self.kind.form, Form::Edge(_))
    }

    /// Why this operator cannot join `cin` to `cout` channels in a chain, if it cannot.
    pub fn misfit(&self, cin: u32, cout: u32) -> Option<String> {
        if self.is_edge() {
            return Some(format!("{self} belongs on the edges of stacked cells, not in a chain"));
        }
        let [first, last] = self.groups;
        let width = cin * self.expansion;
        (cin % first != 0 || width % first != 0 || width % last != 0 || cout % last != 0)
            .then(|| format!("{self}: {cin} to {cout} channels do not divide into {first} and {last} groups"))
    }
}

/// `mbconv_k3_t6`, `mbconv_k3_t6_d2`, `mbconv_k5_t3_g1x2`, `rec_k7_t4`, `conv_k3_t1`, `dualconv_k3_t2`:
/// kernel, expansion, and where they differ from 1 dilation and the groups of the two 1x1 convolutions. On edges `sep_conv_3x3`, and on the
/// sides of blocks `sep_conv_3x3~0`, with the node that it gets.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind.form {
            Form::Edge(Edge { kernels: [], .. }) => f.write_str(self.kind.name)?,
            Form::Edge(_) => write!(f, "{}_{k}x{k}", self.kind.name, k = self.kernel)?,
            Form::Branch(_) => write!(f, "{}_k{}_t{}", self.kind.name, self.kernel, self.expansion)?,
        }
        if self.dilation != 1 {
            write!(f, "_d{}", self.dilation)?;
        }
        if self.groups != [1, 1] {
            write!(f, "_g{}x{}", self.groups[0], self.groups[1])?;
        }
        self.from.map_or(Ok(()), |from| write!(f, "~{from}"))
    }
}

impl FromStr for Operator {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        parse(name).or_else(|| parse_edge(name)).ok_or_else(|| {
            let kinds: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
            let edges: Vec<_> = EDGE_KINDS.iter().map(|kind| kind.name).collect();
            format!(
                "{name:?} is not an operator; expected a name like mbconv_k3_t6, mbconv_k3_t6_d2, mbconv_k3_t6_g1x2 or rec_k5_t2 \
                 (kinds: {}), with an odd kernel from 1 to 31, expansion 1 to 16, and for mbconv dilation 1 to 8, groups 1 to 64; \
                 on edges of stacked cells one like sep_conv_3x3, in blocks sep_conv_3x3~0 (kinds: {})",
                kinds.join(", "),
                edges.join(", ")
            )
        })
    }
}

fn parse(name: &str) -> Option<Operator> {
    let mut parts = name.split('_').peekable();
    let word = parts.next()?;
    let kind = KINDS.into_iter().find(|kind| kind.name == word)?;
    let Form::Branch(Branch { dilates, grouped, .. }) = kind.form else { return None };
    let kernel = number(parts.next()?, 'k', 31).filter(|k| k % 2 == 1)?;
    let mut operator = Operator::new(kind, kernel, number(parts.next()?, 't', 16)?);
    if let Some(part) = parts.next_if(|part| dilates && part.starts_with('d')) {
        operator = operator.dilation(number(part, 'd', 8).filter(|d| *d > 1)?);
    }
    if let Some(part) = parts.next_if(|_| grouped) {
        let (first, last) = part.split_once('x')?;
        operator = operator.groups(Some([number(first, 'g', 64)?, digits(last, 64)?]).filter(|g| *g != [1, 1])?);
    }
    parts.next().is_none().then_some(operator)
}

fn parse_edge(name: &str) -> Option<Operator> {
    if let Some((name, from)) = name.split_once('~') {
        let from = if from == "0" { 0 } else { digits(from, 99)? };
        return parse_edge(name).filter(|operator| operator.from.is_none()).map(|operator| operator.from(Some(from)));
    }
    EDGE_KINDS.into_iter().find_map(|kind| {
        let Form::Edge(Edge { kernels, .. }) = kind.form else { return None };
        let sizes = kernels.iter().map(|kernel| Operator::new(kind, *kernel, 1));
        let all = sizes.chain(kernels.is_empty().then(|| Operator::new(kind, 1, 1)));
        all.into_iter().find(|operator| operator.to_string() == name)
    })
}

fn number(part: &str, letter: char, most: u32) -> Option<u32> {
    digits(part.strip_prefix(letter)?, most)
}

/// Plain decimal digits without sign or leading zero, so that every operator has exactly one name.
fn digits(text: &str, most: u32) -> Option<u32> {
    let canonical = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| canonical && (1..=most).contains(n))
}

impl Serialize for Operator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Operator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
