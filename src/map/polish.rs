//! A stationary point made exact: Newton's steps in `f64` from where a descent ended.

use super::eigen::symmetric;
use crate::surface::Surface;

/// What a stationary point is, by the eigenvalues of the matrix of second derivatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All above 0.
    Minimum,
    /// Some above, some below.
    Saddle,
    /// All below.
    Maximum,
    /// One is 0, or has not been looked at, or is not defined there: a kink, a valley floor, a plateau.
    Degenerate,
}

impl Kind {
    /// The word in results.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Minimum => "minimum",
            Kind::Saddle => "saddle",
            Kind::Maximum => "maximum",
            Kind::Degenerate => "degenerate",
        }
    }
}

/// A point with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stationary {
    /// The point.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// The gradient's Euclidean norm there.
    pub gradient_norm: f64,
    /// What it is.
    pub kind: Kind,
}

/// Beyond this many dimensions points stay as they are.
const MOST_DIM: u32 = 64;
const STEPS: usize = 30;

/// Newton's steps while they lower the gradient's norm; the point moves by at most `reach` along each coordinate.
///
/// # Panics
/// Where `x` or `reach` has another length than the surface's dimension.
pub fn polish(surface: &Surface, x: &[f64], reach: &[f64]) -> Stationary {
    let n = x.len();
    let mut here = x.to_vec();
    let norm = |g: &[f64]| g.iter().map(|v| v * v).sum::<f64>().sqrt();
    let (mut value, mut gradient) = surface.evaluate(&here);
    let mut kind = Kind::Degenerate;
    // Second derivatives of a sum over many rows are dear.
    let small = surface.dim() <= MOST_DIM && surface.table().is_none_or(|t| t.rows <= 10_000);
    for _ in 0..if small { STEPS } else { 0 } {
        let hessian = surface.hessian(&here);
        if hessian.iter().any(|v| !v.is_finite()) {
            break;
        }
        let (values, vectors) = symmetric(&hessian, n);
        let largest = values.iter().fold(0f64, |most, v| most.max(v.abs()));
        // Also where a step of full reach could not be told from none: a plateau has no kinds of points.
        let wide = reach.iter().fold(f64::MIN_POSITIVE, |most: f64, v| most.max(*v));
        let flat = (1e-9 * largest).max(1e-12 * value.abs().max(1.0) / (wide * wide));
        kind = match (values[0], values[n - 1]) {
            (least, _) if least > flat => Kind::Minimum,
            (_, most) if most < -flat => Kind::Maximum,
            (least, most) if least < -flat && most > flat => Kind::Saddle,
            _ => Kind::Degenerate,
        };
        if norm(&gradient) == 0.0 {
            break;
        }
        let mut step = vec![0.0; n];
        for (value, vector) in values.iter().zip(&vectors).filter(|(v, _)| v.abs() > flat) {
            let along: f64 = vector.iter().zip(&gradient).map(|(v, g)| v * g).sum::<f64>() / value;
            step.iter_mut().zip(vector).for_each(|(s, v)| *s -= along * v);
        }
        let there: Vec<f64> = here.iter().zip(&step).map(|(x, s)| x + s).collect();
        let near = there.iter().zip(x).zip(reach).all(|((a, b), reach)| (a - b).abs() <= *reach);
        let (next, slope) = surface.evaluate(&there);
        if !near || !(norm(&slope) < norm(&gradient)) || !next.is_finite() {
            break;
        }
        (here, value, gradient) = (there, next, slope);
    }
    Stationary { x: here, value, gradient_norm: norm(&gradient), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_become_exact_and_are_named() {
        let surface = Surface::named("himmelblau", None).unwrap();
        let found = polish(&surface, &[-3.78, -3.28], &[0.1, 0.1]);
        assert_eq!(found.kind, Kind::Minimum);
        assert!(found.gradient_norm < 1e-12 && (found.x[0] + 3.779310253377747).abs() < 1e-14, "{found:?}");
        assert_eq!(polish(&surface, &[-0.27, -0.92], &[0.1, 0.1]).kind, Kind::Maximum);
        assert_eq!(polish(&surface, &[0.08, 2.88], &[0.1, 0.1]).kind, Kind::Saddle);
        // Out of reach: it stays where it is.
        assert_eq!(polish(&surface, &[0.5, 0.5], &[0.01, 0.01]).x, [0.5, 0.5]);
    }
}
