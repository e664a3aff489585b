//! What can be wrong with a fit.

/// A mistake in what a fit is given, or data that no fit can take.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// Another number of columns than the model reads.
    #[error("the model reads {expected} columns, and {got} are given")]
    Columns {
        /// Columns of the model.
        expected: usize,
        /// As given.
        got: usize,
    },
    /// A column, weights or group numbers of another length than the first column.
    #[error("{what} has {got} rows where the table has {expected}")]
    Ragged {
        /// Which.
        what: String,
        /// Rows of the table.
        expected: usize,
        /// Its rows.
        got: usize,
    },
    /// A cell that is no finite number.
    #[error("row {row} of column `{column}` is {value}, not a finite number")]
    NotFinite {
        /// The column.
        column: String,
        /// The row, from 1.
        row: usize,
        /// What is there.
        value: f64,
    },
    /// A weight that is negative or not finite.
    #[error("row {row} has weight {value}: weights are finite and not negative")]
    Weight {
        /// The row, from 1.
        row: usize,
        /// The weight.
        value: f64,
    },
    /// A group's number that is not below the number of rows.
    #[error("row {row} is in group {value}: groups are numbered from 0, without gaps, and there are {rows} rows")]
    Group {
        /// The row, from 1.
        row: usize,
        /// Its group.
        value: u32,
        /// Rows of the table.
        rows: usize,
    },
    /// Fewer rows than parameters that are to be found.
    #[error("{rows} rows cannot determine {parameters} parameters")]
    TooFewRows {
        /// Rows of positive weight.
        rows: usize,
        /// Parameters that are not fixed.
        parameters: usize,
    },
    /// No such parameter in the model.
    #[error("the model has no parameter `{name}`; it has {}", known.join(", "))]
    UnknownParameter {
        /// As given.
        name: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// A point or a box of another dimension than the model.
    #[error("{what} has {got} coordinates, the model {expected} parameters")]
    Dimension {
        /// Which.
        what: &'static str,
        /// Parameters of the model.
        expected: usize,
        /// Its coordinates.
        got: usize,
    },
    /// A coordinate of a given start, or a fixed value, that is not finite.
    #[error("parameter `{parameter}` cannot start from {value}")]
    Start {
        /// The parameter.
        parameter: String,
        /// The value.
        value: f64,
    },
    /// Bounds without room between them.
    #[error("parameter `{parameter}` has no room between its bounds {lo} and {hi}")]
    Bounds {
        /// The parameter.
        parameter: String,
        /// The lower one.
        lo: f64,
        /// The upper one.
        hi: f64,
    },
    /// Neither a start nor boxes to draw some from.
    #[error("there is nothing to start from: give a start, or boxes to draw restarts from")]
    NoStarts,
    /// No start at which all residuals are finite.
    #[error("the residuals are not finite at any of the {starts} starts")]
    NoFiniteStart {
        /// How many were tried.
        starts: u64,
    },
    /// A loss that is not known, or whose scale is not positive and finite.
    #[error("`{text}` is no loss; there are: squared, huber:S, cauchy:S, soft_l1:S with a positive scale S")]
    Loss {
        /// As given.
        text: String,
    },
    /// The threads could not be started.
    #[error("cannot start threads: {problem}")]
    Threads {
        /// Why.
        problem: String,
    },
}

impl FitError {
    /// Whether the data is at fault and not the request.
    pub(crate) fn is_data(&self) -> bool {
        matches!(
            self,
            FitError::Ragged { .. }
                | FitError::NotFinite { .. }
                | FitError::Weight { .. }
                | FitError::TooFewRows { .. }
                | FitError::NoFiniteStart { .. }
        )
    }
}
