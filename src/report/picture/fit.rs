//! The picture of a fit: data and fitted curve over the one predictor, or observed against fitted values where there
//! are several, and the residuals below.

use super::color::{BLUE, GREY, PURPLE, VERMILLION};
use super::{Chart, Panel, Picture, Series};

/// What a picture of a fit shows.
#[derive(Clone, Copy, Debug)]
pub struct FitView<'a> {
    /// The model, as text.
    pub model: &'a str,
    /// What is modelled, as text.
    pub y: &'a str,
    /// How well it fits, in words.
    pub verdict: &'a str,
    /// The predictor's name and its values, one for each of `observed`; `None` where the model has another number of
    /// predictors than one.
    pub predictor: Option<(&'a str, &'a [f64])>,
    /// What was observed, row by row.
    pub observed: &'a [f64],
    /// What the model gives for each row.
    pub fitted: &'a [f64],
    /// Where the curves are known, along the predictor.
    pub curve_x: &'a [f64],
    /// The curves of the solutions over `curve_x`, the best first.
    pub curves: &'a [Vec<f64>],
    /// The residuals' standard deviation.
    pub residual_sd: Option<f64>,
}

impl FitView<'_> {
    /// The upper panel: data and curve.
    pub fn panel(&self) -> Panel {
        match self.predictor {
            Some((name, x)) => {
                let mut panel = Panel::new(name, self.y);
                panel.add(Series::points("data", x, self.observed, BLUE));
                for (i, curve) in self.curves.iter().enumerate().skip(1).rev() {
                    let name = if i == 1 { "other solutions" } else { "" };
                    panel.add(Series::line(name, self.curve_x, curve, PURPLE, 1.2).beside());
                }
                if let Some(best) = self.curves.first() {
                    panel.add(Series::line("fit", self.curve_x, best, VERMILLION, 2.2));
                }
                panel
            }
            None => {
                let ends = self.fitted.iter().chain(self.observed).copied().filter(|v| v.is_finite());
                let (lo, hi) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
                let mut panel = Panel::new("fitted", &format!("observed {}", self.y));
                panel.add(Series::points("rows", self.fitted, self.observed, BLUE));
                panel.add(Series::line("observed = fitted", &[lo, hi], &[lo, hi], VERMILLION, 2.2).beside());
                panel
            }
        }
    }

    fn residuals(&self) -> Panel {
        let (name, x) = self.predictor.unwrap_or(("fitted", self.fitted));
        let residuals: Vec<f64> = self.observed.iter().zip(self.fitted).map(|(y, f)| y - f).collect();
        let mut panel = Panel::new(name, "residual");
        panel.add(Series::points("", x, &residuals, BLUE));
        let finite = x.iter().copied().filter(|v| v.is_finite());
        let (lo, hi) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let mut level = |at: f64, dashed: bool| {
            let line = Series::line("", &[lo, hi], &[at, at], if dashed { GREY } else { VERMILLION }, 1.4).beside();
            panel.add(if dashed { line.dashed() } else { line });
        };
        level(0.0, false);
        if let Some(sd) = self.residual_sd {
            level(sd, true);
            level(-sd, true);
        }
        panel
    }

    /// The picture.
    pub fn picture(&self) -> Picture {
        let title = format!("{} = {}", self.y, self.model);
        Chart::new(&title).subtitle(self.verdict).panel(self.panel(), 0.72).panel(self.residuals(), 0.28).draw()
    }
}

#[cfg(test)]
mod tests {
    use super::super::color::Color;
    use super::super::png::pixels;
    use super::*;

    #[test]
    fn the_curve_is_where_it_must_be() {
        let x: Vec<f64> = (0..=20).map(|i| f64::from(i) / 20.0).collect();
        let y: Vec<f64> = x.iter().map(|x| 1.0 + 2.0 * x).collect();
        let observed: Vec<f64> = y.iter().enumerate().map(|(i, y)| y + if i % 2 == 0 { 0.4 } else { -0.4 }).collect();
        let view = FitView {
            model: "a + b*x < 4",
            y: "y",
            verdict: "R² 0.95",
            predictor: Some(("x", &x)),
            observed: &observed,
            fitted: &y,
            curve_x: &x,
            curves: &[y.clone(), y.iter().map(|y| 5.0 - y).collect()],
            residual_sd: Some(0.4),
        };
        let picture = view.picture();
        let drawn = pixels(&picture, 2.0).unwrap();
        assert_eq!((drawn.width(), drawn.height()), (1800, 1280));
        // The middle of the line is the middle of the frame across; going down there, the curve comes once.
        let is = |x: u32, y: u32, c: Color| {
            let p = drawn.pixel(x, y).unwrap();
            (p.red(), p.green(), p.blue()) == (c.red, c.green, c.blue)
        };
        let x_left = (0..1800).find(|&x| is(x, 500, GREY)).unwrap();
        let middle = (x_left + 1800 - 48) / 2;
        let of = |c: Color| (0..900).filter(|&row| is(middle + 16, row, c)).collect::<Vec<u32>>();
        let fit = of(VERMILLION);
        assert!(!fit.is_empty() && fit.last().unwrap() - fit.first().unwrap() < 10, "{fit:?}");
        assert!(!of(PURPLE).is_empty());
        assert!((0..1800).any(|x| (950..1200).any(|y| is(x, y, VERMILLION))), "no zero line below");
        assert_eq!(drawn.pixel(2, 2).unwrap().red(), 255);
        let png = picture.png(1.0).unwrap();
        assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000);
        let svg = picture.svg();
        assert!(svg.contains("a + b*x &lt; 4") && svg.matches("<circle").count() >= 42 && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn odd_data_make_pictures() {
        for (observed, fitted) in [(&[][..], &[][..]), (&[1.0], &[f64::NAN]), (&[1e308, -1e308], &[0.0, 1e-300])] {
            for predictor in [None, Some(("x", observed))] {
                let (model, y, verdict) = ("m\nn", "y", "");
                let curves = [fitted.to_vec()];
                let (curve_x, curves) = (observed, &curves[..]);
                let view =
                    FitView { model, y, verdict, predictor, observed, fitted, curve_x, curves, residual_sd: None };
                assert!(view.picture().png(0.5).is_ok());
                assert!(!view.picture().svg().contains("NaN"));
                assert!(!super::super::super::plot(&view.panel(), 72, 20, true).is_empty());
            }
        }
        assert!(Picture::new(1e9, 10.0).png(1.0).is_err());
    }
}
