//! From one start to the least squares it leads to: Levenberg–Marquardt as Moré (1978) has it, and a polish.
//!
//! A step is taken where the cost falls by at least 1e-4 of what the linearised residuals promise; the trust region
//! shrinks and grows as in MINPACK's `lmder`. The descent ends where a Gauss–Newton step promises less than rounding
//! hides. The polish then takes Gauss–Newton steps as long as the promise keeps shrinking.

use super::dense::Factor;
use super::loss::Loss;
use super::rows::{Data, Work};
use super::trust::{Limits, Trust};

/// The first trust region, in lengths of the start: MINPACK's.
const FIRST: f64 = 100.0;
/// So many iterations must lower the cost by at least this part of it. The slowest descents from NIST's own starts lower it
/// ten times as much; those that run away to infinity do not.
const CREEP: (u32, f64) = (50, 1e-5);
/// Gauss–Newton steps of a polish, at most.
const POLISH: usize = 40;

/// Why a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stop {
    /// At a stationary point: no small change of the parameters lowers the cost, up to rounding.
    Converged,
    /// No step lowers the cost, though its gradient says that one should: a kink, a jump or the edge of where the
    /// residuals are finite. Look at the model there, or start elsewhere.
    Stalled,
    /// The cost falls by less than 1e-5 of itself in 50 iterations: parameters run away to infinity, or along a valley
    /// without a floor, because the data do not determine them. Bound them, fix one, or start elsewhere.
    Creeping,
    /// All iterations were used up while the cost still fell: allow more.
    MaxIterations,
    /// A residual or slope at the start is not finite: start elsewhere or narrow the boxes.
    NonFinite,
    /// A group of fewer rows than parameters; nothing was fitted.
    TooFewRows,
}

impl Stop {
    /// All of them.
    pub const ALL: [Stop; 6] =
        [Stop::Converged, Stop::Stalled, Stop::Creeping, Stop::MaxIterations, Stop::NonFinite, Stop::TooFewRows];

    /// As files and documents name it.
    pub fn name(self) -> &'static str {
        match self {
            Stop::Converged => "converged",
            Stop::Stalled => "stalled",
            Stop::Creeping => "creeping",
            Stop::MaxIterations => "max_iterations",
            Stop::NonFinite => "nonfinite",
            Stop::TooFewRows => "too_few_rows",
        }
    }
}

/// What holds for every start of a fit.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) loss: Loss,
    pub(crate) limits: Limits,
    pub(crate) max_iterations: u32,
}

/// Where a start led.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) x: Vec<f64>,
    pub(crate) cost: f64,
    pub(crate) stop: Stop,
    pub(crate) iterations: u32,
}

/// What one thread needs to descend.
pub(crate) struct Descender<'m> {
    pub(crate) work: Work<'m>,
    trust: Trust,
    now: Factor,
    next: Factor,
    trial: Vec<f64>,
}

impl<'m> Descender<'m> {
    pub(crate) fn new(work: Work<'m>) -> Descender<'m> {
        let (now, next) = (Factor::default(), Factor::default());
        Descender { work, trust: Trust::default(), now, next, trial: Vec::new() }
    }

    /// Descends from a start; the table must be bound.
    pub(crate) fn descend(&mut self, data: &Data<'_>, settings: &Settings, start: &[f64]) -> End {
        let (loss, limits) = (settings.loss, &settings.limits);
        let mut x = start.to_vec();
        limits.project(&mut x);
        let mut cost = self.work.evaluate(data, &x, loss);
        let mut iterations = 0;
        let mut before = cost;
        let end = |x, cost, stop, iterations| End { x, cost, stop, iterations };
        if !cost.is_finite() {
            return end(x, cost, Stop::NonFinite, iterations);
        }
        self.work.linearize(data, &x, loss, &mut self.now);
        if !self.now.is_finite() {
            return end(x, cost, Stop::NonFinite, iterations);
        }
        self.trust.reset();
        self.trust.prepare(&self.now, &x, limits);
        self.trust.radius = match self.trust.length(&x) {
            0.0 => FIRST,
            length => FIRST * length,
        };
        loop {
            let hidden = hidden(&self.now, &x, cost);
            if self.trust.gain <= hidden {
                return end(x, cost, Stop::Converged, iterations);
            }
            if iterations >= settings.max_iterations {
                return end(x, cost, Stop::MaxIterations, iterations);
            }
            if iterations % CREEP.0 == 0 {
                if iterations > 0 && before - cost < CREEP.1 * cost {
                    return end(x, cost, Stop::Creeping, iterations);
                }
                before = cost;
            }
            iterations += 1;
            let least = 1e-15 * self.trust.length(&x) + f64::MIN_POSITIVE;
            loop {
                let promised = self.trust.step(&self.now, &x, limits, self.trust.radius);
                let length = self.trust.length(&self.trust.d);
                if iterations == 1 {
                    self.trust.radius = self.trust.radius.min(length);
                }
                if let Some(lower) = self.attempt(data, settings, &x, cost, promised) {
                    self.work.linearize(data, &self.trial, loss, &mut self.next);
                    if self.next.is_finite() {
                        std::mem::swap(&mut x, &mut self.trial);
                        std::mem::swap(&mut self.now, &mut self.next);
                        cost = lower;
                        self.trust.prepare(&self.now, &x, limits);
                        break;
                    }
                    self.trust.radius = 0.25 * self.trust.radius.min(length);
                }
                if !(self.trust.radius > least) {
                    // A kink leaves more than what rounding does.
                    let stop = if self.trust.gain <= 1e3 * hidden { Stop::Converged } else { Stop::Stalled };
                    return end(x, cost, stop, iterations);
                }
            }
        }
    }

    /// Tries the step: its cost, if that falls enough. Changes the radius as `lmder` does.
    fn attempt(&mut self, data: &Data<'_>, settings: &Settings, x: &[f64], cost: f64, promised: f64) -> Option<f64> {
        let trust = &mut self.trust;
        let length = trust.length(&trust.d);
        self.trial.clear();
        self.trial.extend(x.iter().zip(&trust.d).map(|(x, d)| x + d));
        settings.limits.project(&mut self.trial);
        // A promise of nothing, or one that is no number, comes from a step too long for what the slopes can tell.
        let trial = if promised > 0.0 { self.work.evaluate(data, &self.trial, settings.loss) } else { f64::NAN };
        if !trial.is_finite() {
            trust.radius = 0.25 * trust.radius.min(length);
            return None;
        }
        let fall = cost - trial;
        let ratio = fall / promised;
        if ratio <= 0.25 {
            // Where the parabola through both costs and the slope is least.
            let slope: f64 = trust.d.iter().enumerate().map(|(j, d)| self.now.gradient(j) * d).sum();
            let least = if fall >= 0.0 { 0.5 } else { 0.5 * slope / (slope + 0.5 * fall) };
            let shrink = if trial < 100.0 * cost && least >= 0.1 { least } else { 0.1 };
            trust.radius = shrink * trust.radius.min(10.0 * length);
        } else if ratio >= 0.75 || trust.full {
            trust.radius = if trust.at_bound { trust.radius.max(2.0 * length) } else { 2.0 * length };
        }
        (ratio >= 1e-4).then_some(trial)
    }

    /// Takes Gauss–Newton steps while what they promise shrinks.
    pub(crate) fn polish(&mut self, data: &Data<'_>, settings: &Settings, end: &mut End) {
        if !matches!(end.stop, Stop::Converged | Stop::Stalled) {
            return;
        }
        let (loss, limits) = (settings.loss, &settings.limits);
        self.work.linearize(data, &end.x, loss, &mut self.now);
        if !self.now.is_finite() {
            return;
        }
        self.trust.reset();
        self.trust.prepare(&self.now, &end.x, limits);
        for _ in 0..POLISH {
            let gain = self.trust.gain;
            if gain == 0.0 {
                break;
            }
            if !self.trust.step(&self.now, &end.x, limits, f64::INFINITY).is_finite() {
                break;
            }
            self.trial.clear();
            self.trial.extend(end.x.iter().zip(&self.trust.d).map(|(x, d)| x + d));
            limits.project(&mut self.trial);
            let cost = self.work.evaluate(data, &self.trial, loss);
            if !(cost <= end.cost + hidden(&self.now, &end.x, end.cost)) {
                break;
            }
            self.work.linearize(data, &self.trial, loss, &mut self.next);
            if !self.next.is_finite() {
                break;
            }
            self.trust.prepare(&self.next, &self.trial, limits);
            if !(self.trust.gain < 0.9 * gain) {
                break;
            }
            std::mem::swap(&mut end.x, &mut self.trial);
            std::mem::swap(&mut self.now, &mut self.next);
            end.cost = cost;
            if self.trust.gain <= hidden(&self.now, &end.x, end.cost) {
                end.stop = Stop::Converged;
            }
        }
    }
}

/// What rounding hides of a cost: of a sum of `r²` with each `r` off by ε times what the model is made of.
pub(crate) fn hidden(factor: &Factor, x: &[f64], cost: f64) -> f64 {
    let made: f64 = x.iter().enumerate().map(|(j, x)| (factor.length(j) * x).powi(2)).sum();
    let noise = f64::EPSILON * f64::EPSILON * made.max(cost);
    1e-13 * cost + 4.0 * (cost * noise).sqrt() + 64.0 * noise + f64::MIN_POSITIVE
}
