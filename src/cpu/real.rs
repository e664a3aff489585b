//! What an elementary function is written over: one `f32`, or a register of the machine code that is being written.
//!
//! The functions of [`math`](super::math) name no type: with `f32` they are the lanes of the tape and of the tests, with a
//! [`Real`] that records they are instructions. So both have the same bits by construction. A comparison is false for NaN,
//! arithmetic is IEEE 754. Where a function says `mul_add`, a [`FusedReal`] and the recorder round once, `f32` twice.

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
    /// `self·b + c`
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `self·b - c`
    fn mul_sub(self, b: Self, c: Self) -> Self;
    /// `c - self·b`
    fn taken_from(self, b: Self, c: Self) -> Self;
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

/// One number: `f32` itself, or one whose products and sums are fused.
pub(crate) trait Single: Real {
    /// From a number.
    fn from_number(value: f32) -> Self;
    /// The number.
    fn number(self) -> f32;
}

/// An `f32` whose `mul_add` rounds once. Only where the processor has an instruction for that: elsewhere it is a call.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub(crate) struct FusedReal(f32);

impl FusedReal {
    /// The same numbers.
    pub(crate) fn of_all(numbers: &[f32]) -> &[FusedReal] {
        bytemuck::cast_slice(numbers)
    }

    /// The same numbers.
    pub(crate) fn of_all_mut(numbers: &mut [f32]) -> &mut [FusedReal] {
        bytemuck::cast_slice_mut(numbers)
    }
}

/// The bits of a [`FusedReal`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct FusedBits(u32);

/// An operator between two of a type, and between one and a constant.
macro_rules! operator {
    ($type:ident: $trait:ident $method:ident $constant:ty) => {
        impl $trait for $type {
            type Output = $type;
            #[inline(always)]
            fn $method(self, other: $type) -> $type {
                $type($trait::$method(self.0, other.0))
            }
        }
        impl $trait<$constant> for $type {
            type Output = $type;
            #[inline(always)]
            fn $method(self, other: $constant) -> $type {
                $type($trait::$method(self.0, other))
            }
        }
    };
}

operator!(FusedReal: Add add f32);
operator!(FusedReal: Sub sub f32);
operator!(FusedReal: Mul mul f32);
operator!(FusedReal: Div div f32);
operator!(FusedBits: BitAnd bitand u32);
operator!(FusedBits: BitOr bitor u32);
operator!(FusedBits: BitXor bitxor u32);

impl Shl<u32> for FusedBits {
    type Output = FusedBits;
    #[inline(always)]
    fn shl(self, by: u32) -> FusedBits {
        FusedBits(self.0 << by)
    }
}

impl Shr<u32> for FusedBits {
    type Output = FusedBits;
    #[inline(always)]
    fn shr(self, by: u32) -> FusedBits {
        FusedBits(self.0 >> by)
    }
}

/// A number and its bits: `$get` reads one, `$number` and `$word` make one, and the three products are as given.
macro_rules! single {
    (
        $real:ident, $bits:ident, $get:expr, $word:expr, $number:expr, $from:expr,
        $mul_add:expr, $mul_sub:expr, $taken_from:expr
    ) => {
        impl Single for $real {
            #[inline(always)]
            fn from_number(value: f32) -> $real {
                $number(value)
            }
            #[inline(always)]
            fn number(self) -> f32 {
                $get(self)
            }
        }

        impl Real for $real {
            type Bits = $bits;
            type Truth = bool;
            #[inline(always)]
            fn of(self, value: f32) -> $real {
                $number(value)
            }
            #[inline(always)]
            fn mul_add(self, b: $real, c: $real) -> $real {
                $number($mul_add($get(self), $get(b), $get(c)))
            }
            #[inline(always)]
            fn mul_sub(self, b: $real, c: $real) -> $real {
                $number($mul_sub($get(self), $get(b), $get(c)))
            }
            #[inline(always)]
            fn taken_from(self, b: $real, c: $real) -> $real {
                $number($taken_from($get(self), $get(b), $get(c)))
            }
            #[inline(always)]
            fn sqrt(self) -> $real {
                $number($get(self).sqrt())
            }
            #[inline(always)]
            fn bits(self) -> $bits {
                $word($get(self).to_bits())
            }
            #[inline(always)]
            fn less(self, other: $real) -> bool {
                $get(self) < $get(other)
            }
            #[inline(always)]
            fn less_equal(self, other: $real) -> bool {
                $get(self) <= $get(other)
            }
            #[inline(always)]
            fn equal(self, other: $real) -> bool {
                $get(self) == $get(other)
            }
            #[inline(always)]
            fn or_else(self, truth: bool, other: $real) -> $real {
                if truth { self } else { other }
            }
            #[inline(always)]
            fn or_rarely(self, usual: bool, argument: $real, rare: fn(f32) -> f32) -> $real {
                if usual { self } else { $number(rare($get(argument))) }
            }
        }

        impl Word for $bits {
            type Real = $real;
            type Truth = bool;
            #[inline(always)]
            fn of(self, value: u32) -> $bits {
                $word(value)
            }
            #[inline(always)]
            fn plus(self, other: $bits) -> $bits {
                $word($from(self).wrapping_add($from(other)))
            }
            #[inline(always)]
            fn minus(self, other: $bits) -> $bits {
                $word($from(self).wrapping_sub($from(other)))
            }
            #[inline(always)]
            fn shift_signed(self, by: u32) -> $bits {
                $word(($from(self) as i32 >> by) as u32)
            }
            #[inline(always)]
            fn third(self) -> $bits {
                $word($from(self) / 3)
            }
            #[inline(always)]
            fn at_most(self, most: u32) -> $bits {
                $word($from(self).min(most))
            }
            #[inline(always)]
            fn is_zero(self) -> bool {
                $from(self) == 0
            }
            #[inline(always)]
            fn or_else(self, truth: bool, other: $bits) -> $bits {
                if truth { self } else { other }
            }
            #[inline(always)]
            fn number(self) -> $real {
                $number($from(self) as i32 as f32)
            }
            #[inline(always)]
            fn float(self) -> $real {
                $number(f32::from_bits($from(self)))
            }
        }
    };
}

single!(
    f32,
    u32,
    (|x: f32| x),
    (|bits: u32| bits),
    (|x: f32| x),
    (|bits: u32| bits),
    (|a: f32, b: f32, c: f32| a * b + c),
    (|a: f32, b: f32, c: f32| a * b - c),
    (|a: f32, b: f32, c: f32| c - a * b)
);
single!(
    FusedReal,
    FusedBits,
    (|x: FusedReal| x.0),
    FusedBits,
    FusedReal,
    (|bits: FusedBits| bits.0),
    f32::mul_add,
    (|a: f32, b: f32, c: f32| a.mul_add(b, -c)),
    (|a: f32, b: f32, c: f32| (-a).mul_add(b, c))
);

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
