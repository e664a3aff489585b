//! One column: its numbers, its labels, or the first cell that keeps it from having them.

use super::error::{Place, TableProblem, shown};
use std::collections::HashMap;
use std::sync::Arc;

/// What a column is wanted for; what it is not wanted for takes no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// As numbers.
    pub numbers: bool,
    /// As text that rows are grouped by.
    pub labels: bool,
}

impl Wanted {
    /// Nothing.
    pub const NOTHING: Wanted = Wanted { numbers: false, labels: false };
    /// Numbers.
    pub const NUMBERS: Wanted = Wanted { numbers: true, labels: false };
    /// Labels.
    pub const LABELS: Wanted = Wanted { numbers: false, labels: true };
}

/// A column of text of which each distinct one is kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    keys: Vec<u32>,
}

impl Labels {
    /// The distinct labels, in the order in which they first appear.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// For every row the number of its label in [`names`](Labels::names).
    pub fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// The label of a row, counted from 0; none beyond the last.
    pub fn label(&self, row: usize) -> Option<&str> {
        self.names.get(*self.keys.get(row)? as usize).map(String::as_str)
    }
}

/// Labels being gathered.
#[derive(Debug, Default)]
pub(super) struct LabelsBuilder {
    labels: Labels,
    index: HashMap<String, u32>,
}

impl LabelsBuilder {
    pub(super) fn push(&mut self, text: &str) {
        let key = self.key(text);
        self.labels.keys.push(key);
    }

    fn key(&mut self, text: &str) -> u32 {
        if let Some(&key) = self.index.get(text) {
            return key;
        }
        let key = self.labels.names.len() as u32;
        self.labels.names.push(text.to_owned());
        self.index.insert(text.to_owned(), key);
        key
    }

    fn append(&mut self, part: Labels) {
        let keys: Vec<u32> = part.names.iter().map(|name| self.key(name)).collect();
        self.labels.keys.extend(part.keys.iter().map(|&key| keys[key as usize]));
    }

    pub(super) fn finish(self) -> Labels {
        self.labels
    }
}

/// A column that has been read.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) numbers: Numbers,
    pub(super) labels: Result<Labels, Why>,
}

/// A column as numbers.
#[derive(Clone, Debug)]
pub(super) enum Numbers {
    Read(Arc<[f64]>),
    Cell(Place, Cell),
    No(Why),
}

/// Why a column is not there in some form.
#[derive(Clone, Debug)]
pub(super) enum Why {
    /// Nobody wanted it when the table was read.
    NotWanted,
    /// The file has this type there.
    #[cfg_attr(not(feature = "parquet"), expect(dead_code, reason = "a text file has no types"))]
    Type(String),
}

/// A cell that is no finite number, as it is shown.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Empty,
    Text(String),
    NotFinite(String),
}

impl Column {
    /// Numbers from memory.
    pub(super) fn of_numbers(name: String, values: Vec<f64>) -> Column {
        let numbers = match values.iter().position(|v| !v.is_finite()) {
            None => Numbers::Read(values.into()),
            Some(at) => {
                Numbers::Cell(Place { row: at as u64 + 1, line: None }, Cell::NotFinite(format!("{}", values[at])))
            }
        };
        Column { name, numbers, labels: Err(Why::NotWanted) }
    }

    pub(super) fn numbers(&self) -> Result<&Arc<[f64]>, TableProblem> {
        let column = || self.name.clone();
        Err(match &self.numbers {
            Numbers::Read(values) => return Ok(values),
            Numbers::Cell(place, Cell::Empty) => TableProblem::EmptyCell { column: column(), place: *place },
            Numbers::Cell(place, Cell::Text(text)) => {
                TableProblem::NotANumber { column: column(), place: *place, text: text.clone() }
            }
            Numbers::Cell(place, Cell::NotFinite(text)) => {
                TableProblem::NotFinite { column: column(), place: *place, text: text.clone() }
            }
            Numbers::No(why) => why.problem(column(), "numbers"),
        })
    }

    pub(super) fn labels(&self) -> Result<&Labels, TableProblem> {
        self.labels.as_ref().map_err(|why| why.problem(self.name.clone(), "labels"))
    }
}

impl Why {
    fn problem(&self, column: String, form: &'static str) -> TableProblem {
        match self {
            Why::NotWanted => TableProblem::NotRead { column, form },
            Why::Type(found) => TableProblem::ColumnType { column, found: found.clone(), form },
        }
    }
}

/// A column being read.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    name: String,
    wanted: Wanted,
    values: Vec<f64>,
    bad: Option<(Place, Cell)>,
    labels: LabelsBuilder,
}

impl ColumnBuilder {
    pub(super) fn new(name: &str, wanted: Wanted) -> ColumnBuilder {
        let (name, labels) = (name.to_owned(), LabelsBuilder::default());
        ColumnBuilder { name, wanted, values: Vec::new(), bad: None, labels }
    }

    /// An empty one for the same column, that reads what is still of interest.
    pub(super) fn like(&self) -> ColumnBuilder {
        let numbers = self.wanted.numbers && self.bad.is_none();
        ColumnBuilder::new(&self.name, Wanted { numbers, ..self.wanted })
    }

    /// Adds the rows of another one, which begin after so many.
    pub(super) fn append(&mut self, part: ColumnBuilder, rows: u64) {
        match part.bad {
            Some((place, cell)) if self.bad.is_none() => self.fail(Place { row: place.row + rows, ..place }, cell),
            _ if self.bad.is_none() => self.values.extend(part.values),
            _ => {}
        }
        self.labels.append(part.labels.finish());
    }

    /// Adds a cell of a text file. What follows a cell that is no number is not looked at.
    pub(super) fn cell(&mut self, bytes: &[u8], place: impl FnOnce() -> Place) {
        let bytes = bytes.trim_ascii();
        if self.wanted.numbers && self.bad.is_none() {
            let number = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<f64>().ok());
            match number {
                Some(value) if value.is_finite() => self.values.push(value),
                Some(_) => self.fail(place(), Cell::NotFinite(shown(bytes))),
                None if bytes.is_empty() => self.fail(place(), Cell::Empty),
                None => self.fail(place(), Cell::Text(shown(bytes))),
            }
        }
        if self.wanted.labels {
            self.labels.push(&String::from_utf8_lossy(bytes));
        }
    }

    fn fail(&mut self, place: Place, cell: Cell) {
        self.bad = Some((place, cell));
        self.values = Vec::new();
    }

    pub(super) fn finish(self) -> Column {
        let numbers = match self.bad {
            Some((place, cell)) => Numbers::Cell(place, cell),
            None if self.wanted.numbers => Numbers::Read(self.values.into()),
            None => Numbers::No(Why::NotWanted),
        };
        let labels = if self.wanted.labels { Ok(self.labels.finish()) } else { Err(Why::NotWanted) };
        Column { name: self.name, numbers, labels }
    }
}
