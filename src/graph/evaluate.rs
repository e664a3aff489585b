//! The reference evaluator: walks a graph node by node, over any [`Scalar`], and shares nothing with the lowering.

use super::{Axes, Axis, Graph, Input, Node, NodeId, Reduction, Scalar};

/// Values for a graph's inputs. `x`, `states` and `draws` hold one value a coordinate.
#[derive(Clone, Debug)]
pub struct Inputs<'a, S> {
    /// The parameter vector.
    pub x: &'a [S],
    /// State slots, each of the length of `x`.
    pub states: &'a [Vec<S>],
    /// Host state slots.
    pub host_states: &'a [S],
    /// Hyperparameters, drawn or not.
    pub hyper: &'a [S],
    /// Host scalars.
    pub host: &'a [S],
    /// The surface's table, row-major.
    pub data: &'a [S],
    /// Columns of the table.
    pub columns: usize,
    /// Draws by site, each of the length of `x`.
    pub draws: &'a [Vec<S>],
    /// The step, from 1.
    pub step: u64,
    /// The total number of steps.
    pub steps: u64,
}

impl<S> Default for Inputs<'_, S> {
    fn default() -> Self {
        Inputs {
            x: &[],
            states: &[],
            host_states: &[],
            hyper: &[],
            host: &[],
            data: &[],
            columns: 0,
            draws: &[],
            step: 1,
            steps: 1,
        }
    }
}

/// Evaluates the roots; each comes back row-major in its own axes.
///
/// # Panics
/// Where `inputs` lacks something that the roots need.
pub fn evaluate<S: Scalar>(graph: &Graph, roots: &[NodeId], inputs: &Inputs<'_, S>) -> Vec<Vec<S>> {
    let needed = graph.needed(roots);
    let mut values: Vec<Vec<S>> = vec![Vec::new(); graph.len()];
    for id in (0..graph.len()).filter(|&id| needed[id]) {
        values[id] = node_values(graph, NodeId(id as u32), &values, inputs);
    }
    roots.iter().map(|r| values[r.index()].clone()).collect()
}

/// Positions of an array over `inner` while walking the elements over `outer` in row-major order.
fn walk(outer: Axes, inner: Axes) -> impl Iterator<Item = usize> {
    walk_with(outer, inner, inner)
}

/// How far apart neighbours along `axis` are in an array over `axes`; 0 where the array does not range over it.
fn stride(axes: Axes, axis: Axis) -> usize {
    if !axes.contains(axis) {
        return 0;
    }
    axes.iter().skip_while(|&a| a != axis).skip(1).map(|a| a.len as usize).product()
}

fn node_values<S: Scalar>(graph: &Graph, id: NodeId, values: &[Vec<S>], inputs: &Inputs<'_, S>) -> Vec<S> {
    let axes = graph.axes(id);
    let of = |a: NodeId| &values[a.index()][..];
    match graph.node(id) {
        Node::Constant(bits) => vec![S::constant(f64::from_bits(bits))],
        Node::Table(index) => graph.tables()[index as usize].values.iter().map(|&v| S::constant(v)).collect(),
        Node::Iota(axis) => (0..axis.len).map(|i| S::constant(f64::from(i))).collect(),
        Node::Input(input, _) => match input {
            Input::X => inputs.x.to_vec(),
            Input::State(k) => inputs.states[k as usize].clone(),
            Input::HostState(k) => vec![inputs.host_states[k as usize]],
            Input::Hyper(k) | Input::DrawnHyper(k) => vec![inputs.hyper[k as usize]],
            Input::Step => vec![S::constant(inputs.step as f64)],
            Input::Steps => vec![S::constant(inputs.steps as f64)],
            Input::Host(k) => vec![inputs.host[k as usize]],
            Input::Draw { site, .. } => inputs.draws[site as usize].clone(),
            Input::Data(first) => {
                let width = axes.within_row().size();
                let rows = inputs.data.chunks_exact(inputs.columns.max(1));
                rows.flat_map(|row| row[first as usize..][..width].iter().copied()).collect()
            }
        },
        Node::Unary(op, a) => of(a).iter().map(|&a| S::unary(op, a)).collect(),
        Node::Binary(op, a, b) => walk(axes, graph.axes(a))
            .zip(walk(axes, graph.axes(b)))
            .map(|(i, j)| S::binary(op, of(a)[i], of(b)[j]))
            .collect(),
        Node::Select(c, a, b) => walk(axes, graph.axes(c))
            .zip(walk(axes, graph.axes(a)))
            .zip(walk(axes, graph.axes(b)))
            .map(|((k, i), j)| S::select(of(c)[k], of(a)[i], of(b)[j]))
            .collect(),
        Node::View { source, from, start, step, to } => {
            let rest = graph.axes(source).without(from);
            let along = stride(graph.axes(source), from) as i64;
            // Walks the view's elements, over the source with `from` at its start, and adds the stride by hand.
            let base = walk_with(axes, graph.axes(source), rest);
            let position = walk(axes, to.map_or(Axes::SCALAR, Axes::one));
            base.zip(position)
                .map(|(b, q)| of(source)[(b as i64 + along * (i64::from(start) + i64::from(step) * q as i64)) as usize])
                .collect()
        }
        Node::Pad { source, into, start, step, from } => {
            let source_axes = graph.axes(source);
            let rest = from.map_or(source_axes, |f| source_axes.without(f));
            let along = from.map_or(0, |f| stride(source_axes, f)) as i64;
            let base = walk_with(axes, source_axes, rest);
            let position = walk(axes, Axes::one(into));
            base.zip(position)
                .map(|(b, i)| {
                    let offset = i as i64 - i64::from(start);
                    let q = if step == 0 {
                        (offset == 0).then_some(0)
                    } else {
                        let q = offset / i64::from(step);
                        let len = from.map_or(1, |f| i64::from(f.len));
                        (q * i64::from(step) == offset && (0..len).contains(&q)).then_some(q)
                    };
                    q.map_or(S::constant(0.0), |q| of(source)[(b as i64 + along * q) as usize])
                })
                .collect()
        }
        Node::Split { source, from, outer, inner } => {
            let from_axes = graph.axes(source);
            let along = stride(from_axes, from);
            let flat = Axes::new([outer, inner]).unwrap_or(Axes::SCALAR);
            let place = walk(axes, flat);
            walk_with(axes, from_axes, from_axes.without(from))
                .zip(place)
                .map(|(b, q)| of(source)[b + along * q])
                .collect()
        }
        Node::Merge { source, outer, inner, into } => {
            let from_axes = graph.axes(source);
            let (rows, columns) = (stride(from_axes, outer), stride(from_axes, inner));
            let rest = from_axes.without(outer).without(inner);
            let width = inner.len as usize;
            walk_with(axes, from_axes, rest)
                .zip(walk(axes, Axes::one(into)))
                .map(|(b, q)| of(source)[b + rows * (q / width) + columns * (q % width)])
                .collect()
        }
        Node::Reduce(op, a, axis) => {
            let stride = stride(graph.axes(a), axis);
            walk_with(axes, graph.axes(a), axes)
                .map(|base| {
                    let items: Vec<S> = (0..axis.len as usize).map(|i| of(a)[base + i * stride]).collect();
                    if op == Reduction::Sum {
                        return S::sum(&items);
                    }
                    items.into_iter().reduce(|a, b| S::binary(op.operator(), a, b)).unwrap_or(S::constant(op.neutral()))
                })
                .collect()
        }
        Node::Scan(scan, a, axis) => {
            let (from, to) = (stride(graph.axes(a), axis), stride(axes, axis));
            let operator = if scan.product { Reduction::Product } else { Reduction::Sum }.operator();
            let neutral = if scan.product { 1.0 } else { 0.0 };
            let mut out = vec![S::constant(neutral); axes.size()];
            let rest = axes.without(axis);
            let starts: Vec<(usize, usize)> =
                walk_with(rest, graph.axes(a), rest).zip(walk_with(rest, axes, rest)).collect();
            for (source, target) in starts {
                let mut running: Option<S> = None;
                for step in 0..axis.len as usize {
                    let i = if scan.reverse { axis.len as usize - 1 - step } else { step };
                    let item = of(a)[source + i * from];
                    let next = running.map_or(item, |r| S::binary(operator, r, item));
                    out[target + i * to] = if scan.exclusive { running.unwrap_or(S::constant(neutral)) } else { next };
                    running = Some(next);
                }
            }
            out
        }
    }
}

/// Like [`walk`], but only along the axes of `inner` that are in `shared`.
fn walk_with(outer: Axes, inner: Axes, shared: Axes) -> impl Iterator<Item = usize> {
    let axes: Vec<(usize, usize)> =
        outer.iter().map(|a| (a.len as usize, if shared.contains(a) { stride(inner, a) } else { 0 })).collect();
    let total = outer.size();
    (0..total).map(move |flat| {
        let (mut rest, mut position) = (flat, 0);
        for &(len, stride) in axes.iter().rev() {
            position += (rest % len) * stride;
            rest /= len;
        }
        position
    })
}
