//! The search as one picture: every scored candidate, and the fronts of the first and the last round, cost against accuracy.

use crate::cost::Metric;
use crate::error::{Error, Result};
use crate::search::{FrontMember, RoundRecord};
use plotters::prelude::*;

const SIZE: (u32, u32) = (960, 600);
const FONT: &str = "sans-serif";
// Okabe and Ito's colours, apart for all kinds of colour vision.
const CANDIDATE: RGBColor = RGBColor(150, 150, 150);
const EARLIER: RGBColor = RGBColor(230, 159, 0);
const LAST: RGBColor = RGBColor(0, 114, 178);
const BUDGET: RGBColor = RGBColor(213, 94, 0);

/// An SVG document of 960 x 600.
pub fn front_svg(history: &[RoundRecord]) -> Result<String> {
    let (Some(first), Some(last)) = (history.first(), history.last()) else {
        return Err(Error::NotFound("no round is complete: there is nothing to draw".into()));
    };
    let mut svg = String::new();
    draw(&mut svg, history, first, last).map_err(|e| Error::Panic(format!("drawing the front: {e}")))?;
    Ok(svg)
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

fn draw(svg: &mut String, history: &[RoundRecord], first: &RoundRecord, last: &RoundRecord) -> Drawn {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let axis = Axis::of(last.metric);
    let points = || history.iter().flat_map(|r| r.candidates.iter().map(|p| (axis.value(p.cost), 100.0 * p.accuracy)));
    let budget = axis.value(last.window[1]);
    let (x, y) = (range(points().map(|p| p.0).chain([budget])), range(points().map(|p| p.1)));
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("Candidates and Pareto fronts of {} rounds", history.len()), (FONT, 22))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(60)
        .build_cartesian_2d(x, y.clone())?;
    chart
        .configure_mesh()
        .x_desc(axis.label)
        .y_desc("held-out accuracy in the supernet (%)")
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 16))
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .draw()?;
    let dots = points().map(|p| Circle::new(p, 3, CANDIDATE.mix(0.6).filled()));
    let key = |colour: RGBColor| move |(x, y)| PathElement::new([(x, y), (x + 22, y)], colour.stroke_width(3));
    chart.draw_series(dots)?.label("candidate").legend(|(x, y)| Circle::new((x + 11, y), 4, CANDIDATE.filled()));
    let mut front = |record: &RoundRecord, colour: RGBColor| -> Drawn {
        let corners: Vec<_> = record.front.iter().map(|m| axis.corner(m)).collect();
        let label = format!("front of round {}", record.round);
        chart.draw_series(LineSeries::new(corners.clone(), colour.stroke_width(3)))?.label(label).legend(key(colour));
        chart.draw_series(corners.into_iter().map(|p| Circle::new(p, 5, colour.filled())))?;
        Ok(())
    };
    if first.round != last.round {
        front(first, EARLIER)?;
    }
    front(last, LAST)?;
    let wall = [(budget, y.start), (budget, y.end)];
    chart.draw_series(LineSeries::new(wall, BUDGET.stroke_width(2)))?.label("budget").legend(key(BUDGET));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .label_font((FONT, 15))
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

/// How a cost is drawn.
struct Axis {
    label: &'static str,
    unit: f64,
}

impl Axis {
    fn of(metric: Metric) -> Self {
        match metric {
            Metric::Macs => Axis { label: "cost (million multiply-accumulates)", unit: 1e6 },
            Metric::Params => Axis { label: "cost (million parameters)", unit: 1e6 },
            Metric::Latency => Axis { label: "latency (unit of the table)", unit: 1.0 },
        }
    }

    fn value(&self, cost: f64) -> f64 {
        cost / self.unit
    }

    fn corner(&self, member: &FrontMember) -> (f64, f64) {
        (self.value(member.cost), 100.0 * member.accuracy)
    }
}

/// From the least to the greatest value, with a margin; never empty.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let margin = (0.06 * (most - least)).max(1e-3 * most.abs()).max(1e-9);
    least - margin..most + margin
}
