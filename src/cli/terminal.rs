//! Where text goes: results to stdout; notes, warnings, errors and progress to stderr, progress on a terminal only.

use super::{Failure, Global};
use clap::ColorChoice;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// The two streams, and what the user wants of them.
#[derive(Debug)]
pub struct Terminal {
    /// Whether one JSON document is wanted instead of text.
    pub json: bool,
    /// Whether more is wanted.
    pub verbose: bool,
    quiet: bool,
    out_color: bool,
    err_color: bool,
}

impl Terminal {
    /// By the options of every command.
    pub fn new(global: &Global) -> Terminal {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let dull = set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let color = |terminal: bool| match global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !dull,
        };
        Terminal {
            json: global.json,
            verbose: global.verbose,
            quiet: global.quiet,
            out_color: color(io::stdout().is_terminal()),
            err_color: color(io::stderr().is_terminal()),
        }
    }

    /// Whether results are coloured.
    pub fn color(&self) -> bool {
        self.out_color
    }

    /// Prints a part of the result as it is.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Stdout(error),
        })
    }

    /// Prints a JSON document.
    pub fn document(&self, document: &impl serde::Serialize) -> Result<(), Failure> {
        self.print(&(catchment::report::json::text(document) + "\n"))
    }

    /// Says what the user may want to know.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            self.say("note", "36", text);
        }
    }

    /// Says what the user should know.
    pub fn warning(&self, text: impl Display) {
        if !self.quiet {
            self.say("warning", "33", text);
        }
    }

    /// Says why the command ended early: one line, or the place in a formula.
    pub fn failure(&self, failure: &Failure) {
        match failure {
            Failure::ClosedPipe => {}
            Failure::Library(catchment::Error::Formula(mistake)) => {
                let _ = writeln!(io::stderr(), "{}", mistake.render(self.err_color));
            }
            other => self.say("error", "31", one_line(other)),
        }
    }

    fn say(&self, kind: &str, color: &str, text: impl Display) {
        // Where stderr is closed, nobody is left to tell.
        let _ = match self.err_color {
            true => writeln!(io::stderr(), "\u{1b}[1;{color}m{kind}\u{1b}[0m: {text}"),
            false => writeln!(io::stderr(), "{kind}: {text}"),
        };
    }

    /// A progress bar over this many restart steps; hidden unless stderr is a terminal.
    pub fn progress(&self, total: f64) -> ProgressBar {
        if self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{}", catchment::report::many(state.per_sec()));
        };
        let bar = ProgressBar::new(total as u64);
        let template = "{bar:32} {percent:>3} %  {rate} restart steps/s  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("rate", rate).progress_chars("━━╌"));
        }
        bar
    }
}

/// An error with its causes, in one line: what a path or a name holds cannot break it or steer the terminal.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text += &format!(": {more}");
        }
        cause = error.source();
    }
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
