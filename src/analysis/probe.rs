//! What is large and what is small on a surface, from a few points of its box.

use super::derivatives::Derivatives;
use super::polish::norm;
use crate::error::Error;
use crate::linear::symmetric_eigen;
use crate::random::{Sampler, Starts};
use crate::surface::Surface;

/// Points that scales are read from.
const POINTS: u64 = 64;

/// Typical magnitudes on the box, with its widths as the units of length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scales {
    /// Widths of the box; 1 where it is a point.
    pub(crate) width: Vec<f64>,
    /// Range of the values.
    pub(crate) value: f64,
    /// Median length of the gradient.
    pub(crate) slope: f64,
    /// Median of the largest magnitude among the eigenvalues of the matrix of second derivatives; 0 above
    /// [`FULL_DIM`](super::FULL_DIM) dimensions.
    pub(crate) curvature: f64,
}

impl Scales {
    /// From uniform points that depend on nothing but the surface.
    ///
    /// # Errors
    /// [`Error::Starts`].
    pub(crate) fn of(surface: &Surface, derivatives: &Derivatives) -> Result<Scales, Error> {
        let domain = surface.domain();
        let n = domain.dim();
        let span = |(lo, hi): (&f64, &f64)| if hi > lo { hi - lo } else { 1.0 };
        let width: Vec<f64> = domain.lo.iter().zip(&domain.hi).map(span).collect();
        let sampler = Sampler::new(&Starts::Sobol, domain, 0, POINTS)
            .or_else(|_| Sampler::new(&Starts::Uniform, domain, 0, POINTS))?;
        let points: Vec<f64> = (0..POINTS).flat_map(|k| super::start(&sampler, k, n)).collect();
        let at = derivatives.first(&points);
        let finite = |v: &f64| v.is_finite();
        let values = || at.value.iter().copied().filter(finite);
        let range = values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min);
        let slopes = at.gradient.chunks_exact(n).map(|g| {
            let scaled: Vec<f64> = g.iter().zip(&width).map(|(g, w)| g * w).collect();
            norm(&scaled)
        });
        let slope = median(slopes.filter(finite).collect());
        let mut curvature = 0.0;
        if n <= super::FULL_DIM {
            let largest = derivatives
                .second(&points)
                .chunks_exact(n * n)
                .map(|h| {
                    let scaled: Vec<f64> = (0..n * n).map(|k| h[k] * width[k / n] * width[k % n]).collect();
                    symmetric_eigen(n, &scaled).0.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
                })
                .collect::<Vec<f64>>();
            curvature = median(largest.into_iter().filter(finite).collect());
        }
        Ok(Scales { width, value: if range.is_finite() { range } else { 0.0 }, slope, curvature })
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}
