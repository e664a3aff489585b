//! The line around a mistake, made safe and short enough for a terminal.

use std::fmt::Write as _;
use std::ops::Range;

use super::super::ast::Span;

/// Longest piece of a line that is shown, in columns.
pub(super) const LINE_COLUMNS: usize = 100;
/// Of a line that is cut, the columns kept before the caret.
const COLUMNS_BEFORE: usize = 40;
/// A tab is shown as this many blanks.
const TAB: &str = "    ";

/// The line where a span begins, and the part of it that the span covers.
pub(super) struct Place<'a> {
    /// Line number, from 1.
    pub number: usize,
    /// The line, without its end.
    pub line: &'a str,
    /// The marked bytes of the line; empty between two characters.
    pub mark: Range<usize>,
}

/// A line as it is drawn.
pub(super) struct Excerpt {
    /// The line, printable, at most about [`LINE_COLUMNS`] wide.
    pub text: String,
    /// Columns before the first caret.
    pub indent: usize,
    /// How many carets, at least one.
    pub carets: usize,
}

impl<'a> Place<'a> {
    /// A span outside the text is moved to its end; one over several lines is cut at the first line's end.
    pub fn new(text: &'a str, span: Span) -> Self {
        let start = text.floor_char_boundary(span.start as usize);
        let end = text.floor_char_boundary((span.end as usize).max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let within = |at: usize| (at - line_start).min(line.len());
        Self { number: text[..line_start].matches('\n').count() + 1, line, mark: within(start)..within(end) }
    }

    /// Column of the mark in characters, from 1.
    pub fn column(&self) -> usize {
        self.line[..self.mark.start].chars().count() + 1
    }

    /// The line, cut around the mark where it is long.
    pub fn excerpt(&self) -> Excerpt {
        let (before, from_mark) = self.line.split_at(self.mark.start);
        let (marked, after) = from_mark.split_at(self.mark.len());
        let width_after = columns(from_mark, LINE_COLUMNS);
        let room_before = COLUMNS_BEFORE.max(LINE_COLUMNS.saturating_sub(width_after));

        let mut text = String::new();
        let kept = tail(before, room_before);
        let mut indent = 0;
        if kept.len() < before.len() {
            text.push('…');
            indent = 1;
        }
        indent += push(&mut text, kept, usize::MAX);
        let room = LINE_COLUMNS.saturating_sub(indent);
        let carets = push(&mut text, marked, room);
        let mut shown = carets;
        if carets == columns(marked, LINE_COLUMNS) {
            shown += push(&mut text, after, room - carets);
        }
        if width_after > shown {
            text.push('…');
        }
        Excerpt { text, indent, carets: carets.max(1) }
    }
}

/// The text with control and direction characters escaped, so that no file can steer the terminal.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push(&mut out, text, usize::MAX);
    out
}

/// Appends as many characters as fit in `room` columns and says how many columns they took.
fn push(out: &mut String, text: &str, room: usize) -> usize {
    let mut width = 0;
    for character in text.chars() {
        let wider = width + column_count(character);
        if wider > room {
            break;
        }
        width = wider;
        match character {
            '\t' => out.push_str(TAB),
            _ if is_hidden(character) => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "{}", character.escape_unicode());
            }
            _ => out.push(character),
        }
    }
    width
}

/// The longest end of the text that fits in `room` columns.
fn tail(text: &str, room: usize) -> &str {
    let mut width = 0;
    for (at, character) in text.char_indices().rev() {
        width += column_count(character);
        if width > room {
            return &text[at + character.len_utf8()..];
        }
    }
    text
}

/// Columns the text takes; counting stops above `limit`.
fn columns(text: &str, limit: usize) -> usize {
    let mut width = 0;
    for character in text.chars() {
        width += column_count(character);
        if width > limit {
            break;
        }
    }
    width
}

fn column_count(character: char) -> usize {
    match character {
        ' '..='~' => 1,
        '\t' => TAB.len(),
        _ if is_hidden(character) => character.escape_unicode().len(),
        '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Control characters, and the invisible ones that reorder or hide text.
fn is_hidden(character: char) -> bool {
    character.is_control() && character != '\t'
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(text: &str, start: usize, end: usize) -> (usize, usize, Excerpt) {
        let span = Span { start: start as u32, end: end as u32 };
        let place = Place::new(text, span);
        (place.number, place.column(), place.excerpt())
    }

    /// The characters of the drawn line that stand over the carets; for lines of narrow characters.
    fn marked(excerpt: &Excerpt) -> String {
        let over = excerpt.text.chars().skip(excerpt.indent);
        over.take(excerpt.carets).collect()
    }

    #[test]
    fn the_line_is_the_one_where_the_span_begins() {
        let text = "ab\r\ncd ef\r\ngh";
        let (line, column, cut) = excerpt(text, 7, 13);
        assert_eq!((line, column, cut.text.as_str()), (2, 4, "cd ef"));
        assert_eq!(marked(&cut), "ef");
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}coss{}", "x + ".repeat(500), " + y".repeat(500));
        let (_, column, cut) = excerpt(&text, 2000, 2004);
        assert_eq!(column, 2001);
        assert_eq!(marked(&cut), "coss");
        assert!(cut.text.starts_with('…') && cut.text.ends_with('…'));
        assert!((95..=LINE_COLUMNS + 1).contains(&cut.text.chars().count()));

        let (_, _, cut) = excerpt(&text, 0, 1);
        assert!(cut.text.starts_with("x + x") && cut.text.ends_with('…'));
        let (_, _, cut) = excerpt(&text, text.len(), text.len());
        assert!(cut.text.starts_with('…') && cut.text.ends_with("+ y"));
        assert_eq!(cut.carets, 1);
        let (_, _, cut) = excerpt(&text, 10, 3000);
        assert_eq!(cut.indent + cut.carets, LINE_COLUMNS);
    }

    #[test]
    fn tabs_wide_and_hidden_characters_keep_the_carets_in_place() {
        let (_, column, cut) = excerpt("\t漢é + a", 9, 10);
        assert_eq!((column, cut.indent), (7, 10));
        assert_eq!(cut.text, "    漢é + a");
        let (_, _, cut) = excerpt("\u{1b}[31m\u{202e}x", 8, 9);
        assert_eq!(cut.text, "\\u{1b}[31m\\u{202e}x");
        assert_eq!(marked(&cut), "x");
    }

    #[test]
    fn spans_beyond_the_text_or_inside_a_character_are_moved() {
        for (start, end) in [(0, 99), (99, 99), (5, 2), (1, 2), (3, 3)] {
            let (line, _, cut) = excerpt("é\né", start, end);
            assert!(line <= 2 && cut.carets >= 1);
        }
        assert_eq!(excerpt("", 0, 0).2.text, "");
    }
}
