//! Labelled images, held once in memory as bytes and shared by all views of them. Whose memory that is, is for [`Pixels`].

use super::idx;
use super::pixels::{reserve, Pixels};
use crate::error::{Error, Result};
use crate::json;
use crate::search::{Purpose, Stream};
use crate::space::Shape;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;

struct Images {
    shape: Shape,
    classes: u32,
    /// Image after image, each channel by channel, row by row.
    pixels: Pixels,
    labels: Vec<u32>,
}

/// A view of some images of a store. Cheap to clone; splitting copies no pixel.
#[derive(Clone)]
pub struct Dataset {
    images: Arc<Images>,
    members: Arc<Vec<u32>>,
}

/// `{"format": "idx", "images": path, "labels": path, "classes": 10}`; `classes` defaults to the greatest label + 1.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DatasetDocument {
    #[serde(rename = "format")]
    _format: Format,
    images: PathBuf,
    labels: PathBuf,
    classes: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Idx,
}

impl Dataset {
    /// Reads the files that a JSON document names (docs/data.md).
    pub fn open(document: &str) -> Result<Self> {
        let document: DatasetDocument = json::parse("dataset", document)?;
        let images = idx::read(&document.images, 3)?;
        let labels = idx::read(&document.labels, 1)?;
        let wrong = |reason| Error::Format { path: document.labels.clone(), reason };
        if images.dimensions[0] != labels.dimensions[0] {
            return Err(wrong(format!("{} labels for {} images", labels.dimensions[0], images.dimensions[0])));
        }
        let shape = Shape { channels: 1, height: images.dimensions[1], width: images.dimensions[2] };
        let mut wide = reserve("labels", labels.data.len())?;
        wide.extend(labels.data.into_iter().map(u32::from));
        let members = first(wide.len())?;
        Self::new(shape, document.classes, images.data.into(), wide, members).map_err(wrong)
    }

    /// `pixels`: image after image, each channel by channel, row by row. `classes` defaults to the greatest label + 1.
    pub fn from_memory(shape: Shape, classes: Option<u32>, pixels: impl Into<Pixels>, labels: Vec<u32>) -> Result<Self> {
        Self::of_argument("images", shape, classes, pixels, labels)
    }

    /// The same, with errors about the argument `name`.
    pub fn of_argument(
        name: &'static str,
        shape: Shape,
        classes: Option<u32>,
        pixels: impl Into<Pixels>,
        labels: Vec<u32>,
    ) -> Result<Self> {
        let members = first(labels.len())?;
        Self::new(shape, classes, pixels.into(), labels, members).map_err(|reason| Error::Argument { name, reason })
    }

    /// Bytes of one image, and of `count`. None of either is an error, as are more than memory can have.
    pub(super) fn bytes(shape: Shape, count: usize) -> std::result::Result<(usize, usize), String> {
        let Shape { channels, height, width } = shape;
        if [channels, height, width].contains(&0) || count == 0 {
            return Err(format!("{count} images of {channels}x{height}x{width}: nothing to see"));
        }
        let size = [channels, height, width].iter().try_fold(1usize, |product, n| product.checked_mul(*n as usize));
        let all = size.and_then(|size| size.checked_mul(count)).filter(|all| isize::try_from(*all).is_ok());
        let too_many = || format!("{count} images of {channels}x{height}x{width}: more bytes than memory can have");
        size.zip(all).ok_or_else(too_many)
    }

    fn new(
        shape: Shape,
        classes: Option<u32>,
        pixels: Pixels,
        labels: Vec<u32>,
        members: Vec<u32>,
    ) -> std::result::Result<Self, String> {
        let count = u32::try_from(labels.len()).map_err(|_| format!("{} images are too many", labels.len()))?;
        let (size, all) = Self::bytes(shape, labels.len())?;
        if all != pixels.len() {
            return Err(format!("{} bytes for {count} images of {size} bytes", pixels.len()));
        }
        let greatest = labels.iter().copied().max().unwrap_or(0);
        let classes = classes.unwrap_or(greatest.saturating_add(1));
        if let Some(at) = labels.iter().position(|label| *label >= classes) {
            return Err(format!("label {} of image {at} is not in 0 to {}", labels[at], i64::from(classes) - 1));
        }
        Ok(Dataset { images: Arc::new(Images { shape, classes, pixels, labels }), members: Arc::new(members) })
    }

    /// Two disjoint views that together are this one; the second holds `fraction` of the images, chosen by `seed`.
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Dataset, Dataset)> {
        let second = (self.len() as f64 * fraction).round();
        if !(second >= 1.0 && second < self.len() as f64) {
            let reason = format!("{fraction} of {} images leaves one side empty", self.len());
            return Err(Error::Argument { name: "fraction", reason });
        }
        let mut members = self.positions()?;
        Stream::new(seed, Purpose::Split, 0, 0).shuffle(&mut members);
        let mut rest = reserve("dataset", members.len() - second as usize)?;
        rest.extend_from_slice(&members[second as usize..]);
        members.truncate(second as usize);
        members.sort_unstable();
        rest.sort_unstable();
        let view = |members: Vec<u32>| Dataset { images: self.images.clone(), members: Arc::new(members) };
        Ok((view(rest), view(members)))
    }

    fn positions(&self) -> Result<Vec<u32>> {
        let mut positions = reserve("dataset", self.len())?;
        positions.extend_from_slice(&self.members);
        Ok(positions)
    }

    /// A view of at most `count` images, chosen by `stream`; all of them, in order, when there are no more.
    pub fn choose(&self, count: usize, stream: &mut Stream) -> Result<Dataset> {
        if count >= self.len() {
            return Ok(self.clone());
        }
        let mut members = self.positions()?;
        stream.shuffle(&mut members);
        members.truncate(count);
        members.sort_unstable();
        Ok(Dataset { images: self.images.clone(), members: Arc::new(members) })
    }

    /// A hash (BLAKE3) of shape, classes, images and labels, in the order of this view.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let Shape { channels, height, width } = self.shape();
        for number in [channels, height, width, self.classes(), self.members.len() as u32] {
            hasher.update(&number.to_le_bytes());
        }
        for position in 0..self.len() {
            let (pixels, label) = self.image(position);
            hasher.update(pixels).update(&label.to_le_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Shape of every image.
    pub fn shape(&self) -> Shape {
        self.images.shape
    }

    /// Labels are below this.
    pub fn classes(&self) -> u32 {
        self.images.classes
    }

    /// Bytes and label of the image at `position` of this view.
    pub fn image(&self, position: usize) -> (&[u8], u32) {
        let member = self.members[position] as usize;
        let size = self.images.pixels.len() / self.images.labels.len();
        (&self.images.pixels[member * size..][..size], self.images.labels[member])
    }
}

/// The positions of so many images, in order; more than a position can count are an error elsewhere.
fn first(count: usize) -> Result<Vec<u32>> {
    let mut positions = reserve("images", count)?;
    positions.extend(0..u32::try_from(count).unwrap_or(0));
    Ok(positions)
}
