//! Eigenvalues of small symmetric matrices: Householder's tridiagonal form, then the QL method with implicit shifts.
//!
//! `A = V diag(λ) Vᵀ`; after scaling by the largest entry, each λ is off by a small multiple of n·ε·‖A‖. The two steps are
//! those of Martin, Reinsch & Wilkinson (1968) and of Dubrulle, Martin & Wilkinson (1968). Matrices here have at most some
//! dozens of rows and come by the thousand, so a linear algebra crate would bring weight and no digit.
//!
//! ```
//! let (values, vectors) = catchment::linear::symmetric_eigen(2, &[2.0, 1.0, 1.0, 2.0]);
//! assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15);
//! assert!((vectors[0] + vectors[1]).abs() < 1e-15); // of the smallest: (1, -1)/√2, up to its sign
//! ```

/// Turns for one eigenvalue; two or three suffice.
const TURNS: usize = 60;

/// Eigenvalues in ascending order and orthonormal eigenvectors of a symmetric `n` by `n` matrix, row-major, of which only the
/// lower triangle is read. Row `k` of the vectors, entries `k·n` to `k·n + n - 1`, belongs to value `k`.
///
/// All is NaN where an entry is not finite.
///
/// # Panics
/// Where `a` has another length than `n²`.
pub fn symmetric_eigen(n: usize, a: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut work = Symmetric::default();
    work.solve(n, a, true);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| work.d[i].total_cmp(&work.d[j]));
    let vectors = order.iter().flat_map(|&k| work.v[k * n..(k + 1) * n].iter().copied()).collect();
    (order.iter().map(|&k| work.d[k]).collect(), vectors)
}

/// The eigenvalues alone, in ascending order: [`symmetric_eigen`] at a fraction of its time.
///
/// # Panics
/// Where `a` has another length than `n²`.
pub fn symmetric_eigenvalues(n: usize, a: &[f64]) -> Vec<f64> {
    let mut work = Symmetric::default();
    work.values(n, a).to_vec()
}

/// Memory for many matrices, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Symmetric {
    a: Vec<f64>,
    /// Diagonal of the tridiagonal form, then the eigenvalues.
    d: Vec<f64>,
    /// `e[i]` stands beside `d[i]` and `d[i + 1]`.
    e: Vec<f64>,
    /// Eigenvectors as rows.
    v: Vec<f64>,
    p: Vec<f64>,
}

impl Symmetric {
    /// The eigenvalues in ascending order; see [`symmetric_eigen`].
    pub(crate) fn values(&mut self, n: usize, a: &[f64]) -> &[f64] {
        self.solve(n, a, false);
        self.d.sort_by(f64::total_cmp);
        &self.d
    }

    fn solve(&mut self, n: usize, a: &[f64], vectors: bool) {
        assert_eq!(a.len(), n * n, "a square matrix");
        let lower = |i: usize| a[i * n..=i * n + i].iter();
        let finite = (0..n).flat_map(lower).all(|v| v.is_finite());
        let scale = (0..n).flat_map(lower).fold(0.0f64, |most, v| most.max(v.abs()));
        self.a.clear();
        self.a.extend_from_slice(a);
        for entries in [&mut self.d, &mut self.e, &mut self.p] {
            entries.clear();
            entries.resize(n, if finite { 0.0 } else { f64::NAN });
        }
        self.v.clear();
        self.v.resize(if vectors { n * n } else { 0 }, if finite { 0.0 } else { f64::NAN });
        if !finite {
            return;
        }
        if vectors {
            (0..n).for_each(|i| self.v[i * n + i] = 1.0);
        }
        if scale == 0.0 {
            return;
        }
        // The largest entry becomes 1, so that no product over- or underflows where it matters.
        self.a.iter_mut().for_each(|v| *v /= scale);
        self.tridiagonalise(n, vectors);
        self.diagonalise(n, vectors);
        self.d.iter_mut().for_each(|v| *v *= scale);
    }

    /// `T = H … A … H` by reflections that clear column after column below the subdiagonal.
    fn tridiagonalise(&mut self, n: usize, vectors: bool) {
        let Symmetric { a, d, e, v, p } = self;
        // The reflections are kept in the columns that they clear, and their factors 2/vᵀv above the diagonal.
        for k in 0..n.saturating_sub(2) {
            let length = (k + 1..n).map(|i| a[i * n + k] * a[i * n + k]).sum::<f64>().sqrt();
            let first = a[(k + 1) * n + k];
            let off = if first > 0.0 { -length } else { length };
            (d[k], e[k]) = (a[k * n + k], off);
            let factor = if length == 0.0 { 0.0 } else { 1.0 / (length * (length + first.abs())) };
            a[k * n + k + 1] = factor;
            if factor == 0.0 || !factor.is_finite() {
                a[k * n + k + 1] = 0.0;
                e[k] = first;
                continue;
            }
            a[(k + 1) * n + k] = first - off;
            // A ← A − v wᵀ − w vᵀ with p = factor·A v and w = p − (factor/2)(pᵀv) v, in the lower triangle alone.
            for i in k + 1..n {
                let left: f64 = (k + 1..=i).map(|j| a[i * n + j] * a[j * n + k]).sum();
                let right: f64 = (i + 1..n).map(|j| a[j * n + i] * a[j * n + k]).sum();
                p[i] = factor * (left + right);
            }
            let half = 0.5 * factor * (k + 1..n).map(|i| p[i] * a[i * n + k]).sum::<f64>();
            (k + 1..n).for_each(|i| p[i] -= half * a[i * n + k]);
            for i in k + 1..n {
                let vi = a[i * n + k];
                for j in k + 1..=i {
                    a[i * n + j] -= vi * p[j] + p[i] * a[j * n + k];
                }
            }
        }
        if n >= 2 {
            (d[n - 2], e[n - 2]) = (a[(n - 2) * n + n - 2], a[(n - 1) * n + n - 2]);
        }
        d[n - 1] = a[n * n - 1];
        if vectors {
            // Row k of `v` is column k of H₀ H₁ …, built from the last reflection so that each touches few entries.
            for k in (0..n.saturating_sub(2)).rev() {
                let factor = a[k * n + k + 1];
                for row in v.chunks_exact_mut(n).skip(k + 1) {
                    let s = factor * (k + 1..n).map(|i| a[i * n + k] * row[i]).sum::<f64>();
                    (k + 1..n).for_each(|i| row[i] -= s * a[i * n + k]);
                }
            }
        }
    }

    /// The QL method: rotations that make the off-diagonal vanish, from the upper end on.
    fn diagonalise(&mut self, n: usize, vectors: bool) {
        let Symmetric { d, e, v, .. } = self;
        for l in 0..n {
            for _ in 0..TURNS {
                let small = |m: usize| e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs());
                let m = (l..n - 1).find(|&m| small(m)).unwrap_or(n - 1);
                if m == l {
                    break;
                }
                // Wilkinson's shift: the eigenvalue of the leading 2 × 2 block that is nearer to d[l].
                let g = (d[l + 1] - d[l]) / (2.0 * e[l]);
                let r = g.hypot(1.0);
                let mut g = d[m] - d[l] + e[l] / (g + r.copysign(g));
                let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
                let mut split = false;
                for i in (l..m).rev() {
                    let (f, b) = (s * e[i], c * e[i]);
                    let r = (f * f + g * g).sqrt();
                    e[i + 1] = r;
                    if r == 0.0 {
                        d[i + 1] -= p;
                        e[m] = 0.0;
                        split = true;
                        break;
                    }
                    (s, c) = (f / r, g / r);
                    g = d[i + 1] - p;
                    let r = (d[i] - g) * s + 2.0 * c * b;
                    p = s * r;
                    d[i + 1] = g + p;
                    g = c * r - b;
                    if vectors {
                        let (upper, lower) = v.split_at_mut((i + 1) * n);
                        for (x, y) in upper[i * n..].iter_mut().zip(&mut lower[..n]) {
                            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                        }
                    }
                }
                if !split {
                    d[l] -= p;
                    e[l] = g;
                    e[m] = 0.0;
                }
            }
        }
    }
}

/// Smallest and largest eigenvalue of a symmetric tridiagonal matrix with this diagonal and these entries beside it.
pub(crate) fn tridiagonal_ends(diagonal: &[f64], beside: &[f64]) -> [f64; 2] {
    let n = diagonal.len();
    if n == 0 || !diagonal.iter().chain(beside).all(|v| v.is_finite()) {
        return [f64::NAN; 2];
    }
    let reach = |i: usize| {
        let left = if i > 0 { beside[i - 1].abs() } else { 0.0 };
        left + if i + 1 < n { beside[i].abs() } else { 0.0 }
    };
    // Gershgorin's discs hold all eigenvalues; the signs of Sturm's sequence count those below a number.
    let lo = (0..n).map(|i| diagonal[i] - reach(i)).fold(f64::INFINITY, f64::min);
    let hi = (0..n).map(|i| diagonal[i] + reach(i)).fold(f64::NEG_INFINITY, f64::max);
    let tiny = f64::MIN_POSITIVE.max(f64::EPSILON * f64::EPSILON * (hi - lo).abs());
    let below = |at: f64| {
        // A pivot that vanishes counts as negative, and the next one divides by it.
        let signed = |pivot: f64| if pivot.abs() < tiny { -tiny } else { pivot };
        let mut pivot = signed(diagonal[0] - at);
        let mut count = usize::from(pivot < 0.0);
        for i in 1..n {
            pivot = signed(diagonal[i] - at - beside[i - 1] * beside[i - 1] / pivot);
            count += usize::from(pivot < 0.0);
        }
        count
    };
    let find = |wanted: usize| {
        let (mut lo, mut hi) = (lo, hi);
        for _ in 0..200 {
            let middle = 0.5 * (lo + hi);
            if middle <= lo || middle >= hi {
                break;
            }
            if below(middle) >= wanted { hi = middle } else { lo = middle }
        }
        0.5 * (lo + hi)
    };
    [find(1), find(n)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in (-1, 1) without a pattern, as a symmetric matrix.
    fn noise(n: usize, seed: usize) -> Vec<f64> {
        let one = |i: usize, j: usize| ((seed * 1000 + i * n + j + 1) as f64 * 12.9898).sin() * 43758.5453 % 1.0;
        (0..n * n).map(|at| one((at / n).max(at % n), (at / n).min(at % n))).collect()
    }

    /// The largest entry of `A V − V Λ` and of `Vᵀ V − 1`.
    fn defect(n: usize, a: &[f64], values: &[f64], vectors: &[f64]) -> f64 {
        let mut worst = 0f64;
        for k in 0..n {
            let v = &vectors[k * n..][..n];
            for i in 0..n {
                let av: f64 = (0..n).map(|j| a[i * n + j] * v[j]).sum();
                worst = worst.max((av - values[k] * v[i]).abs());
            }
            for l in 0..n {
                let dot: f64 = (0..n).map(|i| v[i] * vectors[l * n + i]).sum();
                worst = worst.max((dot - f64::from(u8::from(k == l))).abs());
            }
        }
        worst
    }

    #[test]
    fn decompositions_hold() {
        for n in [1, 2, 3, 4, 5, 8, 13, 32, 60] {
            for seed in 0..20 {
                let a = noise(n, seed);
                let (values, vectors) = symmetric_eigen(n, &a);
                let off = defect(n, &a, &values, &vectors);
                assert!(off < 4e-15 * n as f64, "{n} {seed}: {off}");
                assert!(values.is_sorted());
                let alone = symmetric_eigenvalues(n, &a);
                let gap = values.iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(gap < 2e-15 * n as f64, "{n} {seed}: {gap}");
                // The alarm rings where one entry is off.
                let mut wrong = a.clone();
                wrong[n * n - 1] += 1e-10;
                assert!(defect(n, &wrong, &values, &vectors) > 1e-12);
            }
        }
    }

    #[test]
    fn known_spectra() {
        // The second difference: 2 − 2 cos(kπ/(n + 1)).
        let n = 20usize;
        let a: Vec<f64> = (0..n * n)
            .map(|at| match (at / n).abs_diff(at % n) {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            })
            .collect();
        for (k, value) in symmetric_eigenvalues(n, &a).into_iter().enumerate() {
            let want = 2.0 - 2.0 * ((k + 1) as f64 * std::f64::consts::PI / (n + 1) as f64).cos();
            assert!((value - want).abs() < 1e-14, "{k}: {value} {want}");
        }
        let near = |a: &[f64], want: &[f64]| {
            let values = symmetric_eigenvalues(want.len(), a);
            assert!(values.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-15 * 7.0), "{values:?}");
        };
        near(&[0.0, 1.0, 1.0, 0.0], &[-1.0, 1.0]);
        near(&[3.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 2.0], &[-1.0, 2.0, 3.0]);
        near(&[-7.0], &[-7.0]);
        // All ones: n and n − 1 zeros.
        let ones = symmetric_eigenvalues(9, &[1.0; 81]);
        assert!((ones[8] - 9.0).abs() < 1e-13 && ones[..8].iter().all(|v| v.abs() < 1e-14), "{ones:?}");
    }

    #[test]
    fn any_size_of_numbers_and_none() {
        for scale in [1e-300, 1e300, 1e-160] {
            let a: Vec<f64> = noise(6, 3).iter().map(|v| v * scale).collect();
            let values = symmetric_eigenvalues(6, &a);
            for (got, want) in values.iter().zip(symmetric_eigenvalues(6, &noise(6, 3))) {
                assert!((got / scale - want).abs() < 1e-14, "{scale}");
            }
        }
        assert_eq!(symmetric_eigen(2, &[0.0; 4]), (vec![0.0; 2], vec![1.0, 0.0, 0.0, 1.0]));
        assert!(symmetric_eigen(2, &[1.0, 0.0, f64::NAN, 1.0]).0.iter().all(|v| v.is_nan()));
        assert!(symmetric_eigenvalues(2, &[f64::INFINITY, 0.0, 0.0, 1.0]).iter().all(|v| v.is_nan()));
        assert!(symmetric_eigenvalues(0, &[]).is_empty());
        // Entries of very different size, as in the Hessian of a narrow valley.
        let (values, vectors) = symmetric_eigen(3, &[1e12, 1.0, 1e-3, 1.0, 1.0, 1e-6, 1e-3, 1e-6, 1e-9]);
        assert!((values[2] / 1e12 - 1.0).abs() < 1e-12 && vectors.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn ends_of_a_tridiagonal_matrix() {
        // The second difference: 2 - 2 cos(k π / (n + 1)).
        let n = 50;
        let [lo, hi] = tridiagonal_ends(&vec![2.0; n], &vec![-1.0; n - 1]);
        let exact = |k: usize| 2.0 - 2.0 * (k as f64 * std::f64::consts::PI / (n + 1) as f64).cos();
        assert!((lo - exact(1)).abs() < 1e-13 && (hi - exact(n)).abs() < 1e-13);
        assert_eq!(tridiagonal_ends(&[3.0], &[]), [3.0, 3.0]);
    }
}
