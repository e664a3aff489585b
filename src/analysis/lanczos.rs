//! The ends of spectra from products alone, for many matrices in step (Lanczos 1950).

use super::polish::norm;
use crate::linear::tridiagonal_ends;
use crate::random::{Purpose, Stream, normal_pair_f64};

/// Steps at most; with all vectors kept orthogonal the ends of a spectrum converge long before.
const STEPS: usize = 120;
/// An end that moves less than this between looks, relative to the spectrum's reach, has converged.
const STILL: f64 = 1e-9;

/// Smallest and largest eigenvalue of `count` symmetric `n × n` matrices. `product` takes the numbers of some of the matrices and a
/// vector for each, row-major, and gives the products.
pub(crate) fn ends<E>(
    n: usize,
    count: usize,
    tolerance: f64,
    mut product: impl FnMut(&[usize], &[f64]) -> Result<Vec<f64>, E>,
) -> Result<Vec<[f64; 2]>, E> {
    let still = STILL.max(tolerance);
    let mut chains: Vec<Chain> = (0..count).map(|k| Chain::new(n, k)).collect();
    for step in 0..n.min(STEPS) {
        let active: Vec<usize> = (0..count).filter(|&k| !chains[k].done).collect();
        if active.is_empty() {
            break;
        }
        let vectors: Vec<f64> = active.iter().flat_map(|&k| &chains[k].basis[step]).copied().collect();
        let products = product(&active, &vectors)?;
        for (&k, product) in active.iter().zip(products.chunks_exact(n)) {
            chains[k].take(product.to_vec(), still);
        }
    }
    Ok(chains.into_iter().map(|c| c.ends).collect())
}

struct Chain {
    basis: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    beside: Vec<f64>,
    ends: [f64; 2],
    done: bool,
}

impl Chain {
    /// From a random vector: one that has no part in an eigenvector would never find it.
    fn new(n: usize, number: usize) -> Chain {
        let stream = Stream::new(0x6c61_6e63, number as u64, 0, Purpose::Scramble);
        let draw = |i: usize| normal_pair_f64(stream.word(2 * i as u32), stream.word(2 * i as u32 + 1)).0;
        let mut first: Vec<f64> = (0..n).map(draw).collect();
        let length = norm(&first);
        first.iter_mut().for_each(|v| *v /= length);
        Chain { basis: vec![first], diagonal: Vec::new(), beside: Vec::new(), ends: [f64::NAN; 2], done: false }
    }

    fn take(&mut self, mut product: Vec<f64>, still: f64) {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let last = self.basis.len() - 1;
        self.diagonal.push(dot(&product, &self.basis[last]));
        // Twice is enough (Giraud, Langou & Rozložník 2005).
        for _ in 0..2 {
            for v in &self.basis {
                let along = dot(&product, v);
                product.iter_mut().zip(v).for_each(|(p, v)| *p -= along * v);
            }
        }
        let length = norm(&product);
        let ends = tridiagonal_ends(&self.diagonal, &self.beside);
        let reach = ends[0].abs().max(ends[1].abs());
        let moved = (ends[0] - self.ends[0]).abs().max((ends[1] - self.ends[1]).abs());
        self.ends = ends;
        let enough = self.diagonal.len() >= 8 && moved <= still * reach;
        self.done = enough || !(length > 1e-13 * reach.max(f64::MIN_POSITIVE)) || !reach.is_finite();
        if !self.done {
            product.iter_mut().for_each(|v| *v /= length);
            self.beside.push(length);
            self.basis.push(product);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_diagonal_matrices() {
        let n = 300;
        let value = |k: usize, i: usize| (i as f64 / (n - 1) as f64).powi(2) * (k as f64 + 1.0) - 0.3;
        let found = ends(n, 3, 0.0, |which, v| {
            let row =
                |(k, v): (&usize, &[f64])| v.iter().enumerate().map(|(i, v)| v * value(*k, i)).collect::<Vec<f64>>();
            Ok::<_, ()>(which.iter().zip(v.chunks_exact(n)).flat_map(row).collect())
        })
        .unwrap();
        for (k, [lo, hi]) in found.into_iter().enumerate() {
            assert!((lo - value(k, 0)).abs() < 1e-4 && (hi - value(k, n - 1)).abs() < 1e-8, "{lo} {hi}");
        }
    }

    #[test]
    fn a_multiple_of_the_identity() {
        let found = ends(5, 1, 0.0, |_, v| Ok::<_, ()>(v.iter().map(|v| 4.0 * v).collect())).unwrap();
        assert!((found[0][0] - 4.0).abs() < 1e-12 && (found[0][1] - 4.0).abs() < 1e-12);
    }
}
