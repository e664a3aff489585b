//! Levenberg–Marquardt on the normal equations of a block of fits, one fit a lane. Twin: shaders/fit.wgsl.

use super::vector::Vectorised;
use crate::fit::damping::{FIRST, LEAST, MOST, PIVOT, SINGULAR, SLACK, SMALLEST, triangle};
use crate::fit::{BatchedSettings, BatchedStatus};

/// Fits of a block.
pub(super) const LANES: usize = 64;
/// One number of every fit.
pub(super) type Row = [f32; LANES];
/// Bits of infinity; a magnitude from there on is not finite.
const INFINITE: u32 = 0x7f80_0000;

/// A block of fits between two evaluations.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    parameters: usize,
    /// Accepted points, and the points to evaluate next.
    pub(super) point: Vec<Row>,
    pub(super) trial: Vec<Row>,
    /// Upper triangle of `[J r]ᵀ[J r]`, row by row, at the accepted points and at the trial points.
    pub(super) accepted: Vec<Row>,
    pub(super) sums: Vec<Row>,
    /// Evaluations made.
    pub(super) taken: [u32; LANES],
    /// 0 while a fit runs, else its status.
    pub(super) code: [u32; LANES],
    lambda: Row,
    nu: Row,
    predicted: Row,
    /// 1 where the step to the trial point changes next to nothing.
    still: Row,
    scale: Vec<Row>,
    factor: Vec<Row>,
    inverse: Vec<Row>,
    step: Vec<Row>,
}

impl Lanes {
    pub(super) fn new(parameters: usize) -> Lanes {
        let p = parameters;
        let rows = |count: usize| vec![[0.0; LANES]; count];
        Lanes {
            parameters,
            point: rows(p),
            trial: rows(p),
            accepted: rows((p + 1) * (p + 2) / 2),
            sums: rows((p + 1) * (p + 2) / 2),
            taken: [0; LANES],
            code: [BatchedStatus::Converged as u32; LANES],
            lambda: [FIRST; LANES],
            nu: [2.0; LANES],
            predicted: [0.0; LANES],
            still: [0.0; LANES],
            scale: rows(p),
            factor: rows(p * p),
            inverse: rows(p),
            step: rows(p),
        }
    }

    /// Puts a new fit on a lane.
    pub(super) fn begin(&mut self, lane: usize, start: impl Fn(usize) -> f32) {
        for i in 0..self.parameters {
            self.point[i][lane] = start(i);
            self.trial[i][lane] = start(i);
        }
        for row in &mut self.accepted {
            row[lane] = 0.0;
        }
        (self.taken[lane], self.code[lane]) = (0, 0);
        (self.lambda[lane], self.nu[lane]) = (FIRST, 2.0);
        (self.predicted[lane], self.still[lane]) = (0.0, 0.0);
    }

    /// The sum of squares at a lane's accepted point.
    pub(super) fn rss(&self, lane: usize) -> f32 {
        self.accepted[triangle(self.parameters + 1, self.parameters, self.parameters)][lane]
    }

    /// Whether the normal equations of a lane, without damping, are singular.
    pub(super) fn singular(&self, lane: usize) -> bool {
        let p = self.parameters;
        let at = |i: usize, j: usize| self.accepted[triangle(p + 1, i, j)][lane];
        let mut factor = vec![0f32; p * p];
        let scale: Vec<f32> = (0..p).map(|i| self.scale[i][lane]).collect();
        for j in 0..p {
            if at(j, j) < SMALLEST {
                return true;
            }
            let pivot = (0..j).fold(1.0, |sum, k| sum - factor[j * p + k] * factor[j * p + k]);
            if pivot < SINGULAR {
                return true;
            }
            let inverse = 1.0 / pivot.sqrt();
            for i in j + 1..p {
                let sum = at(j, i) * scale[i] * scale[j];
                let sum = (0..j).fold(sum, |sum, k| sum - factor[i * p + k] * factor[j * p + k]);
                factor[i * p + j] = sum * inverse;
            }
        }
        false
    }
}

/// Adds products of `used` rows' slopes and residuals to the sums. Row `r` of output `k` is at `at[k] + r LANES`.
pub(super) struct Accumulate<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) at: &'a [usize],
    pub(super) used: usize,
    pub(super) sums: &'a mut [Row],
}

impl Vectorised for Accumulate<'_> {
    #[inline(always)]
    fn run(self) {
        let len = self.used * LANES;
        let mut pair = 0;
        for (i, &first) in self.at.iter().enumerate() {
            let a = self.numbers[first..first + len].as_chunks::<LANES>().0;
            for &second in &self.at[i..] {
                let b = self.numbers[second..second + len].as_chunks::<LANES>().0;
                let sum = &mut self.sums[pair];
                let (fours_a, rest_a) = a.as_chunks::<4>();
                let (fours_b, rest_b) = b.as_chunks::<4>();
                for (a, b) in fours_a.iter().zip(fours_b) {
                    for l in 0..LANES {
                        sum[l] = sum[l] + a[0][l] * b[0][l] + a[1][l] * b[1][l] + a[2][l] * b[2][l] + a[3][l] * b[3][l];
                    }
                }
                for (a, b) in rest_a.iter().zip(rest_b) {
                    for l in 0..LANES {
                        sum[l] += a[l] * b[l];
                    }
                }
                pair += 1;
            }
        }
    }
}

/// Judges the trial points by their sums, and makes the next ones.
pub(super) struct Advance<'a> {
    pub(super) lanes: &'a mut Lanes,
    pub(super) ends: &'a [[f32; 2]],
    pub(super) settings: BatchedSettings,
}

impl Vectorised for Advance<'_> {
    #[inline(always)]
    fn run(self) {
        self.lanes.judge(self.settings);
        self.lanes.solve(self.ends, self.settings.tolerance);
    }
}

// Rows are taken by reference or copied before a loop over lanes: an index into a list of rows inside such a loop keeps it
// from being vectorised.
impl Lanes {
    #[inline(always)]
    fn judge(&mut self, settings: BatchedSettings) {
        let (p, tolerance) = (self.parameters, settings.tolerance);
        let mut worst = [0u32; LANES];
        for i in 0..=p {
            for k in [triangle(p + 1, i, i), triangle(p + 1, i, p)] {
                for (w, v) in worst.iter_mut().zip(&self.sums[k]) {
                    *w = (*w).max(v.to_bits() & 0x7fff_ffff);
                }
            }
        }
        let last = triangle(p + 1, p, p);
        let (before, now) = (self.accepted[last], self.sums[last]);
        let (mut lambda, mut nu, mut taken, mut code) = (self.lambda, self.nu, self.taken, self.code);
        let (predicted, still) = (self.predicted, self.still);
        let mut better = [0u32; LANES];
        for l in 0..LANES {
            let (good, first) = (worst[l] < INFINITE, taken[l] == 0);
            let gain = before[l] - now[l];
            let accept = good & (first | (gain >= -SLACK * before[l]));
            better[l] = u32::from(accept);
            let ratio = (gain / predicted[l].max(SMALLEST)).clamp(0.0, 1.0);
            let part = 2.0 * ratio - 1.0;
            let lower = (lambda[l] * (1.0 - part * part * part).max(1.0 / 3.0)).max(LEAST);
            let higher = lambda[l] * nu[l];
            let kept = if first { lambda[l] } else { lower };
            lambda[l] = if accept { kept } else { higher };
            nu[l] = if accept { 2.0 } else { 2.0 * nu[l] };
            taken[l] += 1;
            let flat = (predicted[l] <= tolerance * before[l]) & (gain.abs() <= tolerance * before[l]);
            let converged = good & (flat | (still[l] > 0.0));
            // The first that holds, as a chain of choices from the last to the first.
            let over = taken[l] > settings.max_iterations;
            let end = if over { BatchedStatus::MaxIterations as u32 } else { 0 };
            let end = if lambda[l] > MOST { BatchedStatus::Stalled as u32 } else { end };
            let end = if converged { BatchedStatus::Converged as u32 } else { end };
            let begin = if good { 0 } else { BatchedStatus::Nonfinite as u32 };
            let now = if first { begin } else { end };
            code[l] = if code[l] == 0 { now } else { code[l] };
        }
        (self.lambda, self.nu, self.taken, self.code) = (lambda, nu, taken, code);
        let pairs = self.accepted.iter_mut().zip(&self.sums).chain(self.point.iter_mut().zip(&self.trial));
        for (kept, new) in pairs {
            for l in 0..LANES {
                kept[l] = if better[l] != 0 { new[l] } else { kept[l] };
            }
        }
    }

    #[inline(always)]
    fn solve(&mut self, ends: &[[f32; 2]], tolerance: f32) {
        let p = self.parameters;
        let (h, point) = (&self.accepted[..], &self.point[..]);
        let (scale, factor) = (&mut self.scale[..], &mut self.factor[..]);
        let (inverse, step, trial) = (&mut self.inverse[..], &mut self.step[..], &mut self.trial[..]);
        let lambda = self.lambda;
        for i in 0..p {
            let (x, diagonal, slope) = (&point[i], &h[triangle(p + 1, i, i)], &h[triangle(p + 1, i, p)]);
            let ([lo, hi], to) = (ends[i], &mut scale[i]);
            for l in 0..LANES {
                let (x, g, d) = (x[l], slope[l], diagonal[l]);
                let held = ((x <= lo) & (g > 0.0)) | ((x >= hi) & (g < 0.0)) | (d < SMALLEST);
                to[l] = if held { 0.0 } else { 1.0 / d.sqrt() };
            }
        }
        // L of LLᵀ = C + λI column by column, and the inverses of its diagonal.
        for j in 0..p {
            let mut sum: Row = [0.0; LANES];
            for l in 0..LANES {
                sum[l] = 1.0 + lambda[l];
            }
            for row in &factor[j * p..j * p + j] {
                for l in 0..LANES {
                    sum[l] -= row[l] * row[l];
                }
            }
            let inverse = &mut inverse[j];
            for l in 0..LANES {
                inverse[l] = 1.0 / sum[l].max(PIVOT).sqrt();
            }
            for i in j + 1..p {
                let (element, a, b) = (&h[triangle(p + 1, j, i)], &scale[i], &scale[j]);
                for l in 0..LANES {
                    sum[l] = element[l] * a[l] * b[l];
                }
                for k in 0..j {
                    subtract(&mut sum, &factor[i * p + k], &factor[j * p + k]);
                }
                let to = &mut factor[i * p + j];
                for l in 0..LANES {
                    to[l] = sum[l] * inverse[l];
                }
            }
        }
        for i in 0..p {
            let mut sum: Row = [0.0; LANES];
            let (slope, scale, inverse) = (&h[triangle(p + 1, i, p)], &scale[i], &inverse[i]);
            for l in 0..LANES {
                sum[l] = -slope[l] * scale[l];
            }
            for k in 0..i {
                subtract(&mut sum, &factor[i * p + k], &step[k]);
            }
            let to = &mut step[i];
            for l in 0..LANES {
                to[l] = sum[l] * inverse[l];
            }
        }
        for i in (0..p).rev() {
            let mut sum = step[i];
            for k in i + 1..p {
                subtract(&mut sum, &factor[k * p + i], &step[k]);
            }
            let (to, inverse) = (&mut step[i], &inverse[i]);
            for l in 0..LANES {
                to[l] = sum[l] * inverse[l];
            }
        }
        let mut still = [1.0; LANES];
        for i in 0..p {
            let ([lo, hi], x, scale) = (ends[i], &point[i], &scale[i]);
            let (trial, step) = (&mut trial[i], &mut step[i]);
            for l in 0..LANES {
                let to = (x[l] + scale[l] * step[l]).min(hi).max(lo);
                let moved = to - x[l];
                (trial[l], step[l]) = (to, moved);
                still[l] = if moved.abs() <= tolerance * x[l].abs() { still[l] } else { 0.0 };
            }
        }
        // What the quadratic model promises for the step as the box left it.
        let mut predicted: Row = [0.0; LANES];
        for i in 0..p {
            let slope = &h[triangle(p + 1, i, p)];
            let mut sum: Row = [0.0; LANES];
            for l in 0..LANES {
                sum[l] = -2.0 * slope[l];
            }
            for j in 0..p {
                subtract(&mut sum, &h[triangle(p + 1, i.min(j), i.max(j))], &step[j]);
            }
            let step = &step[i];
            for l in 0..LANES {
                predicted[l] += step[l] * sum[l];
            }
        }
        (self.still, self.predicted) = (still, predicted);
    }
}

/// Takes a product away from a sum.
#[inline(always)]
fn subtract(sum: &mut Row, a: &Row, b: &Row) {
    for l in 0..LANES {
        sum[l] -= a[l] * b[l];
    }
}
