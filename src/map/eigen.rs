//! Eigenvalues and eigenvectors of a small symmetric matrix, by cyclic Jacobi rotations (Golub & Van Loan §8.5).

/// Eigenvalues, ascending, and for each its unit vector; `a` is row-major, `n` × `n`.
pub(crate) fn symmetric(a: &[f64], n: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut a = a.to_vec();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..60 {
        let off: f64 = (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j].powi(2)).sum();
        let all: f64 = a.iter().map(|v| v * v).sum();
        if !(off > 1e-30 * all) {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                    let (x, y) = (vectors[p][k], vectors[q][k]);
                    (vectors[p][k], vectors[q][k]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    let mut pairs: Vec<(f64, Vec<f64>)> = (0..n).map(|i| a[i * n + i]).zip(vectors).collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.into_iter().unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_diagonalise() {
        let n = 5;
        let a: Vec<f64> = (0..n * n).map(|k| 1.0 / ((k / n + k % n) as f64 + 1.0)).collect();
        let (values, vectors) = symmetric(&a, n);
        // Eigenvalues of the Hilbert matrix of order 5.
        for (value, known) in values.iter().zip([3.287929e-6, 3.058980e-4, 1.140749e-2, 2.085342e-1, 1.567051]) {
            assert!((value / known - 1.0).abs() < 1e-5, "{value} {known}");
        }
        for (value, v) in values.iter().zip(&vectors) {
            for i in 0..n {
                let product: f64 = (0..n).map(|j| a[i * n + j] * v[j]).sum();
                assert!((product - value * v[i]).abs() < 1e-12);
            }
        }
    }
}
