//! Eigenvalues of symmetric matrices, small ones whole and large ones from products alone.
//!
//! The cyclic Jacobi method is a page of code, finds small eigenvalues to the accuracy that the matrix determines them to
//! (Demmel & Veselić 1992), and at some hundred rows it is fast enough; a linear algebra crate would bring weight and no digit.

/// Turns of the Jacobi method; ten suffice, and more would mean numbers that are not finite.
const SWEEPS: usize = 60;

/// Eigenvalues in ascending order and eigenvectors of a symmetric `n × n` matrix (row-major): vector `k` is
/// `vectors[k·n..][..n]`, of length 1. Where the matrix is not finite all eigenvalues are NaN.
pub(crate) fn symmetric_eigen(n: usize, matrix: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; n * n];
    for i in 0..n {
        vectors[i * n + i] = 1.0;
    }
    if !matrix.iter().all(|v| v.is_finite()) {
        return (vec![f64::NAN; n], vectors);
    }
    // A power of two brings the largest entry near 1: squares neither overflow nor vanish.
    let largest = matrix.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    if largest == 0.0 {
        return (vec![0.0; n], vectors);
    }
    let scale = (-largest.log2().floor()).clamp(-1000.0, 1000.0).exp2();
    let mut a: Vec<f64> = matrix.iter().map(|v| v * scale).collect();
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                turned |= rotate(n, &mut a, &mut vectors, p, q);
            }
        }
        if !turned {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[i * n + i].total_cmp(&a[j * n + j]));
    let values = order.iter().map(|&k| a[k * n + k] / scale).collect();
    let vectors = order.iter().flat_map(|&k| vectors[k * n..][..n].iter().copied()).collect();
    (values, vectors)
}

/// Turns the plane of `p` and `q` so that their entry vanishes; whether it was there.
fn rotate(n: usize, a: &mut [f64], vectors: &mut [f64], p: usize, q: usize) -> bool {
    let (off, app, aqq) = (a[p * n + q], a[p * n + p], a[q * n + q]);
    // Next to both diagonal entries it is nothing.
    if off.abs() <= 0.5 * f64::EPSILON * (app.abs() * aqq.abs()).sqrt() || off.abs() < 1e-290 {
        return false;
    }
    let theta = (aqq - app) / (2.0 * off);
    let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let (c, s) = (1.0 / t.hypot(1.0), t / t.hypot(1.0));
    for k in 0..n {
        let (x, y) = (a[p * n + k], a[q * n + k]);
        (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
    }
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
        let (x, y) = (vectors[p * n + k], vectors[q * n + k]);
        (vectors[p * n + k], vectors[q * n + k]) = (c * x - s * y, s * x + c * y);
    }
    (a[p * n + q], a[q * n + p]) = (0.0, 0.0);
    true
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
        let mut pivot = diagonal[0] - at;
        let mut count = usize::from(pivot < 0.0);
        for i in 1..n {
            let safe = if pivot.abs() < tiny { -tiny } else { pivot };
            pivot = diagonal[i] - at - beside[i - 1] * beside[i - 1] / safe;
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

    /// `Q diag(values) Qᵀ` with a fixed full reflection `Q`.
    fn reflected(values: &[f64]) -> Vec<f64> {
        let n = values.len();
        let u: Vec<f64> = (0..n).map(|i| 1.0 + (i * i % 7) as f64).collect();
        let norm: f64 = u.iter().map(|v| v * v).sum();
        let q = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * u[i] * u[j] / norm;
        let entry = |i: usize, j: usize| (0..n).map(|k| q(i, k) * values[k] * q(j, k)).sum();
        (0..n * n).map(|at| entry(at / n, at % n)).collect()
    }

    #[test]
    fn eigenvalues_of_a_reflected_diagonal() {
        for n in [1, 2, 3, 8, 40] {
            let mut values: Vec<f64> =
                (0..n).map(|i| ((i * 37 % 11) as f64 - 4.0) * 1.5f64.powi(i as i32 % 5)).collect();
            let matrix = reflected(&values);
            let (found, vectors) = symmetric_eigen(n, &matrix);
            values.sort_by(f64::total_cmp);
            let scale = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            for (f, v) in found.iter().zip(&values) {
                assert!((f - v).abs() <= 1e-13 * scale, "{found:?} for {values:?}");
            }
            for k in 0..n {
                let v = &vectors[k * n..][..n];
                for i in 0..n {
                    let product: f64 = (0..n).map(|j| matrix[i * n + j] * v[j]).sum();
                    assert!((product - found[k] * v[i]).abs() <= 1e-12 * scale);
                }
            }
        }
    }

    #[test]
    fn extreme_scales_and_what_is_not_finite() {
        assert_eq!(symmetric_eigen(2, &[0.0; 4]).0, [0.0, 0.0]);
        assert!(symmetric_eigen(2, &[f64::NAN; 4]).0[0].is_nan());
        for scale in [1e-200, 1e200] {
            let found = symmetric_eigen(2, &[2.0 * scale, scale, scale, 2.0 * scale]).0;
            assert!((found[0] / scale - 1.0).abs() < 1e-14 && (found[1] / scale - 3.0).abs() < 1e-14);
        }
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
