//! The one font: outlines and widths, from the file that is part of the program (`assets/fonts/README.md`).

use std::sync::OnceLock;
use tiny_skia::{Path, PathBuilder, Transform};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// What is drawn for a character that the font lacks.
const UNKNOWN: char = '?';

fn face() -> Option<&'static Face<'static>> {
    static FACE: OnceLock<Option<Face<'static>>> = OnceLock::new();
    FACE.get_or_init(|| Face::parse(include_bytes!("../../../assets/fonts/DejaVuSans-subset.ttf"), 0).ok()).as_ref()
}

fn glyph(face: &Face<'_>, c: char) -> Option<GlyphId> {
    face.glyph_index(c).or_else(|| face.glyph_index(UNKNOWN))
}

/// How wide a text is, in units, at a size in units.
pub(super) fn width(text: &str, size: f32) -> f32 {
    let Some(face) = face() else { return 0.6 * size * text.chars().count() as f32 };
    let advance = |c| glyph(face, c).and_then(|g| face.glyph_hor_advance(g)).unwrap_or(0);
    text.chars().map(advance).map(f32::from).sum::<f32>() * size / f32::from(face.units_per_em())
}

/// The outline of a text that begins at the origin, y down; none for blanks.
pub(super) fn outline(text: &str, size: f32) -> Option<Path> {
    let face = face()?;
    let scale = size / f32::from(face.units_per_em());
    let (mut path, mut x) = (PathBuilder::new(), 0.0);
    for c in text.chars() {
        let Some(glyph) = glyph(face, c) else { continue };
        let mut pen = Pen(PathBuilder::new());
        face.outline_glyph(glyph, &mut pen);
        let placed = Transform::from_row(scale, 0.0, 0.0, -scale, x, 0.0);
        if let Some(drawn) = pen.0.finish().and_then(|drawn| drawn.transform(placed)) {
            path.push_path(&drawn);
        }
        x += f32::from(face.glyph_hor_advance(glyph).unwrap_or(0)) * scale;
    }
    path.finish()
}

struct Pen(PathBuilder);

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }
    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }
    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }
    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }
    fn close(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_what_axes_say() {
        let face = face().expect("the font is part of the program");
        for c in "AZaz09 äéαβσΩ−×·²⁻⁹₀≤≈…–".chars() {
            assert!(face.glyph_index(c).is_some(), "{c}");
        }
        assert!((width("10", 10.0) - 2.0 * width("0", 10.0)).abs() < 1e-3);
        assert!(outline("x", 10.0).is_some() && outline(" ", 10.0).is_none() && outline("漢", 10.0).is_some());
    }
}
