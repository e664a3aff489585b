//! Formulas built in Rust with operators, for [`Surface::build`](crate::Surface::build).

use super::{Axis, Binary, Graph, NodeId, Reduction, Unary};
use std::cell::RefCell;
use std::ops;
use std::rc::Rc;

/// A scalar or vector of a formula under construction; cheap to clone.
///
/// Elementwise operations on two vectors of different lengths panic, as an index out of range does.
#[derive(Clone, Debug)]
pub struct Expression {
    graph: Rc<RefCell<Graph>>,
    node: NodeId,
}

impl Expression {
    /// Builds a graph over `dim` parameters.
    pub(crate) fn surface(dim: u32, build: impl FnOnce(Expression) -> Expression) -> (Graph, NodeId) {
        let graph = Rc::new(RefCell::new(Graph::new()));
        let node = graph.borrow_mut().parameters(dim);
        let value = build(Expression { graph: graph.clone(), node });
        let mut graph = graph.borrow().clone();
        let value = graph.reduce_all(Reduction::Sum, value.node);
        (graph, value)
    }

    fn with(&self, node: NodeId) -> Expression {
        Expression { graph: self.graph.clone(), node }
    }

    fn unary(&self, op: Unary) -> Expression {
        let node = self.graph.borrow_mut().unary(op, self.node);
        self.with(node)
    }

    fn binary(&self, op: Binary, other: &Expression) -> Expression {
        let mut graph = self.graph.borrow_mut();
        assert!(graph.joined(self.node, other.node).is_some(), "vectors of one length");
        let node = graph.binary(op, self.node, other.node);
        drop(graph);
        self.with(node)
    }

    fn number(&self, value: f64) -> Expression {
        let node = self.graph.borrow_mut().constant(value);
        self.with(node)
    }

    /// How many elements; 1 for a scalar.
    pub fn len(&self) -> usize {
        self.graph.borrow().axes(self.node).size()
    }

    /// Always false: a formula has at least one element.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Element `i`.
    pub fn at(&self, i: usize) -> Expression {
        assert!(i < self.len(), "element {i} of {}", self.len());
        let mut graph = self.graph.borrow_mut();
        let axis = graph.axes(self.node).iter().next();
        let node = axis.map_or(self.node, |axis| graph.view(self.node, axis, i as i32, 0, None));
        drop(graph);
        self.with(node)
    }

    /// Elements `start..end`.
    pub fn slice(&self, start: usize, end: usize) -> Expression {
        assert!(start < end && end <= self.len(), "elements {start}..{end} of {}", self.len());
        let mut graph = self.graph.borrow_mut();
        let axis = graph.axes(self.node).iter().next();
        let to = Axis::vector((end - start) as u32);
        let node = axis.map_or(self.node, |axis| graph.view(self.node, axis, start as i32, 1, Some(to)));
        drop(graph);
        self.with(node)
    }

    fn reduce(&self, op: Reduction) -> Expression {
        let node = self.graph.borrow_mut().reduce_all(op, self.node);
        self.with(node)
    }

    /// Σ
    pub fn sum(&self) -> Expression {
        self.reduce(Reduction::Sum)
    }

    /// ∏
    pub fn product(&self) -> Expression {
        self.reduce(Reduction::Product)
    }

    /// The mean.
    pub fn mean(&self) -> Expression {
        self.sum() / self.len() as f64
    }

    /// `self ^ exponent`
    pub fn powf(&self, exponent: f64) -> Expression {
        self.binary(Binary::Pow, &self.number(exponent))
    }

    /// The smaller, elementwise.
    pub fn min(&self, other: &Expression) -> Expression {
        self.binary(Binary::Min, other)
    }

    /// The larger, elementwise.
    pub fn max(&self, other: &Expression) -> Expression {
        self.binary(Binary::Max, other)
    }
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident $op:ident)*) => {
        impl Expression {
            $($(#[$doc])* pub fn $name(&self) -> Expression { self.unary(Unary::$op) })*
        }
    };
}

functions! {
    /// `|x|`
    abs Abs
    /// Square root.
    sqrt Sqrt
    /// `e^x`
    exp Exp
    /// Natural logarithm.
    ln Log
    /// Sine.
    sin Sin
    /// Cosine.
    cos Cos
    /// Hyperbolic tangent.
    tanh Tanh
    /// `1/(1 + e^-x)`
    sigmoid Sigmoid
}

macro_rules! operators {
    ($($trait:ident $method:ident $op:ident)*) => {$(
        impl ops::$trait for Expression {
            type Output = Expression;
            fn $method(self, other: Expression) -> Expression { self.binary(Binary::$op, &other) }
        }
        impl ops::$trait<f64> for Expression {
            type Output = Expression;
            fn $method(self, other: f64) -> Expression { let other = self.number(other); self.binary(Binary::$op, &other) }
        }
        impl ops::$trait<Expression> for f64 {
            type Output = Expression;
            fn $method(self, other: Expression) -> Expression { other.number(self).binary(Binary::$op, &other) }
        }
    )*};
}

operators! { Add add Add  Sub sub Sub  Mul mul Mul  Div div Div }

impl ops::Neg for Expression {
    type Output = Expression;
    fn neg(self) -> Expression {
        self.unary(Unary::Neg)
    }
}
