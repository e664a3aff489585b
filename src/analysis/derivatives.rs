//! Values, gradients and second derivatives in `f64`, at many points at once.

use crate::cpu::{Evaluator, Width};
use crate::engine::Evaluated;
use crate::error::Error;
use crate::surface::Surface;
use rayon::prelude::*;

/// Numbers that one evaluation takes at most.
const PIECE: usize = 1 << 20;

/// A surface and its directional derivative, compiled for the CPU.
pub(crate) struct Derivatives {
    n: usize,
    value: Evaluator<f64>,
    along: Evaluator<f64>,
}

impl Derivatives {
    /// # Errors
    /// [`Error::TooLarge`], and [`Error::Dimension`] where twice as many coordinates are too many.
    pub(crate) fn new(surface: &Surface) -> Result<Derivatives, Error> {
        let width = Width::detect();
        let along = surface.directional()?;
        let value = Evaluator::new(surface, width)?;
        Ok(Derivatives { n: surface.dim() as usize, value, along: Evaluator::new(&along, width)? })
    }

    pub(crate) fn dim(&self) -> usize {
        self.n
    }

    /// Values and gradients at points, row-major.
    pub(crate) fn first(&self, points: &[f64]) -> Evaluated {
        self.value.at(points)
    }

    /// The matrices' products with one vector each, at the points; row-major.
    pub(crate) fn products(&self, points: &[f64], vectors: &[f64]) -> Vec<f64> {
        let n = self.n;
        let pairs: Vec<f64> =
            points.chunks_exact(n).zip(vectors.chunks_exact(n)).flat_map(|(x, v)| [x, v]).flatten().copied().collect();
        let found = self.along.at(&pairs);
        found.gradient.chunks_exact(2 * n).flat_map(|row| &row[..n]).copied().collect()
    }

    /// The matrices of second derivatives at points, row-major, one after the other.
    pub(crate) fn second(&self, points: &[f64]) -> Vec<f64> {
        matrices(self.n, points, |pairs| Ok::<_, Error>(self.along.at(pairs))).unwrap_or_default()
    }
}

/// Matrices of second derivatives from products with the unit vectors, made symmetric.
pub(crate) fn matrices<E: Send>(
    n: usize,
    points: &[f64],
    along: impl Fn(&[f64]) -> Result<Evaluated, E>,
) -> Result<Vec<f64>, E> {
    let mut all = Vec::with_capacity(points.len() * n);
    for some in points.chunks((PIECE / (2 * n * n)).max(1) * n) {
        let mut pairs = vec![0.0; some.len() / n * 2 * n * n];
        for (rows, x) in pairs.chunks_exact_mut(2 * n * n).zip(some.chunks_exact(n)) {
            for (k, row) in rows.chunks_exact_mut(2 * n).enumerate() {
                row[..n].copy_from_slice(x);
                row[n + k] = 1.0;
            }
        }
        let found = along(&pairs)?;
        all.extend(found.gradient.chunks_exact(2 * n).flat_map(|row| &row[..n]));
    }
    all.par_chunks_exact_mut(n * n).for_each(|h| {
        for i in 0..n {
            for j in 0..i {
                let mean = 0.5 * (h[i * n + j] + h[j * n + i]);
                (h[i * n + j], h[j * n + i]) = (mean, mean);
            }
        }
    });
    Ok(all)
}
