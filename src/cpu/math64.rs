//! Elementary functions in `f64`: for every function of [`math`](super::math) one of the same name
//! and the same edge cases.
//!
//! What `std` has is `std`'s, and its last bit may differ between platforms. The rest is written
//! here and lies within 1 ulp, [`sigmoid`] and [`softplus`] within 2.5.

use std::f64::consts::PI;

macro_rules! from_std {
    ($($name:ident = $method:ident: $what:literal;)*) => {
        $(
            #[doc = concat!($what, " `f64::", stringify!($method), "`.")]
            #[inline(always)]
            pub fn $name(x: f64) -> f64 {
                x.$method()
            }
        )*
    };
}

from_std! {
    exp = exp: "e^x.";
    log = ln: "ln x; -∞ at ±0, NaN below.";
    log1p = ln_1p: "ln(1 + x).";
    sin = sin: "sin x.";
    cos = cos: "cos x.";
    tan = tan: "tan x.";
    asin = asin: "asin x on [-1, 1], NaN outside.";
    acos = acos: "acos x on [-1, 1], NaN outside.";
    atan = atan: "atan x.";
    sinh = sinh: "sinh x.";
    cosh = cosh: "cosh x.";
    tanh = tanh: "tanh x.";
    cbrt = cbrt: "∛x.";
    floor = floor: "The largest integer that is not above x.";
    round = round_ties_even: "The integer nearest to x, half to even.";
}

/// The angle of the point (x, y) in (-π, π]. `f64::atan2`.
#[inline(always)]
pub fn atan2(y: f64, x: f64) -> f64 {
    y.atan2(x)
}

/// x^y with the special values of IEEE 754, as [`math::pow`](super::math::pow). `f64::powf`.
#[inline(always)]
pub fn pow(x: f64, y: f64) -> f64 {
    x.powf(y)
}

/// |x| = n/2 + r modulo 2 with |r| <= 1/4, exact; NaN for ∞ and NaN.
#[inline(always)]
fn half_turns(a: f64) -> (u32, f64) {
    let y = a - 2.0 * (0.5 * a).round_ties_even();
    let n = (y + y).round_ties_even();
    (n as i32 as u32, y - 0.5 * n)
}

/// π r = a + b to twice the precision.
#[inline(always)]
fn times_pi(r: f64) -> (f64, f64) {
    // π = 0x1.921fb54p1 (27 bits) + the rest; r in halves of 26 bits: the first product is exact.
    const HEAD: f64 = f64::from_bits(PI.to_bits() & !0x3ff_ffff);
    const REST: f64 = (PI - HEAD) + 1.224_646_799_147_353_2e-16;
    let r_head = f64::from_bits(r.to_bits() & !0x7ff_ffff);
    let first = r_head * HEAD;
    let second = (r - r_head) * HEAD + r * REST;
    let a = first + second;
    (a, (first - a) + second)
}

/// sin(πx), with the reduction exact for every x: 0 with the sign of x at the integers, NaN at ±∞.
pub fn sinpi(x: f64) -> f64 {
    let (n, r) = half_turns(x.abs());
    let y = wave(n, r);
    let y = if y == 0.0 { 0.0 } else { y };
    if x.is_sign_negative() { -y } else { y }
}

/// cos(πx), with the reduction exact for every x: ±1 at the integers, 0 at half-integers, NaN at ±∞.
pub fn cospi(x: f64) -> f64 {
    let (n, r) = half_turns(x.abs());
    let y = wave(n.wrapping_add(1), r);
    if y == 0.0 { 0.0 } else { y }
}

/// sin(π(n/2 + r)).
#[inline(always)]
fn wave(n: u32, r: f64) -> f64 {
    let (a, b) = times_pi(r);
    let (s, c) = a.sin_cos();
    let y = if n & 1 == 0 { s + b * c } else { c - b * s };
    if n & 2 == 0 { y } else { -y }
}

/// The logistic function 1/(1 + e^-x), without overflow and with all its digits at both ends.
pub fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), without overflow and with all its digits at both ends.
pub fn softplus(x: f64) -> f64 {
    let y = (-x.abs()).exp().ln_1p();
    (if x < 0.0 { 0.0 } else { x }) + y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reductions_are_exact() {
        for (x, sine, cosine) in [
            (0.0, 0.0, 1.0),
            (0.5, 1.0, 0.0),
            (-1.0, 0.0, -1.0),
            (1.0e15 + 1.5, -1.0, 0.0),
            (9_007_199_254_740_993.0, 0.0, 1.0),
            (1e300, 0.0, 1.0),
        ] {
            assert_eq!((sinpi(x), cospi(x)), (sine, cosine), "{x}");
        }
        assert!(sinpi(f64::INFINITY).is_nan() && cospi(f64::NAN).is_nan());
        assert!(sinpi(-2.0).is_sign_negative() && sinpi(3.0).is_sign_positive());
    }

    #[test]
    fn sinpi_and_cospi_know_exact_values() {
        // sin(π/6) = 1/2, sin(π/5)² = (5 - √5)/8, sin² + cos² = 1; tiny arguments: πx.
        assert!((sinpi(1.0 / 6.0) - 0.5).abs() <= 1.2e-16);
        assert!((sinpi(0.2) - ((5.0 - 5f64.sqrt()) / 8.0).sqrt()).abs() <= 1.2e-16);
        assert!((sinpi(1e-20) / 1e-20 - PI).abs() <= 4.5e-16);
        for i in 0..10_000 {
            let x = f64::from(i) * 0.001_234_5 - 6.0;
            let (s, c) = (sinpi(x), cospi(x));
            assert!((s * s + c * c - 1.0).abs() < 5e-16, "{x}");
            assert!((s - (PI * x).sin()).abs() < 5e-15, "{x}");
        }
    }

    #[test]
    fn logistic_functions_reach_both_ends() {
        assert_eq!((sigmoid(0.0), sigmoid(800.0), sigmoid(-800.0)), (0.5, 1.0, 0.0));
        assert_eq!(sigmoid(-40.0), (-40f64).exp());
        assert_eq!((softplus(0.0), softplus(800.0)), (std::f64::consts::LN_2, 800.0));
        assert_eq!(softplus(-40.0), (-40f64).exp());
        assert!(sigmoid(f64::NAN).is_nan() && softplus(f64::NAN).is_nan());
    }

    #[test]
    fn names_agree_with_the_f32_functions() {
        use super::super::math;
        macro_rules! agree {
            ($($name:ident)*) => {$(
                for x in [-3.3_f32, -0.7, 0.25, 0.5, 2.5, 7.0] {
                    let (single, double) = (f64::from(math::$name(x)), $name(f64::from(x)));
                    let same = single.is_nan() && double.is_nan() || (single - double).abs() <= 5e-7 * double.abs();
                    assert!(same, concat!(stringify!($name), "({}): {} {}"), x, single, double);
                }
            )*};
        }
        agree!(exp log log1p sin cos sinpi cospi tan asin acos atan sinh cosh tanh sigmoid softplus cbrt floor round);
        assert_eq!(round(2.5), 2.0);
        assert_eq!(pow(-2.0, 3.0), f64::from(math::pow(-2.0, 3.0)));
        assert_eq!(atan2(1.0, -0.0), std::f64::consts::FRAC_PI_2);
    }
}
