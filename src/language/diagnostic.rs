//! One mistake in a user's text: what it is, where it stands, and how it is shown.
//!
//! ```text
//! error: unknown name `coss`
//!   --> bowl.surf:4:18
//!    |
//!  4 | 10*n + sum(x^2 - coss(2*pi*x))
//!    |                  ^^^^ did you mean `cos`?
//! ```

mod kind;
mod render;

use std::fmt;
use std::sync::Arc;

pub use kind::{DiagnosticKind, FileKind, nearest};

use super::ast::Span;
#[cfg(feature = "report")]
use render::LINE_COLUMNS;
use render::Place;

/// A text and the name it is known by: a file's path, or the command-line option it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What errors call it: `bowl.surf`, `--expr`, `-o`.
    pub name: String,
    /// The whole text. Shared, so that a diagnostic can carry it.
    pub text: Arc<str>,
}

impl Source {
    /// A text under a name.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The part of the text that a span covers, empty where the span lies outside it.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }
}

/// A mistake in a user's text. `Display` draws it plainly, as in the example above.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// What is wrong.
    pub kind: DiagnosticKind,
    /// The text it was found in.
    pub source: Source,
    /// The place in that text.
    pub span: Span,
}

impl Diagnostic {
    /// A mistake of this kind at this place.
    pub fn new(kind: DiagnosticKind, source: &Source, span: Span) -> Self {
        Self { kind, source: source.clone(), span }
    }

    /// What is wrong, in one line without a final stop: ``unknown name `coss` ``.
    pub fn title(&self) -> String {
        render::printable(&self.kind.to_string())
    }

    /// What stands beside the caret: what was expected, or the way out. May be empty.
    pub fn label(&self) -> String {
        render::printable(&self.kind.label())
    }

    /// The drawn diagnostic, in the manner of rustc, with terminal colours if asked for; ends without a newline.
    #[cfg(feature = "report")]
    pub fn render(&self, color: bool) -> String {
        use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
        let place = Place::new(&self.source.text, self.span);
        let label = Some(self.label()).filter(|label| !label.is_empty());
        let mark = AnnotationKind::Primary.span(place.mark).label(label);
        let snippet = Snippet::source(place.line)
            .line_start(place.number)
            .path(render::printable(&self.source.name))
            .annotation(mark);
        let report = [Level::ERROR.primary_title(self.title()).element(snippet)];
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.term_width(LINE_COLUMNS).render(&report)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Place::new(&self.source.text, self.span);
        let excerpt = place.excerpt();
        let number = place.number.to_string();
        let margin = " ".repeat(number.len() + 1);
        let name = render::printable(&self.source.name);
        writeln!(f, "error: {}", self.title())?;
        writeln!(f, "{margin}--> {name}:{number}:{}", place.column())?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{}", format!(" {number} | {}", excerpt.text).trim_end())?;
        let indent = " ".repeat(excerpt.indent);
        let carets = "^".repeat(excerpt.carets);
        let marks = format!("{margin} | {indent}{carets} {}", self.label());
        f.write_str(marks.trim_end())
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(text: &str, name: &str, known: &str) -> Diagnostic {
        let start = text.find(name).unwrap() as u32;
        let end = start + name.len() as u32;
        let kind = DiagnosticKind::UnknownName { name: name.into(), nearest: nearest(name, std::iter::once(known)) };
        Diagnostic::new(kind, &Source::new("bowl.surf", text), Span { start, end })
    }

    const TEXT: &str = "# A bowl.\nx[n] in [-1, 1]\n\n10*n + sum(x^2 - coss(2*pi*x))\n";

    #[test]
    fn the_plain_drawing_is_the_manuals() {
        let expected = "\
error: unknown name `coss`
  --> bowl.surf:4:18
   |
 4 | 10*n + sum(x^2 - coss(2*pi*x))
   |                  ^^^^ did you mean `cos`?";
        assert_eq!(unknown(TEXT, "coss", "cos").to_string(), expected);
    }

    #[test]
    fn the_gutter_grows_with_the_line_number_and_names_cannot_steer_the_terminal() {
        let mut mistake = unknown(&("\n".repeat(99) + "y"), "y", "x");
        mistake.source.name = "a\u{1b}[2Jb\n.surf".into();
        let expected = [
            "error: unknown name `y`",
            r"    --> a\u{1b}[2Jb\u{a}.surf:100:1",
            "     |",
            " 100 | y",
            "     | ^ nothing has a name like this",
        ];
        assert_eq!(mistake.to_string(), expected.join("\n"));
    }

    #[test]
    fn diagnostics_travel_as_errors() {
        fn travels<T: std::error::Error + Send + Sync + Clone + 'static>(_: &T) {}
        travels(&unknown(TEXT, "coss", "cos"));
    }

    #[cfg(feature = "report")]
    #[test]
    fn the_drawn_report_is_coloured_on_demand() {
        let mistake = unknown(TEXT, "coss", "cos");
        let plain = mistake.render(false);
        let expected = "\
error: unknown name `coss`
 --> bowl.surf:4:18
  |
4 | 10*n + sum(x^2 - coss(2*pi*x))
  |                  ^^^^ did you mean `cos`?";
        assert_eq!(plain, expected);
        assert!(!plain.contains('\u{1b}'));
        assert!(mistake.render(true).contains('\u{1b}'));
    }

    #[test]
    fn every_kind_has_a_title_and_prints() {
        use DiagnosticKind as K;
        let (name, owner, nearest) = (|| "lr".to_owned(), || "adam".to_owned(), || None);
        let kinds = [
            K::UnknownFunction { name: name(), nearest: Some("log".into()) },
            K::UnknownEntry { what: "surface", name: name(), nearest: nearest() },
            K::UnknownHyper { name: name(), owner: owner(), nearest: nearest() },
            K::UnknownOption { name: name(), owner: owner(), nearest: nearest() },
            K::WrongArgumentCount { function: name(), expected: "1 argument".into(), found: 2 },
            K::IndexNotAllowed { function: name() },
            K::ShapeMismatch { operation: "`+`".into(), left: "a vector of 3".into(), right: "a vector of 2".into() },
            K::ExpectedScalar { found: "a vector of 3".into() },
            K::ExpectedVector { found: "a scalar".into() },
            K::ExpectedMatrix { found: "a scalar".into() },
            K::ExpectedBoolean,
            K::UnexpectedBoolean,
            K::ExpectedInteger { value: 2.5 },
            K::NotConstant { what: "an index".into() },
            K::IndexOutOfRange { index: -4, len: 3 },
            K::EmptyRange { start: 3, end: 3 },
            K::EmptyList,
            K::EmptyDomain { lo: 1.0, hi: -1.0 },
            K::LogDomain { lo: 0.0 },
            K::IntervalCount { expected: 3, found: 2 },
            K::NonFiniteConstant { value: f64::NAN },
            K::ConstantOutOfRange { value: 1e300 },
            K::DivisionByZero,
            K::TooManyNodes { limit: 1 << 20 },
            K::NotAvailable { what: "`data` without a table".into() },
            K::RowsNotJoined,
            K::UnknownChoice { found: name(), expected: name() },
            K::ReadOnlyName { name: name() },
            K::MissingDomain { name: name() },
            K::DimensionTooSmall { dim: 1, minimum: 2 },
            K::DimensionNotMultiple { dim: 6, step: 4 },
            K::DimensionNotMultiple { dim: u32::MAX, step: 0 },
            K::DimensionFixed { dim: 6, fixed: 2 },
            K::NeedsUpdateRule,
            K::SeveralUpdateRules,
        ];
        for kind in kinds {
            let mistake = Diagnostic::new(kind, &Source::new("t", "x"), Span { start: 0, end: 1 });
            let drawn = mistake.to_string();
            assert_eq!(drawn.lines().count(), 5, "{drawn}");
            assert!(!mistake.title().ends_with('.') && !mistake.label().ends_with('.'));
            println!("{drawn}\n");
        }
    }
}
