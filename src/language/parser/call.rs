//! Catalog entries with arguments, alone or in a chain: `noise(sigma=0.1) | adam(lr=0.01)`.

use super::super::ast::CallSource;
use super::super::diagnostic::{Diagnostic, DiagnosticKind, Source};
use super::super::lexer::{Mode, TokenKind};
use super::{Names, Parsed, Parser, to};

/// Entries from left to right: `noise(sigma=0.1) | clip_norm(max=1) | adam(lr=0.01)`.
///
/// # Errors
/// The first mistake, at its place.
pub fn parse_chain(source: &Source) -> Result<Vec<CallSource>, Box<Diagnostic>> {
    let mut parser = Parser::new(source, Mode::Chain)?;
    let mut calls = vec![parser.entry()?];
    while parser.eat(TokenKind::Bar) {
        calls.push(parser.entry()?);
    }
    let expected = match parser.peek_back() {
        TokenKind::CloseRound => "`|` or the end of the text",
        _ => "`(`, `|` or the end of the text",
    };
    parser.expect(TokenKind::End, expected)?;
    Ok(calls)
}

/// One entry: `ackley(a=10)`. In its name `-` is read as `_`, unless it is a path.
///
/// # Errors
/// The first mistake, at its place.
pub fn parse_call(source: &Source) -> Result<CallSource, Box<Diagnostic>> {
    let mut parser = Parser::new(source, Mode::Chain)?;
    let call = parser.entry()?;
    let expected = match call.span == call.name.span {
        true => "`(` or the end of the text",
        false => "the end of the text",
    };
    parser.expect(TokenKind::End, expected)?;
    Ok(call)
}

impl Parser<'_> {
    fn peek_back(&self) -> TokenKind {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.map_or(TokenKind::End, |token| token.kind)
    }

    fn entry(&mut self) -> Parsed<CallSource> {
        let mut name = self.name("a name, as `adam`")?;
        if !name.text.contains(['.', '/', '\\', '~', ':']) {
            name.text = name.text.replace('-', "_");
        }
        let mut span = name.span;
        let mut arguments = Vec::new();
        if self.eat(TokenKind::OpenRound) {
            let mut names = Names::default();
            while self.peek().kind != TokenKind::CloseRound {
                self.check_named()?;
                let argument = self.binding("`name = value`")?;
                if !names.insert(&argument.name) {
                    let name = argument.name.text;
                    let kind = DiagnosticKind::DuplicateName { name };
                    return Err(self.error(kind, argument.name.span));
                }
                arguments.push(argument);
                if !self.eat(TokenKind::Comma) {
                    break;
                }
            }
            let close = self.close(TokenKind::CloseRound, "an operator, `,` or `)`")?;
            span = to(span, close.span);
        }
        Ok(CallSource { name, arguments, span })
    }

    /// A value where `name = value` is due is the commonest slip, and worth its own words.
    fn check_named(&self) -> Parsed<()> {
        let token = self.peek();
        let after = self.peek_at(1).kind;
        let is_named = token.kind == TokenKind::Name
            && !matches!(after, TokenKind::Comma | TokenKind::CloseRound | TokenKind::OpenRound);
        if token.kind.begins_value() && !is_named {
            return Err(self.error(DiagnosticKind::UnnamedArgument, token.span));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_mistakes, show_all};
    use super::*;

    fn chain(text: &str) -> Vec<String> {
        let calls = parse_chain(&Source::new("-o", text)).unwrap_or_else(|m| panic!("{m}"));
        let one = |call: &CallSource| format!("{}({})", call.name.text, show_all(&call.arguments));
        calls.iter().map(one).collect()
    }

    #[test]
    fn chains_of_the_manual() {
        for (text, expected) in [
            ("adam", vec!["adam()"]),
            (
                "noise(sigma=0.1) | clip_norm(max=1) | adam(lr=0.01)",
                vec!["noise(sigma=0.1)", "clip_norm(max=1)", "adam(lr=0.01)"],
            ),
            (
                "adam(lr = 0.05*0.5*(1 + cos(pi*t/T)), beta1=0.8)",
                vec!["adam(lr=(0.05 * 0.5 * (1 + cos((pi * t / T)))); beta1=0.8)"],
            ),
            ("clip-norm() |\n adam(lr=[1e-1, 1])", vec!["clip_norm()", "adam(lr=[0.1, 1])"]),
            ("adam(lr = log_uniform(0.1, 1))", vec!["adam(lr=log_uniform(0.1, 1))"]),
            ("./my-own.opt(lr=1) | in", vec!["./my-own.opt(lr=1)", "in()"]),
        ] {
            assert_eq!(chain(text), expected, "{text}");
        }
    }

    #[test]
    fn a_call_knows_its_place() {
        let call = parse_call(&Source::new("t", " six-hump-camel( a = 1 ) ")).unwrap();
        assert_eq!(call.name.text, "six_hump_camel");
        assert_eq!((call.span.start, call.span.end), (1, 24));
        assert_eq!((call.name.span.start, call.name.span.end), (1, 15));
        let call = parse_call(&Source::new("t", "ackley")).unwrap();
        assert_eq!(call.span, call.name.span);
    }

    #[test]
    fn mistakes_stand_where_they_are() {
        assert_mistakes(
            parse_chain,
            &[
                ("", "1:1 unexpected end of the text | ^ expected a name, as `adam`"),
                ("adam | ", "1:7 unexpected end of the text | ^ expected a name, as `adam`"),
                ("adam || sgd", "1:7 unexpected `|` | ^ expected a name, as `adam`"),
                ("adam sgd", "1:6 unexpected name `sgd` | ^^^ expected `(`, `|` or the end of the text"),
                ("adam() sgd", "1:8 unexpected name `sgd` | ^^^ expected `|` or the end of the text"),
                ("adam(0.1)", "1:6 an argument without a name | ^^^ expected `name = value`"),
                ("adam(lr)", "1:6 an argument without a name | ^^ expected `name = value`"),
                ("adam(lr 0.1)", "1:9 unexpected number `0.1` | ^^^ expected `=` and a value"),
                ("adam(beta-1=3)", "1:10 unexpected `-` | ^ expected `=` and a value"),
                ("adam(lr=)", "1:9 unexpected `)` | ^ expected a value"),
                ("adam(lr=1 eps=2)", "1:11 unexpected name `eps` | ^^^ expected an operator, `,` or `)`"),
                ("adam(lr=1, lr=2)", "1:12 `lr` is already defined | ^^ the second of that name"),
                ("adam(lr=[1,2)", "1:13 `)` does not close `[` | ^ expected `]`"),
                ("sgd(lr=0.1", "1:4 unclosed `(` | ^ no `)` closes this"),
                ("adam(in=3)", "1:6 `in` is a reserved name | ^^ choose another name"),
            ],
        );
        assert_mistakes(
            parse_call,
            &[
                ("ackley | x", "1:8 unexpected `|` | ^ expected `(` or the end of the text"),
                ("ackley(a=1)(b=2)", "1:12 unexpected `(` | ^ expected the end of the text"),
            ],
        );
    }
}
