//! The kernel: a graph lowered to scalar instructions in a nest of loops, the one form that every machine's printer reads.
//!
//! Each restart runs the kernel on its own: an [`Array`] is that restart's, a [`ValueId`] is one number of that restart.
//! Every value is assigned once; a loop's accumulators are its `carried` values. All trip counts are known.

mod builder;
mod carry;
mod contract;
mod cuts;
mod live;
mod nest;
mod passes;
mod straight;

pub use carry::carried;
pub use contract::contract;
pub use nest::{lower_nest, lower_shared};
pub use straight::lower_straight;

use crate::graph::{Binary, Law, MAX_RANK, NodeId, Table, Unary};
use std::sync::Arc;

/// A value of the kernel: assigned once.
pub type ValueId = u32;

/// A loop's counter.
pub type LoopVar = u32;

/// A restart's arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Array {
    /// The parameters before the step.
    X,
    /// The parameters after it.
    Next,
    /// State slot `k`.
    State(u32),
    /// The gradient, where a kernel gives it out.
    Gradient,
    /// Values kept from one loop for another.
    Scratch(u32),
}

/// `offset + Σ step·counter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Index {
    /// The constant part.
    pub offset: i32,
    /// Counters and their strides; a stride of 0 is no term.
    pub terms: [(LoopVar, i32); MAX_RANK],
}

impl Index {
    /// A constant place.
    pub fn constant(offset: i32) -> Index {
        Index { offset, ..Index::default() }
    }

    /// A constant place and one counter.
    pub(crate) fn moving(offset: i32, var: LoopVar, step: i32) -> Index {
        let mut index = Index::constant(offset);
        if step != 0 {
            index.terms[0] = (var, step);
        }
        index
    }

    /// The terms that are there.
    pub fn terms(&self) -> impl Iterator<Item = (LoopVar, i32)> + '_ {
        self.terms.iter().copied().filter(|t| t.1 != 0)
    }

    /// Adds `scale` times another index.
    pub(crate) fn plus(mut self, other: Index, scale: i32) -> Index {
        self.offset += scale * other.offset;
        for (var, step) in other.terms() {
            let place = self.terms.iter().position(|t| t.1 != 0 && t.0 == var);
            let place = place.or_else(|| self.terms.iter().position(|t| t.1 == 0));
            if let Some(place) = place {
                self.terms[place] = (var, self.terms[place].1 + scale * step);
            }
        }
        self.terms.sort_by_key(|t| (t.1 == 0, t.0));
        for t in &mut self.terms {
            if t.1 == 0 {
                *t = (0, 0);
            }
        }
        self
    }
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instruction {
    /// A number, by its bits.
    Constant(u64),
    /// Host scalar `k` of this configuration and step.
    Host(u32),
    /// Hyperparameter `k` drawn for this restart.
    Drawn(u32),
    /// An element of an array.
    Load(Array, Index),
    /// An element of a constant table.
    Table(u32, Index),
    /// An element of the surface's table, row-major.
    Data(Index),
    /// An element of the row that the latest [`Statement::Pick`] chose.
    Picked(Index),
    /// The place itself, as a number.
    Position(Index),
    /// One argument.
    Unary(Unary, ValueId),
    /// Two arguments.
    Binary(Binary, ValueId, ValueId),
    /// `where(condition, a, b)`.
    Select(ValueId, ValueId, ValueId),
    /// A product and a sum, rounded once.
    Fused(Fused, ValueId, ValueId, ValueId),
    /// Four draws: those of coordinates `4·block` to `4·block + 3`.
    Draw {
        /// The place of drawing in the update rule.
        site: u32,
        /// The law.
        law: Law,
        /// Which four.
        block: Index,
    },
    /// One of four draws.
    Component(ValueId, u8),
}

impl Instruction {
    /// The values that it reads.
    pub fn operands(&self) -> impl Iterator<Item = ValueId> {
        let all = match *self {
            Instruction::Unary(_, a) | Instruction::Component(a, _) => [Some(a), None, None],
            Instruction::Binary(_, a, b) => [Some(a), Some(b), None],
            Instruction::Select(a, b, c) | Instruction::Fused(_, a, b, c) => [Some(a), Some(b), Some(c)],
            _ => [None; 3],
        };
        all.into_iter().flatten()
    }
}

/// A product of two values and a third, rounded once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fused {
    /// `a·b + c`
    Add,
    /// `a·b - c`
    Subtract,
    /// `c - a·b`
    SubtractFrom,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number.
    Number,
    /// A truth value.
    Boolean,
    /// Four draws.
    Four,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// Assigns a value.
    Let(ValueId, Instruction),
    /// Writes an element of an array.
    Store(Array, Index, ValueId),
    /// Chooses a row of the surface's table: the draw of this place in the restart's and step's batch.
    Pick(Index),
    /// Repeats its body.
    Loop(Box<Loop>),
}

/// A counted loop: its counter goes from 0 to `count`; within another counter `o` of blocks from `count·o` to
/// `count·(o + 1)`, and never to `total`.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// Its counter.
    pub var: LoopVar,
    /// How often, at most.
    pub count: u32,
    /// The counter of blocks, where there is one, and how many turns there are in all blocks together.
    pub block: Option<(LoopVar, u32)>,
    /// Accumulators.
    pub carried: Vec<Carried>,
    /// What is repeated.
    pub body: Vec<Statement>,
}

impl Loop {
    /// How many turns the loops inside take in one of its own.
    pub fn inner_turns(&self) -> u64 {
        turns(&self.body)
    }
}

/// An accumulator: `value` is `init` before the loop and `next` after each turn; after the loop it is the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The accumulator.
    pub value: ValueId,
    /// What it starts from.
    pub init: ValueId,
    /// What a turn makes of it.
    pub next: ValueId,
}

/// A lowered graph.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Coordinates of a restart.
    pub dim: u32,
    /// What each value is.
    pub types: Vec<Type>,
    /// Constant tables that instructions read.
    pub tables: Vec<Arc<Table>>,
    /// Lengths of the scratch arrays.
    pub scratch: Vec<u32>,
    /// The statements.
    pub body: Vec<Statement>,
    /// The scalar outputs, in the order that was asked for.
    pub scalars: Vec<ValueId>,
}

impl Kernel {
    /// How many instructions there are, loops counted once.
    pub fn len(&self) -> usize {
        count(&self.body)
    }

    /// How long compiling takes, in instructions. A sine, cosine or tangent of an angle of any size in radians has a branch inside
    /// and counts for many; one of a `small` angle counts as other functions do.
    pub fn weight(&self, small: bool) -> usize {
        weight(&self.body, small)
    }

    /// Drops what no store and no scalar output needs.
    pub(crate) fn prune(&mut self) {
        let mut used = vec![false; self.types.len()];
        for &scalar in &self.scalars {
            used[scalar as usize] = true;
        }
        builder::prune(&mut self.body, &mut used);
    }

    /// Whether there is a sine, cosine or tangent.
    pub fn has_angles(&self) -> bool {
        has_angles(&self.body)
    }

    /// How many turns its loops take in all, inner ones counted for every turn of the outer.
    pub fn turns(&self) -> u64 {
        turns(&self.body)
    }

    /// Whether the kernel does nothing.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }
}

fn turns(body: &[Statement]) -> u64 {
    body.iter()
        .map(|s| match s {
            Statement::Loop(l) => u64::from(l.count).saturating_mul(1 + turns(&l.body)),
            // A draw's own loops: ten rounds of Philox and 24 of a shuffle.
            Statement::Pick(_) => 40,
            _ => 0,
        })
        .fold(0, u64::saturating_add)
}

fn has_angles(body: &[Statement]) -> bool {
    body.iter().any(|s| match s {
        Statement::Let(_, Instruction::Unary(op, _)) => op.is_of_angle(),
        Statement::Loop(l) => has_angles(&l.body),
        _ => false,
    })
}

fn weight(body: &[Statement], small: bool) -> usize {
    let of = |s: &Statement| match s {
        Statement::Let(_, Instruction::Unary(Unary::Sin | Unary::Cos | Unary::Tan, _)) if !small => 60,
        Statement::Let(_, Instruction::Unary(op, _)) => (op.cost() as usize).max(1),
        Statement::Let(_, Instruction::Binary(op @ (Binary::Pow | Binary::Atan2), ..)) => op.cost() as usize,
        Statement::Let(_, Instruction::Draw { .. }) => 100,
        Statement::Loop(l) => weight(&l.body, small),
        _ => 1,
    };
    body.iter().map(of).sum()
}

fn count(body: &[Statement]) -> usize {
    body.iter()
        .map(|s| match s {
            Statement::Loop(l) => count(&l.body) + 1,
            _ => 1,
        })
        .sum()
}

/// What a graph is lowered for: vectors to be stored, scalars to be given out.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// Arrays and the nodes that fill them.
    pub arrays: Vec<(Array, NodeId)>,
    /// Scalars.
    pub scalars: Vec<NodeId>,
    /// How the surface's table is read.
    pub rows: RowAccess,
}

/// How a kernel reads the surface's table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowAccess {
    /// Columns of the table.
    pub columns: u32,
    /// Whether each step draws its rows: the axis of rows is then as long as a batch.
    pub picked: bool,
}
