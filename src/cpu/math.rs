//! Elementary functions in `f32`, within a few units in the last place, with the same bits at every
//! SIMD width.
//!
//! Only `+ - * /`, `mul_add`, `sqrt`, comparisons, integer and bit operations occur, never a call into
//! `libm`, and every function but the large-argument path of
//! [`sin`], [`cos`] and [`tan`] is free of branches. They are written over [`Real`], choices through
//! [`Real::or_else`] and bit work through [`Word`]: a loop
//! `for i in 0..B { d[i] = exp(a[i]) }` auto-vectorises at SSE2, AVX2 and AVX-512. With `f32` a
//! `mul_add` rounds twice, with [`FusedReal`](super::real::FusedReal) once: each has the same bits at every width, and
//! both are right. `shaders/math.wgsl` is
//! the twin of this file: the same algorithms and coefficients under the names `m_exp`, `m_log`, ….
//!
//! The polynomials are minimax fits of our own (Remez exchange in 45-digit arithmetic, coefficients
//! rounded to `f32` one by one and the rest refitted), and "to 2^-28" says how close the rounded
//! polynomial is. An error "in ulp" is in units of the last place of the exact value, measured
//! against `f64` over all 2^32 bit patterns (one half where a function is odd or even) unless another range is named; a release build on
//! x86-64. It holds at the edges too: NaN gives NaN, an overflow ±∞, and results may be subnormal.

use super::{Real, Single, Truth, Word};
use std::f32::consts::{FRAC_2_PI, FRAC_PI_2, LN_2, LOG2_E, PI};

const SIGN: u32 = 0x8000_0000;
/// Adding and subtracting it rounds |x| < 2^22 to an integer, half to even, and leaves that integer
/// in the low bits of the sum.
const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23
/// The same for 0 <= x < 2^23.
const MAGIC_POSITIVE: f32 = 8_388_608.0; // 2^23

/// ln 2 = LN2_HI + LN2_LO; LN2_HI has 15 bits, so that its product with an exponent is exact.
const LN2_HI: f32 = 0.69314575;
const LN2_LO: f32 = 1.4286068e-6;
/// What the nearest `f32` to π leaves, and that to π/2.
const PI_LO: f32 = -8.742278e-8;
const HALF_PI_LO: f32 = -4.371139e-8;
const SQRT_HALF_BITS: u32 = 0x3f35_04f3;

/// 2^n for -126 <= n <= 127.
#[inline(always)]
fn power_of_two<W: Word>(n: W) -> W::Real {
    (n.plus(n.of(127)) << 23).float()
}

/// |x|
#[inline(always)]
pub fn abs<R: Real>(x: R) -> R {
    (x.bits() & !SIGN).float()
}

/// -x
#[inline(always)]
pub fn neg<R: Real>(x: R) -> R {
    flip(x, x.bits().of(SIGN))
}

/// `x` with the sign bit of `sign` xored in.
#[inline(always)]
fn flip<R: Real>(x: R, sign: R::Bits) -> R {
    (x.bits() ^ (sign & SIGN)).float()
}

/// The leading 12 bits of the significand: the product of two such values is exact.
#[inline(always)]
fn head<R: Real>(x: R) -> R {
    (x.bits() & 0xffff_f000).float()
}

/// The integer nearest to `x`, half to even; NaN, ±∞ and -0 are kept. Exact.
///
/// Adds and subtracts 2^23, whose last place is 1.
#[inline(always)]
pub fn round<R: Real>(x: R) -> R {
    let a = abs(x);
    let r = (a + MAGIC_POSITIVE) - MAGIC_POSITIVE;
    let r = r.or_else(a.less(a.of(MAGIC_POSITIVE)), a);
    flip(r, x.bits())
}

/// The largest integer that is not above `x`; NaN, ±∞ and -0 are kept. Exact.
#[inline(always)]
pub fn floor<R: Real>(x: R) -> R {
    let r = round(x);
    let below = r - 1.0;
    below.or_else(x.less(r), r)
}

/// (e^r - 1 - r) / r² on |r| <= ln 2 / 2, to 2^-28.2 of e^r.
#[inline(always)]
fn exp_tail<R: Real>(r: R) -> R {
    let p = r.mul_add(r.of(0.0013840593), r.of(0.0083693545));
    let p = p.mul_add(r, p.of(0.041668084));
    let p = p.mul_add(r, p.of(0.16666515));
    p.mul_add(r, p.of(0.49999994))
}

/// e^x 2^shift with one rounding at the end, for -104 <= x <= 100 and small `shift`.
#[inline(always)]
fn exp_scaled<R: Real>(x: R, shift: i32) -> R {
    let t = x.mul_add(x.of(LOG2_E), x.of(MAGIC));
    let n = t - MAGIC;
    let r = n.taken_from(n.of(LN2_LO), n.taken_from(n.of(LN2_HI), x));
    let e = (r * r).mul_add(exp_tail(r), r) + 1.0;
    let bits = t.bits();
    let k = bits.minus(bits.of(MAGIC.to_bits())).plus(bits.of(shift as u32));
    // Two factors: 2^k itself may be subnormal or beyond the largest float.
    let half = k.shift_signed(1);
    e * power_of_two(half) * power_of_two(k.minus(half))
}

/// e^x; ∞ above 88.72, subnormal below -87.34, 0 below -103.97.
///
/// x = n ln 2 + r with ln 2 in two parts, then a polynomial of degree 6 in r.
///
/// Worst error 0.99 ulp.
#[inline(always)]
pub fn exp<R: Real>(x: R) -> R {
    // Comparisons so written keep a NaN.
    let x = min(x, x.of(89.0));
    let x = max(x, x.of(-104.0));
    exp_scaled(x, 0)
}

/// (ln(1 + f) - f + f²/2) / f³ on √½ - 1 <= f <= √2 - 1, to 2^-29.7 of ln(1 + f).
#[inline(always)]
fn log_tail<R: Real>(f: R) -> R {
    let p = f.mul_add(f.of(0.060366075), f.of(-0.11263874));
    let p = p.mul_add(f, p.of(0.119936936));
    let p = p.mul_add(f, p.of(-0.124846905));
    let p = p.mul_add(f, p.of(0.14215365));
    let p = p.mul_add(f, p.of(-0.16663192));
    let p = p.mul_add(f, p.of(0.20002137));
    let p = p.mul_add(f, p.of(-0.25000098));
    p.mul_add(f, p.of(0.33333313))
}

/// n ln 2 + ln(1 + f).
#[inline(always)]
fn log_sum<R: Real>(n: R, f: R) -> R {
    let z = f * f;
    let y = z.taken_from(z.of(0.5), (f * z).mul_add(log_tail(f), n * LN2_LO));
    n.mul_add(n.of(LN2_HI), f + y)
}

/// The exponent n and the significand m of x = 2^n m with √½ <= m < √2, for a normal positive x.
#[inline(always)]
fn exponent_and_significand<R: Real>(x: R) -> (R::Bits, R) {
    let least = x.bits().of(SQRT_HALF_BITS);
    let above = x.bits().minus(least);
    let m = (above & 0x007f_ffff).plus(least).float();
    (above.shift_signed(23), m)
}

/// ln x; -∞ at ±0, NaN below.
///
/// x = 2^n m with √½ <= m < √2, then a polynomial of degree 11 in m - 1.
///
/// Worst error 0.82 ulp.
#[inline(always)]
pub fn log<R: Real>(x: R) -> R {
    let subnormal = x.less(x.of(f32::MIN_POSITIVE));
    let up = x * 33_554_432.0; // 2^25
    let (n, m) = exponent_and_significand(up.or_else(subnormal, x));
    let n = n.number() - x.of(25.0).or_else(subnormal, x.of(0.0));
    let y = log_sum(n, m - 1.0);
    let y = y.or_else(x.less(x.of(f32::INFINITY)), x);
    let y = y.or_else(x.of(0.0).less(x), x.of(f32::NAN));
    x.of(f32::NEG_INFINITY).or_else(x.equal(x.of(0.0)), y)
}

/// ln(1 + x); -∞ at -1, NaN below.
///
/// 1 + x = 2^n m as in [`log`]; m - 1 = 2^-n x + (2^-n - 1) is rounded once, and not at all for
/// n = 0, where x itself is the argument of the polynomial.
///
/// Worst error 1.39 ulp.
#[inline(always)]
pub fn log1p<R: Real>(x: R) -> R {
    let u = x + 1.0;
    let (n, m) = exponent_and_significand(u);
    let scale = power_of_two(n.of(0).minus(n));
    let near = x.mul_add(scale, scale - 1.0);
    let n = n.number();
    let f = (m - 1.0).or_else(n.of(24.0).less(n), near);
    let y = log_sum(n, f);
    let y = y.or_else(x.less(x.of(f32::INFINITY)), x);
    let y = y.or_else(x.of(-1.0).less(x), x.of(f32::NAN));
    let y = x.of(f32::NEG_INFINITY).or_else(x.equal(x.of(-1.0)), y);
    x.or_else(x.equal(x.of(0.0)), y)
}

/// The largest magnitude for which [`sin_small`], [`cos_small`] and [`tan_small`] are valid, and up
/// to which [`sin`], [`cos`] and [`tan`] agree with them bit for bit.
pub const SMALL_ANGLE: f32 = 6400.0;

/// |x| = q π/2 + r + lo, with q modulo 4 in the low bits.
#[derive(Clone, Copy)]
struct Angle<R: Real> {
    q: R::Bits,
    r: R,
    lo: R,
}

/// Cody–Waite: π/2 in four parts of 8, 12, 12 and 24 bits. For q <= 2^12 the first three products
/// and the first two differences are exact; `lo` keeps the rounding of the third.
#[inline(always)]
fn reduce_small<R: Real>(a: R) -> Angle<R> {
    let t = a.mul_add(a.of(FRAC_2_PI), a.of(MAGIC));
    let n = t - MAGIC;
    let b = n.taken_from(n.of(QUARTER_2), n.taken_from(n.of(QUARTER_1), a));
    let c = n * QUARTER_3;
    let r = b - c;
    let lo = n.taken_from(n.of(QUARTER_4), (b - r) - c);
    Angle { q: t.bits(), r, lo }
}
const QUARTER_1: f32 = 1.5703125;
const QUARTER_2: f32 = 0.0004838705;
const QUARTER_3: f32 = -4.3713953e-8;
const QUARTER_4: f32 = 2.563344e-12;

/// The first 224 bits of 2/π after 32 zero bits.
const TWO_OVER_PI: [u32; 8] = [0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab];

/// Payne–Hanek: |x| = m 2^e; the 96 bits of 2/π whose products with m are neither multiples of 4
/// nor below 2^-70 give |x| 2/π modulo 4 in fixed point. For `SMALL_ANGLE` < a; NaN for ∞ and NaN.
#[cold]
#[inline(never)]
fn reduce_large(a: f32) -> Angle<f32> {
    let bits = a.to_bits() & !SIGN;
    if bits >= 0x7f80_0000 {
        return Angle { q: 0, r: f32::NAN, lo: 0.0 };
    }
    let m = u64::from(bits & 0x007f_ffff | 0x0080_0000);
    let start = (bits >> 23) - 120; // e + 30, e = exponent - 150
    let (word, shift) = ((start >> 5) as usize, start & 31);
    let part = |i: usize| {
        let pair = u64::from(TWO_OVER_PI[word + i]) << 32 | u64::from(TWO_OVER_PI[word + i + 1]);
        (pair << shift) >> 32
    };
    let turns = ((m * part(0)) << 32).wrapping_add(m * part(1)).wrapping_add((m * part(2)) >> 32);
    let q = turns.wrapping_add(1 << 61) >> 62;
    let fraction = turns.wrapping_sub(q << 62) as i64; // units of 2^-62 quarter turns
    let distance = fraction.unsigned_abs();
    let zeros = distance.leading_zeros();
    let leading = (distance << zeros) >> 32;
    let w = ((leading * 0xc90f_daa2) >> 32) as u32; // times π/2 * 2^31
    let unit = flip(power_of_two((-29_i32 as u32).wrapping_sub(zeros)), (fraction >> 32) as u32);
    Angle { q: q as u32, r: (w & 0xffff_ff00) as f32 * unit, lo: (w & 0xff) as f32 * unit }
}

/// sin(r + lo) on |r| <= π/4, the polynomial to 2^-27.9.
#[inline(always)]
fn sin_kernel<R: Real>(Angle { r, lo, .. }: Angle<R>) -> R {
    let z = r * r;
    let p = z.mul_add(z.of(-0.00019518095), z.of(0.008332188));
    let p = p.mul_add(z, p.of(-0.16666655));
    r + (r * z).mul_add(p, lo)
}

/// cos(r + lo) on |r| <= π/4, the polynomial to 2^-33.
#[inline(always)]
fn cos_kernel<R: Real>(Angle { r, lo, .. }: Angle<R>) -> R {
    let z = r * r;
    let p = z.mul_add(z.of(2.4432327e-5), z.of(-0.001388731));
    let p = p.mul_add(z, p.of(0.041666646));
    z.of(1.0) - z.mul_sub(z.of(0.5), (z * z).mul_sub(p, r * lo))
}

#[inline(always)]
fn sin_of<R: Real>(angle: Angle<R>, sign: R::Bits) -> R {
    let (s, c) = (sin_kernel(angle), cos_kernel(angle));
    flip(s.or_else((angle.q & 1).is_zero(), c), sign ^ (angle.q << 30))
}

#[inline(always)]
fn cos_of<R: Real>(angle: Angle<R>) -> R {
    let (s, c) = (sin_kernel(angle), cos_kernel(angle));
    flip(c.or_else((angle.q & 1).is_zero(), s), angle.q.plus(angle.q.of(1)) << 30)
}

#[inline(always)]
fn tan_of<R: Real>(angle: Angle<R>, sign: R::Bits) -> R {
    let (s, c) = (sin_kernel(angle), cos_kernel(angle));
    let even = (angle.q & 1).is_zero();
    let ratio = s.or_else(even, c) / c.or_else(even, s);
    flip(ratio, sign ^ (angle.q << 31))
}

/// sin x for |x| <= [`SMALL_ANGLE`], without a branch; elsewhere the value is meaningless.
#[inline(always)]
pub fn sin_small<R: Real>(x: R) -> R {
    sin_of(reduce_small(abs(x)), x.bits())
}

/// cos x for |x| <= [`SMALL_ANGLE`], without a branch; elsewhere the value is meaningless.
#[inline(always)]
pub fn cos_small<R: Real>(x: R) -> R {
    cos_of(reduce_small(abs(x)))
}

/// tan x for |x| <= [`SMALL_ANGLE`], without a branch; elsewhere the value is meaningless.
#[inline(always)]
pub fn tan_small<R: Real>(x: R) -> R {
    tan_of(reduce_small(abs(x)), x.bits())
}

/// sin x on all floats; NaN at ±∞.
///
/// Cody–Waite reduction by π/2 up to [`SMALL_ANGLE`], Payne–Hanek beyond, then polynomials of
/// degree 7 and 8.
///
/// Worst error 1.05 ulp: every float in 0.25 <= |x| <= 6500, every fifth elsewhere.
#[inline(always)]
pub fn sin<R: Real>(x: R) -> R {
    sin_small(x).or_rarely(is_small(x), x, sin_large)
}

/// cos x on all floats; NaN at ±∞. As [`sin`].
///
/// Worst error 1.05 ulp, tried as [`sin`].
#[inline(always)]
pub fn cos<R: Real>(x: R) -> R {
    cos_small(x).or_rarely(is_small(x), x, cos_large)
}

/// tan x on all floats; NaN at ±∞. The quotient of the two polynomials of [`sin`].
///
/// Worst error 3.02 ulp, tried as [`sin`].
#[inline(always)]
pub fn tan<R: Real>(x: R) -> R {
    tan_small(x).or_rarely(is_small(x), x, tan_large)
}

#[cold]
#[inline(never)]
fn sin_large(x: f32) -> f32 {
    sin_of(reduce_large(x), x.to_bits())
}

#[cold]
#[inline(never)]
fn cos_large(x: f32) -> f32 {
    cos_of(reduce_large(x))
}

#[cold]
#[inline(never)]
fn tan_large(x: f32) -> f32 {
    tan_of(reduce_large(x), x.to_bits())
}

/// False for NaN.
#[inline(always)]
fn is_small<R: Real>(x: R) -> R::Truth {
    abs(x).less_equal(x.of(SMALL_ANGLE))
}

#[inline(always)]
fn all_small<R: Single>(src: &[R]) -> bool {
    src.iter().fold(true, |all, &x| all & is_small(x.number()))
}

/// `dst[i] = sin(src[i])`, the lanes beyond [`SMALL_ANGLE`] one by one after the others.
#[inline(always)]
pub fn sin_block<R: Single>(src: &[R], dst: &mut [R]) {
    for (d, &x) in dst.iter_mut().zip(src) {
        *d = sin_small(x);
    }
    if !all_small(src) {
        mend(src, dst, sin_large);
    }
}

/// `dst[i] = cos(src[i])`, as [`sin_block`].
#[inline(always)]
pub fn cos_block<R: Single>(src: &[R], dst: &mut [R]) {
    for (d, &x) in dst.iter_mut().zip(src) {
        *d = cos_small(x);
    }
    if !all_small(src) {
        mend(src, dst, cos_large);
    }
}

/// `dst[i] = tan(src[i])`, as [`sin_block`].
#[inline(always)]
pub fn tan_block<R: Single>(src: &[R], dst: &mut [R]) {
    for (d, &x) in dst.iter_mut().zip(src) {
        *d = tan_small(x);
    }
    if !all_small(src) {
        mend(src, dst, tan_large);
    }
}

/// Writes `large` to the lanes that the fast loop could not do.
#[cold]
#[inline(never)]
fn mend<R: Single>(src: &[R], dst: &mut [R], large: fn(f32) -> f32) {
    for (d, &x) in dst.iter_mut().zip(src) {
        if !is_small(x.number()) {
            *d = R::from_number(large(x.number()));
        }
    }
}

/// |x| = n/2 + r modulo 2 with |r| <= 1/4, exact; `q` holds n. NaN for ∞ and NaN.
#[inline(always)]
fn half_turns<R: Real>(a: R) -> (R::Bits, R) {
    // Even integers first: |x| < 2^24 lies within 1 of 2k; beyond, x is an even integer itself.
    let k = a.mul_add(a.of(0.5), a.of(MAGIC_POSITIVE)) - MAGIC_POSITIVE;
    let near = k.taken_from(k.of(2.0), a);
    let y = near.or_else(a.less(a.of(16_777_216.0)), a * 0.0);
    let t = y.mul_add(y.of(2.0), y.of(MAGIC));
    (t.bits(), (t - MAGIC).taken_from(t.of(0.5), y))
}

/// sin(π r) on |r| <= 1/4, the polynomial to 2^-27.9; the product with π carries extra bits.
#[inline(always)]
fn sinpi_kernel<R: Real>(r: R) -> R {
    let z = r * r;
    let p = z.mul_add(z.of(-0.5892777), z.of(2.5497947));
    let p = p.mul_add(z, p.of(-5.167709));
    let r_head = head(r);
    // π = 3.1416016 (12 bits) - 8.90891e-6.
    let rest = (r - r_head).mul_sub(r.of(3.1416016), r * 8.90891e-6);
    r_head.mul_add(r.of(3.1416016), (r * z).mul_add(p, rest))
}

/// cos(π r) on |r| <= 1/4, the polynomial to 2^-31.
#[inline(always)]
fn cospi_kernel<R: Real>(r: R) -> R {
    let z = r * r;
    let p = z.mul_add(z.of(0.2289885), z.of(-1.3347582));
    let p = p.mul_add(z, p.of(4.0586967));
    let p = p.mul_add(z, p.of(-4.934802));
    z.mul_add(p, z.of(1.0))
}

/// sin(πx), with the reduction exact for every x: 0 at the integers, NaN at ±∞.
///
/// Polynomials of degree 7 and 8 on a quarter of a half turn.
///
/// Worst error 1.13 ulp.
#[inline(always)]
pub fn sinpi<R: Real>(x: R) -> R {
    let (q, r) = half_turns(abs(x));
    let (s, c) = (sinpi_kernel(r), cospi_kernel(r));
    let y = flip(s.or_else((q & 1).is_zero(), c), q << 30);
    // The sum takes the sign from a zero; it is that of x.
    flip(y + 0.0, x.bits())
}

/// cos(πx), with the reduction exact for every x: ±1 at the integers, 0 at half-integers, NaN at
/// ±∞. As [`sinpi`].
///
/// Worst error 1.13 ulp.
#[inline(always)]
pub fn cospi<R: Real>(x: R) -> R {
    let (q, r) = half_turns(abs(x));
    let (s, c) = (sinpi_kernel(r), cospi_kernel(r));
    let y = flip(c.or_else((q & 1).is_zero(), s), q.plus(q.of(1)) << 30);
    // A zero without a sign.
    y + 0.0
}

/// x³ times (asin x - x)/x³ on |x| <= 1/2, to 2^-27.6.
#[inline(always)]
fn asin_excess<R: Real>(x: R) -> R {
    let z = x * x;
    let p = z.mul_add(z.of(0.0421583), z.of(0.02418478));
    let p = p.mul_add(z, p.of(0.04546915));
    let p = p.mul_add(z, p.of(0.074953094));
    let p = p.mul_add(z, p.of(0.16666752));
    x * z * p
}

/// asin x on [-1, 1], NaN outside.
///
/// A polynomial of degree 11 up to 1/2; π/2 - 2 asin √((1 - |x|)/2) beyond.
///
/// Worst error 1.73 ulp.
#[inline(always)]
pub fn asin<R: Real>(x: R) -> R {
    let a = abs(x);
    let near = a.less_equal(a.of(0.5));
    let root = a.taken_from(a.of(0.5), a.of(0.5)).sqrt();
    let s = a.or_else(near, root);
    let e = asin_excess(s);
    let far = x.of(FRAC_PI_2) - s.mul_add(s.of(2.0), e.mul_sub(e.of(2.0), e.of(HALF_PI_LO)));
    flip((s + e).or_else(near, far), x.bits())
}

/// acos x on [-1, 1], NaN outside. As [`asin`].
///
/// Worst error 1.19 ulp (every fifth float).
#[inline(always)]
pub fn acos<R: Real>(x: R) -> R {
    let a = abs(x);
    let root = a.taken_from(a.of(0.5), a.of(0.5)).sqrt();
    let near = a.less_equal(a.of(0.5));
    let s = x.or_else(near, root);
    let e = asin_excess(s);
    let middle = x.of(FRAC_PI_2) - (s + (e - HALF_PI_LO));
    let right = (s + e) * 2.0;
    let left = x.of(PI) - s.mul_add(s.of(2.0), e.mul_sub(e.of(2.0), e.of(PI_LO)));
    let outer = left.or_else(x.less(x.of(0.0)), right);
    middle.or_else(near, outer)
}

/// atan q on 0 <= q <= 1, the polynomial to 2^-28.5.
#[inline(always)]
fn atan_kernel<R: Real>(q: R) -> R {
    let z = q * q;
    let p = z.mul_add(z.of(-0.0017825083), z.of(0.010867682));
    let p = p.mul_add(z, p.of(-0.031095743));
    let p = p.mul_add(z, p.of(0.05788065));
    let p = p.mul_add(z, p.of(-0.083992854));
    let p = p.mul_add(z, p.of(0.10950878));
    let p = p.mul_add(z, p.of(-0.14264016));
    let p = p.mul_add(z, p.of(0.1999853));
    let p = p.mul_add(z, p.of(-0.333333));
    (q * z).mul_add(p, q)
}

/// atan x; ±π/2 at ±∞.
///
/// A polynomial of degree 19 up to 1; π/2 - atan(1/|x|) beyond.
///
/// Worst error 1.47 ulp (every fifth float).
#[inline(always)]
pub fn atan<R: Real>(x: R) -> R {
    let a = abs(x);
    let far = a.of(1.0).less(a);
    let inverse = a.of(1.0) / a;
    let p = atan_kernel(inverse.or_else(far, a));
    let turned = x.of(FRAC_PI_2) - (p - HALF_PI_LO);
    flip(turned.or_else(far, p), x.bits())
}

/// The angle of the point (x, y) in (-π, π], with the signed zeros and infinities of IEEE 754.
///
/// As [`atan`], of the smaller of |x| and |y| over the larger.
///
/// Worst error 1.56 ulp over 170 million pairs of all magnitudes.
#[inline(always)]
pub fn atan2<R: Real>(y: R, x: R) -> R {
    let (ay, ax) = (abs(y), abs(x));
    let steep = ax.less(ay);
    let small = ax.or_else(steep, ay);
    let large = ay.or_else(steep, ax);
    let q = small / large;
    let (zero, infinity) = (x.of(0.0), x.of(f32::INFINITY));
    let both_infinite = small.equal(infinity).and(large.equal(infinity));
    let q = x.of(1.0).or_else(both_infinite, q);
    let q = zero.or_else((small + large).equal(zero), q);
    let p = atan_kernel(q);
    // 0 + p, π/2 - p, π/2 + p or π - p.
    let left = x.bits() & SIGN;
    let minus = left.of(SIGN).or_else(steep, left.of(0)) ^ left;
    let right = left.is_zero();
    let flat_hi = zero.or_else(right, x.of(PI));
    let flat_lo = zero.or_else(right, x.of(PI_LO));
    let hi = x.of(FRAC_PI_2).or_else(steep, flat_hi);
    let lo = x.of(HALF_PI_LO).or_else(steep, flat_lo);
    flip(hi + (flip(p, minus) + lo), y.bits())
}

/// sinh x; ±∞ beyond ±89.42.
///
/// A polynomial of degree 9 up to 1, then e^x/2 - e^-x/2.
///
/// Worst error 1.62 ulp (every fifth float).
#[inline(always)]
pub fn sinh<R: Real>(x: R) -> R {
    let a = abs(x);
    let z = a * a;
    let p = z.mul_add(z.of(2.7822132e-6), z.of(0.00019842896));
    let p = p.mul_add(z, p.of(0.0083333105));
    let p = p.mul_add(z, p.of(0.16666667));
    let near = (a * z).mul_add(p, a);
    let half = exp_scaled(min(a, a.of(90.0)), -1);
    let far = half - half.of(0.25) / half;
    flip(near.or_else(a.less(a.of(1.0)), far), x.bits())
}

/// cosh x; ∞ beyond ±89.42. e^x/2 + e^-x/2.
///
/// Worst error 1.43 ulp (every fifth float).
#[inline(always)]
pub fn cosh<R: Real>(x: R) -> R {
    let a = abs(x);
    let half = exp_scaled(min(a, a.of(90.0)), -1);
    half + half.of(0.25) / half
}

/// tanh x; ±1 beyond ±9.01.
///
/// A polynomial of degree 11 up to 5/8, then 1 - 2/(e^2x + 1).
///
/// Worst error 1.34 ulp (every fifth float).
#[inline(always)]
pub fn tanh<R: Real>(x: R) -> R {
    let a = abs(x);
    let z = a * a;
    let p = z.mul_add(z.of(-0.0056922967), z.of(0.020628167));
    let p = p.mul_add(z, p.of(-0.053736515));
    let p = p.mul_add(z, p.of(0.13331406));
    let p = p.mul_add(z, p.of(-0.3333328));
    let near = (a * z).mul_add(p, a);
    let e = exp_scaled(min(a, a.of(10.0)) * 2.0, 0);
    let far = e.of(1.0) - e.of(2.0) / (e + 1.0);
    flip(near.or_else(a.less(a.of(0.625)), far), x.bits())
}

/// The logistic function 1/(1 + e^-x), without overflow and with all its digits at both ends.
///
/// Worst error 2.37 ulp (every fifth float).
#[inline(always)]
pub fn sigmoid<R: Real>(x: R) -> R {
    let e = exp(neg(abs(x)));
    e.or_else(x.less(x.of(0.0)), x.of(1.0)) / (e + 1.0)
}

/// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), without overflow and with all its digits at both ends.
///
/// Worst error 1.67 ulp (every fifth float).
#[inline(always)]
pub fn softplus<R: Real>(x: R) -> R {
    let y = log1p(exp(neg(abs(x))));
    max(x, x.of(0.0)) + y
}

/// ∛x.
///
/// A third of the bit pattern, then two steps of Halley's iteration, the second from 12 bits so that
/// its square is exact.
///
/// Worst error 0.78 ulp (every fifth float).
#[inline(always)]
pub fn cbrt<R: Real>(x: R) -> R {
    let a = abs(x);
    let tiny = a.less(a.of(1e-30));
    let up = a * 16_777_216.0; // 2^24
    let scaled = up.or_else(tiny, a);
    let third = scaled.bits().third();
    let t = third.plus(third.of(0x2a51_19f2)).float();
    // A quarter of t³ and of x, against overflow.
    let (cube, quarter) = (t * t * (t * 0.25), scaled * 0.25);
    let t = t * ((cube + (quarter + quarter)) / ((cube + cube) + quarter));
    let bits = t.bits();
    let t = head(bits.plus(bits.of(0x800)).float());
    let ratio = scaled / (t * t);
    let t = t + t * ((ratio - t) / ((t + t) + ratio));
    let y = t * a.of(0.00390625).or_else(tiny, a.of(1.0));
    let y = y.or_else(a.of(0.0).less(a).and(a.less(a.of(f32::INFINITY))), a);
    flip(y, x.bits())
}

/// log2 of a positive normal `x`, plus `offset`, as a sum of a value of 12 bits and a rest, to about
/// 2^-33 of itself.
///
/// log2 m = s (K + K s²/3 + …) with s = (m - 1)/(m + 1) and K = 2/ln 2; quotient, square and both
/// leading coefficients in two parts. The masks (`head`) make the leading products exact, and they
/// keep a shader compiler from cancelling what is algebraically zero.
#[inline(always)]
fn log2_two<R: Real>(x: R, offset: R) -> (R, R) {
    let (n, m) = exponent_and_significand(x);
    let n = n.number() + offset;
    let f = m - 1.0;
    let m_head = head(m);
    let d = m + 1.0;
    let (d_hi, d_lo) = (m_head + 1.0, m - m_head);
    let s_hi = ((f / d).bits() & 0xffff_e000).float();
    let s_lo = (barrier(f - s_hi * d_hi) - s_hi * d_lo) / d;

    let square = s_hi * s_hi;
    let z_hi = head(square);
    let z_lo = (square - z_hi) + s_lo * ((s_hi + s_hi) + s_lo);
    let z = z_hi + z_lo;
    let p = z.mul_add(z.of(0.28171197), z.of(0.3200118));
    let p = p.mul_add(z, p.of(0.41220593));
    let p = p.mul_add(z, p.of(0.577078));
    // K = 2.8857422 - 3.521057e-4, K/3 = 0.96191406 - 1.17368574e-4.
    let main = z_hi * 0.96191406;
    let rest = (z * z * p + (z_lo * 0.961_796_7 - z_hi * 0.000117368574)) - 0.0003521057;
    let t_hi = head(main + 2.8857422);
    let t_lo = (barrier(x.of(2.8857422) - t_hi) + main) + rest;

    let product = s_hi * t_hi;
    let small = s_hi * t_lo + s_lo * (t_hi + t_lo);
    let hi = head(n + product);
    let lo = (barrier(n - hi) + product) + small;
    (hi, lo)
}

/// `x`, which has at most 16 significant bits, unchanged: an optimiser that reorders sums cannot see
/// that. (Rust's never does; the shader's may.)
#[inline(always)]
fn barrier<R: Real>(x: R) -> R {
    (x.bits() & 0xffff_ff00).float()
}

/// 2^(hi + lo) with one rounding at the end, `hi` of 24 bits and at most 150 in magnitude.
#[inline(always)]
fn exp2_two<R: Real>(hi: R, lo: R) -> R {
    let t = (hi + lo) + MAGIC;
    let f = (hi - (t - MAGIC)) + lo;
    let p = f.mul_add(f.of(1.3835152e-5), f.of(0.00015451774));
    let p = p.mul_add(f, p.of(0.0013339743));
    let p = p.mul_add(f, p.of(0.009618088));
    let p = p.mul_add(f, p.of(0.055504035));
    let p = p.mul_add(f, p.of(0.2402265));
    let p = p.mul_add(f, p.of(LN_2));
    let e = f.mul_add(p, f.of(1.0));
    let k = t.bits().minus(t.bits().of(MAGIC.to_bits()));
    let half = k.shift_signed(1);
    e * power_of_two(half) * power_of_two(k.minus(half))
}

/// Whether `a` >= 0 is an integer.
#[inline(always)]
fn is_integer<R: Real>(a: R) -> R::Truth {
    let r = (a + MAGIC_POSITIVE) - MAGIC_POSITIVE;
    r.equal(a).or(a.of(MAGIC_POSITIVE).less_equal(a))
}

/// x^y, with the special values of IEEE 754: pow(x, 0) = pow(1, y) = 1, pow(0, y < 0) = ∞ (signed
/// for odd y at -0), pow(x < 0, y) = ±|x|^y for integers y and NaN otherwise.
///
/// 2^(y log2 |x|), with log2 |x| and its product with y in two parts.
///
/// Worst error 1.21 ulp over 170 million pairs of all magnitudes, with results over the whole range.
#[inline(always)]
pub fn pow<R: Real>(x: R, y: R) -> R {
    let a = abs(x);
    let ay = abs(y);
    let (zero, one, infinity) = (x.of(0.0), x.of(1.0), x.of(f32::INFINITY));
    let subnormal = a.less(a.of(f32::MIN_POSITIVE));
    let up = a * 33_554_432.0; // 2^25
    let (hi, lo) = log2_two(up.or_else(subnormal, a), x.of(-25.0).or_else(subnormal, zero));

    // Beyond 2^33, y log2 x leaves the range unless x = 1, where the logarithm is 0.
    let bound = y.of(8_589_934_592.0);
    let exponent = flip(min(bound, ay), y.bits());
    let y_hi = head(exponent);
    let main = y_hi * hi;
    let rest = (exponent - y_hi) * hi + exponent * lo;
    let sum = main + rest;
    let (most, least) = (x.of(130.0), x.of(-152.0));
    let clamped = most.or_else(most.less(sum), main);
    let clamped = least.or_else(sum.less(least), clamped);
    let rest = rest.or_else(clamped.equal(main), zero);
    let r = exp2_two(clamped, rest);

    let whole = is_integer(ay);
    let odd = whole.and(is_integer(ay * 0.5).not());
    let down = y.less(zero);
    let at_zero = infinity.or_else(down, zero);
    let at_infinity = zero.or_else(down, infinity);
    let r = at_zero.or_else(a.equal(zero), r);
    let r = at_infinity.or_else(a.equal(infinity), r);
    let r = flip(r, x.bits().or_else(odd, x.bits().of(0)));
    let undefined = x.less(zero).and(whole.not()).and(a.less(infinity));
    let numbers = x.equal(x).and(y.equal(y));
    let r = x.of(f32::NAN).or_else(undefined.or(numbers.not()), r);
    one.or_else(y.equal(zero).or(x.equal(one)), r)
}

/// -1, 0 or 1; 0 for NaN.
#[inline(always)]
pub fn sign<R: Real>(x: R) -> R {
    let zero = x.of(0.0);
    let below = x.of(-1.0).or_else(x.less(zero), zero);
    x.of(1.0).or_else(zero.less(x), below)
}

/// √x, correctly rounded.
#[inline(always)]
pub fn sqrt<R: Real>(x: R) -> R {
    x.sqrt()
}

/// 1 for 0 and else 0.
#[inline(always)]
pub fn not<R: Real>(x: R) -> R {
    truth(x, x.equal(x.of(0.0)))
}

/// x
#[inline(always)]
pub fn detach<R: Real>(x: R) -> R {
    x
}

/// |x|, and the largest finite number for ±∞ and NaN.
#[inline(always)]
pub fn magnitude<R: Real>(x: R) -> R {
    (x.bits() & !SIGN).at_most(f32::MAX.to_bits()).float()
}

/// a + b
#[inline(always)]
pub fn add<R: Real>(a: R, b: R) -> R {
    a + b
}

/// a - b
#[inline(always)]
pub fn sub<R: Real>(a: R, b: R) -> R {
    a - b
}

/// a b
#[inline(always)]
pub fn mul<R: Real>(a: R, b: R) -> R {
    a * b
}

/// a/b
#[inline(always)]
pub fn div<R: Real>(a: R, b: R) -> R {
    a / b
}

/// `b` where it is smaller, else `a`: a NaN in `a` is kept, one in `b` is not.
#[inline(always)]
pub fn min<R: Real>(a: R, b: R) -> R {
    b.or_else(b.less(a), a)
}

/// `b` where it is larger, else `a`: a NaN in `a` is kept, one in `b` is not.
#[inline(always)]
pub fn max<R: Real>(a: R, b: R) -> R {
    b.or_else(a.less(b), a)
}

/// A truth value as 1 or 0; `x` only says where.
#[inline(always)]
fn truth<R: Real>(x: R, truth: R::Truth) -> R {
    x.of(1.0).or_else(truth, x.of(0.0))
}

/// a < b as 1 or 0.
#[inline(always)]
pub fn less<R: Real>(a: R, b: R) -> R {
    truth(a, a.less(b))
}

/// a <= b as 1 or 0.
#[inline(always)]
pub fn less_equal<R: Real>(a: R, b: R) -> R {
    truth(a, a.less_equal(b))
}

/// a == b as 1 or 0.
#[inline(always)]
pub fn equal<R: Real>(a: R, b: R) -> R {
    truth(a, a.equal(b))
}

/// a != b as 1 or 0; 1 where one is NaN.
#[inline(always)]
pub fn not_equal<R: Real>(a: R, b: R) -> R {
    truth(a, a.equal(b).not())
}

/// Both of two truth values that are 1 or 0.
#[inline(always)]
pub fn and<R: Real>(a: R, b: R) -> R {
    a * b
}

/// Either of two truth values that are 1 or 0.
#[inline(always)]
pub fn or<R: Real>(a: R, b: R) -> R {
    max(a, b)
}

#[cfg(test)]
mod tests {
    use super::super::FusedReal;
    use super::*;
    use std::f64::consts::PI as PI_64;

    struct Case {
        name: &'static str,
        f: fn(f32) -> f32,
        /// The same, fused.
        fused: fn(f32) -> f32,
        exact: fn(f64) -> f64,
        /// Worst error allowed, in ulp.
        bound: f64,
    }

    /// A function's cases, with products and sums rounded twice and once.
    macro_rules! case {
        ($f:ident, $exact:expr, $bound:literal) => {
            Case {
                name: stringify!($f),
                f: $f,
                fused: |x| $f(FusedReal::from_number(x)).number(),
                exact: $exact,
                bound: $bound,
            }
        };
    }

    const CASES: &[Case] = &[
        case!(exp, f64::exp, 1.0),
        case!(log, f64::ln, 1.0),
        case!(log1p, f64::ln_1p, 1.5),
        case!(sin, f64::sin, 1.15),
        case!(cos, f64::cos, 1.15),
        case!(tan, f64::tan, 3.1),
        case!(sinpi, exact_sinpi, 1.25),
        case!(cospi, exact_cospi, 1.25),
        case!(asin, f64::asin, 1.8),
        case!(acos, f64::acos, 1.3),
        case!(atan, f64::atan, 1.8),
        case!(sinh, f64::sinh, 1.8),
        case!(cosh, f64::cosh, 1.6),
        case!(tanh, f64::tanh, 1.5),
        case!(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 2.5),
        case!(softplus, exact_softplus, 2.0),
        case!(cbrt, f64::cbrt, 0.8),
        case!(round, f64::round_ties_even, 0.0),
        case!(floor, f64::floor, 0.0),
    ];

    const EDGES: &[f32] = &[
        0.0,
        1e-45,
        f32::MIN_POSITIVE,
        1.1754942e-38,
        2.9802322e-8,
        0.5,
        0.9999999,
        1.0,
        1.0000001,
        1.5,
        2.0,
        2.5,
        3.0,
        1.5707964,
        PI,
        6399.9995,
        SMALL_ANGLE,
        6400.0005,
        11.0,
        88.72283,
        88.72284,
        103.97,
        104.0,
        4194303.5,
        8388607.5,
        8388609.0,
        16777215.0,
        16777216.0,
        1e10,
        1.6e38,
        f32::MAX,
        f32::INFINITY,
        f32::NAN,
    ];

    fn turn(x: f64) -> (i64, f64) {
        let y = x - 2.0 * (0.5 * x).round_ties_even();
        let n = (2.0 * y).round_ties_even();
        ((n as i64).rem_euclid(4), (y - 0.5 * n) * PI_64)
    }

    fn exact_sinpi(x: f64) -> f64 {
        match turn(x) {
            (0, r) => r.sin(),
            (1, r) => r.cos(),
            (2, r) => -r.sin(),
            (_, r) => -r.cos(),
        }
    }

    fn exact_cospi(x: f64) -> f64 {
        match turn(x) {
            (0, r) => r.cos(),
            (1, r) => -r.sin(),
            (2, r) => -r.cos(),
            (_, r) => r.sin(),
        }
    }

    fn exact_softplus(x: f64) -> f64 {
        let tail = (-x.abs()).exp().ln_1p();
        if x < 0.0 { tail } else { x + tail }
    }

    /// The error of `got` in units of the last place of `exact`; infinite where one is NaN and the
    /// other is not.
    fn ulps(got: f32, exact: f64) -> f64 {
        if got.is_nan() || exact.is_nan() {
            return if got.is_nan() && exact.is_nan() { 0.0 } else { f64::INFINITY };
        }
        if got == exact as f32 && (got.is_infinite() || got == 0.0) {
            return 0.0;
        }
        let exponent = ((exact.abs().to_bits() >> 52) as i32 - 1023).clamp(-126, 127);
        (f64::from(got) - exact).abs() / 2.0_f64.powi(exponent - 23)
    }

    /// All magnitudes, a dense ordinary range, and the edges, with both signs.
    fn inputs() -> impl Iterator<Item = f32> {
        let patterns = (0..u32::MAX).step_by(40_009).map(f32::from_bits);
        let ordinary = (0..60_000).map(|i| (i as f32 - 30_000.0) * 4.0001e-4);
        let edges = EDGES.iter().flat_map(|&x| [x, -x]);
        patterns.chain(ordinary).chain(edges)
    }

    fn worst(f: impl Fn(f32) -> f32, exact: fn(f64) -> f64) -> (f64, f32) {
        inputs().map(|x| (ulps(f(x), exact(f64::from(x))), x)).fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
    }

    #[test]
    fn every_function_keeps_its_bound() {
        for Case { name, f, fused, exact, bound } in CASES {
            for (f, how) in [(f, "rounded twice"), (fused, "fused")] {
                let (error, x) = worst(f, *exact);
                assert!(error <= *bound, "{name}({x:e}) = {:e} is off by {error} ulp, {how}", f(x));
            }
        }
    }

    #[test]
    fn the_alarm_rings() {
        for Case { name, f, exact, bound, .. } in CASES {
            let shift = bound.ceil() as u32 + 1;
            let spoilt = |x: f32| {
                let y = f(x);
                if x == 0.5 { f32::from_bits(y.to_bits() + shift) } else { y }
            };
            assert!(worst(spoilt, *exact).0 > *bound, "{name}: one wrong value of all passed");
        }
    }

    /// Pairs over all bit patterns, near 1 with large exponents, and whole exponents.
    fn pairs() -> impl Iterator<Item = (f32, f32)> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        (0..200_000).map(move |i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (a, b) = ((state >> 32) as u32, (state.rotate_left(23) >> 32) as u32);
            let unit = b as f32 / 4_294_967_296.0;
            let any = f32::from_bits(a);
            let near = 1.0 + (unit - 0.5) * power_of_two((a >> 27).wrapping_neg());
            match i % 4 {
                0 => (any, f32::from_bits(b)),
                1 => (near, ((a as f64 / 4e9 - 0.5) * 290.0 / f64::from(near).log2()) as f32),
                2 => (any, (b % 41) as f32 - 20.0),
                _ => (any.abs(), (unit * 290.0 - 145.0) / any.abs().log2()),
            }
        })
    }

    fn worst_pair(f: fn(f32, f32) -> f32, exact: fn(f64, f64) -> f64) -> f64 {
        let signed = || EDGES.iter().flat_map(|&x| [x, -x]);
        let edges = signed().flat_map(|x| signed().map(move |y| (x, y)));
        pairs().chain(edges).map(|(x, y)| ulps(f(x, y), exact(x.into(), y.into()))).fold(0.0, f64::max)
    }

    #[test]
    fn functions_of_two_arguments_keep_their_bounds() {
        assert!(worst_pair(pow, f64::powf) <= 1.3);
        assert!(worst_pair(atan2, f64::atan2) <= 1.8);
        fn fused(x: f32) -> FusedReal {
            FusedReal::from_number(x)
        }
        assert!(worst_pair(|x, y| pow(fused(x), fused(y)).number(), f64::powf) <= 1.3);
        assert!(worst_pair(|y, x| atan2(fused(y), fused(x)).number(), f64::atan2) <= 1.8);
    }

    #[test]
    fn zeros_and_infinities_have_their_signs() {
        for &x in EDGES.iter().filter(|x| !x.is_nan()) {
            for f in [sin, tan, sinpi, asin, atan, sinh, tanh, cbrt, round] {
                assert_eq!(f(-x).to_bits() & !SIGN, f(x).to_bits() & !SIGN, "{x}");
                assert!(f(x).is_nan() || f(-x).is_sign_negative() != f(x).is_sign_negative(), "{x}");
            }
            for &y in EDGES.iter().filter(|y| !y.is_nan()) {
                for (x, y) in [(x, y), (-x, y), (x, -y), (-x, -y)] {
                    let (p, q) = (pow(x, y), f64::from(x).powf(y.into()));
                    assert!(q.is_nan() || p.is_sign_negative() == q.is_sign_negative(), "pow({x}, {y}) = {p}");
                    let (p, q) = (atan2(x, y), f64::from(x).atan2(y.into()));
                    assert_eq!(p.is_sign_negative(), q.is_sign_negative(), "atan2({x}, {y}) = {p}");
                }
            }
        }
        assert!(pow(-8.0, 1.0 / 3.0).is_nan() && pow(f32::NAN, 0.0) == 1.0 && pow(1.0, f32::NAN) == 1.0);
    }

    #[test]
    fn blocks_have_the_bits_of_single_calls() {
        let src: Vec<f32> = inputs().take(20_000).chain(EDGES.iter().copied()).collect();
        let small: Vec<f32> = (0..1000).map(|i| i as f32 * 6.4 - 2000.0).collect();
        for src in [src, small] {
            let (mut s, mut c, mut t) = (src.clone(), src.clone(), src.clone());
            let same = |dst: &[f32], f: fn(f32) -> f32| {
                dst.iter().zip(&src).all(|(&d, &x)| d.to_bits() == f(x).to_bits() || d.is_nan() && f(x).is_nan())
            };
            sin_block(&src, &mut s);
            cos_block(&src, &mut c);
            tan_block(&src, &mut t);
            assert!(same(&s, sin) && same(&c, cos) && same(&t, tan));
        }
    }

    #[test]
    fn both_reductions_agree_where_they_meet() {
        for i in 0..10_000 {
            let x = SMALL_ANGLE - i as f32 * 0.25;
            assert!((sin_large(x) - sin_small(x)).abs() < 2e-7 && (cos_large(x) - cos_small(x)).abs() < 2e-7);
        }
    }
}
