//! Hessians against values: which way a surface bends where it is high and where it is low.
//!
//! The *index* of a point is its number of negative eigenvalues. On surfaces without structure it falls with the value: high up
//! nearly all points bend down in about half of the directions, and what is low bends up (Bray & Dean 2007; Dauphin et al. 2014).

use super::{Picks, Work, quantiles};
use crate::error::Error;
use crate::features::correlation;
use crate::linear::Symmetric;
use crate::{Engine, Precision, Quantiles, Surface};

/// Dimensions beyond which no whole Hessians are computed, but the ends of their spectra.
pub const MOST_DIMENSIONS: usize = 32;
/// An eigenvalue this small against the largest is neither negative nor positive.
const ZERO: f64 = 1e-12;
/// The same where the matrices are in single precision.
const ZERO_F32: f64 = 1e-5;
/// Points at which the ends of spectra are computed, beyond [`MOST_DIMENSIONS`].
pub(super) const MOST_ENDS: usize = 256;
/// Hessians between two looks for a stop.
const TOGETHER: usize = 1024;
/// Groups of points by their value.
const GROUPS: usize = 10;

/// A tenth of the points, by value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decile {
    /// Points in it.
    pub count: usize,
    /// The lowest value.
    pub lo: f64,
    /// The highest value.
    pub hi: f64,
    /// The mean number of negative eigenvalues.
    pub index: f64,
    /// The same as a share of all eigenvalues.
    pub fraction: f64,
}

/// The Hessians at some points of a sample.
#[derive(Clone, Debug)]
pub struct Curvature {
    /// Points with a finite value and Hessian.
    pub points: usize,
    /// Points with a finite value, and a Hessian that is not.
    pub nonfinite: usize,
    /// Points with an eigenvalue that is 0 but for rounding.
    pub degenerate: usize,
    /// How many points have 0, 1, … negative eigenvalues.
    pub index: Vec<u64>,
    /// Points by value, the lowest first; fewer than ten groups where there are fewer than twenty points.
    pub deciles: Vec<Decile>,
    /// Pearson's correlation of value and index; `None` where one of them is constant.
    pub correlation: Option<f64>,
    /// The smallest eigenvalue of each point.
    pub smallest: Option<Quantiles>,
    /// The largest eigenvalue of each point.
    pub largest: Option<Quantiles>,
    /// The value of each point.
    pub value: Vec<f64>,
    /// The number of negative eigenvalues of each point.
    pub indices: Vec<usize>,
    /// All eigenvalues of each point, ascending, point after point.
    pub eigenvalues: Vec<f64>,
}

/// What second derivatives are computed in: double precision where the device has it.
fn precision(engine: &Engine) -> Precision {
    if engine.device().kind == "cpu" { Precision::F64 } else { Precision::F32 }
}

/// Ends of the spectra at some points, where there are too many dimensions for whole matrices.
#[derive(Clone, Debug)]
pub struct SpectrumEnds {
    /// Points with a finite value and finite ends.
    pub points: usize,
    /// Points with a finite value, and ends that are not.
    pub nonfinite: usize,
    /// The smallest eigenvalue of each point.
    pub smallest: Option<Quantiles>,
    /// The largest eigenvalue of each point.
    pub largest: Option<Quantiles>,
}

/// Computes the ends of the spectra.
pub(super) fn ends(engine: &Engine, surface: &Surface, picks: &Picks, work: &mut Work) -> Result<SpectrumEnds, Error> {
    let found = engine.extreme_eigenvalues(surface, &picks.x, precision(engine))?;
    let finite: Vec<[f64; 2]> = found.iter().copied().filter(|e| e.iter().all(|v| v.is_finite())).collect();
    let end = |k: usize| quantiles(&finite.iter().map(|e| e[k]).collect::<Vec<f64>>());
    work.advance(picks.value.len() as u64)?;
    Ok(SpectrumEnds { points: finite.len(), nonfinite: found.len() - finite.len(), smallest: end(0), largest: end(1) })
}

/// Computes and gathers.
pub(super) fn look(engine: &Engine, surface: &Surface, picks: &Picks, work: &mut Work) -> Result<Curvature, Error> {
    let n = surface.dim() as usize;
    let mut solver = Symmetric::default();
    let precision = precision(engine);
    let zero = if precision == Precision::F64 { ZERO } else { ZERO_F32 };
    let (mut value, mut eigenvalues, mut nonfinite, mut degenerate) = (Vec::new(), Vec::new(), 0, 0);
    let mut indices: Vec<usize> = Vec::new();
    for (x, values) in picks.x.chunks(TOGETHER * n).zip(picks.value.chunks(TOGETHER)) {
        let matrices = engine.hessians(surface, x, precision)?;
        for (hessian, &f) in matrices.chunks_exact(n * n).zip(values) {
            let spectrum = solver.values(n, hessian);
            if !spectrum.iter().all(|v| v.is_finite()) {
                nonfinite += 1;
                continue;
            }
            let zero = zero * spectrum[0].abs().max(spectrum[n - 1].abs());
            degenerate += usize::from(spectrum.iter().any(|v| v.abs() <= zero));
            indices.push(spectrum.iter().filter(|v| **v < -zero).count());
            value.push(f);
            eigenvalues.extend_from_slice(spectrum);
        }
        work.advance((values.len() * n) as u64)?;
    }
    let mut index = vec![0; n + 1];
    indices.iter().for_each(|&k| index[k] += 1);
    let ends = |at: usize| quantiles(&eigenvalues.iter().skip(at).step_by(n).copied().collect::<Vec<f64>>());
    let as_numbers: Vec<f64> = indices.iter().map(|&k| k as f64).collect();
    Ok(Curvature {
        points: value.len(),
        nonfinite,
        degenerate,
        deciles: deciles(&value, &as_numbers, n),
        correlation: Some(correlation(&value, &as_numbers)).filter(|r| r.is_finite()),
        smallest: ends(0),
        largest: ends(n - 1),
        index,
        value,
        indices,
        eigenvalues,
    })
}

/// Groups of equal size by value.
fn deciles(value: &[f64], index: &[f64], dim: usize) -> Vec<Decile> {
    let mut order: Vec<usize> = (0..value.len()).collect();
    order.sort_by(|&a, &b| value[a].total_cmp(&value[b]));
    let groups = GROUPS.min(value.len() / 2).max(1).min(value.len());
    let group = |g: usize| {
        let of = &order[g * order.len() / groups..(g + 1) * order.len() / groups];
        let mean = of.iter().map(|&i| index[i]).sum::<f64>() / of.len() as f64;
        Some(Decile {
            count: of.len(),
            lo: value[*of.first()?],
            hi: value[*of.last()?],
            index: mean,
            fraction: mean / dim as f64,
        })
    };
    (0..groups).filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_all_points_in_order() {
        for count in [0, 1, 2, 3, 19, 20, 21, 1000] {
            let value: Vec<f64> = (0..count).map(|i| ((i * 7919) % 1009) as f64).collect();
            let groups = deciles(&value, &value, 2);
            assert_eq!(groups.iter().map(|g| g.count).sum::<usize>(), count);
            assert!(groups.len() <= 10 && groups.windows(2).all(|g| g[0].hi <= g[1].lo));
            assert!(groups.iter().all(|g| g.count > 0 && g.lo <= g.index && g.index <= g.hi));
        }
    }
}
