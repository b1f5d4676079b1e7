//! A report as one HTML page that needs nothing else: no network, no font, and without its few lines of script only the floating hints
//! are missing. Its policy lets no other script run.

use super::diagram::{self, diagram};
use super::front::Look;
use super::movement::Movement;
use super::text::{cells, cost, duration, percent, visible};
use super::{fitness, picture, Report};
use crate::error::Result;
use crate::search::{Drive, EventKind, FrontMember, Scored};
use maud::{html, Markup, PreEscaped, DOCTYPE};
use serde_json::json;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// SHA-256 of the script, in base64: a test holds it.
pub const SCRIPT_HASH: &str = "qoeOnzJJOfnToYrCs+0HjhflZUVHNtB4UzIwNoqcgUk=";

/// The picture of the front for wide and for narrow windows; style picks one.
const LOOKS: [(&str, Look); 2] =
    [("wide", Look { size: (920, 520), scale: 1, alone: false }), ("narrow", Look { size: (360, 380), scale: 1, alone: false })];

pub fn html(report: &Report) -> Result<String> {
    let name = visible(report.space.name());
    let policy = format!("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{SCRIPT_HASH}'");
    let movement = Movement::new(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "nse: search of " (name) }
                style { (PreEscaped(STYLE)) (PreEscaped(diagram::STYLE)) (PreEscaped(dark())) }
            }
            body {
                header { h1 { "Search of " (name) } p { (state(report)) } }
                (numbers(report))
                section {
                    h2 { "Front" }
                    (front(report)?)
                    @for (i, scored) in report.front.iter().filter(|_| report.has_front()).enumerate() { (member(report, i, scored)) }
                }
                @if !report.history.is_empty() {
                    section { h2 { "Fitness" } (fitness::maps(report, &movement)) }
                    section { h2 { "How the space moved" } (moves(report, &movement)) }
                    section { h2 { "Rounds" } (rounds(report)) }
                }
                section { h2 { "Settings" } (settings(report)) }
                footer { "nse " (env!("CARGO_PKG_VERSION")) @if let Some(torch) = report.libtorch["version"].as_str() { ", libtorch " (torch) } }
                div #tip hidden {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string())
}

fn dark() -> String {
    format!("@media (prefers-color-scheme:dark){{{}}}", picture::dark(".plot "))
}

fn state(report: &Report) -> Markup {
    let (completed, total) = report.rounds;
    let under_way = report.event.filter(|event| event.kind != EventKind::Finish && event.round > completed);
    html! {
        @if report.done { "Complete: " (total) " rounds." }
        @else if completed == 0 && report.drive == Drive::Told { "Round 1 of " (total) ": " (report.scored.len()) " results so far." }
        @else if completed == 0 { "No round is complete yet, of " (total) "." }
        @else { (completed) " of " (total) " rounds are complete." }
        @if let (Some(event), false) = (under_way, report.done) {
            " Now in round " (event.round) ": "
            @if event.kind == EventKind::Score { "candidate " } @else { "step " }
            (event.step) " of " (event.steps)
            @if event.seconds_left.is_finite() { ", about " (duration(event.seconds_left)) " left" }
            "."
        }
    }
}

fn numbers(report: &Report) -> Markup {
    let (metric, unit) = (report.options.objective.cost, report.unit());
    let objective = &report.options.objective;
    let scored: usize = report.history.iter().map(|r| r.candidates.len()).sum();
    let seconds: f64 = report.history.iter().map(|r| r.seconds.train + r.seconds.score).filter(|s| s.is_finite()).sum();
    html! {
        dl.numbers {
            @if let Some(best) = report.best() {
                div { dt { "best of the front" } dd { (percent(best.accuracy)) } small { (cost(metric, unit, metric.amount(best.price))) } }
            }
            div {
                dt { "budget" } dd { (cost(metric, unit, objective.high)) }
                small { "candidates from " (cost(metric, unit, objective.low)) }
            }
            div {
                dt { @if report.drive == Drive::Told { "results" } @else { "scored" } }
                dd { (if report.drive == Drive::Told { report.scored.len() } else { scored }) }
                small { (report.front.iter().filter(|_| report.has_front()).count()) " on the front" }
            }
            @if seconds > 0.0 { div { dt { "time" } dd { (duration(seconds)) } small { "training and scoring" } } }
            div {
                dt { "space" } dd { "10" sup { (format!("{:.0}", report.space.log10_architectures())) } }
                small { "architectures, " (report.space.cells().len()) " cells" }
            }
        }
    }
}

/// What a reader sees who points at a member.
fn hint(report: &Report, scored: &Scored) -> String {
    let metric = report.options.objective.cost;
    let head = format!("{} at {}", percent(scored.accuracy), cost(metric, report.unit(), metric.amount(scored.price)));
    format!("{head}\n{}", cells(&report.space, &scored.architecture))
}

fn front(report: &Report) -> Result<Markup> {
    let mut figures = Vec::new();
    for (class, look) in &LOOKS {
        let (svg, places) = picture::bare(report, look)?;
        let spots = html! {
            @for (i, ((x, y), scored)) in places.iter().zip(report.front.iter()).enumerate() {
                a.spot href=(format!("#member-{i}")) {
                    title { (hint(report, scored)) }
                    circle cx=(x) cy=(y) r="9" {}
                }
            }
        };
        // Behind everything else, so that it is on top.
        let svg = svg.trim_end().trim_end_matches("</svg>").to_owned() + &spots.into_string() + "</svg>";
        figures.push(html! { figure class=(format!("plot {class}")) { (PreEscaped(svg)) } });
    }
    Ok(html! {
        p.legend {
            @if report.history.len() > 1 {
                (key("dot", "#bebebe", "#4f565e", "candidate"))
                (key("dot", "#828282", "#8b929a", "of the last round"))
                (key("line", "#e69f00", "#e69f00", "front of round 1"))
            } @else { (key("dot", "#828282", "#8b929a", "candidate")) }
            @if report.has_front() { (key("line", "#0072b2", "#56b4e9", "front (point at a dot for its architecture)")) }
            (key("line", "#d55e00", "#ff7f41", "budget"))
        }
        @for figure in figures { (figure) }
    })
}

/// One entry of a legend: a mark with its colours on light and on dark paper, and what it stands for.
fn key(mark: &str, light: &str, dark: &str, text: &str) -> Markup {
    html! { span.key { span class=(mark) style=(format!("--c:{light};--d:{dark}")) {} " " (text) } " " }
}

fn member(report: &Report, index: usize, scored: &Scored) -> Markup {
    let metric = report.options.objective.cost;
    let facts = FrontMember::new(&report.space, metric, scored);
    html! {
        details.member id=(format!("member-{index}")) {
            summary {
                b { (percent(facts.accuracy)) } " " (cost(metric, report.unit(), facts.cost))
                small { @if facts.found == 0 { " from before this search" } @else { " found in round " (facts.found) } }
            }
            p { code { (scored.architecture.code(&report.space)) } }
            div.scroll { (diagram(&report.space, &scored.architecture, false)) }
        }
    }
}

fn moves(report: &Report, movement: &Movement) -> Markup {
    let all = movement.rounds.len();
    let shown: Vec<_> = (0..all).filter(|round| round + fitness::ROUNDS >= all).collect();
    let cell_count = report.space.cells().len().max(1) as f64;
    let number = |round: &usize| report.history.get(*round).map_or(0, |r| r.round);
    html! {
        div.scroll {
            table {
                tr { th { "round" } th { "active" } th { "came" } th { "stayed" } th { "dropped in training" } th { "left at the end" } th.wide {} }
                @for round in &shown {
                    @let c = movement.counts(*round);
                    tr {
                        td { (number(round)) } td { (c.active) } td { (c.came) } td { (c.stayed) } td { (c.dropped) } td { (c.left) }
                        td.wide { div.bar {
                            @for (class, part) in [("stay", c.stayed), ("drop", c.dropped), ("left", c.left)] {
                                span class=(class) style=(format!("width:{:.1}%", 100.0 * part as f64 / c.active.max(1) as f64)) title=(format!("{part} {class}")) {}
                            }
                        } }
                    }
                }
            }
        }
        details {
            summary { "Operator by operator" }
            p.note { "In how many cells an operator was active, and in how many of them the front kept it." }
            div.scroll {
                table.grid {
                    tr { th { "operator" } @for round in &shown { th { (number(round)) } } }
                    @for name in &movement.operators {
                        tr {
                            td { (name) }
                            @for round in &shown {
                                @let (active, stays) = movement.of(name, *round);
                                @if active == 0 { td {} } @else {
                                    td style=(format!("--a:{:.2}", 0.15 + 0.6 * stays as f64 / cell_count)) { (stays) "/" (active) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn rounds(report: &Report) -> Markup {
    let longest = report.history.iter().map(|r| r.seconds.train + r.seconds.score).fold(1e-9, f64::max);
    let told = report.drive == Drive::Told;
    html! {
        div.scroll {
            table {
                tr {
                    th { "round" } th { "candidates" } th { "best" } th { "front" }
                    @if !told { th { "steps" } th { "loss" } th { "supernet" } th { "training" } th { "scoring" } th.wide {} }
                }
                @for r in report.history.iter() {
                    @let best = r.candidates.iter().map(|p| p.accuracy).fold(f64::NAN, f64::max);
                    tr {
                        td { (r.round) } td { (r.candidates.len()) } td { (percent(best)) } td { (r.front.len()) }
                        @if !told {
                            td { (r.steps) } td { (format!("{:.3}", r.loss)) } td { (percent(r.accuracy)) }
                            td { (duration(r.seconds.train)) } td { (duration(r.seconds.score)) }
                            td.wide { div.bar {
                                span.train style=(format!("width:{:.1}%", 100.0 * r.seconds.train / longest)) title="training" {}
                                span.score style=(format!("width:{:.1}%", 100.0 * r.seconds.score / longest)) title="scoring" {}
                            } }
                        }
                    }
                }
            }
        }
    }
}

fn settings(report: &Report) -> Markup {
    let versions = json!({ "nse": env!("CARGO_PKG_VERSION"), "libtorch": report.libtorch });
    let pretty = |value: &serde_json::Value| visible_lines(&serde_json::to_string_pretty(value).unwrap_or_default());
    html! {
        details { summary { "Options" } pre { (pretty(&json!(report.options))) } }
        details { summary { "Versions" } pre { (pretty(&versions)) } }
    }
}

/// Control characters are escaped in JSON already; what turns text around is not.
fn visible_lines(text: &str) -> String {
    text.lines().map(|line| visible(line) + "\n").collect()
}
