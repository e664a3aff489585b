//! The command line: one file a command, each of them thin. What is wrong with the arguments is said before any work.

mod args;
pub mod bench;
pub mod check;
mod descent;
pub mod eval;
mod failure;
mod files;
pub mod fit;
pub mod generate;
pub mod interrupt;
pub mod list;
pub mod map;
pub mod minima;
mod points;
pub mod run;
pub mod show;
mod stationary;
pub mod survey;
mod terminal;

pub use args::Global;
pub use failure::Failure;
pub use terminal::Terminal;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::process::ExitCode;

/// Drop a million starts on a loss surface, let each run downhill, and see where they went.
///
/// A surface is a formula; an optimizer is a formula. Both are composed with the exact gradient into one program that
/// runs on the GPU, or on all cores of the CPU. Built-ins and your own .surf and .opt files work the same way.
#[derive(Debug, Parser)]
#[command(name = "catchment", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

const EXAMPLES: &str = "\
Examples:
  catchment run rastrigin -d 2 -n 1e6 -o 'sgd(lr=0.002)'          a million descents
  catchment run ackley -d 10 -o 'adam(lr=[0.01, 0.1])' -o lion    optimizers compared
  catchment run --expr 'sum(x^4 - x^2)' --box -2:2 -d 3           a formula of your own
  catchment minima himmelblau -n 1000 -o 'adam(lr=0.05)'          the set of minima
  catchment fit --data decay.csv --y y --model 'a*exp(-k*t)' --box 'a=0:10,k=1e-3:10:log'
  catchment survey rastrigin -d 5                                 what a surface is like
  catchment map himmelblau --what basins --out basins.png         where each start goes, as a picture
  catchment list surfaces                                         what there is
  catchment show rosenbrock                                       a formula and its minima

'catchment help COMMAND' tells more, with examples.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Descend from many starts and tell where they went
    Run(Box<run::RunArgs>),
    /// Descend, and list the minima: how often each was reached, and what was missed
    Minima(Box<minima::MinimaArgs>),
    /// Fit a model to the rows of a table, from many starts, with standard errors
    Fit(Box<fit::FitArgs>),
    /// What a surface is like: values, slopes, curvature, ruggedness, landscape features; or random matrices
    Survey(Box<survey::SurveyArgs>),
    /// Draw a surface, its basins of attraction, the ways of descents, or where learning rates converge
    Map(Box<map::MapArgs>),
    /// Values, gradients and Hessians at the points of a file
    Eval(eval::EvalArgs),
    /// The surfaces, optimizers or devices that there are
    List(list::ListArgs),
    /// One surface or optimizer: its formula, domain, minima, source, generated shader
    Show(show::ShowArgs),
    /// Prove a surface or optimizer: shapes, gradient against differences, shader
    Check(check::CheckArgs),
    /// Time runs by surface, size and device
    Bench(bench::BenchArgs),
    /// Print the completions of a shell
    #[command(after_help = generate::COMPLETIONS_EXAMPLES)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the man page (roff)
    #[command(after_help = generate::MAN_EXAMPLES)]
    Man,
}

impl Cli {
    /// Reads the arguments; help, the version and mistakes are printed here and end the process with this code.
    pub fn read() -> Result<Cli, ExitCode> {
        let command = Cli::command().color(color_asked(std::env::args()));
        command.try_get_matches().and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches)).map_err(|error| {
            // Nobody is left to hear of a closed terminal.
            let _ = error.print();
            ExitCode::from(error.exit_code() as u8)
        })
    }
}

/// The colour of the parser's own messages, which are written before `--color` is parsed.
fn color_asked(args: impl Iterator<Item = String>) -> ColorChoice {
    let (mut choice, mut next) = (ColorChoice::Auto, false);
    for arg in args {
        let value = if std::mem::take(&mut next) { Some(arg.as_str()) } else { arg.strip_prefix("--color=") };
        choice = match value {
            Some("always") => ColorChoice::Always,
            Some("never") => ColorChoice::Never,
            _ => choice,
        };
        next = arg == "--color";
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn colour_is_seen_before_parsing() {
        let asked = |line: &str| color_asked(line.split(' ').map(str::to_owned));
        assert_eq!(asked("catchment run --color never x"), ColorChoice::Never);
        assert_eq!(asked("catchment --color=always"), ColorChoice::Always);
        assert_eq!(asked("catchment run never"), ColorChoice::Auto);
    }
}
