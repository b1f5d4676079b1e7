//! Batch-norm with fixed statistics is a scale and a shift per channel: here both go into the convolution in front of it.

use super::graph::EPSILON;
use super::{Graph, Layer, Node};
use crate::error::{Error, Result};
use crate::search::{Array, Arrays};
use std::collections::HashMap;

impl Graph {
    /// Takes the batch-norms of convolutions out. y = (conv(x) - mean) / sqrt(var + epsilon) * scale + shift, in double precision and rounded once.
    pub fn fold(&mut self) -> Result<()> {
        // Output of a norm that went, and of the convolution that has taken it in.
        let mut renamed = HashMap::new();
        let mut folded: Vec<Node> = Vec::with_capacity(self.nodes.len());
        for mut node in std::mem::take(&mut self.nodes) {
            for name in node.layer.inputs_mut() {
                if let Some(now) = renamed.get(name) {
                    name.clone_from(now);
                }
            }
            // The norm of a convolution is behind it, and nothing else reads that. Others, as of halved maps, stay.
            match (&node.layer, folded.last_mut()) {
                (Layer::Norm { path: norm, from }, Some(Node { to, layer: Layer::Convolve { path, bias, .. } }))
                    if from == to && !*bias =>
                {
                    *bias = true;
                    take_in(&mut self.weights, path, norm)?;
                    renamed.insert(node.to, to.clone());
                }
                _ => folded.push(node),
            }
        }
        self.nodes = folded;
        Ok(())
    }
}

fn take_in(weights: &mut Arrays, path: &str, norm: &str) -> Result<()> {
    let mut take = |name: String| {
        weights.remove(&name).ok_or_else(|| Error::Argument { name: "weights", reason: format!("{name} is missing") })
    };
    let [scale, shift, mean, var] = ["weight", "bias", "running_mean", "running_var"].map(|part| take(format!("{norm}.{part}")));
    let (scale, shift, mean, var) = (scale?.values, shift?.values, mean?.values, var?.values);
    let mut weight = take(format!("{path}.weight"))?;
    let factors: Vec<f64> = scale.iter().zip(&var).map(|(s, v)| f64::from(*s) / (f64::from(*v) + EPSILON).sqrt()).collect();
    let each = weight.values.len() / factors.len().max(1);
    for (filter, factor) in weight.values.chunks_mut(each.max(1)).zip(&factors) {
        filter.iter_mut().for_each(|w| *w = (f64::from(*w) * factor) as f32);
    }
    let biases = shift.iter().zip(&mean).zip(&factors).map(|((b, m), factor)| (f64::from(*b) - f64::from(*m) * factor) as f32);
    let bias = Array { shape: vec![factors.len()], values: biases.collect() };
    weights.insert(format!("{path}.weight"), weight);
    weights.insert(format!("{path}.bias"), bias);
    Ok(())
}
