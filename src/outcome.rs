//! What came out of a run: batches of finished restarts as columns, and their summary.

/// Numbers of one precision.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Single.
    F32(Vec<f32>),
    /// Double.
    F64(Vec<f64>),
}

impl Default for Column {
    fn default() -> Column {
        Column::F32(Vec::new())
    }
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

    /// Keeps the entries at these places of each of the `rows` that the column is made of.
    fn keep(&mut self, rows: usize, places: &[usize]) {
        fn kept<T: Copy>(all: &[T], rows: usize, places: &[usize]) -> Vec<T> {
            let length = all.len() / rows.max(1);
            (0..rows).flat_map(|row| places.iter().map(move |&place| all[row * length + place])).collect()
        }
        if !self.is_empty() {
            match self {
                Column::F32(v) => *v = kept(v, rows, places),
                Column::F64(v) => *v = kept(v, rows, places),
            }
        }
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
        Some(match code {
            1 => Status::Converged,
            2 => Status::Target,
            3 => Status::Stalled,
            4 => Status::MaxSteps,
            5 => Status::Diverged,
            6 => Status::Nonfinite,
            _ => return None,
        })
    }
}

/// Finished restarts of one configuration, numbered without a gap; every column has one entry a restart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Which configuration.
    pub configuration: usize,
    /// The number of the first restart.
    pub first: u64,
    /// How many coordinates.
    pub dim: usize,
    /// Final values.
    pub value: Column,
    /// Final Euclidean gradient norms; empty without [`Plan::points`](crate::Plan::points).
    pub gradient_norm: Column,
    /// Steps taken.
    pub steps: Vec<u32>,
    /// How each ended.
    pub status: Vec<Status>,
    /// Values of the starts; empty without [`Plan::points`](crate::Plan::points).
    pub start_value: Column,
    /// Final points, coordinate-major: coordinate `i` of restart `r` at `i * len + r`; empty without [`Plan::points`](crate::Plan::points).
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

    /// Cuts off all restarts but the first `count`.
    pub(crate) fn truncate(&mut self, count: usize) {
        if count >= self.len() {
            return;
        }
        let first: Vec<usize> = (0..count).collect();
        for column in [&mut self.value, &mut self.gradient_norm, &mut self.start_value] {
            column.keep(1, &first);
        }
        self.x.keep(self.dim, &first);
        self.steps.truncate(count);
        self.status.truncate(count);
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

impl TraceBatch {
    /// Drops the restarts from number `end` on.
    pub(crate) fn keep_below(&mut self, end: u64) {
        let count = self.restarts.len();
        let kept: Vec<usize> = (0..count).filter(|&r| self.restarts[r] < end).collect();
        if kept.len() < count {
            self.x.keep(self.x.len() / count, &kept);
            self.value.keep(1, &kept);
            self.gradient_norm.keep(1, &kept);
            self.restarts.retain(|&restart| restart < end);
        }
    }
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
    /// How many restarts it had: the plan's, or fewer where a [`Quota`](crate::Quota) was met before.
    pub restarts: u64,
    /// Whether the plan's quota was met; `None` where it has none.
    pub quota_met: Option<bool>,
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
