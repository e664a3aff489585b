// Elementary functions in f32 that are accurate on every device: WGSL's own are promised to 2^-11 (sin, cos), on part of
// the range, or not at all (pow of a negative number), and differ from driver to driver.
//
// The twin of src/cpu/math.rs: the same algorithms and coefficients (our own minimax fits), described there. m_sincos gives
// sine and cosine of one argument at once.
//
// Worst error in ulp against f64, every 127th bit pattern (and for pow and atan2 34 million pairs over the whole range) on
// software Vulkan (llvmpipe, Mesa, LLVM 15), special values included:
//
//   exp      1.15    log      0.80    log1p    1.35    sin      1.05    cos      1.04    tan      2.92    sinpi    1.13
//   cospi    1.13    asin     1.69    acos     1.15    atan     1.89    atan2    1.51    sinh     1.58    cosh     1.52
//   tanh     1.31    sigmoid  2.26    softplus 1.70    cbrt     0.78    pow      1.22    round    0
//
// This text run on a CPU with every a*b+c fused stays within them. With quotients spoilt by up to 2 ulp and square roots by
// up to 3 besides, as WGSL permits: tan 4.5, asin 4.8, acos 4.4, atan 2.7, tanh 2.3, sigmoid 5, cbrt 2.1, the rest within
// 0.1 of the above (pow included; atan2 was not measured so).
//
// What a WGSL compiler may do shapes the text. It may assume that no NaN or infinity occurs: they are told by their bits.
// It may fuse a*b+c, and Mesa also reorders sums ((y + y) + C becomes y + (y + C)) and may cancel (t + C) - C: integers are
// read from the bits of a sum, and what must not cancel is split by a mask. It may flush subnormals: results below 2^-126
// may be 0, and sinpi of |x| < 1e-30 loses digits.
const M_MAGIC: f32 = 12582912.0; // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
const M_MAGIC_BITS: u32 = 0x4b400000u;
const M_SIGN: u32 = 0x80000000u;
const M_INF: u32 = 0x7f800000u;
const M_NAN: u32 = 0x7fc00000u;
const M_LN2_HI: f32 = 0.69314575; // 15 bits
const M_LN2_LO: f32 = 1.4286068e-6;
const M_PI_HI: f32 = 3.1415927;
const M_PI_LO: f32 = -8.742278e-8;
const M_HALF_PI_HI: f32 = 1.5707964;
const M_HALF_PI_LO: f32 = -4.371139e-8;
const M_SQRT_HALF_BITS: u32 = 0x3f3504f3u;
const M_SMALL_ANGLE_BITS: u32 = 0x45c80000u; // 6400.0

// WGSL has no literal for an infinity or a NaN, and a constant expression must not give one.
fn m_bits(bits: u32) -> f32 {
    return bitcast<f32>(bits);
}

fn m_power_of_two(n: i32) -> f32 {
    return bitcast<f32>(bitcast<u32>(n + 127) << 23u);
}

// x with the sign bit of `sign` xored in.
fn m_flip(x: f32, sign: u32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ (sign & M_SIGN));
}

// The leading 12 bits of the significand: the product of two such values is exact.
fn m_head(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// x, which has at most 16 significant bits, unchanged, and hidden from a compiler that reorders sums.
fn m_barrier(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xffffff00u);
}

// The integer to which adding M_MAGIC has rounded. The mask has all bits that t can have: a compiler would cancel (t + M) - M,
// and drop a magnitude where it knows the sign.
fn m_rounded(t: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(t) & 0x4bffffffu) - M_MAGIC;
}

fn m_round(x: f32) -> f32 {
    return round(x);
}

fn m_exp_scaled(x: f32, shift: i32) -> f32 {
    // The integer is read from the bits of the sum: a compiler may cancel (t + M) - M.
    let k = bitcast<i32>(bitcast<u32>(x * 1.442695 + M_MAGIC) - M_MAGIC_BITS);
    let n = f32(k);
    let r = (x - n * M_LN2_HI) - n * M_LN2_LO;
    var p = 0.0013840593 * r + 0.0083693545;
    p = p * r + 0.041668084;
    p = p * r + 0.16666515;
    p = p * r + 0.49999994;
    // Not 1 + (r + r² p), which a compiler may turn into (1 + r) + r² p.
    let e = 1.0 + r * (1.0 + r * p);
    let total = k + shift;
    let half = total >> 1u;
    return e * m_power_of_two(half) * m_power_of_two(total - half);
}

fn m_exp(x: f32) -> f32 {
    let below = select(x, 89.0, x > 89.0);
    return m_exp_scaled(select(below, -104.0, below < -104.0), 0);
}

fn m_log_sum(n: f32, f: f32) -> f32 {
    var p = 0.060366075 * f - 0.11263874;
    p = p * f + 0.119936936;
    p = p * f - 0.124846905;
    p = p * f + 0.14215365;
    p = p * f - 0.16663192;
    p = p * f + 0.20002137;
    p = p * f - 0.25000098;
    p = p * f + 0.33333313;
    let z = f * f;
    let y = (f * z * p + n * M_LN2_LO) - 0.5 * z;
    return n * M_LN2_HI + (f + y);
}

// x = 2^n m, √½ <= m < √2: n.
fn m_exponent(x: f32) -> i32 {
    return bitcast<i32>(bitcast<u32>(x) - M_SQRT_HALF_BITS) >> 23u;
}

// x = 2^n m, √½ <= m < √2: m.
fn m_significand(x: f32) -> f32 {
    let above = bitcast<u32>(x) - M_SQRT_HALF_BITS;
    return bitcast<f32>((above & 0x007fffffu) + M_SQRT_HALF_BITS);
}

fn m_log(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    let subnormal = bits < 0x00800000u;
    let v = select(x, x * 33554432.0, subnormal); // 2^25
    let n = f32(m_exponent(v)) - select(0.0, 25.0, subnormal);
    let y = m_log_sum(n, m_significand(v) - 1.0);
    // Above ∞ in bits: negative or NaN.
    let special = m_bits(select(M_NAN, M_INF, bits == M_INF));
    let z = select(y, special, bits >= M_INF);
    return select(z, m_bits(M_INF | M_SIGN), (bits & ~M_SIGN) == 0u);
}

fn m_log1p(x: f32) -> f32 {
    let u = 1.0 + x;
    let n = m_exponent(u);
    // Meaningless for n > 24, and then not taken.
    let scale = m_power_of_two(-n);
    let f = select(x * scale + (scale - 1.0), m_significand(u) - 1.0, n > 24);
    let y = m_log_sum(f32(n), f);
    let bits = bitcast<u32>(x);
    let special = m_bits(select(M_NAN, M_INF, bits == M_INF));
    let z = select(y, special, (bits >= M_INF && bits < M_SIGN) || bits > 0xbf800000u);
    return select(select(z, m_bits(M_INF | M_SIGN), bits == 0xbf800000u), x, x == 0.0);
}

// x = q π/2 + r + lo, q modulo 4 in the low two bits.
struct MAngle {
    q: u32,
    r: f32,
    lo: f32,
}

// Cody–Waite, |x| <= 6400.
fn m_reduce_small(a: f32) -> MAngle {
    let t = a * 0.63661975 + M_MAGIC;
    let n = m_rounded(t);
    let b = (a - n * 1.5703125) - n * 0.0004838705;
    let c = n * -4.3713953e-8;
    let r = b - c;
    // Were the compiler to cancel, the rounding of r would be lost and no more.
    let lo = ((b - r) - c) - n * 2.563344e-12;
    return MAngle(bitcast<u32>(t), r, lo);
}

// The 32-bit words of 2/π after one zero word: five of them, of which `word` tells one.
fn m_chosen(word: u32, a: u32, b: u32, c: u32, d: u32, e: u32) -> u32 {
    return select(select(select(select(a, b, word == 1u), c, word == 2u), d, word == 3u), e, word == 4u);
}

// The high word of a * b.
fn m_multiply_high(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let middle = ah * bl + ((al * bl) >> 16u);
    let other = al * bh + (middle & 0xffffu);
    return ah * bh + (middle >> 16u) + (other >> 16u);
}

// Payne–Hanek, |x| > 6400.
fn m_reduce_large(a: f32) -> MAngle {
    let bits = bitcast<u32>(a) & ~M_SIGN;
    let m = (bits & 0x007fffffu) | 0x00800000u;
    let start = (bits >> 23u) - 120u;
    let word = start >> 5u;
    let shift = start & 31u;
    // Selected and not switched: a driver that takes branches by masks compiles each case for itself.
    let w0 = m_chosen(word, 0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u);
    let w1 = m_chosen(word, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u);
    let w2 = m_chosen(word, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u);
    let w3 = m_chosen(word, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);
    let back = 31u - shift;
    let p0 = (w0 << shift) | ((w1 >> 1u) >> back);
    let p1 = (w1 << shift) | ((w2 >> 1u) >> back);
    let p2 = (w2 << shift) | ((w3 >> 1u) >> back);
    let addend = m_multiply_high(m, p2);
    var low = m * p1 + addend;
    var high = m * p0 + m_multiply_high(m, p1) + select(0u, 1u, low < addend);
    let q = (high + 0x20000000u) >> 30u;
    high = high - (q << 30u);
    let sign = high & M_SIGN;
    if sign != 0u {
        low = 0u - low;
        high = ~high + select(0u, 1u, low == 0u);
    }
    let short = high == 0u;
    let top = select(high, low, short);
    let zeros = countLeadingZeros(top);
    let rest = select(low, 0u, short);
    let leading = (top << zeros) | ((rest >> 1u) >> (31u - zeros));
    let w = m_multiply_high(leading, 0xc90fdaa2u); // times π/2 * 2^31
    let scale = -29 - i32(zeros) - select(0, 32, short);
    let unit = m_flip(m_power_of_two(scale), sign);
    let r = f32(w & 0xffffff00u) * unit;
    return MAngle(q, m_bits(select(bitcast<u32>(r), M_NAN, bits >= M_INF)), f32(w & 0xffu) * unit);
}

fn m_sin_kernel(r: f32, lo: f32) -> f32 {
    let z = r * r;
    var p = -0.00019518095 * z + 0.008332188;
    p = p * z - 0.16666655;
    return r + (r * z * p + lo);
}

fn m_cos_kernel(r: f32, lo: f32) -> f32 {
    let z = r * r;
    var p = 2.4432327e-5 * z - 0.001388731;
    p = p * z + 0.041666646;
    return 1.0 - (0.5 * z - (z * z * p - r * lo));
}

// (sin, cos) of an angle q π/2 + r + lo.
fn m_sincos_of(angle: MAngle) -> vec2<f32> {
    let s = m_sin_kernel(angle.r, angle.lo);
    let c = m_cos_kernel(angle.r, angle.lo);
    let even = (angle.q & 1u) == 0u;
    return vec2<f32>(
        m_flip(select(c, s, even), angle.q << 30u),
        m_flip(select(s, c, even), (angle.q + 1u) << 30u),
    );
}

// (sin x, cos x), |x| <= 6400. What is beyond, or not finite, has no meaning here: whoever calls this looks for that.
fn m_sincos_small(x: f32) -> vec2<f32> {
    return m_sincos_of(m_reduce_small(x));
}

fn m_sin_small(x: f32) -> f32 {
    return m_sincos_small(x).x;
}

fn m_cos_small(x: f32) -> f32 {
    return m_sincos_small(x).y;
}

fn m_tan_small(x: f32) -> f32 {
    let y = m_sincos_small(x);
    return y.x / y.y;
}

// (sin x, cos x). m_sin and m_cos are its parts: what they share is straight-line code, which a
// compiler merges, and only the rare branch stands twice.
fn m_sincos(x: f32) -> vec2<f32> {
    var y = m_sincos_small(x);
    if (bitcast<u32>(x) & ~M_SIGN) > M_SMALL_ANGLE_BITS {
        y = m_sincos_of(m_reduce_large(abs(x)));
        y.x = m_flip(y.x, bitcast<u32>(x));
    }
    return y;
}

fn m_sin(x: f32) -> f32 {
    return m_sincos(x).x;
}

fn m_cos(x: f32) -> f32 {
    return m_sincos(x).y;
}

fn m_tan(x: f32) -> f32 {
    let y = m_sincos(x);
    return y.x / y.y;
}

// (sin, cos) of π(q/2 + r), q modulo 4 in the low two bits.
fn m_sincospi_of(q: u32, r: f32) -> vec2<f32> {
    let z = r * r;
    var p = -0.5892777 * z + 2.5497947;
    p = p * z - 5.167709;
    let r_head = m_head(r);
    let rest = (r - r_head) * 3.1416016 - r * 8.90891e-6;
    let s = r_head * 3.1416016 + (rest + r * z * p);
    var w = 0.2289885 * z - 1.3347582;
    w = w * z + 4.0586967;
    w = w * z - 4.934802;
    let c = 1.0 + z * w;
    let even = (q & 1u) == 0u;
    return vec2<f32>(
        m_flip(select(c, s, even), q << 30u),
        m_flip(select(s, c, even), (q + 1u) << 30u),
    );
}

// (sin πx, cos πx), |x| <= 6400. What is beyond, or not finite, has no meaning here: whoever calls this looks for that.
fn m_sincospi_small(x: f32) -> vec2<f32> {
    // Not (x + x) + M, which Mesa turns into x + (x + M).
    let t = 2.0 * x + M_MAGIC;
    return m_sincospi_of(bitcast<u32>(t), x - 0.5 * m_rounded(t));
}

fn m_sinpi_small(x: f32) -> f32 {
    return m_sincospi_small(x).x;
}

fn m_cospi_small(x: f32) -> f32 {
    return m_sincospi_small(x).y;
}

// (sin πa, cos πa), 0 <= a.
fn m_sincospi(a: f32) -> vec2<f32> {
    let near = a - 2.0 * round(a * 0.5);
    // Beyond 2^24: an even integer, or not finite.
    let far = m_bits(select(0u, M_NAN, bitcast<u32>(a) >= M_INF));
    return m_sincospi_small(select(far, near, a < 16777216.0));
}

fn m_sinpi(x: f32) -> f32 {
    return m_flip(m_sincospi(abs(x)).x, bitcast<u32>(x));
}

fn m_cospi(x: f32) -> f32 {
    return m_sincospi(abs(x)).y;
}

fn m_asin_excess(x: f32) -> f32 {
    let z = x * x;
    var p = 0.0421583 * z + 0.02418478;
    p = p * z + 0.04546915;
    p = p * z + 0.074953094;
    p = p * z + 0.16666752;
    return x * z * p;
}

fn m_asin(x: f32) -> f32 {
    let a = abs(x);
    let near = a <= 0.5;
    let s = select(sqrt(max(0.5 - 0.5 * a, 0.0)), a, near);
    let e = m_asin_excess(s);
    let far = M_HALF_PI_HI - (2.0 * s + (2.0 * e - M_HALF_PI_LO));
    let y = m_flip(select(far, s + e, near), bitcast<u32>(x));
    return select(y, m_bits(M_NAN), bitcast<u32>(a) > 0x3f800000u);
}

fn m_acos(x: f32) -> f32 {
    let a = abs(x);
    let near = a <= 0.5;
    let s = select(sqrt(max(0.5 - 0.5 * a, 0.0)), x, near);
    let e = m_asin_excess(s);
    let middle = M_HALF_PI_HI - (s + (e - M_HALF_PI_LO));
    let left = M_PI_HI - (2.0 * s + (2.0 * e - M_PI_LO));
    let outer = select(2.0 * (s + e), left, x < 0.0);
    return select(select(outer, middle, near), m_bits(M_NAN), bitcast<u32>(a) > 0x3f800000u);
}

fn m_atan_kernel(q: f32) -> f32 {
    let z = q * q;
    var p = -0.0017825083 * z + 0.010867682;
    p = p * z - 0.031095743;
    p = p * z + 0.05788065;
    p = p * z - 0.083992854;
    p = p * z + 0.10950878;
    p = p * z - 0.14264016;
    p = p * z + 0.1999853;
    p = p * z - 0.333333;
    return q + q * z * p;
}

fn m_atan(x: f32) -> f32 {
    let a = abs(x);
    let far = a > 1.0;
    let p = m_atan_kernel(select(a, 1.0 / a, far));
    return m_flip(select(p, M_HALF_PI_HI - (p - M_HALF_PI_LO), far), bitcast<u32>(x));
}

fn m_atan2(y: f32, x: f32) -> f32 {
    let ay = abs(y);
    let ax = abs(x);
    let steep = ay > ax;
    let smaller = select(ay, ax, steep);
    let larger = select(ax, ay, steep);
    // A quotient may be flushed or overflow inside the division at the ends of the range.
    let scale = select(select(1.0, 16777216.0, larger < 1e-30), 5.9604645e-8, larger > 1e30);
    var q = (smaller * scale) / (larger * scale);
    q = select(q, 1.0, bitcast<u32>(smaller) == M_INF && bitcast<u32>(larger) == M_INF);
    q = select(q, 0.0, smaller + larger == 0.0);
    let p = m_atan_kernel(q);
    let left = bitcast<u32>(x) & M_SIGN;
    let minus = select(0u, M_SIGN, steep) ^ left;
    let hi = select(select(M_PI_HI, 0.0, left == 0u), M_HALF_PI_HI, steep);
    let lo = select(select(M_PI_LO, 0.0, left == 0u), M_HALF_PI_LO, steep);
    return m_flip(hi + (m_flip(p, minus) + lo), bitcast<u32>(y));
}

fn m_sinh(x: f32) -> f32 {
    let a = abs(x);
    let z = a * a;
    var p = 2.7822132e-6 * z + 0.00019842896;
    p = p * z + 0.0083333105;
    p = p * z + 0.16666667;
    let near = a + a * z * p;
    let half = m_exp_scaled(select(a, 90.0, a > 90.0), -1);
    return m_flip(select(half - 0.25 / half, near, a < 1.0), bitcast<u32>(x));
}

fn m_cosh(x: f32) -> f32 {
    let a = abs(x);
    let half = m_exp_scaled(select(a, 90.0, a > 90.0), -1);
    return half + 0.25 / half;
}

fn m_tanh(x: f32) -> f32 {
    let a = abs(x);
    let z = a * a;
    var p = -0.0056922967 * z + 0.020628167;
    p = p * z - 0.053736515;
    p = p * z + 0.13331406;
    p = p * z - 0.3333328;
    let near = a + a * z * p;
    let e = m_exp_scaled(2.0 * select(a, 10.0, a > 10.0), 0);
    return m_flip(select(1.0 - 2.0 / (e + 1.0), near, a < 0.625), bitcast<u32>(x));
}

fn m_sigmoid(x: f32) -> f32 {
    let e = m_exp(-abs(x));
    let y = select(1.0, e, x < 0.0) / (1.0 + e);
    // A rough division must not pass 1.
    return select(y, 1.0, y > 1.0);
}

fn m_softplus(x: f32) -> f32 {
    return select(x, 0.0, x < 0.0) + m_log1p(m_exp(-abs(x)));
}

fn m_cbrt(x: f32) -> f32 {
    let a = abs(x);
    let tiny = a < 1e-30;
    let huge = a > 1e30;
    let scaled = a * select(select(1.0, 16777216.0, tiny), 5.9604645e-8, huge); // 2^24, 2^-24
    var t = bitcast<f32>(bitcast<u32>(scaled) / 3u + 0x2a5119f2u);
    let cube = t * t * t;
    t = t * ((cube + (scaled + scaled)) / ((cube + cube) + scaled));
    t = m_head(bitcast<f32>(bitcast<u32>(t) + 0x800u));
    let ratio = scaled / (t * t);
    t = t + t * ((ratio - t) / ((t + t) + ratio));
    let y = t * select(select(1.0, 0.00390625, tiny), 256.0, huge);
    return m_flip(select(a, y, a > 0.0 && bitcast<u32>(a) < M_INF), bitcast<u32>(x));
}

// log2 x + offset as (12 bits, rest).
fn m_log2_two(x: f32, offset: f32) -> vec2<f32> {
    let n = f32(m_exponent(x)) + offset;
    let m = m_significand(x);
    let f = m - 1.0;
    let m_hi = m_head(m);
    let d = m + 1.0;
    let s_hi = bitcast<f32>(bitcast<u32>(f / d) & 0xffffe000u);
    let s_lo = (m_barrier(f - s_hi * (m_hi + 1.0)) - s_hi * (m - m_hi)) / d;

    let square = s_hi * s_hi;
    let z_hi = m_head(square);
    let z_lo = (square - z_hi) + s_lo * ((s_hi + s_hi) + s_lo);
    let z = z_hi + z_lo;
    var p = 0.28171197 * z + 0.3200118;
    p = p * z + 0.41220593;
    p = p * z + 0.577078;
    let leading = z_hi * 0.96191406;
    let rest = (z * z * p + (z_lo * 0.9617967 - z_hi * 0.000117368574)) - 0.0003521057;
    let t_hi = m_head(2.8857422 + leading);
    let t_lo = (m_barrier(2.8857422 - t_hi) + leading) + rest;

    let product = s_hi * t_hi;
    let correction = s_hi * t_lo + s_lo * (t_hi + t_lo);
    let hi = m_head(n + product);
    return vec2<f32>(hi, (m_barrier(n - hi) + product) + correction);
}

fn m_exp2_two(hi: f32, lo: f32) -> f32 {
    let n = round(hi + lo);
    let k = i32(n);
    // In two parts, so that a compiler cannot sum hi + lo first.
    let g = hi - n;
    let g_hi = bitcast<f32>(bitcast<u32>(g) & 0xffff0000u);
    let f = g_hi + ((g - g_hi) + lo);
    var p = 1.3835152e-5 * f + 0.00015451774;
    p = p * f + 0.0013339743;
    p = p * f + 0.009618088;
    p = p * f + 0.055504035;
    p = p * f + 0.2402265;
    p = p * f + 0.6931472;
    let e = 1.0 + f * p;
    let half = k >> 1u;
    return e * m_power_of_two(half) * m_power_of_two(k - half);
}

fn m_pow(x: f32, y: f32) -> f32 {
    let a = abs(x);
    let ay = abs(y);
    let subnormal = bitcast<u32>(a) < 0x00800000u;
    let l = m_log2_two(select(a, a * 33554432.0, subnormal), select(0.0, -25.0, subnormal));

    let exponent = m_flip(select(8589934592.0, ay, ay < 8589934592.0), bitcast<u32>(y));
    let y_hi = m_head(exponent);
    let leading = y_hi * l.x;
    let rest = (exponent - y_hi) * l.x + exponent * l.y;
    let sum = leading + rest;
    let above = sum > 130.0;
    let below = sum < -152.0;
    let hi = select(select(leading, 130.0, above), -152.0, below);
    var r = m_exp2_two(hi, select(rest, 0.0, above || below));

    let whole = ay >= 8388608.0 || round(ay) == ay;
    let odd = whole && ay < 16777216.0 && round(0.5 * ay) != 0.5 * ay;
    let down = y < 0.0;
    let infinite = bitcast<u32>(a) == M_INF;
    r = select(r, m_bits(select(0u, M_INF, down)), a == 0.0);
    r = select(r, m_bits(select(M_INF, 0u, down)), infinite);
    r = m_flip(r, select(0u, bitcast<u32>(x), odd));
    let nan = bitcast<u32>(a) > M_INF || bitcast<u32>(ay) > M_INF;
    r = select(r, m_bits(M_NAN), (x < 0.0 && !whole && !infinite) || nan);
    return select(r, 1.0, y == 0.0 || x == 1.0);
}
