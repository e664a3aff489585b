//! The graph: a formula, its gradient and an update rule as one hash-consed net of typed arrays.
//!
//! Nodes are made bottom-up, so a node's arguments always have smaller ids: a loop over ids is an evaluation order.
//!
//! ```
//! use catchment::graph::{Binary, Graph, Inputs, Reduction, evaluate};
//! let mut graph = Graph::new();
//! let x = graph.parameters(3);
//! let square = graph.binary(Binary::Mul, x, x);
//! let value = graph.reduce_all(Reduction::Sum, square);
//! let inputs = Inputs { x: &[1.0, 2.0, 3.0], ..Inputs::default() };
//! assert_eq!(evaluate::<f64>(&graph, &[value], &inputs)[0], [14.0]);
//! ```

mod axes;
mod batch;
mod evaluate;
mod expression;
mod gradient;
mod operators;
mod scalar;
mod simplify;

pub use axes::{Axes, Axis, AxisKind, MAX_RANK};
pub use batch::batched;
pub use evaluate::{Inputs, evaluate};
pub use expression::Expression;
pub use gradient::gradient;
pub(crate) use operators::LaneLoop;
pub use operators::{Binary, DIVERGED, Spread, Unary};
pub use scalar::{Bounded, Dual, Scalar};
pub use simplify::{Simplified, depends_on, simplify, split_host};

use std::collections::HashMap;
use std::sync::Arc;

/// A node of a [`Graph`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// How the elements along an axis become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Σ
    Sum,
    /// ∏
    Product,
    /// Smallest.
    Min,
    /// Largest.
    Max,
}

impl Reduction {
    /// The operator that joins two elements.
    pub fn operator(self) -> Binary {
        match self {
            Reduction::Sum => Binary::Add,
            Reduction::Product => Binary::Mul,
            Reduction::Min => Binary::Min,
            Reduction::Max => Binary::Max,
        }
    }

    /// The value for no elements.
    pub fn neutral(self) -> f64 {
        match self {
            Reduction::Sum => 0.0,
            Reduction::Product => 1.0,
            Reduction::Min => f64::INFINITY,
            Reduction::Max => f64::NEG_INFINITY,
        }
    }
}

/// A running sum or product along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    /// Products, not sums.
    pub product: bool,
    /// From the last element to the first.
    pub reverse: bool,
    /// Position `i` leaves element `i` out.
    pub exclusive: bool,
}

/// The law of a random draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// Uniform on (0, 1).
    Uniform,
    /// Standard normal.
    Normal,
}

/// What comes from outside the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The parameter vector; axis `Value(0)`.
    X,
    /// State slot `k` of an optimizer, one value a coordinate.
    State(u32),
    /// State slot `k` that depends on the step and hyperparameters alone: a scalar kept on the host.
    HostState(u32),
    /// Hyperparameter `k` of a configuration, or its schedule's value at this step.
    Hyper(u32),
    /// Hyperparameter `k` drawn for each restart.
    DrawnHyper(u32),
    /// The step, from 1.
    Step,
    /// The total number of steps.
    Steps,
    /// A host scalar: entry `k` of the table uploaded with each dispatch.
    Host(u32),
    /// Columns of the surface's table from this one on; axis `Row`, and `Value(0)` where there are several.
    Data(u32),
    /// A draw for every coordinate, restart and step; `site` numbers the places of drawing.
    Draw {
        /// The place in the update rule.
        site: u32,
        /// Its law.
        law: Law,
    },
}

/// Constant values by axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Row-major in the order of `axes`.
    pub values: Vec<f64>,
    /// The axes.
    pub axes: Axes,
}

/// One node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A number, by its bits.
    Constant(u64),
    /// Entry of [`Graph::tables`].
    Table(u32),
    /// The position along an axis: 0, 1, 2, …
    Iota(Axis),
    /// From outside.
    Input(Input, Axes),
    /// Elementwise, one argument.
    Unary(Unary, NodeId),
    /// Elementwise, two arguments; axes join.
    Binary(Binary, NodeId, NodeId),
    /// Elementwise `where(condition, a, b)`.
    Select(NodeId, NodeId, NodeId),
    /// Reads axis `from` at `start + step·q`, `q` along `to` (at `start` alone where `to` is none).
    View {
        /// The source.
        source: NodeId,
        /// The axis that is read.
        from: Axis,
        /// First position.
        start: i32,
        /// Stride.
        step: i32,
        /// The axis that takes its place.
        to: Option<Axis>,
    },
    /// The adjoint of a view: axis `into` holds the source at `start + step·q` and zero elsewhere.
    Pad {
        /// The source.
        source: NodeId,
        /// The axis that is made.
        into: Axis,
        /// Position of the first element.
        start: i32,
        /// Stride.
        step: i32,
        /// The source's axis that is spread, none for one element.
        from: Option<Axis>,
    },
    /// A vector read as a matrix, row by row: element `(o, i)` is element `o·inner + i` of axis `from`.
    Split {
        /// The source.
        source: NodeId,
        /// The axis that is read.
        from: Axis,
        /// The matrix's rows.
        outer: Axis,
        /// The matrix's columns.
        inner: Axis,
    },
    /// A matrix read as a vector, row by row: the inverse and the adjoint of [`Node::Split`]. A source that lacks one of
    /// the two axes is the same along it.
    Merge {
        /// The source.
        source: NodeId,
        /// The matrix's rows.
        outer: Axis,
        /// The matrix's columns.
        inner: Axis,
        /// The axis that is made.
        into: Axis,
    },
    /// Joins the elements along an axis.
    Reduce(Reduction, NodeId, Axis),
    /// Running sum or product along an axis.
    Scan(Scan, NodeId, Axis),
}

/// A hash-consed net of nodes: equal nodes are one node.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    axes: Vec<Axes>,
    ids: HashMap<Node, NodeId>,
    tables: Vec<Arc<Table>>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The node.
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes[id.index()]
    }

    /// Its axes.
    pub fn axes(&self, id: NodeId) -> Axes {
        self.axes[id.index()]
    }

    /// Constant tables, referred to by [`Node::Table`].
    pub fn tables(&self) -> &[Arc<Table>] {
        &self.tables
    }

    /// The number, if the node is one.
    pub fn constant_value(&self, id: NodeId) -> Option<f64> {
        match self.node(id) {
            Node::Constant(bits) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// Whether the node's values are truth values.
    pub fn is_boolean(&self, id: NodeId) -> bool {
        match self.node(id) {
            Node::Unary(Unary::Not, _) => true,
            Node::Binary(op, ..) => op.is_boolean(),
            Node::Select(_, a, _) => self.is_boolean(a),
            Node::View { source, .. } | Node::Split { source, .. } | Node::Merge { source, .. } => {
                self.is_boolean(source)
            }
            _ => false,
        }
    }

    fn intern(&mut self, node: Node, axes: Axes) -> NodeId {
        if let Some(&id) = self.ids.get(&node) {
            return id;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        self.axes.push(axes);
        self.ids.insert(node, id);
        id
    }

    /// A number.
    pub fn constant(&mut self, value: f64) -> NodeId {
        // One zero: the sign of a zero never matters to a formula, and two zeros would not be one node.
        let value = if value == 0.0 { 0.0 } else { value };
        self.intern(Node::Constant(value.to_bits()), Axes::SCALAR)
    }

    /// Constant values over axes, row-major.
    pub fn table(&mut self, values: Vec<f64>, axes: Axes) -> NodeId {
        debug_assert_eq!(values.len(), axes.size());
        if let [value] = values[..]
            && axes.is_scalar()
        {
            return self.constant(value);
        }
        let same =
            |t: &Arc<Table>| t.axes == axes && t.values.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits());
        let index = match self.tables.iter().position(same) {
            Some(index) => index,
            None => {
                self.tables.push(Arc::new(Table { values, axes }));
                self.tables.len() - 1
            }
        };
        self.intern(Node::Table(index as u32), axes)
    }

    /// The positions along an axis.
    pub fn iota(&mut self, axis: Axis) -> NodeId {
        self.intern(Node::Iota(axis), Axes::one(axis))
    }

    /// Something from outside.
    pub fn input(&mut self, input: Input, axes: Axes) -> NodeId {
        self.intern(Node::Input(input, axes), axes)
    }

    /// The parameter vector of `n` coordinates.
    pub fn parameters(&mut self, n: u32) -> NodeId {
        self.input(Input::X, Axes::one(Axis::vector(n)))
    }

    /// Elementwise, one argument.
    pub fn unary(&mut self, op: Unary, a: NodeId) -> NodeId {
        let axes = self.axes(a);
        self.intern(Node::Unary(op, a), axes)
    }

    /// Elementwise, two arguments; their axes join.
    ///
    /// # Panics
    /// Where the axes do not fit, which [`Graph::joined`] tells beforehand.
    pub fn binary(&mut self, op: Binary, a: NodeId, b: NodeId) -> NodeId {
        let axes = self.joined(a, b).expect("axes that fit: the caller asked `joined`");
        self.intern(Node::Binary(op, a, b), axes)
    }

    /// The axes of an elementwise operation on both, or `None` where they do not fit.
    pub fn joined(&self, a: NodeId, b: NodeId) -> Option<Axes> {
        self.axes(a).union(&self.axes(b))
    }

    /// Elementwise choice.
    ///
    /// # Panics
    /// Where the axes do not fit.
    pub fn select(&mut self, condition: NodeId, a: NodeId, b: NodeId) -> NodeId {
        let axes = self
            .joined(a, b)
            .and_then(|axes| axes.union(&self.axes(condition)))
            .expect("axes that fit: the caller asked `joined`");
        self.intern(Node::Select(condition, a, b), axes)
    }

    /// Reads axis `from` at `start + step·q` for `q` along `to`. The source itself where it lacks `from`.
    ///
    /// # Panics
    /// Where `to` clashes with another axis of the source.
    pub fn view(&mut self, source: NodeId, from: Axis, start: i32, step: i32, to: Option<Axis>) -> NodeId {
        let axes = self.axes(source);
        if !axes.contains(from) || (to == Some(from) && start == 0 && step == 1) {
            return source;
        }
        let rest = axes.without(from);
        let axes = match to {
            None => rest,
            Some(to) => rest.with(to).expect("a view's new axis is not there yet"),
        };
        let step = if to.is_some() { step } else { 0 };
        self.intern(Node::View { source, from, start, step, to }, axes)
    }

    /// Spreads axis `from` of the source into axis `into` at `start + step·q`, zero elsewhere.
    ///
    /// # Panics
    /// Where `into` clashes with another axis of the source.
    pub fn pad(&mut self, source: NodeId, from: Option<Axis>, start: i32, step: i32, into: Axis) -> NodeId {
        let axes = self.axes(source);
        let rest = from.map_or(axes, |from| axes.without(from));
        let axes = rest.with(into).expect("a pad's new axis is not there yet");
        let step = if from.is_some() { step } else { 0 };
        self.intern(Node::Pad { source, into, start, step, from }, axes)
    }

    /// Reads axis `from` as a matrix, row by row; the source itself where it lacks `from`.
    ///
    /// # Panics
    /// Where `outer` or `inner` clashes with another axis of the source.
    pub fn split(&mut self, source: NodeId, from: Axis, outer: Axis, inner: Axis) -> NodeId {
        let axes = self.axes(source);
        if !axes.contains(from) {
            return source;
        }
        let axes = axes.without(from).with(outer).and_then(|a| a.with(inner));
        let axes = axes.expect("a matrix's axes are not there yet");
        self.intern(Node::Split { source, from, outer, inner }, axes)
    }

    /// Reads a matrix as a vector, row by row; the source itself where it lacks both axes.
    ///
    /// # Panics
    /// Where `into` clashes with another axis of the source.
    pub fn merge(&mut self, source: NodeId, outer: Axis, inner: Axis, into: Axis) -> NodeId {
        let axes = self.axes(source);
        if !axes.contains(outer) && !axes.contains(inner) {
            return source;
        }
        let axes = axes.without(outer).without(inner).with(into).expect("a vector's axis is not there yet");
        self.intern(Node::Merge { source, outer, inner, into }, axes)
    }

    /// A node of another graph in this one; `map` says where its arguments are here.
    pub(crate) fn copied(&mut self, from: &Graph, id: NodeId, map: impl Fn(NodeId) -> NodeId) -> NodeId {
        match from.node(id) {
            Node::Constant(bits) => self.constant(f64::from_bits(bits)),
            Node::Table(index) => {
                let table = &from.tables()[index as usize];
                self.table(table.values.clone(), table.axes)
            }
            Node::Iota(axis) => self.iota(axis),
            Node::Input(input, axes) => self.input(input, axes),
            Node::Unary(op, a) => self.unary(op, map(a)),
            Node::Binary(op, a, b) => self.binary(op, map(a), map(b)),
            Node::Select(c, a, b) => self.select(map(c), map(a), map(b)),
            Node::View { source, from, start, step, to } => self.view(map(source), from, start, step, to),
            Node::Pad { source, into, start, step, from } => self.pad(map(source), from, start, step, into),
            Node::Split { source, from, outer, inner } => self.split(map(source), from, outer, inner),
            Node::Merge { source, outer, inner, into } => self.merge(map(source), outer, inner, into),
            Node::Reduce(op, a, axis) => self.reduce(op, map(a), axis),
            Node::Scan(scan, a, axis) => self.scan(scan, map(a), axis),
        }
    }

    /// Joins the elements along an axis.
    pub fn reduce(&mut self, op: Reduction, a: NodeId, axis: Axis) -> NodeId {
        let axes = self.axes(a).without(axis);
        self.intern(Node::Reduce(op, a, axis), axes)
    }

    /// Joins all elements.
    pub fn reduce_all(&mut self, op: Reduction, a: NodeId) -> NodeId {
        let axes: Vec<Axis> = self.axes(a).iter().collect();
        axes.into_iter().rev().fold(a, |a, axis| self.reduce(op, a, axis))
    }

    /// Running sum or product along an axis.
    pub fn scan(&mut self, scan: Scan, a: NodeId, axis: Axis) -> NodeId {
        let axes = self.axes(a).with(axis).expect("a scan runs along an axis that fits");
        self.intern(Node::Scan(scan, a, axis), axes)
    }

    /// What a node sums over the rows of the surface's table, if that is what it does.
    pub(crate) fn summed_rows(&self, id: NodeId) -> Option<NodeId> {
        match self.node(id) {
            Node::Reduce(_, a, axis) if self.axes(a).row() == Some(axis) => Some(a),
            _ => None,
        }
    }

    /// The arguments of a node.
    pub fn arguments(&self, id: NodeId) -> impl Iterator<Item = NodeId> + use<> {
        let list: [Option<NodeId>; 3] = match self.node(id) {
            Node::Constant(_) | Node::Table(_) | Node::Iota(_) | Node::Input(..) => [None; 3],
            Node::Unary(_, a) | Node::Reduce(_, a, _) | Node::Scan(_, a, _) => [Some(a), None, None],
            Node::View { source, .. }
            | Node::Pad { source, .. }
            | Node::Split { source, .. }
            | Node::Merge { source, .. } => [Some(source), None, None],
            Node::Binary(_, a, b) => [Some(a), Some(b), None],
            Node::Select(c, a, b) => [Some(c), Some(a), Some(b)],
        };
        list.into_iter().flatten()
    }

    /// Which nodes the roots need, by id.
    pub fn needed(&self, roots: &[NodeId]) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        for &root in roots {
            needed[root.index()] = true;
        }
        for id in (0..self.nodes.len()).rev() {
            if needed[id] {
                for a in self.arguments(NodeId(id as u32)) {
                    needed[a.index()] = true;
                }
            }
        }
        needed
    }
}
