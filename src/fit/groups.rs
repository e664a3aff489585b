//! Many small fits in one call: every group of rows on its own, groups over the cores.

use super::builder::{Fit, Task, in_pool};
use super::descend::{Descender, End, Stop};
use super::error::FitError;
use super::rows::{Data, Work};
use super::scout::scout;
use super::statistics::Statistics;
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::DeviceInfo;
use rayon::prelude::*;

/// What came out of the fits of all groups, as columns: entry g of each belongs to group g.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupFits {
    /// One column for each parameter; NaN where nothing was fitted.
    pub parameters: Vec<Vec<f64>>,
    /// One column for each parameter; NaN where there is no standard error.
    pub standard_errors: Vec<Vec<f64>>,
    /// (Weighted) sums of squared residuals; NaN where nothing was fitted.
    pub rss: Vec<f64>,
    /// `√(rss / (rows − parameters))`; NaN without degrees of freedom.
    pub residual_sd: Vec<f64>,
    /// Rows of positive weight.
    pub rows: Vec<u64>,
    /// How the best start's descent ended.
    pub stops: Vec<Stop>,
    /// Which start led to the best fit: given starts come first, then the random ones.
    pub first_start: Vec<u64>,
    /// Where each group's best start was found in `f32`; none where every start was followed in `f64`.
    pub scouted: Option<DeviceInfo>,
}

/// One group's fit.
struct One {
    end: End,
    rows: usize,
    start: usize,
    standard_errors: Vec<f64>,
    rss: f64,
    residual_sd: f64,
}

/// What a thread gathers a group's rows in.
struct Gathered<'m> {
    descender: Descender<'m>,
    columns: Vec<Vec<f64>>,
    roots: Vec<f64>,
}

impl Fit<'_> {
    /// Fits every group of rows on its own, from all the starts: `groups` holds each row's group, numbered from 0. What is
    /// wrong with one group (too few rows, no finite start) is told in its [`GroupFits::stops`] and hinders no other.
    ///
    /// # Errors
    /// As [`Fit::run`]; [`FitError::Group`] for a number not below that of the rows.
    pub fn run_groups(&self, groups: &[u32]) -> Result<GroupFits, Error> {
        self.fit_groups(groups, None)
    }

    /// As [`Fit::run_groups`], but where there are many groups and starts each group's best start is found in `f32` on a
    /// device first ([`run_batched`](super::run_batched)), and the exact descent is made from there alone. Robust losses and models of
    /// more than [`MAX_PARAMETERS`](super::MAX_PARAMETERS) parameters are fitted in `f64` from every start.
    ///
    /// # Errors
    /// As [`Fit::run_groups`], and whatever the device refuses.
    pub fn run_groups_on(&self, groups: &[u32], engine: &Engine) -> Result<GroupFits, Error> {
        self.fit_groups(groups, Some(engine))
    }

    fn fit_groups(&self, groups: &[u32], engine: Option<&Engine>) -> Result<GroupFits, Error> {
        let task = self.check()?;
        if groups.len() != task.rows {
            let what = "the column of groups".to_owned();
            return Err(FitError::Ragged { what, expected: task.rows, got: groups.len() }.into());
        }
        if let Some(row) = groups.iter().position(|&g| g as usize >= task.rows) {
            return Err(FitError::Group { row: row + 1, value: groups[row], rows: task.rows }.into());
        }
        let (order, begins) = sorted(groups);
        let starts: Vec<Vec<f64>> = (0..task.total(self)).map(|k| task.start(self, k)).collect();
        let ready = || Gathered {
            descender: Descender::new(Work::new(&task.model)),
            columns: vec![Vec::new(); self.columns().len()],
            roots: Vec::new(),
        };
        let scouted = match engine {
            Some(engine) => scout(self, &task, engine, &order, &begins, &starts)?,
            None => None,
        };
        let found = |g: usize| scouted.as_ref().and_then(|s| s.best[g].as_ref());
        let ones: Vec<One> = in_pool(self.thread_count(), || {
            (0..begins.len() - 1)
                .into_par_iter()
                .map_init(ready, |gathered, g| {
                    let rows = &order[begins[g]..begins[g + 1]];
                    let mut from = |starts: &[Vec<f64>]| gathered.fit(&task, self.columns(), rows, starts);
                    match found(g) {
                        None => from(&starts),
                        Some((k, point)) => One { start: *k, ..from(std::slice::from_ref(point)) },
                    }
                })
                .collect()
        })?;
        let p = task.model.parameters;
        let column = |of: &dyn Fn(&One) -> f64| ones.iter().map(of).collect::<Vec<f64>>();
        Ok(GroupFits {
            parameters: (0..p).map(|j| column(&|one| one.end.x[j])).collect(),
            standard_errors: (0..p).map(|j| column(&|one| one.standard_errors[j])).collect(),
            rss: column(&|one| one.rss),
            residual_sd: column(&|one| one.residual_sd),
            rows: ones.iter().map(|one| one.rows as u64).collect(),
            stops: ones.iter().map(|one| one.end.stop).collect(),
            first_start: ones.iter().map(|one| one.start as u64).collect(),
            scouted: scouted.map(|s| s.device),
        })
    }
}

/// Row numbers, group by group, and where each group begins in them; one entry more at the end.
fn sorted(groups: &[u32]) -> (Vec<usize>, Vec<usize>) {
    let count = groups.iter().max().map_or(0, |&g| g as usize + 1);
    let mut begins = vec![0; count + 1];
    for &g in groups {
        begins[g as usize + 1] += 1;
    }
    for g in 0..count {
        begins[g + 1] += begins[g];
    }
    let mut next = begins.clone();
    let mut order = vec![0; groups.len()];
    for (row, &g) in groups.iter().enumerate() {
        order[next[g as usize]] = row;
        next[g as usize] += 1;
    }
    (order, begins)
}

impl Gathered<'_> {
    fn fit(&mut self, task: &Task, columns: &[&[f64]], rows: &[usize], starts: &[Vec<f64>]) -> One {
        let p = task.model.parameters;
        let weighs = |row: usize| task.roots.as_ref().is_none_or(|roots| roots[row] > 0.0);
        let counted = rows.iter().filter(|&&row| weighs(row)).count();
        let none = |stop: Stop, x: Vec<f64>| One {
            end: End { x, cost: f64::NAN, stop, iterations: 0 },
            rows: counted,
            start: 0,
            standard_errors: vec![f64::NAN; p],
            rss: f64::NAN,
            residual_sd: f64::NAN,
        };
        if counted == 0 || counted < task.estimated() {
            return none(Stop::TooFewRows, vec![f64::NAN; p]);
        }
        for (to, from) in self.columns.iter_mut().zip(columns) {
            to.clear();
            to.extend(rows.iter().map(|&row| from[row]));
        }
        self.roots.clear();
        self.roots.extend(task.roots.iter().flat_map(|roots| rows.iter().map(|&row| roots[row])));
        let views: Vec<&[f64]> = self.columns.iter().map(|c| &c[..]).collect();
        let roots = task.roots.is_some().then_some(&self.roots[..]);
        let data = Data { rows: rows.len(), columns: &views, roots };
        self.descender.work.bind(&data);
        let mut best: Option<(usize, End)> = None;
        for (k, start) in starts.iter().enumerate() {
            let end = self.descender.descend(&data, &task.settings, start);
            if end.stop != Stop::NonFinite && best.as_ref().is_none_or(|b| end.cost < b.1.cost) {
                best = Some((k, end));
            }
        }
        let Some((start, mut end)) = best else {
            return none(Stop::NonFinite, vec![f64::NAN; p]);
        };
        self.descender.polish(&data, &task.settings, &mut end);
        let found = Statistics::new(&mut self.descender.work, &data, &task.settings, &end.x, counted);
        One {
            end,
            rows: counted,
            start,
            standard_errors: found.standard_errors.iter().map(|s| s.unwrap_or(f64::NAN)).collect(),
            rss: found.rss,
            residual_sd: found.residual_sd.unwrap_or(f64::NAN),
        }
    }
}
