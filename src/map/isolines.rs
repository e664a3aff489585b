//! Lines of equal value by marching squares (Lorensen & Cline 1987, in the plane), joined end to end.
//!
//! ```
//! use catchment::map::{Field, isolines};
//! let field = Field { width: 3, height: 3, values: vec![0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0] };
//! let lines = isolines(&field, 0.5);
//! assert_eq!((lines.len(), lines[0].len(), lines[0].first() == lines[0].last()), (1, 5, true));
//! ```

use super::Field;
use std::collections::HashMap;

/// Polylines along which the field, linear between the middles of its pixels, has this value. Places are parts of the
/// width and height, from the upper left corner. Squares with a corner that is not finite have none.
pub fn isolines(field: &Field, level: f64) -> Vec<Vec<[f64; 2]>> {
    let (width, height) = (field.width as usize, field.height as usize);
    // An edge is the number of its left or upper pixel, twice, and whether it goes down.
    let mut links: HashMap<usize, [Option<usize>; 2]> = HashMap::new();
    let mut order = Vec::new();
    let mut join = |a: usize, b: usize| {
        for (from, to) in [(a, b), (b, a)] {
            let ends = links.entry(from).or_insert_with(|| {
                order.push(from);
                [None; 2]
            });
            // An edge belongs to two squares, and each gives it one neighbour.
            *if ends[0].is_none() { &mut ends[0] } else { &mut ends[1] } = Some(to);
        }
    };
    for row in 0..height.saturating_sub(1) {
        for column in 0..width.saturating_sub(1) {
            let pixel = row * width + column;
            let corners = [pixel, pixel + 1, pixel + width + 1, pixel + width].map(|p| field.values[p]);
            if corners.iter().any(|v| !v.is_finite()) {
                continue;
            }
            let above = corners.map(|v| v >= level);
            let [top, right, bottom, left] = [2 * pixel, 2 * (pixel + 1) + 1, 2 * (pixel + width), 2 * pixel + 1];
            let edges = [top, right, bottom, left];
            let cut: Vec<usize> = (0..4).filter(|&k| above[k] != above[(k + 1) % 4]).map(|k| edges[k]).collect();
            match cut[..] {
                [a, b] => join(a, b),
                [..] if cut.len() == 4 => {
                    // A saddle: the middle says which corners hang together.
                    let middle = corners.iter().sum::<f64>() / 4.0 >= level;
                    let pairs = if middle == above[0] {
                        [[top, right], [bottom, left]]
                    } else {
                        [[top, left], [right, bottom]]
                    };
                    pairs.iter().for_each(|&[a, b]| join(a, b));
                }
                _ => {}
            }
        }
    }
    let place = |edge: usize| {
        let (pixel, down) = (edge / 2, edge % 2 == 1);
        let (a, b) = (field.values[pixel], field.values[if down { pixel + width } else { pixel + 1 }]);
        let part = if a == b { 0.5 } else { ((level - a) / (b - a)).clamp(0.0, 1.0) };
        let (x, y) = ((pixel % width) as f64 + 0.5, (pixel / width) as f64 + 0.5);
        let (x, y) = if down { (x, y + part) } else { (x + part, y) };
        [x / width as f64, y / height as f64]
    };
    let mut lines = Vec::new();
    // Open lines begin at an end; what is left after them is closed.
    for closed in [false, true] {
        for &first in &order {
            let Some(ends) = links.get(&first) else { continue };
            if !closed && ends[1].is_some() {
                continue;
            }
            let mut line = vec![place(first)];
            let mut here = first;
            while let Some(ends) = links.remove(&here) {
                let Some(next) = ends.into_iter().flatten().find(|next| links.contains_key(next)) else {
                    if closed {
                        line.push(place(first));
                    }
                    break;
                };
                line.push(place(next));
                here = next;
            }
            lines.push(line);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_one_closed_line_of_its_radius() {
        let n = 101u32;
        let at = |i: u32| (f64::from(i) + 0.5) / f64::from(n) - 0.5;
        let values = (0..n * n).map(|i| at(i % n).powi(2) + at(i / n).powi(2)).collect();
        let lines = isolines(&Field { width: n, height: n, values }, 0.09);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        for [x, y] in &lines[0] {
            assert!(((x - 0.5).hypot(y - 0.5) - 0.3).abs() < 1e-3, "{x} {y}");
        }
    }

    #[test]
    fn lines_end_at_borders_and_holes() {
        let n = 10u32;
        let mut values: Vec<f64> = (0..n * n).map(|i| f64::from(i % n)).collect();
        let straight = isolines(&Field { width: n, height: n, values: values.clone() }, 4.5);
        assert_eq!((straight.len(), straight[0].len()), (1, 10));
        values[54] = f64::NAN;
        let cut = isolines(&Field { width: n, height: n, values }, 4.5);
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [5, 4]);
        let saddle = Field { width: 2, height: 2, values: vec![1.0, 0.0, 0.0, 1.0] };
        assert_eq!(isolines(&saddle, 0.5).len(), 2);
    }
}
