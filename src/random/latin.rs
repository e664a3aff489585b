//! Latin hypercubes whose every point can be found alone.
//!
//! Over `N` restarts, coordinate `c` of restart `r` lies in stratum `π_c(r)` of `N` equal ones, at
//! a random place inside. `π_c` is a keyed bijection of a power of two, walked until it lands below
//! `N`; no table is kept (McKay, Beckman and Conover 1979; the walk is Black and Rogaway's, 2002).
//!
//! The strata are those of [`uniform`](super::uniform): each holds exactly one of the `N` numbers
//! when `N` ≤ 2^23, which is how many numbers there are. Beyond, the points are spread as evenly as
//! those numbers allow.

use super::philox::{Purpose, Stream};

/// Over 8 million seeds, where two of 64 indices go together is 14 standard deviations of χ² off with
/// four rounds; with six the bias is within the noise.
const ROUNDS: usize = 6;
/// Below 2^6 numbers there are too few multipliers and shifts to mix with: small permutations walk
/// further instead.
const LEAST_BITS: u32 = 6;

/// A random permutation of `0..count`.
#[derive(Clone, Debug)]
pub(super) struct Permutation {
    count: u64,
    mask: u32,
    rounds: [Round; ROUNDS],
}

#[derive(Clone, Copy, Debug)]
struct Round {
    flip: u32,
    multiply: u32,
    add: u32,
    shift: u32,
}

impl Permutation {
    /// The permutation of `0..count` that belongs to a seed and a coordinate; `count` is 1 to 2^32.
    pub(super) fn draw(count: u64, seed: u64, coordinate: usize) -> Self {
        let bits = (64 - count.saturating_sub(1).leading_zeros()).clamp(LEAST_BITS, 32);
        let stream = Stream::new(seed, coordinate as u64, 2, Purpose::Scramble);
        // A third to a half of the width: six rounds carry every bit down to the lowest.
        let (least, most) = (bits.div_ceil(3), bits.div_ceil(2));
        let rounds = std::array::from_fn(|round| {
            let [flip, multiply, add, shift] = stream.block(round as u32);
            Round { flip, multiply: multiply | 1, add, shift: least + shift % (most - least + 1) }
        });
        Self { count, mask: u32::MAX >> (32 - bits), rounds }
    }

    /// Where `index` below `count` goes.
    #[inline]
    pub(super) fn at(&self, index: u32) -> u32 {
        let mut x = index;
        loop {
            // Both lines are bijections of the numbers up to the mask.
            for Round { flip, multiply, add, shift } in self.rounds {
                x = (x ^ flip).wrapping_mul(multiply).wrapping_add(add) & self.mask;
                x ^= x >> shift;
            }
            if u64::from(x) < self.count {
                return x;
            }
        }
    }
}

/// The word at a random place of stratum `stratum` of `count`; `jitter` is a random word.
#[inline]
pub(super) fn stratify(stratum: u32, count: u64, jitter: u32) -> u32 {
    // The numbers (2q + 1) · 2^-24 with q from `edge(p)` to `edge(p + 1)`, that one excluded, are
    // those in [p / N, (p + 1) / N).
    let edge = |p: u64| ((p << 24) + count - 1) / (2 * count);
    let first = edge(u64::from(stratum));
    let inside = edge(u64::from(stratum) + 1) - first;
    let q = first + ((inside * u64::from(jitter)) >> 32);
    (q.min((1 << 23) - 1) << 9) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;

    /// How many strata of `count` do not hold exactly one number.
    fn faults(numbers: impl Iterator<Item = f32>, count: u64) -> usize {
        let mut hits = vec![0_u32; count as usize];
        for u in numbers {
            hits[(f64::from(u) * count as f64) as usize] += 1;
        }
        hits.iter().filter(|&&hit| hit != 1).count()
    }

    #[test]
    fn each_stratum_is_hit_exactly_once() {
        for count in [1_u64, 2, 3, 5, 7, 8, 100, 1000, 1024, 1025, 65_521, (1 << 17) + 1, 1 << 18] {
            for coordinate in [0, 9] {
                let permutation = Permutation::draw(count, 3, coordinate);
                let jitter = Stream::new(4, 0, 0, Purpose::Start);
                let word = |r: u64| stratify(permutation.at(r as u32), count, jitter.word(r as u32));
                assert_eq!(faults((0..count).map(|r| uniform(word(r))), count), 0, "{count} restarts");
                if count > 2 {
                    // The alarm: one stratum twice, and plain random numbers.
                    assert_eq!(faults((0..count).map(|r| uniform(word(r.max(1)))), count), 2);
                    assert!(count < 100 || faults((0..count).map(|r| uniform(jitter.word(r as u32))), count) > 0);
                }
            }
        }
    }

    #[test]
    fn strata_at_the_limits() {
        for count in [1_u64 << 23, (1 << 23) - 1, 1 << 32, (1 << 32) - 1, 1 << 24, (1 << 24) + 1] {
            for stratum in [0, 1, count / 2, count - 2, count - 1] {
                for jitter in [0, u32::MAX] {
                    let u = f64::from(uniform(stratify(stratum as u32, count, jitter)));
                    let inside = (stratum as f64 / count as f64, (stratum + 1) as f64 / count as f64);
                    let slack = if count <= 1 << 23 { 0.0 } else { 0.75 / f64::from(1 << 23) };
                    assert!(u >= inside.0 - slack && u < inside.1 + slack, "{stratum} of {count}: {u}");
                }
            }
            let permutation = Permutation::draw(count, 1, 0);
            assert!(u64::from(permutation.at((count - 1) as u32)) < count);
        }
    }

    #[test]
    fn permutations_are_even_over_pairs() {
        // χ² over where the first, a middle and the last index go together, over seeds.
        for count in [2_u64, 3, 4, 5, 8, 11] {
            let cells = count * (count - 1);
            let seeds = 400 * cells;
            for (a, b) in [(0, 1), (0, count - 1), (count / 2, count - 1)].into_iter().filter(|(a, b)| a != b) {
                let mut hits = vec![0.0; (count * count) as usize];
                for seed in 0..seeds {
                    let permutation = Permutation::draw(count, seed, 5);
                    hits[(u64::from(permutation.at(a as u32)) * count + u64::from(permutation.at(b as u32)))
                        as usize] += 1.0;
                }
                let expected = seeds as f64 / cells as f64;
                let chi2: f64 = (0..count * count)
                    .filter(|cell| cell / count != cell % count)
                    .map(|cell| (hits[cell as usize] - expected).powi(2) / expected)
                    .sum();
                let freedom = (cells - 1) as f64;
                let bound = freedom + 5.0 * (2.0 * freedom).sqrt() + 6.0;
                assert!(chi2 < bound, "{count}: ({a}, {b}) gives χ² = {chi2:.1}, bound {bound:.1}");
            }
        }
    }
}
