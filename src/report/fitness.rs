//! The fitness of the operators as heat maps, one for each round: a column for each cell, a row for each operator that ever was active.

use super::movement::{Movement, Place};
use super::Report;
use crate::space::CellKind;
use maud::{html, Markup};

const BOX: i32 = 15;
const LEFT: i32 = 128;
const TOP: i32 = 30;
/// More would be slow to open and say no more; the page says that it leaves some out.
pub const ROUNDS: usize = 24;
const CELLS: usize = 200;
const OPERATORS: usize = 150;

/// With more, the page opens with the first and the last.
const OPEN: usize = 4;

/// The last maps, and the first.
pub fn maps(report: &Report, movement: &Movement) -> Markup {
    let reach = movement.reach().max(1e-6);
    let all = movement.rounds.len();
    let shown: Vec<_> = (0..all).filter(|round| *round == 0 || round + ROUNDS > all).collect();
    let (open, folded) = match shown[..] {
        [first, ref between @ .., last] if shown.len() > OPEN => (vec![first, last], between),
        _ => (shown.clone(), &[][..]),
    };
    let figures = |rounds: &[usize]| {
        html! {
            div.maps {
                @for round in rounds {
                    figure {
                        figcaption { "round " (report.history.get(*round).map_or(0, |r| r.round)) }
                        (map(report, movement, *round, reach))
                    }
                }
            }
        }
    };
    html! {
        p.legend {
            span.ramp {} " theta from -" (format!("{reach:.2}")) " (unfit) over 0 to +" (format!("{reach:.2}")) " (fit); "
            b { "●" } " used by the front, stays; " b { "×" } " dropped while training; empty: not active"
        }
        @if all > ROUNDS { p.note { "The first round and the last " (ROUNDS - 1) " of " (all) "." } }
        @if movement.operators.len() > OPERATORS || report.space.cells().len() > CELLS {
            p.note { "The first " (OPERATORS) " operators and " (CELLS) " cells; report.json has all." }
        }
        (figures(&open))
        @if !folded.is_empty() { details.member { summary { "The " (folded.len()) " rounds between" } (figures(folded)) } }
    }
}

fn map(report: &Report, movement: &Movement, round: usize, reach: f64) -> Markup {
    let cells: Vec<_> = report.space.cells().iter().take(CELLS).collect();
    let operators: Vec<_> = movement.operators.iter().take(OPERATORS).collect();
    let (w, h) = (LEFT + BOX * cells.len() as i32 + 6, TOP + BOX * operators.len() as i32 + 4);
    html! {
        svg.heat width=(w) height=(h) viewBox=(format!("0 0 {w} {h}")) role="img" {
            title { "fitness of the operators in every cell" }
            text x=(LEFT - 6) y="11" text-anchor="end" { "cell" }
            @for (i, cell) in cells.iter().enumerate() {
                @let x = LEFT + BOX * i as i32 + BOX / 2;
                @if i % 2 == 0 || cells.len() < 12 { text x=(x) y="11" text-anchor="middle" { (i) } }
                text x=(x) y="25" text-anchor="middle" class=(if cell.kind == CellKind::Normal { "dim" } else { "" }) {
                    (match cell.kind { CellKind::Normal => "N", CellKind::Reduce => "R", CellKind::Expand => "E", CellKind::Edge => "e" })
                }
            }
            @for (row, name) in operators.iter().enumerate() {
                @let y = TOP + BOX * row as i32;
                text x=(LEFT - 6) y=(y + 11) text-anchor="end" { (name) }
                rect.row x=(LEFT) y=(y) width=(BOX * cells.len() as i32) height=(BOX - 1) {}
                @for (column, places) in movement.rounds.get(round).into_iter().flatten().take(CELLS).enumerate() {
                    @if let Some(place) = places.get(*name) { (square(place, name, column, (LEFT + BOX * column as i32, y), reach)) }
                }
            }
        }
    }
}

fn square(place: &Place, name: &str, cell: usize, (x, y): (i32, i32), reach: f64) -> Markup {
    let theta = place.theta.filter(|t| t.is_finite());
    let share = theta.map_or(0.0, |t| (t.abs() / reach).clamp(0.0, 1.0));
    let class = match theta {
        Some(t) if t < 0.0 => "lo",
        _ => "hi",
    };
    let mark = match place {
        Place { stays: true, .. } => "●",
        Place { theta: None, .. } => "×",
        _ => "",
    };
    let said = theta.map_or("dropped".into(), |t| format!("theta {t:.3}"));
    html! {
        g {
            title { (name) ", cell " (cell) ": " (said) @if place.stays { ", stays" } }
            rect.on x=(x) y=(y) width=(BOX - 1) height=(BOX - 1) {}
            rect class=(class) x=(x) y=(y) width=(BOX - 1) height=(BOX - 1) fill-opacity=(format!("{share:.2}")) {}
            @if !mark.is_empty() { text.mark x=(x + BOX / 2) y=(y + 11) text-anchor="middle" { (mark) } }
        }
    }
}
