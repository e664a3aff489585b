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
/// What one turn of a loop takes: its sums stay in vector registers.
const PIECE: usize = 16;

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
            let a = &self.numbers[first..first + len];
            for &second in &self.at[i..] {
                let b = &self.numbers[second..second + len];
                for (piece, sums) in self.sums[pair].as_chunks_mut::<PIECE>().0.iter_mut().enumerate() {
                    let mut sum = *sums;
                    let (a, b) = (a.as_chunks::<LANES>().0, b.as_chunks::<LANES>().0);
                    for (a, b) in a.iter().zip(b) {
                        let a = &a.as_chunks::<PIECE>().0[piece];
                        let b = &b.as_chunks::<PIECE>().0[piece];
                        for l in 0..PIECE {
                            sum[l] += a[l] * b[l];
                        }
                    }
                    *sums = sum;
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
        let mut better = [0u32; LANES];
        for l in 0..LANES {
            let (before, now) = (self.accepted[last][l], self.sums[last][l]);
            let (bad, fresh) = (worst[l] >= INFINITE, self.taken[l] == 0);
            let gain = before - now;
            let accept = !bad && (fresh || gain >= -SLACK * before);
            better[l] = u32::from(accept);
            let ratio = (gain / self.predicted[l]).clamp(0.0, 1.0);
            // A ratio of nothing to nothing is NaN, and passes `max` as if it were not there.
            let cube = (2.0 * ratio - 1.0) * (2.0 * ratio - 1.0) * (2.0 * ratio - 1.0);
            let lower = (self.lambda[l] * (1.0 - cube).max(1.0 / 3.0)).max(LEAST);
            let (lambda, nu) = match (accept, fresh) {
                (true, true) => (FIRST, 2.0),
                (true, false) => (lower, 2.0),
                (false, _) => (self.lambda[l] * self.nu[l], self.nu[l] * 2.0),
            };
            (self.lambda[l], self.nu[l]) = (lambda, nu);
            self.taken[l] += 1;
            let flat = self.predicted[l] <= tolerance * before && gain.abs() <= tolerance * before;
            let code = if fresh {
                if bad { BatchedStatus::Nonfinite as u32 } else { 0 }
            } else if !bad && (flat || self.still[l] > 0.0) {
                BatchedStatus::Converged as u32
            } else if lambda > MOST {
                BatchedStatus::Stalled as u32
            } else if self.taken[l] > settings.max_iterations {
                BatchedStatus::MaxIterations as u32
            } else {
                0
            };
            self.code[l] = if self.code[l] == 0 { code } else { self.code[l] };
        }
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
        let (h, s) = (&self.accepted, &mut self.scale);
        for i in 0..p {
            let (diagonal, slope) = (&h[triangle(p + 1, i, i)], &h[triangle(p + 1, i, p)]);
            for l in 0..LANES {
                let (x, g, d) = (self.point[i][l], slope[l], diagonal[l]);
                let held = (x <= ends[i][0]) & (g > 0.0) | (x >= ends[i][1]) & (g < 0.0) | (d < SMALLEST);
                s[i][l] = if held { 0.0 } else { 1.0 / d.sqrt() };
            }
        }
        // L of LLᵀ = C + λI row by row, and the inverses of its diagonal.
        for j in 0..p {
            for i in j..p {
                let mut sum: Row = [0.0; LANES];
                let element = &h[triangle(p + 1, j, i)];
                for l in 0..LANES {
                    sum[l] = if i == j { 1.0 + self.lambda[l] } else { element[l] * s[i][l] * s[j][l] };
                }
                for k in 0..j {
                    let (a, b) = (&self.factor[i * p + k], &self.factor[j * p + k]);
                    for l in 0..LANES {
                        sum[l] -= a[l] * b[l];
                    }
                }
                if i == j {
                    for l in 0..LANES {
                        self.inverse[j][l] = 1.0 / sum[l].max(PIVOT).sqrt();
                    }
                } else {
                    for l in 0..LANES {
                        self.factor[i * p + j][l] = sum[l] * self.inverse[j][l];
                    }
                }
            }
        }
        for i in 0..p {
            let mut sum: Row = [0.0; LANES];
            let slope = &h[triangle(p + 1, i, p)];
            for l in 0..LANES {
                sum[l] = -slope[l] * s[i][l];
            }
            for k in 0..i {
                for l in 0..LANES {
                    sum[l] -= self.factor[i * p + k][l] * self.step[k][l];
                }
            }
            for l in 0..LANES {
                self.step[i][l] = sum[l] * self.inverse[i][l];
            }
        }
        for i in (0..p).rev() {
            let mut sum = self.step[i];
            for k in i + 1..p {
                for l in 0..LANES {
                    sum[l] -= self.factor[k * p + i][l] * self.step[k][l];
                }
            }
            for l in 0..LANES {
                self.step[i][l] = sum[l] * self.inverse[i][l];
            }
        }
        self.still = [1.0; LANES];
        for i in 0..p {
            let [lo, hi] = ends[i];
            for l in 0..LANES {
                let x = self.point[i][l];
                let to = (x + s[i][l] * self.step[i][l]).min(hi).max(lo);
                let step = to - x;
                (self.trial[i][l], self.step[i][l]) = (to, step);
                self.still[l] = if step.abs() <= tolerance * x.abs() { self.still[l] } else { 0.0 };
            }
        }
        // What the quadratic model promises for the step as the box left it.
        self.predicted = [0.0; LANES];
        for i in 0..p {
            let slope = &h[triangle(p + 1, i, p)];
            let mut sum: Row = [0.0; LANES];
            for l in 0..LANES {
                sum[l] = 2.0 * slope[l];
            }
            for j in 0..p {
                let element = &h[triangle(p + 1, i.min(j), i.max(j))];
                for l in 0..LANES {
                    sum[l] += element[l] * self.step[j][l];
                }
            }
            for l in 0..LANES {
                self.predicted[l] -= self.step[i][l] * sum[l];
            }
        }
    }
}
