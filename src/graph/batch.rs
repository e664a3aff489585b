//! Sums over rows estimated from a batch of them: `Σ_rows f ≈ (rows / batch) Σ_batch f`, whose mean over batches is the sum.

use super::{Axis, Binary, Graph, Node, NodeId, Reduction, Simplified};

/// The graph with `batch` rows in the place of `rows`, and every sum over rows scaled to stay unbiased.
pub fn batched(graph: &Graph, roots: &[NodeId], rows: u32, batch: u32) -> Simplified {
    let (all, some) = (Axis::rows(rows), Axis::rows(batch));
    let needed = graph.needed(roots);
    let mut out = Graph::new();
    let mut map: Vec<NodeId> = vec![NodeId(0); graph.len()];
    for id in (0..graph.len() as u32).map(NodeId).filter(|id| needed[id.index()]) {
        map[id.index()] = match graph.node(id) {
            Node::Input(input, axes) if axes.contains(all) => {
                out.input(input, axes.without(all).with(some).unwrap_or(axes))
            }
            Node::Reduce(Reduction::Sum, a, axis) if axis == all => {
                let sum = out.reduce(Reduction::Sum, map[a.index()], some);
                let scale = out.constant(f64::from(rows) / f64::from(batch));
                out.binary(Binary::Mul, scale, sum)
            }
            _ => out.copied(graph, id, |a| map[a.index()]),
        };
    }
    Simplified { graph: out, roots: roots.iter().map(|r| map[r.index()]).collect() }
}
