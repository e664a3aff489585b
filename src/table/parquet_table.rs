//! Tables from Parquet: the wanted columns alone are decoded, some ten thousand rows at a time.

use super::Unread;
use super::column::{Cell, Column, LabelsBuilder, Numbers, Wanted, Why};
use super::error::{Place, TableProblem};
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;

/// Rows that are decoded at a time.
const PIECE: usize = 1 << 14;

/// Reads all rows.
pub(super) fn read(path: &Path, mut wanted: impl FnMut(&str) -> Wanted) -> Result<(usize, Vec<Column>), Unread> {
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| TableProblem::Parquet { source };
    let file = File::open(path).map_err(Unread::Io)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| broken(e.into()))?;
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let fields = builder.schema().fields().clone();
    let mut columns: Vec<Reading> =
        fields.iter().map(|field| Reading::new(field.name(), field.data_type(), wanted(field.name()))).collect();
    let read: Vec<usize> = (0..columns.len()).filter(|&i| columns[i].reads()).collect();
    if !read.is_empty() {
        let mask = ProjectionMask::roots(builder.parquet_schema(), read.iter().copied());
        let batches = builder.with_projection(mask).with_batch_size(PIECE).build();
        let mut row = 0;
        for batch in batches.map_err(|e| broken(e.into()))? {
            let batch = batch.map_err(|e| broken(e.into()))?;
            for (&i, array) in read.iter().zip(batch.columns()) {
                columns[i].take(array, row);
            }
            row += batch.num_rows() as u64;
        }
    }
    Ok((rows, columns.into_iter().map(Reading::finish).collect()))
}

/// A column being read.
struct Reading {
    name: String,
    numbers: Result<Vec<f64>, Numbers>,
    labels: Result<LabelsBuilder, Why>,
}

impl Reading {
    fn new(name: &str, of: &DataType, wanted: Wanted) -> Reading {
        let values = match of {
            DataType::Dictionary(_, values) => values,
            other => other,
        };
        let text = matches!(values, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let number = values.is_integer() || values.is_floating() || *values == DataType::Boolean;
        let why = |wanted: bool| if wanted { Why::Type(told(values)) } else { Why::NotWanted };
        Reading {
            name: name.to_owned(),
            numbers: match wanted.numbers && number {
                true => Ok(Vec::new()),
                false => Err(Numbers::No(why(wanted.numbers))),
            },
            labels: match wanted.labels && (number || text) {
                true => Ok(LabelsBuilder::default()),
                false => Err(why(wanted.labels)),
            },
        }
    }

    fn reads(&self) -> bool {
        self.numbers.is_ok() || self.labels.is_ok()
    }

    /// Adds the rows from `first`, counted from 0.
    fn take(&mut self, array: &ArrayRef, first: u64) {
        let dictionary = array.as_any_dictionary_opt().filter(|d| !d.values().is_empty());
        let (values, keys) = match dictionary {
            Some(dictionary) => (dictionary.values().clone(), Some(dictionary.normalized_keys())),
            None => (array.clone(), None),
        };
        let at = |row: usize| keys.as_ref().map_or(row, |keys| keys[row]);
        // A null may stand among the rows or among a dictionary's values.
        let null = |row: usize| array.is_null(row) || values.is_null(at(row));
        if let Ok(numbers) = &mut self.numbers {
            let found = as_numbers(&values);
            for row in 0..array.len() {
                let value = if null(row) { None } else { found.get(at(row)).copied() };
                match value {
                    Some(value) if value.is_finite() => numbers.push(value),
                    other => {
                        let cell = other.map_or(Cell::Empty, |value| Cell::NotFinite(value.to_string()));
                        self.numbers = Err(Numbers::Cell(Place { row: first + row as u64 + 1, line: None }, cell));
                        break;
                    }
                }
            }
        }
        if let Ok(labels) = &mut self.labels {
            let found = as_text(&values);
            for row in 0..array.len() {
                let text = if null(row) { None } else { found.get(at(row)) };
                labels.push(text.map_or("", String::as_str));
            }
        }
    }

    fn finish(self) -> Column {
        let numbers = self.numbers.map_or_else(|no| no, |values| Numbers::Read(values.into()));
        Column { name: self.name, numbers, labels: self.labels.map(LabelsBuilder::finish) }
    }
}

/// A type in words.
fn told(of: &DataType) -> String {
    match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        other => format!("values of type {other}"),
    }
}

/// Calls `$with` with the array as what it is; its type is one of numbers.
macro_rules! numeric {
    ($array:expr, $with:expr, [$($name:ident $of:ty),*]) => {
        match $array.data_type() {
            $(DataType::$name => $array.as_primitive::<$of>().values().iter().map($with).collect(),)*
            _ => Vec::new(),
        }
    };
}

/// An array of numbers or truth values in f64; what stands at a null means nothing.
fn as_numbers(array: &ArrayRef) -> Vec<f64> {
    match array.data_type() {
        DataType::Boolean => array.as_boolean().values().iter().map(|v| f64::from(u8::from(v))).collect(),
        DataType::Float16 => array.as_primitive::<Float16Type>().values().iter().map(|v| v.to_f64()).collect(),
        DataType::Float64 => array.as_primitive::<Float64Type>().values().to_vec(),
        // The widest integers are rounded to the nearest number of 53 bits.
        _ => numeric!(array, |&v| v as f64, [
            Int8 Int8Type, Int16 Int16Type, Int32 Int32Type, Int64 Int64Type, UInt8 UInt8Type, UInt16 UInt16Type,
            UInt32 UInt32Type, UInt64 UInt64Type, Float32 Float32Type
        ]),
    }
}

/// An array as labels.
fn as_text(array: &ArrayRef) -> Vec<String> {
    let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().map(owned).collect(),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().map(owned).collect(),
        DataType::Utf8View => array.as_string_view().iter().map(owned).collect(),
        DataType::Boolean => array.as_boolean().values().iter().map(|v| v.to_string()).collect(),
        DataType::Float16 => array.as_primitive::<Float16Type>().values().iter().map(|v| v.to_string()).collect(),
        _ => numeric!(array, |v| v.to_string(), [
            Int8 Int8Type, Int16 Int16Type, Int32 Int32Type, Int64 Int64Type, UInt8 UInt8Type, UInt16 UInt16Type,
            UInt32 UInt32Type, UInt64 UInt64Type, Float32 Float32Type, Float64 Float64Type
        ]),
    }
}
