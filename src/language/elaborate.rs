//! From syntax to graph: names get meanings, shapes are checked, indexed reductions become axes.
//!
//! `sum(j in range(a, b): body)` elaborates its body once, over an axis for `j`. Only where `j` is used in a way that an
//! axis cannot follow (a subscript that is not `a*j + b`) is the body written out for every `j`.

use super::ast::{Binding, Expr, ExprKind, IndexClause, Infix, Prefix, Span, Subscript};
use super::diagnostic::{Diagnostic, DiagnosticKind as Kind, Source, nearest};
use super::parser::parse_body;
use crate::graph::{Axes, Axis, AxisKind, Binary, Graph, Input, Law, NodeId, Reduction, Scan, Unary};
use std::collections::HashMap;

/// The most nodes that one formula may become.
pub const MAX_NODES: usize = 100_000;

/// The functions that are not operators of the table, for lookups and suggestions.
const FUNCTIONS: &[&str] = &[
    "where",
    "relu",
    "clamp",
    "min",
    "max",
    "atan2",
    "sum",
    "prod",
    "mean",
    "norm",
    "dot",
    "cumsum",
    "logsumexp",
    "range",
    "transpose",
    "mean_rows",
    "sum_rows",
    "normal",
    "uniform",
];

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meaning {
    /// A value.
    Node(NodeId),
    /// A bound index that is an axis: `first + position`.
    Index { axis: Axis, first: i64 },
    /// A bound index that is written out.
    Written(i64),
}

/// Why elaboration stopped.
#[derive(Debug)]
enum Stop {
    /// An axis cannot follow this use of a bound index: write the body out.
    WriteOut,
    /// The user's mistake.
    Mistake(Box<Diagnostic>),
}

type Step<T> = Result<T, Stop>;

/// A subscript as `constant + step·position` along at most one axis.
struct Affine {
    constant: i64,
    along: Option<(Axis, i64)>,
    /// Whether a bound index is in it: then a negative value is out of range and does not count from the end.
    bound: bool,
}

/// Elaborates expressions of one source into one graph.
pub(crate) struct Elaborator<'a> {
    graph: &'a mut Graph,
    source: &'a Source,
    names: HashMap<String, Meaning>,
    depth: u8,
    /// The dimension, where `normal()` and `uniform()` may draw, and the number of draws so far.
    draws: Option<(u32, &'a mut u32)>,
    /// The rows of the surface's table.
    rows: Option<Axis>,
}

impl<'a> Elaborator<'a> {
    /// An elaborator that knows `pi`, `e` and the names given.
    pub(crate) fn new(graph: &'a mut Graph, source: &'a Source, names: &[(&str, NodeId)]) -> Elaborator<'a> {
        let mut all = HashMap::new();
        for (name, value) in [("pi", std::f64::consts::PI), ("e", std::f64::consts::E)] {
            all.insert(name.to_owned(), Meaning::Node(graph.constant(value)));
        }
        all.extend(names.iter().map(|&(name, node)| (name.to_owned(), Meaning::Node(node))));
        Elaborator { graph, source, names: all, depth: 0, draws: None, rows: None }
    }

    /// Lets `normal()` and `uniform()` draw vectors of `n`; `sites` counts the places.
    pub(crate) fn with_draws(mut self, n: u32, sites: &'a mut u32) -> Self {
        self.draws = Some((n, sites));
        self
    }

    /// Lets `mean_rows` and `sum_rows` sum over these rows.
    pub(crate) fn set_rows(&mut self, rows: Axis) {
        self.rows = Some(rows);
    }

    /// The rows of the surface's table.
    pub(crate) fn rows(&self) -> Option<Axis> {
        self.rows
    }

    /// Gives a name a value; a later one hides an earlier one.
    pub(crate) fn define(&mut self, name: &str, node: NodeId) {
        self.names.insert(name.to_owned(), Meaning::Node(node));
    }

    /// The node a name stands for.
    pub(crate) fn lookup(&self, name: &str) -> Option<NodeId> {
        match self.names.get(name) {
            Some(Meaning::Node(node)) => Some(*node),
            _ => None,
        }
    }

    /// A number, vector or matrix.
    pub(crate) fn value(&mut self, expr: &Expr) -> Result<NodeId, Box<Diagnostic>> {
        match self.number(expr) {
            Ok(node) => Ok(node),
            Err(Stop::Mistake(d)) => Err(d),
            // Outside every bound index nothing asks for writing out.
            Err(Stop::WriteOut) => Err(Box::new(self.diagnostic(expr.span, Kind::TooManyNodes { limit: MAX_NODES }))),
        }
    }

    /// A scalar.
    pub(crate) fn scalar(&mut self, expr: &Expr) -> Result<NodeId, Box<Diagnostic>> {
        let node = self.value(expr)?;
        let axes = self.graph.axes(node);
        if axes.is_scalar() {
            Ok(node)
        } else if axes.within_row().is_scalar() {
            Err(Box::new(self.diagnostic(expr.span, Kind::RowsNotJoined)))
        } else {
            Err(Box::new(self.diagnostic(expr.span, Kind::ExpectedScalar { found: axes.to_string() })))
        }
    }

    /// A constant number.
    pub(crate) fn constant(&mut self, expr: &Expr, what: &str) -> Result<f64, Box<Diagnostic>> {
        let node = self.scalar(expr)?;
        self.constant_of(node)
            .ok_or_else(|| Box::new(self.diagnostic(expr.span, Kind::NotConstant { what: what.to_owned() })))
    }

    /// The scalar that a bare formula gives over the names given: `r = norm(x); r^2`.
    pub(crate) fn body(
        graph: &mut Graph,
        source: &Source,
        names: &[(&str, NodeId)],
    ) -> Result<NodeId, Box<Diagnostic>> {
        let (bindings, value) = parse_body(source)?;
        let mut elaborator = Elaborator::new(graph, source, names);
        elaborator.bindings(&bindings)?;
        elaborator.scalar(&value)
    }

    /// Elaborates bindings in order, defining each name.
    pub(crate) fn bindings(&mut self, bindings: &[Binding]) -> Result<(), Box<Diagnostic>> {
        for binding in bindings {
            let node = self.value(&binding.value)?;
            self.define(&binding.name.text, node);
        }
        Ok(())
    }

    /// The graph that is being built.
    pub(crate) fn graph_mut(&mut self) -> &mut Graph {
        self.graph
    }

    /// A mistake at a place of this source.
    pub(crate) fn diagnostic(&self, span: Span, kind: Kind) -> Diagnostic {
        Diagnostic::new(kind, self.source, span)
    }

    fn fail<T>(&self, span: Span, kind: Kind) -> Step<T> {
        Err(Stop::Mistake(Box::new(self.diagnostic(span, kind))))
    }

    fn constant_of(&self, node: NodeId) -> Option<f64> {
        self.graph.constant_value(node)
    }

    /// A value that is no truth value.
    fn number(&mut self, expr: &Expr) -> Step<NodeId> {
        let node = self.any(expr)?;
        if self.graph.is_boolean(node) {
            return self.fail(expr.span, Kind::UnexpectedBoolean);
        }
        Ok(node)
    }

    fn condition(&mut self, expr: &Expr) -> Step<NodeId> {
        let node = self.any(expr)?;
        if !self.graph.is_boolean(node) {
            return self.fail(expr.span, Kind::ExpectedBoolean);
        }
        Ok(node)
    }

    fn any(&mut self, expr: &Expr) -> Step<NodeId> {
        if self.graph.len() > MAX_NODES {
            return self.fail(expr.span, Kind::TooManyNodes { limit: MAX_NODES });
        }
        match &expr.kind {
            ExprKind::Number(value) => {
                if value.abs() > f64::from(f32::MAX) {
                    return self.fail(expr.span, Kind::ConstantOutOfRange { value: *value });
                }
                Ok(self.graph.constant(*value))
            }
            ExprKind::Name(name) => self.name(name, expr.span),
            ExprKind::Prefix(Prefix::Negate, a) => {
                let a = self.number(a)?;
                self.unary(Unary::Neg, a, expr.span)
            }
            ExprKind::Prefix(Prefix::Not, a) => {
                let a = self.condition(a)?;
                Ok(self.graph.unary(Unary::Not, a))
            }
            ExprKind::Chain(first, rest) => self.chain(first, rest, expr.span),
            ExprKind::Power(base, exponent) => {
                let (a, b) = (self.number(base)?, self.number(exponent)?);
                self.binary(Binary::Pow, a, b, expr.span)
            }
            ExprKind::Call { function, arguments, index: None } => {
                self.call(&function.text, function.span, arguments, expr.span)
            }
            ExprKind::Call { function, arguments, index: Some(index) } => {
                self.indexed(&function.text, function.span, index, arguments, expr.span)
            }
            ExprKind::Subscript(base, subscripts) => self.subscript(base, subscripts, expr.span),
            ExprKind::List(items) => self.list(items, expr.span),
        }
    }

    fn name(&mut self, name: &str, span: Span) -> Step<NodeId> {
        match self.names.get(name).copied() {
            Some(Meaning::Node(node)) => Ok(node),
            Some(Meaning::Index { axis, first }) => {
                let position = self.graph.iota(axis);
                let first = self.graph.constant(first as f64);
                self.binary(Binary::Add, first, position, span)
            }
            Some(Meaning::Written(value)) => Ok(self.graph.constant(value as f64)),
            None => {
                let nearest = nearest(name, self.names.keys().map(String::as_str));
                self.fail(span, Kind::UnknownName { name: name.to_owned(), nearest })
            }
        }
    }

    /// Elementwise; numbers fold at once, so that a mistake in them is told here.
    fn unary(&mut self, op: Unary, a: NodeId, span: Span) -> Step<NodeId> {
        if let Some(value) = self.constant_of(a) {
            return self.folded(op.value(value), span);
        }
        Ok(self.graph.unary(op, a))
    }

    fn folded(&mut self, value: f64, span: Span) -> Step<NodeId> {
        if !value.is_finite() {
            return self.fail(span, Kind::NonFiniteConstant { value });
        }
        Ok(self.graph.constant(value))
    }

    fn binary(&mut self, op: Binary, a: NodeId, b: NodeId, span: Span) -> Step<NodeId> {
        if op == Binary::Div && self.constant_of(b) == Some(0.0) {
            return self.fail(span, Kind::DivisionByZero);
        }
        if let (Some(x), Some(y), false) = (self.constant_of(a), self.constant_of(b), op.is_boolean()) {
            return self.folded(op.value(x, y), span);
        }
        self.fits(op.name(), a, b, span)?;
        Ok(self.graph.binary(op, a, b))
    }

    fn fits(&mut self, operation: &str, a: NodeId, b: NodeId, span: Span) -> Step<()> {
        if self.graph.joined(a, b).is_some() {
            return Ok(());
        }
        let (left, right) = (self.graph.axes(a), self.graph.axes(b));
        let values = |axes: Axes| axes.iter().filter(|a| matches!(a.kind, AxisKind::Value(_))).collect::<Vec<_>>();
        let clash = values(left).iter().any(|a| right.of_kind(a.kind).is_some_and(|b| b.len != a.len));
        if !clash {
            // The rank is too large only because of bound indices.
            return Err(Stop::WriteOut);
        }
        let kind = Kind::ShapeMismatch {
            operation: format!("`{operation}`"),
            left: left.to_string(),
            right: right.to_string(),
        };
        self.fail(span, kind)
    }

    fn chain(&mut self, first: &Expr, rest: &[(Infix, Expr)], span: Span) -> Step<NodeId> {
        match rest.first().map(|(op, _)| *op) {
            Some(Infix::And | Infix::Or) => {
                let mut all = self.condition(first)?;
                for (op, expr) in rest {
                    let next = self.condition(expr)?;
                    let op = if *op == Infix::And { Binary::And } else { Binary::Or };
                    self.fits(op.name(), all, next, expr.span)?;
                    all = self.graph.binary(op, all, next);
                }
                Ok(all)
            }
            Some(Infix::Add | Infix::Subtract) if rest.len() >= 8 => self.long_sum(first, rest, span),
            _ => {
                let mut left = self.number(first)?;
                for (op, expr) in rest {
                    let right = self.number(expr)?;
                    let place = if *op == Infix::Divide {
                        expr.span
                    } else {
                        Span { start: first.span.start, end: expr.span.end }
                    };
                    left = self.infix(*op, left, right, place)?;
                }
                Ok(left)
            }
        }
    }

    /// A long sum as a balanced tree: less rounding, and no depth.
    fn long_sum(&mut self, first: &Expr, rest: &[(Infix, Expr)], span: Span) -> Step<NodeId> {
        let mut terms = vec![self.number(first)?];
        for (op, expr) in rest {
            let term = self.number(expr)?;
            let term = if *op == Infix::Subtract { self.unary(Unary::Neg, term, expr.span)? } else { term };
            if let Some(&head) = terms.first() {
                self.fits(if *op == Infix::Subtract { "-" } else { "+" }, head, term, expr.span)?;
            }
            terms.push(term);
        }
        self.balanced(Binary::Add, terms, span)
    }

    fn balanced(&mut self, op: Binary, mut terms: Vec<NodeId>, span: Span) -> Step<NodeId> {
        while terms.len() > 1 {
            let mut next = Vec::with_capacity(terms.len().div_ceil(2));
            for pair in terms.chunks(2) {
                next.push(match *pair {
                    [a, b] => self.binary(op, a, b, span)?,
                    [a] => a,
                    _ => continue,
                });
            }
            terms = next;
        }
        Ok(terms[0])
    }

    fn infix(&mut self, op: Infix, a: NodeId, b: NodeId, span: Span) -> Step<NodeId> {
        let (op, a, b) = match op {
            Infix::Add => (Binary::Add, a, b),
            Infix::Subtract => (Binary::Sub, a, b),
            Infix::Multiply => (Binary::Mul, a, b),
            Infix::Divide => (Binary::Div, a, b),
            Infix::Power => (Binary::Pow, a, b),
            Infix::Less => (Binary::Less, a, b),
            Infix::LessEqual => (Binary::LessEqual, a, b),
            Infix::Greater => (Binary::Less, b, a),
            Infix::GreaterEqual => (Binary::LessEqual, b, a),
            Infix::Equal => (Binary::Equal, a, b),
            Infix::NotEqual => (Binary::NotEqual, a, b),
            Infix::And => (Binary::And, a, b),
            Infix::Or => (Binary::Or, a, b),
            Infix::Matmul => return self.matrix_product(a, b, span),
        };
        self.binary(op, a, b, span)
    }

    /// `a @ b`: the last axis of `a` and the first of `b` are multiplied and summed.
    fn matrix_product(&mut self, a: NodeId, b: NodeId, span: Span) -> Step<NodeId> {
        let (left, right) = (self.positions(a), self.positions(b));
        let (Some(&along), Some(&with)) = (left.last(), right.first()) else {
            let scalar = if left.is_empty() { a } else { b };
            let found = self.graph.axes(scalar).to_string();
            return self.fail(span, Kind::ExpectedVector { found });
        };
        if along.len != with.len {
            let (left, right) = (self.graph.axes(a).to_string(), self.graph.axes(b).to_string());
            return self.fail(span, Kind::ShapeMismatch { operation: "`@`".to_owned(), left, right });
        }
        let (a, b, summed) = match (left.len(), right.len()) {
            (1, _) => (a, b, along),
            (_, 1) => (a, self.graph.view(b, with, 0, 1, Some(along)), along),
            _ => {
                let summed = Axis { kind: AxisKind::Index(self.depth), len: along.len };
                let a = self.graph.view(a, along, 0, 1, Some(summed));
                (a, self.graph.view(b, with, 0, 1, Some(summed)), summed)
            }
        };
        self.fits("@", a, b, span)?;
        let product = self.graph.binary(Binary::Mul, a, b);
        let sum = self.graph.reduce(Reduction::Sum, product, summed);
        Ok(self.settled(sum))
    }

    /// What is left of a matrix's columns is a vector's positions.
    fn settled(&mut self, node: NodeId) -> NodeId {
        match self.positions(node)[..] {
            [Axis { kind: AxisKind::Value(1), len }] => {
                self.graph.view(node, Axis::column(len), 0, 1, Some(Axis::vector(len)))
            }
            _ => node,
        }
    }

    /// The axes of a vector's or matrix's own positions.
    fn positions(&self, node: NodeId) -> Vec<Axis> {
        self.graph.axes(node).iter().filter(|a| matches!(a.kind, AxisKind::Value(_))).collect()
    }

    fn reduced(&mut self, op: Reduction, a: NodeId) -> NodeId {
        self.positions(a).into_iter().rev().fold(a, |a, axis| self.graph.reduce(op, a, axis))
    }

    fn vector(&mut self, expr: &Expr) -> Step<(NodeId, Axis)> {
        let a = self.number(expr)?;
        match self.positions(a)[..] {
            [axis] => Ok((a, axis)),
            _ => {
                let found = self.graph.axes(a).to_string();
                self.fail(expr.span, Kind::ExpectedVector { found })
            }
        }
    }

    fn count(&mut self, function: &str, span: Span, found: usize, expected: &str, fits: bool) -> Step<()> {
        if fits {
            return Ok(());
        }
        let kind = Kind::WrongArgumentCount { function: function.to_owned(), expected: expected.to_owned(), found };
        self.fail(span, kind)
    }

    fn call(&mut self, function: &str, name: Span, arguments: &[Expr], span: Span) -> Step<NodeId> {
        let found = arguments.len();
        if let Some(&op) = Unary::ALL.iter().find(|op| op.name() == function) {
            self.count(function, span, found, "1 argument", found == 1)?;
            let a = self.number(&arguments[0])?;
            return self.unary(op, a, span);
        }
        match function {
            "where" => {
                self.count(function, span, found, "3 arguments", found == 3)?;
                let condition = self.condition(&arguments[0])?;
                let (a, b) = (self.number(&arguments[1])?, self.number(&arguments[2])?);
                self.fits(function, a, b, span)?;
                self.fits(function, condition, a, span)?;
                self.fits(function, condition, b, span)?;
                Ok(self.graph.select(condition, a, b))
            }
            "relu" => {
                self.count(function, span, found, "1 argument", found == 1)?;
                let a = self.number(&arguments[0])?;
                let zero = self.graph.constant(0.0);
                self.binary(Binary::Max, zero, a, span)
            }
            "clamp" => {
                self.count(function, span, found, "3 arguments", found == 3)?;
                let a = self.number(&arguments[0])?;
                let (lo, hi) = (self.number(&arguments[1])?, self.number(&arguments[2])?);
                let above = self.binary(Binary::Max, a, lo, span)?;
                self.binary(Binary::Min, above, hi, span)
            }
            "min" | "max" => {
                self.count(function, span, found, "1 vector, or 2 or more arguments", found >= 1)?;
                let (pair, whole) = match function {
                    "min" => (Binary::Min, Reduction::Min),
                    _ => (Binary::Max, Reduction::Max),
                };
                let first = self.number(&arguments[0])?;
                if found == 1 {
                    return Ok(self.reduced(whole, first));
                }
                arguments[1..].iter().try_fold(first, |a, b| {
                    let b = self.number(b)?;
                    self.binary(pair, a, b, span)
                })
            }
            "atan2" => {
                self.count(function, span, found, "2 arguments", found == 2)?;
                let (a, b) = (self.number(&arguments[0])?, self.number(&arguments[1])?);
                self.binary(Binary::Atan2, a, b, span)
            }
            "sum" | "prod" | "mean" | "norm" | "logsumexp" => {
                self.count(function, span, found, "1 argument", found == 1)?;
                let a = self.number(&arguments[0])?;
                self.reduction(function, a, span)
            }
            "dot" => {
                self.count(function, span, found, "2 arguments", found == 2)?;
                let (a, _) = self.vector(&arguments[0])?;
                let (b, _) = self.vector(&arguments[1])?;
                self.fits(function, a, b, span)?;
                let product = self.graph.binary(Binary::Mul, a, b);
                Ok(self.reduced(Reduction::Sum, product))
            }
            "cumsum" => {
                self.count(function, span, found, "1 argument", found == 1)?;
                let (a, axis) = self.vector(&arguments[0])?;
                Ok(self.graph.scan(Scan { product: false, reverse: false, exclusive: false }, a, axis))
            }
            "range" => {
                self.count(function, span, found, "2 arguments", found == 2)?;
                let (start, end) = (self.integer(&arguments[0], "a range")?, self.integer(&arguments[1], "a range")?);
                let len = end - start;
                if len <= 0 {
                    return self.fail(span, Kind::EmptyRange { start, end });
                }
                if len > 1 << 24 {
                    return self.fail(span, Kind::TooManyNodes { limit: 1 << 24 });
                }
                let position = self.graph.iota(Axis::vector(len as u32));
                let first = self.graph.constant(start as f64);
                self.binary(Binary::Add, first, position, span)
            }
            "normal" | "uniform" => {
                self.count(function, span, found, "no argument", found == 0)?;
                let law = if function == "normal" { Law::Normal } else { Law::Uniform };
                match &mut self.draws {
                    None => self.fail(
                        span,
                        Kind::NotAvailable { what: format!("`{function}()`, which draws in an optimizer,") },
                    ),
                    Some((n, sites)) => {
                        let (n, site) = (*n, **sites);
                        **sites += 1;
                        Ok(self.graph.input(Input::Draw { site, law }, Axes::one(Axis::vector(n))))
                    }
                }
            }
            "mean_rows" | "sum_rows" => {
                self.count(function, span, found, "1 argument", found == 1)?;
                let a = self.number(&arguments[0])?;
                let Some(rows) = self.rows else {
                    return self.fail(name, Kind::NotAvailable { what: format!("`{function}` without `data`") });
                };
                let count = self.graph.constant(f64::from(rows.len));
                match (self.graph.axes(a).contains(rows), function) {
                    (false, "mean_rows") => Ok(a),
                    (false, _) => self.binary(Binary::Mul, count, a, span),
                    (true, "mean_rows") => {
                        let sum = self.graph.reduce(Reduction::Sum, a, rows);
                        self.binary(Binary::Div, sum, count, span)
                    }
                    (true, _) => Ok(self.graph.reduce(Reduction::Sum, a, rows)),
                }
            }
            "transpose" => {
                self.count(function, span, found, "1 argument", found == 1)?;
                let a = self.number(&arguments[0])?;
                let [rows, columns] = self.positions(a)[..] else {
                    let found = self.graph.axes(a).to_string();
                    return self.fail(arguments[0].span, Kind::ExpectedMatrix { found });
                };
                let aside = Axis { kind: AxisKind::Index(self.depth), len: rows.len };
                let a = self.graph.view(a, rows, 0, 1, Some(aside));
                let a = self.graph.view(a, columns, 0, 1, Some(Axis::vector(columns.len)));
                Ok(self.graph.view(a, aside, 0, 1, Some(Axis::column(aside.len))))
            }
            _ => {
                let known = Unary::ALL.iter().map(|op| op.name()).chain(FUNCTIONS.iter().copied());
                let nearest = nearest(function, known.filter(|k| !k.contains(' ')));
                self.fail(name, Kind::UnknownFunction { name: function.to_owned(), nearest })
            }
        }
    }

    fn reduction(&mut self, function: &str, a: NodeId, span: Span) -> Step<NodeId> {
        match function {
            "sum" => Ok(self.reduced(Reduction::Sum, a)),
            "prod" => Ok(self.reduced(Reduction::Product, a)),
            "mean" => {
                let len: f64 = self.positions(a).iter().map(|a| f64::from(a.len)).product();
                let sum = self.reduced(Reduction::Sum, a);
                let len = self.graph.constant(len);
                self.binary(Binary::Div, sum, len, span)
            }
            "norm" => {
                let square = self.binary(Binary::Mul, a, a, span)?;
                let sum = self.reduced(Reduction::Sum, square);
                self.unary(Unary::Sqrt, sum, span)
            }
            _ => {
                // The shift by the largest changes nothing but the range of the exponentials: it is held constant.
                let top = self.reduced(Reduction::Max, a);
                let top = self.graph.unary(Unary::Detach, top);
                let shifted = self.binary(Binary::Sub, a, top, span)?;
                let exp = self.unary(Unary::Exp, shifted, span)?;
                let sum = self.reduced(Reduction::Sum, exp);
                let log = self.unary(Unary::Log, sum, span)?;
                self.binary(Binary::Add, top, log, span)
            }
        }
    }

    fn integer(&mut self, expr: &Expr, what: &str) -> Step<i64> {
        let node = self.number(expr)?;
        let Some(value) = self.constant_of(node) else {
            return self.fail(expr.span, Kind::NotConstant { what: what.to_owned() });
        };
        if value != value.round() || value.abs() > 1e9 {
            return self.fail(expr.span, Kind::ExpectedInteger { value });
        }
        Ok(value as i64)
    }

    fn indexed(
        &mut self,
        function: &str,
        name: Span,
        index: &IndexClause,
        arguments: &[Expr],
        span: Span,
    ) -> Step<NodeId> {
        let reduction = match function {
            "sum" | "mean" => Reduction::Sum,
            "prod" => Reduction::Product,
            "min" => Reduction::Min,
            "max" => Reduction::Max,
            _ => return self.fail(name, Kind::IndexNotAllowed { function: function.to_owned() }),
        };
        let [body] = arguments else {
            return self
                .count(function, span, arguments.len(), "1 body after its index", false)
                .map(|()| NodeId::default());
        };
        let first = self.integer(&index.start, "a range")?;
        let end = self.integer(&index.end, "a range")?;
        if end <= first {
            return match function {
                "sum" | "prod" => Ok(self.graph.constant(reduction.neutral())),
                _ => self.fail(span, Kind::EmptyRange { start: first, end }),
            };
        }
        let len = u32::try_from(end - first).unwrap_or(u32::MAX);
        if len > 1 << 24 {
            return self.fail(span, Kind::TooManyNodes { limit: 1 << 24 });
        }
        let hidden = self.names.get(&index.name.text).copied();
        let axis = Axis { kind: AxisKind::Index(self.depth), len };
        self.names.insert(index.name.text.clone(), Meaning::Index { axis, first });
        self.depth += 1;
        let attempt = self.number(body).map(|value| {
            if self.graph.axes(value).contains(axis) {
                return self.graph.reduce(reduction, value, axis);
            }
            // A body without its index: `len` times the same.
            let counted = self.graph.iota(axis);
            let zero = self.graph.constant(0.0);
            let nothing = self.graph.binary(Binary::Mul, zero, counted);
            let spread = self.graph.binary(Binary::Add, value, nothing);
            self.graph.reduce(reduction, spread, axis)
        });
        self.depth -= 1;
        let result = match attempt {
            Err(Stop::WriteOut) => {
                let mut terms = Vec::new();
                let mut outcome = Ok(());
                for j in first..end {
                    self.names.insert(index.name.text.clone(), Meaning::Written(j));
                    match self.number(body) {
                        Ok(term) => terms.push(term),
                        Err(stop) => {
                            outcome = Err(stop);
                            break;
                        }
                    }
                }
                outcome.and_then(|()| self.balanced(reduction.operator(), terms, span))
            }
            other => other,
        };
        match hidden {
            Some(meaning) => self.names.insert(index.name.text.clone(), meaning),
            None => self.names.remove(&index.name.text),
        };
        let total = result?;
        if function == "mean" {
            let len = self.graph.constant(f64::from(len));
            return self.binary(Binary::Div, total, len, span);
        }
        Ok(total)
    }

    /// A subscript's place; `None` where it is no whole-number formula of at most one bound index.
    fn affine(&mut self, expr: &Expr) -> Step<Option<Affine>> {
        let plain = |constant| Some(Affine { constant, along: None, bound: false });
        match &expr.kind {
            ExprKind::Name(name) => match self.names.get(name).copied() {
                Some(Meaning::Index { axis, first }) => {
                    return Ok(Some(Affine { constant: first, along: Some((axis, 1)), bound: true }));
                }
                Some(Meaning::Written(value)) => {
                    return Ok(Some(Affine { constant: value, along: None, bound: true }));
                }
                _ => {}
            },
            ExprKind::Prefix(Prefix::Negate, a) if self.mentions_index(a) => {
                return Ok(self.affine(a)?.map(|a| Affine {
                    constant: -a.constant,
                    along: a.along.map(|(axis, step)| (axis, -step)),
                    bound: a.bound,
                }));
            }
            ExprKind::Chain(first, rest) if self.mentions_index(expr) => {
                let Some(mut left) = self.affine(first)? else { return Ok(None) };
                for (op, right) in rest {
                    let Some(right) = self.affine(right)? else { return Ok(None) };
                    let bound = left.bound || right.bound;
                    left = match op {
                        Infix::Add | Infix::Subtract => {
                            let sign = if *op == Infix::Add { 1 } else { -1 };
                            let along = match (left.along, right.along) {
                                (None, None) => None,
                                (Some(a), None) => Some(a),
                                (None, Some((axis, step))) => Some((axis, sign * step)),
                                (Some((a, s)), Some((b, t))) if a == b => Some((a, s + sign * t)),
                                _ => return Ok(None),
                            };
                            Affine { constant: left.constant + sign * right.constant, along, bound }
                        }
                        Infix::Multiply => match (left.along, right.along) {
                            (along, None) => Affine {
                                constant: left.constant.saturating_mul(right.constant),
                                along: along.map(|(axis, step)| (axis, step * right.constant)),
                                bound,
                            },
                            (None, Some((axis, step))) => Affine {
                                constant: left.constant.saturating_mul(right.constant),
                                along: Some((axis, step * left.constant)),
                                bound,
                            },
                            _ => return Ok(None),
                        },
                        _ => return Ok(None),
                    };
                }
                return Ok(Some(left));
            }
            _ => {}
        }
        if self.mentions_axis(expr) {
            return Ok(None);
        }
        let bound = self.mentions_index(expr);
        let constant = self.integer(expr, "an index")?;
        Ok(plain(constant).map(|a| Affine { bound, ..a }))
    }

    fn mentions(&self, expr: &Expr, test: &dyn Fn(Meaning) -> bool) -> bool {
        let hits = |e: &Expr| self.mentions(e, test);
        match &expr.kind {
            ExprKind::Number(_) => false,
            ExprKind::Name(name) => self.names.get(name).is_some_and(|&m| test(m)),
            ExprKind::Prefix(_, a) => hits(a),
            ExprKind::Chain(a, rest) => hits(a) || rest.iter().any(|(_, e)| hits(e)),
            ExprKind::Power(a, b) => hits(a) || hits(b),
            ExprKind::Call { arguments, .. } => arguments.iter().any(hits),
            ExprKind::Subscript(a, list) => hits(a) || list.iter().any(|s| matches!(s, Subscript::At(e) if hits(e))),
            ExprKind::List(items) => items.iter().any(hits),
        }
    }

    fn mentions_index(&self, expr: &Expr) -> bool {
        self.mentions(expr, &|m| !matches!(m, Meaning::Node(_)))
    }

    fn mentions_axis(&self, expr: &Expr) -> bool {
        self.mentions(expr, &|m| matches!(m, Meaning::Index { .. }))
    }

    fn subscript(&mut self, base: &Expr, subscripts: &[Subscript], span: Span) -> Step<NodeId> {
        let mut node = self.number(base)?;
        let axes = self.positions(node);
        if axes.len() < subscripts.len() {
            let found = self.graph.axes(node).to_string();
            let kind = if axes.is_empty() { Kind::ExpectedVector { found } } else { Kind::ExpectedMatrix { found } };
            return self.fail(if axes.is_empty() { base.span } else { span }, kind);
        }
        for (&axis, subscript) in axes.iter().zip(subscripts) {
            node = match subscript {
                Subscript::At(expr) => self.at(node, axis, expr)?,
                Subscript::Slice { start, end, step, span } => self.slice(node, axis, [start, end, step], *span)?,
            };
        }
        Ok(self.settled(node))
    }

    fn at(&mut self, node: NodeId, axis: Axis, expr: &Expr) -> Step<NodeId> {
        let Some(place) = self.affine(expr)? else { return Err(Stop::WriteOut) };
        let len = i64::from(axis.len);
        let check = |index: i64| (0..len).contains(&index);
        match place.along {
            None | Some((_, 0)) => {
                let from_end = if place.constant < 0 && !place.bound { place.constant + len } else { place.constant };
                if !check(from_end) {
                    return self.fail(expr.span, Kind::IndexOutOfRange { index: place.constant, len: axis.len });
                }
                Ok(self.graph.view(node, axis, from_end as i32, 0, None))
            }
            Some((along, step)) => {
                let last = place.constant + step * (i64::from(along.len) - 1);
                for index in [place.constant, last] {
                    if !check(index) {
                        return self.fail(expr.span, Kind::IndexOutOfRange { index, len: axis.len });
                    }
                }
                if self.graph.axes(node).contains(along) {
                    return Err(Stop::WriteOut);
                }
                Ok(self.graph.view(node, axis, place.constant as i32, step as i32, Some(along)))
            }
        }
    }

    /// `start:end:step` with NumPy's rules for absent, negative and overshooting ends.
    fn slice(&mut self, node: NodeId, axis: Axis, parts: [&Option<Expr>; 3], span: Span) -> Step<NodeId> {
        let mut ends = [None; 3];
        for (end, part) in ends.iter_mut().zip(parts) {
            if let Some(expr) = part {
                if self.mentions_axis(expr) {
                    return Err(Stop::WriteOut);
                }
                *end = Some(self.integer(expr, "a slice")?);
            }
        }
        let len = i64::from(axis.len);
        let step = ends[2].unwrap_or(1);
        if step == 0 {
            return self.fail(span, Kind::EmptyRange { start: 0, end: 0 });
        }
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let place = |end: Option<i64>, absent: i64| match end {
            None => absent,
            Some(v) => (if v < 0 { v + len } else { v }).clamp(low, high),
        };
        let (start, end) = if step > 0 {
            (place(ends[0], 0), place(ends[1], len))
        } else {
            (place(ends[0], len - 1), place(ends[1], -1))
        };
        let count = if step > 0 { (end - start + step - 1) / step } else { (start - end - step - 1) / -step };
        if count <= 0 {
            return self.fail(span, Kind::EmptyRange { start, end });
        }
        let to = Axis { kind: axis.kind, len: count as u32 };
        Ok(self.graph.view(node, axis, start as i32, step as i32, Some(to)))
    }

    fn list(&mut self, items: &[Expr], span: Span) -> Step<NodeId> {
        if items.is_empty() {
            return self.fail(span, Kind::EmptyList);
        }
        let nodes = items.iter().map(|item| self.number(item)).collect::<Step<Vec<_>>>()?;
        let shape = self.positions(nodes[0]);
        for (node, item) in nodes.iter().zip(items) {
            if self.positions(*node) != shape {
                let (left, right) = (self.graph.axes(nodes[0]).to_string(), self.graph.axes(*node).to_string());
                return self.fail(item.span, Kind::ShapeMismatch { operation: "the list".to_owned(), left, right });
            }
        }
        let len = items.len() as u32;
        match shape[..] {
            [] => {
                if let Some(values) = nodes.iter().map(|&n| self.constant_of(n)).collect::<Option<Vec<f64>>>() {
                    return Ok(self.graph.table(values, Axes::one(Axis::vector(len))));
                }
                self.stacked(&nodes, Axis::vector(len), span)
            }
            [row] => {
                let tables: Option<Vec<Vec<f64>>> = nodes
                    .iter()
                    .map(|&n| match self.graph.node(n) {
                        crate::graph::Node::Table(t) => Some(self.graph.tables()[t as usize].values.clone()),
                        _ => None,
                    })
                    .collect();
                let column = Axis { kind: AxisKind::Value(1), len: row.len };
                if let Some(rows) = tables {
                    let axes = Axes::new([Axis::vector(len), column]).unwrap_or(Axes::SCALAR);
                    return Ok(self.graph.table(rows.concat(), axes));
                }
                let rows: Vec<NodeId> = nodes.iter().map(|&n| self.graph.view(n, row, 0, 1, Some(column))).collect();
                self.stacked(&rows, Axis::vector(len), span)
            }
            _ => {
                let found = self.graph.axes(nodes[0]).to_string();
                self.fail(items[0].span, Kind::ExpectedVector { found })
            }
        }
    }

    fn stacked(&mut self, nodes: &[NodeId], into: Axis, span: Span) -> Step<NodeId> {
        let spread = nodes.iter().enumerate().map(|(i, &n)| self.graph.pad(n, None, i as i32, 0, into)).collect();
        self.balanced(Binary::Add, spread, span)
    }
}
