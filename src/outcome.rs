//! What came out of a run: batches of finished restarts as columns, and their summary.

use crate::plan::{Plan, Precision};

/// Numbers of one precision.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Single.
    F32(Vec<f32>),
    /// Double.
    F64(Vec<f64>),
}

impl Column {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Column::F32(v) => v.len(),
            Column::F64(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entry `i`.
    pub fn at(&self, i: usize) -> f64 {
        match self {
            Column::F32(v) => f64::from(v[i]),
            Column::F64(v) => v[i],
        }
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len()).map(|i| self.at(i))
    }
}

/// How a restart ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// The gradient's norm reached its tolerance: a stationary point.
    Converged = 1,
    /// The value reached the target.
    Target = 2,
    /// The value stopped changing.
    Stalled = 3,
    /// All steps were taken.
    MaxSteps = 4,
    /// A coordinate grew beyond 1e18: try a smaller learning rate, or bounds.
    Diverged = 5,
    /// The gradient was infinite or NaN: the surface is not defined there.
    Nonfinite = 6,
}

impl Status {
    /// All, in the order of their numbers.
    pub const ALL: [Status; 6] =
        [Status::Converged, Status::Target, Status::Stalled, Status::MaxSteps, Status::Diverged, Status::Nonfinite];

    /// The name in results.
    pub fn name(self) -> &'static str {
        match self {
            Status::Converged => "converged",
            Status::Target => "target",
            Status::Stalled => "stalled",
            Status::MaxSteps => "max_steps",
            Status::Diverged => "diverged",
            Status::Nonfinite => "nonfinite",
        }
    }

    /// The status of this number; an unknown one is none that a kernel writes.
    pub fn from_code(code: u32) -> Option<Status> {
        Status::ALL.into_iter().find(|s| *s as u32 == code)
    }
}

/// Finished restarts of one configuration, numbered without a gap; every column has one entry a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Which configuration.
    pub configuration: usize,
    /// The number of the first restart.
    pub first: u64,
    /// How many coordinates.
    pub dim: usize,
    /// Final values.
    pub value: Column,
    /// Final Euclidean gradient norms.
    pub gradient_norm: Column,
    /// Steps taken.
    pub steps: Vec<u32>,
    /// How each ended.
    pub status: Vec<Status>,
    /// Values of the starts; empty without [`Plan::points`].
    pub start_value: Column,
    /// Final points, coordinate-major: coordinate `i` of restart `r` at `i * len + r`; empty without [`Plan::points`].
    pub x: Column,
}

impl Batch {
    /// How many restarts.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The final point of the batch's restart `r`.
    pub fn point(&self, r: usize) -> Vec<f64> {
        (0..self.dim).map(|i| self.x.at(i * self.len() + r)).collect()
    }
}

/// Points recorded at one step: those of restarts that had not stopped before it.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceBatch {
    /// Which configuration.
    pub configuration: usize,
    /// The step; 0 is the start.
    pub step: u64,
    /// Numbers of the restarts.
    pub restarts: Vec<u64>,
    /// Values.
    pub value: Column,
    /// Gradient norms.
    pub gradient_norm: Column,
    /// Points, coordinate-major.
    pub x: Column,
}

/// What an engine gives out while it runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Finished restarts, in order.
    Batch(Batch),
    /// Recorded points.
    Trace(TraceBatch),
    /// How far the run is.
    Progress(Progress),
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Restart steps done, stopped restarts counted as if they had gone on.
    pub done: f64,
    /// Restart steps in all.
    pub total: f64,
}

/// What the receiver of an [`Event`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop as soon as possible; the run ends with [`Error::Cancelled`](crate::Error::Cancelled).
    Stop,
}

/// Where a run took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// `cpu` or `gpu`.
    pub kind: &'static str,
    /// The device's name.
    pub name: String,
    /// `cpu`, `vulkan`, `metal`, `dx12`.
    pub backend: String,
    /// The driver, or the vector instructions of the CPU engine.
    pub driver: String,
}

/// How long a run took, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Lowering, printing and compiling.
    pub compile: f64,
    /// Starts, descent and read-back.
    pub run: f64,
}

/// The best restart of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Its value.
    pub value: f64,
    /// Its number.
    pub restart: u64,
    /// Its point.
    pub x: Vec<f64>,
}

/// The distribution of the finite final values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// Smallest.
    pub min: f64,
    /// 5 %.
    pub q05: f64,
    /// 25 %.
    pub q25: f64,
    /// Median.
    pub q50: f64,
    /// 75 %.
    pub q75: f64,
    /// 95 %.
    pub q95: f64,
    /// Largest.
    pub max: f64,
    /// Mean.
    pub mean: f64,
}

/// How many restarts came near the known minimum's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Success {
    /// The largest distance that counts.
    pub tolerance: f64,
    /// How many.
    pub count: u64,
    /// Their share.
    pub fraction: f64,
    /// 95 % Wilson interval of the share.
    pub interval: [f64; 2],
}

/// The summary of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigurationOutcome {
    /// How many restarts ended how, in the order of [`Status::ALL`].
    pub status: [u64; 6],
    /// The lowest finite final value; `None` where there is none.
    pub best: Option<Best>,
    /// The distribution of the finite final values; `None` where there is none.
    pub value: Option<Quantiles>,
    /// `None` where no minimum is known.
    pub success: Option<Success>,
    /// Mean number of steps taken.
    pub mean_steps: f64,
    /// Largest number of steps taken.
    pub max_steps: u64,
    /// Evaluations of the gradient, the last one of every restart included.
    pub evaluations: u64,
}

/// The summary of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// One for each configuration of the plan.
    pub configurations: Vec<ConfigurationOutcome>,
    /// Where it ran.
    pub device: DeviceInfo,
    /// How long it took.
    pub timing: Timing,
    /// Coordinates updated in all: Σ restarts × steps taken × dim.
    pub coordinate_steps: f64,
}

impl Outcome {
    /// Coordinates updated a second.
    pub fn coordinate_steps_per_second(&self) -> f64 {
        if self.timing.run > 0.0 { self.coordinate_steps / self.timing.run } else { 0.0 }
    }
}

/// The 95 % Wilson score interval of `count` successes in `total` trials.
///
/// ```
/// let [lo, hi] = catchment::wilson(0, 10);
/// assert!(lo == 0.0 && (hi - 0.2775).abs() < 1e-4);
/// ```
pub fn wilson(count: u64, total: u64) -> [f64; 2] {
    if total == 0 {
        return [0.0, 1.0];
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (total as f64, count as f64 / total as f64);
    let scale = 1.0 / (1.0 + Z * Z / n);
    let centre = scale * (p + Z * Z / (2.0 * n));
    let half = scale * Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let lo = if count == 0 { 0.0 } else { (centre - half).max(0.0) };
    let hi = if count == total { 1.0 } else { (centre + half).min(1.0) };
    [lo, hi]
}

/// Gathers batches into a summary. Values are kept (4 or 8 bytes a restart) for exact quantiles.
#[derive(Debug)]
pub struct Summary {
    dim: usize,
    minimum: Option<f64>,
    tolerance: f64,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    status: [u64; 6],
    best: Option<Best>,
    values: Column,
    sum: f64,
    success: u64,
    steps: u64,
    max_steps: u64,
    restarts: u64,
}

impl Summary {
    /// An empty summary of a plan.
    pub fn new(plan: &Plan) -> Summary {
        let values = || match plan.precision() {
            Precision::F32 => Column::F32(Vec::new()),
            Precision::F64 => Column::F64(Vec::new()),
        };
        let part = || Part {
            status: [0; 6],
            best: None,
            values: values(),
            sum: 0.0,
            success: 0,
            steps: 0,
            max_steps: 0,
            restarts: 0,
        };
        Summary {
            dim: plan.surface().dim() as usize,
            minimum: plan.surface().minima().first().map(|m| m.value),
            tolerance: plan.success(),
            parts: plan.configurations().iter().map(|_| part()).collect(),
        }
    }

    /// Adds a batch. The first of equal values is the best, so batches come in order.
    pub fn add(&mut self, batch: &Batch) {
        let part = &mut self.parts[batch.configuration];
        let mut best: Option<(f64, usize)> = None;
        for r in 0..batch.len() {
            part.status[batch.status[r] as usize - 1] += 1;
            part.steps += u64::from(batch.steps[r]);
            part.max_steps = part.max_steps.max(u64::from(batch.steps[r]));
            let value = batch.value.at(r);
            if !value.is_finite() {
                continue;
            }
            part.sum += value;
            match (&mut part.values, &batch.value) {
                (Column::F32(all), Column::F32(new)) => all.push(new[r]),
                (Column::F64(all), _) => all.push(value),
                (Column::F32(all), _) => all.push(value as f32),
            }
            if self.minimum.is_some_and(|m| (value - m).abs() <= self.tolerance) {
                part.success += 1;
            }
            if best.is_none_or(|b| value < b.0) {
                best = Some((value, r));
            }
        }
        part.restarts += batch.len() as u64;
        if let Some((value, r)) = best
            && part.best.as_ref().is_none_or(|b| value < b.value)
        {
            let x = if batch.x.is_empty() { Vec::new() } else { batch.point(r) };
            part.best = Some(Best { value, restart: batch.first + r as u64, x });
        }
    }

    /// The outcome.
    pub fn finish(self, device: DeviceInfo, timing: Timing) -> Outcome {
        let (dim, minimum, tolerance) = (self.dim, self.minimum, self.tolerance);
        let mut coordinate_steps = 0.0;
        let configurations = self
            .parts
            .into_iter()
            .map(|mut part| {
                coordinate_steps += part.steps as f64 * dim as f64;
                let total = part.restarts;
                let success = minimum.map(|_| Success {
                    tolerance,
                    count: part.success,
                    fraction: part.success as f64 / total.max(1) as f64,
                    interval: wilson(part.success, total),
                });
                ConfigurationOutcome {
                    status: part.status,
                    best: part.best,
                    value: quantiles(&mut part.values, part.sum),
                    success,
                    mean_steps: part.steps as f64 / total.max(1) as f64,
                    max_steps: part.max_steps,
                    evaluations: part.steps + total,
                }
            })
            .collect();
        Outcome { configurations, device, timing, coordinate_steps }
    }
}

/// Quantiles by linear interpolation between order statistics (type 7 of Hyndman and Fan 1996).
fn quantiles(values: &mut Column, sum: f64) -> Option<Quantiles> {
    if values.is_empty() {
        return None;
    }
    match values {
        Column::F32(v) => v.sort_unstable_by(f32::total_cmp),
        Column::F64(v) => v.sort_unstable_by(f64::total_cmp),
    }
    let last = values.len() - 1;
    let at = |p: f64| {
        let position = p * last as f64;
        let (low, part) = (position.floor() as usize, position.fract());
        let (a, b) = (values.at(low), values.at((low + 1).min(last)));
        if part == 0.0 { a } else { a + part * (b - a) }
    };
    Some(Quantiles {
        min: at(0.0),
        q05: at(0.05),
        q25: at(0.25),
        q50: at(0.5),
        q75: at(0.75),
        q95: at(0.95),
        max: at(1.0),
        mean: sum / values.len() as f64,
    })
}
