//! The sheet that a map is drawn on: a square of pixels with axes around it, words above and a column of explanations to its right.

use super::Words;
use crate::map::Span;
use crate::report::picture::chart::fitted;
use crate::report::picture::clip::Clip;
use crate::report::picture::color::{BLACK, GREY, WHITE};
use crate::report::picture::{Anchor, Axis, Color, Picture, Raster, Scale, font};

/// Units of the square's side, at most and at least; a unit is at least a pixel.
const SIDES: (f32, f32) = (640.0, 240.0);
/// Size of words.
pub(super) const WORDS: f32 = 13.0;
const TOP: f32 = 76.0;
const BELOW: f32 = 62.0;

pub(super) struct Sheet {
    pub(super) picture: Picture,
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) side: f32,
    /// Where the column on the right begins.
    pub(super) column: f32,
    /// What is written already.
    taken: Vec<Clip>,
}

impl Sheet {
    /// An empty sheet for a square of `size` pixels a side, with a column of this width.
    pub(super) fn new(words: &Words, size: u32, left: f32, column: f32) -> Sheet {
        let side = (size as f32).clamp(SIDES.1, SIDES.0);
        let scale = (size as f32 / side).max(1.0);
        let (width, height) = (left + side + 24.0 + column, TOP + side + BELOW);
        let mut picture = Picture::new(width.ceil(), height.ceil()).with_scale(scale);
        let room = width - 48.0;
        picture.text([24.0, 34.0], 18.0, Anchor::Start, false, BLACK, &fitted(&words.title, 18.0, room));
        picture.text([24.0, 56.0], WORDS, Anchor::Start, false, GREY, &fitted(&words.subtitle, WORDS, room));
        Sheet { picture, left, top: TOP, side, column: left + side + 24.0, taken: Vec::new() }
    }

    /// Room to the left of the square for the marks of an axis.
    pub(super) fn margin(y: &Span) -> f32 {
        let marks = axis(y).ticks(9).marks;
        50.0 + marks.iter().map(|(_, text)| font::width(text, WORDS)).fold(0.0, f32::max)
    }

    /// The place of a point given in parts of the square from its lower left corner.
    pub(super) fn at(&self, [x, y]: [f64; 2]) -> [f32; 2] {
        let far = |v: f64| v.clamp(-1e3, 1e3) as f32;
        [self.left + self.side * far(x), self.top + self.side * (1.0 - far(y))]
    }

    pub(super) fn clip(&self) -> Clip {
        Clip { from: [self.left, self.top], to: [self.left + self.side, self.top + self.side] }
    }

    /// Fills the square.
    pub(super) fn fill(&mut self, raster: Raster) {
        self.picture.image([self.left, self.top], [self.side, self.side], raster);
    }

    /// The square's border, marks and names of the axes.
    pub(super) fn axes(&mut self, x: &Span, y: &Span) {
        let (left, top, side) = (self.left, self.top, self.side);
        let (right, bottom) = (left + side, top + side);
        let most = if side < 400.0 { 5 } else { 9 };
        let (across, upward) = (axis(x).ticks(most), axis(y).ticks(most));
        for (value, text) in &across.marks {
            let [at, _] = self.at([x.place(*value), 0.0]);
            self.picture.line(vec![[at, bottom], [at, bottom + 5.0]], GREY, 1.0, false);
            self.picture.text([at, bottom + 20.0], WORDS, Anchor::Middle, false, GREY, text);
        }
        for (value, text) in &upward.marks {
            let [_, at] = self.at([0.0, y.place(*value)]);
            self.picture.line(vec![[left - 5.0, at], [left, at]], GREY, 1.0, false);
            self.picture.text([left - 9.0, at + 0.36 * WORDS], WORDS, Anchor::End, false, GREY, text);
        }
        let border = vec![[left, top], [right, top], [right, bottom], [left, bottom], [left, top]];
        self.picture.line(border, GREY, 1.0, false);
        let with = |span: &Span, factor: &str| match factor {
            "" => span.name.clone(),
            factor => format!("{}  ({factor})", span.name),
        };
        let label = fitted(&with(x, &across.factor), WORDS + 1.0, side);
        self.picture.text([0.5 * (left + right), bottom + 44.0], WORDS + 1.0, Anchor::Middle, false, BLACK, &label);
        let label = fitted(&with(y, &upward.factor), WORDS + 1.0, side);
        self.picture.text([24.0, 0.5 * (top + bottom)], WORDS + 1.0, Anchor::Middle, true, BLACK, &label);
    }

    /// A ring at a place of the square, and its name beside it where there is room; places outside are left out.
    pub(super) fn mark(&mut self, at: [f64; 2], name: &str, color: Color) {
        let [x, y] = self.at(at);
        if !self.clip().holds([x, y]) {
            return;
        }
        self.picture.dots([[x, y]], 5.5, BLACK);
        self.picture.dots([[x, y]], 4.3, WHITE);
        self.picture.dots([[x, y]], 2.9, color);
        self.name([x, y], 9.0, name, BLACK);
    }

    /// A name beside a place: to the right, left, above or below, wherever it meets neither the square's border nor another
    /// name. Gives whether there was room.
    pub(super) fn name(&mut self, [x, y]: [f32; 2], away: f32, name: &str, color: Color) -> bool {
        if name.is_empty() {
            return true;
        }
        let size = WORDS - 1.0;
        let (wide, high) = (font::width(name, size), size);
        let corners = [
            [x + away, y - 0.5 * high],
            [x - away - wide, y - 0.5 * high],
            [x - 0.5 * wide, y - away - high],
            [x - 0.5 * wide, y + away],
        ];
        let around =
            |[left, top]: [f32; 2]| Clip { from: [left - 3.0, top - 2.0], to: [left + wide + 3.0, top + high + 3.0] };
        let square = self.clip();
        let free = |area: &Clip| {
            let apart = |other: &Clip| (0..2).any(|i| area.to[i] < other.from[i] || other.to[i] < area.from[i]);
            square.holds(area.from) && square.holds(area.to) && self.taken.iter().all(apart)
        };
        let Some(corner) = corners.into_iter().find(|&corner| free(&around(corner))) else { return false };
        let area = around(corner);
        let box_size = [area.to[0] - area.from[0], area.to[1] - area.from[1]];
        self.picture.rectangle(area.from, box_size, WHITE.with_opacity(205));
        self.picture.text([corner[0], corner[1] + 0.86 * high], size, Anchor::Start, false, color, name);
        self.taken.push(area);
        true
    }

    /// Keeps names away from a place.
    pub(super) fn keep_clear(&mut self, at: [f64; 2], around: f32) {
        let [x, y] = self.at(at);
        self.taken.push(Clip { from: [x - around, y - around], to: [x + around, y + around] });
    }

    /// A line of words in the column at this height.
    pub(super) fn words(&mut self, y: f32, color: Color, text: &str) {
        let room = self.picture.width - self.column - 16.0;
        self.picture.text([self.column, y], WORDS - 1.0, Anchor::Start, false, color, &fitted(text, WORDS - 1.0, room));
    }

    /// A box of a colour and words beside it, in the column at this height.
    pub(super) fn key(&mut self, y: f32, color: Color, text: &str) {
        let (x, size) = (self.column, WORDS - 1.0);
        self.picture.rectangle([x - 0.8, y - 10.8], [15.6, 12.6], GREY);
        self.picture.rectangle([x, y - 10.0], [14.0, 11.0], color);
        let room = self.picture.width - x - 36.0;
        self.picture.text([x + 21.0, y], size, Anchor::Start, false, BLACK, &fitted(text, size, room));
    }

    /// An upright bar of colours in the column, `color` by the part of its height from below, and words at parts of it.
    pub(super) fn bar(&mut self, top: f32, height: f32, color: impl Fn(f64) -> Color, marks: &[(f64, String)]) {
        let (x, width) = (self.column, 18.0);
        let rows = 512u32;
        let raster = Raster::new(1, rows, |_, row| color(1.0 - (f64::from(row) + 0.5) / f64::from(rows)));
        self.picture.image([x, top], [width, height], raster);
        let border = vec![[x, top], [x + width, top], [x + width, top + height], [x, top + height], [x, top]];
        self.picture.line(border, GREY, 1.0, false);
        let (mut last, mut said) = (f32::INFINITY, "");
        for (part, text) in marks {
            let y = top + height * (1.0 - *part as f32);
            if said == text {
                continue;
            }
            self.picture.line(vec![[x + width, y], [x + width + 4.0, y]], GREY, 1.0, false);
            if last - y > WORDS {
                said = text;
                self.picture.text([x + width + 8.0, y + 0.36 * WORDS], WORDS - 1.0, Anchor::Start, false, GREY, text);
                last = y;
            }
        }
    }
}

/// A range as an axis.
pub(super) fn axis(span: &Span) -> Axis {
    Axis { lo: span.lo, hi: span.hi, scale: if span.log { Scale::Log } else { Scale::Linear } }
}
