//! Ends of descents made exact: safeguarded Newton steps in `f64`, many points in step.
//!
//! Coordinates are measured in widths of the box. A step is taken in the eigenvectors of the matrix of second derivatives,
//! within a radius that shrinks where a step fails (Nocedal & Wright 2006, ch. 4). Towards a minimum every eigenvalue counts
//! by its magnitude, so that a saddle is left and not found; towards a critical point of any index the step is
//! Levenberg's on the gradient, so that `|∇f|²` falls.

use super::derivatives::Derivatives;
use super::probe::Scales;
use crate::linear::symmetric_eigen;
use crate::surface::Surface;
use rayon::prelude::*;

/// Turns at most: a critical point without curvature is approached by a constant factor.
const TURNS: usize = 120;
/// A step this short, in widths of the box, ends the way.
const SHORT: f64 = 1e-13;
/// The first and largest step, in widths of the box: the basin is not to be left.
const RADIUS: f64 = 0.02;
/// Turns in which the gradient's length must fall by a tenth, towards a critical point: else it is lowest about here, and not 0.
const PATIENCE: u32 = 12;
/// Points that go in step.
pub(super) const TOGETHER: usize = 256;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Downhill in the value, inside the box where `held`.
    Minimum {
        /// Whether the box holds.
        held: bool,
    },
    /// Downhill in the gradient's length.
    Critical,
}

/// Where a polish ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) x: Vec<f64>,
    pub(crate) value: f64,
    pub(crate) gradient: Vec<f64>,
    /// Row-major; empty where it was not asked for.
    pub(crate) hessian: Vec<f64>,
    /// Length of the Newton step that is left, in widths of the box, over free coordinates of some curvature.
    pub(crate) left: f64,
    /// Length of the gradient over free coordinates, a width of the box as the unit.
    pub(crate) slope: f64,
    /// Coordinates that the box holds.
    pub(crate) held: Vec<bool>,
}

/// Makes points exact.
pub(crate) struct Polisher<'a> {
    pub(crate) derivatives: &'a Derivatives,
    pub(crate) surface: &'a Surface,
    pub(crate) scales: &'a Scales,
    pub(crate) goal: Goal,
}

/// A point on its way.
struct Walker {
    x: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    hessian: Vec<f64>,
    held: Vec<bool>,
    /// Of the scaled matrix over free coordinates.
    values: Vec<f64>,
    vectors: Vec<f64>,
    radius: f64,
    step: Vec<f64>,
    trial: Vec<f64>,
    /// The gradient's length when it last had fallen by a tenth, and turns since then.
    mark: f64,
    idle: u32,
    /// Whether the matrix belongs to `x`.
    fresh: bool,
    done: bool,
}

impl Polisher<'_> {
    /// Makes points exact, row-major; many more than [`TOGETHER`] keep all threads busy.
    pub(crate) fn polish(&self, points: &[f64]) -> Vec<End> {
        let n = self.derivatives.dim();
        points.par_chunks(TOGETHER * n).flat_map_iter(|some| self.together(some)).collect()
    }

    fn together(&self, points: &[f64]) -> Vec<End> {
        let n = self.derivatives.dim();
        let at = self.derivatives.first(points);
        let walker = |(x, (value, gradient)): (&[f64], (&f64, &[f64]))| Walker {
            x: x.to_vec(),
            value: *value,
            gradient: gradient.to_vec(),
            hessian: Vec::new(),
            held: vec![false; n],
            values: Vec::new(),
            vectors: Vec::new(),
            radius: RADIUS,
            step: vec![0.0; n],
            trial: Vec::new(),
            mark: f64::INFINITY,
            idle: 0,
            fresh: false,
            done: !(value.is_finite() && gradient.iter().all(|g| g.is_finite())),
        };
        let pairs = at.value.iter().zip(at.gradient.chunks_exact(n));
        let mut walkers: Vec<Walker> = points.chunks_exact(n).zip(pairs).map(walker).collect();
        for _ in 0..TURNS {
            self.look(&mut walkers);
            let mut active: Vec<&mut Walker> = walkers.iter_mut().filter(|w| !w.done).collect();
            active.iter_mut().for_each(|w| self.propose(w));
            active.retain(|w| !w.done);
            if active.is_empty() {
                break;
            }
            let trials: Vec<f64> = active.iter().flat_map(|w| &w.trial).copied().collect();
            let found = self.derivatives.first(&trials);
            for (w, (value, gradient)) in active.iter_mut().zip(found.value.iter().zip(found.gradient.chunks_exact(n)))
            {
                self.judge(w, *value, gradient);
            }
        }
        // The last step may have left a matrix behind.
        walkers.iter_mut().for_each(|w| w.done = w.fresh || !w.value.is_finite());
        self.look(&mut walkers);
        walkers.into_iter().map(|w| self.end(w)).collect()
    }

    /// Second derivatives and their eigenvectors where a point has moved.
    fn look(&self, walkers: &mut [Walker]) {
        let n = self.derivatives.dim();
        let mut stale: Vec<&mut Walker> = walkers.iter_mut().filter(|w| !w.done && !w.fresh).collect();
        let points: Vec<f64> = stale.iter().flat_map(|w| &w.x).copied().collect();
        let matrices = self.derivatives.second(&points);
        for (w, matrix) in stale.iter_mut().zip(matrices.chunks_exact(n * n)) {
            w.hessian = matrix.to_vec();
            w.fresh = true;
            w.held = self.held(w);
            let free = |i: usize| if w.held[i] { 0.0 } else { self.scales.width[i] };
            let scaled: Vec<f64> = (0..n * n).map(|k| matrix[k] * free(k / n) * free(k % n)).collect();
            (w.values, w.vectors) = symmetric_eigen(n, &scaled);
            w.done = w.values.iter().any(|v| v.is_nan());
        }
    }

    /// Coordinates at an end of the box that the gradient pushes against.
    fn held(&self, w: &Walker) -> Vec<bool> {
        let domain = self.surface.domain();
        let holds = self.goal == Goal::Minimum { held: true };
        let held = |i: usize| {
            holds && (w.x[i] <= domain.lo[i] && w.gradient[i] > 0.0 || w.x[i] >= domain.hi[i] && w.gradient[i] < 0.0)
        };
        (0..w.x.len()).map(held).collect()
    }

    /// The gradient over free coordinates, in widths of the box.
    fn slope(&self, w: &Walker, gradient: &[f64]) -> Vec<f64> {
        let free = |i: usize| if w.held[i] { 0.0 } else { gradient[i] * self.scales.width[i] };
        (0..gradient.len()).map(free).collect()
    }

    fn propose(&self, w: &mut Walker) {
        let n = w.x.len();
        let slope = self.slope(w, &w.gradient);
        let largest = w.values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        w.step.fill(0.0);
        let mut length: f64 = 0.0;
        if largest > 0.0 {
            for (k, &value) in w.values.iter().enumerate() {
                let vector = &w.vectors[k * n..][..n];
                let along: f64 = vector.iter().zip(&slope).map(|(v, g)| v * g).sum();
                let part = match self.goal {
                    Goal::Minimum { .. } => along / value.abs().max(1e-12 * largest),
                    Goal::Critical => along * value / (value * value).max(1e-24 * largest * largest),
                };
                w.step.iter_mut().zip(vector).for_each(|(s, v)| *s -= part * v);
            }
            length = norm(&w.step);
        } else {
            // Without curvature there is only the slope.
            let steep = norm(&slope);
            if steep > 0.0 && matches!(self.goal, Goal::Minimum { .. }) {
                w.step.iter_mut().zip(&slope).for_each(|(s, g)| *s = -w.radius * g / steep);
                length = w.radius;
            }
        }
        if !(length > 0.0 && length.is_finite()) {
            w.done = true;
            return;
        }
        if length > w.radius {
            w.step.iter_mut().for_each(|s| *s *= w.radius / length);
        }
        let domain = self.surface.domain();
        let held = self.goal == Goal::Minimum { held: true };
        let moved = |i: usize| {
            let to = w.x[i] + w.step[i] * self.scales.width[i];
            if held { to.clamp(domain.lo[i], domain.hi[i]) } else { to }
        };
        w.trial = (0..n).map(moved).collect();
        w.done = w.trial == w.x;
    }

    fn judge(&self, w: &mut Walker, value: f64, gradient: &[f64]) {
        let length = norm(&w.step);
        let finite = value.is_finite() && gradient.iter().all(|g| g.is_finite());
        let (before, after) = (norm(&self.slope(w, &w.gradient)), norm(&self.slope(w, gradient)));
        let better = finite
            && match self.goal {
                Goal::Critical => after < before,
                Goal::Minimum { .. } => {
                    // Where the value no longer tells, the gradient does.
                    let noise = 8.0 * f64::EPSILON * value.abs().max(w.value.abs());
                    value < w.value - noise || (value - w.value).abs() <= noise && after < before
                }
            };
        if better {
            (w.value, w.gradient) = (value, gradient.to_vec());
            std::mem::swap(&mut w.x, &mut w.trial);
            w.fresh = false;
            w.radius = (2.0 * length).max(w.radius).min(RADIUS);
            w.done = length <= SHORT;
        } else {
            w.radius = 0.25 * length.min(w.radius);
            w.done = w.radius <= SHORT;
        }
        let now = if better { after } else { before };
        (w.mark, w.idle) = if now < 0.9 * w.mark { (now, 0) } else { (w.mark, w.idle + 1) };
        w.done |= self.goal == Goal::Critical && w.idle > PATIENCE;
    }

    fn end(&self, w: Walker) -> End {
        let n = w.x.len();
        let slope = self.slope(&w, &w.gradient);
        let largest = w.values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let mut left = 0.0;
        for (k, &value) in w.values.iter().enumerate() {
            let along: f64 = w.vectors[k * n..][..n].iter().zip(&slope).map(|(v, g)| v * g).sum();
            if value.abs() > 1e-12 * largest && value != 0.0 {
                left += (along / value).powi(2);
            }
        }
        let left = if largest > 0.0 { left.sqrt() } else { f64::INFINITY };
        let slope = norm(&slope);
        End { x: w.x, value: w.value, gradient: w.gradient, hessian: w.hessian, left, slope, held: w.held }
    }
}

/// Euclidean length.
pub(crate) fn norm(v: &[f64]) -> f64 {
    v.iter().map(|a| a * a).sum::<f64>().sqrt()
}
