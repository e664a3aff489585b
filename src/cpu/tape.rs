//! A kernel as a tape: instructions over rows of lanes, one row for each number of a restart, one lane for each restart.
//!
//! Rows of one block lie in one slab: parameters before and after the step (they change places instead of being copied),
//! states, scratch arrays, drawn hyperparameters, registers. A result is written where it will be stored, if nothing still
//! reads what was there. Registers are given out by last use.

use super::lane::Lane;
use crate::graph::{Binary, Law, MAX_RANK, Unary};
use crate::kernel::{Array, Fused, Index, Instruction, Kernel, Statement, ValueId};
use std::collections::HashMap;

/// Where an operand lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// A row of the slab.
    Row,
    /// A row of the parameters before the step.
    X,
    /// A row of the parameters after the step.
    Next,
    /// A number that all lanes share.
    Shared,
    /// A number of the surface's table.
    Data,
    /// A host scalar of this step.
    Host,
}

/// How a place moves with loop counters: counters and their steps, absent ones last.
pub(super) type Moves = [(u32, i32); MAX_RANK];

/// An operand: a place, and which entry of [`Tape::moves`] moves it; entry 0 moves nothing. Small, because reading
/// instructions costs as much as the arithmetic of a few lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    pub(super) space: Space,
    pub(super) base: i32,
    pub(super) moves: u32,
}

impl Operand {
    fn fixed(space: Space, base: usize) -> Operand {
        Operand { space, base: base as i32, moves: 0 }
    }
}

/// One instruction of the tape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Op {
    Copy {
        to: Operand,
        a: Operand,
    },
    Unary {
        op: Unary,
        to: Operand,
        a: Operand,
    },
    Binary {
        op: Binary,
        to: Operand,
        a: Operand,
        b: Operand,
    },
    Select {
        to: Operand,
        c: Operand,
        a: Operand,
        b: Operand,
    },
    /// A product and a sum, rounded once.
    Fused {
        op: Fused,
        to: Operand,
        a: Operand,
        b: Operand,
        c: Operand,
    },
    /// Four rows of draws from `to` on.
    Draw {
        site: u32,
        law: Law,
        to: Operand,
        block: Operand,
    },
    /// Chooses every lane's row: the draw of this place in the batch.
    Pick {
        draw: Operand,
    },
    /// An element of every lane's own row.
    Gather {
        to: Operand,
        column: Operand,
    },
    /// Repeats up to the matching end, from `count` times the block's number on where there are blocks.
    Loop {
        var: u32,
        count: u32,
        block: Option<(u32, u32)>,
        end: u32,
    },
    End {
        var: u32,
        start: u32,
    },
}

/// A kernel, ready to run over blocks.
#[derive(Clone, Debug)]
pub(crate) struct Tape<F> {
    pub(super) ops: Vec<Op>,
    /// How operands move; entry 0 is for those that do not.
    pub(super) moves: Vec<Moves>,
    /// Numbers that all lanes share: constants, then tables.
    pub(super) shared: Vec<F>,
    /// Rows of a slab.
    pub(crate) rows: usize,
    /// First rows of the two parameter arrays.
    pub(crate) x: [usize; 2],
    /// First rows of the states.
    pub(super) states: Vec<usize>,
    /// First row of the gradient, where the kernel gives it out.
    pub(super) gradient: usize,
    /// First row of the drawn hyperparameters.
    pub(super) drawn: usize,
    /// Rows of the scalar outputs.
    pub(crate) scalars: Vec<Operand>,
    /// Loop counters.
    pub(crate) vars: usize,
}

/// Lays out a slab and compiles the kernel for it. `states` and `drawn` are the numbers of state slots and of
/// hyperparameter slots.
pub(crate) fn compile<F: Lane>(kernel: &Kernel, states: usize, drawn: usize) -> Tape<F> {
    let dim = kernel.dim as usize;
    let mut rows = 0;
    let mut take = |count: usize| {
        let first = rows;
        rows += count;
        first
    };
    let x = [take(dim), take(dim)];
    let states: Vec<usize> = (0..states).map(|_| take(dim)).collect();
    let gradient = take(if writes_gradient(&kernel.body) { dim } else { 0 });
    let scratch: Vec<usize> = kernel.scratch.iter().map(|&len| take(len as usize)).collect();
    let drawn_rows = take(drawn);
    let mut shared: Vec<F> = Vec::new();
    let tables = kernel
        .tables
        .iter()
        .map(|t| {
            let first = shared.len();
            shared.extend(t.values.iter().map(|&v| F::of(v)));
            first
        })
        .collect();
    let mut lives = Lives::new(kernel);
    lives.walk(&kernel.body, None);
    let mut compiler = Compiler {
        kernel,
        lives,
        ops: Vec::new(),
        shared,
        tables,
        positions: None,
        constants: HashMap::new(),
        homes: vec![None; kernel.types.len()],
        free: Vec::new(),
        owns: vec![false; kernel.types.len()],
        rows,
        states: states.clone(),
        scratch,
        gradient,
        drawn: drawn_rows,
        place: 0,
        vars: 0,
        moves: vec![Moves::default()],
    };
    compiler.body(&kernel.body);
    let scalars = kernel.scalars.iter().map(|&s| compiler.operand(s)).collect();
    Tape {
        ops: compiler.ops,
        moves: compiler.moves,
        shared: compiler.shared,
        rows: compiler.rows,
        x,
        states,
        gradient,
        drawn: drawn_rows,
        scalars,
        vars: compiler.vars,
    }
}

fn writes_gradient(body: &[Statement]) -> bool {
    body.iter().any(|s| match s {
        Statement::Store(Array::Gradient, ..) => true,
        Statement::Loop(l) => writes_gradient(&l.body),
        _ => false,
    })
}

/// When each value is last used, counted in statements; a value from outside a loop lives to the loop's end.
struct Lives {
    last: Vec<usize>,
    defined: Vec<usize>,
    depth: Vec<usize>,
    /// Where a value can be written at once: the array element it is stored to.
    stored: HashMap<ValueId, (Array, Index)>,
    /// The last place that reads an element through a load.
    loads: HashMap<(Array, Index), usize>,
    /// Loads that must be copied when they are made: they are stored elsewhere after their array has changed.
    copied: Vec<bool>,
    place: usize,
    level: usize,
}

impl Lives {
    fn new(kernel: &Kernel) -> Lives {
        let n = kernel.types.len();
        let mut lives = Lives {
            last: vec![0; n],
            defined: vec![0; n],
            depth: vec![0; n],
            stored: HashMap::new(),
            loads: HashMap::new(),
            copied: vec![false; n],
            place: 0,
            level: 0,
        };
        for &s in &kernel.scalars {
            lives.last[s as usize] = usize::MAX;
        }
        lives
    }

    fn walk(&mut self, body: &[Statement], loads_in: Option<&HashMap<ValueId, (Array, Index)>>) {
        let mut loads: HashMap<ValueId, (Array, Index)> = loads_in.cloned().unwrap_or_default();
        let mut used: Vec<ValueId> = Vec::new();
        for statement in body {
            self.place += 1;
            used.clear();
            match statement {
                Statement::Let(value, instruction) => {
                    self.defined[*value as usize] = self.place;
                    self.depth[*value as usize] = self.level;
                    if let Instruction::Load(array, index) = *instruction {
                        loads.insert(*value, (array, index));
                        let last = self.loads.entry((array, index)).or_default();
                        *last = (*last).max(self.place);
                    }
                    used.extend(instruction.operands());
                }
                Statement::Store(array, index, value) => {
                    used.push(*value);
                    if let Some((Array::State(_), _)) = loads.get(value) {
                        self.copied[*value as usize] = true;
                    }
                    if self.depth[*value as usize] == self.level {
                        self.stored.entry(*value).or_insert((*array, *index));
                    }
                }
                Statement::Pick(_) => {}
                Statement::Loop(l) => {
                    let start = self.place;
                    for c in &l.carried {
                        self.touch(c.init, &loads);
                        self.defined[c.value as usize] = start;
                        // The accumulator lives from before the loop to its last use behind it.
                        self.last[c.value as usize] = self.last[c.value as usize].max(start);
                        self.depth[c.value as usize] = self.level;
                    }
                    self.level += 1;
                    self.walk(&l.body, Some(&loads));
                    self.level -= 1;
                    self.place += 1;
                    for c in &l.carried {
                        self.touch(c.next, &loads);
                        self.last[c.value as usize] = self.last[c.value as usize].max(self.place);
                    }
                    // Whatever comes from outside must outlive every turn.
                    let end = self.place;
                    for v in 0..self.last.len() {
                        if self.defined[v] <= start && self.last[v] > start && self.last[v] < end {
                            self.last[v] = end;
                        }
                    }
                    // An element that moves with the loop is another one at every turn.
                    for ((_, index), last) in &mut self.loads {
                        if *last > start && !index.terms().any(|t| t.0 == l.var) {
                            *last = end;
                        }
                    }
                }
            }
            for &u in &used {
                self.touch(u, &loads);
            }
        }
    }

    fn touch(&mut self, value: ValueId, loads: &HashMap<ValueId, (Array, Index)>) {
        let last = &mut self.last[value as usize];
        *last = (*last).max(self.place);
        if let Some(element) = loads.get(&value) {
            let last = self.loads.entry(*element).or_default();
            *last = (*last).max(self.place);
        }
    }
}

struct Compiler<'k, F> {
    kernel: &'k Kernel,
    lives: Lives,
    ops: Vec<Op>,
    shared: Vec<F>,
    tables: Vec<usize>,
    positions: Option<(usize, usize)>,
    constants: HashMap<u64, usize>,
    homes: Vec<Option<Operand>>,
    /// Which values own a register.
    owns: Vec<bool>,
    free: Vec<usize>,
    rows: usize,
    states: Vec<usize>,
    scratch: Vec<usize>,
    gradient: usize,
    drawn: usize,
    place: usize,
    vars: usize,
    moves: Vec<Moves>,
}

impl<F: Lane> Compiler<'_, F> {
    fn indexed(&mut self, space: Space, base: usize, index: Index) -> Operand {
        let moves = match self.moves.iter().position(|m| *m == index.terms) {
            Some(known) => known,
            None => {
                self.moves.push(index.terms);
                self.moves.len() - 1
            }
        };
        Operand { space, base: base as i32 + index.offset, moves: moves as u32 }
    }

    fn element(&mut self, array: Array, index: Index) -> Operand {
        match array {
            Array::X => self.indexed(Space::X, 0, index),
            Array::Next => self.indexed(Space::Next, 0, index),
            Array::State(k) => self.indexed(Space::Row, self.states[k as usize], index),
            Array::Gradient => self.indexed(Space::Row, self.gradient, index),
            Array::Scratch(k) => self.indexed(Space::Row, self.scratch[k as usize], index),
        }
    }

    fn operand(&self, value: ValueId) -> Operand {
        self.homes[value as usize].unwrap_or(Operand::fixed(Space::Shared, 0))
    }

    fn constant(&mut self, bits: u64) -> Operand {
        let shared = &mut self.shared;
        let place = *self.constants.entry(bits).or_insert_with(|| {
            shared.push(F::of(f64::from_bits(bits)));
            shared.len() - 1
        });
        Operand::fixed(Space::Shared, place)
    }

    /// 0, 1, 2, … up to the largest position that an index reaches.
    fn position(&mut self, index: Index) -> Operand {
        let len = 1 + self.largest(index, &self.kernel.body).max(0) as usize;
        let first = match self.positions {
            Some((first, have)) if have >= len => first,
            _ => {
                let first = self.shared.len();
                self.shared.extend((0..len).map(|i| F::of(i as f64)));
                self.positions = Some((first, len));
                first
            }
        };
        self.indexed(Space::Shared, first, index)
    }

    fn largest(&self, index: Index, body: &[Statement]) -> i32 {
        let mut counts = HashMap::new();
        fn collect(body: &[Statement], counts: &mut HashMap<u32, u32>) {
            for s in body {
                if let Statement::Loop(l) = s {
                    counts.insert(l.var, l.count);
                    collect(&l.body, counts);
                }
            }
        }
        collect(body, &mut counts);
        let reach = |(var, step): (u32, i32)| (step * (counts.get(&var).map_or(1, |&c| c as i32) - 1)).max(0);
        index.offset + index.terms().map(reach).sum::<i32>()
    }

    fn register(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.rows += 1;
            self.rows - 1
        })
    }

    /// A register that a value owns until its last use.
    fn owned(&mut self, value: ValueId) -> Operand {
        self.owns[value as usize] = true;
        let row = self.register();
        Operand::fixed(Space::Row, row)
    }

    /// Gives back the registers of values whose last use is here.
    fn release(&mut self, values: &[ValueId]) {
        for &v in values {
            if self.lives.last[v as usize] == self.place && std::mem::take(&mut self.owns[v as usize]) {
                self.free.push(self.operand(v).base as usize);
            }
        }
    }

    fn body(&mut self, body: &[Statement]) {
        for statement in body {
            self.place += 1;
            match statement {
                Statement::Let(value, instruction) => self.assign(*value, *instruction),
                Statement::Store(array, index, value) => {
                    let to = self.element(*array, *index);
                    let a = self.operand(*value);
                    if a != to {
                        self.ops.push(Op::Copy { to, a });
                    }
                    self.release(&[*value]);
                }
                Statement::Pick(index) => {
                    let draw = self.indexed(Space::Data, 0, *index);
                    self.ops.push(Op::Pick { draw });
                }
                Statement::Loop(l) => {
                    for c in &l.carried {
                        let to = self.owned(c.value);
                        let a = self.operand(c.init);
                        self.ops.push(Op::Copy { to, a });
                        self.homes[c.value as usize] = Some(to);
                    }
                    self.release(&l.carried.iter().map(|c| c.init).collect::<Vec<_>>());
                    let start = self.ops.len();
                    self.vars = self.vars.max(l.var as usize + 1);
                    self.ops.push(Op::Loop { var: l.var, count: l.count, block: l.block, end: 0 });
                    self.body(&l.body);
                    self.place += 1;
                    let moves: Vec<(Operand, Operand)> =
                        l.carried.iter().map(|c| (self.operand(c.value), self.operand(c.next))).collect();
                    self.advance(&moves);
                    self.release(&l.carried.iter().map(|c| c.next).collect::<Vec<_>>());
                    let end = self.ops.len() as u32;
                    self.ops.push(Op::End { var: l.var, start: start as u32 });
                    if let Op::Loop { end: slot, .. } = &mut self.ops[start] {
                        *slot = end;
                    }
                    // What was kept alive to the loop's end is free behind it.
                    let done: Vec<ValueId> = (0..self.homes.len() as ValueId)
                        .filter(|&v| self.homes[v as usize].is_some() && self.lives.last[v as usize] == self.place)
                        .collect();
                    self.release(&done);
                }
            }
        }
    }

    /// Moves accumulators on. The last operation writes into the accumulator itself where it can.
    fn advance(&mut self, moves: &[(Operand, Operand)]) {
        for (k, &(to, a)) in moves.iter().enumerate() {
            if to == a {
                continue;
            }
            // Another accumulator may still be read by a later move.
            if moves[k + 1..].iter().any(|m| m.1 == to) {
                let spare = Operand::fixed(Space::Row, self.register());
                self.ops.push(Op::Copy { to: spare, a: to });
                let later: Vec<(Operand, Operand)> =
                    moves[k + 1..].iter().map(|&(t, a)| (t, if a == to { spare } else { a })).collect();
                self.ops.push(Op::Copy { to, a });
                return self.advance(&later);
            }
            let fused = self.retarget(a, to);
            if !fused {
                self.ops.push(Op::Copy { to, a });
            }
        }
    }

    /// Lets the operation that makes `a` write to `to` instead, if nothing behind it reads either.
    fn retarget(&mut self, a: Operand, to: Operand) -> bool {
        if a.space != Space::Row || a.moves != 0 {
            return false;
        }
        for op in self.ops.iter_mut().rev() {
            let reads = match *op {
                Op::Loop { .. } | Op::End { .. } | Op::Draw { .. } | Op::Pick { .. } => return false,
                Op::Gather { column, .. } => [column; 3],
                Op::Copy { a, .. } | Op::Unary { a, .. } => [a, a, a],
                Op::Binary { a, b, .. } => [a, b, b],
                Op::Select { c, a, b, .. } | Op::Fused { a, b, c, .. } => [c, a, b],
            };
            match op {
                Op::Binary { to: place, .. }
                | Op::Unary { to: place, .. }
                | Op::Select { to: place, .. }
                | Op::Fused { to: place, .. }
                | Op::Gather { to: place, .. }
                    if *place == a =>
                {
                    *place = to;
                    return true;
                }
                _ => {}
            }
            if reads.contains(&a) || reads.contains(&to) {
                return false;
            }
        }
        false
    }

    fn assign(&mut self, value: ValueId, instruction: Instruction) {
        let v = value as usize;
        let home = match instruction {
            Instruction::Constant(bits) => self.constant(bits),
            Instruction::Host(k) => Operand::fixed(Space::Host, k as usize),
            Instruction::Drawn(k) => Operand::fixed(Space::Row, self.drawn + k as usize),
            Instruction::Table(t, index) => self.indexed(Space::Shared, self.tables[t as usize], index),
            Instruction::Data(index) => self.indexed(Space::Data, 0, index),
            Instruction::Picked(index) => {
                let to = self.owned(value);
                let column = self.indexed(Space::Data, 0, index);
                self.ops.push(Op::Gather { to, column });
                to
            }
            Instruction::Position(index) => self.position(index),
            Instruction::Load(array, index) => {
                let element = self.element(array, index);
                if self.lives.copied[v] {
                    let to = self.owned(value);
                    self.ops.push(Op::Copy { to, a: element });
                    to
                } else {
                    element
                }
            }
            Instruction::Component(four, k) => {
                let mut home = self.operand(four);
                home.base += i32::from(k);
                home
            }
            Instruction::Draw { site, law, block } => {
                let to = Operand::fixed(Space::Row, self.rows);
                self.rows += 4;
                let block = self.indexed(Space::Shared, 0, block);
                self.ops.push(Op::Draw { site, law, to, block });
                to
            }
            Instruction::Unary(op, a) => {
                let from = self.operand(a);
                self.release(&[a]);
                let to = self.destination(value);
                self.ops.push(Op::Unary { op, to, a: from });
                to
            }
            Instruction::Binary(op, a, b) => {
                let (from, with) = (self.operand(a), self.operand(b));
                self.release(&[a, b]);
                let to = self.destination(value);
                self.ops.push(Op::Binary { op, to, a: from, b: with });
                to
            }
            Instruction::Select(c, a, b) => {
                let (on, from, with) = (self.operand(c), self.operand(a), self.operand(b));
                self.release(&[c, a, b]);
                let to = self.destination(value);
                self.ops.push(Op::Select { to, c: on, a: from, b: with });
                to
            }
            Instruction::Fused(op, a, b, c) => {
                let [from, with, plus] = [a, b, c].map(|v| self.operand(v));
                self.release(&[a, b, c]);
                let to = self.destination(value);
                self.ops.push(Op::Fused { op, to, a: from, b: with, c: plus });
                to
            }
        };
        self.homes[v] = Some(home);
    }

    /// The element that a value will be stored to, if nothing reads its old content any more; else a register.
    fn destination(&mut self, value: ValueId) -> Operand {
        if let Some(&(array, index)) = self.lives.stored.get(&value) {
            let last_read = self.lives.loads.get(&(array, index)).copied().unwrap_or(0);
            // Only a state's old content is ever read.
            if !matches!(array, Array::State(_)) || last_read <= self.place {
                return self.element(array, index);
            }
        }
        self.owned(value)
    }
}
