//! Private pieces for the benchmarks in `benches/` and for tests; no part of the interface.

use crate::cpu::{Vectorised, Width, vectorised};
use crate::engine::Engine;
use crate::error::Error;
use crate::gpu::{GpuEngine, spread_text};
use crate::graph::Unary;
use crate::plan::Plan;

/// Applies an operator's lane code to a column, compiled for the widest vector instructions of this machine.
pub fn lane_math(op: Unary, a: &[f32], out: &mut [f32]) {
    struct Task<'a>(Unary, &'a [f32], &'a mut [f32]);
    impl Vectorised for Task<'_> {
        #[inline(always)]
        fn run(self) {
            self.0.lanes32(self.1, self.2);
        }
    }
    vectorised(Width::detect(), Task(op, a, out));
}

/// The best GPU, a software one included, that spreads restarts of `from` or more dimensions over workgroups of at most
/// `width` invocations, a power of two; `u32::MAX` dimensions spread none.
///
/// # Errors
/// [`Error::NoDevice`] or [`Error::Device`].
pub fn spreading_gpu(from: u32, width: u32) -> Result<Engine, Error> {
    Ok(Engine::of(Box::new(GpuEngine::best(true)?.spreading(from, width))))
}

/// Layout and shader of a plan as such an engine on hardware has them.
///
/// # Errors
/// As [`wgsl`](crate::wgsl).
pub fn spreading_wgsl(plan: &Plan, from: u32, width: u32) -> Result<(&'static str, String), Error> {
    spread_text(plan, from, width)
}
