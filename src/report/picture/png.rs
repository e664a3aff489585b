//! Pictures as pixels.

use super::{Anchor, Color, Picture, PictureError, Raster, Shape, font};
use tiny_skia::{
    FillRule, LineJoin, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8, Rect, Stroke, StrokeDash, Transform,
};

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
        Shape::Polygon { points, color } => {
            let mut path = PathBuilder::new();
            for (i, [x, y]) in points.iter().enumerate() {
                if i == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
            }
            path.close();
            if let Some(path) = path.finish() {
                fill(pixmap, &path, *color, scale);
            }
        }
        Shape::Image { at, size, raster } => image(pixmap, *at, *size, raster, scale.sx),
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

/// Lays an image over the pixels, its corner and sides rounded to whole ones.
fn image(pixmap: &mut Pixmap, at: [f32; 2], size: [f32; 2], raster: &Raster, scale: f32) {
    let whole = |v: f32| (f64::from(v) * f64::from(scale)).round();
    let (corner, sides) = (at.map(whole), size.map(|v| whole(v).max(1.0) as u32));
    let [width, height] = [i64::from(pixmap.width()), i64::from(pixmap.height())];
    let pixels = pixmap.pixels_mut();
    for row in 0..sides[1] {
        let y = corner[1] as i64 + i64::from(row);
        for column in 0..sides[0] {
            let x = corner[0] as i64 + i64::from(column);
            if !(0..width).contains(&x) || !(0..height).contains(&y) {
                continue;
            }
            let above = raster.resampled(column, row, sides);
            let below = &mut pixels[(y * width + x) as usize];
            let over = |a: u8, b: u8| {
                let part = u32::from(above.opacity);
                ((u32::from(a) * part + u32::from(b) * (255 - part) + 127) / 255) as u8
            };
            // Below is opaque: every picture begins with white.
            let [red, green, blue] =
                [over(above.red, below.red()), over(above.green, below.green()), over(above.blue, below.blue())];
            if let Some(mixed) = PremultipliedColorU8::from_rgba(red, green, blue, 255) {
                *below = mixed;
            }
        }
    }
}

/// An image alone as a PNG file.
pub(super) fn packed(raster: &Raster) -> Result<Vec<u8>, PictureError> {
    let (width, height) = (raster.width, raster.height);
    let mut pixmap = Pixmap::new(width, height).ok_or(PictureError::Size { width, height })?;
    for (to, &Color { red, green, blue, opacity }) in pixmap.pixels_mut().iter_mut().zip(raster.pixels.iter()) {
        *to = tiny_skia::ColorU8::from_rgba(red, green, blue, opacity).premultiply();
    }
    pixmap.encode_png().map_err(|e| PictureError::Encode { source: e.into() })
}

fn fill(pixmap: &mut Pixmap, path: &Path, color: Color, place: Transform) {
    pixmap.fill_path(path, &paint(color), FillRule::Winding, place, None);
}

fn paint(color: Color) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(color.red, color.green, color.blue, color.opacity);
    paint
}
