//! `ela_meta`: how well linear and quadratic models explain the values.

use super::moments::mean;
use super::{Features, Sample, named};
use crate::fit::dense::{Factor, Singular, dot};

/// Columns of a model at most; a larger one takes minutes, and more points than a sample has.
const MOST_COLUMNS: usize = 500;
/// Diagonal entries of a triangle that differ by more may hide a column which the others make up.
const DOUBTFUL: f64 = 1e-9;

/// `lin_simple.adj_r2`, `.intercept`, `.coef.min`, `.coef.max`, `.coef.max_by_min`: a linear model and the size of its coefficients;
/// `lin_w_interact.adj_r2`: with the products of pairs of coordinates; `quad_simple.adj_r2` and `.cond`: with squares, and the
/// largest over the smallest of their coefficients; `quad_w_interact.adj_r2`: with the products of all pairs of coordinates *and
/// squares*, x·x² and x²·z² among them, as pflacco has it.
///
/// R² is adjusted by the number of columns p, `1 − (1 − R²)(m − 1)/(m − p − 1)`. A model is NaN where p ≥ m − 1 or p > 500, and R² of
/// constant values. Where columns depend on each other, coefficients are the shortest (between columns scaled to one length).
pub fn ela_meta(sample: &Sample) -> Features {
    let plain: Vec<Vec<f64>> = (0..sample.dim()).map(|i| sample.column(i)).collect();
    let squared: Vec<Vec<f64>> =
        plain.iter().cloned().chain(plain.iter().map(|c| c.iter().map(|v| v * v).collect())).collect();
    let linear = Model::fit(sample, &plain);
    let quadratic = Model::fit(sample, &squared);
    let [low, high] = extremes(&linear.coefficients);
    let [flat, steep] = extremes(quadratic.coefficients.get(plain.len()..).unwrap_or_default());
    named(
        "ela_meta",
        [
            ("lin_simple.adj_r2", linear.adjusted),
            ("lin_simple.intercept", linear.intercept),
            ("lin_simple.coef.min", low),
            ("lin_simple.coef.max", high),
            ("lin_simple.coef.max_by_min", high / low),
            ("lin_w_interact.adj_r2", with_products(sample, plain).adjusted),
            ("quad_simple.adj_r2", quadratic.adjusted),
            ("quad_simple.cond", steep / flat),
            ("quad_w_interact.adj_r2", with_products(sample, squared).adjusted),
        ],
    )
}

/// A model of these columns and the products of their pairs.
fn with_products(sample: &Sample, mut columns: Vec<Vec<f64>>) -> Model {
    let p = columns.len();
    if p * (p + 1) / 2 > MOST_COLUMNS {
        return Model::NONE;
    }
    for i in 0..p {
        for j in i + 1..p {
            let both = columns[i].iter().zip(&columns[j]).map(|(a, b)| a * b).collect();
            columns.push(both);
        }
    }
    Model::fit(sample, &columns)
}

/// The least and the largest in size.
fn extremes(coefficients: &[f64]) -> [f64; 2] {
    match coefficients {
        [] => [f64::NAN; 2],
        all => all.iter().fold([f64::INFINITY, 0.0], |[lo, hi], c| [lo.min(c.abs()), hi.max(c.abs())]),
    }
}

/// Least squares with an intercept.
struct Model {
    intercept: f64,
    coefficients: Vec<f64>,
    adjusted: f64,
}

impl Model {
    const NONE: Model = Model { intercept: f64::NAN, coefficients: Vec::new(), adjusted: f64::NAN };

    fn fit(sample: &Sample, columns: &[Vec<f64>]) -> Model {
        let (m, p) = (sample.points(), columns.len());
        if p + 1 >= m || p > MOST_COLUMNS {
            return Model::NONE;
        }
        // Centred, which takes the intercept out, and of length 1, which makes a triangle's diagonal tell about rank.
        let centred = |column: &[f64]| {
            let centre = mean(column);
            (centre, column.iter().map(|v| v - centre).collect::<Vec<f64>>())
        };
        let (mut means, mut lengths, mut a) = (Vec::new(), Vec::new(), Vec::with_capacity(m * (p + 1)));
        for column in columns {
            let (centre, off) = centred(column);
            let length = match dot(&off, &off).sqrt() {
                0.0 => 1.0,
                length => length,
            };
            a.extend(off.iter().map(|v| v / length));
            means.push(centre);
            lengths.push(length);
        }
        let (level, off) = centred(sample.y());
        a.extend_from_slice(&off);
        let mut factor = Factor::default();
        factor.reduce(&mut a.clone(), m, m, p);
        let scaled = solve(&factor, m);
        let mut rest = off.clone();
        for (column, &c) in a.chunks_exact(m).zip(&scaled) {
            rest.iter_mut().zip(column).for_each(|(r, a)| *r -= c * a);
        }
        let share = dot(&rest, &rest) / dot(&off, &off);
        let coefficients: Vec<f64> = scaled.iter().zip(&lengths).map(|(c, length)| c / length).collect();
        Model {
            intercept: level - coefficients.iter().zip(&means).map(|(c, m)| c * m).sum::<f64>(),
            coefficients,
            adjusted: 1.0 - share * (m as f64 - 1.0) / (m - p - 1) as f64,
        }
    }
}

/// The shortest solution of least squares from its triangle.
fn solve(factor: &Factor, rows: usize) -> Vec<f64> {
    let p = factor.p;
    let diagonal = |j: usize| factor.column(j)[j].abs();
    let (lo, hi) = (0..p).fold((f64::INFINITY, 0.0f64), |(lo, hi), j| (lo.min(diagonal(j)), hi.max(diagonal(j))));
    if lo > DOUBTFUL * hi {
        let mut out = factor.z.clone();
        for j in (0..p).rev() {
            let column = factor.column(j);
            out[j] /= column[j];
            let value = out[j];
            out[..j].iter_mut().zip(column).for_each(|(o, c)| *o -= value * c);
        }
        return out;
    }
    let mut svd = Singular::default();
    svd.clear(p, p);
    svd.a.extend_from_slice(&factor.r);
    svd.decompose(&factor.z, f64::EPSILON * rows as f64);
    let mut out = vec![0.0; p];
    for k in (0..p).filter(|&k| svd.s[k] > 0.0) {
        let along = svd.uz[k] / svd.s[k];
        out.iter_mut().zip(svd.v(k)).for_each(|(o, v)| *o += along * v);
    }
    out
}
