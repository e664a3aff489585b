//! Random words as uniform and normal numbers.
//!
//! `uniform(w) = ((w >> 8) | 1) · 2^-24`: the odd multiples of 2^-24, every one exact in f32,
//! symmetric about 1/2 and never 0 or 1. (The customary `(w >> 8) · 2^-24 + 2^-25` needs 25 bits in
//! the upper half and rounds to 1.0 for the largest w.) A normal pair is Box and Muller's, `(r cos
//! 2πv, r sin 2πv)` with `r = sqrt(-2 ln u)`; it never exceeds 5.77 in size.
//!
//! ```
//! use catchment::random::{normal_pair, uniform};
//! assert_eq!(uniform(0), 1.0 / 16_777_216.0);
//! assert_eq!(uniform(u32::MAX), 1.0 - uniform(0));
//! assert!(normal_pair(0, 0).0 > 5.76);
//! ```

use crate::cpu::{math, math64};

const TWO_TO_MINUS_24: f32 = 1.0 / 16_777_216.0;

/// One of 2^23 equally likely numbers in (0, 1), the same bits as `uniform_from` in
/// `shaders/philox.wgsl`.
#[inline(always)]
pub fn uniform(word: u32) -> f32 {
    // Below 2^24, so the signed conversion is exact; unlike the unsigned one, SSE2 has it.
    ((word >> 8) | 1) as i32 as f32 * TWO_TO_MINUS_24
}

/// Two independent standard normal numbers from two words.
///
/// Differs from [`normal_pair_f64`] and from `normal4` in WGSL by rounding only.
#[inline]
pub fn normal_pair(first: u32, second: u32) -> (f32, f32) {
    // `log` may return a tiny positive number just below 1.
    let radius = (-2.0 * math::log(uniform(first))).max(0.0).sqrt();
    let half_turns = 2.0 * uniform(second);
    (radius * math::cospi(half_turns), radius * math::sinpi(half_turns))
}

/// [`normal_pair`] in double precision, from the same uniform numbers.
#[inline]
pub fn normal_pair_f64(first: u32, second: u32) -> (f64, f64) {
    let radius = (-2.0 * math64::log(f64::from(uniform(first)))).max(0.0).sqrt();
    let half_turns = 2.0 * f64::from(uniform(second));
    (radius * math64::cospi(half_turns), radius * math64::sinpi(half_turns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Stream};

    const EDGES: [u32; 8] = [0, 1, 0xff, 0x100, 0x7fff_ffff, 0x8000_0000, 0xffff_fe00, u32::MAX];

    #[test]
    fn uniform_stays_inside_and_is_symmetric() {
        for word in EDGES {
            let u = uniform(word);
            assert!(u > 0.0 && u < 1.0, "{word:#x} gave {u}");
            assert_eq!(uniform(!word), 1.0 - u);
            assert_eq!(f64::from(u), ((word >> 9) as f64 + 0.5) / 8_388_608.0);
        }
    }

    #[test]
    fn normal_is_finite_at_the_edges() {
        for first in EDGES {
            for second in EDGES {
                let (a, b) = normal_pair(first, second);
                let (c, d) = normal_pair_f64(first, second);
                assert!(a.is_finite() && b.is_finite() && c.is_finite() && d.is_finite());
                assert!(c.hypot(d) < 5.77);
                let gap = (f64::from(a) - c).abs().max((f64::from(b) - d).abs());
                assert!(gap < 1e-5, "{first:#x} {second:#x}: {gap}");
            }
        }
    }

    #[test]
    fn moments_of_the_normal() {
        let stream = Stream::new(11, 0, 0, Purpose::Draw(0));
        let pairs = 1 << 17;
        let mut sums = [0.0_f64; 6];
        for block in 0..pairs / 2 {
            let w = stream.block(block);
            for (a, b) in [normal_pair_f64(w[0], w[1]), normal_pair_f64(w[2], w[3])] {
                for z in [a, b] {
                    for (power, sum) in sums[..4].iter_mut().enumerate() {
                        *sum += z.powi(power as i32 + 1);
                    }
                    sums[4] += f64::from(z.abs() < 0.674_489_750_196_081_7);
                }
                sums[5] += a * b;
            }
        }
        let count = f64::from(2 * pairs);
        // (expected, standard deviation of one sample)
        let laws =
            [(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0), (0.5, 0.25)].map(|(m, v): (f64, f64)| (m, v.sqrt()));
        for (power, (mean, deviation)) in laws.into_iter().enumerate() {
            let z = (sums[power] / count - mean) / (deviation / count.sqrt());
            assert!(z.abs() < 4.5, "law {power}: {z} standard errors off");
        }
        assert!((sums[5] / f64::from(pairs)).abs() < 4.5 / f64::from(pairs).sqrt());
    }
}
