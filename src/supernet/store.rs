//! A network's weights and momenta as named arrays, and back.

use super::network::Network;
use super::unit::{Parameter, Unit};
use crate::arch::Architecture;
use crate::data::reserve;
use crate::error::{Error, Result};
use crate::search::{Array, Arrays};
use tch::{no_grad_guard, Device, Tensor};

/// Weights and momenta of stem, tail, classifier and the given operators of every cell.
pub fn save(network: &Network, operators: &[Vec<u16>]) -> Result<Arrays> {
    let mut arrays = Arrays::new();
    for (name, parameter) in named(network, operators) {
        arrays.insert(format!("{name}.momentum"), array(&parameter.momentum)?);
        arrays.insert(name, array(&parameter.value)?);
    }
    Ok(arrays)
}

/// Overwrites what [`save`] wrote, among those arrays whose name `is_weight`; nothing may be missing, of another shape, or left over.
pub fn restore(network: &Network, operators: &[Vec<u16>], arrays: &Arrays, is_weight: impl Fn(&str) -> bool) -> Result<()> {
    let _no_grad = no_grad_guard();
    let named = named(network, operators);
    no_more_than(2 * named.len(), arrays.keys().filter(|name| is_weight(name)).count())?;
    for (name, parameter) in named {
        overwrite(&parameter.momentum, &format!("{name}.momentum"), arrays)?;
        overwrite(&parameter.value, &name, arrays)?;
    }
    Ok(())
}

/// Overwrites the weights, with what [`save`] gave of them among others.
pub fn overwrite_values(network: &Network, operators: &[Vec<u16>], arrays: &Arrays) -> Result<()> {
    let _no_grad = no_grad_guard();
    named(network, operators).into_iter().try_for_each(|(name, parameter)| overwrite(&parameter.value, &name, arrays))
}

/// Gives a stand-alone network of `architecture` the weights of a supernet: all paths of an ensemble the same.
pub fn take_over(network: &Network, architecture: &Architecture, supernet: &Network) -> Result<()> {
    let _no_grad = no_grad_guard();
    let mut pairs: Vec<(&Parameter, &Parameter)> = Vec::new();
    let stacked = network.stacked_weights(architecture.cells()).into_iter().zip(supernet.stacked_weights(architecture.cells()));
    pairs.extend(stacked.flat_map(|((_, to), (_, from))| to.parameters().into_iter().zip(from.parameters())));
    if let (Ok(to), Ok(from)) = (network.chain(), supernet.chain()) {
        let units = [&to.stem].into_iter().chain(&to.block).zip([&from.stem].into_iter().chain(&from.block));
        pairs.extend(units.flat_map(|(to, from)| to.parameters().zip(from.parameters())));
        for (place, (cell, operators)) in architecture.by_cell().enumerate() {
            for operator in operators {
                let units = network.units(place, *operator).iter().zip(supernet.units(cell, *operator));
                pairs.extend(units.flat_map(|(to, from)| to.parameters().zip(from.parameters())));
            }
        }
    }
    // A supernet has one of each.
    for (tail, layers) in supernet.heads().take(1) {
        for (own, own_layers) in network.heads() {
            pairs.extend(own.into_iter().zip(tail).flat_map(|(to, from)| to.parameters().zip(from.parameters())));
            let layers = own_layers.into_iter().zip(&layers);
            pairs.extend(layers.flat_map(|((_, to), (_, from))| to.parameters().zip(from.parameters())));
        }
    }
    pairs.into_iter().try_for_each(|(to, from)| to.value.shallow_clone().f_copy_(&from.value).map(|_| ()).map_err(Error::from))
}

/// When there are as many arrays as the network has, and each of those is there, none is left over.
pub fn no_more_than(count: usize, have: usize) -> Result<()> {
    match have == count {
        true => Ok(()),
        false => Err(wrong(format!("{have} arrays, the network has {count}"))),
    }
}

/// Of a parameter, the one with this number in its part.
pub fn name(part: &str, number: usize) -> String {
    format!("{part}.{number}")
}

/// Of a unit of an operator.
pub fn part(network: &Network, cell: usize, operator: u16, unit: &Unit) -> String {
    format!("cells.{cell}.{}.{}", network.shape(cell).operators[usize::from(operator)], unit.shape.name)
}

/// Of a unit of the fixed block.
pub fn block(unit: &Unit) -> String {
    format!("block.{}", unit.shape.name)
}

/// Every parameter of stem, tail, classifier and the given operators, by a stable name.
pub fn named<'a>(network: &'a Network, operators: &[Vec<u16>]) -> Vec<(String, &'a Parameter)> {
    let stacked = network.stacked_weights(operators).into_iter();
    let mut parts: Vec<(String, Vec<&Parameter>)> =
        stacked.map(|(_, weight)| (weight.name().to_owned(), weight.parameters())).collect();
    if let Ok(chain) = network.chain() {
        parts.push(("stem".into(), chain.stem.parameters().collect()));
        parts.extend(chain.block.iter().map(|unit| (block(unit), unit.parameters().collect())));
    }
    for (path, (tail, layers)) in network.heads().enumerate() {
        let name = |part| network.paths().head(path, part);
        parts.extend(tail.map(|tail| (name("tail"), tail.parameters().collect())));
        parts.extend(layers.into_iter().map(|(part, layer)| (name(part), layer.parameters().collect())));
    }
    for (cell, operators) in operators.iter().enumerate() {
        for operator in operators {
            let units = network.units(cell, *operator).iter();
            parts.extend(units.map(|unit| (self::part(network, cell, *operator, unit), unit.parameters().collect())));
        }
    }
    let numbered = |(part, parameters): (String, Vec<&'a Parameter>)| {
        parameters.into_iter().enumerate().map(move |(i, parameter)| (name(&part, i), parameter)).collect::<Vec<_>>()
    };
    parts.into_iter().flat_map(numbered).collect()
}

pub fn array(tensor: &Tensor) -> Result<Array> {
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut values = reserve("weights", flat.numel())?;
    values.resize(flat.numel(), 0f32);
    flat.f_copy_data(&mut values, flat.numel())?;
    Ok(Array { shape: tensor.size().iter().map(|n| *n as usize).collect(), values })
}

pub fn overwrite(tensor: &Tensor, name: &str, arrays: &Arrays) -> Result<()> {
    let array = arrays.get(name).ok_or_else(|| wrong(format!("{name} is missing")))?;
    let shape: Vec<i64> = array.shape.iter().map(|n| *n as i64).collect();
    if shape != tensor.size() {
        return Err(wrong(format!("{name} has the shape {shape:?}, the network has {:?}", tensor.size())));
    }
    tensor.shallow_clone().f_copy_(&Tensor::f_from_slice(&array.values)?.f_view(shape.as_slice())?)?;
    Ok(())
}

fn wrong(reason: String) -> Error {
    Error::Argument { name: "weights", reason }
}
