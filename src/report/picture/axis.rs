//! Axes: a range of numbers, where each stands on it, and round numbers to mark it with.

/// How numbers stand along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equal lengths.
    #[default]
    Linear,
    /// Equal ratios are equal lengths; numbers are above 0.
    Log,
}

/// A range of numbers along a side of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// The lower end.
    pub lo: f64,
    /// The upper end, above the lower one.
    pub hi: f64,
    /// How numbers stand between them.
    pub scale: Scale,
}

/// The marks of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    /// Numbers within the axis and what is written beside them.
    pub marks: Vec<(f64, String)>,
    /// What all of them are to be multiplied by, such as `×10⁶`; empty where nothing.
    pub factor: String,
}

/// Numbers beyond this are clamped, so that a range has a finite length.
const FAR: f64 = 8e307;

impl Axis {
    /// The range of all finite numbers (those above 0 on a logarithmic scale) with a margin of this share at each end.
    pub fn around(values: impl IntoIterator<Item = f64>, scale: Scale, margin: f64) -> Axis {
        let on = |v: f64| match scale {
            Scale::Linear => v.clamp(-FAR, FAR),
            Scale::Log => v.log10(),
        };
        let finite = values.into_iter().filter(|&v| v.is_finite() && (scale == Scale::Linear || v > 0.0)).map(on);
        let (lo, hi) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let span = hi - lo;
        let (lo, hi) = match scale {
            _ if span.is_nan() || span < 0.0 => (0.0, 1.0),
            _ if span > 1e-12 * lo.abs().max(hi.abs()) => (lo - margin * span, hi + margin * span),
            Scale::Log => (lo - 0.5, hi + 0.5),
            Scale::Linear => {
                let room = (0.5 * lo.abs()).max(if lo == 0.0 { 1.0 } else { 1e-290 });
                (lo - room, hi + room)
            }
        };
        match scale {
            Scale::Linear => Axis { lo, hi, scale },
            Scale::Log => {
                Axis { lo: 10f64.powf(lo.clamp(-307.0, 307.0)), hi: 10f64.powf(hi.clamp(-306.0, 308.0)), scale }
            }
        }
    }

    /// Where a number stands: 0 at the lower end, 1 at the upper one.
    pub fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.lo) / (self.hi - self.lo),
            Scale::Log => (value.ln() - self.lo.ln()) / (self.hi.ln() - self.lo.ln()),
        }
    }

    /// At most `most` round numbers (two at least where they exist).
    pub fn ticks(&self, most: usize) -> Ticks {
        match self.scale {
            Scale::Linear => self.linear_ticks(most),
            Scale::Log => self.log_ticks(most),
        }
    }

    fn linear_ticks(&self, most: usize) -> Ticks {
        let span = self.hi - self.lo;
        let power = (span / most.max(2) as f64).log10().floor();
        let marks_at = |step: f64| (self.hi / step).floor() - (self.lo / step).ceil() + 1.0;
        let steps = (0..3).flat_map(|more| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powf(power + f64::from(more))));
        let step = steps.into_iter().find(|&step| marks_at(step) <= most as f64).unwrap_or(span);
        let first = (self.lo / step).ceil();
        let values: Vec<f64> =
            (0..marks_at(step).clamp(0.0, 64.0) as usize).map(|i| (first + i as f64) * step).collect();
        let largest = values.iter().fold(0f64, |most, v| most.max(v.abs()));
        let exponent = if largest > 0.0 { largest.log10().floor() as i32 } else { 0 };
        let exponent = if (-3..5).contains(&exponent) { 0 } else { exponent };
        let decimals = (f64::from(exponent) - step.log10() - 1e-9).ceil().clamp(0.0, 17.0) as usize;
        let text = |v: f64| signed(&format!("{:.decimals$}", v / 10f64.powi(exponent)));
        let factor = if exponent == 0 { String::new() } else { format!("×{}", power_of_ten(exponent)) };
        Ticks { marks: values.into_iter().map(|v| (v, text(v))).collect(), factor }
    }

    fn log_ticks(&self, most: usize) -> Ticks {
        let (lo, hi) = (self.lo.log10(), self.hi.log10());
        let decades = (lo.floor() as i32)..=(hi.ceil() as i32);
        let digits: &[f64] = if hi - lo < 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let values = decades.clone().flat_map(|d| digits.iter().map(move |digit| (d, digit * 10f64.powi(d))));
        let inside: Vec<(i32, f64)> = values.filter(|&(_, v)| (self.lo..=self.hi).contains(&v)).collect();
        let every = inside.len().div_ceil(most.max(2)).max(1);
        let plain = inside.iter().all(|(d, _)| (-3..=4).contains(d));
        let text = |d: i32, v: f64| match plain {
            true => format!("{v}"),
            false if (v / 10f64.powi(d) - 1.0).abs() < 0.5 => power_of_ten(d),
            false => format!("{:.0}·{}", v / 10f64.powi(d), power_of_ten(d)),
        };
        let marks = inside.into_iter().step_by(every).map(|(d, v)| (v, text(d, v))).collect();
        Ticks { marks, factor: String::new() }
    }
}

/// With a minus sign as long as a plus, and no minus before zero.
fn signed(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(zero) if zero.chars().all(|c| matches!(c, '0' | '.')) => zero.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text.to_owned(),
    }
}

fn power_of_ten(exponent: i32) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        digit => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit.to_digit(10).unwrap_or(0) as usize],
    };
    format!("10{}", exponent.to_string().chars().map(raised).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(lo: f64, hi: f64, scale: Scale) -> (String, String) {
        let ticks = Axis { lo, hi, scale }.ticks(6);
        let texts: Vec<String> = ticks.marks.into_iter().map(|(_, text)| text).collect();
        (texts.join(" "), ticks.factor)
    }

    #[test]
    fn marks_are_round() {
        let linear = |lo, hi| marks(lo, hi, Scale::Linear);
        assert_eq!(linear(-0.3, 10.2).0, "0 2 4 6 8 10");
        assert_eq!(linear(-1.04, 1.04).0, "−1.0 −0.5 0.0 0.5 1.0");
        assert_eq!(linear(0.0, 2.4e6), ("0.0 0.5 1.0 1.5 2.0".to_owned(), "×10⁶".to_owned()));
        assert_eq!(linear(-3.1e-7, 0.0), ("−3 −2 −1 0".to_owned(), "×10⁻⁷".to_owned()));
        assert_eq!(linear(1950.0, 2024.0).0, "1960 1980 2000 2020");
        assert_eq!(marks(0.09, 2e3, Scale::Log).0, "0.1 1 10 100 1000");
        assert_eq!(marks(1e-9, 1e6, Scale::Log).0, "10⁻⁹ 10⁻⁶ 10⁻³ 10⁰ 10³ 10⁶");
        assert_eq!(marks(1.0, 10.0, Scale::Log).0, "1 2 5 10");
    }

    #[test]
    fn any_numbers_make_an_axis() {
        for values in [&[][..], &[0.0], &[3.0, 3.0], &[f64::NAN, 1.0], &[-1e308, 1e308], &[1e-320, 0.0], &[1e300]] {
            for scale in [Scale::Linear, Scale::Log] {
                let axis = Axis::around(values.iter().copied(), scale, 0.05);
                assert!(axis.lo < axis.hi && axis.hi.is_finite() && axis.lo.is_finite(), "{values:?} {axis:?}");
                let ticks = axis.ticks(6);
                assert!(ticks.marks.len() <= 6, "{values:?}");
                assert!(ticks.marks.iter().all(|(v, _)| (-1e-9..=1.0 + 1e-9).contains(&axis.place(*v))), "{values:?}");
            }
        }
    }
}
