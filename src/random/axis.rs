//! One coordinate of a domain: where a number in (0, 1) lies on it.

use super::normal::uniform;
use super::philox::LANES;
use crate::cpu::math64;

/// One coordinate of the domain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) lo: f32,
    pub(super) width: f32,
    pub(super) hi: f32,
    /// Lower end and width for f64: of the coordinate, or of its logarithm.
    wide: (f64, f64),
    pub(super) log: bool,
}

impl Axis {
    pub(super) fn new(lo: f64, hi: f64, log: bool) -> Self {
        let wide = if log { (math64::log(lo), math64::log(hi) - math64::log(lo)) } else { (lo, hi - lo) };
        // Adding zero turns -0 into +0, whose order `min` and `max` leave open.
        Self { lo: lo as f32 + 0.0, width: (hi - lo) as f32, hi: hi as f32 + 0.0, wide, log }
    }

    /// The coordinate at `u` in (0, 1), in f64 and rounded once.
    #[inline]
    pub(super) fn at(&self, u: f64) -> f32 {
        let x = self.wide.0 + self.wide.1 * u;
        let x = if self.log { math64::exp(x) } else { x };
        (x as f32).max(self.lo).min(self.hi)
    }

    /// The coordinate `offset` from the middle, not held to the domain but to the finite
    /// numbers, positive ones on a logarithmic axis.
    pub(super) fn about_middle(&self, offset: f64) -> f32 {
        let x = self.wide.0 + 0.5 * self.wide.1 + offset;
        let x = if self.log { math64::exp(x) } else { x };
        let least = if self.log { f32::MIN_POSITIVE } else { f32::MIN };
        (x as f32).clamp(least, f32::MAX)
    }

    /// The coordinate of a word: `start_uniform` in `shaders/starts.wgsl`, or [`at`](Self::at) on a
    /// logarithmic axis.
    #[inline(always)]
    pub(super) fn of_word(&self, word: u32) -> f32 {
        if self.log {
            return self.at(f64::from(uniform(word)));
        }
        (self.lo + self.width * uniform(word)).max(self.lo).min(self.hi)
    }

    /// [`of_word`](Self::of_word) over lanes: a plain loop, which is compiled for the vector instructions of its caller.
    #[inline(always)]
    pub(super) fn of_words(&self, words: &[u32; LANES]) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        let linear = Axis { log: false, ..*self };
        match self.log {
            true => out.iter_mut().zip(words).for_each(|(x, &word)| *x = self.of_word(word)),
            false => out.iter_mut().zip(words).for_each(|(x, &word)| *x = linear.of_word(word)),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: [(f64, f64); 5] = [(-5.12, 5.12), (0.1, 0.3), (-1e6, 0.0), (-3e37, 1e38), (999.9, 1000.1)];

    #[test]
    fn words_fill_the_interval_in_order() {
        for (lo, hi) in ENDS {
            let axis = Axis::new(lo, hi, false);
            let xs: Vec<f32> = (0..=4096_u32).map(|i| axis.of_word((i << 20).wrapping_sub(i / 4096))).collect();
            assert!(xs.is_sorted() && xs[0] >= axis.lo && xs[4096] <= axis.hi, "[{lo}, {hi}]");
            let near = 2e-7 * lo.abs().max(hi.abs()) + (hi - lo) * 1e-7;
            assert!((f64::from(xs[0]) - lo).abs() < near && (f64::from(xs[4096]) - hi).abs() < near);
            assert!((f64::from(xs[2048]) - 0.5 * (lo + hi)).abs() < near);
        }
    }

    #[test]
    fn the_alarm_rings_for_a_fused_product() {
        // What a device that contracts would give: the same values would prove nothing.
        let axis = Axis::new(-5.12, 5.12, false);
        let words = (0..4096_u32).map(|i| i.wrapping_mul(0x9e37_79b9));
        let fused = |word| axis.width.mul_add(uniform(word), axis.lo).max(axis.lo).min(axis.hi);
        assert!(words.filter(|&word| fused(word) != axis.of_word(word)).count() > 100);
    }

    #[test]
    fn logarithmic_axes_keep_positive() {
        let axis = Axis::new(1e-6, 1e2, true);
        assert!((axis.at(0.5) - 1e-2).abs() < 1e-8);
        assert_eq!(axis.at(0.0), 1e-6);
        assert_eq!(axis.about_middle(-1e3), f32::MIN_POSITIVE);
        assert_eq!(axis.about_middle(f64::INFINITY), f32::MAX);
    }
}
