//! Basins of attraction: a colour a minimum, darker where the way there is longer.

use super::sheet::Sheet;
use super::{Words, short};
use crate::map::{BasinMap, Kind, NOT_ARRIVED, NOT_DEFINED, Plane, RAN_AWAY};
use crate::report::picture::color::{BLACK, GREY, WHITE};
use crate::report::picture::colormap::{GONE, KINDS, NO_NUMBER, ON_ITS_WAY, darkened, kinds};
use crate::report::picture::{Anchor, Color, Picture, Raster};
use crate::report::{count, percent};

/// Minima that are explained beside the picture, named in it, and marked.
const MOST_KEYS: usize = 12;
const MOST_NAMES: usize = 16;
const MOST_MARKS: usize = 200;
/// What belongs to a point that is no minimum.
const NO_MINIMUM: Color = WHITE;

/// The basins of a map.
pub fn basins(words: &Words, plane: &Plane, map: &BasinMap) -> Picture {
    let mut sheet = Sheet::new(words, map.size, Sheet::margin(&plane.y), 236.0);
    let colors = colors(map);
    let pace = Pace::new(map);
    let size = map.size as usize;
    sheet.fill(Raster::new(map.size, map.size, |column, row| {
        let pixel = row as usize * size + column as usize;
        match map.label[pixel] {
            NOT_ARRIVED => ON_ITS_WAY,
            RAN_AWAY => GONE,
            NOT_DEFINED => NO_NUMBER,
            basin => darkened(colors[basin as usize], pace.of(map.steps[pixel])),
        }
    }));
    sheet.axes(&plane.x, &plane.y);
    let at: Vec<[f64; 2]> = map.basins.iter().map(|b| plane.place(plane.project(&b.x).0)).collect();
    at.iter().take(MOST_MARKS).for_each(|&at| sheet.keep_clear(at, 5.0));
    let flat = plane.dim() == 2;
    for (i, basin) in map.basins.iter().enumerate().take(MOST_MARKS) {
        // In more dimensions a minimum lies beside the plane, where a mark would be a lie.
        let near = flat || plane.project(&basin.x).1 < 1e-6 * basin.x.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
        if near && basin.kind != Kind::Saddle {
            let name = if i < MOST_NAMES { short(basin.value) } else { String::new() };
            sheet.mark(at[i], &name, colors[i]);
        }
    }
    explain(&mut sheet, plane, map, &colors, &pace);
    sheet.picture
}

/// The column: each basin's colour with value, share and point; what has none; and how shades tell steps.
fn explain(sheet: &mut Sheet, plane: &Plane, map: &BasinMap, colors: &[Color], pace: &Pace) {
    let repeated = map.basins.iter().filter(|b| b.kind != Kind::Saddle).count() > KINDS.len();
    let mut y = sheet.top + 10.0;
    let points = if map.basins.len() == 1 { "point" } else { "points" };
    let heading = format!("descents arrive at {} {points}", count(map.basins.len() as u64));
    sheet.words(y, BLACK, &heading);
    if repeated {
        y += 16.0;
        sheet.words(y, GREY, "colours repeat; neighbours differ");
    }
    y += 22.0;
    let room = ((sheet.side - 210.0) / 32.0).max(1.0) as usize;
    let shown = map.basins.len().min(MOST_KEYS).min(room);
    for (i, basin) in map.basins.iter().enumerate().take(shown) {
        let kind = match basin.kind {
            Kind::Minimum => String::new(),
            other => format!(", {}", other.name()),
        };
        sheet.key(y, colors[i], &format!("{}{kind}: {}", short(basin.value), percent(map.share(i))));
        let (x, at) = (sheet.column + 21.0, crate::report::point(&basin.x, 4, 2).replace('-', "−"));
        let name = if plane.dim() == 2 { format!("at {at}") } else { format!("x = {at}") };
        sheet.picture.text([x, y + 14.0], 11.0, Anchor::Start, false, GREY, &name);
        y += 32.0;
    }
    if shown < map.basins.len() {
        let rest: u64 = map.basins[shown..].iter().map(|b| b.pixels).sum();
        let share = percent(rest as f64 / map.label.len() as f64);
        sheet.words(y, GREY, &format!("and {} more: {share}", count((map.basins.len() - shown) as u64)));
        y += 24.0;
    }
    let names = [("on the way still", ON_ITS_WAY), ("ran away", GONE), ("not defined", NO_NUMBER)];
    for ((name, color), pixels) in names.into_iter().zip(map.elsewhere).filter(|(_, pixels)| *pixels > 0) {
        sheet.key(y, color, &format!("{name}: {}", percent(pixels as f64 / map.label.len() as f64)));
        y += 24.0;
    }
    let Some(&color) = colors.first() else { return };
    let bottom = sheet.top + sheet.side;
    let height = (bottom - y - 34.0).clamp(20.0, 110.0);
    let top = bottom - height;
    sheet.words(top - 10.0, BLACK, "steps to arrive");
    let marks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| (part, count(pace.steps(part))));
    sheet.bar(top, height, |part| darkened(color, part), &marks);
}

/// A colour for each basin, so that neighbours differ.
fn colors(map: &BasinMap) -> Vec<Color> {
    let mut touching = std::collections::HashSet::new();
    let (size, most) = (map.size as usize, map.basins.len() as u32);
    for row in 0..size {
        for column in 0..size {
            let here = map.label[row * size + column];
            for near in [(row, column + 1), (row + 1, column)] {
                if near.0 < size && near.1 < size {
                    let there = map.label[near.0 * size + near.1];
                    if here != there && here < most && there < most {
                        touching.insert((here.min(there), here.max(there)));
                    }
                }
            }
        }
    }
    // Saddles are reached from thin lines: they take no colour from minima.
    let mut number = vec![u32::MAX; map.basins.len()];
    let own = (0..map.basins.len()).filter(|&i| map.basins[i].kind != Kind::Saddle);
    let own: Vec<usize> = own.collect();
    own.iter().enumerate().for_each(|(k, &i)| number[i] = k as u32);
    let pairs = touching.into_iter().map(|(a, b)| (number[a as usize], number[b as usize]));
    let mut pairs: Vec<(u32, u32)> = pairs.filter(|(a, b)| *a != u32::MAX && *b != u32::MAX).collect();
    pairs.sort_unstable();
    let kinds = kinds(own.len(), &pairs);
    number.into_iter().map(|k| if k == u32::MAX { NO_MINIMUM } else { KINDS[kinds[k as usize]] }).collect()
}

/// How dark a number of steps is: by its logarithm, between the fastest twentieth and the slowest hundredth.
struct Pace {
    from: f64,
    to: f64,
}

impl Pace {
    fn new(map: &BasinMap) -> Pace {
        let most = map.basins.len() as u32;
        let arrived = map.label.iter().zip(&map.steps).filter(|(label, _)| **label < most);
        let mut steps: Vec<u32> = arrived.map(|(_, &steps)| steps).collect();
        if steps.is_empty() {
            return Pace { from: 0.0, to: 1.0 };
        }
        let [fast, slow] = [5, 99].map(|part| {
            let place = (steps.len() - 1) * part / 100;
            *steps.select_nth_unstable(place).1
        });
        let from = f64::from(fast).ln_1p();
        Pace { from, to: f64::from(slow).ln_1p().max(from + 1e-9) }
    }

    fn of(&self, steps: u32) -> f64 {
        ((f64::from(steps).ln_1p() - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    fn steps(&self, part: f64) -> u64 {
        (self.from + part * (self.to - self.from)).exp_m1().round() as u64
    }
}
