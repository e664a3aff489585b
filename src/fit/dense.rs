//! The two factorisations that a fit needs, for tall thin and for small matrices, column by column.
//!
//! `A = QR` by Householder reflections turns n rows into p (Golub & Van Loan §5.2); `R = U S Vᵀ` by one-sided Jacobi
//! rotations (Demmel & Veselić 1992) then gives steps, ranks and covariances with small relative errors. Both are a few
//! dozen lines: with p at most a few dozen, a linear algebra crate would bring weight and no digit.

/// Turns of the Jacobi method; a handful suffice, and more would mean numbers that are not finite.
const SWEEPS: usize = 40;

/// The scalar product, summed in eight strands.
#[inline]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut strands = [0.0; 8];
    let (mut left, mut right) = (a.chunks_exact(8), b.chunks_exact(8));
    for (a, b) in left.by_ref().zip(right.by_ref()) {
        for k in 0..8 {
            strands[k] += a[k] * b[k];
        }
    }
    let rest: f64 = left.remainder().iter().zip(right.remainder()).map(|(a, b)| a * b).sum();
    let [a, b, c, d, e, f, g, h] = strands;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}

/// `a += s·b`.
#[inline]
fn add_scaled(a: &mut [f64], s: f64, b: &[f64]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += s * b;
    }
}

/// A sum that carries its own rounding error (Neumaier 1974).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    head: f64,
    rest: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, value: f64) {
        let sum = self.head + value;
        // What rounding took: exact, from whichever is larger.
        let (large, small) = if self.head.abs() >= value.abs() { (self.head, value) } else { (value, self.head) };
        if sum.is_finite() {
            self.rest += (large - sum) + small;
        }
        self.head = sum;
    }

    pub(crate) fn total(self) -> f64 {
        self.head + self.rest
    }
}

/// What is left of n rows: `‖J d + r‖² = ‖R d + z‖² + a rest that no d changes`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Factor {
    /// How many columns.
    pub(crate) p: usize,
    /// R, column by column, zero below the diagonal.
    pub(crate) r: Vec<f64>,
    /// The first p numbers of `Qᵀ r`.
    pub(crate) z: Vec<f64>,
}

impl Factor {
    pub(crate) fn column(&self, j: usize) -> &[f64] {
        &self.r[j * self.p..][..self.p]
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.r.iter().chain(&self.z).all(|v| v.is_finite())
    }

    /// The gradient of half the sum of squares, `Rᵀ z`.
    pub(crate) fn gradient(&self, j: usize) -> f64 {
        dot(self.column(j), &self.z)
    }

    /// The length of column `j` of J.
    pub(crate) fn length(&self, j: usize) -> f64 {
        let column = self.column(j);
        dot(column, column).sqrt()
    }

    /// `R d`, written to `out`.
    pub(crate) fn apply(&self, d: &[f64], out: &mut Vec<f64>) {
        out.clear();
        out.resize(self.p, 0.0);
        for (j, &d) in d.iter().enumerate() {
            add_scaled(out, d, self.column(j));
        }
    }

    /// Takes over the triangle of `a`: `p + 1` columns of `stride` numbers each, of which `rows` count; the last is the
    /// residual. What was in `a` is lost.
    pub(crate) fn reduce(&mut self, a: &mut [f64], stride: usize, rows: usize, p: usize) {
        triangularise(a, stride, rows, p);
        self.p = p;
        self.r.clear();
        self.r.resize(p * p, 0.0);
        self.z.clear();
        self.z.resize(p, 0.0);
        for j in 0..=p {
            let count = rows.min(if j < p { j + 1 } else { p });
            let from = &a[j * stride..][..count];
            let to = if j < p { &mut self.r[j * p..] } else { &mut self.z[..] };
            to[..count].copy_from_slice(from);
        }
    }

    /// Adds the rows that another factor stands for.
    pub(crate) fn join(&mut self, other: &Factor) {
        let p = other.p;
        if self.p != p {
            self.clone_from(other);
            return;
        }
        let mut a = Vec::with_capacity(2 * p * (p + 1));
        for j in 0..=p {
            for half in [&*self, other] {
                a.extend_from_slice(if j < p { half.column(j) } else { &half.z });
            }
        }
        self.reduce(&mut a, 2 * p, 2 * p, p);
    }
}

/// Householder reflections over the first `p` of `p + 1` columns.
fn triangularise(a: &mut [f64], stride: usize, rows: usize, p: usize) {
    for k in 0..p.min(rows) {
        let (left, right) = a.split_at_mut((k + 1) * stride);
        let v = &mut left[k * stride + k..k * stride + rows];
        let length = dot(v, v).sqrt();
        if length == 0.0 {
            continue;
        }
        let diagonal = if v[0] > 0.0 { -length } else { length };
        let inverse = 1.0 / (length * (length + v[0].abs()));
        v[0] -= diagonal;
        for column in right.chunks_mut(stride).take(p - k) {
            let rest = &mut column[k..rows];
            let s = dot(v, rest) * inverse;
            add_scaled(rest, -s, v);
        }
        v[0] = diagonal;
    }
}

/// `A = U S Vᵀ` for a small `A`, as a step needs it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Singular {
    rows: usize,
    /// How many columns A has.
    pub(crate) count: usize,
    /// A on entry, U S on exit.
    pub(crate) a: Vec<f64>,
    v: Vec<f64>,
    /// Singular values, in no order.
    pub(crate) s: Vec<f64>,
    /// `Uᵀ z`; 0 along singular values that count as zero.
    pub(crate) uz: Vec<f64>,
}

impl Singular {
    /// Column `k` of V.
    pub(crate) fn v(&self, k: usize) -> &[f64] {
        &self.v[k * self.count..][..self.count]
    }

    /// Makes room for a matrix of `rows` by `count`; the caller fills `a`, column by column.
    pub(crate) fn clear(&mut self, rows: usize, count: usize) {
        (self.rows, self.count) = (rows, count);
        self.a.clear();
        self.a.reserve(rows * count);
    }

    /// Decomposes `a`. Singular values below `cut` times the largest count as zero and are set so.
    pub(crate) fn decompose(&mut self, z: &[f64], cut: f64) {
        let (m, n) = (self.rows, self.count);
        self.v.clear();
        self.v.resize(n * n, 0.0);
        for k in 0..n {
            self.v[k * n + k] = 1.0;
        }
        for _ in 0..SWEEPS {
            let mut turned = false;
            for i in 0..n {
                for j in i + 1..n {
                    turned |= rotate(&mut self.a, &mut self.v, m, n, i, j);
                }
            }
            if !turned {
                break;
            }
        }
        self.s.clear();
        self.s.extend(self.a.chunks_exact(m).map(|c| dot(c, c).sqrt()));
        let largest = self.s.iter().copied().fold(0.0, f64::max);
        self.uz.clear();
        for (s, column) in self.s.iter_mut().zip(self.a.chunks_exact(m)) {
            let kept = *s > cut * largest;
            self.uz.push(if kept { dot(column, z) / *s } else { 0.0 });
            if !kept {
                *s = 0.0;
            }
        }
    }

    /// How many singular values are not zero.
    pub(crate) fn rank(&self) -> usize {
        self.s.iter().filter(|&&s| s > 0.0).count()
    }

    /// The largest over the smallest singular value; infinite where one is zero.
    pub(crate) fn condition(&self) -> f64 {
        let (lo, hi) = self.s.iter().fold((f64::INFINITY, 0.0f64), |(lo, hi), &s| (lo.min(s), hi.max(s)));
        hi / lo
    }
}

/// Makes columns `i` and `j` orthogonal; tells whether they were not.
fn rotate(a: &mut [f64], v: &mut [f64], m: usize, n: usize, i: usize, j: usize) -> bool {
    let (left, right) = a.split_at_mut(j * m);
    let (x, y) = (&mut left[i * m..][..m], &mut right[..m]);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(&*y) {
        xx += x * x;
        yy += y * y;
        xy += x * y;
    }
    if !(xy.abs() > (m as f64).sqrt() * f64::EPSILON * (xx * yy).sqrt()) {
        return false;
    }
    let zeta: f64 = (yy - xx) / (2.0 * xy);
    // √(1 + ζ²), where ζ² may be too large a number.
    let root = if zeta.abs() < 1e100 { (1.0 + zeta * zeta).sqrt() } else { zeta.abs() };
    let t = zeta.signum() / (zeta.abs() + root);
    let c = 1.0 / (1.0 + t * t).sqrt();
    let s = c * t;
    turn(x, y, c, s);
    let (left, right) = v.split_at_mut(j * n);
    turn(&mut left[i * n..][..n], &mut right[..n], c, s);
    true
}

fn turn(x: &mut [f64], y: &mut [f64], c: f64, s: f64) {
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in (-1, 1) without a pattern.
    fn noise(count: usize) -> Vec<f64> {
        (0..count).map(|i| ((i as f64 + 1.0) * 12.9898).sin() * 43758.5453 % 1.0).collect()
    }

    #[test]
    fn the_triangle_keeps_all_products_of_columns() {
        for (rows, p) in [(1, 3), (3, 3), (7, 3), (50, 6), (200, 1)] {
            let a = noise(rows * (p + 1));
            let mut factor = Factor::default();
            factor.reduce(&mut a.clone(), rows, rows, p);
            for i in 0..p {
                for j in 0..=p {
                    let kept = if j < p { factor.column(j) } else { &factor.z };
                    let want = dot(&a[i * rows..][..rows], &a[j * rows..][..rows]);
                    assert!((dot(factor.column(i), kept) - want).abs() < 1e-13 * rows as f64, "{rows} {p} {i} {j}");
                }
            }
        }
    }

    #[test]
    fn parts_join_to_the_whole() {
        let (rows, p) = (40, 4);
        let a = noise(rows * (p + 1));
        let part = |from: usize, to: usize| {
            let mut rows_of: Vec<f64> = (0..=p).flat_map(|j| a[j * rows + from..j * rows + to].to_vec()).collect();
            let mut factor = Factor::default();
            factor.reduce(&mut rows_of, to - from, to - from, p);
            factor
        };
        let mut joined = Factor::default();
        for (from, to) in [(0, 17), (17, 19), (19, 40)] {
            joined.join(&part(from, to));
        }
        let whole = part(0, 40);
        for j in 0..p {
            assert!((joined.gradient(j) - whole.gradient(j)).abs() < 1e-13);
            assert!((joined.length(j) - whole.length(j)).abs() < 1e-13);
        }
    }

    #[test]
    fn singular_values_are_right_and_small_ones_too() {
        // Diagonal times a rotation by known angles: singular values 1, 1e-5, 1e-9.
        let (c, s) = (0.8, 0.6);
        let mut svd = Singular::default();
        svd.clear(3, 3);
        svd.a.extend([c, s * 1e-5, 0.0, -s, c * 1e-5, 0.0, 0.0, 0.0, 1e-9]);
        svd.decompose(&[1.0, 2.0, 3.0], 1e-12);
        let mut found = svd.s.clone();
        found.sort_by(f64::total_cmp);
        for (found, want) in found.iter().zip([1e-9, 1e-5, 1.0]) {
            assert!((found / want - 1.0).abs() < 1e-13, "{found} {want}");
        }
        assert!((svd.condition() * 1e-9 - 1.0).abs() < 1e-12 && svd.rank() == 3);
        svd.clear(2, 2);
        svd.a.extend([1.0, 2.0, 2.0, 4.0]);
        svd.decompose(&[1.0, 1.0], 1e-12);
        assert_eq!(svd.rank(), 1);
    }

    #[test]
    fn sums_keep_what_rounding_takes() {
        let mut sum = Sum::default();
        for v in [1e16, 1.0, -1e16, 1e-3] {
            sum.add(v);
        }
        assert_eq!(sum.total(), 1.001);
    }
}
