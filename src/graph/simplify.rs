//! Simplification: the graph rebuilt bottom-up through constructors that fold, cancel and order.
//!
//! Factors are ordered by how often they change (constants, host scalars, scalars, constant arrays, vectors), so that
//! `lr * (m / (1 - beta1^t))` becomes one host scalar times `m`. `sin(2*pi*x)` becomes `sinpi(2*x)`, reduced exactly.
//! What ranges over constants alone becomes a table. Values may differ from the formula's by roundings, nothing more.

use super::{Axes, Axis, AxisKind, Binary, Graph, Input, Inputs, Node, NodeId, Reduction, Scan, Unary, evaluate};
use std::collections::HashMap;

/// A rebuilt graph and its roots, in the order they were given.
#[derive(Clone, Debug)]
pub struct Simplified {
    /// The new graph.
    pub graph: Graph,
    /// The roots in it.
    pub roots: Vec<NodeId>,
}

/// The most elements that a folded constant array may have.
const MAX_TABLE: usize = 1 << 16;

/// Rebuilds what the roots need.
pub fn simplify(graph: &Graph, roots: &[NodeId]) -> Simplified {
    // Terms meet first; then polynomials are factored, after which they would not.
    let Simplified { graph, roots } = rebuilt(graph, roots, false);
    rebuilt(&graph, &roots, true)
}

fn rebuilt(graph: &Graph, roots: &[NodeId], factors: bool) -> Simplified {
    let needed = graph.needed(roots);
    let mut s = Simplifier { graph: Graph::new(), rates: Vec::new(), factors };
    let mut map: Vec<NodeId> = vec![NodeId(0); graph.len()];
    for id in (0..graph.len()).filter(|&id| needed[id]) {
        let m = |a: NodeId| map[a.index()];
        map[id] = match graph.node(NodeId(id as u32)) {
            Node::Constant(bits) => s.graph.constant(f64::from_bits(bits)),
            Node::Table(index) => {
                let table = graph.tables()[index as usize].clone();
                s.folded(table.values.clone(), table.axes)
            }
            Node::Iota(axis) => s.graph.iota(axis),
            Node::Input(input, axes) => s.graph.input(input, axes),
            Node::Unary(op, a) => s.unary(op, m(a)),
            Node::Binary(op, a, b) => s.binary(op, m(a), m(b)),
            Node::Select(c, a, b) => s.select(m(c), m(a), m(b)),
            Node::View { source, from, start, step, to } => s.view(m(source), from, start, step, to),
            Node::Pad { source, into, start, step, from } => s.pad(m(source), into, start, step, from),
            Node::Split { source, from, outer, inner } => s.split(m(source), from, outer, inner),
            Node::Merge { source, outer, inner, into } => s.merge(m(source), outer, inner, into),
            Node::Reduce(op, a, axis) => s.reduce(op, m(a), axis),
            Node::Scan(scan, a, axis) => s.scan(scan, m(a), axis),
        };
    }
    let roots = roots.iter().map(|r| map[r.index()]).collect();
    Simplified { graph: s.graph, roots }
}

/// Which nodes depend on an input that satisfies `test`, by id.
pub fn depends_on(graph: &Graph, test: impl Fn(Input) -> bool) -> Vec<bool> {
    let mut depends = vec![false; graph.len()];
    for id in 0..graph.len() {
        let node = NodeId(id as u32);
        depends[id] = match graph.node(node) {
            Node::Input(input, _) => test(input),
            _ => graph.arguments(node).any(|a| depends[a.index()]),
        };
    }
    depends
}

/// Replaces every largest scalar that depends on the step and hyperparameters alone by a host input. Gives the new graph
/// and, by number, the nodes of the old graph that the host evaluates.
pub fn split_host(graph: &Graph, roots: &[NodeId]) -> (Simplified, Vec<NodeId>) {
    let lane = depends_on(graph, |input| rate_of_input(input) > Rate::Host);
    let host = depends_on(graph, |input| rate_of_input(input) == Rate::Host);
    let on_host = |id: NodeId| host[id.index()] && !lane[id.index()] && graph.axes(id).is_scalar();
    let needed = graph.needed(roots);
    let mut numbers: HashMap<NodeId, u32> = HashMap::new();
    let mut order: Vec<NodeId> = Vec::new();
    let mut number = |id: NodeId| {
        *numbers.entry(id).or_insert_with(|| {
            order.push(id);
            order.len() as u32 - 1
        })
    };
    let mut out = Graph::new();
    let mut map: Vec<Option<NodeId>> = vec![None; graph.len()];
    for id in (0..graph.len()).map(|id| NodeId(id as u32)).filter(|id| needed[id.index()]) {
        if on_host(id) {
            continue;
        }
        for a in graph.arguments(id).filter(|&a| on_host(a)) {
            if map[a.index()].is_none() {
                map[a.index()] = Some(host_input(graph, &mut out, a, number(a)));
            }
        }
        let m = |a: NodeId| map[a.index()].expect("arguments come before their users");
        map[id.index()] = Some(out.copied(graph, id, m));
    }
    let roots = roots
        .iter()
        .map(|&r| match map[r.index()] {
            Some(new) => new,
            None => {
                let new = host_input(graph, &mut out, r, number(r));
                map[r.index()] = Some(new);
                new
            }
        })
        .collect();
    (Simplified { graph: out, roots }, order)
}

/// A host scalar's node in the lane graph; a truth value travels as 0 or 1.
fn host_input(graph: &Graph, out: &mut Graph, id: NodeId, number: u32) -> NodeId {
    let input = out.input(Input::Host(number), Axes::SCALAR);
    if graph.is_boolean(id) {
        let zero = out.constant(0.0);
        return out.binary(Binary::NotEqual, input, zero);
    }
    input
}

/// How often a value changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rate {
    Constant,
    Host,
    Scalar,
    Array,
    Vector,
    Row,
}

fn rate_of_input(input: Input) -> Rate {
    match input {
        Input::HostState(_) | Input::Hyper(_) | Input::Step | Input::Steps | Input::Host(_) => Rate::Host,
        Input::X | Input::State(_) | Input::DrawnHyper(_) | Input::Draw { .. } => Rate::Scalar,
        Input::Data(_) => Rate::Row,
    }
}

struct Simplifier {
    graph: Graph,
    rates: Vec<Rate>,
    /// Whether powers that two terms share are taken out.
    factors: bool,
}

impl Simplifier {
    fn rate(&mut self, id: NodeId) -> Rate {
        while self.rates.len() <= id.index() {
            let node = NodeId(self.rates.len() as u32);
            let own = match self.graph.node(node) {
                Node::Constant(_) => Rate::Constant,
                Node::Table(_) | Node::Iota(_) => Rate::Array,
                Node::Input(input, _) => rate_of_input(input),
                _ => self.graph.arguments(node).map(|a| self.rates[a.index()]).max().unwrap_or(Rate::Constant),
            };
            // A host scalar times a constant array is neither: it changes by position and by step.
            let mixed = own == Rate::Array && self.graph.arguments(node).any(|a| self.rates[a.index()] == Rate::Host);
            let axes = self.graph.axes(node);
            self.rates.push(match own {
                _ if axes.row().is_some() => Rate::Row,
                Rate::Array if mixed => Rate::Vector,
                Rate::Array if axes.is_scalar() => Rate::Constant,
                Rate::Scalar | Rate::Vector | Rate::Row if axes.is_scalar() => Rate::Scalar,
                Rate::Scalar | Rate::Vector | Rate::Row => Rate::Vector,
                other => other,
            });
        }
        self.rates[id.index()]
    }

    fn constant(&self, id: NodeId) -> Option<f64> {
        self.graph.constant_value(id)
    }

    fn number(&mut self, value: f64) -> NodeId {
        self.graph.constant(value)
    }

    /// A table, or the number that it repeats.
    fn folded(&mut self, values: Vec<f64>, axes: Axes) -> NodeId {
        match values.first() {
            Some(first) if values.iter().all(|v| v.to_bits() == first.to_bits()) => self.graph.constant(*first),
            _ => self.graph.table(values, axes),
        }
    }

    /// Evaluates a node whose arguments are all constants.
    fn fold(&mut self, id: NodeId) -> NodeId {
        if matches!(self.graph.node(id), Node::Constant(_) | Node::Table(_) | Node::Iota(_) | Node::Input(..)) {
            return id;
        }
        let arguments: Vec<NodeId> = self.graph.arguments(id).collect();
        let constant = |a: &NodeId| matches!(self.graph.node(*a), Node::Constant(_) | Node::Table(_) | Node::Iota(_));
        let axes = self.graph.axes(id);
        if !arguments.iter().all(constant) || axes.size() > MAX_TABLE || self.graph.is_boolean(id) && !axes.is_scalar()
        {
            return id;
        }
        let values = evaluate::<f64>(&self.graph, &[id], &Inputs::default()).swap_remove(0);
        if self.graph.is_boolean(id) {
            // Truth values stay as comparisons of numbers, which `select` knows how to decide.
            return id;
        }
        self.folded(values, axes)
    }

    fn decided(&self, condition: NodeId) -> Option<bool> {
        match self.graph.node(condition) {
            Node::Binary(op, a, b) if op.is_boolean() => match op {
                Binary::And | Binary::Or => {
                    let (a, b) = (self.decided(a)?, self.decided(b)?);
                    Some(if op == Binary::And { a && b } else { a || b })
                }
                _ => Some(op.value(self.constant(a)?, self.constant(b)?) != 0.0),
            },
            Node::Unary(Unary::Not, a) => self.decided(a).map(|d| !d),
            _ => None,
        }
    }

    fn unary(&mut self, op: Unary, a: NodeId) -> NodeId {
        match (op, self.graph.node(a)) {
            (Unary::Detach, _) => return a,
            (Unary::Neg, _) => return self.negate(a),
            (Unary::Not, Node::Unary(Unary::Not, inner)) => return inner,
            (Unary::Not, Node::Binary(Binary::Equal, x, y)) => return self.graph.binary(Binary::NotEqual, x, y),
            (Unary::Not, Node::Binary(Binary::NotEqual, x, y)) => return self.graph.binary(Binary::Equal, x, y),
            (
                Unary::Abs | Unary::Cos | Unary::CosPi | Unary::Cosh | Unary::Magnitude,
                Node::Unary(Unary::Neg, inner),
            ) => {
                return self.unary(op, inner);
            }
            (
                Unary::Sin | Unary::SinPi | Unary::Tan | Unary::Tanh | Unary::Sinh | Unary::Sign,
                Node::Unary(Unary::Neg, inner),
            ) => {
                let odd = self.unary(op, inner);
                return self.negate(odd);
            }
            (Unary::Abs, Node::Unary(Unary::Abs | Unary::Sqrt | Unary::Exp, _)) => return a,
            (Unary::Sqrt, Node::Binary(Binary::Pow, base, k)) if self.constant(k) == Some(2.0) => {
                return self.unary(Unary::Abs, base);
            }
            (Unary::Sin | Unary::Cos, Node::Binary(Binary::Mul, k, rest)) => {
                if let Some(multiple) = self.constant(k).and_then(multiple_of_pi) {
                    let multiple = self.number(multiple);
                    let turned = self.binary(Binary::Mul, multiple, rest);
                    return self.unary(if op == Unary::Sin { Unary::SinPi } else { Unary::CosPi }, turned);
                }
            }
            _ => {}
        }
        let id = self.graph.unary(op, a);
        self.fold(id)
    }

    fn negate(&mut self, a: NodeId) -> NodeId {
        match self.graph.node(a) {
            Node::Constant(bits) => self.number(-f64::from_bits(bits)),
            Node::Unary(Unary::Neg, inner) => inner,
            Node::Binary(Binary::Sub, x, y) => self.binary(Binary::Sub, y, x),
            Node::Binary(Binary::Mul, k, rest) if self.constant(k).is_some() => {
                let k = self.constant(k).unwrap_or_default();
                let k = self.number(-k);
                self.binary(Binary::Mul, k, rest)
            }
            Node::Select(c, x, y) if self.constant(y) == Some(0.0) => {
                let minus = self.negate(x);
                self.select(c, minus, y)
            }
            _ => {
                let id = self.graph.unary(Unary::Neg, a);
                self.fold(id)
            }
        }
    }

    fn binary(&mut self, op: Binary, a: NodeId, b: NodeId) -> NodeId {
        match op {
            Binary::Add => self.add(a, b),
            Binary::Sub => self.subtract(a, b),
            Binary::Mul => self.multiply(a, b),
            Binary::Div => self.divide(a, b),
            Binary::Pow => self.power(a, b),
            Binary::Min | Binary::Max if a == b => a,
            Binary::And | Binary::Or => {
                if a == b {
                    return a;
                }
                let absorbing = op == Binary::Or;
                match (self.decided(a), self.decided(b)) {
                    (Some(d), _) => {
                        if d == absorbing {
                            a
                        } else {
                            b
                        }
                    }
                    (_, Some(d)) => {
                        if d == absorbing {
                            b
                        } else {
                            a
                        }
                    }
                    _ => self.graph.binary(op, a, b),
                }
            }
            _ => {
                let id = self.graph.binary(op, a, b);
                self.fold(id)
            }
        }
    }

    fn raw(&mut self, op: Binary, a: NodeId, b: NodeId) -> NodeId {
        let id = self.graph.binary(op, a, b);
        self.fold(id)
    }

    /// `k` and `y` of `k·y` with a constant `k`.
    fn scaled(&self, id: NodeId) -> (f64, NodeId) {
        match self.graph.node(id) {
            Node::Binary(Binary::Mul, k, rest) => match self.constant(k) {
                Some(k) => (k, rest),
                None => (1.0, id),
            },
            Node::Unary(Unary::Neg, rest) => (-1.0, rest),
            _ => (1.0, id),
        }
    }

    fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if self.constant(a) == Some(0.0) {
            return b;
        }
        if self.constant(b) == Some(0.0) {
            return a;
        }
        if let Node::Unary(Unary::Neg, inner) = self.graph.node(b) {
            return self.subtract(a, inner);
        }
        if let Node::Unary(Unary::Neg, inner) = self.graph.node(a) {
            return self.subtract(b, inner);
        }
        let ((ka, ra), (kb, rb)) = (self.scaled(a), self.scaled(b));
        if ra == rb && self.constant(ra).is_none() {
            let k = self.number(ka + kb);
            return self.multiply(k, ra);
        }
        if let (Node::Select(ca, xa, ya), Node::Select(cb, xb, yb)) = (self.graph.node(a), self.graph.node(b))
            && self.constant(ya) == Some(0.0)
            && self.constant(yb) == Some(0.0)
        {
            if ca == cb {
                let sum = self.add(xa, xb);
                return self.select(ca, sum, ya);
            }
            if self.graph.node(cb) == Node::Unary(Unary::Not, ca) {
                return self.select(ca, xa, xb);
            }
            if self.graph.node(ca) == Node::Unary(Unary::Not, cb) {
                return self.select(cb, xb, xa);
            }
        }
        let (a, b) = if self.rate(a) <= self.rate(b) { (a, b) } else { (b, a) };
        if let (Some(ka), Node::Binary(Binary::Add, k, rest)) = (self.constant(a), self.graph.node(b))
            && let Some(kb) = self.constant(k)
        {
            let k = self.number(ka + kb);
            return self.add(k, rest);
        }
        self.factored(Binary::Add, a, b).unwrap_or_else(|| self.raw(Binary::Add, a, b))
    }

    /// Horner's rule for two terms and a constant before them: `jxᵐ ± kxⁿ` as `xⁿ(jxᵐ⁻ⁿ ± k)`, a product fewer.
    fn factored(&mut self, op: Binary, a: NodeId, b: NodeId) -> Option<NodeId> {
        if !self.factors {
            return None;
        }
        let parts = |s: &Simplifier, sum: NodeId| match s.graph.node(sum) {
            Node::Binary(op @ (Binary::Add | Binary::Sub), c, term) => s.constant(c).map(|c| (c, op, term)),
            _ => None,
        };
        let (constant, sign, inner) = match (parts(self, a), parts(self, b), op) {
            (Some((c, Binary::Add, term)), None, op) => (c, Binary::Add, self.factored_pair(op, term, b)?),
            (Some((c, _, term)), None, Binary::Add) => (c, Binary::Add, self.factored_pair(Binary::Sub, b, term)?),
            (Some((c, _, term)), None, _) => (c, Binary::Sub, self.factored_pair(Binary::Add, term, b)?),
            (None, Some((c, sign, term)), Binary::Add) => (c, Binary::Add, self.factored_pair(sign, a, term)?),
            (None, Some((c, Binary::Add, term)), _) => (-c, Binary::Add, self.factored_pair(Binary::Sub, a, term)?),
            (None, Some((c, _, term)), _) => (-c, Binary::Add, self.factored_pair(Binary::Add, a, term)?),
            _ => return self.factored_pair(op, a, b),
        };
        let constant = self.number(constant);
        Some(self.raw(sign, constant, inner))
    }

    fn factored_pair(&mut self, op: Binary, a: NodeId, b: NodeId) -> Option<NodeId> {
        let monomial = |s: &Simplifier, term: NodeId| {
            let (k, rest) = s.scaled(term);
            match s.graph.node(rest) {
                Node::Binary(Binary::Pow, base, power) => match s.constant(power) {
                    Some(m) if m == m.round() && (2.0..=64.0).contains(&m) => (k, base, m),
                    _ => (k, rest, 1.0),
                },
                _ => (k, rest, 1.0),
            }
        };
        let ((j, x, m), (k, y, n)) = (monomial(self, a), monomial(self, b));
        if x != y || m == n || self.rate(x) < Rate::Scalar {
            return None;
        }
        let low = self.number(m.min(n));
        let mut left = |factor: f64, power: f64| {
            let (factor, power) = (self.number(factor), self.number(power - m.min(n)));
            let power = self.power(x, power);
            self.multiply(factor, power)
        };
        let (a, b) = (left(j, m), left(k, n));
        let inner = self.binary(op, a, b);
        let outer = self.power(x, low);
        Some(self.multiply(outer, inner))
    }

    fn subtract(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if self.constant(b) == Some(0.0) {
            return a;
        }
        if self.constant(a) == Some(0.0) {
            return self.negate(b);
        }
        if a == b {
            return self.number(0.0);
        }
        if let Some(k) = self.constant(b) {
            let k = self.number(-k);
            return self.add(k, a);
        }
        if let Node::Unary(Unary::Neg, inner) = self.graph.node(b) {
            return self.add(a, inner);
        }
        if let Node::Unary(Unary::Neg, inner) = self.graph.node(a) {
            let sum = self.add(inner, b);
            return self.negate(sum);
        }
        let ((ka, ra), (kb, rb)) = (self.scaled(a), self.scaled(b));
        if ra == rb {
            let k = self.number(ka - kb);
            return self.multiply(k, ra);
        }
        if kb < 0.0 && rb != b {
            let k = self.number(-kb);
            let plus = self.multiply(k, rb);
            return self.add(a, plus);
        }
        self.factored(Binary::Sub, a, b).unwrap_or_else(|| self.raw(Binary::Sub, a, b))
    }

    fn multiply(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let (a, b) = if self.rate(a) <= self.rate(b) { (a, b) } else { (b, a) };
        match self.constant(a) {
            Some(0.0) => return a,
            Some(1.0) => return b,
            Some(-1.0) if self.constant(b).is_none() => return self.negate(b),
            _ => {}
        }
        if let Node::Unary(Unary::Neg, inner) = self.graph.node(a) {
            let product = self.multiply(inner, b);
            return self.negate(product);
        }
        if let Node::Unary(Unary::Neg, inner) = self.graph.node(b) {
            let product = self.multiply(a, inner);
            return self.negate(product);
        }
        if a == b {
            let two = self.number(2.0);
            return self.power(a, two);
        }
        if let (Some(ka), Node::Binary(Binary::Add | Binary::Sub, x, y)) = (self.constant(a), self.graph.node(b))
            && let (Some(kx), Node::Binary(op @ (Binary::Add | Binary::Sub), ..)) =
                (self.constant(x), self.graph.node(b))
            && let (ky, ry) = self.scaled(y)
            && (ry != y || ka.abs().log2().fract() == 0.0)
        {
            // k(c + dy) = kc + (kd)y costs nothing more, and lets the factor meet others. Without a d of its own it is as exact
            // only where k is a power of two; then one fused operation is left of two.
            let (c, d) = (self.number(ka * kx), self.number(ka * ky));
            let scaled = self.multiply(d, ry);
            return self.binary(op, c, scaled);
        }
        if let Node::Binary(Binary::Mul, c, d) = self.graph.node(b)
            && self.rate(a) < self.rate(d)
            && self.rate(c) < self.rate(d)
        {
            let outer = self.multiply(a, c);
            return self.multiply(outer, d);
        }
        if let Node::Binary(Binary::Mul, c, d) = self.graph.node(a)
            && self.rate(c) < self.rate(d)
            && self.rate(d) == self.rate(b)
        {
            let inner = self.multiply(d, b);
            return self.multiply(c, inner);
        }
        if let Node::Binary(Binary::Mul, c, d) = self.graph.node(b)
            && self.rate(c) < self.rate(d)
            && self.rate(d) == self.rate(a)
        {
            let inner = self.multiply(a, d);
            return self.multiply(c, inner);
        }
        self.raw(Binary::Mul, a, b)
    }

    fn divide(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if self.constant(a) == Some(0.0) {
            return a;
        }
        if let Node::Unary(Unary::Neg, inner) = self.graph.node(a) {
            let ratio = self.divide(inner, b);
            return self.negate(ratio);
        }
        if let Node::Unary(Unary::Neg, inner) = self.graph.node(b) {
            let ratio = self.divide(a, inner);
            return self.negate(ratio);
        }
        let (rate_a, rate_b) = (self.rate(a), self.rate(b));
        if self.constant(a) != Some(1.0) && (rate_b == Rate::Array || rate_b < rate_a) {
            let one = self.number(1.0);
            let inverse = self.divide(one, b);
            return self.multiply(inverse, a);
        }
        if let Node::Binary(Binary::Mul, c, d) = self.graph.node(a)
            && self.rate(c) < self.rate(d)
            && self.rate(c) <= Rate::Host
        {
            let ratio = self.divide(d, b);
            return self.multiply(c, ratio);
        }
        self.raw(Binary::Div, a, b)
    }

    fn power(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let Some(k) = self.constant(b) else { return self.raw(Binary::Pow, a, b) };
        let even = k == 2.0 * (k / 2.0).round();
        let integer = k == k.round();
        match self.graph.node(a) {
            Node::Unary(Unary::Neg | Unary::Abs, inner) if even => return self.power(inner, b),
            Node::Unary(Unary::Sqrt, inner) if k == 2.0 => return inner,
            Node::Binary(Binary::Pow, base, inner) if integer => {
                if let Some(j) = self.constant(inner)
                    && j == j.round()
                {
                    let product = self.number(j * k);
                    return self.power(base, product);
                }
            }
            _ => {}
        }
        match k {
            0.0 => self.number(1.0),
            1.0 => a,
            0.5 => self.unary(Unary::Sqrt, a),
            -1.0 => {
                let one = self.number(1.0);
                self.divide(one, a)
            }
            _ => self.raw(Binary::Pow, a, b),
        }
    }

    fn select(&mut self, c: NodeId, a: NodeId, b: NodeId) -> NodeId {
        match self.decided(c) {
            Some(true) => return a,
            Some(false) => return b,
            None => {}
        }
        if a == b {
            return a;
        }
        if let Node::Unary(Unary::Not, inner) = self.graph.node(c) {
            return self.select(inner, b, a);
        }
        match self.graph.node(a) {
            Node::Select(inner, x, _) if inner == c => return self.select(c, x, b),
            _ => {}
        }
        let id = self.graph.select(c, a, b);
        // A choice by a constant array between constants is a constant array.
        let constant = |g: &Graph, a: NodeId| matches!(g.node(a), Node::Constant(_) | Node::Table(_) | Node::Iota(_));
        let folds = match self.graph.node(c) {
            Node::Binary(op, x, y) => op.is_boolean() && constant(&self.graph, x) && constant(&self.graph, y),
            _ => false,
        };
        if folds && constant(&self.graph, a) && constant(&self.graph, b) && self.graph.axes(id).size() <= MAX_TABLE {
            let values = evaluate::<f64>(&self.graph, &[id], &Inputs::default()).swap_remove(0);
            let axes = self.graph.axes(id);
            return self.folded(values, axes);
        }
        id
    }

    fn view(&mut self, source: NodeId, from: Axis, start: i32, step: i32, to: Option<Axis>) -> NodeId {
        if let Node::View { source: inner, from: first, start: s, step: p, to: Some(middle) } = self.graph.node(source)
            && middle == from
            && to.is_none_or(|to| !self.graph.axes(inner).without(first).contains(to))
        {
            return self.view(inner, first, s + p * start, p * step, to);
        }
        if let Node::Pad { source: inner, into, start: s, step: p, from: spread } = self.graph.node(source)
            && into == from
            && (spread, s, p) == (to, start, step)
        {
            return inner;
        }
        if let (Node::Input(Input::Data(first), axes), None) = (self.graph.node(source), to)
            && matches!(from.kind, AxisKind::Value(_))
        {
            return self.graph.input(Input::Data(first + start as u32), axes.without(from));
        }
        let id = self.graph.view(source, from, start, step, to);
        self.fold(id)
    }

    fn pad(&mut self, source: NodeId, into: Axis, start: i32, step: i32, from: Option<Axis>) -> NodeId {
        if self.constant(source) == Some(0.0) {
            return source;
        }
        if from == Some(into) && start == 0 && step == 1 && self.graph.axes(source).contains(into) {
            return source;
        }
        let id = self.graph.pad(source, from, start, step, into);
        self.fold(id)
    }

    fn split(&mut self, source: NodeId, from: Axis, outer: Axis, inner: Axis) -> NodeId {
        if let Node::Merge { source: matrix, outer: o, inner: i, into } = self.graph.node(source)
            && (into, o, i) == (from, outer, inner)
            && [outer, inner].iter().all(|&axis| self.graph.axes(matrix).contains(axis))
        {
            return matrix;
        }
        let id = self.graph.split(source, from, outer, inner);
        self.fold(id)
    }

    fn merge(&mut self, source: NodeId, outer: Axis, inner: Axis, into: Axis) -> NodeId {
        if let Node::Split { source: vector, from, outer: o, inner: i } = self.graph.node(source)
            && (from, o, i) == (into, outer, inner)
        {
            return vector;
        }
        let id = self.graph.merge(source, outer, inner, into);
        self.fold(id)
    }

    fn reduce(&mut self, op: Reduction, a: NodeId, axis: Axis) -> NodeId {
        if !self.graph.axes(a).contains(axis) {
            let len = self.number(f64::from(axis.len));
            return match op {
                Reduction::Sum => self.multiply(len, a),
                Reduction::Product => self.power(a, len),
                Reduction::Min | Reduction::Max => a,
            };
        }
        if op == Reduction::Sum {
            match self.graph.node(a) {
                Node::Unary(Unary::Neg, inner) => {
                    let sum = self.reduce(op, inner, axis);
                    return self.negate(sum);
                }
                Node::Binary(Binary::Mul, k, rest) if !self.graph.axes(k).contains(axis) => {
                    let sum = self.reduce(op, rest, axis);
                    return self.multiply(k, sum);
                }
                Node::Binary(Binary::Mul, rest, k) if !self.graph.axes(k).contains(axis) => {
                    let sum = self.reduce(op, rest, axis);
                    return self.multiply(k, sum);
                }
                Node::Pad { source, into, from, .. } if into == axis => {
                    return match from {
                        Some(from) => self.reduce(op, source, from),
                        None => source,
                    };
                }
                _ => {}
            }
        }
        let id = self.graph.reduce(op, a, axis);
        self.fold(id)
    }

    fn scan(&mut self, scan: Scan, a: NodeId, axis: Axis) -> NodeId {
        let id = self.graph.scan(scan, a, axis);
        self.fold(id)
    }
}

/// `k/π` where `k` is the double nearest to a multiple of π/64.
fn multiple_of_pi(k: f64) -> Option<f64> {
    let multiple = (k / std::f64::consts::PI * 64.0).round() / 64.0;
    let close = (multiple * std::f64::consts::PI - k).abs() <= 2.0 * f64::EPSILON * k.abs();
    (multiple != 0.0 && multiple.abs() < 1e6 && close).then_some(multiple)
}
