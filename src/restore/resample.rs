//! How a small image comes from a large one: what super-resolution undoes.

use super::options::Downsampler;
use crate::data::reserve;
use crate::error::Result;

/// Of so many rows, `columns` numbers each.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    pub columns: usize,
    pub values: Vec<f32>,
}

impl Matrix {
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }
}

/// The matrix that makes `small` pixels of `small` x `factor` along one side. Every row has the weights of one small pixel: of all large ones inside
/// it the same ("area"), or by the Lanczos window of two lobes, sinc(d) sinc(d / 2) for a distance of d < 2 small pixels between centres,
/// as in Deep Image Prior ("lanczos2"). What would lie outside is as the nearest pixel inside.
pub fn downsampling(kind: Downsampler, small: usize, factor: usize) -> Result<Matrix> {
    let (columns, wide) = (small * factor, factor as f64);
    let weight = |distance: f64| match kind {
        Downsampler::Area => f64::from(u8::from(distance < 0.5)),
        Downsampler::Lanczos2 if distance < 2.0 => sinc(distance) * sinc(distance / 2.0),
        Downsampler::Lanczos2 => 0.0,
    };
    let mut values = reserve("weights of pixels", small * columns)?;
    values.resize(small * columns, 0.0f32);
    for (i, row) in values.chunks_exact_mut(columns).enumerate() {
        let centre = (i as f64 + 0.5) * wide;
        let reach = 2 * factor as i64;
        let (first, last) = (centre as i64 - reach - 1, centre as i64 + reach + 1);
        let weights: Vec<(i64, f64)> = (first..=last).map(|at| (at, weight((at as f64 + 0.5 - centre).abs() / wide))).collect();
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        for (at, weight) in weights {
            row[at.clamp(0, columns as i64 - 1) as usize] += (weight / sum) as f32;
        }
    }
    Ok(Matrix { columns, values })
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle == 0.0 {
        1.0
    } else {
        angle.sin() / angle
    }
}
