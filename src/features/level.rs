//! `ela_level`: can a plane or a quadric tell low points from the others?

use super::moments::{quantile, sorted};
use super::{Features, Sample};
use crate::linear::symmetric_eigen;

/// Shares of the values that count as low, in per cent.
const LEVELS: [u32; 3] = [10, 25, 50];
/// Parts of the sample, each of which is told from what the others teach.
const FOLDS: usize = 10;
/// Directions narrower than this, in standard deviations, are left out of a linear discriminant.
const NARROW: f64 = 1e-4;

/// `mmce_lda_QQ`, `mmce_qda_QQ` and their ratio `lda_qda_QQ` for QQ = 10, 25 and 50: the share of points that a linear and a
/// quadratic discriminant put on the wrong side of that quantile of the values, mean of ten folds.
///
/// Folds are stratified and not shuffled, as scikit-learn's `StratifiedKFold(10)` makes them: a class is dealt to them in the order of
/// the points. Priors are the classes' shares. NaN where fewer than ten points are low, and for a quadratic discriminant where a
/// class does not span all directions.
pub fn ela_level(sample: &Sample) -> Features {
    let values = sorted(sample.y());
    let mut out = Features::new();
    for level in LEVELS {
        let edge = quantile(&values, f64::from(level) / 100.0);
        let low: Vec<bool> = sample.y().iter().map(|&y| y < edge).collect();
        let [lda, qda] = errors(sample, &low);
        for (name, value) in [("mmce_lda", lda), ("mmce_qda", qda), ("lda_qda", lda / qda)] {
            out.push((format!("ela_level.{name}_{level}"), value));
        }
    }
    out
}

fn errors(sample: &Sample, low: &[bool]) -> [f64; 2] {
    let fewest = low.iter().filter(|&&l| l).count().min(low.iter().filter(|&&l| !l).count());
    if fewest < FOLDS {
        return [f64::NAN; 2];
    }
    let fold = folds(low);
    let mut sums = [0.0; 2];
    for k in 0..FOLDS {
        let taught = |class: bool| (0..low.len()).filter(|&i| fold[i] != k && low[i] == class).collect::<Vec<_>>();
        let classes = [false, true].map(|class| Class::of(sample, &taught(class)));
        let tested: Vec<usize> = (0..low.len()).filter(|&i| fold[i] == k).collect();
        let wrong = |says: &dyn Fn(&[f64]) -> bool| {
            tested.iter().filter(|&&i| says(sample.x(i)) != low[i]).count() as f64 / tested.len() as f64
        };
        let line = linear(&classes);
        sums[0] += wrong(&|x| line(x) > 0.0);
        sums[1] += match [Density::of(&classes[0]), Density::of(&classes[1])] {
            [Some(high), Some(low)] => wrong(&|x| low.score(x) > high.score(x)),
            _ => f64::NAN,
        };
    }
    sums.map(|sum| sum / FOLDS as f64)
}

/// The fold of every point.
fn folds(low: &[bool]) -> Vec<usize> {
    // Classes are numbered in the order in which they appear; sorted by class, points are dealt like cards.
    let class: Vec<usize> = low.iter().map(|&l| usize::from(l != low[0])).collect();
    let first = class.iter().filter(|&&c| c == 0).count();
    let mut dealt = [[0; FOLDS]; 2];
    for at in 0..class.len() {
        dealt[usize::from(at >= first)][at % FOLDS] += 1;
    }
    let mut next = [0; 2];
    class
        .iter()
        .map(|&c| {
            while dealt[c][next[c]] == 0 {
                next[c] += 1;
            }
            dealt[c][next[c]] -= 1;
            next[c]
        })
        .collect()
}

/// What some points teach of their class.
struct Class {
    count: f64,
    mean: Vec<f64>,
    /// Σ (x − mean)(x − mean)ᵀ
    scatter: Vec<f64>,
}

impl Class {
    fn of(sample: &Sample, points: &[usize]) -> Class {
        let (n, count) = (sample.dim(), points.len() as f64);
        let mut mean = vec![0.0; n];
        points.iter().for_each(|&i| mean.iter_mut().zip(sample.x(i)).for_each(|(m, x)| *m += x / count));
        let mut scatter = vec![0.0; n * n];
        let mut off = vec![0.0; n];
        for &point in points {
            off.iter_mut().zip(sample.x(point)).zip(&mean).for_each(|((o, x), m)| *o = x - m);
            for i in 0..n {
                for j in 0..n {
                    scatter[i * n + j] += off[i] * off[j];
                }
            }
        }
        Class { count, mean, scatter }
    }
}

/// The linear discriminant: positive where a point is rather of the second class.
fn linear(classes: &[Class; 2]) -> impl Fn(&[f64]) -> f64 + use<> {
    let [a, b] = classes;
    let n = a.mean.len();
    let total = a.count + b.count;
    let pooled: Vec<f64> = a.scatter.iter().zip(&b.scatter).map(|(a, b)| (a + b) / (total - 2.0)).collect();
    // In units of each coordinate's spread within the classes, so that NARROW means the same for all.
    let scale: Vec<f64> = (0..n)
        .map(|i| match (pooled[i * n + i] * (total - 2.0) / total).sqrt() {
            0.0 => 1.0,
            spread => spread,
        })
        .collect();
    let scaled: Vec<f64> = (0..n * n).map(|at| pooled[at] / (scale[at / n] * scale[at % n])).collect();
    let (values, vectors) = symmetric_eigen(n, &scaled);
    let apart: Vec<f64> = (0..n).map(|i| (b.mean[i] - a.mean[i]) / scale[i]).collect();
    // w = Σ⁻¹ (μ_b − μ_a) over the directions that are not narrow.
    let mut w = vec![0.0; n];
    for (value, v) in values.iter().zip(vectors.chunks_exact(n)).filter(|(value, _)| value.sqrt() > NARROW) {
        let along: f64 = v.iter().zip(&apart).map(|(v, d)| v * d).sum::<f64>() / value;
        w.iter_mut().zip(v).for_each(|(w, v)| *w += along * v);
    }
    w.iter_mut().zip(&scale).for_each(|(w, s)| *w /= s);
    let middle: Vec<f64> = a.mean.iter().zip(&b.mean).map(|(a, b)| 0.5 * (a + b)).collect();
    let prior = (b.count / a.count).ln();
    move |x| prior + w.iter().zip(x).zip(&middle).map(|((w, x), m)| w * (x - m)).sum::<f64>()
}

/// A class's normal density times its prior.
struct Density<'a> {
    mean: &'a [f64],
    /// Variances along the principal axes, which stand row by row.
    variances: Vec<f64>,
    axes: Vec<f64>,
    level: f64,
}

impl Density<'_> {
    /// Nothing where the class does not span all directions.
    fn of(class: &Class) -> Option<Density<'_>> {
        let n = class.mean.len();
        let covariance: Vec<f64> = class.scatter.iter().map(|s| s / (class.count - 1.0)).collect();
        let (variances, axes) = symmetric_eigen(n, &covariance);
        if !(variances[0] > 1e-14 * n as f64 * variances[n - 1]) {
            return None;
        }
        let size: f64 = variances.iter().map(|v| v.ln()).sum();
        Some(Density { mean: &class.mean, variances, axes, level: class.count.ln() - 0.5 * size })
    }

    /// The logarithm, but for a constant that all classes share.
    fn score(&self, x: &[f64]) -> f64 {
        let along = |axis: &[f64]| axis.iter().zip(x).zip(self.mean).map(|((a, x), m)| a * (x - m)).sum::<f64>();
        let axes = self.axes.chunks_exact(self.mean.len());
        self.level - 0.5 * self.variances.iter().zip(axes).map(|(v, axis)| along(axis).powi(2) / v).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_even_and_in_order() {
        let low: Vec<bool> = (0..30).map(|i| i % 3 == 0).collect();
        let fold = folds(&low);
        for k in 0..FOLDS {
            let both = (0..30).filter(|&i| fold[i] == k).map(|i| low[i]).collect::<Vec<_>>();
            assert_eq!(both.iter().filter(|&&l| l).count(), 1, "{fold:?}");
            assert_eq!(both.len(), 3, "{fold:?}");
        }
        assert_eq!(fold[..6], [0, 0, 0, 1, 1, 1]);
    }
}
