//! The built-in surfaces and optimizers: the files of `catalog/`, by name.

use crate::error::Error;
use crate::language::nearest;

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

/// Names of all surfaces, in alphabetical order.
pub fn surfaces() -> impl Iterator<Item = &'static str> {
    SURFACES.iter().map(|s| s.0)
}

/// Names of all optimizers, update rules and transforms, in alphabetical order.
pub fn optimizers() -> impl Iterator<Item = &'static str> {
    OPTIMIZERS.iter().map(|s| s.0)
}

/// The text of a surface; `-` and `_` are the same.
///
/// # Errors
/// [`Error::UnknownSurface`] with the nearest name.
pub fn surface_text(name: &str) -> Result<(&'static str, &'static str), Error> {
    find(SURFACES, name)
        .ok_or_else(|| Error::UnknownSurface { name: name.to_owned(), nearest: nearest(name, surfaces()) })
}

/// The text of an optimizer; `-` and `_` are the same.
///
/// # Errors
/// [`Error::UnknownOptimizer`] with the nearest name.
pub fn optimizer_text(name: &str) -> Result<(&'static str, &'static str), Error> {
    find(OPTIMIZERS, name)
        .ok_or_else(|| Error::UnknownOptimizer { name: name.to_owned(), nearest: nearest(name, optimizers()) })
}

fn find(table: &'static [(&str, &str)], name: &str) -> Option<(&'static str, &'static str)> {
    let name = name.replace('-', "_").to_lowercase();
    table.iter().find(|s| s.0 == name).copied()
}
