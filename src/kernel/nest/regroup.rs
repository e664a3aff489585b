//! Products put in an order that suits loops: factors over few places are multiplied first.
//!
//! Simplification orders factors by how often they change. Within a loop over two axes, or over rows, what counts is how many
//! places a product has: `(W·v)·s` with a matrix, a vector and a scalar of the row is two multiplications an element of the
//! matrix, and `W·(v·s)` is one.

use crate::graph::{Binary, Graph, Node, NodeId};
use crate::kernel::Outputs;
use std::collections::HashMap;

/// Longer products are left as they are.
const FACTORS: usize = 16;

/// The graph with its products over several axes regrouped, and its outputs; `None` where there are none.
pub(super) fn regrouped(graph: &Graph, outputs: &Outputs) -> Option<(Graph, Outputs)> {
    let roots: Vec<NodeId> = outputs.arrays.iter().map(|a| a.1).chain(outputs.scalars.iter().copied()).collect();
    let needed = graph.needed(&roots);
    let ids: Vec<NodeId> = (0..graph.len() as u32).map(NodeId).filter(|id| needed[id.index()]).collect();
    if !ids.iter().any(|&id| spreads(graph, id)) {
        return None;
    }
    let map = vec![NodeId(0); graph.len()];
    let mut r = Regrouper { old: graph, new: Graph::new(), map, known: HashMap::new() };
    for &id in &ids {
        r.map[id.index()] = r.rebuilt(id);
    }
    let arrays = outputs.arrays.iter().map(|&(array, id)| (array, r.map[id.index()])).collect();
    let scalars = outputs.scalars.iter().map(|id| r.map[id.index()]).collect();
    Some((r.new, Outputs { arrays, scalars, rows: outputs.rows }))
}

/// Whether a product ranges over several axes.
fn spreads(graph: &Graph, id: NodeId) -> bool {
    matches!(graph.node(id), Node::Binary(Binary::Mul, ..) | Node::Select(..)) && graph.axes(id).within_row().rank() > 1
}

struct Regrouper<'g> {
    old: &'g Graph,
    new: Graph,
    map: Vec<NodeId>,
    /// Factors of old nodes.
    known: HashMap<NodeId, Vec<NodeId>>,
}

impl Regrouper<'_> {
    fn rebuilt(&mut self, id: NodeId) -> NodeId {
        if spreads(self.old, id)
            && let Some(factors) = self.split(id)
        {
            return self.product(factors);
        }
        let map = &self.map;
        self.new.copied(self.old, id, |a| map[a.index()])
    }

    /// The factors of an argument, in the new graph.
    fn factors(&mut self, id: NodeId) -> Vec<NodeId> {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        // Arguments come before their users: it is there already.
        let factors = self.split(id).unwrap_or_else(|| vec![self.map[id.index()]]);
        self.known.insert(id, factors.clone());
        factors
    }

    /// The factors of a product of several.
    fn split(&mut self, id: NodeId) -> Option<Vec<NodeId>> {
        let factors = match self.old.node(id) {
            Node::Binary(Binary::Mul, a, b) if a != b => {
                let mut factors = self.factors(a);
                factors.extend(self.factors(b));
                factors
            }
            Node::Select(c, a, zero) if self.old.constant_value(zero) == Some(0.0) && spreads(self.old, a) => {
                self.unmasked(c, a)?
            }
            _ => return None,
        };
        (2..=FACTORS).contains(&factors.len()).then_some(factors)
    }

    /// The factors of `where(c, a, 0)` with those of `a` before the mask that are finite and have axes which no other has. A
    /// factor that may be infinite stays behind the mask: it must be nothing where the branch is not taken.
    fn unmasked(&mut self, c: NodeId, a: NodeId) -> Option<Vec<NodeId>> {
        let factors = self.factors(a);
        let (mut outside, behind): (Vec<NodeId>, Vec<NodeId>) = factors.into_iter().partition(|&f| self.finite(f));
        let c = self.map[c.index()];
        let mut axes = self.new.axes(c);
        for &f in &behind {
            axes = axes.union(&self.new.axes(f))?;
        }
        if !outside.iter().any(|&f| self.new.axes(f).within_row().iter().any(|axis| !axes.contains(axis))) {
            return None;
        }
        let (one, zero) = (self.new.constant(1.0), self.new.constant(0.0));
        let behind = if behind.is_empty() { one } else { self.product(behind) };
        outside.push(self.new.select(c, behind, zero));
        Some(outside)
    }

    /// Whether a node of the new graph is a parameter, a number of the table or a constant: always finite.
    fn finite(&self, id: NodeId) -> bool {
        match self.new.node(id) {
            Node::Constant(_) | Node::Table(_) | Node::Iota(_) | Node::Input(..) => true,
            Node::View { source, .. } | Node::Split { source, .. } => self.finite(source),
            _ => false,
        }
    }

    /// Multiplies, each time the two whose product has the fewest places.
    fn product(&mut self, mut factors: Vec<NodeId>) -> NodeId {
        while factors.len() > 1 {
            let places = |i: usize, j: usize| {
                let axes = self.new.joined(factors[i], factors[j]).unwrap_or_else(|| self.new.axes(factors[i]));
                (axes.within_row().size(), axes.row().is_some())
            };
            let pairs = (0..factors.len()).flat_map(|i| (i + 1..factors.len()).map(move |j| (i, j)));
            let Some((i, j)) = pairs.min_by_key(|&(i, j)| places(i, j)) else { break };
            let (b, a) = (factors.remove(j), factors[i]);
            factors[i] = self.new.binary(Binary::Mul, a, b);
        }
        factors[0]
    }
}
