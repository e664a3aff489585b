//! The options of a descent, which several commands share, and how they become a plan.

use super::args::{Count, DeviceArgs, SurfaceArgs};
use super::{Failure, Terminal};
use catchment::random::{Starts, StartsError};
use catchment::{Bounds, Error, Minibatch, Plan, PlanBuilder, Stopping, Surface};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What descends, from where, how long and on what.
#[derive(Debug, Args)]
pub struct DescentArgs {
    #[command(flatten)]
    pub surface: SurfaceArgs,
    /// A name, a call, a chain with '|' or a path to an .opt file; repeatable, and lists make a grid [default: adam]
    #[arg(short, long, value_name = "OPTIMIZER", help_heading = "Descent")]
    pub optimizer: Vec<String>,
    /// Steps of every restart
    #[arg(long, value_name = "N", default_value = "1000", help_heading = "Descent")]
    steps: Count,
    /// Passes over the table in the place of --steps: as many steps as draw each row that often
    #[arg(long, value_name = "E", conflicts_with = "steps", help_heading = "Descent")]
    epochs: Option<f64>,
    /// Rows of the table that each step sees, drawn anew for every restart: a number, or all
    #[arg(long, value_name = "B", default_value = "all", hide_default_value = true, help_heading = "Descent")]
    batch: BatchArg,
    /// Draw a batch's rows with replacement; without, each row is seen once before any is seen again
    #[arg(long, help_heading = "Descent")]
    replacement: bool,
    /// Seed of all random numbers
    #[arg(long, default_value = "0", help_heading = "Descent")]
    seed: Count,
    /// uniform, normal:SD, sobol, lhs, grid, or a CSV file with a point a line
    #[arg(long, default_value = "uniform", help_heading = "Descent")]
    pub starts: String,
    /// At the ends of the domain: none, clip, reflect or wrap
    #[arg(long, default_value = "none", hide_possible_values = true, help_heading = "Descent")]
    bounds: BoundsArg,
    /// Number of the first restart: a shard, or one restart replayed
    #[arg(long, value_name = "ID", default_value = "0", hide_default_value = true, help_heading = "Descent")]
    first: Count,
    /// Stop a restart where the gradient's norm is at most this [default: never]
    #[arg(long, value_name = "G", help_heading = "Stopping")]
    gtol: Option<f64>,
    /// Stop a restart where a step changes the value by at most this, relative to max(1, |value|) [default: never]
    #[arg(long, value_name = "F", help_heading = "Stopping")]
    ftol: Option<f64>,
    /// Stop a restart where the value is at most this [default: never]
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, help_heading = "Stopping")]
    target: Option<f64>,
    /// A restart succeeds where its final value is this near to the known minimum's
    #[arg(long, value_name = "TOLERANCE", default_value = "1e-3", help_heading = "Stopping")]
    success: f64,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How many restarts run at once; changes no result [default: what fits]
    #[arg(long, value_name = "RESTARTS", help_heading = "Device")]
    chunk: Option<Count>,
}

/// Rows that a step sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BatchArg {
    All,
    Rows(u64),
}

impl std::str::FromStr for BatchArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<BatchArg, &'static str> {
        match text {
            "all" => Ok(BatchArg::All),
            number => number.parse::<Count>().map(|c| BatchArg::Rows(c.0)),
        }
    }
}

/// What happens at the ends of the domain.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum BoundsArg {
    None,
    Clip,
    Reflect,
    Wrap,
}

impl DescentArgs {
    /// The arguments as a plan of this many restarts, not yet checked; `more` adds to it.
    pub fn plan(
        &self,
        restarts: u64,
        terminal: &Terminal,
        more: impl FnOnce(PlanBuilder, u64) -> PlanBuilder,
    ) -> Result<Plan, Failure> {
        let surface = self.surface.resolve(None, terminal)?;
        let stopping = Stopping { gradient: self.gtol, change: self.ftol, target: self.target };
        let steps = self.step_count(&surface)?;
        let mut plan = Plan::new(surface)
            .restarts(restarts)
            .steps(steps)
            .seed(self.seed.0)
            .first(self.first.0)
            .starts(self.starts()?)
            .bounds(match self.bounds {
                BoundsArg::None => Bounds::None,
                BoundsArg::Clip => Bounds::Clip,
                BoundsArg::Reflect => Bounds::Reflect,
                BoundsArg::Wrap => Bounds::Wrap,
            })
            .stopping(stopping)
            .success(self.success)
            .precision(self.device.precision());
        if let BatchArg::Rows(rows) = self.batch {
            let rows = u32::try_from(rows).unwrap_or(u32::MAX);
            plan = plan.batch(Minibatch { rows, replacement: self.replacement });
        }
        if let Some(chunk) = self.chunk {
            plan = plan.chunk(chunk.0);
        }
        for text in &self.optimizer {
            plan = plan.optimizer(text);
        }
        more(plan, steps).resolve().map_err(|error| match error {
            Error::Starts(source @ StartsError::PointsDim { .. }) => {
                Failure::Points { path: PathBuf::from(&self.starts), line: None, source }
            }
            other => other.into(),
        })
    }

    /// The number of steps, counted from epochs where these are given.
    fn step_count(&self, surface: &Surface) -> Result<u64, Failure> {
        let Some(epochs) = self.epochs else { return Ok(self.steps.0) };
        let Some(table) = surface.table() else {
            return Err(Error::BatchWithoutTable { surface: surface.name().to_owned() }.into());
        };
        if !epochs.is_finite() || epochs <= 0.0 {
            return Err(Error::Setting { name: "the number of epochs", value: epochs, expected: "above 0" }.into());
        }
        let rows = f64::from(table.rows);
        let seen = match self.batch {
            BatchArg::All => rows,
            BatchArg::Rows(batch) => batch.max(1) as f64,
        };
        Ok((epochs * rows / seen).ceil().max(1.0) as u64)
    }

    /// Where restarts start.
    pub fn starts(&self) -> Result<Starts, Failure> {
        Starts::parse(&self.starts).map_err(|error| super::points::locate(self.starts.as_ref(), error))
    }
}
