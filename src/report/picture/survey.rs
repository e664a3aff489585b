//! The picture of a survey: histograms of values and slopes, likeness along walks, index against value, and spectra.

use super::color::{BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION};
use super::{Chart, Color, Panel, Picture, Scale, Series, grid};
use crate::report::{count, number, percent};
use crate::survey::{Curvature, Histogram, Surveyed, Walks, goe};

/// Size of one chart.
const SIZE: [f32; 2] = [620.0, 400.0];
/// Share of eigenvalues at each end that the spectrum leaves out, so that few large ones do not squeeze the rest.
const CUT: f64 = 0.005;

/// A survey's picture; `title` names the surface, `subtitle` says how it was sampled.
pub fn survey(title: &str, subtitle: &str, found: &Surveyed) -> Picture {
    let mut charts = Vec::new();
    let histogram = |of: &Option<Histogram>, name: &str, axis: &str, color| {
        of.as_ref().map(|h| counted(name, "", axis, "points", h, color))
    };
    charts.extend(histogram(&found.values, "Values", "value", BLUE));
    charts.extend(histogram(&found.gradient_norms, "Gradient norms", "gradient norm", GREEN));
    charts.extend(found.walks.as_ref().filter(|w| !w.autocorrelation.is_empty()).map(likeness));
    if let Some(curvature) = found.curvature.as_ref().filter(|c| c.points > 0) {
        charts.push(index(curvature));
        charts.extend(spectrum(curvature));
    }
    grid(title, subtitle, &charts)
}

/// The picture of random matrices: the law of the index, and the spectrum.
pub fn spectra(subtitle: &str, found: &goe::Spectra) -> Picture {
    let n = found.ensemble.dim;
    let k: Vec<f64> = (0..=n).map(|k| k as f64).collect();
    let shares: Vec<f64> = found.index.iter().map(|&c| c as f64 / found.samples as f64).collect();
    let mut panel = Panel::new("negative eigenvalues", "probability").scales(Scale::Linear, Scale::Log);
    // Coins reach far below what any sample shows; the axis is made by the rest.
    panel.add(Series::line("coins: binomial", &k, &goe::naive_law(n), ORANGE, 1.8).dashed().beside());
    if let Some(exact) = goe::exact_law(n) {
        panel.add(Series::line("exact", &k, &exact, VERMILLION, 1.8));
    }
    panel.add(Series::points("sampled", &k, &shares, BLUE));
    let mut charts = vec![chart("Negative eigenvalues", "").panel(panel, 1.0).draw()];
    if let Some(h) = &found.spectrum {
        let total = h.counts.iter().sum::<u64>() as f64;
        let width = h.edges[1] - h.edges[0];
        let density: Vec<f64> = h.counts.iter().map(|&c| c as f64 / (total * width)).collect();
        let mut panel = Panel::new("eigenvalue / √(2N)", "density");
        panel.add(Series::bars("sampled", &h.edges, &density, BLUE));
        let x: Vec<f64> = (0..=200).map(|i| -1.0 + f64::from(i) / 100.0).collect();
        let circle: Vec<f64> = x.iter().map(|x| 2.0 / std::f64::consts::PI * (1.0 - x * x).max(0.0).sqrt()).collect();
        panel.add(Series::line("semicircle, N → ∞", &x, &circle, VERMILLION, 2.0));
        charts.push(chart("Spectrum", "").panel(panel, 1.0).draw());
    }
    grid(&format!("Random {n} × {n} matrices of the Gaussian orthogonal ensemble"), subtitle, &charts)
}

fn chart(title: &str, subtitle: &str) -> Chart {
    Chart::new(title).subtitle(subtitle).size(SIZE[0], SIZE[1])
}

fn counted(title: &str, subtitle: &str, axis: &str, of: &str, h: &Histogram, color: Color) -> Picture {
    let heights: Vec<f64> = h.counts.iter().map(|&c| c as f64).collect();
    let x = if h.log { Scale::Log } else { Scale::Linear };
    let mut panel = Panel::new(axis, of).scales(x, Scale::Linear);
    panel.add(Series::bars("", &h.edges, &heights, color));
    chart(title, subtitle).panel(panel, 1.0).draw()
}

/// The autocorrelation along walks.
fn likeness(walks: &Walks) -> Picture {
    let steps: Vec<f64> = (0..walks.autocorrelation.len()).map(|k| k as f64).collect();
    let last = walks.autocorrelation.len() as f64 - 1.0;
    let edge = (-1f64).exp();
    let step = percent(walks.settings.step);
    let mut panel = Panel::new(&format!("steps of {step} of each side of the box"), "autocorrelation");
    panel.add(Series::line("", &[0.0, last], &[0.0, 0.0], GREY, 1.2));
    panel.add(Series::line("1/e", &[0.0, last], &[edge, edge], GREY, 1.4).dashed());
    panel.add(Series::line("value", &steps, &walks.autocorrelation, PURPLE, 2.2));
    let length = match walks.correlation_length {
        Some(length) => format!("correlation length {} steps", number(length, 3)),
        None => "no correlation from one step to the next".to_owned(),
    };
    chart("Along random walks", &length).panel(panel, 1.0).draw()
}

/// The number of negative eigenvalues against the value, and its mean by groups.
fn index(curvature: &Curvature) -> Picture {
    // Whole numbers are spread a little, by the point's number, so that dots do not hide each other.
    let spread = |at: usize| ((at as f64 * 0.618_033_988_75).fract() - 0.5) * 0.3;
    let indices: Vec<f64> = curvature.indices.iter().enumerate().map(|(at, &k)| k as f64 + spread(at)).collect();
    let all_positive = curvature.value.iter().all(|v| *v > 0.0);
    let (lo, hi) = curvature.value.iter().fold((f64::INFINITY, 0.0f64), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    let scale = if all_positive && hi > 1e3 * lo { Scale::Log } else { Scale::Linear };
    let mut panel = Panel::new("value", "negative eigenvalues").scales(scale, Scale::Linear);
    panel.add(Series::points("points", &curvature.value, &indices, BLUE));
    let middle = |d: &crate::survey::Decile| match scale {
        Scale::Log => (d.lo * d.hi).sqrt(),
        Scale::Linear => 0.5 * d.lo + 0.5 * d.hi,
    };
    let x: Vec<f64> = curvature.deciles.iter().map(middle).collect();
    let y: Vec<f64> = curvature.deciles.iter().map(|d| d.index).collect();
    panel.add(Series::line("mean of tenths", &x, &y, VERMILLION, 2.2));
    let said = match curvature.correlation {
        Some(r) => format!("correlation {}", number(r, 3)),
        None => "one of the two is constant".to_owned(),
    };
    let points = format!("Hessians at {} points, {said}", count(curvature.points as u64));
    chart("Index against value", &points).panel(panel, 1.0).draw()
}

/// All eigenvalues but the outermost.
fn spectrum(curvature: &Curvature) -> Option<Picture> {
    let mut all = curvature.eigenvalues.clone();
    all.sort_by(f64::total_cmp);
    let out = (CUT * all.len() as f64) as usize;
    let kept = &all[out..all.len() - out];
    let h = Histogram::of(kept)?;
    let said = match out {
        0 => String::new(),
        _ => format!("without the outermost {} at either end", percent(CUT)),
    };
    Some(counted("Eigenvalues of the Hessians", &said, "eigenvalue", "eigenvalues", &h, PURPLE))
}
