//! Where descents converge and where they run away: two hues, darker where it took longer to know.

use super::Words;
use super::sheet::Sheet;
use crate::map::{Fate, RateMap};
use crate::report::picture::color::{BLACK, GREY};
use crate::report::picture::colormap::{ON_ITS_WAY, converging, diverging};
use crate::report::picture::{Color, Picture, Raster};
use crate::report::{count, percent};

/// A map over learning rates.
pub fn rates(words: &Words, map: &RateMap) -> Picture {
    let mut sheet = Sheet::new(words, map.size, Sheet::margin(&map.y), 200.0);
    let scales = [Fate::Converged, Fate::Diverged].map(|fate| Scale::new(map, fate));
    let size = map.size as usize;
    sheet.fill(Raster::new(map.size, map.size, |column, row| {
        let pixel = row as usize * size + column as usize;
        match map.fate[pixel] {
            Fate::Converged => converging(scales[0].of(map.steps[pixel])),
            Fate::Diverged => diverging(scales[1].of(map.steps[pixel])),
            Fate::Undecided => ON_ITS_WAY,
        }
    }));
    sheet.axes(&map.x, &map.y);
    let all = map.fate.len() as f64;
    let mut y = sheet.top + 10.0;
    let height = (0.5 * (sheet.side - 150.0)).clamp(40.0, 170.0);
    let colors: [fn(f64) -> Color; 2] = [converging, diverging];
    for (k, (name, color)) in ["converged", "ran away"].into_iter().zip(colors).enumerate() {
        sheet.words(y, BLACK, &format!("{name}: {}", percent(map.counts[k] as f64 / all)));
        sheet.words(y + 15.0, GREY, "steps until it was known");
        let marks: Vec<(f64, String)> =
            [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| (part, count(scales[k].steps(part)))).to_vec();
        let marks = if map.counts[k] > 0 { &marks[..] } else { &[] };
        sheet.bar(y + 26.0, height, color, marks);
        y += height + 58.0;
    }
    if map.counts[2] > 0 {
        sheet.key(y, ON_ITS_WAY, &format!("neither: {}", percent(map.counts[2] as f64 / all)));
    }
    sheet.picture
}

/// How dark a number of steps is, by its rank among those of its kind: the border, where steps grow without end, keeps its detail.
struct Scale {
    sorted: Vec<u32>,
}

impl Scale {
    fn new(map: &RateMap, fate: Fate) -> Scale {
        let own = map.fate.iter().zip(&map.steps).filter(|(f, _)| **f == fate).map(|(_, &steps)| steps);
        let mut all: Vec<u32> = own.collect();
        all.sort_unstable();
        let every = all.len().div_ceil(4096).max(1);
        Scale { sorted: all.into_iter().step_by(every).collect() }
    }

    fn of(&self, steps: u32) -> f64 {
        let below = self.sorted.partition_point(|&s| s < steps);
        below as f64 / self.sorted.len().saturating_sub(1).max(1) as f64
    }

    fn steps(&self, part: f64) -> u64 {
        let i = (part * self.sorted.len().saturating_sub(1) as f64).round() as usize;
        self.sorted.get(i).map_or(0, |&s| u64::from(s))
    }
}
