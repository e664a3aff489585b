//! Several pictures in one, side by side in rows of two.

use super::color::{BLACK, GREY};
use super::{Anchor, Picture, Shape};

/// Room above for a heading.
const HEADING: f32 = 64.0;

/// Pictures in two columns below a title and a line of smaller words; a single one takes the whole width of its own.
pub fn grid(title: &str, subtitle: &str, pictures: &[Picture]) -> Picture {
    let columns = pictures.len().clamp(1, 2);
    let cell = pictures.iter().fold([0f32; 2], |[w, h], p| [w.max(p.width), h.max(p.height)]);
    let rows = pictures.len().div_ceil(columns).max(1);
    let mut all = Picture::new(cell[0].max(320.0) * columns as f32, HEADING + cell[1] * rows as f32);
    all.text([24.0, 34.0], 20.0, Anchor::Start, false, BLACK, title);
    all.text([24.0, 57.0], 13.0, Anchor::Start, false, GREY, subtitle);
    for (i, picture) in pictures.iter().enumerate() {
        let at = [(i % columns) as f32 * cell[0], HEADING + (i / columns) as f32 * cell[1]];
        all.shapes.extend(picture.shapes.iter().map(|shape| moved(shape, at)));
    }
    all
}

/// The same shape elsewhere.
fn moved(shape: &Shape, by: [f32; 2]) -> Shape {
    let to = |p: &[f32; 2]| [p[0] + by[0], p[1] + by[1]];
    let mut shape = shape.clone();
    match &mut shape {
        Shape::Line { points, .. } | Shape::Polygon { points, .. } => points.iter_mut().for_each(|p| *p = to(p)),
        Shape::Dots { at, .. } => at.iter_mut().for_each(|p| *p = to(p)),
        Shape::Box { at, .. } | Shape::Text { at, .. } | Shape::Image { at, .. } => *at = to(at),
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::super::color::BLUE;
    use super::*;

    #[test]
    fn pictures_stand_side_by_side() {
        let mut one = Picture::new(400.0, 300.0);
        one.rectangle([10.0, 20.0], [5.0, 5.0], BLUE);
        let all = grid("t", "", &[one.clone(), one.clone(), one]);
        assert_eq!((all.width, all.height), (800.0, HEADING + 600.0));
        let boxes: Vec<[f32; 2]> =
            all.shapes.iter().filter_map(|s| if let Shape::Box { at, .. } = s { Some(*at) } else { None }).collect();
        assert_eq!(boxes, [[10.0, 20.0 + HEADING], [410.0, 20.0 + HEADING], [10.0, 320.0 + HEADING]]);
        assert!(grid("t", "s", &[]).png(1.0).is_ok());
    }
}
