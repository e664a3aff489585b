//! `nbc`: nearest neighbours against nearest better neighbours (Kerschke et al. 2015).

use super::moments::{correlation, deviation, mean};
use super::{Features, Sample, named};
use rayon::prelude::*;

/// `nn_nb.sd_ratio`, `nn_nb.mean_ratio`, `nn_nb.cor`: standard deviations, means and correlation of the distances to the nearest
/// and to the nearest better neighbour; `dist_ratio.coeff_var`: variation of their ratio; `nb_fitness.cor`: correlation of the
/// value with the number of points whose nearest better neighbour it is.
///
/// A point without a better one (the best, and its equals) takes its nearest neighbour's distance for both. Of equally near
/// neighbours the first counts. A ratio 0/0, of points that coincide, is left out of the variation.
pub fn nbc(sample: &Sample) -> Features {
    let y = sample.y();
    let found: Vec<(f64, f64, Option<usize>)> = (0..y.len())
        .into_par_iter()
        .map(|i| {
            let (mut near, mut better, mut which) = (f64::INFINITY, f64::INFINITY, None);
            for j in (0..y.len()).filter(|&j| j != i) {
                let distance = sample.distance(i, j);
                near = near.min(distance);
                if y[j] < y[i] && distance < better {
                    (better, which) = (distance, Some(j));
                }
            }
            (near, if which.is_some() { better } else { near }, which)
        })
        .collect();
    let near: Vec<f64> = found.iter().map(|f| f.0).collect();
    let better: Vec<f64> = found.iter().map(|f| f.1).collect();
    let ratio: Vec<f64> = near.iter().zip(&better).map(|(a, b)| a / b).filter(|r| !r.is_nan()).collect();
    let mut degree = vec![0.0; y.len()];
    found.iter().filter_map(|f| f.2).for_each(|j| degree[j] += 1.0);
    named(
        "nbc",
        [
            ("nn_nb.sd_ratio", deviation(&near) / deviation(&better)),
            ("nn_nb.mean_ratio", mean(&near) / mean(&better)),
            ("nn_nb.cor", correlation(&near, &better)),
            ("dist_ratio.coeff_var", deviation(&ratio) / mean(&ratio)),
            ("nb_fitness.cor", correlation(&degree, y)),
        ],
    )
}
