//! Ends of descents in a picture made exact, as `analysis` does it, but no further than a picture's group reaches.

use crate::analysis::{CriticalPoint, Exact, Kind};
use crate::error::Error;
use crate::surface::Surface;

/// Beyond this many dimensions, or rows of a table, points stay as they are: second derivatives are dear.
const MOST_DIM: u32 = 64;
const MOST_ROWS: u32 = 10_000;

/// Makes points of one surface exact.
pub(super) struct Polish<'a> {
    surface: &'a Surface,
    exact: Option<Exact<'a>>,
}

impl<'a> Polish<'a> {
    /// # Errors
    /// As for compiling the surface's second derivatives.
    pub(super) fn new(surface: &'a Surface) -> Result<Polish<'a>, Error> {
        let small = surface.dim() <= MOST_DIM && surface.table().is_none_or(|t| t.rows <= MOST_ROWS);
        Ok(Polish { surface, exact: small.then(|| Exact::new(surface)).transpose()? })
    }

    /// The exact point, if it is within `reach` along each coordinate; else the point itself, of which nothing is known.
    pub(super) fn point(&self, x: &[f64], reach: &[f64]) -> CriticalPoint {
        let within = |p: &CriticalPoint| p.x.iter().zip(x).zip(reach).all(|((a, b), reach)| (a - b).abs() <= *reach);
        let found = self.exact.as_ref().map(|exact| exact.point(x));
        found.filter(|p| p.kind.is_critical() && within(p)).unwrap_or_else(|| self.as_it_is(x))
    }

    /// A point of which only value and slope are known.
    pub(super) fn as_it_is(&self, x: &[f64]) -> CriticalPoint {
        let (value, gradient) = self.surface.evaluate(x);
        CriticalPoint {
            x: x.to_vec(),
            value,
            gradient_norm: gradient.iter().map(|g| g * g).sum::<f64>().sqrt(),
            eigenvalues: Vec::new(),
            kind: Kind::Degenerate,
            index: None,
            kink: false,
            inside: true,
            at_bounds: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_become_exact_and_are_named() {
        let surface = Surface::named("himmelblau", None).unwrap();
        let polish = Polish::new(&surface).unwrap();
        let found = polish.point(&[-3.78, -3.28], &[0.1, 0.1]);
        assert_eq!(found.kind, Kind::Minimum);
        assert!(found.gradient_norm < 1e-11 && (found.x[0] + 3.779310253377747).abs() < 1e-13, "{found:?}");
        // Out of reach: it stays where it is.
        assert_eq!(polish.point(&[0.5, 0.5], &[0.01, 0.01]).x, [0.5, 0.5]);
    }
}
