//! What `survey` does beyond sampling: critical points of every index, and how optimizers leave saddles.

use super::args::Count;
use super::{Failure, Terminal, interrupt};
use catchment::analysis::{CriticalPoint, Escape, Escaped, Kind, Stationary, StationaryPoints};
use catchment::{Engine, Flow, Progress, Surface};
use clap::Args;

/// Options of `--stationary` and `--escape`.
#[derive(Debug, Args)]
pub struct StationaryArgs {
    /// Look for critical points of every index, by descents of half the squared gradient and Newton steps
    #[arg(long, help_heading = "Critical points")]
    pub stationary: bool,
    /// Starts of that search
    #[arg(long, value_name = "N", default_value = "10000", help_heading = "Critical points")]
    searches: Count,
    /// Critical points nearer than this are one, each coordinate measured in widths of the box
    #[arg(long, value_name = "T", default_value = "1e-6", help_heading = "Critical points")]
    tolerance: f64,
    /// Coordinates whose ends are one place, from 0
    #[arg(long, value_name = "0,1,…", value_delimiter = ',', help_heading = "Critical points")]
    periodic: Vec<usize>,
    /// Start optimizers about saddles and tell how many leave, and when; looks for the saddles first
    #[arg(long, help_heading = "Critical points")]
    pub escape: bool,
    /// An optimizer that is to leave saddles; repeatable [default: sgd, with noise, and with kicks, at a rate of 0.01]
    #[arg(short, long, value_name = "OPTIMIZER", requires = "escape", help_heading = "Critical points")]
    optimizer: Vec<String>,
    /// Steps in which it may leave
    #[arg(long, value_name = "N", default_value = "1000", help_heading = "Critical points")]
    steps: Count,
    /// Standard deviation of starts about a saddle, in widths of the box
    #[arg(long, value_name = "SHARE", default_value = "1e-6", help_heading = "Critical points")]
    near: f64,
    /// A restart has left when it is as far down as this many widths along the steepest way
    #[arg(long, value_name = "SHARE", default_value = "0.01", help_heading = "Critical points")]
    far: f64,
}

/// Saddles that optimizers start at, the lowest.
const SADDLES: usize = 4;
/// Restarts of each optimizer at each saddle.
const RESTARTS: u64 = 1000;

/// What each optimizer did at each saddle.
pub type Escapes = Vec<(CriticalPoint, Vec<Escaped>)>;

impl StationaryArgs {
    /// Whether critical points are looked for.
    pub fn asked(&self) -> bool {
        self.stationary || self.escape
    }

    /// Steps in which optimizers may leave.
    pub fn escape_steps(&self) -> u64 {
        self.steps.0
    }

    /// Looks for critical points.
    pub fn find(
        &self,
        engine: &Engine,
        surface: &Surface,
        seed: u64,
        terminal: &Terminal,
    ) -> Result<StationaryPoints, Failure> {
        let search = Stationary {
            starts: self.searches.0,
            tolerance: self.tolerance,
            periodic: self.periodic.clone(),
            seed,
            ..Stationary::default()
        };
        let bar = terminal.progress(1.0);
        let found = search.find(engine, surface, |progress| follow(&bar, progress));
        bar.finish_and_clear();
        Ok(found?)
    }

    /// Starts optimizers about the lowest saddles.
    pub fn escapes(
        &self,
        engine: &Engine,
        surface: &Surface,
        found: &StationaryPoints,
        seed: u64,
        terminal: &Terminal,
    ) -> Result<Escapes, Failure> {
        let mut escape = Escape {
            restarts: RESTARTS,
            steps: self.steps.0,
            near: self.near,
            far: self.far,
            seed,
            ..Escape::default()
        };
        if !self.optimizer.is_empty() {
            escape.optimizers = self.optimizer.clone();
        }
        let bar = terminal.progress(1.0);
        let saddles = found.points.iter().map(|p| &p.point).filter(|p| p.kind == Kind::Saddle && p.inside);
        let all = saddles
            .take(SADDLES)
            .map(|saddle| {
                let left = escape.measure(engine, surface, saddle, |progress| follow(&bar, progress))?;
                Ok((saddle.clone(), left))
            })
            .collect::<Result<Escapes, catchment::Error>>();
        bar.finish_and_clear();
        let all = all?;
        if all.is_empty() {
            terminal.warning("no saddle was found in the box: nothing to leave");
        }
        Ok(all)
    }
}

fn follow(bar: &indicatif::ProgressBar, Progress { done, total }: Progress) -> Flow {
    bar.set_length(total as u64);
    bar.set_position(done as u64);
    if interrupt::asked() { Flow::Stop } else { Flow::Continue }
}
