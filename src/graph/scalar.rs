//! What a graph can be evaluated over: `f64` (the oracle), `f32` (the mirror), [`Dual`] (derivatives), [`Bounded`]
//! (a running rounding-error bound).

use super::{Binary, Spread, Unary};

/// A number that the reference evaluator computes with.
pub trait Scalar: Copy + std::fmt::Debug {
    /// A constant of the formula.
    fn constant(value: f64) -> Self;
    /// An operator of one argument.
    fn unary(op: Unary, a: Self) -> Self;
    /// An operator of two arguments.
    fn binary(op: Binary, a: Self, b: Self) -> Self;
    /// `where(condition, a, b)`.
    fn select(condition: Self, a: Self, b: Self) -> Self;
    /// The sum of many; the order may be the number's own affair.
    fn sum(items: &[Self]) -> Self {
        items.iter().copied().reduce(|a, b| Self::binary(Binary::Add, a, b)).unwrap_or(Self::constant(0.0))
    }
    /// Whether the number can be trusted to say something.
    fn value(self) -> f64;
}

impl Scalar for f64 {
    fn constant(value: f64) -> f64 {
        value
    }
    fn unary(op: Unary, a: f64) -> f64 {
        op.value(a)
    }
    fn binary(op: Binary, a: f64, b: f64) -> f64 {
        op.value(a, b)
    }
    fn select(condition: f64, a: f64, b: f64) -> f64 {
        if condition != 0.0 { a } else { b }
    }
    fn value(self) -> f64 {
        self
    }
}

/// Every operation correctly rounded to `f32`.
impl Scalar for f32 {
    fn constant(value: f64) -> f32 {
        value as f32
    }
    fn unary(op: Unary, a: f32) -> f32 {
        op.value(f64::from(a)) as f32
    }
    fn binary(op: Binary, a: f32, b: f32) -> f32 {
        op.value(f64::from(a), f64::from(b)) as f32
    }
    fn select(condition: f32, a: f32, b: f32) -> f32 {
        if condition != 0.0 { a } else { b }
    }
    fn value(self) -> f64 {
        f64::from(self)
    }
}

/// A value and its derivative along one direction (forward mode).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual {
    /// The value.
    pub value: f64,
    /// The derivative.
    pub slope: f64,
}

impl Scalar for Dual {
    fn constant(value: f64) -> Dual {
        Dual { value, slope: 0.0 }
    }

    fn unary(op: Unary, a: Dual) -> Dual {
        let (x, y) = (a.value, op.value(a.value));
        let slope = op.slope(x, y);
        // A zero slope stays zero, whatever it is multiplied by: what does not move has no derivative.
        Dual { value: y, slope: if a.slope == 0.0 { 0.0 } else { slope * a.slope } }
    }

    fn binary(op: Binary, a: Dual, b: Dual) -> Dual {
        let times = |partial: f64, slope: f64| if slope == 0.0 { 0.0 } else { partial * slope };
        let value = op.value(a.value, b.value);
        let slope = match op {
            Binary::Add => a.slope + b.slope,
            Binary::Sub => a.slope - b.slope,
            Binary::Mul => times(b.value, a.slope) + times(a.value, b.slope),
            Binary::Div => times(1.0 / b.value, a.slope) - times(value / b.value, b.slope),
            Binary::Min => {
                if b.value < a.value {
                    b.slope
                } else {
                    a.slope
                }
            }
            Binary::Max => {
                if b.value > a.value {
                    b.slope
                } else {
                    a.slope
                }
            }
            Binary::Pow => {
                let base = times(
                    if b.value == 0.0 { 0.0 } else { b.value * Binary::Pow.value(a.value, b.value - 1.0) },
                    a.slope,
                );
                let exponent = times(if a.value > 0.0 { value * a.value.ln() } else { 0.0 }, b.slope);
                base + exponent
            }
            Binary::Atan2 => {
                let square = a.value * a.value + b.value * b.value;
                times(b.value / square, a.slope) - times(a.value / square, b.slope)
            }
            Binary::Less | Binary::LessEqual | Binary::Equal | Binary::NotEqual | Binary::And | Binary::Or => 0.0,
        };
        Dual { value, slope }
    }

    fn select(condition: Dual, a: Dual, b: Dual) -> Dual {
        if condition.value != 0.0 { a } else { b }
    }

    fn value(self) -> f64 {
        self.value
    }
}

/// A value in `f64` and a bound of how far a correct `f32` evaluation may be from it.
///
/// Every operation spreads its arguments' errors (first order and beyond: intervals, not linearisation) and adds its own
/// rounding, which for `+ - * /`, `sqrt` and the functions is the larger of what WGSL and the lane math promise. A sum's
/// bound holds for every order of its terms. Source: Higham, Accuracy and Stability of Numerical Algorithms, §3.3
/// (running error analysis).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounded {
    /// The value.
    pub value: f64,
    /// The bound; infinite where nothing can be said (a jump or a pole inside the error).
    pub error: f64,
}

/// Half the spacing of `f32` around 1.
const UNIT: f64 = 1.0 / 16_777_216.0;
/// Subnormal results may be flushed to zero.
const FLUSH: f64 = 1.1754944e-38;

impl Bounded {
    /// A value that `f32` holds exactly.
    pub fn exact(value: f64) -> Bounded {
        Bounded { value, error: 0.0 }
    }

    /// A value rounded once to `f32`.
    pub fn rounded(value: f64) -> Bounded {
        Bounded { value, error: (value - f64::from(value as f32)).abs() }
    }

    fn new(value: f64, spread: f64, ulp: f64) -> Bounded {
        let magnitude = value.abs() + spread;
        let own = if ulp > 0.0 { 2.0 * ulp * UNIT * magnitude + FLUSH } else { 0.0 };
        let error = spread + own;
        // Above the range of f32 the device has infinity: nothing to compare.
        let error = if error.is_nan() || magnitude > f64::from(f32::MAX) { f64::INFINITY } else { error };
        Bounded { value, error }
    }
}

impl Scalar for Bounded {
    fn constant(value: f64) -> Bounded {
        Bounded::rounded(value)
    }

    fn unary(op: Unary, a: Bounded) -> Bounded {
        let (x, e) = (a.value, a.error);
        let y = op.value(x);
        if e.is_infinite() {
            return Bounded { value: y, error: f64::INFINITY };
        }
        let ends = || {
            let low = if op == Unary::Sqrt { (x - e).max(0.0) } else { x - e };
            (op.value(x + e) - y).abs().max((op.value(low) - y).abs())
        };
        let spread = if e == 0.0 {
            0.0
        } else {
            match op.spread() {
                Spread::Monotone => ends(),
                Spread::Even if x.abs() < e => ends().max((op.value(0.0) - y).abs()),
                Spread::Even => ends(),
                Spread::Smooth { first, second, range } => {
                    let slope = Dual::unary(op, Dual { value: x, slope: 1.0 }).slope.abs().min(first);
                    (slope * e + 0.5 * second * e * e).min(first * e).min(2.0 * range)
                }
                Spread::Poles if e < 0.1 && op.value(x - e) <= op.value(x + e) => ends(),
                Spread::Poles => f64::INFINITY,
                Spread::Steps => ends(),
            }
        };
        // A function with |f| ≤ range may be asked near a zero: its error is relative to the value it returns.
        Bounded::new(y, spread, op.ulp())
    }

    fn binary(op: Binary, a: Bounded, b: Bounded) -> Bounded {
        let value = op.value(a.value, b.value);
        if a.error.is_infinite() || b.error.is_infinite() {
            return Bounded { value, error: f64::INFINITY };
        }
        let spread = match op {
            Binary::Add | Binary::Sub => a.error + b.error,
            Binary::Mul => a.value.abs() * b.error + b.value.abs() * a.error + a.error * b.error,
            Binary::Div => {
                let nearest = b.value.abs() - b.error;
                if nearest <= 0.0 { f64::INFINITY } else { (a.error + value.abs() * b.error) / nearest }
            }
            Binary::Min | Binary::Max => a.error.max(b.error),
            Binary::Pow => pow_spread(a, b, value),
            Binary::Atan2 => {
                let radius = a.value.hypot(b.value) - a.error.hypot(b.error);
                if radius <= 0.0 { f64::INFINITY } else { (a.error + b.error) / radius }
            }
            Binary::Less | Binary::LessEqual | Binary::Equal | Binary::NotEqual => {
                // An error of a half marks a truth value that could be either.
                let undecided = (a.value - b.value).abs() <= a.error + b.error && a.error + b.error > 0.0;
                if undecided { 0.5 } else { 0.0 }
            }
            Binary::And => {
                if (a.value == 0.0 && a.error == 0.0) || (b.value == 0.0 && b.error == 0.0) {
                    0.0
                } else {
                    a.error.max(b.error)
                }
            }
            Binary::Or => {
                if (a.value != 0.0 && a.error == 0.0) || (b.value != 0.0 && b.error == 0.0) {
                    0.0
                } else {
                    a.error.max(b.error)
                }
            }
        };
        Bounded::new(value, spread, op.ulp())
    }

    fn select(condition: Bounded, a: Bounded, b: Bounded) -> Bounded {
        let (taken, other) = if condition.value != 0.0 { (a, b) } else { (b, a) };
        if condition.error == 0.0 {
            return taken;
        }
        Bounded { value: taken.value, error: taken.error.max((taken.value - other.value).abs() + other.error) }
    }

    fn sum(items: &[Bounded]) -> Bounded {
        let value = items.iter().map(|i| i.value).sum::<f64>();
        let spread: f64 = items.iter().map(|i| i.error).sum();
        let magnitude: f64 = items.iter().map(|i| i.value.abs() + i.error).sum();
        let roundings = items.len().saturating_sub(1) as f64 * UNIT;
        let mut out = Bounded::new(value, spread, 0.0);
        out.error += magnitude * roundings / (1.0 - roundings);
        out
    }

    fn value(self) -> f64 {
        self.value
    }
}

/// `a ^ b` over both intervals: monotone in each argument for a positive base, else by the base's magnitude.
fn pow_spread(a: Bounded, b: Bounded, value: f64) -> f64 {
    let integer = b.error == 0.0 && b.value == b.value.round();
    if integer && b.value.abs() <= 64.0 {
        // A chain of multiplications, each of which rounds once more.
        let low = a.value.abs() - a.error;
        if b.value < 0.0 && low <= 0.0 {
            return f64::INFINITY;
        }
        let ends = [a.value - a.error, a.value + a.error].map(|x| (Binary::Pow.value(x, b.value) - value).abs());
        let top = Binary::Pow.value(a.value.abs() + a.error, b.value).abs().max(value.abs());
        let zero = if low <= 0.0 { value.abs() } else { 0.0 };
        return ends[0].max(ends[1]).max(zero) + b.value.abs() * UNIT * top;
    }
    if a.value - a.error < 0.0 {
        if a.value >= 0.0 && b.value - b.error > 0.0 {
            return Binary::Pow.value(a.value + a.error, b.value + b.error).abs().max(value.abs()) + 0.0;
        }
        return f64::INFINITY;
    }
    let mut spread: f64 = 0.0;
    for x in [a.value - a.error, a.value + a.error] {
        for y in [b.value - b.error, b.value + b.error] {
            spread = spread.max((Binary::Pow.value(x, y) - value).abs());
        }
    }
    spread
}
