//! `pca`: how many principal components the points need.

use super::moments::{deviation, product};
use super::{Features, Sample};
use crate::linear::symmetric_eigen;

/// Variance that the components counted must explain.
const EXPLAINED: f64 = 0.9;

/// `expl_var.*`: the least share of components that explain 90 % of the variance; `expl_var_PC1.*`: the share of variance along
/// the first. `cov_x` and `cor_x` are of the coordinates' covariances and correlations; `cov_init` and `cor_init` take the value
/// along as one more coordinate. NaN where a column is constant and a correlation therefore undefined.
pub fn pca(sample: &Sample) -> Features {
    let mut columns: Vec<Vec<f64>> = (0..sample.dim()).map(|i| sample.column(i)).collect();
    let [cov_x, cor_x] = [false, true].map(|scaled| components(&columns, scaled));
    columns.push(sample.y().to_vec());
    let [cov_init, cor_init] = [false, true].map(|scaled| components(&columns, scaled));
    let all = [("cov_x", cov_x), ("cor_x", cor_x), ("cov_init", cov_init), ("cor_init", cor_init)];
    let share = all.iter().map(|(name, found)| (format!("pca.expl_var.{name}"), found[0]));
    share.chain(all.iter().map(|(name, found)| (format!("pca.expl_var_PC1.{name}"), found[1]))).collect()
}

/// The share of components and the first one's share of the variance.
fn components(columns: &[Vec<f64>], scaled: bool) -> [f64; 2] {
    let n = columns.len();
    let scale: Vec<f64> = columns.iter().map(|c| if scaled { deviation(c) } else { 1.0 }).collect();
    if scale.contains(&0.0) {
        return [f64::NAN; 2];
    }
    let degrees = columns[0].len() as f64 - 1.0;
    let mut matrix = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let entry = product(&columns[i], &columns[j]) / (degrees * scale[i] * scale[j]);
            (matrix[i * n + j], matrix[j * n + i]) = (entry, entry);
        }
    }
    let values = symmetric_eigen(n, &matrix).0;
    let total: f64 = values.iter().rev().sum();
    let mut sum = 0.0;
    let enough = values.iter().rev().position(|v| {
        sum += v;
        sum / total >= EXPLAINED
    });
    [enough.map_or(f64::NAN, |k| (k + 1) as f64 / n as f64), values[n - 1] / total]
}
