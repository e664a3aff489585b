//! A Levenberg–Marquardt in plain `f64`, with central differences: it shares nothing with the code under test.

/// Where it ended.
pub struct Minimum {
    pub x: Vec<f64>,
    pub rss: f64,
    /// Standard errors: `sqrt(diag((JᵀJ)⁻¹) rss / (rows - p))`.
    pub errors: Vec<f64>,
}

fn squares(r: &[f64]) -> f64 {
    r.iter().map(|v| v * v).sum()
}

/// Gauss–Jordan elimination with pivoting: the inverse of a small matrix.
fn inverse(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    for (i, row) in a.iter_mut().enumerate() {
        row.extend((0..n).map(|j| f64::from(u8::from(i == j))));
    }
    for c in 0..n {
        let pivot = (c..n).max_by(|&i, &j| a[i][c].abs().total_cmp(&a[j][c].abs())).expect("rows");
        a.swap(c, pivot);
        let scale = 1.0 / a[c][c];
        a[c].iter_mut().for_each(|v| *v *= scale);
        let source = a[c].clone();
        for (i, row) in a.iter_mut().enumerate().filter(|(i, _)| *i != c) {
            let factor = row[c];
            assert!(i < n);
            row.iter_mut().zip(&source).for_each(|(v, s)| *v -= factor * s);
        }
    }
    a.into_iter().map(|row| row[n..].to_vec()).collect()
}

fn normal(x: &[f64], residuals: &impl Fn(&[f64]) -> Vec<f64>) -> (Vec<Vec<f64>>, Vec<f64>) {
    let r = residuals(x);
    let columns: Vec<Vec<f64>> = (0..x.len())
        .map(|i| {
            let h = 1e-6 * x[i].abs().max(1e-3);
            let at = |step: f64| {
                let mut y = x.to_vec();
                y[i] += step;
                residuals(&y)
            };
            at(h).iter().zip(at(-h)).map(|(a, b)| (a - b) / (2.0 * h)).collect()
        })
        .collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let h = columns.iter().map(|a| columns.iter().map(|b| dot(a, b)).collect()).collect();
    (h, columns.iter().map(|a| dot(a, &r)).collect())
}

/// The least sum of squares near `start`.
pub fn minimise(start: &[f64], residuals: impl Fn(&[f64]) -> Vec<f64>) -> Minimum {
    let mut x = start.to_vec();
    let mut rss = squares(&residuals(&x));
    let mut lambda = 1e-3;
    for _ in 0..300 {
        let (h, g) = normal(&x, &residuals);
        let mut damped = h.clone();
        (0..x.len()).for_each(|i| damped[i][i] *= 1.0 + lambda);
        let solved = inverse(damped);
        let y: Vec<f64> =
            (0..x.len()).map(|i| x[i] - solved[i].iter().zip(&g).map(|(a, b)| a * b).sum::<f64>()).collect();
        let now = squares(&residuals(&y));
        let small = x.iter().zip(&y).all(|(a, b)| (a - b).abs() <= 1e-12 * a.abs());
        if now <= rss {
            (x, rss, lambda) = (y, now, lambda / 10.0);
        } else {
            lambda *= 10.0;
        }
        if small || lambda > 1e12 {
            break;
        }
    }
    let (h, _) = normal(&x, &residuals);
    let rows = residuals(&x).len();
    let variance = rss / (rows.saturating_sub(x.len()).max(1)) as f64;
    let solved = inverse(h);
    let errors = (0..x.len()).map(|i| (solved[i][i] * variance).sqrt()).collect();
    Minimum { x, rss, errors }
}
