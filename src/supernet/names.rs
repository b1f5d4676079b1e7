//! A network's weights and statistics under the names that exported models have (see [`crate::export::Graph`]), and back.

use super::network::Network;
use super::norm::Statistics;
use super::step::Weight;
use super::store;
use super::unit::{Linear, Unit};
use crate::error::Result;
use crate::search::Arrays;
use std::ops::Range;
use tch::{no_grad_guard, Tensor};

/// Parameters by name, and the names of the batch-norms in the order of a forward pass.
#[derive(Default)]
struct Names<'a> {
    parameters: Vec<(String, &'a Tensor)>,
    norms: Vec<String>,
}

impl<'a> Names<'a> {
    fn of(network: &'a Network, open: &[Vec<u16>]) -> Self {
        let mut names = Names::default();
        for (_, weight) in network.stacked_weights(open) {
            names.weight(weight);
        }
        let paths = network.paths();
        if let Ok(chain) = network.chain() {
            names.unit("stem", &chain.stem);
            for unit in &chain.block {
                names.unit(&store::block(unit), unit);
            }
            names.places(network, open, 0..paths.split());
        }
        for (path, (tail, layers)) in network.heads().enumerate() {
            names.places(network, open, paths.own(path));
            if let Some(tail) = tail {
                names.unit(&paths.head(path, "tail"), tail);
            }
            for (part, layer) in layers {
                names.linear(&paths.head(path, part), layer);
            }
        }
        names
    }

    /// Stacked cells have none here.
    fn places(&mut self, network: &'a Network, open: &[Vec<u16>], places: Range<usize>) {
        for place in places {
            for operator in &open[place] {
                let label = network.shape(place).operators[usize::from(*operator)];
                for unit in network.units(place, *operator) {
                    self.unit(&format!("{}.{label}.{}", network.paths().label(place), unit.shape.name), unit);
                }
            }
        }
    }

    fn weight(&mut self, weight: Weight<'a>) {
        match weight {
            Weight::Kernel(name, kernel) => self.parameters.push((name, &kernel.value)),
            Weight::Norm(name, [scale, shift]) => {
                self.parameters.push((format!("{name}.weight"), &scale.value));
                self.parameters.push((format!("{name}.bias"), &shift.value));
                self.norms.push(name);
            }
        }
    }

    fn unit(&mut self, path: &str, unit: &'a Unit) {
        self.parameters.push((format!("{path}.weight"), &unit.weight.value));
        if let Some(matrix) = &unit.matrix {
            self.parameters.push((format!("{path}.matrix"), &matrix.value));
        }
        if let Some([scale, shift]) = &unit.norm {
            self.parameters.push((format!("{path}.bn.weight"), &scale.value));
            self.parameters.push((format!("{path}.bn.bias"), &shift.value));
            self.norms.push(format!("{path}.bn"));
        }
        if let Some(excitation) = &unit.excitation {
            self.linear(&format!("{path}.squeeze"), &excitation.squeeze);
            self.linear(&format!("{path}.excite"), &excitation.excite);
        }
    }

    fn linear(&mut self, path: &str, layer: &'a Linear) {
        self.parameters.push((format!("{path}.weight"), &layer.weight.value));
        self.parameters.push((format!("{path}.bias"), &layer.bias.value));
    }
}

/// Everything that a forward pass with these operators reads.
pub fn save(network: &Network, open: &[Vec<u16>], statistics: &Statistics) -> Result<Arrays> {
    let Names { parameters, norms } = Names::of(network, open);
    let mut arrays = Arrays::new();
    for (name, tensor) in parameters {
        arrays.insert(name, store::array(tensor)?);
    }
    for (path, (mean, var)) in norms.iter().zip(statistics) {
        arrays.insert(format!("{path}.running_mean"), store::array(mean)?);
        arrays.insert(format!("{path}.running_var"), store::array(var)?);
    }
    Ok(arrays)
}

/// Overwrites the parameters with arrays of the same names, but for those that `fresh` wants to leave.
pub fn load(network: &Network, open: &[Vec<u16>], arrays: &Arrays, fresh: impl Fn(&str) -> bool) -> Result<()> {
    let _no_grad = no_grad_guard();
    let names = Names::of(network, open).parameters.into_iter();
    names.filter(|(name, _)| !fresh(name)).try_for_each(|(name, tensor)| store::overwrite(tensor, &name, arrays))
}

/// The statistics among the arrays, which have all of them.
pub fn statistics(network: &Network, open: &[Vec<u16>], arrays: &Arrays) -> Result<Statistics> {
    let device = network.classifier().bias.value.device();
    let tensor = |name: String| -> Result<Tensor> {
        let values = arrays.get(&name).map_or(&[][..], |array| &array.values);
        Ok(Tensor::f_from_slice(values)?.f_to_device(device)?)
    };
    let norms = Names::of(network, open).norms.into_iter();
    norms.map(|path| Ok((tensor(format!("{path}.running_mean"))?, tensor(format!("{path}.running_var"))?))).collect()
}
