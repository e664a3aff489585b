//! From text to tokens, within the limits that keep every later stage small.
//!
//! A statement ends at a newline or `;`. A newline inside brackets, or after an operator, a comma or `=`, ends nothing.

use super::ast::Span;
use super::diagnostic::{Diagnostic, DiagnosticKind, Source};

/// Longest text, in bytes.
pub const TEXT_LIMIT: usize = 256 * 1024;
/// Most tokens in a text.
pub const TOKEN_LIMIT: usize = 120_000;
/// Most brackets, signs and powers within each other.
pub const NESTING_LIMIT: usize = 200;

/// What sort of text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Statements.
    File,
    /// Catalog entries with arguments: outside brackets a name may contain `-` or be a path, and newlines are blanks.
    Chain,
}

/// What a token is; each kind is the sign it names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenKind {
    Number(f64),
    Name,
    And,
    Or,
    Not,
    In,
    Plus,
    Minus,
    Star,
    Slash,
    Caret,
    At,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    EqualEqual,
    NotEqual,
    Equal,
    OpenRound,
    CloseRound,
    OpenSquare,
    CloseSquare,
    Comma,
    Colon,
    Bar,
    Semicolon,
    Newline,
    End,
}

impl TokenKind {
    /// Whether a statement goes on after this, so that a newline here means nothing.
    fn continues(self) -> bool {
        !matches!(self, Self::Number(_) | Self::Name | Self::CloseRound | Self::CloseSquare | Self::End)
    }

    /// Whether a value can begin here.
    pub fn begins_value(self) -> bool {
        matches!(self, Self::Number(_) | Self::Name | Self::OpenRound | Self::OpenSquare)
    }
}

/// A token and its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub span: Span,
}

/// A text taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// The tokens; the last, and only the last, is [`TokenKind::End`]. All brackets match.
    pub tokens: Vec<Token>,
    /// The comment lines before the first token, without `#` and blanks.
    pub comments: Vec<String>,
}

/// Takes a text apart.
///
/// # Errors
/// A character or number that the language does not have, brackets that do not match, or a limit passed.
pub fn tokenize(source: &Source, mode: Mode) -> Result<Tokens, Box<Diagnostic>> {
    if source.text.len() > TEXT_LIMIT {
        let kind = DiagnosticKind::TextTooLong { bytes: source.text.len(), limit: TEXT_LIMIT };
        return Err(Box::new(Diagnostic::new(kind, source, Span::default())));
    }
    let mut lexer =
        Lexer { source, text: &source.text, mode, at: 0, tokens: Vec::new(), comments: Vec::new(), open: Vec::new() };
    lexer.run()?;
    let first = lexer.comments.iter().position(|line| !line.is_empty());
    let last = lexer.comments.iter().rposition(|line| !line.is_empty());
    lexer.comments.truncate(last.map_or(0, |last| last + 1));
    lexer.comments.drain(..first.unwrap_or(0));
    Ok(Tokens { tokens: lexer.tokens, comments: lexer.comments })
}

/// The signs, the longer before the shorter that begins it.
const SIGNS: [(&str, TokenKind); 22] = [
    ("<=", TokenKind::LessEqual),
    (">=", TokenKind::GreaterEqual),
    ("==", TokenKind::EqualEqual),
    ("!=", TokenKind::NotEqual),
    ("+", TokenKind::Plus),
    ("-", TokenKind::Minus),
    ("*", TokenKind::Star),
    ("/", TokenKind::Slash),
    ("^", TokenKind::Caret),
    ("@", TokenKind::At),
    ("<", TokenKind::Less),
    (">", TokenKind::Greater),
    ("=", TokenKind::Equal),
    ("(", TokenKind::OpenRound),
    (")", TokenKind::CloseRound),
    ("[", TokenKind::OpenSquare),
    ("]", TokenKind::CloseSquare),
    (",", TokenKind::Comma),
    (":", TokenKind::Colon),
    ("|", TokenKind::Bar),
    (";", TokenKind::Semicolon),
    ("\n", TokenKind::Newline),
];

/// Signs of other languages and what to write instead, the longer before the shorter.
const FOREIGN: [(&str, &str); 34] = [
    ("===", "use `==`"),
    ("**", "use `^` for a power"),
    ("//", "use `floor(a/b)`; a comment begins with `#`"),
    ("&&", "use `and`"),
    ("||", "use `or`"),
    ("=>", "use `>=`"),
    ("=<", "use `<=`"),
    ("<>", "use `!=`"),
    (":=", "use `=`"),
    ("+=", "write `a = a + b`"),
    ("-=", "write `a = a - b`"),
    ("*=", "write `a = a*b`"),
    ("/=", "write `a = a/b`"),
    (".*", "use `*`, it works by element"),
    ("./", "use `/`, it works by element"),
    (".^", "use `^`, it works by element"),
    ("%", "use `a - b*floor(a/b)` for a remainder"),
    ("&", "use `and`"),
    ("~", "use `not`"),
    ("?", "use `where(condition, a, b)`"),
    ("{", "use `(` or `[`"),
    ("}", "use `)` or `]`"),
    ("≤", "use `<=`"),
    ("≥", "use `>=`"),
    ("≠", "use `!=`"),
    ("−", "use `-`"),
    ("–", "use `-`"),
    ("×", "use `*`"),
    ("·", "use `*`"),
    ("÷", "use `/`"),
    ("²", "use `^2`"),
    ("³", "use `^3`"),
    ("√", "use `sqrt(a)`"),
    ("π", "use `pi`"),
];

struct Lexer<'a> {
    source: &'a Source,
    text: &'a str,
    mode: Mode,
    at: usize,
    tokens: Vec<Token>,
    comments: Vec<String>,
    /// The brackets not closed yet.
    open: Vec<Token>,
}

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), Box<Diagnostic>> {
        self.at = self.text.len() - self.text.trim_start_matches('\u{feff}').len();
        while let Some(character) = self.text[self.at..].chars().next() {
            if character == '#' {
                self.comment();
            } else if character.is_whitespace() && (character != '\n' || self.newline_is_blank()) {
                self.at += character.len_utf8();
            } else {
                self.token(character)?;
            }
        }
        if let Some(open) = self.open.last() {
            let bracket = bracket(open.kind);
            return Err(self.error(DiagnosticKind::UnclosedBracket { bracket }, open.span));
        }
        let written = |token: &&Token| token.kind != TokenKind::Newline;
        let last = self.tokens.iter().rev().find(written);
        let end = last.map_or(0, |last| last.span.end);
        self.tokens.push(Token { kind: TokenKind::End, span: Span { start: end, end } });
        Ok(())
    }

    fn newline_is_blank(&self) -> bool {
        self.mode == Mode::Chain || !self.open.is_empty() || self.tokens.last().is_none_or(|last| last.kind.continues())
    }

    fn comment(&mut self) {
        let rest = &self.text[self.at..];
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        self.at += line.len();
        if self.tokens.is_empty() {
            // `list` prints these on a terminal.
            let plain = line.replace(|c: char| c.is_control(), " ");
            self.comments.push(plain.trim_start_matches('#').trim().to_owned());
        }
    }

    fn token(&mut self, first: char) -> Result<(), Box<Diagnostic>> {
        let rest = &self.text[self.at..];
        if self.mode == Mode::Chain && self.open.is_empty() && begins_entry(first) {
            let length = rest.find(|c| !continues_entry(c)).unwrap_or(rest.len());
            return self.push(TokenKind::Name, length);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c| !continues_name(c)).unwrap_or(rest.len());
            let kind = match &rest[..length] {
                "and" => TokenKind::And,
                "or" => TokenKind::Or,
                "not" => TokenKind::Not,
                "in" => TokenKind::In,
                _ => TokenKind::Name,
            };
            return self.push(kind, length);
        }
        let second = rest.as_bytes().get(1);
        if first.is_ascii_digit() || first == '.' && second.is_some_and(u8::is_ascii_digit) {
            return self.number();
        }
        let is_bar = self.mode == Mode::Chain && self.open.is_empty() && first == '|';
        if !is_bar && let Some((sign, instead)) = FOREIGN.iter().find(|(s, _)| rest.starts_with(s)) {
            let written = (*sign).to_owned();
            let span = self.span(sign.len());
            return Err(self.error(DiagnosticKind::ForeignOperator { written, instead }, span));
        }
        if let Some((sign, kind)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            return self.push(*kind, sign.len());
        }
        if first == '!' {
            let kind = DiagnosticKind::ForeignOperator { written: "!".into(), instead: "use `not`" };
            return Err(self.error(kind, self.span(1)));
        }
        let kind = DiagnosticKind::UnexpectedCharacter { character: first };
        Err(self.error(kind, self.span(first.len_utf8())))
    }

    fn number(&mut self) -> Result<(), Box<Diagnostic>> {
        let rest = &self.text[self.at..];
        let bytes = rest.as_bytes();
        let digits = |from: usize| {
            let run = bytes[from..].iter().take_while(|byte| byte.is_ascii_digit());
            from + run.count()
        };
        let mut length = digits(0);
        if bytes.get(length) == Some(&b'.') {
            length = digits(length + 1);
        }
        if matches!(bytes.get(length), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
            let end = digits(length + 1 + sign);
            if end > length + 1 + sign {
                length = end;
            }
        }
        let run = rest.find(|c| !continues_name(c) && c != '.').unwrap_or(rest.len());
        if run > length {
            let text = rest[..run].to_owned();
            let kind = DiagnosticKind::InvalidNumber { problem: number_problem(&text, &rest[length..run]), text };
            return Err(self.error(kind, self.span(run)));
        }
        let literal = &rest[..length];
        let mantissa = literal.split(['e', 'E']).next().unwrap_or(literal);
        let is_zero = !mantissa.contains(|c: char| ('1'..='9').contains(&c));
        let kind = match literal.parse::<f64>() {
            Ok(value) if value.is_infinite() => DiagnosticKind::NumberTooLarge,
            Ok(0.0) if !is_zero => DiagnosticKind::NumberTooSmall,
            Ok(value) => return self.push(TokenKind::Number(value), length),
            Err(_) => DiagnosticKind::InvalidNumber { text: literal.to_owned(), problem: "expected digits" },
        };
        Err(self.error(kind, self.span(length)))
    }

    fn push(&mut self, kind: TokenKind, length: usize) -> Result<(), Box<Diagnostic>> {
        let token = Token { kind, span: self.span(length) };
        if self.tokens.len() == TOKEN_LIMIT {
            let kind = DiagnosticKind::TooManyTokens { limit: TOKEN_LIMIT };
            return Err(self.error(kind, token.span));
        }
        match kind {
            TokenKind::OpenRound | TokenKind::OpenSquare => {
                if self.open.len() == NESTING_LIMIT {
                    let kind = DiagnosticKind::TooDeep { limit: NESTING_LIMIT };
                    return Err(self.error(kind, token.span));
                }
                self.open.push(token);
            }
            TokenKind::CloseRound | TokenKind::CloseSquare => self.close(token)?,
            _ => {}
        }
        self.tokens.push(token);
        self.at += length;
        Ok(())
    }

    fn close(&mut self, token: Token) -> Result<(), Box<Diagnostic>> {
        let close = bracket(token.kind);
        let Some(open) = self.open.pop() else {
            let kind = DiagnosticKind::UnopenedBracket { bracket: close };
            return Err(self.error(kind, token.span));
        };
        let open = bracket(open.kind);
        if (open == '(') != (close == ')') {
            let kind = DiagnosticKind::MismatchedBracket { open, close };
            return Err(self.error(kind, token.span));
        }
        Ok(())
    }

    /// The span of the next `length` bytes; [`TEXT_LIMIT`] keeps it within `u32`.
    fn span(&self, length: usize) -> Span {
        Span { start: self.at as u32, end: (self.at + length) as u32 }
    }

    fn error(&self, kind: DiagnosticKind, span: Span) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(kind, self.source, span))
    }
}

fn continues_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn begins_entry(character: char) -> bool {
    character.is_ascii_alphabetic() || matches!(character, '_' | '.' | '/' | '\\' | '~')
}

fn continues_entry(character: char) -> bool {
    continues_name(character) || matches!(character, '-' | '.' | '/' | '\\' | '~' | ':')
}

fn bracket(kind: TokenKind) -> char {
    match kind {
        TokenKind::OpenRound => '(',
        TokenKind::CloseRound => ')',
        TokenKind::OpenSquare => '[',
        _ => ']',
    }
}

/// Why a number with `rest` stuck to it is none.
fn number_problem(text: &str, rest: &str) -> &'static str {
    let lower = text.to_ascii_lowercase();
    match rest.as_bytes() {
        _ if lower.starts_with("0x") || lower.starts_with("0b") => "expected decimal digits",
        [b'_', digit, ..] if digit.is_ascii_digit() => "digits are not grouped: `1000`",
        [b'.', ..] => "a number has one point",
        [b'e' | b'E'] => "expected digits after `e`; a product is written `a*b`",
        _ => "a product is written `a*b`, as `2*x`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str, mode: Mode) -> Vec<TokenKind> {
        let tokens = tokenize(&Source::new("t", text), mode).unwrap().tokens;
        tokens.iter().map(|token| token.kind).collect()
    }

    fn numbers(text: &str) -> Vec<f64> {
        let number = |kind| match kind {
            TokenKind::Number(value) => Some(value),
            _ => None,
        };
        kinds(text, Mode::File).into_iter().filter_map(number).collect()
    }

    fn mistake(text: &str) -> DiagnosticKind {
        tokenize(&Source::new("t", text), Mode::File).unwrap_err().kind
    }

    #[test]
    fn numbers_are_read_as_in_any_language() {
        let read = numbers("1 .5 1e-3 2. 1E+3 007 12.25e1 4.9e-324 0e-999 1.7976931348623157e308");
        let expected = [1.0, 0.5, 1e-3, 2.0, 1e3, 7.0, 122.5, 4.9e-324, 0.0, f64::MAX];
        assert_eq!(read, expected);
        assert_eq!(mistake("1e309"), DiagnosticKind::NumberTooLarge);
        assert_eq!(mistake("1e-330"), DiagnosticKind::NumberTooSmall);
        for text in ["1_000", "1e", "1e+", "1.2.3", "0x1F", "2x", "3e5x", "1.e", "1..2"] {
            let kind = mistake(text);
            assert!(matches!(kind, DiagnosticKind::InvalidNumber { .. }), "{text}: {kind:?}");
        }
    }

    #[test]
    fn a_newline_ends_a_statement_only_where_one_can_end() {
        use TokenKind::{End, Equal, Name, Newline, Plus, Semicolon};
        let ends = |text| kinds(text, Mode::File);
        assert_eq!(ends("a\n\n# c\nb"), [Name, Newline, Name, End]);
        assert_eq!(ends("\n;a;\r\nb\n"), [Semicolon, Name, Semicolon, Name, Newline, End]);
        assert_eq!(ends("a =\n\n b + # c\n c"), [Name, Equal, Name, Plus, Name, End]);
        for joined in ["f(a\n,b)", "[a,\nb\n]", "a and\nb", "a in\nb", "a @\nb", "a:\nb", "a <=\nb"] {
            assert!(!ends(joined).contains(&Newline), "{joined}");
        }
        assert!(!kinds("a\n| b\n", Mode::Chain).contains(&Newline));
    }

    #[test]
    fn spans_are_bytes_and_the_end_stands_after_the_last_token() {
        let source = Source::new("t", "\u{feff}# ü\nab <= 1\u{a0}\n\n");
        let tokens = tokenize(&source, Mode::File).unwrap();
        let texts: Vec<&str> = tokens.tokens.iter().map(|t| source.slice(t.span)).collect();
        assert_eq!(texts, ["ab", "<=", "1", "\n", ""]);
        assert_eq!(tokens.tokens[4].span, Span { start: 15, end: 15 });
        assert_eq!(tokens.comments, ["ü"]);
    }

    #[test]
    fn comments_above_the_first_statement_are_kept() {
        let text = "#\n# One\n\n##  two \u{1b}[31m\n#\n# three\n#\nx # no\n# no";
        let tokens = tokenize(&Source::new("t", text), Mode::File).unwrap();
        assert_eq!(tokens.comments, ["One", "two  [31m", "", "three"]);
    }

    #[test]
    fn entry_names_hold_hyphens_and_paths_outside_brackets_only() {
        let source = Source::new("-o", "six-hump-camel(a=b-c) | ./my-adam.opt | in");
        let tokens = tokenize(&source, Mode::Chain).unwrap().tokens;
        let texts: Vec<&str> = tokens.iter().map(|t| source.slice(t.span)).collect();
        let expected = ["six-hump-camel", "(", "a", "=", "b", "-", "c", ")", "|", "./my-adam.opt", "|", "in", ""];
        assert_eq!(texts, expected);
    }

    #[test]
    fn brackets_match() {
        use DiagnosticKind::{MismatchedBracket, UnclosedBracket, UnopenedBracket};
        assert_eq!(mistake("f(x[1]"), UnclosedBracket { bracket: '(' });
        assert_eq!(mistake("x)"), UnopenedBracket { bracket: ')' });
        assert_eq!(mistake("(x]"), MismatchedBracket { open: '(', close: ']' });
    }

    #[test]
    fn limits_are_said_and_their_edge_is_allowed() {
        let edge = "x".repeat(TEXT_LIMIT);
        assert_eq!(kinds(&edge, Mode::File).len(), 2);
        let (bytes, limit) = (TEXT_LIMIT + 1, TEXT_LIMIT);
        let kind = mistake(&"x".repeat(bytes));
        assert_eq!(kind, DiagnosticKind::TextTooLong { bytes, limit });

        assert_eq!(kinds(&"x ".repeat(TOKEN_LIMIT), Mode::File).len(), TOKEN_LIMIT + 1);
        let limit = TOKEN_LIMIT;
        let kind = mistake(&"x ".repeat(TOKEN_LIMIT + 1));
        assert_eq!(kind, DiagnosticKind::TooManyTokens { limit });

        let nested = |depth| "(".repeat(depth) + "x" + &")".repeat(depth);
        assert_eq!(kinds(&nested(NESTING_LIMIT), Mode::File).len(), 2 * NESTING_LIMIT + 2);
        let limit = NESTING_LIMIT;
        assert_eq!(mistake(&nested(NESTING_LIMIT + 1)), DiagnosticKind::TooDeep { limit });
    }

    #[test]
    fn every_foreign_sign_is_named_with_a_way_out() {
        for (sign, instead) in FOREIGN.iter().chain(&[("!", "use `not`")]) {
            let kind = mistake(&format!("a {sign} b"));
            let written = (*sign).to_owned();
            assert_eq!(kind, DiagnosticKind::ForeignOperator { written, instead });
        }
        for (sign, kind) in SIGNS {
            let text = format!("[(a {sign} b)]");
            let is_bracket = "()[]\n".contains(sign);
            assert!(is_bracket || kinds(&text, Mode::File).contains(&kind), "{sign}");
        }
    }
}
