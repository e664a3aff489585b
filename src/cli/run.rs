//! `catchment run`: descend from many starts and tell where they went.

use super::args::Count;
use super::descent::DescentArgs;
use super::files::{self, Files, Opened};
use super::{Failure, Terminal, interrupt};
use catchment::random::Starts;
use catchment::report::{Layout, Places, json, summary};
use catchment::{Event, Flow, Plan, Quota, Trace};
use clap::Args;
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
    /// Restarts of every configuration, or the most of them with --found or --budget [default: 10000; with these 2^40]
    #[arg(short = 'n', long, value_name = "RESTARTS", help_heading = "Descent")]
    restarts: Option<Count>,
    /// Go on with new starts until K restarts of each configuration are found: ended at --target, or without it a success
    #[arg(long, value_name = "K", help_heading = "Descent")]
    found: Option<Count>,
    /// Go on with new starts until the restarts of each configuration have taken this many steps in all
    #[arg(long, value_name = "STEPS", help_heading = "Descent")]
    budget: Option<Count>,
    #[command(flatten)]
    descent: DescentArgs,
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

/// Parse → plan → run → report.
pub fn act(args: &RunArgs, terminal: &Terminal) -> Result<(), Failure> {
    let began = Instant::now();
    let plan = args.plan(terminal)?;
    let [results, trace] = args.open_files()?;
    let engine = args.descent.device.open_for(&plan, terminal)?;
    let record = files::record(&plan, &engine.device());
    let begin = |file: Option<Opened>, layout| file.map(|file| file.begin(layout, &record)).transpose();
    let files = Files { results: begin(results, Layout::results(&plan))?, trace: begin(trace, Layout::trace(&plan))? };
    if !terminal.json {
        terminal.print(&summary::heading(&plan, &engine.device(), &args.descent.starts))?;
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
        return terminal.document(&json::Run::new(&plan, &outcome, &args.descent.starts, total));
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
        let restarts = self.restart_count(&self.descent.starts()?)?;
        self.descent.plan(restarts, terminal, |plan, steps| {
            let plan = plan.quota(self.quota());
            if self.trace.is_none() {
                return plan;
            }
            plan.trace(Trace { steps: self.trace_steps(steps), restarts: self.trace_restarts.0 })
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
