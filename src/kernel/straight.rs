//! Straight-line lowering: every element of every node is its own value, and equal ones meet.

use super::builder::{Builder, RowLoop, prune};
use super::passes::{Passes, inside};
use super::{Array, Index, Instruction, Kernel, Outputs, RowAccess, Statement, Type, ValueId};
use crate::graph::{Axes, Axis, Graph, Input, Node, NodeId, Reduction};

/// Lowers without loops; `None` where it would take more than `limit` instructions.
pub fn lower_straight(graph: &Graph, outputs: &Outputs, dim: u32, limit: usize) -> Option<Kernel> {
    let mut roots: Vec<NodeId> = outputs.arrays.iter().map(|a| a.1).collect();
    roots.extend(&outputs.scalars);
    let needed = graph.needed(&roots);
    let size: usize =
        (0..graph.len()).filter(|&id| needed[id]).map(|id| graph.axes(NodeId(id as u32)).within_row().size()).sum();
    if size > 4 * limit {
        return None;
    }
    let mut s = Straight { graph, b: Builder::new(), values: vec![Vec::new(); graph.len()], rows: outputs.rows };
    let ids: Vec<NodeId> = (0..graph.len() as u32).map(NodeId).filter(|id| needed[id.index()]).collect();
    let passes = Passes::new(graph, &ids);
    for pass in 0..=passes.last() {
        for &id in ids.iter().filter(|&&id| passes.is_outside(graph, id, pass)) {
            s.values[id.index()] = s.elements(id, 0, None);
            if s.b.types.len() > limit {
                return None;
            }
        }
        s.sum_rows(passes.sums(pass), limit)?;
    }
    let Straight { mut b, values, .. } = s;
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

/// Lowering under way.
struct Straight<'g> {
    graph: &'g Graph,
    b: Builder,
    /// Elements of each node, of the current row where it ranges over rows.
    values: Vec<Vec<ValueId>>,
    rows: RowAccess,
}

impl Straight<'_> {
    /// One loop over rows for sums that wait for nothing more; `None` beyond the limit.
    fn sum_rows(&mut self, sums: &[(NodeId, NodeId)], limit: usize) -> Option<()> {
        let Some(len) = sums.first().and_then(|s| self.graph.axes(s.1).row()).map(|row| row.len) else {
            return Some(());
        };
        let row = self.b.open_rows(len, self.rows);
        for id in inside(self.graph, sums) {
            self.values[id.index()] = self.elements(id, row.level, Some(&row));
            if self.b.types.len() > limit {
                return None;
            }
        }
        let items = sums.iter().flat_map(|s| self.values[s.1.index()].clone()).collect();
        let mut totals = self.b.close_rows(row, items).into_iter();
        for &(sum, item) in sums {
            let count = self.values[item.index()].len();
            self.values[sum.index()] = totals.by_ref().take(count).collect();
        }
        Some(())
    }

    fn elements(&mut self, id: NodeId, level: usize, row: Option<&RowLoop>) -> Vec<ValueId> {
        let Straight { graph, b, values, rows } = self;
        let axes = graph.axes(id).within_row();
        let size = axes.size();
        let of = |a: NodeId, places: &[(Axis, usize)]| values[a.index()][flat(graph.axes(a).within_row(), places)];
        match graph.node(id) {
            Node::Constant(bits) => vec![b.constant(f64::from_bits(bits))],
            Node::Table(index) => graph.tables()[index as usize].values.iter().map(|&v| b.constant(v)).collect(),
            Node::Iota(axis) => (0..axis.len).map(|i| b.constant(f64::from(i))).collect(),
            Node::Input(input, _) => match (input, row) {
                (Input::Data(first), Some(row)) => {
                    let column = |i: usize| Index::constant(first as i32 + i as i32);
                    (0..size).map(|i| b.emit(level, Type::Number, row.element(*rows, column(i)))).collect()
                }
                _ => (0..size).map(|i| load(b, input, i)).collect(),
            },
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
            Node::Split { source, from, outer, inner } => (0..size)
                .map(|i| {
                    let mut p = places(axes, i);
                    let at = |p: &[(Axis, usize)], axis| p.iter().find(|p| p.0 == axis).map_or(0, |p| p.1);
                    let q = at(&p, outer) * inner.len as usize + at(&p, inner);
                    p.retain(|p| p.0 != outer && p.0 != inner);
                    p.push((from, q));
                    of(source, &p)
                })
                .collect(),
            Node::Merge { source, outer, inner, into } => (0..size)
                .map(|i| {
                    let mut p = places(axes, i);
                    let q = p.iter().find(|p| p.0 == into).map_or(0, |p| p.1);
                    p.retain(|p| p.0 != into);
                    p.extend([(outer, q / inner.len as usize), (inner, q % inner.len as usize)]);
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
        Input::HostState(_) | Input::Hyper(_) | Input::Step | Input::Steps | Input::Data(_) => {
            Instruction::Host(u32::MAX)
        }
    };
    b.emit(0, Type::Number, instruction)
}
