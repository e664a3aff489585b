//! Random symmetric matrices: what the Hessian at a point of a surface without structure would be like.
//!
//! The Gaussian orthogonal ensemble is `A = (G + Gᵀ)/2` with independent standard normal entries of G: variance 1 on the diagonal and
//! 1/2 beside it. Its law is the same in every rotated frame, and that alone makes eigenvalues repel: all N are
//! positive with a probability near exp(−(ln 3)/4 · N²) (Dean & Majumdar 2006), far below the (1/2)ᴺ of N coins. One variance on and
//! beside the diagonal, a common slip, is another ensemble with other numbers.
//!
//! ```
//! use catchment::Flow;
//! use catchment::survey::goe;
//! let two = goe::spectra(&goe::Ensemble::orthogonal(2), 100_000, 1, &mut |_, _| Flow::Continue)?;
//! let share = two.index[0] as f64 / 1e5;
//! assert!((share - (2.0 - 2f64.sqrt()) / 4.0).abs() < 0.005);
//! # Ok::<(), catchment::Error>(())
//! ```

use super::{Gathered, Histogram, MOST_SAMPLES};
use crate::error::{DimensionRule, Error};
use crate::linear::Symmetric;
use crate::random::{Purpose, Stream, normal_pair_f64};
use crate::{Flow, Quantiles};
use rayon::prelude::*;

/// The largest matrices.
pub const MOST_DIMENSIONS: usize = 512;
/// The largest matrices whose law of the index is known here.
pub const MOST_EXACT: usize = 10;
/// The draw site of matrices.
const SITE: u8 = 225;
/// Matrices of one task.
const TASK: u64 = 256;
/// Tasks between two looks for a stop.
const TASKS: u64 = 64;
/// Eigenvalues kept for the spectrum.
const KEPT: usize = 200_000;

/// P(exactly k eigenvalues are negative) of the orthogonal ensemble for N = 1 to 10, k from 0 to ⌊N/2⌋; the rest by symmetry.
///
/// By de Bruijn's Pfaffian formula at 60 digits; its normalisation is Mehta's integral, and independent samples agree. Closed
/// forms of the first column: 1/2, (2 − √2)/4, (π − 2√2)/(4π), (4π − √2π − 8)/(16π), (3π − 8 − √2)/(24π).
#[rustfmt::skip]
const LAW: [&[f64]; MOST_EXACT] = [
    &[0.5],
    &[0.14644660940672624, std::f64::consts::FRAC_1_SQRT_2],
    &[0.024920920960723483, 0.47507907903927654],
    &[0.002456709259786224, 0.1767766952966369, 0.6415331908871538],
    &[0.0001401146854633997, 0.03765329452534282, 0.4622065907891938],
    &[4.620187477548993e-06, 0.004626889025039592, 0.1906361630434079, 0.6094646554881499],
    &[8.804612806325489e-08, 0.0003285398652205904, 0.04588153364562163, 0.4537898384430297],
    &[9.694546749307667e-10, 1.3482264338891886e-05, 0.006461869937650257, 0.1988602999443776, 0.5893286937683572],
    &[6.166501765955997e-12, 3.19703655960728e-07, 0.0005317060572349007, 0.051843737657519616, 0.447624236575423],
    &[2.265653158108417e-14, 4.379942976407358e-09, 2.5503581019703127e-05, 0.008032604846252771, 0.20442595896989285, 0.5750318564457381],
];

/// P(exactly k eigenvalues are negative), k = 0 to N, of the Gaussian orthogonal ensemble; `None` beyond [`MOST_EXACT`].
pub fn exact_law(dim: usize) -> Option<Vec<f64>> {
    let half = LAW.get(dim.checked_sub(1)?)?;
    Some((0..=dim).map(|k| half[k.min(dim - k)]).collect())
}

/// What it would be if the signs of eigenvalues were coins: binomial.
pub fn naive_law(dim: usize) -> Vec<f64> {
    let mut law = vec![0.5f64.powi(dim as i32)];
    for k in 0..dim {
        law.push(law[k] * (dim - k) as f64 / (k + 1) as f64);
    }
    law
}

/// A law of random symmetric matrices with independent normal entries of mean 0, variance 1 on the diagonal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ensemble {
    /// Rows and columns.
    pub dim: usize,
    /// Variance of an entry beside the diagonal.
    pub off_diagonal: f64,
}

impl Ensemble {
    /// The Gaussian orthogonal ensemble, `(G + Gᵀ)/2`.
    pub fn orthogonal(dim: usize) -> Ensemble {
        Ensemble { dim, off_diagonal: 0.5 }
    }

    /// Matrix `number` of a seed, written row-major to `a`.
    fn draw(&self, seed: u64, number: u64, a: &mut [f64]) {
        let (n, spread) = (self.dim, self.off_diagonal.sqrt());
        let stream = Stream::new(seed, number, 0, Purpose::Draw(SITE));
        let mut normal = [0.0; 4];
        let mut at = 0;
        for i in 0..n {
            for j in 0..=i {
                if at % 4 == 0 {
                    let words = stream.block((at / 4) as u32);
                    let (a, b) = normal_pair_f64(words[0], words[1]);
                    let (c, d) = normal_pair_f64(words[2], words[3]);
                    normal = [a, b, c, d];
                }
                let entry = normal[at % 4] * if i == j { 1.0 } else { spread };
                (a[i * n + j], a[j * n + i]) = (entry, entry);
                at += 1;
            }
        }
    }
}

/// The eigenvalues of many matrices.
#[derive(Clone, Debug)]
pub struct Spectra {
    /// Their law.
    pub ensemble: Ensemble,
    /// How many.
    pub samples: u64,
    /// How many have 0, 1, … N negative eigenvalues.
    pub index: Vec<u64>,
    /// The smallest eigenvalue of each.
    pub smallest: Quantiles,
    /// The largest eigenvalue of each.
    pub largest: Quantiles,
    /// All eigenvalues of the first matrices, over √(2N), counted: for large N a semicircle from −1 to 1.
    pub spectrum: Option<Histogram>,
}

/// Draws matrices and finds their eigenvalues, on all cores; `tell` hears how many are done of how many. Threads take no
/// part in the result.
///
/// # Errors
/// [`Error::Dimension`], [`Error::Setting`], and [`Error::Cancelled`] where `tell` says stop.
pub fn spectra(
    ensemble: &Ensemble,
    samples: u64,
    seed: u64,
    tell: &mut dyn FnMut(u64, u64) -> Flow,
) -> Result<Spectra, Error> {
    let n = ensemble.dim;
    let rule = match n {
        0 => Some(DimensionRule::AtLeast(1)),
        n if n > MOST_DIMENSIONS => Some(DimensionRule::AtMost(MOST_DIMENSIONS as u32)),
        _ => None,
    };
    if let Some(rule) = rule {
        let dim = u32::try_from(n).unwrap_or(u32::MAX);
        return Err(Error::Dimension { surface: "goe".to_owned(), dim, rule });
    }
    if !(2..=MOST_SAMPLES).contains(&samples) {
        let (name, expected) = ("the number of matrices", "from 2 to 2^40");
        return Err(Error::Setting { name, value: samples as f64, expected });
    }
    let mut index = vec![0; n + 1];
    let (mut smallest, mut largest) = (Gathered::default(), Gathered::default());
    let mut kept = Vec::new();
    let mut first = 0;
    while first < samples {
        let end = samples.min(first + TASK * TASKS);
        let begins: Vec<u64> = (first..end).step_by(TASK as usize).collect();
        let keep = kept.len() < KEPT;
        let done: Vec<Vec<f64>> = begins
            .into_par_iter()
            .map_init(
                || (Symmetric::default(), vec![0.0; n * n]),
                |(work, a), begin| {
                    let mut values = Vec::with_capacity(n * TASK as usize);
                    for number in begin..end.min(begin + TASK) {
                        ensemble.draw(seed, number, a);
                        values.extend_from_slice(work.values(n, a));
                    }
                    values
                },
            )
            .collect();
        for values in done {
            for one in values.chunks_exact(n) {
                index[one.iter().filter(|v| **v < 0.0).count()] += 1;
            }
            smallest.extend(&values.iter().step_by(n).copied().collect::<Vec<f64>>());
            largest.extend(&values.iter().skip(n - 1).step_by(n).copied().collect::<Vec<f64>>());
            if keep {
                kept.extend_from_slice(&values);
            }
        }
        first = end;
        if tell(first, samples) == Flow::Stop {
            return Err(Error::Cancelled);
        }
    }
    let edge = (2.0 * n as f64).sqrt();
    kept.iter_mut().for_each(|v| *v /= edge);
    // There are two matrices at least, so there are eigenvalues.
    let none = || Error::Setting { name: "the number of matrices", value: samples as f64, expected: "at least 2" };
    Ok(Spectra {
        ensemble: *ensemble,
        samples,
        index,
        smallest: smallest.quantiles().ok_or_else(none)?,
        largest: largest.quantiles().ok_or_else(none)?,
        spectrum: Histogram::of(&kept),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_laws() {
        for dim in 1..=MOST_EXACT {
            for law in [exact_law(dim).unwrap(), naive_law(dim)] {
                assert_eq!(law.len(), dim + 1);
                assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-14, "{dim}: {law:?}");
                assert!((0..=dim).all(|k| (law[k] - law[dim - k]).abs() < 1e-16));
            }
        }
        assert!(exact_law(0).is_none() && exact_law(11).is_none());
        let pi = std::f64::consts::PI;
        let closed = [
            0.5,
            (2.0 - 2f64.sqrt()) / 4.0,
            (pi - 8f64.sqrt()) / (4.0 * pi),
            (4.0 * pi - 2f64.sqrt() * pi - 8.0) / (16.0 * pi),
            (3.0 * pi - 8.0 - 2f64.sqrt()) / (24.0 * pi),
        ];
        for (law, want) in LAW.iter().zip(closed) {
            assert!((law[0] - want).abs() < 1e-15, "{} {want}", law[0]);
        }
    }

    #[test]
    fn entries_have_their_variances() {
        let mut a = [0.0; 9];
        let mut sums = [0.0; 3];
        for number in 0..20_000 {
            Ensemble::orthogonal(3).draw(5, number, &mut a);
            assert_eq!((a[1], a[2], a[5]), (a[3], a[6], a[7]));
            sums[0] += a[8] * a[8];
            sums[1] += a[7] * a[7];
            sums[2] += a[7] * a[8];
        }
        let [diagonal, beside, both] = sums.map(|s| s / 2e4);
        assert!((diagonal - 1.0).abs() < 0.05 && (beside - 0.5).abs() < 0.025 && both.abs() < 0.03, "{sums:?}");
    }
}
