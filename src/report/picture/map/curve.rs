//! A surface along a line.

use super::{Words, short};
use crate::map::Curve;
use crate::report::picture::color::{BLUE, VERMILLION};
use crate::report::picture::{Chart, Panel, Picture, Scale, Series};

/// Minima that are marked.
const MOST: usize = 40;

/// The curve, with its minima marked and the lowest named.
pub fn curve(words: &Words, curve: &Curve, pixels: u32) -> Picture {
    let mut panel = Panel::new(&curve.span.name, "value");
    if curve.span.log {
        panel = panel.scales(Scale::Log, Scale::Linear);
    }
    panel.add(Series::line("", &curve.at, &curve.value, BLUE, 1.8));
    if let Some(lowest) = curve.minima.first() {
        let (at, value): (Vec<f64>, Vec<f64>) = curve.minima.iter().take(MOST).copied().unzip();
        let more = match curve.minima.len() {
            1 => String::new(),
            n => format!(" of {n}"),
        };
        let name =
            format!("minima, the lowest{more}: {} at {} = {}", short(lowest.1), curve.span.name, short(lowest.0));
        panel.add(Series::points(&name, &at, &value, VERMILLION));
    }
    // 900 units across: as many pixels as were asked for.
    Chart::new(&words.title)
        .subtitle(&words.subtitle)
        .panel(panel, 1.0)
        .draw()
        .with_scale((pixels as f32 / 900.0).max(1.0))
}
