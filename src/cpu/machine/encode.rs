//! x86-64 instructions as bytes: the few that machine code over lanes takes, in AVX2's form and in AVX-512's.
//!
//! Encodings: Intel, "64 and IA-32 Architectures Software Developer's Manual", volume 2. Vector registers are numbered 0 to
//! 31 (AVX2: 0 to 15). A memory operand is `base + index + displacement`.

use crate::kernel::Fused;

/// General registers by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Gpr {
    Rax = 0,
    Rcx = 1,
    Rdx = 2,
    Rbx = 3,
    Rsp = 4,
    Rbp = 5,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R11 = 11,
    R12 = 12,
    R13 = 13,
    R14 = 14,
    R15 = 15,
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) base: Gpr,
    pub(super) index: Option<Gpr>,
    pub(super) displacement: i32,
}

impl Memory {
    /// `base + displacement`
    pub(super) fn at(base: Gpr, displacement: i32) -> Memory {
        Memory { base, index: None, displacement }
    }
}

/// What the last operand of a vector instruction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A vector register.
    Register(u8),
    /// A vector in memory.
    Vector(Memory),
    /// One number in memory, in every lane (AVX-512 only).
    Spread(Memory),
}

/// Which form of the vector instructions is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// VEX, 256 bits.
    Avx2,
    /// EVEX, 512 bits.
    Avx512,
}

impl Form {
    /// Bytes of a vector.
    pub(super) fn bytes(self) -> i32 {
        match self {
            Form::Avx2 => 32,
            Form::Avx512 => 64,
        }
    }

    /// Vector registers.
    pub(super) fn registers(self) -> u8 {
        match self {
            Form::Avx2 => 16,
            Form::Avx512 => 32,
        }
    }
}

/// An opcode: its prefix (0 none, 1 for 66, 2 for F3, 3 for F2), map (1 for 0F, 2 for 0F38, 3 for 0F3A), W and byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opcode {
    prefix: u8,
    map: u8,
    wide: bool,
    byte: u8,
}

const fn opcode(prefix: u8, map: u8, byte: u8) -> Opcode {
    Opcode { prefix, map, wide: false, byte }
}

/// Which operand of a fused instruction lies where the result goes; a factor's partner comes second, and what is left last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operands {
    /// A factor; the last operand is the other factor (form 132).
    FactorAndFactor,
    /// A factor; the last operand is the addend (form 213).
    FactorAndAddend,
    /// The addend (form 231).
    Addend,
}

pub(super) const fn fused(fused: Fused, operands: Operands) -> Opcode {
    let form = match operands {
        Operands::FactorAndFactor => 0x90,
        Operands::FactorAndAddend => 0xa0,
        Operands::Addend => 0xb0,
    };
    let kind = match fused {
        Fused::Add => 8,
        Fused::Subtract => 10,
        Fused::SubtractFrom => 12,
    };
    opcode(1, 2, form | kind)
}

pub(super) const ADD: Opcode = opcode(0, 1, 0x58);
pub(super) const MUL: Opcode = opcode(0, 1, 0x59);
pub(super) const SUB: Opcode = opcode(0, 1, 0x5c);
pub(super) const MIN: Opcode = opcode(0, 1, 0x5d);
pub(super) const DIV: Opcode = opcode(0, 1, 0x5e);
pub(super) const MAX: Opcode = opcode(0, 1, 0x5f);
pub(super) const SQRT: Opcode = opcode(0, 1, 0x51);
pub(super) const AND_BITS: Opcode = opcode(1, 1, 0xdb);
pub(super) const OR_BITS: Opcode = opcode(1, 1, 0xeb);
pub(super) const XOR_BITS: Opcode = opcode(1, 1, 0xef);
pub(super) const ADD_BITS: Opcode = opcode(1, 1, 0xfe);
pub(super) const SUB_BITS: Opcode = opcode(1, 1, 0xfa);
pub(super) const MIN_BITS: Opcode = opcode(1, 2, 0x3b);
pub(super) const CONVERT: Opcode = opcode(0, 1, 0x5b);
pub(super) const MULTIPLY_ADD: Opcode = fused(Fused::Add, Operands::Addend);
const LOAD: Opcode = opcode(0, 1, 0x10);
const STORE: Opcode = opcode(0, 1, 0x11);
const MOVE: Opcode = opcode(0, 1, 0x28);
const BROADCAST: Opcode = opcode(1, 2, 0x18);
const COMPARE: Opcode = opcode(0, 1, 0xc2);
const EQUAL_BITS: Opcode = opcode(1, 1, 0x76);
const TEST_ZERO: Opcode = opcode(2, 2, 0x27);
const MASK_TO_VECTOR: Opcode = opcode(2, 2, 0x38);
const VECTOR_TO_MASK: Opcode = opcode(2, 2, 0x39);
const BLEND_BY_MASK: Opcode = opcode(1, 2, 0x65);
const BLEND_BY_VECTOR: Opcode = opcode(1, 3, 0x4a);
const MULTIPLY_WIDE: Opcode = Opcode { prefix: 1, map: 1, wide: true, byte: 0xf4 };
const SHIFT_32: Opcode = opcode(1, 1, 0x72);
const SHIFT_64: Opcode = Opcode { prefix: 1, map: 1, wide: true, byte: 0x73 };

/// A comparison's predicate: quiet, false for NaN unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Predicate {
    Equal,
    Less,
    LessEqual,
    /// True for NaN.
    NotLessEqual,
}

impl Predicate {
    fn number(self) -> u8 {
        match self {
            Predicate::Equal => 0x00,
            Predicate::Less => 0x11,
            Predicate::LessEqual => 0x12,
            Predicate::NotLessEqual => 0x16,
        }
    }
}

/// A shift of every lane by a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shift {
    Left,
    Right,
    RightSigned,
}

/// Condition of a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    NotZero = 0x85,
    AboveOrEqual = 0x83,
    Below = 0x82,
}

/// A place in the code that jumps go to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label(usize);

/// Code that grows.
#[derive(Debug)]
pub(super) struct Assembler {
    pub(super) form: Form,
    code: Vec<u8>,
    labels: Vec<Option<usize>>,
    jumps: Vec<(usize, usize)>,
}

impl Assembler {
    pub(super) fn new(form: Form) -> Assembler {
        Assembler { form, code: Vec::new(), labels: Vec::new(), jumps: Vec::new() }
    }

    /// The code with all jumps resolved; `None` where a label was never bound or a jump is too far.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        for &(at, label) in &self.jumps {
            let to = self.labels[label]? as i64;
            let distance = i32::try_from(to - (at as i64 + 4)).ok()?;
            self.code[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        Some(self.code)
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    pub(super) fn bind(&mut self, label: Label) {
        self.labels[label.0] = Some(self.code.len());
    }

    fn byte(&mut self, byte: u8) {
        self.code.push(byte);
    }

    fn int(&mut self, value: i32) {
        self.code.extend_from_slice(&value.to_le_bytes());
    }

    // Vector instructions.

    /// `to = op(a, b)`
    pub(super) fn two(&mut self, op: Opcode, to: u8, a: u8, b: Source) {
        self.vector(op, to, a, b, 0, None);
    }

    /// `to = op(a)`
    pub(super) fn one(&mut self, op: Opcode, to: u8, a: Source) {
        self.vector(op, to, 0, a, 0, None);
    }

    /// `to = from`
    pub(super) fn copy(&mut self, to: u8, from: u8) {
        if to != from {
            self.one(MOVE, to, Source::Register(from));
        }
    }

    /// Loads a vector, or spreads a number.
    pub(super) fn load(&mut self, to: u8, from: Source) {
        match from {
            Source::Register(from) => self.copy(to, from),
            Source::Vector(_) => self.one(LOAD, to, from),
            Source::Spread(memory) => self.scalar_memory(BROADCAST, to, memory),
        }
    }

    pub(super) fn store(&mut self, to: Memory, from: u8) {
        self.one(STORE, from, Source::Vector(to));
    }

    /// Stores the lanes of a mask (AVX-512).
    pub(super) fn store_lanes(&mut self, to: Memory, from: u8, mask: u8) {
        self.vector(STORE, from, 0, Source::Vector(to), mask, None);
    }

    /// All bits 0.
    pub(super) fn clear(&mut self, to: u8) {
        self.two(XOR_BITS, to, to, Source::Register(to));
    }

    // A mask is a mask register (AVX-512) or a vector register whose lanes are all ones or all zeros.

    /// A comparison's result as a mask.
    pub(super) fn compare(&mut self, predicate: Predicate, mask: u8, a: u8, b: Source) {
        self.vector(COMPARE, mask, a, b, 0, Some(predicate.number()));
    }

    /// Which lanes are all zero bits, as a mask; `zero` is a vector of zeros in memory.
    pub(super) fn compare_zero(&mut self, mask: u8, a: u8, zero: Memory) {
        match self.form {
            Form::Avx512 => self.vector(TEST_ZERO, mask, a, Source::Register(a), 0, None),
            Form::Avx2 => self.vector(EQUAL_BITS, mask, a, Source::Vector(zero), 0, None),
        }
    }

    /// A mask register as a vector (AVX-512).
    pub(super) fn mask_to_vector(&mut self, to: u8, mask: u8) {
        self.vector(MASK_TO_VECTOR, to, 0, Source::Register(mask), 0, None);
    }

    /// A vector's sign bits as a mask register (AVX-512).
    pub(super) fn vector_to_mask(&mut self, mask: u8, from: u8) {
        self.vector(VECTOR_TO_MASK, mask, 0, Source::Register(from), 0, None);
    }

    /// Writes a mask register to 16 bits of memory (AVX-512).
    pub(super) fn mask_store(&mut self, to: Memory, mask: u8) {
        self.mask_memory(0x91, mask, to);
    }

    /// Reads a mask register from 16 bits of memory (AVX-512).
    pub(super) fn mask_load(&mut self, mask: u8, from: Memory) {
        self.mask_memory(0x90, mask, from);
    }

    fn mask_memory(&mut self, byte: u8, mask: u8, memory: Memory) {
        // kmovw
        self.code.extend([0xc4, 0xc1 | (memory.base as u8 >> 3 ^ 1) << 5, 0x78, byte]);
        self.operand(mask, Source::Vector(memory), 1);
    }

    /// `yes` where the mask is set, else `no`.
    pub(super) fn blend(&mut self, to: u8, mask: u8, no: u8, yes: Source) {
        match self.form {
            Form::Avx512 => self.vector(BLEND_BY_MASK, to, no, yes, mask, None),
            Form::Avx2 => self.vector(BLEND_BY_VECTOR, to, no, yes, 0, Some(mask << 4)),
        }
    }

    /// `to = a` shifted, in lanes of 32 bits.
    pub(super) fn shift(&mut self, shift: Shift, to: u8, a: u8, by: u8) {
        let extension = match shift {
            Shift::Left => 6,
            Shift::Right => 2,
            Shift::RightSigned => 4,
        };
        self.vector(SHIFT_32, extension, to, Source::Register(a), 0, Some(by));
    }

    /// `to = a` shifted to the right or left, in lanes of 64 bits.
    pub(super) fn shift_wide(&mut self, left: bool, to: u8, a: u8, by: u8) {
        self.vector(SHIFT_64, if left { 6 } else { 2 }, to, Source::Register(a), 0, Some(by));
    }

    /// Products of the even lanes of 32 bits, in 64 bits.
    pub(super) fn multiply_wide(&mut self, to: u8, a: u8, b: u8) {
        self.vector(MULTIPLY_WIDE, to, a, Source::Register(b), 0, None);
    }

    /// A mask, one bit a lane, in a general register.
    pub(super) fn lanes_to_gpr(&mut self, to: Gpr, mask: u8) {
        match self.form {
            // kmovw r32, k
            Form::Avx512 => self.code.extend([0xc5, 0xf8, 0x93, 0xc0 | (to as u8) << 3 | mask]),
            // vmovmskps r32, ymm
            Form::Avx2 => self.vector(opcode(0, 1, 0x50), to as u8, 0, Source::Register(mask), 0, None),
        }
    }

    /// One bit a lane of a general register as a mask register (AVX-512).
    pub(super) fn gpr_to_lanes(&mut self, mask: u8, from: Gpr) {
        // kmovw k, r32
        self.code.extend([0xc5, 0xf8, 0x92, 0xc0 | mask << 3 | from as u8]);
    }

    /// Ends the use of wide registers.
    pub(super) fn leave_vectors(&mut self) {
        self.code.extend([0xc5, 0xf8, 0x77]);
    }

    fn vector(&mut self, op: Opcode, reg: u8, second: u8, rm: Source, mask: u8, immediate: Option<u8>) {
        let spread = matches!(rm, Source::Spread(_));
        match self.form {
            Form::Avx512 => self.evex(op, reg, second, rm, mask, spread),
            Form::Avx2 => self.vex(op, reg, second, rm),
        }
        if let Some(immediate) = immediate {
            self.byte(immediate);
        }
    }

    /// A load of one number: its displacement is compressed by 4 bytes and not by the vector's.
    fn scalar_memory(&mut self, op: Opcode, to: u8, memory: Memory) {
        match self.form {
            Form::Avx512 => {
                self.evex_prefix(op, to, 0, Source::Vector(memory), 0, false);
                self.operand(to, Source::Vector(memory), 4);
            }
            Form::Avx2 => self.vex(op, to, 0, Source::Vector(memory)),
        }
    }

    fn evex(&mut self, op: Opcode, reg: u8, second: u8, rm: Source, mask: u8, spread: bool) {
        self.evex_prefix(op, reg, second, rm, mask, spread);
        let scale = if spread { 4 } else { 64 };
        self.operand(reg, rm, scale);
    }

    fn evex_prefix(&mut self, op: Opcode, reg: u8, second: u8, rm: Source, mask: u8, spread: bool) {
        let bit = |value: u8, k: u8| value >> k & 1;
        let (b, x) = match rm {
            Source::Register(r) => (bit(r, 3), bit(r, 4)),
            Source::Vector(m) | Source::Spread(m) => (bit(m.base as u8, 3), m.index.map_or(0, |i| bit(i as u8, 3))),
        };
        self.byte(0x62);
        self.byte((bit(reg, 3) ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | (bit(reg, 4) ^ 1) << 4 | op.map);
        self.byte(u8::from(op.wide) << 7 | (!second & 15) << 3 | 4 | op.prefix);
        self.byte(2 << 5 | u8::from(spread) << 4 | (bit(second, 4) ^ 1) << 3 | mask);
        self.byte(op.byte);
    }

    fn vex(&mut self, op: Opcode, reg: u8, second: u8, rm: Source) {
        let bit = |value: u8, k: u8| value >> k & 1;
        let (b, x) = match rm {
            Source::Register(r) => (bit(r, 3), 0),
            Source::Vector(m) | Source::Spread(m) => (bit(m.base as u8, 3), m.index.map_or(0, |i| bit(i as u8, 3))),
        };
        self.byte(0xc4);
        self.byte((bit(reg, 3) ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | op.map);
        // W is EVEX's here: VEX forms of these instructions ignore it or want 0.
        self.byte((!second & 15) << 3 | 4 | op.prefix);
        self.byte(op.byte);
        self.operand(reg, rm, 1);
    }

    /// ModRM, SIB and displacement; a displacement of 8 bits counts in units of `scale`.
    fn operand(&mut self, reg: u8, rm: Source, scale: i32) {
        let reg = (reg & 7) << 3;
        let memory = match rm {
            Source::Register(r) => return self.byte(0xc0 | reg | (r & 7)),
            Source::Vector(m) | Source::Spread(m) => m,
        };
        let short = memory.displacement % scale == 0 && i8::try_from(memory.displacement / scale).is_ok();
        let mode = if short { 0x40 } else { 0x80 };
        let base = memory.base as u8 & 7;
        match memory.index {
            Some(index) => {
                self.byte(mode | reg | 4);
                self.byte((index as u8 & 7) << 3 | base);
            }
            // rsp and r12 are told by a SIB byte.
            None if base == 4 => {
                self.byte(mode | reg | 4);
                self.byte(4 << 3 | base);
            }
            None => self.byte(mode | reg | base),
        }
        if short {
            self.byte((memory.displacement / scale) as i8 as u8);
        } else {
            self.int(memory.displacement);
        }
    }

    // General instructions, 64 bits.

    fn general(&mut self, byte: u8, reg: u8, memory: Memory) {
        let x = memory.index.map_or(0, |i| i as u8 >> 3);
        self.byte(0x48 | (reg >> 3) << 2 | x << 1 | memory.base as u8 >> 3);
        self.byte(byte);
        self.operand(reg, Source::Vector(memory), 1);
    }

    fn registers(&mut self, byte: u8, reg: u8, rm: Gpr) {
        self.byte(0x48 | (reg >> 3) << 2 | rm as u8 >> 3);
        self.byte(byte);
        self.byte(0xc0 | (reg & 7) << 3 | (rm as u8 & 7));
    }

    pub(super) fn mov(&mut self, to: Gpr, from: Gpr) {
        self.registers(0x89, from as u8, to);
    }

    pub(super) fn mov_load(&mut self, to: Gpr, from: Memory) {
        self.general(0x8b, to as u8, from);
    }

    pub(super) fn mov_store(&mut self, to: Memory, from: Gpr) {
        self.general(0x89, from as u8, to);
    }

    /// Writes a constant to 64 bits of memory.
    pub(super) fn mov_constant(&mut self, to: Memory, value: i32) {
        self.general(0xc7, 0, to);
        self.int(value);
    }

    pub(super) fn mov_wide(&mut self, to: Gpr, value: u64) {
        self.byte(0x48 | to as u8 >> 3);
        self.byte(0xb8 | (to as u8 & 7));
        self.code.extend_from_slice(&value.to_le_bytes());
    }

    /// `to = base + index + displacement`
    pub(super) fn lea(&mut self, to: Gpr, address: Memory) {
        self.general(0x8d, to as u8, address);
    }

    pub(super) fn add(&mut self, to: Gpr, value: i32) {
        self.registers(0x81, 0, to);
        self.int(value);
    }

    pub(super) fn add_load(&mut self, to: Gpr, from: Memory) {
        self.general(0x03, to as u8, from);
    }

    pub(super) fn add_memory(&mut self, to: Memory, value: i32) {
        self.general(0x81, 0, to);
        self.int(value);
    }

    pub(super) fn compare_gpr(&mut self, a: Gpr, value: i32) {
        self.registers(0x81, 7, a);
        self.int(value);
    }

    pub(super) fn compare_memory(&mut self, a: Memory, value: i32) {
        self.general(0x81, 7, a);
        self.int(value);
    }

    pub(super) fn compare_load(&mut self, a: Gpr, b: Memory) {
        self.general(0x3b, a as u8, b);
    }

    pub(super) fn and_load(&mut self, to: Gpr, from: Memory) {
        self.general(0x23, to as u8, from);
    }

    /// `to |= from`; the zero flag tells whether nothing is set.
    pub(super) fn or(&mut self, to: Gpr, from: Gpr) {
        self.registers(0x09, from as u8, to);
    }

    /// `to ^= from`
    pub(super) fn xor(&mut self, to: Gpr, from: Gpr) {
        self.registers(0x31, from as u8, to);
    }

    pub(super) fn zero(&mut self, to: Gpr) {
        self.registers(0x31, to as u8, to);
    }

    pub(super) fn push(&mut self, from: Gpr) {
        if from as u8 >= 8 {
            self.byte(0x41);
        }
        self.byte(0x50 | (from as u8 & 7));
    }

    pub(super) fn pop(&mut self, to: Gpr) {
        if to as u8 >= 8 {
            self.byte(0x41);
        }
        self.byte(0x58 | (to as u8 & 7));
    }

    pub(super) fn jump(&mut self, to: Label) {
        self.byte(0xe9);
        self.jumps.push((self.code.len(), to.0));
        self.int(0);
    }

    pub(super) fn jump_if(&mut self, condition: Condition, to: Label) {
        self.byte(0x0f);
        self.byte(condition as u8);
        self.jumps.push((self.code.len(), to.0));
        self.int(0);
    }

    pub(super) fn call(&mut self, to: Label) {
        self.byte(0xe8);
        self.jumps.push((self.code.len(), to.0));
        self.int(0);
    }

    pub(super) fn call_register(&mut self, to: Gpr) {
        if to as u8 >= 8 {
            self.byte(0x41);
        }
        self.byte(0xff);
        self.byte(0xd0 | (to as u8 & 7));
    }

    /// Reads the floating-point control word from memory.
    pub(super) fn load_control(&mut self, from: Memory) {
        self.control(2, from);
    }

    /// Writes the floating-point control word to memory.
    pub(super) fn store_control(&mut self, to: Memory) {
        self.control(3, to);
    }

    fn control(&mut self, extension: u8, memory: Memory) {
        self.byte(0x40 | memory.base as u8 >> 3);
        self.code.extend([0x0f, 0xae]);
        self.operand(extension, Source::Vector(memory), 1);
    }

    pub(super) fn ret(&mut self) {
        self.byte(0xc3);
    }
}
