//! Images that somebody else writes, some at a time, into room that is ours.

use super::pixels::reserve;
use super::Dataset;
use crate::error::{Error, Result};
use crate::space::Shape;

/// Bytes of pixels that are asked for at once: few calls, and what was just written is still in a cache.
const CHUNK: usize = 1 << 20;

impl Dataset {
    /// Asks `fill` for every image once, in order: (position of the first, room for pixels, room for labels), for as many images
    /// as there is room for labels. What it leaves out is a black pixel, and a label that is an error.
    pub fn collect(
        shape: Shape,
        classes: Option<u32>,
        count: u32,
        mut fill: impl FnMut(u32, &mut [u8], &mut [u32]) -> Result<()>,
    ) -> Result<Self> {
        let wrong = |reason| Error::Argument { name: "source", reason };
        let (size, all) = Dataset::bytes(shape, count as usize).map_err(wrong)?;
        let (mut pixels, mut labels) = (reserve::<u8>("source", all)?, reserve::<u32>("source", count as usize)?);
        let most = (CHUNK / size).max(1);
        while labels.len() < count as usize {
            let (first, known) = (labels.len(), pixels.len());
            let images = most.min(count as usize - first);
            pixels.resize(known + images * size, 0);
            labels.resize(first + images, u32::MAX);
            fill(first as u32, &mut pixels[known..], &mut labels[first..])?;
        }
        Self::of_argument("source", shape, classes, pixels, labels)
    }
}
