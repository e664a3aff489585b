//! Calls out of the code: functions of rare arguments, and draws.

use super::code::{Place, Test, Value};
use super::emit::{Emitter, FRAME, Rare, SCRATCH, TILE};
use super::encode::{Condition, Form, Gpr, Memory, Source};
use super::frame::Frame;
use crate::graph::Law;

impl Emitter<'_> {
    pub(super) fn rarely(&mut self, value: Value, from: Value, usual: Test, argument: Value, function: usize) {
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

    pub(super) fn draw(&mut self, tag: u32, law: Law, block: Place, to: i32) {
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
        let masks: Vec<u8> = self.kept.iter().map(|k| k.1).collect();
        for &mask in &masks {
            self.asm.mask_store(Memory::at(FRAME, Frame::MASKS + 8 * i32::from(mask)), mask);
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
        for mask in masks {
            self.asm.mask_load(mask, Memory::at(FRAME, Frame::MASKS + 8 * i32::from(mask)));
        }
        for register in saved.into_iter().rev() {
            self.asm.pop(register);
        }
        self.asm.ret();
    }
}
