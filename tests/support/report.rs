//! Failures gathered and printed as row, point, got, bound, seed.

use catchment::kernel::Array;
use std::fmt::{self, Write};

/// Failures that are printed; the rest are counted.
const SHOWN: usize = 40;

/// Where a comparison took place.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Surface, dimension, optimizer, engine: whatever names the row.
    pub row: &'a str,
    pub what: What,
    pub point: &'a [f64],
    pub seed: u64,
}

/// What of a row is compared.
#[derive(Clone, Copy, Debug)]
pub enum What {
    Value,
    Gradient(usize),
    /// An element of a kernel's array.
    Element(Array, usize),
    /// A scalar output of a kernel.
    Scalar(usize),
    /// A coordinate after a step of a restart.
    After {
        coordinate: usize,
        step: u64,
        restart: u64,
    },
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Value => write!(f, "value"),
            What::Gradient(i) => write!(f, "gradient[{i}]"),
            What::Element(array, i) => write!(f, "{array:?}[{i}]"),
            What::Scalar(k) => write!(f, "scalar {k}"),
            What::After { coordinate, step, restart } => {
                write!(f, "x[{coordinate}] after step {step} of restart {restart}, from the point")
            }
        }
    }
}

/// The result of one law over many rows.
pub struct Report {
    law: &'static str,
    failures: Vec<String>,
    /// Comparisons made.
    pub checked: usize,
    /// Comparisons that could not be made: a bound that is not finite, a value that overflows.
    pub skipped: usize,
    /// Comparisons whose bound is at most 1e-4 of the value, or of 1: those that say much.
    pub sharp: usize,
    /// The largest error in units of its bound, and where.
    worst: (f64, String),
}

impl Report {
    pub fn new(law: &'static str) -> Report {
        Report { law, failures: Vec::new(), checked: 0, skipped: 0, sharp: 0, worst: (0.0, String::new()) }
    }

    /// Requires `|got - expected| <= bound`; a bound that is not finite is a skip, never a pass.
    pub fn compare(&mut self, place: &Place<'_>, got: f64, expected: f64, bound: f64) {
        if !(bound.is_finite() && expected.is_finite()) {
            self.skipped += 1;
            return;
        }
        self.checked += 1;
        self.sharp += usize::from(bound <= 1e-4 * expected.abs().max(1.0));
        let error = (got - expected).abs();
        if error <= bound {
            if error > self.worst.0 * bound {
                self.worst = (error / bound, format!("{} {}", place.row, place.what));
            }
            return;
        }
        let point: Vec<f64> = place.point.iter().copied().take(8).collect();
        let more = if place.point.len() > 8 { ", …" } else { "" };
        self.failures.push(format!(
            "{}: {} at {point:?}{more} is {got:e}, not {expected:e} (off by {error:e}, bound {bound:e}, seed {})",
            place.row, place.what, place.seed
        ));
    }

    /// Requires that a condition holds.
    pub fn require(&mut self, holds: bool, say: impl FnOnce() -> String) {
        self.checked += 1;
        if !holds {
            self.failures.push(say());
        }
    }

    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// How many comparisons failed.
    pub fn failed(&self) -> usize {
        self.failures.len()
    }

    /// The latest failure.
    pub fn last(&self) -> Option<&str> {
        self.failures.last().map(String::as_str)
    }

    /// The share of all comparisons, skipped ones too, whose bound says much.
    pub fn sharpness(&self) -> f64 {
        self.sharp as f64 / (self.checked + self.skipped).max(1) as f64
    }

    /// Prints the counts and fails if anything failed, or if fewer than `least` comparisons were made: a law that checks
    /// nothing is broken too.
    pub fn finish(self, least: usize) {
        let mut worst = String::new();
        if self.worst.0 > 0.0 {
            let _ = write!(worst, ", largest error {:.2} of its bound at {}", self.worst.0, self.worst.1);
        }
        println!("{}: {} checked, {} skipped{worst}", self.law, self.checked, self.skipped);
        let shown = self.failures[..self.failures.len().min(SHOWN)].join("\n");
        assert!(self.failures.is_empty(), "{}: {} of {} failed\n{shown}", self.law, self.failures.len(), self.checked);
        assert!(self.checked >= least, "{}: only {} checked, at least {least} expected", self.law, self.checked);
    }
}
