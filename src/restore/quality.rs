//! How near two images are.

use super::picture::Picture;
use crate::data::reserve;
use crate::error::{Error, Result};

/// Peak signal-to-noise ratio in decibels, 10 log10(1 / mean squared difference) for a peak of 1; infinite for equal images.
pub fn psnr(a: &Picture, b: &Picture) -> Result<f64> {
    same_shape(a, b)?;
    Ok(decibels(mean(a.values.iter().zip(&b.values).map(|(a, b)| square(*a, *b)))))
}

pub fn square(a: f32, b: f32) -> f64 {
    let difference = f64::from(a) - f64::from(b);
    difference * difference
}

/// Of a mean squared difference.
pub fn decibels(error: f64) -> f64 {
    -10.0 * error.log10()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

fn same_shape(a: &Picture, b: &Picture) -> Result<()> {
    if a.shape() == b.shape() {
        return Ok(());
    }
    let [a, b] = [a, b].map(|p| format!("{} x {} x {}", p.channels, p.height, p.width));
    Err(Error::Argument { name: "reference", reason: format!("it is {b}, beside an image of {a}") })
}

/// Side of the window, and the standard deviation of its Gaussian.
const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;

/// Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004): the mean over all places of an 11 x 11 Gaussian window, sigma 1.5, that lie
/// inside the image, and over channels, of (2 ma mb + c1)(2 cov + c2) / ((ma^2 + mb^2 + c1)(va + vb + c2)), with c1 = 0.01^2 and
/// c2 = 0.03^2. None for an image with a side below 11.
pub fn ssim(a: &Picture, b: &Picture) -> Result<Option<f64>> {
    same_shape(a, b)?;
    let (height, width) = (a.height as usize, a.width as usize);
    if height < WINDOW || width < WINDOW {
        return Ok(None);
    }
    let planes = a.values.chunks_exact(a.pixels()).zip(b.values.chunks_exact(b.pixels()));
    let each = planes.map(|(a, b)| similarity(a, b, width)).collect::<Result<Vec<_>>>()?;
    Ok(Some(mean(each.into_iter())))
}

fn similarity(a: &[f32], b: &[f32], width: usize) -> Result<f64> {
    let weights = window();
    let blur = |value: &dyn Fn(f64, f64) -> f64| {
        let mut values = reserve("similarity", a.len())?;
        values.extend(a.iter().zip(b).map(|(a, b)| value(f64::from(*a), f64::from(*b))));
        blurred(&values, width, &weights)
    };
    let [ma, mb] = [blur(&|a, _| a)?, blur(&|_, b| b)?];
    let [aa, bb, ab] = [blur(&|a, _| a * a)?, blur(&|_, b| b * b)?, blur(&|a, b| a * b)?];
    let (c1, c2) = (1e-4, 9e-4);
    Ok(mean((0..ma.len()).map(|i| {
        let (x, y) = (ma[i], mb[i]);
        let (vx, vy, cov) = (aa[i] - x * x, bb[i] - y * y, ab[i] - x * y);
        (2.0 * x * y + c1) * (2.0 * cov + c2) / ((x * x + y * y + c1) * (vx + vy + c2))
    })))
}

fn window() -> [f64; WINDOW] {
    let mut weights = [0.0; WINDOW];
    for (i, weight) in weights.iter_mut().enumerate() {
        let off = i as f64 - (WINDOW / 2) as f64;
        *weight = (-off * off / (2.0 * SIGMA * SIGMA)).exp();
    }
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// Weighted means over all windows that lie inside: along rows, then along columns.
fn blurred(values: &[f64], width: usize, weights: &[f64; WINDOW]) -> Result<Vec<f64>> {
    let weigh = |at: &dyn Fn(usize) -> f64| weights.iter().enumerate().map(|(i, weight)| weight * at(i)).sum::<f64>();
    let narrow = width + 1 - WINDOW;
    let mut rows = reserve("similarity", values.len() / width * narrow)?;
    values.chunks_exact(width).for_each(|row| rows.extend((0..narrow).map(|x| weigh(&|i| row[x + i]))));
    let places = rows.len() + narrow - WINDOW * narrow;
    let mut all = reserve("similarity", places)?;
    all.extend((0..places).map(|at| weigh(&|i| rows[at + i * narrow])));
    Ok(all)
}
