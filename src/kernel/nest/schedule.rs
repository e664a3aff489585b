//! The order of loops: which values share one, and which loops must be over before it.

use super::place::Place;
use super::{Array, Lowered, Sites, Undecided, WRITTEN_OUT};
use crate::graph::{Axis, Graph, Node, NodeId, Reduction};
use std::collections::{BTreeMap, HashMap};

/// What a value must cost (in multiplications) to be kept for a later loop and not computed again.
const WORTH_KEEPING: u32 = 12;

/// When a loop runs, and over how many places along each of its axes.
pub(super) type Key = (usize, Vec<u32>);

/// A reduction to a scalar.
pub(super) struct Sum {
    pub(super) node: NodeId,
    pub(super) op: Reduction,
    pub(super) item: NodeId,
    pub(super) axis: Axis,
}

/// An array that a loop fills or adds to, at the place where it is.
pub(super) struct Write {
    /// The node that the array holds from then on.
    pub(super) holds: Option<NodeId>,
    /// What is pulled at each place.
    pub(super) pull: NodeId,
    /// The axes of the loop.
    pub(super) axes: Vec<Axis>,
    /// The array, or none for a new one.
    pub(super) array: Option<Array>,
    /// Whether the value is added to what is there.
    pub(super) adds: bool,
}

/// What one loop computes.
#[derive(Default)]
pub(super) struct Group {
    /// Reductions to a scalar.
    pub(super) sums: Vec<Sum>,
    /// Arrays kept for later loops.
    pub(super) kept: Vec<Write>,
    /// Arrays filled for others than loops.
    pub(super) stores: Vec<Write>,
}

/// Loops in their order: by stage the fused ones, then the scans.
#[derive(Default)]
pub(super) struct Schedule {
    pub(super) groups: BTreeMap<Key, Group>,
    pub(super) scans: BTreeMap<usize, Vec<NodeId>>,
}

/// The loops that must be over before a node, in stages.
pub(super) struct Stages {
    /// By node with a loop of its own: its stage.
    of: HashMap<NodeId, usize>,
    /// By node: the stages that must be over.
    ready: HashMap<NodeId, usize>,
}

impl Stages {
    /// Of these nodes; others that they need are there already.
    pub(super) fn new(graph: &Graph, ids: &[NodeId], sites: &Sites) -> Stages {
        let mut stages = Stages { of: HashMap::new(), ready: HashMap::new() };
        for &id in ids {
            let waits = graph.arguments(id).map(|a| stages.ready(a)).max().unwrap_or(0);
            let own = sites.own(graph, id);
            if own {
                stages.of.insert(id, waits);
            }
            stages.ready.insert(id, waits + usize::from(own));
        }
        stages
    }

    pub(super) fn ready(&self, id: NodeId) -> usize {
        self.ready.get(&id).copied().unwrap_or(0)
    }

    /// Puts reductions that only scalar outputs wait for into the last stage, where the outputs are stored; gives that stage.
    pub(super) fn delay(&mut self, graph: &Graph, ids: &[NodeId], sites: &Sites, arrays: &[NodeId]) -> usize {
        let reduction = |id: NodeId| matches!(graph.node(id), Node::Reduce(..)) && !sites.stored[id.index()];
        let stored = arrays.iter().map(|&a| self.ready(a));
        let reduced = self.of.iter().filter(|s| reduction(*s.0)).map(|s| *s.1);
        let last = stored.chain(reduced).max().unwrap_or(0);
        let mut waited = vec![false; graph.len()];
        for &id in ids.iter().rev() {
            let uses = matches!(graph.node(id), Node::Reduce(..) | Node::Scan(..)) || sites.stored[id.index()];
            if waited[id.index()] || uses || arrays.contains(&id) {
                graph.arguments(id).for_each(|a| waited[a.index()] = true);
            }
        }
        for (&id, at) in &mut self.of {
            if !waited[id.index()] && reduction(id) {
                *at = last;
            }
        }
        last
    }

    /// The loops of these nodes.
    pub(super) fn schedule(&self, graph: &Graph, ids: &[NodeId], sites: &Sites) -> Schedule {
        let mut schedule = Schedule::default();
        for &id in ids {
            let Some(&at) = self.of.get(&id) else { continue };
            let axes = sites.loops(graph, id).unwrap_or_default();
            let lens = axes.iter().map(|a| a.len).collect();
            match graph.node(id) {
                _ if sites.stored[id.index()] && !matches!(graph.node(id), Node::Scan(..)) => {
                    // A matrix that cannot be read row by row is copied so that it can.
                    let pull = if let Node::Merge { source, .. } = graph.node(id) { source } else { id };
                    let write = Write { holds: Some(id), pull, axes, array: None, adds: false };
                    schedule.groups.entry((at, lens)).or_default().kept.push(write);
                }
                Node::Reduce(op, item, axis) => {
                    schedule.groups.entry((at, lens)).or_default().sums.push(Sum { node: id, op, item, axis });
                }
                Node::Scan(..) => schedule.scans.entry(at).or_default().push(id),
                _ => {}
            }
        }
        schedule
    }
}

/// Finds arrays that are dear and pulled by several loops, and has the first loop keep them.
///
/// # Errors
/// A dear array that the first loop does not compute place by place.
pub(super) fn share(graph: &Graph, ids: &[NodeId], sites: &Sites, schedules: &mut [&mut Schedule]) -> Lowered<()> {
    // Which loops pull a node: those of the nodes that use it, and of a kept one the loop that keeps it.
    let mut pulls: Vec<Vec<(usize, Key)>> = vec![Vec::new(); graph.len()];
    for (number, schedule) in schedules.iter().enumerate() {
        for (key, group) in &schedule.groups {
            let mut roots: Vec<NodeId> = group.sums.iter().map(|s| s.item).collect();
            for write in group.kept.iter().chain(&group.stores) {
                match write.holds {
                    Some(id) if id == write.pull => roots.extend(graph.arguments(id)),
                    _ => roots.push(write.pull),
                }
            }
            roots.into_iter().for_each(|id| pulls[id.index()].push((number, key.clone())));
        }
        for (&at, list) in &schedule.scans {
            for &id in list {
                let lens: Vec<u32> = sites.loops(graph, id).unwrap_or_default().iter().map(|a| a.len).collect();
                graph.arguments(id).for_each(|a| pulls[a.index()].push((number, (at, lens.clone()))));
            }
        }
    }
    for &id in ids.iter().rev() {
        let mut loops = std::mem::take(&mut pulls[id.index()]);
        if sites.own(graph, id) {
            continue;
        }
        loops.sort_unstable();
        loops.dedup();
        let Some((number, key)) = keeper(graph, ids, id, &loops) else {
            graph.arguments(id).for_each(|a| pulls[a.index()].extend(loops.iter().cloned()));
            continue;
        };
        let axes: Vec<Axis> = graph.axes(id).within_row().iter().collect();
        let lens: Vec<u32> = axes.iter().map(|a| a.len).collect();
        match schedules[*number].groups.get_mut(key) {
            Some(group) if key.1 == lens && group.sums.iter().all(|s| axes == [s.axis]) => {
                graph.arguments(id).for_each(|a| pulls[a.index()].push((*number, key.clone())));
                group.kept.push(Write { holds: Some(id), pull: id, axes, array: None, adds: false });
            }
            _ if !matches!(graph.node(id), Node::Unary(..) | Node::Binary(..)) || compared(graph, ids, id) => {
                return Err(Undecided(id));
            }
            _ => graph.arguments(id).for_each(|a| pulls[a.index()].extend(loops.iter().cloned())),
        }
    }
    Ok(())
}

/// The loop that should keep a node, if any should: the first of several that pull a dear one.
fn keeper<'k>(graph: &Graph, ids: &[NodeId], id: NodeId, loops: &'k [(usize, Key)]) -> Option<&'k (usize, Key)> {
    if loops.len() < 2 || graph.axes(id).within_row().is_scalar() || graph.is_boolean(id) {
        return None;
    }
    let dear = match graph.node(id) {
        Node::Unary(op, _) => op.cost() >= WORTH_KEEPING,
        Node::Binary(op, _, b) => op.cost() >= WORTH_KEEPING && graph.constant_value(b).is_none(),
        Node::Reduce(_, _, axis) => axis.len > WRITTEN_OUT,
        _ => false,
    };
    (dear || compared(graph, ids, id)).then(|| &loops[0])
}

/// Whether a value is compared with its own extremum: then it must be the very same value.
fn compared(graph: &Graph, ids: &[NodeId], id: NodeId) -> bool {
    let extremum = |r: NodeId| matches!(graph.node(r), Node::Reduce(Reduction::Min | Reduction::Max, a, _) if a == id);
    matches!(graph.node(id), Node::Unary(..) | Node::Binary(..) | Node::Select(..)) && ids.iter().any(|&r| extremum(r))
}

/// Where the axes of a loop stand.
pub(super) fn standing(axes: &[Axis], places: &[Place]) -> Vec<(Axis, Place)> {
    axes.iter().copied().zip(places.iter().copied()).collect()
}
