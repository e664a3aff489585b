//! One expression. Operators wait on a stack of their own, so that only brackets nest the parser's calls.

use super::super::ast::{Binding, Expr, ExprKind, IndexClause, Infix, Name, Prefix, Span, Subscript};
use super::super::diagnostic::DiagnosticKind;
use super::super::lexer::{NESTING_LIMIT, Token, TokenKind};
use super::{Parsed, Parser, RESERVED, to};

/// Deepest syntax tree. Brackets are limited in themselves; this also counts the operators between them, and is what
/// a recursive walk over the tree may rely on.
pub const DEPTH_LIMIT: usize = 500;

/// How tightly an operator binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Comparison,
    Sum,
    Product,
    Negation,
    Power,
}

/// An operator that waits for its right operand.
enum Pending {
    Prefix(Prefix, Span),
    Power(Expr),
    Chain { level: Level, first: Expr, rest: Vec<(Infix, Expr)>, last: Infix },
}

impl Pending {
    fn level(&self) -> Level {
        match self {
            Self::Prefix(Prefix::Not, _) => Level::Not,
            Self::Prefix(Prefix::Negate, _) => Level::Negation,
            Self::Power(_) => Level::Power,
            Self::Chain { level, .. } => *level,
        }
    }

    fn apply(self, operand: Expr) -> Expr {
        let end = operand.span.end;
        let (start, kind) = match self {
            Self::Prefix(prefix, span) => (span.start, ExprKind::Prefix(prefix, Box::new(operand))),
            Self::Power(base) => {
                let start = base.span.start;
                (start, ExprKind::Power(Box::new(base), Box::new(operand)))
            }
            Self::Chain { first, mut rest, last, .. } => {
                rest.push((last, operand));
                (first.span.start, ExprKind::Chain(Box::new(first), rest))
            }
        };
        Expr { kind, span: Span { start, end } }
    }
}

fn infix(kind: TokenKind) -> Option<(Infix, Level)> {
    Some(match kind {
        TokenKind::Or => (Infix::Or, Level::Or),
        TokenKind::And => (Infix::And, Level::And),
        TokenKind::Less => (Infix::Less, Level::Comparison),
        TokenKind::LessEqual => (Infix::LessEqual, Level::Comparison),
        TokenKind::Greater => (Infix::Greater, Level::Comparison),
        TokenKind::GreaterEqual => (Infix::GreaterEqual, Level::Comparison),
        TokenKind::EqualEqual => (Infix::Equal, Level::Comparison),
        TokenKind::NotEqual => (Infix::NotEqual, Level::Comparison),
        TokenKind::Plus => (Infix::Add, Level::Sum),
        TokenKind::Minus => (Infix::Subtract, Level::Sum),
        TokenKind::Star => (Infix::Multiply, Level::Product),
        TokenKind::Slash => (Infix::Divide, Level::Product),
        TokenKind::At => (Infix::Matmul, Level::Product),
        TokenKind::Caret => (Infix::Power, Level::Power),
        _ => return None,
    })
}

impl Parser<'_> {
    /// An expression, at most [`DEPTH_LIMIT`] deep.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        let expr = self.operators()?;
        match deeper_than(&expr, DEPTH_LIMIT) {
            None => Ok(expr),
            Some(span) => Err(self.error(DiagnosticKind::TooDeep { limit: DEPTH_LIMIT }, span)),
        }
    }

    /// Whether the next token is an operator that stands between two values.
    pub(super) fn at_infix(&self) -> bool {
        infix(self.peek().kind).is_some()
    }

    fn operators(&mut self) -> Parsed<Expr> {
        let mut pending = Vec::new();
        loop {
            self.prefixes(&mut pending)?;
            let mut operand = self.postfix()?;
            let Some((operator, level)) = infix(self.peek().kind) else {
                while let Some(last) = pending.pop() {
                    operand = self.reduce(last, operand);
                }
                return Ok(operand);
            };
            while let Some(last) = pending.pop_if(|last| last.level() > level) {
                operand = self.reduce(last, operand);
            }
            self.await_operand(&mut pending, operand, operator, level)?;
        }
    }

    fn prefixes(&mut self, pending: &mut Vec<Pending>) -> Parsed<()> {
        loop {
            let token = self.peek();
            let prefix = match token.kind {
                TokenKind::Minus => Prefix::Negate,
                TokenKind::Not if pending.last().is_none_or(|p| p.level() <= Level::Not) => Prefix::Not,
                TokenKind::Not => return Err(self.unexpected("a value, or brackets around `not`")),
                _ => return Ok(()),
            };
            self.nest(token)?;
            self.at += 1;
            pending.push(Pending::Prefix(prefix, token.span));
        }
    }

    fn await_operand(
        &mut self,
        pending: &mut Vec<Pending>,
        operand: Expr,
        operator: Infix,
        level: Level,
    ) -> Parsed<()> {
        let token = self.advance();
        if level == Level::Power {
            self.nest(token)?;
            pending.push(Pending::Power(operand));
            return Ok(());
        }
        match pending.last_mut() {
            Some(Pending::Chain { level: Level::Comparison, .. }) if level == Level::Comparison => {
                return Err(self.error(DiagnosticKind::ChainedComparison, token.span));
            }
            Some(Pending::Chain { level: same, rest, last, .. }) if *same == level => {
                rest.push((*last, operand));
                *last = operator;
            }
            _ => pending.push(Pending::Chain { level, first: operand, rest: Vec::new(), last: operator }),
        }
        Ok(())
    }

    fn reduce(&mut self, pending: Pending, operand: Expr) -> Expr {
        if !matches!(pending, Pending::Chain { .. }) {
            self.nesting -= 1;
        }
        pending.apply(operand)
    }

    fn nest(&mut self, token: Token) -> Parsed<()> {
        if self.nesting == NESTING_LIMIT {
            let limit = NESTING_LIMIT;
            return Err(self.error(DiagnosticKind::TooDeep { limit }, token.span));
        }
        self.nesting += 1;
        Ok(())
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        let outside = self.nesting;
        while self.peek().kind == TokenKind::OpenSquare {
            // Each subscript holds all before it.
            self.nest(self.peek())?;
            let (subscripts, end) = self.subscripts()?;
            let span = to(expr.span, end);
            let kind = ExprKind::Subscript(Box::new(expr), subscripts);
            expr = Expr { kind, span };
        }
        self.nesting = outside;
        Ok(expr)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek();
        let kind = match token.kind {
            TokenKind::Number(value) => ExprKind::Number(value),
            TokenKind::Name if self.peek_at(1).kind == TokenKind::OpenRound => return self.call(),
            TokenKind::Name => ExprKind::Name(self.source.slice(token.span).to_owned()),
            TokenKind::OpenRound => return self.brackets(),
            TokenKind::OpenSquare => return self.list(),
            _ => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        Ok(Expr { kind, span: token.span })
    }

    fn brackets(&mut self) -> Parsed<Expr> {
        let open = self.advance();
        self.nest(open)?;
        let mut expr = self.operators()?;
        self.nesting -= 1;
        if self.peek().kind != TokenKind::CloseRound && self.peek().kind.begins_value() {
            self.end_expression()?;
        }
        let close = self.close(TokenKind::CloseRound, "an operator or `)`")?;
        expr.span = to(open.span, close.span);
        Ok(expr)
    }

    fn list(&mut self) -> Parsed<Expr> {
        let open = self.advance();
        self.nest(open)?;
        if self.peek().kind == TokenKind::CloseSquare {
            let span = to(open.span, self.peek().span);
            return Err(self.error(DiagnosticKind::EmptyList, span));
        }
        let mut items = vec![self.operators()?];
        while self.eat(TokenKind::Comma) && self.peek().kind != TokenKind::CloseSquare {
            items.push(self.operators()?);
        }
        self.nesting -= 1;
        let close = self.close(TokenKind::CloseSquare, "an operator, `,` or `]`")?;
        Ok(Expr { kind: ExprKind::List(items), span: to(open.span, close.span) })
    }

    fn call(&mut self) -> Parsed<Expr> {
        let function = self.name("a function")?;
        let open = self.advance();
        self.nest(open)?;
        let index = match self.peek_at(1).kind {
            TokenKind::In => Some(Box::new(self.index_clause()?)),
            _ => None,
        };
        let mut arguments = Vec::new();
        if index.is_some() || self.peek().kind != TokenKind::CloseRound {
            loop {
                arguments.push(self.operators()?);
                if index.is_some() || !self.eat(TokenKind::Comma) {
                    break;
                }
            }
        }
        self.nesting -= 1;
        self.close_call(function, arguments, index)
    }

    fn close_call(&mut self, function: Name, arguments: Vec<Expr>, index: Option<Box<IndexClause>>) -> Parsed<Expr> {
        let expected = match index {
            Some(_) => "an operator or `)`",
            None => "an operator, `,` or `)`",
        };
        let close = self.close(TokenKind::CloseRound, expected)?;
        let span = to(function.span, close.span);
        let kind = ExprKind::Call { function, arguments, index };
        Ok(Expr { kind, span })
    }

    /// `j in range(start, end):`
    fn index_clause(&mut self) -> Parsed<IndexClause> {
        let name = self.name("the name of an index")?;
        if RESERVED.contains(&name.text.as_str()) {
            let kind = DiagnosticKind::ReservedName { name: name.text };
            return Err(self.error(kind, name.span));
        }
        self.expect(TokenKind::In, "`in`")?;
        if !self.eat_word("range") {
            return Err(self.unexpected("`range(start, end)`"));
        }
        let open = self.expect(TokenKind::OpenRound, "`(`")?;
        self.nest(open)?;
        let start = self.operators()?;
        self.expect(TokenKind::Comma, "`,` and the end, as `range(0, n)`")?;
        let end = self.operators()?;
        self.nesting -= 1;
        self.close(TokenKind::CloseRound, "an operator or `)`")?;
        self.expect(TokenKind::Colon, "`:` and the formula in the index")?;
        Ok(IndexClause { name, start, end })
    }

    /// The bracket after a value, and where it ends.
    fn subscripts(&mut self) -> Parsed<(Vec<Subscript>, Span)> {
        self.advance();
        let mut subscripts = Vec::new();
        loop {
            let first = self.at;
            let mut bounds = Vec::new();
            loop {
                let is_left_out =
                    matches!(self.peek().kind, TokenKind::Colon | TokenKind::Comma | TokenKind::CloseSquare);
                bounds.push(if is_left_out { None } else { Some(self.operators()?) });
                if bounds.len() == 3 || !self.eat(TokenKind::Colon) {
                    break;
                }
            }
            subscripts.push(self.subscript(first, bounds)?);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        let close = self.close(TokenKind::CloseSquare, "an operator, `:`, `,` or `]`")?;
        Ok((subscripts, close.span))
    }

    /// One subscript from the bounds between its colons; `first` is its first token.
    fn subscript(&self, first: usize, bounds: Vec<Option<Expr>>) -> Parsed<Subscript> {
        let is_slice = bounds.len() > 1;
        let mut bounds = bounds.into_iter();
        let mut bound = || bounds.next().flatten();
        let (start, end, step) = (bound(), bound(), bound());
        if is_slice {
            let span = to(self.tokens[first].span, self.tokens[self.at - 1].span);
            return Ok(Subscript::Slice { start, end, step, span });
        }
        match start {
            Some(index) => Ok(Subscript::At(index)),
            None => Err(self.unexpected("an index, or a slice as `1:`")),
        }
    }

    /// A bracket closes here.
    pub(super) fn close(&mut self, kind: TokenKind, expected: &str) -> Parsed<Token> {
        match self.peek().kind {
            found if found == kind => Ok(self.advance()),
            TokenKind::Equal => Err(self.unexpected(&format!("{expected}; `==` compares"))),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// `name = expression`
    pub(super) fn binding(&mut self, expected: &str) -> Parsed<Binding> {
        let name = self.name(expected)?;
        self.expect(TokenKind::Equal, "`=` and a value")?;
        let value = self.expression()?;
        Ok(Binding { name, value })
    }
}

/// The place of some node more than `limit` deep. Walks without recursion: it is what makes recursion safe elsewhere.
fn deeper_than(expr: &Expr, limit: usize) -> Option<Span> {
    let mut todo = vec![(expr, 1)];
    while let Some((expr, depth)) = todo.pop() {
        if depth > limit {
            return Some(expr.span);
        }
        let mut visit = |child| todo.push((child, depth + 1));
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::Name(_) => {}
            ExprKind::Prefix(_, operand) => visit(operand),
            ExprKind::Chain(first, rest) => {
                visit(first);
                rest.iter().for_each(|(_, operand)| visit(operand));
            }
            ExprKind::Power(base, exponent) => {
                visit(base);
                visit(exponent);
            }
            ExprKind::Call { arguments, index, .. } => {
                arguments.iter().for_each(&mut visit);
                if let Some(index) = index {
                    visit(&index.start);
                    visit(&index.end);
                }
            }
            ExprKind::Subscript(base, subscripts) => {
                visit(base);
                for subscript in subscripts {
                    match subscript {
                        Subscript::At(index) => visit(index),
                        Subscript::Slice { start, end, step, .. } => {
                            [start, end, step].into_iter().flatten().for_each(&mut visit)
                        }
                    }
                }
            }
            ExprKind::List(items) => items.iter().for_each(visit),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::super::diagnostic::Source;
    use super::super::parse_formula;
    use super::super::tests::{assert_mistakes, show};
    use super::*;

    fn tree(text: &str) -> String {
        match parse_formula(&Source::new("t", text)) {
            Ok(expr) => show(&expr),
            Err(mistake) => panic!("{mistake}"),
        }
    }

    #[test]
    fn operators_bind_as_the_manual_says() {
        for (text, expected) in [
            ("-x^2", "(- (^ x 2))"),
            ("2^-x", "(^ 2 (- x))"),
            ("2^-x^2", "(^ 2 (- (^ x 2)))"),
            ("2^-x*3", "((^ 2 (- x)) * 3)"),
            ("a^b^c", "(^ a (^ b c))"),
            ("-a*b", "((- a) * b)"),
            ("a*-b", "(a * (- b))"),
            ("a - -b", "(a - (- b))"),
            ("--a", "(- (- a))"),
            ("a + b*c^d", "(a + (b * (^ c d)))"),
            ("a*b + c", "((a * b) + c)"),
            ("a - b - c + d", "(a - b - c + d)"),
            ("a/b*c @ d", "(a / b * c @ d)"),
            ("a - (b - c)", "(a - (b - c))"),
            ("(a - b) - c", "((a - b) - c)"),
            ("a + b < c*d", "((a + b) < (c * d))"),
            ("a < b and c >= d or e != f", "(((a < b) and (c >= d)) or (e != f))"),
            ("a or b and c or d", "(a or (b and c) or d)"),
            ("not a < b", "(not (a < b))"),
            ("not a and not not b", "((not a) and (not (not b)))"),
            ("(a < b) == c", "((a < b) == c)"),
            ("-x[0]^2", "(- (^ x[0] 2))"),
            ("x[0]^x[1]", "(^ x[0] x[1])"),
            ("-f(x)^2*3 - 1", "(((- (^ f(x) 2)) * 3) - 1)"),
            ("A @ x + b", "((A @ x) + b)"),
            ("a^-b^-c + d", "((^ a (- (^ b (- c)))) + d)"),
        ] {
            assert_eq!(tree(text), expected, "{text}");
        }
    }

    #[test]
    fn calls_lists_and_subscripts_are_read() {
        for (text, expected) in [
            ("f()", "f()"),
            ("where(x > 0, x, -x)", "where((x > 0), x, (- x))"),
            ("x[0]", "x[0]"),
            ("x[-1]", "x[(- 1)]"),
            ("x[1:]", "x[1:_:_]"),
            ("x[:-1]", "x[_:(- 1):_]"),
            ("x[::2]", "x[_:_:2]"),
            ("x[:]", "x[_:_:_]"),
            ("x[1:n-1:2]", "x[1:(n - 1):2]"),
            ("A[j, 0]", "A[j, 0]"),
            ("A[:, 1]", "A[_:_:_, 1]"),
            ("A[0][1]", "A[0][1]"),
            ("[1, 2, 3][0]", "[1, 2, 3][0]"),
            ("[[1, 2],\n [3, 4],\n]", "[[1, 2], [3, 4]]"),
            ("(a + b)[0]", "(a + b)[0]"),
            ("sum(j in range(1, n+1): x[j-1]^j)", "sum(j in 1..(n + 1): (^ x[(j - 1)] j))"),
            ("1 +\n 2", "(1 + 2)"),
        ] {
            assert_eq!(tree(text), expected, "{text}");
        }
    }

    #[test]
    fn spans_cover_what_was_written() {
        let text = "  (a + b)*f(x)[1:2] - c^-2";
        let expr = parse_formula(&Source::new("t", text)).unwrap();
        let at = |span: Span| &text[span.start as usize..span.end as usize];
        assert_eq!(at(expr.span), text.trim());
        let ExprKind::Chain(product, rest) = &expr.kind else {
            panic!("not a chain");
        };
        assert_eq!(at(product.span), "(a + b)*f(x)[1:2]");
        assert_eq!(at(rest[0].1.span), "c^-2");
        let ExprKind::Chain(sum, factors) = &product.kind else {
            panic!("not a chain");
        };
        assert_eq!((at(sum.span), at(factors[0].1.span)), ("(a + b)", "f(x)[1:2]"));
        let ExprKind::Subscript(_, subscripts) = &factors[0].1.kind else {
            panic!("not a subscript");
        };
        let Subscript::Slice { span, .. } = &subscripts[0] else {
            panic!("not a slice");
        };
        assert_eq!(at(*span), "1:2");
    }

    #[test]
    fn mistakes_stand_where_they_are() {
        assert_mistakes(
            parse_formula,
            &[
                ("", "1:1 the value is missing | ^ expected a last expression that is the value"),
                ("a +", "1:4 unexpected end of the text | ^ expected a value"),
                ("a ^ * b", "1:5 unexpected `*` | ^ expected a value"),
                ("2 x", "1:3 missing operator before name `x` | ^ a product is written `a*b`"),
                ("(2 x)", "1:4 missing operator before name `x` | ^ a product is written `a*b`"),
                ("f(x)(y)", "1:5 missing operator before `(` | ^ a product is written `a*b`"),
                ("max(a b)", "1:7 unexpected name `b` | ^ expected an operator, `,` or `)`"),
                ("[1 2]", "1:4 unexpected number `2` | ^ expected an operator, `,` or `]`"),
                ("[1; 2]", "1:3 unexpected `;` | ^ expected an operator, `,` or `]`"),
                ("[]", "1:1 the list is empty | ^^ expected at least one element"),
                ("f(1,)", "1:5 unexpected `)` | ^ expected a value"),
                ("a < b < c", "1:7 comparisons do not chain | ^ write `a < b and b < c`"),
                ("a + not b", "1:5 unexpected `not` | ^^^ expected a value, or brackets around `not`"),
                ("x[]", "1:3 unexpected `]` | ^ expected an index, or a slice as `1:`"),
                ("x[1:2:3:4]", "1:8 unexpected `:` | ^ expected an operator, `:`, `,` or `]`"),
                ("sum(x, axis=0)", "1:12 unexpected `=` | ^ expected an operator, `,` or `)`; `==` compares"),
                ("sum(j in 3: j)", "1:10 unexpected number `3` | ^ expected `range(start, end)`"),
                ("sum(j in range(3): j)", "1:17 unexpected `)` | ^ expected `,` and the end, as `range(0, n)`"),
                ("sum(j in range(0, 3) j)", "1:22 unexpected name `j` | ^ expected `:` and the formula in the index"),
                ("sum(n in range(0, 3): n)", "1:5 `n` is a reserved name | ^ choose another name"),
                ("(\n a,\n b", "1:1 unclosed `(` | ^ no `)` closes this"),
                ("f(x]", "1:4 `]` does not close `(` | ^ expected `)`"),
                ("f(x))", "1:5 unexpected `)` | ^ this `)` closes nothing"),
                ("é", "1:1 unexpected character `é` | ^ names have the letters a to z only"),
                ("np.sum(x)", "1:3 unexpected character `.` | ^ names have no dots: `sum`, not `np.sum`"),
                ("x**2", "1:2 `**` is not part of the language | ^^ use `^` for a power"),
                ("x % 2", "1:3 `%` is not part of the language | ^ use `a - b*floor(a/b)` for a remainder"),
                ("1_000", "1:1 `1_000` is not a number | ^^^^^ digits are not grouped: `1000`"),
                ("1e999", "1:1 the number is too large | ^^^^^ the largest is about 1.8e308"),
                ("1e-999", "1:1 the number is too small | ^^^^^^ this would be read as zero"),
                ("r = 1", "1:3 unexpected `=` | ^ expected one expression without bindings; `==` compares"),
                ("1; 2", "1:4 unexpected number `2` | ^ expected the end of the text"),
                (
                    &"(".repeat(201),
                    "1:201 the formula is nested too deeply | ^ the limit is 200 levels: give an inner part a name",
                ),
            ],
        );
    }
}
