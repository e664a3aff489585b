//! Pictures as pixels.

use super::{Anchor, Color, Picture, PictureError, Shape, font};
use tiny_skia::{FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform};

/// Pixels across or down at most.
const MOST: f32 = 16_384.0;

/// Draws at `scale` pixels a unit.
pub(super) fn pixels(picture: &Picture, scale: f32) -> Result<Pixmap, PictureError> {
    let side = |v: f32| if v.is_finite() && (1.0..=MOST).contains(&v) { v.round() as u32 } else { 0 };
    let (width, height) = (side(picture.width * scale), side(picture.height * scale));
    let mut pixmap = Pixmap::new(width, height).ok_or(PictureError::Size { width, height })?;
    pixmap.fill(tiny_skia::Color::WHITE);
    for shape in &picture.shapes {
        draw(&mut pixmap, shape, Transform::from_scale(scale, scale));
    }
    Ok(pixmap)
}

fn draw(pixmap: &mut Pixmap, shape: &Shape, scale: Transform) {
    match shape {
        Shape::Line { points, color, width, dash } => {
            let mut path = PathBuilder::new();
            for (i, [x, y]) in points.iter().enumerate() {
                if i == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
            }
            let dash = if *dash { StrokeDash::new(vec![5.0, 4.0], 0.0) } else { None };
            let stroke = Stroke { width: *width, line_join: LineJoin::Round, dash, ..Stroke::default() };
            if let Some(path) = path.finish() {
                pixmap.stroke_path(&path, &paint(*color), &stroke, scale, None);
            }
        }
        Shape::Dots { at, radius, color } => {
            // One at a time, so that see-through dots darken each other.
            let Some(dot) = PathBuilder::from_circle(0.0, 0.0, *radius) else { return };
            for [x, y] in at {
                fill(pixmap, &dot, *color, scale.pre_translate(*x, *y));
            }
        }
        Shape::Box { at: [x, y], size: [width, height], color } => {
            if let Some(area) = Rect::from_xywh(*x, *y, *width, *height) {
                pixmap.fill_rect(area, &paint(*color), scale, None);
            }
        }
        Shape::Text { at: [x, y], size, anchor, upward, color, text } => {
            let Some(path) = font::outline(text, *size) else { return };
            let before = font::width(text, *size)
                * match anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => 0.5,
                    Anchor::End => 1.0,
                };
            let turn = if *upward { Transform::from_rotate(-90.0) } else { Transform::identity() };
            let place = scale.pre_translate(*x, *y).pre_concat(turn).pre_translate(-before, 0.0);
            fill(pixmap, &path, *color, place);
        }
    }
}

fn fill(pixmap: &mut Pixmap, path: &Path, color: Color, place: Transform) {
    pixmap.fill_path(path, &paint(color), FillRule::Winding, place, None);
}

fn paint(color: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(color.red, color.green, color.blue, color.opacity);
    paint
}
