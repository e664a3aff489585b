//! Reverse-mode differentiation, graph to graph.
//!
//! An adjoint of a node over axes A may lack some of A: it is then the same along them. What an untaken branch of
//! `where` contributes is masked before it is multiplied by a derivative, so that it is nothing and never NaN.

use super::{Binary, Graph, Input, Node, NodeId, Reduction, Scan, Unary};

/// The gradient of the scalar `root` with respect to the parameter vector: one value a coordinate, or a scalar where it
/// is the same for all. Zero where the root does not depend on the parameters.
pub fn gradient(graph: &mut Graph, root: NodeId) -> NodeId {
    let x = (0..graph.len() as u32).map(NodeId).find(|&id| matches!(graph.node(id), Node::Input(Input::X, _)));
    let Some(x) = x else { return graph.constant(0.0) };
    let count = root.index() + 1;
    let mut varies = vec![false; count.max(x.index() + 1)];
    varies[x.index()] = true;
    for id in 0..count {
        let node = NodeId(id as u32);
        if graph.arguments(node).any(|a| varies[a.index()]) {
            varies[id] = true;
        }
    }
    let mut adjoints: Vec<Option<NodeId>> = vec![None; varies.len()];
    adjoints[root.index()] = Some(graph.constant(1.0));
    for id in (0..count).rev() {
        let node = NodeId(id as u32);
        let Some(adjoint) = adjoints[id] else { continue };
        if !varies[id] {
            continue;
        }
        for (argument, contribution) in contributions(graph, node, adjoint) {
            if !varies[argument.index()] {
                continue;
            }
            let contribution = gather(graph, node, argument, contribution);
            let slot = &mut adjoints[argument.index()];
            *slot = Some(match *slot {
                None => contribution,
                Some(sofar) => add(graph, sofar, contribution),
            });
        }
    }
    adjoints[x.index()].unwrap_or_else(|| graph.constant(0.0))
}

/// Sums a contribution along the axes that the argument was broadcast over.
fn gather(graph: &mut Graph, node: NodeId, argument: NodeId, mut contribution: NodeId) -> NodeId {
    if matches!(
        graph.node(node),
        Node::View { .. } | Node::Pad { .. } | Node::Split { .. } | Node::Merge { .. } | Node::Reduce(..)
    ) {
        return contribution;
    }
    let (outer, inner) = (graph.axes(node), graph.axes(argument));
    for axis in outer.iter().rev().filter(|&a| !inner.contains(a)) {
        contribution = if graph.axes(contribution).contains(axis) {
            graph.reduce(Reduction::Sum, contribution, axis)
        } else {
            let len = graph.constant(f64::from(axis.len));
            times(graph, contribution, len)
        };
    }
    contribution
}

/// What each argument of a node receives.
fn contributions(graph: &mut Graph, node: NodeId, adjoint: NodeId) -> Vec<(NodeId, NodeId)> {
    match graph.node(node) {
        Node::Constant(_) | Node::Table(_) | Node::Iota(_) | Node::Input(..) => Vec::new(),
        Node::Unary(Unary::Neg, a) => {
            let c = negate(graph, adjoint);
            vec![(a, c)]
        }
        Node::Unary(op, a) => match op.derivative(graph, a, node) {
            None => Vec::new(),
            Some(partial) => vec![(a, times(graph, adjoint, partial))],
        },
        Node::Binary(op, a, b) => binary(graph, op, a, b, node, adjoint),
        Node::Select(condition, a, b) => {
            let zero = graph.constant(0.0);
            let to_a = graph.select(condition, adjoint, zero);
            let otherwise = graph.unary(Unary::Not, condition);
            let to_b = graph.select(otherwise, adjoint, zero);
            vec![(a, to_a), (b, to_b)]
        }
        Node::View { source, from, start, step, to } => {
            let c = graph.pad(adjoint, to, start, step, from);
            vec![(source, c)]
        }
        Node::Pad { source, into, start, step, from } => {
            let c = graph.view(adjoint, into, start, step, from);
            vec![(source, c)]
        }
        Node::Split { source, from, outer, inner } => {
            let c = graph.merge(adjoint, outer, inner, from);
            vec![(source, c)]
        }
        Node::Merge { source, outer, inner, into } => {
            let c = graph.split(adjoint, into, outer, inner);
            vec![(source, c)]
        }
        Node::Reduce(Reduction::Sum, a, _) => vec![(a, adjoint)],
        Node::Reduce(Reduction::Product, a, axis) => {
            // The product of all others, without a division: it may hold zeros.
            let scan = |reverse| Scan { product: true, reverse, exclusive: true };
            let before = graph.scan(scan(false), a, axis);
            let after = graph.scan(scan(true), a, axis);
            let others = graph.binary(Binary::Mul, before, after);
            vec![(a, times(graph, adjoint, others))]
        }
        Node::Reduce(Reduction::Min | Reduction::Max, a, axis) => {
            // Elements that tie share the adjoint.
            let (zero, one) = (graph.constant(0.0), graph.constant(1.0));
            let chosen = graph.binary(Binary::Equal, a, node);
            let ones = graph.select(chosen, one, zero);
            let ties = graph.reduce(Reduction::Sum, ones, axis);
            let share = graph.binary(Binary::Div, adjoint, ties);
            vec![(a, graph.select(chosen, share, zero))]
        }
        Node::Scan(scan, a, axis) => {
            let back = Scan { product: false, reverse: !scan.reverse, exclusive: scan.exclusive };
            if !scan.product {
                return vec![(a, graph.scan(back, adjoint, axis))];
            }
            // Running products stand in gradients only; where one is differentiated again its elements are not zero.
            let weighted = times(graph, adjoint, node);
            let sum = graph.scan(back, weighted, axis);
            vec![(a, graph.binary(Binary::Div, sum, a))]
        }
    }
}

fn binary(graph: &mut Graph, op: Binary, a: NodeId, b: NodeId, node: NodeId, adjoint: NodeId) -> Vec<(NodeId, NodeId)> {
    match op {
        Binary::Add => vec![(a, adjoint), (b, adjoint)],
        Binary::Sub => {
            let minus = negate(graph, adjoint);
            vec![(a, adjoint), (b, minus)]
        }
        Binary::Mul => {
            let to_a = times(graph, adjoint, b);
            let to_b = times(graph, adjoint, a);
            vec![(a, to_a), (b, to_b)]
        }
        Binary::Div => {
            let one = graph.constant(1.0);
            let inverse = graph.binary(Binary::Div, one, b);
            let to_a = times(graph, adjoint, inverse);
            let ratio = graph.binary(Binary::Div, node, b);
            let minus = graph.unary(Unary::Neg, ratio);
            let to_b = times(graph, adjoint, minus);
            vec![(a, to_a), (b, to_b)]
        }
        Binary::Min | Binary::Max => {
            let zero = graph.constant(0.0);
            let takes_b = match op {
                Binary::Min => graph.binary(Binary::Less, b, a),
                _ => graph.binary(Binary::Less, a, b),
            };
            let takes_a = graph.unary(Unary::Not, takes_b);
            let to_a = graph.select(takes_a, adjoint, zero);
            let to_b = graph.select(takes_b, adjoint, zero);
            vec![(a, to_a), (b, to_b)]
        }
        Binary::Pow => {
            let zero = graph.constant(0.0);
            let to_a = match graph.constant_value(b) {
                Some(0.0) => zero,
                Some(k) => {
                    let (k, below) = (graph.constant(k), graph.constant(k - 1.0));
                    let power = graph.binary(Binary::Pow, a, below);
                    let partial = graph.binary(Binary::Mul, k, power);
                    times(graph, adjoint, partial)
                }
                None => {
                    let one = graph.constant(1.0);
                    let below = graph.binary(Binary::Sub, b, one);
                    let power = graph.binary(Binary::Pow, a, below);
                    let partial = graph.binary(Binary::Mul, b, power);
                    let none = graph.binary(Binary::Equal, b, zero);
                    let partial = graph.select(none, zero, partial);
                    times(graph, adjoint, partial)
                }
            };
            let log = graph.unary(Unary::Log, a);
            let grown = graph.binary(Binary::Mul, node, log);
            let positive = graph.binary(Binary::Less, zero, a);
            let partial = graph.select(positive, grown, zero);
            let to_b = times(graph, adjoint, partial);
            vec![(a, to_a), (b, to_b)]
        }
        Binary::Atan2 => {
            let (aa, bb) = (graph.binary(Binary::Mul, a, a), graph.binary(Binary::Mul, b, b));
            let square = graph.binary(Binary::Add, aa, bb);
            let along = graph.binary(Binary::Div, b, square);
            let across = graph.binary(Binary::Div, a, square);
            let minus = graph.unary(Unary::Neg, across);
            let to_a = times(graph, adjoint, along);
            let to_b = times(graph, adjoint, minus);
            vec![(a, to_a), (b, to_b)]
        }
        Binary::Less | Binary::LessEqual | Binary::Equal | Binary::NotEqual | Binary::And | Binary::Or => Vec::new(),
    }
}

/// An adjoint that is zero unless its condition holds.
fn masked(graph: &Graph, adjoint: NodeId) -> Option<(NodeId, NodeId)> {
    match graph.node(adjoint) {
        Node::Select(condition, value, other) if graph.constant_value(other) == Some(0.0) => Some((condition, value)),
        _ => None,
    }
}

fn times(graph: &mut Graph, adjoint: NodeId, partial: NodeId) -> NodeId {
    if let Some((condition, value)) = masked(graph, adjoint) {
        let product = times(graph, value, partial);
        let zero = graph.constant(0.0);
        return graph.select(condition, product, zero);
    }
    if graph.constant_value(adjoint) == Some(1.0) {
        return partial;
    }
    if graph.constant_value(partial) == Some(1.0) {
        return adjoint;
    }
    graph.binary(Binary::Mul, adjoint, partial)
}

fn negate(graph: &mut Graph, adjoint: NodeId) -> NodeId {
    if let Some((condition, value)) = masked(graph, adjoint) {
        let minus = negate(graph, value);
        let zero = graph.constant(0.0);
        return graph.select(condition, minus, zero);
    }
    graph.unary(Unary::Neg, adjoint)
}

fn add(graph: &mut Graph, a: NodeId, b: NodeId) -> NodeId {
    match (masked(graph, a), masked(graph, b)) {
        (Some((ca, va)), Some((cb, vb))) if ca == cb => {
            let sum = graph.binary(Binary::Add, va, vb);
            let zero = graph.constant(0.0);
            graph.select(ca, sum, zero)
        }
        (Some((ca, _)), Some((cb, _))) => {
            let sum = graph.binary(Binary::Add, a, b);
            let either = graph.binary(Binary::Or, ca, cb);
            let zero = graph.constant(0.0);
            graph.select(either, sum, zero)
        }
        _ => graph.binary(Binary::Add, a, b),
    }
}
