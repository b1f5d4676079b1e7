//! An image as planes of numbers.

use crate::error::{Error, Result};

/// Plane after plane, row by row. Black is 0 and white is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub channels: u32,
    pub height: u32,
    pub width: u32,
    pub values: Vec<f32>,
}

/// Longest side.
pub const MOST_SIDE: u32 = 16_384;
/// Most pixels: so that every number of a computation is far from its limit.
const MOST_PIXELS: u64 = 1 << 26;

impl Picture {
    /// Channels x height x width, when that is the shape of an image; `name` is the argument's.
    pub fn count(name: &'static str, channels: u32, height: u32, width: u32) -> Result<usize> {
        let wrong = |reason: String| Err(Error::Argument { name, reason });
        if channels != 1 && channels != 3 {
            return wrong(format!("{channels} channels, where 1 or 3 are possible"));
        }
        let sides = [height, width].iter().all(|side| (1..=MOST_SIDE).contains(side));
        if !sides || u64::from(height) * u64::from(width) > MOST_PIXELS {
            return wrong(format!("{height} x {width} pixels: a side has 1 to {MOST_SIDE}, and an image at most {MOST_PIXELS}"));
        }
        Ok(channels as usize * height as usize * width as usize)
    }

    pub fn new(name: &'static str, [channels, height, width]: [u32; 3], values: Vec<f32>) -> Result<Self> {
        let wrong = |reason: String| Err(Error::Argument { name, reason });
        let count = Self::count(name, channels, height, width)?;
        if values.len() != count {
            return wrong(format!("{} values, where {channels} x {height} x {width} are {count}", values.len()));
        }
        // Noise may go beyond black and white; 0 to 255 is another scale.
        match values.iter().position(|value| !(-1.0..=2.0).contains(value)) {
            Some(at) => wrong(format!("value {at} is {}: black is 0 and white is 1, and noise goes from -1 to 2", values[at])),
            None => Ok(Picture { channels, height, width, values }),
        }
    }

    pub fn shape(&self) -> [u32; 3] {
        [self.channels, self.height, self.width]
    }

    pub fn size(&self) -> [u32; 2] {
        [self.height, self.width]
    }

    pub fn pixels(&self) -> usize {
        self.height as usize * self.width as usize
    }
}
