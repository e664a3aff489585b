//! A fit's arguments, made into what the library takes: which names are columns, which are parameters, and where the
//! descents start.

use super::FitArgs;
use super::assignments::{bindings, boxes, numbers};
use super::mistake::FitMistake;
use crate::cli::args::Interval;
use crate::cli::{Failure, Terminal};
use catchment::fit::{Basins, Fit, Loss, Residuals};
use catchment::language::{Source, free_names, nearest};
use catchment::random::Domain;
use catchment::table::{Labels, Wanted};
use catchment::{Engine, Error, Table};
use std::time::Instant;

/// Starts that are drawn where nothing is said.
const STARTS: u64 = 100;
/// Starts at most: each is kept in memory.
const MOST_STARTS: u64 = 100_000_000;

/// A checked request.
pub struct Request {
    /// The rows.
    pub table: Table,
    /// What reading them took, seconds.
    pub read: f64,
    /// Names of the parameters, in the order in which the model names them.
    pub parameters: Vec<String>,
    /// Names in the formulas that are data, and the columns that they stand for.
    pub columns: Vec<(String, String)>,
    /// Which of `columns` the model reads.
    pub predictors: Vec<usize>,
    /// Whether --y reads columns alone.
    pub y_is_data: bool,
    /// What is made small.
    pub residuals: Residuals,
    loss: Loss,
    boxes: Vec<Option<Interval>>,
    starts: Vec<Vec<f64>>,
    fixed: Vec<(String, f64)>,
}

impl Request {
    /// Reads the table and finds out what each name means.
    pub fn new(args: &FitArgs, terminal: &Terminal) -> Result<Request, Failure> {
        let loss = Loss::parse(&args.loss).map_err(Error::from)?;
        let names = |label, text: &str| free_names(&Source::new(label, text)).map_err(Error::from);
        let (in_model, in_y) = (names("--model", &args.model)?, names("--y", &args.y)?);
        let (bound, boxes) = (bindings(&args.bind)?, boxes(&args.boxes)?);
        let (mut fixed, mut starts) = (Vec::new(), Vec::new());
        args.fix.iter().try_for_each(|text| numbers("--fix", text, &mut fixed))?;
        for text in &args.start {
            let mut start = Vec::new();
            numbers("--start", text, &mut start)?;
            starts.push(start);
        }
        let column_of =
            |name: &String| bound.iter().find(|(n, _)| n == name).map_or(name, |(_, column)| column).clone();
        let mut used: Vec<String> = in_model.clone();
        used.extend(in_y.iter().filter(|name| !in_model.contains(name)).cloned());
        let wanted: Vec<String> = used.iter().map(column_of).chain(args.weights.clone()).collect();
        let began = Instant::now();
        let table = Table::read_with(&args.data, |column| Wanted {
            numbers: wanted.iter().any(|name| name == column),
            labels: args.group.as_deref() == Some(column),
        })?;
        let read = began.elapsed().as_secs_f64();
        let is_column = |name: &String| table.names().contains(&column_of(name));
        let names = Names { table: &table, data: &args.data.display().to_string(), in_model: &in_model };
        let mentioned = |name: &String| {
            boxes.iter().any(|(n, _)| n == name)
                || fixed.iter().any(|(n, _)| n == name)
                || starts.iter().flatten().any(|(n, _)| n == name)
        };
        let (mut columns, mut parameters, mut open) = (Vec::new(), Vec::new(), Vec::new());
        for name in &used {
            if is_column(name) {
                columns.push((name.clone(), column_of(name)));
            } else if bound.iter().any(|(n, _)| n == name) {
                table.numbers(&column_of(name)).map_err(Error::from)?;
            } else if mentioned(name) {
                parameters.push(name.clone());
            } else if name != "pi" && name != "e" {
                parameters.push(name.clone());
                open.push(name.clone());
            }
        }
        for (name, _) in &bound {
            if !used.contains(name) {
                terminal.warning(format_args!("--bind names `{name}`, which neither --y nor --model uses"));
            }
        }
        names.must_be_parameters("--fix", fixed.iter().map(|(n, _)| n), &parameters)?;
        names.must_be_parameters("--start", starts.iter().flatten().map(|(n, _)| n), &parameters)?;
        for (name, _) in &boxes {
            names.must_not_be_column("--box", name)?;
            if !parameters.contains(name) {
                terminal.warning(format_args!("--box names `{name}`, which the model does not use"));
            }
        }
        if !open.is_empty() {
            return Err(names.boxless(open));
        }
        if parameters.is_empty() {
            return Err(FitMistake::NoParameters { data: names.data.to_owned() }.into());
        }
        if columns.is_empty() {
            let columns = table.names().to_vec();
            return Err(FitMistake::NoColumns { data: names.data.to_owned(), columns }.into());
        }
        let free: Vec<&String> = parameters.iter().filter(|p| !fixed.iter().any(|(n, _)| n == *p)).collect();
        if free.is_empty() {
            return Err(FitMistake::AllFixed.into());
        }
        let boxed = |name: &String| boxes.iter().find(|(n, _)| n == name).map(|(_, interval)| *interval);
        let drawn = starts.is_empty() || args.restarts.is_some_and(|n| n.0 > 0);
        let boxless: Vec<String> = free.iter().filter(|p| boxed(p).is_none()).map(|p| (*p).clone()).collect();
        if drawn && !boxless.is_empty() {
            return Err(names.boxless(boxless));
        }
        if let Some(n) = args.restarts.filter(|n| n.0 > MOST_STARTS) {
            let (name, value, expected) = ("-n", n.0 as f64, "at most 1e8 starts");
            return Err(Error::Setting { name, value, expected }.into());
        }
        let starts = args.start.iter().zip(starts).map(|(text, start)| {
            let value = |name: &String| {
                let given = start.iter().chain(&fixed).find(|(n, _)| n == name);
                given.map(|(_, v)| *v).ok_or_else(|| name.clone())
            };
            let (values, missing): (Vec<_>, Vec<_>) = parameters.iter().map(value).partition(Result::is_ok);
            match missing.is_empty() {
                true => Ok(values.into_iter().flatten().collect()),
                false => {
                    let names = missing.into_iter().filter_map(Result::err).collect();
                    Err(FitMistake::StartOpen { text: text.clone(), names })
                }
            }
        });
        let starts = starts.collect::<Result<Vec<Vec<f64>>, FitMistake>>()?;
        let known: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let residuals = Residuals::parse(&args.model, &args.y, &parameters, &known)?;
        let predictors = (0..columns.len()).filter(|&i| in_model.contains(&columns[i].0)).collect();
        let boxes = parameters.iter().map(boxed).collect();
        let y_is_data = !in_y.iter().any(|name| parameters.contains(name));
        Ok(Request { table, read, parameters, columns, predictors, y_is_data, residuals, loss, boxes, starts, fixed })
    }

    /// The columns that the formulas read, as [`Residuals`] has them.
    pub fn data(&self) -> Result<Vec<&[f64]>, Error> {
        let numbers = |(_, column): &(String, String)| self.table.numbers(column).map_err(Error::from);
        self.columns.iter().map(numbers).collect()
    }

    /// The fit. Descents start from `--start`, then from points drawn in the boxes; what finds starts in another way adds
    /// them with [`Fit::starts`].
    pub fn fit<'a>(&'a self, args: &FitArgs, data: &[&'a [f64]]) -> Result<Fit<'a>, Error> {
        let mut fit = Fit::new(&self.residuals, data).loss(self.loss).seed(args.seed.0).starts(self.starts.clone());
        fit = fit.threads(args.threads.map_or(0, |n| n.0.min(1024) as usize));
        fit = fit.max_iterations(u32::try_from(args.iterations.0).unwrap_or(u32::MAX));
        if let Some(column) = &args.weights {
            fit = fit.weights(self.table.numbers(column)?);
        }
        for (name, value) in &self.fixed {
            fit = fit.fix(name, *value);
        }
        if let Some(n) = args.restarts {
            fit = fit.restarts(n.0);
        }
        if let Some(boxes) = self.domain() {
            fit = fit.boxes(boxes);
        }
        if args.bounded {
            let end = |of: fn(&Interval) -> f64, none: f64| self.boxes.iter().map(move |b| b.as_ref().map_or(none, of));
            fit = fit.bounds(end(|b| b.0, f64::NEG_INFINITY).collect(), end(|b| b.1, f64::INFINITY).collect());
        }
        Ok(fit)
    }

    /// The fit with every second start in the place of which the end of a descent on a device stands: neither points drawn in
    /// the boxes nor the ends of descents find every basin.
    pub fn descended<'a>(
        &'a self,
        args: &FitArgs,
        data: &[&'a [f64]],
        fit: Fit<'a>,
        engine: &Engine,
    ) -> Result<Fit<'a>, Error> {
        let (Some(boxes), Some(basins)) = (self.domain(), self.basins(args)) else { return Ok(fit) };
        let weights = args.weights.as_ref().map(|column| self.table.numbers(column)).transpose()?;
        let surface = self.residuals.surface(data, weights, self.loss, &boxes)?;
        Ok(fit.restarts(basins.first).starts(basins.find(&surface, &boxes, engine)?))
    }

    /// The descents of every second start; none where none is drawn.
    pub fn basins(&self, args: &FitArgs) -> Option<Basins> {
        let drawn = args.restarts.map_or(if self.starts.is_empty() { STARTS } else { 0 }, |n| n.0);
        if drawn == 0 || args.group.is_some() || args.optimizer.as_deref() == Some("none") {
            return None;
        }
        let optimizer = args.optimizer.clone().unwrap_or(Basins::default().optimizer);
        let first = drawn / 2;
        Some(Basins { optimizer, restarts: drawn - first, first, steps: args.steps.0, seed: args.seed.0 })
    }

    /// Where starts are drawn; none unless every parameter that is not fixed has a box. A fixed one stands at its value.
    fn domain(&self) -> Option<Domain> {
        let fixed = |name: &String| self.fixed.iter().find(|(n, _)| n == name).map(|&(_, v)| (v, v, false));
        let ends = self.parameters.iter().zip(&self.boxes).map(|(name, b)| fixed(name).or(*b));
        let ends: Vec<Interval> = ends.collect::<Option<_>>()?;
        Some(Domain {
            lo: ends.iter().map(|b| b.0).collect(),
            hi: ends.iter().map(|b| b.1).collect(),
            log: ends.iter().map(|b| b.2).collect(),
        })
    }

    /// What a residual costs.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// Parameters whose value lies outside the box that they have.
    pub fn outside<'a>(&'a self, values: &'a [f64]) -> impl Iterator<Item = (&'a String, f64, Interval)> + 'a {
        let boxes = self.boxes.iter().zip(values).zip(&self.parameters);
        boxes.filter_map(|((interval, &value), name)| {
            let interval = (*interval)?;
            (value < interval.0 || value > interval.1).then_some((name, value, interval))
        })
    }

    /// The labels by which rows are grouped.
    pub fn labels(&self, column: &str) -> Result<&Labels, Error> {
        Ok(self.table.labels(column)?)
    }
}

/// What is known of names while they are sorted out.
struct Names<'a> {
    table: &'a Table,
    data: &'a str,
    in_model: &'a [String],
}

impl Names<'_> {
    fn must_be_parameters<'n>(
        &self,
        option: &'static str,
        mut given: impl Iterator<Item = &'n String>,
        parameters: &[String],
    ) -> Result<(), Failure> {
        let Some(name) = given.find(|name| !parameters.contains(name)) else { return Ok(()) };
        self.must_not_be_column(option, name)?;
        let nearest = nearest(name, parameters.iter().map(String::as_str));
        Err(FitMistake::NoParameter { option, name: name.clone(), known: parameters.to_vec(), nearest }.into())
    }

    /// A name that the model has for a column cannot be a parameter too.
    fn must_not_be_column(&self, option: &'static str, name: &String) -> Result<(), Failure> {
        match self.table.names().contains(name) && self.in_model.contains(name) {
            true => Err(FitMistake::IsColumn { option, name: name.clone(), data: self.data.to_owned() }.into()),
            false => Ok(()),
        }
    }

    /// Names without meaning: a column that is missing, where only --y has them, else parameters without a box.
    fn boxless(&self, names: Vec<String>) -> Failure {
        if let Some(column) = names.iter().find(|name| !self.in_model.contains(name))
            && let Err(error) = self.table.numbers(column)
        {
            return Error::from(error).into();
        }
        let hint = |name: &String| Some((name.clone(), nearest(name, self.table.names().iter().map(String::as_str))?));
        let hints = names.iter().filter_map(hint).collect();
        FitMistake::Boxless { names, data: self.data.to_owned(), hints, columns: self.table.names().to_vec() }.into()
    }
}
