//! Pictures: lines, dots, areas, images and words at places, written as SVG or PNG without any font of the system.
//!
//! ```
//! use catchment::report::picture::{Chart, Panel, Series, color};
//! let mut panel = Panel::new("t", "y");
//! panel.add(Series::points("data", &[0.0, 1.0, 2.0], &[1.0, 3.0, 2.0], color::BLUE));
//! let picture = Chart::new("Three points").panel(panel, 1.0).draw();
//! assert!(picture.svg().starts_with("<svg"));
//! ```

mod axis;
mod chart;
mod clip;
pub mod color;
pub mod colormap;
mod fit;
mod font;
mod grid;
pub mod map;
mod minima;
pub mod plots;
mod png;
mod raster;
mod survey;
mod svg;

pub use axis::{Axis, Scale, Ticks};
pub(crate) use chart::Mark;
pub use chart::{Chart, Panel, Series};
pub use color::Color;
pub use fit::FitView;
pub use grid::grid;
pub use minima::minima;
pub use raster::Raster;
pub use survey::{spectra, survey};

use std::path::Path;

/// The form of a picture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureFormat {
    /// Pixels.
    Png,
    /// Lines and words.
    Svg,
}

impl PictureFormat {
    /// By the file's extension: `.png` or `.svg`.
    pub fn of(path: &Path) -> Option<PictureFormat> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "png" => Some(PictureFormat::Png),
            "svg" => Some(PictureFormat::Svg),
            _ => None,
        }
    }
}

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// More pixels than there is memory for, or none.
    #[error("a picture of {width} × {height} pixels cannot be made")]
    Size {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
    },
    /// The pixels could not be packed.
    #[error("the picture cannot be packed: {source}")]
    Encode {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Which part of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its begin.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A thing in a picture; places count from the upper left corner, x to the right and y down.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Line { points: Vec<[f32; 2]>, color: Color, width: f32, dash: bool },
    Dots { at: Vec<[f32; 2]>, radius: f32, color: Color },
    Box { at: [f32; 2], size: [f32; 2], color: Color },
    Text { at: [f32; 2], size: f32, anchor: Anchor, upward: bool, color: Color, text: String },
    Polygon { points: Vec<[f32; 2]>, color: Color },
    Image { at: [f32; 2], size: [f32; 2], raster: Raster },
}

/// A picture: shapes, the later above the earlier, on white.
#[derive(Clone, Debug)]
pub struct Picture {
    pub(crate) width: f32,
    pub(crate) height: f32,
    pub(crate) shapes: Vec<Shape>,
    scale: f32,
}

impl Picture {
    /// An empty picture of this size in units; a unit is a pixel of SVG.
    pub fn new(width: f32, height: f32) -> Picture {
        Picture { width, height, shapes: Vec::new(), scale: 2.0 }
    }

    /// With another number of pixels a unit in PNG files than 2.
    pub fn with_scale(mut self, scale: f32) -> Picture {
        self.scale = scale;
        self
    }

    /// Pixels a unit in PNG files.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// A line through all points, where there are two at least.
    pub fn line(&mut self, points: Vec<[f32; 2]>, color: Color, width: f32, dash: bool) {
        if points.len() > 1 {
            self.shapes.push(Shape::Line { points, color, width, dash });
        }
    }

    /// Round dots of one size. Of dots at the same half unit one is drawn.
    pub fn dots(&mut self, at: impl IntoIterator<Item = [f32; 2]>, radius: f32, color: Color) {
        let mut seen = std::collections::HashSet::new();
        let cell = |p: &[f32; 2]| p.map(|v| (2.0 * v).round() as i32);
        let at: Vec<[f32; 2]> = at.into_iter().filter(|p| seen.insert(cell(p))).collect();
        if !at.is_empty() {
            self.shapes.push(Shape::Dots { at, radius, color });
        }
    }

    /// A filled box.
    pub fn rectangle(&mut self, at: [f32; 2], size: [f32; 2], color: Color) {
        self.shapes.push(Shape::Box { at, size, color });
    }

    /// A filled area within a closed line through all points, where there are three at least.
    pub fn polygon(&mut self, points: Vec<[f32; 2]>, color: Color) {
        if points.len() > 2 {
            self.shapes.push(Shape::Polygon { points, color });
        }
    }

    /// An image, stretched over a box. Where a pixel of the file is as large as one of the image, it is copied as it is.
    pub fn image(&mut self, at: [f32; 2], size: [f32; 2], raster: Raster) {
        self.shapes.push(Shape::Image { at, size, raster });
    }

    /// A line of text, its baseline at `at`; `upward` turns it by a quarter.
    pub fn text(&mut self, at: [f32; 2], size: f32, anchor: Anchor, upward: bool, color: Color, text: &str) {
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if !text.trim().is_empty() {
            self.shapes.push(Shape::Text { at, size, anchor, upward, color, text });
        }
    }

    /// The picture as SVG text.
    pub fn svg(&self) -> String {
        svg::text(self)
    }

    /// The picture as a PNG file of `scale` pixels a unit.
    ///
    /// # Errors
    /// [`PictureError`], for a size that no memory holds.
    pub fn png(&self, scale: f32) -> Result<Vec<u8>, PictureError> {
        png::pixels(self, scale)?.encode_png().map_err(|e| PictureError::Encode { source: e.into() })
    }

    /// The bytes of a file; PNG at [`Picture::scale`] pixels a unit.
    ///
    /// # Errors
    /// As for [`Picture::png`].
    pub fn bytes(&self, format: PictureFormat) -> Result<Vec<u8>, PictureError> {
        match format {
            PictureFormat::Png => self.png(self.scale),
            PictureFormat::Svg => Ok(self.svg().into_bytes()),
        }
    }
}
