//! A surface file, and the formulas of the command line.

use super::super::ast::{Binding, Dim, Expr, ExprKind, Interval, Minimum, Parameter, Shaped, SurfaceSource};
use super::super::diagnostic::{Diagnostic, DiagnosticKind, FileKind, Source};
use super::super::lexer::{Mode, Token, TokenKind};
use super::{Head, Names, Parsed, Parser, to};

/// A `.surf` file.
///
/// # Errors
/// The first mistake, at its place.
pub fn parse_surface(source: &Source) -> Result<SurfaceSource, Box<Diagnostic>> {
    let mut parser = Parser::new(source, Mode::File)?;
    let mut file = Statements::default();
    while parser.next_statement(&file)? {
        let head = parser.head()?;
        match head {
            Head::Keyword("option") => {
                parser.each(|parser| {
                    let option = parser.binding("an option, as `option a = 20`")?;
                    file.names.define(parser, &option.name)?;
                    file.options.push(option);
                    Ok(())
                })?;
                parser.end_bindings()?;
            }
            Head::Keyword("data") => {
                let columns = parser.shaped_list("a column", &mut file.names, false)?;
                file.data.extend(columns);
            }
            Head::Keyword("matrix") => {
                let matrices = parser.shaped_list("a matrix", &mut file.names, true)?;
                file.matrices.extend(matrices);
            }
            Head::Keyword("minimum") => file.minima.push(parser.minimum()?),
            Head::Keyword(keyword) => return Err(parser.misplaced(keyword, FileKind::Surface)),
            Head::Parameter => {
                let parameter = parser.parameter(&mut file.names)?;
                file.parameters.push(parameter);
            }
            Head::Binding | Head::Expression => parser.formula_statement(&head, &mut file)?,
        }
    }
    let Some(value) = file.value else {
        return Err(parser.missing_value(FileKind::Surface));
    };
    Ok(SurfaceSource {
        comments: parser.comments,
        parameters: file.parameters,
        options: file.options,
        data: file.data,
        matrices: file.matrices,
        minima: file.minima,
        bindings: file.bindings,
        value,
    })
}

/// Bindings, then the value: `r = norm(x); r^2`.
///
/// # Errors
/// The first mistake, at its place.
pub fn parse_body(source: &Source) -> Result<(Vec<Binding>, Expr), Box<Diagnostic>> {
    let mut parser = Parser::new(source, Mode::File)?;
    let mut file = Statements::default();
    while parser.next_statement(&file)? {
        let head = parser.head()?;
        match head {
            Head::Keyword(keyword) => return Err(parser.misplaced(keyword, FileKind::Formula)),
            Head::Parameter => return Err(parser.misplaced("in", FileKind::Formula)),
            Head::Binding | Head::Expression => parser.formula_statement(&head, &mut file)?,
        }
    }
    match file.value {
        Some(value) => Ok((file.bindings, value)),
        None => Err(parser.missing_value(FileKind::Formula)),
    }
}

/// One expression.
///
/// # Errors
/// The first mistake, at its place.
pub fn parse_formula(source: &Source) -> Result<Expr, Box<Diagnostic>> {
    let mut parser = Parser::new(source, Mode::File)?;
    parser.skip_separators();
    if parser.peek().kind == TokenKind::End {
        return Err(parser.missing_value(FileKind::Formula));
    }
    let value = parser.expression()?;
    if parser.peek().kind == TokenKind::Equal {
        return Err(parser.unexpected("one expression without bindings; `==` compares"));
    }
    parser.end_expression()?;
    parser.skip_separators();
    parser.expect(TokenKind::End, "the end of the text")?;
    Ok(value)
}

/// What the statements so far have given.
#[derive(Default)]
struct Statements {
    names: Names,
    parameters: Vec<Parameter>,
    options: Vec<Binding>,
    data: Vec<Shaped>,
    matrices: Vec<Shaped>,
    minima: Vec<Minimum>,
    bindings: Vec<Binding>,
    value: Option<Expr>,
}

impl Parser<'_> {
    /// Moves to the next statement; nothing may follow the value.
    fn next_statement(&mut self, file: &Statements) -> Parsed<bool> {
        self.skip_separators();
        if self.peek().kind == TokenKind::End {
            return Ok(false);
        }
        // A leading `-` may begin the value, but where there is a value already it goes on with it.
        let is_sign = self.peek().kind == TokenKind::Minus && file.value.is_none();
        if self.at_infix() && !is_sign {
            return Err(self.unexpected("a statement; a line that goes on ends with its operator"));
        }
        let Some(value) = &file.value else {
            return Ok(true);
        };
        let base = match &value.kind {
            ExprKind::Subscript(base, _) => &base.kind,
            kind => kind,
        };
        let kind = match base {
            ExprKind::Name(name) if !file.names.contains(name) => DiagnosticKind::MissingDomain { name: name.clone() },
            _ => DiagnosticKind::ValueNotLast,
        };
        Err(self.error(kind, value.span))
    }

    fn formula_statement(&mut self, head: &Head, file: &mut Statements) -> Parsed<()> {
        if matches!(head, Head::Binding) {
            let binding = self.binding("a name")?;
            file.names.define(self, &binding.name)?;
            file.bindings.push(binding);
        } else {
            file.value = Some(self.expression()?);
            if self.peek().kind == TokenKind::Equal {
                return Err(self.unexpected("a plain name before it"));
            }
        }
        self.end_expression()
    }

    /// A keyword, then entries between commas.
    pub(super) fn each(&mut self, mut entry: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        self.advance();
        entry(self)?;
        while self.eat(TokenKind::Comma) {
            entry(self)?;
        }
        Ok(())
    }

    #[inline(never)]
    pub(super) fn misplaced(&self, keyword: &'static str, file: FileKind) -> Box<Diagnostic> {
        let token = match keyword {
            "in" => {
                self.tokens[self.at..].iter().find(|token| token.kind == TokenKind::In).copied().unwrap_or(self.peek())
            }
            _ => self.peek(),
        };
        self.error(DiagnosticKind::MisplacedKeyword { keyword, file }, token.span)
    }

    fn missing_value(&self, file: FileKind) -> Box<Diagnostic> {
        self.error(DiagnosticKind::MissingValue { file }, self.peek().span)
    }

    /// `x[n >= 2, 3] in [lo, hi], … log`
    fn parameter(&mut self, names: &mut Names) -> Parsed<Parameter> {
        let name = self.name("a parameter")?;
        names.define(self, &name)?;
        let mut dims = Vec::new();
        if self.eat(TokenKind::OpenSquare) {
            dims.push(self.dim()?);
            while self.eat(TokenKind::Comma) {
                dims.push(self.dim()?);
            }
            self.expect(TokenKind::CloseSquare, "`,` or `]`")?;
        }
        self.expect(TokenKind::In, "`in [lo, hi]`")?;
        let mut domain = vec![self.interval()?];
        while self.eat(TokenKind::Comma) {
            domain.push(self.interval()?);
        }
        let log = self.eat_word("log");
        self.end_statement(match log {
            true => "the end of the line or `;`",
            false => "`log`, `,` and another interval, `;` or the end of the line",
        })?;
        Ok(Parameter { name, dims, domain, log })
    }

    fn dim(&mut self) -> Parsed<Dim> {
        let token = self.peek();
        if matches!(token.kind, TokenKind::Number(_)) {
            let value = self.whole("a number")?;
            return Ok(Dim::Fixed { value, span: token.span });
        }
        if token.kind == TokenKind::Name && !self.is_word("n") {
            return Err(self.invalid_dimension(token));
        }
        if !self.eat_word("n") {
            return Err(self.unexpected("a dimension: `n` or a number"));
        }
        let (mut minimum, mut step, mut last) = (1, 1, token.span);
        if self.eat(TokenKind::GreaterEqual) {
            last = self.peek().span;
            minimum = self.whole("the least dimension")?;
        }
        if self.eat_word("step") {
            last = self.peek().span;
            step = self.whole("what the dimension is a multiple of")?;
        }
        if !matches!(self.peek().kind, TokenKind::Comma | TokenKind::CloseSquare) {
            return Err(self.unexpected("`n`, `n >= 2` or `n >= 4 step 4`"));
        }
        Ok(Dim::Free { minimum, step, span: to(token.span, last) })
    }

    /// A whole number of 1 or more.
    fn whole(&mut self, expected: &str) -> Parsed<u32> {
        let token = self.peek();
        let TokenKind::Number(value) = token.kind else {
            return Err(self.unexpected(expected));
        };
        if value.fract() != 0.0 || !(1.0..=f64::from(u32::MAX)).contains(&value) {
            return Err(self.invalid_dimension(token));
        }
        self.at += 1;
        Ok(value as u32)
    }

    fn invalid_dimension(&self, token: Token) -> Box<Diagnostic> {
        let text = self.source.slice(token.span).to_owned();
        self.error(DiagnosticKind::InvalidDimension { text }, token.span)
    }

    fn interval(&mut self) -> Parsed<Interval> {
        let open = self.expect(TokenKind::OpenSquare, "an interval `[lo, hi]`")?;
        let lo = self.expression()?;
        self.expect(TokenKind::Comma, "`,` and the upper end")?;
        let hi = self.expression()?;
        let close = self.expect(TokenKind::CloseSquare, "an operator or `]`")?;
        let span = to(open.span, close.span);
        Ok(Interval { lo, hi, span })
    }

    /// `data u[2], y`, or `matrix R[n, n], w[3, n] = normal(seed)` where matrices may be drawn.
    fn shaped_list(&mut self, what: &str, names: &mut Names, drawn: bool) -> Parsed<Vec<Shaped>> {
        let mut list = Vec::new();
        self.each(|parser| {
            let name = parser.name(&format!("the name of {what}"))?;
            names.define(parser, &name)?;
            let mut dims = Vec::new();
            if parser.eat(TokenKind::OpenSquare) {
                dims.push(parser.expression()?);
                while parser.eat(TokenKind::Comma) {
                    dims.push(parser.expression()?);
                }
                parser.expect(TokenKind::CloseSquare, "an operator, `,` or `]`")?;
            }
            let draw = if drawn && parser.eat(TokenKind::Equal) { Some(parser.expression()?) } else { None };
            list.push(Shaped { name, dims, draw });
            Ok(())
        })?;
        self.end_statement(if drawn {
            "`[`, `=`, `,` or the end of the line"
        } else {
            "`[`, `,` or the end of the line"
        })?;
        Ok(list)
    }

    /// `minimum VALUE at NAME = POINT, …`
    fn minimum(&mut self) -> Parsed<Minimum> {
        self.advance();
        let value = self.expression()?;
        if !self.is_word("at") {
            return Err(self.unexpected("`at` and the point, as `at x = 0`"));
        }
        let mut point = Vec::new();
        let mut names = Names::default();
        self.each(|parser| {
            let coordinate = parser.binding("a parameter, as `at x = 0`")?;
            if !names.insert(&coordinate.name) {
                let name = coordinate.name.text;
                let kind = DiagnosticKind::DuplicateName { name };
                return Err(parser.error(kind, coordinate.name.span));
            }
            point.push(coordinate);
            Ok(())
        })?;
        self.end_bindings()?;
        Ok(Minimum { value, point })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_mistakes, show, show_all};
    use super::*;

    fn surface(text: &str) -> SurfaceSource {
        parse_surface(&Source::new("t", text)).unwrap_or_else(|mistake| panic!("{mistake}"))
    }

    /// `x[n>=2/1] in lo..hi` of every parameter.
    fn parameters(surface: &SurfaceSource) -> Vec<String> {
        let dim = |dim: &Dim| match dim {
            Dim::Free { minimum, step, .. } => format!("n>={minimum}/{step}"),
            Dim::Fixed { value, .. } => value.to_string(),
        };
        let one = |parameter: &Parameter| {
            let dims: Vec<_> = parameter.dims.iter().map(dim).collect();
            let interval = |i: &Interval| format!("{}..{}", show(&i.lo), show(&i.hi));
            let domain: Vec<_> = parameter.domain.iter().map(interval).collect();
            let log = if parameter.log { " log" } else { "" };
            let name = &parameter.name.text;
            format!("{name}[{}] in {}{log}", dims.join(","), domain.join(","))
        };
        surface.parameters.iter().map(one).collect()
    }

    fn shapes(list: &[Shaped]) -> Vec<String> {
        let one = |shaped: &Shaped| {
            let dims: Vec<_> = shaped.dims.iter().map(show).collect();
            format!("{}[{}]", shaped.name.text, dims.join(","))
        };
        list.iter().map(one).collect()
    }

    #[test]
    fn ackley_of_the_manual() {
        let ackley = surface(
            "# Ackley (1987): a nearly flat outer region and a deep central hole.
x[n] in [-32.768, 32.768]
option a = 20, b = 0.2, c = 2*pi
minimum 0 at x = 0

r = sqrt(mean(x^2))
-a*exp(-b*r) - exp(mean(cos(c*x))) + a + e
",
        );
        let summary = "Ackley (1987): a nearly flat outer region and a deep central hole.";
        assert_eq!(ackley.comments, [summary]);
        assert_eq!(parameters(&ackley), ["x[n>=1/1] in (- 32.768)..32.768"]);
        assert_eq!(show_all(&ackley.options), "a=20; b=0.2; c=(2 * pi)");
        assert_eq!(show(&ackley.minima[0].value), "0");
        assert_eq!(show_all(&ackley.minima[0].point), "x=0");
        assert_eq!(show_all(&ackley.bindings), "r=sqrt(mean((^ x 2)))");
        let value = "(((- a) * exp(((- b) * r))) - exp(mean(cos((c * x)))) + a + e)";
        assert_eq!(show(&ackley.value), value);
    }

    #[test]
    fn the_perceptron_and_the_decay_of_the_manual() {
        let perceptron = surface(
            "# A one-hidden-layer perceptron with 16 tanh units and a logistic loss.
W[16, 2] in [-1, 1];  b[16] in [-1, 1];  v[16] in [-1, 1];  c in [-1, 1]
data u[2], y

p = v @ tanh(W @ u + b) + c
mean_rows(log(1 + exp(-y*p)))",
        );
        let expected = ["W[16,2]", "b[16]", "v[16]", "c[]"].map(|name| format!("{name} in (- 1)..1"));
        assert_eq!(parameters(&perceptron), expected);
        assert_eq!(shapes(&perceptron.data), ["u[2]", "y[]"]);
        let decay = surface(
            "a in [0, 10];  k in [1e-4, 10] log;  c in [0, 1]\ndata t, y\n\nmean_rows((a*exp(-k*t) + c - y)^2)\n",
        );
        let expected = ["a[] in 0..10", "k[] in 0.0001..10 log", "c[] in 0..1"];
        assert_eq!(parameters(&decay), expected);
        assert_eq!(decay.parameters[1].name.span.start, 15);
    }

    #[test]
    fn every_declaration_of_the_manual() {
        for (text, expected) in [
            ("x[n >= 2] in [-2.048, 2.048]", "x[n>=2/1] in (- 2.048)..2.048"),
            ("x[n >= 4 step 4] in [-4, 5]", "x[n>=4/4] in (- 4)..5"),
            ("x[n step 2] in [0, 1]", "x[n>=1/2] in 0..1"),
            ("x[2] in [-5, 10], [0, 15]", "x[2] in (- 5)..10,0..15"),
            ("x[2] in [-5, 10],\n [0, 15] log", "x[2] in (- 5)..10,0..15 log"),
            ("x[n] in [-n^2, n^2]", "x[n>=1/1] in (- (^ n 2))..(^ n 2)"),
            ("R[n, n] in [0, 1]", "R[n>=1/1,n>=1/1] in 0..1"),
        ] {
            assert_eq!(parameters(&surface(&format!("{text}\n1"))), [expected], "{text}");
        }
        let all = surface(
            "a in [0, 1]; k in [0, 1]\nmatrix R[n, n], s[n]\nminimum -1.5 at a = 1, k = 2\nminimum 0 at a = [3, n]; a + k",
        );
        assert_eq!(shapes(&all.matrices), ["R[n,n]", "s[n]"]);
        let minima: Vec<_> = all.minima.iter().map(|m| show_all(&m.point)).collect();
        assert_eq!(minima, ["a=1; k=2", "a=[3, n]"]);
        assert_eq!(show(&all.minima[0].value), "(- 1.5)");
    }

    #[test]
    fn a_word_of_a_declaration_is_a_plain_name_elsewhere() {
        let text = "log in [1, 2]; step in [0, 1]\nat = 3\nrange = 2\nhyperbola = 1\nlog(log)*step + at";
        assert_eq!(show(&surface(text).value), "((log(log) * step) + at)");
    }

    #[test]
    fn a_body_is_bindings_and_a_value() {
        let (bindings, value) = parse_body(&Source::new("--expr", "r = norm(x); r^2")).unwrap();
        assert_eq!((show_all(&bindings), show(&value)), ("r=norm(x)".into(), "(^ r 2)".into()));
        assert_mistakes(
            parse_body,
            &[
                ("r = 1", "1:6 the value is missing | ^ expected a last expression that is the value"),
                (
                    "r = 1; r; r",
                    "1:8 only the last statement can be a bare expression | ^ name it with `name = …`, or end the line with an operator if it goes on",
                ),
                (
                    "x[2] in [0,1]; x",
                    "1:6 `in` does not belong in a formula | ^^ write a file for more than bindings and a value",
                ),
                (
                    "option a = 1; a",
                    "1:1 `option` does not belong in a formula | ^^^^^^ write a file for more than bindings and a value",
                ),
            ],
        );
    }

    #[test]
    fn mistakes_stand_where_they_are() {
        assert_mistakes(
            parse_surface,
            &[
                ("# only\n", "1:1 the value is missing | ^ expected a last statement that is the surface's value"),
                (
                    "x[n] in [-1, 1]\n\n",
                    "1:16 the value is missing | ^ expected a last statement that is the surface's value",
                ),
                ("x[n] in (0, 1)\n1", "1:9 unexpected `(` | ^ expected an interval `[lo, hi]`"),
                ("x[n] in [0]\n1", "1:11 unexpected `]` | ^ expected `,` and the upper end"),
                ("x[n]\n1", "1:1 parameter `x` has no domain | ^^^^ expected a domain after it, `in [lo, hi]`"),
                ("x[m] in [0,1]\n1", "1:3 `m` is not a dimension | ^ expected a whole number of 1 or more, or `n`"),
                ("x[0] in [0,1]\n1", "1:3 `0` is not a dimension | ^ expected a whole number of 1 or more, or `n`"),
                (
                    "x[n >= 0.5] in [0,1]\n1",
                    "1:8 `0.5` is not a dimension | ^^^ expected a whole number of 1 or more, or `n`",
                ),
                ("x[n > 2] in [0,1]\n1", "1:5 unexpected `>` | ^ expected `n`, `n >= 2` or `n >= 4 step 4`"),
                ("x[2*n] in [0,1]\n1", "1:4 unexpected `*` | ^ expected `,` or `]`"),
                (
                    "a in [0,1] lin\n1",
                    "1:12 unexpected name `lin` | ^^^ expected `log`, `,` and another interval, `;` or the end of the line",
                ),
                ("a in [0,1]; a in [0,2]\n1", "1:13 `a` is already defined | ^ the second of that name"),
                ("a in [0,1]\na = 3\n1", "2:1 `a` is already defined | ^ the second of that name"),
                ("option a = 1\ndata a\n1", "2:6 `a` is already defined | ^ the second of that name"),
                ("pi in [0,1]\n1", "1:1 `pi` is a reserved name | ^^ choose another name"),
                ("data[2] in [0,1]\n1", "1:1 `data` is a reserved name | ^^^^ choose another name"),
                ("in = 3\n1", "1:1 `in` is a reserved name | ^^ choose another name"),
                ("option a\n1", "1:9 unexpected end of the line | ^ expected `=` and a value"),
                (
                    "option a = 1 b = 2\n1",
                    "1:14 unexpected name `b` | ^ expected an operator, `,` or the end of the line",
                ),
                ("data t y\n1", "1:8 unexpected name `y` | ^ expected `[`, `,` or the end of the line"),
                ("matrix 3\n1", "1:8 unexpected number `3` | ^ expected the name of a matrix"),
                ("minimum 0\n1", "1:10 unexpected end of the line | ^ expected `at` and the point, as `at x = 0`"),
                ("minimum 0 at x = 0, x = 1\n1", "1:21 `x` is already defined | ^ the second of that name"),
                (
                    "hyper lr = 3\n1",
                    "1:1 `hyper` does not belong in a surface | ^^^^^ a surface's named constants are `option`s",
                ),
                ("state m = 3\n1", "1:1 `state` does not belong in a surface | ^^^^^ only an optimizer has a state"),
                (
                    "10*n\n+ 1",
                    "2:1 unexpected `+` | ^ expected a statement; a line that goes on ends with its operator",
                ),
                (
                    "10*n\n- 1",
                    "2:1 unexpected `-` | ^ expected a statement; a line that goes on ends with its operator",
                ),
                ("x[0] = 3\n1", "1:6 unexpected `=` | ^ expected a plain name before it"),
                ("a = b = 3\n1", "1:7 unexpected `=` | ^ expected an operator or the end of the line; `==` compares"),
                ("r = ;2", "1:5 unexpected `;` | ^ expected a value"),
                ("a | b", "1:3 unexpected `|` | ^ expected an operator or the end of the line"),
            ],
        );
    }
}
