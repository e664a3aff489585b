//! Emits instructions: equal ones once, trivial ones not at all, integer powers as multiplications.

use super::{Carried, Index, Instruction, Loop, LoopVar, RowAccess, Statement, Type, ValueId};
use crate::graph::{Binary, Unary};
use std::collections::HashMap;

/// One level of the nest under construction.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) statements: Vec<Statement>,
    known: HashMap<Instruction, ValueId>,
}

/// The nest under construction: frame 0 is outside all loops.
#[derive(Debug, Default)]
pub(super) struct Builder {
    pub(super) frames: Vec<Frame>,
    pub(super) types: Vec<Type>,
    constants: HashMap<ValueId, f64>,
    levels: Vec<usize>,
    vars: LoopVar,
}

/// One of its loops: counter, turns, and the counter of blocks with all turns.
type RowLevel = (LoopVar, u32, Option<(LoopVar, u32)>);

/// A loop over rows under construction: one loop, or loops of blocks, outermost first.
#[derive(Clone, Debug)]
pub(super) struct RowLoop {
    loops: Vec<RowLevel>,
    /// The level of its body.
    pub(super) level: usize,
}

impl RowLoop {
    /// Where an element of the current row lies.
    pub(super) fn element(&self, rows: RowAccess, column: Index) -> Instruction {
        if rows.picked {
            return Instruction::Picked(column);
        }
        Instruction::Data(Index::moving(0, self.row(), rows.columns as i32).plus(column, 1))
    }

    /// The counter of rows.
    fn row(&self) -> LoopVar {
        self.loops.last().map_or(0, |l| l.0)
    }

    /// How many loops there are.
    pub(super) fn depth(&self) -> usize {
        self.loops.len()
    }
}

/// Sums of more rows than this are summed by blocks: the rounding error grows with the longest chain of additions.
const ROWS_IN_A_CHAIN: u32 = 1024;

impl Builder {
    pub(super) fn new() -> Builder {
        Builder { frames: vec![Frame::default()], ..Builder::default() }
    }

    /// A value that no instruction assigns (an accumulator), living at a level.
    pub(super) fn fresh(&mut self, kind: Type, level: usize) -> ValueId {
        self.types.push(kind);
        self.levels.push(level);
        self.types.len() as ValueId - 1
    }

    /// The level of the innermost loop that a value depends on.
    pub(super) fn level(&self, value: ValueId) -> usize {
        self.levels[value as usize]
    }

    /// Moves a value to another level: an accumulator once its loop has ended.
    pub(super) fn settle(&mut self, value: ValueId, level: usize) {
        self.levels[value as usize] = level;
    }

    /// A new loop counter.
    pub(super) fn counter(&mut self) -> LoopVar {
        self.vars += 1;
        self.vars - 1
    }

    /// Opens the loop over `len` rows, as blocks and blocks of blocks where there are many, so that no chain of additions
    /// is longer than it must be: the error of a sum is at most that of `3·∛len` additions, at about the cost of `len`.
    pub(super) fn open_rows(&mut self, len: u32, rows: RowAccess) -> RowLoop {
        let turns: Vec<u32> = if len <= ROWS_IN_A_CHAIN {
            vec![len]
        } else if len <= ROWS_IN_A_CHAIN * ROWS_IN_A_CHAIN {
            let inner = f64::from(len).sqrt().ceil() as u32;
            vec![len.div_ceil(inner), inner]
        } else {
            let inner = f64::from(len).cbrt().ceil() as u32;
            let blocks = len.div_ceil(inner);
            vec![blocks.div_ceil(inner), inner, inner]
        };
        let mut loops: Vec<RowLevel> = Vec::new();
        for (k, &count) in turns.iter().enumerate() {
            let inside = turns[k + 1..].iter().product::<u32>();
            let total = len.div_ceil(inside.max(1));
            let block = loops.last().map(|l| (l.0, total));
            let var = self.counter();
            loops.push((var, count, block));
            self.frames.push(Frame::default());
        }
        let nest = RowLoop { loops, level: self.frames.len() - 1 };
        if rows.picked {
            let draw = Index::moving(0, nest.row(), 1);
            self.frames[nest.level].statements.push(Statement::Pick(draw));
        }
        nest
    }

    /// Closes the loop over rows; gives the sums of what each turn adds.
    pub(super) fn close_rows(&mut self, mut nest: RowLoop, mut items: Vec<ValueId>) -> Vec<ValueId> {
        while nest.depth() > 0 {
            let (sums, statement) = self.close_innermost(&mut nest, items);
            let level = self.frames.len() - 1;
            self.frames[level].statements.push(statement);
            items = sums;
        }
        items
    }

    /// Closes the innermost loop of a loop over rows, and gives the sums of what each of its turns adds and the loop itself,
    /// which belongs where the builder now is.
    pub(super) fn close_innermost(&mut self, nest: &mut RowLoop, items: Vec<ValueId>) -> (Vec<ValueId>, Statement) {
        let (var, count, block) = nest.loops.pop().unwrap_or_default();
        let zero = self.constant(0.0);
        let level = self.frames.len() - 1;
        let carried: Vec<Carried> = items
            .iter()
            .map(|&item| {
                let value = self.fresh(Type::Number, level);
                Carried { value, init: zero, next: self.binary(Binary::Add, value, item) }
            })
            .collect();
        let body = self.frames.pop().map(|f| f.statements).unwrap_or_default();
        let sums: Vec<ValueId> = carried.iter().map(|c| c.value).collect();
        for &value in &sums {
            self.settle(value, level - 1);
        }
        (sums, Statement::Loop(Box::new(Loop { var, count, block, carried, body })))
    }

    pub(super) fn constant_of(&self, value: ValueId) -> Option<f64> {
        self.constants.get(&value).copied()
    }

    /// Emits at a level, unless an enclosing level has it already.
    pub(super) fn emit(&mut self, level: usize, kind: Type, instruction: Instruction) -> ValueId {
        for frame in &self.frames[..=level] {
            if let Some(&value) = frame.known.get(&instruction) {
                return value;
            }
        }
        let value = self.fresh(kind, level);
        let frame = &mut self.frames[level];
        frame.statements.push(Statement::Let(value, instruction));
        frame.known.insert(instruction, value);
        value
    }

    pub(super) fn constant(&mut self, number: f64) -> ValueId {
        let value = self.emit(0, Type::Number, Instruction::Constant(number.to_bits()));
        self.constants.insert(value, number);
        value
    }

    pub(super) fn unary(&mut self, op: Unary, a: ValueId) -> ValueId {
        if let Some(x) = self.constant_of(a)
            && op != Unary::Not
        {
            return self.constant(op.value(x));
        }
        let kind = if op == Unary::Not { Type::Boolean } else { Type::Number };
        self.emit(self.level(a), kind, Instruction::Unary(op, a))
    }

    pub(super) fn binary(&mut self, op: Binary, a: ValueId, b: ValueId) -> ValueId {
        let (ka, kb) = (self.constant_of(a), self.constant_of(b));
        if let (Some(x), Some(y), false) = (ka, kb, op.is_boolean()) {
            return self.constant(op.value(x, y));
        }
        match (op, ka, kb) {
            (Binary::Add, Some(0.0), _) | (Binary::Mul, Some(1.0), _) => return b,
            (Binary::Add | Binary::Sub, _, Some(0.0)) | (Binary::Mul | Binary::Div, _, Some(1.0)) => return a,
            (Binary::Mul | Binary::Div, Some(0.0), _) => return a,
            (Binary::Mul, _, Some(0.0)) => return b,
            (Binary::Sub, Some(0.0), _) => return self.unary(Unary::Neg, b),
            (Binary::Mul, Some(-1.0), _) => return self.unary(Unary::Neg, b),
            (Binary::Pow, _, Some(k)) if k == k.round() && k.abs() <= 64.0 => return self.integer_power(a, k as i32),
            _ => {}
        }
        let kind = if op.is_boolean() { Type::Boolean } else { Type::Number };
        self.emit(self.level(a).max(self.level(b)), kind, Instruction::Binary(op, a, b))
    }

    /// `a^k` by squaring: right for a negative base, and exact where the product is.
    fn integer_power(&mut self, a: ValueId, k: i32) -> ValueId {
        if k < 0 {
            let one = self.constant(1.0);
            let power = self.integer_power(a, -k);
            return self.binary(Binary::Div, one, power);
        }
        let (mut rest, mut square, mut product) = (k, a, None);
        loop {
            if rest & 1 == 1 {
                product = Some(match product {
                    None => square,
                    Some(p) => self.binary(Binary::Mul, p, square),
                });
            }
            rest >>= 1;
            if rest == 0 {
                break;
            }
            square = self.binary(Binary::Mul, square, square);
        }
        product.unwrap_or_else(|| self.constant(1.0))
    }

    pub(super) fn select(&mut self, condition: ValueId, a: ValueId, b: ValueId) -> ValueId {
        if a == b {
            return a;
        }
        let level = self.level(condition).max(self.level(a)).max(self.level(b));
        self.emit(level, self.types[a as usize], Instruction::Select(condition, a, b))
    }

    /// Joins values in a balanced tree.
    pub(super) fn balanced(&mut self, op: Binary, mut items: Vec<ValueId>) -> ValueId {
        while items.len() > 1 {
            items = items
                .chunks(2)
                .map(|pair| match *pair {
                    [a, b] => self.binary(op, a, b),
                    [a, ..] => a,
                    [] => 0,
                })
                .collect();
        }
        items[0]
    }
}

/// Drops what nothing uses; `used` holds the values that are given out.
pub(super) fn prune(body: &mut Vec<Statement>, used: &mut [bool]) {
    mark(body, used);
    sweep(body, used);
}

fn sweep(body: &mut Vec<Statement>, used: &[bool]) {
    body.retain_mut(|statement| match statement {
        Statement::Let(value, _) => used[*value as usize],
        Statement::Store(..) | Statement::Pick(_) => true,
        Statement::Loop(l) => {
            l.carried.retain(|c| used[c.value as usize]);
            sweep(&mut l.body, used);
            !(l.carried.is_empty() && l.body.iter().all(|s| matches!(s, Statement::Pick(_))))
        }
    });
}

fn mark(body: &[Statement], used: &mut [bool]) {
    for statement in body.iter().rev() {
        match statement {
            Statement::Let(value, instruction) => {
                if used[*value as usize] {
                    for operand in instruction.operands() {
                        used[operand as usize] = true;
                    }
                }
            }
            Statement::Store(_, _, value) => used[*value as usize] = true,
            Statement::Pick(_) => {}
            // A loop's accumulators may use each other: repeat until nothing more is marked.
            Statement::Loop(l) => loop {
                let before = used.iter().filter(|u| **u).count();
                for c in &l.carried {
                    if used[c.value as usize] {
                        used[c.next as usize] = true;
                        used[c.init as usize] = true;
                    }
                }
                mark(&l.body, used);
                if used.iter().filter(|u| **u).count() == before {
                    break;
                }
            },
        }
    }
}
