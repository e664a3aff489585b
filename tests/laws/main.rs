//! Laws: what holds for every row of the catalog, whichever engine runs it. No law names a surface or an optimizer.

#[path = "../support/mod.rs"]
mod support;

mod bits;
mod lowering;
mod moves;
mod statuses;
mod surfaces;
