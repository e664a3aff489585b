//! What the ends of many descents say about a surface: its critical points, how often each is reached, and what was missed.

mod catalogue;
mod conjugate;
mod coverage;
mod critical;
pub(crate) mod derivatives;
mod distinct;
mod escape;
pub(crate) mod lanczos;
mod minima;
mod polish;
mod probe;
mod stationary;

pub(crate) use catalogue::Exact;
pub use coverage::{Coverage, rarefaction};
pub use critical::{CriticalPoint, Kind};
pub use escape::{Escape, Escaped};
pub use minima::{Audit, Minima, Reached, Search};
pub use stationary::{Stationary, StationaryPoints};

use crate::random::Sampler;

/// Up to this dimension second derivatives are taken as whole matrices.
pub const FULL_DIM: usize = 200;

/// A start as the engines draw it, in `f64`.
fn start(sampler: &Sampler, restart: u64, dim: usize) -> Vec<f64> {
    let mut x = vec![0f32; dim];
    sampler.fill(restart, 1, &mut x);
    x.into_iter().map(f64::from).collect()
}
