//! Charts: panels one above the other over a common x axis, with series of points and lines in them.

use super::clip::Clip;
use super::color::{BLACK, GREY, PALE};
use super::{Anchor, Axis, Color, Picture, Scale, font};

/// Points or a line.
#[derive(Clone, Debug)]
pub struct Series {
    pub(crate) name: String,
    pub(crate) x: Vec<f64>,
    pub(crate) y: Vec<f64>,
    pub(crate) color: Color,
    pub(crate) mark: Mark,
    /// Whether the axes are made to hold it.
    pub(crate) counts: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mark {
    Points {
        radius: f32,
    },
    Line {
        width: f32,
        dash: bool,
    },
    /// From 0 up; one edge more than bars.
    Bars {
        edges: Vec<f64>,
    },
    /// From `low` up to `y`.
    Band {
        low: Vec<f64>,
    },
}

impl Series {
    /// Dots at `x` and `y`, which are as long as the shorter one; without a name it is not in the legend.
    pub fn points(name: &str, x: &[f64], y: &[f64], color: Color) -> Series {
        // Many dots are smaller and let each other shine through.
        let (radius, opacity) = match x.len() {
            0..=60 => (3.4, 230),
            61..=400 => (2.8, 170),
            401..=5_000 => (2.0, 110),
            _ => (1.4, 70),
        };
        let mark = Mark::Points { radius };
        Series {
            name: name.to_owned(),
            x: x.to_vec(),
            y: y.to_vec(),
            color: color.with_opacity(opacity),
            mark,
            counts: true,
        }
    }

    /// A line through the points in their order.
    pub fn line(name: &str, x: &[f64], y: &[f64], color: Color, width: f32) -> Series {
        let mark = Mark::Line { width, dash: false };
        Series { name: name.to_owned(), x: x.to_vec(), y: y.to_vec(), color, mark, counts: true }
    }

    /// Bars from 0 up to each of `heights`; bar `i` stands between `edges[i]` and `edges[i + 1]`.
    pub fn bars(name: &str, edges: &[f64], heights: &[f64], color: Color) -> Series {
        let mark = Mark::Bars { edges: edges.to_vec() };
        Series { name: name.to_owned(), x: edges.to_vec(), y: heights.to_vec(), color, mark, counts: true }
    }

    /// The area between two lines over `x`, see-through.
    pub fn band(name: &str, x: &[f64], low: &[f64], high: &[f64], color: Color) -> Series {
        let mark = Mark::Band { low: low.to_vec() };
        Series {
            name: name.to_owned(),
            x: x.to_vec(),
            y: high.to_vec(),
            color: color.with_opacity(60),
            mark,
            counts: true,
        }
    }

    /// All numbers that the y axis is to hold.
    fn heights(&self) -> impl Iterator<Item = f64> + '_ {
        let (zero, low) = match &self.mark {
            Mark::Bars { .. } => (Some(0.0), &[][..]),
            Mark::Band { low } => (None, &low[..]),
            _ => (None, &[][..]),
        };
        self.y.iter().chain(low).copied().chain(zero)
    }

    /// Dashed, where it is a line.
    pub fn dashed(mut self) -> Series {
        if let Mark::Line { dash, .. } = &mut self.mark {
            *dash = true;
        }
        self
    }

    /// So many times as thick, where it is a line or points.
    pub fn larger(mut self, times: f32) -> Series {
        if let Mark::Line { width: size, .. } | Mark::Points { radius: size } = &mut self.mark {
            *size *= times;
        }
        self
    }

    /// Cut off where it leaves the range of the others.
    pub fn beside(mut self) -> Series {
        self.counts = false;
        self
    }
}

/// One frame with axes.
#[derive(Clone, Debug)]
pub struct Panel {
    pub(crate) x_label: String,
    pub(crate) y_label: String,
    pub(crate) x_scale: Scale,
    pub(crate) y_scale: Scale,
    pub(crate) series: Vec<Series>,
}

impl Panel {
    /// An empty panel.
    pub fn new(x_label: &str, y_label: &str) -> Panel {
        let (x_scale, y_scale) = (Scale::Linear, Scale::Linear);
        Panel { x_label: x_label.to_owned(), y_label: y_label.to_owned(), x_scale, y_scale, series: Vec::new() }
    }

    /// With these scales.
    pub fn scales(mut self, x: Scale, y: Scale) -> Panel {
        (self.x_scale, self.y_scale) = (x, y);
        self
    }

    /// Adds a series above those before.
    pub fn add(&mut self, series: Series) {
        self.series.push(series);
    }

    pub(crate) fn x_values(&self) -> impl Iterator<Item = f64> + '_ {
        self.series.iter().filter(|s| s.counts).flat_map(|s| s.x.iter().copied())
    }

    pub(crate) fn y_axis(&self) -> Axis {
        let counted = self.series.iter().filter(|s| s.counts);
        let bars = self.y_scale == Scale::Linear && self.series.iter().any(|s| matches!(s.mark, Mark::Bars { .. }));
        let axis = Axis::around(counted.flat_map(Series::heights), self.y_scale, 0.06);
        // Bars stand on the axis.
        if bars && axis.lo < 0.0 && self.series.iter().all(|s| s.heights().all(|v| v.is_nan() || v >= 0.0)) {
            return Axis { lo: 0.0, ..axis };
        }
        axis
    }
}

/// Panels below a title.
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    subtitle: String,
    size: [f32; 2],
    panels: Vec<(Panel, f32)>,
}

/// Size of the words.
const WORDS: f32 = 13.0;

impl Chart {
    /// A chart without panels.
    pub fn new(title: &str) -> Chart {
        Chart { title: title.to_owned(), subtitle: String::new(), size: [900.0, 640.0], panels: Vec::new() }
    }

    /// With a line of smaller words below the title.
    pub fn subtitle(mut self, text: &str) -> Chart {
        self.subtitle = text.to_owned();
        self
    }

    /// Of another size than 900 × 640 units.
    pub fn size(mut self, width: f32, height: f32) -> Chart {
        self.size = [width, height];
        self
    }

    /// With one more panel below; heights are in proportion to `share`.
    pub fn panel(mut self, panel: Panel, share: f32) -> Chart {
        self.panels.push((panel, share));
        self
    }

    /// The picture.
    pub fn draw(&self) -> Picture {
        let [width, height] = self.size;
        let mut picture = Picture::new(width, height);
        let axes: Vec<Axis> = self.panels.iter().map(|(panel, _)| panel.y_axis()).collect();
        let widest = axes.iter().flat_map(|axis| axis.ticks(7).marks).map(|(_, text)| font::width(&text, WORDS));
        let left = 52.0 + widest.fold(0.0, f32::max);
        let (right, mut top) = (width - 24.0, self.heading(&mut picture, width - 48.0));
        top = self.legend(&mut picture, left, right, top) + 12.0;
        let gap = 22.0;
        let bottom = height - 56.0;
        let shares: f32 = self.panels.iter().map(|(_, share)| share).sum();
        let room = bottom - top - gap * (self.panels.len().max(1) - 1) as f32;
        let scale = self.panels.first().map_or(Scale::Linear, |(panel, _)| panel.x_scale);
        let x_axis = Axis::around(self.panels.iter().flat_map(|(panel, _)| panel.x_values()), scale, 0.03);
        for (i, ((panel, share), y_axis)) in self.panels.iter().zip(axes).enumerate() {
            let below = top + room * share / shares;
            let frame = Frame { left, right, top, bottom: below, x: x_axis, y: y_axis };
            frame.draw(&mut picture, panel, i + 1 == self.panels.len());
            top = below + gap;
        }
        picture
    }

    /// The title's lines; gives where the next thing begins.
    fn heading(&self, picture: &mut Picture, room: f32) -> f32 {
        let mut y = 34.0;
        picture.text([24.0, y], 18.0, Anchor::Start, false, BLACK, &fitted(&self.title, 18.0, room));
        if !self.subtitle.is_empty() {
            y += 22.0;
            picture.text([24.0, y], WORDS, Anchor::Start, false, GREY, &fitted(&self.subtitle, WORDS, room));
        }
        y
    }

    /// The names of the first panel's series in a row, more rows where they need be.
    fn legend(&self, picture: &mut Picture, left: f32, right: f32, y: f32) -> f32 {
        let named = self.panels.iter().take(1).flat_map(|(panel, _)| &panel.series).filter(|s| !s.name.is_empty());
        let (mut x, mut y, mut begun) = (left, y, false);
        for series in named {
            let name = fitted(&series.name, WORDS, right - left - 40.0);
            let wide = 34.0 + font::width(&name, WORDS) + 22.0;
            if !std::mem::replace(&mut begun, true) || x + wide > right {
                (x, y) = (left, y + 24.0);
            }
            let middle = y - 0.35 * WORDS;
            match series.mark {
                Mark::Bars { .. } | Mark::Band { .. } => {
                    picture.rectangle([x + 4.0, middle - 5.0], [20.0, 10.0], series.color);
                }
                Mark::Points { radius } => {
                    picture.dots([[x + 13.0, middle]], radius.max(2.5), series.color.with_opacity(255));
                }
                Mark::Line { width, dash } => {
                    picture.line(vec![[x, middle], [x + 26.0, middle]], series.color, width, dash);
                }
            }
            picture.text([x + 34.0, y], WORDS, Anchor::Start, false, BLACK, &name);
            x += wide;
        }
        y
    }
}

/// The begin of a text that has room.
pub(super) fn fitted(text: &str, size: f32, room: f32) -> String {
    if font::width(text, size) <= room {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut left = room - font::width("…", size);
    for c in text.chars() {
        left -= font::width(c.encode_utf8(&mut [0; 4]), size);
        if left < 0.0 {
            break;
        }
        out.push(c);
    }
    out + "…"
}

/// A panel's place in the picture.
struct Frame {
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
    x: Axis,
    y: Axis,
}

impl Frame {
    fn at(&self, x: f64, y: f64) -> [f32; 2] {
        // Far beyond the frame, so that a segment's slope survives and f32 does not overflow.
        let (x, y) = (self.x.place(x).clamp(-1e3, 1e3) as f32, self.y.place(y).clamp(-1e3, 1e3) as f32);
        [self.left + (self.right - self.left) * x, self.bottom - (self.bottom - self.top) * y]
    }

    fn draw(&self, picture: &mut Picture, panel: &Panel, last: bool) {
        let Frame { left, right, top, bottom, .. } = *self;
        let y_ticks = self.y.ticks(if bottom - top > 220.0 { 7 } else { 4 });
        let x_ticks = self.x.ticks(9);
        for (value, text) in &y_ticks.marks {
            let [_, y] = self.at(self.x.lo, *value);
            picture.line(vec![[left, y], [right, y]], PALE, 1.0, false);
            picture.text([left - 8.0, y + 0.36 * WORDS], WORDS, Anchor::End, false, GREY, text);
        }
        for (value, text) in &x_ticks.marks {
            let [x, _] = self.at(*value, self.y.lo);
            picture.line(vec![[x, top], [x, bottom]], PALE, 1.0, false);
            picture.line(vec![[x, bottom], [x, bottom + 4.0]], GREY, 1.0, false);
            if last {
                picture.text([x, bottom + 19.0], WORDS, Anchor::Middle, false, GREY, text);
            }
        }
        for series in &panel.series {
            self.series(picture, series);
        }
        picture.line(vec![[left, top], [left, bottom], [right, bottom]], GREY, 1.2, false);
        let with = |label: &str, factor: &str| match factor {
            "" => label.to_owned(),
            factor if label.is_empty() => factor.to_owned(),
            factor => format!("{label}  ({factor})"),
        };
        let label = fitted(&with(&panel.y_label, &y_ticks.factor), WORDS + 1.0, bottom - top);
        picture.text([24.0, 0.5 * (top + bottom)], WORDS + 1.0, Anchor::Middle, true, BLACK, &label);
        if last {
            let label = fitted(&with(&panel.x_label, &x_ticks.factor), WORDS + 1.0, right - left);
            picture.text([0.5 * (left + right), bottom + 42.0], WORDS + 1.0, Anchor::Middle, false, BLACK, &label);
        }
    }

    fn series(&self, picture: &mut Picture, series: &Series) {
        let pairs = series.x.iter().zip(&series.y);
        match series.mark {
            Mark::Points { radius } => {
                let inside = |&(&x, &y): &(&f64, &f64)| {
                    let within = |place: f64| (-1e-9..=1.0 + 1e-9).contains(&place);
                    within(self.x.place(x)) && within(self.y.place(y))
                };
                picture.dots(pairs.filter(inside).map(|(&x, &y)| self.at(x, y)), radius, series.color);
            }
            Mark::Line { width, dash } => {
                let places = pairs.map(|(&x, &y)| (x.is_finite() && y.is_finite()).then(|| self.at(x, y)));
                for run in self.clip().line(places) {
                    picture.line(run, series.color, width, dash);
                }
            }
            Mark::Bars { ref edges } => {
                for (edges, &height) in edges.windows(2).zip(&series.y).filter(|(_, height)| height.is_finite()) {
                    let ([left, top], [right, bottom]) =
                        (self.at(edges[0], height), self.at(edges[1], self.y.lo.max(0.0)));
                    let gap = if right - left > 6.0 { 1.0 } else { 0.0 };
                    picture.rectangle(
                        [left, top],
                        [(right - left - gap).max(0.5), (bottom - top).max(0.0)],
                        series.color,
                    );
                }
            }
            Mark::Band { ref low } => {
                let places: Vec<(usize, [f32; 2])> = pairs
                    .enumerate()
                    .filter(|(i, (x, y))| x.is_finite() && y.is_finite() && low.get(*i).is_some_and(|v| v.is_finite()))
                    .map(|(i, (&x, &y))| (i, self.at(x, y)))
                    .collect();
                let below = places.iter().rev().map(|&(i, _)| self.at(series.x[i], low[i]));
                let inside = |[x, y]: [f32; 2]| [x.clamp(self.left, self.right), y.clamp(self.top, self.bottom)];
                picture.polygon(places.iter().map(|p| p.1).chain(below).map(inside).collect(), series.color);
            }
        }
    }

    fn clip(&self) -> Clip {
        Clip { from: [self.left, self.top], to: [self.right, self.bottom] }
    }
}
