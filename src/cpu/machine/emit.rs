//! Instructions with registers: a forward pass that keeps in registers what is needed soonest.
//!
//! A value that has no register lies in scratch memory, or where it was loaded from. Before a loop everything goes to memory
//! but the loop's accumulators, so that every turn finds the registers alike.

use super::code::{Alarm, Base, Definition, Item, Op, Place, Test, Two, Value, has_loops};
use super::encode::{self, Assembler, Form, Gpr, Label, Memory, Operands, Source};
use super::frame;
use crate::kernel::{Fused, LoopVar};
use std::collections::HashMap;

/// The tile, its parameters before and after the step, the step's host scalars, scratch memory, the frame, the table.
pub(super) const TILE: Gpr = Gpr::Rbx;
pub(super) const BEFORE: Gpr = Gpr::Rbp;
pub(super) const AFTER: Gpr = Gpr::R12;
pub(super) const HOST: Gpr = Gpr::R13;
pub(super) const SCRATCH: Gpr = Gpr::R14;
pub(super) const FRAME: Gpr = Gpr::R15;
pub(super) const DATA: Gpr = Gpr::R11;

/// Where a value is when it is in no register.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Home {
    None,
    /// Scratch memory of its own.
    Slot(i32),
    /// Where it was loaded from.
    Place(Place),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Cursor {
    Register(Gpr),
    /// This many bytes into the frame.
    Frame(i32),
}

/// A piece of code that stands behind everything else.
pub(super) struct Rare {
    pub(super) from: Label,
    pub(super) back: Label,
    pub(super) value: u8,
    pub(super) argument: u8,
    pub(super) function: usize,
}

/// A register that adds up an alarm.
#[derive(Clone, Copy)]
pub(super) struct Watcher {
    pub(super) register: u8,
    pub(super) begun: bool,
}

/// Code under way.
pub(super) struct Emitter<'d> {
    pub(super) asm: Assembler,
    pub(super) definitions: &'d [Definition],
    pub(super) uses: Vec<Vec<u32>>,
    pub(super) register: Vec<Option<u8>>,
    pub(super) home: Vec<Home>,
    pub(super) holder: [Option<Value>; 32],
    pub(super) pinned: [bool; 32],
    pub(super) locked: [bool; 32],
    /// The register that a value is best made in: the accumulator that it is the next value of.
    pub(super) wanted: HashMap<Value, (u8, Value)>,
    pub(super) place: u32,
    /// Where loops end, by accumulator.
    pub(super) ends: HashMap<Value, u32>,
    pub(super) free: Vec<i32>,
    /// Slots that are free once the instruction under way is written.
    pub(super) freed: Vec<i32>,
    /// Bytes of scratch memory in use.
    pub(super) scratch: i32,
    pub(super) constants: HashMap<u32, i32>,
    pub(super) cursors: Vec<(LoopVar, i32, Cursor)>,
    /// Registers of the alarms, by tile.
    pub(super) watchers: Vec<[Vec<Watcher>; 2]>,
    /// Which of them comes next.
    pub(super) turn: [usize; 2],
    pub(super) rare: Vec<Rare>,
    /// A register of zeros, where one is kept.
    pub(super) zeros: Option<u8>,
    /// Tests whose results are kept, and the masks.
    pub(super) kept: Vec<(Test, u8)>,
    /// Saves all registers and calls the function whose address is in rax.
    pub(super) outside: Label,
    pub(super) failed: bool,
}

impl<'d> Emitter<'d> {
    /// `constants` says where in scratch memory every constant lies; `scratch` bytes of it are taken.
    pub(super) fn new(form: Form, definitions: &'d [Definition], constants: HashMap<u32, i32>, scratch: i32) -> Self {
        let mut asm = Assembler::new(form);
        let outside = asm.label();
        let n = definitions.len();
        Emitter {
            asm,
            definitions,
            uses: vec![Vec::new(); n],
            register: vec![None; n],
            home: vec![Home::None; n],
            holder: [None; 32],
            pinned: [false; 32],
            locked: [false; 32],
            wanted: HashMap::new(),
            place: 0,
            ends: HashMap::new(),
            free: Vec::new(),
            freed: Vec::new(),
            scratch,
            constants,
            cursors: Vec::new(),
            watchers: Vec::new(),
            turn: [0; 2],
            rare: Vec::new(),
            zeros: None,
            kept: Vec::new(),
            outside,
            failed: false,
        }
    }

    pub(super) fn form(&self) -> Form {
        self.asm.form
    }

    /// The register that no value ever has.
    pub(super) fn spare(&self) -> u8 {
        self.form().registers() - 1
    }

    /// Writes a body.
    pub(super) fn body(&mut self, body: &[Item]) {
        for (k, item) in body.iter().enumerate() {
            self.place += 1;
            match item {
                Item::Value(value) => {
                    if let Definition::Op(op) = self.definitions[*value as usize] {
                        self.op(*value, op, &body[k + 1..]);
                    }
                }
                Item::Store(place, value) => {
                    let register = self.in_register(*value);
                    let memory = self.address(*place);
                    self.asm.store(memory, register);
                    // A new parameter can be read again where it was written.
                    if place.base == Base::Next && !place.moves() && self.home[*value as usize] == Home::None {
                        self.home[*value as usize] = Home::Place(*place);
                    }
                    self.release(*value);
                }
                Item::Watch { alarm, tile, value } => self.watched(*alarm, usize::from(*tile), *value),
                Item::Loop(l) => self.nest(l),
            }
            self.unlock();
        }
    }

    /// A vector of zeros.
    pub(super) fn zero(&self) -> Memory {
        Memory::at(SCRATCH, frame::ZERO)
    }

    pub(super) fn op(&mut self, value: Value, op: Op, rest: &[Item]) {
        if self.next_use(value).is_none() {
            return;
        }
        match op {
            Op::Constant(bits) => {
                let Some(&at) = self.constants.get(&bits) else {
                    self.failed = true;
                    return;
                };
                let single = self.form() == Form::Avx512;
                self.home[value as usize] = Home::Place(Place { single, ..Place::fixed(Base::Scratch, at) });
            }
            Op::Load(place) => {
                self.home[value as usize] = Home::Place(place);
                if self.overwritten(value, place, rest) {
                    let register = self.result(value);
                    self.load_home(value, register);
                    self.home[value as usize] = Home::None;
                }
            }
            Op::Drawn { place, .. } => self.home[value as usize] = Home::Place(place),
            Op::Two(two, a, b) => {
                let swap = two.commutes() && self.register[a as usize].is_none() && self.register[b as usize].is_some();
                let (a, b) = if swap { (b, a) } else { (a, b) };
                let from = self.in_register(a);
                let with = self.source(b);
                self.release_all(&op);
                let to = self.result(value);
                self.asm.two(opcode(two), to, from, with);
            }
            Op::Fused(fused, a, b, c) => self.fused(value, fused, [a, b], c),
            Op::Sqrt(a) | Op::Convert(a) => {
                let from = self.source(a);
                self.release_all(&op);
                let to = self.result(value);
                self.asm.one(if matches!(op, Op::Sqrt(_)) { encode::SQRT } else { encode::CONVERT }, to, from);
            }
            Op::Shift(shift, a, by) => {
                let from = self.in_register(a);
                self.release_all(&op);
                let to = self.result(value);
                self.asm.shift(shift, to, from, by);
            }
            Op::Third(a) => self.third(value, a),
            Op::Test(test) => {
                let mask = self.test(test);
                self.release_all(&op);
                let to = self.result(value);
                match self.form() {
                    Form::Avx512 => self.asm.mask_to_vector(to, mask),
                    Form::Avx2 => self.asm.copy(to, mask),
                }
            }
            Op::Choose(test, yes, no) => {
                let mask = self.test(test);
                let other = self.in_register(no);
                let chosen = self.source(yes);
                self.release_all(&op);
                let to = self.result(value);
                self.asm.blend(to, mask, other, chosen);
            }
            Op::Rare { value: from, usual, argument, function } => self.rarely(value, from, usual, argument, function),
            Op::Draw { tag, law, block, to } => self.draw(tag, law, block, to),
        }
        self.unlock();
    }

    /// A product and a sum. The instruction writes over one of its operands: best one that is not needed any more, else one
    /// that must be loaded anyway.
    fn fused(&mut self, value: Value, fused: Fused, [a, b]: [Value; 2], c: Value) {
        let op = Op::Fused(fused, a, b, c);
        let held = |this: &Self, v: Value| this.register[v as usize].is_some();
        let accumulator = self.inherits(value).filter(|v| [a, b, c].contains(v));
        let ending = [c, a, b].into_iter().find(|&v| {
            self.register[v as usize].is_some_and(|r| !self.pinned[r as usize]) && self.next_use(v).is_none()
        });
        let given = accumulator.or(ending);
        let lost = given.or_else(|| [c, a, b].into_iter().find(|&v| !held(self, v) && (v == c || a != b))).unwrap_or(c);
        let to = match given.and_then(|v| self.register[v as usize]) {
            Some(register) => {
                self.locked[register as usize] = true;
                register
            }
            None => {
                if let Some(register) = self.register[lost as usize] {
                    self.locked[register as usize] = true;
                }
                let to = self.take();
                self.locked[to as usize] = true;
                match self.register[lost as usize] {
                    Some(register) => self.asm.copy(to, register),
                    None => self.load_home(lost, to),
                }
                to
            }
        };
        let (operands, second, last) = if lost == c {
            let (x, y) = if held(self, b) { (b, a) } else { (a, b) };
            (Operands::Addend, x, y)
        } else {
            let other = if lost == a { b } else { a };
            if held(self, other) || (!held(self, c) && other == lost) {
                (Operands::FactorAndAddend, other, c)
            } else {
                (Operands::FactorAndFactor, c, other)
            }
        };
        // What is given away is read where it lies; its twin in the product lies there, too.
        let second = if second == lost { to } else { self.in_register(second) };
        let last = if last == lost { Source::Register(to) } else { self.source(last) };
        self.asm.two(encode::fused(fused, operands), to, second, last);
        self.release_all(&op);
        if accumulator.is_some() {
            self.result(value);
        } else {
            self.hold(value, to);
        }
    }

    /// Whether something in the rest of this body writes to a loaded place before the value's last use.
    pub(super) fn overwritten(&self, value: Value, place: Place, rest: &[Item]) -> bool {
        if !matches!(place.base, Base::Tile | Base::Scratch | Base::Next) || place.single {
            return false;
        }
        let last = self.uses[value as usize].last().copied().unwrap_or(0);
        let mut at = self.place;
        for item in rest {
            at += 1;
            if at > last {
                return false;
            }
            match item {
                Item::Store(to, _)
                    if to.base == place.base && (to.moves() || place.moves() || to.offset == place.offset) =>
                {
                    return true;
                }
                Item::Loop(_) => return true,
                _ => {}
            }
        }
        false
    }

    /// The mask that a test is written to.
    pub(super) fn scratch_mask(&self) -> u8 {
        if self.form() == Form::Avx512 { 1 } else { self.spare() }
    }

    /// Writes a test and gives the mask that its result is in.
    pub(super) fn test(&mut self, test: Test) -> u8 {
        if let Some(&(_, mask)) = self.kept.iter().find(|k| k.0 == test) {
            return mask;
        }
        let mask = self.scratch_mask();
        match test {
            Test::Numbers(predicate, a, b) => {
                let from = self.in_register(a);
                let with = self.source(b);
                self.asm.compare(predicate, mask, from, with);
                mask
            }
            Test::Zero(a) => {
                let from = self.in_register(a);
                let zero = self.zero();
                self.asm.compare_zero(mask, from, zero);
                mask
            }
            Test::Mask(a) => {
                let from = self.in_register(a);
                if self.form() == Form::Avx512 {
                    self.asm.vector_to_mask(mask, from);
                    return mask;
                }
                from
            }
        }
    }

    /// Writes the tests that come out alike for all tiles of a step, as `where(t == 1, …)` does: each keeps a mask register
    /// of its own (AVX-512).
    pub(super) fn keep_tests(&mut self, body: &[Item]) {
        let mut tests = Vec::new();
        if self.form() == Form::Avx512 {
            self.alike(body, &mut tests);
        }
        for (test, mask) in tests.into_iter().zip(KEPT) {
            let Test::Numbers(predicate, a, b) = test else { continue };
            let (Some(from), Some(with)) = (self.shared(a), self.shared(b)) else { continue };
            let register = self.spare();
            self.asm.load(register, from);
            self.asm.compare(predicate, mask, register, with);
            self.kept.push((test, mask));
        }
    }

    /// Keeps what all tiles of a step share and the body reads most in registers: constants, host scalars, and the zero of
    /// gradients' alarms. Only where several tiles go together or there are loops (AVX-512), because a long body needs its registers:
    /// momentum on Rosenbrock's function took 1.2 times as long without in two dimensions, and as long in a hundred. In a thousand, in
    /// loops, Styblinski and Tang's by gradient descent took 1.2 times as long without.
    pub(super) fn keep_shared(&mut self, body: &[Item], tiles: usize) {
        if self.form() != Form::Avx512 || tiles == 1 && !has_loops(body) {
            return;
        }
        let mut counts: HashMap<Value, u32> = HashMap::new();
        let mut watches = 0;
        self.count_reads(body, &mut counts, &mut watches);
        let mut wanted: Vec<(u32, Option<Value>)> = vec![(watches, None)];
        wanted.extend(counts.into_iter().map(|(value, count)| (count, Some(value))));
        wanted.retain(|w| w.0 >= LEAST_READS);
        wanted.sort_by_key(|w| (std::cmp::Reverse(w.0), w.1));
        for (_, value) in wanted.into_iter().take(SHARED) {
            let from = match value {
                Some(value) => self.shared(value),
                None => Some(Source::Vector(self.zero())),
            };
            let Some(from) = from else { continue };
            let register = self.take();
            self.pinned[register as usize] = true;
            self.asm.load(register, from);
            match value {
                Some(value) => self.hold(value, register),
                None => self.zeros = Some(register),
            }
        }
    }

    /// How often a body reads each number that all tiles share, and watches a gradient.
    fn count_reads(&mut self, body: &[Item], counts: &mut HashMap<Value, u32>, watches: &mut u32) {
        for item in body {
            match item {
                Item::Value(value) => {
                    let Definition::Op(op) = self.definitions[*value as usize] else { continue };
                    for read in op.reads() {
                        if self.shared(read).is_some() {
                            *counts.entry(read).or_default() += 1;
                        }
                    }
                }
                Item::Watch { alarm: Alarm::Gradient, .. } => *watches += 1,
                Item::Loop(l) => self.count_reads(&l.body, counts, watches),
                Item::Store(..) | Item::Watch { .. } => {}
            }
        }
    }

    /// The tests of a body that read nothing but constants and host scalars.
    fn alike(&mut self, body: &[Item], tests: &mut Vec<Test>) {
        for item in body {
            match item {
                Item::Value(value) => {
                    if let Definition::Op(Op::Choose(test, ..) | Op::Test(test)) = self.definitions[*value as usize]
                        && let Test::Numbers(_, a, b) = test
                        && self.shared(a).is_some()
                        && self.shared(b).is_some()
                        && !tests.contains(&test)
                    {
                        tests.push(test);
                    }
                }
                Item::Loop(l) => self.alike(&l.body, tests),
                Item::Store(..) | Item::Watch { .. } => {}
            }
        }
    }

    /// A number that all tiles share, where it lies in memory.
    fn shared(&mut self, value: Value) -> Option<Source> {
        match self.definitions[value as usize] {
            Definition::Op(Op::Constant(bits)) => {
                let &at = self.constants.get(&bits)?;
                Some(Source::Spread(Memory::at(SCRATCH, at)))
            }
            Definition::Op(Op::Load(place)) if place.base == Base::Host && place.single && !place.moves() => {
                Some(Source::Spread(self.address(place)))
            }
            _ => None,
        }
    }

    /// x / 3 = x · 0xaaaaaaab / 2^33, the even lanes and the odd ones apart.
    pub(super) fn third(&mut self, value: Value, a: Value) {
        let from = self.in_register(a);
        let factor = self.take();
        self.locked[factor as usize] = true;
        let odd = self.take();
        self.locked[odd as usize] = true;
        let to = self.result(value);
        let constant = self.constants.get(&THIRD).copied().unwrap_or(frame::ZERO);
        let memory = Memory::at(SCRATCH, constant);
        self.asm
            .load(factor, if self.form() == Form::Avx512 { Source::Spread(memory) } else { Source::Vector(memory) });
        self.asm.shift_wide(false, odd, from, 32);
        self.asm.multiply_wide(odd, odd, factor);
        self.asm.shift_wide(false, odd, odd, 33);
        self.asm.shift_wide(true, odd, odd, 32);
        self.asm.multiply_wide(to, from, factor);
        self.asm.shift_wide(false, to, to, 33);
        self.asm.two(encode::OR_BITS, to, to, Source::Register(odd));
        self.release(a);
    }

    /// The end of the body: everything that is read from here on is read at this place.
    pub(super) fn close(&mut self) {
        self.place += 1;
    }

    /// Whether something could not be written.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }
}

/// Registers for what tiles share.
const SHARED: usize = 6;
/// What is read less often waits in memory.
const LEAST_READS: u32 = 4;

/// Mask registers of kept tests.
pub(super) const KEPT: std::ops::RangeInclusive<u8> = 2..=7;

/// 0xaaaaaaab, of which 2^33 is a third.
pub(super) const THIRD: u32 = 0xaaaa_aaab;

fn opcode(two: Two) -> encode::Opcode {
    match two {
        Two::Add => encode::ADD,
        Two::Sub => encode::SUB,
        Two::Mul => encode::MUL,
        Two::Div => encode::DIV,
        Two::Min => encode::MIN,
        Two::Max => encode::MAX,
        Two::And => encode::AND_BITS,
        Two::Or => encode::OR_BITS,
        Two::Xor => encode::XOR_BITS,
        Two::AddBits => encode::ADD_BITS,
        Two::SubBits => encode::SUB_BITS,
        Two::MinBits => encode::MIN_BITS,
    }
}
