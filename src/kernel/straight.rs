//! Straight-line lowering: every element of every node is its own value, and equal ones meet.

use super::builder::{Builder, prune};
use super::{Array, Index, Instruction, Kernel, Outputs, Statement, Type, ValueId};
use crate::graph::{Axes, Axis, Graph, Input, Node, NodeId, Reduction};

/// Lowers without loops; `None` where it would take more than `limit` instructions.
pub fn lower_straight(graph: &Graph, outputs: &Outputs, dim: u32, limit: usize) -> Option<Kernel> {
    let mut roots: Vec<NodeId> = outputs.arrays.iter().map(|a| a.1).collect();
    roots.extend(&outputs.scalars);
    let needed = graph.needed(&roots);
    let size: usize = (0..graph.len()).filter(|&id| needed[id]).map(|id| graph.axes(NodeId(id as u32)).size()).sum();
    if size > 4 * limit {
        return None;
    }
    let mut b = Builder::new();
    let mut values: Vec<Vec<ValueId>> = vec![Vec::new(); graph.len()];
    for id in (0..graph.len()).filter(|&id| needed[id]) {
        values[id] = elements(graph, NodeId(id as u32), &values, &mut b);
        if b.types.len() > limit {
            return None;
        }
    }
    let mut statements = std::mem::take(&mut b.frames[0].statements);
    for &(array, node) in &outputs.arrays {
        let items = &values[node.index()];
        for i in 0..dim {
            let item = items[if items.len() == 1 { 0 } else { i as usize }];
            statements.push(Statement::Store(array, Index::constant(i as i32), item));
        }
    }
    let scalars: Vec<ValueId> = outputs.scalars.iter().map(|s| values[s.index()][0]).collect();
    let mut used = vec![false; b.types.len()];
    for &s in &scalars {
        used[s as usize] = true;
    }
    prune(&mut statements, &mut used);
    Some(Kernel { dim, types: b.types, tables: Vec::new(), scratch: Vec::new(), body: statements, scalars })
}

/// Places along each axis of `axes` for a flat row-major position.
fn places(axes: Axes, flat: usize) -> Vec<(Axis, usize)> {
    let list: Vec<Axis> = axes.iter().collect();
    let mut rest = flat;
    let mut out: Vec<(Axis, usize)> = Vec::with_capacity(list.len());
    for &axis in list.iter().rev() {
        out.push((axis, rest % axis.len as usize));
        rest /= axis.len as usize;
    }
    out
}

/// The flat position in `axes` of the element at `places`; axes that are not there do not count.
fn flat(axes: Axes, places: &[(Axis, usize)]) -> usize {
    axes.iter().fold(0, |f, axis| f * axis.len as usize + places.iter().find(|p| p.0 == axis).map_or(0, |p| p.1))
}

fn elements(graph: &Graph, id: NodeId, values: &[Vec<ValueId>], b: &mut Builder) -> Vec<ValueId> {
    let axes = graph.axes(id);
    let size = axes.size();
    let of = |a: NodeId, places: &[(Axis, usize)]| values[a.index()][flat(graph.axes(a), places)];
    match graph.node(id) {
        Node::Constant(bits) => vec![b.constant(f64::from_bits(bits))],
        Node::Table(index) => graph.tables()[index as usize].values.iter().map(|&v| b.constant(v)).collect(),
        Node::Iota(axis) => (0..axis.len).map(|i| b.constant(f64::from(i))).collect(),
        Node::Input(input, _) => (0..size).map(|i| load(b, input, i)).collect(),
        Node::Unary(op, a) => (0..size).map(|i| b.unary(op, of(a, &places(axes, i)))).collect(),
        Node::Binary(op, x, y) => (0..size)
            .map(|i| {
                let p = places(axes, i);
                b.binary(op, of(x, &p), of(y, &p))
            })
            .collect(),
        Node::Select(c, x, y) => (0..size)
            .map(|i| {
                let p = places(axes, i);
                b.select(of(c, &p), of(x, &p), of(y, &p))
            })
            .collect(),
        Node::View { source, from, start, step, to } => (0..size)
            .map(|i| {
                let mut p = places(axes, i);
                let q = to.map_or(0, |to| p.iter().find(|p| p.0 == to).map_or(0, |p| p.1));
                p.retain(|p| Some(p.0) != to);
                p.push((from, (i64::from(start) + i64::from(step) * q as i64) as usize));
                of(source, &p)
            })
            .collect(),
        Node::Pad { source, into, start, step, from } => (0..size)
            .map(|i| {
                let mut p = places(axes, i);
                let at = p.iter().find(|p| p.0 == into).map_or(0, |p| p.1) as i64 - i64::from(start);
                p.retain(|p| p.0 != into);
                let len = from.map_or(1, |f| i64::from(f.len));
                let q = if step == 0 { at } else { at / i64::from(step) };
                let hit = if step == 0 { at == 0 } else { q * i64::from(step) == at && (0..len).contains(&q) };
                if !hit {
                    return b.constant(0.0);
                }
                if let Some(from) = from {
                    p.push((from, q as usize));
                }
                of(source, &p)
            })
            .collect(),
        Node::Reduce(op, a, axis) => (0..size)
            .map(|i| {
                let p = places(axes, i);
                let items: Vec<ValueId> = (0..axis.len as usize)
                    .map(|k| {
                        let mut p = p.clone();
                        p.push((axis, k));
                        of(a, &p)
                    })
                    .collect();
                if items.is_empty() { b.constant(op.neutral()) } else { b.balanced(op.operator(), items) }
            })
            .collect(),
        Node::Scan(scan, a, axis) => {
            let op = if scan.product { Reduction::Product } else { Reduction::Sum };
            let mut out = vec![0; size];
            let rest = axes.without(axis);
            for outer in 0..rest.size() {
                let p = places(rest, outer);
                let mut running: Option<ValueId> = None;
                for step in 0..axis.len as usize {
                    let k = if scan.reverse { axis.len as usize - 1 - step } else { step };
                    let mut p = p.clone();
                    p.push((axis, k));
                    let item = of(a, &p);
                    let next = match running {
                        None => item,
                        Some(r) => b.binary(op.operator(), r, item),
                    };
                    out[flat(axes, &p)] = match (scan.exclusive, running) {
                        (false, _) => next,
                        (true, Some(r)) => r,
                        (true, None) => b.constant(op.neutral()),
                    };
                    running = Some(next);
                }
            }
            out
        }
    }
}

fn load(b: &mut Builder, input: Input, i: usize) -> ValueId {
    let at = Index::constant(i as i32);
    let instruction = match input {
        Input::X => Instruction::Load(Array::X, at),
        Input::State(k) => Instruction::Load(Array::State(k), at),
        Input::Host(k) => Instruction::Host(k),
        Input::DrawnHyper(k) => Instruction::Drawn(k),
        Input::Draw { site, law } => {
            let block = Index::constant(i as i32 / 4);
            let four = b.emit(0, Type::Four, Instruction::Draw { site, law, block });
            Instruction::Component(four, (i % 4) as u8)
        }
        // Hyperparameters, steps and host states are host scalars by now.
        Input::HostState(_) | Input::Hyper(_) | Input::Step | Input::Steps => Instruction::Host(u32::MAX),
    };
    b.emit(0, Type::Number, instruction)
}
