//! The CPU engine: the kernel as a tape over blocks of restarts.

mod engine;
mod lane;
pub(crate) mod math;
pub(crate) mod math64;
mod run;
mod tape;

pub(crate) use engine::{CpuEngine, KERNEL_LIMIT, LANES_MOST, STRAIGHT_LIMIT, lanes_for, with_large_stack};
pub(crate) use lane::{CHUNK, Width};
pub(crate) use run::{Block, Given, Output, TableRows, run};
pub(crate) use tape::{Tape, compile};
