//! The CPU engine: the kernel as a tape over blocks of restarts.

pub(crate) mod math;
pub(crate) mod math64;
