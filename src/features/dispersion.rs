//! `disp`: how far the best points lie from each other, against all points (Lunacek & Whitley 2006).

use super::moments::{quantile, sorted};
use super::{Features, Sample};
use rayon::prelude::*;

/// Shares of the sample that count as its best, in per cent.
const SHARES: [u32; 4] = [2, 5, 10, 25];

/// `ratio_mean_QQ`, `ratio_median_QQ`, `diff_mean_QQ`, `diff_median_QQ` for the best QQ = 02, 05, 10 and 25 per cent: mean and
/// median distance of their pairs, divided by and less those of all pairs.
///
/// The best are the points whose value is at most that quantile. Pairs that coincide count for nothing; NaN where no pair is left.
pub fn disp(sample: &Sample) -> Features {
    let values = sorted(sample.y());
    let everyone: Vec<usize> = (0..sample.points()).collect();
    let all = Pairs { sample, points: &everyone }.mean_and_median();
    let best = SHARES.map(|share| {
        let most = quantile(&values, f64::from(share) / 100.0);
        let points: Vec<usize> = everyone.iter().copied().filter(|&i| sample.y()[i] <= most).collect();
        Pairs { sample, points: &points }.mean_and_median()
    });
    let mut out = Features::new();
    for (how, of) in [("ratio", (|a, b| a / b) as fn(f64, f64) -> f64), ("diff", |a, b| a - b)] {
        for (what, part) in [("mean", 0), ("median", 1)] {
            let one =
                |(share, best): (&u32, &[f64; 2])| (format!("disp.{how}_{what}_{share:02}"), of(best[part], all[part]));
            out.extend(SHARES.iter().zip(&best).map(one));
        }
    }
    out
}

/// The pairs of some points, whose distances are computed whenever they are asked for: 20,000 points have 2·10⁸.
struct Pairs<'a> {
    sample: &'a Sample,
    points: &'a [usize],
}

/// Bits of a distance that one look at all pairs settles.
const DIGIT: u32 = 16;

impl Pairs<'_> {
    /// The distances of point `i` to those after it, as far as they are not 0.
    fn row(&self, i: usize) -> impl Iterator<Item = f64> + '_ {
        let from = self.points[i];
        self.points[i + 1..].iter().map(move |&to| self.sample.distance(from, to)).filter(|&d| d > 0.0)
    }

    fn mean_and_median(&self) -> [f64; 2] {
        // Sums row by row and then of the rows, so that threads take no part in the result.
        let rows: Vec<(u64, f64)> = (0..self.points.len())
            .into_par_iter()
            .map(|i| self.row(i).fold((0, 0.0), |(count, sum), d| (count + 1, sum + d)))
            .collect();
        let (count, sum) = rows.iter().fold((0, 0.0), |(count, sum), row| (count + row.0, sum + row.1));
        match count {
            0 => [f64::NAN; 2],
            _ => [sum / count as f64, self.median(count)],
        }
    }

    /// The middle distance by its digits from the first on: positive numbers are in the order of their bits.
    fn median(&self, count: u64) -> f64 {
        let (mut rank, mut prefix, mut known) = ((count - 1) / 2, 0u64, 0);
        while known < 64 {
            let shift = 64 - known - DIGIT;
            let counts = self.digits(prefix, known, shift);
            let mut digit = 0;
            while rank >= counts[digit] {
                rank -= counts[digit];
                digit += 1;
            }
            prefix |= (digit as u64) << shift;
            known += DIGIT;
        }
        let low = f64::from_bits(prefix);
        if count % 2 == 1 {
            return low;
        }
        // The one after it in order: the same number again, or the least above.
        let (within, above) = (0..self.points.len())
            .into_par_iter()
            .map(|i| {
                self.row(i).fold((0u64, f64::INFINITY), |(within, above), d| {
                    if d <= low { (within + 1, above) } else { (within, d.min(above)) }
                })
            })
            .reduce(|| (0, f64::INFINITY), |a, b| (a.0 + b.0, a.1.min(b.1)));
        let high = if within > count / 2 { low } else { above };
        0.5 * (low + high)
    }

    /// How many distances with these leading bits have which digit next.
    fn digits(&self, prefix: u64, known: u32, shift: u32) -> Vec<u64> {
        let matches = |bits: u64| known == 0 || (bits ^ prefix) >> (64 - known) == 0;
        let empty = || vec![0u64; 1 << DIGIT];
        (0..self.points.len())
            .into_par_iter()
            .fold(empty, |mut counts, i| {
                for bits in self.row(i).map(f64::to_bits).filter(|&bits| matches(bits)) {
                    counts[(bits >> shift) as usize & ((1 << DIGIT) - 1)] += 1;
                }
                counts
            })
            .reduce(empty, |mut a, b| {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                a
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_those_of_sorted_distances() {
        let noise = |i: usize| ((i as f64 + 1.0) * 12.9898).sin() * 43758.5453 % 1.0;
        for points in [4, 5, 6, 7, 40, 61] {
            for grid in [1e9, 8.0, 2.0] {
                let x: Vec<f64> = (0..2 * points).map(|i| (noise(i) * grid).round() / grid).collect();
                let sample = Sample::new(2, x, vec![0.0; points]).unwrap();
                let everyone: Vec<usize> = (0..points).collect();
                let pairs = (0..points).flat_map(|i| (0..i).map(move |j| (i, j)));
                let mut all: Vec<f64> = pairs.map(|(i, j)| sample.distance(i, j)).filter(|&d| d > 0.0).collect();
                all.sort_by(f64::total_cmp);
                let (low, high) = (all[(all.len() - 1) / 2], all[all.len() / 2]);
                let [mean, median] = Pairs { sample: &sample, points: &everyone }.mean_and_median();
                assert_eq!(median, 0.5 * (low + high), "{points} {grid}");
                assert!((mean - all.iter().sum::<f64>() / all.len() as f64).abs() < 1e-13 * mean);
            }
        }
    }
}
