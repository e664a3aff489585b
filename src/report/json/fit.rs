//! `fit --json`.

use super::Device;
use crate::fit::{Fitted, Solution};
use serde::Serialize as Derive;

/// `fit --json`, one fit.
#[derive(Clone, Debug, Derive)]
pub struct Fit {
    schema: u32,
    model: String,
    y: String,
    rows: usize,
    parameters: Vec<FitParameter>,
    rss: f64,
    cost: f64,
    residual_sd: Option<f64>,
    degrees_of_freedom: usize,
    r2: Option<f64>,
    correlation: Vec<Vec<Option<f64>>>,
    rank: usize,
    condition: f64,
    loss: String,
    starts: u64,
    stops: super::Entries<u64>,
    iterations: u64,
    solutions: Vec<FitSolution>,
    seed: u64,
    device: Device,
    timing: FitTiming,
    version: &'static str,
}

/// A parameter of the best solution.
#[derive(Clone, Debug, Derive)]
pub struct FitParameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its standard error, where it has one.
    pub standard_error: Option<f64>,
    /// `free`, or why it has no standard error.
    pub standing: &'static str,
}

/// A distinct solution.
#[derive(Clone, Debug, Derive)]
pub struct FitSolution {
    /// The parameters, in the order of `parameters`.
    pub parameters: Vec<f64>,
    /// Sum of squared residuals.
    pub rss: f64,
    /// What the residuals cost.
    pub cost: f64,
    /// Starts that led here.
    pub hits: u64,
    /// The same as a part of all starts.
    pub fraction: f64,
    /// The first of them.
    pub first_start: u64,
    /// How descents ended here.
    pub status: &'static str,
}

impl FitSolution {
    fn new(solution: &Solution) -> FitSolution {
        FitSolution {
            parameters: solution.parameters.clone(),
            rss: solution.rss,
            cost: solution.cost,
            hits: solution.hits,
            fraction: solution.fraction,
            first_start: solution.first_start,
            status: solution.stop.name(),
        }
    }
}

/// How long a fit took.
#[derive(Clone, Copy, Debug, Derive)]
pub struct FitTiming {
    /// Reading the table, seconds.
    pub read_s: f64,
    /// Fitting.
    pub fit_s: f64,
    /// The whole command.
    pub total_s: f64,
}

impl Fit {
    /// Of a finished fit.
    pub fn new(view: &crate::report::fit::Request<'_>, fitted: &Fitted, device: Device, timing: FitTiming) -> Fit {
        let parameter = |p: &crate::fit::Estimate| FitParameter {
            name: p.name.clone(),
            value: p.value,
            standard_error: p.standard_error,
            standing: p.standing.name(),
        };
        Fit {
            schema: 1,
            model: view.model.to_owned(),
            y: view.y.to_owned(),
            rows: fitted.rows,
            parameters: fitted.parameters.iter().map(parameter).collect(),
            rss: fitted.rss,
            cost: fitted.cost,
            residual_sd: fitted.residual_sd,
            degrees_of_freedom: fitted.dof,
            r2: fitted.r2,
            correlation: fitted.correlation.clone(),
            rank: fitted.rank,
            condition: fitted.condition,
            loss: view.loss.to_string(),
            starts: fitted.starts,
            stops: super::Entries(fitted.stops.iter().map(|(s, n)| (s.name().to_owned(), *n)).collect()),
            iterations: fitted.iterations,
            solutions: fitted.solutions.iter().map(FitSolution::new).collect(),
            seed: view.seed,
            device,
            timing,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// `fit --group --json`.
#[derive(Clone, Debug, Derive)]
pub struct FitGroups {
    /// 1.
    pub schema: u32,
    /// The model.
    pub model: String,
    /// What is modelled.
    pub y: String,
    /// Rows of the table.
    pub rows: usize,
    /// Names of the parameters.
    pub parameters: Vec<String>,
    /// How many groups ended in which way.
    pub status: super::Entries<u64>,
    /// One for each group, in the order in which they first appear.
    pub groups: Vec<FitGroup>,
    /// Where it ran.
    pub device: Device,
    /// How long it took.
    pub timing: FitTiming,
    /// Of the program.
    pub version: &'static str,
}

/// A group of `fit --group --json`.
#[derive(Clone, Debug, Derive)]
pub struct FitGroup {
    /// Its label.
    pub group: String,
    /// Its rows.
    pub rows: u64,
    /// The parameters; `null` where nothing was fitted.
    pub parameters: Vec<f64>,
    /// Their standard errors; `null` where there are none.
    pub standard_errors: Vec<f64>,
    /// Sum of squared residuals.
    pub rss: f64,
    /// The residuals' standard deviation.
    pub residual_sd: f64,
    /// How its best descent ended.
    pub status: &'static str,
}
