//! Everything that ends a command early, and the exit code that tells a script which.

use super::fit::FitMistake;
use catchment::random::StartsError;
use catchment::report::OutputError;
use std::io;
use std::path::{Path, PathBuf};

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// What the library says.
    #[error(transparent)]
    Library(#[from] catchment::Error),
    /// A `--box` that is none.
    #[error("--box `{text}`: {problem}")]
    Box { text: String, problem: &'static str },
    /// A `--box` of another dimension.
    #[error(
        "--box has {intervals} intervals, the surface {dim} dimensions: give one interval for all, or one for each"
    )]
    BoxCount { intervals: usize, dim: u32 },
    /// Starts that are spread by their number, and none given.
    #[error("--starts {starts} spreads a known number of restarts: give it, as -n 1e6, with --found and --budget")]
    StartsWithoutCount { starts: String },
    /// A request for a fit that makes no sense.
    #[error(transparent)]
    Fit(#[from] FitMistake),
    /// An option that means nothing to what is surveyed.
    #[error("{option} means nothing to {to}; {instead}")]
    SurveyOption { option: &'static str, to: &'static str, instead: &'static str },
    /// A sample without values.
    #[error("{}: no column `y` or `value` holds the values of the points; there are: {columns}", path.display())]
    NoValues { path: PathBuf, columns: String },
    /// A sample without coordinates.
    #[error("{}: besides the values there is no column, so there are no points", path.display())]
    NoCoordinates { path: PathBuf },
    /// An option of `map` that cannot be read.
    #[error("{option} `{text}`: {problem}")]
    MapText { option: &'static str, text: String, problem: &'static str },
    /// An option of `map` for another kind of map.
    #[error("{option} means nothing to `--what {what}`: leave it out, or choose another kind of map")]
    MapOption { option: &'static str, what: &'static str },
    /// A file of points that does not hold points.
    #[error("{}{}: {source}", path.display(), line.map_or(String::new(), |l| format!(":{l}")))]
    Points { path: PathBuf, line: Option<usize>, source: StartsError },
    /// Neither a surface nor an optimizer.
    #[error("no surface and no optimizer is called `{name}`{}", nearest.as_ref().map_or(String::new(), |n| format!("; did you mean `{n}`?")))]
    UnknownEntry { name: String, nearest: Option<String> },
    /// A result file of a form that nobody writes.
    #[error("{}: results are written as {forms}", path.display())]
    OutputForm { path: PathBuf, forms: &'static str },
    /// Two results in one file.
    #[error("{}: {options} need a file each", path.display())]
    OutputTwice { path: PathBuf, options: &'static str },
    /// A result file that is there already.
    #[error("{} exists; --force replaces it", path.display())]
    OutputExists { path: PathBuf },
    /// A result file that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Output { path: PathBuf, source: io::Error },
    /// Standard output cannot be written.
    #[error("cannot write the result: {0}")]
    Stdout(io::Error),
    /// Whoever read our output has gone.
    #[error("the reader of the output has gone")]
    ClosedPipe,
    /// A check that did not hold; the report has told which.
    #[error("{failed} of {total} checks failed")]
    Checks { failed: usize, total: usize },
}

impl Failure {
    /// A failure to open or write this result file.
    pub fn output(path: &Path, error: impl Into<OutputError>) -> Failure {
        match error.into() {
            OutputError::Exists => Failure::OutputExists { path: path.to_owned() },
            OutputError::Io(source) => Failure::Output { path: path.to_owned(), source },
        }
    }

    /// The exit code of the process.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Library(error) => error.exit_code(),
            Failure::Box { .. } | Failure::BoxCount { .. } | Failure::UnknownEntry { .. } => 2,
            Failure::StartsWithoutCount { .. } | Failure::SurveyOption { .. } => 2,
            Failure::MapText { .. } | Failure::MapOption { .. } => 2,
            Failure::NoValues { .. } | Failure::NoCoordinates { .. } => 65,
            Failure::Fit(FitMistake::NotFinite { .. }) => 65,
            Failure::Fit(_) | Failure::OutputForm { .. } | Failure::OutputTwice { .. } => 2,
            Failure::Points { source: StartsError::Read { .. }, .. } => 66,
            Failure::Points { .. } => 65,
            Failure::OutputExists { .. } => 73,
            Failure::Output { .. } | Failure::Stdout(_) => 74,
            // As after SIGPIPE, which asks for silence: `catchment list surfaces | head`.
            Failure::ClosedPipe => 0,
            Failure::Checks { .. } => 3,
        }
    }
}
