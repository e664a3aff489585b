//! Tables from text: one pass over the file, one row in memory beside the columns.

use super::column::{Column, ColumnBuilder, Wanted};
use super::error::{Place, TableProblem, shown};
use super::{Unread, distinct};
use std::io::BufRead;
use std::ops::Range;

/// Line breaks that a row may have in quotes; more, and somebody forgot to close them.
const MOST_LINES: u64 = 1000;

/// Reads all rows.
pub(super) fn read(file: impl BufRead, mut wanted: impl FnMut(&str) -> Wanted) -> Result<(usize, Vec<Column>), Unread> {
    let mut rows = Rows::new(file);
    if !rows.next()? {
        return Err(TableProblem::Empty.into());
    }
    let names = heading(&rows)?;
    let mut columns: Vec<ColumnBuilder> =
        names.into_iter().map(|name| ColumnBuilder::new(name.clone(), wanted(&name))).collect();
    let mut row = 0;
    while rows.next()? {
        row += 1;
        let place = || Place { row, line: Some(rows.first_line) };
        if rows.cells.len() != columns.len() {
            let (expected, found) = (columns.len(), rows.cells.len());
            return Err(TableProblem::Ragged { place: place(), expected, found }.into());
        }
        for (column, cell) in columns.iter_mut().zip(rows.cells()) {
            column.cell(cell, place);
        }
    }
    Ok((row as usize, columns.into_iter().map(ColumnBuilder::finish).collect()))
}

/// The names in the first row.
fn heading(rows: &Rows<impl BufRead>) -> Result<Vec<String>, TableProblem> {
    let names: Vec<String> = rows.cells().map(|cell| String::from_utf8_lossy(cell.trim_ascii()).into_owned()).collect();
    if names.iter().all(|name| name.parse::<f64>().is_ok()) {
        return Err(TableProblem::NoHeading { line: rows.first_line, text: shown(rows.line.trim_ascii()) });
    }
    distinct(&names)?;
    Ok(names)
}

/// The rows of a file, one at a time.
struct Rows<F> {
    file: F,
    /// The delimiter, once the heading has told.
    delimiter: Option<u8>,
    /// The row's text; more than a line where a line break stands in quotes.
    line: Vec<u8>,
    /// The cells' text, where quotes made it another.
    unquoted: Vec<u8>,
    /// The cells, in `unquoted` where `quoted`, else in `line`.
    cells: Vec<Range<usize>>,
    quoted: bool,
    /// How many lines have been read.
    lines: u64,
    /// The line on which the row begins.
    first_line: u64,
}

impl<F: BufRead> Rows<F> {
    fn new(file: F) -> Rows<F> {
        let (line, unquoted, cells) = (Vec::new(), Vec::new(), Vec::new());
        Rows { file, delimiter: None, line, unquoted, cells, quoted: false, lines: 0, first_line: 0 }
    }

    fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let text = if self.quoted { &self.unquoted } else { &self.line };
        self.cells.iter().map(|range| &text[range.clone()])
    }

    /// Goes to the next row; false at the end.
    fn next(&mut self) -> Result<bool, Unread> {
        loop {
            self.line.clear();
            if !self.read_line()? {
                return Ok(false);
            }
            if self.lines == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
                self.line.drain(..3);
            }
            if !matches!(self.line.trim_ascii().first(), None | Some(b'#')) {
                break;
            }
        }
        self.first_line = self.lines;
        let delimiter = *self.delimiter.get_or_insert_with(|| delimiter(&self.line));
        self.quoted = self.line.contains(&b'"');
        if !self.quoted {
            self.split(delimiter);
            return Ok(true);
        }
        while !self.unquote(delimiter) {
            if self.lines - self.first_line >= MOST_LINES || !self.read_line()? {
                return Err(TableProblem::OpenQuote { line: self.first_line }.into());
            }
        }
        Ok(true)
    }

    /// Adds a line to the row's text.
    fn read_line(&mut self) -> Result<bool, Unread> {
        let read = self.file.read_until(b'\n', &mut self.line).map_err(Unread::Io)?;
        self.lines += u64::from(read > 0);
        Ok(read > 0)
    }

    fn split(&mut self, delimiter: u8) {
        self.cells.clear();
        let mut from = 0;
        for (at, &byte) in self.line.iter().enumerate() {
            if byte == delimiter {
                self.cells.push(from..at);
                from = at + 1;
            }
        }
        self.cells.push(from..self.line.len());
    }

    /// Takes quotes away, where a cell begins with one; false where one is still open at the end.
    fn unquote(&mut self, delimiter: u8) -> bool {
        self.unquoted.clear();
        self.cells.clear();
        let (mut from, mut inside, mut blank) = (0, false, true);
        let mut bytes = self.line.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' if inside && bytes.peek() == Some(&b'"') => {
                    bytes.next();
                    self.unquoted.push(b'"');
                }
                b'"' if inside => inside = false,
                b'"' if blank => (inside, blank) = (true, false),
                byte if byte == delimiter && !inside => {
                    self.cells.push(from..self.unquoted.len());
                    (from, blank) = (self.unquoted.len(), true);
                }
                byte => {
                    blank &= byte.is_ascii_whitespace();
                    self.unquoted.push(byte);
                }
            }
        }
        self.cells.push(from..self.unquoted.len());
        !inside
    }
}

/// What stands between cells: a comma, unless the heading has none and has a semicolon or a tab.
fn delimiter(heading: &[u8]) -> u8 {
    [b',', b';', b'\t'].into_iter().find(|candidate| heading.contains(candidate)).unwrap_or(b',')
}
