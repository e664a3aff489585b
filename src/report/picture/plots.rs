//! Charts of plain numbers that several commands draw: a histogram, eigenvalues, indices against values, rarefaction.
//!
//! ```
//! use catchment::report::picture::plots;
//! let picture = plots::histogram("final values", "1,000 restarts", "value", &[0.0, 0.1, 0.1, 2.0], None);
//! assert!(picture.svg().contains("restarts"));
//! ```

use super::color::{BLUE, GREY, VERMILLION};
use super::{Chart, Panel, Picture, Scale, Series};

/// Bars at most.
const BARS: usize = 60;

/// How often numbers fall into equal ranges, with a line at a known one. Numbers that are not finite are left out, and told
/// in the title of the axis.
pub fn histogram(title: &str, subtitle: &str, label: &str, values: &[f64], known: Option<f64>) -> Picture {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let (edges, counts) = bins(&finite);
    let label = match values.len() - finite.len() {
        0 => label.to_owned(),
        lost => format!("{label} ({} not finite are left out)", crate::report::count(lost as u64)),
    };
    let mut panel = Panel::new(&label, "count");
    panel.add(Series::bars("", &edges, &counts, BLUE));
    if let Some(known) = known {
        let top = counts.iter().copied().fold(1.0, f64::max);
        let name = format!("known: {}", crate::report::number(known, 6));
        panel.add(Series::line(&name, &[known, known], &[0.0, top], VERMILLION, 1.6).dashed());
    }
    Chart::new(title).subtitle(subtitle).panel(panel, 1.0).draw()
}

/// Edges of equal ranges by Freedman and Diaconis' rule, and how many numbers each holds.
fn bins(values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (Some(&lo), Some(&hi)) = (sorted.first(), sorted.last()) else { return (vec![0.0, 1.0], vec![0.0]) };
    if !(hi - lo > 1e-12 * lo.abs().max(hi.abs())) || !(hi - lo).is_finite() {
        let half = 0.05 * lo.abs().max(1e-6);
        return (vec![lo - half, lo + half], vec![sorted.len() as f64]);
    }
    let at = |part: f64| sorted[(part * (sorted.len() - 1) as f64).round() as usize];
    let width = 2.0 * (at(0.75) - at(0.25)) / (sorted.len() as f64).cbrt();
    let wanted = if width > 0.0 { ((hi - lo) / width).ceil() } else { BARS as f64 };
    let count = (wanted as usize).clamp(8, BARS);
    let edges: Vec<f64> = (0..=count).map(|i| lo + (hi - lo) * i as f64 / count as f64).collect();
    let mut counts = vec![0.0; count];
    for v in sorted {
        counts[(((v - lo) / (hi - lo) * count as f64) as usize).min(count - 1)] += 1.0;
    }
    (edges, counts)
}

/// Eigenvalues in descending order by their rank, on a logarithmic axis: those above 0 and, in magnitude, those below.
pub fn spectrum(title: &str, subtitle: &str, eigenvalues: &[f64]) -> Picture {
    let mut sorted: Vec<f64> = eigenvalues.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let ranked = || (1..).map(f64::from).zip(sorted.iter().copied());
    let (up_x, up): (Vec<f64>, Vec<f64>) = ranked().filter(|(_, v)| *v > 0.0).unzip();
    let (down_x, down): (Vec<f64>, Vec<f64>) = ranked().filter(|(_, v)| *v < 0.0).map(|(r, v)| (r, -v)).unzip();
    let mut panel = Panel::new("rank", "magnitude of the eigenvalue").scales(Scale::Linear, Scale::Log);
    let name = |sign: &str, n: usize| format!("{n} {sign} 0");
    panel.add(Series::points(&name("above", up.len()), &up_x, &up, BLUE));
    if !down.is_empty() {
        panel.add(Series::points(&name("below", down.len()), &down_x, &down, VERMILLION));
    }
    let zero = sorted.len() - up.len() - down.len();
    let subtitle = if zero == 0 { subtitle.to_owned() } else { format!("{subtitle} ({zero} are 0 and not drawn)") };
    Chart::new(title).subtitle(subtitle.trim()).panel(panel, 1.0).draw()
}

/// The index (how many eigenvalues are below 0, or their share) of stationary points against their values.
pub fn index_against_value(title: &str, subtitle: &str, value: &[f64], index: &[f64]) -> Picture {
    let mut panel = Panel::new("value", "index (eigenvalues below 0)");
    panel.add(Series::points("", value, index, BLUE));
    Chart::new(title).subtitle(subtitle).panel(panel, 1.0).draw()
}

/// How many distinct things `restarts` find: a line, the band from `low` to `high`, and an asymptote where one is estimated.
/// All slices are as long as `restarts`.
pub fn rarefaction(
    title: &str,
    subtitle: &str,
    restarts: &[f64],
    found: &[f64],
    [low, high]: [&[f64]; 2],
    asymptote: Option<f64>,
) -> Picture {
    let mut panel = Panel::new("restarts", "distinct points found").scales(Scale::Log, Scale::Linear);
    panel.add(Series::band("95 % band", restarts, low, high, BLUE));
    panel.add(Series::line("mean", restarts, found, BLUE, 2.0));
    if let (Some(level), Some(&first), Some(&last)) = (asymptote, restarts.first(), restarts.last()) {
        let name = format!("estimated number: {}", crate::report::number(level, 4));
        panel.add(Series::line(&name, &[first, last], &[level, level], GREY, 1.6).dashed());
    }
    Chart::new(title).subtitle(subtitle).panel(panel, 1.0).draw()
}

#[cfg(test)]
mod tests {
    use super::super::png::pixels;
    use super::*;

    fn holds(picture: &Picture, color: super::super::Color) -> usize {
        let drawn = pixels(picture, 1.0).unwrap();
        let same = |p: &&tiny_skia::PremultipliedColorU8| {
            (p.red(), p.green(), p.blue()) == (color.red, color.green, color.blue)
        };
        drawn.pixels().iter().filter(same).count()
    }

    #[test]
    fn bars_hold_all_numbers() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i % 100)).chain([f64::NAN]).collect();
        let (edges, counts) = bins(&values[..1000]);
        assert_eq!((counts.iter().sum::<f64>(), edges.len()), (1000.0, counts.len() + 1));
        let picture = histogram("t", "s", "value", &values, Some(50.0));
        assert!(picture.svg().contains("1 not finite"));
        // Nearly even bars fill most of a panel of about 800 × 500.
        let area = holds(&picture, BLUE);
        assert!((250_000..420_000).contains(&area), "{area}");
        for few in [&[][..], &[1.0], &[2.0, 2.0], &[-1e308, 1e308], &[f64::INFINITY]] {
            assert!(histogram("t", "", "v", few, None).png(1.0).is_ok(), "{few:?}");
        }
    }

    #[test]
    fn bands_and_spectra_are_drawn() {
        let x: Vec<f64> = (0..50).map(f64::from).collect();
        let mean: Vec<f64> = x.iter().map(|x| 10.0 * (1.0 - (-x / 10.0).exp())).collect();
        let (low, high): (Vec<f64>, Vec<f64>) = mean.iter().map(|m| (m - 1.0, m + 1.0)).unzip();
        let picture = rarefaction("t", "s", &x, &mean, [&low, &high], Some(10.0));
        // The band's colour: blue at 60/255 over white.
        let part = |v: u8| (255.0 + (f64::from(v) - 255.0) * 60.0 / 255.0).round() as u8;
        let over = super::super::Color::new(part(BLUE.red), part(BLUE.green), part(BLUE.blue));
        let near: usize = (-1i16..=1)
            .map(|d| holds(&picture, super::super::Color::new((i16::from(over.red) + d) as u8, over.green, over.blue)))
            .sum();
        assert!(near > 10_000, "{near}");
        let text = spectrum("t", "s", &[3.0, -1.0, 0.0, 1e-6]).svg();
        assert!(text.contains("2 above 0") && text.contains("1 below 0") && text.contains("1 are 0"), "{text}");
        assert!(index_against_value("t", "s", &[1.0, 2.0], &[0.0, 1.0]).svg().contains("circle"));
    }
}
