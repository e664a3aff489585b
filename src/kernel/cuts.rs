//! Where a loop must be cut, and how many places a turn it must take, so that every pad is decided before it runs.

use crate::graph::{Axis, Graph, Input, Node, NodeId};
use std::collections::{BTreeSet, HashSet};

/// A place as a function of a loop's position `q`: `(offset + step·q) / over`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Relation {
    offset: i64,
    step: i64,
    over: i64,
}

impl Relation {
    pub(super) const IDENTITY: Relation = Relation { offset: 0, step: 1, over: 1 };

    pub(super) fn new(offset: i32, step: i32) -> Relation {
        Relation { offset: i64::from(offset), step: i64::from(step), over: 1 }
    }
}

/// The cuts and the period of one loop of `len` positions.
#[derive(Clone, Debug)]
pub(super) struct Cuts {
    len: u32,
    at: BTreeSet<u32>,
    /// Places a turn.
    pub(super) period: u32,
    seen: HashSet<Step>,
}

/// A node on the way, where its axes stand, and where a matrix that is read row by row stands.
type Step = (NodeId, Vec<(Axis, Relation)>, Option<(Axis, Axis, Relation)>);

impl Cuts {
    pub(super) fn new(len: u32) -> Cuts {
        Cuts { len, at: BTreeSet::new(), period: 1, seen: HashSet::new() }
    }

    /// Cuts before position `q`.
    pub(super) fn at(&mut self, q: i64) {
        if q > 0 && q < i64::from(self.len) {
            self.at.insert(q as u32);
        }
    }

    /// The pieces, in order.
    pub(super) fn segments(&self) -> Vec<(u32, u32)> {
        let ends = self.at.iter().copied().chain([self.len]);
        let starts = [0].into_iter().chain(self.at.iter().copied());
        starts.zip(ends).filter(|(a, b)| a < b).collect()
    }

    fn repeats(&mut self, period: i64) {
        let (mut a, mut b) = (i64::from(self.period), period.abs().max(1));
        let product = a * b;
        while b != 0 {
            (a, b) = (b, a % b);
        }
        self.period = u32::try_from(product / a).unwrap_or(1);
    }

    /// Walks what `node` needs at the loop's position; `stop` says which nodes are there already.
    pub(super) fn follow(
        &mut self,
        graph: &Graph,
        node: NodeId,
        axes: &[(Axis, Relation)],
        stop: &dyn Fn(NodeId) -> bool,
    ) {
        let mut todo: Vec<Step> = vec![(node, axes.to_vec(), None)];
        while let Some((id, given, flat)) = todo.pop() {
            let has = |axis: Axis| graph.axes(id).contains(axis);
            let own: Vec<(Axis, Relation)> = given.iter().copied().filter(|a| has(a.0)).collect();
            let flat = flat.filter(|&(outer, inner, _)| has(outer) || has(inner));
            let idle = own.is_empty() && flat.is_none();
            if idle || stop(id) || !self.seen.insert((id, own.clone(), flat)) {
                continue;
            }
            if let Some((outer, inner, relation)) = flat {
                match graph.node(id) {
                    Node::Split { source, from, outer: o, inner: i } if (o, i) == (outer, inner) => {
                        todo.push((source, own.into_iter().chain([(from, relation)]).collect(), None));
                    }
                    Node::Unary(..) | Node::Binary(..) | Node::Select(..) => {
                        todo.extend(graph.arguments(id).map(|a| (a, own.clone(), flat)));
                    }
                    _ => {}
                }
                continue;
            }
            let of = |axis: Axis| own.iter().find(|a| a.0 == axis).map(|a| a.1);
            match graph.node(id) {
                Node::Constant(_) | Node::Table(_) | Node::Iota(_) | Node::Scan(..) => {}
                Node::Input(input, _) => {
                    let relation = own[0].1;
                    if matches!(input, Input::Draw { .. }) {
                        let four = 4 * relation.over;
                        self.repeats(four / gcd(relation.step, four));
                    }
                }
                Node::View { source, from, start, step, to } => {
                    let mut inner: Vec<_> = own.iter().copied().filter(|a| Some(a.0) != to).collect();
                    if let Some(r) = to.and_then(of) {
                        let (start, step) = (i64::from(start), i64::from(step));
                        inner.push((
                            from,
                            Relation { offset: start * r.over + step * r.offset, step: step * r.step, over: r.over },
                        ));
                    }
                    todo.push((source, inner, None));
                }
                Node::Pad { source, into, start, step, from } => {
                    let mut inner: Vec<_> = own.iter().copied().filter(|a| a.0 != into).collect();
                    if let Some(r) = of(into) {
                        let len = from.map_or(1, |f| i64::from(f.len));
                        let (start, step) = (i64::from(start), i64::from(step));
                        self.pad(r, start, step, len);
                        if let (Some(from), true) = (from, step != 0) {
                            inner.push((
                                from,
                                Relation { offset: r.offset - start * r.over, step: r.step, over: r.over * step },
                            ));
                        }
                    }
                    todo.push((source, inner, None));
                }
                Node::Merge { source, outer, inner, into } => {
                    let rest = own.iter().copied().filter(|a| a.0 != into).collect();
                    todo.push((source, rest, of(into).map(|relation| (outer, inner, relation))));
                }
                // Its source stands where two loops say: no cut of one decides.
                Node::Split { source, outer, inner, .. } => {
                    let rest = own.iter().copied().filter(|a| a.0 != outer && a.0 != inner).collect();
                    todo.push((source, rest, None));
                }
                Node::Unary(..) | Node::Binary(..) | Node::Select(..) | Node::Reduce(..) => {
                    todo.extend(graph.arguments(id).map(|a| (a, own.clone(), None)));
                }
            }
        }
    }

    /// Cuts where `(offset + step·q)/over` enters and leaves `start, start + stride, …`.
    fn pad(&mut self, r: Relation, start: i64, stride: i64, len: i64) {
        if r.step == 0 {
            return;
        }
        let ends = [start, start + stride * (len - 1)].map(|e| e * r.over - r.offset);
        let (low, high) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let (low, high) = if r.step > 0 { (low, high) } else { (-high, -low) };
        let step = r.step.abs();
        self.at(low.div_euclid(step) + i64::from(low.rem_euclid(step) != 0));
        self.at(high.div_euclid(step) + 1);
        if stride != 0 {
            let whole = (stride * r.over).abs();
            self.repeats(whole / gcd(r.step, whole));
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.abs(), b.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}
