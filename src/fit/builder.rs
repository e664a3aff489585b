//! What to fit, from where and within what: the request, checked once, and the descents from all starts.

use super::descend::{Descender, End, Settings, Stop};
use super::error::FitError;
use super::loss::Loss;
use super::residuals::Residuals;
use super::rows::{Data, Model, Work};
use super::solutions::{Solution, gather};
use super::statistics::{Estimate, Standing, Statistics, explained};
use super::trust::Limits;
use crate::error::Error;
use crate::random::{Domain, Sampler, Starts};
use rayon::prelude::*;

/// A fit to be made: nonlinear least squares in double precision, from many starts.
///
/// ```
/// use catchment::{fit::{Fit, Residuals}, random::Domain};
/// let names = |list: &[&str]| list.iter().map(|n| n.to_string()).collect::<Vec<_>>();
/// let model = Residuals::parse("a*exp(-k*t)", "y", &names(&["a", "k"]), &names(&["t", "y"]))?;
/// let t = [0.0, 1.0, 2.0, 3.0];
/// let y = [2.0, 1.0, 0.5, 0.25];
/// let boxes = Domain { lo: vec![0.0, 1e-3], hi: vec![10.0, 10.0], log: vec![false, true] };
/// let fitted = Fit::new(&model, &[&t, &y]).boxes(boxes).restarts(20).run()?;
/// assert!((fitted.parameters[0].value - 2.0).abs() < 1e-12);
/// assert!((fitted.parameters[1].value - 2f64.ln()).abs() < 1e-12);
/// # Ok::<(), catchment::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    residuals: &'a Residuals,
    columns: Vec<&'a [f64]>,
    weights: Option<&'a [f64]>,
    boxes: Option<Domain>,
    bounded: bool,
    bounds: Option<(Vec<f64>, Vec<f64>)>,
    restarts: Option<u64>,
    sampling: Starts,
    seed: u64,
    starts: Vec<Vec<f64>>,
    fixed: Vec<(String, f64)>,
    loss: Loss,
    max_iterations: u32,
    threads: usize,
}

/// What came out of a fit.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The best solution's parameters, with their standard errors.
    pub parameters: Vec<Estimate>,
    /// Its (weighted) sum of squared residuals.
    pub rss: f64,
    /// What its residuals cost; for plain least squares the same as `rss`.
    pub cost: f64,
    /// `√(rss / dof)`; `None` without degrees of freedom.
    pub residual_sd: Option<f64>,
    /// Rows of positive weight, less parameters that are not fixed.
    pub dof: usize,
    /// The part of the variance that the model explains, `1 − rss / Σ w (y − ȳ)²`; `None` where what is modelled is not
    /// known apart from the model, or is constant.
    pub r2: Option<f64>,
    /// Correlations of the parameters, row by row; `None` where one of the two has no standard error.
    pub correlation: Vec<Vec<Option<f64>>>,
    /// How many directions of the free parameters the data determine.
    pub rank: usize,
    /// The largest over the smallest singular value of the slopes, each parameter's scaled to length one.
    pub condition: f64,
    /// Rows of positive weight.
    pub rows: usize,
    /// How many starts there were.
    pub starts: u64,
    /// How many of them ended in which way.
    pub stops: Vec<(Stop, u64)>,
    /// Iterations of all of them.
    pub iterations: u64,
    /// The distinct solutions, the best first; of solutions that are equally good, such as those of a sum with its terms in
    /// another order, the one that more starts led to. The part of all starts that led to none of them is what their fractions
    /// leave of 1.
    pub solutions: Vec<Solution>,
}

impl<'a> Fit<'a> {
    /// A fit of a model to a table: one column of numbers for each of [`Residuals::columns`], in that order.
    pub fn new(residuals: &'a Residuals, columns: &[&'a [f64]]) -> Fit<'a> {
        Fit {
            residuals,
            columns: columns.to_vec(),
            weights: None,
            boxes: None,
            bounded: false,
            bounds: None,
            restarts: None,
            sampling: Starts::Uniform,
            seed: 0,
            starts: Vec::new(),
            fixed: Vec::new(),
            loss: Loss::Squared,
            max_iterations: 1000,
            threads: 0,
        }
    }

    /// Weights of the rows: each squared residual is multiplied by its own. Rows of weight 0 are left out.
    pub fn weights(mut self, weights: &'a [f64]) -> Self {
        self.weights = Some(weights);
        self
    }

    /// The box of each parameter that restarts are drawn from; logarithmic ones log-uniformly. They do not bound the
    /// fit, unless [`bounded`](Self::bounded) says so.
    pub fn boxes(mut self, boxes: Domain) -> Self {
        self.boxes = Some(boxes);
        self
    }

    /// Holds every parameter to its box.
    pub fn bounded(mut self) -> Self {
        self.bounded = true;
        self
    }

    /// Holds parameters between bounds, infinite where there is none.
    pub fn bounds(mut self, lo: Vec<f64>, hi: Vec<f64>) -> Self {
        self.bounds = Some((lo, hi));
        self
    }

    /// How many starts are drawn from the boxes, beside those given; 100 unless said or some are given. Restart k is the same
    /// whatever their number.
    pub fn restarts(mut self, restarts: u64) -> Self {
        self.restarts = Some(restarts);
        self
    }

    /// The rule by which restarts are drawn; uniform unless said.
    pub fn sampling(mut self, rule: Starts) -> Self {
        self.sampling = rule;
        self
    }

    /// The seed of the restarts; 0 unless said.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// A start of one's own.
    pub fn start(mut self, start: &[f64]) -> Self {
        self.starts.push(start.to_vec());
        self
    }

    /// Starts of one's own, such as points that descents on a device found.
    pub fn starts(mut self, starts: impl IntoIterator<Item = Vec<f64>>) -> Self {
        self.starts.extend(starts);
        self
    }

    /// Keeps a parameter at a value.
    pub fn fix(mut self, parameter: &str, value: f64) -> Self {
        self.fixed.push((parameter.to_owned(), value));
        self
    }

    /// What a residual costs.
    pub fn loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    /// Iterations of a descent, at most; 1000 unless said.
    pub fn max_iterations(mut self, most: u32) -> Self {
        self.max_iterations = most;
        self
    }

    /// Threads, 0 for one a core. No result depends on them.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Fits.
    ///
    /// # Errors
    /// [`Error::Fit`] for whatever does not fit together, and where no start has finite residuals;
    /// [`Error::TooLarge`] for a model that is too long to compile; [`Error::Starts`] for bad boxes.
    pub fn run(&self) -> Result<Fitted, Error> {
        let task = self.check()?;
        if task.counted < task.estimated() {
            return Err(FitError::TooFewRows { rows: task.counted, parameters: task.estimated() }.into());
        }
        in_pool(self.threads, || task.run(self))?
    }

    /// Checks everything that a user can get wrong, and compiles.
    pub(super) fn check(&self) -> Result<Task, Error> {
        let (residuals, p) = (self.residuals, self.residuals.parameters.len());
        if self.columns.len() != residuals.columns.len() {
            return Err(FitError::Columns { expected: residuals.columns.len(), got: self.columns.len() }.into());
        }
        let rows = self.columns.first().map_or(0, |c| c.len());
        for (name, column) in residuals.columns.iter().zip(&self.columns) {
            if column.len() != rows {
                let what = format!("column `{name}`");
                return Err(FitError::Ragged { what, expected: rows, got: column.len() }.into());
            }
            if let Some(row) = column.iter().position(|v| !v.is_finite()) {
                let (column, value) = (name.clone(), column[row]);
                return Err(FitError::NotFinite { column, row: row + 1, value }.into());
            }
        }
        let roots = self.weights.map(|weights| self.roots(weights, rows)).transpose()?;
        self.loss.check()?;
        let fits = |what, got| match got == p {
            true => Ok(()),
            false => Err(FitError::Dimension { what, expected: p, got }),
        };
        for start in &self.starts {
            fits("a start", start.len())?;
            if let Some(j) = start.iter().position(|v| !v.is_finite()) {
                return Err(FitError::Start { parameter: residuals.parameters[j].clone(), value: start[j] }.into());
            }
        }
        if let Some(boxes) = &self.boxes {
            boxes.check()?;
            fits("the box", boxes.dim())?;
        }
        let limits = self.limits(fits)?;
        let restarts = match (&self.boxes, self.restarts) {
            (_, Some(restarts)) => restarts,
            (Some(_), None) if self.starts.is_empty() => 100,
            _ => 0,
        };
        let sampler = match &self.boxes {
            Some(boxes) if restarts > 0 => Some(Sampler::new(&self.sampling, boxes, self.seed, restarts)?),
            None if restarts > 0 || self.starts.is_empty() => return Err(FitError::NoStarts.into()),
            _ if restarts == 0 && self.starts.is_empty() => return Err(FitError::NoStarts.into()),
            _ => None,
        };
        let counted = roots.as_ref().map_or(rows, |r| r.iter().filter(|&&r| r > 0.0).count());
        let settings = Settings { loss: self.loss, limits, max_iterations: self.max_iterations };
        Ok(Task { model: Model::new(residuals)?, rows, counted, roots, settings, restarts, sampler })
    }

    fn roots(&self, weights: &[f64], rows: usize) -> Result<Vec<f64>, FitError> {
        if weights.len() != rows {
            return Err(FitError::Ragged { what: "the weights".to_owned(), expected: rows, got: weights.len() });
        }
        match weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            Some(row) => Err(FitError::Weight { row: row + 1, value: weights[row] }),
            None => Ok(weights.iter().map(|w| w.sqrt()).collect()),
        }
    }

    /// Bounds and fixed values together.
    fn limits(&self, fits: impl Fn(&'static str, usize) -> Result<(), FitError>) -> Result<Limits, FitError> {
        let names = &self.residuals.parameters;
        let p = names.len();
        let mut limits = Limits { lo: vec![f64::NEG_INFINITY; p], hi: vec![f64::INFINITY; p], fixed: vec![None; p] };
        let held = self.boxes.as_ref().filter(|_| self.bounded).map(|b| (&b.lo, &b.hi));
        for (lo, hi) in self.bounds.iter().map(|b| (&b.0, &b.1)).chain(held) {
            fits("the lower bound", lo.len())?;
            fits("the upper bound", hi.len())?;
            for j in 0..p {
                limits.lo[j] = limits.lo[j].max(lo[j]);
                limits.hi[j] = limits.hi[j].min(hi[j]);
                if lo[j].is_nan() || hi[j].is_nan() || limits.lo[j] > limits.hi[j] {
                    return Err(FitError::Bounds { parameter: names[j].clone(), lo: lo[j], hi: hi[j] });
                }
            }
        }
        for (name, value) in &self.fixed {
            let Some(j) = names.iter().position(|n| n == name) else {
                return Err(FitError::UnknownParameter { name: name.clone(), known: names.clone() });
            };
            if !value.is_finite() {
                return Err(FitError::Start { parameter: name.clone(), value: *value });
            }
            limits.fixed[j] = Some(*value);
        }
        Ok(limits)
    }

    /// The columns, as the rows' evaluator reads them.
    pub(super) fn columns(&self) -> &[&'a [f64]] {
        &self.columns
    }

    /// The starts that were given.
    pub(super) fn given(&self) -> &[Vec<f64>] {
        &self.starts
    }

    /// The model.
    pub(super) fn residuals(&self) -> &'a Residuals {
        self.residuals
    }

    /// Names of the parameters.
    pub(super) fn names(&self) -> &'a [String] {
        &self.residuals.parameters
    }

    /// How many threads were asked for.
    pub(super) fn thread_count(&self) -> usize {
        self.threads
    }
}

/// A checked fit.
pub(super) struct Task {
    pub(super) model: Model,
    pub(super) rows: usize,
    /// Rows of positive weight.
    pub(super) counted: usize,
    pub(super) roots: Option<Vec<f64>>,
    pub(super) settings: Settings,
    restarts: u64,
    sampler: Option<Sampler>,
}

/// Makes one solution of the best and all that are as good.
fn one_valley(solutions: &mut Vec<Solution>, starts: u64) {
    let Some(best) = solutions.first() else { return };
    let as_good = best.cost * (1.0 + 1e-8) + f64::MIN_POSITIVE;
    let (valley, rest): (Vec<Solution>, Vec<Solution>) = solutions.drain(..).partition(|s| s.cost <= as_good);
    let hits = valley.iter().map(|s| s.hits).sum::<u64>();
    let first_start = valley.iter().map(|s| s.first_start).min().unwrap_or_default();
    let fraction = hits as f64 / starts as f64;
    solutions.extend(valley.into_iter().next().map(|best| Solution { hits, fraction, first_start, ..best }));
    solutions.extend(rest);
}

impl Task {
    /// Parameters that are to be found.
    pub(super) fn estimated(&self) -> usize {
        self.settings.limits.fixed.iter().filter(|f| f.is_none()).count()
    }

    /// How many starts.
    pub(super) fn total(&self, fit: &Fit<'_>) -> usize {
        fit.given().len() + self.restarts as usize
    }

    /// Start `k`: given ones first, then the random ones.
    pub(super) fn start(&self, fit: &Fit<'_>, k: usize) -> Vec<f64> {
        match (fit.given().get(k), &self.sampler) {
            (Some(start), _) => start.clone(),
            (None, Some(sampler)) => {
                let mut x = vec![0f32; sampler.dim()];
                sampler.fill((k - fit.given().len()) as u64, 1, &mut x);
                x.into_iter().map(f64::from).collect()
            }
            (None, None) => Vec::new(),
        }
    }

    fn run(&self, fit: &Fit<'_>) -> Result<Fitted, Error> {
        let data = Data { rows: self.rows, columns: fit.columns(), roots: self.roots.as_deref() };
        let ready = || {
            let mut work = Work::new(&self.model);
            work.bind(&data);
            Descender::new(work)
        };
        let ends: Vec<End> = (0..self.total(fit))
            .into_par_iter()
            .map_init(ready, |descender, k| descender.descend(&data, &self.settings, &self.start(fit, k)))
            .collect();
        let mut descender = ready();
        let mut solutions = gather(&mut descender, &data, &self.settings, &ends);
        let starts = ends.len() as u64;
        let best = solutions.first().ok_or(FitError::NoFiniteStart { starts })?;
        let (best, x) = (best.clone(), &best.parameters.clone());
        let work = &mut descender.work;
        let found = Statistics::new(work, &data, &self.settings, x, self.counted);
        // What the data do not determine is a valley of equally good points, and one solution.
        if found.standings.contains(&Standing::Undetermined) {
            one_valley(&mut solutions, starts);
        }
        let estimate = |j: usize| Estimate {
            name: fit.names()[j].clone(),
            value: x[j],
            standard_error: found.standard_errors[j],
            standing: found.standings[j],
        };
        let count = |stop: Stop| ends.iter().filter(|e| e.stop == stop).count() as u64;
        Ok(Fitted {
            parameters: (0..x.len()).map(estimate).collect(),
            rss: found.rss,
            cost: best.cost,
            residual_sd: found.residual_sd,
            dof: self.counted - self.estimated(),
            r2: explained(work, &data, x, found.rss),
            correlation: found.correlation,
            rank: found.rank,
            condition: found.condition,
            rows: self.counted,
            starts,
            stops: Stop::ALL.into_iter().map(|s| (s, count(s))).filter(|c| c.1 > 0).collect(),
            iterations: ends.iter().map(|e| u64::from(e.iterations)).sum(),
            solutions,
        })
    }
}

/// Runs a task on so many threads, 0 for rayon's own pool.
pub(super) fn in_pool<T: Send>(threads: usize, task: impl FnOnce() -> T + Send) -> Result<T, FitError> {
    if threads == 0 {
        return Ok(task());
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map(|pool| pool.install(task)).map_err(|e| FitError::Threads { problem: e.to_string() })
}
