//! Private pieces for the benchmarks in `benches/`; no part of the interface.

use crate::cpu::{Vectorised, Width, vectorised};
use crate::graph::Unary;

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
