//! Pulling: the value of a node at a place, from the values of its arguments at theirs.

use super::place::{Place, Places, flat};
use super::{Instruction, Lowered, Nest, Type, Undecided, ValueId};
use crate::graph::{Axes, Axis, Input, Node, NodeId};
use crate::kernel::{Array, Index};

impl Nest<'_> {
    /// The value of a node at a place; axes that the node lacks do not count.
    pub(super) fn value(&mut self, id: NodeId, places: &[(Axis, Place)]) -> Lowered<ValueId> {
        if let Some(&value) = self.scalars.get(&id) {
            return Ok(value);
        }
        let own: Places = (self.graph.axes(id).within_row().iter())
            .map(|axis| (axis, places.iter().find(|p| p.0 == axis).map_or(Place::constant(0), |p| p.1)))
            .collect();
        let level = self.level(self.graph.axes(id), &own);
        let key = (id, own.iter().map(|p| p.1).collect::<Vec<_>>());
        if let Some(&value) = self.memo[level].get(&key) {
            return Ok(value);
        }
        let value = self.computed(id, &own, level)?;
        self.memo[level].insert(key, value);
        Ok(value)
    }

    /// The level of the innermost loop that something over these axes moves with.
    fn level(&self, axes: Axes, places: &[(Axis, Place)]) -> usize {
        let row = self.row.as_ref().filter(|_| axes.row().is_some()).map_or(0, |row| row.level);
        places.iter().map(|p| p.1.level()).max().unwrap_or(0).max(row)
    }

    fn computed(&mut self, id: NodeId, places: &Places, level: usize) -> Lowered<ValueId> {
        let index = flat(places).map(|place| place.index()).ok_or(Undecided(id));
        if let Some(&array) = self.stored.get(&id) {
            return Ok(self.b.emit(level, Type::Number, Instruction::Load(array, index?)));
        }
        let place = |axis: Axis| places.iter().find(|p| p.0 == axis).map_or(Place::constant(0), |p| p.1);
        let without = |list: &[Axis]| places.iter().filter(|p| !list.contains(&p.0)).copied().collect::<Places>();
        Ok(match self.graph.node(id) {
            Node::Constant(bits) => self.b.constant(f64::from_bits(bits)),
            Node::Table(table) => self.table(table, index?, level),
            Node::Iota(_) => {
                let index = index?;
                if index.terms().next().is_none() {
                    self.b.constant(f64::from(index.offset))
                } else {
                    self.b.emit(level, Type::Number, Instruction::Position(index))
                }
            }
            Node::Input(Input::Draw { site, law }, _) => {
                // A loop over draws takes four places a turn: the component is the same at every turn.
                let at = places.first().map_or(Place::constant(0), |p| p.1);
                let (block, component) = at.quarter().ok_or(Undecided(id))?;
                let four = self.b.emit(level, Type::Four, Instruction::Draw { site, law, block: block.index() });
                self.b.emit(level, Type::Number, Instruction::Component(four, component))
            }
            Node::Input(input, _) => self.load(input, index?, level),
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
                let q = to.map_or(Place::constant(0), place);
                let mut inner = without(&to.into_iter().collect::<Vec<_>>());
                inner.push((from, q.mapped(start, step)));
                self.value(source, &inner)?
            }
            Node::Pad { source, into, start, step, from } => {
                let len = from.map_or(1, |f| f.len);
                match place(into).solved(start, step, len) {
                    None => return Err(Undecided(id)),
                    Some(None) => self.b.constant(0.0),
                    Some(Some(q)) => {
                        let mut inner = without(&[into]);
                        inner.extend(from.map(|from| (from, q)));
                        self.value(source, &inner)?
                    }
                }
            }
            Node::Split { source, from, outer, inner } => {
                let at = place(outer).mapped(0, inner.len as i32).plus(place(inner)).ok_or(Undecided(id))?;
                let mut rest = without(&[outer, inner]);
                rest.push((from, at));
                self.value(source, &rest)?
            }
            Node::Merge { source, outer, inner, into } => {
                self.read_flat(source, (outer, inner), place(into), &without(&[into]), id)?
            }
            Node::Reduce(op, a, axis) => self.reduction(op, a, axis, places, level)?,
            Node::Scan(..) => return Err(Undecided(id)),
        })
    }

    /// The value at place `at` of a matrix read row by row.
    fn read_flat(
        &mut self,
        id: NodeId,
        (outer, inner): (Axis, Axis),
        at: Place,
        rest: &Places,
        merge: NodeId,
    ) -> Lowered<ValueId> {
        let axes = self.graph.axes(id);
        if !axes.contains(outer) && !axes.contains(inner) {
            return self.value(id, rest);
        }
        // Its last two axes as one.
        let joined = Axis { len: outer.len * inner.len, ..outer };
        let mut own: Places = rest.iter().filter(|p| axes.contains(p.0)).copied().collect();
        own.push((joined, at));
        let level = self.level(axes, &own);
        let key = (id, own.iter().map(|p| p.1).collect::<Vec<_>>());
        if let Some(&value) = self.memo[level].get(&key) {
            return Ok(value);
        }
        let index = flat(&own).map(|place| place.index()).ok_or(Undecided(merge));
        let value = match self.graph.node(id) {
            _ if self.stored.contains_key(&id) => {
                let array = self.stored[&id];
                self.b.emit(level, Type::Number, Instruction::Load(array, index?))
            }
            Node::Table(table) => self.table(table, index?, level),
            Node::Split { source, from, outer: o, inner: i } if (o, i) == (outer, inner) => {
                let places: Places = rest.iter().copied().chain([(from, at)]).collect();
                self.value(source, &places)?
            }
            Node::Unary(op, a) => {
                let a = self.read_flat(a, (outer, inner), at, rest, merge)?;
                self.b.unary(op, a)
            }
            Node::Binary(op, a, b) => {
                let a = self.read_flat(a, (outer, inner), at, rest, merge)?;
                let b = self.read_flat(b, (outer, inner), at, rest, merge)?;
                self.b.binary(op, a, b)
            }
            Node::Select(c, a, b) => {
                let c = self.read_flat(c, (outer, inner), at, rest, merge)?;
                let a = self.read_flat(a, (outer, inner), at, rest, merge)?;
                let b = self.read_flat(b, (outer, inner), at, rest, merge)?;
                self.b.select(c, a, b)
            }
            _ => return Err(Undecided(merge)),
        };
        self.memo[level].insert(key, value);
        Ok(value)
    }

    fn table(&mut self, number: u32, index: Index, level: usize) -> ValueId {
        let table = &self.graph.tables()[number as usize];
        if index.terms().next().is_none() {
            return self.b.constant(table.values[index.offset as usize]);
        }
        let tables = &mut self.tables;
        let id = *self.table_ids.entry(number).or_insert_with(|| {
            tables.push(table.clone());
            tables.len() as u32 - 1
        });
        self.b.emit(level, Type::Number, Instruction::Table(id, index))
    }

    fn load(&mut self, input: Input, index: Index, level: usize) -> ValueId {
        let instruction = match (input, &self.row) {
            (Input::X, _) => Instruction::Load(Array::X, index),
            (Input::State(k), _) => Instruction::Load(Array::State(k), index),
            (Input::Host(k), _) => Instruction::Host(k),
            (Input::DrawnHyper(k), _) => Instruction::Drawn(k),
            (Input::Data(first), Some(row)) => row.element(self.access, index.plus(Index::constant(first as i32), 1)),
            // Hyperparameters, steps and host states are host scalars by now; data stands inside a loop over rows.
            _ => Instruction::Host(u32::MAX),
        };
        self.b.emit(level, Type::Number, instruction)
    }
}
