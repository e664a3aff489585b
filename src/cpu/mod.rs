//! The CPU engine: the kernel as a tape over blocks of restarts.

mod cohort;
mod engine;
mod evaluator;
mod fit;
mod lane;
#[cfg(target_arch = "x86_64")]
mod machine;
mod marquardt;
pub(crate) mod math;
pub(crate) mod math64;
mod program;
mod real;
mod run;
mod tape;
mod tile;
mod vector;

pub(crate) use engine::{CpuEngine, KERNEL_LIMIT, LANES_MOST, lanes_for, lower, with_large_stack};
pub(crate) use evaluator::Evaluator;
pub(crate) use lane::{CHUNK, Width};
#[cfg(test)]
use real::FusedReal;
pub(crate) use real::{Real, Single, Truth, Word};
pub(crate) use run::{Block, Given, Output, run};
pub(crate) use tape::{Tape, compile};
pub(crate) use vector::{Vectorised, vectorised};
