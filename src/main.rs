//! The command `catchment`: parse, plan, run, report.

mod cli;

use cli::{Cli, Command, Failure, Terminal, interrupt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let terminal = Terminal::new(&cli.global);
    interrupt::watch();
    match catch_unwind(AssertUnwindSafe(|| act(&cli.command, &terminal))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            terminal.failure(&failure);
            ExitCode::from(failure.code())
        }
        // A panic is a bug of ours. It has been printed, and what was half written has been removed on the way up.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Every command resolves its arguments into something checked, does the work, and reports.
fn act(command: &Command, terminal: &Terminal) -> Result<(), Failure> {
    match command {
        Command::Run(args) => cli::run::act(args, terminal),
        Command::Minima(args) => cli::minima::act(args, terminal),
        Command::Fit(args) => cli::fit::act(args, terminal),
        Command::Survey(args) => cli::survey::act(args, terminal),
        Command::Map(args) => cli::map::act(args, terminal),
        Command::Eval(args) => cli::eval::act(args, terminal),
        Command::List(args) => cli::list::act(args, terminal),
        Command::Show(args) => cli::show::act(args, terminal),
        Command::Check(args) => cli::check::act(args, terminal),
        Command::Bench(args) => cli::bench::act(args, terminal),
        Command::Completions { shell } => cli::generate::completions(*shell, terminal),
        Command::Man => cli::generate::man(terminal),
    }
}
