//! Result files as text: a heading, then one row a line; every number in the shortest form that reads back to its bits.

use super::columns::{Data, Kind, Layout};
use crate::Column;
use std::fmt::Write as _;
use std::io::{self, Write};

/// A CSV file of results being written.
pub(crate) struct CsvRows<W: Write> {
    writer: csv::Writer<W>,
    dim: usize,
    cell: String,
}

impl<W: Write> CsvRows<W> {
    /// Writes the heading.
    pub(crate) fn new(out: W, layout: Layout) -> io::Result<CsvRows<W>> {
        let mut writer = csv::Writer::from_writer(out);
        for &(name, kind) in layout.columns {
            match kind {
                Kind::Point => (0..layout.dim).try_for_each(|i| writer.write_field(format!("{name}{i}")))?,
                _ => writer.write_field(name)?,
            }
        }
        end_record(&mut writer)?;
        Ok(CsvRows { writer, dim: layout.dim, cell: String::new() })
    }

    pub(crate) fn write(&mut self, data: &[Data<'_>], rows: usize) -> io::Result<()> {
        for r in 0..rows {
            for column in data {
                match column {
                    Data::Real(values) => self.real(values, r)?,
                    Data::Status(status) => self.writer.write_field(status[r].name())?,
                    Data::Point(x) => (0..self.dim).try_for_each(|i| self.real(x, i * rows + r))?,
                    whole => self.text(format_args!("{}", whole.whole(r)))?,
                }
            }
            end_record(&mut self.writer)?;
        }
        Ok(())
    }

    fn real(&mut self, values: &Column, at: usize) -> io::Result<()> {
        // `Debug` of a float is the shortest text that reads back to the same bits, with an exponent where it is long.
        match values {
            Column::F32(v) => self.text(format_args!("{:?}", v[at])),
            Column::F64(v) => self.text(format_args!("{:?}", v[at])),
        }
    }

    fn text(&mut self, value: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.cell.clear();
        // Writing to a string cannot fail.
        let _ = self.cell.write_fmt(value);
        Ok(self.writer.write_field(&self.cell)?)
    }

    /// Gives back what was written to.
    pub(crate) fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(|e| e.into_error())
    }
}

fn end_record<W: Write>(writer: &mut csv::Writer<W>) -> io::Result<()> {
    Ok(writer.write_record(None::<&[u8]>)?)
}
