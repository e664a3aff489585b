//! What is written as machine code: instructions over vectors of lanes, in a nest of loops, before registers are given out.
//!
//! Equal instructions of one body meet, so that what two functions share (the reduction of an angle, say) is computed once.

use super::super::real::{Real, Truth, Word};
use super::encode::{Predicate, Shift};
use crate::graph::{Law, MAX_RANK};
use crate::kernel::{Fused, LoopVar};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Shl, Shr, Sub};

/// A value: a vector of numbers, of bits or of truth values.
pub(super) type Value = u32;

/// What a place is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Base {
    /// The tile's parameters before the step.
    X,
    /// The tile's parameters after the step.
    Next,
    /// The tile.
    Tile,
    /// The step's host scalars.
    Host,
    /// Constants and scratch of the thread.
    Scratch,
    /// The surface's table.
    Data,
}

/// A place in memory: bytes from a base, moved by loop counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) base: Base,
    pub(super) offset: i32,
    /// Counters and the bytes that a turn moves by; 0 bytes is no term.
    pub(super) terms: [(LoopVar, i32); MAX_RANK],
    /// One number for all lanes, and not a vector.
    pub(super) single: bool,
}

impl Place {
    pub(super) fn fixed(base: Base, offset: i32) -> Place {
        Place { base, offset, terms: [(0, 0); MAX_RANK], single: false }
    }

    /// The terms that are there.
    pub(super) fn terms(&self) -> impl Iterator<Item = (LoopVar, i32)> + '_ {
        self.terms.iter().copied().filter(|t| t.1 != 0)
    }

    pub(super) fn moves(&self) -> bool {
        self.terms().next().is_some()
    }
}

/// Instructions of two arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Two {
    Add,
    Sub,
    Mul,
    Div,
    /// `a < b ? a : b`
    Min,
    /// `a > b ? a : b`
    Max,
    And,
    Or,
    Xor,
    AddBits,
    SubBits,
    /// The smaller unsigned integer.
    MinBits,
}

impl Two {
    pub(super) fn commutes(self) -> bool {
        matches!(self, Two::Add | Two::Mul | Two::And | Two::Or | Two::Xor | Two::AddBits | Two::MinBits)
    }
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Test {
    /// Of two numbers.
    Numbers(Predicate, Value, Value),
    /// Whether all bits are 0.
    Zero(Value),
    /// A vector of truth values.
    Mask(Value),
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    /// 32 bits in every lane.
    Constant(u32),
    Load(Place),
    Two(Two, Value, Value),
    Fused(Fused, Value, Value, Value),
    Sqrt(Value),
    /// A signed integer as a number.
    Convert(Value),
    Shift(Shift, Value, u8),
    /// A third of an unsigned integer.
    Third(Value),
    /// A comparison as a vector of truth values.
    Test(Test),
    /// `yes` where the test holds, else `no`.
    Choose(Test, Value, Value),
    /// `value` where `usual`, else the function at this address of `argument`.
    Rare {
        value: Value,
        usual: Test,
        argument: Value,
        function: usize,
    },
    /// Four draws, written to scratch from `to` on; `block` counts fours in units and not in bytes.
    Draw {
        tag: u32,
        law: Law,
        block: Place,
        to: i32,
    },
    /// A number of a draw.
    Drawn {
        draw: Value,
        place: Place,
    },
}

impl Op {
    /// The values that it reads.
    pub(super) fn reads(&self) -> impl Iterator<Item = Value> {
        let of = |test: Test| match test {
            Test::Numbers(_, a, b) => [Some(a), Some(b)],
            Test::Zero(a) | Test::Mask(a) => [Some(a), None],
        };
        let list = match *self {
            Op::Constant(_) | Op::Load(_) | Op::Draw { .. } => [None; 4],
            Op::Two(_, a, b) => [Some(a), Some(b), None, None],
            Op::Fused(_, a, b, c) => [Some(a), Some(b), Some(c), None],
            Op::Sqrt(a) | Op::Convert(a) | Op::Shift(_, a, _) | Op::Third(a) => [Some(a), None, None, None],
            Op::Test(test) => [of(test)[0], of(test)[1], None, None],
            Op::Choose(test, yes, no) => [of(test)[0], of(test)[1], Some(yes), Some(no)],
            Op::Rare { value, usual, argument, .. } => [of(usual)[0], of(usual)[1], Some(value), Some(argument)],
            Op::Drawn { draw, .. } => [Some(draw), None, None, None],
        };
        list.into_iter().flatten()
    }
}

/// Which blow-up an alarm tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Alarm {
    /// A new parameter that is too large.
    Parameter,
    /// A gradient that is not finite.
    Gradient,
}

/// One item of a body.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Value(Value),
    Store(Place, Value),
    /// Watches a value of the tile of this number among those that go together.
    Watch {
        /// What for.
        alarm: Alarm,
        /// Which tile.
        tile: u8,
        /// The value.
        value: Value,
    },
    Loop(Box<LoopCode>),
}

/// Whether there are loops in a body.
pub(super) fn has_loops(body: &[Item]) -> bool {
    body.iter().any(|item| matches!(item, Item::Loop(_)))
}

/// A counted loop from 0.
#[derive(Clone, Debug)]
pub(super) struct LoopCode {
    pub(super) var: LoopVar,
    pub(super) count: u32,
    pub(super) carried: Vec<CarriedCode>,
    pub(super) body: Vec<Item>,
}

/// An accumulator.
#[derive(Clone, Copy, Debug)]
pub(super) struct CarriedCode {
    pub(super) value: Value,
    pub(super) init: Value,
    pub(super) next: Value,
}

/// What a value is: an instruction's result, or an accumulator.
#[derive(Clone, Copy, Debug)]
pub(super) enum Definition {
    Op(Op),
    Carried,
}

/// A body being recorded.
#[derive(Default)]
struct Scope {
    items: Vec<Item>,
    known: HashMap<Op, Value>,
}

/// Records instructions.
pub(super) struct Recorder {
    state: RefCell<State>,
}

struct State {
    definitions: Vec<Definition>,
    scopes: Vec<Scope>,
}

impl Recorder {
    pub(super) fn new() -> Recorder {
        Recorder { state: RefCell::new(State { definitions: Vec::new(), scopes: vec![Scope::default()] }) }
    }

    /// A value as a number that functions can be applied to.
    pub(super) fn number(&self, value: Value) -> Recorded<'_> {
        Recorded { recorder: self, value }
    }

    pub(super) fn op(&self, op: Op) -> Value {
        let op = match op {
            Op::Two(two, a, b) if two.commutes() && b < a => Op::Two(two, b, a),
            Op::Fused(fused, a, b, c) if b < a => Op::Fused(fused, b, a, c),
            op => op,
        };
        let mut state = self.state.borrow_mut();
        if let Some(&known) = state.scopes.iter().rev().find_map(|s| s.known.get(&op)) {
            return known;
        }
        let value = state.definitions.len() as Value;
        state.definitions.push(Definition::Op(op));
        if let Some(scope) = state.scopes.last_mut() {
            // What memory holds changes; what is computed does not.
            let changes = matches!(op, Op::Load(p) if !matches!(p.base, Base::X | Base::Host | Base::Data));
            if !changes {
                scope.known.insert(op, value);
            }
            scope.items.push(Item::Value(value));
        }
        value
    }

    pub(super) fn constant(&self, bits: u32) -> Value {
        self.op(Op::Constant(bits))
    }

    pub(super) fn definition(&self, value: Value) -> Definition {
        self.state.borrow().definitions[value as usize]
    }

    fn known(&self, value: Value) -> Option<Op> {
        match self.definition(value) {
            Definition::Op(op) => Some(op),
            Definition::Carried => None,
        }
    }

    pub(super) fn item(&self, item: Item) {
        if let Some(scope) = self.state.borrow_mut().scopes.last_mut() {
            scope.items.push(item);
        }
    }

    /// An accumulator of the loop that is about to be opened.
    pub(super) fn carried(&self) -> Value {
        let mut state = self.state.borrow_mut();
        state.definitions.push(Definition::Carried);
        state.definitions.len() as Value - 1
    }

    pub(super) fn open(&self) {
        self.state.borrow_mut().scopes.push(Scope::default());
    }

    /// Ends the innermost body.
    pub(super) fn close(&self) -> Vec<Item> {
        self.state.borrow_mut().scopes.pop().map_or_else(Vec::new, |s| s.items)
    }

    /// Everything that was recorded: what values are, and the outermost body.
    pub(super) fn finish(self) -> (Vec<Definition>, Vec<Item>) {
        let body = self.close();
        (self.state.into_inner().definitions, body)
    }

    /// `yes` where a truth value written as a number is not 0, else `no`.
    pub(super) fn select(&self, condition: Value, yes: Value, no: Value) -> Value {
        let (one, zero) = (self.constant(1f32.to_bits()), self.constant(0));
        let test = match self.known(condition) {
            Some(Op::Choose(test, y, n)) if y == one && n == zero => test,
            _ => return self.op(Op::Choose(Test::Numbers(Predicate::Equal, condition, zero), no, yes)),
        };
        self.op(Op::Choose(test, yes, no))
    }

    fn choose(&self, test: Test, yes: Value, no: Value) -> Value {
        match test {
            _ if yes == no => yes,
            Test::Numbers(Predicate::Less, a, b) if (yes, no) == (a, b) => self.op(Op::Two(Two::Min, a, b)),
            Test::Numbers(Predicate::Less, a, b) if (yes, no) == (b, a) => self.op(Op::Two(Two::Max, b, a)),
            test => self.op(Op::Choose(test, yes, no)),
        }
    }
}

/// A value under way: a number, or bits.
#[derive(Clone, Copy)]
pub(super) struct Recorded<'r> {
    recorder: &'r Recorder,
    pub(super) value: Value,
}

/// Truth values under way.
#[derive(Clone, Copy)]
pub(super) struct Judged<'r> {
    recorder: &'r Recorder,
    test: Test,
}

impl<'r> Recorded<'r> {
    fn with(self, value: Value) -> Recorded<'r> {
        Recorded { recorder: self.recorder, value }
    }

    fn op(self, op: Op) -> Recorded<'r> {
        self.with(self.recorder.op(op))
    }

    fn two(self, two: Two, other: Recorded<'r>) -> Recorded<'r> {
        self.op(Op::Two(two, self.value, other.value))
    }

    fn constant(self, bits: u32) -> Recorded<'r> {
        self.with(self.recorder.constant(bits))
    }

    fn judge(self, test: Test) -> Judged<'r> {
        Judged { recorder: self.recorder, test }
    }
}

/// An operator between two values, and between a value and a constant.
macro_rules! operator {
    ($trait:ident $method:ident $two:ident $constant:ty, $bits:expr) => {
        impl<'r> $trait for Recorded<'r> {
            type Output = Recorded<'r>;
            fn $method(self, other: Recorded<'r>) -> Recorded<'r> {
                self.two(Two::$two, other)
            }
        }
        impl<'r> $trait<$constant> for Recorded<'r> {
            type Output = Recorded<'r>;
            fn $method(self, other: $constant) -> Recorded<'r> {
                let bits: fn($constant) -> u32 = $bits;
                self.two(Two::$two, self.constant(bits(other)))
            }
        }
    };
}

operator!(Add add Add f32, f32::to_bits);
operator!(Sub sub Sub f32, f32::to_bits);
operator!(Mul mul Mul f32, f32::to_bits);
operator!(BitAnd bitand And u32, |bits| bits);

impl<'r> Div for Recorded<'r> {
    type Output = Recorded<'r>;
    fn div(self, other: Recorded<'r>) -> Recorded<'r> {
        self.two(Two::Div, other)
    }
}

impl<'r> BitOr for Recorded<'r> {
    type Output = Recorded<'r>;
    fn bitor(self, other: Recorded<'r>) -> Recorded<'r> {
        self.two(Two::Or, other)
    }
}

impl<'r> BitXor for Recorded<'r> {
    type Output = Recorded<'r>;
    fn bitxor(self, other: Recorded<'r>) -> Recorded<'r> {
        self.two(Two::Xor, other)
    }
}

impl<'r> Shl<u32> for Recorded<'r> {
    type Output = Recorded<'r>;
    fn shl(self, by: u32) -> Recorded<'r> {
        self.op(Op::Shift(Shift::Left, self.value, by as u8))
    }
}

impl<'r> Shr<u32> for Recorded<'r> {
    type Output = Recorded<'r>;
    fn shr(self, by: u32) -> Recorded<'r> {
        self.op(Op::Shift(Shift::Right, self.value, by as u8))
    }
}

impl<'r> Real for Recorded<'r> {
    type Bits = Recorded<'r>;
    type Truth = Judged<'r>;

    fn of(self, value: f32) -> Recorded<'r> {
        self.constant(value.to_bits())
    }
    fn mul_add(self, b: Recorded<'r>, c: Recorded<'r>) -> Recorded<'r> {
        self.op(Op::Fused(Fused::Add, self.value, b.value, c.value))
    }
    fn mul_sub(self, b: Recorded<'r>, c: Recorded<'r>) -> Recorded<'r> {
        self.op(Op::Fused(Fused::Subtract, self.value, b.value, c.value))
    }
    fn taken_from(self, b: Recorded<'r>, c: Recorded<'r>) -> Recorded<'r> {
        self.op(Op::Fused(Fused::SubtractFrom, self.value, b.value, c.value))
    }
    fn sqrt(self) -> Recorded<'r> {
        self.op(Op::Sqrt(self.value))
    }
    fn bits(self) -> Recorded<'r> {
        self
    }
    fn less(self, other: Recorded<'r>) -> Judged<'r> {
        self.judge(Test::Numbers(Predicate::Less, self.value, other.value))
    }
    fn less_equal(self, other: Recorded<'r>) -> Judged<'r> {
        self.judge(Test::Numbers(Predicate::LessEqual, self.value, other.value))
    }
    fn equal(self, other: Recorded<'r>) -> Judged<'r> {
        self.judge(Test::Numbers(Predicate::Equal, self.value, other.value))
    }
    fn or_else(self, truth: Judged<'r>, other: Recorded<'r>) -> Recorded<'r> {
        self.with(self.recorder.choose(truth.test, self.value, other.value))
    }
    fn or_rarely(self, usual: Judged<'r>, argument: Recorded<'r>, rare: fn(f32) -> f32) -> Recorded<'r> {
        let (value, argument) = (self.value, argument.value);
        self.op(Op::Rare { value, usual: usual.test, argument, function: rare as usize })
    }
}

impl<'r> Word for Recorded<'r> {
    type Real = Recorded<'r>;
    type Truth = Judged<'r>;

    fn of(self, value: u32) -> Recorded<'r> {
        self.constant(value)
    }
    fn plus(self, other: Recorded<'r>) -> Recorded<'r> {
        self.two(Two::AddBits, other)
    }
    fn minus(self, other: Recorded<'r>) -> Recorded<'r> {
        self.two(Two::SubBits, other)
    }
    fn at_most(self, most: u32) -> Recorded<'r> {
        self.two(Two::MinBits, self.constant(most))
    }
    fn shift_signed(self, by: u32) -> Recorded<'r> {
        self.op(Op::Shift(Shift::RightSigned, self.value, by as u8))
    }
    fn third(self) -> Recorded<'r> {
        self.op(Op::Third(self.value))
    }
    fn is_zero(self) -> Judged<'r> {
        self.judge(Test::Zero(self.value))
    }
    fn or_else(self, truth: Judged<'r>, other: Recorded<'r>) -> Recorded<'r> {
        self.with(self.recorder.choose(truth.test, self.value, other.value))
    }
    fn number(self) -> Recorded<'r> {
        self.op(Op::Convert(self.value))
    }
    fn float(self) -> Recorded<'r> {
        self
    }
}

impl<'r> Judged<'r> {
    /// The truth values as a vector.
    fn mask(self) -> Value {
        match self.test {
            Test::Mask(value) => value,
            test => self.recorder.op(Op::Test(test)),
        }
    }

    fn of(self, op: Op) -> Judged<'r> {
        Judged { recorder: self.recorder, test: Test::Mask(self.recorder.op(op)) }
    }
}

impl<'r> Truth for Judged<'r> {
    fn and(self, other: Judged<'r>) -> Judged<'r> {
        self.of(Op::Two(Two::And, self.mask(), other.mask()))
    }
    fn or(self, other: Judged<'r>) -> Judged<'r> {
        self.of(Op::Two(Two::Or, self.mask(), other.mask()))
    }
    fn not(self) -> Judged<'r> {
        let all = self.recorder.constant(u32::MAX);
        self.of(Op::Two(Two::Xor, self.mask(), all))
    }
}
