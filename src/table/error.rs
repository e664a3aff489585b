//! What can be wrong with a table, and where.

use std::path::PathBuf;

/// What is wrong with a table.
#[derive(Debug, thiserror::Error)]
#[error("{}{problem}", path.as_ref().map_or(String::new(), |p| format!("{}: ", p.display())))]
pub struct TableError {
    /// The file it was read from, where it was.
    pub path: Option<PathBuf>,
    /// What is wrong.
    pub problem: TableProblem,
}

/// Where a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The row of data, counted from 1.
    pub row: u64,
    /// The line of the file, where it has lines.
    pub line: Option<u64>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "row {}", self.row)?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}

/// The kinds of things that can be wrong with a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableProblem {
    /// A column that is not there.
    #[error("there is no column `{column}`{}", others(.nearest, .columns))]
    Missing {
        /// As asked for.
        column: String,
        /// The nearest that exists.
        nearest: Option<String>,
        /// All that exist.
        columns: Vec<String>,
    },
    /// A cell of a column of numbers that is none.
    #[error("{place}, column `{column}`: `{text}` is not a number")]
    NotANumber {
        /// The column.
        column: String,
        /// Where.
        place: Place,
        /// What the cell holds, its first characters.
        text: String,
    },
    /// A cell of a column of numbers that is NaN or infinite.
    #[error("{place}, column `{column}`: `{text}` is not a finite number")]
    NotFinite {
        /// The column.
        column: String,
        /// Where.
        place: Place,
        /// What the cell holds, its first characters.
        text: String,
    },
    /// A cell of a column of numbers that holds nothing.
    #[error("{place}, column `{column}`: the cell is empty")]
    EmptyCell {
        /// The column.
        column: String,
        /// Where.
        place: Place,
    },
    /// A column that is there, but was left out when the table was read.
    #[error("column `{column}` was not read as {form}")]
    NotRead {
        /// The column.
        column: String,
        /// `numbers` or `labels`.
        form: &'static str,
    },
    /// A column whose type is neither numbers nor what else was asked of it.
    #[error("column `{column}` holds {found}, and cannot be read as {form}")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type in the file.
        found: String,
        /// `numbers` or `labels`.
        form: &'static str,
    },
    /// Nothing at all.
    #[error("the file is empty; a table begins with a line of column names")]
    Empty,
    /// Names, and no rows below them.
    #[error("the table has no rows")]
    NoRows,
    /// A first line without a name.
    #[error("line {line} should name the columns, and holds numbers only: {text}")]
    NoHeading {
        /// The line.
        line: u64,
        /// The line's first characters.
        text: String,
    },
    /// Two columns of one name.
    #[error("column {first} and column {second} are both called `{column}`")]
    Duplicate {
        /// The name.
        column: String,
        /// The first one's number, counted from 1.
        first: usize,
        /// The other's.
        second: usize,
    },
    /// A row of another length than the heading.
    #[error("{place} has {found} cells, the heading {expected}")]
    Ragged {
        /// Where.
        place: Place,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A double quote that opens a cell and is never closed.
    #[error("line {line} opens a double quote that nothing closes")]
    OpenQuote {
        /// The line on which the row begins.
        line: u64,
    },
    /// Columns of unequal length.
    #[error("column `{column}` has {found} rows, the others {expected}")]
    Length {
        /// The column.
        column: String,
        /// The others' length.
        expected: usize,
        /// Its length.
        found: usize,
    },
    /// An entry of a matrix that is no finite number.
    #[error("line {line}, column {column}: `{text}` is not a finite number")]
    Entry {
        /// The line of the file.
        line: usize,
        /// The number of the column, counted from 1.
        column: usize,
        /// What stands there, its first characters.
        text: String,
    },
    /// A row of a matrix of another length than the first.
    #[error("line {line} has {found} numbers, the first row {expected}")]
    RaggedMatrix {
        /// The line of the file.
        line: usize,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A matrix file that holds no numbers.
    #[error("the file holds no numbers")]
    NoEntries,
    /// Neither text nor Parquet.
    #[error("this is no table of text: it holds bytes that no text has{}", if *.zip { "; it looks like a compressed file or a spreadsheet" } else { "" })]
    NotText {
        /// Whether it begins as a ZIP or gzip file does.
        zip: bool,
    },
    /// Called Parquet, and none.
    #[error("this is not a Parquet file")]
    NotParquet,
    /// A Parquet file that cannot be read.
    #[error("the Parquet file cannot be read: {source}")]
    Parquet {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A form of file that this build leaves out.
    #[error("this build reads no {form}")]
    Unsupported {
        /// The form.
        form: &'static str,
    },
}

/// Columns that a message lists at most.
const MOST_LISTED: usize = 12;

fn others(nearest: &Option<String>, columns: &[String]) -> String {
    let nearest = nearest.as_ref().map_or(String::new(), |n| format!(" (did you mean `{n}`?)"));
    let named: Vec<&str> = columns.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    match named.len() {
        0 => nearest,
        n if n <= MOST_LISTED => format!("{nearest}; there are {}", named.join(", ")),
        n => format!("{nearest}; there are {n} others"),
    }
}

/// Characters of a cell that a message shows at most.
const MOST_SHOWN: usize = 40;

/// The first characters of a cell or line.
pub(super) fn shown(bytes: &[u8]) -> String {
    // A character has at most four bytes.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MOST_SHOWN + 4)]);
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
