//! The picture of a set of minima: how many different ones so many restarts find, where restarts ended by value, how the share of a
//! basin goes with its depth, and the curvatures.

use super::color::{GREEN, PURPLE};
use super::{Chart, Panel, Picture, Scale, Series, grid, plots};
use crate::analysis::{Minima, Reached, rarefaction};
use crate::report::count;

/// Numbers of restarts at which the rarefaction curve is computed.
const PLACES: usize = 48;
/// Bars of the histogram of values.
const BARS: usize = 50;

/// The picture; `title` names the surface, `subtitle` says how it was searched.
pub fn minima(title: &str, subtitle: &str, found: &Minima) -> Picture {
    let critical: Vec<&Reached> = found.points.iter().filter(|p| p.point.kind.is_critical()).collect();
    let hits: Vec<u64> = critical.iter().map(|p| p.hits).collect();
    let total: u64 = hits.iter().sum();
    let mut charts = Vec::new();
    if total > 1 {
        charts.push(curve(&hits, total, found.coverage.chao1));
    }
    charts.extend(values(&found.points));
    charts.extend(shares(&critical));
    let eigenvalues: Vec<f64> = critical.iter().flat_map(|p| &p.point.eigenvalues).copied().collect();
    if !eigenvalues.is_empty() {
        let said = format!("of {} points", count(critical.len() as u64));
        let title = "Eigenvalues of the second derivatives";
        charts.push(plots::histogram(title, &said, "eigenvalue", &eigenvalues, None));
    }
    grid(title, subtitle, &charts)
}

/// The rarefaction curve.
fn curve(hits: &[u64], total: u64, chao1: f64) -> Picture {
    let last = (total as f64).ln();
    let mut places: Vec<u64> = (0..=PLACES).map(|k| (last * k as f64 / PLACES as f64).exp().round() as u64).collect();
    places.dedup();
    let at: Vec<[f64; 2]> = places.iter().map(|&m| rarefaction(hits, m)).collect();
    let side = |sign: f64| at.iter().map(|[mean, sd]| (mean + sign * 1.96 * sd).max(0.0)).collect::<Vec<f64>>();
    let (restarts, mean): (Vec<f64>, Vec<f64>) = places.iter().map(|&m| m as f64).zip(at.iter().map(|a| a[0])).unzip();
    let said = format!("{} found", count(hits.len() as u64));
    plots::rarefaction("Different points by restarts", &said, &restarts, &mean, [&side(-1.0), &side(1.0)], Some(chao1))
}

/// How many restarts ended at which value.
fn values(points: &[Reached]) -> Option<Picture> {
    let lo = points.iter().map(|p| p.point.value).fold(f64::INFINITY, f64::min);
    let hi = points.iter().map(|p| p.point.value).fold(f64::NEG_INFINITY, f64::max);
    if !(hi - lo > 1e-9 * lo.abs().max(hi.abs())) || !(hi - lo).is_finite() {
        return None;
    }
    let edges: Vec<f64> = (0..=BARS).map(|i| lo + (hi - lo) * i as f64 / BARS as f64).collect();
    let mut heights = vec![0.0; BARS];
    for p in points {
        let place = (p.point.value - lo) / (hi - lo) * BARS as f64;
        heights[(place as usize).min(BARS - 1)] += p.hits as f64;
    }
    let mut panel = Panel::new("final value, made exact", "restarts");
    panel.add(Series::bars("", &edges, &heights, GREEN));
    Some(Chart::new("Final values").subtitle("").panel(panel, 1.0).draw())
}

/// Share against value.
fn shares(points: &[&Reached]) -> Option<Picture> {
    if points.len() < 2 {
        return None;
    }
    let value: Vec<f64> = points.iter().map(|p| p.point.value).collect();
    let share: Vec<f64> = points.iter().map(|p| p.fraction).collect();
    let mut panel = Panel::new("value", "share of the restarts").scales(Scale::Linear, Scale::Log);
    panel.add(Series::points("", &value, &share, PURPLE));
    Some(Chart::new("Basins by depth").subtitle("").panel(panel, 1.0).draw())
}

#[cfg(test)]
mod tests {
    use super::super::png::pixels;
    use super::*;
    use crate::analysis::Search;
    use crate::{Engine, Flow, Plan, Surface};

    #[test]
    fn a_picture_has_its_four_charts_and_their_colours() {
        let surface = Surface::named("rastrigin", Some(1)).unwrap();
        let plan = Plan::new(surface).optimizer("sgd(lr=0.002)").restarts(300).steps(400).resolve().unwrap();
        let search = Search { audit: 0, ..Search::default() };
        let found = search.minima(&Engine::cpu(), &plan, |_| Flow::Continue).unwrap();
        let picture = minima("Rastrigin", "300 restarts", &found);
        let text = picture.svg();
        for title in ["Different points by restarts", "Final values", "Basins by depth", "Eigenvalues of the second"] {
            assert!(text.contains(title), "{title}");
        }
        let drawn = pixels(&picture, 1.0).unwrap();
        assert_eq!((drawn.width(), drawn.height()), (picture.width as u32, picture.height as u32));
        let has = |color: super::super::Color| {
            let [r, g, b] = [color.red, color.green, color.blue];
            drawn.pixels().iter().filter(|p| (p.red(), p.green(), p.blue()) == (r, g, b)).count()
        };
        assert!(has(GREEN) > 500, "bars of values");
    }
}
