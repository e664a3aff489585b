//! A surface along a line.

use super::{MapError, Span, Watch};
use crate::engine::Engine;
use crate::error::Error;
use crate::plan::Precision;
use crate::surface::Surface;

/// Values along a line, and where they are lowest.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What is along it.
    pub span: Span,
    /// Places on the line, ascending.
    pub at: Vec<f64>,
    /// Values there; not finite where the surface is not defined.
    pub value: Vec<f64>,
    /// Minima between the ends, place and value, the lowest first.
    pub minima: Vec<(f64, f64)>,
    /// How many values are not finite.
    pub undefined: u64,
}

/// Golden section: the part that is left after each step.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// The surface at `point + t·direction` for `count` places `t`, ends included; minima are narrowed down in `f64`.
///
/// # Errors
/// As [`Engine::evaluate`]; [`MapError::PointLength`], [`MapError::NothingFinite`]; [`Error::Cancelled`].
#[expect(clippy::too_many_arguments, reason = "a line, and what every map takes")]
pub fn curve(
    engine: &Engine,
    surface: &Surface,
    point: &[f64],
    direction: &[f64],
    span: &Span,
    count: u32,
    precision: Precision,
    watch: &mut Watch<'_>,
) -> Result<Curve, Error> {
    let dim = surface.dim() as usize;
    if let Some(got) = [point.len(), direction.len()].into_iter().find(|&len| len != dim) {
        return Err(MapError::PointLength { expected: dim, got }.into());
    }
    let count = count.max(3);
    let at: Vec<f64> = (0..count).map(|i| span.at(f64::from(i) / f64::from(count - 1))).collect();
    let there = |t: f64| point.iter().zip(direction).map(move |(p, d)| p + t * d);
    let points: Vec<f64> = at.iter().flat_map(|&t| there(t)).collect();
    let value = engine.evaluate(surface, &points, precision)?.value;
    watch.tell(0.5)?;
    let undefined = value.iter().filter(|v| !v.is_finite()).count() as u64;
    if undefined == u64::from(count) {
        let (surface, view) = (surface.label().to_owned(), span.to_string());
        return Err(MapError::NothingFinite { surface, view }.into());
    }
    let exact = |t: f64| surface.evaluate(&there(t).collect::<Vec<f64>>()).0;
    let mut minima = Vec::new();
    for i in 1..value.len() - 1 {
        // A level bottom counts once, by its left end.
        if value[i] < value[i - 1] && value[i] <= value[i + 1] {
            let found = lowest(&exact, at[i - 1], at[i + 1]);
            minima.push((found, exact(found)));
        }
        if minima.len() >= MOST_MINIMA {
            break;
        }
    }
    minima.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok(Curve { span: span.clone(), at, value, minima, undefined })
}

/// More are noise.
const MOST_MINIMA: usize = 4096;

/// The place of the lowest value between two, of which it is known to have one.
fn lowest(value: &impl Fn(f64) -> f64, mut lo: f64, mut hi: f64) -> f64 {
    let (mut a, mut b) = (hi - GOLDEN * (hi - lo), lo + GOLDEN * (hi - lo));
    let (mut fa, mut fb) = (value(a), value(b));
    for _ in 0..60 {
        if fa <= fb {
            (hi, b, fb) = (b, a, fa);
            a = hi - GOLDEN * (hi - lo);
            fa = value(a);
        } else {
            (lo, a, fa) = (a, b, fb);
            b = lo + GOLDEN * (hi - lo);
            fb = value(b);
        }
    }
    0.5 * (lo + hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minima_are_found_between_places() {
        let surface = Surface::named("forrester", None).unwrap();
        let span = Span::new("x", 0.0, 1.0, false).unwrap();
        let found =
            curve(&Engine::cpu(), &surface, &[0.0], &[1.0], &span, 200, Precision::F32, &mut Watch::none()).unwrap();
        let known = &surface.minima()[0];
        assert!((found.minima[0].0 - known.x[0]).abs() < 1e-6, "{:?}", found.minima);
        assert!((found.minima[0].1 - known.value).abs() < 1e-9);
        assert_eq!((found.at.len(), found.undefined, found.minima.len()), (200, 0, 2));
    }
}
