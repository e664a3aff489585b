//! Tables from text: one pass over the file, a block of it in memory beside the columns.

use super::column::{Column, ColumnBuilder, Wanted};
use super::error::{Place, TableProblem, shown};
use super::{Unread, distinct};
use rayon::prelude::*;
use std::io::{BufRead, Cursor, Read};
use std::ops::Range;

/// Line breaks that a row may have in quotes; more, and somebody forgot to close them.
const MOST_LINES: u64 = 1000;

/// Bytes that are read at a time, and parsed in pieces by all cores.
const BLOCK: u64 = 4 << 20;

/// Reads all rows.
pub(super) fn read(file: impl BufRead, mut wanted: impl FnMut(&str) -> Wanted) -> Result<(usize, Vec<Column>), Unread> {
    let mut rows = Rows::new(file, None, 0);
    if !rows.next()? {
        return Err(TableProblem::Empty.into());
    }
    let names = heading(&rows)?;
    let (delimiter, mut lines) = (rows.delimiter, rows.lines);
    let mut file = rows.file;
    let mut all =
        Gathered { columns: names.iter().map(|name| ColumnBuilder::new(name, wanted(name))).collect(), rows: 0 };
    let mut block = Vec::new();
    loop {
        let read = file.by_ref().take(BLOCK).read_to_end(&mut block).map_err(Unread::Io)?;
        if block.contains(&b'"') {
            // A quoted line break cannot be told from a row's end without all that comes before.
            all.gather(Rows::new(Cursor::new(block).chain(file), delimiter, lines))?;
            break;
        }
        let end = if read == 0 { block.len() } else { block.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1) };
        all.append(&block[..end], delimiter, &mut lines)?;
        block.drain(..end);
        if read == 0 {
            break;
        }
    }
    Ok((all.rows as usize, all.columns.into_iter().map(ColumnBuilder::finish).collect()))
}

/// What has been read.
struct Gathered {
    columns: Vec<ColumnBuilder>,
    rows: u64,
}

impl Gathered {
    /// Adds whole lines without quotes, which all cores parse.
    fn append(&mut self, mut text: &[u8], delimiter: Option<u8>, lines: &mut u64) -> Result<(), Unread> {
        let share = text.len() / (2 * rayon::current_num_threads()) + 1;
        let mut pieces = Vec::new();
        while !text.is_empty() {
            let from = share.min(text.len()) - 1;
            let end = text[from..].iter().position(|&b| b == b'\n').map_or(text.len(), |at| from + at + 1);
            let (piece, rest) = text.split_at(end);
            pieces.push((piece, *lines));
            *lines += piece.iter().filter(|&&b| b == b'\n').count() as u64;
            text = rest;
        }
        let parse = |(piece, lines): (&[u8], u64)| {
            let mut part = Gathered { columns: self.columns.iter().map(ColumnBuilder::like).collect(), rows: 0 };
            let done = part.gather(Rows::new(piece, delimiter, lines));
            (part, done)
        };
        let parts: Vec<(Gathered, Result<(), Unread>)> = pieces.into_par_iter().map(parse).collect();
        for (part, done) in parts {
            if let Err(Unread::Table(TableProblem::Ragged { mut place, expected, found })) = done {
                place.row += self.rows;
                return Err(TableProblem::Ragged { place, expected, found }.into());
            }
            done?;
            for (column, part) in self.columns.iter_mut().zip(part.columns) {
                column.append(part, self.rows);
            }
            self.rows += part.rows;
        }
        Ok(())
    }

    /// Adds all rows that there are.
    fn gather(&mut self, mut rows: Rows<impl BufRead>) -> Result<(), Unread> {
        while rows.next()? {
            self.rows += 1;
            let place = || Place { row: self.rows, line: Some(rows.first_line) };
            if rows.cells.len() != self.columns.len() {
                let (expected, found) = (self.columns.len(), rows.cells.len());
                return Err(TableProblem::Ragged { place: place(), expected, found }.into());
            }
            for (column, cell) in self.columns.iter_mut().zip(rows.cells()) {
                column.cell(cell, place);
            }
        }
        Ok(())
    }
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
    /// Rows that follow so many lines; the heading tells the delimiter where nobody does.
    fn new(file: F, delimiter: Option<u8>, lines: u64) -> Rows<F> {
        let (line, unquoted, cells) = (Vec::new(), Vec::new(), Vec::new());
        Rows { file, delimiter, line, unquoted, cells, quoted: false, lines, first_line: 0 }
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
