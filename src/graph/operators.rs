//! The operator table: every scalar operator of the language stands here once, as one row.
//!
//! A row gives the operator's name in formulas, its value in `f64`, its derivative as a graph and as a number, how an input error
//! spreads through it, the error of its `f32` implementation in units in the last place (ulp, measured on the lane
//! math and on WGSL; for `+ - * /` and `sqrt` what WGSL promises), its WGSL text and its lane functions.

use super::{Graph, NodeId};
use crate::cpu::{Real, Single, math, math64};

/// How an error of the argument reaches the value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread {
    /// Monotone where it is defined: the ends of the argument's interval bound the value.
    Monotone,
    /// Even and monotone on either side of zero.
    Even,
    /// `|f'| ≤ first` and `|f''| ≤ second` everywhere, `|f| ≤ range`.
    Smooth {
        /// Bound of the first derivative.
        first: f64,
        /// Bound of the second derivative.
        second: f64,
        /// Bound of the value.
        range: f64,
    },
    /// Monotone between poles: an interval wider than 0.1 is not bounded.
    Poles,
    /// Piecewise constant: exact unless the argument's interval holds a jump.
    Steps,
}

macro_rules! unary_operators {
    ($($(#[$doc:meta])* $variant:ident $name:literal {
        value: $value:expr, derivative: $derivative:expr, slope: $slope:expr, spread: $spread:expr, ulp: $ulp:expr,
        wgsl: $wgsl:literal, lane32: $lane32:expr, lane64: $lane64:expr, cost: $cost:expr $(,)?
    })*) => {
        /// Operators of one argument.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Unary { $($(#[$doc])* $variant),* }

        impl Unary {
            /// Every row of the table.
            pub const ALL: &[Unary] = &[$(Unary::$variant),*];

            /// The function's name in formulas; operators without one have a name that is no identifier.
            pub fn name(self) -> &'static str { match self { $(Unary::$variant => $name),* } }

            /// The value in `f64`.
            pub fn value(self, x: f64) -> f64 {
                match self { $(Unary::$variant => { let f: fn(f64) -> f64 = $value; f(x) }),* }
            }

            /// The derivative as a node, given the graph, the argument and the operator's own node.
            pub(crate) fn derivative(self, graph: &mut Graph, x: NodeId, y: NodeId) -> Option<NodeId> {
                match self {
                    $(Unary::$variant => {
                        let f: fn(&mut Graph, NodeId, NodeId) -> Option<NodeId> = $derivative;
                        f(graph, x, y)
                    }),*
                }
            }

            /// The derivative in `f64`, given the argument and the value: written apart from its graph form, so
            /// that one checks the other.
            pub fn slope(self, x: f64, y: f64) -> f64 {
                match self { $(Unary::$variant => { let f: fn(f64, f64) -> f64 = $slope; f(x, y) }),* }
            }

            /// How an argument's error spreads.
            pub fn spread(self) -> Spread { match self { $(Unary::$variant => $spread),* } }

            /// Error of the `f32` implementation, ulp; the larger of the CPU's and the GPU's.
            pub fn ulp(self) -> f64 { match self { $(Unary::$variant => $ulp),* } }

            /// WGSL text with `$` for the argument.
            pub fn wgsl(self) -> &'static str { match self { $(Unary::$variant => $wgsl),* } }

            /// Whether the argument is an angle, of which WGSL text for small ones is shorter.
            pub fn is_of_angle(self) -> bool {
                matches!(self, Unary::Sin | Unary::Cos | Unary::Tan | Unary::SinPi | Unary::CosPi)
            }

            /// Rough cost in multiplications: what makes a value worth keeping.
            pub fn cost(self) -> u32 { match self { $(Unary::$variant => $cost),* } }

            /// Applies the operator to a block of lanes in single precision.
            #[inline(always)]
            #[expect(unreachable_patterns, reason = "sine, cosine and tangent have their own block loop: large angles are rare")]
            pub(crate) fn lanes32<R: Single>(self, a: &[R], out: &mut [R]) {
                match self {
                    Unary::Sin => math::sin_block(a, out),
                    Unary::Cos => math::cos_block(a, out),
                    Unary::Tan => math::tan_block(a, out),
                    $(Unary::$variant => {
                        for (o, &x) in out.iter_mut().zip(a) { *o = ($lane32)(x); }
                    }),*
                }
            }

            /// Applies the operator to one number of any kind: the function that `lanes32` runs over a block.
            #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only machine code is recorded"))]
            pub(crate) fn apply<R: Real>(self, x: R) -> R {
                match self { $(Unary::$variant => ($lane32)(x)),* }
            }

            /// Applies the operator to a block of `f64` lanes.
            #[inline(always)]
            pub(crate) fn lanes64(self, a: &[f64], out: &mut [f64]) {
                match self {
                    $(Unary::$variant => {
                        for (o, &x) in out.iter_mut().zip(a) { *o = ($lane64)(x); }
                    }),*
                }
            }
        }
    };
}

/// Magnitudes at or above this are taken for a blow-up; a square of it still fits `f32`.
pub const DIVERGED: f64 = 1e18;

unary_operators! {
    /// `-x`
    Neg "-x" {
        value: |x| -x, derivative: |g, _, _| Some(g.constant(-1.0)),
        slope: |_, _| -1.0,
        spread: Spread::Monotone, ulp: 0.0, wgsl: "(-$)", lane32: math::neg, lane64: |x: f64| -x, cost: 1,
    }
    /// `|x|`; derivative 0 at 0.
    Abs "abs" {
        value: f64::abs, derivative: |g, x, _| Some(g.unary(Unary::Sign, x)),
        slope: |x, _| Unary::Sign.value(x),
        spread: Spread::Even, ulp: 0.0, wgsl: "abs($)", lane32: math::abs, lane64: |x: f64| x.abs(), cost: 1,
    }
    /// -1, 0 or 1.
    Sign "sign" {
        value: |x| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { 0.0 }, derivative: |_, _, _| None,
        slope: |_, _| 0.0,
        spread: Spread::Steps, ulp: 0.0, wgsl: "sign($)",
        lane32: math::sign,
        lane64: |x: f64| if x > 0.0 { 1.0 } else if x < 0.0 { -1.0f64 } else { 0.0 }, cost: 2,
    }
    /// Square root; its derivative at 0 is taken as 0, so that `sqrt(sum(x^2))` has a zero gradient at its tip.
    Sqrt "sqrt" {
        value: f64::sqrt,
        derivative: |g, x, y| {
            let (zero, half) = (g.constant(0.0), g.constant(0.5));
            let slope = g.binary(Binary::Div, half, y);
            let inside = g.binary(Binary::Less, zero, x);
            Some(g.select(inside, slope, zero))
        },
        slope: |x, y| if x > 0.0 { 0.5 / y } else { 0.0 },
        spread: Spread::Monotone, ulp: 3.0, wgsl: "sqrt($)",
        lane32: math::sqrt, lane64: |x: f64| x.sqrt(), cost: 6,
    }
    /// Cube root; derivative 0 at 0.
    Cbrt "cbrt" {
        value: f64::cbrt,
        derivative: |g, x, y| {
            let (zero, three) = (g.constant(0.0), g.constant(3.0));
            let below = g.binary(Binary::Mul, three, x);
            let slope = g.binary(Binary::Div, y, below);
            let outside = g.binary(Binary::NotEqual, x, zero);
            Some(g.select(outside, slope, zero))
        },
        slope: |x, y| if x == 0.0 { 0.0 } else { 1.0 / (3.0 * y * y) },
        spread: Spread::Monotone, ulp: 2.5, wgsl: "m_cbrt($)", lane32: math::cbrt, lane64: math64::cbrt, cost: 20,
    }
    /// `e^x`
    Exp "exp" {
        value: f64::exp, derivative: |_, _, y| Some(y),
        slope: |_, y| y,
        spread: Spread::Monotone, ulp: 1.5, wgsl: "m_exp($)", lane32: math::exp, lane64: math64::exp, cost: 15,
    }
    /// Natural logarithm.
    Log "log" {
        value: f64::ln, derivative: |g, x, _| { let one = g.constant(1.0); Some(g.binary(Binary::Div, one, x)) },
        slope: |x, _| 1.0 / x,
        spread: Spread::Monotone, ulp: 1.5, wgsl: "m_log($)", lane32: math::log, lane64: math64::log, cost: 15,
    }
    /// `log(1 + x)`
    Log1p "log1p" {
        value: f64::ln_1p,
        derivative: |g, x, _| {
            let one = g.constant(1.0);
            let below = g.binary(Binary::Add, one, x);
            Some(g.binary(Binary::Div, one, below))
        },
        slope: |x, _| 1.0 / (1.0 + x),
        spread: Spread::Monotone, ulp: 2.0, wgsl: "m_log1p($)", lane32: math::log1p, lane64: math64::log1p, cost: 20,
    }
    /// Sine.
    Sin "sin" {
        value: f64::sin, derivative: |g, x, _| Some(g.unary(Unary::Cos, x)),
        slope: |x, _| x.cos(),
        spread: Spread::Smooth { first: 1.0, second: 1.0, range: 1.0 }, ulp: 1.5, wgsl: "m_sin($)",
        lane32: math::sin, lane64: math64::sin, cost: 20,
    }
    /// Cosine.
    Cos "cos" {
        value: f64::cos,
        derivative: |g, x, _| { let s = g.unary(Unary::Sin, x); Some(g.unary(Unary::Neg, s)) },
        slope: |x, _| -x.sin(),
        spread: Spread::Smooth { first: 1.0, second: 1.0, range: 1.0 }, ulp: 1.5, wgsl: "m_cos($)",
        lane32: math::cos, lane64: math64::cos, cost: 20,
    }
    /// `sin(πx)`, reduced exactly.
    SinPi "sinpi" {
        value: math64::sinpi,
        derivative: |g, x, _| {
            let (pi, c) = (g.constant(std::f64::consts::PI), g.unary(Unary::CosPi, x));
            Some(g.binary(Binary::Mul, pi, c))
        },
        slope: |x, _| std::f64::consts::PI * math64::cospi(x),
        spread: Spread::Smooth { first: 3.15, second: 9.8697, range: 1.0 }, ulp: 1.5, wgsl: "m_sinpi($)",
        lane32: math::sinpi, lane64: math64::sinpi, cost: 15,
    }
    /// `cos(πx)`, reduced exactly.
    CosPi "cospi" {
        value: math64::cospi,
        derivative: |g, x, _| {
            let (pi, s) = (g.constant(-std::f64::consts::PI), g.unary(Unary::SinPi, x));
            Some(g.binary(Binary::Mul, pi, s))
        },
        slope: |x, _| -std::f64::consts::PI * math64::sinpi(x),
        spread: Spread::Smooth { first: 3.15, second: 9.8697, range: 1.0 }, ulp: 1.5, wgsl: "m_cospi($)",
        lane32: math::cospi, lane64: math64::cospi, cost: 15,
    }
    /// Tangent.
    Tan "tan" {
        value: f64::tan,
        derivative: |g, _, y| {
            let one = g.constant(1.0);
            let square = g.binary(Binary::Mul, y, y);
            Some(g.binary(Binary::Add, one, square))
        },
        slope: |x, _| x.cos().powi(-2),
        spread: Spread::Poles, ulp: 5.0, wgsl: "m_tan($)", lane32: math::tan, lane64: math64::tan, cost: 40,
    }
    /// Inverse sine.
    Asin "asin" {
        value: f64::asin,
        derivative: |g, x, _| Some(reciprocal_root(g, x, 1.0)),
        slope: |x, _| 1.0 / ((1.0 - x) * (1.0 + x)).sqrt(),
        spread: Spread::Monotone, ulp: 5.0, wgsl: "m_asin($)", lane32: math::asin, lane64: math64::asin, cost: 25,
    }
    /// Inverse cosine.
    Acos "acos" {
        value: f64::acos,
        derivative: |g, x, _| Some(reciprocal_root(g, x, -1.0)),
        slope: |x, _| -1.0 / ((1.0 - x) * (1.0 + x)).sqrt(),
        spread: Spread::Monotone, ulp: 5.0, wgsl: "m_acos($)", lane32: math::acos, lane64: math64::acos, cost: 25,
    }
    /// Inverse tangent.
    Atan "atan" {
        value: f64::atan,
        derivative: |g, x, _| {
            let one = g.constant(1.0);
            let square = g.binary(Binary::Mul, x, x);
            let below = g.binary(Binary::Add, one, square);
            Some(g.binary(Binary::Div, one, below))
        },
        slope: |x, _| 1.0 / (1.0 + x * x),
        spread: Spread::Monotone, ulp: 3.0, wgsl: "m_atan($)", lane32: math::atan, lane64: math64::atan, cost: 25,
    }
    /// Hyperbolic sine.
    Sinh "sinh" {
        value: f64::sinh, derivative: |g, x, _| Some(g.unary(Unary::Cosh, x)),
        slope: |x, _| x.cosh(),
        spread: Spread::Monotone, ulp: 2.5, wgsl: "m_sinh($)", lane32: math::sinh, lane64: math64::sinh, cost: 30,
    }
    /// Hyperbolic cosine.
    Cosh "cosh" {
        value: f64::cosh, derivative: |g, x, _| Some(g.unary(Unary::Sinh, x)),
        slope: |x, _| x.sinh(),
        spread: Spread::Even, ulp: 2.0, wgsl: "m_cosh($)", lane32: math::cosh, lane64: math64::cosh, cost: 30,
    }
    /// Hyperbolic tangent.
    Tanh "tanh" {
        value: f64::tanh,
        derivative: |g, _, y| {
            let one = g.constant(1.0);
            let square = g.binary(Binary::Mul, y, y);
            Some(g.binary(Binary::Sub, one, square))
        },
        slope: |x, _| x.cosh().powi(-2),
        spread: Spread::Monotone, ulp: 2.5, wgsl: "m_tanh($)", lane32: math::tanh, lane64: math64::tanh, cost: 25,
    }
    /// `1/(1 + e^-x)`
    Sigmoid "sigmoid" {
        value: math64::sigmoid,
        derivative: |g, _, y| {
            let one = g.constant(1.0);
            let rest = g.binary(Binary::Sub, one, y);
            Some(g.binary(Binary::Mul, y, rest))
        },
        slope: |x, y| y * math64::sigmoid(-x),
        spread: Spread::Monotone, ulp: 5.5, wgsl: "m_sigmoid($)",
        lane32: math::sigmoid, lane64: math64::sigmoid, cost: 25,
    }
    /// `log(1 + e^x)`
    Softplus "softplus" {
        value: math64::softplus, derivative: |g, x, _| Some(g.unary(Unary::Sigmoid, x)),
        slope: |x, _| math64::sigmoid(x),
        spread: Spread::Monotone, ulp: 2.5, wgsl: "m_softplus($)",
        lane32: math::softplus, lane64: math64::softplus, cost: 40,
    }
    /// Largest integer not above.
    Floor "floor" {
        value: f64::floor, derivative: |_, _, _| None,
        slope: |_, _| 0.0,
        spread: Spread::Steps, ulp: 0.0, wgsl: "floor($)", lane32: math::floor, lane64: math64::floor, cost: 2,
    }
    /// Nearest integer, halves to the even one.
    Round "round" {
        value: f64::round_ties_even, derivative: |_, _, _| None,
        slope: |_, _| 0.0,
        spread: Spread::Steps, ulp: 0.0, wgsl: "m_round($)", lane32: math::round, lane64: math64::round, cost: 2,
    }
    /// Logical not.
    Not "not x" {
        value: |x| if x == 0.0 { 1.0 } else { 0.0 }, derivative: |_, _, _| None,
        slope: |_, _| 0.0,
        spread: Spread::Steps, ulp: 0.0, wgsl: "(!$)",
        lane32: math::not,
        lane64: |x: f64| if x == 0.0 { 1.0f64 } else { 0.0 }, cost: 1,
    }
    /// The value itself, held constant when differentiated.
    Detach "detach x" {
        value: |x| x, derivative: |_, _, _| None,
        slope: |_, _| 0.0,
        spread: Spread::Monotone, ulp: 0.0, wgsl: "($)", lane32: math::detach, lane64: |x: f64| x, cost: 0,
    }
    /// `|x|`, with infinities and NaN read as the largest finite number: what blow-ups are told by.
    Magnitude "magnitude x" {
        value: |x| if x.is_finite() { x.abs() } else { f64::MAX }, derivative: |_, _, _| None,
        slope: |_, _| 0.0,
        spread: Spread::Even, ulp: 0.0, wgsl: "magnitude($)",
        lane32: math::magnitude,
        lane64: |x: f64| f64::from_bits((x.to_bits() & 0x7fff_ffff_ffff_ffff).min(0x7fef_ffff_ffff_ffff)), cost: 1,
    }
}

fn reciprocal_root(g: &mut Graph, x: NodeId, sign: f64) -> NodeId {
    let (one, sign) = (g.constant(1.0), g.constant(sign));
    let square = g.binary(Binary::Mul, x, x);
    let rest = g.binary(Binary::Sub, one, square);
    let root = g.unary(Unary::Sqrt, rest);
    g.binary(Binary::Div, sign, root)
}

macro_rules! binary_operators {
    ($($(#[$doc:meta])* $variant:ident $name:literal {
        value: $value:expr, ulp: $ulp:expr, wgsl: $wgsl:literal, lane32: $lane32:expr, lane64: $lane64:expr,
        boolean: $boolean:expr, cost: $cost:expr $(,)?
    })*) => {
        /// Operators of two arguments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Binary { $($(#[$doc])* $variant),* }

        impl Binary {
            /// Every row of the table.
            pub const ALL: &[Binary] = &[$(Binary::$variant),*];

            /// The operator as it is written.
            pub fn name(self) -> &'static str { match self { $(Binary::$variant => $name),* } }

            /// The value in `f64`.
            #[inline]
            pub fn value(self, a: f64, b: f64) -> f64 {
                match self { $(Binary::$variant => { let f: fn(f64, f64) -> f64 = $value; f(a, b) }),* }
            }

            /// Error of the `f32` implementation, ulp.
            pub fn ulp(self) -> f64 { match self { $(Binary::$variant => $ulp),* } }

            /// WGSL text with `$` and `@` for the arguments.
            pub fn wgsl(self) -> &'static str { match self { $(Binary::$variant => $wgsl),* } }

            /// Whether the value is a truth value.
            pub fn is_boolean(self) -> bool { match self { $(Binary::$variant => $boolean),* } }

            /// Rough cost in multiplications.
            pub fn cost(self) -> u32 { match self { $(Binary::$variant => $cost),* } }

            /// Calls `with` with this operator's lane function in single precision, so that the caller's loop is compiled for each.
            #[inline(always)]
            pub(crate) fn lanes32<R: Single, L: LaneLoop<f32>>(self, with: L) {
                match self {
                    $(Binary::$variant => with.run(
                        #[inline(always)]
                        |a: f32, b: f32| ($lane32)(R::from_number(a), R::from_number(b)).number()
                    )),*
                }
            }

            /// Applies the operator to two numbers of any kind: the function that `lanes32` gives out.
            #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only machine code is recorded"))]
            pub(crate) fn apply<R: Real>(self, a: R, b: R) -> R {
                match self { $(Binary::$variant => ($lane32)(a, b)),* }
            }

            /// Calls `with` with this operator's `f64` lane function.
            #[inline(always)]
            pub(crate) fn lanes64<L: LaneLoop<f64>>(self, with: L) {
                match self { $(Binary::$variant => with.run($lane64)),* }
            }
        }
    };
}

/// A loop over lanes that is given the operator's function as a type, and so is compiled once for each operator.
pub(crate) trait LaneLoop<F> {
    /// Runs the loop.
    fn run(self, f: impl Fn(F, F) -> F + Copy);
}

const fn truth64(b: bool) -> f64 {
    if b { 1.0 } else { 0.0 }
}

binary_operators! {
    /// `a + b`
    Add "+" { value: |a, b| a + b, ulp: 0.5, wgsl: "($ + @)", lane32: math::add,
        lane64: |a: f64, b: f64| a + b, boolean: false, cost: 1 }
    /// `a - b`
    Sub "-" { value: |a, b| a - b, ulp: 0.5, wgsl: "($ - @)", lane32: math::sub,
        lane64: |a: f64, b: f64| a - b, boolean: false, cost: 1 }
    /// `a * b`
    Mul "*" { value: |a, b| a * b, ulp: 0.5, wgsl: "($ * @)", lane32: math::mul,
        lane64: |a: f64, b: f64| a * b, boolean: false, cost: 1 }
    /// `a / b`
    Div "/" { value: |a, b| a / b, ulp: 2.5, wgsl: "($ / @)", lane32: math::div,
        lane64: |a: f64, b: f64| a / b, boolean: false, cost: 6 }
    /// The smaller.
    Min "min" { value: |a, b| if b < a { b } else { a }, ulp: 0.0, wgsl: "min($, @)",
        lane32: math::min,
        lane64: |a: f64, b: f64| if b < a { b } else { a }, boolean: false, cost: 1 }
    /// The larger.
    Max "max" { value: |a, b| if b > a { b } else { a }, ulp: 0.0, wgsl: "max($, @)",
        lane32: math::max,
        lane64: |a: f64, b: f64| if b > a { b } else { a }, boolean: false, cost: 1 }
    /// `a ^ b`; for a negative `a` the exponent must be an integer.
    Pow "^" { value: math64::pow, ulp: 1.5, wgsl: "m_pow($, @)", lane32: math::pow, lane64: math64::pow,
        boolean: false, cost: 50 }
    /// The angle of the point (b, a).
    Atan2 "atan2" { value: f64::atan2, ulp: 5.0, wgsl: "m_atan2($, @)", lane32: math::atan2, lane64: math64::atan2,
        boolean: false, cost: 40 }
    /// `a < b`
    Less "<" { value: |a, b| truth64(a < b), ulp: 0.0, wgsl: "($ < @)", lane32: math::less,
        lane64: |a: f64, b: f64| truth64(a < b), boolean: true, cost: 1 }
    /// `a <= b`
    LessEqual "<=" { value: |a, b| truth64(a <= b), ulp: 0.0, wgsl: "($ <= @)",
        lane32: math::less_equal, lane64: |a: f64, b: f64| truth64(a <= b), boolean: true, cost: 1 }
    /// `a == b`
    Equal "==" { value: |a, b| truth64(a == b), ulp: 0.0, wgsl: "($ == @)",
        lane32: math::equal, lane64: |a: f64, b: f64| truth64(a == b), boolean: true, cost: 1 }
    /// `a != b`
    NotEqual "!=" { value: |a, b| truth64(a != b), ulp: 0.0, wgsl: "($ != @)",
        lane32: math::not_equal, lane64: |a: f64, b: f64| truth64(a != b), boolean: true, cost: 1 }
    /// `a and b`
    And "and" { value: |a, b| truth64(a != 0.0 && b != 0.0), ulp: 0.0, wgsl: "($ && @)",
        lane32: math::and, lane64: |a: f64, b: f64| a * b, boolean: true, cost: 1 }
    /// `a or b`
    Or "or" { value: |a, b| truth64(a != 0.0 || b != 0.0), ulp: 0.0, wgsl: "($ || @)",
        lane32: math::or, lane64: |a: f64, b: f64| if b > a { b } else { a },
        boolean: true, cost: 1 }
}
