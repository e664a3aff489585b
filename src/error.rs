//! Everything that can go wrong, in one enum with typed payloads.

use crate::features::FeatureError;
use crate::fit::FitError;
use crate::language::Diagnostic;
use crate::map::MapError;
use crate::random::StartsError;
use crate::table::TableError;
use std::path::PathBuf;

fn hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or(String::new(), |n| format!("; did you mean `{n}`?"))
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A mistake in a formula, surface or optimizer text.
    #[error("{0}")]
    Formula(#[from] Box<Diagnostic>),
    /// No such surface in the catalog.
    #[error("unknown surface `{name}`{}", hint(.nearest))]
    UnknownSurface {
        /// As asked for.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// No such optimizer in the catalog.
    #[error("unknown optimizer `{name}`{}", hint(.nearest))]
    UnknownOptimizer {
        /// As asked for.
        name: String,
        /// The nearest that exists.
        nearest: Option<String>,
    },
    /// A surface with a free dimension, and none given.
    #[error("`{surface}` has a free dimension: give one (on the command line `-d {minimum}`)")]
    DimensionMissing {
        /// The surface.
        surface: String,
        /// Its smallest dimension.
        minimum: u32,
    },
    /// A dimension that the surface does not have.
    #[error("`{surface}` in {dim} dimensions: {rule}")]
    Dimension {
        /// The surface.
        surface: String,
        /// As asked for.
        dim: u32,
        /// What the surface has.
        rule: DimensionRule,
    },
    /// A surface with `data`, and no table.
    #[error("`{surface}` reads {} from a table: give one (on the command line `--data FILE`)", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))]
    TableMissing {
        /// The surface.
        surface: String,
        /// What it reads.
        names: Vec<String>,
    },
    /// A table with another number of columns than the surface's `data` takes.
    #[error("`{surface}` takes {expected} columns of a table, and {found} are given")]
    TableWidth {
        /// The surface.
        surface: String,
        /// What it takes.
        expected: u32,
        /// What is given.
        found: u32,
    },
    /// Columns that make no table.
    #[error(
        "columns of {rows:?} rows: a table has columns of one length, at least one row and fewer than 2^31 numbers"
    )]
    TableSize {
        /// Rows of each column.
        rows: Vec<usize>,
    },
    /// A batch of rows for a surface that has none.
    #[error("`{surface}` has no `data`: there are no rows to draw a batch from")]
    BatchWithoutTable {
        /// The surface.
        surface: String,
    },
    /// A batch of more rows than there are.
    #[error("a batch of {batch} rows from a table of {rows}: it takes between 1 and {rows}")]
    BatchSize {
        /// As asked for.
        batch: u32,
        /// Rows of the table.
        rows: u32,
    },
    /// Columns bound to a name that is not declared as `data`.
    #[error("`{surface}` has no data `{name}` to bind columns to{}", hint(.nearest))]
    BindUnknown {
        /// The surface.
        surface: String,
        /// The name.
        name: String,
        /// The nearest that it has.
        nearest: Option<String>,
    },
    /// Another number of columns than a `data` name takes.
    #[error("`{name}` takes {expected} columns of the table, and {found} are bound to it")]
    BindCount {
        /// The name.
        name: String,
        /// How many it takes.
        expected: usize,
        /// How many are bound.
        found: usize,
    },
    /// A table for a surface that reads none.
    #[error("`{surface}` has no `data`: a table is nothing to it")]
    DataUnused {
        /// The surface.
        surface: String,
    },
    /// A matrix for a name that is not declared as `matrix`.
    #[error("`{surface}` has no matrix `{name}`{}", hint(.nearest))]
    MatrixUnknown {
        /// The surface.
        surface: String,
        /// The name.
        name: String,
        /// The nearest that it has.
        nearest: Option<String>,
    },
    /// A surface with `matrix`, and none given.
    #[error("`{surface}` needs the matrix `{name}`: give it (on the command line `--matrix {name}=FILE.csv`)")]
    MatrixMissing {
        /// The surface.
        surface: String,
        /// The matrix.
        name: String,
    },
    /// A matrix of another size than declared.
    #[error("the matrix `{name}` is declared {expected}, and {found} is given")]
    MatrixSize {
        /// The matrix.
        name: String,
        /// As declared.
        expected: String,
        /// As given.
        found: String,
    },
    /// A start sampler that does not fit.
    #[error(transparent)]
    Starts(#[from] StartsError),
    /// A fit that cannot be made.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// A sample that has no landscape features.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// A number of the plan outside its range.
    #[error("{name} is {value}: {expected}")]
    Setting {
        /// Which.
        name: &'static str,
        /// As given.
        value: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// Restarts to find, and nothing that tells which are found.
    #[error(
        "no minimum of `{surface}` is known, so nothing tells which restarts are found: say from which value on (on the command line `--target VALUE`)"
    )]
    NothingToFind {
        /// The surface.
        surface: String,
    },
    /// A hyperparameter that an optimizer does not have.
    #[error("`{optimizer}` has no hyperparameter `{name}`{}", hint(.nearest))]
    HyperUnknown {
        /// The optimizer.
        optimizer: String,
        /// The name.
        name: String,
        /// The nearest that it has.
        nearest: Option<String>,
    },
    /// A map that cannot be drawn.
    #[error(transparent)]
    Map(#[from] MapError),
    /// A hyperparameter whose value is not finite.
    #[error("hyperparameter `{name}` of `{optimizer}` is {value} at step {step}")]
    HyperNotFinite {
        /// The optimizer.
        optimizer: String,
        /// The hyperparameter.
        name: String,
        /// The value.
        value: f64,
        /// The step.
        step: u64,
    },
    /// A constant of the formula, or a number of its table, beyond single precision.
    #[error("the number {value:e} does not fit single precision; `--precision f64` may hold it")]
    ConstantOutOfRange {
        /// The constant.
        value: f64,
    },
    /// A formula that no kernel form can take.
    #[error("`{surface}` in {dim} dimensions is too large to compile: more than {limit} instructions")]
    TooLarge {
        /// The surface.
        surface: String,
        /// The dimension.
        dim: u32,
        /// The most instructions.
        limit: usize,
    },
    /// A column whose values do not match the rows.
    #[error("column `{column}` has {values} values, the rows ask for {expected}")]
    ColumnLength {
        /// The column.
        column: String,
        /// How many it has.
        values: usize,
        /// How many it must have.
        expected: usize,
    },
    /// No device of that description.
    #[error("no device `{wanted}`; there are: {available}")]
    NoDevice {
        /// As asked for.
        wanted: String,
        /// What there is.
        available: String,
    },
    /// Double precision asked of a GPU.
    #[error("double precision runs on the CPU engine: WGSL has no 64-bit functions")]
    PrecisionOnGpu,
    /// The device failed.
    #[error("device `{device}`: {problem}")]
    Device {
        /// The device.
        device: String,
        /// What failed.
        problem: DeviceProblem,
    },
    /// A file that could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A table that does not hold what is asked of it.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The caller asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

/// What a surface says of its dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DimensionRule {
    /// It has a fixed one.
    #[error("its dimension is {0}")]
    Fixed(u32),
    /// It has a least.
    #[error("its dimension is at least {0}")]
    AtLeast(u32),
    /// It comes in sizes, these two being nearest.
    #[error("the nearest dimensions it has are {0} and {1}")]
    Between(u32, u32),
    /// It comes in multiples.
    #[error("its dimension is a multiple of {0}")]
    MultipleOf(u32),
    /// The engine's own limit.
    #[error("the largest dimension is {0}")]
    AtMost(u32),
}

/// How a device fails.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceProblem {
    /// It could not be opened.
    #[error("cannot be opened: {0}")]
    Open(String),
    /// It is gone: reset, unplugged or out of time.
    #[error("was lost (reset, or a kernel ran too long): {0}")]
    Lost(String),
    /// A buffer or pipeline could not be made.
    #[error("refused work: {0}")]
    Refused(String),
    /// What came back was not written by the kernel.
    #[error("returned results that its kernel did not write")]
    Unwritten,
}

impl Error {
    /// The exit code of a process that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Formula(_) | Error::ConstantOutOfRange { .. } | Error::TooLarge { .. } => 78,
            Error::UnknownSurface { .. }
            | Error::UnknownOptimizer { .. }
            | Error::DimensionMissing { .. }
            | Error::Dimension { .. }
            | Error::TableMissing { .. }
            | Error::MatrixMissing { .. }
            | Error::BatchWithoutTable { .. }
            | Error::DataUnused { .. }
            | Error::MatrixUnknown { .. }
            | Error::BindUnknown { .. }
            | Error::BindCount { .. }
            | Error::BatchSize { .. }
            | Error::Setting { .. }
            | Error::NothingToFind { .. }
            | Error::HyperNotFinite { .. }
            | Error::HyperUnknown { .. }
            | Error::PrecisionOnGpu => 2,
            Error::TableWidth { .. } | Error::TableSize { .. } | Error::MatrixSize { .. } => 65,
            Error::ColumnLength { .. } => 65,
            Error::Starts(error) => starts_code(error),
            Error::Table(_) | Error::Features(_) => 65,
            Error::Map(MapError::NothingFinite { .. }) => 65,
            Error::Map(_) => 2,
            Error::Fit(error) if error.is_data() => 65,
            Error::Fit(_) => 2,
            Error::NoDevice { .. } | Error::Device { .. } => 69,
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => 66,
            Error::Io { .. } => 74,
            Error::Cancelled => 130,
        }
    }
}

fn starts_code(error: &StartsError) -> u8 {
    match error {
        StartsError::Read { .. } => 66,
        StartsError::Number { .. }
        | StartsError::Ragged { .. }
        | StartsError::NoPoints
        | StartsError::NotFinite { .. } => 65,
        StartsError::PointsDim { .. } => 65,
        _ => 2,
    }
}
