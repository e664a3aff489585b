//! Files of points, and the line that is wrong in one.

use super::Failure;
use catchment::random::{Points, StartsError};
use std::path::Path;

/// Reads a file of points.
pub fn read(path: &Path) -> Result<Points, Failure> {
    Points::read(path).map_err(|error| locate(path, error))
}

/// Names the file, and the line where the mistake is told by the number of its point.
pub fn locate(path: &Path, error: StartsError) -> Failure {
    let line = match error {
        StartsError::Ragged { row, .. } | StartsError::NotFinite { row, .. } => line_of(path, row),
        StartsError::NoPoints => None,
        // These say where they stand.
        other => return catchment::Error::Starts(other).into(),
    };
    Failure::Points { path: path.to_owned(), line, source: error }
}

/// The line of point `row`, counted from 1 as [`Points::read`] counts.
fn line_of(path: &Path, row: usize) -> Option<usize> {
    let text = std::fs::read_to_string(path).ok()?;
    let holds_number = |line: &str| line.split([',', ';', ' ', '\t']).any(|cell| cell.trim().parse::<f64>().is_ok());
    let mut lines =
        (1..).zip(text.lines().map(str::trim)).filter(|(_, l)| !l.is_empty() && !l.starts_with('#')).peekable();
    lines.next_if(|(_, line)| !holds_number(line));
    lines.nth(row.checked_sub(1)?).map(|(number, _)| number)
}
