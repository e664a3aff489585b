//! Registers, scratch memory and addresses.

use super::code::{Base, Definition, Op, Place, Value};
use super::emit::{AFTER, BEFORE, Cursor, DATA, Emitter, FRAME, HOST, Home, SCRATCH, TILE};
use super::encode::{Form, Gpr, Memory, Source};

impl Emitter<'_> {
    /// A free register, or that of the value which is needed last.
    pub(super) fn take(&mut self) -> u8 {
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

    pub(super) fn is_free(&self, register: u8) -> bool {
        let r = register as usize;
        self.holder[r].is_none() && !self.pinned[r] && !self.locked[r]
    }

    /// Empties a register; its value goes to memory where it is still needed.
    pub(super) fn evict(&mut self, register: u8) {
        let Some(value) = self.holder[register as usize].take() else { return };
        self.register[value as usize] = None;
        if self.next_use(value).is_some() || self.uses[value as usize].contains(&self.place) {
            self.save(value, register);
        }
    }

    /// Sees that a value is in memory, too.
    pub(super) fn save(&mut self, value: Value, register: u8) {
        if self.home[value as usize] == Home::None {
            let slot = self.slot();
            self.home[value as usize] = Home::Slot(slot);
            self.asm.store(Memory::at(SCRATCH, slot), register);
        }
    }

    pub(super) fn slot(&mut self) -> i32 {
        self.free.pop().unwrap_or_else(|| {
            self.scratch += self.form().bytes();
            self.scratch - self.form().bytes()
        })
    }

    /// Gives a value a register.
    pub(super) fn hold(&mut self, value: Value, register: u8) {
        self.holder[register as usize] = Some(value);
        self.register[value as usize] = Some(register);
    }

    /// Gives back what nothing behind this place reads.
    pub(super) fn release(&mut self, value: Value) {
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

    pub(super) fn release_all(&mut self, op: &Op) {
        for value in op.reads() {
            self.release(value);
        }
    }

    /// The accumulator whose register a value takes: its old number is not read again in this turn.
    pub(super) fn inherits(&self, value: Value) -> Option<Value> {
        let &(register, accumulator) = self.wanted.get(&value)?;
        let again = self.uses[accumulator as usize].iter().any(|&u| u > self.place && u < self.end_of(accumulator));
        (!again && self.holder[register as usize] == Some(accumulator)).then_some(accumulator)
    }

    /// The register for a result.
    pub(super) fn result(&mut self, value: Value) -> u8 {
        if let Some(accumulator) = self.inherits(value)
            && let Some(register) = self.register[accumulator as usize].take()
        {
            self.hold(value, register);
            return register;
        }
        let register = self.take();
        self.hold(value, register);
        register
    }

    /// The end of the loop that an accumulator belongs to: its use there is the loop's own.
    pub(super) fn end_of(&self, accumulator: Value) -> u32 {
        self.ends.get(&accumulator).copied().unwrap_or(u32::MAX)
    }

    /// The value in a register, locked until the instruction is written.
    pub(super) fn in_register(&mut self, value: Value) -> u8 {
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

    pub(super) fn load_home(&mut self, value: Value, register: u8) {
        let source = self.home_source(value);
        self.asm.load(register, source);
    }

    pub(super) fn home_source(&mut self, value: Value) -> Source {
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
    pub(super) fn source(&mut self, value: Value) -> Source {
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
    pub(super) fn unlock(&mut self) {
        self.locked = [false; 32];
        self.free.append(&mut self.freed);
    }

    pub(super) fn base(base: Base) -> Gpr {
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
    pub(super) fn address(&mut self, place: Place) -> Memory {
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

    /// A value behind the body, in a register that stays.
    pub(super) fn keep(&mut self, value: Value) -> u8 {
        self.in_register(value)
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
}
