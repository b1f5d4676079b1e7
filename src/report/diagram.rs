//! An architecture as a diagram: the cells from top to bottom, their branches side by side, widths, sizes and costs on them.

use super::text::{short, visible};
use crate::arch::Architecture;
use crate::cost::{Cost, CostTable};
use crate::space::edge_kind::EDGE_KINDS;
use crate::space::kind::KINDS;
use crate::space::{Body, CellKind, Chain, Operator, Shape, Space, Stack};
use maud::{html, Markup, PreEscaped};

const GUTTER: i32 = 148;
const BOX: (i32, i32) = (136, 38);
const GAP: i32 = 10;
/// Room for the lines that fan out above the boxes, and in below.
const FAN: i32 = 13;
const BAND: i32 = BOX.1 + 2 * FAN;
/// Of a shortcut, which has no box.
const SHORTCUT: i32 = 30;

/// Of every diagram on a page. The kinds of operators have Okabe and Ito's colours.
pub const STYLE: &str = ".nse-arch{font:12px system-ui,sans-serif;--ink:#222;--dim:#5c646c;--line:#8a9199;--paper:#fff}\
.nse-arch text{fill:var(--ink)}.nse-arch .dim{fill:var(--dim)}.nse-arch .op{font-family:ui-monospace,monospace;font-weight:600}\
.nse-arch path,.nse-arch line{stroke:var(--line);stroke-width:1.5;fill:none}.nse-arch .paper{fill:var(--paper)}\
.nse-arch .shortcut{stroke-dasharray:4 3}.nse-arch rect.box{fill-opacity:.16;stroke-width:1.5}\
.nse-arch .k0{fill:#0072b2;stroke:#0072b2}.nse-arch .k1{fill:#e69f00;stroke:#e69f00}.nse-arch .k2{fill:#009e73;stroke:#009e73}\
.nse-arch .k3{fill:#cc79a7;stroke:#cc79a7}.nse-arch .end{fill:#8a9199;stroke:#8a9199}\
@media (prefers-color-scheme:dark){.nse-arch{--ink:#d7dade;--dim:#9aa2aa;--line:#6b737b;--paper:#16191d}.nse-arch .k0{fill:#56b4e9;stroke:#56b4e9}}";

/// An SVG document.
pub fn draw_architecture(space: &Space, architecture: &Architecture) -> String {
    diagram(space, architecture, true).into_string()
}

/// What a band draws side by side.
struct Band {
    title: String,
    lines: [String; 2],
    boxes: Vec<(String, String, String)>,
    shortcut: bool,
    /// Whether all boxes get what comes from above; else their names say what they get.
    fed: bool,
}

/// `alone`: with its style, and paper below.
pub fn diagram(space: &Space, architecture: &Architecture, alone: bool) -> Markup {
    let space = &*architecture.space_in(space);
    let costs = CostTable::new(space);
    let total = costs.architecture(architecture);
    let bands = bands(space, architecture, &costs);
    let width = |band: &Band| {
        let slots = band.boxes.len() as i32 * (BOX.0 + GAP) - GAP * i32::from(!band.boxes.is_empty());
        slots + if band.shortcut { SHORTCUT } else { 0 }
    };
    let right = bands.iter().map(width).max().unwrap_or(0).max(BOX.0);
    let (w, h) = (GUTTER + right + 16, 54 + BAND * bands.len() as i32 + 12);
    let centre = GUTTER + right / 2;
    let title =
        format!("{}: {} MACs, {} parameters", visible(space.name()), short(total.macs as f64), short(total.params as f64));
    html! {
        svg.nse-arch xmlns="http://www.w3.org/2000/svg" width=(w) height=(h) viewBox=(format!("0 0 {w} {h}")) role="img" {
            title { (title) }
            @if alone {
                style { (PreEscaped(STYLE)) }
                rect.paper width="100%" height="100%" {}
            }
            text x="10" y="22" font-weight="600" font-size="14" { (clipped(space.name(), ((w - 20) / 9) as usize)) }
            text.dim x="10" y="40" { (short(total.macs as f64)) " MACs, " (short(total.params as f64)) " parameters" }
            @for (i, band) in bands.iter().enumerate() {
                (draw(band, centre, 54 + BAND * i as i32, width(band)))
            }
        }
    }
}

fn draw(band: &Band, centre: i32, top: i32, width: i32) -> Markup {
    let (start, middle, bottom) = (centre - width / 2, top + FAN, top + FAN + BOX.1);
    let end = bottom + FAN;
    let x = |i: usize| start + i as i32 * (BOX.0 + GAP);
    let detour = start + width - SHORTCUT / 2 + if band.boxes.is_empty() { 0 } else { 4 };
    html! {
        g {
            text x="10" y=(top + 20) font-weight="600" { (band.title) }
            text.dim x="10" y=(top + 35) { (band.lines[0]) }
            text.dim x="10" y=(top + 50) { (band.lines[1]) }
            @for i in 0..band.boxes.len() {
                @let c = x(i) + BOX.0 / 2;
                @let fed = if band.fed { format!("M{centre} {top}L{c} {middle}") } else { String::new() };
                path d=(format!("{fed}M{c} {bottom}L{centre} {end}")) {}
            }
            @if band.boxes.is_empty() {
                @if band.fed { path.shortcut d=(format!("M{centre} {top}V{end}")) {} }
                text.dim x=(centre + 10) y=(top + BAND / 2 + 4) { (if band.fed { "skipped" } else { "nothing" }) }
            } @else if band.shortcut {
                path.shortcut d=(format!("M{centre} {top}L{detour} {middle}V{bottom}L{centre} {end}")) {}
            }
            @for (i, (class, name, below)) in band.boxes.iter().enumerate() {
                rect class=(format!("box {class}")) x=(x(i)) y=(middle) width=(BOX.0) height=(BOX.1) rx="5" {
                    title { (name) ": " (below) }
                }
                @let c = x(i) + BOX.0 / 2;
                text.op x=(c) y=(middle + 16) text-anchor="middle" font-size=(if name.len() > 17 { "9" } else { "12" }) { (name) }
                text.dim x=(c) y=(middle + 31) text-anchor="middle" font-size="11" { (below) }
            }
        }
    }
}

fn bands(space: &Space, architecture: &Architecture, costs: &CostTable) -> Vec<Band> {
    match space.body() {
        Body::Chain(chain) => chained(space, chain, architecture, costs),
        Body::Stack(stack) => stacked(space, stack, architecture, costs),
    }
}

fn fixed(title: &str, shape: Shape, name: String, below: String) -> Band {
    let lines = [size(shape), String::new()];
    Band { title: title.into(), lines, boxes: vec![("end".into(), name, below)], shortcut: false, fed: true }
}

fn chained(space: &Space, chain: &Chain, architecture: &Architecture, costs: &CostTable) -> Vec<Band> {
    let name = format!("conv {}x{}", chain.stem.kernel[0], chain.stem.kernel[1]);
    let paths = architecture.paths();
    let mut bands = vec![fixed("stem", chain.stemmed(space.input()), name, format!("from {}", size(space.input())))];
    if let [depthwise, ..] = &chain.block[..] {
        let name = format!("depthwise {}x{}, 1x1", depthwise.kernel[0], depthwise.kernel[1]);
        let block = fixed("block", chain.output(space.input()), name, "in every network".into());
        bands.push(Band { shortcut: chain.shortcut(), ..block });
    }
    let band = |place: usize| {
        let (i, open) = (paths.cell(place), &architecture.cells()[place]);
        let cell = &space.cells()[i];
        let operator = |o: &u16| {
            let operator = cell.operators[usize::from(*o)];
            let below = format!("{} wide, {}", cell.input.channels * operator.expansion, macs(costs.operator(i, *o)));
            (colour(&operator), operator.to_string(), below)
        };
        let kind = match cell.kind {
            CellKind::Normal => "normal",
            CellKind::Reduce => "reduce",
            CellKind::Expand => "expand",
            CellKind::Edge => "edge",
        };
        Band {
            title: format!("cell {i} {kind}"),
            lines: [size(cell.output()), format!("{} MACs", macs(costs.branches(i, open)))],
            boxes: open.iter().map(operator).collect(),
            shortcut: cell.kind == CellKind::Normal,
            fed: true,
        }
    };
    bands.extend((0..paths.split()).map(band));
    let behind = if paths.split() == 0 { "the stem".to_owned() } else { format!("cell {}", paths.split() - 1) };
    let shape = space.cells().get(paths.split()).map_or(space.features(), |cell| cell.input);
    for path in 0..paths.count() {
        if paths.is_ensemble() {
            // One below the other, and each begins with what all of them share.
            let begins = fixed(&format!("path {}", path + 1), shape, format!("from {behind}"), "shared by all paths".into());
            bands.push(Band { fed: path == 0, ..begins });
        }
        bands.extend(paths.own(path).map(band));
        let linear = chain.hidden.map_or("linear".into(), |hidden| format!("{hidden}, linear"));
        bands.push(fixed("tail", space.pooled(), format!("conv, pool, {linear}"), format!("{} classes", space.classes())));
    }
    if paths.is_ensemble() {
        let of = format!("of {} outputs", paths.count());
        bands.push(Band {
            title: "mean".into(),
            lines: Default::default(),
            boxes: vec![("end".into(), "mean".into(), of)],
            shortcut: false,
            fed: false,
        });
    }
    bands
}

/// A band for each node of each kind of cell: the operators whose sum it is, with the nodes that they get. Costs are those of all cells.
fn stacked(space: &Space, stack: &Stack, architecture: &Architecture, costs: &CostTable) -> Vec<Band> {
    let plan = stack.plan();
    let times = if plan.skeleton.concatenates() { "" } else { "3 x " };
    let name = format!("{times}{} cells", plan.cells);
    let mut bands = vec![fixed("stack", stack.features(), name, format!("from {}", size(space.input())))];
    for (i, edge) in stack.edges().iter().enumerate() {
        let name = stack.graphs()[edge.graph].name;
        if i == 0 || (stack.edges()[i - 1].graph, stack.edges()[i - 1].to) != (edge.graph, edge.to) {
            let title = format!("{name} node {}", edge.to);
            bands.push(Band { title, lines: Default::default(), boxes: Vec::new(), shortcut: false, fed: false });
        }
        let Some(band) = bands.last_mut() else { continue };
        for open in &architecture.cells()[i] {
            let operator = space.cells()[i].operators[usize::from(*open)];
            let below = format!("of {}, {}", stack.from(i, *open), macs(costs.operator(i, *open)));
            band.boxes.push((colour(&operator), operator.from(None).to_string(), below));
        }
    }
    bands.push(fixed("tail", space.pooled(), "pool, linear".into(), format!("{} classes", space.classes())));
    bands
}

fn macs(cost: Cost) -> String {
    short(cost.macs as f64)
}

/// By the kind of operator.
fn colour(operator: &Operator) -> String {
    let kinds = || KINDS.iter().chain(&EDGE_KINDS);
    format!("k{}", kinds().position(|kind| **kind == *operator.kind).unwrap_or(0) % 4)
}

fn size(shape: Shape) -> String {
    format!("{} x {} x {}", shape.channels, shape.height, shape.width)
}

/// The first characters of a name.
fn clipped(name: &str, most: usize) -> String {
    let name = visible(name);
    match name.chars().count() > most {
        true => name.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        false => name,
    }
}
