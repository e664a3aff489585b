//! `ela_distr`: how the values are distributed.

use super::moments::{deviation, mean, product};
use super::{Features, Sample, named};

/// Which estimator of skewness and kurtosis (Joanes & Gill 1998), of `g₁ = m₃/m₂^{3/2}` and `g₂ = m₄/m₂² − 3` with the
/// central moments `m_k` over n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MomentType {
    /// `g₁` and `g₂`.
    One,
    /// `g₁ √(n(n−1))/(n−2)` and `((n+1) g₂ + 6)(n−1)/((n−2)(n−3))`.
    Two,
    /// `g₁ (1 − 1/n)^{3/2}` and `(g₂ + 3)(1 − 1/n)² − 3`: flacco's.
    #[default]
    Three,
}

/// Places where the density is estimated.
const PLACES: usize = 512;
/// What a mode must exceed to count.
const MASS: f64 = 0.1;

/// `skewness`, `kurtosis` and `number_of_peaks` of the values; NaN where all are equal.
///
/// The peaks are those of a Gaussian kernel density with Scott's bandwidth `n^{−1/5} s` at 512 places from three bandwidths below the
/// lowest value to three above the highest, parted at its minima. A part counts where its *mean density plus its width* exceeds
/// 0.1: a sum where a product was meant, but it is what pflacco computes and published features contain.
pub fn ela_distr(sample: &Sample, kind: MomentType) -> Features {
    let y = sample.y();
    let n = y.len() as f64;
    if y.iter().all(|v| *v == y[0]) {
        return named("ela_distr", ["skewness", "kurtosis", "number_of_peaks"].map(|name| (name, f64::NAN)));
    }
    let centre = mean(y);
    let moment = |power: i32| y.iter().map(|v| (v - centre).powi(power)).sum::<f64>() / n;
    let second = product(y, y) / n;
    let (g1, g2) = (moment(3) / second.powf(1.5), moment(4) / (second * second) - 3.0);
    let (skewness, kurtosis) = match kind {
        MomentType::One => (g1, g2),
        MomentType::Two => {
            let skewness = g1 * (n * (n - 1.0)).sqrt() / (n - 2.0);
            (skewness, ((n + 1.0) * g2 + 6.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0)))
        }
        MomentType::Three => {
            let part = 1.0 - 1.0 / n;
            (g1 * part.powf(1.5), (g2 + 3.0) * part * part - 3.0)
        }
    };
    named("ela_distr", [("skewness", skewness), ("kurtosis", kurtosis), ("number_of_peaks", peaks(y) as f64)])
}

fn peaks(y: &[f64]) -> usize {
    let n = y.len() as f64;
    let width = n.powf(-0.2) * deviation(y);
    let (lo, hi) = y.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    let (lo, hi) = (lo - 3.0 * width, hi + 3.0 * width);
    let step = (hi - lo) / (PLACES - 1) as f64;
    let places: Vec<f64> = (0..PLACES).map(|i| lo + i as f64 * step).collect();
    let scale = 1.0 / (n * width * (2.0 * std::f64::consts::PI).sqrt());
    let density: Vec<f64> = places
        .iter()
        .map(|p| scale * y.iter().map(|v| (-0.5 * ((p - v) / width).powi(2)).exp()).sum::<f64>())
        .collect();
    let lower = |i: &usize| density[*i] < density[i - 1] && density[*i] < density[i + 1];
    let mut cuts = vec![0];
    cuts.extend((1..PLACES - 2).filter(lower));
    cuts.push(PLACES);
    // A part without a place between its ends has no mean, and counts for nothing.
    let part = |ends: &[usize]| {
        let (from, to) = (ends[0], ends[1] - 1);
        mean(&density[from..to]) + (places[from] - places[to]).abs() > MASS
    };
    cuts.windows(2).filter(|ends| part(ends)).count()
}
