//! Batches of finished restarts gathered into an outcome, by columns: 0.7 to 1.3 ns a restart (`cargo bench --bench gathering`).

use crate::cpu::{Vectorised, Width, vectorised};
use crate::outcome::{
    Batch, Best, Column, ConfigurationOutcome, DeviceInfo, Event, Outcome, Status, Success, Timing, wilson,
};
use crate::plan::{Plan, Precision};
use crate::quantiles::{Real, Values, finite_of};
use crate::quota::Quota;

/// Sums side by side: restart `r` of a configuration adds to sum `r` modulo this, in whatever batch it comes.
const SIDES: usize = 8;
/// Restarts of a configuration whose values are summed by themselves, in whatever batches they come: whole blocks can then be
/// summed side by side.
const BLOCK: u64 = 4096;
/// Values side by side where their order does not matter.
const WIDE: usize = 32;
/// Values that are searched together.
const GROUP: usize = 64;

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
    /// Of the blocks that are whole.
    sum: f64,
    /// The sides of the one that is not.
    open: [f64; SIDES],
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
            sum: 0.0,
            open: [0.0; SIDES],
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
        let begin = self.parts[batch.configuration].restarts;
        let near = (self.minimum.unwrap_or(f64::NAN), self.tolerance);
        let seen = look(self.width, batch, begin, near);
        self.parts[batch.configuration].join(Seen { kept: seen.copied(batch), ..seen });
    }

    /// Adds the batches among what an engine gives out.
    pub(crate) fn take(&mut self, given: &mut [Delivered]) {
        for Delivered { event, seen } in given {
            match (event, seen.take()) {
                (_, Some(seen)) => self.parts[seen.configuration].join(seen),
                (Some(Event::Batch(batch)), None) => self.add(batch),
                _ => {}
            }
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
            let (low, high, sum) = (part.low, part.high, part.sum + part.open.iter().sum::<f64>());
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

/// What an engine gives out: an event, with a batch what one pass over it tells, and that alone of a batch that nobody wants. The
/// thread that has made a batch looks at it best: it is in that thread's cache.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) event: Option<Event>,
    pub(crate) seen: Option<Seen>,
}

impl Delivered {
    /// A batch of a plan's run, looked at, or what a look at it tells where nobody sees it.
    pub(crate) fn batch(plan: &Plan, mut batch: Batch) -> Delivered {
        if !plan.is_unseen() {
            let seen = Some(Seen::of(plan, &batch));
            return Delivered { event: Some(Event::Batch(batch)), seen };
        }
        let mut seen = Seen::looking(plan, &batch);
        seen.kept = if seen.finite == batch.len() { std::mem::take(&mut batch.value) } else { seen.copied(&batch) };
        Delivered { event: None, seen: Some(seen) }
    }
}

impl From<Event> for Delivered {
    fn from(event: Event) -> Delivered {
        Delivered { event: Some(event), seen: None }
    }
}

impl Part {
    /// Adds what was seen of the next batch.
    fn join(&mut self, seen: Seen) {
        self.status.iter_mut().zip(seen.status).for_each(|(all, new)| *all += new);
        self.steps += seen.steps;
        self.max_steps = self.max_steps.max(u64::from(seen.max_steps));
        self.success += seen.near;
        self.low = self.low.min(seen.low);
        self.high = self.high.max(seen.high);
        for (place, value) in (self.restarts..).zip(seen.head) {
            self.open[(place % SIDES as u64) as usize] += if value.is_finite() { value } else { 0.0 };
            if (place + 1).is_multiple_of(BLOCK) {
                self.sum += std::mem::take(&mut self.open).iter().sum::<f64>();
            }
        }
        match (&mut self.values, seen.kept) {
            (Numbers::F32(all), Column::F32(kept)) => all.push(kept),
            (Numbers::F64(all), Column::F64(kept)) => all.push(kept),
            // A batch of another precision than the plan's: nobody makes one but a caller's own code.
            (Numbers::F32(all), kept) => all.push(kept.iter().map(|v| v as f32).collect()),
            (Numbers::F64(all), kept) => all.push(kept.iter().collect()),
        }
        seen.blocks.iter().for_each(|sum| self.sum += sum);
        if let Some(open) = seen.open {
            self.open = open;
        }
        self.restarts += seen.restarts;
        if let Some(best) = seen.best
            && best.value < self.best.as_ref().map_or(f64::INFINITY, |b| b.value)
        {
            self.best = Some(best);
        }
    }
}

/// What one pass over a batch tells.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    configuration: usize,
    restarts: u64,
    status: [u64; 6],
    steps: u64,
    max_steps: u32,
    finite: usize,
    /// The finite values.
    kept: Column,
    near: u64,
    low: f64,
    /// The first of the lowest.
    best: Option<Best>,
    high: f64,
    /// Values that end a block which an earlier batch began,
    head: Vec<f64>,
    /// the sums of the whole blocks behind them,
    blocks: Vec<f64>,
    /// and the sides of a last one that is not whole.
    open: Option<[f64; SIDES]>,
}

impl Seen {
    /// The same of a batch of another configuration.
    pub(crate) fn of_configuration(self, configuration: usize) -> Seen {
        Seen { configuration, ..self }
    }

    /// Of a batch of a plan's run.
    pub(crate) fn of(plan: &Plan, batch: &Batch) -> Seen {
        let seen = Seen::looking(plan, batch);
        Seen { kept: seen.copied(batch), ..seen }
    }

    /// The same, which keeps no values.
    fn looking(plan: &Plan, batch: &Batch) -> Seen {
        let near = (plan.surface().minima().first().map_or(f64::NAN, |m| m.value), plan.success());
        look(Width::detect(), batch, batch.first - plan.first(), near)
    }

    /// The finite values of the batch that was looked at.
    fn copied(&self, batch: &Batch) -> Column {
        match &batch.value {
            Column::F32(values) => Column::F32(finite_of(values, self.finite)),
            Column::F64(values) => Column::F64(finite_of(values, self.finite)),
        }
    }
}

/// Looks at a batch whose first restart is number `begin` of its configuration.
fn look(width: Width, batch: &Batch, begin: u64, near: (f64, f64)) -> Seen {
    match &batch.value {
        Column::F32(values) => look_at(width, batch, values, begin, near),
        Column::F64(values) => look_at(width, batch, values, begin, near),
    }
}

fn look_at<T: Real>(width: Width, batch: &Batch, values: &[T], begin: u64, near: (f64, f64)) -> Seen {
    let head = (begin.next_multiple_of(BLOCK) - begin).min(values.len() as u64) as usize;
    let mut seen = Seen {
        configuration: batch.configuration,
        restarts: batch.len() as u64,
        head: values[..head].iter().map(|&v| v.into()).collect(),
        ..Seen::default()
    };
    let (status, steps) = (&batch.status[..], &batch.steps[..]);
    let mut lowest = None;
    vectorised(width, Look { status, steps, values, near, seen: &mut seen, lowest: &mut lowest });
    seen.best = lowest.map(|r| {
        let x = if batch.x.is_empty() { Vec::new() } else { batch.point(r) };
        Best { value: seen.low, restart: batch.first + r as u64, x }
    });
    seen
}

struct Look<'a, T> {
    status: &'a [Status],
    steps: &'a [u32],
    values: &'a [T],
    near: (f64, f64),
    seen: &'a mut Seen,
    /// Where the first of the lowest values is.
    lowest: &'a mut Option<usize>,
}

impl<T: Real> Vectorised for Look<'_, T> {
    #[inline(always)]
    fn run(self) {
        let Look { status, steps, values, near: (minimum, tolerance), seen, lowest } = self;
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
        (seen.low, seen.high) = (f64::INFINITY, f64::NEG_INFINITY);
        let (head, rest) = values.split_at(seen.head.len());
        for (block, whole) in std::iter::once(head).chain(rest.chunks(BLOCK as usize)).zip(0..) {
            let known = Known::of(block, minimum, tolerance);
            match whole {
                0 => {}
                _ if block.len() as u64 == BLOCK => seen.blocks.push(known.sum.iter().sum()),
                _ => seen.open = Some(known.sum),
            }
            seen.finite += known.finite as usize;
            seen.near += known.near;
            seen.low = seen.low.min(known.low);
            seen.high = seen.high.max(known.high);
        }
        let low = seen.low;
        let has_low = |values: &&[T]| values.iter().fold(false, |any, &v| any | (v.into() == low));
        if let Some((group, values)) = values.chunks(GROUP).enumerate().find(|(_, values)| has_low(values)) {
            *lowest = values.iter().position(|&v| v.into() == low).map(|at| group * GROUP + at);
        }
    }
}

/// What is known of some values.
struct Known {
    /// Of the sides that the values take in turn.
    sum: [f64; SIDES],
    low: f64,
    high: f64,
    near: u64,
    finite: u64,
}

impl Known {
    /// Looks at values again and again, once for each number that is kept: such loops become vector instructions, and a block stays
    /// in the cache.
    #[inline(always)]
    fn of<T: Real>(values: &[T], minimum: f64, tolerance: f64) -> Known {
        // NaN compares false, and so is neither finite, low, high nor near.
        let finite = |v: f64| v.abs() <= f64::MAX;
        let near = |v: f64| finite(v) & ((v - minimum).abs() <= tolerance);
        let low = folded::<T, f64, WIDE>(values, f64::INFINITY, |low, v| if finite(v) & (v < low) { v } else { low });
        let high =
            folded::<T, f64, WIDE>(values, f64::NEG_INFINITY, |high, v| if finite(v) & (v > high) { v } else { high });
        Known {
            sum: folded(values, 0.0, |sum, v| sum + if finite(v) { v } else { 0.0 }),
            low: low.into_iter().fold(f64::INFINITY, f64::min),
            high: high.into_iter().fold(f64::NEG_INFINITY, f64::max),
            near: folded::<T, u64, WIDE>(values, 0, |count, v| count + u64::from(near(v))).iter().sum(),
            finite: folded::<T, u64, WIDE>(values, 0, |count, v| count + u64::from(finite(v))).iter().sum(),
        }
    }
}

/// Folds values that take `N` sides in turn.
#[inline(always)]
fn folded<T: Real, A: Copy, const N: usize>(values: &[T], begin: A, join: impl Fn(A, f64) -> A) -> [A; N] {
    let mut all = [begin; N];
    let mut groups = values.chunks_exact(N);
    for group in &mut groups {
        for side in 0..N {
            all[side] = join(all[side], group[side].into());
        }
    }
    for (side, &value) in groups.remainder().iter().enumerate() {
        all[side] = join(all[side], value.into());
    }
    all
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
        let plan = Plan::new(surface).restarts(N).resolve().unwrap();
        const N: u64 = 10_000;
        let value = |i: u32| match i % 97 {
            3 => f32::NAN,
            5 => f32::NEG_INFINITY,
            k => (k as f32 - 40.0).abs() * 1e-4 + 1e-3 * (i as f32).sin().abs(),
        };
        let all: Vec<f32> = (0..N as u32).map(value).collect();
        let gathered = |piece: usize| {
            let mut summary = Summary::new(&plan);
            let batches = all.chunks(piece).enumerate().map(|(i, part)| {
                let mut batch = batch((i * piece) as u64, part.to_vec());
                batch.steps = (0..part.len()).map(|k| (i * piece + k) as u32).collect();
                batch.status = (0..part.len()).map(|k| Status::ALL[(i * piece + k) % 6]).collect();
                batch.x = Column::F32(part.iter().chain(part).copied().collect());
                batch
            });
            // Looked at before they come, or when they do.
            for (i, batch) in batches.enumerate() {
                let given = if i % 3 == 0 { Event::Batch(batch).into() } else { Delivered::batch(&plan, batch) };
                summary.take(&mut [given]);
            }
            let device = DeviceInfo { kind: "cpu", name: String::new(), backend: String::new(), driver: String::new() };
            summary.finish(device, Timing::default()).configurations.remove(0)
        };
        let whole = gathered(N as usize);
        let finite: Vec<f64> = all.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v)).collect();
        let low = finite.iter().copied().fold(f64::INFINITY, f64::min);
        let (value, best) = (whole.value.unwrap(), whole.best.clone().unwrap());
        assert_eq!((value.min, best.value, best.x.clone()), (low, low, vec![low; 2]));
        assert_eq!(best.restart, all.iter().position(|&v| f64::from(v) == low).unwrap() as u64);
        assert!((value.mean - finite.iter().sum::<f64>() / finite.len() as f64).abs() < 1e-15);
        assert_eq!(whole.success.unwrap().count, finite.iter().filter(|v| v.abs() <= 1e-3).count() as u64);
        assert_eq!((whole.status.iter().sum::<u64>(), whole.max_steps, whole.restarts), (N, N - 1, N));
        for piece in [1, 7, 8, 64, 333, 4095, 4096, 5000, 9999] {
            assert_eq!(gathered(piece), whole, "batches of {piece}");
        }
    }
}
