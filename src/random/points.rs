//! Starting points given by the caller, in memory or in a text file.
//!
//! Restart `r` starts from row `r` modulo the number of rows.
//!
//! ```
//! let points = catchment::random::Points::new(2, vec![0.0, 1.0, 2.0, 3.0])?;
//! assert_eq!(points.row(5), [2.0, 3.0]);
//! # Ok::<(), catchment::random::StartsError>(())
//! ```

use std::path::Path;

use super::starts::StartsError;

/// Points given by the caller, kept as given and rounded to f32 when a restart starts there.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    dim: usize,
    values: Vec<f64>,
}

impl Points {
    /// Takes `values` as rows of `dim` coordinates each.
    ///
    /// # Errors
    ///
    /// [`StartsError::NoPoints`], [`StartsError::Ragged`] if the last row is short,
    /// [`StartsError::NotFinite`] for a value that is not a finite f32.
    pub fn new(dim: usize, values: Vec<f64>) -> Result<Self, StartsError> {
        if dim == 0 || values.is_empty() {
            return Err(StartsError::NoPoints);
        }
        if !values.len().is_multiple_of(dim) {
            return Err(StartsError::Ragged { row: values.len() / dim + 1, expected: dim, got: values.len() % dim });
        }
        match values.iter().position(|&value| !(value as f32).is_finite()) {
            Some(at) => Err(StartsError::NotFinite { row: at / dim + 1, column: at % dim + 1, value: values[at] }),
            None => Ok(Self { dim, values }),
        }
    }

    /// Reads a text file: one point a line, numbers apart by commas, semicolons or blanks. Blank
    /// lines and those that begin with `#` are left out, and so is a first line that holds no
    /// number (a heading).
    ///
    /// # Errors
    ///
    /// [`StartsError::Read`], [`StartsError::Number`], and those of [`Points::new`] (rows count
    /// from 1, headings left out).
    pub fn read(path: &Path) -> Result<Self, StartsError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| StartsError::Read { path: path.to_owned(), source })?;
        let (mut values, mut dim, mut row, mut first) = (Vec::new(), 0, 0, true);
        for (line, content) in text.lines().enumerate().map(|(line, content)| (line + 1, content.trim())) {
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            let cells: Vec<&str> = match content.contains([',', ';']) {
                true => content.split([',', ';']).map(str::trim).collect(),
                false => content.split_whitespace().collect(),
            };
            let heading = std::mem::take(&mut first) && cells.iter().all(|cell| cell.parse::<f64>().is_err());
            if heading {
                continue;
            }
            row += 1;
            dim = if row == 1 { cells.len() } else { dim };
            if cells.len() != dim {
                return Err(StartsError::Ragged { row, expected: dim, got: cells.len() });
            }
            for cell in cells {
                let number = || StartsError::Number { path: path.to_owned(), line, text: cell.to_owned() };
                values.push(cell.parse().map_err(|_| number())?);
            }
        }
        Self::new(dim, values)
    }

    /// How many coordinates a point has.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many points there are, at least one.
    pub fn rows(&self) -> usize {
        self.values.len() / self.dim
    }

    /// The point that restart `restart` starts from: row `restart` modulo [`rows`](Self::rows).
    pub fn row(&self, restart: u64) -> &[f64] {
        let row = (restart % self.rows() as u64) as usize;
        &self.values[row * self.dim..][..self.dim]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_from_text() {
        let path = std::env::temp_dir().join(format!("catchment-points-{}.csv", std::process::id()));
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let read = Points::read(&path);
            std::fs::remove_file(&path).unwrap();
            read
        };
        let points = read("x0, x1\n# two points\n1, 2.5\n\n-3e1;4\n").unwrap();
        assert_eq!((points.dim(), points.rows()), (2, 2));
        assert_eq!(points.row(3), [-30.0, 4.0]);
        assert_eq!(read("1 2 3\n").unwrap(), Points::new(3, vec![1.0, 2.0, 3.0]).unwrap());
        assert!(matches!(read("1,2\n3\n"), Err(StartsError::Ragged { row: 2, expected: 2, got: 1 })));
        assert!(matches!(read("1,2\n3,x\n"), Err(StartsError::Number { line: 2, .. })));
        assert!(matches!(read("1,\n"), Err(StartsError::Number { line: 1, .. })));
        assert!(matches!(read("1,inf\n"), Err(StartsError::NotFinite { row: 1, column: 2, .. })));
        assert!(matches!(read("x,y\n"), Err(StartsError::NoPoints)));
        assert!(matches!(Points::new(2, vec![0.0; 3]), Err(StartsError::Ragged { row: 2, got: 1, .. })));
        assert!(matches!(Points::new(1, vec![1e39]), Err(StartsError::NotFinite { .. })));
    }
}
