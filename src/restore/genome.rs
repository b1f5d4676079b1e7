//! The genome: N units of 14 + 4N bits, the first bit first (layout of the published re-implementation, github.com/Pol22/NAS_DIP).
//!
//! ```text
//! encoder   1 bit residual shortcut   3 bits v: kernel 2v + 1   3 bits v: channels 2^(v + 2)
//! decoder   the same
//! N skips   from this unit's encoder to the decoder of unit 1, 2, ...: 1 bit, 0 is open   3 bits v: channels 2^(v + 2)
//! ```
//!
//! As a text a genome is "N-" and its bits as a number in hexadecimal digits: all of them, the bits in front zero.

use crate::error::{Error, Result};
use crate::json;
use crate::search::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// 7 units halve an image seven times.
pub const MOST_UNITS: usize = 7;

const DOCUMENT: &str = "genome";
const STAGE_BITS: usize = 7;
const SKIP_BITS: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Genome {
    units: usize,
    bits: Vec<bool>,
}

/// One unit of a genome: an encoder, a decoder, and what goes from this encoder to the decoders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    pub encoder: Stage,
    pub decoder: Stage,
    /// One for the decoder of every unit, in order.
    pub skips: Vec<Skip>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Whether a 1 x 1 convolution goes past the two convolutions of the stage.
    pub residual: bool,
    /// 1, 3, ..., 15.
    pub kernel: u32,
    /// 4, 8, ..., 512.
    pub channels: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    pub open: bool,
    /// 4, 8, ..., 512, in the genome also where it is closed.
    pub channels: u32,
}

/// The form in JSON.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Form {
    units: Vec<Unit>,
}

impl Genome {
    /// N(14 + 4N): 18, 44, 78, 120, 170, 228, 294 for 1 to 7 units.
    pub fn length(units: usize) -> usize {
        units * Self::unit_length(units)
    }

    fn unit_length(units: usize) -> usize {
        2 * STAGE_BITS + SKIP_BITS * units
    }

    /// The genome with these bits; None when no number of units has so many.
    pub fn new(bits: Vec<bool>) -> Option<Self> {
        let units = (1..=MOST_UNITS).find(|units| Self::length(*units) == bits.len())?;
        Some(Genome { units, bits })
    }

    /// Every bit by a fair coin.
    pub fn draw(units: usize, stream: &mut Stream) -> Self {
        Genome { units, bits: (0..Self::length(units)).map(|_| stream.next_u64() >> 63 == 1).collect() }
    }

    pub fn units(&self) -> usize {
        self.units
    }

    pub fn bits(&self) -> &[bool] {
        &self.bits
    }

    /// What the bits say.
    pub fn decode(&self) -> Vec<Unit> {
        let number = |bits: &[bool]| bits.iter().fold(0, |number, bit| number << 1 | u32::from(*bit));
        let channels = |bits: &[bool]| 4 << number(bits);
        let stage =
            |bits: &[bool]| Stage { residual: bits[0], kernel: 2 * number(&bits[1..4]) + 1, channels: channels(&bits[4..7]) };
        let skip = |bits: &[bool]| Skip { open: !bits[0], channels: channels(&bits[1..4]) };
        let unit = |bits: &[bool]| Unit {
            encoder: stage(&bits[..STAGE_BITS]),
            decoder: stage(&bits[STAGE_BITS..2 * STAGE_BITS]),
            skips: bits[2 * STAGE_BITS..].chunks_exact(SKIP_BITS).map(skip).collect(),
        };
        self.bits.chunks_exact(Self::unit_length(self.units)).map(unit).collect()
    }

    /// The genome that says this.
    pub fn encode(units: &[Unit]) -> Result<Self> {
        let wrong = |at: String, reason: String| json::out_of_range(DOCUMENT, format!("/units{at}"), reason);
        let count = units.len();
        if !(1..=MOST_UNITS).contains(&count) {
            return Err(wrong(String::new(), format!("{count} units are not in 1 to {MOST_UNITS}")));
        }
        let mut bits = Vec::with_capacity(Self::length(count));
        let three = |bits: &mut Vec<bool>, number: u32| bits.extend((0..3).rev().map(|bit| number >> bit & 1 == 1));
        for (i, unit) in units.iter().enumerate() {
            let channels = |at: String, channels: u32| match channels {
                4..=512 if channels.is_power_of_two() => Ok(channels.trailing_zeros() - 2),
                _ => Err(wrong(at, format!("{channels} is not one of 4, 8, 16, 32, 64, 128, 256, 512"))),
            };
            for (name, stage) in [("encoder", &unit.encoder), ("decoder", &unit.decoder)] {
                if stage.kernel % 2 == 0 || stage.kernel > 15 {
                    return Err(wrong(format!("/{i}/{name}/kernel"), format!("{} is not an odd number up to 15", stage.kernel)));
                }
                bits.push(stage.residual);
                three(&mut bits, stage.kernel / 2);
                three(&mut bits, channels(format!("/{i}/{name}/channels"), stage.channels)?);
            }
            if unit.skips.len() != count {
                let reason = format!("{} skips, and {count} decoders that they could go to", unit.skips.len());
                return Err(wrong(format!("/{i}/skips"), reason));
            }
            for (j, skip) in unit.skips.iter().enumerate() {
                bits.push(!skip.open);
                three(&mut bits, channels(format!("/{i}/skips/{j}/channels"), skip.channels)?);
            }
        }
        Ok(Genome { units: count, bits })
    }

    /// From its text, or from {"units": [...]}.
    pub fn parse(text: &str) -> Result<Self> {
        match text.trim_start().starts_with('{') {
            true => Self::encode(&json::parse::<Form>(DOCUMENT, text)?.units),
            false => Self::from_code(text),
        }
    }

    fn from_code(text: &str) -> Result<Self> {
        let wrong = |reason: String| Error::Argument { name: "code", reason };
        let (units, digits) = text
            .split_once('-')
            .ok_or_else(|| wrong(format!("{text:?} is no genome: expected its number of units, \"-\" and hexadecimal digits")))?;
        let units = units.parse().ok().filter(|n| (1..=MOST_UNITS).contains(n) && units.len() == 1);
        let units = units.ok_or_else(|| wrong(format!("{text:?} does not begin with 1 to {MOST_UNITS} units")))?;
        let (length, wanted) = (Self::length(units), Self::length(units).div_ceil(4));
        if digits.len() != wanted {
            return Err(wrong(format!("{text:?} has {} digits, a genome of {units} units has {wanted}", digits.len())));
        }
        let mut bits = Vec::with_capacity(4 * wanted);
        for digit in digits.chars() {
            let value = digit.to_digit(16).ok_or_else(|| wrong(format!("{digit:?} in {text:?} is no hexadecimal digit")))?;
            bits.extend((0..4).rev().map(|bit| value >> bit & 1 == 1));
        }
        let bits = bits.split_off(4 * wanted - length);
        let genome = Genome { units, bits };
        match genome.to_string().eq_ignore_ascii_case(text) {
            true => Ok(genome),
            false => Err(wrong(format!("{text:?} has more than the {length} bits of a genome of {units} units"))),
        }
    }

    /// Units of `self` in front of a cut, units of `other` from there on: the cut is at the end of a unit, or in front of all. Both have
    /// as many units.
    pub fn cross(&self, other: &Genome, cut: usize) -> Genome {
        let at = (cut * Self::unit_length(self.units)).min(self.bits.len());
        Genome { units: self.units, bits: self.bits[..at].iter().chain(&other.bits[at..]).copied().collect() }
    }

    /// Every bit flipped for which `flips` is true, asked once for each in order.
    pub fn flip(mut self, mut flips: impl FnMut() -> bool) -> Genome {
        self.bits.iter_mut().for_each(|bit| *bit ^= flips());
        self
    }
}

impl fmt::Display for Genome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}-", self.units)?;
        let missing = self.bits.len().next_multiple_of(4) - self.bits.len();
        let padded: Vec<bool> = std::iter::repeat_n(false, missing).chain(self.bits.iter().copied()).collect();
        padded.chunks_exact(4).try_for_each(|four| write!(f, "{:x}", four.iter().fold(0, |n, bit| n << 1 | u8::from(*bit))))
    }
}

impl From<Genome> for String {
    fn from(genome: Genome) -> Self {
        genome.to_string()
    }
}

impl TryFrom<String> for Genome {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        Genome::from_code(&text)
    }
}
