//! Hyperparameters drawn per restart.
//!
//! Parameter `index` of a restart reads words 0 and 1 of block `index` of its [`Purpose::Hyper`]
//! stream as a number with 53 bits in (0, 1), maps it in f64 and rounds to f32: every precision and
//! device then runs with the same value.
//!
//! ```
//! let lr = catchment::random::hyper_log_uniform(42, 7, 0, 1e-4, 1.0);
//! assert!((1e-4..=1.0).contains(&lr) && lr == f64::from(lr as f32));
//! ```

use super::philox::{LANES, Purpose, Stream, key_of, philox_lanes};
use crate::cpu::{Vectorised, Width, math64, vectorised};

fn unit(seed: u64, restart: u64, index: u32) -> f64 {
    let [low, high, ..] = Stream::new(seed, restart, 0, Purpose::Hyper).block(index);
    of_words(low, high)
}

/// Odd multiples of 2^-53: exact, and never 0 or 1.
#[inline(always)]
fn of_words(low: u32, high: u32) -> f64 {
    ((u64::from(high) << 32 | u64::from(low)) >> 11 | 1) as f64 / (1_u64 << 53) as f64
}

/// A value uniform in `lo..=hi`, both ends as f32 rounds them. `index` numbers the parameter,
/// modulo 2^24.
pub fn hyper_uniform(seed: u64, restart: u64, index: u32, lo: f64, hi: f64) -> f64 {
    Interval::new(false, lo, hi).at(unit(seed, restart, index))
}

/// A value whose logarithm is uniform between those of `lo` and `hi`, both positive and as f32
/// rounds them.
pub fn hyper_log_uniform(seed: u64, restart: u64, index: u32, lo: f64, hi: f64) -> f64 {
    Interval::new(true, lo, hi).at(unit(seed, restart, index))
}

/// The draws of one parameter for the restarts from `first` on.
pub(crate) fn hyper_column(seed: u64, first: u64, index: u32, (log, lo, hi): (bool, f64, f64), out: &mut [f64]) {
    vectorised(Width::detect(), Units { seed, first, index, out: &mut *out });
    let interval = Interval::new(log, lo, hi);
    out.iter_mut().for_each(|value| *value = interval.at(*value));
}

/// Numbers in (0, 1) of consecutive restarts.
struct Units<'a> {
    seed: u64,
    first: u64,
    index: u32,
    out: &'a mut [f64],
}

impl Vectorised for Units<'_> {
    #[inline(always)]
    fn run(self) {
        let Units { seed, first, index, out } = self;
        for (base, some) in (first..).step_by(LANES).zip(out.chunks_mut(LANES)) {
            if base as u32 > u32::MAX - LANES as u32 {
                // Their numbers do not share a high word.
                some.iter_mut().zip(base..).for_each(|(value, restart)| *value = unit(seed, restart, index));
                continue;
            }
            let mut low = [base as u32; LANES];
            low.iter_mut().zip(0..).for_each(|(word, lane)| *word += lane);
            let [low, high, ..] = philox_lanes(low, (base >> 32) as u32, 0, Purpose::Hyper.tag(index), key_of(seed));
            for (value, (&low, &high)) in some.iter_mut().zip(low.iter().zip(&high)) {
                *value = of_words(low, high);
            }
        }
    }
}

/// Where draws lie.
struct Interval {
    log: bool,
    lo: f64,
    hi: f64,
    begin: f64,
    width: f64,
}

impl Interval {
    fn new(log: bool, lo: f64, hi: f64) -> Interval {
        let (begin, end) = if log { (math64::log(lo), math64::log(hi)) } else { (lo, hi) };
        Interval { log, lo, hi, begin, width: end - begin }
    }

    fn at(&self, unit: f64) -> f64 {
        let value = self.begin + self.width * unit;
        let value = if self.log { math64::exp(value) } else { value };
        f64::from(value.max(self.lo.min(self.hi)).min(self.lo.max(self.hi)) as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_inside() {
        let count = 20_000;
        let (mut low, mut log_low) = (0.0, 0.0);
        for restart in 0..count {
            let u = hyper_uniform(1, restart, 2, -3.0, 5.0);
            let v = hyper_log_uniform(1, restart, 3, 1e-6, 1.0);
            assert!((-3.0..=5.0).contains(&u) && u == f64::from(u as f32));
            assert!((f64::from(1e-6_f32)..=1.0).contains(&v) && v == f64::from(v as f32));
            low += f64::from(u8::from(u < 1.0));
            log_low += f64::from(u8::from(v < 1e-3));
        }
        let half = count as f64 / 2.0;
        let bound = 4.5 * (half / 2.0).sqrt();
        assert!(f64::abs(low - half) < bound && f64::abs(log_low - half) < bound);
        assert_ne!(hyper_uniform(1, 0, 0, 0.0, 1.0), hyper_uniform(1, 0, 1, 0.0, 1.0));
    }

    #[test]
    fn a_point_interval_gives_the_point() {
        assert_eq!(hyper_uniform(1, 2, 3, 0.5, 0.5), 0.5);
        assert_eq!(hyper_log_uniform(1, 2, 3, 0.25, 0.25), 0.25);
    }

    #[test]
    fn columns_are_single_draws_one_below_the_other() {
        for first in [0, 5, (1 << 32) - 20, u64::MAX - 100] {
            for (log, lo, hi) in [(true, 1e-4, 0.3), (false, -2.0, 0.7)] {
                let mut column = vec![f64::NAN; 70];
                hyper_column(9, first, 3, (log, lo, hi), &mut column);
                for (restart, &value) in (first..).zip(&column) {
                    let single = if log { hyper_log_uniform } else { hyper_uniform };
                    assert_eq!(value, single(9, restart, 3, lo, hi), "{restart}");
                }
            }
        }
    }
}
