//! One step of a fit: the least linearised cost inside a trust region and the bounds.
//!
//! With column lengths D (the largest seen so far, Moré 1978) and `R D⁻¹ = U S Vᵀ`, the step of length Δ is
//! `D d = -V S (S² + λ)⁻¹ Uᵀ z`, λ from Newton's method on the secular equation (Conn, Gould & Toint 2000, §7.3). A
//! parameter that would pass a bound is put on it, and the others are solved for again.

use super::dense::{Factor, Singular, dot};

/// Below this fraction of the largest, a singular value of the scaled slopes counts as zero. Scaled, the hardest
/// certified problems have fractions near 1e-5; at 1e-12 a standard error would have no more than four digits.
pub(crate) const RANK: f64 = 1e-12;

/// Where parameters may be.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) lo: Vec<f64>,
    pub(crate) hi: Vec<f64>,
    pub(crate) fixed: Vec<Option<f64>>,
}

impl Limits {
    /// Puts a point inside.
    pub(crate) fn project(&self, x: &mut [f64]) {
        for (j, x) in x.iter_mut().enumerate() {
            *x = self.fixed[j].unwrap_or(x.max(self.lo[j]).min(self.hi[j]));
        }
    }

    /// Whether the parameter is fixed, or stands at a bound and is pushed outward by a gradient.
    fn holds(&self, j: usize, x: f64, gradient: f64) -> bool {
        self.fixed[j].is_some() || x <= self.lo[j] && gradient > 0.0 || x >= self.hi[j] && gradient < 0.0
    }
}

/// The scratch space of steps, and the scale that they are measured in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// Column lengths: the largest so far.
    pub(crate) scale: Vec<f64>,
    /// Column lengths here.
    lengths: Vec<f64>,
    /// Parameters that may move.
    free: Vec<usize>,
    svd: Singular,
    /// How much less the linearised cost is at its least.
    pub(crate) gain: f64,
    inner: Singular,
    rest: Vec<usize>,
    z: Vec<f64>,
    q: Vec<f64>,
    image: Vec<f64>,
    /// The step.
    pub(crate) d: Vec<f64>,
    /// Whether it is a Gauss–Newton step, not shortened.
    pub(crate) full: bool,
    /// Whether it ends at a bound.
    pub(crate) at_bound: bool,
    /// How long a step may be, scaled.
    pub(crate) radius: f64,
}

/// Columns that are all at least this long beside their scale are as good as scaled to their own length.
const ALIKE: f64 = 1e-3;

/// Decomposes the columns in `free`, each divided by its scale.
fn decompose(svd: &mut Singular, factor: &Factor, free: &[usize], scale: &[f64], z: &[f64], cut: f64) {
    svd.clear(factor.p, free.len());
    for &j in free {
        svd.a.extend(factor.column(j).iter().map(|r| r / scale[j]));
    }
    svd.decompose(z, cut);
}

impl Trust {
    /// Forgets the scale, for another start.
    pub(crate) fn reset(&mut self) {
        self.scale.clear();
    }

    /// Looks at a new point: widens the scale, sees who may move, and decomposes.
    pub(crate) fn prepare(&mut self, factor: &Factor, x: &[f64], limits: &Limits) {
        let p = factor.p;
        self.scale.resize(p, 0.0);
        self.lengths.clear();
        self.lengths.extend((0..p).map(|j| factor.length(j)));
        for (scale, &length) in self.scale.iter_mut().zip(&self.lengths) {
            *scale = scale.max(length);
        }
        let (lengths, scale) = (&self.lengths, &self.scale);
        self.free.clear();
        self.free.extend((0..p).filter(|&j| lengths[j] > 0.0 && !limits.holds(j, x[j], factor.gradient(j))));
        let alike = self.free.iter().all(|&j| lengths[j] >= ALIKE * scale[j]);
        let cut = if alike { RANK } else { f64::MIN_POSITIVE };
        decompose(&mut self.svd, factor, &self.free, scale, &factor.z, cut);
        // What is determined shows only between columns of like length: one that has become short is not idle.
        if !alike {
            decompose(&mut self.inner, factor, &self.free, lengths, &factor.z, RANK);
        }
        let of = if alike { &self.svd } else { &self.inner };
        self.gain = dot(&of.uz, &of.uz);
    }

    /// The length of a point or step, scaled.
    pub(crate) fn length(&self, x: &[f64]) -> f64 {
        x.iter().zip(&self.scale).map(|(x, d)| (x * d).powi(2)).sum::<f64>().sqrt()
    }

    /// Finds the step of at most this scaled length and tells how much lower the linearised cost is there.
    pub(crate) fn step(&mut self, factor: &Factor, x: &[f64], limits: &Limits, radius: f64) -> f64 {
        let p = factor.p;
        self.d.clear();
        self.d.resize(p, 0.0);
        self.full = solve(&self.svd, radius, &mut self.q);
        self.at_bound = false;
        self.rest.clone_from(&self.free);
        self.z.clone_from(&factor.z);
        loop {
            for (&j, q) in self.rest.iter().zip(&self.q) {
                self.d[j] = q / self.scale[j];
            }
            let before = self.rest.len();
            let (d, z) = (&mut self.d, &mut self.z);
            self.rest.retain(|&j| {
                let bound = if x[j] + d[j] < limits.lo[j] {
                    limits.lo[j]
                } else if x[j] + d[j] > limits.hi[j] {
                    limits.hi[j]
                } else {
                    return true;
                };
                d[j] = bound - x[j];
                for (z, r) in z.iter_mut().zip(factor.column(j)) {
                    *z += r * d[j];
                }
                false
            });
            if self.rest.len() == before {
                break;
            }
            self.at_bound = true;
            decompose(&mut self.inner, factor, &self.rest, &self.scale, &self.z, f64::MIN_POSITIVE);
            solve(&self.inner, radius, &mut self.q);
        }
        factor.apply(&self.d, &mut self.image);
        // ‖z‖² - ‖z + R d‖², without the cancellation.
        -(2.0 * dot(&self.image, &factor.z) + dot(&self.image, &self.image))
    }
}

/// The scaled step of at most this length; tells whether it is the unconstrained one.
fn solve(svd: &Singular, radius: f64, q: &mut Vec<f64>) -> bool {
    let norm = |lambda: f64| {
        let mut squares = 0.0;
        let mut slope = 0.0;
        for (s, u) in svd.s.iter().zip(&svd.uz).filter(|(s, _)| **s > 0.0) {
            let below = s * s + lambda;
            squares += (s * u / below).powi(2);
            slope += (s * u).powi(2) / below.powi(3);
        }
        (squares.sqrt(), slope)
    };
    let newton = norm(0.0).0;
    let full = newton <= radius || !newton.is_finite();
    let mut lambda = 0.0;
    if !full {
        let steepest = svd.s.iter().zip(&svd.uz).map(|(s, u)| (s * u).powi(2)).sum::<f64>().sqrt();
        let (mut lower, mut upper) = (0.0f64, steepest / radius);
        for _ in 0..20 {
            if !(lambda > lower && lambda < upper) {
                lambda = (1e-3 * upper).max((lower * upper).sqrt());
            }
            let (length, slope) = norm(lambda);
            let over = length - radius;
            if over.abs() < 0.05 * radius {
                break;
            }
            if over < 0.0 {
                upper = lambda;
            }
            // Newton's method on 1/radius - 1/length, nearly linear in λ.
            let ratio = -over * length / slope;
            lower = lower.max(lambda - ratio);
            lambda -= length / radius * ratio;
        }
    }
    q.clear();
    q.resize(svd.count, 0.0);
    for (k, (s, u)) in svd.s.iter().zip(&svd.uz).enumerate().filter(|(_, (s, _))| **s > 0.0) {
        let along = -s * u / (s * s + lambda);
        q.iter_mut().zip(svd.v(k)).for_each(|(q, v)| *q += along * v);
    }
    if !full {
        let length = dot(q, q).sqrt();
        let shorter = if length > radius { radius / length } else { 1.0 };
        q.iter_mut().for_each(|q| *q *= shorter);
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor() -> Factor {
        // R = [[2, 1], [0, 0.5]], z = [1, 1].
        Factor { p: 2, r: vec![2.0, 0.0, 1.0, 0.5], z: vec![1.0, 1.0] }
    }

    fn open(p: usize) -> Limits {
        Limits { lo: vec![f64::NEG_INFINITY; p], hi: vec![f64::INFINITY; p], fixed: vec![None; p] }
    }

    #[test]
    fn an_unbounded_step_solves_the_triangle() {
        let (factor, limits) = (factor(), open(2));
        let mut trust = Trust::default();
        trust.prepare(&factor, &[0.0, 0.0], &limits);
        let gain = trust.step(&factor, &[0.0, 0.0], &limits, f64::INFINITY);
        assert!((trust.d[1] + 2.0).abs() < 1e-14 && (trust.d[0] - 0.5).abs() < 1e-14);
        assert!((gain - 2.0).abs() < 1e-14 && (trust.gain - 2.0).abs() < 1e-14);
    }

    #[test]
    fn a_short_step_has_its_length_and_goes_down() {
        let (factor, limits) = (factor(), open(2));
        let mut trust = Trust::default();
        trust.prepare(&factor, &[0.0, 0.0], &limits);
        for radius in [1e-6, 0.01, 0.3, 1.0] {
            let gain = trust.step(&factor, &[0.0, 0.0], &limits, radius);
            let length = trust.length(&trust.d.clone());
            assert!(length <= radius * 1.001 && length > 0.94 * radius, "{radius} {length}");
            assert!(gain > 0.0 && !trust.full);
        }
    }

    #[test]
    fn a_bound_holds_and_the_rest_is_solved_again() {
        let mut limits = open(2);
        limits.lo[1] = -0.5;
        let factor = factor();
        let mut trust = Trust::default();
        trust.prepare(&factor, &[0.0, 0.0], &limits);
        trust.step(&factor, &[0.0, 0.0], &limits, f64::INFINITY);
        // With d1 = -0.5 the first row gives 2 d0 - 0.5 + 1 = 0.
        assert_eq!(trust.d[1], -0.5);
        assert!((trust.d[0] + 0.25).abs() < 1e-14);
        // At the bound and pushed outward, it does not move at all.
        trust.prepare(&factor, &[-0.25, -0.5], &limits);
        assert_eq!(trust.free, [0]);
    }
}
