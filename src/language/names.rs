//! Which names a formula leaves open: those that it neither binds nor counts with.

use super::ast::{Expr, ExprKind, Subscript};
use super::{Diagnostic, Source, parse_body};

/// The names that a formula with bindings leaves open, in the order in which they first appear; functions are no names,
/// the constants `pi` and `e` are.
///
/// ```
/// use catchment::language::{Source, free_names};
/// let source = Source::new("model", "r = k*t; a*exp(-r) + sum(j in range(0, 3): j*c)");
/// assert_eq!(free_names(&source)?, ["k", "t", "a", "c"]);
/// # Ok::<(), Box<catchment::language::Diagnostic>>(())
/// ```
///
/// # Errors
/// The first mistake of syntax, at its place.
pub fn free_names(source: &Source) -> Result<Vec<String>, Box<Diagnostic>> {
    let (bindings, value) = parse_body(source)?;
    let mut walk = Walk::default();
    for binding in &bindings {
        walk.expression(&binding.value);
        walk.bound.push(binding.name.text.clone());
    }
    walk.expression(&value);
    Ok(walk.free)
}

#[derive(Default)]
struct Walk {
    bound: Vec<String>,
    free: Vec<String>,
}

impl Walk {
    fn expression(&mut self, expression: &Expr) {
        match &expression.kind {
            ExprKind::Number(_) => {}
            ExprKind::Name(name) => {
                if !self.bound.contains(name) && !self.free.contains(name) {
                    self.free.push(name.clone());
                }
            }
            ExprKind::Prefix(_, operand) => self.expression(operand),
            ExprKind::Chain(first, rest) => {
                self.expression(first);
                rest.iter().for_each(|(_, operand)| self.expression(operand));
            }
            ExprKind::Power(base, exponent) => {
                self.expression(base);
                self.expression(exponent);
            }
            ExprKind::Call { arguments, index, .. } => {
                if let Some(index) = index {
                    self.expression(&index.start);
                    self.expression(&index.end);
                    self.bound.push(index.name.text.clone());
                }
                arguments.iter().for_each(|argument| self.expression(argument));
                if index.is_some() {
                    self.bound.pop();
                }
            }
            ExprKind::Subscript(base, subscripts) => {
                self.expression(base);
                for subscript in subscripts {
                    match subscript {
                        Subscript::At(at) => self.expression(at),
                        Subscript::Slice { start, end, step, .. } => {
                            [start, end, step].into_iter().flatten().for_each(|part| self.expression(part));
                        }
                    }
                }
            }
            ExprKind::List(items) => items.iter().for_each(|item| self.expression(item)),
        }
    }
}
