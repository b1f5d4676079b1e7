//! The front as a file of its own, SVG or PNG, and as a part of the page.
//!
//! PNG is plotters' bitmap backend with the font beside this file: a few small crates without C, where a renderer of SVG would
//! bring about forty and still need a font.

use super::front::{Drawn, Front, Look, BUDGET, CANDIDATE, FIRST, FRONT, GRID, INK, LATEST, PAPER};
use super::Report;
use crate::error::{Error, Result};
use once_cell::sync::Lazy;
use plotters::prelude::*;
use plotters::style::{register_font, FontStyle};

const SIZE: (u32, u32) = (960, 600);
const SCALE: u32 = 2;
/// Of a PNG.
pub const PIXELS: (u32, u32) = (SIZE.0 * SCALE, SIZE.1 * SCALE);

/// plotters measures text with it, for an SVG too.
static FONT: Lazy<bool> = Lazy::new(|| register_font("sans-serif", FontStyle::Normal, include_bytes!("font/dejavu.ttf")).is_ok());

fn drawn<T>(result: Drawn<T>) -> Result<T> {
    Lazy::force(&FONT);
    result.map_err(|e| Error::Panic(format!("drawing the front: {e}")))
}

/// An SVG document of 960 x 600, light or dark as its reader likes.
pub fn svg(report: &Report) -> Result<String> {
    let (svg, _) = bare(report, &Look { size: SIZE, scale: 1, alone: true })?;
    let style = format!("<style>@media (prefers-color-scheme: dark) {{{}}}</style>", dark(""));
    Ok(match svg.find('>') {
        Some(end) => format!("{}{style}{}", &svg[..=end], &svg[end + 1..]),
        None => svg,
    })
}

/// Of some size, and where the members of the front are in it.
pub fn bare(report: &Report, look: &Look) -> Result<(String, Vec<(i32, i32)>)> {
    Lazy::force(&FONT);
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, look.size).into_drawing_area();
    let places = drawn(Front::new(report).draw(&area, look))?;
    drop(area);
    Ok((svg, places))
}

/// A PNG for screens with small pixels.
pub fn png(report: &Report) -> Result<Vec<u8>> {
    Lazy::force(&FONT);
    let look = Look { size: SIZE, scale: SCALE, alone: true };
    let (width, height) = PIXELS;
    let mut pixels = vec![0; (width * height * 3) as usize];
    drawn(Front::new(report).draw(&BitMapBackend::with_buffer(&mut pixels, (width, height)).into_drawing_area(), &look))?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|e| Error::Panic(format!("writing a PNG: {e}")))?;
    Ok(file)
}

/// Style rules that replace the light colours by dark ones. plotters writes colours as attributes, which any rule overrides.
pub fn dark(scope: &str) -> String {
    const DARK: [(RGBColor, &str); 8] = [
        (PAPER, "#16191d"),
        (INK, "#d7dade"),
        (GRID, "#2d3238"),
        (CANDIDATE, "#4f565e"),
        (LATEST, "#8b929a"),
        (FIRST, "#e69f00"),
        (FRONT, "#56b4e9"),
        (BUDGET, "#ff7f41"),
    ];
    let rule = |(RGBColor(r, g, b), dark): (RGBColor, &str)| {
        ["fill", "stroke"].map(|what| format!("{scope}[{what}=\"#{r:02X}{g:02X}{b:02X}\"]{{{what}:{dark}}}")).concat()
    };
    DARK.into_iter().map(rule).collect()
}
