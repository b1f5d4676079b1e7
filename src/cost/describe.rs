//! What a space and an architecture hold and cost, for people and programs.

use super::{count, variant_cost, Cost, CostTable, LatencyTable, Metric, Prices, Spread};
use crate::arch::{Architecture, Variant};
use crate::error::Result;
use crate::space::Space;
use serde::Serialize;
use serde_json::{json, Value};

#[derive(Debug, Serialize)]
pub struct Description {
    pub name: String,
    pub cells: usize,
    /// Candidates over all cells.
    pub operators: usize,
    pub most_operators_per_cell: usize,
    /// log10 of the number of architectures, multi-branch subsets included.
    pub log10_architectures: f64,
    /// The number of those with one operator in every cell, or none where that is allowed: exact, in digits.
    pub single_branch: String,
    /// The number of those that have two operators for every node, as texts are written: of stacked cells as in DARTS or of blocks only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub genotypes: Option<String>,
    pub macs: Range,
    pub params: Range,
    /// Size of the trained network, where some weights are binary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<Range>,
    /// Multiply-accumulates, 64 binary ones counted as one, where some weights are binary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<Range>,
    /// In the unit of the table; only with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Range>,
}

/// Of one cost over all architectures; by itself, not together with the other costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Range {
    #[serde(serialize_with = "whole")]
    pub least: f64,
    /// Half of the architectures cost no more; to a few thousandths of the range.
    #[serde(serialize_with = "whole")]
    pub middle: f64,
    #[serde(serialize_with = "whole")]
    pub greatest: f64,
}

impl Range {
    pub fn new(space: &Space, prices: &Prices) -> Self {
        let (least, greatest) = prices.range(space);
        let middle = Spread::new(space, prices, greatest).median();
        let [least, middle, greatest] = [least, middle, greatest].map(|price| prices.metric.amount(price));
        Range { least, middle, greatest }
    }
}

/// A count is written without a fraction.
pub(crate) fn whole<S: serde::Serializer>(value: &f64, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    if value.fract() == 0.0 && *value < 1e15 {
        serializer.serialize_u64(*value as u64)
    } else {
        serializer.serialize_f64(*value)
    }
}

/// Fails only when the latency table lacks something.
pub fn describe(space: &Space, latency: Option<&LatencyTable>) -> Result<Description> {
    let costs = CostTable::new(space);
    let timed = latency.map(|table| table.resolve(space)).transpose()?;
    let binary = |metric| space.binary().map(|_| Range::new(space, &costs.prices(metric)));
    Ok(Description {
        name: space.name().into(),
        cells: space.cells().len(),
        operators: space.cells().iter().map(|c| c.operators.len()).sum(),
        most_operators_per_cell: space.most_operators(),
        log10_architectures: space.log10_architectures(),
        single_branch: count::single_branch(space),
        genotypes: space.stack().and_then(count::genotypes),
        macs: Range::new(space, &costs.prices(Metric::Macs)),
        params: Range::new(space, &costs.prices(Metric::Params)),
        bits: binary(Metric::Bits),
        operations: binary(Metric::Operations),
        latency: timed.map(|latencies| Range::new(space, &Prices::timed(space, &latencies))),
    })
}

/// Costs of an architecture as a stand-alone network of some variant, as a whole and cell by cell (the cells without what the
/// variant adds). `published_macs` is the count of published code. Of an ensemble also what it saves against its members apart.
pub fn describe_architecture(space: &Space, architecture: &Architecture, variant: Variant) -> Value {
    let costs = CostTable::new(space);
    let names = architecture.names(space);
    let paths = architecture.paths();
    let cells = architecture.by_cell().enumerate().map(|(place, (i, open))| {
        let (cell, cost) = (&space.cells()[i], costs.branches(i, open));
        let mut described = json!({
            "kind": cell.kind, "channels": cell.channels, "height": cell.output().height, "width": cell.output().width,
            "operators": names[place], "macs": cost.macs, "params": cost.params
        });
        if space.binary().is_some() {
            described["binary"] = json!({ "macs": cost.binary_macs, "params": cost.binary_params });
        }
        if let Some(stack) = space.stack() {
            described["edge"] = stack.label(i).into();
        }
        if let (Some(path), cell) = paths.at(place) {
            described["path"] = path.into();
            described["cell"] = cell.into();
        }
        described
    });
    let cost = variant_cost(space, architecture, variant);
    // Every path has an average pooling.
    let published = (0..paths.count()).fold(cost, |cost, _| Cost { macs: costs.published_macs(cost), ..cost }).macs;
    let mut described = json!({
        "space": space.name(), "macs": cost.macs, "published_macs": published, "params": cost.params,
        "cells": cells.collect::<Vec<_>>()
    });
    if space.binary().is_some() {
        described["binary"] = json!({ "macs": cost.binary_macs, "params": cost.binary_params });
        described["bits"] = cost.bits().into();
        described["operations"] = json!(Metric::Operations.amount(cost.operations64()));
    }
    if space.stack().is_some() {
        described["genotype"] = json!(architecture.genotype(space));
        described["topology"] = json!(architecture.topology(space));
        if space.stack().is_some_and(|stack| stack.plan().skeleton.blocks()) {
            described["canonical"] = json!(architecture.canonical(space).and_then(|canonical| canonical.genotype(space)));
        }
    }
    if paths.is_ensemble() {
        let members: Vec<_> = architecture.members().iter().map(|member| variant_cost(space, member, variant)).collect();
        let apart: Cost = members.iter().copied().sum();
        described["paths"] = paths.count().into();
        described["split"] = paths.split().into();
        described["saved"] =
            json!({ "macs": apart.macs.saturating_sub(cost.macs), "params": apart.params.saturating_sub(cost.params) });
        described["members"] = json!(members);
    }
    described
}
