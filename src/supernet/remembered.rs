//! A copy of the weights by which an operator is compared with what it was: its kernels, those of its squeeze-excitation with them, scale and
//! shift of its first two batch-norms, and the weights of what all networks have: stem, fixed block, tail, hidden layer and classifier.

use super::network::Network;
use super::stacked::Owner;
use super::step::Weight;
use super::store;
use super::unit::{Parameter, Unit};
use crate::error::{Error, Result};
use crate::search::{Arrays, Comparison, Products};
use crate::space::stack::Skeleton;
use crate::space::Stack;
use std::collections::BTreeMap;
use tch::{no_grad_guard, Kind, Tensor};

/// In the names of arrays.
const SUFFIX: &str = ".then";

/// Batch-norms of an operator that count (as in RLNAS).
const NORMS: usize = 2;

/// By the names of the parameters.
pub struct Remembered(BTreeMap<String, Tensor>);

/// Whose weights a parameter belongs to.
enum Place {
    Ends,
    Kernel(usize, u16),
    Norm(usize, u16),
}

/// What counts of these operators, and of what all networks have.
fn counted<'a>(network: &'a Network, operators: &[Vec<u16>]) -> Vec<(String, Place, &'a Parameter)> {
    let classifier = (store::name("classifier", 0), Place::Ends, &network.classifier().weight);
    let Ok(chain) = network.chain() else {
        let edges = network.space().stack().map(|stack| stacked(network, stack, operators));
        return [classifier].into_iter().chain(edges.into_iter().flatten()).collect();
    };
    let mut counted = vec![classifier];
    let units = [("stem".to_owned(), &chain.stem), ("tail".into(), &chain.tail)].into_iter();
    for (part, unit) in units.chain(chain.block.iter().map(|unit| (store::block(unit), unit))) {
        counted.extend(kernels(&part, unit).map(|(name, kernel)| (name, Place::Ends, kernel)));
    }
    counted.extend(chain.hidden(0).map(|hidden| (store::name("hidden", 0), Place::Ends, &hidden.weight)));
    for (cell, operators) in operators.iter().enumerate() {
        for operator in operators {
            let units = network.units(cell, *operator);
            let part = |unit| store::part(network, cell, *operator, unit);
            for unit in units {
                let place = |(name, kernel)| (name, Place::Kernel(cell, *operator), kernel);
                counted.extend(kernels(&part(unit), unit).map(place));
            }
            for (unit, norm) in units.iter().filter_map(|unit| Some((unit, unit.norm.as_ref()?))).take(NORMS) {
                let numbered = norm.iter().enumerate();
                counted.extend(numbered.map(|(i, p)| (store::name(&part(unit), 1 + i), Place::Norm(cell, *operator), p)));
            }
        }
    }
    counted
}

/// The weights of a unit that are no batch-norm and no bias, as they are named in a store.
fn kernels<'a>(part: &str, unit: &'a Unit) -> impl Iterator<Item = (String, &'a Parameter)> {
    let part = part.to_owned();
    let layers = unit.excitation.iter().flat_map(|excitation| [&excitation.squeeze.weight, &excitation.excite.weight]);
    let counted: Vec<_> = std::iter::once(&unit.weight).chain(layers).collect();
    let numbered = unit.parameters().enumerate().filter(move |(_, p)| counted.iter().any(|own| std::ptr::eq(*own, *p)));
    numbered.map(move |(i, parameter)| (store::name(&part, i), parameter))
}

/// Of stacked cells: what lies between them belongs to the ends. In NAS-Bench-201's network the batch-norms there count too, and the biases of
/// the classifier (AngleNAS, `weight_angle.py`).
fn stacked<'a>(network: &'a Network, stack: &Stack, operators: &[Vec<u16>]) -> Vec<(String, Place, &'a Parameter)> {
    let all = stack.plan().skeleton == Skeleton::NasBench201;
    let mut norms = BTreeMap::new();
    let mut counted = Vec::new();
    for (owner, weight) in network.stacked_weights(operators) {
        let name = weight.name().to_owned();
        match (owner, weight) {
            (Owner::All, Weight::Kernel(_, kernel)) => counted.push((store::name(&name, 0), Place::Ends, kernel)),
            (Owner::All, Weight::Norm(_, norm)) if all => {
                counted.extend(norm.iter().enumerate().map(|(i, p)| (store::name(&name, i), Place::Ends, p)));
            }
            (Owner::All, Weight::Norm(..)) => {}
            (Owner::Edge(edge, operator), Weight::Kernel(_, kernel)) => {
                counted.push((store::name(&name, 0), Place::Kernel(edge, operator), kernel));
            }
            (Owner::Edge(edge, operator), Weight::Norm(_, norm)) => {
                // Of every cell: a name is up to its last but one part that of the operator there.
                let seen = norms.entry(name.rsplitn(3, '.').last().unwrap_or_default().to_owned()).or_insert(0);
                *seen += 1;
                if *seen <= NORMS {
                    let numbered = norm.iter().enumerate();
                    counted.extend(numbered.map(|(i, p)| (store::name(&name, i), Place::Norm(edge, operator), p)));
                }
            }
        }
    }
    let biases = (store::name("classifier", 1), Place::Ends, &network.classifier().bias);
    counted.extend(all.then_some(biases));
    counted
}

impl Remembered {
    /// As the weights are now.
    pub fn of(network: &Network, operators: &[Vec<u16>]) -> Result<Self> {
        let copied = |(name, _, parameter): (String, Place, &Parameter)| Ok((name, parameter.value.f_detach_copy()?));
        Ok(Remembered(counted(network, operators).into_iter().map(copied).collect::<Result<_>>()?))
    }

    /// Forgets all but these operators, which the network has.
    pub fn keep(&mut self, network: &Network, operators: &[Vec<u16>]) {
        let kept: std::collections::BTreeSet<_> = counted(network, operators).into_iter().map(|(name, _, _)| name).collect();
        self.0.retain(|name, _| kept.contains(name));
    }

    /// Against the weights of now, in 64 bits.
    pub fn compare(&self, network: &Network, operators: &[Vec<u16>]) -> Result<Comparison> {
        let _no_grad = no_grad_guard();
        let mut comparison = Comparison { cells: vec![BTreeMap::new(); operators.len()], ..Comparison::default() };
        for (name, place, parameter) in counted(network, operators) {
            let then = self.0.get(&name).ok_or_else(|| Error::NotFound(format!("{name} was not remembered")))?;
            let products = products(then, &parameter.value)?;
            let sum = match place {
                Place::Ends => &mut comparison.ends,
                Place::Kernel(cell, operator) => &mut comparison.cells[cell].entry(operator).or_default().kernels,
                Place::Norm(cell, operator) => &mut comparison.cells[cell].entry(operator).or_default().norms,
            };
            *sum = *sum + products;
        }
        Ok(comparison)
    }

    /// Of these operators, with names that no parameter has.
    pub fn save(&self, network: &Network, operators: &[Vec<u16>]) -> Result<Arrays> {
        let named = |(name, _, _): (String, Place, &Parameter)| {
            let then = self.0.get(&name).ok_or_else(|| Error::NotFound(format!("{name} was not remembered")))?;
            Ok((format!("{name}{SUFFIX}"), store::array(then)?))
        };
        counted(network, operators).into_iter().map(named).collect()
    }

    /// Takes out of `arrays` what [`Remembered::save`] gave; None when there is nothing of the kind.
    pub fn restore(network: &Network, operators: &[Vec<u16>], arrays: &Arrays) -> Result<Option<Self>> {
        let _no_grad = no_grad_guard();
        let count = arrays.keys().filter(|name| Self::is_name(name)).count();
        if count == 0 {
            return Ok(None);
        }
        let remembered = Self::of(network, operators)?;
        for (name, then) in &remembered.0 {
            store::overwrite(then, &format!("{name}{SUFFIX}"), arrays)?;
        }
        store::no_more_than(remembered.0.len(), count)?;
        Ok(Some(remembered))
    }

    pub fn is_name(name: &str) -> bool {
        name.ends_with(SUFFIX)
    }
}

fn products(then: &Tensor, now: &Tensor) -> Result<Products> {
    let [then, now] = [then, now].map(|tensor| tensor.f_to_kind(Kind::Double));
    let (then, now) = (then?, now?);
    let product = |a: &Tensor, b: &Tensor| a.f_mul(b)?.f_sum(Kind::Double);
    let three = Tensor::f_stack(&[product(&then, &now)?, product(&then, &then)?, product(&now, &now)?], 0)?;
    match Vec::<f64>::try_from(three)?[..] {
        [both, then, now] => Ok(Products { both, then, now }),
        _ => Ok(Products::default()),
    }
}
