//! From bytes to a batch of numbers: which images, changed how, normalised by what.

use super::change::Change;
use super::pixels::room_for;
use super::{Changes, Dataset};
use crate::error::Result;
use crate::search::{Purpose, Stream};

/// Per channel: a pixel v becomes (v / 255 - mean) / std.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalisation {
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
}

impl Normalisation {
    /// Mean and standard deviation over all pixels of all images, per channel; 1 for a channel that never changes.
    pub fn of(dataset: &Dataset) -> Self {
        let channels = dataset.shape().channels as usize;
        let mut counts = vec![[0u64; 256]; channels];
        for position in 0..dataset.len() {
            let (pixels, _) = dataset.image(position);
            for (plane, counts) in pixels.chunks_exact(pixels.len() / channels).zip(&mut counts) {
                plane.iter().for_each(|v| counts[usize::from(*v)] += 1);
            }
        }
        let moment = |counts: &[u64; 256], value: &dyn Fn(f64) -> f64| {
            let total = counts.iter().sum::<u64>() as f64;
            counts.iter().enumerate().map(|(v, n)| *n as f64 / total * value(v as f64 / 255.0)).sum::<f64>()
        };
        let mean: Vec<f64> = counts.iter().map(|c| moment(c, &|v| v)).collect();
        let std = counts.iter().zip(&mean).map(|(c, mean)| moment(c, &|v| (v - mean).powi(2)).sqrt());
        Normalisation {
            std: std.map(|s| if s > 1e-6 { s as f32 } else { 1.0 }).collect(),
            mean: mean.iter().map(|m| *m as f32).collect(),
        }
    }

    /// What every byte becomes, per channel.
    fn table(&self) -> Vec<[f32; 256]> {
        let row = |(mean, std): (&f32, &f32)| std::array::from_fn(|v| (v as f32 / 255.0 - mean) / std);
        self.mean.iter().zip(&self.std).map(row).collect()
    }
}

impl Dataset {
    /// Writes the images at `positions` (channels, height, width each) and their labels. With `changes`, each image is
    /// changed by draws of the stream, in order.
    pub fn fill(
        &self,
        positions: &[u32],
        normalisation: &Normalisation,
        mut changes: Option<(Changes, Stream)>,
        images: &mut Vec<f32>,
        labels: &mut Vec<i64>,
    ) -> Result<()> {
        let table = normalisation.table();
        let (height, width) = (self.shape().height as usize, self.shape().width as usize);
        images.clear();
        labels.clear();
        let numbers = positions.len() * self.shape().channels as usize * height * width;
        room_for("images", images, numbers)?;
        room_for("labels", labels, positions.len())?;
        for position in positions {
            let (pixels, label) = self.image(*position as usize);
            let change = changes.as_mut().map_or(Change::default(), |(changes, stream)| Change::draw(*changes, height, width, stream));
            for (plane, table) in pixels.chunks_exact(height * width).zip(&table) {
                for y in 0..height {
                    let row = change.source(y, change.down, height).map(|y| &plane[y * width..][..width]);
                    images.extend((0..width).map(|x| {
                        if change.erased(y, x) {
                            return 0.0;
                        }
                        let x = if change.flip { width - 1 - x } else { x };
                        let pixel = row.and_then(|row| Some(row[change.source(x, change.right, width)?]));
                        table[usize::from(pixel.unwrap_or(0))]
                    }));
                }
            }
            labels.push(i64::from(label));
        }
        Ok(())
    }
}

/// The order in which a run visits images: a fresh permutation per epoch, named by (seed, purpose, round, epoch).
pub struct Order {
    seed: u64,
    purpose: Purpose,
    images: usize,
    batch: usize,
    /// Round, epoch and permutation last used.
    current: Option<(u64, u64, Vec<u32>)>,
}

impl Order {
    /// Batches of `batch` images, or of all when there are fewer; an incomplete last batch of an epoch is left out.
    pub fn new(seed: u64, purpose: Purpose, images: usize, batch: usize) -> Self {
        Order { seed, purpose, images, batch: batch.min(images), current: None }
    }

    pub fn steps_per_epoch(&self) -> u64 {
        (self.images / self.batch) as u64
    }

    /// Positions of the images of one step, counted over all epochs of a round.
    pub fn batch(&mut self, round: u64, step: u64) -> &[u32] {
        let epoch = step / self.steps_per_epoch();
        if !matches!(self.current, Some((r, e, _)) if (r, e) == (round, epoch)) {
            let mut permutation: Vec<u32> = (0..self.images as u32).collect();
            Stream::new(self.seed, self.purpose, round, epoch).shuffle(&mut permutation);
            self.current = Some((round, epoch, permutation));
        }
        let start = (step % self.steps_per_epoch()) as usize * self.batch;
        self.current.as_ref().map_or(&[], |(_, _, permutation)| &permutation[start..start + self.batch])
    }
}
