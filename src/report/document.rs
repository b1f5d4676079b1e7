//! A report as JSON, for programs: docs/report.md says what is in it.

use super::Report;
use crate::cost;
use crate::search::{Drive, FrontMember};
use serde_json::{json, Value};

/// Of the document. It grows when a field changes its meaning or goes; new fields keep it.
pub const VERSION: u32 = 1;

pub fn json(report: &Report) -> Value {
    let objective = &report.options.objective;
    let metric = objective.cost;
    let member = |scored: &crate::search::Scored| {
        let mut member = json!(FrontMember::new(&report.space, metric, scored));
        if let Some(fields) = member.as_object_mut() {
            fields.insert("code".into(), scored.architecture.code(&report.space).into());
        }
        member
    };
    let front: Vec<_> = report.front.iter().filter(|_| report.has_front()).map(member).collect();
    let cells = report.space.cells().iter().map(|cell| {
        let out = cell.output();
        json!({ "kind": cell.kind, "channels": out.channels, "height": out.height, "width": out.width, "operators": cell.operators })
    });
    let costs = cost::CostTable::new(&report.space);
    let (least, greatest) = costs.range();
    json!({
        "report": VERSION,
        "versions": { "nse": env!("CARGO_PKG_VERSION"), "libtorch": report.libtorch },
        "drive": match report.drive { Drive::Steps => "steps", Drive::Pushed => "pushed", Drive::Told => "told" },
        "completed": report.rounds.0,
        "total": report.rounds.1,
        "done": report.done,
        "event": report.event,
        "space": {
            "name": report.space.name(), "cells": cells.collect::<Vec<_>>(),
            "log10_architectures": report.space.log10_architectures(),
            "macs": [least.macs, greatest.macs], "params": [least.params, greatest.params],
        },
        "cost": metric,
        "unit": report.unit(),
        "window": [objective.low, objective.high],
        "options": report.options,
        "front": front,
        "best": report.best().map(member),
        "rounds": report.history.as_ref(),
    })
}
