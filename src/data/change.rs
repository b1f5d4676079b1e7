//! How a training image is changed at random: moved, mirrored, partly erased.

use crate::search::{Augment, Stream};
use crate::space::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Random changes of a training image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Zero pixels added on every side before a crop back to the size at a random place.
    #[schemars(range(min = 0, max = 64))]
    pub pad: u32,
    /// Mirror left-right half of the time.
    pub flip: bool,
    /// Probability that a rectangle becomes the mean colour: 2% to 33% of the image, 0.3 to 3.3 times as high as wide (Zhong et al.,
    /// AAAI 2020).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub erase: f64,
}

impl Default for Changes {
    fn default() -> Self {
        Augment::default().into()
    }
}

/// Those of a search, which erases nothing.
impl From<Augment> for Changes {
    fn from(Augment { pad, flip }: Augment) -> Self {
        Changes { pad, flip, erase: 0.0 }
    }
}

impl Changes {
    /// Leaves out what `images` images would have drawn.
    pub fn skip(self, shape: Shape, images: usize, stream: &mut Stream) {
        for _ in 0..images {
            Change::draw(self, shape.height as usize, shape.width as usize, stream);
        }
    }
}

const AREA: [f64; 2] = [0.02, 0.33];
const ASPECT: [f64; 2] = [0.3, 3.3];
/// Rectangles that are drawn before an image is left alone, because none fits: as in the published code.
const TRIES: u32 = 10;

/// What becomes of one image. A crop of the zero-padded image is a shift that lets zeros in.
#[derive(Clone, Copy, Default)]
pub struct Change {
    pub down: i64,
    pub right: i64,
    pub flip: bool,
    /// Rows and columns that are erased, from and to; nothing when they are empty.
    erased: [[usize; 2]; 2],
}

impl Change {
    /// The draws of an image without erasing come first, so that they are those of a search with the same stream.
    pub fn draw(changes: Changes, height: usize, width: usize, stream: &mut Stream) -> Self {
        let mut shift = || stream.below(2 * u64::from(changes.pad) + 1) as i64 - i64::from(changes.pad);
        let (down, right) = (shift(), shift());
        let flip = changes.flip && stream.below(2) == 1;
        let erases = changes.erase > 0.0 && stream.uniform() < changes.erase;
        Change { down, right, flip, erased: if erases { rectangle(height, width, stream) } else { Default::default() } }
    }

    pub fn source(&self, to: usize, shift: i64, size: usize) -> Option<usize> {
        usize::try_from(to as i64 - shift).ok().filter(|from| *from < size)
    }

    /// Whether the pixel is erased, after all else happened.
    pub fn erased(&self, y: usize, x: usize) -> bool {
        let [rows, columns] = self.erased;
        (rows[0]..rows[1]).contains(&y) && (columns[0]..columns[1]).contains(&x)
    }
}

/// A rectangle inside the image: its area uniform, its aspect uniform in the logarithm.
fn rectangle(height: usize, width: usize, stream: &mut Stream) -> [[usize; 2]; 2] {
    for _ in 0..TRIES {
        let [area, aspect] = [AREA, ASPECT.map(f64::ln)].map(|[low, high]| low + (high - low) * stream.uniform());
        let (area, aspect) = (area * (height * width) as f64, aspect.exp());
        let [high, wide] = [(area * aspect).sqrt(), (area / aspect).sqrt()].map(|side| side.round() as usize);
        if (1..height).contains(&high) && (1..width).contains(&wide) {
            return [(high, height), (wide, width)].map(|(side, size)| {
                let from = stream.below((size - side) as u64 + 1) as usize;
                [from, from + side]
            });
        }
    }
    Default::default()
}
