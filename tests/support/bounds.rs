//! Tolerances from the formula itself, by a running error bound: `Bounded` of the library for `f32`, and [`Rounded`] here for
//! `f64`.

use catchment::graph::{Binary, Bounded, Dual, Graph, Inputs, NodeId, Scalar, Spread, Unary, evaluate};

/// A number with a bound of its error.
pub trait Running: Scalar {
    /// A number without error.
    fn exact(value: f64) -> Self;
    /// The bound; infinite where nothing can be said.
    fn error(self) -> f64;
}

impl Running for Bounded {
    fn exact(value: f64) -> Bounded {
        Bounded::exact(value)
    }
    fn error(self) -> f64 {
        self.error
    }
}

/// A value in `f64` and a bound of how far another correct `f64` evaluation may be from it: errors spread by twice the
/// derivative and by the ends of their interval, and every operation adds a few units in the last place.
#[derive(Clone, Copy, Debug)]
pub struct Rounded {
    value: f64,
    error: f64,
}

/// Half the spacing of `f64` around 1.
const UNIT: f64 = f64::EPSILON / 2.0;

impl Rounded {
    fn new(value: f64, spread: f64, ulp: f64) -> Rounded {
        let error = spread + if ulp > 0.0 { 4.0 * ulp.max(1.0) * UNIT * (value.abs() + spread) + 1e-300 } else { 0.0 };
        Rounded { value, error: if error.is_nan() { f64::INFINITY } else { error } }
    }

    fn dual(self, slope: f64) -> Dual {
        Dual { value: self.value, slope }
    }
}

impl Running for Rounded {
    fn exact(value: f64) -> Rounded {
        Rounded { value, error: 0.0 }
    }
    fn error(self) -> f64 {
        self.error
    }
}

impl Scalar for Rounded {
    fn constant(value: f64) -> Rounded {
        // A constant of many digits may be folded in another order; a short one is what was written.
        let short = f64::from(value as f32) == value;
        Rounded { value, error: if short { 0.0 } else { 2.0 * UNIT * value.abs() } }
    }

    fn unary(op: Unary, a: Rounded) -> Rounded {
        let (x, e, y) = (a.value, a.error, op.value(a.value));
        if e == 0.0 {
            return Rounded::new(y, 0.0, op.ulp());
        }
        let low = if matches!(op, Unary::Sqrt | Unary::Log) { (x - e).max(0.0) } else { x - e };
        let ends = (op.value(x + e) - y).abs().max((op.value(low) - y).abs());
        let slope = 2.0 * Dual::unary(op, a.dual(1.0)).slope.abs() * e;
        let spread = match op.spread() {
            Spread::Smooth { second, .. } => slope + second * e * e,
            Spread::Even if x.abs() < e => ends.max((op.value(0.0) - y).abs()),
            Spread::Monotone | Spread::Even => ends.max(slope),
            Spread::Poles if e < 0.1 && op.value(x - e) <= op.value(x + e) => ends.max(slope),
            Spread::Poles => f64::INFINITY,
            Spread::Steps if ends == 0.0 => 0.0,
            Spread::Steps => f64::INFINITY,
        };
        Rounded::new(y, spread, op.ulp())
    }

    fn binary(op: Binary, a: Rounded, b: Rounded) -> Rounded {
        let value = op.value(a.value, b.value);
        let spread = match op {
            Binary::Min | Binary::Max => a.error.max(b.error),
            Binary::Less | Binary::LessEqual | Binary::Equal | Binary::NotEqual => {
                let undecided = (a.value - b.value).abs() <= a.error + b.error && a.error + b.error > 0.0;
                if undecided { f64::INFINITY } else { 0.0 }
            }
            Binary::And | Binary::Or => a.error.max(b.error),
            Binary::Div if b.value.abs() <= 2.0 * b.error => f64::INFINITY,
            _ => {
                // Twice the first order; the second where a factor is smaller than its error.
                let partial = |a, b| Dual::binary(op, a, b).slope.abs();
                let first = |partial: f64, error: f64| if error == 0.0 { 0.0 } else { 2.0 * partial * error };
                let by_a = first(partial(a.dual(1.0), b.dual(0.0)), a.error);
                let by_b = first(partial(a.dual(0.0), b.dual(1.0)), b.error);
                let corner = op.value(a.value + a.error, b.value + b.error) - value;
                let corner = if a.error + b.error > 0.0 { corner.abs() } else { 0.0 };
                by_a + by_b + corner
            }
        };
        Rounded::new(value, spread, op.ulp() * if op == Binary::Pow { 2.0 } else { 1.0 })
    }

    fn select(condition: Rounded, a: Rounded, b: Rounded) -> Rounded {
        let taken = if condition.value != 0.0 { a } else { b };
        Rounded { value: taken.value, error: if condition.error == 0.0 { taken.error } else { f64::INFINITY } }
    }

    /// For every order of the terms.
    fn sum(items: &[Rounded]) -> Rounded {
        let value: f64 = items.iter().map(|i| i.value).sum();
        let spread: f64 =
            items.iter().map(|i| i.error + items.len() as f64 * 2.0 * UNIT * (i.value.abs() + i.error)).sum();
        Rounded::new(value, spread, 0.0)
    }

    fn value(self) -> f64 {
        self.value
    }
}

/// Roots of a graph over the parameters alone, each with its error bound.
pub fn bounded<S: Running>(graph: &Graph, roots: &[NodeId], x: &[f64]) -> Vec<Vec<S>> {
    let x: Vec<S> = x.iter().map(|&v| S::exact(v)).collect();
    evaluate(graph, roots, &Inputs { x: &x, ..Inputs::default() })
}

/// Element `i` of a root, a lone element standing for all.
pub fn element<S: Copy>(values: &[S], i: usize) -> S {
    values[if values.len() == 1 { 0 } else { i }]
}
