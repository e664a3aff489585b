//! Loops: nests over the places of arrays, cut into pieces, with what they carry from turn to turn.

use super::place::{Place, flat};
use super::schedule::{Group, Write, standing};
use super::{Array, Index, Instruction, Lowered, Nest, Statement, Type, Undecided, ValueId};
use crate::graph::{Axis, Binary, Node, NodeId, Reduction, Unary};
use crate::kernel::cuts::{Cuts, Relation};
use crate::kernel::{Carried, Loop};
use std::collections::HashMap;

/// Emits one turn at a place and a level, and moves the running values on.
type Turn<'t, 'g> = dyn FnMut(&mut Nest<'g>, Place, usize, &mut [Option<ValueId>]) -> Lowered<()> + 't;
/// The same for the places of a nest of loops.
type Turns<'t, 'g> = dyn FnMut(&mut Nest<'g>, &[Place], usize, &mut [Option<ValueId>]) -> Lowered<()> + 't;

impl<'g> Nest<'g> {
    /// One fused loop over places of these lengths.
    pub(super) fn group(&mut self, level: usize, lens: &[u32], group: &Group) -> Lowered<()> {
        let mut cuts: Vec<Cuts> = lens.iter().map(|&len| Cuts::new(len)).collect();
        for sum in &group.sums {
            self.cut(&mut cuts[0], sum.item, sum.axis, Relation::IDENTITY);
            if matches!(sum.op, Reduction::Min | Reduction::Max) && !self.begins_at_zero(sum.op, sum.item) {
                cuts[0].at(1);
            }
        }
        for write in group.kept.iter().chain(&group.stores) {
            for (cuts, &axis) in cuts.iter_mut().zip(&write.axes) {
                self.cut(cuts, write.pull, axis, Relation::IDENTITY);
            }
        }
        let size = lens.iter().product();
        let array = |nest: &mut Self, write: &Write| write.array.unwrap_or_else(|| nest.allocate(size));
        let kept: Vec<(&Write, Array)> = group.kept.iter().map(|w| (w, array(self, w))).collect();
        let stores: Vec<(&Write, Array)> = group.stores.iter().map(|w| (w, array(self, w))).collect();
        let mut running: Vec<Option<ValueId>> = group.sums.iter().map(|s| self.first(s.op, s.item)).collect();
        self.over(level, &cuts, &mut Vec::new(), &mut running, &mut |nest, places, level, running| {
            let mut writes = Vec::new();
            for &(write, array) in &kept {
                writes.push((write, array, nest.value(write.pull, &standing(&write.axes, places))?));
            }
            for (sum, slot) in group.sums.iter().zip(running) {
                let item = nest.value(sum.item, &standing(&[sum.axis], places))?;
                *slot = Some(slot.map_or(item, |r| nest.b.binary(sum.op.operator(), r, item)));
            }
            for &(write, array) in &stores {
                writes.push((write, array, nest.value(write.pull, &standing(&write.axes, places))?));
            }
            for (write, array, value) in writes {
                let place = flat(&standing(&write.axes, places)).ok_or(Undecided(write.pull))?;
                nest.store(level, array, place.index(), value, write.adds);
            }
            Ok(())
        })?;
        for (sum, value) in group.sums.iter().zip(running) {
            let value = value.unwrap_or_else(|| self.b.constant(sum.op.neutral()));
            self.scalars.insert(sum.node, value);
        }
        self.stored.extend(kept.iter().filter_map(|(write, array)| Some((write.holds?, *array))));
        Ok(())
    }

    /// Writes an element, or adds to it.
    pub(super) fn store(&mut self, level: usize, array: Array, index: Index, value: ValueId, adds: bool) {
        let mut value = value;
        if adds {
            let before = self.read(level, array, index);
            value = self.b.binary(Binary::Add, before, value);
        }
        self.b.frames[level].statements.push(Statement::Store(array, index, value));
    }

    /// Reads an element that changes from row to row: no other load is the same.
    pub(super) fn read(&mut self, level: usize, array: Array, index: Index) -> ValueId {
        let value = self.b.fresh(Type::Number, level);
        self.b.frames[level].statements.push(Statement::Let(value, Instruction::Load(array, index)));
        value
    }

    /// Cuts a loop along `axis` for what `node` needs.
    pub(super) fn cut(&self, cuts: &mut Cuts, node: NodeId, axis: Axis, relation: Relation) {
        let there = |id: NodeId| self.stored.contains_key(&id) || self.scalars.contains_key(&id);
        cuts.follow(self.graph, node, &[(axis, relation)], &there);
    }

    /// What a reduction starts from; an extremum starts from its first element.
    pub(super) fn start(&mut self, op: Reduction) -> Option<ValueId> {
        match op {
            Reduction::Sum | Reduction::Product => Some(self.b.constant(op.neutral())),
            Reduction::Min | Reduction::Max => None,
        }
    }

    /// What a reduction of `item` to a scalar starts from.
    fn first(&mut self, op: Reduction, item: NodeId) -> Option<ValueId> {
        match self.begins_at_zero(op, item) {
            true => Some(self.b.constant(0.0)),
            false => self.start(op),
        }
    }

    /// Whether 0 is as good a start as the first element: no magnitude is below it.
    fn begins_at_zero(&self, op: Reduction, item: NodeId) -> bool {
        let magnitudes = matches!(self.graph.node(item), Node::Unary(Unary::Magnitude, _));
        self.whole && op == Reduction::Max && magnitudes
    }

    pub(super) fn scan(&mut self, level: usize, id: NodeId) -> Lowered<()> {
        let Node::Scan(scan, a, axis) = self.graph.node(id) else { return Err(Undecided(id)) };
        let op = if scan.product { Reduction::Product } else { Reduction::Sum };
        let last = axis.len as i32 - 1;
        let backwards = if scan.reverse { Relation::new(last, -1) } else { Relation::IDENTITY };
        let axes = self.graph.axes(id).within_row();
        let rest: Vec<Axis> = axes.without(axis).iter().collect();
        let mut cuts: Vec<Cuts> = rest.iter().map(|axis| Cuts::new(axis.len)).collect();
        for (cuts, &axis) in cuts.iter_mut().zip(&rest) {
            self.cut(cuts, a, axis, Relation::IDENTITY);
        }
        let mut inner = Cuts::new(axis.len);
        self.cut(&mut inner, a, axis, backwards);
        let array = self.allocate(axes.size() as u32);
        self.over(level, &cuts, &mut Vec::new(), &mut [], &mut |nest, places, level, _| {
            let outer = standing(&rest, places);
            let mut running = vec![nest.start(op)];
            nest.run(level, &inner, &mut running, &mut |nest, place, level, running| {
                let place = if scan.reverse { place.mapped(last, -1) } else { place };
                let mut places = outer.clone();
                places.push((axis, place));
                let item = nest.value(a, &places)?;
                let before = running[0].unwrap_or(item);
                let after = nest.b.binary(op.operator(), before, item);
                let kept = if scan.exclusive { before } else { after };
                places.sort_by_key(|p| p.0);
                let index = flat(&places).ok_or(Undecided(id))?.index();
                nest.store(level, array, index, kept, false);
                running[0] = Some(after);
                Ok(())
            })
        })?;
        self.stored.insert(id, array);
        Ok(())
    }

    /// A reduction whose loop stands where its value is pulled.
    pub(super) fn reduction(
        &mut self,
        op: Reduction,
        a: NodeId,
        axis: Axis,
        places: &[(Axis, Place)],
        level: usize,
    ) -> Lowered<ValueId> {
        let at = |place: Place| -> Vec<(Axis, Place)> { places.iter().copied().chain([(axis, place)]).collect() };
        if axis.len <= super::WRITTEN_OUT {
            let items =
                (0..axis.len as i32).map(|i| self.value(a, &at(Place::constant(i)))).collect::<Lowered<Vec<_>>>()?;
            return Ok(if items.is_empty() {
                self.b.constant(op.neutral())
            } else {
                self.b.balanced(op.operator(), items)
            });
        }
        let mut cuts = Cuts::new(axis.len);
        self.cut(&mut cuts, a, axis, Relation::IDENTITY);
        if matches!(op, Reduction::Min | Reduction::Max) {
            cuts.at(1);
        }
        let mut running = vec![self.start(op)];
        self.run(level, &cuts, &mut running, &mut |nest, place, _, running| {
            let item = nest.value(a, &at(place))?;
            running[0] = Some(running[0].map_or(item, |r| nest.b.binary(op.operator(), r, item)));
            Ok(())
        })?;
        running[0].ok_or(Undecided(a))
    }

    /// A plain loop over `len` places.
    pub(super) fn along(
        &mut self,
        level: usize,
        len: u32,
        body: &mut dyn FnMut(&mut Nest<'g>, Place, usize) -> Lowered<()>,
    ) -> Lowered<()> {
        self.run(level, &Cuts::new(len), &mut [], &mut |nest, place, level, _| body(nest, place, level))
    }

    /// Emits a nest of loops inside `level`, outermost first.
    fn over(
        &mut self,
        level: usize,
        cuts: &[Cuts],
        places: &mut Vec<Place>,
        running: &mut [Option<ValueId>],
        body: &mut Turns<'_, 'g>,
    ) -> Lowered<()> {
        let Some((first, rest)) = cuts.split_first() else { return body(self, places, level, running) };
        self.run(level, first, running, &mut |nest, place, level, running| {
            places.push(place);
            nest.over(level, rest, places, running, body)?;
            places.pop();
            Ok(())
        })
    }

    /// Emits a loop inside `level`: for every place, `body` computes, stores and moves the running values on.
    fn run(
        &mut self,
        level: usize,
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
                self.turns(level, (from, turns, period), running, body)?;
            }
            for at in rest..to {
                body(self, Place::constant(at as i32), level, running)?;
            }
        }
        Ok(())
    }

    /// One loop from place `from` on, of so many turns of `period` places.
    fn turns(
        &mut self,
        outer: usize,
        (from, turns, period): (u32, u32, u32),
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
            let place = Place::moving((from + k) as i32, period as i32, var, turns, level);
            body(self, place, level, running)?;
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
}
