//! From tokens to the syntax tree.
//!
//! Loosest first: `or`, `and`, `not`, comparisons, `+ -`, `* / @`, unary `-`, `^` (to the right), then calls and
//! subscripts: `-x^2` is `-(x^2)`.

mod call;
mod expression;
mod file;
mod optimizer;

pub use call::{parse_call, parse_chain};
pub use file::{parse_body, parse_formula, parse_surface};
pub use optimizer::parse_optimizer;

use std::collections::HashSet;

use super::ast::{Name, Span};
use super::diagnostic::{Diagnostic, DiagnosticKind, Source};
use super::lexer::{Mode, Token, TokenKind, tokenize};

type Parsed<T> = Result<T, Box<Diagnostic>>;

/// Names that no text may give to something of its own; so are `and`, `or`, `not` and `in`.
const RESERVED: [&str; 9] = ["option", "data", "matrix", "minimum", "hyper", "state", "pi", "e", "n"];

/// Words that begin a statement.
const KEYWORDS: [&str; 6] = ["option", "data", "matrix", "minimum", "hyper", "state"];

/// A place in the tokens.
struct Parser<'a> {
    source: &'a Source,
    tokens: Vec<Token>,
    comments: Vec<String>,
    at: usize,
    /// Brackets, signs and powers around this place.
    nesting: usize,
}

/// How a statement begins.
enum Head {
    /// One of [`KEYWORDS`].
    Keyword(&'static str),
    /// `name =`
    Binding,
    /// `name in`, `name[…] in`
    Parameter,
    /// Anything else.
    Expression,
}

impl<'a> Parser<'a> {
    fn new(source: &'a Source, mode: Mode) -> Parsed<Self> {
        let tokens = tokenize(source, mode)?;
        Ok(Self { source, tokens: tokens.tokens, comments: tokens.comments, at: 0, nesting: 0 })
    }

    fn peek(&self) -> Token {
        self.peek_at(0)
    }

    /// The token `ahead` places on, the end where there is none.
    fn peek_at(&self, ahead: usize) -> Token {
        let end = Token { kind: TokenKind::End, span: Span::default() };
        let at = (self.at + ahead).min(self.tokens.len().saturating_sub(1));
        self.tokens.get(at).copied().unwrap_or(end)
    }

    fn advance(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.peek().kind == kind;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, kind: TokenKind, expected: &str) -> Parsed<Token> {
        if self.peek().kind == kind { Ok(self.advance()) } else { Err(self.unexpected(expected)) }
    }

    fn is_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == TokenKind::Name && self.source.slice(token.span) == word
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn name(&mut self, expected: &str) -> Parsed<Name> {
        let token = self.peek();
        let text = self.source.slice(token.span).to_owned();
        match token.kind {
            TokenKind::Name => {
                self.at += 1;
                Ok(Name { text, span: token.span })
            }
            TokenKind::And | TokenKind::Or | TokenKind::Not | TokenKind::In => {
                Err(self.error(DiagnosticKind::ReservedName { name: text }, token.span))
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn error(&self, kind: DiagnosticKind, span: Span) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(kind, self.source, span))
    }

    /// The next token is not what could stand here.
    #[inline(never)]
    fn unexpected(&self, expected: &str) -> Box<Diagnostic> {
        let token = self.peek();
        let kind = DiagnosticKind::UnexpectedToken { found: self.describe(token), expected: expected.to_owned() };
        self.error(kind, token.span)
    }

    fn describe(&self, token: Token) -> String {
        let text = self.source.slice(token.span);
        match token.kind {
            TokenKind::Newline => "end of the line".into(),
            TokenKind::End => "end of the text".into(),
            TokenKind::Number(_) => format!("number `{text}`"),
            TokenKind::Name => format!("name `{text}`"),
            _ => format!("`{text}`"),
        }
    }

    fn skip_separators(&mut self) {
        while matches!(self.peek().kind, TokenKind::Newline | TokenKind::Semicolon) {
            self.at += 1;
        }
    }

    /// A statement must end here.
    fn end_statement(&self, expected: &str) -> Parsed<()> {
        let token = self.peek();
        match token.kind {
            TokenKind::Newline | TokenKind::Semicolon | TokenKind::End => Ok(()),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A statement must end here, after an expression.
    fn end_expression(&self) -> Parsed<()> {
        let token = self.peek();
        match token.kind {
            TokenKind::Equal => Err(self.unexpected("an operator or the end of the line; `==` compares")),
            kind if kind.begins_value() => {
                let found = self.describe(token);
                Err(self.error(DiagnosticKind::MissingOperator { found }, token.span))
            }
            _ => self.end_statement("an operator or the end of the line"),
        }
    }

    /// A statement must end here, after a list of bindings.
    fn end_bindings(&self) -> Parsed<()> {
        self.end_statement("an operator, `,` or the end of the line")
    }

    fn head(&self) -> Parsed<Head> {
        let (token, after) = (self.peek(), self.peek_at(1).kind);
        let takes_over = match after {
            TokenKind::Equal => Some(Head::Binding),
            TokenKind::In => Some(Head::Parameter),
            TokenKind::OpenSquare if self.after_brackets() == TokenKind::In => Some(Head::Parameter),
            _ => None,
        };
        let text = self.source.slice(token.span);
        let keyword = KEYWORDS.iter().find(|keyword| **keyword == text);
        match (token.kind, takes_over, keyword) {
            (TokenKind::Name, Some(head), _) => Ok(head),
            (TokenKind::Name, None, Some(keyword)) => Ok(Head::Keyword(keyword)),
            (TokenKind::And | TokenKind::Or | TokenKind::Not | TokenKind::In, Some(_), _) => {
                let name = text.to_owned();
                Err(self.error(DiagnosticKind::ReservedName { name }, token.span))
            }
            _ => Ok(Head::Expression),
        }
    }

    /// What follows the bracket that closes the one after the next token.
    fn after_brackets(&self) -> TokenKind {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(self.at + 1) {
            match token.kind {
                TokenKind::OpenRound | TokenKind::OpenSquare => depth += 1,
                TokenKind::CloseRound | TokenKind::CloseSquare => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return self.tokens.get(at + 1).map_or(TokenKind::End, |t| t.kind);
            }
        }
        TokenKind::End
    }
}

/// From the start of one span to the end of a later one.
fn to(first: Span, last: Span) -> Span {
    Span { start: first.start, end: last.end }
}

/// The names that a file has defined.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    /// Takes a name up.
    fn define(&mut self, parser: &Parser<'_>, name: &Name) -> Parsed<()> {
        let text = || name.text.clone();
        if RESERVED.contains(&name.text.as_str()) {
            return Err(parser.error(DiagnosticKind::ReservedName { name: text() }, name.span));
        }
        if !self.insert(name) {
            return Err(parser.error(DiagnosticKind::DuplicateName { name: text() }, name.span));
        }
        Ok(())
    }

    /// Takes a name up, reserved or not; whether it is new.
    fn insert(&mut self, name: &Name) -> bool {
        self.0.insert(name.text.clone())
    }

    fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

#[cfg(test)]
mod tests;
