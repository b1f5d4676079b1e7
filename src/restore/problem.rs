//! One image to restore: what is known of it, what a network is fitted to, and how good its output is.

use super::options::{Fitness, RestoreOptions, Task, DOCUMENT};
use super::picture::{Picture, MOST_SIDE};
use super::quality::{decibels, square};
use super::resample::{downsampling, Matrix};
use crate::data::reserve;
use crate::error::{Error, Result};
use crate::json;
use crate::search::{Purpose, Stream};

#[derive(Debug)]
pub struct Problem {
    pub options: RestoreOptions,
    /// The damaged image.
    pub given: Picture,
    /// How the restored image should be, if that is known.
    pub reference: Option<Picture>,
    /// Of every pixel of the given image, whether a fit sees it.
    pub fitted: Vec<bool>,
    /// Pixels of it that are known and held out, ascending.
    held_out: Vec<usize>,
    /// Pixels of the restored image that are known; those of an image to inpaint.
    known: Option<Vec<bool>>,
    /// Along height and width, of an image that is too small.
    pub smaller: Option<[Matrix; 2]>,
}

/// Of a fitness, so that it is a number also where nothing differs.
const MOST_DECIBELS: f64 = 300.0;

impl Problem {
    /// `mask`: 1 for a known pixel, 0 for a missing one.
    pub fn new(options: RestoreOptions, given: Picture, mask: Option<Picture>, reference: Option<Picture>) -> Result<Self> {
        let factor = if options.task == Task::SuperResolution { options.factor } else { 1 };
        let shape = [given.channels, given.height * factor, given.width * factor];
        if shape[1..].iter().any(|side| *side > MOST_SIDE) {
            let reason =
                format!("{factor}: the image would have {} x {} pixels, and a side at most {MOST_SIDE}", shape[1], shape[2]);
            return Err(json::out_of_range(DOCUMENT, "/factor", reason));
        }
        Picture::count("picture", shape[0], shape[1], shape[2])?;
        let by = |name, picture: &Picture, wanted: [u32; 3]| match picture.shape() == wanted {
            true => Ok(()),
            false => {
                let reason = format!("{:?} channels, rows and columns, where {wanted:?} are expected", picture.shape());
                Err(Error::Argument { name, reason })
            }
        };
        if let Some(reference) = &reference {
            by("reference", reference, shape)?;
        }
        if options.fitness == Fitness::Reference && reference.is_none() {
            let reason = "\"reference\", and there is no reference".to_owned();
            return Err(json::out_of_range(DOCUMENT, "/fitness", reason));
        }
        let known = match (options.task, mask) {
            (Task::Inpaint, Some(mask)) => {
                by("mask", &mask, [1, given.height, given.width])?;
                Some(pixels(&mask)?)
            }
            (Task::Inpaint, None) => {
                return Err(Error::Argument { name: "mask", reason: "NULL, and the task is to inpaint".into() })
            }
            (_, Some(_)) => return Err(Error::Argument { name: "mask", reason: "it is for the task \"inpaint\" alone".into() }),
            (_, None) => None,
        };
        let mut fitted = reserve("fitted pixels", given.pixels())?;
        match &known {
            Some(known) => fitted.extend_from_slice(known),
            None => fitted.resize(given.pixels(), true),
        }
        let held_out = match options.fitness {
            Fitness::Blind => hold_out(&options, &mut fitted)?,
            Fitness::Reference => Vec::new(),
        };
        let side = |pixels: u32| downsampling(options.downsampler, pixels as usize, factor as usize);
        let smaller = if factor > 1 { Some([side(given.height)?, side(given.width)?]) } else { None };
        Ok(Problem { options, given, reference, fitted, held_out, known, smaller })
    }

    /// Channels, height and width of the restored image.
    pub fn shape(&self) -> [u32; 3] {
        let [channels, height, width] = self.given.shape();
        match self.smaller {
            Some(_) => [channels, height * self.options.factor, width * self.options.factor],
            None => [channels, height, width],
        }
    }

    pub fn input_channels(&self) -> u32 {
        self.options.train.input_channels
    }

    /// In decibels, of planes of the restored image's size.
    pub fn fitness(&self, output: &[f32]) -> f64 {
        let (difference, count) = match (&self.reference, self.options.fitness) {
            (Some(reference), Fitness::Reference) => {
                let filled = (0..).zip(output).map(|(at, value)| self.seen(at).unwrap_or(*value));
                (filled.zip(&reference.values).map(|(a, b)| square(a, *b)).sum::<f64>(), output.len())
            }
            _ => {
                let small = self.smaller.as_ref().map(|matrices| shrink(output, matrices));
                let planes = small.as_deref().unwrap_or(output).chunks_exact(self.given.pixels());
                let difference = |(a, b): (&[f32], &[f32])| self.held_out.iter().map(|at| square(a[*at], b[*at])).sum::<f64>();
                let sum = planes.zip(self.given.values.chunks_exact(self.given.pixels())).map(difference).sum();
                (sum, self.held_out.len() * self.given.channels as usize)
            }
        };
        decibels(difference / count as f64).min(MOST_DECIBELS)
    }

    /// The value of a pixel that is known and need not be restored; `at` counts over all planes.
    fn seen(&self, at: usize) -> Option<f32> {
        let known = self.known.as_ref()?;
        known[at % known.len()].then(|| self.given.values[at])
    }

    /// The restored image of an output: where an image is inpainted, its known pixels stay as they are.
    pub fn restored(&self, mut output: Vec<f32>) -> Result<Picture> {
        output.iter_mut().enumerate().for_each(|(at, value)| *value = self.seen(at).unwrap_or(*value));
        Picture::new("output", self.shape(), output)
    }

    /// A name of everything that is given.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |shape: [u32; 3], values: &mut dyn Iterator<Item = f32>| {
            shape.iter().for_each(|side| {
                hasher.update(&side.to_le_bytes());
            });
            values.for_each(|value| {
                hasher.update(&value.to_le_bytes());
            });
        };
        add(self.given.shape(), &mut self.given.values.iter().copied());
        if let Some(known) = &self.known {
            add([2, 0, 0], &mut known.iter().map(|known| f32::from(u8::from(*known))));
        }
        if let Some(reference) = &self.reference {
            add(reference.shape(), &mut reference.values.iter().copied());
        }
        hasher.finalize().to_hex().to_string()
    }
}

fn pixels(mask: &Picture) -> Result<Vec<bool>> {
    let wrong = |reason: String| Err(Error::Argument { name: "mask", reason });
    if let Some((at, value)) = mask.values.iter().enumerate().find(|(_, value)| **value != 0.0 && **value != 1.0) {
        return wrong(format!("value {at} is {value}: 1 is a known pixel, 0 a missing one"));
    }
    match mask.values.contains(&1.0) {
        true => {
            let mut known = reserve("known pixels", mask.values.len())?;
            known.extend(mask.values.iter().map(|value| *value == 1.0));
            Ok(known)
        }
        false => wrong("no pixel is known".into()),
    }
}

/// Takes some of the known pixels out of those that are fitted.
fn hold_out(options: &RestoreOptions, fitted: &mut [bool]) -> Result<Vec<usize>> {
    let mut known = reserve("known pixels", fitted.iter().filter(|fitted| **fitted).count())?;
    known.extend((0..fitted.len()).filter(|at| fitted[*at]));
    if known.len() < 2 {
        let reason = format!("{} known pixels, of which none can be held out (fitness \"blind\")", known.len());
        return Err(Error::Argument { name: "picture", reason });
    }
    let count = ((known.len() as f64 * options.held_out).round() as usize).clamp(1, known.len() - 1);
    Stream::new(options.seed, Purpose::HeldOutPixels, 0, 0).shuffle(&mut known);
    known.truncate(count);
    known.sort_unstable();
    known.iter().for_each(|at| fitted[*at] = false);
    Ok(known)
}

/// Planes made smaller along both sides.
fn shrink(planes: &[f32], [rows, columns]: &[Matrix; 2]) -> Vec<f32> {
    let narrow: Vec<f32> = planes.chunks_exact(columns.columns).flat_map(|row| times(columns, row, 0, 1)).collect();
    let width = columns.rows();
    let mut small = Vec::with_capacity(narrow.len() / rows.columns * rows.rows());
    for plane in narrow.chunks_exact(width * rows.columns) {
        let upright: Vec<Vec<f32>> = (0..width).map(|x| times(rows, plane, x, width)).collect();
        (0..rows.rows()).for_each(|y| small.extend(upright.iter().map(|column| column[y])));
    }
    small
}

/// A matrix times every `step`th value from `first` on.
fn times(matrix: &Matrix, values: &[f32], first: usize, step: usize) -> Vec<f32> {
    let row = |row: &[f32]| {
        let weights = row.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
        weights.map(|(at, weight)| weight * values[first + at * step]).sum()
    };
    matrix.values.chunks_exact(matrix.columns).map(row).collect()
}
