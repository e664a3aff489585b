//! An image of pixels as a part of a picture.

use super::Color;
use std::sync::Arc;

/// Pixels, row by row from the upper left.
#[derive(Clone, Debug, PartialEq)]
pub struct Raster {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Arc<[Color]>,
}

impl Raster {
    /// An image of `width` × `height` pixels; `color` says each by its column and row.
    pub fn new(width: u32, height: u32, mut color: impl FnMut(u32, u32) -> Color) -> Raster {
        let mut pixels = Vec::with_capacity(width as usize * height as usize);
        for row in 0..height {
            pixels.extend((0..width).map(|column| color(column, row)));
        }
        Raster { width, height, pixels: pixels.into() }
    }

    /// The colour of a pixel.
    pub fn at(&self, column: u32, row: u32) -> Color {
        self.pixels[row as usize * self.width as usize + column as usize]
    }

    /// The mean colour of what lies under pixel (`column`, `row`) of the same image at another size; opacity 0 where all of it is
    /// see-through.
    pub(super) fn resampled(&self, column: u32, row: u32, [width, height]: [u32; 2]) -> Color {
        let part = |i: u32, n: u32, own: u32| {
            let from = u64::from(i) * u64::from(own) / u64::from(n);
            let to = ((u64::from(i) + 1) * u64::from(own) / u64::from(n)).clamp(from + 1, u64::from(own));
            from as u32..to as u32
        };
        let (columns, rows) = (part(column, width, self.width), part(row, height, self.height));
        if columns.len() == 1 && rows.len() == 1 {
            return self.at(columns.start, rows.start);
        }
        let (mut sum, mut opacity, mut count) = ([0u32; 3], 0u32, 0u32);
        for row in rows {
            for column in columns.clone() {
                let c = self.at(column, row);
                let weight = u32::from(c.opacity);
                [c.red, c.green, c.blue].iter().zip(&mut sum).for_each(|(&v, sum)| *sum += u32::from(v) * weight);
                (opacity, count) = (opacity + weight, count + 1);
            }
        }
        let mean = |v: u32| ((v + opacity / 2) / opacity.max(1)) as u8;
        let [red, green, blue] = sum.map(mean);
        Color { red, green, blue, opacity: (opacity / count.max(1)) as u8 }
    }

    /// The mean of each `by` × `by` pixels.
    pub fn reduced(&self, by: u32) -> Raster {
        let size = [(self.width / by.max(1)).max(1), (self.height / by.max(1)).max(1)];
        Raster::new(size[0], size[1], |column, row| self.resampled(column, row, size))
    }
}

#[cfg(test)]
mod tests {
    use super::super::color::{BLACK, WHITE};
    use super::*;

    #[test]
    fn pixels_keep_their_places_at_any_size() {
        let checks = Raster::new(4, 2, |column, row| if (column + row) % 2 == 0 { WHITE } else { BLACK });
        assert_eq!(checks.resampled(6, 3, [8, 4]), checks.at(3, 1));
        let grey = checks.reduced(2);
        assert_eq!((grey.width, grey.height), (2, 1));
        let c = grey.at(0, 0);
        assert!(c.red.abs_diff(144) <= 1 && c.opacity == 255, "{c:?}");
        let clear = Raster::new(2, 2, |_, _| BLACK.with_opacity(0)).reduced(2);
        assert_eq!(clear.at(0, 0).opacity, 0);
    }
}
