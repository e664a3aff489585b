//! `ic`: the information content of values met on a tour through the points (Muñoz, Kirley & Halgamuge 2015).

use super::moments::sorted;
use super::{Features, Sample, named};
use crate::random::{Purpose, Stream};
use rand::RngExt;
use std::collections::HashMap;

/// The order in which points are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tour {
    /// From the first point to its nearest neighbour, then to the nearest one not met yet, and so on.
    Nearest,
    /// All points in an order drawn by this seed.
    Random(u64),
}

/// Sensitivities: 0, and as many powers of ten from 10⁻⁵ to 10¹⁵.
const SENSITIVITIES: usize = 1000;
/// An entropy below this is settled.
const SETTLED: f64 = 0.05;

/// `h_max`, `eps_s`, `eps_max`, `eps_ratio` and `m0`.
///
/// With ψ the sign of the slope from point to point, or 0 where its size is below ε, H(ε) is the entropy to base 6 of the pairs of
/// unequal symbols and M(ε) the number of changes among the symbols that are not 0, over n − 2. `h_max` is the largest H, `eps_max`
/// the median of the ε that have it, `eps_s` log₁₀ of the least ε with H < 0.05, `m0` is M(0), and `eps_ratio` log₁₀ of the
/// largest ε with M > m0/2. NaN where no ε qualifies.
///
/// Points that coincide are met once, with the mean of their different values.
pub fn ic(sample: &Sample, tour: Tour) -> Features {
    const NAMES: [&str; 5] = ["h_max", "eps_s", "eps_max", "eps_ratio", "m0"];
    let (points, y) = distinct(sample);
    if points.len() < 3 {
        return named("ic", NAMES.map(|name| (name, f64::NAN)));
    }
    let order = match tour {
        Tour::Nearest => nearest(sample, &points),
        Tour::Random(seed) => shuffled(points.len(), seed),
    };
    let slope = |pair: &[usize]| (y[pair[1]] - y[pair[0]]) / sample.distance(points[pair[0]], points[pair[1]]);
    let slopes: Vec<f64> = order.windows(2).map(slope).collect();
    let epsilon: Vec<f64> = std::iter::once(0.0)
        .chain((0..SENSITIVITIES).map(|i| 10f64.powf(-5.0 + i as f64 * (20.0 / (SENSITIVITIES - 1) as f64))))
        .collect();
    let content: Vec<[f64; 2]> = epsilon.iter().map(|&epsilon| information(&slopes, epsilon)).collect();
    let largest = content.iter().fold(f64::NEG_INFINITY, |most, c| most.max(c[0]));
    let with = |holds: &dyn Fn([f64; 2]) -> bool| -> Vec<f64> {
        epsilon.iter().zip(&content).filter(|(_, c)| holds(**c)).map(|(&e, _)| e).collect()
    };
    let m0 = content[0][1];
    let settled = with(&|c| c[0] < SETTLED).first().map_or(f64::NAN, |e| e.log10());
    let half = with(&|c| c[1] > 0.5 * m0).last().map_or(f64::NAN, |e| e.log10());
    let peak = sorted(&with(&|c| c[0] == largest));
    let middle = 0.5 * (peak[(peak.len() - 1) / 2] + peak[peak.len() / 2]);
    named("ic", NAMES.into_iter().zip([largest, settled, middle, half, m0]))
}

/// The first of the points at each place, and their values.
fn distinct(sample: &Sample) -> (Vec<usize>, Vec<f64>) {
    let mut seen: HashMap<Vec<u64>, usize> = HashMap::new();
    let (mut points, mut values): (Vec<usize>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
    for (i, &y) in sample.y().iter().enumerate() {
        // Adding zero turns -0 into 0.
        let place = *seen.entry(sample.x(i).iter().map(|v| (v + 0.0).to_bits()).collect()).or_insert_with(|| {
            points.push(i);
            values.push(Vec::new());
            points.len() - 1
        });
        if !values[place].contains(&y) {
            values[place].push(y);
        }
    }
    let mean = |v: &Vec<f64>| v.iter().sum::<f64>() / v.len() as f64;
    (points, values.iter().map(mean).collect())
}

/// The greedy tour; of equally near points the first is taken.
fn nearest(sample: &Sample, points: &[usize]) -> Vec<usize> {
    let mut left: Vec<usize> = (1..points.len()).collect();
    let mut order = vec![0];
    let mut here = 0;
    while !left.is_empty() {
        let mut best = (f64::INFINITY, 0);
        for (at, &point) in left.iter().enumerate() {
            let distance = sample.distance(points[here], points[point]);
            if distance < best.0 {
                best = (distance, at);
            }
        }
        here = left.remove(best.1);
        order.push(here);
    }
    order
}

/// Fisher and Yates' shuffle.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut stream = Stream::new(seed, 0, 0, Purpose::Scramble);
    let mut order: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        order.swap(i, stream.random_range(0..=i));
    }
    order
}

/// H and M at one sensitivity.
fn information(slopes: &[f64], epsilon: f64) -> [f64; 2] {
    // 0, 1 and 2 for a fall, no change and a rise.
    let symbol = |slope: f64| match slope {
        s if s.abs() < epsilon || s == 0.0 => 1,
        s if s > 0.0 => 2,
        _ => 0,
    };
    let (mut pairs, mut changes) = ([[0u32; 3]; 3], 0);
    let (mut before, mut last) = (None::<usize>, 1);
    for now in slopes.iter().map(|&s| symbol(s)) {
        if let Some(before) = before {
            pairs[before][now] += 1;
        }
        before = Some(now);
        if now != 1 {
            changes += u32::from(last != 1 && last != now);
            last = now;
        }
    }
    let count = slopes.len() as f64 - 1.0;
    let unequal = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
    let entropy = |(a, b): (usize, usize)| match f64::from(pairs[a][b]) / count {
        0.0 => 0.0,
        p => p * p.ln() / 6f64.ln(),
    };
    [-unequal.map(entropy).iter().sum::<f64>(), f64::from(changes) / count]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_has_no_information_and_a_zigzag_has() {
        let of = |y: &dyn Fn(usize) -> f64| {
            let x = (0..64).map(|i| i as f64).collect();
            ic(&Sample::new(1, x, (0..64).map(y).collect()).unwrap(), Tour::Nearest)
        };
        let slope = of(&|i| i as f64);
        assert_eq!((slope[0].1, slope[4].1), (0.0, 0.0));
        let zigzag = of(&|i| (i % 2) as f64);
        // Half the pairs are (up, down), half (down, up): log 2 / log 6, up to the odd pair out.
        assert!((zigzag[0].1 - 2f64.ln() / 6f64.ln()).abs() < 1e-3 && zigzag[4].1 == 1.0, "{zigzag:?}");
    }

    #[test]
    fn points_that_coincide_are_one() {
        let x = vec![0.0, 1.0, -0.0, 2.0, 3.0, 0.0];
        let sample = Sample::new(1, x, vec![1.0, 5.0, 3.0, 6.0, 7.0, 1.0]).unwrap();
        assert_eq!(distinct(&sample), (vec![0, 1, 3, 4], vec![2.0, 5.0, 6.0, 7.0]));
    }
}
