//! The search as one picture: every scored candidate, the front of the first round and that of now, the cost window; cost against
//! accuracy. Drawn by plotters onto any of its backends.

use super::text::unit_of;
use super::Report;
use crate::cost::Metric;
use crate::search::{Drive, Scored};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::collections::HashSet;
use std::ops::Range;

const FONT: &str = "sans-serif";
// Okabe and Ito's colours, apart for all kinds of colour vision. The dark page replaces them by their codes: see picture.rs.
pub const PAPER: RGBColor = RGBColor(255, 255, 255);
pub const INK: RGBColor = RGBColor(34, 34, 34);
pub const GRID: RGBColor = RGBColor(225, 225, 225);
pub const CANDIDATE: RGBColor = RGBColor(190, 190, 190);
pub const LATEST: RGBColor = RGBColor(130, 130, 130);
pub const FIRST: RGBColor = RGBColor(230, 159, 0);
pub const FRONT: RGBColor = RGBColor(0, 114, 178);
pub const BUDGET: RGBColor = RGBColor(213, 94, 0);

/// How large, for which place.
pub struct Look {
    /// Pixels, before `scale`.
    pub size: (u32, u32),
    /// Pixels per pixel: more for pictures that are looked at closely.
    pub scale: u32,
    /// Whether the picture has to say by itself what it shows.
    pub alone: bool,
}

type Point = (f64, f64);
pub type Drawn<T> = Result<T, Box<dyn std::error::Error>>;

/// What is drawn, in the units of the axes.
pub struct Front {
    heading: String,
    label: [String; 2],
    earlier: Vec<Point>,
    latest: Vec<Point>,
    first: Option<Vec<Point>>,
    pub front: Vec<Point>,
    window: [f64; 2],
    range: [Range<f64>; 2],
}

impl Front {
    pub fn new(report: &Report) -> Self {
        let history = &report.history;
        let told = report.drive == Drive::Told;
        let metric = report.options.objective.cost;
        let window = &report.options.objective;
        let (unit, sign) = if metric == Metric::Latency { (1.0, "") } else { unit_of(window.high) };
        let point = |cost: f64, accuracy: f64| (cost / unit, 100.0 * accuracy);
        let scored = |s: &Scored| point(metric.amount(s.price), s.accuracy);
        let last = history.len().saturating_sub(1);
        let of = |rounds: Range<usize>| {
            let records = history.get(rounds).unwrap_or_default().iter();
            records.flat_map(|r| r.candidates.iter().map(|p| point(p.cost, p.accuracy))).collect::<Vec<_>>()
        };
        let mut latest = of(last..history.len());
        if told {
            // Results of a round that is not closed are nowhere else.
            latest.extend(report.scored.iter().map(scored));
        }
        let corners = |r: &crate::search::RoundRecord| r.front.iter().map(|m| point(m.cost, m.accuracy)).collect();
        let mut front = Front {
            heading: match history.len() {
                0 => "Candidates and Pareto front".into(),
                1 => "Candidates and Pareto front of the first round".into(),
                n => format!("Candidates and Pareto fronts of {n} rounds"),
            },
            label: [cost_label(metric, sign, report.unit()), accuracy_label(report.drive).into()],
            earlier: of(0..last),
            latest,
            first: history.first().filter(|_| history.len() > 1).map(corners),
            front: report.front.iter().filter(|_| report.has_front()).map(scored).collect(),
            window: [window.low / unit, window.high / unit],
            range: [0.0..1.0, 0.0..100.0],
        };
        let finite = |p: &&Point| p.0.is_finite() && p.1.is_finite();
        let shown =
            || front.earlier.iter().chain(&front.latest).chain(front.first.iter().flatten()).chain(&front.front).filter(finite);
        let y = range(shown().map(|p| p.1)).unwrap_or(0.0..100.0);
        let x = range(shown().map(|p| p.0).chain(front.window)).unwrap_or(0.0..1.0);
        front.range = [x, y];
        front
    }

    fn is_empty(&self) -> bool {
        self.earlier.is_empty() && self.latest.is_empty() && self.front.is_empty()
    }

    /// Draws everything; says where the members of the front are, in pixels.
    pub fn draw<B>(&self, area: &DrawingArea<B, Shift>, look: &Look) -> Drawn<Vec<(i32, i32)>>
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
    {
        let s = look.scale;
        let [x, y] = self.range.clone();
        // plotters' sizes are a quarter larger than what they look like.
        let text = |size: u32| (FONT, (size + if look.alone { 4 } else { 0 }) * s).into_font().color(&INK);
        let narrow = look.size.0 < 500;
        area.fill(&PAPER)?;
        let mut builder = ChartBuilder::on(area);
        builder.margin(10 * s).margin_right(18 * s).x_label_area_size(46 * s).y_label_area_size(if narrow {
            54 * s
        } else {
            62 * s
        });
        if look.alone {
            builder.caption(&self.heading, text(20));
        }
        let mut chart = builder.build_cartesian_2d(x.clone(), y.clone())?;
        let (in_x, in_y) = (decimals(&x), decimals(&y));
        (chart.configure_mesh())
            .x_desc(&self.label[0])
            .y_desc(&self.label[1])
            .x_labels(if narrow { 5 } else { 9 })
            .y_labels(if narrow { 7 } else { 9 })
            .x_label_formatter(&|v| format!("{v:.in_x$}"))
            .y_label_formatter(&|v| format!("{v:.in_y$}"))
            .label_style(text(13))
            .axis_desc_style(text(14))
            .axis_style(INK.stroke_width(s))
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(s))
            .draw()?;
        for (i, edge) in self.window.into_iter().enumerate() {
            let line = [(edge, y.start), (edge, y.end)];
            if i == 1 {
                let key = move |(x, y)| PathElement::new([(x, y), (x + 22 * s as i32, y)], BUDGET.stroke_width(2 * s));
                chart.draw_series(LineSeries::new(line, BUDGET.stroke_width(2 * s)))?.label("budget").legend(key);
            } else if edge > x.start {
                chart.draw_series(DashedLineSeries::new(line, 5 * s, 5 * s, BUDGET.stroke_width(s)))?;
            }
        }
        for (points, colour, label) in [(&self.earlier, CANDIDATE, "candidate"), (&self.latest, LATEST, "of the last round")] {
            // A thousand candidates in one place are one dot.
            let mut seen = HashSet::new();
            let apart: Vec<_> = points.iter().filter(|p| seen.insert(chart.backend_coord(p))).copied().collect();
            if !apart.is_empty() {
                let dots = apart.into_iter().map(|p| Circle::new(p, if narrow { 2 } else { 3 } * s, colour.filled()));
                let label = if self.earlier.is_empty() { "candidate" } else { label };
                let key = move |(x, y)| Circle::new((x + 11 * s as i32, y), 4 * s, colour.filled());
                chart.draw_series(dots)?.label(label).legend(key);
            }
        }
        let fronts = [(self.first.as_ref(), FIRST, "front of round 1"), (Some(&self.front), FRONT, "front")];
        for (corners, colour, label) in fronts {
            let Some(corners) = corners.filter(|corners| !corners.is_empty()) else { continue };
            let key = move |(x, y)| PathElement::new([(x, y), (x + 22 * s as i32, y)], colour.stroke_width(3 * s));
            let line = LineSeries::new(corners.iter().copied(), colour.stroke_width(2 * s));
            chart.draw_series(line)?.label(label).legend(key);
            chart.draw_series(corners.iter().map(|p| Circle::new(*p, if narrow { 3 } else { 5 } * s, colour.filled())))?;
        }
        if look.alone {
            let mut keys = chart.configure_series_labels();
            keys.position(SeriesLabelPosition::LowerRight).margin(14 * s).legend_area_size(30 * s).label_font(text(14));
            keys.background_style(PAPER.filled()).border_style(GRID.stroke_width(s)).draw()?;
        }
        if self.is_empty() {
            let middle = ((look.size.0 * s / 2) as i32, (look.size.1 * s / 2) as i32);
            let centred = text(16).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Center,
                plotters::style::text_anchor::VPos::Center,
            ));
            area.draw(&Text::new("no round is complete yet", middle, centred))?;
        }
        let places = self.front.iter().map(|p| chart.backend_coord(p)).collect();
        area.present()?;
        Ok(places)
    }
}

fn cost_label(metric: Metric, sign: &str, unit: &str) -> String {
    let thousands = match sign {
        "T" => "trillion ",
        "G" => "billion ",
        "M" => "million ",
        "k" => "thousand ",
        _ => "",
    };
    match metric {
        Metric::Macs => format!("cost ({thousands}multiply-accumulates)"),
        Metric::Params => format!("cost ({thousands}parameters)"),
        Metric::Bits => format!("size ({thousands}bits)"),
        Metric::Operations => format!("cost ({thousands}operations)"),
        Metric::Latency => format!("latency ({})", super::text::visible(unit)),
    }
}

fn accuracy_label(drive: Drive) -> &'static str {
    match drive {
        Drive::Told => "accuracy as told (%)",
        Drive::Steps | Drive::Pushed => "accuracy in the supernet (%)",
    }
}

/// From the least to the greatest value, with a margin; never empty.
fn range(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let margin = (0.06 * (most - least)).max(1e-3 * most.abs()).max(1e-9);
    (least <= most).then_some(least - margin..most + margin)
}

/// After the point, so that neighbouring labels differ.
fn decimals(range: &Range<f64>) -> usize {
    (-((range.end - range.start) / 8.0).log10().floor()).clamp(0.0, 6.0) as usize
}
