//! How values become shades: evenly where they are spread evenly, by a logarithm above the lowest where many of them are low.
//!
//! With the lowest value `l` and the highest `h` above it, `t = ln(1 + (f - l)/s) / ln(1 + h/s)`; `s` is such that 3 % of the values
//! lie below `t = 0.13`. Where as many do so with even shades, `t = (f - l)/h`.
//!
//! ```
//! let tone = catchment::map::Tone::of((0..=100).map(|i| f64::from(i).powi(4)));
//! assert!((tone.place(81.0) - 0.13).abs() < 1e-9 && tone.place(1e8) == 1.0 && tone.is_bent());
//! ```

/// This part of the values lies below this shade.
const LOW: f64 = 0.03;
const SHADE: f64 = 0.13;

/// A scale of shades.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// The lowest value.
    pub lo: f64,
    /// The highest.
    pub hi: f64,
    bend: Option<f64>,
}

impl Tone {
    /// The scale that suits these values; those that are not finite do not count.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Tone {
        Tone::bent(values, LOW, SHADE)
    }

    /// A gentler scale for heights, of which half lie below 0.4: walls stay walls.
    pub fn gentle(values: impl IntoIterator<Item = f64>) -> Tone {
        Tone::bent(values, 0.5, 0.4)
    }

    /// With this part of the values below this shade.
    fn bent(values: impl IntoIterator<Item = f64>, part: f64, shade: f64) -> Tone {
        let mut all: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        if all.is_empty() {
            return Tone { lo: 0.0, hi: 1.0, bend: None };
        }
        let nth = ((all.len() - 1) as f64 * part).round() as usize;
        let (below, &mut low, above) = all.select_nth_unstable_by(nth, f64::total_cmp);
        let lo = below.iter().copied().fold(low, f64::min);
        let hi = above.iter().copied().fold(low, f64::max);
        let h = hi - lo;
        if !(h > 0.0) || !h.is_finite() {
            return Tone { lo, hi: if hi > lo { hi } else { lo + lo.abs().max(1.0) * 1e-6 }, bend: None };
        }
        // A flat bottom is no scale.
        let q = ((low - lo) / h).max(1e-9);
        if q >= 0.7 * shade {
            return Tone { lo, hi, bend: None };
        }
        // ln(1 + q/s)/ln(1 + 1/s) falls from 1 to q as s grows: bisect on its logarithm.
        let (mut small, mut large) = (-60f64, 20f64);
        for _ in 0..80 {
            let s = (0.5 * (small + large)).exp();
            let place = (q / s).ln_1p() / (1.0 / s).ln_1p();
            if place > shade { small = s.ln() } else { large = s.ln() }
        }
        Tone { lo, hi, bend: Some((0.5 * (small + large)).exp() * h) }
    }

    /// Whether shades follow a logarithm.
    pub fn is_bent(&self) -> bool {
        self.bend.is_some()
    }

    /// The shade of a value, from 0 to 1; NaN for one that is not finite.
    pub fn place(&self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        let above = (value - self.lo).clamp(0.0, self.hi - self.lo);
        match self.bend {
            Some(s) => (above / s).ln_1p() / ((self.hi - self.lo) / s).ln_1p(),
            None => above / (self.hi - self.lo),
        }
    }

    /// The value of a shade.
    pub fn at(&self, place: f64) -> f64 {
        let span = self.hi - self.lo;
        self.lo
            + match self.bend {
                Some(s) => s * (place * (span / s).ln_1p()).exp_m1(),
                None => place * span,
            }
    }

    /// At most `count` round values between the lowest and the highest, evenly apart in shade, ascending.
    pub fn levels(&self, count: usize) -> Vec<f64> {
        let mut levels: Vec<f64> = Vec::with_capacity(count);
        for k in 1..=count {
            let [below, here, above] = [-0.35, 0.0, 0.35].map(|d| self.at((k as f64 + d) / (count + 1) as f64));
            let level = roundest(below, here, above);
            if level > self.lo && level < self.hi && levels.last().is_none_or(|&last| level > last) {
                levels.push(level);
            }
        }
        levels
    }
}

/// The number between two others with the fewest digits, the nearest to `here` of these.
fn roundest(below: f64, here: f64, above: f64) -> f64 {
    let power = (above - below).log10().ceil();
    for step in [1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01] {
        let decimals = (2.0 - power).clamp(0.0, 300.0) as i32;
        let step = step * 10f64.powf(power);
        // Through a decimal power, so that 0.3 is 0.3 and not 0.30000000000000004.
        let near = match decimals {
            0 => (here / step).round() * step,
            _ => ((here / step).round() * step * 10f64.powi(decimals)).round() / 10f64.powi(decimals),
        };
        if near > below && near < above {
            return near;
        }
    }
    here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_round_and_ascend() {
        let tone = Tone::of((0..=1000).map(|i| (f64::from(i) / 10.0).powi(3)));
        let levels = tone.levels(10);
        assert!(tone.is_bent() && levels.len() >= 8 && levels.windows(2).all(|w| w[0] < w[1]), "{levels:?}");
        assert!(levels.iter().all(|v| format!("{v}").trim_end_matches('0').len() <= 4), "{levels:?}");
        assert_eq!(Tone::of([0.0, 0.5, 1.0]).levels(9).len(), 9);
        for k in 0..=10 {
            let t = f64::from(k) / 10.0;
            assert!((tone.place(tone.at(t)) - t).abs() < 1e-9, "{t}");
        }
    }

    #[test]
    fn any_values_make_a_tone() {
        for values in
            [&[][..], &[f64::NAN], &[3.0], &[0.0, 0.0], &[-1e300, 1e300], &[0.0, 0.0, 0.0, 1.0], &[1e-300, 0.0]]
        {
            let tone = Tone::of(values.iter().copied());
            assert!(tone.hi > tone.lo, "{values:?}");
            assert!(tone.place(f64::NAN).is_nan());
            for &v in values.iter().filter(|v| v.is_finite()) {
                assert!((0.0..=1.0).contains(&tone.place(v)), "{values:?} {v} {}", tone.place(v));
            }
            let _ = tone.levels(12);
        }
    }
}
