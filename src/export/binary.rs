//! Binary weights in an export that nse does not read back: they are what they are computed with, and what they were learnt from is left out.

use super::{Graph, Layer};
use crate::error::{Error, Result};
use crate::search::Arrays;
use crate::space::Binary;

impl Graph {
    /// Every weight of a binary convolution becomes its scale, or less that. Fails where activations are binary, too.
    pub fn binarize(&mut self) -> Result<()> {
        for node in &self.nodes {
            let Layer::Convolve { path, shape, .. } = &node.layer else { continue };
            let filters = shape.cout as usize;
            match shape.binary {
                None => {}
                Some(Binary::Xnor(_)) => {
                    return Err(Error::Unsupported("binary activations in any format but safetensors"));
                }
                Some(Binary::Layer | Binary::Released) => scale(&mut self.weights, path, 1, 1.0)?,
                Some(Binary::Filter) => scale(&mut self.weights, path, filters, 1.0)?,
                Some(Binary::Pcnn(_)) => {
                    let matrix = self.weights.remove(&format!("{path}.matrix")).map_or(Vec::new(), |matrix| matrix.values);
                    // Only the sign of the mean of all counts.
                    scale(&mut self.weights, path, 1, matrix.iter().sum())?;
                }
            }
        }
        Ok(())
    }
}

/// In so many parts, each with a scale of its own; a weight is positive where its product with `by` is not below 0.
fn scale(weights: &mut Arrays, path: &str, parts: usize, by: f32) -> Result<()> {
    let name = format!("{path}.weight");
    let missing = || Error::Argument { name: "weights", reason: format!("{name} is missing") };
    let values = &mut weights.get_mut(&name).ok_or_else(missing)?.values;
    let each = (values.len() / parts.max(1)).max(1);
    for part in values.chunks_mut(each) {
        let mean = part.iter().map(|w| f64::from(w.abs())).sum::<f64>() / part.len() as f64;
        part.iter_mut().for_each(|w| *w = if by * *w >= 0.0 { mean as f32 } else { -mean as f32 });
    }
    Ok(())
}
