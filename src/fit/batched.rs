//! Very many small fits of one model at once, in `f32`: each lane of the CPU engine, each invocation of a GPU, is one fit
//! that runs Levenberg–Marquardt from its start to its end.
//!
//! The step solves `(C + λI) u = -S g` with `H = JᵀJ`, `g = Jᵀr`, `S = diag(H)^-½`, `C = S H S`, and goes to the box's point
//! nearest to `x + S u` (Marquardt 1963). λ follows Nielsen (Damping parameter in Marquardt's method, IMM-REP-1999-05).
//! Rows are summed in their order, one after the other: a result has the same bits in whatever batch, chunk or thread it was
//! computed, and its sums have a relative rounding error of at most `rows · 2⁻²⁴`. Results are starts for a finish in
//! `f64`, or good as they are where three or four digits are enough.
//!
//! ```
//! use catchment::Engine;
//! use catchment::fit::{BatchedFit, BatchedStatus, FitColumn, FitRows, Residuals, run_batched};
//! let names = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<_>>();
//! let residuals = Residuals::parse("a * t + b", "y", &names(&["a", "b"]), &names(&["t", "y"]))?;
//! let fit = BatchedFit {
//!     columns: vec![FitColumn::Shared(&[0.0, 1.0, 2.0]), FitColumn::Own(&[1.0, 3.0, 5.0, 2.0, 1.0, 0.0])],
//!     ..BatchedFit::new(&residuals, FitRows::Equal(3), &[0.0, 0.0, 0.0, 0.0])
//! };
//! let outcome = run_batched(&fit, &Engine::cpu())?;
//! assert!((outcome.parameter(0)[0] - 2.0).abs() < 1e-5 && (outcome.parameter(0)[1] + 1.0).abs() < 1e-5);
//! assert_eq!(outcome.status, [BatchedStatus::Converged; 2]);
//! # Ok::<(), catchment::Error>(())
//! ```

use super::residuals::Residuals;
use crate::engine::Engine;
use crate::error::Error;
use crate::outcome::{DeviceInfo, Flow, Progress, Timing};

/// The most parameters of a batched fit: its normal equations stay in registers. A model with more is refused with
/// [`Error::Setting`], not split: fits so large are few, and belong one by one to the `f64` core.
pub const MAX_PARAMETERS: usize = 12;

/// How many rows each fit has.
#[derive(Clone, Copy, Debug)]
pub enum FitRows<'a> {
    /// All the same number: pixels of a window, or restarts on one table.
    Equal(usize),
    /// One number a fit: groups of a table.
    Lengths(&'a [u32]),
}

/// Values of one column.
#[derive(Clone, Copy, Debug)]
pub enum FitColumn<'a> {
    /// Row `k` of every fit has value `k`; as many as the longest fit has rows.
    Shared(&'a [f32]),
    /// The rows of fit 0, then those of fit 1, and so on.
    Own(&'a [f32]),
}

impl<'a> FitColumn<'a> {
    /// The values, if each fit has its own.
    pub(crate) fn own(&self) -> Option<&'a [f32]> {
        match *self {
            FitColumn::Own(values) => Some(values),
            FitColumn::Shared(_) => None,
        }
    }

    /// The values, if all fits have the same.
    pub(crate) fn shared(&self) -> Option<&'a [f32]> {
        match *self {
            FitColumn::Own(_) => None,
            FitColumn::Shared(values) => Some(values),
        }
    }
}

/// When a fit stops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchedSettings {
    /// The most steps that are tried, rejected ones included.
    pub max_iterations: u32,
    /// A fit has converged where a step changes, and was predicted to change, the sum of squares by no more than this part
    /// of it, or where it changes every parameter by no more than this part of it.
    pub tolerance: f32,
}

impl Default for BatchedSettings {
    fn default() -> BatchedSettings {
        BatchedSettings { max_iterations: 100, tolerance: 1e-6 }
    }
}

/// Many fits of one model; `F` fits of `p` parameters.
#[derive(Clone, Debug)]
pub struct BatchedFit<'a> {
    /// The model.
    pub residuals: &'a Residuals,
    /// Rows of each fit.
    pub rows: FitRows<'a>,
    /// One for each column of `residuals`, in its order.
    pub columns: Vec<FitColumn<'a>>,
    /// What each row's residual is multiplied by: the square root of its weight, `1 / σ` for a known error. None for 1.
    pub roots: Option<FitColumn<'a>>,
    /// `p × F` numbers, parameter-major: parameter `i` of fit `k` at `i F + k`. Starts outside the box are moved to it.
    pub starts: &'a [f32],
    /// Lower and upper end of each parameter, infinite where there is none; empty for no box at all.
    pub bounds: Vec<[f32; 2]>,
    /// When a fit stops.
    pub settings: BatchedSettings,
    /// The most fits of one launch on a GPU, or of one task on the CPU; it changes no result.
    pub chunk: Option<usize>,
}

impl<'a> BatchedFit<'a> {
    /// Fits without columns and bounds, under the default settings.
    pub fn new(residuals: &'a Residuals, rows: FitRows<'a>, starts: &'a [f32]) -> BatchedFit<'a> {
        BatchedFit {
            residuals,
            rows,
            columns: Vec::new(),
            roots: None,
            starts,
            bounds: Vec::new(),
            settings: BatchedSettings::default(),
            chunk: None,
        }
    }

    /// How many fits there are.
    pub fn len(&self) -> usize {
        self.starts.len() / self.residuals.parameters.len().max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns, and that of the roots behind them.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &FitColumn<'a>> {
        self.columns.iter().chain(&self.roots)
    }

    /// Rows of a fit.
    pub(crate) fn rows_of(&self, fit: usize) -> usize {
        match self.rows {
            FitRows::Equal(n) => n,
            FitRows::Lengths(all) => all[fit] as usize,
        }
    }

    /// Ends of a parameter, never infinite: WGSL may assume that there are no infinities.
    pub(crate) fn ends(&self, parameter: usize) -> [f32; 2] {
        let [lo, hi] = self.bounds.get(parameter).copied().unwrap_or([f32::MIN, f32::MAX]);
        [lo.max(f32::MIN), hi.min(f32::MAX)]
    }

    /// Where fit `k` starts along a parameter: inside the box.
    pub(crate) fn start(&self, parameter: usize, fit: usize) -> f32 {
        let [lo, hi] = self.ends(parameter);
        let start = self.starts[parameter * self.len() + fit];
        // Not `clamp`: a NaN must stay one, and be told of as a status.
        if start < lo {
            lo
        } else if start > hi {
            hi
        } else {
            start
        }
    }

    /// Everything a caller can get wrong.
    fn check(&self) -> Result<(), Error> {
        let setting = |name, value: f64, expected| Err(Error::Setting { name, value, expected });
        let parameters = self.residuals.parameters.len();
        if parameters == 0 || parameters > MAX_PARAMETERS {
            return setting("the number of parameters of a batched fit", parameters as f64, "from 1 to 12");
        }
        if !self.starts.len().is_multiple_of(parameters) {
            let expected = "a number for each parameter of each fit";
            return setting("the number of starting values", self.starts.len() as f64, expected);
        }
        if !self.bounds.is_empty() && self.bounds.len() != parameters {
            return setting("the number of bounds", self.bounds.len() as f64, "a pair for each parameter, or none");
        }
        for [lo, hi] in &self.bounds {
            if !(lo <= hi) {
                return setting("a lower bound", f64::from(*lo), "not above the upper bound");
            }
        }
        let tolerance = self.settings.tolerance;
        if !(tolerance.is_finite() && tolerance >= 0.0) {
            return setting("the tolerance", f64::from(tolerance), "a number that is not negative");
        }
        if self.settings.max_iterations == 0 || self.settings.max_iterations > 1 << 24 {
            let value = f64::from(self.settings.max_iterations);
            return setting("the number of iterations", value, "from 1 to 16777216");
        }
        if self.chunk == Some(0) {
            return setting("the chunk", 0.0, "at least 1");
        }
        let (longest, all) = match self.rows {
            FitRows::Equal(n) => (n, n.saturating_mul(self.len())),
            FitRows::Lengths(lengths) => {
                if lengths.len() != self.len() {
                    return setting("the number of row counts", lengths.len() as f64, "one for each fit");
                }
                let longest = lengths.iter().copied().max().unwrap_or(0) as usize;
                (longest, lengths.iter().map(|&n| n as usize).sum())
            }
        };
        if longest > 1 << 24 {
            return setting("the number of rows of a fit", longest as f64, "at most 16777216 in single precision");
        }
        if self.columns.len() != self.residuals.columns.len() {
            return setting("the number of columns", self.columns.len() as f64, "one for each column of the model");
        }
        let roots = "roots".to_owned();
        for (name, column) in self.residuals.columns.iter().chain([&roots]).zip(self.inputs()) {
            let (values, expected) = match column {
                FitColumn::Shared(values) => (values.len(), longest),
                FitColumn::Own(values) => (values.len(), all),
            };
            if values != expected {
                return Err(Error::ColumnLength { column: name.clone(), values, expected });
            }
        }
        Ok(())
    }
}

/// How a batched fit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum BatchedStatus {
    /// A step changed next to nothing: see [`BatchedSettings::tolerance`].
    Converged = 1,
    /// It ran out of iterations; what it has may still be good.
    MaxIterations = 2,
    /// No step of any length made the sum of squares smaller in single precision, and it had not converged.
    Stalled = 3,
    /// The normal equations at the end are singular in single precision, or there are fewer rows than parameters: the
    /// rows do not determine all parameters.
    Singular = 4,
    /// The residuals or their slopes are not finite at the start.
    Nonfinite = 5,
}

impl BatchedStatus {
    /// Every status.
    pub const ALL: [BatchedStatus; 5] = [
        BatchedStatus::Converged,
        BatchedStatus::MaxIterations,
        BatchedStatus::Stalled,
        BatchedStatus::Singular,
        BatchedStatus::Nonfinite,
    ];

    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            BatchedStatus::Converged => "converged",
            BatchedStatus::MaxIterations => "max_iterations",
            BatchedStatus::Stalled => "stalled",
            BatchedStatus::Singular => "singular",
            BatchedStatus::Nonfinite => "nonfinite",
        }
    }

    pub(crate) fn from_code(code: u32) -> Option<BatchedStatus> {
        BatchedStatus::ALL.into_iter().find(|s| *s as u32 == code)
    }
}

/// What came out, as columns over fits.
#[derive(Clone, Debug)]
pub struct BatchedOutcome {
    /// `p × F` numbers, parameter-major, as the starts were.
    pub parameters: Vec<f32>,
    /// Sums of squared residuals there; NaN where they are not finite.
    pub rss: Vec<f32>,
    /// Steps tried.
    pub iterations: Vec<u32>,
    /// How each fit ended.
    pub status: Vec<BatchedStatus>,
    /// Where it ran.
    pub device: DeviceInfo,
    /// How long it took; `run` counts copies to and from a device.
    pub timing: Timing,
}

impl BatchedOutcome {
    /// Room for `count` fits of `p` parameters that none has been written for yet.
    pub(crate) fn empty(p: usize, count: usize, device: DeviceInfo, timing: Timing) -> BatchedOutcome {
        BatchedOutcome {
            parameters: vec![0.0; p * count],
            rss: vec![0.0; count],
            iterations: vec![0; count],
            status: vec![BatchedStatus::Nonfinite; count],
            device,
            timing,
        }
    }

    /// One parameter of all fits.
    pub fn parameter(&self, i: usize) -> &[f32] {
        let fits = self.rss.len();
        &self.parameters[i * fits..][..fits]
    }

    /// All parameters of one fit.
    pub fn fit(&self, k: usize) -> Vec<f32> {
        self.parameters.iter().skip(k).step_by(self.rss.len().max(1)).copied().collect()
    }

    /// How many fits ended so.
    pub fn count(&self, status: BatchedStatus) -> usize {
        self.status.iter().filter(|s| **s == status).count()
    }
}

/// Runs all fits.
///
/// # Errors
/// [`Error::Setting`] and [`Error::ColumnLength`] for what does not fit together, [`Error::TooLarge`] and
/// [`Error::ConstantOutOfRange`] for a formula that cannot be compiled, [`Error::Device`].
pub fn run_batched(fit: &BatchedFit<'_>, engine: &Engine) -> Result<BatchedOutcome, Error> {
    stream_batched(fit, engine, |_| Flow::Continue)
}

/// Runs all fits; `tell` hears of the progress, counted in fits, and may stop the run.
///
/// # Errors
/// As [`run_batched`], and [`Error::Cancelled`] where `tell` says stop.
pub fn stream_batched(
    fit: &BatchedFit<'_>,
    engine: &Engine,
    mut tell: impl FnMut(Progress) -> Flow,
) -> Result<BatchedOutcome, Error> {
    fit.check()?;
    engine.fit(fit, &mut tell)
}
