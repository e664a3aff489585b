//! Looped lowering: code whose length does not grow with the dimension.
//!
//! A vector is a function of its place: lowering pulls, from every loop's results, the values that they need at the
//! loop's place, so that elementwise work fuses by itself. Reductions and scans are loops of their own, put in stages; loops
//! of one stage and length are one loop. A loop is cut where a pad begins or ends, and takes several places a turn where a
//! stride or a draw of four asks for it: so no place needs a test at run time.

use super::builder::{Builder, prune};
use super::cuts::{Cuts, Relation};
use super::{Array, Carried, Index, Instruction, Kernel, Loop, LoopVar, Outputs, Statement, Type, ValueId};
use crate::graph::{Axis, Graph, Input, Node, NodeId, Reduction, Scan, Table, depends_on};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Reductions of at most this many elements are written out.
const WRITTEN_OUT: u32 = 8;
/// What a value must cost (in multiplications) to be kept for a later loop and not computed again.
const WORTH_KEEPING: u32 = 12;

/// A place along an axis: `offset + step·turn` for the turns of a loop, or constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    offset: i32,
    step: i32,
    var: LoopVar,
    turns: u32,
    level: usize,
}

impl Place {
    fn constant(offset: i32) -> Place {
        Place { offset, step: 0, var: 0, turns: 1, level: 0 }
    }

    /// `start + step·self`
    fn mapped(self, start: i32, step: i32) -> Place {
        if step == 0 {
            return Place::constant(start);
        }
        Place { offset: start + step * self.offset, step: step * self.step, ..self }
    }

    /// The `q` with `self = start + step·q`, if there is one in `0..len` at every turn; `Some(None)` if at no turn.
    fn solved(self, start: i32, step: i32, len: u32) -> Option<Option<Place>> {
        let inside = |q: i32| (0..len as i32).contains(&q);
        let offset = self.offset - start;
        if step == 0 {
            return match (self.step, offset) {
                (0, 0) => Some(Some(Place::constant(0))),
                (0, _) => Some(None),
                (s, o) => {
                    let turn = -o / s;
                    (turn * s != -o || turn < 0 || turn >= self.turns as i32).then_some(None)
                }
            };
        }
        if self.step % step != 0 {
            return None;
        }
        if offset % step != 0 {
            return Some(None);
        }
        let q = Place { offset: offset / step, step: self.step / step, ..self };
        let last = q.offset + q.step * (self.turns as i32 - 1);
        match (inside(q.offset), inside(last)) {
            (true, true) => Some(Some(q)),
            (false, false) if (q.offset < 0) == (last < 0) => Some(None),
            _ => None,
        }
    }

    fn index(self) -> Index {
        let mut index = Index::constant(self.offset);
        if self.step != 0 {
            index.terms[0] = (self.var, self.step);
        }
        index
    }
}

/// Where each axis stands.
type Places = Vec<(Axis, Place)>;

/// A graph that this lowering cannot follow: a pad whose place depends on the loop in a way no cut decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Undecided;

type Lowered<T> = Result<T, Undecided>;

/// Emits one turn of a loop at a place, and moves the running values on.
type Turn<'t, 'g> = dyn FnMut(&mut Nest<'g>, Place, &mut [Option<ValueId>]) -> Lowered<()> + 't;

struct Nest<'g> {
    graph: &'g Graph,
    b: Builder,
    memo: Vec<HashMap<(NodeId, Vec<Place>), ValueId>>,
    /// Scalar reductions that are done.
    scalars: HashMap<NodeId, ValueId>,
    /// Vectors that a scratch array holds.
    stored: HashMap<NodeId, Array>,
    scratch: Vec<u32>,
    tables: Vec<Arc<Table>>,
    table_ids: HashMap<u32, u32>,
}

/// What one loop computes.
#[derive(Default)]
struct Group {
    /// Reductions to a scalar: node, argument, axis.
    sums: Vec<(NodeId, Reduction, NodeId, Axis)>,
    /// Vectors kept for later loops.
    kept: Vec<(NodeId, Axis)>,
    /// Arrays filled at the end of each turn.
    stores: Vec<(Array, NodeId)>,
}

/// Lowers to loops; `None` where a pad cannot be decided by cutting loops.
pub fn lower_nest(graph: &Graph, outputs: &Outputs, dim: u32) -> Option<Kernel> {
    let nest = Nest {
        graph,
        b: Builder::new(),
        memo: vec![HashMap::new()],
        scalars: HashMap::new(),
        stored: HashMap::new(),
        scratch: Vec::new(),
        tables: Vec::new(),
        table_ids: HashMap::new(),
    };
    nest.lower(outputs, dim).ok()
}

impl<'g> Nest<'g> {
    fn lower(mut self, outputs: &Outputs, dim: u32) -> Lowered<Kernel> {
        let graph = self.graph;
        if outputs.rows.columns > 0 {
            return Err(Undecided);
        }
        let mut roots: Vec<NodeId> = outputs.arrays.iter().map(|a| a.1).collect();
        roots.extend(&outputs.scalars);
        let needed = graph.needed(&roots);
        let ids: Vec<NodeId> = (0..graph.len()).filter(|&id| needed[id]).map(|id| NodeId(id as u32)).collect();

        // Stages: a reduction's or scan's loop runs after the loops that its argument waits for.
        let mut ready = vec![0usize; graph.len()];
        let mut stage: HashMap<NodeId, usize> = HashMap::new();
        for &id in &ids {
            let waits = graph.arguments(id).map(|a| ready[a.index()]).max().unwrap_or(0);
            ready[id.index()] = waits;
            if self.has_own_loop(id) {
                stage.insert(id, waits);
                ready[id.index()] = waits + 1;
            }
        }
        let last = outputs
            .arrays
            .iter()
            .map(|a| ready[a.1.index()])
            .chain(stage.iter().filter(|s| !matches!(graph.node(*s.0), Node::Scan(..))).map(|s| *s.1))
            .max()
            .unwrap_or(0);
        // A reduction that only scalar outputs wait for runs with the last loop.
        for (&id, at) in &mut stage {
            let waited = ids.iter().any(|&user| {
                stage_or_stored(graph, user, &outputs.arrays) && user != id && reaches(graph, user, id, &needed)
            });
            if !waited && !matches!(graph.node(id), Node::Scan(..)) {
                *at = last;
            }
        }

        let mut groups: BTreeMap<(usize, u32), Group> = BTreeMap::new();
        let mut scans: BTreeMap<usize, Vec<(NodeId, Scan, NodeId, Axis)>> = BTreeMap::new();
        for &id in &ids {
            let Some(&at) = stage.get(&id) else { continue };
            match graph.node(id) {
                Node::Reduce(op, a, axis) => {
                    groups.entry((at, axis.len)).or_default().sums.push((id, op, a, axis));
                }
                Node::Scan(scan, a, axis) => scans.entry(at).or_default().push((id, scan, a, axis)),
                _ => {}
            }
        }
        if !outputs.arrays.is_empty() {
            groups.entry((last, dim)).or_default().stores = self.harmless(outputs, dim);
        }
        let copies: Vec<(Array, Array)> = groups
            .get(&(last, dim))
            .map(|g| g.stores.iter().zip(&outputs.arrays).map(|(s, o)| (s.0, o.0)).filter(|c| c.0 != c.1).collect())
            .unwrap_or_default();
        self.keep_expensive(&ids, &mut groups, &scans);

        let stages: Vec<usize> = groups.keys().map(|k| k.0).chain(scans.keys().copied()).collect();
        let top = stages.into_iter().max().unwrap_or(0);
        for at in 0..=top {
            for (&(_, len), group) in groups.range((at, 0)..=(at, u32::MAX)) {
                self.group(len, group)?;
            }
            for &(id, scan, a, axis) in scans.get(&at).map_or(&[][..], |s| s) {
                self.scan(id, scan, a, axis)?;
            }
        }
        let scalars = outputs.scalars.iter().map(|&s| self.value(s, &Vec::new())).collect::<Lowered<Vec<_>>>()?;
        for (from, to) in copies {
            let cuts = Cuts::new(dim);
            self.run(0, &cuts, &mut [], &mut |nest, place, _| {
                let value = nest.b.emit(place.level, Type::Number, Instruction::Load(from, place.index()));
                nest.b.frames[place.level].statements.push(Statement::Store(to, place.index(), value));
                Ok(())
            })?;
        }
        let mut body = std::mem::take(&mut self.b.frames[0].statements);
        let mut used = vec![false; self.b.types.len()];
        for &s in &scalars {
            used[s as usize] = true;
        }
        prune(&mut body, &mut used);
        Ok(Kernel { dim, types: self.b.types, tables: self.tables, scratch: self.scratch, body, scalars })
    }

    /// Scalar reductions that are not written out, and scans.
    fn has_own_loop(&self, id: NodeId) -> bool {
        match self.graph.node(id) {
            Node::Reduce(_, _, axis) => self.graph.axes(id).is_scalar() && axis.len > WRITTEN_OUT,
            Node::Scan(..) => true,
            _ => false,
        }
    }

    /// The outputs, states through scratch where a state is read at another place than it is written, or after the loop
    /// that writes it: a scalar whose reduction is written out.
    fn harmless(&mut self, outputs: &Outputs, dim: u32) -> Vec<(Array, NodeId)> {
        let arrays = &outputs.arrays[..];
        let mut cuts = Cuts::new(dim);
        for &(_, node) in arrays {
            cuts.follow(self.graph, node, &[(Axis::vector(dim), Relation::IDENTITY)], &|_| false);
        }
        let states = depends_on(self.graph, |input| matches!(input, Input::State(_)));
        let late = dim <= WRITTEN_OUT && outputs.scalars.iter().any(|s| states[s.index()]);
        if !cuts.crosses && !late {
            return arrays.to_vec();
        }
        arrays
            .iter()
            .map(|&(array, node)| match array {
                Array::State(_) => (self.allocate(dim), node),
                _ => (array, node),
            })
            .collect()
    }

    fn allocate(&mut self, len: u32) -> Array {
        self.scratch.push(len);
        Array::Scratch(self.scratch.len() as u32 - 1)
    }

    /// Finds vectors that are dear and pulled by several loops, and has the first loop keep them.
    fn keep_expensive(
        &mut self,
        ids: &[NodeId],
        groups: &mut BTreeMap<(usize, u32), Group>,
        scans: &BTreeMap<usize, Vec<(NodeId, Scan, NodeId, Axis)>>,
    ) {
        let graph = self.graph;
        // Which loops pull a node: the groups in order, then scans by their stage.
        let mut pulls: HashMap<NodeId, Vec<(usize, u32)>> = HashMap::new();
        let mut record = |key: (usize, u32), roots: Vec<NodeId>| {
            let mut seen = vec![false; graph.len()];
            let mut todo = roots;
            while let Some(id) = todo.pop() {
                if std::mem::replace(&mut seen[id.index()], true) {
                    continue;
                }
                pulls.entry(id).or_default().push(key);
                if !self.has_own_loop(id) {
                    todo.extend(graph.arguments(id));
                }
            }
        };
        for (&key, group) in groups.iter() {
            let roots = group.sums.iter().map(|s| s.2).chain(group.stores.iter().map(|s| s.1)).collect();
            record(key, roots);
        }
        for (&at, list) in scans {
            for &(_, _, a, axis) in list {
                record((at, axis.len), vec![a]);
            }
        }
        for &id in ids {
            let axes = graph.axes(id);
            let dear = match graph.node(id) {
                Node::Unary(op, _) => op.cost() >= WORTH_KEEPING,
                Node::Binary(op, _, b) => op.cost() >= WORTH_KEEPING && graph.constant_value(b).is_none(),
                Node::Reduce(_, _, axis) => axis.len > WRITTEN_OUT,
                _ => false,
            };
            // A value that is compared with its own extremum must be the very same value.
            let compared = matches!(graph.node(id), Node::Unary(..) | Node::Binary(..) | Node::Select(..))
                && ids
                    .iter()
                    .any(|&r| matches!(graph.node(r), Node::Reduce(Reduction::Min | Reduction::Max, a, _) if a == id))
                && pulls.get(&id).is_some_and(|p| p.len() > 1);
            if axes.rank() != 1 || !(dear || compared) || self.has_own_loop(id) {
                continue;
            }
            let Some(axis) = axes.iter().next() else { continue };
            let mut loops = pulls.get(&id).cloned().unwrap_or_default();
            loops.sort_unstable();
            loops.dedup();
            if loops.len() < 2 {
                continue;
            }
            let first = loops[0];
            if let Some(group) = groups.get_mut(&first)
                && first.1 == axis.len
                && group.sums.iter().all(|s| s.3 == axis)
            {
                group.kept.push((id, axis));
            }
        }
    }

    /// One fused loop.
    fn group(&mut self, len: u32, group: &Group) -> Lowered<()> {
        let mut cuts = Cuts::new(len);
        let stored = |id: NodeId| self.stored.contains_key(&id) || self.scalars.contains_key(&id);
        for &(_, op, a, axis) in &group.sums {
            cuts.follow(self.graph, a, &[(axis, Relation::IDENTITY)], &stored);
            if matches!(op, Reduction::Min | Reduction::Max) {
                cuts.at(1);
            }
        }
        for &(node, axis) in &group.kept {
            cuts.follow(self.graph, node, &[(axis, Relation::IDENTITY)], &stored);
        }
        for &(_, node) in &group.stores {
            cuts.follow(self.graph, node, &[(Axis::vector(len), Relation::IDENTITY)], &stored);
        }
        let arrays: Vec<Array> = group.kept.iter().map(|_| self.allocate(len)).collect();
        let mut running: Vec<Option<ValueId>> = group.sums.iter().map(|s| self.start(s.1)).collect();
        self.run(0, &cuts, &mut running, &mut |nest, place, running| {
            let mut writes = Vec::new();
            for (&(node, axis), &array) in group.kept.iter().zip(&arrays) {
                writes.push((array, nest.value(node, &vec![(axis, place)])?));
            }
            for (&(_, op, a, axis), slot) in group.sums.iter().zip(running) {
                let item = nest.value(a, &vec![(axis, place)])?;
                *slot = Some(slot.map_or(item, |r| nest.b.binary(op.operator(), r, item)));
            }
            for &(array, node) in &group.stores {
                writes.push((array, nest.value(node, &vec![(Axis::vector(len), place)])?));
            }
            for (array, value) in writes {
                nest.b.frames[place.level].statements.push(Statement::Store(array, place.index(), value));
            }
            Ok(())
        })?;
        for (sum, value) in group.sums.iter().zip(running) {
            let value = value.unwrap_or_else(|| self.b.constant(sum.1.neutral()));
            self.scalars.insert(sum.0, value);
        }
        self.stored.extend(group.kept.iter().map(|k| k.0).zip(arrays));
        Ok(())
    }

    /// What a reduction starts from; an extremum starts from its first element.
    fn start(&mut self, op: Reduction) -> Option<ValueId> {
        match op {
            Reduction::Sum | Reduction::Product => Some(self.b.constant(op.neutral())),
            Reduction::Min | Reduction::Max => None,
        }
    }

    fn scan(&mut self, id: NodeId, scan: Scan, a: NodeId, axis: Axis) -> Lowered<()> {
        if self.graph.axes(id).rank() != 1 {
            return Err(Undecided);
        }
        let op = if scan.product { Reduction::Product } else { Reduction::Sum };
        let last = axis.len as i32 - 1;
        let (relation, at): (Relation, fn(Place, i32) -> Place) = if scan.reverse {
            (Relation::new(last, -1), |p, last| p.mapped(last, -1))
        } else {
            (Relation::IDENTITY, |p, _| p)
        };
        let mut cuts = Cuts::new(axis.len);
        let stored = |id: NodeId| self.stored.contains_key(&id) || self.scalars.contains_key(&id);
        cuts.follow(self.graph, a, &[(axis, relation)], &stored);
        let array = self.allocate(axis.len);
        let mut running = vec![self.start(op)];
        self.run(0, &cuts, &mut running, &mut |nest, place, running| {
            let place = at(place, last);
            let item = nest.value(a, &vec![(axis, place)])?;
            let before = running[0].unwrap_or(item);
            let after = nest.b.binary(op.operator(), before, item);
            let kept = if scan.exclusive { before } else { after };
            nest.b.frames[place.level].statements.push(Statement::Store(array, place.index(), kept));
            running[0] = Some(after);
            Ok(())
        })?;
        self.stored.insert(id, array);
        Ok(())
    }

    /// Emits a loop inside level `outer`: for every place, `body` computes, stores and moves the running values on.
    fn run(
        &mut self,
        outer: usize,
        cuts: &Cuts,
        running: &mut [Option<ValueId>],
        body: &mut Turn<'_, 'g>,
    ) -> Lowered<()> {
        let period = cuts.period;
        for (from, to) in cuts.segments() {
            let turns = (to - from) / period;
            let mut rest = from;
            // An extremum's first element is no loop; and a loop of one turn is none.
            if turns >= 2 && running.iter().all(Option::is_some) {
                rest = from + turns * period;
                self.turns(outer, from, turns, period, running, body)?;
            }
            for at in rest..to {
                let mut place = Place::constant(at as i32);
                place.level = outer;
                body(self, place, running)?;
            }
        }
        Ok(())
    }

    fn turns(
        &mut self,
        outer: usize,
        from: u32,
        turns: u32,
        period: u32,
        running: &mut [Option<ValueId>],
        body: &mut Turn<'_, 'g>,
    ) -> Lowered<()> {
        // Deeper loops under construction stand aside: this one stands before them.
        let frames = self.b.frames.split_off(outer + 1);
        let memo = self.memo.split_off(outer + 1);
        self.b.frames.push(Default::default());
        self.memo.push(HashMap::new());
        let level = outer + 1;
        let var = self.b.counter();
        let before: Vec<ValueId> = running.iter().flatten().copied().collect();
        let inside: Vec<ValueId> = before.iter().map(|_| self.b.fresh(Type::Number, level)).collect();
        for (slot, &value) in running.iter_mut().zip(&inside) {
            *slot = Some(value);
        }
        for k in 0..period {
            let place = Place { offset: (from + k) as i32, step: period as i32, var, turns, level };
            body(self, place, running)?;
        }
        let statements = self.b.frames.pop().map(|f| f.statements).unwrap_or_default();
        self.memo.pop();
        let carried: Vec<Carried> = (before.iter().zip(&inside).zip(running.iter().flatten()))
            .map(|((&init, &value), &next)| Carried { value, init, next })
            .collect();
        for (slot, &value) in running.iter_mut().zip(&inside) {
            self.b.settle(value, outer);
            *slot = Some(value);
        }
        self.b.frames[outer].statements.push(Statement::Loop(Box::new(Loop {
            var,
            count: turns,
            block: None,
            carried,
            body: statements,
        })));
        self.b.frames.extend(frames);
        self.memo.extend(memo);
        Ok(())
    }

    /// The value of a node at a place.
    fn value(&mut self, id: NodeId, places: &Places) -> Lowered<ValueId> {
        if let Some(&value) = self.scalars.get(&id) {
            return Ok(value);
        }
        let axes = self.graph.axes(id);
        let own: Places = axes
            .iter()
            .map(|axis| (axis, places.iter().find(|p| p.0 == axis).map_or(Place::constant(0), |p| p.1)))
            .collect();
        let level = own.iter().filter(|p| p.1.step != 0).map(|p| p.1.level).max().unwrap_or(0);
        let key =
            (id, own.iter().map(|p| if p.1.step == 0 { Place::constant(p.1.offset) } else { p.1 }).collect::<Vec<_>>());
        if let Some(&value) = self.memo[level].get(&key) {
            return Ok(value);
        }
        let value = self.computed(id, &own, level)?;
        self.memo[level].insert(key, value);
        Ok(value)
    }

    fn computed(&mut self, id: NodeId, places: &Places, level: usize) -> Lowered<ValueId> {
        if let Some(&array) = self.stored.get(&id) {
            let index = places.first().map_or(Index::default(), |p| p.1.index());
            return Ok(self.b.emit(level, Type::Number, Instruction::Load(array, index)));
        }
        Ok(match self.graph.node(id) {
            Node::Constant(bits) => self.b.constant(f64::from_bits(bits)),
            Node::Table(index) => self.table(index, places, level),
            Node::Iota(_) => {
                let index = places.first().map_or(Index::default(), |p| p.1.index());
                if index.terms().next().is_none() {
                    self.b.constant(f64::from(index.offset))
                } else {
                    self.b.emit(level, Type::Number, Instruction::Position(index))
                }
            }
            Node::Input(input, _) => self.load(input, places, level),
            Node::Unary(op, a) => {
                let a = self.value(a, places)?;
                self.b.unary(op, a)
            }
            Node::Binary(op, a, b) => {
                let (a, b) = (self.value(a, places)?, self.value(b, places)?);
                self.b.binary(op, a, b)
            }
            Node::Select(c, a, b) => {
                let (c, a, b) = (self.value(c, places)?, self.value(a, places)?, self.value(b, places)?);
                self.b.select(c, a, b)
            }
            Node::View { source, from, start, step, to } => {
                let q = to.and_then(|to| places.iter().find(|p| p.0 == to)).map_or(Place::constant(0), |p| p.1);
                let mut inner: Places = places.iter().filter(|p| Some(p.0) != to).copied().collect();
                inner.push((from, q.mapped(start, step)));
                self.value(source, &inner)?
            }
            Node::Pad { source, into, start, step, from } => {
                let at = places.iter().find(|p| p.0 == into).map_or(Place::constant(0), |p| p.1);
                let len = from.map_or(1, |f| f.len);
                match at.solved(start, step, len) {
                    None => return Err(Undecided),
                    Some(None) => self.b.constant(0.0),
                    Some(Some(q)) => {
                        let mut inner: Places = places.iter().filter(|p| p.0 != into).copied().collect();
                        if let Some(from) = from {
                            inner.push((from, q));
                        }
                        self.value(source, &inner)?
                    }
                }
            }
            Node::Reduce(op, a, axis) => self.reduction(op, a, axis, places, level)?,
            Node::Scan(..) | Node::Split { .. } | Node::Merge { .. } => return Err(Undecided),
        })
    }

    fn reduction(&mut self, op: Reduction, a: NodeId, axis: Axis, places: &Places, level: usize) -> Lowered<ValueId> {
        let at = |place: Place| {
            let mut inner = places.clone();
            inner.push((axis, place));
            inner
        };
        if axis.len <= WRITTEN_OUT {
            let items =
                (0..axis.len as i32).map(|i| self.value(a, &at(Place::constant(i)))).collect::<Lowered<Vec<_>>>()?;
            return Ok(if items.is_empty() {
                self.b.constant(op.neutral())
            } else {
                self.b.balanced(op.operator(), items)
            });
        }
        let mut cuts = Cuts::new(axis.len);
        let stored = |id: NodeId| self.stored.contains_key(&id) || self.scalars.contains_key(&id);
        cuts.follow(self.graph, a, &[(axis, Relation::IDENTITY)], &stored);
        if matches!(op, Reduction::Min | Reduction::Max) {
            cuts.at(1);
        }
        let mut running = vec![self.start(op)];
        self.run(level, &cuts, &mut running, &mut |nest, place, running| {
            let item = nest.value(a, &at(place))?;
            running[0] = Some(running[0].map_or(item, |r| nest.b.binary(op.operator(), r, item)));
            Ok(())
        })?;
        running[0].ok_or(Undecided)
    }

    /// Row-major place in an array over these axes.
    fn flat(places: &Places) -> Index {
        places.iter().fold(Index::default(), |index, (axis, place)| {
            Index::default().plus(index, axis.len as i32).plus(place.index(), 1)
        })
    }

    fn table(&mut self, index: u32, places: &Places, level: usize) -> ValueId {
        let flat = Nest::flat(places);
        let table = &self.graph.tables()[index as usize];
        if flat.terms().next().is_none() {
            return self.b.constant(table.values[flat.offset as usize]);
        }
        let tables = &mut self.tables;
        let id = *self.table_ids.entry(index).or_insert_with(|| {
            tables.push(table.clone());
            tables.len() as u32 - 1
        });
        self.b.emit(level, Type::Number, Instruction::Table(id, flat))
    }

    fn load(&mut self, input: Input, places: &Places, level: usize) -> ValueId {
        let place = places.first().map_or(Place::constant(0), |p| p.1);
        let instruction = match input {
            Input::X => Instruction::Load(Array::X, place.index()),
            Input::State(k) => Instruction::Load(Array::State(k), place.index()),
            Input::Host(k) => Instruction::Host(k),
            Input::DrawnHyper(k) => Instruction::Drawn(k),
            Input::Draw { site, law } => {
                // A loop over draws takes four places a turn: the component is the same at every turn.
                let block = Place { offset: place.offset.div_euclid(4), step: place.step / 4, ..place };
                let four = self.b.emit(level, Type::Four, Instruction::Draw { site, law, block: block.index() });
                Instruction::Component(four, place.offset.rem_euclid(4) as u8)
            }
            // Hyperparameters, steps and host states are host scalars by now.
            Input::HostState(_) | Input::Hyper(_) | Input::Step | Input::Steps | Input::Data(_) => {
                Instruction::Host(u32::MAX)
            }
        };
        self.b.emit(level, Type::Number, instruction)
    }
}

fn stage_or_stored(graph: &Graph, user: NodeId, arrays: &[(Array, NodeId)]) -> bool {
    matches!(graph.node(user), Node::Reduce(..) | Node::Scan(..)) || arrays.iter().any(|a| a.1 == user)
}

fn reaches(graph: &Graph, from: NodeId, to: NodeId, needed: &[bool]) -> bool {
    if to.index() >= from.index() {
        return false;
    }
    let mut seen = vec![false; graph.len()];
    let mut todo = vec![from];
    while let Some(id) = todo.pop() {
        if id == to {
            return true;
        }
        if id.index() < to.index() || !needed[id.index()] || std::mem::replace(&mut seen[id.index()], true) {
            continue;
        }
        todo.extend(graph.arguments(id));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_solved_or_refused() {
        let loop_place = Place { offset: 1, step: 2, var: 0, turns: 4, level: 1 };
        // 1, 3, 5, 7 = 1 + 2q
        assert_eq!(loop_place.solved(1, 2, 4).flatten().map(|p| (p.offset, p.step)), Some((0, 1)));
        assert_eq!(loop_place.solved(0, 2, 4), Some(None), "odd places never hit an even stride");
        assert_eq!(loop_place.solved(1, 1, 3), None, "hits at some turns only");
        assert_eq!(loop_place.solved(9, 1, 3), Some(None));
    }
}
