//! A vector register of `f32`, and the functions of `src/cpu/math.rs` over it.
//!
//! Intrinsics instead of auto-vectorised loops, so that the width is no compiler's choice. The crate must be built for the
//! machine it runs on (`-C target-cpu=native`); AVX-512 is taken where that allows it, else AVX2.
//! `FMA` says whether products and sums are fused: without, `sin_cos` and `exp` round as those of `math.rs`.

use std::arch::x86_64::*;
use std::f32::consts::{FRAC_1_PI, FRAC_2_PI, LOG2_E};
use std::ops::{Add, Div, Mul, Sub};

#[cfg(target_feature = "avx512f")]
pub const WIDTH: usize = 16;
#[cfg(not(target_feature = "avx512f"))]
pub const WIDTH: usize = 8;
pub const NAME: &str = if WIDTH == 16 { "AVX-512" } else { "AVX2" };

#[cfg(target_feature = "avx512f")]
type Raw = __m512;
#[cfg(not(target_feature = "avx512f"))]
type Raw = __m256;

#[derive(Clone, Copy)]
pub struct Lanes<const FMA: bool>(Raw);

/// One body with the intrinsics of either width. Sound: the crate does not compile without AVX2 and FMA.
#[cfg(not(all(target_feature = "avx2", target_feature = "fma")))]
compile_error!("build with RUSTFLAGS=\"-C target-cpu=native\" on a processor with AVX2");

macro_rules! wide {
    ($avx512:expr, $avx2:expr) => {{
        #[cfg(target_feature = "avx512f")]
        let value = unsafe { $avx512 };
        #[cfg(not(target_feature = "avx512f"))]
        let value = unsafe { $avx2 };
        value
    }};
}

macro_rules! operator {
    ($trait:ident, $name:ident, $avx512:ident, $avx2:ident) => {
        impl<const FMA: bool> $trait for Lanes<FMA> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Lanes(wide!($avx512(self.0, other.0), $avx2(self.0, other.0)))
            }
        }
        impl<const FMA: bool> $trait<f32> for Lanes<FMA> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: f32) -> Self {
                $trait::$name(self, Lanes::splat(other))
            }
        }
    };
}
operator!(Add, add, _mm512_add_ps, _mm256_add_ps);
operator!(Sub, sub, _mm512_sub_ps, _mm256_sub_ps);
operator!(Mul, mul, _mm512_mul_ps, _mm256_mul_ps);
operator!(Div, div, _mm512_div_ps, _mm256_div_ps);

const MAGIC: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer, left in the low bits.
const SIGN: i32 = i32::MIN;

impl<const FMA: bool> Lanes<FMA> {
    #[inline(always)]
    pub fn splat(x: f32) -> Self {
        Lanes(wide!(_mm512_set1_ps(x), _mm256_set1_ps(x)))
    }
    #[inline(always)]
    pub fn load(from: &[f32; WIDTH]) -> Self {
        Lanes(wide!(_mm512_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr())))
    }
    #[inline(always)]
    pub fn array(self) -> [f32; WIDTH] {
        let mut to = [0.0; WIDTH];
        wide!(_mm512_storeu_ps(to.as_mut_ptr(), self.0), _mm256_storeu_ps(to.as_mut_ptr(), self.0));
        to
    }
    #[inline(always)]
    pub fn sqrt(self) -> Self {
        Lanes(wide!(_mm512_sqrt_ps(self.0), _mm256_sqrt_ps(self.0)))
    }
    /// `self * b + c`, fused or not.
    #[inline(always)]
    pub fn mad(self, b: Self, c: Self) -> Self {
        match FMA {
            true => Lanes(wide!(_mm512_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.0, b.0, c.0))),
            false => self * b + c,
        }
    }
    #[inline(always)]
    pub fn max(self, b: Self) -> Self {
        Lanes(wide!(_mm512_max_ps(self.0, b.0), _mm256_max_ps(self.0, b.0)))
    }
    #[inline(always)]
    pub fn min(self, b: Self) -> Self {
        Lanes(wide!(_mm512_min_ps(self.0, b.0), _mm256_min_ps(self.0, b.0)))
    }
    /// `self` where `test` is above zero, else 0.
    #[inline(always)]
    pub fn where_positive(self, test: Self) -> Self {
        Lanes(wide!(
            _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(test.0, _mm512_setzero_ps()), self.0),
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(test.0, _mm256_setzero_ps()), self.0)
        ))
    }
    /// The bits, masked.
    #[inline(always)]
    fn and(self, mask: i32) -> Self {
        Lanes(wide!(
            _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(self.0), _mm512_set1_epi32(mask))),
            _mm256_and_ps(self.0, _mm256_castsi256_ps(_mm256_set1_epi32(mask)))
        ))
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        Lanes(wide!(
            _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(self.0), _mm512_castps_si512(other.0))),
            _mm256_xor_ps(self.0, other.0)
        ))
    }
    /// The bits plus an integer.
    #[inline(always)]
    fn plus(self, n: i32) -> Self {
        Lanes(wide!(
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), _mm512_set1_epi32(n))),
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(self.0), _mm256_set1_epi32(n)))
        ))
    }
    #[inline(always)]
    fn minus_bits(self, other: Self) -> Self {
        Lanes(wide!(
            _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_castps_si512(self.0), _mm512_castps_si512(other.0))),
            _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(self.0), _mm256_castps_si256(other.0)))
        ))
    }
    /// The bits, shifted to the left.
    #[inline(always)]
    fn left<const K: u32, const K2: i32>(self) -> Self {
        Lanes(wide!(
            _mm512_castsi512_ps(_mm512_slli_epi32::<K>(_mm512_castps_si512(self.0))),
            _mm256_castsi256_ps(_mm256_slli_epi32::<K2>(_mm256_castps_si256(self.0)))
        ))
    }
    #[inline(always)]
    fn half_bits(self) -> Self {
        Lanes(wide!(
            _mm512_castsi512_ps(_mm512_srai_epi32::<1>(_mm512_castps_si512(self.0))),
            _mm256_castsi256_ps(_mm256_srai_epi32::<1>(_mm256_castps_si256(self.0)))
        ))
    }
    /// `even` or `odd` by the lowest bit of `self`.
    #[inline(always)]
    fn by_parity(self, even: Self, odd: Self) -> Self {
        Lanes(wide!(
            _mm512_mask_blend_ps(
                _mm512_test_epi32_mask(_mm512_castps_si512(self.0), _mm512_set1_epi32(1)),
                even.0,
                odd.0
            ),
            _mm256_blendv_ps(even.0, odd.0, self.left::<31, 31>().0)
        ))
    }

    /// sin x and cos x for |x| <= 6400: `sin_small` and `cos_small`, which share all but the last selection.
    #[inline(always)]
    pub fn sin_cos(self) -> (Self, Self) {
        let c = Lanes::splat;
        let sign = self.and(SIGN);
        let a = self.and(!SIGN);
        let q = a.mad(c(FRAC_2_PI), c(MAGIC));
        let n = q - MAGIC;
        let b = n.mad(c(-0.0004838705), n.mad(c(-1.5703125), a));
        let m = n * -4.3713953e-8;
        let r = b - m;
        let lo = n.mad(c(-2.563344e-12), (b - r) - m);
        let z = r * r;
        let p = c(-0.00019518095).mad(z, c(0.008332188)).mad(z, c(-0.16666655));
        let sine = r + (r * z).mad(p, lo);
        let p = c(2.4432327e-5).mad(z, c(-0.001388731)).mad(z, c(0.041666646));
        let cosine = c(1.0) - (z * 0.5 - (z * z * p - r * lo));
        let turned = q.left::<30, 30>();
        let sin = q.by_parity(sine, cosine).xor(sign.xor(turned).and(SIGN));
        let cos = q.by_parity(cosine, sine).xor(q.plus(1).left::<30, 30>().and(SIGN));
        (sin, cos)
    }

    /// e^x, with the bits of `exp`.
    #[inline(always)]
    pub fn exp(self) -> Self {
        let c = Lanes::splat;
        let x = self.min(c(89.0)).max(c(-104.0));
        let t = x.mad(c(LOG2_E), c(MAGIC));
        let n = t - MAGIC;
        let r = n.mad(c(-1.4286068e-6), n.mad(c(-0.69314575), x));
        let p =
            c(0.0013840593).mad(r, c(0.0083693545)).mad(r, c(0.041668084)).mad(r, c(0.16666515)).mad(r, c(0.49999994));
        let e = c(1.0) + (r * r).mad(p, r);
        let k = t.minus_bits(c(MAGIC));
        let half = k.half_bits();
        e * half.plus(127).left::<23, 23>() * k.minus_bits(half).plus(127).left::<23, 23>()
    }

    /// sin x and cos x, absolute error about 1e-7 for |x| <= 1000: reduction by π, so that no selection is left.
    #[inline(always)]
    pub fn sin_cos_quick(self) -> (Self, Self) {
        let c = Lanes::splat;
        let q = self.mad(c(FRAC_1_PI), c(MAGIC));
        let n = q - MAGIC;
        let r = n.mad(c(8.742278e-8), n.mad(c(-std::f32::consts::PI), self));
        r.sin_cos_half_turn(q)
    }

    /// sin 2πx and cos 2πx as above; the reduction is exact.
    #[inline(always)]
    pub fn sin_cos_turns(self) -> (Self, Self) {
        let c = Lanes::splat;
        let q = self.mad(c(2.0), c(MAGIC));
        let r = (q - MAGIC).mad(c(-0.5), self) * std::f32::consts::TAU;
        r.sin_cos_half_turn(q)
    }

    /// On |r| <= π/2, for an angle of q half turns more.
    #[inline(always)]
    fn sin_cos_half_turn(self, q: Self) -> (Self, Self) {
        let c = Lanes::splat;
        let sign = q.left::<31, 31>();
        let (r, z) = (self, self * self);
        let p = c(SINE[3]).mad(z, c(SINE[2])).mad(z, c(SINE[1])).mad(z, c(SINE[0]));
        let sine = (r * z).mad(p, r);
        let p = c(COSINE[4]).mad(z, c(COSINE[3])).mad(z, c(COSINE[2])).mad(z, c(COSINE[1])).mad(z, c(COSINE[0]));
        let cosine = p.mad(z, c(1.0));
        (sine.xor(sign), cosine.xor(sign))
    }

    /// `c - self * b`, fused or not.
    #[inline(always)]
    pub fn negated_mad(self, b: Self, c: Self) -> Self {
        match FMA {
            true => Lanes(wide!(_mm512_fnmadd_ps(self.0, b.0, c.0), _mm256_fnmadd_ps(self.0, b.0, c.0))),
            false => c - self * b,
        }
    }

    /// `1 / (sqrt(self) + eps)` for `self` >= 0, by estimates and a Newton step for each where there are such of 14 bits: a
    /// divider and a root take more than twenty cycles a register.
    #[inline(always)]
    pub fn inverse_root_plus(self, eps: f32) -> Self {
        let c = Lanes::splat;
        #[cfg(target_feature = "avx512f")]
        {
            let v = self.max(c(f32::MIN_POSITIVE));
            let y: Self = Lanes(unsafe { _mm512_rsqrt14_ps(v.0) });
            let s = v * y;
            let root = s.negated_mad(y * 0.5, c(0.5)).mad(s, s) + eps;
            let y: Self = Lanes(unsafe { _mm512_rcp14_ps(root.0) });
            root.negated_mad(y, c(1.0)).mad(y, y)
        }
        #[cfg(not(target_feature = "avx512f"))]
        {
            c(1.0) / (self.sqrt() + eps)
        }
    }
}

// Least-squares fits at Chebyshev nodes, in double precision: (sin r - r)/r^3 and (cos r - 1)/r^2 on |r| <= π/2.
const SINE: [f32; 4] = [-0.16666657, 0.00833301, -0.00019806136, 2.5991326e-6];
const COSINE: [f32; 5] = [-0.5, 0.04166664, -0.00138884, 2.4761586e-5, -2.6072172e-7];

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(reach: f32) -> impl Iterator<Item = [f32; WIDTH]> {
        (0..20_000)
            .map(move |k| std::array::from_fn(|l| ((k * WIDTH + l) as f32 / (10_000 * WIDTH) as f32 - 1.0) * reach))
    }

    #[test]
    fn functions_are_accurate() {
        fn worst<const F: bool>(reach: f32, f: fn(Lanes<F>) -> (Lanes<F>, Lanes<F>), turn: f64) -> f64 {
            sweep(reach).fold(0.0, |worst, x| {
                let (s, c) = f(Lanes::load(&x));
                let (s, c) = (s.array(), c.array());
                (0..WIDTH).fold(worst, |worst: f64, l| {
                    let (sin, cos) = (f64::from(x[l]) * turn).sin_cos();
                    worst.max((f64::from(s[l]) - sin).abs()).max((f64::from(c[l]) - cos).abs())
                })
            })
        }
        for (name, error) in [
            ("quick", worst::<true>(600.0, Lanes::sin_cos_quick, 1.0)),
            ("turns", worst::<true>(33.0, Lanes::sin_cos_turns, std::f64::consts::TAU)),
            ("unfused", worst::<false>(6400.0, Lanes::sin_cos, 1.0)),
            ("fused", worst::<true>(6400.0, Lanes::sin_cos, 1.0)),
        ] {
            assert!(error < 2e-7, "{name} {error:e}");
        }
        for x in sweep(80.0) {
            for (e, x) in Lanes::<false>::load(&x).exp().array().into_iter().zip(x) {
                assert!((f64::from(e) / f64::from(x).exp() - 1.0).abs() < 1.2e-7);
            }
        }
        for v in sweep(1e6) {
            let v = v.map(|v| v.abs() + 1e-12);
            let got = Lanes::<true>::load(&v).inverse_root_plus(1e-8).array();
            for l in 0..WIDTH {
                let exact = 1.0 / (f64::from(v[l]).sqrt() + 1e-8);
                assert!((f64::from(got[l]) / exact - 1.0).abs() < 4e-7, "{} {}", v[l], got[l]);
            }
        }
    }
}
