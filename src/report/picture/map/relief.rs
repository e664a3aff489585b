//! A surface as a landscape: parallel projection, the nearest point of each pixel by a depth buffer, shaded by its slope.
//!
//! With azimuth `a` and elevation `e`, a point (u, v) of the square around the origin at height h is drawn at
//! `(u cos a - v sin a, h cos e + (u sin a + v cos a) sin e)` and is as far away as `(u sin a + v cos a) cos e - h sin e`.

use super::Words;
use super::contour::{Bands, legend};
use super::sheet::{Sheet, WORDS, axis};
use crate::map::{Field, Plane, Span, Tone};
use crate::report::picture::color::{BLACK, GREY, PALE, WHITE};
use crate::report::picture::colormap::{mix, sequential};
use crate::report::picture::{Anchor, Color, Picture, Raster};

/// Heights in parts of the square's side.
const HEIGHT: f64 = 0.62;
/// Points of the mesh a side, at most.
const MESH: u32 = 400;
const ELEVATION: f64 = 0.62;
/// Seen from a corner, turned a little so that no two edges fall together.
const AZIMUTH: f64 = 0.61;

/// A view of the landscape: the mesh turned so that its lower edges are in front.
struct Eye {
    /// Quarter turns.
    turns: usize,
    /// Where the square's corner stands, and how long a unit is, in parts of the sheet's square.
    shift: [f64; 2],
    scale: f64,
}

/// A shaded view of a field from above a corner; heights follow the shades of `tone`.
pub fn relief(words: &Words, plane: &Plane, field: &Field, tone: &Tone) -> Picture {
    let bands = Bands::new(tone);
    let mut sheet = Sheet::new(words, field.width, 34.0, 152.0);
    let eye = Eye::new(field, tone);
    eye.floor(&mut sheet);
    // Four samples a pixel, where that is no great picture.
    let over = if field.width <= 1100 { 2 } else { 1 };
    let pixels = field.width * over;
    sheet.fill(eye.draw(&field.thinned(MESH), &bands, pixels).reduced(over));
    eye.axes(&mut sheet, plane, tone, &bands);
    legend(&mut sheet, &bands, field, sequential, 0.0);
    sheet.picture
}

impl Eye {
    fn new(field: &Field, tone: &Tone) -> Eye {
        let shape = field.thinned(64);
        let height = |column: u32, row: u32| {
            let place = tone.place(shape.at(column, row));
            if place.is_nan() { 0.0 } else { place }
        };
        let (w, h) = (shape.width, shape.height);
        let mean = |edge: &dyn Fn(u32) -> f64, n: u32| (0..n).map(edge).sum::<f64>() / f64::from(n);
        // By edges: bottom, right, top, left.
        let edges = [
            mean(&|i| height(i, h - 1), w),
            mean(&|i| height(w - 1, i), h),
            mean(&|i| height(i, 0), w),
            mean(&|i| height(0, i), h),
        ];
        // With `turns` quarter turns the edges `turns` and `turns + 3` (modulo 4) are in front.
        let front = |turns: usize| edges[turns % 4] + edges[(turns + 3) % 4];
        // The plain view, where x grows to the right, unless another one hides clearly less.
        let best = (0..4).min_by(|&a, &b| front(a).total_cmp(&front(b))).unwrap_or(0);
        let turns = if front(best) < front(0) - 0.1 { best } else { 0 };
        let mut eye = Eye { turns, shift: [0.0, 0.0], scale: 1.0 };
        let corners = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        let all: Vec<[f64; 3]> =
            corners.iter().flat_map(|&[u, v]| [eye.project(u, v, 0.0), eye.project(u, v, 1.0)]).collect();
        let range = |i: usize| all.iter().fold((f64::MAX, f64::MIN), |(lo, hi), p| (lo.min(p[i]), hi.max(p[i])));
        let ((left, right), (low, high)) = (range(0), range(1));
        // Room for words around.
        eye.scale = 0.84 / (right - left).max(high - low);
        eye.shift = [0.52 - 0.5 * eye.scale * (left + right), 0.53 - 0.5 * eye.scale * (low + high)];
        eye
    }

    /// A point in parts of the sheet's square from its lower left corner, and how far away it is.
    fn project(&self, u: f64, v: f64, height: f64) -> [f64; 3] {
        let (mut x, mut y) = (u - 0.5, v - 0.5);
        for _ in 0..self.turns {
            (x, y) = (y, -x);
        }
        let (sin, cos) = AZIMUTH.sin_cos();
        let (across, deep) = (x * cos - y * sin, x * sin + y * cos);
        let (s, c) = ELEVATION.sin_cos();
        let up = (height - 0.5) * HEIGHT;
        let at = [across, up * c + deep * s];
        [self.shift[0] + self.scale * at[0], self.shift[1] + self.scale * at[1], deep * c - up * s]
    }

    fn place(&self, sheet: &Sheet, u: f64, v: f64, height: f64) -> [f32; 2] {
        let [x, y, _] = self.project(u, v, height);
        sheet.at([x, y])
    }

    /// The corners of the square, the nearest first, then around it.
    fn corners(&self) -> [[f64; 2]; 4] {
        let all = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        let near = (0..4).min_by(|&a, &b| {
            let far = |k: usize| self.project(all[k][0], all[k][1], 0.5)[2];
            far(a).total_cmp(&far(b))
        });
        let near = near.unwrap_or(0);
        [0, 1, 2, 3].map(|k| all[(near + k) % 4])
    }

    /// The floor, drawn before the landscape that hides it.
    fn floor(&self, sheet: &mut Sheet) {
        let corners = self.corners();
        let mut edge: Vec<[f32; 2]> = corners.iter().map(|&[u, v]| self.place(sheet, u, v, 0.0)).collect();
        edge.push(edge[0]);
        sheet.picture.line(edge, GREY, 1.0, false);
        let line = |sheet: &mut Sheet, a: [f64; 2], b: [f64; 2]| {
            let ends = vec![self.place(sheet, a[0], a[1], 0.0), self.place(sheet, b[0], b[1], 0.0)];
            sheet.picture.line(ends, PALE, 1.0, false);
        };
        for k in 1..5 {
            let t = f64::from(k) / 5.0;
            line(sheet, [t, 0.0], [t, 1.0]);
            line(sheet, [0.0, t], [1.0, t]);
        }
    }

    /// The landscape on a clear ground.
    fn draw(&self, mesh: &Field, bands: &Bands<'_>, pixels: u32) -> Raster {
        let (w, h) = (mesh.width as usize, mesh.height as usize);
        let heights: Vec<f64> = mesh.values.iter().map(|&v| bands.tone.place(v)).collect();
        let part = |i: usize, n: usize| (i as f64 + 0.5) / n as f64;
        let vertex = |column: usize, row: usize| {
            let [x, y, far] = self.project(part(column, w), 1.0 - part(row, h), heights[row * w + column]);
            [x * f64::from(pixels), (1.0 - y) * f64::from(pixels), far]
        };
        let side = pixels as usize;
        let mut buffer = vec![Color::new(255, 255, 255).with_opacity(0); side * side];
        let mut depth = vec![f64::INFINITY; side * side];
        for row in 0..h.saturating_sub(1) {
            for column in 0..w.saturating_sub(1) {
                let quad = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)];
                if quad.iter().any(|&(c, r)| heights[r * w + c].is_nan()) {
                    continue;
                }
                let corner = quad.map(|(c, r)| (vertex(c, r), mesh.values[r * w + c]));
                let height = |k: usize| heights[quad[k].1 * w + quad[k].0] * HEIGHT;
                // Slopes across and up, by which light from the upper left falls on it.
                let across = 0.5 * (height(1) + height(2) - height(0) - height(3)) * w as f64;
                let upward = 0.5 * (height(0) + height(1) - height(3) - height(2)) * h as f64;
                let light = self.light(across, upward);
                let on_line = |i: usize, n: usize| (i * MESH_LINES / n) != ((i + 1) * MESH_LINES / n);
                let mesh_line = on_line(column, w) || on_line(row, h);
                for triangle in [[0, 1, 2], [0, 2, 3]] {
                    let [a, b, c] = triangle.map(|k| corner[k]);
                    fill([a, b, c], side, &mut |pixel, far, value| {
                        if far < depth[pixel] {
                            depth[pixel] = far;
                            let color = sequential(bands.shade(value));
                            let shaded = match light {
                                l if l < 1.0 => mix(BLACK, color, l),
                                l => mix(color, Color::new(255, 255, 255), (l - 1.0).min(0.3)),
                            };
                            buffer[pixel] = if mesh_line { mix(shaded, BLACK, 0.22) } else { shaded };
                        }
                    });
                }
            }
        }
        Raster::new(pixels, pixels, |column, row| buffer[row as usize * side + column as usize])
    }

    /// How bright a slope is: 1 is its own colour.
    fn light(&self, across: f64, upward: f64) -> f64 {
        let (mut x, mut y) = (-across, -upward);
        for _ in 0..self.turns {
            (x, y) = (y, -x);
        }
        let length = (x * x + y * y + 1.0).sqrt();
        let sun = [-0.55, -0.25, 0.8];
        let falling = (x * sun[0] + y * sun[1] + sun[2]) / (length * 1.003);
        0.62 + 0.5 * falling.max(0.0)
    }

    /// Names and marks along the two near edges of the floor and up the corner on the left.
    fn axes(&self, sheet: &mut Sheet, plane: &Plane, tone: &Tone, bands: &Bands<'_>) {
        let [near, one, _, other] = self.corners();
        for end in [one, other] {
            let line = vec![self.place(sheet, near[0], near[1], 0.0), self.place(sheet, end[0], end[1], 0.0)];
            sheet.picture.line(line, GREY, 1.2, false);
            // Along x where the ends differ in u.
            let along_x = near[0] != end[0];
            let span: &Span = if along_x { &plane.x } else { &plane.y };
            let fixed = if along_x { near[1] } else { near[0] };
            let outward = if fixed < 0.5 { -1.0 } else { 1.0 };
            let at = |sheet: &Sheet, t: f64, out: f64| {
                let side = fixed + outward * out;
                if along_x { self.place(sheet, t, side, 0.0) } else { self.place(sheet, side, t, 0.0) }
            };
            let ticks = axis(span).ticks(6);
            let name_at = at(sheet, 0.5, 0.165);
            for (value, text) in &ticks.marks {
                let [from, to, words] = [0.0, 0.02, 0.06].map(|out| at(sheet, span.place(*value), out));
                sheet.picture.line(vec![from, to], GREY, 1.0, false);
                sheet.picture.text([words[0], words[1] + 5.0], WORDS - 1.0, Anchor::Middle, false, GREY, text);
            }
            let name =
                if ticks.factor.is_empty() { span.name.clone() } else { format!("{}  ({})", span.name, ticks.factor) };
            sheet.picture.text([name_at[0], name_at[1] + 5.0], WORDS + 1.0, Anchor::Middle, false, BLACK, &name);
        }
        // The corner that stands farthest to the left.
        let left = [near, one, other].into_iter().min_by(|a, b| {
            let x = |c: &[f64; 2]| self.project(c[0], c[1], 0.0)[0];
            x(a).total_cmp(&x(b))
        });
        let [u, v] = left.unwrap_or(near);
        let pole = vec![self.place(sheet, u, v, 0.0), self.place(sheet, u, v, 1.0)];
        let top = pole[1];
        sheet.picture.line(pole, GREY, 1.0, false);
        let mut last = f32::INFINITY;
        for (part, text) in bands.marks() {
            let [x, y] = self.place(sheet, u, v, part);
            if last - y < 30.0 {
                continue;
            }
            last = y;
            sheet.picture.line(vec![[x - 5.0, y], [x, y]], GREY, 1.0, false);
            sheet.picture.text([x - 8.0, y + 4.5], WORDS - 1.0, Anchor::End, false, GREY, &text);
        }
        let name = if tone.is_bent() { "value (height by its logarithm)" } else { "value" };
        let at = [(top[0] - 60.0).max(28.0), top[1] - 14.0];
        let area = [crate::report::picture::font::width(name, WORDS) + 8.0, WORDS + 6.0];
        sheet.picture.rectangle([at[0] - 4.0, at[1] - WORDS], area, WHITE.with_opacity(215));
        sheet.picture.text(at, WORDS, Anchor::Start, false, BLACK, name);
    }
}

/// Lines of the mesh that are drawn.
const MESH_LINES: usize = 24;

/// Calls `put` for every pixel whose middle a triangle covers, with its depth and value.
fn fill(corners: [([f64; 3], f64); 3], side: usize, put: &mut impl FnMut(usize, f64, f64)) {
    let [(a, fa), (b, fb), (c, fc)] = corners;
    let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    if area == 0.0 || !area.is_finite() {
        return;
    }
    let range = |i: usize| {
        let (lo, hi) = (a[i].min(b[i]).min(c[i]), a[i].max(b[i]).max(c[i]));
        ((lo - 0.5).ceil().max(0.0) as usize, ((hi - 0.5).floor().max(-1.0) + 1.0).min(side as f64) as usize)
    };
    let ((x0, x1), (y0, y1)) = (range(0), range(1));
    for y in y0..y1 {
        for x in x0..x1 {
            let p = [x as f64 + 0.5, y as f64 + 0.5];
            let wb = ((p[0] - a[0]) * (c[1] - a[1]) - (p[1] - a[1]) * (c[0] - a[0])) / area;
            let wc = ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])) / area;
            let wa = 1.0 - wb - wc;
            // A little beyond its edges, so that no seam stays open.
            if wa >= -1e-9 && wb >= -1e-9 && wc >= -1e-9 {
                put(y * side + x, wa * a[2] + wb * b[2] + wc * c[2], wa * fa + wb * fb + wc * fc);
            }
        }
    }
}
