//! `catchment run`: descend from many starts and tell where they went.

use super::args::{Count, DeviceArgs, SurfaceArgs};
use super::files::{self, Files, Opened};
use super::{Failure, Terminal, interrupt};
use catchment::random::{Starts, StartsError};
use catchment::report::{Layout, Places, json, summary};
use catchment::{Bounds, Error, Event, Flow, Minibatch, Plan, Quota, Stopping, Surface, Trace};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  A million descents on Rastrigin's function:
    catchment run rastrigin -d 2 -n 1e6 -o 'sgd(lr=0.002)' --steps 2000

  Three learning rates and another optimizer, compared on the same starts:
    catchment run ackley -d 10 -o 'adam(lr=[0.01, 0.03, 0.1])' -o 'rprop' --seed 7

  A chain, a schedule, and starts spread evenly:
    catchment run levy -d 5 -o 'clip_norm(max=1) | sgd(lr=0.1*(1 - t/T))' --starts sobol

  A formula of your own; stop where the gradient is small; keep every end point:
    catchment run --expr 'sum(x^4 - x^2) + x[0]*x[1]' --box -2:2 -d 2 --gtol 1e-4 --out ends.parquet

  A thousand networks trained on one table, 20 rows a step:
    catchment run 'mlp(layers=[2,16,1], activation=tanh, loss=logistic)' --data moons.csv -n 1000 --batch 20 --epochs 50

  As many starts as it takes to find the minimum 100 times, but no more than 1e8 steps:
    catchment run rastrigin -d 4 -o 'sgd(lr=0.002)' --found 100 --budget 1e8

  Restart 500 of such a run alone, with its way:
    catchment run rastrigin -d 2 --first 500 -n 1 --trace way.csv --trace-steps 0,1,2,5,10,100";

/// `run`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    #[command(flatten)]
    surface: SurfaceArgs,
    /// Restarts of every configuration, or the most of them with --found or --budget [default: 10000; with these 2^40]
    #[arg(short = 'n', long, value_name = "RESTARTS", help_heading = "Descent")]
    restarts: Option<Count>,
    /// Go on with new starts until K restarts of each configuration are found: ended at --target, or without it a success
    #[arg(long, value_name = "K", help_heading = "Descent")]
    found: Option<Count>,
    /// Go on with new starts until the restarts of each configuration have taken this many steps in all
    #[arg(long, value_name = "STEPS", help_heading = "Descent")]
    budget: Option<Count>,
    /// A name, a call, a chain with '|' or a path to an .opt file; repeatable, and lists make a grid [default: adam]
    #[arg(short, long, value_name = "OPTIMIZER", help_heading = "Descent")]
    optimizer: Vec<String>,
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
    starts: String,
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
    device: DeviceArgs,
    /// How many restarts run at once; changes no result [default: what fits]
    #[arg(long, value_name = "RESTARTS", help_heading = "Device")]
    chunk: Option<Count>,
    /// Write every restart's end to a .csv or .parquet file
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    out: Option<PathBuf>,
    /// Write points on the way to a .csv or .parquet file
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    trace: Option<PathBuf>,
    /// Steps to trace; 0 is the start [default: 0, 1, 2, 5, 10, 20, 50, … and the last]
    #[arg(long, value_name = "1,2,5,…", value_delimiter = ',', requires = "trace", help_heading = "Files")]
    trace_steps: Vec<Count>,
    /// How many restarts of every configuration to trace, from the first
    #[arg(long, value_name = "K", default_value = "10", requires = "trace", help_heading = "Files")]
    trace_restarts: Count,
    /// Replace files that exist
    #[arg(long, help_heading = "Files")]
    force: bool,
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

/// Parse → plan → run → report.
pub fn act(args: &RunArgs, terminal: &Terminal) -> Result<(), Failure> {
    let began = Instant::now();
    let plan = args.plan(terminal)?;
    let [results, trace] = args.open_files()?;
    let engine = args.device.open_for(&plan, terminal)?;
    let record = files::record(&plan, &engine.device());
    let begin = |file: Option<Opened>, layout| file.map(|file| file.begin(layout, &record)).transpose();
    let files = Files { results: begin(results, Layout::results(&plan))?, trace: begin(trace, Layout::trace(&plan))? };
    if !terminal.json {
        terminal.print(&summary::heading(&plan, &engine.device(), &args.starts))?;
    }

    if terminal.verbose {
        terminal.note(format_args!("kernel: {}", engine.layout(&plan)?));
    }

    let mut receiver = Receiver::new(&plan, files, terminal);
    let outcome = engine.stream(&plan, |event| receiver.take(event));
    let (files, places) = receiver.done()?;
    let outcome = outcome?;
    files.finish()?;

    let total = began.elapsed().as_secs_f64();
    if terminal.json {
        if let Some(advice) = summary::unmet(&plan, &outcome) {
            terminal.warning(advice);
        }
        return terminal.document(&json::Run::new(&plan, &outcome, &args.starts, total));
    }
    terminal.print(&summary::run(&plan, &outcome, places, total, terminal.color(), terminal.verbose))?;
    for advice in summary::advice(&plan, &outcome) {
        terminal.warning(advice);
    }
    Ok(())
}

impl RunArgs {
    /// The arguments as a checked plan.
    fn plan(&self, terminal: &Terminal) -> Result<Plan, Failure> {
        let surface = self.surface.resolve(None, terminal)?;
        let stopping = Stopping { gradient: self.gtol, change: self.ftol, target: self.target };
        let steps = self.step_count(&surface)?;
        let starts = self.starts()?;
        let mut plan = Plan::new(surface)
            .restarts(self.restart_count(&starts)?)
            .quota(self.quota())
            .steps(steps)
            .seed(self.seed.0)
            .first(self.first.0)
            .starts(starts)
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
        if self.trace.is_some() {
            plan = plan.trace(Trace { steps: self.trace_steps(steps), restarts: self.trace_restarts.0 });
        }
        for text in &self.optimizer {
            plan = plan.optimizer(text);
        }
        plan.resolve().map_err(|error| match error {
            Error::Starts(source @ StartsError::PointsDim { .. }) => {
                Failure::Points { path: PathBuf::from(&self.starts), line: None, source }
            }
            other => other.into(),
        })
    }

    fn quota(&self) -> Quota {
        Quota { found: self.found.map(|k| k.0), budget: self.budget.map(|b| b.0) }
    }

    /// The number of restarts; with a quota it is an upper bound, which starts that fill the domain by their number must know.
    fn restart_count(&self, starts: &Starts) -> Result<u64, Failure> {
        match self.restarts {
            Some(given) => Ok(given.0),
            None if self.quota().is_none() => Ok(10_000),
            None if matches!(starts, Starts::LatinHypercube | Starts::Grid) => {
                Err(Failure::StartsWithoutCount { starts: starts.to_string() })
            }
            None => Ok(1 << 40),
        }
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

    fn starts(&self) -> Result<Starts, Failure> {
        Starts::parse(&self.starts).map_err(|error| super::points::locate(self.starts.as_ref(), error))
    }

    /// The steps that were asked for, in order, or some spread evenly by their logarithm.
    fn trace_steps(&self, last: u64) -> Vec<u64> {
        let mut steps: Vec<u64> = self.trace_steps.iter().map(|s| s.0).collect();
        if steps.is_empty() {
            let decades = (0..12).flat_map(|power| [1, 2, 5].map(|digit| digit * 10u64.pow(power)));
            steps = std::iter::once(0).chain(decades.take_while(|&s| s < last)).chain([last]).collect();
        }
        steps.sort_unstable();
        steps.dedup();
        steps
    }

    fn open_files(&self) -> Result<[Option<Opened>; 2], Failure> {
        if let (Some(out), Some(trace)) = (&self.out, &self.trace)
            && out == trace
        {
            return Err(Failure::OutputTwice { path: out.clone(), options: "--out and --trace" });
        }
        let open = |path: &Option<PathBuf>| path.as_ref().map(|path| files::open(path, self.force)).transpose();
        Ok([open(&self.out)?, open(&self.trace)?])
    }
}

/// Takes what the engine gives out.
struct Receiver {
    files: Files,
    /// Where the restarts of each configuration went; empty where that is not counted.
    places: Vec<Places>,
    bar: ProgressBar,
    failure: Option<Failure>,
}

/// Cells of all grids together.
const CELLS: usize = 1 << 17;

impl Receiver {
    fn new(plan: &Plan, files: Files, terminal: &Terminal) -> Receiver {
        let surface = plan.surface();
        let configurations = plan.configurations().len();
        let counted = !terminal.json && surface.dim() as usize <= Places::MOST_DIMENSIONS && configurations <= 256;
        let grid = || Places::new(surface.domain(), CELLS / configurations);
        Receiver {
            files,
            places: (0..if counted { configurations } else { 0 }).map(|_| grid()).collect(),
            // With a quota the length is an estimate that comes with the progress.
            bar: terminal.progress(plan.restarts() as f64 * plan.steps() as f64 * configurations as f64),
            failure: None,
        }
    }

    fn take(&mut self, event: &Event) -> Flow {
        if let Err(failure) = self.files.take(event) {
            self.failure = Some(failure);
            return Flow::Stop;
        }
        match event {
            Event::Batch(batch) => {
                if let Some(places) = self.places.get_mut(batch.configuration) {
                    places.take(batch);
                }
            }
            Event::Progress(progress) => {
                self.bar.set_length(progress.total as u64);
                self.bar.set_position(progress.done as u64);
            }
            Event::Trace(_) => {}
        }
        if interrupt::asked() { Flow::Stop } else { Flow::Continue }
    }

    fn done(self) -> Result<(Files, Vec<Places>), Failure> {
        self.bar.finish_and_clear();
        self.failure.map_or(Ok((self.files, self.places)), Err)
    }
}
