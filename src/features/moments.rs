//! Means, spreads and correlations, as numpy defines them.

/// The arithmetic mean; NaN of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Σ (a − ā)(b − b̄).
pub(super) fn product(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum()
}

/// The standard deviation with n − 1 below; NaN of a single value.
pub(super) fn deviation(values: &[f64]) -> f64 {
    (product(values, values) / (values.len() as f64 - 1.0)).sqrt()
}

/// Pearson's correlation; NaN where one of the two is constant.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let constant = |v: &[f64]| v.iter().all(|x| *x == v[0]);
    if a.len() < 2 || constant(a) || constant(b) {
        return f64::NAN;
    }
    product(a, b) / (product(a, a).sqrt() * product(b, b).sqrt())
}

/// A quantile by linear interpolation between order statistics of sorted values.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let (low, part) = (position.floor() as usize, position.fract());
    let (a, b) = (sorted[low], sorted[(low + 1).min(sorted.len() - 1)]);
    // As numpy: from the nearer of the two.
    if part < 0.5 { a + (b - a) * part } else { b - (b - a) * (1.0 - part) }
}

/// The values in ascending order.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut all = values.to_vec();
    all.sort_by(f64::total_cmp);
    all
}
