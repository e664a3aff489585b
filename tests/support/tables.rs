//! Tables without meaning, and surfaces over them.

use catchment::{Given, Rows, Surface, SurfaceText};
use std::sync::Arc;

/// A table of numbers that f32 holds, between -1 and 1.
pub fn table(rows: usize, columns: usize) -> Rows {
    let number = |i: usize| {
        let word = (i as u32 + 7).wrapping_mul(0x9e37_79b9);
        f64::from(((word ^ (word >> 15)).wrapping_mul(0x85eb_ca6b) >> 8) as f32 / 8_388_608.0 - 1.0)
    };
    let all: Vec<Vec<f64>> = (0..columns).map(|c| (0..rows).map(|r| number(r * columns + c)).collect()).collect();
    Rows::from_columns(&all.iter().map(|c| &c[..]).collect::<Vec<_>>()).unwrap()
}

/// A surface over such a table, as wide as its `data` takes.
pub fn surface(name: &str, text: &str, rows: usize) -> Surface {
    let text = SurfaceText::parse(name, name, text).unwrap();
    let columns: u32 = text.data().unwrap().iter().map(|d| d.1.unwrap_or(1)).sum();
    let given = Given { rows: Some(Arc::new(table(rows, columns as usize))), ..Given::default() };
    text.with(given).at(None).unwrap()
}
