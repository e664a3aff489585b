//! How sure a fit is of its parameters.
//!
//! The covariance is `σ² (JᵀJ)⁻¹` from the singular values of J with its columns scaled to length one, `σ² = rss / (n − p)`
//! with p the parameters that are not fixed. For a robust loss it is Huber's (1981, §7.6, formula 6.5):
//! `κ² [Σψ²/(n − p)] / m² (JᵀJ)⁻¹` with m the mean of ψ' and `κ = 1 + p/n · var ψ' / m²`. Where data do not determine a parameter
//! there is no standard error, and none is made up.

use super::dense::{Factor, Singular, Sum, dot};
use super::descend::Settings;
use super::loss::Loss;
use super::rows::{Data, Work};
use super::trust::RANK;

/// A parameter's share of a null direction above which it is not determined.
const SHARE: f64 = 1e-6;

/// Whether and why a parameter has no standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Found from the data.
    Free,
    /// Fixed by the request.
    Fixed,
    /// At its lower bound.
    AtLower,
    /// At its upper bound.
    AtUpper,
    /// Other values of it, together with others or alone, fit equally well.
    Undetermined,
}

impl Standing {
    /// As files and documents name it.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Free => "free",
            Standing::Fixed => "fixed",
            Standing::AtLower => "at_lower_bound",
            Standing::AtUpper => "at_upper_bound",
            Standing::Undetermined => "undetermined",
        }
    }
}

/// A parameter as the data have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its standard error, in its units; `None` unless it is free, and where no rows are left to tell the noise by.
    pub standard_error: Option<f64>,
    /// Whether it is free, and if not, why.
    pub standing: Standing,
}

/// What the rows say at a point.
pub(crate) struct Statistics {
    pub(crate) rss: f64,
    pub(crate) residual_sd: Option<f64>,
    pub(crate) standings: Vec<Standing>,
    pub(crate) standard_errors: Vec<Option<f64>>,
    /// Row by row; `None` where either parameter has no standard error.
    pub(crate) correlation: Vec<Vec<Option<f64>>>,
    /// How many directions of the free parameters the data determine.
    pub(crate) rank: usize,
    pub(crate) condition: f64,
}

impl Statistics {
    /// Looks at all rows once more; `counted` of them have a positive weight.
    pub(crate) fn new(work: &mut Work<'_>, data: &Data<'_>, settings: &Settings, x: &[f64], counted: usize) -> Self {
        let p = x.len();
        let rss = work.evaluate(data, x, Loss::Squared);
        let mut factor = Factor::default();
        work.linearize(data, x, Loss::Squared, &mut factor);
        let limits = &settings.limits;
        let estimated = limits.fixed.iter().filter(|f| f.is_none()).count();
        let dof = (counted > estimated).then(|| (counted - estimated) as f64);
        let variance = match settings.loss {
            Loss::Squared => dof.map(|dof| rss / dof),
            loss => dof.and_then(|dof| robust_variance(work, data, x, loss, (counted as f64, estimated as f64, dof))),
        };
        let mut standings: Vec<Standing> = (0..p).map(|j| standing(settings, x, j)).collect();
        let free: Vec<usize> = (0..p).filter(|&j| standings[j] == Standing::Free).collect();
        let covariance = Covariance::new(&factor, x, rss, &free);
        for &j in &covariance.undetermined {
            standings[j] = Standing::Undetermined;
        }
        let known = |j: usize| standings[j] == Standing::Free && variance.is_some();
        let entry = |i: usize, j: usize| (known(i) && known(j)).then(|| covariance.at(i, j));
        let sd = |j: usize| entry(j, j).map(f64::sqrt);
        let correlation = (0..p)
            .map(|i| {
                let one =
                    |j: usize| Some(if i == j { entry(i, i).map(|_| 1.0)? } else { entry(i, j)? / sd(i)? / sd(j)? });
                (0..p).map(one).collect()
            })
            .collect();
        let standard_errors = (0..p).map(|j| Some(sd(j)? * variance?.sqrt())).collect();
        Statistics {
            rss,
            residual_sd: dof.map(|dof| (rss / dof).sqrt()),
            correlation,
            standard_errors,
            rank: covariance.rank,
            condition: covariance.condition,
            standings,
        }
    }
}

fn standing(settings: &Settings, x: &[f64], j: usize) -> Standing {
    let limits = &settings.limits;
    match () {
        () if limits.fixed[j].is_some() => Standing::Fixed,
        () if x[j] <= limits.lo[j] => Standing::AtLower,
        () if x[j] >= limits.hi[j] => Standing::AtUpper,
        () => Standing::Free,
    }
}

/// `(JᵀJ)⁻¹` over the free parameters.
struct Covariance {
    free: Vec<usize>,
    values: Vec<f64>,
    undetermined: Vec<usize>,
    rank: usize,
    condition: f64,
}

impl Covariance {
    fn new(factor: &Factor, x: &[f64], rss: f64, free: &[usize]) -> Covariance {
        let lengths: Vec<f64> = (0..x.len()).map(|j| factor.length(j)).collect();
        let made = lengths.iter().zip(x).map(|(l, x)| (l * x).powi(2)).fold(rss, |a, b| a + b).sqrt();
        // Doubling such a parameter changes the residuals by less than rounding does.
        let idle = |j: usize| lengths[j] == 0.0 || x[j] != 0.0 && lengths[j] * x[j].abs() <= f64::EPSILON * made;
        let (mut undetermined, free): (Vec<usize>, Vec<usize>) = free.iter().partition(|&&j| idle(j));
        let idle = undetermined.len();
        let mut svd = Singular::default();
        svd.clear(factor.p, free.len());
        for &j in &free {
            svd.a.extend(factor.column(j).iter().map(|r| r / lengths[j]));
        }
        svd.decompose(&factor.z, RANK);
        let n = free.len();
        let mut values = vec![0.0; n * n];
        for (k, &s) in svd.s.iter().enumerate() {
            let v = svd.v(k);
            if s == 0.0 {
                undetermined.extend((0..n).filter(|&i| v[i].abs() > SHARE).map(|i| free[i]));
                continue;
            }
            for i in 0..n {
                for j in 0..n {
                    values[i * n + j] += v[i] / s * (v[j] / s);
                }
            }
        }
        for i in 0..n {
            for j in 0..n {
                values[i * n + j] /= lengths[free[i]] * lengths[free[j]];
            }
        }
        let condition = if n == 0 || idle > 0 { f64::INFINITY } else { svd.condition() };
        Covariance { rank: svd.rank(), condition, free, values, undetermined }
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        let place = |j: usize| self.free.iter().position(|&k| k == j);
        match (place(i), place(j)) {
            (Some(i), Some(j)) => self.values[i * self.free.len() + j],
            _ => f64::NAN,
        }
    }
}

/// Huber's σ², with `(n, p, n − p)`; none where the loss is flat on average.
fn robust_variance(
    work: &mut Work<'_>,
    data: &Data<'_>,
    x: &[f64],
    loss: Loss,
    (n, p, dof): (f64, f64, f64),
) -> Option<f64> {
    let (mut psi, mut slope, mut slope_squared) = (Sum::default(), Sum::default(), Sum::default());
    let mut at = 0;
    work.residuals(data, x, (0, data.rows), |residuals| {
        for &r in residuals {
            // Rows of weight zero are no rows.
            if data.roots.is_none_or(|roots| roots[at] > 0.0) {
                let (value, curvature) = loss.influence(r);
                psi.add(value * value);
                slope.add(curvature);
                slope_squared.add(curvature * curvature);
            }
            at += 1;
        }
    });
    let mean = slope.total() / n;
    let spread = slope_squared.total() / n - mean * mean;
    let correction = 1.0 + p / n * spread / (mean * mean);
    (mean > 0.0).then(|| correction.powi(2) * psi.total() / dof / (mean * mean))
}

/// The part of the weighted variance of what is modelled that the model explains; `None` where that is not known.
pub(crate) fn explained(work: &mut Work<'_>, data: &Data<'_>, x: &[f64], rss: f64) -> Option<f64> {
    let y = work.observed(data, x)?;
    let ones;
    let roots = match data.roots {
        Some(roots) => roots,
        None => {
            ones = vec![1.0; y.len()];
            &ones
        }
    };
    let mut weighted = Sum::default();
    y.iter().zip(roots).for_each(|(y, root)| weighted.add(y * root * root));
    let mean = weighted.total() / dot(roots, roots);
    let mut total = Sum::default();
    y.iter().zip(roots).for_each(|(y, root)| total.add(((y - mean) * root).powi(2)));
    (total.total() > 0.0).then(|| 1.0 - rss / total.total())
}
