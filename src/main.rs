//! Catchment.
fn main() {}
