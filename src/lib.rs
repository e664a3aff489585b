//! Catchment drops thousands to hundreds of millions of independent starts on a loss surface, lets each run downhill
//! under its own optimizer, and tells where they went.
#![warn(missing_docs)]

mod cpu;
pub mod graph;
pub mod kernel;
pub mod language;
pub mod random;
