//! Any columns as a result file, CSV or Parquet.

use super::columns::Format;
use super::output::OutputFile;
use std::io;

/// A column of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Numbers; one that is not finite is an empty cell.
    Numbers(Vec<f64>),
    /// Whole numbers.
    Whole(Vec<u64>),
    /// Text.
    Text(Vec<String>),
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Cells::Numbers(v) => v.len(),
            Cells::Whole(v) => v.len(),
            Cells::Text(v) => v.len(),
        }
    }

    fn text(&self, row: usize) -> String {
        match self {
            // `Debug` of a float is the shortest text that reads back to the same bits.
            Cells::Numbers(v) if v[row].is_finite() => format!("{:?}", v[row]),
            Cells::Numbers(_) => String::new(),
            Cells::Whole(v) => v[row].to_string(),
            Cells::Text(v) => v[row].clone(),
        }
    }
}

/// Writes named columns, as many rows as the shortest has, and completes the file. `record` says where the numbers come
/// from; Parquet keeps it under the key `catchment`.
///
/// # Errors
/// What the system says; [`io::ErrorKind::Unsupported`] for Parquet in a build without it.
pub fn write_table(file: OutputFile, format: Format, columns: &[(String, Cells)], record: &str) -> io::Result<()> {
    let rows = columns.iter().map(|(_, cells)| cells.len()).min().unwrap_or(0);
    match format {
        Format::Csv => {
            let mut writer = csv::Writer::from_writer(file);
            writer.write_record(columns.iter().map(|(name, _)| name))?;
            for row in 0..rows {
                writer.write_record(columns.iter().map(|(_, cells)| cells.text(row)))?;
            }
            writer.into_inner().map_err(|e| e.into_error())?.finish()
        }
        #[cfg(feature = "parquet")]
        Format::Parquet => super::parquet_file::write_columns(file, columns, rows, record)?.finish(),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            let _ = record;
            Err(io::Error::new(io::ErrorKind::Unsupported, "this build writes no Parquet"))
        }
    }
}
