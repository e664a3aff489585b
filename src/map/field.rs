//! A surface's values over a plane, a number a pixel.

use super::{MapError, Plane, Watch};
use crate::engine::Engine;
use crate::error::Error;
use crate::plan::Precision;
use crate::surface::Surface;

/// Numbers over a rectangle, row by row from the upper left.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// One a pixel; not finite where the surface is not defined.
    pub values: Vec<f64>,
}

/// Points that are evaluated together.
const PIECE: usize = 1 << 18;

/// The values at the middles of `width` × `height` pixels.
///
/// # Errors
/// As [`Engine::evaluate`]; [`MapError::Size`]; [`MapError::NothingFinite`]; [`Error::Cancelled`] where `watch` says stop.
pub fn field(
    engine: &Engine,
    surface: &Surface,
    plane: &Plane,
    [width, height]: [u32; 2],
    precision: Precision,
    watch: &mut Watch<'_>,
) -> Result<Field, Error> {
    super::check_size(width.max(height), 1)?;
    let mut values = Vec::with_capacity(width as usize * height as usize);
    let band = (PIECE / (width as usize * plane.dim())).clamp(1, height as usize);
    let mut points = Vec::new();
    for first in (0..height).step_by(band) {
        points.clear();
        for row in first..(first + band as u32).min(height) {
            plane.row(row, [width, height], &mut points);
        }
        values.extend(engine.evaluate(surface, &points, precision)?.value);
        watch.tell(f64::from(first) / f64::from(height))?;
    }
    let field = Field { width, height, values };
    match field.lowest() {
        Some(_) => Ok(field),
        None => {
            let (surface, view) = (surface.label().to_owned(), format!("{}, {}", plane.x, plane.y));
            Err(MapError::NothingFinite { surface, view }.into())
        }
    }
}

impl Field {
    /// The value of a pixel.
    pub fn at(&self, column: u32, row: u32) -> f64 {
        self.values[row as usize * self.width as usize + column as usize]
    }

    /// The lowest finite value, and its column and row.
    pub fn lowest(&self) -> Option<(f64, u32, u32)> {
        let finite = self.values.iter().enumerate().filter(|(_, v)| v.is_finite());
        let (i, &value) = finite.min_by(|a, b| a.1.total_cmp(b.1))?;
        Some((value, (i % self.width as usize) as u32, (i / self.width as usize) as u32))
    }

    /// How many values are not finite.
    pub fn undefined(&self) -> u64 {
        self.values.iter().filter(|v| !v.is_finite()).count() as u64
    }

    /// At most `most` pixels a side, by leaving out pixels.
    pub fn thinned(&self, most: u32) -> Field {
        let every = self.width.max(self.height).div_ceil(most.max(1)).max(1);
        let pick = |n: u32| (every / 2..n).step_by(every as usize);
        let (width, height) = (pick(self.width).count() as u32, pick(self.height).count() as u32);
        let rows = pick(self.height);
        Field { width, height, values: rows.flat_map(|row| pick(self.width).map(move |c| self.at(c, row))).collect() }
    }
}
