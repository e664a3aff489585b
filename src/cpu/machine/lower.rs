//! The kernel as vector instructions: places become addresses in a tile, operators become what their functions record.

use super::code::{Alarm, Base, CarriedCode, Definition, Item, LoopCode, Op, Place, Recorder, Value};
use super::frame::TABLES;
use super::implied::gradients_alone;
use crate::cpu::tile::TileLayout;
use crate::graph::{Binary, MAX_RANK, Unary};
use crate::kernel::{Array, Carried, Index, Instruction, Kernel, Loop, LoopVar, Statement, ValueId};
use crate::random::Purpose;
use std::collections::{HashMap, HashSet};

/// The kernel as recorded, and what its scratch memory begins with.
pub(super) struct Lowered {
    pub(super) definitions: Vec<Definition>,
    pub(super) body: Vec<Item>,
    /// The scalar outputs, without those that are watched instead.
    pub(super) outputs: Vec<Value>,
    /// Words that stand in scratch memory from [`TABLES`] on: tables and positions.
    pub(super) tables: Vec<u32>,
    /// Bytes of scratch memory given out to tables, arrays and draws.
    pub(super) scratch: i32,
    /// The kernel of the largest gradient, where gradients have no alarm of their own.
    pub(super) gradients: Option<Kernel>,
}

/// Records a kernel for vectors of `bytes`. Where `watched`, the first two scalars are the largest magnitudes that blow-ups
/// are told by, and alarms take their place. `None` for what only the tape does.
pub(super) fn record(kernel: &Kernel, layout: &TileLayout, bytes: i32, watched: bool) -> Option<Lowered> {
    let mut tables: Vec<u32> = Vec::new();
    let mut firsts = Vec::new();
    for table in &kernel.tables {
        firsts.push(TABLES + 4 * tables.len() as i32);
        tables.extend(table.values.iter().map(|&v| (v as f32).to_bits()));
    }
    let positions = TABLES + 4 * tables.len() as i32;
    let reach = positions_needed(&kernel.body, &mut HashMap::new())?;
    tables.extend((0..reach).map(|i| (i as f32).to_bits()));
    let mut end = TABLES.checked_add(i32::try_from(tables.len()).ok()?.checked_mul(4)?)?.checked_add(63)? & !63;
    let scratch = kernel
        .scratch
        .iter()
        .map(|&len| {
            let first = end;
            end = end.checked_add(bytes.checked_mul(len as i32)?)?;
            Some(first)
        })
        .collect::<Option<Vec<i32>>>()?;
    let mut cones = [HashSet::new(), HashSet::new()];
    if watched {
        let origins = Origins::new(kernel);
        for (cone, &root) in cones.iter_mut().zip(&kernel.scalars) {
            origins.cone(root, cone)?;
        }
    }
    let gradients = if watched { gradients_alone(kernel, &cones) } else { None };
    let recorder = Recorder::new();
    let mut lowering = Lowering {
        layout,
        bytes,
        recorder: &recorder,
        values: vec![None; kernel.types.len()],
        tables: firsts,
        positions,
        scratch,
        end,
        cones,
        alone: gradients.is_none(),
        turns: None,
    };
    let body = in_order_of_elements(&kernel.body);
    lowering.body(&body)?;
    let skipped = if watched { 2 } else { 0 };
    let outputs = kernel.scalars.iter().skip(skipped).map(|&s| lowering.values[s as usize]).collect::<Option<_>>()?;
    let scratch = lowering.end;
    let (definitions, body) = recorder.finish();
    Some(Lowered { definitions, body, outputs, tables, scratch, gradients })
}

/// Stores at the end of straight code, those of one coordinate together: what they share is then still in registers.
fn in_order_of_elements(body: &[Statement]) -> Vec<Statement> {
    let trailing = body.iter().rev().take_while(|s| matches!(s, Statement::Store(..))).count();
    let mut body = body.to_vec();
    let from = body.len() - trailing;
    body[from..].sort_by_key(|s| match s {
        Statement::Store(_, index, _) if index.terms().next().is_none() => index.offset,
        _ => 0,
    });
    body
}

/// How many positions are read as numbers; `None` for a loop over blocks.
fn positions_needed(body: &[Statement], counts: &mut HashMap<LoopVar, u32>) -> Option<i32> {
    let mut most = 0;
    for statement in body {
        match statement {
            Statement::Let(_, Instruction::Position(index)) if index.terms().next().is_some() => {
                let turn = |(var, step): (LoopVar, i32)| {
                    (step.checked_mul(counts.get(&var).map_or(0, |&c| c.saturating_sub(1) as i32))).map(|v| v.max(0))
                };
                let mut reach = index.offset;
                for term in index.terms() {
                    reach = reach.checked_add(turn(term)?)?;
                }
                most = most.max(reach.checked_add(1)?);
            }
            Statement::Loop(l) => {
                if l.block.is_some() {
                    return None;
                }
                counts.insert(l.var, l.count);
                most = most.max(positions_needed(&l.body, counts)?);
            }
            _ => {}
        }
    }
    Some(most)
}

/// How a value of the kernel comes about.
#[derive(Clone, Copy)]
enum Origin {
    Let(Instruction),
    Carried { init: ValueId, next: ValueId },
}

/// All values' origins.
struct Origins(HashMap<ValueId, Origin>);

impl Origins {
    fn new(kernel: &Kernel) -> Origins {
        fn walk(body: &[Statement], all: &mut HashMap<ValueId, Origin>) {
            for statement in body {
                match statement {
                    Statement::Let(value, instruction) => {
                        all.insert(*value, Origin::Let(*instruction));
                    }
                    Statement::Loop(l) => {
                        for c in &l.carried {
                            all.insert(c.value, Origin::Carried { init: c.init, next: c.next });
                        }
                        walk(&l.body, all);
                    }
                    _ => {}
                }
            }
        }
        let mut all = HashMap::new();
        walk(&kernel.body, &mut all);
        Origins(all)
    }

    /// Everything that only finds the largest of some magnitudes; `None` where the root is anything else.
    fn cone(&self, root: ValueId, cone: &mut HashSet<ValueId>) -> Option<()> {
        let mut todo = vec![root];
        while let Some(value) = todo.pop() {
            if !cone.insert(value) {
                continue;
            }
            match self.0.get(&value)? {
                Origin::Let(Instruction::Unary(Unary::Magnitude, _) | Instruction::Constant(_)) => {}
                Origin::Let(Instruction::Binary(Binary::Max, a, b)) => todo.extend([*a, *b]),
                Origin::Carried { init, next } => todo.extend([*init, *next]),
                Origin::Let(_) => return None,
            }
        }
        Some(())
    }
}

/// Items of a loop's turn that is long enough: shorter ones stand several in one.
const ENOUGH: usize = 800;
/// The most of them.
const MOST: u32 = 8;

/// Which turns of a loop a body stands for: `first`, and then every `step`th; a single one where `step` is 0.
#[derive(Clone, Copy)]
struct Turns {
    var: LoopVar,
    first: u32,
    step: u32,
}

struct Lowering<'r> {
    layout: &'r TileLayout,
    bytes: i32,
    recorder: &'r Recorder,
    values: Vec<Option<Value>>,
    tables: Vec<i32>,
    positions: i32,
    scratch: Vec<i32>,
    /// Bytes of scratch memory given out.
    end: i32,
    cones: [HashSet<ValueId>; 2],
    /// Whether gradients have an alarm of their own.
    alone: bool,
    /// The turns of the innermost loop that the body under way stands for.
    turns: Option<Turns>,
}

impl Lowering<'_> {
    fn place(&self, base: Base, first: i32, index: Index, unit: i32) -> Option<Place> {
        let mut offset = first.checked_add(index.offset.checked_mul(unit)?)?;
        let mut terms = [(0, 0); MAX_RANK];
        let mut free = terms.iter_mut();
        for (var, step) in index.terms() {
            let mut bytes = step.checked_mul(unit)?;
            if let Some(turns) = self.turns.filter(|t| t.var == var) {
                offset = offset.checked_add(bytes.checked_mul(turns.first as i32)?)?;
                bytes = bytes.checked_mul(turns.step as i32)?;
            }
            if bytes != 0 {
                *free.next()? = (var, bytes);
            }
        }
        Some(Place { base, offset, terms, single: false })
    }

    fn single(&self, base: Base, first: i32, index: Index) -> Option<Place> {
        self.place(base, first, index, 4).map(|place| Place { single: true, ..place })
    }

    fn element(&self, array: Array, index: Index) -> Option<Place> {
        let tile = |row: usize| i32::try_from(row).ok()?.checked_mul(self.bytes);
        let (base, first) = match array {
            Array::X => (Base::X, 0),
            Array::Next => (Base::Next, 0),
            Array::State(k) => (Base::Tile, tile(self.layout.state(k as usize))?),
            Array::Gradient => (Base::Tile, tile(self.layout.gradient())?),
            Array::Scratch(k) => (Base::Scratch, self.scratch[k as usize]),
        };
        self.place(base, first, index, self.bytes)
    }

    fn value(&self, value: ValueId) -> Option<Value> {
        self.values[value as usize]
    }

    fn body(&mut self, body: &[Statement]) -> Option<()> {
        for statement in body {
            match statement {
                Statement::Let(value, instruction) => self.assign(*value, *instruction)?,
                Statement::Store(array, index, value) => {
                    let place = self.element(*array, *index)?;
                    self.recorder.item(Item::Store(place, self.value(*value)?));
                }
                Statement::Pick(_) => return None,
                Statement::Loop(l) => self.nest(l)?,
            }
        }
        Some(())
    }

    fn nest(&mut self, l: &Loop) -> Option<()> {
        let kept: Vec<&Carried> =
            l.carried.iter().filter(|c| !self.cones.iter().any(|cone| cone.contains(&c.value))).collect();
        let together = self.together(l, &kept)?;
        // What is left over comes first, so that accumulators take the turns in their order.
        let early = l.count % together;
        for c in &kept {
            self.values[c.value as usize] = self.values[c.init as usize];
        }
        self.turns(l, &kept, (0..early).map(|first| Turns { var: l.var, first, step: 0 }))?;
        let mut carried = Vec::new();
        for c in &kept {
            let value = self.recorder.carried();
            carried.push((value, self.value(c.value)?));
            self.values[c.value as usize] = Some(value);
        }
        self.recorder.open();
        let turns = (early..early + together).map(|first| Turns { var: l.var, first, step: together });
        self.turns(l, &kept, turns)?;
        let body = self.recorder.close();
        let carried = kept.iter().zip(carried).map(|(c, (value, init))| {
            let next = self.values[c.value as usize].replace(value)?;
            Some(CarriedCode { value, init, next })
        });
        let carried = carried.collect::<Option<Vec<CarriedCode>>>()?;
        let count = l.count / together;
        self.recorder.item(Item::Loop(Box::new(LoopCode { var: l.var, count, carried, body })));
        Some(())
    }

    /// Records a loop's body for some turns, one behind the other; accumulators are left with what they are then.
    fn turns(&mut self, l: &Loop, kept: &[&Carried], turns: impl Iterator<Item = Turns>) -> Option<()> {
        for turn in turns {
            // A loop around this one has each of its turns for itself: its places stay as they are.
            let around = self.turns.replace(turn);
            self.body(&l.body)?;
            self.turns = around;
            let next: Vec<Value> = kept.iter().map(|c| self.value(c.next)).collect::<Option<_>>()?;
            for (c, next) in kept.iter().zip(next) {
                self.values[c.value as usize] = Some(next);
            }
        }
        Some(())
    }

    /// How many turns stand in one: a short turn is a chain that waits for the one before, where several could go side by side.
    fn together(&mut self, l: &Loop, kept: &[&Carried]) -> Option<u32> {
        if l.body.iter().any(|s| matches!(s, Statement::Loop(_))) {
            return Some(1);
        }
        // Recorded for its length alone: whatever values it sets are set again.
        let end = self.end;
        self.recorder.open();
        for c in kept {
            self.values[c.value as usize] = Some(self.recorder.carried());
        }
        self.body(&l.body)?;
        let length = self.recorder.close().len();
        self.end = end;
        let most = ((ENOUGH / length.max(1)) as u32).min(l.count).clamp(1, MOST);
        Some(1 << most.ilog2())
    }

    fn assign(&mut self, value: ValueId, instruction: Instruction) -> Option<()> {
        let r = self.recorder;
        let load = |place: Place| r.op(Op::Load(place));
        let result = match instruction {
            Instruction::Constant(bits) => r.constant((f64::from_bits(bits) as f32).to_bits()),
            Instruction::Host(k) => load(self.single(Base::Host, 0, Index::constant(k as i32))?),
            Instruction::Drawn(k) => {
                let first = i32::try_from(self.layout.drawn()).ok()?.checked_mul(self.bytes)?;
                load(self.place(Base::Tile, first, Index::constant(k as i32), self.bytes)?)
            }
            Instruction::Load(array, index) => load(self.element(array, index)?),
            Instruction::Table(t, index) => load(self.single(Base::Scratch, self.tables[t as usize], index)?),
            Instruction::Data(index) => load(self.single(Base::Data, 0, index)?),
            Instruction::Picked(_) => return None,
            Instruction::Position(index) if index.terms().next().is_none() => {
                r.constant((index.offset as f32).to_bits())
            }
            Instruction::Position(index) => load(self.single(Base::Scratch, self.positions, index)?),
            Instruction::Unary(Unary::Magnitude, a) if self.cones.iter().any(|c| c.contains(&value)) => {
                let watched = self.value(a)?;
                for (cone, alarm) in self.cones.iter().zip([Alarm::Parameter, Alarm::Gradient]) {
                    if cone.contains(&value) && (self.alone || alarm == Alarm::Parameter) {
                        r.item(Item::Watch { alarm, tile: 0, value: watched });
                    }
                }
                return Some(());
            }
            Instruction::Binary(Binary::Max, ..) if self.cones.iter().any(|c| c.contains(&value)) => return Some(()),
            Instruction::Unary(op, a) => op.apply(r.number(self.value(a)?)).value,
            Instruction::Binary(op, a, b) => op.apply(r.number(self.value(a)?), r.number(self.value(b)?)).value,
            Instruction::Fused(fused, a, b, c) => {
                r.op(Op::Fused(fused, self.value(a)?, self.value(b)?, self.value(c)?))
            }
            Instruction::Select(c, a, b) => r.select(self.value(c)?, self.value(a)?, self.value(b)?),
            Instruction::Draw { site, law, block } => {
                let to = self.end;
                self.end = self.end.checked_add(4 * self.bytes)?;
                let block = self.place(Base::Scratch, 0, block, 1)?;
                r.op(Op::Draw { tag: Purpose::Draw(site as u8).tag(0), law, block, to })
            }
            Instruction::Component(four, k) => {
                let draw = self.value(four)?;
                let Definition::Op(Op::Draw { to, .. }) = r.definition(draw) else { return None };
                r.op(Op::Drawn { draw, place: Place::fixed(Base::Scratch, to + i32::from(k) * self.bytes) })
            }
        };
        self.values[value as usize] = Some(result);
        Some(())
    }
}
