//! What is wrong with the arguments of a fit.

/// A mistake in a request for a fit.
#[derive(Debug, thiserror::Error)]
pub enum FitMistake {
    /// Names that are no columns, and have no box.
    #[error(
        "{} of {data}, so {} and {} a box: --box \"{}\"{}",
        no_columns(names),
        are(names),
        needs(names),
        boxes(names),
        columns_hint(hints, columns)
    )]
    Boxless {
        /// The names.
        names: Vec<String>,
        /// The table.
        data: String,
        /// Names beside columns that are spelt alike.
        hints: Vec<(String, String)>,
        /// The table's columns.
        columns: Vec<String>,
    },
    /// A part of `--box`, `--start`, `--fix` or `--bind` that is none.
    #[error("{option} `{text}`: {expected}")]
    Assignment {
        /// The option.
        option: &'static str,
        /// What was written.
        text: String,
        /// What is written there.
        expected: &'static str,
    },
    /// A name that is given twice.
    #[error("{option} names `{name}` twice")]
    Twice {
        /// The option.
        option: &'static str,
        /// The name.
        name: String,
    },
    /// A name that the model has not.
    #[error("{option} names `{name}`, which is no parameter of the model{}; it has {}", nearest.as_ref().map_or(String::new(), |n| format!(": did you mean `{n}`?")), known.join(", "))]
    NoParameter {
        /// The option.
        option: &'static str,
        /// The name.
        name: String,
        /// The parameters.
        known: Vec<String>,
        /// The nearest of them.
        nearest: Option<String>,
    },
    /// A parameter that is a column.
    #[error("{option} names `{name}`, which is a column of {data}: give the parameter another name")]
    IsColumn {
        /// The option.
        option: &'static str,
        /// The name.
        name: String,
        /// The table.
        data: String,
    },
    /// A start that leaves parameters open.
    #[error("--start `{text}` leaves {} open: every parameter that has no --fix needs a value", names.join(", "))]
    StartOpen {
        /// What was written.
        text: String,
        /// The parameters.
        names: Vec<String>,
    },
    /// A model without parameters.
    #[error("the model has no parameter: every name in it is a column of {data}")]
    NoParameters {
        /// The table.
        data: String,
    },
    /// All parameters are fixed.
    #[error("--fix leaves no parameter to find")]
    AllFixed,
    /// A row at which what is modelled is not finite.
    #[error("--y `{text}` is {value} in row {row} of {data}: it must be finite in every row")]
    NotFinite {
        /// The formula.
        text: String,
        /// NaN or an infinity.
        value: f64,
        /// The row, counted from 1.
        row: usize,
        /// The table.
        data: String,
    },
    /// Formulas without columns.
    #[error("neither --y nor --model reads a column of {data}; it has {}", columns.join(", "))]
    NoColumns {
        /// The table.
        data: String,
        /// Its columns.
        columns: Vec<String>,
    },
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

fn no_columns(names: &[String]) -> String {
    if names.len() == 1 {
        format!("{} is no column", quoted(names))
    } else {
        format!("{} are no columns", quoted(names))
    }
}

fn are(names: &[String]) -> &'static str {
    if names.len() == 1 { "it is a parameter" } else { "they are parameters" }
}

fn needs(names: &[String]) -> &'static str {
    if names.len() == 1 { "needs" } else { "need" }
}

fn boxes(names: &[String]) -> String {
    names.iter().map(|n| format!("{n}=LO:HI")).collect::<Vec<_>>().join(",")
}

/// Columns that a message lists at most.
const MOST_LISTED: usize = 12;

fn columns_hint(hints: &[(String, String)], columns: &[String]) -> String {
    if !hints.is_empty() {
        return hints.iter().map(|(name, near)| format!("; for `{name}`, did you mean the column `{near}`?")).collect();
    }
    let named: Vec<&str> = columns.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    if named.len() > MOST_LISTED { String::new() } else { format!("; the columns are {}", named.join(", ")) }
}
