//! Tolerances from the formula itself: the running error bound of `Bounded`, for `f32` as it is and for `f64` scaled.

use catchment::graph::{Bounded, Graph, Inputs, NodeId, evaluate};

/// From a bound of an `f32` evaluation to one of an `f64` evaluation: every rounding is 2^-29 as large. The factor 8 is for
/// what is not linear, and for `f64` functions of a few ulp.
pub fn in_f64(error: f64, value: f64) -> f64 {
    8.0 * error / 536_870_912.0 + 1e-15 * value.abs() + 1e-300
}

/// Roots of a graph over the parameters alone, with their `f32` error bounds, each written out to `dim` elements where it
/// is a scalar that stands for a vector.
pub fn bounded(graph: &Graph, roots: &[NodeId], x: &[f64]) -> Vec<Vec<Bounded>> {
    let x: Vec<Bounded> = x.iter().map(|&v| Bounded::exact(v)).collect();
    evaluate(graph, roots, &Inputs { x: &x, ..Inputs::default() })
}

/// Element `i` of a root, a lone element standing for all.
pub fn element<S: Copy>(values: &[S], i: usize) -> S {
    values[if values.len() == 1 { 0 } else { i }]
}
