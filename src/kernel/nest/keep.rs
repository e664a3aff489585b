//! What is kept: nodes that are computed once into a scratch array because pulling them again would cost too much.
//!
//! A loop that pulls a node computes it at each of its turns. That is a waste where an outer loop moves over an axis which the
//! node does not have: a matrix-vector product inside another one, or a vector of parameters inside the loop over rows.
//! [`choose`] walks the graph from its ends and tells the highest such nodes, each of which gets a loop of its own.

use super::{Sites, WRITTEN_OUT};
use crate::graph::{Axes, Axis, Graph, Node, NodeId, Reduction};
use std::collections::HashSet;

/// What a broadcast value must cost (in multiplications) to be kept.
const WORTH_AN_ARRAY: f64 = 4.0;
/// The largest array that is kept for speed alone.
const LARGEST: usize = 1 << 16;
/// So many ways to pull a node are told apart.
const WAYS: usize = 16;

/// Where an axis of a node stands: the loops that move it, as bits of levels, and its affine map.
type Stand = (Axis, u32, i64, i64);

/// One way in which a node is pulled.
#[derive(Clone, Debug, PartialEq)]
struct Pull {
    /// The node whose own loop it is, or none for the outputs' loop.
    site: Option<NodeId>,
    /// The loops around it, by level; bit 0 is the loop over rows.
    around: u32,
    /// Where its axes stand.
    stands: Vec<Stand>,
}

impl Pull {
    /// The levels that a node with these axes moves with.
    fn moves(&self, axes: Axes) -> u32 {
        let own = self.stands.iter().filter(|s| axes.contains(s.0)).fold(0, |mask, s| mask | s.1);
        own | u32::from(axes.row().is_some())
    }

    /// The loops around a value that moves with these levels: it is computed outside of all deeper ones.
    fn around(&self, moves: u32) -> u32 {
        self.around & below(top(moves))
    }
}

/// The first level above all of these.
fn top(mask: u32) -> u32 {
    u32::BITS - mask.leading_zeros()
}

fn below(level: u32) -> u32 {
    if level >= u32::BITS { u32::MAX } else { (1 << level) - 1 }
}

/// What it costs to compute an element of each node, if nothing is kept.
fn work(graph: &Graph, sites: &Sites) -> Vec<f64> {
    let mut work = vec![0.0f64; graph.len()];
    for id in (0..graph.len() as u32).map(NodeId) {
        // A scalar is computed once, outside of the loops that pull it.
        if sites.own(graph, id) || graph.axes(id).within_row().is_scalar() {
            continue;
        }
        let arguments: f64 = graph.arguments(id).map(|a| work[a.index()]).sum();
        work[id.index()] = match graph.node(id) {
            Node::Unary(op, _) => f64::from(op.cost()) + arguments,
            Node::Binary(op, _, b) if graph.constant_value(b).is_none() => f64::from(op.cost()) + arguments,
            Node::Binary(..) => 2.0 + arguments,
            Node::Select(..) => 1.0 + arguments,
            Node::Reduce(_, _, axis) => f64::from(axis.len) * (1.0 + arguments),
            _ => arguments,
        };
    }
    work
}

/// Adds to `sites` the nodes that are stored by a loop of their own, those of `forced` among them.
pub(super) fn choose(
    graph: &Graph,
    ids: &[NodeId],
    outputs: &[NodeId],
    dim: u32,
    forced: &HashSet<NodeId>,
    sites: &mut Sites,
) {
    let work = work(graph, sites);
    let compared = compared(graph, ids);
    let mut pulls: Vec<Vec<Pull>> = vec![Vec::new(); graph.len()];
    for &node in outputs {
        add(graph, &mut pulls, node, Pull { site: None, around: 0b10, stands: vec![(Axis::vector(dim), 0b10, 0, 1)] });
    }
    for &id in ids.iter().rev() {
        let own = std::mem::take(&mut pulls[id.index()]);
        let axes = graph.axes(id).within_row();
        if !sites.own(graph, id) {
            let many = matches!(graph.node(id), Node::Reduce(_, _, axis) if axis.len > WRITTEN_OUT)
                && own.iter().any(|p| own.iter().any(|q| p.site == q.site && p.stands != q.stands));
            let wasted = work[id.index()] >= WORTH_AN_ARRAY
                && own.iter().any(|p| {
                    let moves = p.moves(graph.axes(id));
                    p.around(moves) & !moves != 0
                });
            let computed =
                matches!(graph.node(id), Node::Unary(..) | Node::Binary(..) | Node::Select(..) | Node::Reduce(..));
            let wanted = computed && (many || wasted || compared[id.index()]) && axes.size() <= LARGEST;
            if !axes.is_scalar() && !graph.is_boolean(id) && (wanted || forced.contains(&id)) {
                sites.stored[id.index()] = true;
            }
        }
        if let Node::Merge { source, outer, inner, .. } = graph.node(id)
            && !sites.stored[id.index()]
            && !flattens(graph, source, outer, inner, sites)
        {
            sites.stored[id.index()] = true;
        }
        if let Some(around) = sites.loops(graph, id) {
            let row = u32::from(graph.axes(id).row().is_some() || sites.sums_rows(graph, id));
            let stands: Vec<Stand> = around.iter().enumerate().map(|(k, &axis)| (axis, 2 << k, 0, 1)).collect();
            let all = stands.iter().fold(row, |mask, s| mask | s.1);
            for a in graph.arguments(id).collect::<Vec<_>>() {
                add(graph, &mut pulls, a, Pull { site: Some(id), around: all, stands: stands.clone() });
            }
            continue;
        }
        for pull in own {
            pass_on(graph, &mut pulls, id, pull);
        }
    }
}

/// Notes a pull of a node, in as far as it concerns its axes.
fn add(graph: &Graph, pulls: &mut [Vec<Pull>], id: NodeId, mut pull: Pull) {
    let axes = graph.axes(id);
    pull.stands.retain(|s| axes.contains(s.0));
    pull.stands.sort_unstable();
    pull.around = pull.around(pull.moves(axes));
    let list = &mut pulls[id.index()];
    if list.len() < WAYS && !list.contains(&pull) {
        list.push(pull);
    }
}

/// What a pulled node pulls in turn.
fn pass_on(graph: &Graph, pulls: &mut [Vec<Pull>], id: NodeId, pull: Pull) {
    let at = |axis: Axis| pull.stands.iter().find(|s| s.0 == axis).map_or((0, 0, 0), |s| (s.1, s.2, s.3));
    let without = |list: &[Axis]| pull.stands.iter().filter(|s| !list.contains(&s.0)).copied().collect::<Vec<Stand>>();
    let (source, stands, around) = match graph.node(id) {
        Node::View { source, from, start, step, to } => {
            let (mask, offset, by) = to.map_or((0, 0, 0), at);
            let mut stands = without(&to.into_iter().collect::<Vec<_>>());
            stands.push((from, mask, i64::from(start) + i64::from(step) * offset, i64::from(step) * by));
            (source, stands, pull.around)
        }
        Node::Pad { source, into, start, from, .. } => {
            let (mask, offset, by) = at(into);
            let mut stands = without(&[into]);
            stands.extend(from.map(|from| (from, mask, offset - i64::from(start), by)));
            (source, stands, pull.around)
        }
        Node::Split { source, from, outer, inner } => {
            let mut stands = without(&[outer, inner]);
            stands.push((from, at(outer).0 | at(inner).0, 0, 1));
            (source, stands, pull.around)
        }
        Node::Merge { source, outer, inner, into } => {
            // Element by element through the matrix down to what is split or stored: both axes move with one loop.
            let mask = at(into).0;
            let mut stands = without(&[into]);
            stands.extend([(outer, mask, 0, 1), (inner, mask, 0, 1)]);
            (source, stands, pull.around)
        }
        Node::Reduce(_, a, axis) if axis.len > WRITTEN_OUT => {
            let bit = 1 << top(pull.moves(graph.axes(id))).clamp(1, u32::BITS - 1);
            let mut stands = pull.stands.clone();
            stands.push((axis, bit, 0, 1));
            (a, stands, pull.around | bit)
        }
        _ => {
            for a in graph.arguments(id).collect::<Vec<_>>() {
                add(graph, pulls, a, pull.clone());
            }
            return;
        }
    };
    add(graph, pulls, source, Pull { site: pull.site, around, stands });
}

/// Whether a matrix can be read row by row as a vector. What has both axes and cannot be followed is stored for it.
fn flattens(graph: &Graph, id: NodeId, outer: Axis, inner: Axis, sites: &mut Sites) -> bool {
    let axes = graph.axes(id);
    let (has_outer, has_inner) = (axes.contains(outer), axes.contains(inner));
    if !has_outer && !has_inner {
        return true;
    }
    let last: Vec<Axis> = axes.iter().rev().take(2).collect();
    if last != [inner, outer] {
        return false;
    }
    if sites.sums_rows(graph, id) || sites.own(graph, id) {
        return true;
    }
    match graph.node(id) {
        Node::Table(_) => true,
        Node::Split { outer: o, inner: i, .. } if (o, i) == (outer, inner) => true,
        Node::Unary(..) | Node::Binary(..) | Node::Select(..) if elementwise(graph, id, outer, inner) => {
            graph.arguments(id).collect::<Vec<_>>().into_iter().all(|a| flattens(graph, a, outer, inner, sites))
        }
        _ if graph.is_boolean(id) => false,
        _ => {
            sites.stored[id.index()] = true;
            true
        }
    }
}

/// Whether every argument has both axes or neither.
fn elementwise(graph: &Graph, id: NodeId, outer: Axis, inner: Axis) -> bool {
    graph.arguments(id).all(|a| graph.axes(a).contains(outer) == graph.axes(a).contains(inner))
}

/// Arrays of several axes that are compared with their own extremum: they must be the very same values.
fn compared(graph: &Graph, ids: &[NodeId]) -> Vec<bool> {
    let mut compared = vec![false; graph.len()];
    for &id in ids {
        if let Node::Reduce(Reduction::Min | Reduction::Max, a, _) = graph.node(id)
            && graph.axes(a).within_row().rank() > 1
        {
            compared[a.index()] = true;
        }
    }
    compared
}
