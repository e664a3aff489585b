//! Counts of many numbers between even edges.

use crate::Quantiles;
use crate::quantiles::Values;

/// Bins.
const BINS: usize = 60;
/// Where the largest of positive numbers is this many times the 5 % quantile, edges are even in the logarithm.
const WIDE: f64 = 300.0;

/// How many numbers lie between which edges.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Ascending, one more than there are counts.
    pub edges: Vec<f64>,
    /// Numbers from one edge to the next; the last edge belongs to the last count.
    pub counts: Vec<u64>,
    /// Whether the edges are even in the logarithm.
    pub log: bool,
}

impl Histogram {
    /// Of numbers with these quantiles.
    pub(crate) fn new(values: &Values<f64>, q: &Quantiles) -> Histogram {
        let log = q.min > 0.0 && q.max > WIDE * q.q05;
        let (lo, hi) = if log { (q.min.ln(), q.max.ln()) } else { (q.min, q.max) };
        // All numbers alike stand in the middle of a bin of some width.
        let room = match lo.abs() {
            _ if hi > lo => 0.0,
            0.0 => 0.5,
            size => 0.5 * size.min(1e308),
        };
        let (lo, hi) = ((lo - room).max(f64::MIN), (hi + room).min(f64::MAX));
        let edge = |i: usize| {
            // Halves, because the whole range may be beyond the largest number.
            let t = i as f64 / BINS as f64;
            let at = lo * (1.0 - t) + hi * t;
            if log { at.exp() } else { at }
        };
        let mut edges: Vec<f64> = (0..=BINS).map(edge).collect();
        let open: Vec<f64> =
            edges[..BINS].iter().enumerate().map(|(i, &e)| if i == 0 { f64::NEG_INFINITY } else { e }).collect();
        let mut counts = values.histogram(&open);
        counts.push(values.len() - counts.iter().sum::<u64>());
        edges[0] = edges[0].min(q.min);
        edges[BINS] = edges[BINS].max(q.max);
        Histogram { edges, counts, log }
    }

    /// Of these numbers; nothing of none.
    pub fn of(numbers: &[f64]) -> Option<Histogram> {
        let finite: Vec<f64> = numbers.iter().copied().filter(|v| v.is_finite()).collect();
        let q = super::quantiles(&finite)?;
        let mut values = Values::new();
        values.push(finite);
        Some(Histogram::new(&values, &q))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_counted_once() {
        let noise = |i: usize| ((i as f64 + 1.0) * 12.9898).sin() * 43758.5453 % 1.0;
        for scale in [1.0, 1e-300, 1e300] {
            let numbers: Vec<f64> = (0..5000).map(|i| scale * noise(i)).collect();
            let all = Histogram::of(&numbers).unwrap();
            assert_eq!((all.counts.len(), all.edges.len(), all.counts.iter().sum::<u64>()), (60, 61, 5000));
            for (k, &count) in all.counts.iter().enumerate() {
                let last = k == 59;
                let inside = numbers.iter().filter(|&&v| v >= all.edges[k] && (v < all.edges[k + 1] || last)).count();
                assert_eq!(inside as u64, count, "{scale} {k}");
            }
        }
        let wide: Vec<f64> = (0..1000).map(|i| 10f64.powf(6.0 * noise(i))).collect();
        let wide = Histogram::of(&wide).unwrap();
        assert!(wide.log && wide.edges.is_sorted() && wide.counts.iter().sum::<u64>() == 1000);
        let same = Histogram::of(&[7.0; 9]).unwrap();
        assert_eq!(same.counts.iter().sum::<u64>(), 9);
        assert!(same.edges[0] < 7.0 && same.edges[60] > 7.0);
        assert!(Histogram::of(&[f64::NAN]).is_none());
    }
}
