//! Optimizers and surfaces as plain scalar code, written from their papers and not through the compiler, so that the
//! compiler has something to disagree with.
#![allow(dead_code, reason = "each test uses the part that it needs")]
#![allow(clippy::needless_range_loop, reason = "indices as in the papers' formulas")]

pub mod optimizers;
pub mod surfaces;
pub mod transforms;
