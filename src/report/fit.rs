//! A fit in words: parameters with their standard errors, the distinct solutions, how well the model agrees, and a
//! conclusion.
//!
//! ```
//! use catchment::report::fit::with_error;
//! assert_eq!(with_error(2.503_71, Some(0.012_34)), ("2.504".to_owned(), "0.012".to_owned()));
//! assert_eq!(with_error(1.0 / 3.0, None), ("0.333333".to_owned(), String::new()));
//! ```

use super::number::{count, number, percent, seconds};
use super::summary::{clip, device};
use super::table::{Align, Table};
use crate::DeviceInfo;
use crate::fit::{Estimate, Fitted, GroupFits, Loss, Standing, Stop};

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The model, as text.
    pub model: &'a str,
    /// What is modelled, as text.
    pub y: &'a str,
    /// Where the rows are from.
    pub data: &'a str,
    /// What a residual costs.
    pub loss: Loss,
    /// The column of weights.
    pub weights: Option<&'a str>,
    /// Seed of the random starts.
    pub seed: u64,
}

/// Correlations from here on are told without being asked for.
const STRONG: f64 = 0.9;
/// Correlations that are told at most.
const MOST_PAIRS: usize = 6;
/// Solutions that are listed at most.
const MOST_SOLUTIONS: usize = 8;
/// Parameters that a row of a table shows at most.
const MOST_PARAMETERS: usize = 8;
/// Groups that are listed at most.
const MOST_GROUPS: usize = 20;

/// A value to the second digit of its standard error, and the error to two digits; six digits where there is none.
pub fn with_error(value: f64, error: Option<f64>) -> (String, String) {
    match error {
        Some(error) if error > 0.0 && error.is_finite() => {
            let places = 1.0 - error.log10().floor();
            if places <= 6.0 && value.abs() < 1e7 && error < 1e7 {
                let places = places.max(0.0) as usize;
                return (format!("{value:.places$}"), format!("{error:.places$}"));
            }
            let digits = (value.abs().log10().floor() - error.log10().floor()).clamp(0.0, 14.0) as usize + 2;
            (number(value, digits), number(error, 2))
        }
        Some(error) => (number(value, 6), number(error, 2)),
        None => (number(value, 6), String::new()),
    }
}

/// What is about to be fitted, and where.
pub fn heading(request: &Request<'_>, rows: usize, on: &DeviceInfo) -> String {
    let loss = match request.loss {
        Loss::Squared => "least squares".to_owned(),
        other => format!("loss {other}"),
    };
    let weights = request.weights.map_or(String::new(), |w| format!(", weighted by {w}"));
    format!(
        "{} = {}\n{} rows of {}, {loss}{weights}\n{}\n\n",
        clip(request.y, 60),
        clip(request.model, 120),
        count(rows as u64),
        request.data,
        device(on)
    )
}

/// How well the model agrees with the rows.
pub fn agreement(fitted: &Fitted) -> String {
    let sd = fitted.residual_sd.map_or(String::new(), |sd| format!(", residual sd {}", number(sd, 4)));
    let r2 = fitted.r2.map_or(String::new(), |r2| {
        // The first digit that is not a nine, and one more.
        let digits = if r2 < 1.0 { (-(1.0 - r2).log10()).ceil().clamp(2.0, 14.0) as usize + 1 } else { 6 };
        format!(", R² {}", number(r2, digits))
    });
    let (rows, free) = (count(fitted.rows as u64), count(fitted.dof as u64));
    format!("RSS {}{sd}{r2}; {rows} rows, {free} degrees of freedom", number(fitted.rss, 6))
}

/// What came out; `plot` is a picture in characters, or nothing.
pub fn fitted(fitted: &Fitted, plot: &str, verbose: bool, color: bool) -> String {
    let mut out = parameters(&fitted.parameters).text(color);
    out += &format!("\n{}\n", agreement(fitted));
    out += &correlations(fitted, verbose, color);
    if fitted.solutions.len() > 1 || verbose {
        out += &format!("\n{}", solutions(fitted, verbose, color));
    }
    if !plot.is_empty() {
        out += &format!("\n{plot}");
    }
    out + &format!("\n{}\n", conclusion(fitted))
}

fn parameters(estimates: &[Estimate]) -> Table {
    use Align::{Left, Right};
    let columns = [("parameter", Left), ("value", Right), ("standard error", Right), ("relative", Right), ("", Left)];
    let mut table = Table::new(&columns);
    for estimate in estimates {
        let (value, error) = with_error(estimate.value, estimate.standard_error);
        let relative = match estimate.standard_error {
            Some(error) if estimate.value != 0.0 => {
                let share = (error / estimate.value).abs();
                if share < 10.0 { format!("{} %", number(100.0 * share, 2)) } else { format!("{}×", number(share, 2)) }
            }
            _ => String::new(),
        };
        let standing = match estimate.standing {
            Standing::Free => "",
            Standing::Fixed => "fixed",
            Standing::AtLower => "at its lower bound",
            Standing::AtUpper => "at its upper bound",
            Standing::Undetermined => "not determined by the data",
        };
        table.row([estimate.name.clone(), value, error, relative, standing.to_owned()]);
    }
    table
}

fn correlations(fitted: &Fitted, verbose: bool, color: bool) -> String {
    let names: Vec<&str> = fitted.parameters.iter().map(|p| p.name.as_str()).collect();
    if verbose {
        let columns: Vec<(&str, Align)> =
            [("correlation", Align::Left)].into_iter().chain(names.iter().map(|&n| (n, Align::Right))).collect();
        let mut table = Table::new(&columns);
        for (name, row) in names.iter().zip(&fitted.correlation) {
            let cells = row.iter().map(|r| r.map_or("-".to_owned(), |r| number(r, 3)));
            table.row([(*name).to_owned()].into_iter().chain(cells));
        }
        return format!("\n{}", table.text(color));
    }
    let mut pairs: Vec<(f64, String)> = Vec::new();
    for (i, row) in fitted.correlation.iter().enumerate() {
        for (j, r) in row.iter().enumerate().take(i) {
            if let Some(r) = r.filter(|r| r.abs() >= STRONG) {
                pairs.push((r, format!("{} and {} {}", names[j], names[i], number(r, 3))));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    let more = pairs.len().saturating_sub(MOST_PAIRS);
    let told: Vec<String> = pairs.into_iter().take(MOST_PAIRS).map(|(_, text)| text).collect();
    match (told.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("strongly correlated: {}\n", told.join(", ")),
        (false, more) => format!("strongly correlated: {} and {more} more pairs (-v shows all)\n", told.join(", ")),
    }
}

fn solutions(fitted: &Fitted, verbose: bool, color: bool) -> String {
    use Align::{Left, Right};
    let shown = fitted.parameters.len().min(MOST_PARAMETERS);
    let mut columns = vec![("share", Right), ("starts", Right), ("RSS", Right)];
    let robust = fitted.solutions.iter().any(|s| s.cost != s.rss);
    columns.extend(robust.then_some(("cost", Right)));
    columns.extend(fitted.parameters[..shown].iter().map(|p| (p.name.as_str(), Right)));
    columns.push(("", Left));
    let mut table = Table::new(&columns);
    let most = if verbose { usize::MAX } else { MOST_SOLUTIONS };
    for solution in fitted.solutions.iter().take(most) {
        let mut row = vec![percent(solution.fraction), count(solution.hits), number(solution.rss, 6)];
        row.extend(robust.then(|| number(solution.cost, 6)));
        row.extend(solution.parameters[..shown].iter().map(|&v| number(v, 5)));
        row.push(if solution.stop == Stop::Converged { String::new() } else { ended(solution.stop).to_owned() });
        table.row(row);
    }
    let more = fitted.solutions.len().saturating_sub(most);
    let more = if more > 0 { format!("… and {} more (-v shows all)\n", count(more as u64)) } else { String::new() };
    let cut = fitted.parameters.len() - shown;
    let cut = if cut > 0 { format!("… and {cut} more parameters: --json has them\n") } else { String::new() };
    format!("{} distinct solutions:\n{}{more}{cut}", count(fitted.solutions.len() as u64), table.text(color)).replacen(
        "1 distinct solutions",
        "1 distinct solution",
        1,
    )
}

/// How a descent ended, in words.
fn ended(stop: Stop) -> &'static str {
    match stop {
        Stop::Converged => "converged",
        Stop::Stalled => "stalled at a kink or an edge",
        Stop::Creeping => "running away along a valley",
        Stop::MaxIterations => "out of iterations",
        Stop::NonFinite => "not finite at the start",
        Stop::TooFewRows => "too few rows",
    }
}

fn conclusion(fitted: &Fitted) -> String {
    let Some(best) = fitted.solutions.first() else { return String::new() };
    let undetermined: Vec<&str> =
        fitted.parameters.iter().filter(|p| p.standing == Standing::Undetermined).map(|p| p.name.as_str()).collect();
    let starts = count(fitted.starts);
    if best.stop != Stop::Converged {
        return format!(
            "The best of {starts} starts did not converge ({}): take its parameters with care.",
            ended(best.stop)
        );
    }
    let led = match (fitted.starts, best.hits) {
        (1, _) => "The start led to a minimum".to_owned(),
        (all, hits) if all == hits => format!("All {starts} starts led to this solution"),
        (_, hits) => format!("{} of {starts} starts led to the best solution", count(hits)),
    };
    let alone = fitted.solutions.len() == 1 && fitted.starts > 1;
    let next = match fitted.solutions.get(1) {
        Some(next) if next.cost <= 1.01 * best.cost && undetermined.is_empty() => {
            "; another one agrees with the rows almost as well: the data do not tell them apart".to_owned()
        }
        Some(next) if next.cost > 1.01 * best.cost && next.cost < 1e6 * best.cost => {
            format!("; the next one costs {} times as much", number(next.cost / best.cost, 3))
        }
        _ if alone && best.hits < fitted.starts => "; no other was found".to_owned(),
        _ => String::new(),
    };
    let astray: Vec<String> = (fitted.stops.iter().filter(|(stop, _)| *stop != Stop::Converged))
        .map(|&(stop, n)| format!("{} {}", count(n), ended(stop)))
        .collect();
    let astray = if astray.is_empty() {
        String::new()
    } else {
        format!("\nStarts that did not converge: {}.", astray.join(", "))
    };
    let unsure = match undetermined.len() {
        0 => String::new(),
        _ => format!("\nThe rows do not determine {}: other values agree as well.", undetermined.join(", ")),
    };
    format!("{led}{next}.{astray}{unsure}")
}

/// Fits of many groups: the first ones, and how all of them ended.
pub fn groups(
    parameters: &[String],
    labels: &[String],
    fits: &GroupFits,
    by: &str,
    verbose: bool,
    color: bool,
) -> String {
    use Align::{Left, Right};
    let shown = parameters.len().min(MOST_PARAMETERS);
    let mut columns = vec![(by, Left), ("rows", Right)];
    for name in &parameters[..shown] {
        columns.extend([(name.as_str(), Right), ("±", Right)]);
    }
    columns.extend([("RSS", Right), ("status", Left)]);
    let mut table = Table::new(&columns);
    let most = if verbose { usize::MAX } else { MOST_GROUPS };
    for (g, label) in labels.iter().enumerate().take(most) {
        let mut row = vec![clip(label, 30), count(fits.rows[g])];
        for (values, errors) in fits.parameters.iter().zip(&fits.standard_errors).take(shown) {
            if values[g].is_nan() {
                row.extend([String::new(), String::new()]);
            } else {
                let (value, error) = with_error(values[g], Some(errors[g]).filter(|e| !e.is_nan()));
                row.extend([value, error]);
            }
        }
        row.push(if fits.rss[g].is_nan() { String::new() } else { number(fits.rss[g], 5) });
        row.push(ended(fits.stops[g]).to_owned());
        table.row(row);
    }
    let mut out = table.text(color);
    if labels.len() > most {
        out += &format!("… and {} more (-v shows all, --out keeps them)\n", count((labels.len() - most) as u64));
    }
    let ends: Vec<String> =
        statuses(fits).into_iter().map(|(stop, n)| format!("{} {}", count(n), ended(stop))).collect();
    out + &format!("\n{} groups: {}.\n", count(labels.len() as u64), ends.join(", "))
}

/// How many groups ended in which way; ways that none ended in are left out.
pub fn statuses(fits: &GroupFits) -> Vec<(Stop, u64)> {
    let number = |stop: Stop| fits.stops.iter().filter(|&&s| s == stop).count() as u64;
    Stop::ALL.into_iter().map(|stop| (stop, number(stop))).filter(|(_, n)| *n > 0).collect()
}

/// How long it took.
pub fn timing(read: f64, fit: f64, total: f64) -> String {
    format!("{} in all, {} to read the table and {} to fit\n", seconds(total), seconds(read), seconds(fit))
}
