//! Result files as Parquet: typed columns, the point as a list of fixed length, the status as a dictionary, compressed
//! with Zstandard. A row group holds some 16 MiB of points, which bounds the memory of writer and reader alike.

use super::columns::{Data, Kind, Layout};
use super::table_file::Cells;
use crate::{Column, Precision, Status};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, FixedSizeListArray, Float32Array, Float64Array, Int32Array, RecordBatch, StringArray,
    UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of points in a row group.
const GROUP_BYTES: usize = 16 << 20;

/// A Parquet file of results being written.
pub(crate) struct ParquetRows<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: Arc<Schema>,
    layout: Layout,
    group: usize,
}

impl<W: Write + Send> ParquetRows<W> {
    /// Begins the file, with `record` under the key `catchment`.
    pub(crate) fn new(out: W, layout: Layout, record: &str) -> io::Result<ParquetRows<W>> {
        let field = |&(name, kind): &(&str, Kind)| Field::new(name, data_type(kind, &layout), false);
        let schema = Arc::new(Schema::new(layout.columns.iter().map(field).collect::<Vec<_>>()));
        let bytes = layout.dim * if layout.precision == Precision::F32 { 4 } else { 8 };
        let group = (GROUP_BYTES / bytes.max(32)).max(1);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(group))
            .set_key_value_metadata(Some(vec![KeyValue::new("catchment".to_owned(), record.to_owned())]))
            .build();
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))?;
        Ok(ParquetRows { writer, schema, layout, group })
    }

    pub(crate) fn write(&mut self, data: &[Data<'_>], rows: usize) -> io::Result<()> {
        // A piece at a time: turning coordinate-major points into rows copies them.
        for first in (0..rows).step_by(self.group) {
            let piece = first..rows.min(first + self.group);
            let mut columns = Vec::with_capacity(data.len());
            for (column, &(_, kind)) in data.iter().zip(self.layout.columns) {
                columns.push(array(column, kind, rows, piece.clone(), self.layout.dim)?);
            }
            let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(io::Error::other)?;
            self.writer.write(&batch)?;
        }
        Ok(())
    }

    /// Writes the footer and gives back what was written to.
    pub(crate) fn finish(self) -> io::Result<W> {
        Ok(self.writer.into_inner()?)
    }
}

fn data_type(kind: Kind, layout: &Layout) -> DataType {
    let real = match layout.precision {
        Precision::F32 => DataType::Float32,
        Precision::F64 => DataType::Float64,
    };
    match kind {
        Kind::Small => DataType::UInt32,
        Kind::Large => DataType::UInt64,
        Kind::Real => real,
        Kind::Status => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Kind::Point => DataType::FixedSizeList(Arc::new(coordinate(real)), layout.dim as i32),
    }
}

fn coordinate(real: DataType) -> Field {
    Field::new("item", real, false)
}

/// Some rows of one column.
fn array(data: &Data<'_>, kind: Kind, rows: usize, piece: Range<usize>, dim: usize) -> io::Result<ArrayRef> {
    Ok(match (data, kind) {
        (Data::Real(Column::F32(v)), _) => Arc::new(Float32Array::from(v[piece].to_vec())),
        (Data::Real(Column::F64(v)), _) => Arc::new(Float64Array::from(v[piece].to_vec())),
        (Data::Status(status), _) => {
            let names: StringArray = Status::ALL.iter().map(|s| Some(s.name())).collect();
            let keys: Int32Array = status[piece].iter().map(|&s| Some(s as i32 - 1)).collect();
            Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(names)).map_err(io::Error::other)?)
        }
        (Data::Point(x), _) => {
            let places = piece.flat_map(|r| (0..dim).map(move |i| i * rows + r));
            let (real, values): (_, ArrayRef) = match x {
                Column::F32(v) => (DataType::Float32, Arc::new(Float32Array::from_iter_values(places.map(|at| v[at])))),
                Column::F64(v) => (DataType::Float64, Arc::new(Float64Array::from_iter_values(places.map(|at| v[at])))),
            };
            let list = FixedSizeListArray::try_new(Arc::new(coordinate(real)), dim as i32, values, None);
            Arc::new(list.map_err(io::Error::other)?)
        }
        (whole, Kind::Small) => Arc::new(UInt32Array::from_iter_values(piece.map(|r| whole.whole(r) as u32))),
        (whole, _) => Arc::new(UInt64Array::from_iter_values(piece.map(|r| whole.whole(r)))),
    })
}

/// Writes any columns, the first `rows` of each, and gives back what was written to.
pub(crate) fn write_columns<W: Write + Send>(
    out: W,
    columns: &[(String, Cells)],
    rows: usize,
    record: &str,
) -> io::Result<W> {
    let array = |cells: &Cells| -> (DataType, ArrayRef) {
        match cells {
            Cells::Numbers(v) => {
                let known = v[..rows].iter().map(|v| v.is_finite().then_some(*v));
                (DataType::Float64, Arc::new(known.collect::<Float64Array>()))
            }
            Cells::Whole(v) => (DataType::UInt64, Arc::new(UInt64Array::from(v[..rows].to_vec()))),
            Cells::Text(v) => (DataType::Utf8, Arc::new(StringArray::from_iter_values(&v[..rows]))),
        }
    };
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (name, cells) in columns {
        let (kind, array) = array(cells);
        fields.push(Field::new(name, kind, matches!(cells, Cells::Numbers(_))));
        arrays.push(array);
    }
    let schema = Arc::new(Schema::new(fields));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![KeyValue::new("catchment".to_owned(), record.to_owned())]))
        .build();
    let mut writer = ArrowWriter::try_new(out, schema.clone(), Some(properties))?;
    writer.write(&RecordBatch::try_new(schema, arrays).map_err(io::Error::other)?)?;
    Ok(writer.into_inner()?)
}
