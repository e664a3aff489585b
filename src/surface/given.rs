//! What a surface's text leaves to be given at run time: the rows of a table, and constant matrices.

use crate::error::Error;
use std::collections::HashMap;
use std::sync::Arc;

/// A table's rows, as the names declared by `data` take them.
#[derive(Clone, PartialEq)]
pub struct Rows {
    /// Row-major, `rows × columns`.
    pub values: Vec<f64>,
    /// How many rows.
    pub rows: u32,
    /// How many numbers a row has.
    pub columns: u32,
}

/// A constant matrix, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// Rows.
    pub rows: u32,
    /// Columns.
    pub columns: u32,
    /// `rows × columns` numbers.
    pub values: Vec<f64>,
}

/// Everything that is given to one surface.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The table.
    pub rows: Option<Arc<Rows>>,
    /// Matrices by name.
    pub matrices: HashMap<String, Matrix>,
}

impl Rows {
    /// Puts columns of equal length side by side, in the order in which `data` declares them (`u[2]` takes two).
    ///
    /// # Errors
    /// [`Error::TableSize`] for no rows, for columns of unequal length, and beyond 2³¹ numbers.
    pub fn from_columns(columns: &[&[f64]]) -> Result<Rows, Error> {
        let rows = columns.first().map_or(0, |c| c.len());
        let fits = rows > 0 && columns.iter().all(|c| c.len() == rows) && rows * columns.len() < 1 << 31;
        if !fits {
            return Err(Error::TableSize { rows: columns.iter().map(|c| c.len()).collect() });
        }
        let mut values = Vec::with_capacity(rows * columns.len());
        for row in 0..rows {
            values.extend(columns.iter().map(|c| c[row]));
        }
        Ok(Rows { values, rows: rows as u32, columns: columns.len() as u32 })
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows({} × {})", self.rows, self.columns)
    }
}
