//! Passes over the surface's table: sums over rows that wait for nothing more are made in one loop.

use crate::graph::{Graph, NodeId};

/// Which sums over rows each pass makes, and before which pass a node outside of rows can be computed.
#[derive(Clone, Debug)]
pub(super) struct Passes {
    /// By node: the passes that must be over before it.
    ready: Vec<usize>,
    /// By pass: sums and what they sum.
    sums: Vec<Vec<(NodeId, NodeId)>>,
}

impl Passes {
    pub(super) fn new(graph: &Graph, ids: &[NodeId]) -> Passes {
        let mut passes = Passes { ready: vec![0; graph.len()], sums: Vec::new() };
        for &id in ids {
            let waits = graph.arguments(id).map(|a| passes.ready[a.index()]).max().unwrap_or(0);
            passes.ready[id.index()] = waits;
            if let Some(item) = graph.summed_rows(id) {
                passes.ready[id.index()] = waits + 1;
                passes.sums.resize_with(passes.sums.len().max(waits + 1), Vec::new);
                passes.sums[waits].push((id, item));
            }
        }
        passes
    }

    /// How many passes there are.
    pub(super) fn last(&self) -> usize {
        self.sums.len()
    }

    /// The sums that a pass makes.
    pub(super) fn sums(&self, pass: usize) -> &[(NodeId, NodeId)] {
        self.sums.get(pass).map_or(&[], |s| s)
    }

    /// Whether a node outside of rows is computed right before this pass.
    pub(super) fn is_outside(&self, graph: &Graph, id: NodeId, pass: usize) -> bool {
        self.ready[id.index()] == pass && graph.axes(id).row().is_none() && graph.summed_rows(id).is_none()
    }
}

/// The nodes over rows that these sums need, in order.
pub(super) fn inside(graph: &Graph, sums: &[(NodeId, NodeId)]) -> Vec<NodeId> {
    let mut todo: Vec<NodeId> = sums.iter().map(|s| s.1).collect();
    let mut found: Vec<NodeId> = Vec::new();
    let mut seen = vec![false; graph.len()];
    while let Some(id) = todo.pop() {
        if graph.axes(id).row().is_some() && !std::mem::replace(&mut seen[id.index()], true) {
            found.push(id);
            todo.extend(graph.arguments(id));
        }
    }
    found.sort_unstable();
    found
}
