//! Fashion-MNIST as a space of size S sees it: 32 x 32, three times the same channel.

use crate::Outcome;
use nse::data::Dataset;
use nse::search::{Purpose, Stream};
use nse::space::Shape;
use serde_json::json;

/// Held out, for architecture steps and accuracies.
pub const HELD_OUT: usize = 16 * 128;
const SIDE: usize = 32;

/// So many training images, and `HELD_OUT` others.
pub fn open(data: &str, train: usize) -> Outcome<[Dataset; 2]> {
    let file = |kind: &str| format!("{data}/train-{kind}-ubyte.gz");
    let document = json!({ "format": "idx", "images": file("images-idx3"), "labels": file("labels-idx1"), "classes": 10 });
    let all = Dataset::open(&document.to_string())?;
    let chosen = all.choose(train + HELD_OUT, &mut Stream::new(0, Purpose::Split, 0, 0))?;
    Ok([padded(&chosen, 0..train)?, padded(&chosen, train..train + HELD_OUT)?])
}

fn padded(images: &Dataset, positions: std::ops::Range<usize>) -> Outcome<Dataset> {
    let (shape, mut labels) = (images.shape(), Vec::with_capacity(positions.len()));
    let [height, width] = [shape.height, shape.width].map(|side| side as usize);
    let (above, left) = ((SIDE - height) / 2, (SIDE - width) / 2);
    let mut pixels = vec![0; positions.len() * 3 * SIDE * SIDE];
    for (image, planes) in positions.zip(pixels.chunks_exact_mut(3 * SIDE * SIDE)) {
        let (bytes, label) = images.image(image);
        labels.push(label);
        for plane in planes.chunks_exact_mut(SIDE * SIDE) {
            for (row, line) in bytes.chunks_exact(width).zip(plane.chunks_exact_mut(SIDE).skip(above)) {
                line[left..left + width].copy_from_slice(row);
            }
        }
    }
    let shape = Shape { channels: 3, height: SIDE as u32, width: SIDE as u32 };
    Ok(Dataset::from_memory(shape, Some(images.classes()), pixels, labels)?)
}
