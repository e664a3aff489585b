//! Tables of data: named columns of numbers, and of labels that rows are grouped by.
//!
//! A table is read from a CSV file with a heading or from a Parquet file, or given from memory. Only the columns that are
//! asked for need to hold finite numbers; what is wrong with a cell is told with its row, line and column.
//!
//! ```
//! use catchment::Table;
//! let table = Table::from_columns(vec![("t".into(), vec![0.0, 1.0]), ("y".into(), vec![2.0, 1.5])])?;
//! assert_eq!(table.rows(), 2);
//! assert_eq!(table.numbers("y")?, [2.0, 1.5]);
//! assert!(table.numbers("tt").unwrap_err().to_string().contains("no column `tt`"));
//! # Ok::<(), catchment::Error>(())
//! ```

mod column;
mod error;
mod matrix;
#[cfg(feature = "parquet")]
mod parquet_table;
#[cfg(test)]
mod tests;
mod text_table;

pub use column::{Labels, Wanted};
pub use error::{Place, TableError, TableProblem};
pub use matrix::{Matrix, read_matrix};

use crate::error::Error;
use crate::language::nearest;
use column::{Column, LabelsBuilder};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Named columns of one length; cheap to clone.
#[derive(Clone, Debug)]
pub struct Table {
    path: Option<PathBuf>,
    rows: usize,
    names: Arc<[String]>,
    columns: Arc<[Column]>,
}

/// Bytes that tell a Parquet file.
const PARQUET: &[u8] = b"PAR1";

impl Table {
    /// Reads all columns of a CSV or Parquet file as numbers, so far as they are.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read, [`Error::Table`] where it is no table with at least one row.
    pub fn read(path: &Path) -> Result<Table, Error> {
        Table::read_with(path, |_| Wanted::NUMBERS)
    }

    /// Reads of each column what it is wanted for: a column that is wanted for nothing takes no memory.
    ///
    /// A file is Parquet if it begins like one or ends in `.parquet` or `.pq`. All else is text: a line of column names,
    /// then a line a row, cells apart by commas (by semicolons or tabs where the heading has no comma), in double quotes
    /// where need be; blank lines and lines that begin with `#` are left out.
    ///
    /// # Errors
    /// As for [`Table::read`].
    pub fn read_with(path: &Path, wanted: impl FnMut(&str) -> Wanted) -> Result<Table, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let fail = |problem| Error::from(TableError { path: Some(path.to_owned()), problem });
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(io(std::io::ErrorKind::IsADirectory.into()));
        }
        let mut file = BufReader::with_capacity(1 << 18, file);
        let begins = file.fill_buf().map_err(io)?;
        let columns = if begins.starts_with(PARQUET) {
            drop(file);
            parquet(path, wanted)
        } else if matches!(extension.as_str(), "parquet" | "pq") {
            return Err(fail(TableProblem::NotParquet));
        } else if begins.contains(&0) || begins.starts_with(b"PK") || begins.starts_with(&[0x1f, 0x8b]) {
            let zip = begins.starts_with(b"PK") || begins.starts_with(&[0x1f, 0x8b]);
            return Err(fail(TableProblem::NotText { zip }));
        } else {
            text_table::read(file, wanted)
        };
        let (rows, columns) = columns.map_err(|e| match e {
            Unread::Io(source) => io(source),
            Unread::Table(problem) => fail(problem),
        })?;
        Table::new(Some(path.to_owned()), rows, columns).map_err(fail)
    }

    /// Columns of numbers from memory.
    ///
    /// # Errors
    /// [`TableError`]: no rows, columns of unequal length, or two of one name.
    pub fn from_columns(columns: Vec<(String, Vec<f64>)>) -> Result<Table, TableError> {
        let fail = |problem| TableError { path: None, problem };
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        if let Some((name, values)) = columns.iter().find(|(_, values)| values.len() != rows) {
            return Err(fail(TableProblem::Length { column: name.clone(), expected: rows, found: values.len() }));
        }
        let columns = columns.into_iter().map(|(name, values)| Column::of_numbers(name, values)).collect();
        Table::new(None, rows, columns).map_err(fail)
    }

    /// The table with one more column, of labels.
    ///
    /// # Errors
    /// [`TableError`]: another number of rows, or a name that is taken.
    pub fn with_labels<L: AsRef<str>>(self, name: &str, labels: &[L]) -> Result<Table, TableError> {
        let fail = |problem| TableError { path: self.path.clone(), problem };
        if labels.len() != self.rows {
            let (expected, found) = (self.rows, labels.len());
            return Err(fail(TableProblem::Length { column: name.to_owned(), expected, found }));
        }
        let mut gathered = LabelsBuilder::default();
        labels.iter().for_each(|label| gathered.push(label.as_ref()));
        let numbers = column::Numbers::No(column::Why::NotWanted);
        let column = Column { name: name.to_owned(), numbers, labels: Ok(gathered.finish()) };
        let columns = self.columns.iter().cloned().chain([column]).collect();
        Table::new(self.path.clone(), self.rows, columns).map_err(fail)
    }

    fn new(path: Option<PathBuf>, rows: usize, columns: Vec<Column>) -> Result<Table, TableProblem> {
        let names: Arc<[String]> = columns.iter().map(|c| c.name.clone()).collect();
        distinct(&names)?;
        match rows {
            0 => Err(TableProblem::NoRows),
            _ => Ok(Table { path, rows, names, columns: columns.into() }),
        }
    }

    /// The file it was read from, where it was.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// How many rows there are, at least one.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The names of all columns in their order, those included that were not read.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A column of finite numbers, one for each row.
    ///
    /// # Errors
    /// [`TableError`]: no such column, or a cell that is no finite number.
    pub fn numbers(&self, name: &str) -> Result<&[f64], TableError> {
        let column = self.column(name)?;
        column.numbers().map(|values| &values[..]).map_err(|problem| self.error(problem))
    }

    /// The same numbers to keep beyond the table's life, without a copy.
    ///
    /// # Errors
    /// As for [`Table::numbers`].
    pub fn shared(&self, name: &str) -> Result<Arc<[f64]>, TableError> {
        self.column(name)?.numbers().cloned().map_err(|problem| self.error(problem))
    }

    /// A column of labels, one for each row. A column of a file has them if it was read for them
    /// ([`Table::read_with`]).
    ///
    /// # Errors
    /// [`TableError`]: no such column, or none of labels.
    pub fn labels(&self, name: &str) -> Result<&Labels, TableError> {
        self.column(name)?.labels().map_err(|problem| self.error(problem))
    }

    fn column(&self, name: &str) -> Result<&Column, TableError> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let nearest = nearest(name, self.names.iter().map(String::as_str));
            self.error(TableProblem::Missing { column: name.to_owned(), nearest, columns: self.names.to_vec() })
        })
    }

    fn error(&self, problem: TableProblem) -> TableError {
        TableError { path: self.path.clone(), problem }
    }
}

/// Names that are there must differ; nobody can ask for a column without one.
fn distinct(names: &[String]) -> Result<(), TableProblem> {
    let mut seen = HashMap::new();
    for (at, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        if let Some(first) = seen.insert(name, at) {
            return Err(TableProblem::Duplicate { column: name.clone(), first: first + 1, second: at + 1 });
        }
    }
    Ok(())
}

/// Why a file gave no columns.
enum Unread {
    Io(std::io::Error),
    Table(TableProblem),
}

impl From<TableProblem> for Unread {
    fn from(problem: TableProblem) -> Unread {
        Unread::Table(problem)
    }
}

#[cfg(feature = "parquet")]
fn parquet(path: &Path, wanted: impl FnMut(&str) -> Wanted) -> Result<(usize, Vec<Column>), Unread> {
    parquet_table::read(path, wanted)
}

#[cfg(not(feature = "parquet"))]
fn parquet(_: &Path, _: impl FnMut(&str) -> Wanted) -> Result<(usize, Vec<Column>), Unread> {
    Err(TableProblem::Unsupported { form: "Parquet files" }.into())
}
