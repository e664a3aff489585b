//! Loops: accumulators stay in registers, everything else waits in memory, counters move places.

use super::code::{CarriedCode, Definition, Item, LoopCode, Op, Place, Value};
use super::emit::{Cursor, Emitter, FRAME, Home, SCRATCH};
use super::encode::{Condition, Gpr, Memory, Source};
use super::frame::{self, Frame};
use crate::kernel::LoopVar;
use std::collections::HashMap;

/// Loop counters, each times the bytes that a turn moves by; more of them lie in the frame.
const CURSORS: [Gpr; 6] = [Gpr::Rcx, Gpr::Rsi, Gpr::Rdi, Gpr::R8, Gpr::R9, Gpr::R10];
/// Accumulators of a loop that stay in registers.
const PINNED: usize = 14;

impl Emitter<'_> {
    pub(super) fn nest(&mut self, l: &LoopCode) {
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
    pub(super) fn empty(&mut self, except: &[u8]) {
        for register in 0..self.spare() {
            if !except.contains(&register) && !(self.pinned[register as usize]) {
                self.evict(register);
            }
        }
        // Accumulators of loops around stay, too: they are pinned.
    }

    /// Gives every distinct stride of a loop's counter a register, or a place in the frame.
    pub(super) fn open_cursors(&mut self, l: &LoopCode) {
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
    pub(super) fn advance(&mut self, carried: &[(CarriedCode, Option<u8>)]) {
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
            Item::Value(value) => {
                if let Definition::Op(Op::Load(place) | Op::Draw { block: place, .. }) = definitions[*value as usize] {
                    note(&place);
                }
            }
            Item::Store(place, _) => note(place),
            Item::Watch { .. } => {}
            Item::Loop(l) => inner.push(l),
        }
    }
    for l in inner {
        strides_of(&l.body, definitions, var, strides);
    }
}
