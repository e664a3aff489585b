//! What a fit looks like: values for its picture, and a file of its rows.

use super::request::Request;
use super::{FitArgs, FitMistake};
use crate::cli::Failure;
use catchment::Error;
use catchment::fit::{Curve, FitError, Fitted, Stop};
use catchment::report::Cells;
use catchment::report::picture::FitView;

/// Rows that a picture shows at most, evenly picked.
const MOST_ROWS: usize = 20_000;
/// Solutions beside the best that a picture shows at most.
const MOST_OTHERS: usize = 5;
/// Points of a curve.
const CURVE: usize = 600;

/// The model's and the data's values, for a picture.
pub struct Seen {
    x: Option<(String, Vec<f64>)>,
    observed: Vec<f64>,
    fitted: Vec<f64>,
    curve_x: Vec<f64>,
    curves: Vec<Vec<f64>>,
}

/// The two formulas over parameters and columns.
struct Formulas {
    model: Curve,
    y: Curve,
}

impl Formulas {
    fn new(args: &FitArgs, request: &Request) -> Result<Formulas, Failure> {
        let columns = request.columns.iter().map(|(name, _)| name.clone());
        let names: Vec<String> = request.parameters.iter().cloned().chain(columns).collect();
        Ok(Formulas { model: Curve::parse("--model", &args.model, &names)?, y: Curve::parse("--y", &args.y, &names)? })
    }
}

/// Parameters, then a row of the columns.
fn point(parameters: &[f64], data: &[&[f64]], row: usize) -> Vec<f64> {
    parameters.iter().copied().chain(data.iter().map(|column| column[row])).collect()
}

impl Seen {
    /// Of the best solution, and of others that converged.
    pub fn new(args: &FitArgs, request: &Request, data: &[&[f64]], fitted: &Fitted) -> Result<Seen, Failure> {
        let formulas = Formulas::new(args, request)?;
        let best: Vec<f64> = fitted.parameters.iter().map(|p| p.value).collect();
        let rows = request.table.rows();
        let picked: Vec<usize> = (0..rows).step_by(rows.div_ceil(MOST_ROWS)).collect();
        let over = |curve: &Curve| picked.iter().map(|&row| curve.at(&point(&best, data, row))).collect::<Vec<f64>>();
        let (observed, along) = (over(&formulas.y), over(&formulas.model));
        let mut seen = Seen { x: None, observed, fitted: along, curve_x: Vec::new(), curves: Vec::new() };
        let &[predictor] = &request.predictors[..] else { return Ok(seen) };
        let x = data[predictor];
        let (lo, hi) = x.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
        seen.curve_x = (0..=CURVE).map(|i| lo + (hi - lo) * i as f64 / CURVE as f64).collect();
        let others = fitted.solutions.iter().skip(1).filter(|s| s.stop == Stop::Converged).take(MOST_OTHERS);
        for parameters in std::iter::once(&best).chain(others.map(|s| &s.parameters)) {
            let mut point = point(parameters, data, 0);
            let curve = seen.curve_x.iter().map(|&x| {
                point[parameters.len() + predictor] = x;
                formulas.model.at(&point)
            });
            seen.curves.push(curve.collect());
        }
        seen.x = Some((request.columns[predictor].1.clone(), picked.iter().map(|&row| x[row]).collect()));
        Ok(seen)
    }

    /// As the picture takes it.
    pub fn view<'a>(&'a self, args: &'a FitArgs, verdict: &'a str, residual_sd: Option<f64>) -> FitView<'a> {
        FitView {
            model: &args.model,
            y: &args.y,
            verdict,
            predictor: self.x.as_ref().map(|(name, x)| (name.as_str(), &x[..])),
            observed: &self.observed,
            fitted: &self.fitted,
            curve_x: &self.curve_x,
            curves: &self.curves,
            residual_sd,
        }
    }
}

/// Why no start has finite residuals, where --y itself is to blame.
pub fn blame(args: &FitArgs, request: &Request, data: &[&[f64]], error: Error) -> Failure {
    let Error::Fit(FitError::NoFiniteStart { .. }) = error else { return error.into() };
    let Ok(formulas) = Formulas::new(args, request) else { return error.into() };
    let ones = vec![1.0; request.parameters.len()];
    let mut values = (0..request.table.rows()).map(|row| (row, formulas.y.at(&point(&ones, data, row))));
    match values.find(|(_, value)| !value.is_finite()) {
        Some((row, value)) if request.y_is_data => {
            let (text, data) = (args.y.clone(), args.data.display().to_string());
            FitMistake::NotFinite { text, value, row: row + 1, data }.into()
        }
        _ => error.into(),
    }
}

/// The columns that the formulas read, with `observed`, `fitted` and `residual` beside them.
pub fn rows(
    args: &FitArgs,
    request: &Request,
    data: &[&[f64]],
    parameters: &[f64],
) -> Result<Vec<(String, Cells)>, Failure> {
    let formulas = Formulas::new(args, request)?;
    let over = |curve: &Curve| -> Vec<f64> {
        (0..request.table.rows()).map(|row| curve.at(&point(parameters, data, row))).collect()
    };
    let (observed, fitted) = (over(&formulas.y), over(&formulas.model));
    let residual = observed.iter().zip(&fitted).map(|(y, f)| y - f).collect();
    let mut columns: Vec<(String, Cells)> = (request.columns.iter().zip(data))
        .map(|((_, name), values)| (name.clone(), Cells::Numbers(values.to_vec())))
        .collect();
    columns.push(("observed".to_owned(), Cells::Numbers(observed)));
    columns.push(("fitted".to_owned(), Cells::Numbers(fitted)));
    columns.push(("residual".to_owned(), Cells::Numbers(residual)));
    Ok(columns)
}
