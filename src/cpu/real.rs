//! What an elementary function is written over: one `f32`, or a register of the machine code that is being written.
//!
//! The functions of [`math`](super::math) name no type: with `f32` they are the lanes of the tape and of the tests, with a
//! [`Real`] that records they are instructions. So both have the same bits by construction. A comparison is false for NaN,
//! arithmetic is IEEE 754 and never fused.

use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Shl, Shr, Sub};

/// A number in single precision.
pub(crate) trait Real:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Add<f32, Output = Self>
    + Sub<f32, Output = Self>
    + Mul<f32, Output = Self>
{
    /// Its 32 bits.
    type Bits: Word<Real = Self, Truth = Self::Truth>;
    /// What a comparison gives.
    type Truth: Truth;
    /// This number in every lane; `self` only says where.
    fn of(self, value: f32) -> Self;
    /// The square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// The bits.
    fn bits(self) -> Self::Bits;
    /// `self < other`
    fn less(self, other: Self) -> Self::Truth;
    /// `self <= other`
    fn less_equal(self, other: Self) -> Self::Truth;
    /// `self == other`
    fn equal(self, other: Self) -> Self::Truth;
    /// `self` where `truth`, else `other`.
    fn or_else(self, truth: Self::Truth, other: Self) -> Self;
    /// `self` where `usual`, else `rare(argument)`, computed one lane after the other behind a branch that is seldom taken.
    fn or_rarely(self, usual: Self::Truth, argument: Self, rare: fn(f32) -> f32) -> Self;
}

/// 32 bits: an unsigned integer modulo 2^32.
pub(crate) trait Word:
    Copy
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + BitAnd<u32, Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    /// The number that has such bits.
    type Real;
    /// What a comparison gives.
    type Truth;
    /// These bits in every lane; `self` only says where.
    fn of(self, value: u32) -> Self;
    /// The sum modulo 2^32.
    fn plus(self, other: Self) -> Self;
    /// The difference modulo 2^32.
    fn minus(self, other: Self) -> Self;
    /// Shifted to the right, the sign bit repeated.
    fn shift_signed(self, by: u32) -> Self;
    /// A third, rounded down, as an unsigned integer.
    fn third(self) -> Self;
    /// The smaller of two unsigned integers.
    fn at_most(self, most: u32) -> Self;
    /// Whether all bits are 0.
    fn is_zero(self) -> Self::Truth;
    /// `self` where `truth`, else `other`.
    fn or_else(self, truth: Self::Truth, other: Self) -> Self;
    /// The signed integer as a number.
    fn number(self) -> Self::Real;
    /// The bits as those of a number.
    fn float(self) -> Self::Real;
}

/// A truth value of every lane.
pub(crate) trait Truth: Copy {
    /// Both.
    fn and(self, other: Self) -> Self;
    /// Either.
    fn or(self, other: Self) -> Self;
    /// The contrary.
    fn not(self) -> Self;
}

impl Real for f32 {
    type Bits = u32;
    type Truth = bool;
    #[inline(always)]
    fn of(self, value: f32) -> f32 {
        value
    }
    #[inline(always)]
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.to_bits()
    }
    #[inline(always)]
    fn less(self, other: f32) -> bool {
        self < other
    }
    #[inline(always)]
    fn less_equal(self, other: f32) -> bool {
        self <= other
    }
    #[inline(always)]
    fn equal(self, other: f32) -> bool {
        self == other
    }
    #[inline(always)]
    fn or_else(self, truth: bool, other: f32) -> f32 {
        if truth { self } else { other }
    }
    #[inline(always)]
    fn or_rarely(self, usual: bool, argument: f32, rare: fn(f32) -> f32) -> f32 {
        if usual { self } else { rare(argument) }
    }
}

impl Word for u32 {
    type Real = f32;
    type Truth = bool;
    #[inline(always)]
    fn of(self, value: u32) -> u32 {
        value
    }
    #[inline(always)]
    fn plus(self, other: u32) -> u32 {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn minus(self, other: u32) -> u32 {
        self.wrapping_sub(other)
    }
    #[inline(always)]
    fn shift_signed(self, by: u32) -> u32 {
        (self as i32 >> by) as u32
    }
    #[inline(always)]
    fn third(self) -> u32 {
        self / 3
    }
    #[inline(always)]
    fn at_most(self, most: u32) -> u32 {
        self.min(most)
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        self == 0
    }
    #[inline(always)]
    fn or_else(self, truth: bool, other: u32) -> u32 {
        if truth { self } else { other }
    }
    #[inline(always)]
    fn number(self) -> f32 {
        self as i32 as f32
    }
    #[inline(always)]
    fn float(self) -> f32 {
        f32::from_bits(self)
    }
}

impl Truth for bool {
    #[inline(always)]
    fn and(self, other: bool) -> bool {
        self & other
    }
    #[inline(always)]
    fn or(self, other: bool) -> bool {
        self | other
    }
    #[inline(always)]
    fn not(self) -> bool {
        !self
    }
}
