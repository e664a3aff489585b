//! An optimizer file.

use super::super::ast::{Binding, Name, OptimizerSource};
use super::super::diagnostic::{Diagnostic, DiagnosticKind, FileKind, Source};
use super::super::lexer::{Mode, TokenKind};
use super::{Head, Names, Parsed, Parser, RESERVED};

/// Given names that an assignment may change.
const CHANGED: [&str; 2] = ["x", "g"];
/// Given names that it may not.
const GIVEN: [&str; 4] = ["f", "t", "T", "n"];

/// An `.opt` file.
///
/// # Errors
/// The first mistake, at its place.
pub fn parse_optimizer(source: &Source) -> Result<OptimizerSource, Box<Diagnostic>> {
    let mut parser = Parser::new(source, Mode::File)?;
    let mut names = Names::default();
    let (mut hyper, mut state) = (Vec::new(), Vec::new());
    let mut assignments: Vec<Binding> = Vec::new();
    loop {
        parser.skip_separators();
        if parser.peek().kind == TokenKind::End {
            break;
        }
        if parser.at_infix() {
            let expected = "a statement; a line that goes on ends with its operator";
            return Err(parser.unexpected(expected));
        }
        match parser.head()? {
            Head::Keyword(keyword @ ("hyper" | "state")) => {
                let list = if keyword == "hyper" { &mut hyper } else { &mut state };
                parser.each(|parser| {
                    let slot = parser.binding("a name, as `lr = 0.1`")?;
                    parser.define_slot(&mut names, &slot.name)?;
                    list.push(slot);
                    Ok(())
                })?;
                parser.end_bindings()?;
                continue;
            }
            Head::Keyword(keyword) => return Err(parser.misplaced(keyword, FileKind::Optimizer)),
            Head::Parameter => return Err(parser.misplaced("in", FileKind::Optimizer)),
            Head::Binding => {
                let assignment = parser.binding("a name")?;
                parser.check_assigned(&hyper, &assignment.name)?;
                assignments.push(assignment);
            }
            Head::Expression => {
                let span = parser.expression()?.span;
                parser.end_expression()?;
                return Err(parser.error(DiagnosticKind::UnassignedExpression, span));
            }
        }
        parser.end_expression()?;
    }
    if assignments.is_empty() {
        let span = parser.peek().span;
        return Err(parser.error(DiagnosticKind::MissingAssignment, span));
    }
    Ok(OptimizerSource { comments: parser.comments, hyper, state, assignments })
}

impl Parser<'_> {
    fn define_slot(&self, names: &mut Names, name: &Name) -> Parsed<()> {
        let text = name.text.as_str();
        if CHANGED.contains(&text) || GIVEN.contains(&text) {
            let name_text = name.text.clone();
            return Err(self.error(DiagnosticKind::ReservedName { name: name_text }, name.span));
        }
        names.define(self, name)
    }

    /// An assignment may change `x`, `g`, a state or a name of its own, as often as it likes.
    fn check_assigned(&self, hyper: &[Binding], name: &Name) -> Parsed<()> {
        let text = name.text.as_str();
        let kind = if GIVEN.contains(&text) || hyper.iter().any(|slot| slot.name.text == text) {
            DiagnosticKind::ReadOnlyName { name: name.text.clone() }
        } else if RESERVED.contains(&text) {
            DiagnosticKind::ReservedName { name: name.text.clone() }
        } else {
            return Ok(());
        };
        Err(self.error(kind, name.span))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_mistakes, show_all};
    use super::*;

    fn optimizer(text: &str) -> OptimizerSource {
        parse_optimizer(&Source::new("t", text)).unwrap_or_else(|mistake| panic!("{mistake}"))
    }

    #[test]
    fn adam_of_the_manual() {
        let adam = optimizer(
            "# Adam (Kingma & Ba 2015), bias-corrected, epsilon outside the square root as PyTorch has it.
hyper lr = 0.001, beta1 = 0.9, beta2 = 0.999, eps = 1e-8
state m = 0, v = 0

m = beta1*m + (1 - beta1)*g
v = beta2*v + (1 - beta2)*g^2
x = x - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
",
        );
        assert_eq!(adam.comments.len(), 1);
        let hyper = "lr=0.001; beta1=0.9; beta2=0.999; eps=0.00000001";
        assert_eq!(show_all(&adam.hyper), hyper);
        assert_eq!(show_all(&adam.state), "m=0; v=0");
        let assigned: Vec<_> = adam.assignments.iter().map(|a| a.name.text.as_str()).collect();
        assert_eq!(assigned, ["m", "v", "x"]);
    }

    #[test]
    fn a_transform_may_assign_again_and_a_function_lends_its_name() {
        let clip = optimizer("hyper max = 1\n\ng = g * min(1, max / norm(g))\ng = g + normal()");
        assert_eq!(show_all(&clip.hyper), "max=1");
        let expected = "g=(g * min(1, (max / norm(g)))); g=(g + normal())";
        assert_eq!(show_all(&clip.assignments), expected);
    }

    #[test]
    fn mistakes_stand_where_they_are() {
        assert_mistakes(
            parse_optimizer,
            &[
                ("hyper lr = 1\n", "1:13 nothing is assigned | ^ expected at least one `name = value`"),
                ("x - lr*g", "1:1 an optimizer has no value | ^^^^^^^^ assign it: `x = …`"),
                (
                    "option a = 1\nx = a",
                    "1:1 `option` does not belong in an optimizer | ^^^^^^ an optimizer's named constants are `hyper`",
                ),
                (
                    "minimum 0 at x = 1\nx = g",
                    "1:1 `minimum` does not belong in an optimizer | ^^^^^^^ only a surface has it",
                ),
                (
                    "x in [0,1]\nx = g",
                    "1:3 `in` does not belong in an optimizer | ^^ only a surface declares parameters",
                ),
                ("hyper t = 1\nx = g", "1:7 `t` is a reserved name | ^ choose another name"),
                ("state x = 1\nx = g", "1:7 `x` is a reserved name | ^ choose another name"),
                ("hyper a = 1\nstate a = 0\nx = g", "2:7 `a` is already defined | ^ the second of that name"),
                ("T = 1", "1:1 `T` cannot be assigned | ^ it is given, not computed: choose another name"),
                ("hyper a = 1\na = 2", "2:1 `a` cannot be assigned | ^ it is given, not computed: choose another name"),
                ("pi = 3", "1:1 `pi` is a reserved name | ^^ choose another name"),
                ("hyper lr\nx = g", "1:9 unexpected end of the line | ^ expected `=` and a value"),
                ("hyper lr = 0.1,, b = 2\nx = g", "1:16 unexpected `,` | ^ expected a name, as `lr = 0.1`"),
                (
                    "x = g\n + 3",
                    "2:2 unexpected `+` | ^ expected a statement; a line that goes on ends with its operator",
                ),
                ("x -= lr*g", "1:3 `-=` is not part of the language | ^^ write `a = a - b`"),
            ],
        );
    }
}
