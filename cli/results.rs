//! `nse show` and `nse report`: what a search has found.

use crate::api::{Arch, Search};
use crate::args::{Format, Report, Show};
use crate::exit::{Failure, Outcome};
use crate::inputs::{self, priced};
use crate::{run, Session};
use serde_json::{json, Value};
use std::io::Write;
use std::path::PathBuf;

pub fn show(args: &Show, session: &Session) -> Outcome<Value> {
    let search = run::look(&args.run)?;
    let mut report = run::report(&search)?;
    let chosen = args.max_cost.map(|most| search.best(most)).transpose()?;
    if let Some((arch, accuracy)) = &chosen {
        report["chosen"] =
            json!({ "code": arch.code()?, "accuracy": accuracy, "architecture": arch.to_json()?, "costs": arch.describe()? });
    }
    session.print(|| print(&report));
    Ok(report)
}

fn print(report: &Value) {
    let cost = report["cost"].as_str().unwrap_or_default();
    let price = |value: &Value| priced(cost, value.as_f64().unwrap_or(f64::NAN));
    let percent = |value: &Value| value.as_f64().map_or("-".into(), |v| format!("{:.2}%", 100.0 * v));
    let count = |value: &Value| value.as_array().map_or(0, Vec::len);
    println!("space    {}: {} cells", report["space"]["name"].as_str().unwrap_or_default(), count(&report["space"]["cells"]));
    println!("budget   {} to {}", price(&report["window"][0]), price(&report["window"][1]));
    println!("rounds   {} of {}{}", report["completed"], report["total"], if report["done"] == true { ", complete" } else { "" });
    let rounds = report["rounds"].as_array().cloned().unwrap_or_default();
    if !rounds.is_empty() {
        println!("\nround  candidates  front     best  supernet   loss  seconds");
    }
    for round in &rounds {
        let best =
            round["candidates"].as_array().into_iter().flatten().filter_map(|c| c["accuracy"].as_f64()).fold(0.0, f64::max);
        let seconds = round["seconds"]["train"].as_f64().unwrap_or(0.0) + round["seconds"]["score"].as_f64().unwrap_or(0.0);
        let loss = round["loss"].as_f64().map_or("-".into(), |loss| format!("{loss:.3}"));
        let (candidates, front) = (count(&round["candidates"]), count(&round["front"]));
        let (number, supernet) = (round["round"].as_u64().unwrap_or(0), percent(&round["accuracy"]));
        println!("{number:>5}  {candidates:>10}  {front:>5}  {:>6.2}%  {supernet:>8}  {loss:>5}  {seconds:>7.0}", 100.0 * best);
    }
    let front = report["front"].as_array().cloned().unwrap_or_default();
    if front.is_empty() {
        println!("\nthe front is empty: no round is complete");
        return;
    }
    println!("\naccuracy  cost            code");
    for member in &front {
        println!(
            "{:>8}  {:<14}  {}",
            percent(&member["accuracy"]),
            price(&member["cost"]),
            member["code"].as_str().unwrap_or_default()
        );
    }
    let chosen = if report["chosen"].is_null() { &report["best"] } else { &report["chosen"] };
    let architecture = if report["chosen"].is_null() { chosen } else { &chosen["architecture"] };
    println!(
        "\n{} {}",
        if report["chosen"].is_null() { "best:" } else { "chosen:" },
        chosen["code"].as_str().unwrap_or_default()
    );
    let shared = cells(&architecture["cells"], 0);
    for (k, path) in architecture["paths"].as_array().into_iter().flatten().enumerate() {
        println!("  path {:>2}", k + 1);
        cells(path, shared);
    }
}

/// Lines for cells from the one numbered `first` on; how many there are.
fn cells(list: &Value, first: usize) -> usize {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    for (i, cell) in list.iter().enumerate() {
        let names: Vec<_> = cell.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        println!("  cell {:>2}  {}", first + i, if names.is_empty() { "skipped".into() } else { names.join(" + ") });
    }
    list.len()
}

/// The best of a search that costs at most so much.
pub fn best(search: &Search, max_cost: Option<f64>) -> Outcome<Arch> {
    search.best(max_cost.unwrap_or(f64::INFINITY)).map(|(arch, _)| arch)
}

pub fn report(args: &Report, session: &Session) -> Outcome<Value> {
    let search = run::look(&args.run)?;
    let (name, content) = match args.format {
        Format::Html => ("report.html", search.report("html")?),
        Format::Json => ("report.json", search.report("json")?),
        Format::Svg => ("report.svg", search.report("svg")?),
        Format::Png => ("report.png", search.report("png")?),
        Format::Diagram => ("best.svg", best(&search, args.max_cost)?.draw()?),
    };
    let beside = if args.run.is_dir() { args.run.join(name) } else { PathBuf::from(name) };
    let out = args.out.clone().unwrap_or(beside);
    if out.as_os_str() == "-" {
        let written = std::io::stdout().write_all(&content);
        return written.map(|()| Value::Null).map_err(|e| Failure::file(&out, e));
    }
    inputs::write(&out, &content)?;
    session.print(|| println!("{}", out.display()));
    Ok(json!({ "file": out, "bytes": content.len() }))
}
