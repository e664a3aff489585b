//! The JSON documents: their keys are relied on by scripts. A number that is not finite is `null`.
//!
//! ```
//! use catchment::{Engine, Plan, Surface, report::json};
//! let plan = Plan::new(Surface::named("sphere", Some(2))?).restarts(4).steps(3).optimizer("sgd(lr=0.5)").resolve()?;
//! let outcome = Engine::cpu().run(&plan)?;
//! let document = json::text(&json::Run::new(&plan, &outcome, "uniform", 0.0));
//! assert!(document.starts_with(r#"{"schema":1,"surface":{"name":"sphere","dim":2,"minimum":0.0}"#));
//! # Ok::<(), catchment::Error>(())
//! ```

mod fit;
mod map;
mod minima;
mod survey;

pub use fit::{Fit, FitGroup, FitGroups, FitParameter, FitSolution, FitTiming};
pub use map::{Map, MapAxis, MapBasin, MapRange, MapTiming, MapWay};
pub use minima::{CoverageDocument, CriticalRow, MinimaDocument};
pub use survey::{PointFeatures, RandomMatrices, Survey};

use crate::optimizer::{Configuration, HyperValue};
use crate::{Bounds, ConfigurationOutcome, DeviceInfo, Outcome, Plan, Quantiles, Status};
use serde::Serialize as Derive;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A document as one line of text.
pub fn text(document: &impl Serialize) -> String {
    // Our documents have text keys and no failing parts, which is all that serialising to memory can trip over.
    serde_json::to_string(document).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

/// A number where there is one, else the text of a formula.
#[derive(Clone, Debug, PartialEq, Derive)]
#[serde(untagged)]
pub enum NumberOrText {
    /// A number.
    Number(f64),
    /// A formula.
    Text(String),
}

impl NumberOrText {
    /// Reads a number where the text is one.
    pub fn read(text: &str) -> NumberOrText {
        match text.parse() {
            Ok(number) => NumberOrText::Number(number),
            Err(_) => NumberOrText::Text(text.to_owned()),
        }
    }
}

/// Named entries in their order: an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Entries<V>(pub Vec<(String, V)>);

impl<V: Serialize> Serialize for Entries<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A surface of a fixed dimension.
#[derive(Clone, Debug, Derive)]
pub struct Surface {
    /// Its name with the options that were set, or the formula.
    pub name: String,
    /// How many coordinates.
    pub dim: u32,
    /// The known minimum's value.
    pub minimum: Option<f64>,
}

impl Surface {
    /// Of a surface.
    pub fn new(surface: &crate::Surface) -> Surface {
        let minimum = surface.minima().first().map(|m| m.value);
        Surface { name: surface.label().to_owned(), dim: surface.dim(), minimum }
    }
}

/// Where something ran.
#[derive(Clone, Debug, Derive)]
pub struct Device {
    /// `cpu` or `gpu`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// `cpu`, `vulkan`, `metal`, `dx12`.
    pub backend: String,
    /// The driver, or the vector instructions of the CPU.
    pub driver: String,
}

impl Device {
    /// Of an engine's device.
    pub fn new(device: &DeviceInfo) -> Device {
        let DeviceInfo { kind, name, backend, driver } = device.clone();
        Device { kind, name, backend, driver }
    }
}

/// `run --json`.
#[derive(Clone, Debug, Derive)]
pub struct Run {
    schema: u32,
    surface: Surface,
    seed: u64,
    first: u64,
    restarts: u64,
    steps: u64,
    starts: String,
    bounds: &'static str,
    precision: &'static str,
    /// The surface's table and what a step sees of it; nothing where it reads none.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
    device: Device,
    configurations: Vec<RunConfiguration>,
    timing: RunTiming,
    version: &'static str,
}

#[derive(Clone, Debug, Derive)]
struct Data {
    rows: u32,
    columns: u32,
    batch: Option<u32>,
    replacement: bool,
}

#[derive(Clone, Debug, Derive)]
struct RunConfiguration {
    id: usize,
    optimizer: String,
    hyper: Entries<NumberOrText>,
    /// How many it had: fewer than the plan's where a quota was met before.
    restarts: u64,
    /// What ends it before the plan's last restart; null where nothing does.
    quota: Option<Quota>,
    status: Entries<u64>,
    best: Option<Best>,
    value: Option<Spread>,
    success: Option<Success>,
    steps_taken: StepsTaken,
    evaluations: u64,
}

#[derive(Clone, Debug, Derive)]
struct Quota {
    found: Option<u64>,
    budget: Option<u64>,
    met: bool,
}

#[derive(Clone, Debug, Derive)]
struct Best {
    value: f64,
    restart: u64,
    x: Vec<f64>,
}

#[derive(Clone, Debug, Derive)]
struct Spread {
    min: f64,
    q05: f64,
    q25: f64,
    q50: f64,
    q75: f64,
    q95: f64,
    max: f64,
    mean: f64,
}

#[derive(Clone, Debug, Derive)]
struct Success {
    tolerance: f64,
    count: u64,
    fraction: f64,
    interval: [f64; 2],
}

#[derive(Clone, Debug, Derive)]
struct StepsTaken {
    mean: f64,
    max: u64,
}

#[derive(Clone, Debug, Derive)]
struct RunTiming {
    compile_s: f64,
    run_s: f64,
    total_s: f64,
    coordinate_steps_per_s: f64,
}

impl Run {
    /// Of a finished run; `starts` as the user named them, `total` seconds from the command's begin.
    pub fn new(plan: &Plan, outcome: &Outcome, starts: &str, total: f64) -> Run {
        let pairs = plan.configurations().iter().zip(&outcome.configurations);
        Run {
            schema: 1,
            surface: Surface::new(plan.surface()),
            seed: plan.seed(),
            first: plan.first(),
            restarts: plan.restarts(),
            steps: plan.steps(),
            starts: starts.to_owned(),
            bounds: bounds_name(plan.bounds()),
            precision: plan.precision().name(),
            data: plan.surface().table().map(|table| Data {
                rows: table.rows,
                columns: table.columns,
                batch: plan.batch().map(|b| b.rows),
                replacement: plan.batch().is_some_and(|b| b.replacement),
            }),
            device: Device::new(&outcome.device),
            configurations: pairs.enumerate().map(|(id, (c, o))| configuration(id, plan, c, o)).collect(),
            timing: RunTiming {
                compile_s: outcome.timing.compile,
                run_s: outcome.timing.run,
                total_s: total,
                coordinate_steps_per_s: outcome.coordinate_steps_per_second(),
            },
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// The name of a rule for the ends of the domain.
pub fn bounds_name(bounds: Bounds) -> &'static str {
    match bounds {
        Bounds::None => "none",
        Bounds::Clip => "clip",
        Bounds::Reflect => "reflect",
        Bounds::Wrap => "wrap",
    }
}

fn configuration(id: usize, plan: &Plan, given: &Configuration, came: &ConfigurationOutcome) -> RunConfiguration {
    let crate::Quota { found, budget } = plan.quota();
    let hyper = given.chain.hyper.iter().zip(&given.hyper).map(|(slot, value)| {
        let value = match value {
            HyperValue::Constant(v) => NumberOrText::Number(*v),
            other => NumberOrText::Text(other.text()),
        };
        (slot.label.clone(), value)
    });
    let spread = |q: Quantiles| {
        let Quantiles { min, q05, q25, q50, q75, q95, max, mean } = q;
        Spread { min, q05, q25, q50, q75, q95, max, mean }
    };
    RunConfiguration {
        id,
        optimizer: given.text.clone(),
        hyper: Entries(hyper.collect()),
        restarts: came.restarts,
        quota: came.quota_met.map(|met| Quota { found, budget, met }),
        status: Entries(Status::ALL.iter().zip(came.status).map(|(s, n)| (s.name().to_owned(), n)).collect()),
        best: came.best.as_ref().map(|b| Best { value: b.value, restart: b.restart, x: b.x.clone() }),
        value: came.value.map(spread),
        success: came.success.map(|s| Success {
            tolerance: s.tolerance,
            count: s.count,
            fraction: s.fraction,
            interval: s.interval,
        }),
        steps_taken: StepsTaken { mean: came.mean_steps, max: came.max_steps },
        evaluations: came.evaluations,
    }
}

/// `eval --json`.
#[derive(Clone, Debug, Derive)]
pub struct Eval {
    /// The surface.
    pub surface: Surface,
    /// `f32` or `f64`.
    pub precision: &'static str,
    /// Where it ran.
    pub device: Device,
    /// One for each point of the file.
    pub points: Vec<EvalPoint>,
}

/// A point of `eval --json`.
#[derive(Clone, Debug, Derive)]
pub struct EvalPoint {
    /// The point.
    pub x: Vec<f64>,
    /// The value there.
    pub value: f64,
    /// The gradient, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient: Option<Vec<f64>>,
    /// Rows of second derivatives, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hessian: Option<Vec<Vec<f64>>>,
}

/// A row of `list surfaces --json`.
#[derive(Clone, Debug, Derive)]
pub struct SurfaceEntry {
    /// Its name.
    pub name: String,
    /// The first comment of its file.
    pub summary: String,
    /// `None` where it is free.
    pub dim: Option<u32>,
    /// The smallest dimension.
    pub smallest_dim: u32,
    /// As it is written: a formula in `n`.
    pub domain: String,
    /// The known minimum's value, a formula where it depends on `n`.
    pub minimum: Option<NumberOrText>,
    /// Options and their defaults.
    pub options: Entries<NumberOrText>,
}

/// A row of `list optimizers --json`.
#[derive(Clone, Debug, Derive)]
pub struct OptimizerEntry {
    /// Its name.
    pub name: String,
    /// `rule` or `transform`.
    pub kind: &'static str,
    /// The first comment of its file.
    pub summary: String,
    /// Hyperparameters and their defaults.
    pub hyper: Entries<NumberOrText>,
    /// State slots.
    pub state: Vec<String>,
}

/// A row of `list devices --json`.
#[derive(Clone, Debug, Derive)]
pub struct DeviceEntry {
    /// What `--device` takes.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `cpu`.
    pub kind: String,
    /// `vulkan`, `metal`, `dx12` or `cpu`.
    pub backend: String,
    /// The driver.
    pub driver: String,
    /// The bus address, where there is one.
    pub pci: Option<String>,
    /// What it allows, by name.
    pub limits: Entries<u64>,
}

/// `bench --json`.
#[derive(Clone, Debug, Derive)]
pub struct Bench {
    /// One for each combination.
    pub results: Vec<BenchResult>,
}

/// A row of `bench --json`.
#[derive(Clone, Debug, Derive)]
pub struct BenchResult {
    /// The surface.
    pub surface: String,
    /// How many coordinates.
    pub dim: u32,
    /// Restarts.
    pub restarts: u64,
    /// One configuration.
    pub optimizer: String,
    /// Steps of every restart.
    pub steps: u64,
    /// Where it ran.
    pub device: Device,
    /// How the kernel was laid out.
    pub layout: String,
    /// Lowering, printing and compiling, seconds; of the first run.
    pub compile_s: f64,
    /// Every timed run, seconds.
    pub run_s: Vec<f64>,
    /// Their median.
    pub median_s: f64,
    /// By the median.
    pub coordinate_steps_per_s: f64,
    /// That speed by the first device's, for the same work; null for the first.
    pub ratio: Option<f64>,
}
