//! One candidate operator, as data. Everything else that knows an operator (cost, weights, export) reads its convolutions.
//!
//! The four kinds and their index order are those of the published code of NSE (Ci et al., ICCV 2021).

use super::convolution::Convolution;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A chain of convolutions from `cin` to `cout` channels. `expansion` multiplies `cin` to give the width in between.
/// Each chain starts with a 1x1 expansion and ends with a 1x1 projection without activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operator {
    /// Depthwise k x k between the 1x1 convolutions, which may be grouped (MobileNetV2's inverted bottleneck).
    MbConv { kernel: u32, expansion: u32, dilation: u32, groups: [u32; 2] },
    /// A dense 1 x k followed by a dense k x 1.
    Rec { kernel: u32, expansion: u32 },
    /// One dense k x k.
    Conv { kernel: u32, expansion: u32 },
    /// Two dense k x k; the second carries the stride.
    DualConv { kernel: u32, expansion: u32 },
}

impl Operator {
    /// The convolutions, first to last, for a cell with these channels and stride.
    pub fn convolutions(&self, cin: u32, cout: u32, stride: u32) -> Vec<Convolution> {
        let mid = cin * self.expansion();
        let [expand_groups, project_groups] = self.groups();
        let mut chain = vec![Convolution::pointwise("expand", cin, mid).groups(expand_groups)];
        match *self {
            Operator::MbConv { kernel, dilation, .. } => {
                chain.push(Convolution::square("depthwise", mid, kernel, stride).dilation(dilation).groups(mid));
            }
            Operator::Rec { kernel, .. } => {
                chain.push(Convolution::kernel("row", mid, mid, [1, kernel]).stride([1, stride]));
                chain.push(Convolution::kernel("column", mid, mid, [kernel, 1]).stride([stride, 1]));
            }
            Operator::Conv { kernel, .. } => chain.push(Convolution::square("spatial", mid, kernel, stride)),
            Operator::DualConv { kernel, .. } => {
                chain.push(Convolution::square("spatial1", mid, kernel, 1));
                chain.push(Convolution::square("spatial2", mid, kernel, stride));
            }
        }
        chain.push(Convolution::pointwise("project", mid, cout).groups(project_groups).linear());
        chain
    }

    pub fn expansion(&self) -> u32 {
        match *self {
            Operator::MbConv { expansion, .. }
            | Operator::Rec { expansion, .. }
            | Operator::Conv { expansion, .. }
            | Operator::DualConv { expansion, .. } => expansion,
        }
    }

    /// Groups of the first and of the last 1x1 convolution.
    pub fn groups(&self) -> [u32; 2] {
        match *self {
            Operator::MbConv { groups, .. } => groups,
            _ => [1, 1],
        }
    }

    /// Why this operator cannot join `cin` to `cout` channels, if it cannot.
    pub fn misfit(&self, cin: u32, cout: u32) -> Option<String> {
        let [first, last] = self.groups();
        let mid = cin * self.expansion();
        (cin % first != 0 || mid % first != 0 || mid % last != 0 || cout % last != 0)
            .then(|| format!("{self}: {cin} to {cout} channels do not divide into {first} and {last} groups"))
    }
}

/// `mbconv_k3_t6`, `mbconv_k3_t6_d2`, `mbconv_k5_t3_g1x2`, `rec_k7_t4`, `conv_k3_t1`, `dualconv_k3_t2`:
/// kernel, expansion, and where they differ from 1 dilation and the groups of the two 1x1 convolutions.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Operator::MbConv { kernel, expansion, dilation, groups: [first, last] } => {
                write!(f, "mbconv_k{kernel}_t{expansion}")?;
                if dilation != 1 {
                    write!(f, "_d{dilation}")?;
                }
                if (first, last) != (1, 1) {
                    write!(f, "_g{first}x{last}")?;
                }
                Ok(())
            }
            Operator::Rec { kernel, expansion } => write!(f, "rec_k{kernel}_t{expansion}"),
            Operator::Conv { kernel, expansion } => write!(f, "conv_k{kernel}_t{expansion}"),
            Operator::DualConv { kernel, expansion } => write!(f, "dualconv_k{kernel}_t{expansion}"),
        }
    }
}

impl FromStr for Operator {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        parse(name).ok_or_else(|| {
            format!(
                "{name:?} is not an operator; expected a name like mbconv_k3_t6, mbconv_k3_t6_d2, mbconv_k3_t6_g1x2, rec_k5_t2, \
                 conv_k3_t1 or dualconv_k3_t2, with an odd kernel from 1 to 31, expansion 1 to 16, dilation 1 to 8, groups 1 to 64"
            )
        })
    }
}

fn parse(name: &str) -> Option<Operator> {
    let mut parts = name.split('_');
    let kind = parts.next()?;
    let kernel = number(parts.next()?, 'k', 31).filter(|k| k % 2 == 1)?;
    let expansion = number(parts.next()?, 't', 16)?;
    let operator = match kind {
        "mbconv" => {
            let mut rest = parts.next();
            let dilation = rest.filter(|p| p.starts_with('d')).map(|p| number(p, 'd', 8).filter(|d| *d > 1));
            if dilation.is_some() {
                rest = parts.next();
            }
            let groups = rest.map(|p| {
                let (first, last) = p.split_once('x')?;
                Some([number(first, 'g', 64)?, digits(last, 64)?]).filter(|g| *g != [1, 1])
            });
            Operator::MbConv {
                kernel,
                expansion,
                dilation: dilation.unwrap_or(Some(1))?,
                groups: groups.unwrap_or(Some([1, 1]))?,
            }
        }
        "rec" => Operator::Rec { kernel, expansion },
        "conv" => Operator::Conv { kernel, expansion },
        "dualconv" => Operator::DualConv { kernel, expansion },
        _ => return None,
    };
    parts.next().is_none().then_some(operator)
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
