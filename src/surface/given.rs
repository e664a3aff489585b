//! What a surface's text leaves to be given at run time: the rows of a table, and constant matrices.

use super::SurfaceText;
use crate::error::Error;
use crate::language::nearest;
use crate::random::{Purpose, Stream, normal_pair_f64, uniform};
use crate::table::{Matrix, Table, Wanted};
use std::collections::HashMap;
use std::path::Path;
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

/// Everything that is given to one surface.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The table.
    pub rows: Option<Arc<Rows>>,
    /// Matrices by name.
    pub matrices: HashMap<String, Matrix>,
    /// Whether random numbers in (0, 1) stand in for what is missing: to look at a surface, not to descend it.
    pub stand_in: bool,
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

/// Rows of a table that stands in.
const STAND_IN_ROWS: usize = 16;

impl Given {
    /// Random numbers in the place of whatever is missing.
    pub fn stand_in() -> Given {
        Given { stand_in: true, ..Given::default() }
    }

    /// The table, where there is one to be had.
    pub(super) fn rows_of(&self, columns: usize) -> Option<Arc<Rows>> {
        let stand_in =
            || Rows { values: numbers(STAND_IN_ROWS * columns), rows: STAND_IN_ROWS as u32, columns: columns as u32 };
        self.rows.clone().or_else(|| self.stand_in.then(|| Arc::new(stand_in())))
    }

    /// A matrix, where there is one to be had.
    pub(super) fn matrix(&self, name: &str, dims: &[u32]) -> Option<Matrix> {
        let (rows, columns) = (dims.first().map_or(1, |&r| r as usize), dims.get(1).map_or(1, |&c| c as usize));
        let stand_in = || Matrix { rows, columns, values: numbers(rows * columns) };
        self.matrices.get(name).cloned().or_else(|| self.stand_in.then(stand_in))
    }
}

/// Standard normal numbers, or uniform ones in (0, 1), of a seed.
pub(super) fn draws(normal: bool, seed: u64, number: u64, count: usize) -> Vec<f64> {
    let stream = Stream::new(seed, number, 1, Purpose::Scramble);
    let words = |i: usize| [2 * i as u32, 2 * i as u32 + 1].map(|word| stream.word(word));
    let one = |i: usize| match (normal, words(i)) {
        (true, [a, b]) => normal_pair_f64(a, b).0,
        // 53 bits of the two words.
        (false, [a, b]) => ((u64::from(a) << 21 | u64::from(b) >> 11) as f64 + 0.5) / (1u64 << 53) as f64,
    };
    (0..count).map(one).collect()
}

/// Numbers in (0, 1).
fn numbers(count: usize) -> Vec<f64> {
    let stream = Stream::new(0, 0, 0, Purpose::Scramble);
    (0..count).map(|i| f64::from(uniform(stream.word(i as u32)))).collect()
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows({} × {})", self.rows, self.columns)
    }
}

/// Which columns of a table a `data` name takes, where they are not called as it is: `y=conc`, `u=width,height`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The name in the surface.
    pub name: String,
    /// The columns, one for each number that the name takes.
    pub columns: Vec<String>,
}

impl std::str::FromStr for Bind {
    type Err = &'static str;

    /// Reads `name=column` or `name=column,column`.
    fn from_str(text: &str) -> Result<Bind, &'static str> {
        let (name, columns) = text.split_once('=').ok_or("it is written NAME=COLUMN, or NAME=COLUMN,COLUMN")?;
        let columns: Vec<String> = columns.split(',').map(|c| c.trim().to_owned()).collect();
        if name.trim().is_empty() || columns.iter().any(String::is_empty) {
            return Err("it is written NAME=COLUMN, or NAME=COLUMN,COLUMN");
        }
        Ok(Bind { name: name.trim().to_owned(), columns })
    }
}

impl SurfaceText {
    /// With the columns of a table as its `data`. A name takes the column of that name; a vector `u[2]` takes `u1` and `u2`,
    /// or `u0` and `u1` where there is a `u0`; a [`Bind`] says otherwise.
    ///
    /// # Errors
    /// [`Error::Table`] for a column that is missing or holds no numbers, [`Error::BindUnknown`] and
    /// [`Error::BindCount`] for a binding that does not fit.
    pub fn with_table(self, table: &Table, binds: &[Bind]) -> Result<SurfaceText, Error> {
        let mut columns = Vec::new();
        for name in self.columns(binds, &|column| table.names().iter().any(|n| n == column))? {
            columns.push(table.shared(&name)?);
        }
        let rows = Rows::from_columns(&columns.iter().map(|c| &c[..]).collect::<Vec<_>>())?;
        let given = Given { rows: Some(Arc::new(rows)), ..self.given().clone() };
        Ok(self.with(given))
    }

    /// As [`SurfaceText::with_table`], with a CSV or Parquet file of which only the columns it takes are read.
    ///
    /// # Errors
    /// As [`SurfaceText::with_table`] and [`Table::read`].
    pub fn with_table_file(self, path: &Path, binds: &[Bind]) -> Result<SurfaceText, Error> {
        let mut wanted = self.columns(binds, &|_| false)?;
        wanted.extend(self.columns(binds, &|_| true)?);
        let read = |name: &str| if wanted.iter().any(|w| w == name) { Wanted::NUMBERS } else { Wanted::NOTHING };
        let table = Table::read_with(path, read)?;
        self.with_table(&table, binds)
    }

    /// The columns that its `data` takes, in order.
    fn columns(&self, binds: &[Bind], exists: &dyn Fn(&str) -> bool) -> Result<Vec<String>, Error> {
        let data = self.data()?;
        if let Some(bind) = binds.iter().find(|b| !data.iter().any(|d| d.0 == b.name)) {
            let nearest = nearest(&bind.name, data.iter().map(|d| d.0.as_str()));
            let (surface, name) = (self.name().to_owned(), bind.name.clone());
            return Err(Error::BindUnknown { surface, name, nearest });
        }
        let mut out = Vec::new();
        for (name, width) in data {
            let count = width.unwrap_or(1) as usize;
            match binds.iter().rev().find(|b| b.name == name) {
                Some(bind) if bind.columns.len() != count => {
                    return Err(Error::BindCount { name, expected: count, found: bind.columns.len() });
                }
                Some(bind) => out.extend(bind.columns.iter().cloned()),
                None if width.is_none() => out.push(name),
                None => {
                    let first = usize::from(!exists(&format!("{name}0")));
                    out.extend((first..first + count).map(|i| format!("{name}{i}")));
                }
            }
        }
        Ok(out)
    }
}
