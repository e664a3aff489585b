//! `catchment minima`: descend from many starts, and list where they end.

use super::args::Count;
use super::descent::DescentArgs;
use super::files::{self, Plot};
use super::{Failure, Terminal, interrupt};
use catchment::analysis::Search;
use catchment::random::Starts;
use catchment::report::json::MinimaDocument;
use catchment::report::{count, minima as words, picture, summary};
use catchment::{Flow, Progress};
use clap::Args;
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  The four minima of Himmelblau's function and their basins' shares:
    catchment minima himmelblau -n 1e4 -o 'adam(lr=0.05)'

  All 1,331 minima of Rastrigin's function in three dimensions, with shares under two optimizers:
    catchment minima rastrigin -d 3 -n 1e6 -o 'sgd(lr=0.002)' -o 'adam(lr=0.05)' --out minima.parquet

  As many restarts as it takes until no more than 1 % of them would end somewhere new:
    catchment minima levy -d 4 -o 'adam(lr=0.1)' --until-coverage 0.99

  Angles, which meet themselves after 2 pi:
    catchment minima --expr 'cos(x[0]) + cos(2*x[1])*sin(x[0])' --box=-3.14159265:3.14159265 -d 2 --periodic 0,1

  A formula of your own, held to its box:
    catchment minima --expr 'sum(x^4 - x^2) + 0.3*x[0]' --box -2:2 -d 3 --bounds clip

Each end is made exact in f64 by Newton steps with exact second derivatives (by conjugate gradients beyond 200
dimensions). Ends in one 16,384th of the box are made exact together; points nearer than --tolerance are one.";

/// `minima`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct MinimaArgs {
    /// Restarts of every configuration, or the most of them with --until-coverage [default: 10000; with it 2^40]
    #[arg(short = 'n', long, value_name = "RESTARTS", help_heading = "Descent")]
    restarts: Option<Count>,
    #[command(flatten)]
    descent: DescentArgs,
    /// Points nearer than this are one, each coordinate measured in widths of the box
    #[arg(long, value_name = "T", default_value = "1e-6", help_heading = "Minima")]
    tolerance: f64,
    /// Coordinates whose ends are one place, from 0; with --bounds wrap all are
    #[arg(long, value_name = "0,1,…", value_delimiter = ',', help_heading = "Minima")]
    periodic: Vec<usize>,
    /// Go on until at most 1 - C of all restarts would end somewhere new, with 95 % confidence
    #[arg(long, value_name = "C", help_heading = "Minima")]
    until_coverage: Option<f64>,
    /// Run so many restarts again in f64 and count those that end elsewhere
    #[arg(long, value_name = "K", default_value = "256", help_heading = "Minima")]
    audit: Count,
    /// Write the points to a .csv or .parquet file
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    out: Option<PathBuf>,
    /// Draw what was found into a .png or .svg file: points by restarts, values, shares, eigenvalues
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    plot: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, help_heading = "Files")]
    force: bool,
}

/// Parse → plan → descend, make exact, tell apart → report.
pub fn act(args: &MinimaArgs, terminal: &Terminal) -> Result<(), Failure> {
    let began = Instant::now();
    let starts = args.descent.starts()?;
    let plan = args.descent.plan(args.restart_count(&starts)?, terminal, |plan, _| plan)?;
    if let (Some(out), Some(plot)) = (&args.out, &args.plot)
        && out == plot
    {
        return Err(Failure::OutputTwice { path: out.clone(), options: "--out and --plot" });
    }
    let plot = args.plot.as_ref().map(|path| Plot::open(path, args.force)).transpose()?;
    let out = args.out.as_ref().map(|path| files::open(path, args.force)).transpose()?;
    let engine = args.descent.device.open_for(&plan, terminal)?;
    if !terminal.json {
        terminal.print(&summary::heading(&plan, &engine.device(), &args.descent.starts))?;
    }
    let search = Search {
        tolerance: args.tolerance,
        periodic: args.periodic.clone(),
        until_coverage: args.until_coverage,
        audit: args.audit.0,
    };
    let bar = terminal.progress(plan.restarts() as f64 * plan.steps() as f64 * plan.configurations().len() as f64);
    let minima = search.minima(&engine, &plan, |Progress { done, total }| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        if interrupt::asked() { Flow::Stop } else { Flow::Continue }
    });
    bar.finish_and_clear();
    let minima = minima?;
    if let Some(out) = out {
        out.write(&words::columns(&minima.points), &files::record(&plan, &engine.device()))?;
    }
    if let Some(plot) = plot {
        let names: Vec<&str> = plan.configurations().iter().map(|c| c.text.as_str()).collect();
        let how = format!("{} restarts by {}", count(minima.restarts), names.join(", "));
        plot.write(&picture::minima(&summary::surface(plan.surface()), &how, &minima))?;
    }
    let total = began.elapsed().as_secs_f64();
    if terminal.json {
        return terminal.document(&MinimaDocument::new(&plan, &minima, args.tolerance, &args.descent.starts, total));
    }
    terminal.print(&words::minima(&plan, &minima, total, terminal.color()))?;
    if minima.covered.contains(&false) {
        terminal.warning("the coverage that was asked for was not reached: raise -n");
    }
    if plan.stopping().gradient.is_none() && minima.flat * 10 > minima.restarts {
        terminal.warning("many restarts had not arrived: raise --steps or the learning rate");
    }
    Ok(())
}

impl MinimaArgs {
    /// The number of restarts; with a coverage to reach it is an upper bound.
    fn restart_count(&self, starts: &Starts) -> Result<u64, Failure> {
        match self.restarts {
            Some(given) => Ok(given.0),
            None if self.until_coverage.is_none() => Ok(10_000),
            None if matches!(starts, Starts::LatinHypercube | Starts::Grid) => {
                Err(Failure::StartsWithoutCount { starts: starts.to_string() })
            }
            None => Ok(1 << 40),
        }
    }
}
