//! Result files as columns: what they are called, of what type, and where a batch has them.
//!
//! `configuration, restart, value, gradient_norm, steps, status, start_value, x…` for finished restarts, and
//! `configuration, restart, step, value, gradient_norm, x…` for a trace. CSV and Parquet take their rows from here, as
//! they come: nothing but the batch at hand is in memory.

use super::csv_file::CsvRows;
use super::output::OutputFile;
#[cfg(feature = "parquet")]
use super::parquet_file::ParquetRows;
use crate::survey::Piece;
use crate::{Batch, Column, Plan, Precision, Status, Surface, TraceBatch};
use std::io;
use std::path::Path;

/// The form of a result file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text, one restart a line.
    Csv,
    /// Columns, compressed.
    Parquet,
}

impl Format {
    /// By the file's extension: `.csv` or `.parquet`.
    pub fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "parquet" => Some(Format::Parquet),
            _ => None,
        }
    }
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `u32`.
    Small,
    /// `u64`.
    Large,
    /// `f32` or `f64`.
    Real,
    /// The name of a status.
    Status,
    /// A point: one column a coordinate in text, a list of fixed length in Parquet.
    Point,
}

/// The columns of a file, and what is needed to type them.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(crate) columns: &'static [(&'static str, Kind)],
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "only Parquet's columns are typed"))]
    pub(crate) precision: Precision,
    pub(crate) dim: usize,
}

const RESULTS: &[(&str, Kind)] = &[
    ("configuration", Kind::Small),
    ("restart", Kind::Large),
    ("value", Kind::Real),
    ("gradient_norm", Kind::Real),
    ("steps", Kind::Small),
    ("status", Kind::Status),
    ("start_value", Kind::Real),
    ("x", Kind::Point),
];

const SAMPLES: &[(&str, Kind)] =
    &[("sample", Kind::Large), ("value", Kind::Real), ("gradient_norm", Kind::Real), ("x", Kind::Point)];

const TRACE: &[(&str, Kind)] = &[
    ("configuration", Kind::Small),
    ("restart", Kind::Large),
    ("step", Kind::Large),
    ("value", Kind::Real),
    ("gradient_norm", Kind::Real),
    ("x", Kind::Point),
];

impl Layout {
    /// Finished restarts.
    pub fn results(plan: &Plan) -> Layout {
        Layout { columns: RESULTS, precision: plan.precision(), dim: plan.surface().dim() as usize }
    }

    /// Points on the way.
    pub fn trace(plan: &Plan) -> Layout {
        Layout { columns: TRACE, ..Layout::results(plan) }
    }

    /// Points of a survey.
    pub fn samples(surface: &Surface, precision: Precision) -> Layout {
        Layout { columns: SAMPLES, precision, dim: surface.dim() as usize }
    }
}

/// One column of a batch.
pub(crate) enum Data<'a> {
    /// The same in all rows.
    Same(u64),
    /// Counting up from here.
    From(u64),
    Small(&'a [u32]),
    Large(&'a [u64]),
    Real(&'a Column),
    Status(&'a [Status]),
    /// Coordinate-major.
    Point(&'a Column),
}

impl Data<'_> {
    /// The whole number in row `r`; 0 in a column that holds none.
    pub(crate) fn whole(&self, r: usize) -> u64 {
        match self {
            Data::Same(v) => *v,
            Data::From(v) => v + r as u64,
            Data::Small(v) => u64::from(v[r]),
            Data::Large(v) => v[r],
            Data::Real(_) | Data::Status(_) | Data::Point(_) => 0,
        }
    }
}

/// The columns of [`RESULTS`], in its order.
fn results(batch: &Batch) -> [Data<'_>; 8] {
    [
        Data::Same(batch.configuration as u64),
        Data::From(batch.first),
        Data::Real(&batch.value),
        Data::Real(&batch.gradient_norm),
        Data::Small(&batch.steps),
        Data::Status(&batch.status),
        Data::Real(&batch.start_value),
        Data::Point(&batch.x),
    ]
}

/// The columns of [`TRACE`], in its order.
fn trace(batch: &TraceBatch) -> [Data<'_>; 6] {
    [
        Data::Same(batch.configuration as u64),
        Data::Large(&batch.restarts),
        Data::Same(batch.step),
        Data::Real(&batch.value),
        Data::Real(&batch.gradient_norm),
        Data::Point(&batch.x),
    ]
}

/// A result file being written.
pub struct RowWriter {
    rows: Rows,
    precision: Precision,
    dim: usize,
}

enum Rows {
    Csv(Box<CsvRows<OutputFile>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetRows<OutputFile>>),
}

impl RowWriter {
    /// Begins a file. `record` says where its numbers come from; Parquet keeps it under the key `catchment`.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::Unsupported`] for Parquet in a build without it.
    pub fn new(file: OutputFile, format: Format, layout: Layout, record: &str) -> io::Result<RowWriter> {
        let (precision, dim) = (layout.precision, layout.dim);
        let rows = match format {
            Format::Csv => Rows::Csv(Box::new(CsvRows::new(file, layout)?)),
            #[cfg(feature = "parquet")]
            Format::Parquet => Rows::Parquet(Box::new(ParquetRows::new(file, layout, record)?)),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => {
                let _ = record;
                return Err(io::Error::new(io::ErrorKind::Unsupported, "this build writes no Parquet"));
            }
        };
        Ok(RowWriter { rows, precision, dim })
    }

    /// Adds finished restarts.
    ///
    /// # Errors
    /// What the system says.
    pub fn results(&mut self, batch: &Batch) -> io::Result<()> {
        self.write(&results(batch), batch.len())
    }

    /// Adds points on the way.
    ///
    /// # Errors
    /// What the system says.
    pub fn trace(&mut self, batch: &TraceBatch) -> io::Result<()> {
        self.write(&trace(batch), batch.restarts.len())
    }

    /// Adds points of a survey.
    ///
    /// # Errors
    /// What the system says.
    pub fn samples(&mut self, piece: &Piece) -> io::Result<()> {
        let (rows, dim) = (piece.value.len(), self.dim);
        let column = |values: Vec<f64>| match self.precision {
            Precision::F32 => Column::F32(values.into_iter().map(|v| v as f32).collect()),
            Precision::F64 => Column::F64(values),
        };
        let x = column((0..dim).flat_map(|i| piece.x.iter().skip(i).step_by(dim).copied()).collect());
        let (value, norm) = (column(piece.value.to_vec()), column(piece.gradient_norm.to_vec()));
        self.write(&[Data::From(piece.first), Data::Real(&value), Data::Real(&norm), Data::Point(&x)], rows)
    }

    fn write(&mut self, data: &[Data<'_>], rows: usize) -> io::Result<()> {
        match &mut self.rows {
            Rows::Csv(file) => file.write(data, rows),
            #[cfg(feature = "parquet")]
            Rows::Parquet(file) => file.write(data, rows),
        }
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(self) -> io::Result<()> {
        match self.rows {
            Rows::Csv(file) => file.finish()?.finish(),
            #[cfg(feature = "parquet")]
            Rows::Parquet(file) => file.finish()?.finish(),
        }
    }
}
