//! Instructions with registers: a forward pass that keeps in registers what is needed soonest.
//!
//! A value that has no register lies in scratch memory, or where it was loaded from. Before a loop everything goes to memory
//! but the loop's accumulators, so that every turn finds the registers alike.

use super::code::{Alarm, Base, Definition, Item, LoopCode, Op, Place, Test, Two, Value};
use super::encode::{self, Assembler, Condition, Form, Gpr, Label, Memory, Source};
use super::frame::{self, Frame};
use crate::graph::Law;
use crate::kernel::LoopVar;
use std::collections::HashMap;

/// The tile, its parameters before and after the step, the step's host scalars, scratch memory, the frame, the table.
pub(super) const TILE: Gpr = Gpr::Rbx;
pub(super) const BEFORE: Gpr = Gpr::Rbp;
pub(super) const AFTER: Gpr = Gpr::R12;
pub(super) const HOST: Gpr = Gpr::R13;
pub(super) const SCRATCH: Gpr = Gpr::R14;
pub(super) const FRAME: Gpr = Gpr::R15;
pub(super) const DATA: Gpr = Gpr::R11;
/// Loop counters, each times the bytes that a turn moves by; more of them lie in the frame.
const CURSORS: [Gpr; 6] = [Gpr::Rcx, Gpr::Rsi, Gpr::Rdi, Gpr::R8, Gpr::R9, Gpr::R10];
/// Accumulators of a loop that stay in registers.
const PINNED: usize = 14;

/// Where a value is when it is in no register.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Home {
    None,
    /// Scratch memory of its own.
    Slot(i32),
    /// Where it was loaded from.
    Place(Place),
}

#[derive(Clone, Copy, Debug)]
enum Cursor {
    Register(Gpr),
    /// This many bytes into the frame.
    Frame(i32),
}

/// A piece of code that stands behind everything else.
struct Rare {
    from: Label,
    back: Label,
    value: u8,
    argument: u8,
    function: usize,
}

/// A register that adds up an alarm.
#[derive(Clone, Copy)]
struct Watcher {
    register: u8,
    begun: bool,
}

/// Code under way.
pub(super) struct Emitter<'d> {
    pub(super) asm: Assembler,
    definitions: &'d [Definition],
    uses: Vec<Vec<u32>>,
    register: Vec<Option<u8>>,
    home: Vec<Home>,
    holder: [Option<Value>; 32],
    pinned: [bool; 32],
    locked: [bool; 32],
    /// The register that a value is best made in: the accumulator that it is the next value of.
    wanted: HashMap<Value, (u8, Value)>,
    place: u32,
    /// Where loops end, by accumulator.
    ends: HashMap<Value, u32>,
    free: Vec<i32>,
    /// Slots that are free once the instruction under way is written.
    freed: Vec<i32>,
    /// Bytes of scratch memory in use.
    pub(super) scratch: i32,
    constants: HashMap<u32, i32>,
    cursors: Vec<(LoopVar, i32, Cursor)>,
    /// Registers of the alarms, by tile.
    watchers: Vec<[Vec<Watcher>; 2]>,
    turn: usize,
    rare: Vec<Rare>,
    /// Saves all registers and calls the function whose address is in rax.
    pub(super) outside: Label,
    failed: bool,
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
            turn: 0,
            rare: Vec::new(),
            outside,
            failed: false,
        }
    }

    fn form(&self) -> Form {
        self.asm.form
    }

    /// The register that no value ever has.
    fn spare(&self) -> u8 {
        self.form().registers() - 1
    }

    /// Keeps registers for the alarms of `tiles` tiles. In loops they begin at zero, else with the first value watched.
    pub(super) fn watch(&mut self, tiles: usize, body: &[Item]) {
        let loops = body.iter().any(|i| matches!(i, Item::Loop(_)));
        let watches = body.iter().filter(|i| matches!(i, Item::Watch { .. })).count();
        let each = if self.form() == Form::Avx512 && tiles == 1 && (loops || watches > 16) { 2 } else { 1 };
        for _ in 0..tiles {
            let mut watcher = || {
                let register = self.take();
                self.pinned[register as usize] = true;
                if loops {
                    self.asm.clear(register);
                }
                Watcher { register, begun: loops }
            };
            let mut some = || (0..each).map(|_| watcher()).collect();
            let both = [some(), some()];
            self.watchers.push(both);
        }
    }

    /// The sums of a tile's alarms: that of the gradient, then the parameters' with the gradient's added.
    pub(super) fn alarms(&mut self, tile: usize) -> (u8, u8) {
        let mut join = |k: usize| {
            let mut sum: Option<u8> = None;
            for w in &self.watchers[tile][k] {
                match sum {
                    _ if !w.begun => {}
                    None => sum = Some(w.register),
                    Some(sum) => self.asm.two(encode::ADD, sum, sum, Source::Register(w.register)),
                }
            }
            sum.unwrap_or_else(|| {
                let register = self.watchers[tile][k][0].register;
                self.asm.clear(register);
                register
            })
        };
        let (parameter, gradient) = (join(0), join(1));
        self.asm.two(encode::ADD, parameter, parameter, Source::Register(gradient));
        (gradient, parameter)
    }

    fn watched(&mut self, alarm: Alarm, tile: usize, value: Value) {
        let k = usize::from(alarm == Alarm::Gradient);
        let register = self.in_register(value);
        let all = self.watchers[tile][k].len();
        let watcher = &mut self.watchers[tile][k][self.turn / 2 % all];
        self.turn += 1;
        let op = if std::mem::replace(&mut watcher.begun, true) { encode::FUSED } else { encode::MUL };
        let with = match alarm {
            // The sum of squares is at least the square of any of them; it is NaN where one is.
            Alarm::Parameter => Source::Register(register),
            // Infinity and NaN times 0 are NaN, all other numbers 0.
            Alarm::Gradient => Source::Vector(Memory::at(SCRATCH, frame::ZERO)),
        };
        self.asm.two(op, watcher.register, register, with);
        self.release(value);
    }

    /// Numbers all items and notes where each value is read; `ends` are read behind the body.
    pub(super) fn survey(&mut self, body: &[Item], ends: &[Value]) {
        let mut defined = vec![0u32; self.definitions.len()];
        let mut place = 0;
        self.walk(body, &mut place, &mut defined, &mut Vec::new());
        place += 1;
        for &value in ends {
            self.uses[value as usize].push(place);
        }
        for list in &mut self.uses {
            list.sort_unstable();
            list.dedup();
        }
    }

    /// `loops` holds, for every loop around, where it begins and every value read from outside of it so far.
    fn walk(&mut self, body: &[Item], place: &mut u32, defined: &mut [u32], loops: &mut Vec<(u32, Vec<Value>)>) {
        for item in body {
            *place += 1;
            let at = *place;
            let mut note = |this: &mut Self, value: Value, defined: &[u32]| {
                this.uses[value as usize].push(at);
                for (begin, outside) in loops.iter_mut() {
                    if defined[value as usize] < *begin {
                        outside.push(value);
                    }
                }
            };
            match item {
                Item::Value(value) => {
                    if let Definition::Op(op) = self.definitions[*value as usize] {
                        for read in op.reads() {
                            note(self, read, defined);
                        }
                    }
                    defined[*value as usize] = at;
                }
                Item::Store(_, value) | Item::Watch { value, .. } => note(self, *value, defined),
                Item::Loop(l) => {
                    for c in &l.carried {
                        note(self, c.init, defined);
                        defined[c.value as usize] = at;
                    }
                    loops.push((at, Vec::new()));
                    self.walk(&l.body, place, defined, loops);
                    *place += 1;
                    let end = *place;
                    for c in &l.carried {
                        self.uses[c.next as usize].push(end);
                        self.uses[c.value as usize].push(end);
                        for (begin, outside) in loops.iter_mut() {
                            if defined[c.next as usize] < *begin {
                                outside.push(c.next);
                            }
                        }
                    }
                    // What comes from outside is needed again at the next turn.
                    if let Some((_, outside)) = loops.pop() {
                        for value in outside {
                            self.uses[value as usize].push(end);
                        }
                    }
                }
            }
        }
    }

    /// The next place, behind this one, that reads a value.
    fn next_use(&self, value: Value) -> Option<u32> {
        let list = &self.uses[value as usize];
        list.get(list.partition_point(|&u| u <= self.place)).copied()
    }

    // Registers.

    /// A free register, or that of the value which is needed last.
    fn take(&mut self) -> u8 {
        let count = self.spare();
        if let Some(free) = (0..count).find(|&r| self.is_free(r)) {
            return free;
        }
        let candidates = (0..count).filter(|&r| !self.pinned[r as usize] && !self.locked[r as usize]);
        let last = candidates.max_by_key(|&r| {
            let value = self.holder[r as usize];
            value.and_then(|v| self.next_use(v)).unwrap_or(u32::MAX)
        });
        let Some(register) = last else {
            // Never: an instruction locks four registers at most, and alarms and accumulators leave more.
            self.failed = true;
            return 0;
        };
        self.evict(register);
        register
    }

    fn is_free(&self, register: u8) -> bool {
        let r = register as usize;
        self.holder[r].is_none() && !self.pinned[r] && !self.locked[r]
    }

    /// Empties a register; its value goes to memory where it is still needed.
    fn evict(&mut self, register: u8) {
        let Some(value) = self.holder[register as usize].take() else { return };
        self.register[value as usize] = None;
        if self.next_use(value).is_some() || self.uses[value as usize].contains(&self.place) {
            self.save(value, register);
        }
    }

    /// Sees that a value is in memory, too.
    fn save(&mut self, value: Value, register: u8) {
        if self.home[value as usize] == Home::None {
            let slot = self.slot();
            self.home[value as usize] = Home::Slot(slot);
            self.asm.store(Memory::at(SCRATCH, slot), register);
        }
    }

    fn slot(&mut self) -> i32 {
        self.free.pop().unwrap_or_else(|| {
            self.scratch += self.form().bytes();
            self.scratch - self.form().bytes()
        })
    }

    /// Gives a value a register.
    fn hold(&mut self, value: Value, register: u8) {
        self.holder[register as usize] = Some(value);
        self.register[value as usize] = Some(register);
    }

    /// Gives back what nothing behind this place reads.
    fn release(&mut self, value: Value) {
        if self.next_use(value).is_some() {
            return;
        }
        if let Some(register) = self.register[value as usize].take()
            && self.holder[register as usize] == Some(value)
        {
            self.holder[register as usize] = None;
        }
        if let Home::Slot(slot) = self.home[value as usize] {
            self.freed.push(slot);
            self.home[value as usize] = Home::None;
        }
    }

    fn release_all(&mut self, op: &Op) {
        for value in op.reads() {
            self.release(value);
        }
    }

    /// The register for a result.
    fn result(&mut self, value: Value) -> u8 {
        if let Some(&(register, accumulator)) = self.wanted.get(&value) {
            let last = self.uses[accumulator as usize].iter().any(|&u| u > self.place && u < self.end_of(accumulator));
            if !last && self.holder[register as usize] == Some(accumulator) {
                // The accumulator's old number is not read again in this turn.
                self.register[accumulator as usize] = None;
                self.hold(value, register);
                return register;
            }
        }
        let register = self.take();
        self.hold(value, register);
        register
    }

    /// The end of the loop that an accumulator belongs to: its use there is the loop's own.
    fn end_of(&self, accumulator: Value) -> u32 {
        self.ends.get(&accumulator).copied().unwrap_or(u32::MAX)
    }

    /// The value in a register, locked until the instruction is written.
    fn in_register(&mut self, value: Value) -> u8 {
        if let Some(register) = self.register[value as usize] {
            self.locked[register as usize] = true;
            return register;
        }
        let register = self.take();
        self.load_home(value, register);
        self.hold(value, register);
        self.locked[register as usize] = true;
        register
    }

    fn load_home(&mut self, value: Value, register: u8) {
        let source = self.home_source(value);
        self.asm.load(register, source);
    }

    fn home_source(&mut self, value: Value) -> Source {
        match self.home[value as usize] {
            Home::Slot(slot) => Source::Vector(Memory::at(SCRATCH, slot)),
            Home::Place(place) => {
                let memory = self.address(place);
                if place.single { Source::Spread(memory) } else { Source::Vector(memory) }
            }
            Home::None => {
                self.failed = true;
                Source::Register(0)
            }
        }
    }

    /// The value where it is, for the last operand of an instruction; in a register where it is needed again soon.
    fn source(&mut self, value: Value) -> Source {
        if let Some(register) = self.register[value as usize] {
            self.locked[register as usize] = true;
            return Source::Register(register);
        }
        let single = matches!(self.home[value as usize], Home::Place(p) if p.single);
        let constant = matches!(self.definitions[value as usize], Definition::Op(Op::Constant(_)));
        let foldable = !single || self.form() == Form::Avx512;
        if foldable && (constant || single || self.next_use(value).is_none()) {
            return self.home_source(value);
        }
        Source::Register(self.in_register(value))
    }

    /// The instruction under way is written.
    fn unlock(&mut self) {
        self.locked = [false; 32];
        self.free.append(&mut self.freed);
    }

    // Addresses.

    fn base(base: Base) -> Gpr {
        match base {
            Base::X => BEFORE,
            Base::Next => AFTER,
            Base::Tile => TILE,
            Base::Host => HOST,
            Base::Scratch => SCRATCH,
            Base::Data => DATA,
        }
    }

    /// A place as an address; may use rax.
    fn address(&mut self, place: Place) -> Memory {
        let mut index: Option<Gpr> = None;
        for (var, bytes) in place.terms() {
            let Some(&(.., cursor)) = self.cursors.iter().find(|c| (c.0, c.1) == (var, bytes)) else {
                self.failed = true;
                continue;
            };
            index = Some(match (index, cursor) {
                (None, Cursor::Register(register)) => register,
                (None, Cursor::Frame(at)) => {
                    self.asm.mov_load(Gpr::Rax, Memory::at(FRAME, at));
                    Gpr::Rax
                }
                (Some(before), Cursor::Register(register)) => {
                    let both = Memory { base: before, index: Some(register), displacement: 0 };
                    self.asm.lea(Gpr::Rax, both);
                    Gpr::Rax
                }
                (Some(before), Cursor::Frame(at)) => {
                    if before != Gpr::Rax {
                        self.asm.mov(Gpr::Rax, before);
                    }
                    self.asm.add_load(Gpr::Rax, Memory::at(FRAME, at));
                    Gpr::Rax
                }
            });
        }
        Memory { base: Self::base(place.base), index, displacement: place.offset }
    }

    // Items.

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
    fn zero(&self) -> Memory {
        Memory::at(SCRATCH, frame::ZERO)
    }

    fn op(&mut self, value: Value, op: Op, rest: &[Item]) {
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
                    Form::Avx512 => self.asm.mask_to_vector(to),
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

    /// Whether something in the rest of this body writes to a loaded place before the value's last use.
    fn overwritten(&self, value: Value, place: Place, rest: &[Item]) -> bool {
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
                Item::Store(to, _) if to.base == place.base => {
                    if to.moves() || place.moves() || to.offset == place.offset {
                        return true;
                    }
                }
                Item::Loop(_) => return true,
                _ => {}
            }
        }
        false
    }

    /// Writes a test: its result is mask register 1 (AVX-512), or in the vector register that is returned.
    fn test(&mut self, test: Test) -> u8 {
        let spare = self.spare();
        match test {
            Test::Numbers(predicate, a, b) => {
                let from = self.in_register(a);
                let with = self.source(b);
                self.asm.compare(predicate, spare, from, with);
                spare
            }
            Test::Zero(a) => {
                let from = self.in_register(a);
                let zero = self.zero();
                self.asm.compare_zero(spare, from, zero);
                spare
            }
            Test::Mask(a) => {
                let from = self.in_register(a);
                if self.form() == Form::Avx512 {
                    self.asm.vector_to_mask(from);
                }
                from
            }
        }
    }

    /// x / 3 = x · 0xaaaaaaab / 2^33, the even lanes and the odd ones apart.
    fn third(&mut self, value: Value, a: Value) {
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

    fn rarely(&mut self, value: Value, from: Value, usual: Test, argument: Value, function: usize) {
        let start = self.in_register(from);
        let argument_register = self.in_register(argument);
        let mask = self.test(usual);
        self.asm.lanes_to_gpr(Gpr::Rax, mask);
        let to = self.take();
        self.locked[to as usize] = true;
        self.asm.copy(to, start);
        self.asm.compare_gpr(Gpr::Rax, if self.form() == Form::Avx512 { 0xffff } else { 0xff });
        let (rare, back) = (self.asm.label(), self.asm.label());
        self.asm.jump_if(Condition::NotZero, rare);
        self.asm.bind(back);
        self.rare.push(Rare { from: rare, back, value: to, argument: argument_register, function });
        self.release(from);
        self.release(argument);
        if let Test::Numbers(_, a, b) = usual {
            self.release(a);
            self.release(b);
        }
        if let Test::Zero(a) | Test::Mask(a) = usual {
            self.release(a);
        }
        self.hold(value, to);
    }

    fn draw(&mut self, tag: u32, law: Law, block: Place, to: i32) {
        let index = self.address(block);
        match index.index {
            None => self.asm.mov_constant(Memory::at(FRAME, Frame::TAG), 0),
            Some(register) => self.asm.mov_store(Memory::at(FRAME, Frame::TAG), register),
        }
        self.asm.add_memory(Memory::at(FRAME, Frame::TAG), block.offset);
        // The tag's purpose stands in the upper bits; a block never reaches them.
        self.asm.mov_wide(Gpr::Rax, u64::from(tag));
        self.asm.add_load(Gpr::Rax, Memory::at(FRAME, Frame::TAG));
        self.asm.mov_store(Memory::at(FRAME, Frame::TAG), Gpr::Rax);
        self.asm.lea(Gpr::Rax, Memory::at(SCRATCH, to));
        self.asm.mov_store(Memory::at(FRAME, Frame::OUT), Gpr::Rax);
        self.asm.mov_store(Memory::at(FRAME, Frame::TILE), TILE);
        self.asm.mov_constant(Memory::at(FRAME, Frame::LAW), i32::from(law == Law::Normal));
        self.asm.mov_load(Gpr::Rax, Memory::at(FRAME, Frame::DRAW));
        self.asm.call(self.outside);
    }

    fn nest(&mut self, l: &LoopCode) {
        let end = self.place + length(&l.body) + 1;
        if l.count == 0 {
            // Nothing turns; accumulators keep what they start from.
            for c in &l.carried {
                let from = self.in_register(c.init);
                let to = self.take();
                self.asm.copy(to, from);
                self.hold(c.value, to);
                self.unlock();
            }
            self.place = end;
            return;
        }
        let mut carried = Vec::new();
        for c in &l.carried {
            let from = self.in_register(c.init);
            let to = self.take();
            self.asm.copy(to, from);
            self.unlock();
            let already = self.pinned.iter().filter(|p| **p).count();
            if already < PINNED.min(self.spare() as usize / 2) {
                self.pinned[to as usize] = true;
                carried.push((*c, Some(to)));
            } else {
                let slot = self.slot();
                self.asm.store(Memory::at(SCRATCH, slot), to);
                self.home[c.value as usize] = Home::Slot(slot);
                carried.push((*c, None));
            }
            self.ends.insert(c.value, end);
            if let Some(register) = carried.last().and_then(|c| c.1) {
                self.hold(c.value, register);
                self.wanted.insert(c.next, (register, c.value));
            }
        }
        self.empty(&carried.iter().filter_map(|c| c.1).collect::<Vec<u8>>());
        let before = self.cursors.len();
        self.open_cursors(l);
        let top = self.asm.label();
        self.asm.bind(top);
        self.body(&l.body);
        self.place += 1;
        self.advance(&carried);
        self.empty(&carried.iter().filter_map(|c| c.1).collect::<Vec<u8>>());
        let own: Vec<(LoopVar, i32, Cursor)> = self.cursors.drain(before..).collect();
        for &(_, bytes, cursor) in own.iter().rev() {
            match cursor {
                Cursor::Register(register) => self.asm.add(register, bytes),
                Cursor::Frame(at) => self.asm.add_memory(Memory::at(FRAME, at), bytes),
            }
        }
        if let Some(&(_, bytes, cursor)) = own.first() {
            match (i32::try_from(i64::from(bytes) * i64::from(l.count)), cursor) {
                (Ok(limit), Cursor::Register(register)) => self.asm.compare_gpr(register, limit),
                (Ok(limit), Cursor::Frame(at)) => self.asm.compare_memory(Memory::at(FRAME, at), limit),
                (Err(_), _) => self.failed = true,
            }
            self.asm.jump_if(Condition::NotZero, top);
        }
        for (c, register) in carried {
            self.wanted.remove(&c.next);
            if let Some(register) = register {
                self.pinned[register as usize] = false;
                self.hold(c.value, register);
            }
            self.release(c.value);
        }
    }

    /// Puts every value that is still needed into memory, and none but these registers' stays where it is.
    fn empty(&mut self, except: &[u8]) {
        for register in 0..self.spare() {
            if !except.contains(&register) && !(self.pinned[register as usize]) {
                self.evict(register);
            }
        }
        // Accumulators of loops around stay, too: they are pinned.
    }

    /// Gives every distinct stride of a loop's counter a register, or a place in the frame.
    fn open_cursors(&mut self, l: &LoopCode) {
        let mut strides = Vec::new();
        strides_of(&l.body, self.definitions, l.var, &mut strides);
        if strides.is_empty() {
            strides.push(1);
        }
        for bytes in strides {
            let taken = |r: &Gpr| self.cursors.iter().any(|c| matches!(c.2, Cursor::Register(t) if t == *r));
            let cursor = match CURSORS.into_iter().find(|r| !taken(r)) {
                Some(register) => {
                    self.asm.zero(register);
                    Cursor::Register(register)
                }
                None => {
                    let used = self.cursors.iter().filter(|c| matches!(c.2, Cursor::Frame(_))).count();
                    if used >= frame::CURSORS {
                        self.failed = true;
                    }
                    let at = Frame::CURSOR + 8 * (used.min(frame::CURSORS - 1)) as i32;
                    self.asm.mov_constant(Memory::at(FRAME, at), 0);
                    Cursor::Frame(at)
                }
            };
            self.cursors.push((l.var, bytes, cursor));
        }
    }

    /// All accumulators take their next values at once.
    fn advance(&mut self, carried: &[(super::code::CarriedCode, Option<u8>)]) {
        let is_other = |next: Value, own: Value| carried.iter().any(|c| c.0.value == next && next != own);
        // What is another accumulator's old number is put aside first.
        let mut aside: HashMap<Value, i32> = HashMap::new();
        for (c, _) in carried {
            if is_other(c.next, c.value) && !aside.contains_key(&c.next) {
                let from = self.in_register(c.next);
                self.unlock();
                let slot = self.slot();
                self.asm.store(Memory::at(SCRATCH, slot), from);
                aside.insert(c.next, slot);
            }
        }
        for &(c, register) in carried {
            if c.next == c.value {
                continue;
            }
            let spare = self.spare();
            let to = register.unwrap_or(spare);
            match (aside.get(&c.next), self.register[c.next as usize]) {
                (Some(&slot), _) => self.asm.load(to, Source::Vector(Memory::at(SCRATCH, slot))),
                (None, Some(from)) => self.asm.copy(to, from),
                (None, None) => self.load_home(c.next, to),
            }
            if register.is_none()
                && let Home::Slot(slot) = self.home[c.value as usize]
            {
                self.asm.store(Memory::at(SCRATCH, slot), spare);
            }
        }
        self.free.extend(aside.into_values());
        for &(c, register) in carried {
            if let Some(register) = register {
                if let Some(value) = self.holder[register as usize]
                    && value != c.value
                {
                    self.register[value as usize] = None;
                }
                self.hold(c.value, register);
            }
        }
        for (c, _) in carried {
            if c.next != c.value {
                self.release(c.next);
            }
        }
    }

    /// A value behind the body, in a register that stays.
    pub(super) fn keep(&mut self, value: Value) -> u8 {
        self.in_register(value)
    }

    /// The end of the body: everything that is read from here on is read at this place.
    pub(super) fn close(&mut self) {
        self.place += 1;
    }

    /// A register that nothing else has.
    pub(super) fn borrow(&mut self) -> u8 {
        let register = self.take();
        self.locked[register as usize] = true;
        register
    }

    /// Gives a borrowed register back.
    pub(super) fn give(&mut self, register: u8) {
        self.locked[register as usize] = false;
    }

    /// Pieces that stand behind the code.
    pub(super) fn rare(&mut self) {
        for rare in std::mem::take(&mut self.rare) {
            self.asm.bind(rare.from);
            self.asm.mov_store(Memory::at(FRAME, Frame::MASK), Gpr::Rax);
            self.asm.store(Memory::at(FRAME, Frame::VALUE), rare.value);
            self.asm.store(Memory::at(FRAME, Frame::ARGUMENT), rare.argument);
            self.asm.mov_wide(Gpr::Rax, rare.function as u64);
            self.asm.mov_store(Memory::at(FRAME, Frame::FUNCTION), Gpr::Rax);
            self.asm.mov_load(Gpr::Rax, Memory::at(FRAME, Frame::MEND));
            self.asm.call(self.outside);
            self.asm.load(rare.value, Source::Vector(Memory::at(FRAME, Frame::VALUE)));
            self.asm.jump(rare.back);
        }
    }

    /// Saves everything around a call of the function at rax, whose argument is the frame.
    pub(super) fn outside(&mut self) {
        let saved = [Gpr::Rcx, Gpr::Rsi, Gpr::Rdi, Gpr::R8, Gpr::R9, Gpr::R10, Gpr::R11];
        self.asm.bind(self.outside);
        for register in saved {
            self.asm.push(register);
        }
        let bytes = self.form().bytes();
        for r in 0..self.form().registers() {
            self.asm.store(Memory::at(FRAME, Frame::SAVED + i32::from(r) * bytes), r);
        }
        self.asm.mov(Gpr::Rdi, FRAME);
        self.asm.leave_vectors();
        // What is called expects the control word that every function does.
        self.asm.load_control(Memory::at(FRAME, Frame::CONTROL));
        self.asm.call_register(Gpr::Rax);
        self.asm.load_control(Memory::at(FRAME, Frame::OWN_CONTROL));
        for r in 0..self.form().registers() {
            let from = Source::Vector(Memory::at(FRAME, Frame::SAVED + i32::from(r) * bytes));
            self.asm.load(r, from);
        }
        for register in saved.into_iter().rev() {
            self.asm.pop(register);
        }
        self.asm.ret();
    }

    /// Whether something could not be written.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }
}

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

/// How many places a body takes in the numbering.
fn length(body: &[Item]) -> u32 {
    body.iter()
        .map(|item| match item {
            Item::Loop(l) => length(&l.body) + 2,
            _ => 1,
        })
        .sum()
}

/// The distinct strides of a counter, those of the loops inside included.
fn strides_of(body: &[Item], definitions: &[Definition], var: LoopVar, strides: &mut Vec<i32>) {
    let mut note = |place: &Place| {
        for (of, bytes) in place.terms() {
            if of == var && !strides.contains(&bytes) {
                strides.push(bytes);
            }
        }
    };
    let mut inner = Vec::new();
    for item in body {
        match item {
            Item::Value(value) => match definitions[*value as usize] {
                Definition::Op(Op::Load(place) | Op::Draw { block: place, .. }) => note(&place),
                _ => {}
            },
            Item::Store(place, _) => note(place),
            Item::Watch { .. } => {}
            Item::Loop(l) => inner.push(l),
        }
    }
    for l in inner {
        strides_of(&l.body, definitions, var, strides);
    }
}
