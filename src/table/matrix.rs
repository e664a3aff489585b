//! Matrices and vectors from text files without a heading, for `matrix R[n, n]` declarations.

use super::error::{TableError, TableProblem, shown};
use crate::error::Error;
use std::path::Path;

/// A matrix of finite numbers; a vector is one with a single row or column.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// How many rows, at least one.
    pub rows: usize,
    /// How many columns, at least one.
    pub columns: usize,
    /// `rows × columns` numbers, row after row.
    pub values: Vec<f64>,
}

/// Reads one row a line, numbers apart by commas, semicolons or blanks. Blank lines and those that begin with `#` are
/// left out.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read, [`Error::Table`] where it holds no matrix of finite numbers.
pub fn read_matrix(path: &Path) -> Result<Matrix, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    parse(&bytes).map_err(|problem| TableError { path: Some(path.to_owned()), problem }.into())
}

fn parse(bytes: &[u8]) -> Result<Matrix, TableProblem> {
    if bytes.contains(&0) {
        return Err(TableProblem::NotText { zip: bytes.starts_with(b"PK") });
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    let (mut rows, mut columns, mut values) = (0, 0, Vec::new());
    for (line, content) in (1..).zip(text.lines().map(str::trim)) {
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let cells: Vec<&str> = match content.contains([',', ';']) {
            true => content.split([',', ';']).map(str::trim).collect(),
            false => content.split_whitespace().collect(),
        };
        if rows == 0 {
            columns = cells.len();
        }
        if cells.len() != columns {
            return Err(TableProblem::RaggedMatrix { line, expected: columns, found: cells.len() });
        }
        for (column, cell) in (1..).zip(cells) {
            match cell.parse::<f64>() {
                Ok(value) if value.is_finite() => values.push(value),
                _ => return Err(TableProblem::Entry { line, column, text: shown(cell.as_bytes()) }),
            }
        }
        rows += 1;
    }
    match rows {
        0 => Err(TableProblem::NoEntries),
        _ => Ok(Matrix { rows, columns, values }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_read() {
        let read = |text: &str| parse(text.as_bytes());
        let square = Matrix { rows: 2, columns: 2, values: vec![1.0, 2.5, -30.0, 4.0] };
        assert_eq!(read("1, 2.5\n# a note\n\n-3e1;4\n").unwrap(), square);
        assert_eq!(read("\u{feff}1\t2.5\r\n-30  4").unwrap(), square);
        assert_eq!(read("1\n2\n3\n").unwrap(), Matrix { rows: 3, columns: 1, values: vec![1.0, 2.0, 3.0] });
        let said = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(said("1,2\n\n3\n"), "line 3 has 1 numbers, the first row 2");
        assert_eq!(said("1,2\n3,nan\n"), "line 2, column 2: `nan` is not a finite number");
        assert_eq!(said("a,b\n"), "line 1, column 1: `a` is not a finite number");
        assert_eq!(said("\n# nothing\n"), "the file holds no numbers");
        assert!(said("PK\0").contains("spreadsheet"));
    }
}
