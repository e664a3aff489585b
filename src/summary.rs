//! Batches of finished restarts gathered into an outcome, by columns: 2 to 4 ns a restart (`cargo bench --bench gathering`).

use crate::cpu::{Vectorised, Width, vectorised};
use crate::outcome::{Batch, Best, Column, ConfigurationOutcome, DeviceInfo, Outcome, Status, Success, Timing, wilson};
use crate::plan::{Plan, Precision};
use crate::quantiles::{Real, Values};
use crate::quota::Quota;

/// Sums side by side: restart `r` of a configuration adds to sum `r` modulo this, in whatever batch it comes.
const SIDES: usize = 8;

/// Gathers batches into a summary. Memory is bounded: 2^22 values of each configuration are kept, and quantiles of more are
/// within 0.1 % of their height above the lowest value.
#[derive(Debug)]
pub struct Summary {
    dim: usize,
    minimum: Option<f64>,
    tolerance: f64,
    quota: Quota,
    target: bool,
    width: Width,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    status: [u64; 6],
    best: Option<Best>,
    values: Numbers,
    sums: [f64; SIDES],
    low: f64,
    high: f64,
    success: u64,
    steps: u64,
    max_steps: u64,
    restarts: u64,
}

/// Final values in the plan's precision.
#[derive(Debug)]
enum Numbers {
    F32(Values<f32>),
    F64(Values<f64>),
}

impl Summary {
    /// An empty summary of a plan.
    pub fn new(plan: &Plan) -> Summary {
        let values = || match plan.precision() {
            Precision::F32 => Numbers::F32(Values::new()),
            Precision::F64 => Numbers::F64(Values::new()),
        };
        let part = || Part {
            status: [0; 6],
            best: None,
            values: values(),
            sums: [0.0; SIDES],
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            success: 0,
            steps: 0,
            max_steps: 0,
            restarts: 0,
        };
        Summary {
            dim: plan.surface().dim() as usize,
            minimum: plan.surface().minima().first().map(|m| m.value),
            tolerance: plan.success(),
            quota: plan.quota(),
            target: plan.stopping().target.is_some(),
            width: Width::detect(),
            parts: plan.configurations().iter().map(|_| part()).collect(),
        }
    }

    /// Adds a batch. The first of equal values is the best, so batches come in order.
    pub fn add(&mut self, batch: &Batch) {
        let part = &mut self.parts[batch.configuration];
        let near = (self.minimum.unwrap_or(f64::NAN), self.tolerance);
        let (begin, sums) = (part.restarts, &mut part.sums);
        let seen = match (&mut part.values, &batch.value) {
            (Numbers::F32(all), Column::F32(new)) => {
                let seen = look(self.width, batch, new, begin, near, sums);
                keep(all, new, seen.finite);
                seen
            }
            (Numbers::F64(all), Column::F64(new)) => {
                let seen = look(self.width, batch, new, begin, near, sums);
                keep(all, new, seen.finite);
                seen
            }
            (all, new) => {
                // A batch of another precision than the plan's: nobody makes one but a caller's own code.
                let new: Vec<f64> = new.iter().collect();
                let seen = look(self.width, batch, &new, begin, near, sums);
                match all {
                    Numbers::F64(all) => keep(all, &new, seen.finite),
                    Numbers::F32(all) => keep(all, &new.iter().map(|&v| v as f32).collect::<Vec<_>>(), seen.finite),
                }
                seen
            }
        };
        part.status.iter_mut().zip(seen.status).for_each(|(all, new)| *all += new);
        part.steps += seen.steps;
        part.max_steps = part.max_steps.max(u64::from(seen.max_steps));
        part.success += seen.near;
        part.low = part.low.min(seen.low);
        part.high = part.high.max(seen.high);
        part.restarts += batch.len() as u64;
        if seen.low < part.best.as_ref().map_or(f64::INFINITY, |b| b.value)
            && let Some(r) = batch.value.iter().position(|v| v == seen.low)
        {
            let x = if batch.x.is_empty() { Vec::new() } else { batch.point(r) };
            part.best = Some(Best { value: batch.value.at(r), restart: batch.first + r as u64, x });
        }
    }

    /// The outcome.
    pub fn finish(self, device: DeviceInfo, timing: Timing) -> Outcome {
        let Summary { dim, minimum, tolerance, quota, target, parts, .. } = self;
        let mut coordinate_steps = 0.0;
        let outcome = |mut part: Part| {
            coordinate_steps += part.steps as f64 * dim as f64;
            let total = part.restarts;
            let success = minimum.map(|_| Success {
                tolerance,
                count: part.success,
                fraction: part.success as f64 / total.max(1) as f64,
                interval: wilson(part.success, total),
            });
            let found = if target { part.status[Status::Target as usize - 1] } else { part.success };
            let (low, high, sum) = (part.low, part.high, part.sums.iter().sum());
            ConfigurationOutcome {
                restarts: total,
                quota_met: (!quota.is_none()).then(|| quota.is_met(found, part.steps)),
                status: part.status,
                best: part.best,
                value: match &mut part.values {
                    Numbers::F32(values) => values.quantiles(low, high, sum),
                    Numbers::F64(values) => values.quantiles(low, high, sum),
                },
                success,
                mean_steps: part.steps as f64 / total.max(1) as f64,
                max_steps: part.max_steps,
                evaluations: part.steps + total,
            }
        };
        let configurations = parts.into_iter().map(outcome).collect();
        Outcome { configurations, device, timing, coordinate_steps }
    }
}

/// What one pass over a batch tells.
#[derive(Default)]
struct Seen {
    status: [u64; 6],
    steps: u64,
    max_steps: u32,
    finite: usize,
    near: u64,
    low: f64,
    high: f64,
}

/// Looks at a batch whose first restart is number `begin` of its configuration, and adds its finite values to `sums`.
fn look<T: Real>(
    width: Width,
    batch: &Batch,
    values: &[T],
    begin: u64,
    (minimum, tolerance): (f64, f64),
    sums: &mut [f64; SIDES],
) -> Seen {
    let mut seen = Seen::default();
    let first = (begin % SIDES as u64) as usize;
    let (status, steps) = (&batch.status[..], &batch.steps[..]);
    vectorised(width, Look { status, steps, values, first, minimum, tolerance, sums, seen: &mut seen });
    seen
}

struct Look<'a, T> {
    status: &'a [Status],
    steps: &'a [u32],
    values: &'a [T],
    /// The side of the first restart.
    first: usize,
    minimum: f64,
    tolerance: f64,
    sums: &'a mut [f64; SIDES],
    seen: &'a mut Seen,
}

impl<T: Real> Vectorised for Look<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Look { status, steps, values, first, minimum, tolerance, sums, seen } = self;
        // Counted in bytes, which are the lanes that a vector has most of.
        for part in status.chunks(240) {
            for (count, one) in seen.status.iter_mut().zip(Status::ALL) {
                let mut bytes = 0u8;
                for &status in part {
                    bytes += u8::from(status as u8 == one as u8);
                }
                *count += u64::from(bytes);
            }
        }
        let (mut taken, mut most) = ([0u64; SIDES], [0u32; SIDES]);
        let mut groups = steps.chunks_exact(SIDES);
        for group in &mut groups {
            for side in 0..SIDES {
                taken[side] += u64::from(group[side]);
            }
            for side in 0..SIDES {
                most[side] = most[side].max(group[side]);
            }
        }
        for (side, &steps) in groups.remainder().iter().enumerate() {
            taken[side] += u64::from(steps);
            most[side] = most[side].max(steps);
        }
        seen.steps = taken.iter().sum();
        seen.max_steps = most.into_iter().fold(0, u32::max);
        let (low, high) = ([f64::INFINITY; SIDES], [f64::NEG_INFINITY; SIDES]);
        let mut sides = Sides { sum: *sums, low, high, near: [0; SIDES], finite: [0; SIDES], minimum, tolerance };
        // What is not there is no number, which counts nowhere.
        let padded = |values: &[T], first: usize| {
            let mut all = [f64::NAN; SIDES];
            all[first..].iter_mut().zip(values).for_each(|(to, &value)| *to = value.into());
            all
        };
        let (head, rest) = values.split_at(((SIDES - first) % SIDES).min(values.len()));
        if !head.is_empty() {
            sides.take(padded(head, first));
        }
        let mut groups = rest.chunks_exact(SIDES);
        for group in &mut groups {
            let mut all = [0.0; SIDES];
            for side in 0..SIDES {
                all[side] = group[side].into();
            }
            sides.take(all);
        }
        sides.take(padded(groups.remainder(), 0));
        *sums = sides.sum;
        seen.finite = sides.finite.iter().sum::<u64>() as usize;
        seen.near = sides.near.iter().sum();
        seen.low = sides.low.into_iter().fold(f64::INFINITY, f64::min);
        seen.high = sides.high.into_iter().fold(f64::NEG_INFINITY, f64::max);
    }
}

/// What is known of the values of each side.
struct Sides {
    sum: [f64; SIDES],
    low: [f64; SIDES],
    high: [f64; SIDES],
    near: [u64; SIDES],
    finite: [u64; SIDES],
    minimum: f64,
    tolerance: f64,
}

impl Sides {
    /// One value of each side. A loop for each number that is kept, because such loops become vector instructions.
    #[inline(always)]
    fn take(&mut self, values: [f64; SIDES]) {
        // NaN compares false, and so is neither low, high nor near.
        let finite: [bool; SIDES] = std::array::from_fn(|side| values[side].abs() <= f64::MAX);
        for side in 0..SIDES {
            self.sum[side] += if finite[side] { values[side] } else { 0.0 };
        }
        for side in 0..SIDES {
            let below = finite[side] & (values[side] < self.low[side]);
            self.low[side] = if below { values[side] } else { self.low[side] };
        }
        for side in 0..SIDES {
            let above = finite[side] & (values[side] > self.high[side]);
            self.high[side] = if above { values[side] } else { self.high[side] };
        }
        for side in 0..SIDES {
            let near = finite[side] & ((values[side] - self.minimum).abs() <= self.tolerance);
            self.near[side] += u64::from(near);
        }
        for (count, finite) in self.finite.iter_mut().zip(finite) {
            *count += u64::from(finite);
        }
    }
}

fn keep<T: Real>(all: &mut Values<T>, new: &[T], finite: usize) {
    if finite == new.len() {
        return all.extend(new);
    }
    let finite = |v: &T| -> bool {
        let v: f64 = (*v).into();
        v.is_finite()
    };
    all.extend(&new.iter().copied().filter(finite).collect::<Vec<T>>());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Surface;

    fn batch(first: u64, value: Vec<f32>) -> Batch {
        let n = value.len();
        Batch {
            configuration: 0,
            first,
            dim: 2,
            gradient_norm: Column::F32(vec![0.0; n]),
            steps: (0..n as u32).collect(),
            status: (0..n).map(|i| Status::ALL[i % 6]).collect(),
            start_value: Column::F32(Vec::new()),
            x: Column::F32((0..2 * n).map(|i| i as f32).collect()),
            value: Column::F32(value),
        }
    }

    #[test]
    fn any_cut_into_batches_gives_the_same_summary() {
        let surface = Surface::named("sphere", Some(2)).unwrap();
        let plan = Plan::new(surface).restarts(1000).resolve().unwrap();
        let value = |i: u32| match i % 97 {
            3 => f32::NAN,
            5 => f32::NEG_INFINITY,
            k => (k as f32 - 40.0).abs() * 1e-4 + 1e-3 * (i as f32).sin().abs(),
        };
        let all: Vec<f32> = (0..1000).map(value).collect();
        let gathered = |piece: usize| {
            let mut summary = Summary::new(&plan);
            for (i, part) in all.chunks(piece).enumerate() {
                let mut batch = batch((i * piece) as u64, part.to_vec());
                batch.steps = (0..part.len()).map(|k| (i * piece + k) as u32).collect();
                batch.status = (0..part.len()).map(|k| Status::ALL[(i * piece + k) % 6]).collect();
                batch.x = Column::F32(part.iter().chain(part).copied().collect());
                summary.add(&batch);
            }
            let device = DeviceInfo { kind: "cpu", name: String::new(), backend: String::new(), driver: String::new() };
            summary.finish(device, Timing::default()).configurations.remove(0)
        };
        let whole = gathered(1000);
        let finite: Vec<f64> = all.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v)).collect();
        let low = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let (value, best) = (whole.value.unwrap(), whole.best.clone().unwrap());
        assert_eq!((value.min, best.value, best.x.clone()), (low, low, vec![low; 2]));
        assert_eq!(best.restart, all.iter().position(|&v| f64::from(v) == low).unwrap() as u64);
        assert!((value.mean - finite.iter().sum::<f64>() / finite.len() as f64).abs() < 1e-15);
        assert_eq!(whole.success.unwrap().count, finite.iter().filter(|v| v.abs() <= 1e-3).count() as u64);
        assert_eq!((whole.status.iter().sum::<u64>(), whole.max_steps, whole.restarts), (1000, 999, 1000));
        for piece in [1, 7, 8, 64, 333, 999] {
            assert_eq!(gathered(piece), whole, "batches of {piece}");
        }
    }
}
